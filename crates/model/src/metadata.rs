//! What answers have among their metadata that is Daybreak's own; a flag's own metadata cannot take these names.

/// The revision that last changed the flag: a number.
pub const REVISION: &str = "revision";
/// The same as text: OpenFeature's hooks tell it as `feature_flag.version`.
pub const VERSION: &str = "version";
/// The environment: OpenFeature's hooks tell it as `feature_flag.set.id`.
pub const FLAG_SET_ID: &str = "flagSetId";
/// The rule that decided.
pub const RULE: &str = "rule";
/// The prerequisite that failed.
pub const PREREQUISITE: &str = "prerequisite";
/// How long ago the server was last heard, in milliseconds, where the answer is stale.
pub const AGE_MS: &str = "age_ms";

/// Whether a name is one of these.
#[must_use]
pub fn is_own(name: &str) -> bool {
    [REVISION, VERSION, FLAG_SET_ID, RULE, PREREQUISITE, AGE_MS].contains(&name)
}
