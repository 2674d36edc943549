//! How much traffic there was over the last 15 minutes: root requests by service and operation, and how many
//! of them passed which fault point.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use daybreak_model::Key;
use jiff::Timestamp;

/// How far back a [`Window`] reaches, in seconds.
pub const WINDOW_SECONDS: i64 = 15 * 60;
/// How finely it does, in seconds: what leaves it leaves in steps of this.
pub const BUCKET_SECONDS: i64 = 30;
/// Windows that one [`Traffic`] keeps.
pub const WINDOWS_MAX: usize = 100_000;

/// A count over the last 15 minutes. It holds at most 30 buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The number of the bucket since 1970, and what was counted in it; in order, none of them zero.
    buckets: VecDeque<(i64, u64)>,
}

/// The traffic of all services.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    services: BTreeMap<String, ServiceTraffic>,
    windows: usize,
    /// When a count last had no place: until that has left the window, shares are unknown.
    overflowed_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
struct ServiceTraffic {
    operations: BTreeMap<String, Window>,
    points: BTreeMap<Key, PointTraffic>,
}

#[derive(Clone, Debug, Default)]
struct PointTraffic {
    /// When a client of the service last reported the point, passed or not.
    known_at: Timestamp,
    operations: BTreeMap<String, Window>,
}

impl Window {
    /// Counts.
    pub fn add(&mut self, count: u64, now: Timestamp) {
        let bucket = now.as_second().div_euclid(BUCKET_SECONDS);
        match self.buckets.back_mut() {
            _ if count == 0 => {}
            // A clock that was put back goes on with the latest bucket.
            Some((latest, total)) if *latest >= bucket => *total = total.saturating_add(count),
            _ => self.buckets.push_back((bucket, count)),
        }
        self.expire(now);
    }

    /// The count over the last 15 minutes, to a bucket.
    #[must_use]
    pub fn total(&self, now: Timestamp) -> u64 {
        let inside = self.buckets.iter().filter(|(bucket, _)| *bucket > oldest(now));
        inside.fold(0, |total, (_, count)| total.saturating_add(*count))
    }

    /// How long ago its first count is, to a bucket; at least one bucket, at most 15 minutes.
    fn age(&self, now: Timestamp) -> i64 {
        let first = self.buckets.iter().find(|(bucket, _)| *bucket > oldest(now));
        let began = first.map_or(now.as_second(), |(bucket, _)| bucket.saturating_mul(BUCKET_SECONDS));
        now.as_second().saturating_sub(began).clamp(BUCKET_SECONDS, WINDOW_SECONDS)
    }

    fn expire(&mut self, now: Timestamp) {
        while self.buckets.front().is_some_and(|(bucket, _)| *bucket <= oldest(now)) {
            self.buckets.pop_front();
        }
    }
}

impl PointTraffic {
    fn is_known(&self, now: Timestamp) -> bool {
        now.duration_since(self.known_at).as_secs() <= WINDOW_SECONDS
    }
}

/// The latest bucket that is outside of the window.
fn oldest(now: Timestamp) -> i64 {
    (now.as_second() - WINDOW_SECONDS).div_euclid(BUCKET_SECONDS)
}

impl Traffic {
    /// Counts root requests of an operation.
    pub fn add_requests(&mut self, service: &str, operation: &str, count: u64, now: Timestamp) {
        let windows = &mut self.services.entry(service.to_owned()).or_default().operations;
        add(windows, &mut self.windows, &mut self.overflowed_at, operation, count, now);
    }

    /// Notes that a service has a fault point, whether or not anything passes it.
    pub fn know(&mut self, service: &str, point: &Key, now: Timestamp) {
        let points = &mut self.services.entry(service.to_owned()).or_default().points;
        points.entry(point.clone()).or_default().known_at = now;
    }

    /// Whether a service had a fault point over the last 15 minutes.
    #[must_use]
    pub fn knows(&self, service: &str, point: &Key, now: Timestamp) -> bool {
        let point = self.services.get(service).and_then(|service| service.points.get(point));
        point.is_some_and(|point| point.is_known(now))
    }

    /// Counts root requests of an operation that passed a fault point.
    pub fn add_passed(&mut self, service: &str, point: &Key, operation: &str, count: u64, now: Timestamp) {
        self.know(service, point, now);
        let points = &mut self.services.entry(service.to_owned()).or_default().points;
        let windows = &mut points.entry(point.clone()).or_default().operations;
        add(windows, &mut self.windows, &mut self.overflowed_at, operation, count, now);
    }

    /// Root requests of an operation over the last 15 minutes, and how many of them passed a point. None where
    /// this is not known, because there were too many operations to count them all.
    #[must_use]
    pub fn passed(&self, service: &str, point: &Key, operation: &str, now: Timestamp) -> Option<(u64, u64)> {
        let unknown = self.overflowed_at.is_some_and(|at| now.duration_since(at).as_secs() <= WINDOW_SECONDS);
        let service = self.services.get(service).filter(|_| !unknown)?;
        let total = |windows: Option<&BTreeMap<String, Window>>| {
            windows.and_then(|windows| windows.get(operation)).map_or(0, |window| window.total(now))
        };
        Some((total(Some(&service.operations)), total(service.points.get(point).map(|point| &point.operations))))
    }

    /// How many root requests of an operation were eligible per second, in a service that is their root: those that passed
    /// the point, or all where the root does not have it. Since traffic began, where that was within the last 15 minutes.
    /// None where that is not known, as in [`passed`](Self::passed).
    #[must_use]
    pub fn eligible_per_second(&self, service: &str, point: &Key, operation: &str, now: Timestamp) -> Option<f64> {
        let (requests, passed) = self.passed(service, point, operation, now)?;
        let eligible = if self.knows(service, point, now) { passed } else { requests };
        let seconds = self.services.get(service)?.operations.get(operation).map_or(WINDOW_SECONDS, |all| all.age(now));
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = eligible as f64 / seconds as f64;
        Some(rate)
    }

    /// The operations of a service that passed a point over the last 15 minutes.
    #[must_use]
    pub fn operations(&self, service: &str, point: &Key, now: Timestamp) -> BTreeSet<&str> {
        let point = self.services.get(service).and_then(|service| service.points.get(point));
        let passed = point.into_iter().flat_map(|point| &point.operations).filter(|(_, window)| window.total(now) > 0);
        passed.map(|(operation, _)| operation.as_str()).collect()
    }

    /// Forgets what has left the window.
    pub fn sweep(&mut self, now: Timestamp) {
        let stays = |_: &String, window: &mut Window| {
            window.expire(now);
            !window.buckets.is_empty()
        };
        self.windows = 0;
        self.services.retain(|_, service| {
            service.operations.retain(stays);
            service.points.retain(|_, point| {
                point.operations.retain(stays);
                point.is_known(now)
            });
            let points = service.points.values().map(|point| point.operations.len());
            self.windows += service.operations.len() + points.sum::<usize>();
            !(service.operations.is_empty() && service.points.is_empty())
        });
    }
}

fn add(
    windows: &mut BTreeMap<String, Window>,
    known: &mut usize,
    overflowed_at: &mut Option<Timestamp>,
    operation: &str,
    count: u64,
    now: Timestamp,
) {
    match windows.get_mut(operation) {
        _ if count == 0 => {}
        Some(window) => window.add(count, now),
        None if *known >= WINDOWS_MAX => *overflowed_at = Some(now),
        None => {
            *known += 1;
            windows.entry(operation.to_owned()).or_default().add(count, now);
        }
    }
}

#[cfg(test)]
mod tests;
