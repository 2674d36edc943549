//! What clients reported of one run.

use std::collections::{BTreeMap, BTreeSet};

use daybreak_model::wire::{ArmCounts, Metric, Report};
use daybreak_model::{Arm, InstanceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::client::{Client, OTHER, operation_name};
use super::run_keys::RunKeys;

/// Arms of one client, by root operation and ramp stage; what is beyond is counted as [`OTHER`].
const ARMS_MAX: usize = 10_000;
/// Arms of one client whose latencies are kept, and steps of each.
const LATENCIES_MAX: usize = 64;
const LATENCY_STEPS_MAX: usize = 2_000;

/// The counters of one arm. Each is cumulative over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArmTotals {
    /// Eligible requests.
    pub requests: u64,
    /// Requests that met at least one injection.
    pub struck: u64,
    /// Injections.
    pub strikes: u64,
    /// Drawn passes that the cap on faults in flight spared.
    pub spared: u64,
    /// Requests whose outcome is known.
    pub settled: u64,
    /// Those that failed.
    pub error: u64,
    /// Those that were too slow.
    pub slow: u64,
    /// Those whose client was gone before.
    pub cancelled: u64,
}

/// Times to the head of the response: how many took up to so many microseconds, and longer than the key before.
pub type Latencies = BTreeMap<u64, u64>;

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
    /// By arm, over all stages and places.
    latencies: BTreeMap<Arm, Latencies>,
    /// The most that one client of a service struck, by stage and arm.
    most_struck: BTreeMap<(String, u32, Arm), u64>,
    /// Where the run draws by an attribute.
    keys: RunKeys,
}

/// What one client last reported.
#[derive(Clone, Debug, Default, PartialEq)]
struct ClientPart {
    arms: BTreeMap<(String, u32, Arm), ArmTotals>,
    latencies: BTreeMap<(String, u32, Arm), Latencies>,
    last_struck: Option<Timestamp>,
    /// When it last told of this run.
    last_told: Option<Timestamp>,
}

impl ArmTotals {
    fn of(counts: &BTreeMap<Metric, u64>) -> Self {
        let of = |metric| counts.get(&metric).copied().unwrap_or_default();
        Self {
            requests: of(Metric::Requests),
            struck: of(Metric::Struck),
            strikes: of(Metric::Strikes),
            spared: of(Metric::Spared),
            settled: of(Metric::Settled),
            error: of(Metric::Error),
            slow: of(Metric::Slow),
            cancelled: of(Metric::Cancelled),
        }
    }

    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            requests: with(self.requests, other.requests),
            struck: with(self.struck, other.struck),
            strikes: with(self.strikes, other.strikes),
            spared: with(self.spared, other.spared),
            settled: with(self.settled, other.settled),
            error: with(self.error, other.error),
            slow: with(self.slow, other.slow),
            cancelled: with(self.cancelled, other.cancelled),
        }
    }

    /// Requests whose outcome is not known.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.requests.saturating_sub(self.settled)
    }

    /// The same, where what is open will not be heard of any more: it is bad.
    #[must_use]
    pub const fn given_up(self) -> Self {
        let open = self.open();
        Self { settled: self.settled + open, slow: self.slow.saturating_add(open), ..self }
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

    /// Both arms by ramp stage, over all places. What is open at clients that are `lost` counts as bad, as does all that
    /// is open once the run is `over`.
    #[must_use]
    pub fn stages(&self, lost: &BTreeSet<InstanceId>, over: bool) -> BTreeMap<(u32, Arm), ArmTotals> {
        let mut stages: BTreeMap<(u32, Arm), ArmTotals> = BTreeMap::new();
        let mut by_service: BTreeMap<((u32, Arm), &str), ArmTotals> = BTreeMap::new();
        for (place, key, totals) in self.arms() {
            let sum = stages.entry(*key).or_default();
            *sum = sum.plus(*totals);
            let of_service = by_service.entry((*key, place.service.as_str())).or_default();
            *of_service = of_service.plus(*totals);
        }
        // One request may be struck in several services, and by its root's retries in several instances of one. As many
        // were struck as in one of them at least.
        for (key, totals) in &mut stages {
            let of_key = by_service.iter().filter(|((of, _), _)| of == key);
            let struck = of_key.map(|((_, service), counted)| match counted.requests {
                0 => self.most_struck.get(&((*service).to_owned(), key.0, key.1)).copied().unwrap_or_default(),
                _ => counted.struck,
            });
            totals.struck = struck.max().unwrap_or_default().min(totals.requests);
        }
        if over {
            stages.values_mut().for_each(|totals| *totals = totals.given_up());
            return stages;
        }
        for part in lost.iter().filter_map(|client| self.clients.get(client)) {
            for ((_, stage, arm), totals) in &part.arms {
                if let Some(sum) = stages.get_mut(&(*stage, *arm)) {
                    sum.settled = sum.settled.saturating_add(totals.open());
                    sum.slow = sum.slow.saturating_add(totals.open());
                }
            }
        }
        stages
    }

    /// The same in keys, for a run that draws by an attribute. Which keys are open is not known, so each open request
    /// that counts as bad is one.
    #[must_use]
    pub fn key_stages(&self, lost: &BTreeSet<InstanceId>, over: bool) -> BTreeMap<(u32, Arm), ArmTotals> {
        let mut stages: BTreeMap<_, _> = self.keys.totals().collect();
        let counted = self.stages(&BTreeSet::new(), false);
        for (at, totals) in self.stages(lost, over) {
            let slow = totals.slow.saturating_sub(counted.get(&at).map_or(0, |counted| counted.slow));
            if slow > 0 {
                let keys = stages.entry(at).or_default();
                keys.slow = keys.slow.saturating_add(slow);
                keys.requests = keys.requests.max(keys.error.saturating_add(keys.slow).saturating_add(keys.cancelled));
            }
        }
        stages
    }

    /// Whether there are more bad keys than are counted.
    #[must_use]
    pub const fn are_keys_full(&self) -> bool {
        self.keys.is_full()
    }

    /// One arm over all stages, where a request that several services struck counts once.
    #[must_use]
    pub fn requests(&self, arm: Arm) -> ArmTotals {
        let stages = self.stages(&BTreeSet::new(), false);
        let own = stages.iter().filter(|((_, of), _)| *of == arm);
        own.fold(ArmTotals::default(), |sum, (_, totals)| sum.plus(*totals))
    }

    fn arms(&self) -> impl Iterator<Item = (&Place, &(u32, Arm), &ArmTotals)> {
        self.places.iter().flat_map(|(place, totals)| totals.arms.iter().map(move |(key, arm)| (place, key, arm)))
    }

    /// The latencies of one arm.
    #[must_use]
    pub fn latencies(&self, arm: Arm) -> Option<&Latencies> {
        self.latencies.get(&arm)
    }

    /// The clients that counted anything: when they last told of it, and whether all of its requests are settled there.
    pub(super) fn tellings(&self) -> impl Iterator<Item = (InstanceId, Option<Timestamp>, bool)> + '_ {
        let settled = |part: &ClientPart| part.arms.values().all(|totals| totals.open() == 0);
        self.clients.iter().map(move |(client, part)| (*client, part.last_told, settled(part)))
    }

    /// The clients that counted anything.
    pub fn clients(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.clients.keys().copied()
    }

    /// The clients that reported a strike at this time or later.
    pub fn struck_since(&self, since: Timestamp) -> impl Iterator<Item = InstanceId> + '_ {
        let struck = move |part: &ClientPart| part.last_struck.is_some_and(|at| at >= since);
        self.clients.iter().filter(move |(_, part)| struck(part)).map(|(client, _)| *client)
    }

    /// Takes the arms of a report in, which is newer than any before it of the same client.
    pub(super) fn report(&mut self, client: &Client, report: &Report, counted: &[&ArmCounts], now: Timestamp) {
        let part = self.clients.entry(report.client).or_default();
        part.last_told = Some(now);
        let mut latest: BTreeMap<(String, u32, Arm), ArmTotals> = BTreeMap::new();
        self.keys.take_in(counted);
        for arm in counted {
            let mut key = (operation_name(&arm.operation).to_owned(), arm.stage, arm.arm);
            if part.arms.len() + latest.len() >= ARMS_MAX && !part.arms.contains_key(&key) {
                key = (OTHER.to_owned(), 0, arm.arm);
            }
            add_latencies(part, self.latencies.entry(arm.arm).or_default(), &key, &arm.latency);
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
                let most = self.most_struck.entry((client.service.clone(), stage, arm)).or_default();
                *most = (*most).max(before.struck);
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

/// Adds what grew in each step.
fn add_latencies(part: &mut ClientPart, sums: &mut Latencies, key: &(String, u32, Arm), latest: &Latencies) {
    if latest.is_empty() || (part.latencies.len() >= LATENCIES_MAX && !part.latencies.contains_key(key)) {
        return;
    }
    let known = part.latencies.entry(key.clone()).or_default();
    for (step, count) in latest {
        let full = |latencies: &Latencies| latencies.len() >= LATENCY_STEPS_MAX && !latencies.contains_key(step);
        if full(known) || full(sums) {
            continue;
        }
        let before = known.entry(*step).or_default();
        let grown = count.saturating_sub(*before);
        *before = (*before).max(*count);
        let sum = sums.entry(*step).or_default();
        *sum = sum.saturating_add(grown);
    }
}
