//! Who reports, and what: cumulative counters, taken as differences.
//!
//! A report counts only if its sequence number is above that of every report of the same client before it. So
//! duplicates and reorderings change nothing, and a lost report is made good by the next. What a report leaves out
//! is as it was: an absent counter is neither zero nor gone, nor is an absent fault point.

mod client;
mod counts;
mod evaluated;
mod lost;
mod missing;
mod part;
mod places;
mod point_keys;
mod points;
mod run_keys;
mod slos;
mod strays;
mod through;

use std::collections::BTreeMap;
use std::sync::Arc;

use daybreak_model::wire::{ArmCounts, Report, SketchWanted};
use daybreak_model::{InstanceId, Key, Millis, RunId};
use jiff::{SignedDuration, Timestamp};

use crate::span::signed;
use crate::traffic::Traffic;
use client::Growth;
use evaluated::AllEvaluated;
use places::Places;
use point_keys::AllPointKeys;
use strays::Strays;

pub use client::{Client, EVALUATED_VARIANTS_MAX, EVALUATIONS_MAX, EvaluationGrowth, OPERATION_LENGTH_MAX, OTHER};
pub use counts::{ArmTotals, Latencies, RunCounts};
pub use evaluated::Evaluated;
pub use lost::{AT_RISK_WITHIN, LOST_AFTER, LOST_CLIENTS_MAX};
pub use places::Place;
pub use point_keys::KeysSeen;
pub use points::{FaultPoint, PointInService, fault_point, fault_points};
pub use slos::{SloGrowth, SloTotals};
pub use strays::Stray;

/// Clients that are kept.
pub const CLIENTS_MAX: usize = 20_000;
/// How long a client that said goodbye, or went silent, is still shown.
pub const SHOWN_AFTER_SILENCE: Millis = Millis::from_secs(10 * 60);
/// Bytes of a service's name.
pub const SERVICE_LENGTH_MAX: usize = 200;

/// All clients.
#[derive(Debug, Default)]
pub struct Clients {
    /// Shared with those who read them, so that nobody reads under a lock.
    clients: BTreeMap<InstanceId, Arc<Client>>,
    runs: BTreeMap<RunId, RunCounts>,
    /// Where the requests were that the runs count.
    places: Places,
    traffic: Traffic,
    /// What SLOs counted since it was last taken.
    slos: Vec<SloGrowth>,
    /// What was evaluated since it was last taken.
    evaluations: Vec<EvaluationGrowth>,
    keys: AllPointKeys,
    evaluated: AllEvaluated,
    strays: Strays,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It counts, and is the first of its client.
    First,
    /// It counts.
    Newer,
    /// It is a duplicate, or was overtaken by a newer one: nothing changed.
    Old,
}

/// Why a report is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportRefusal {
    /// [`CLIENTS_MAX`] other clients are live.
    TooManyClients,
    /// The service's name is empty, or longer than [`SERVICE_LENGTH_MAX`].
    ServiceName,
    /// A client changed its service's name: an instance belongs to one service.
    OtherService,
}

impl std::error::Error for ReportRefusal {}

impl std::fmt::Display for ReportRefusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooManyClients => write!(f, "{CLIENTS_MAX} clients report already; no more are counted"),
            Self::ServiceName => write!(f, "`service` is a name of 1 to {SERVICE_LENGTH_MAX} bytes"),
            Self::OtherService => {
                f.write_str("this client has reported for another service; a new service needs a new `client`")
            }
        }
    }
}

impl Clients {
    /// Takes a report in.
    ///
    /// # Errors
    /// When it cannot be counted; nothing changed.
    pub fn report(&mut self, report: &Report, now: Timestamp) -> Result<Reported, ReportRefusal> {
        if report.service.is_empty() || report.service.len() > SERVICE_LENGTH_MAX {
            return Err(ReportRefusal::ServiceName);
        }
        let before = self.clients.get(&report.client);
        match before {
            Some(before) if before.service != report.service => return Err(ReportRefusal::OtherService),
            Some(before) if report.sequence <= before.sequence => return Ok(Reported::Old),
            None if self.clients.len() >= CLIENTS_MAX => self.make_room(now)?,
            _ => {}
        }
        let before = self.clients.remove(&report.client);
        let heard = before.as_ref().map(|before| before.last_heard);
        let reported = if before.is_some() { Reported::Newer } else { Reported::First };
        let mut client = before.map_or_else(|| Client::new(report, now), Arc::unwrap_or_clone);
        let mut grown = client.take_in(report, now);
        self.evaluated.add(&grown.evaluations);
        self.evaluations.append(&mut grown.evaluations);
        self.count_slos(&grown, now);
        self.count(&client, &grown, now);
        self.count_runs(&client, report, &grown, (heard, now));
        self.count_strays(&client, report, now);
        if reported == Reported::First {
            self.runs.values_mut().for_each(|run| run.find(report.client));
        }
        self.keys.take_in(report.client, &report.keys, now);
        self.clients.insert(report.client, Arc::new(client));
        Ok(reported)
    }

    /// Counts what grew since the report before.
    fn count(&mut self, client: &Client, grown: &Growth, now: Timestamp) {
        client.points.keys().for_each(|point| self.traffic.know(&client.service, point, now));
        for (operation, requests) in &grown.requests {
            self.traffic.add_requests(&client.service, operation, *requests, now);
        }
        for (point, operation, requests) in &grown.passed {
            self.traffic.add_passed(&client.service, point, operation, *requests, now);
        }
    }

    /// Counts for the runs that are open, of a client that was last heard before.
    fn count_runs(
        &mut self,
        client: &Client,
        report: &Report,
        grown: &Growth,
        (heard, now): (Option<Timestamp>, Timestamp),
    ) {
        if self.runs.is_empty() {
            return;
        }
        let mut places = self.places.of(&client.service);
        let requests = grown.requests.iter().map(|(operation, more)| (places.number(operation), *more));
        let requests: Vec<_> = requests.collect();
        self.runs.values_mut().filter(|run| run.lasted(heard)).for_each(|run| run.add_requests(&requests));
        for id in &report.runs {
            self.runs.get_mut(id).into_iter().for_each(|run| run.hear(now));
        }
        let mut arms: BTreeMap<RunId, Vec<&ArmCounts>> = BTreeMap::new();
        for arm in &report.arms {
            arms.entry(arm.run).or_default().push(arm);
        }
        for (id, arms) in arms {
            if let Some(run) = self.runs.get_mut(&id) {
                run.report(client, &arms, &mut places, now);
            }
        }
        for (id, counted) in &report.counted {
            if let Some(run) = self.runs.get_mut(id) {
                run.counted(report.client, *counted, now);
            }
        }
        if report.goodbye {
            self.runs.values_mut().for_each(|run| run.farewell(report.client));
        }
    }

    /// Counts what was struck for runs that are not open.
    fn count_strays(&mut self, client: &Client, report: &Report, now: Timestamp) {
        let Self { runs, strays, .. } = self;
        let closed = report.arms.iter().filter(|arm| !runs.contains_key(&arm.run));
        strays.take_in(client.client, &client.service, closed, now);
    }

    /// How often clients struck for runs that were not open, as far as that is known, since this began to count.
    #[must_use]
    pub const fn stray_strikes(&self) -> u64 {
        self.strays.strikes()
    }

    /// Takes those that were found to strike without a run since the last time: the first of each run.
    pub fn take_strays(&mut self) -> Vec<Stray> {
        self.strays.take()
    }

    /// Takes what SLOs counted since the last time.
    pub fn take_slos(&mut self) -> Vec<SloGrowth> {
        std::mem::take(&mut self.slos)
    }

    /// Takes what was evaluated since the last time.
    pub fn take_evaluations(&mut self) -> Vec<EvaluationGrowth> {
        std::mem::take(&mut self.evaluations)
    }

    /// Begins to count a run's arms. Of what is reported of other runs only [stray strikes](Self::stray_strikes) count.
    pub fn open_run(&mut self, run: RunId) {
        self.runs.entry(run).or_default();
    }

    /// A run has ended: from now on root requests are none of its own, but for those that each client tells of first.
    pub fn end_run(&mut self, run: RunId, ended: Timestamp) {
        self.runs.get_mut(&run).into_iter().for_each(|run| run.end(ended));
    }

    /// Ends to count a run's arms, and forgets them: once it has ended and its last requests are through.
    pub fn close_run(&mut self, run: RunId) -> Option<RunCounts> {
        let counts = self.runs.remove(&run);
        if self.runs.is_empty() {
            self.places = Places::default();
        }
        counts
    }

    /// What was counted of an open run.
    #[must_use]
    pub fn run(&self, run: RunId) -> Option<&RunCounts> {
        self.runs.get(&run)
    }

    /// From here on the values of these attributes are counted, and no others.
    pub fn want_keys(&mut self, wanted: &[SketchWanted]) {
        self.keys.want(wanted);
    }

    /// What is known of the values of an attribute at a point over the last hour; none where nobody counts them.
    #[must_use]
    pub fn keys_seen(&self, point: &Key, attribute: &str, now: Timestamp) -> Option<KeysSeen> {
        self.keys.seen(point, attribute, now)
    }

    /// The traffic of the last 15 minutes.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// How often flags were evaluated since this began to count, over all clients, also those that are gone.
    #[must_use]
    pub fn evaluated(&self) -> &BTreeMap<Key, Evaluated> {
        self.evaluated.by_flag()
    }

    /// All clients that are kept, silent ones too.
    pub fn iter(&self) -> impl Iterator<Item = &Client> {
        self.clients.values().map(Arc::as_ref)
    }

    /// All clients that are kept, as they are now: to be read at leisure.
    #[must_use]
    pub fn snapshot(&self) -> Vec<Arc<Client>> {
        self.clients.values().cloned().collect()
    }

    /// One client.
    #[must_use]
    pub fn get(&self, client: InstanceId) -> Option<&Client> {
        self.clients.get(&client).map(Arc::as_ref)
    }

    /// The clients that are live.
    pub fn live(&self, now: Timestamp) -> impl Iterator<Item = &Client> {
        self.iter().filter(move |client| client.is_live(now))
    }

    /// Forgets the clients that have been silent for [`SHOWN_AFTER_SILENCE`], and traffic that is too old. The runs that are
    /// open remember what they left open.
    pub fn sweep(&mut self, now: Timestamp) {
        let forgotten = |client: &Client| silence(client, now) > signed(SHOWN_AFTER_SILENCE);
        let forgotten: Vec<_> = self.iter().filter(|client| forgotten(client)).map(|client| client.client).collect();
        for client in forgotten {
            self.forget(client);
            self.runs.values_mut().for_each(|run| run.depart(client));
        }
        self.traffic.sweep(now);
        self.keys.sweep(now);
        self.strays.sweep(now);
    }

    fn make_room(&mut self, now: Timestamp) -> Result<(), ReportRefusal> {
        let silent = self.clients.values().filter(|client| !client.is_live(now));
        let oldest = silent.min_by_key(|client| client.last_heard).ok_or(ReportRefusal::TooManyClients)?.client;
        self.forget(oldest);
        Ok(())
    }

    fn forget(&mut self, client: InstanceId) {
        let lost = self.clients.remove(&client).is_some_and(|client| !client.goodbye);
        if lost {
            self.runs.values_mut().for_each(|run| run.lose(client));
        }
    }
}

fn silence(client: &Client, now: Timestamp) -> SignedDuration {
    silence_since(client.last_heard, now)
}

fn silence_since(heard: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(heard)
}

#[cfg(test)]
mod tests;
