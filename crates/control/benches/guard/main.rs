//! What the guard's tick and a client's report cost, while 100 runs are active and 1,000 clients report.
//!
//! Everything goes through the public functions: runs are started as an operator starts them, after a shadow run each, and
//! clients report every two seconds what an SDK would. Time is moved by hand. Two shapes: ten services, each with ten of
//! the runs; and one service with all of them, where each client counts for each run.

mod fleet;
#[path = "../measure/mod.rs"]
mod measure;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use daybreak_control::Control;
use daybreak_model::wire::Report;
use fleet::{Fleet, Shape};
use measure::{Counted, Timed, cpu_time, live_bytes};

/// Seconds that are measured.
const SECONDS: usize = 30;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("| {} runs, {} clients | p50 | p90 | p99 | max | allocations |", fleet::RUNS, fleet::CLIENTS);
    println!("|---|---|---|---|---|---|");
    let shapes = [
        ("ten services", Shape { services: 10, percentage: "0.4%" }),
        ("one service", Shape { services: 1, percentage: "0.04%" }),
    ];
    for (name, shape) in shapes {
        measure(name, shape).await;
    }
}

async fn measure(name: &str, shape: Shape) {
    let before = live_bytes();
    let mut fleet = Fleet::new(shape).await;
    fleet.start_all().await;
    for _ in 0..10 {
        fleet.pass().await;
    }
    let held = live_bytes().saturating_sub(before);
    let (mut reports, mut ticks) = (Timed::default(), Timed::default());
    let over = Arc::new(AtomicBool::new(false));
    let probe = probe(fleet.control.clone(), fleet.duplicate(), Arc::clone(&over));
    for _ in 0..SECONDS {
        fleet.advance();
        for client in fleet.reporting() {
            fleet.serve(client);
            let (began, counted) = (cpu_time(), Counted::now());
            fleet.report(client);
            reports.note(cpu_time() - began, &counted);
        }
        let (began, counted) = (cpu_time(), Counted::now());
        fleet.control.tick().await;
        ticks.note(cpu_time() - began, &counted);
    }
    over.store(true, Ordering::Relaxed);
    let waits = probe.join().unwrap_or_default();
    let active = fleet.control.runs().iter().filter(|run| run.active).count();
    ticks.print(&format!("a tick, {name}"));
    reports.print(&format!("a report, {name}"));
    waits.print(&format!("a duplicate report meanwhile, {name}"));
    eprintln!("{name}: {active} runs are active; the clients and their counts hold {} KiB", held / 1024);
}

/// How long others wait: each report takes the clients' lock, also one that is a duplicate.
fn probe(control: Control, duplicate: Report, over: Arc<AtomicBool>) -> std::thread::JoinHandle<Timed> {
    std::thread::spawn(move || {
        let mut waits = Timed::default();
        while !over.load(Ordering::Relaxed) {
            let (began, counted) = (Instant::now(), Counted::now());
            drop(control.report(&duplicate));
            waits.note(began.elapsed(), &counted);
            std::thread::sleep(Duration::from_micros(200));
        }
        waits
    })
}
