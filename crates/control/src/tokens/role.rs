//! What tokens may do.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Evaluates flags that are marked `client: true`, and sees nothing else: it may be public.
    Evaluate,
    /// Sends pages, and sees nothing.
    Pager,
    /// An application with the SDK.
    Sdk,
    /// Reads everything, and may halt.
    Viewer,
    /// Switches flags, starts and stops faults, halts and lifts.
    Operator,
    /// Everything.
    Admin,
}

/// What an operation asks of whoever wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// To evaluate flags one does not see.
    Evaluate,
    /// To send pages.
    Page,
    /// To have all flags, and to follow their changes.
    Follow,
    /// To report as a client, and to be granted leases.
    Report,
    /// To read everything but tokens.
    Read,
    /// To stop everything. It is wide on purpose: whoever can see the trouble can end it.
    Halt,
    /// To switch flags, start, stop and lift.
    Operate,
    /// To change documents and tokens, and to waive what stands against a start.
    Administer,
}

/// A word that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no role; write `evaluate`, `pager`, `sdk`, `viewer`, `operator` or `admin`")]
pub struct RoleError(String);

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 6] = [Self::Evaluate, Self::Pager, Self::Sdk, Self::Viewer, Self::Operator, Self::Admin];

    /// Its word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evaluate => "evaluate",
            Self::Pager => "pager",
            Self::Sdk => "sdk",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Whether it has a right.
    #[must_use]
    pub fn may(self, right: Right) -> bool {
        right.roles().contains(&self)
    }
}

impl Right {
    /// The roles that have it, the least first. A viewer's token cannot report: what reports is counted by the guard.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Evaluate => &[Role::Evaluate, Role::Sdk, Role::Viewer, Role::Operator, Role::Admin],
            Self::Page => &[Role::Pager, Role::Operator, Role::Admin],
            Self::Follow => &[Role::Sdk, Role::Viewer, Role::Operator, Role::Admin],
            Self::Report => &[Role::Sdk, Role::Admin],
            Self::Read | Self::Halt => &[Role::Viewer, Role::Operator, Role::Admin],
            Self::Operate => &[Role::Operator, Role::Admin],
            Self::Administer => &[Role::Admin],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| RoleError(text.to_owned()))
    }
}
