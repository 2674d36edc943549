//! Reports, and the leases that they are answered with.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use daybreak_model::limits::{ENGINE_LEVEL, REPORT_INTERVAL_ACTIVE, REPORT_INTERVAL_IDLE};
use daybreak_model::wire::{FaultSupport, Reply, Report, Sdk};

use super::stream::chain;
use crate::core::Core;

/// A report that is not answered by then is lost; the next one says the same and more.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A goodbye is a courtesy.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);
/// Reports that are wanted at once are spread over this time.
const JITTER: Duration = Duration::from_millis(10);

/// The reports of one client.
#[derive(Debug, Default)]
pub(super) struct Reports {
    sequence: AtomicU64,
}

impl Reports {
    /// Reports for ever: as often as the server asks, and at once where something is new.
    pub(super) async fn keep_up(&self, core: &Core, http: &reqwest::Client) {
        loop {
            let sent = core.faults.now();
            let interval = match self.send(core, http, false, TIMEOUT).await {
                Ok(reply) => {
                    match core.stand().1 {
                        Some(own) if own != reply.environment => {
                            tracing::error!(
                                own,
                                other = reply.environment,
                                "a lease of another environment is refused"
                            );
                        }
                        _ => core.faults.grant(&reply, sent),
                    }
                    let shortest = Duration::from_millis(100);
                    reply.interval.to_duration().clamp(shortest, REPORT_INTERVAL_IDLE.to_duration())
                }
                Err(why) => {
                    tracing::debug!(%why, "a report was lost");
                    REPORT_INTERVAL_ACTIVE.to_duration()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                () = core.faults.wants_report() => tokio::time::sleep(JITTER.mul_f64(rand::random())).await,
            }
        }
    }

    /// The last report, of a client that stops in good order.
    pub(super) async fn say_goodbye(&self, core: &Core, http: &reqwest::Client) {
        if let Err(why) = self.send(core, http, true, GOODBYE_TIMEOUT).await {
            tracing::debug!(%why, "the goodbye was lost");
        }
    }

    async fn send(
        &self,
        core: &Core,
        http: &reqwest::Client,
        goodbye: bool,
        timeout: Duration,
    ) -> Result<Reply, String> {
        let report = self.report(core, goodbye);
        let request = http.post(format!("{}/api/v1/reports", core.settings.url)).json(&report).timeout(timeout);
        let response = request.send().await.map_err(|error| chain(&error))?;
        let response = response.error_for_status().map_err(|error| chain(&error))?;
        response.json().await.map_err(|error| chain(&error))
    }

    fn report(&self, core: &Core, goodbye: bool) -> Report {
        let (position, environment) = core.stand();
        let mut report = Report {
            client: core.settings.instance,
            sequence: self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            service: core.settings.service.clone(),
            environment,
            sdk: Sdk { name: "daybreak-sdk".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            level: ENGINE_LEVEL,
            position,
            state: core.state(),
            faults: FaultSupport::default(),
            runs: Vec::new(),
            unsupported: Vec::new(),
            operations: std::collections::BTreeMap::new(),
            points: std::collections::BTreeMap::new(),
            arms: Vec::new(),
            evaluations: core.usage.sums(),
            goodbye,
        };
        core.faults.fill(&mut report);
        report
    }
}
