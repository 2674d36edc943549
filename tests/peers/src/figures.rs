//! What was measured, and where, as JSON: `cargo xtask peers` makes the tables of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::measure::{Alone, Rounds, Threads};
use crate::peer::Contestant;

/// Everything of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    date: String,
    cpu: String,
    cores: usize,
    rounds: usize,
    round_milliseconds: u128,
    /// By their names in the tables.
    pub(crate) contestants: BTreeMap<&'static str, About>,
    pub(crate) tables: Vec<Table>,
}

/// Who took part.
#[derive(Debug, Serialize)]
pub(crate) struct About {
    package: &'static str,
    version: String,
    how: &'static str,
}

/// What all did who do the same.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// To whom the others are compared.
    pub(crate) base: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// What one did.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    #[serde(flatten)]
    pub(crate) measured: Measured,
}

/// The figures of one contestant. Nanoseconds are those of one repetition.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Measured {
    Alone { nanos: Spread, times_base: Spread, allocations: f64, rounds: Rounds },
    Threads { one_nanos: Spread, two_nanos: Spread, scaling: Spread, rounds: [Rounds; 2] },
}

/// The middle, and where eight of ten are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    median: f64,
    low: f64,
    high: f64,
}

impl Spread {
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let last = figures.len().saturating_sub(1);
        let at = |tenths: usize| figures.get((last * tenths + 5) / 10).copied().unwrap_or(f64::NAN);
        Self { median: at(5), low: at(1), high: at(9) }
    }
}

impl Measured {
    /// Ratios are those of each round, so that what moved both moves none.
    pub(crate) fn alone(one: &Alone, base: &Alone) -> Self {
        let ratios = one.nanos.iter().zip(&base.nanos).map(|(one, base)| one / base);
        Self::Alone {
            nanos: Spread::of(one.nanos.iter().copied()),
            times_base: Spread::of(ratios),
            allocations: one.allocations,
            rounds: one.nanos.clone(),
        }
    }

    pub(crate) fn threads(both: &Threads) -> Self {
        let scaling = both.one.iter().zip(&both.two).map(|(one, two)| 2.0 * one / two);
        Self::Threads {
            one_nanos: Spread::of(both.one.iter().copied()),
            two_nanos: Spread::of(both.two.iter().copied()),
            scaling: Spread::of(scaling),
            rounds: [both.one.clone(), both.two.clone()],
        }
    }
}

impl Figures {
    pub(crate) fn new(rounds: usize) -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        Self {
            date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            cpu: model.map_or("unknown", |(_, model)| model.trim()).to_owned(),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            rounds,
            round_milliseconds: crate::measure::ROUND.as_millis(),
            contestants: BTreeMap::new(),
            tables: Vec::new(),
        }
    }

    pub(crate) fn introduce<W>(&mut self, contestant: &Contestant<W>) -> Result<()> {
        let Contestant { name, package, how, .. } = *contestant;
        self.contestants.insert(name, About { package, version: version(package)?, how });
        Ok(())
    }
}

/// The version of a package that this is built with.
fn version(package: &str) -> Result<String> {
    let lock = include_str!("../Cargo.lock");
    let name = format!("name = \"{package}\"");
    let mut after = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = after.next().and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'));
    Ok(version.with_context(|| format!("Cargo.lock has no version of {package}"))?.to_owned())
}
