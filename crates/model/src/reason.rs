//! Why an evaluation answered as it did, in OpenFeature's words.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why this value: the resolution reasons of the OpenFeature specification (section 1.4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// The flag has no rules.
    Static,
    /// It has rules, and none matched.
    Default,
    /// A rule matched.
    TargetingMatch,
    /// A share of a rule or of a rollout.
    Split,
    /// The flag is turned off, or a prerequisite failed.
    Disabled,
    /// From a cache, before the first contact with the server.
    Cached,
    /// The server has been out of reach for longer than tolerated.
    Stale,
    /// Not known.
    Unknown,
    /// The evaluation failed; the caller's default was served.
    Error,
}

/// What went wrong: the error codes of the OpenFeature specification (section 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ErrorCode {
    /// There are no flags yet.
    ProviderNotReady,
    /// There will be no flags: the client cannot work at all.
    ProviderFatal,
    /// No such flag.
    FlagNotFound,
    /// The flag is broken, or needs a newer engine.
    ParseError,
    /// The flag's value is of another type than asked for.
    TypeMismatch,
    /// A split needs a key that the context does not have.
    TargetingKeyMissing,
    /// The context is malformed.
    InvalidContext,
    /// Anything else.
    General,
}

macro_rules! text {
    ($type:ty { $($variant:ident => $text:literal,)* }) => {
        impl $type {
            /// Its name in OpenFeature and OFREP.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text!(Reason {
    Static => "STATIC",
    Default => "DEFAULT",
    TargetingMatch => "TARGETING_MATCH",
    Split => "SPLIT",
    Disabled => "DISABLED",
    Cached => "CACHED",
    Stale => "STALE",
    Unknown => "UNKNOWN",
    Error => "ERROR",
});

text!(ErrorCode {
    ProviderNotReady => "PROVIDER_NOT_READY",
    ProviderFatal => "PROVIDER_FATAL",
    FlagNotFound => "FLAG_NOT_FOUND",
    ParseError => "PARSE_ERROR",
    TypeMismatch => "TYPE_MISMATCH",
    TargetingKeyMissing => "TARGETING_KEY_MISSING",
    InvalidContext => "INVALID_CONTEXT",
    General => "GENERAL",
});
