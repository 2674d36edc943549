//! Reports, and the leases that they are answered with.

mod outbox;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use daybreak_model::Millis;
use daybreak_model::limits::{ENGINE_LEVEL, REPLY_BYTES_MAX};
use daybreak_model::wire::{FaultSupport, Reply, Report, Sdk};
use parking_lot::Mutex;
use reqwest::StatusCode;
use reqwest::header::CONTENT_TYPE;
use tokio::time::Instant;

use super::http::{body, chain};
use super::pace::Pace;
use crate::core::Core;
use outbox::{Outbox, Sent};

/// Reports that are wanted at once are spread over this time.
const JITTER: Duration = Duration::from_millis(10);
/// The shortest interval that a server may ask for.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// What a report says.
#[derive(Clone, Copy, Debug)]
enum Says {
    /// All that has been counted.
    Everything,
    /// No counter, which says that they are as they were: so it is short, and costs nobody much.
    WhereItStands,
    /// All that has been counted, for the last time.
    Goodbye,
}

/// The reports of one client. They outlive a panic of the thread: the server ignores a number that it has seen.
#[derive(Debug, Default)]
pub(super) struct Reports {
    sequence: AtomicU64,
    outbox: Mutex<Outbox>,
}

impl Reports {
    /// Reports for ever: as often as the server asks, and at once where something is new.
    pub(super) async fn keep_up(&self, core: &Core, http: &reqwest::Client, pace: Pace) {
        loop {
            let sent = Instant::now();
            let due = match self.tell(core, http, Says::Everything, pace).await {
                Some(interval) => Instant::now() + interval,
                // The server has waited for as long as we have.
                None => sent + pace.report_after_loss,
            };
            self.rest(core, http, due, pace).await;
        }
    }

    /// Waits until a report is due, and acknowledges meanwhile what somebody waits for. An acknowledgement that was lost
    /// is made good by a report; one whose answer asks for the next sooner, as when it grants the first run, is heeded.
    async fn rest(&self, core: &Core, http: &reqwest::Client, mut due: Instant, pace: Pace) {
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due) => return,
                () = core.faults.wants_report() => return tokio::time::sleep(JITTER.mul_f64(rand::random())).await,
                () = core.acknowledgements.wait() => {}
            }
            match self.tell(core, http, Says::WhereItStands, pace).await {
                Some(interval) => due = due.min(Instant::now() + interval),
                None => return,
            }
        }
    }

    /// Sends a report and does as the reply says; how long until the next one, or nothing where it was lost.
    async fn tell(&self, core: &Core, http: &reqwest::Client, says: Says, pace: Pace) -> Option<Duration> {
        let sent = core.faults.now();
        let told = self.send(core, http, says, pace.report_timeout).await;
        core.reports.count(told.is_ok());
        let reply = told.inspect_err(|why| tracing::debug!(%why, "a report was lost")).ok()?;
        match core.stand().1 {
            Some(own) if own != reply.environment => {
                tracing::error!(own, other = reply.environment, "a lease of another environment is refused");
            }
            _ => {
                core.faults.grant(&reply, sent);
                core.tolerate(reply.stale_after.map(Millis::to_duration));
            }
        }
        Some(reply.interval.to_duration().max(SHORTEST_INTERVAL).min(pace.report_at_least_every))
    }

    /// The last report, of a client that stops in good order; whether the server has it.
    pub(super) async fn say_goodbye(&self, core: &Core, http: &reqwest::Client, patience: Duration) -> bool {
        let told = self.send(core, http, Says::Goodbye, patience).await;
        told.inspect_err(|why| tracing::debug!(%why, "the goodbye was lost")).is_ok()
    }

    async fn send(&self, core: &Core, http: &reqwest::Client, says: Says, timeout: Duration) -> Result<Reply, String> {
        let report = self.report(core, says);
        let written = match says {
            Says::WhereItStands => serde_json::to_vec(&report).map(|text| (text, Sent::default())),
            Says::Everything | Says::Goodbye => self.outbox.lock().write(report),
        };
        let (text, sent) = written.map_err(|error| error.to_string())?;
        let request = http.post(format!("{}/api/v1/reports", core.settings.url)).timeout(timeout);
        let bytes = text.len();
        let request = request.header(CONTENT_TYPE, "application/json").body(text);
        let response = request.send().await.map_err(|error| chain(&error))?;
        if response.status() == StatusCode::PAYLOAD_TOO_LARGE {
            self.outbox.lock().refused_as_too_long(bytes);
        }
        let response = response.error_for_status().map_err(|error| chain(&error))?;
        let reply = body(response, REPLY_BYTES_MAX).await?;
        let reply: Reply =
            serde_json::from_slice(&reply).map_err(|error| format!("the reply cannot be read: {error}"))?;
        self.outbox.lock().acknowledged(sent, reply.position.store, reply.first);
        Ok(reply)
    }

    fn report(&self, core: &Core, says: Says) -> Report {
        core.acknowledgements.granted();
        let (position, environment) = core.stand();
        let mut report = Report {
            client: core.settings.instance,
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            service: core.settings.service.clone(),
            environment,
            sdk: Sdk { name: "daybreak-sdk".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            level: ENGINE_LEVEL,
            position,
            position_age: core.age_of(position).and_then(|age| age.as_millis().try_into().ok()).map(Millis::new),
            state: core.state(),
            faults: FaultSupport::default(),
            runs: Vec::new(),
            unsupported: Vec::new(),
            operations: std::collections::BTreeMap::new(),
            points: std::collections::BTreeMap::new(),
            arms: Vec::new(),
            counted: std::collections::BTreeMap::new(),
            slos: Vec::new(),
            keys: Vec::new(),
            evaluations: std::collections::BTreeMap::new(),
            unknown_flags: core.usage.unknown.counts(),
            goodbye: matches!(says, Says::Goodbye),
        };
        if matches!(says, Says::WhereItStands) {
            core.faults.fill_briefly(&mut report);
        } else {
            report.evaluations = core.usage.sums();
            core.faults.fill(&mut report);
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::worker::http;
    use crate::worker::tests::core;

    /// Who reports more rarely is taken for lost. The server here takes connections, and answers nothing.
    #[tokio::test(start_paused = true)]
    async fn a_report_that_times_out_is_made_good_two_seconds_after_it_was_sent() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let core = core(&format!("http://{}", server.local_addr().unwrap()), None);
        let (reports, http) = (Reports::default(), http::Http::new(&core.settings).unwrap().asks);
        let kept_up = reports.keep_up(&core, &http, Pace::default());
        let _ = tokio::time::timeout(Duration::from_secs(21), kept_up).await;
        assert_eq!(reports.sequence.load(Ordering::Relaxed), 11, "in 21 seconds");
    }
}
