//! The measuring: all who do the same work take turns, round by round, so that what else the machine does falls on each.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::time::{ClockId, clock_gettime};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::allocations;
use crate::peer::{Make, Work};

/// What a round of one contestant should take.
pub(crate) const ROUND: Duration = Duration::from_millis(50);
/// Enough to tell how long a repetition takes.
const TRIAL: Duration = Duration::from_millis(10);

/// Nanoseconds of one repetition in each round, in the rounds' order.
pub(crate) type Rounds = Vec<f64>;

/// What was measured of one contestant on one thread.
#[derive(Clone, Debug)]
pub(crate) struct Alone {
    /// By what the thread itself worked.
    pub(crate) nanos: Rounds,
    pub(crate) allocations: f64,
}

/// What was measured of one contestant on one thread and on two: by the wall, since who waits for the other does not work.
#[derive(Clone, Debug)]
pub(crate) struct Threads {
    pub(crate) one: Rounds,
    pub(crate) two: Rounds,
}

/// Measures all on one thread.
pub(crate) fn alone(makes: &[&Make], rounds: usize) -> Result<Vec<Alone>> {
    let mut works = makes.iter().map(|make| make()).collect::<Result<Vec<_>>>()?;
    let times: Vec<u64> = works.iter_mut().map(times).collect();
    let mut measured = Vec::new();
    for (work, times) in works.iter_mut().zip(&times) {
        let counted = (*times).min(1_000);
        let allocated = allocations::of(|| work(counted));
        measured.push(Alone { nanos: Vec::new(), allocations: allocated as f64 / counted as f64 });
    }
    for round in 0..rounds {
        for at in turns(works.len(), round) {
            works[at](warm_up(times[at]));
            let began = of_this_thread();
            works[at](times[at]);
            let took = of_this_thread().saturating_sub(began);
            measured[at].nanos.push(nanos(took, times[at]));
        }
    }
    Ok(measured)
}

/// Measures all on one thread and on two.
pub(crate) fn threads(makes: &[&Make], rounds: usize) -> Result<Vec<Threads>> {
    let times = makes.iter().map(|make| Ok(times(&mut make()?))).collect::<Result<Vec<u64>>>()?;
    let mut measured = vec![Threads { one: Vec::new(), two: Vec::new() }; makes.len()];
    for round in 0..rounds {
        for at in turns(makes.len(), round) {
            measured[at].one.push(nanos(together(1, makes[at], times[at])?, times[at]));
            measured[at].two.push(nanos(together(2, makes[at], times[at])?, times[at]));
        }
    }
    Ok(measured)
}

/// Whose turn it is: drawn anew for each round, so that nobody comes always after the same one.
fn turns(count: usize, round: usize) -> Vec<usize> {
    let mut turns: Vec<usize> = (0..count).collect();
    turns.sort_unstable_by_key(|at| xxh3_64_with_seed(&at.to_le_bytes(), round as u64));
    turns
}

/// How many repetitions come before those that are timed: what the one before left in the caches is no part of the work.
fn warm_up(times: u64) -> u64 {
    (times / 20).max(1)
}

/// How many repetitions take a round.
fn times(work: &mut Work) -> u64 {
    let mut times = 1;
    loop {
        let began = Instant::now();
        work(times);
        let took = began.elapsed();
        if took >= TRIAL {
            let in_a_round = times as f64 * ROUND.as_secs_f64() / took.as_secs_f64();
            return (in_a_round as u64).max(1);
        }
        times *= 2;
    }
}

/// The longest that one of several threads takes, which all begin together.
fn together(threads: usize, make: &Make, times: u64) -> Result<Duration> {
    let start = Barrier::new(threads);
    let timed = || -> Result<Duration> {
        let work = make();
        // What a thread does for the first time is no part of the work. Who fails lets the other go on.
        let mut work = work.inspect_err(|_| drop(start.wait()))?;
        work(warm_up(times));
        start.wait();
        let began = Instant::now();
        work(times);
        Ok(began.elapsed())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(timed)).collect();
        let mut longest = Duration::ZERO;
        for worker in workers {
            let Ok(took) = worker.join() else { bail!("a thread panicked") };
            longest = longest.max(took?);
        }
        Ok(longest)
    })
}

fn nanos(took: Duration, times: u64) -> f64 {
    took.as_nanos() as f64 / times as f64
}

/// What this thread has worked so far.
fn of_this_thread() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
