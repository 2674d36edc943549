//! How much of the traffic runs may touch: before a start, and while they run.
//!
//! A run reaches `percentage × q` of the root requests of a service's operation, where q bounds the share of
//! them that pass its fault point. The sum over all runs must not exceed the limit, in every such place.

mod running;

use daybreak_model::wire::RunSpec;
use daybreak_model::{DrawBy, Key, Percentage};
use jiff::Timestamp;

use crate::clients::Place;
use crate::run::Run;
use crate::traffic::Traffic;

pub use running::exceeding;

/// The limit unless the server was started with `--max-blast-radius`: 5 %.
pub const LIMIT_DEFAULT: Percentage = percent(5);
/// An override may exceed the limit, but not this: 20 %.
pub const OVERRIDE_MAX: Percentage = percent(20);
/// With fewer root requests in the window, q is 1.
pub const REQUESTS_MIN: u64 = 1_000;
/// With fewer treated requests, a run's struck share says nothing.
pub const TREATED_MIN: u64 = 200;
/// The operation of a place where a point is known, but was not passed over the last 15 minutes.
pub const ANY_OPERATION: &str = "*";

/// One-sided 99 %: the normal quantile of the confidence with which q is an upper bound.
const Z_ADMIT: f64 = 2.326_347_874_040_841;
/// A struck share must exceed the limit by so many standard errors. It is looked at up to ten times a second, so
/// this is far out: one such look errs once in 300,000 times, and those that follow see nearly the same.
const Z_ABORT: f64 = 4.5;

const fn percent(whole: u32) -> Percentage {
    match Percentage::from_thousandths(whole * 1_000) {
        Some(percentage) => percentage,
        None => Percentage::ZERO,
    }
}

/// What one run touches, or would.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    /// The fault point.
    pub point: Key,
    /// Only root requests of this operation.
    pub operation: Option<String>,
    /// The share of eligible requests that it treats; zero for a shadow run.
    pub percentage: Percentage,
    /// Whether it draws by an attribute: then the traffic of one key may be anything.
    pub sticky: bool,
}

/// What is asked for in one place, beside what is already used.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The place.
    pub place: Place,
    /// The bound on the share of root requests that pass the point, from 0 to 1.
    pub q: f64,
    /// Whether q was measured; else it is 1, for want of knowledge.
    pub measured: bool,
    /// The share that the new run would touch, from 0 to 1.
    pub asked: f64,
    /// The share that the active runs may touch.
    pub used: f64,
}

impl Reach {
    /// What a run with this specification would touch.
    #[must_use]
    pub fn new(spec: &RunSpec, percentage: Percentage) -> Self {
        Self {
            point: spec.point.clone(),
            operation: operation(spec).map(str::to_owned),
            percentage: if spec.shadow { Percentage::ZERO } else { percentage },
            sticky: matches!(spec.by, DrawBy::Attribute(_)),
        }
    }

    /// What a run touches.
    #[must_use]
    pub fn of(run: &Run) -> Self {
        Self::new(&run.spec, run.percentage)
    }

    /// The bound on the share of a place's root requests that are eligible, and whether it was measured.
    fn q(&self, traffic: &Traffic, place: &Place, now: Timestamp) -> (f64, bool) {
        let counted = traffic.passed(&place.service, &self.point, &place.operation, now);
        match counted.filter(|(requests, _)| !self.sticky && *requests >= REQUESTS_MIN) {
            Some((requests, passed)) => (upper_bound(passed, requests), true),
            None => (1.0, false),
        }
    }

    fn touches(&self, operation: &str) -> bool {
        let named = self.operation.as_deref();
        operation == ANY_OPERATION || named.is_none_or(|named| named == operation)
    }
}

/// What a new run would touch in every place that it can reach: each service in `services` (those with live
/// clients that know the point), with each operation that passed the point over the last 15 minutes, or the one
/// that it names. Of the active runs those count whose point that service has.
#[must_use]
pub fn shares<'s>(
    traffic: &Traffic,
    services: impl IntoIterator<Item = &'s str>,
    asked: &Reach,
    active: &[Reach],
    now: Timestamp,
) -> Vec<Share> {
    let mut shares = Vec::new();
    for service in services {
        let mut operations = traffic.operations(service, &asked.point, now);
        operations.retain(|operation| asked.touches(operation));
        if operations.is_empty() {
            operations.insert(asked.operation.as_deref().unwrap_or(ANY_OPERATION));
        }
        for operation in operations {
            let place = Place { service: service.to_owned(), operation: operation.to_owned() };
            let (q, measured) = asked.q(traffic, &place, now);
            let others =
                active.iter().filter(|other| other.touches(operation) && traffic.knows(service, &other.point, now));
            // A sum of none would be −0.
            let used = others
                .map(|other| other.percentage.ratio() * other.q(traffic, &place, now).0)
                .fold(0.0, |sum, one| sum + one);
            shares.push(Share { place, q, measured, asked: asked.percentage.ratio() * q, used });
        }
    }
    shares
}

impl Share {
    /// The share that all runs together would touch, from 0 up.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.asked + self.used
    }

    /// Whether that is more than the limit. Percentages are exact to 10⁻⁵; what is below that is rounding.
    #[must_use]
    pub fn exceeds(&self, limit: Percentage) -> bool {
        self.total() > limit.ratio() + 1e-9
    }
}

/// An upper bound, at one-sided 99 %, on a share of which `hits` of `total` were seen: Wilson's score bound.
///
/// E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
/// Statistical Association 22 (1927) 209–212. Its upper bound errs to the safe side for small shares, to the other
/// for large ones (T. T. Cai, "One-sided confidence intervals in discrete distributions", Journal of Statistical
/// Planning and Inference 131 (2005) 63–88); up to one half, with [`REQUESTS_MIN`], it misses at most 1.05 % of
/// the time, and above that by a small part of a share that is large.
#[must_use]
pub fn upper_bound(hits: u64, total: u64) -> f64 {
    let (centre, spread) = wilson(hits, total, Z_ADMIT);
    (centre + spread).min(1.0)
}

/// The centre of Wilson's interval, and half its width; all that is possible where nothing was seen.
fn wilson(hits: u64, total: u64, z: f64) -> (f64, f64) {
    if total == 0 {
        return (0.5, 0.5);
    }
    let (n, p) = (float(total), ratio(hits.min(total), total));
    let scale = 1.0 + z * z / n;
    let centre = (p + z * z / (2.0 * n)) / scale;
    let spread = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt() / scale;
    (centre, spread)
}

/// The one operation that a run can reach, if it is one: the fault's own, or that of the guard's SLO.
fn operation(spec: &RunSpec) -> Option<&str> {
    let measured = spec.measure.as_ref().map(|measure| measure.operation.as_str());
    spec.operation.as_deref().or(measured)
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { float(part) / float(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2⁵³, and a share needs no more digits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests;
