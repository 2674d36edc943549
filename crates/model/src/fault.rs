//! Faults: flags that break things on purpose.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::{Condition, Effect, Key, Millis, Percentage, Ramp, Scalar};

/// A flag that injects an effect at a fault point, for a percentage of the traffic that its condition selects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What is believed to hold while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Scalars handed on with every run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Scalar>,
    /// When `false` it cannot start, and a run of it ends; `true` unless said.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The place in the application where it strikes.
    pub point: Key,
    /// Only root requests of this operation: `POST /checkout`. `http.server` needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls to this host: `pay.example`. `http.client` needs it (or an operation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Whom it selects; everyone unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    /// The share of eligible requests that are treated.
    pub percentage: Percentage,
    /// How a run grows to that share.
    #[serde(default, skip_serializing_if = "Ramp::is_none")]
    pub ramp: Ramp,
    /// What is drawn.
    #[serde(default, skip_serializing_if = "DrawBy::is_request")]
    pub by: DrawBy,
    /// What a strike does.
    pub effect: Effect,
    /// How many passes of one treated request are struck; every one unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<NonZeroU32>,
    /// The calendar in which it may run.
    pub hours: Key,
    /// What watches over it.
    pub guard: Guard,
    /// The longest that one run of it lasts.
    pub max_duration: Millis,
    /// How often Daybreak starts it by itself, at a random time inside its hours; never unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// What its draws are made with; fresh for each run unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
}

/// How often Daybreak starts a fault by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Once on each day on which its calendar opens.
    Daily,
    /// Once in each week, from Monday, in which its calendar opens.
    Weekly,
}

/// The unit of a draw.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrawBy {
    /// Each root request is drawn anew.
    #[default]
    Request,
    /// Sticky: each value of this attribute is drawn once.
    Attribute(Box<str>),
}

/// What watches over a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guard {
    /// Nothing; it must be written out, and is refused in an environment named `production`.
    None,
    /// Error budgets.
    Policy(GuardPolicy),
}

/// What must hold for a run to start, and what ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardPolicy {
    /// The SLO whose arms and budget are watched.
    pub slo: Key,
    /// The share of the error budget that must be left after all reservations.
    pub min_budget: Percentage,
    /// The share of the window's budget that the run may spend; 2 % unless said.
    pub max_spend: Percentage,
    /// The harm that resilience must rule out, in percentage points of struck requests; 1 % unless said.
    pub harm: Percentage,
    /// The on-call SLO that must have budget left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_call: Option<Key>,
    /// What ends the run early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_when: Option<StopWhen>,
}

/// What ends a run early and well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopWhen {
    /// As soon as resilience is shown; it saves budget.
    Resilient,
}

impl GuardPolicy {
    /// `max_spend` unless said.
    pub const MAX_SPEND_DEFAULT: Percentage = match Percentage::from_thousandths(2_000) {
        Some(percentage) => percentage,
        None => Percentage::ZERO,
    };
    /// `harm` unless said.
    pub const HARM_DEFAULT: Percentage = match Percentage::from_thousandths(1_000) {
        Some(percentage) => percentage,
        None => Percentage::ZERO,
    };
}

impl DrawBy {
    /// Whether each root request is drawn anew.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self, Self::Request)
    }
}

const fn yes() -> bool {
    true
}
