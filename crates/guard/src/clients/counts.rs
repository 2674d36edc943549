//! What clients reported of one run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use daybreak_model::wire::{ArmCounts, Metric};
use daybreak_model::{Arm, InstanceId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::client::{Client, OTHER, operation_name};
use super::missing::Told;
use super::part::{ARMS_MAX, ArmKey, ClientPart};
use super::places::{Place, PlacesOfService};
use super::run_keys::RunKeys;

/// Clients that are told apart in one run, beside those that told all and said goodbye.
pub(super) const COUNTED_CLIENTS_MAX: usize = 100_000;

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

/// What clients reported of one run. Duplicates and reorderings have changed nothing in it. Sums are kept as reports come, so
/// that looking at them costs the same however many clients there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunCounts {
    /// Root requests while it ran, eligible or not, by the place's number. The first report of a client after the start also
    /// counts those since its report before, and the first one after the end those up to it.
    requests: Vec<u64>,
    root_requests: u64,
    /// The places that it has struck, and how many requests, by the place's number.
    struck: BTreeMap<usize, (Arc<Place>, u64)>,
    stages: BTreeMap<(u32, Arm), StageTotals>,
    /// By arm, over all stages and places.
    latencies: BTreeMap<Arm, Latencies>,
    clients: BTreeMap<InstanceId, ClientPart>,
    /// How many more there were that told all, said goodbye and were forgotten.
    departed: usize,
    /// Those of them that fell silent so long ago that nothing else is known of them.
    gone: BTreeSet<InstanceId>,
    /// Those of them of which arms are missing.
    pub(super) behind: BTreeSet<InstanceId>,
    /// Those of them that had not told all when they last said how much there is, also where they are gone.
    pub(super) incomplete: BTreeSet<InstanceId>,
    /// Since when there are more of them than [`COUNTED_CLIENTS_MAX`]: what the others count does not come in.
    pub(super) overfull: Option<Timestamp>,
    /// When a client that has it last reported.
    last_report: Option<Timestamp>,
    /// When it ended.
    ended: Option<Timestamp>,
    /// Where the run draws by an attribute.
    keys: RunKeys,
}

/// One arm of one ramp stage, over all places.
#[derive(Clone, Debug, Default, PartialEq)]
struct StageTotals {
    totals: ArmTotals,
    services: BTreeMap<String, StruckIn>,
}

/// What was struck in one service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct StruckIn {
    requests: u64,
    struck: u64,
    /// The most that one of its clients struck.
    most: u64,
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

    pub(super) fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
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

    /// What happened: draws, strikes and outcomes.
    const fn events(&self) -> u64 {
        self.requests.saturating_add(self.strikes).saturating_add(self.settled)
    }

    /// Requests whose outcome is not known.
    #[must_use]
    pub const fn open(&self) -> u64 {
        self.requests.saturating_sub(self.settled)
    }

    /// The same, where so many more are feared to be bad. Which keys are open is not known, so in keys each open request
    /// is one.
    #[must_use]
    pub fn with_feared(self, open: u64) -> Self {
        let slow = self.slow.saturating_add(open);
        let bad = self.error.saturating_add(slow).saturating_add(self.cancelled);
        Self { requests: self.requests.max(bad), settled: self.settled.saturating_add(open).max(bad), slow, ..self }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }
}

impl StageTotals {
    /// One request may be struck in several services, and by its root's retries in several instances of one. As many were
    /// struck as in one of them at least.
    fn totals(&self) -> ArmTotals {
        let struck =
            self.services.values().map(|service| if service.requests == 0 { service.most } else { service.struck });
        ArmTotals { struck: struck.max().unwrap_or_default().min(self.totals.requests), ..self.totals }
    }
}

impl RunCounts {
    /// Root requests of all services while it ran, eligible or not.
    #[must_use]
    pub const fn root_requests(&self) -> u64 {
        self.root_requests
    }

    /// The places that it has struck: how many requests of how many root requests.
    pub fn struck(&self) -> impl Iterator<Item = (&Place, u64, u64)> {
        self.struck.iter().map(|(number, (place, struck))| {
            // Clients report their requests and their arms at once, so there are never fewer of the former.
            let requests = self.requests.get(*number).copied().unwrap_or_default().max(*struck);
            (place.as_ref(), *struck, requests)
        })
    }

    /// One arm over all places and stages.
    #[must_use]
    pub fn arm(&self, arm: Arm) -> ArmTotals {
        let own = self.stages.iter().filter(|((_, of), _)| *of == arm);
        own.fold(ArmTotals::default(), |sum, (_, stage)| sum.plus(stage.totals))
    }

    /// Both arms by ramp stage, over all places: what was told of them.
    #[must_use]
    pub fn stages(&self) -> BTreeMap<(u32, Arm), ArmTotals> {
        self.stages.iter().map(|(at, stage)| (*at, stage.totals())).collect()
    }

    /// The same in keys, for a run that draws by an attribute.
    #[must_use]
    pub fn key_stages(&self) -> BTreeMap<(u32, Arm), ArmTotals> {
        self.keys.totals().collect()
    }

    /// How many requests are open of which nobody may ever tell what became of them, by ramp stage and arm: those of
    /// clients that are `lost`, or gone; once the run is `over`, all.
    #[must_use]
    pub fn feared(&self, lost: &BTreeSet<InstanceId>, over: bool) -> BTreeMap<(u32, Arm), u64> {
        if over {
            return self.stages.iter().map(|(at, stage)| (*at, stage.totals.open())).collect();
        }
        let mut feared: BTreeMap<_, u64> = BTreeMap::new();
        for part in lost.union(&self.gone).filter_map(|client| self.clients.get(client)) {
            for (key, totals) in part.arms() {
                let open = feared.entry((key.stage, key.arm)).or_default();
                *open = open.saturating_add(totals.open());
            }
        }
        feared
    }

    /// Whether there are more bad keys than are counted.
    #[must_use]
    pub const fn are_keys_full(&self) -> bool {
        self.keys.is_full()
    }

    /// One arm over all stages, where a request that several services struck counts once.
    #[must_use]
    pub fn requests(&self, arm: Arm) -> ArmTotals {
        let own = self.stages.iter().filter(|((_, of), _)| *of == arm);
        own.fold(ArmTotals::default(), |sum, (_, stage)| sum.plus(stage.totals()))
    }

    /// The latencies of one arm.
    #[must_use]
    pub fn latencies(&self, arm: Arm) -> Option<&Latencies> {
        self.latencies.get(&arm)
    }

    /// Whether all that a client counted has come, with nothing open; and came again after a time, where one is given.
    pub(super) fn has_told_all(&self, client: InstanceId, after: Option<Timestamp>) -> bool {
        let again = |part: &ClientPart| after.is_none_or(|after| part.last_told.is_some_and(|at| at > after));
        self.clients.get(&client).is_none_or(|part| part.has_told_all() && again(part))
    }

    /// How many clients counted anything.
    #[must_use]
    pub fn reached(&self) -> usize {
        self.clients.len() + self.departed
    }

    /// The clients that counted anything, but for those that told all, said goodbye and were forgotten.
    pub fn clients(&self) -> impl Iterator<Item = InstanceId> + '_ {
        self.clients.keys().copied()
    }

    /// When a client that has it last reported.
    #[must_use]
    pub const fn last_report(&self) -> Option<Timestamp> {
        self.last_report
    }

    /// The clients that reported strikes, or treated requests, at this time or later, and are silent or gone.
    pub(super) fn lost<'a>(
        &'a self,
        silent: &'a BTreeSet<InstanceId>,
        since: Timestamp,
    ) -> impl Iterator<Item = InstanceId> + 'a {
        let at_risk = move |part: &ClientPart| part.last_at_risk.is_some_and(|at| at >= since);
        silent.union(&self.gone).copied().filter(move |client| self.clients.get(client).is_some_and(at_risk))
    }

    /// From now on nothing is known of a client that is silent without a goodbye: what it left open stays bad.
    pub(super) fn lose(&mut self, client: InstanceId) {
        if self.clients.contains_key(&client) {
            self.gone.insert(client);
            self.behind.remove(&client);
        }
    }

    /// A client said goodbye so long ago that no report of it is still on its way. What it counted is in the sums; only where something of
    /// that is missing or open it is remembered which.
    pub(super) fn depart(&mut self, client: InstanceId) {
        if !self.gone.contains(&client) && self.clients.get(&client).is_some_and(ClientPart::has_told_all) {
            self.clients.remove(&client);
            self.incomplete.remove(&client);
            self.departed += 1;
        }
    }

    /// Whether there is room for what a client counts. If not, the run is blind to it.
    pub(super) fn has_room(&mut self, client: InstanceId, now: Timestamp) -> bool {
        let has_room = self.knows(client) || self.clients.len() < COUNTED_CLIENTS_MAX;
        if !has_room {
            self.overfull.get_or_insert(now);
        }
        has_room
    }

    /// A client of which nothing was known reports again.
    pub(super) fn find(&mut self, client: InstanceId) {
        self.gone.remove(&client);
    }

    /// Notes that a client that has it has reported.
    pub(super) fn hear(&mut self, now: Timestamp) {
        // Not the later of both: a wall clock may have been put back.
        self.last_report = Some(now);
    }

    pub(super) fn knows(&self, client: InstanceId) -> bool {
        self.clients.contains_key(&client)
    }

    pub(super) fn told(&self, client: InstanceId) -> Option<&Told> {
        self.clients.get(&client).map(|part| &part.told)
    }

    pub(super) fn told_mut(&mut self, client: InstanceId) -> &mut Told {
        &mut self.clients.entry(client).or_default().told
    }

    /// Takes the arms of a report in, which is newer than any before it of the same client.
    pub(super) fn report(
        &mut self,
        client: &Client,
        counted: &[&ArmCounts],
        places: &mut PlacesOfService<'_>,
        now: Timestamp,
    ) {
        if !self.has_room(client.client, now) {
            return;
        }
        self.keys.take_in(counted);
        let part = self.clients.entry(client.client).or_default();
        part.last_told = Some(now);
        let mut latest: BTreeMap<ArmKey, ArmTotals> = BTreeMap::new();
        let mut rows = Vec::with_capacity(counted.len());
        for row in counted {
            let (stage, arm) = (row.stage, row.arm);
            let mut key = ArmKey { place: places.number(operation_name(&row.operation)), stage, arm };
            if part.len() + latest.len() >= ARMS_MAX && !part.knows(key) {
                key = ArmKey { place: places.number(OTHER), stage: 0, arm };
            }
            let totals = latest.entry(key).or_default();
            *totals = totals.plus(ArmTotals::of(&row.counts));
            rows.push((key, &row.latency));
        }
        part.know(latest.keys().copied());
        for (key, latency) in rows {
            part.raise_latencies(key, latency, self.latencies.entry(key.arm).or_default());
        }
        for (key, totals) in latest {
            let (grown, most) = part.raise(key, totals);
            part.told.came = part.told.came.saturating_add(grown.events());
            let stage = self.stages.entry((key.stage, key.arm)).or_default();
            stage.totals = stage.totals.plus(grown);
            let service = match stage.services.get_mut(&client.service) {
                Some(service) => service,
                None => stage.services.entry(client.service.clone()).or_default(),
            };
            service.requests = service.requests.saturating_add(grown.requests);
            service.struck = service.struck.saturating_add(grown.struck);
            let struck = grown.struck > 0 || grown.strikes > 0;
            if struck {
                service.most = service.most.max(most);
            }
            // The root's request suffers what another service injects.
            if struck || (key.arm == Arm::Treated && grown.requests > 0) {
                part.last_at_risk = Some(now);
            }
            if grown.struck > 0
                && let Some(place) = places.place(key.place)
            {
                let (_, struck) = self.struck.entry(key.place).or_insert((place, 0));
                *struck = struck.saturating_add(grown.struck);
            }
        }
    }

    /// Notes that it has ended.
    pub(super) fn end(&mut self, ended: Timestamp) {
        self.ended.get_or_insert(ended);
    }

    /// Whether it had not ended yet when a client was last heard.
    pub(super) fn lasted(&self, heard: Option<Timestamp>) -> bool {
        self.ended.is_none_or(|ended| heard.is_none_or(|heard| heard <= ended))
    }

    /// Counts root requests, by the number of their place.
    pub(super) fn add_requests(&mut self, grown: &[(usize, u64)]) {
        for (place, more) in grown {
            if self.requests.len() <= *place {
                self.requests.resize(place + 1, 0);
            }
            let requests = &mut self.requests[*place];
            *requests = requests.saturating_add(*more);
            self.root_requests = self.root_requests.saturating_add(*more);
        }
    }
}
