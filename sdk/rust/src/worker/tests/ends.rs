//! How a client ends: by a goodbye, by a panic, beside a disk that hangs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use daybreak_model::wire::{ClientState, Report};

use super::fake::{Fake, Request, eventually};
use super::{LONG, REPORTS, STREAM, change, client, core, event, f, otherwise, quick, snapshot};
use crate::Client;
use crate::worker::cache::Keeper;
use crate::worker::http::Http;
use crate::worker::life::Life;
use crate::worker::report::Reports;
use crate::worker::{Worker, supervise};

fn report(request: &Request) -> Report {
    serde_json::from_slice(&request.body).unwrap()
}

fn is_goodbye(request: &Request) -> bool {
    request.path == REPORTS && report(request).goodbye
}

/// A server that streams one snapshot, and answers reports.
fn good() -> Fake {
    Fake::start(|request, mut connection| match request.path.as_str() {
        STREAM => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "test", "on")));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    })
}

#[tokio::test]
async fn closing_waits_for_the_goodbye() {
    let fake = good();
    let client = client(&fake, quick());
    assert!(client.wait_ready(LONG).await);
    let clone = client.clone();
    assert!(client.close(LONG).await, "the server knows");
    let goodbye = fake.wait_for("the goodbye", is_goodbye);
    assert!(!report(&goodbye).faults.allowed, "nothing strikes any more");
    assert!(!clone.faults().allowed());
    clone.resume_faults();
    assert!(!clone.faults().allowed(), "nor ever again");
    assert_eq!(f(&clone), Some(true), "flags keep their last values");
    assert!(clone.close(LONG).await && clone.close_blocking(LONG), "once is enough");
    for number in 0..fake.count(REPORTS) {
        let other = fake.wait_for("a report", |request| request.path == REPORTS && request.number == number);
        assert!(report(&other).sequence <= report(&goodbye).sequence, "it is the last that was said");
    }
}

#[test]
fn closing_waits_no_longer_than_asked() {
    let fake = Fake::start(|_, connection| connection.hold());
    let client = client(&fake, quick());
    assert!(!client.close_blocking(Duration::from_millis(20)), "the server said nothing");
}

#[test]
fn the_last_client_that_is_dropped_says_goodbye() {
    let fake = good();
    let client = client(&fake, quick());
    let clone = client.clone();
    fake.wait_for("a report", |request| request.path == REPORTS);
    drop(client);
    fake.wait_for("another report", |request| request.path == REPORTS && request.number == 2);
    assert!(!clone.faults().allowed() || clone.core().faults.allowed(), "it goes on");
    let faults = clone.faults().clone();
    drop(clone);
    fake.wait_for("the goodbye", is_goodbye);
    eventually("nothing strikes where nobody reports", || !faults.allowed());
}

#[test]
fn a_panic_of_ours_stops_faults_only_for_a_while() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let core = core("http://127.0.0.1:9", None);
    let (life, stop) = Life::new();
    let runs = AtomicUsize::new(0);
    let told = supervise(&core, &runtime, &stop, Duration::from_millis(1), || {
        assert!(core.faults.allowed(), "they are permitted again");
        if runs.fetch_add(1, Ordering::SeqCst) < 2 {
            std::panic::resume_unwind(Box::new("a fault of ours"));
        }
        core.faults.halt();
        true
    });
    assert!(told && !core.faults.allowed(), "the host's own halt stays");
    core.faults.resume();
    assert!(core.faults.allowed());
    drop(life);
    let told = supervise(&core, &runtime, &stop, LONG, || std::panic::resume_unwind(Box::new("a fault of ours")));
    assert!(!told, "a client that ended meanwhile does not begin anew");
    assert!(!core.faults.allowed());
}

#[test]
fn the_numbers_of_reports_go_on_after_a_panic() {
    let fake = good();
    let core = core(&fake.url(), None);
    let (life, stop) = Life::new();
    let http = Http::new(&core.settings).unwrap();
    let worker = Worker { core: Arc::clone(&core), http, keeper: None, reports: Reports::default(), pace: quick() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let runs = AtomicUsize::new(0);
    let work = || {
        if runs.fetch_add(1, Ordering::SeqCst) > 0 {
            return runtime.block_on(worker.work(&mut stop.clone()));
        }
        // The panic comes while it works.
        runtime.block_on(async {
            let mut stop = stop.clone();
            tokio::select! {
                _ = worker.work(&mut stop) => {}
                () = async { while fake.count(REPORTS) < 2 { tokio::task::yield_now().await } } => {}
            }
        });
        std::panic::resume_unwind(Box::new("a fault of ours"));
    };
    std::thread::scope(|threads| {
        let working = threads.spawn(|| supervise(&core, &runtime, &stop, Duration::from_millis(1), work));
        fake.wait_for("reports after it", |request| request.path == REPORTS && request.number == 4);
        life.end(LONG);
        assert!(working.join().unwrap());
    });
    let mut last = 0;
    for number in 0..fake.count(REPORTS) {
        let request = fake.wait_for("a report", |request| request.path == REPORTS && request.number == number);
        let sequence = report(&request).sequence;
        assert!(sequence > last, "{sequence} after {last}");
        last = sequence;
    }
}

/// Invariant 6: a disk that hangs keeps neither flags nor reports.
#[test]
fn invariant_6_a_disk_that_hangs_costs_only_the_cache() {
    let fake = Fake::start(|request, mut connection| match request.path.as_str() {
        STREAM => {
            connection.begin_stream();
            connection.send(&event("snapshot", &snapshot(5, "test", "on")));
            (6..50).for_each(|revision| connection.send(&change(revision, "on")));
            connection.send(&change(50, "off"));
            connection.hold();
        }
        _ => otherwise(&request, &mut connection),
    });
    let core = core(&fake.url(), None);
    let http = Http::new(&core.settings).unwrap();
    let (begun, begins) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    let write = move |_: &_| {
        let _ = begun.send(());
        let _ = gone.recv();
    };
    let keeper = Some(Keeper::start(&core, write).unwrap());
    let worker = Worker { core: Arc::clone(&core), http, keeper, reports: Reports::default(), pace: quick() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::new(core, worker.spawn(runtime).unwrap());
    begins.recv().unwrap();
    eventually("flags", || f(&client) == Some(false) && client.status().state == ClientState::Streaming);
    let before = fake.count(REPORTS);
    fake.wait_for("reports go on", |request| request.path == REPORTS && request.number == before + 1);
    assert!(client.close_blocking(LONG), "nor does it keep the client from ending");
    drop(go);
}
