//! The goals: what Daybreak is to do, and where the figure stands that tells whether it does.

/// A goal, and what it is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) work: &'static str,
    pub(crate) bound: Bound,
    /// The unit of bound and figure: ` ns`, `/s`.
    pub(crate) unit: &'static str,
    pub(crate) figure: Source,
    /// Beside whom, where tests/peers does not tell: a figure of the same run.
    pub(crate) beside: Option<(&'static str, Source)>,
    /// What others were seen to do who are not measured again in every run.
    pub(crate) told: &'static str,
}

/// On which side of a number the figure has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

/// Where a figure stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Source {
    /// In the figures of tests/peers: the table's name, words of its title, whose row, and which figure.
    Peers(&'static str, &'static str, &'static str, Figure),
    /// In the first table of a benchmark with such a row and column.
    Cell(&'static str, &'static [&'static str], &'static str),
}

/// A figure of tests/peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Figure {
    Nanos,
    /// How much more two threads do than one.
    Scaling,
    Allocations,
}

impl Bound {
    /// The number.
    pub(crate) fn number(self) -> f64 {
        match self {
            Self::AtMost(bound) | Self::AtLeast(bound) => bound,
        }
    }
}

use Bound::{AtLeast, AtMost};
use Figure::{Allocations, Nanos, Scaling};
use Source::{Cell, Peers};

const KEY: &str = "Daybreak, by key";
const HANDLE: &str = "Daybreak, by handle";
const POINT: &str = "Daybreak, by handle, blocking";
/// Measured on 2026-11-23 on such a machine, with wrk; docs/benchmarks.md says how.
const EDGE: &str = "unleash-edge";

const fn peers(work: &'static str, bound: Bound, figure: Source) -> Goal {
    let unit = match figure {
        Peers(.., Nanos) => " ns",
        _ => "",
    };
    Goal { work, bound, unit, figure, beside: None, told: "" }
}

const fn server(work: &'static str, (bound, unit): (Bound, &'static str), figure: Source) -> Goal {
    Goal { work, bound, unit, figure, beside: None, told: "" }
}

impl Goal {
    const fn beside(mut self, name: &'static str, source: Source) -> Self {
        self.beside = Some((name, source));
        self
    }

    const fn told(mut self, told: &'static str) -> Self {
        self.told = told;
        self
    }
}

const BARE: &str = "bare actix-web";
const FAN_OUT: &str = "last, median";
const MEMORY: &str = "memory";

/// Every goal, in the order of the document.
pub(crate) const GOALS: &[Goal] = &[
    peers("W1 boolean, no rules, by key", AtMost(15.0), Peers("W1", "", KEY, Nanos)),
    peers("W1 by handle", AtMost(4.0), Peers("W1", "", HANDLE, Nanos)),
    peers("W2 five rules, six attributes, by key", AtMost(80.0), Peers("W2", "", KEY, Nanos)),
    peers("W3 25/75 rollout, by key", AtMost(25.0), Peers("W3", "", KEY, Nanos)),
    peers("W4 W2 among 10,000 flags, shuffled, by key", AtMost(200.0), Peers("W4", "", KEY, Nanos)),
    peers("W5 W2, two threads over one, by key", AtLeast(1.9), Peers("W5", "", KEY, Scaling)),
    peers("W2 allocations per evaluation", AtMost(0.0), Peers("W2", "", KEY, Allocations)),
    peers("fault point by handle, nothing running", AtMost(2.0), Peers("fault point", "nothing", POINT, Nanos)),
    peers("the same, async", AtMost(2.0), Peers("fault point", "nothing", "Daybreak, by handle, async", Nanos)),
    peers("the same, two threads over one", AtLeast(1.9), Peers("fault point", "nothing", POINT, Scaling)),
    peers("fault point by handle, another running", AtMost(8.0), Peers("fault point", "another", POINT, Nanos)),
    server(
        "OFREP, one flag, one core: share of bare actix-web",
        (AtLeast(75.0), " %"),
        Cell("ofrep", &["one flag", "Daybreak"], "of bare"),
    )
    .beside(BARE, Cell("ofrep", &["one flag", "bare actix-web"], "requests/s"))
    .told("27,000 to 29,000/s"),
    server(
        "OFREP, 100 flags at once, one core",
        (AtLeast(25_000.0), "/s"),
        Cell("ofrep", &["100 flags", "Daybreak"], "requests/s"),
    )
    .beside(BARE, Cell("ofrep", &["100 flags", "bare actix-web"], "requests/s"))
    .told("1,655/s"),
    server("memory, idle", (AtMost(12.0), " MB"), Cell("streams", &["0", "Daybreak"], MEMORY))
        .beside(BARE, Cell("streams", &["0", "bare actix-web"], MEMORY))
        .told("26 MB"),
    server("memory with 1,000 streams", (AtMost(30.0), " MB"), Cell("streams", &["1,000", "Daybreak"], MEMORY))
        .beside(BARE, Cell("streams", &["1,000", "bare actix-web"], MEMORY))
        .told("207 MB"),
    server("memory with 10,000 streams", (AtMost(200.0), " MB"), Cell("streams", &["10,000", "Daybreak"], MEMORY))
        .beside(BARE, Cell("streams", &["10,000", "bare actix-web"], MEMORY)),
    server(
        "one change to the last of 1,000 streams",
        (AtMost(25.0), " ms"),
        Cell("streams", &["1,000", "Daybreak"], FAN_OUT),
    )
    .beside(BARE, Cell("streams", &["1,000", "bare actix-web"], FAN_OUT))
    .told("1,370 to 2,150 ms"),
    server(
        "one change to the last of 10,000 streams",
        (AtMost(200.0), " ms"),
        Cell("streams", &["10,000", "Daybreak"], FAN_OUT),
    )
    .beside(BARE, Cell("streams", &["10,000", "bare actix-web"], FAN_OUT)),
    server(
        "10,000 clients back after `kill -9`, the last",
        (AtMost(10_000.0), " ms"),
        Cell("herd", &["10,000"], "last, median"),
    ),
    server("the server's memory meanwhile, at most", (AtMost(300.0), " MB"), Cell("herd", &["10,000"], "at most")),
    server(
        "the longest that one of 10,000 clients was more than one change behind, at 20 changes a second",
        (AtMost(1_000.0), " ms"),
        Cell("soak", &["longest that a client was more than one change behind"], "figure"),
    ),
    server(
        "toggle by curl → value in the SDK, p99 from curl's 2xx",
        (AtMost(5.0), " ms"),
        Cell("delivery", &["1", "curl's 2xx"], "p99"),
    )
    .told("5,300 to 14,700 ms"),
    server("the same among 1,000 clients", (AtMost(25.0), " ms"), Cell("delivery", &["1000", "curl's 2xx"], "p99")),
    server(
        "`stop` by curl → injected sleeps end, p99 from curl's 2xx",
        (AtMost(50.0), " ms"),
        Cell("stop", &["curl's 2xx"], "p99"),
    ),
];

impl Goal {
    /// As people read it.
    pub(crate) fn bound(&self) -> String {
        let unit = self.unit;
        let times = if matches!(self.figure, Peers(.., Scaling)) { "×" } else { "" };
        match self.bound {
            AtMost(bound) => format!("≤ {times}{}{unit}", plain(bound)),
            AtLeast(bound) => format!("≥ {times}{}{unit}", plain(bound)),
        }
    }

    /// Whether a figure does.
    pub(crate) fn is_met(&self, figure: f64) -> bool {
        match self.bound {
            AtMost(bound) => figure <= bound,
            AtLeast(bound) => figure >= bound,
        }
    }

    /// What others were seen to do, with their name.
    pub(crate) fn of_others(&self) -> Option<String> {
        (!self.told.is_empty()).then(|| format!("{EDGE}¹ {}", self.told))
    }
}

/// The goal of a table of tests/peers that is held by key, or by handle where only that is.
pub(crate) fn of_peers(table: &str, title: &str, figure: Figure) -> Option<&'static Goal> {
    GOALS.iter().find(|goal| {
        matches!(goal.figure, Peers(name, words, _, of) if name == table && title.contains(words) && of == figure)
    })
}

fn plain(number: f64) -> String {
    if number.fract() == 0.0 { crate::figures::thousands(number) } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_for_people() {
        let shown = |work: &str| GOALS.iter().find(|goal| goal.work.starts_with(work)).map(Goal::bound);
        assert_eq!(shown("W1 boolean").as_deref(), Some("≤ 15 ns"));
        assert_eq!(shown("W5").as_deref(), Some("≥ ×1.9"));
        assert_eq!(shown("OFREP, 100").as_deref(), Some("≥ 25,000/s"));
    }

    #[test]
    fn every_goal_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<&str> = GOALS.iter().map(|goal| goal.work).collect();
        assert_eq!(names.len(), GOALS.len());
    }

    #[test]
    fn what_is_just_met_is_met() {
        assert!(GOALS[0].is_met(15.0) && !GOALS[0].is_met(15.1));
        let scaling = of_peers("W5", "W2 on one thread and on two", Scaling).unwrap();
        assert!(scaling.is_met(1.9) && !scaling.is_met(1.89));
    }
}
