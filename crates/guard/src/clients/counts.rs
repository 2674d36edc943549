//! What clients reported of one run.

use std::collections::BTreeMap;

use daybreak_model::wire::{ArmCounts, Metric, Report};
use daybreak_model::{Arm, InstanceId};
use jiff::Timestamp;
use serde::Serialize;

use super::client::{Client, OTHER, operation_name};

/// Arms of one client, by root operation and ramp stage; what is beyond is counted as [`OTHER`].
const ARMS_MAX: usize = 10_000;

/// The counters of one arm. Each is cumulative over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ArmTotals {
    /// Eligible requests.
    pub requests: u64,
    /// Requests that met at least one injection.
    pub struck: u64,
    /// Injections.
    pub strikes: u64,
    /// Drawn passes that the cap on faults in flight spared.
    pub spared: u64,
}

/// One place that a run may touch: a service and a root operation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The service.
    pub service: String,
    /// The root operation.
    pub operation: String,
}

/// What is known of a run in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceTotals {
    /// Root requests while it ran, eligible or not. The first report of a client after the start also counts
    /// those since its report before.
    pub requests: u64,
    /// The arms, by ramp stage at the draw.
    pub arms: BTreeMap<(u32, Arm), ArmTotals>,
}

/// What clients reported of one run. Duplicates and reorderings have changed nothing in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunCounts {
    places: BTreeMap<Place, PlaceTotals>,
    clients: BTreeMap<InstanceId, ClientPart>,
}

/// What one client last reported.
#[derive(Clone, Debug, Default, PartialEq)]
struct ClientPart {
    arms: BTreeMap<(String, u32, Arm), ArmTotals>,
    last_struck: Option<Timestamp>,
}

impl ArmTotals {
    fn of(counts: &BTreeMap<Metric, u64>) -> Self {
        let of = |metric| counts.get(&metric).copied().unwrap_or_default();
        Self {
            requests: of(Metric::Requests),
            struck: of(Metric::Struck),
            strikes: of(Metric::Strikes),
            spared: of(Metric::Spared),
        }
    }

    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            requests: with(self.requests, other.requests),
            struck: with(self.struck, other.struck),
            strikes: with(self.strikes, other.strikes),
            spared: with(self.spared, other.spared),
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }
}

impl PlaceTotals {
    /// One arm over all stages.
    #[must_use]
    pub fn arm(&self, arm: Arm) -> ArmTotals {
        let stages = self.arms.iter().filter(|((_, of), _)| *of == arm);
        stages.fold(ArmTotals::default(), |sum, (_, totals)| sum.plus(*totals))
    }
}

impl RunCounts {
    /// By service and root operation.
    #[must_use]
    pub const fn places(&self) -> &BTreeMap<Place, PlaceTotals> {
        &self.places
    }

    /// One arm over all places and stages.
    #[must_use]
    pub fn arm(&self, arm: Arm) -> ArmTotals {
        self.places.values().fold(ArmTotals::default(), |sum, place| sum.plus(place.arm(arm)))
    }

    /// The clients that reported a strike at this time or later.
    pub fn struck_since(&self, since: Timestamp) -> impl Iterator<Item = InstanceId> + '_ {
        let struck = move |part: &ClientPart| part.last_struck.is_some_and(|at| at >= since);
        self.clients.iter().filter(move |(_, part)| struck(part)).map(|(client, _)| *client)
    }

    /// Takes the arms of a report in, which is newer than any before it of the same client.
    pub(super) fn report(&mut self, client: &Client, report: &Report, counted: &[&ArmCounts], now: Timestamp) {
        let part = self.clients.entry(report.client).or_default();
        let mut latest: BTreeMap<(String, u32, Arm), ArmTotals> = BTreeMap::new();
        for arm in counted {
            let mut key = (operation_name(&arm.operation).to_owned(), arm.stage, arm.arm);
            if part.arms.len() + latest.len() >= ARMS_MAX && !part.arms.contains_key(&key) {
                key = (OTHER.to_owned(), 0, arm.arm);
            }
            let totals = latest.entry(key).or_default();
            *totals = totals.plus(ArmTotals::of(&arm.counts));
        }
        for ((operation, stage, arm), totals) in latest {
            let place = Place { service: client.service.clone(), operation: operation.clone() };
            let before = part.arms.entry((operation, stage, arm)).or_default();
            let grown = totals.zip(*before, u64::saturating_sub);
            *before = before.zip(totals, u64::max);
            if grown.struck > 0 || grown.strikes > 0 {
                part.last_struck = Some(now);
            }
            let sum = self.places.entry(place).or_default().arms.entry((stage, arm)).or_default();
            *sum = sum.plus(grown);
        }
    }

    pub(super) fn add_requests(&mut self, service: &str, grown: &BTreeMap<String, u64>) {
        for (operation, more) in grown {
            let place = Place { service: service.to_owned(), operation: operation.clone() };
            let requests = &mut self.places.entry(place).or_default().requests;
            *requests = requests.saturating_add(*more);
        }
    }
}
