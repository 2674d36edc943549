//! A cell's figures, and how its runs are spread over the processors.

use std::collections::BTreeMap;
use std::thread;

use serde::Serialize;

use crate::judge::Shown;
use crate::scenario::MINUTES;

/// The minutes at which curves have their points: alike on a logarithmic axis.
const MOMENTS: [u32; 20] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 45, 60, 80, 100, 130, 170, 220, 290, 370, MINUTES];

/// How large a simulation is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulation {
    /// Runs in a cell.
    pub(crate) runs: usize,
}

/// What was measured in one cell.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Cell {
    pub(crate) group: &'static str,
    pub(crate) name: String,
    pub(crate) runs: usize,
    /// Shares of runs, from 0 to 1.
    pub(crate) shares: BTreeMap<&'static str, f64>,
    /// Medians over the runs in which something was shown: minute, treated requests, bad ones among them.
    pub(crate) medians: BTreeMap<&'static str, [f64; 3]>,
    /// Minutes, and the shares of runs in which something was shown by then.
    pub(crate) curves: BTreeMap<&'static str, Vec<(u32, f64)>>,
}

impl Simulation {
    /// Every run of a cell, on all processors. A run is chosen by its number alone.
    pub(crate) fn each<T: Send>(&self, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let numbers: Vec<u64> = (0..self.runs as u64).collect();
        let part = |numbers: &[u64]| numbers.iter().map(|number| run(*number)).collect::<Vec<T>>();
        thread::scope(|scope| {
            let chunks = numbers.chunks(self.runs.div_ceil(threads).max(1));
            let parts: Vec<_> = chunks.map(|chunk| scope.spawn(move || part(chunk))).collect();
            parts.into_iter().flat_map(|part| part.join().expect("a run does not panic")).collect()
        })
    }
}

impl Cell {
    pub(crate) fn new(group: &'static str, name: &str, runs: usize) -> Self {
        let (shares, medians, curves) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { group, name: name.to_owned(), runs, shares, medians, curves }
    }

    /// The share of runs of which something holds.
    pub(crate) fn share<T>(&mut self, of: &'static str, runs: &[T], holds: impl Fn(&T) -> bool) {
        let holding = runs.iter().filter(|one| holds(one)).count();
        self.shares.insert(of, holding as f64 / runs.len() as f64);
    }

    /// Medians over the runs in which something was shown.
    pub(crate) fn medians<T>(&mut self, of: &'static str, runs: &[T], shown: impl Fn(&T) -> Option<Shown>) {
        let shown: Vec<Shown> = runs.iter().filter_map(shown).collect();
        let median = |value: fn(&Shown) -> f64| {
            let mut values: Vec<f64> = shown.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        // An event in the first minute took one minute.
        let minute = median(|one| f64::from(one.minute + 1));
        let (treated, bad) = (median(|one| one.treated as f64), median(|one| one.treated_bad as f64));
        if let (Some(minute), Some(treated), Some(bad)) = (minute, treated, bad) {
            self.medians.insert(of, [minute, treated, bad]);
        }
    }

    /// How many runs had something shown by when.
    pub(crate) fn curve<T>(&mut self, of: &'static str, runs: &[T], shown: impl Fn(&T) -> Option<Shown>) {
        let by = |minute: u32| {
            let early = |one: &&T| shown(one).is_some_and(|shown| shown.minute < minute);
            (minute, runs.iter().filter(early).count() as f64 / runs.len() as f64)
        };
        self.curves.insert(of, MOMENTS.map(by).to_vec());
    }

    /// Panics unless a share is at most `nominal`, give or take what chance does to so many runs (four standard
    /// deviations).
    #[track_caller]
    pub(crate) fn at_most(&self, of: &str, nominal: f64) {
        let slack = 4.0 * (nominal * (1.0 - nominal) / self.runs as f64).sqrt();
        assert!(self.shares[of] <= nominal + slack, "{of}: more than {nominal}\n{self:?}");
    }
}
