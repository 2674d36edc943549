//! The cells of runs that are judged as the server judges them, and of shadow runs.

use crate::capped::{self, Capped, Seen};
use crate::cell::{Cell, Simulation};
use crate::keyed::{self, Keyed};
use crate::shadow::{Broken, REQUESTS, seen_by};
use crate::silent;
use crate::told::RAMP;

const FIVE: &[u32] = &[5_000];

/// Runs whose counts go the way of the real ones: through reports, the server's merging, and the guard's looks.
pub(crate) fn served(simulation: &Simulation) -> Vec<Cell> {
    let plain = Capped { base: 0.005, bursty: false, stages: FIVE, harm: 0.0, cap: usize::MAX, lag: 0.0, stops: false };
    let bursty = Capped { bursty: true, ..plain };
    // Of about 16 that would be in flight in each process, and twice as many in a burst.
    let (twelve, four) = (Capped { cap: 12, ..bursty }, Capped { cap: 4, ..bursty });
    let harmful = Capped { base: 0.02, harm: 0.02, ..plain };
    let late = Capped { harm: 0.2, lag: 10.0, ..plain };
    let keys = Keyed { keys: 20_000, skew: 1, base: 0.005, stages: FIVE, harm: 0.0 };
    let few = Keyed { keys: 20_000, skew: 12, ..keys };
    let requests = [
        ("no harm", 0.01, plain),
        ("no harm, a cap of 12 in flight, bursty", 0.01, twelve),
        ("no harm, a cap of 4 in flight, bursty", 0.01, four),
        ("no harm, a cap of 12, bursty, ramped 1, 5, 10 %", 0.01, Capped { stages: RAMP, ..twelve }),
        ("harm of δ = 2 %", 0.02, harmful),
        ("harm of δ = 2 %, a cap of 12 in flight, bursty", 0.02, Capped { harm: 0.02, ..twelve }),
        ("harm of δ = 2 %, a cap of 12, bursty, ramped", 0.02, Capped { harm: 0.02, stages: RAMP, ..twelve }),
        ("harm of δ = 2 %, known after 10 s", 0.02, Capped { lag: 10.0, ..harmful }),
        ("harm of δ = 20 %, known after 10 s", 0.2, late),
        ("harm of δ = 20 %, known after 10 s, stopped when resilient", 0.2, Capped { stops: true, ..late }),
    ];
    let sticky = [
        ("sticky, no harm, keys alike", 0.02, keys),
        ("sticky, no harm, few keys have most of the traffic", 0.02, few),
        ("sticky, no harm, ramped 1, 5, 10 %", 0.02, Keyed { stages: RAMP, ..few }),
        ("sticky, harm of δ = 2 %, keys alike", 0.02, Keyed { harm: 0.02, ..keys }),
        ("sticky, harm of δ = 2 %, few keys have most of the traffic", 0.02, Keyed { harm: 0.02, ..few }),
    ];
    let requests = requests.into_iter().map(|(name, tolerated, capped)| {
        let seen = simulation.each(|seed| capped::run(&capped, tolerated, seed));
        cell(name, &seen)
    });
    let sticky = sticky.into_iter().map(|(name, tolerated, keyed)| {
        let seen = simulation.each(|seed| keyed::run(&keyed, tolerated, seed));
        cell(name, &seen)
    });
    let held = "no harm, held for 2 s, a process is silent for 6 s now and then";
    let held = cell(held, &simulation.each(|seed| silent::run(plain.base, 0.01, seed)));
    requests.chain([held]).chain(sticky).collect()
}

fn cell(name: &str, seen: &[Seen]) -> Cell {
    let mut cell = Cell::new("served", name, seen.len());
    cell.share("aborted", seen, |one| one.aborted);
    cell.share("upper missed", seen, |one| one.missed);
    cell.share("upper missed in the end", seen, |one| one.missed_in_the_end);
    cell.share("resilient", seen, |one| one.resilient);
    cell.share("resilient in the end", seen, |one| one.resilient_in_the_end);
    cell.shares.insert("struck of treated", seen.iter().map(|one| one.struck).sum::<f64>() / seen.len() as f64);
    cell
}

/// Shadow runs whose instrumentation is broken, and one in which it is not.
pub(crate) fn shadow(simulation: &Simulation) -> Vec<Cell> {
    let whole = Broken { treated: 1.0, control: 1.0, bad: 1.0 };
    let kinds = [
        ("nothing, 5 % treated", 5_000, whole),
        ("half of treated is not counted, 5 % treated", 5_000, Broken { treated: 0.5, ..whole }),
        ("a fifth of treated is not counted, 5 % treated", 5_000, Broken { treated: 0.8, ..whole }),
        ("a tenth of treated is not counted, 5 % treated", 5_000, Broken { treated: 0.9, ..whole }),
        ("half of treated is not counted, 1 % treated", 1_000, Broken { treated: 0.5, ..whole }),
        ("half of control is not counted, 5 % treated", 5_000, Broken { control: 0.5, ..whole }),
        ("treated is bad ×5, 5 % treated", 5_000, Broken { bad: 5.0, ..whole }),
        ("treated is bad ×20, 5 % treated", 5_000, Broken { bad: 20.0, ..whole }),
    ];
    let cell = |(name, treated, broken): (&str, u32, Broken)| {
        let seen = simulation.each(|seed| seen_by(&broken, treated, seed));
        let mut cell = Cell::new("shadow", name, seen.len());
        for (number, (_, by)) in REQUESTS.into_iter().enumerate() {
            cell.share(by, &seen, |shown| shown[number]);
        }
        cell
    };
    kinds.into_iter().map(cell).collect()
}
