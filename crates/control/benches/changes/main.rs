//! What a change costs, by the number of flags: a flag is turned on and off, on a store in memory.

#[path = "../measure/mod.rs"]
mod measure;

use std::fmt::Write as _;
use std::sync::Arc;

use daybreak_control::clock::SystemClock;
use daybreak_control::{Actor, ApplyOptions, Control, Options, Precondition};
use daybreak_document::Source;
use daybreak_model::Kind;
use daybreak_model::wire::StoreId;
use daybreak_store::{MemoryOptions, MemoryStore};
use measure::{Counted, Timed, cpu_time, live_bytes};

const CHANGES: usize = 400;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("| one change | p50 | p90 | p99 | max | allocations |");
    println!("|---|---|---|---|---|---|");
    for flags in [37, 209, 1_000, 10_000] {
        measure(flags).await;
    }
}

async fn measure(flags: usize) {
    let store = MemoryStore::open(MemoryOptions::new(StoreId::new(1))).unwrap_or_else(|error| panic!("{error}"));
    let (options, clock) = (Options::new("bench"), Arc::new(SystemClock));
    let control =
        Control::open(options, Arc::new(store), clock, [7; 32]).await.unwrap_or_else(|error| panic!("{error}"));
    let sources = vec![Source::new("bench.yaml", document(flags))];
    control.apply(sources, ApplyOptions::default(), Actor::default()).await.unwrap_or_else(|error| panic!("{error}"));
    let (mut changes, before) = (Timed::default(), live_bytes());
    for number in 0..CHANGES {
        let key = format!("flag-{}", number / 2 * 7 % flags);
        let (began, counted) = (cpu_time(), Counted::now());
        let changed = match number % 2 {
            0 => control.disable(Kind::Flag, &key, Precondition::None, Actor::default()).await,
            _ => control.enable(Kind::Flag, &key, Precondition::None, Actor::default()).await,
        };
        changes.note(cpu_time() - began, &counted);
        assert!(changed.is_ok_and(|changed| changed.changed), "{key}");
    }
    changes.print(&format!("among {flags} flags"));
    eprintln!("{flags} flags: {} bytes are kept of each change", live_bytes().saturating_sub(before) / CHANGES);
}

/// Flags with two rules each.
fn document(flags: usize) -> String {
    let mut text = String::from("segments: { eu: { when: { country: { in: [DE, FR, NO] } } } }\nflags:\n");
    for number in 0..flags {
        let _ = writeln!(
            text,
            "  flag-{number}: {{ description: One of many, owner: shop, default: off, rules: [ \
             {{ name: eu, when: {{ segment: eu, plan: pro }}, percentage: 25%, serve: on }}, \
             {{ name: staff, when: {{ email: {{ ends_with: \"@shop.example\" }} }}, serve: on }} ] }}"
        );
    }
    text
}
