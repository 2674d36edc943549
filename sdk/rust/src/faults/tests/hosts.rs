//! Injected waits in whatever the host runs its futures on: the SDK's own timer keeps them.

use std::time::{Duration, Instant};

use daybreak_model::{Effect, Millis};

use super::super::fixtures::{block_on, error, grant_all, latency, report, spec};
use super::*;

/// Faults by the machine's own clock and timer, with a run of this latency, then an error.
fn faults_with_latency(length: Millis) -> Faults {
    let faults = Faults::new(Settings::default());
    grant_all(&faults, [(1, spec(POINT, Effect { error: error(500).error, ..latency(length) }))]);
    faults
}

type Host = (&'static str, fn(&Faults) -> bool);

const HOSTS: [Host; 3] = [
    ("no runtime", |faults| block_on(is_struck(faults))),
    ("Tokio without timers", |faults| {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(is_struck(faults))
    }),
    ("Tokio", |faults| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.enable_all().worker_threads(1).build().unwrap().block_on(is_struck(faults))
    }),
];

#[test]
fn invariant_6_waits_need_no_runtime_of_the_hosts() {
    for (host, is_struck) in HOSTS {
        let faults = faults_with_latency(Millis::new(20));
        let begin = Instant::now();
        assert!(is_struck(&faults), "{host}");
        assert!(begin.elapsed() >= Duration::from_millis(20), "{host}");
    }
}

#[test]
fn invariant_3_a_stop_wakes_waits_in_any_host() {
    for (host, is_struck) in HOSTS {
        let faults = faults_with_latency(Millis::from_secs(30));
        let waiting = faults.clone();
        let thread = std::thread::spawn(move || is_struck(&waiting));
        while report(&faults).faults.in_flight == 0 {
            std::thread::yield_now();
        }
        faults.halt();
        // Not a test of how soon: it would take longer than any test may, if it were not woken.
        assert!(!thread.join().unwrap(), "{host}");
    }
}
