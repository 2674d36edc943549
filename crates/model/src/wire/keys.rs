//! What clients tell of keys, for faults that draw by an attribute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::Metric;
use crate::{Key, KeyHash, KeyHashes, KeySketch};

/// An attribute whose values are to be counted at a point: some fault there draws by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SketchWanted {
    /// The point.
    pub point: Key,
    /// The attribute.
    pub attribute: String,
    /// What its values are hashed with. It is the server's, and another one after a restart.
    pub salt: String,
}

/// The values of one attribute among the root requests that passed a point, over a slice of time.
///
/// A slice's counters only grow, and the next slice begins with nothing. A report has the latest slice and the one
/// before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointKeys {
    /// The point.
    pub point: Key,
    /// The attribute.
    pub attribute: String,
    /// What its values were hashed with.
    pub salt: String,
    /// Which slice of this client, from 0.
    pub slice: u64,
    /// Root requests that passed, those without the attribute included.
    pub requests: u64,
    /// The distinct values.
    #[serde(default, skip_serializing_if = "KeySketch::is_empty")]
    pub keys: KeySketch,
    /// The values that came most often, and how many requests each had at most.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub heaviest: BTreeMap<KeyHash, u64>,
}

/// The keys of one arm of a run that draws by an attribute. Cumulative over the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmKeys {
    /// Those that were drawn.
    #[serde(default, skip_serializing_if = "KeySketch::is_empty")]
    pub drawn: KeySketch,
    /// Those that met at least one injection.
    #[serde(default, skip_serializing_if = "KeySketch::is_empty")]
    pub struck: KeySketch,
    /// Those with a bad outcome, each by its first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bad: BTreeMap<Metric, KeyHashes>,
    /// There are more of these than are told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub full: bool,
}
