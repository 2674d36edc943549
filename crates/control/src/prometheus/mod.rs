//! Prometheus as a source of budgets: it is asked what it counted, apart from the guard's tick, which waits for nobody.

mod baseline;
mod counters;
#[cfg(test)]
pub(crate) mod fake;
mod query;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use daybreak_model::{Key, Kind, Millis, PrometheusQueries};
use jiff::Timestamp;
use reqwest::{Client, Url};
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use crate::Control;
use crate::budgets::BudgetTable;
use counters::Counted;
use query::{Asker, NoSample};

/// How often Prometheus is asked.
const POLL_EVERY: Duration = Duration::from_secs(15);
/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// SLOs that are asked about at a time.
const AT_A_TIME: usize = 8;
/// What was scraped longer ago than three scrapes says nothing of now; but no less than this,
const STALE_AFTER_MIN: Millis = Millis::from_secs(90);
/// and no more than this.
const STALE_AFTER_MAX: Millis = Millis::from_secs(10 * 60);

/// Where Prometheus is. A user and a password in it are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PrometheusUrl(Url);

/// Why a text says no such place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not where a Prometheus is ({0}); write for example `http://prometheus:9090`")]
pub struct PrometheusUrlError(&'static str);

/// How Prometheus does as the source of an SLO, since the server started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// When it last told something new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_success: Option<Timestamp>,
    /// When it last did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Timestamp>,
    /// Why it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Failures in a row.
    pub failures: u32,
    /// It answered with what counts nothing, and has told nothing since: nothing may depend on it, however short that is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// How old its last sample may be.
    pub stale_after: Millis,
}

impl FromStr for PrometheusUrl {
    type Err = PrometheusUrlError;

    fn from_str(text: &str) -> Result<Self, PrometheusUrlError> {
        let url = Url::parse(text).map_err(|_| PrometheusUrlError("no URL"))?;
        match (url.scheme(), url.has_host(), url.query().or(url.fragment())) {
            ("http" | "https", true, None) => Ok(Self(url)),
            ("http" | "https", true, Some(_)) => Err(PrometheusUrlError("it ends with a query of its own")),
            _ => Err(PrometheusUrlError("neither http nor https")),
        }
    }
}

impl fmt::Display for PrometheusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host) = (self.0.scheme(), self.0.host_str().unwrap_or_default());
        write!(f, "{scheme}://{host}")?;
        self.0.port().iter().try_for_each(|port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for PrometheusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Default for SourceStatus {
    fn default() -> Self {
        Self {
            last_success: None,
            last_failure: None,
            last_error: None,
            failures: 0,
            unreadable: false,
            stale_after: STALE_AFTER_MIN,
        }
    }
}

impl SourceStatus {
    fn succeeded(&mut self, now: Timestamp) {
        (self.last_success, self.failures, self.unreadable) = (Some(now), 0, false);
    }

    fn failed(&mut self, now: Timestamp, why: &NoSample) {
        (self.last_failure, self.last_error) = (Some(now), Some(why.why().to_owned()));
        self.unreadable |= matches!(why, NoSample::Unreadable(_));
        self.failures = self.failures.saturating_add(1);
    }
}

/// What is known of the counters of every SLO.
#[derive(Debug)]
struct Poller {
    control: Control,
    asker: Arc<Asker>,
    counted: BTreeMap<Key, (PrometheusQueries, Counted)>,
    /// When what the store has of each was scraped.
    kept: BTreeMap<Key, f64>,
    /// What is to be counted once the store has what was seen, by SLO and its revision.
    owed: BTreeMap<(Key, u64), Owed>,
}

/// How much counters grew, and over how many seconds.
#[derive(Clone, Copy, Debug, Default)]
struct Owed {
    good: u64,
    bad: u64,
    passed: f64,
}

impl Owed {
    const fn add(&mut self, (good, bad): (u64, u64), passed: f64) {
        self.good = self.good.saturating_add(good);
        self.bad = self.bad.saturating_add(bad);
        self.passed += passed;
    }
}

impl Control {
    /// Asks Prometheus for the SLOs that count there, from now on.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn watch_prometheus(&self, url: PrometheusUrl) -> Result<AbortHandle, String> {
        let mut poller = Poller::new(self.clone(), url, ANSWER_WITHIN)?;
        let watch = async move {
            poller.resume().await;
            let mut rounds = tokio::time::interval(POLL_EVERY);
            rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                rounds.tick().await;
                poller.round().await;
            }
        };
        Ok(tokio::spawn(watch).abort_handle())
    }

    /// Whether an SLO counts in Prometheus, and that has told nothing new for so long that nothing may depend on it, or told
    /// what counts nothing.
    #[must_use]
    pub fn is_source_stale(&self, slo: &str) -> bool {
        let (table, now) = (self.inner.budgets.lock(), self.inner.clock.now());
        self.is_source_stale_in(&table, slo, now)
    }

    /// The same, for those who hold the budgets.
    pub(crate) fn is_source_stale_in(&self, table: &BudgetTable, slo: &str, now: Timestamp) -> bool {
        let state = self.state();
        let found = state.resources().slos.get_key_value(slo).filter(|(_, slo)| slo.sli.prometheus.is_some());
        found.is_some_and(|(key, _)| {
            let source = table.sources.get(key);
            let limit = source.map_or(STALE_AFTER_MIN, |source| source.stale_after);
            source.is_some_and(|source| source.unreadable) || table.budgets.stale(key, limit, now)
        })
    }

    /// What deserves a look of the SLOs that count in Prometheus.
    pub(crate) fn source_warnings(&self) -> Vec<String> {
        let state = self.state();
        let asked = state.resources().slos.iter().filter(|(_, slo)| slo.sli.prometheus.is_some());
        let table = self.inner.budgets.lock();
        let warning = |key: &Key| match table.sources.get(key) {
            None => {
                Some(format!("the SLO `{key}` counts in Prometheus, which was not asked; is `--prometheus URL` given?"))
            }
            Some(source) if source.failures > 0 => {
                let why = source.last_error.as_deref().unwrap_or("no more is known");
                Some(format!("Prometheus tells nothing new of the SLO `{key}`: {why}"))
            }
            Some(_) => None,
        };
        asked.filter_map(|(key, _)| warning(key)).collect()
    }
}

impl Poller {
    fn new(control: Control, url: PrometheusUrl, answer_within: Duration) -> Result<Self, String> {
        let builder = Client::builder().timeout(answer_within).redirect(reqwest::redirect::Policy::none());
        let builder = builder.user_agent(concat!("daybreak/", env!("CARGO_PKG_VERSION")));
        let client = builder.build().map_err(|error| error.to_string())?;
        Ok(Self {
            control,
            asker: Arc::new(Asker { client, url: url.0 }),
            counted: BTreeMap::new(),
            kept: BTreeMap::new(),
            owed: BTreeMap::new(),
        })
    }

    /// Asks once for every SLO; some at a time, so that one that takes long does not hold up the others.
    async fn round(&mut self) {
        let state = self.control.state();
        let mut before = std::mem::take(&mut self.counted);
        let (mut asked, permits) = (JoinSet::new(), Arc::new(Semaphore::new(AT_A_TIME)));
        for (key, slo) in &state.resources().slos {
            let Some(queries) = slo.sli.prometheus.clone() else { continue };
            let revision = state.revision(Kind::Slo, key.as_str()).unwrap_or(0);
            let counted = before.remove(key).filter(|(of, _)| *of == queries).map(|(_, counted)| counted);
            let mut counted = counted.unwrap_or_default();
            let (key, asker, permits) = (key.clone(), Arc::clone(&self.asker), Arc::clone(&permits));
            asked.spawn(async move {
                let _permit = permits.acquire().await;
                let before = counted.scraped_at();
                let grown = asker.ask(&queries).await.and_then(|sample| counted.take(&sample));
                let passed = if before > 0.0 { counted.scraped_at() - before } else { 0.0 };
                (key, revision, queries, counted, grown.map(|grown| grown.map(|grown| (grown, passed))))
            });
        }
        while let Some(answer) = asked.join_next().await {
            // A task that panicked took its counters with it: they begin anew.
            let Ok((key, revision, queries, counted, grown)) = answer else { continue };
            self.note(&key, counted.stale_after(), grown.as_ref().err());
            if let Ok(Some((grown, passed))) = grown {
                self.owed.entry((key.clone(), revision)).or_default().add(grown, passed);
            }
            self.counted.insert(key, (queries, counted));
        }
        // Counted first, it would count twice, where the server ends before the store has what was seen.
        if self.keep().await {
            for ((key, revision), Owed { good, bad, passed }) in std::mem::take(&mut self.owed) {
                let passed = Duration::try_from_secs_f64(passed).unwrap_or_default();
                self.control.count_over(&key, revision, (good, bad), passed);
            }
        }
        self.owed.retain(|(key, _), _| self.counted.contains_key(key));
    }

    fn note(&self, key: &Key, stale_after: Millis, failure: Option<&NoSample>) {
        let now = self.control.inner.clock.now();
        let mut table = self.control.inner.budgets.lock();
        let status = table.sources.entry(key.clone()).or_default();
        status.stale_after = stale_after;
        match failure {
            None => {
                if status.failures > 0 {
                    tracing::info!(slo = %key, "Prometheus tells again");
                }
                status.succeeded(now);
            }
            Some(why) => {
                if status.failures == 0 {
                    tracing::warn!(slo = %key, why = why.why(), "Prometheus tells nothing new");
                }
                status.failed(now, why);
            }
        }
    }
}
