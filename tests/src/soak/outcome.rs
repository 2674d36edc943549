//! What came of a soak, for people, for plots, and whether it was as it should be.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::followers::Arrivals;
use super::memory::Memory;
use super::work::Evaluations;
use super::{LAG_MAX, Soak};
use crate::{BootTime, Figures};

/// Errors that are told by name.
const TOLD_MAX: usize = 10;

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    clients: usize,
    took: Duration,
    changes: usize,
    deliveries: usize,
    reports: u64,
    by_ofrep: u64,
    by_sdk: u64,
    /// Seconds after the beginning, and how long a change took to the last client.
    last_client: Vec<(f64, Duration)>,
    /// The same, and how long a client was more than one change behind.
    behind: Vec<(f64, Duration)>,
    memory: Vec<(f64, f64)>,
    quarters: (f64, f64),
    flat: bool,
    /// Everything that went wrong.
    pub errors: Vec<String>,
}

impl Outcome {
    pub(super) fn new(
        soak: &Soak,
        took: Duration,
        asked: &[(u64, BootTime)],
        arrivals: Arrivals,
        memory: &Memory,
        evaluations: Evaluations,
        mut errors: Vec<String>,
    ) -> Self {
        let began = asked.first().map_or_else(BootTime::now, |(_, at)| *at);
        let (mut last_client, mut behind) = (Vec::new(), Vec::new());
        for (number, (revision, at)) in asked.iter().enumerate() {
            let Some((_, arrived)) = arrivals.have.get(revision).filter(|(have, _)| *have == arrivals.processes) else {
                errors.push(format!("revision {revision} has not come to all clients"));
                continue;
            };
            let seconds = (*at - began).as_secs_f64();
            last_client.push((seconds, *arrived - *at));
            if let Some((_, next)) = asked.get(number + 1) {
                behind.push((seconds, *arrived - *next));
            }
        }
        let Evaluations { by_ofrep, by_sdk, errors: of_work } = evaluations;
        errors.extend(arrivals.errors);
        errors.extend(of_work);
        Self {
            clients: soak.clients,
            took,
            changes: asked.len(),
            deliveries: last_client.len() * soak.clients,
            reports: arrivals.reports.values().sum(),
            by_ofrep,
            by_sdk,
            last_client,
            behind,
            memory: memory.points.clone(),
            quarters: memory.quarters(),
            flat: memory.is_flat(),
            errors,
        }
    }

    /// Whether so many changes came to all clients, who reported, and evaluations went on beside.
    #[must_use]
    pub fn was_of(&self, changes: usize) -> bool {
        self.changes == changes
            && self.deliveries == changes * self.clients
            && self.reports >= self.clients as u64
            && self.by_ofrep > 0
            && self.by_sdk > 0
    }

    /// The longest that any client was more than one change behind.
    #[must_use]
    pub fn longest_behind(&self) -> Duration {
        self.behind.iter().map(|(_, length)| *length).max().unwrap_or_default()
    }

    /// Why it was not as it should be.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures: Vec<_> = self.errors.iter().take(TOLD_MAX).cloned().collect();
        let more = self.errors.len().saturating_sub(TOLD_MAX);
        failures.extend((more > 0).then(|| format!("{more} more errors")));
        let behind = self.longest_behind();
        if behind > LAG_MAX {
            failures.push(format!("a client was more than one change behind for {behind:?}, longer than {LAG_MAX:?}"));
        }
        if !self.flat {
            let (second, last) = self.quarters;
            failures
                .push(format!("memory grew from {second:.0} MiB in the second quarter to {last:.0} MiB in the last"));
        }
        failures
    }

    /// Memory and lag over time, as the tool that draws reads them.
    #[must_use]
    pub fn plots(&self) -> Value {
        let millis = |points: &[(f64, Duration)]| {
            seconds(points).into_iter().map(|(at, most)| json!([at, most.as_secs_f64() * 1_000.0])).collect::<Vec<_>>()
        };
        let clients = self.clients;
        json!({ "plots": [
            {
                "file": "soak-memory", "title": format!("Memory of the server, {clients} clients"),
                "x": { "name": "seconds", "log": false }, "y": { "name": "MiB", "log": false },
                "series": [{ "name": "resident", "points": self.memory }],
                "note": "What is kept of changes for clients that reconnect, and of events in the store's cache, grows up to its bound.",
            },
            {
                "file": "soak-lag", "title": format!("Delivery to the last of {clients} clients, the longest of each second"),
                "x": { "name": "seconds", "log": false }, "y": { "name": "ms", "log": false },
                "series": [
                    { "name": "until the last client has a change", "points": millis(&self.last_client) },
                    { "name": "the last client more than one change behind", "points": millis(&self.behind) },
                ],
                "note": "Clients, their reports and evaluations share the processors with the server.",
            },
        ] })
    }
}

/// The longest of each second.
fn seconds(points: &[(f64, Duration)]) -> Vec<(f64, Duration)> {
    let mut seconds: Vec<(f64, Duration)> = Vec::new();
    for (at, length) in points {
        match seconds.last_mut() {
            Some((second, longest)) if at.floor() <= *second => *longest = (*longest).max(*length),
            _ => seconds.push((at.floor(), *length)),
        }
    }
    seconds
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.took.as_secs_f64().max(0.001);
        #[expect(clippy::cast_precision_loss, reason = "figures for people to read")]
        let per_second = |count: usize| count as f64 / length;
        let last: Figures = self.last_client.iter().map(|(_, length)| *length).collect();
        let behind = self.longest_behind().as_secs_f64() * 1_000.0;
        let most = self.memory.iter().map(|(_, mib)| *mib).fold(0.0, f64::max);
        let (second, end) = self.quarters;
        writeln!(f, "| | figure |\n|---|---|")?;
        writeln!(f, "| clients, each with a stream | {} |", self.clients)?;
        writeln!(f, "| length | {length:.0} s |")?;
        writeln!(f, "| changes | {}, {:.1} a second |", self.changes, per_second(self.changes))?;
        writeln!(f, "| deliveries | {}, {:.0} a second |", self.deliveries, per_second(self.deliveries))?;
        writeln!(f, "| reports | {} |", self.reports)?;
        writeln!(f, "| evaluations by OFREP, by SDKs | {}, {} |", self.by_ofrep, self.by_sdk)?;
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|share| last.at(share));
        writeln!(f, "| until the last client has a change: p50, p99, max | {p50}, {p99}, {longest} |")?;
        writeln!(f, "| longest that a client was more than one change behind | {behind:.0} ms |")?;
        writeln!(
            f,
            "| memory of the server: second quarter, last quarter, most | {second:.0}, {end:.0}, {most:.0} MiB |"
        )?;
        writeln!(f, "| errors | {} |", self.errors.len())
    }
}
