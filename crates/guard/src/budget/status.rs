//! Where an error budget stands.

use daybreak_model::{Millis, Percentage, Slo, Window};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Serialize, Serializer};

use super::burn::{Alert, AlertStatus, Burn, PAGING, budget_ratio, period};
use super::series::{Counts, Resolution, Series};

/// What an error budget is like, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is budget left, and it does not burn.
    Ok,
    /// It burns faster than people should sleep through.
    Burning,
    /// Nothing is left.
    Spent,
    /// Too few requests to tell. That is not fine: nothing may start.
    InsufficientData,
}

/// Where an error budget stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The share of good requests that is promised.
    #[serde(serialize_with = "written_percentage")]
    pub objective: Percentage,
    /// Over which time: `28d`, or `month`.
    #[serde(serialize_with = "written_window")]
    pub window: Window,
    /// When that time begins.
    pub since: Timestamp,
    /// In one word.
    pub state: State,
    /// Requests within the window.
    pub total: u64,
    /// Those that were bad: the budget that is spent, in requests.
    pub bad: u64,
    /// How many of these requests might be bad: (1 − objective) · total.
    pub allowed: f64,
    /// The share of the budget that is left: 1 − bad / allowed. 1 is all of it; below 0 more was spent than there was.
    /// `None` without requests: then there is no budget of which anything could be left.
    pub remaining: Option<f64>,
    /// The alerts of which any makes it burning, with their burn rates.
    pub alerts: Vec<AlertStatus>,
    /// When nothing will be left if it goes on as in the last 6 hours; `None` where the budget lasts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhausted_at: Option<Timestamp>,
    /// When counts last came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sample: Option<Timestamp>,
}

/// What is too few to tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Lack {
    /// Over which time: `28d`, `1h`.
    pub window: String,
    /// The same in seconds.
    pub seconds: f64,
    /// Requests that there are.
    pub requests: u64,
    /// Requests that it takes.
    pub needed: u64,
}

/// The time over which the rate of requests is looked at.
pub const RATE_OVER: Millis = Millis::from_secs(300);

/// A stretch of the window, for a plot.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// When it begins.
    pub start: Timestamp,
    /// Requests.
    pub total: u64,
    /// Those that were bad.
    pub bad: u64,
    /// The burn rate; `None` without requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
}

fn written_percentage<S: Serializer>(share: &Percentage, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(share)
}

fn written_window<S: Serializer>(window: &Window, serializer: S) -> Result<S::Ok, S::Error> {
    match window {
        Window::Rolling(length) => serializer.collect_str(length),
        Window::Month => serializer.serialize_str("month"),
    }
}

/// When the window that ends now begins. A month begins in UTC, whatever the season does to clocks elsewhere.
pub(super) fn since(window: Window, now: Timestamp) -> Timestamp {
    let start = match window {
        Window::Rolling(_) => now.checked_sub(SignedDuration::from_secs(period(window))),
        Window::Month => {
            let first = now.to_zoned(TimeZone::UTC).date().first_of_month();
            first.to_zoned(TimeZone::UTC).map(|start| start.timestamp())
        }
    };
    start.unwrap_or(Timestamp::MIN)
}

/// The buckets of the window that ends now.
fn buckets(series: &Series, since: Timestamp, now: Timestamp) -> impl Iterator<Item = (i64, Counts)> + '_ {
    let length = now.as_second().saturating_sub(since.as_second());
    series.since(since.as_second(), Resolution::reaching(length))
}

impl Lack {
    /// Requests that are missing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are of no concern")]
    pub const fn missing(&self) -> f64 {
        self.needed.saturating_sub(self.requests) as f64
    }
}

impl Status {
    pub(super) fn of(series: &Series, definition: &Slo, last_sample: Option<Timestamp>, now: Timestamp) -> Self {
        let since = since(definition.window, now);
        let counts = buckets(series, since, now).fold(Counts::default(), |sum, (_, counts)| sum.plus(counts));
        let begun = buckets(series, since, now).next().map_or(now.as_second(), |(start, _)| start);
        #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are of no concern")]
        let (total, bad) = (counts.total() as f64, counts.bad as f64);
        let allowed = budget_ratio(definition.objective) * total;
        let remaining = (allowed > 0.0).then(|| 1.0 - bad / allowed);
        let alerts: Vec<_> = PAGING.iter().map(|alert| alert.status(series, definition, now)).collect();
        let mut status = Self {
            objective: definition.objective,
            window: definition.window,
            since,
            state: State::Ok,
            total: counts.total(),
            bad: counts.bad,
            allowed,
            remaining,
            exhausted_at: None,
            alerts,
            last_sample,
        };
        status.state = status.state();
        status.exhausted_at = status.exhausted_at(begun, now);
        status
    }

    fn state(&self) -> State {
        if self.allowed >= 1.0 && self.remaining.is_some_and(|left| left <= 0.0) {
            State::Spent
        } else if self.is_burning() {
            State::Burning
        } else if !self.lacking().is_empty() {
            State::InsufficientData
        } else {
            State::Ok
        }
    }

    /// What is too few to tell: in the window, where a single bad request would be more than all of the budget; in those of
    /// the alerts, where it would look like a fire.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "seconds beyond 2^53 are of no concern")]
    pub fn lacking(&self) -> Vec<Lack> {
        let window = match self.window {
            Window::Rolling(length) => length.to_string(),
            Window::Month => "this month".to_owned(),
        };
        let left = Percentage::FULL.thousandths() - self.objective.thousandths();
        let whole = (self.allowed < 1.0).then(|| Lack {
            window,
            seconds: period(self.window) as f64,
            requests: self.total,
            needed: u64::from(Percentage::FULL.thousandths().div_ceil(left.max(1))).max(self.total.saturating_add(1)),
        });
        let alerts = self.alerts.iter().filter(|alert| !alert.enough_data).map(|alert| Lack {
            window: alert.long.window.to_string(),
            seconds: alert.long.window.to_duration().as_secs_f64(),
            requests: alert.long.total,
            needed: Alert::requests_min(alert.factor, self.objective).max(alert.long.total.saturating_add(1)),
        });
        whole.into_iter().chain(alerts).collect()
    }

    /// Requests per second within [`RATE_OVER`]; none where there were none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts beyond 2^53 are of no concern")]
    pub fn rate(&self) -> Option<f64> {
        let short = self.alerts.iter().map(|alert| alert.short).find(|burn| burn.window == RATE_OVER)?;
        (short.total > 0).then(|| short.total as f64 / RATE_OVER.to_duration().as_secs_f64())
    }

    /// When nothing will be left at the burn rate b of the last 6 hours. While the window still fills (since `begun`,
    /// for the time t; a month always does), requests that come bring budget along: t · remaining / (b − 1). Once it is
    /// full of length P: P · remaining / b, which is early rather than late, as the oldest bad requests age out meanwhile.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "`as` saturates")]
    fn exhausted_at(&self, begun: i64, now: Timestamp) -> Option<Timestamp> {
        let burn = self.alerts.iter().map(|alert| alert.long).max_by_key(|burn| burn.window)?;
        let rate = burn.rate.filter(|rate| *rate > 1.0)?;
        let remaining = self.remaining.filter(|left| *left > 0.0 && self.state != State::InsufficientData)?;
        let period = period(self.window);
        let filled = now.as_second().saturating_sub(begun);
        let fills = self.window == Window::Month || filled < period - Resolution::Hour.seconds();
        let seconds = if fills { filled as f64 * remaining / (rate - 1.0) } else { period as f64 * remaining / rate };
        let at = now.checked_add(SignedDuration::from_secs(seconds as i64)).ok()?;
        (self.window != Window::Month || at < next_month(now)).then_some(at)
    }

    /// Whether the budget burns faster than the alerts allow.
    #[must_use]
    pub fn is_burning(&self) -> bool {
        self.alerts.iter().any(|alert| alert.firing)
    }

    /// The share of the budget that is left once this share of it is set aside: below 0 where it is not there, and none
    /// where nothing was counted.
    #[must_use]
    pub fn remaining_after(&self, reserved: f64) -> Option<f64> {
        self.remaining.map(|left| left - reserved)
    }
}

fn next_month(now: Timestamp) -> Timestamp {
    let after = now.to_zoned(TimeZone::UTC).date().last_of_month().tomorrow();
    let start = after.and_then(|day| day.to_zoned(TimeZone::UTC));
    start.map_or(Timestamp::MAX, |start| start.timestamp())
}

/// The window in so many stretches of the same length, the oldest first.
pub(super) fn history(series: &Series, definition: &Slo, points: usize, now: Timestamp) -> Vec<Point> {
    let points = i64::try_from(points.clamp(1, 1_000)).unwrap_or(1);
    let since = since(definition.window, now);
    let length = now.as_second().saturating_sub(since.as_second()).max(1);
    let resolution = Resolution::reaching(length).seconds();
    // Whole buckets: a bucket that two stretches share would make one of them empty.
    let step = (length + points - 1) / points;
    let step = (step + resolution - 1) / resolution * resolution;
    let count = (length + step - 1) / step;
    let mut counted = vec![Counts::default(); usize::try_from(count).unwrap_or_default()];
    let first = now.as_second().saturating_sub(count * step);
    for (start, counts) in buckets(series, since, now) {
        let at = (start.saturating_sub(first) / step).clamp(0, count - 1);
        if let Some(sum) = usize::try_from(at).ok().and_then(|at| counted.get_mut(at)) {
            *sum = sum.plus(counts);
        }
    }
    let point = |(at, counts): (i64, &Counts)| {
        let burn = Burn::of(*counts, Millis::ZERO, definition.objective);
        let start = Timestamp::from_second(first + at * step).unwrap_or(since).max(since);
        Point { start, total: burn.total, bad: burn.bad, rate: burn.rate }
    };
    (0..).zip(&counted).map(point).collect()
}
