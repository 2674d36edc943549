//! Daybreak's documents: what operators and Git keep, as YAML or JSON.
//!
//! Text becomes a tree that knows its positions; a decoder turns it into resources and says *everything* that
//! is wrong, each with its place and with what to write instead; the same decoder reads files and API bodies.
//! Resources become text again by [`encode`] and [`to_yaml`]: reading that gives back the same resources.
//!
//! ```
//! use daybreak_document::{Source, decode};
//!
//! let source = Source::new("flags.yaml", "flags:\n  new-checkout: { default: of }\n");
//! let decoded = decode(&[source]);
//! assert_eq!(decoded.diagnostics[0].message, "this flag has no variant `of`");
//! assert_eq!(decoded.diagnostics[0].help.as_deref(), Some("write `off`"));
//! ```
//!
//! This crate does no I/O, reads no clock and owns no randomness.

mod check;
mod decode;
mod diagnostic;
mod diff;
mod encode;
mod fields;
mod merge;
mod patch;
mod path;
mod render;
mod schema;
mod source;
mod suggest;
mod told;
mod tree;

pub use check::referrers;
pub use decode::{Decoded, Draft, decode, decode_form, decode_on, decode_over, decode_resource};
pub use diagnostic::{Diagnostic, Related, Severity, has_errors};
pub use diff::{Change, Difference, FieldChange, diff, renames};
pub use encode::{encode, encode_effect, encode_resource, to_yaml, value_to_yaml};
pub use merge::{Merged, Overridden, merge};
pub use patch::{Patch, patch};
pub use render::{render, render_plain};
pub use schema::schema;
pub use source::{Source, Span};
pub use told::{Told, has_long_list, tell_resource};
