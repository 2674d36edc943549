//! How fast a budget burns, and when that is too fast.
//!
//! A burn rate of 1 spends the budget exactly by the end of the window; 2 in half that time. An alert looks at two
//! windows: the long one says that it matters, the short one that it is still so. After the SRE workbook, chapter 5,
//! "multiwindow, multi-burn-rate alerts" (<https://sre.google/workbook/alerting-on-slos/>).

use daybreak_model::{Millis, Percentage, Slo, Window};
use jiff::Timestamp;
use serde::Serialize;

use super::series::{Counts, Series};

/// One alert, written for any window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alert {
    /// The long window.
    pub long: Millis,
    /// The short one.
    pub short: Millis,
    /// The share of the budget that [`Self::over`] may spend before it is too fast.
    share: f64,
    /// The time in which that share is spent: the long window, but for [`FAST`].
    over: Millis,
    /// Bad requests in the long window without which it stays silent: one bad request must not page.
    pub bad_min: u64,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// 2 % of the budget within an hour: a burn rate of 14.4 in 30 days.
const HOURLY: Alert = Alert {
    long: Millis::from_secs(HOUR),
    short: Millis::from_secs(5 * MINUTE),
    share: 0.02,
    over: Millis::from_secs(HOUR),
    bad_min: 5,
};
/// 5 % of the budget within six hours: a burn rate of 6 in 30 days.
const SIX_HOURLY: Alert = Alert {
    long: Millis::from_secs(6 * HOUR),
    short: Millis::from_secs(30 * MINUTE),
    share: 0.05,
    over: Millis::from_secs(6 * HOUR),
    bad_min: 5,
};
/// What makes a budget [burning](super::State::Burning).
pub const PAGING: [Alert; 2] = [HOURLY, SIX_HOURLY];
/// The rate of the first one, seen within half a minute: it ends a run.
pub const FAST: Alert =
    Alert { long: Millis::from_secs(5 * MINUTE), short: Millis::from_secs(30), bad_min: 10, ..HOURLY };

/// Requests over a length of time, and how fast they burned the budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Burn {
    /// Over how long, back from now.
    pub window: Millis,
    /// Requests.
    pub total: u64,
    /// Those that were bad.
    pub bad: u64,
    /// The burn rate: the share of bad requests over what the objective leaves. `None` without requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

/// What an alert says now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AlertStatus {
    /// The burn rate above which it is too fast.
    pub factor: f64,
    /// The long window.
    pub long: Burn,
    /// The short window.
    pub short: Burn,
    /// Whether it is burning too fast.
    pub firing: bool,
    /// Whether there were requests enough in the long window for one bad request not to be too many.
    pub enough_data: bool,
}

/// The length of a window, in seconds; a month's is that of 30 days.
#[must_use]
pub fn period(window: Window) -> i64 {
    match window {
        Window::Rolling(length) => i64::try_from(length.get() / 1_000).unwrap_or(i64::MAX),
        Window::Month => 30 * 24 * 3_600,
    }
}

/// The share of requests that may be bad: 1 − objective, from 0 to 1.
#[must_use]
pub fn budget_ratio(objective: Percentage) -> f64 {
    // Exact in thousandths of a percent; `1.0 - 0.999` is not.
    let left = Percentage::FULL.thousandths() - objective.thousandths();
    f64::from(left) / f64::from(Percentage::FULL.thousandths())
}

/// Seconds, which are far from any limit.
fn seconds(length: Millis) -> i64 {
    i64::try_from(length.get() / 1_000).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts and seconds beyond 2^53 are of no concern")]
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

impl Burn {
    pub(super) fn of(counts: Counts, window: Millis, objective: Percentage) -> Self {
        let budget = budget_ratio(objective);
        // Without a budget, which no document has, anything bad is as bad as can be.
        let rate = ratio(counts.bad, counts.total()).map(|errors| if errors > 0.0 { errors / budget } else { 0.0 });
        let rate = rate.map(|rate| if rate.is_finite() { rate } else { f64::MAX });
        Self { window, total: counts.total(), bad: counts.bad, rate }
    }

    pub(super) fn over(series: &Series, window: Millis, objective: Percentage, now: Timestamp) -> Self {
        Self::of(series.over(seconds(window), now), window, objective)
    }

    fn exceeds(&self, factor: f64) -> bool {
        self.rate.is_some_and(|rate| rate > factor)
    }
}

impl Alert {
    /// The burn rate above which a budget over this window burns too fast: f = share · window / time. It is never below
    /// 1: who burns slower than that has budget left in the end.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "seconds beyond 2^53 are of no concern")]
    pub fn factor(&self, window: Window) -> f64 {
        (self.share * period(window) as f64 / seconds(self.over) as f64).max(1.0)
    }

    /// How many requests it takes in the long window for one bad request not to be too many.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates")]
    pub(super) fn requests_min(factor: f64, objective: Percentage) -> u64 {
        ((1.0 / (factor * budget_ratio(objective))).floor() as u64).saturating_add(1)
    }

    pub(super) fn status(&self, series: &Series, definition: &Slo, now: Timestamp) -> AlertStatus {
        let factor = self.factor(definition.window);
        let burn = |window| Burn::over(series, window, definition.objective, now);
        let (long, short) = (burn(self.long), burn(self.short));
        #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are of no concern")]
        let enough_data = long.total as f64 * factor * budget_ratio(definition.objective) > 1.0;
        let firing = enough_data && long.bad >= self.bad_min && long.exceeds(factor) && short.exceeds(factor);
        AlertStatus { factor, long, short, firing, enough_data }
    }
}
