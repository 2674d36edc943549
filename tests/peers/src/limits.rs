//! Bare limits: what no evaluator and no fault point can do without.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use arc_swap::ArcSwap;
use rustc_hash::FxHashMap;
use xxhash_rust::xxh3::xxh3_64;

use crate::peer::{Contestant, Make};
use crate::workload::Workload;

/// The one who the others are compared to.
pub(crate) const BASE: &str = "one relaxed load";

pub(crate) const CONTESTANTS: [Contestant<()>; 3] = [
    Contestant { name: BASE, package: "daybreak-peers", how: "Of the standard library.", make: load },
    Contestant {
        name: "load of an `ArcSwap`",
        package: "arc-swap",
        how: "What a snapshot costs that may be replaced.",
        make: arc_swap,
    },
    Contestant {
        name: "look-up by key, xxh3, comparison",
        package: "xxhash-rust",
        how: "The floor of W3: a map of 10,000 keys by FxHash, the hash of \"flag.user\", and whether it is below a quarter.",
        make: split,
    },
];

fn load((): ()) -> Result<Option<Make>> {
    let value = Arc::new(AtomicU64::new(1));
    Ok(Some(Box::new(move || {
        let value = Arc::clone(&value);
        Ok(Box::new(move |times: u64| {
            for _ in 0..times {
                black_box(black_box(&*value).load(Ordering::Relaxed));
            }
        }))
    })))
}

fn arc_swap((): ()) -> Result<Option<Make>> {
    let value = Arc::new(ArcSwap::from_pointee(1_u64));
    Ok(Some(Box::new(move || {
        let value = Arc::clone(&value);
        Ok(Box::new(move |times: u64| {
            for _ in 0..times {
                black_box(**black_box(&*value).load());
            }
        }))
    })))
}

fn split((): ()) -> Result<Option<Make>> {
    let flags: FxHashMap<String, u64> = Workload::Many.keys().into_iter().map(|key| (key, u64::MAX / 4)).collect();
    let flags = Arc::new(flags);
    Ok(Some(Box::new(move || {
        let flags = Arc::clone(&flags);
        Ok(Box::new(move |times: u64| {
            for _ in 0..times {
                let quarter = flags.get(black_box("flag-7"));
                let bucket = xxh3_64(black_box("flag-7.user-7").as_bytes());
                black_box(quarter.is_some_and(|quarter| bucket < *quarter));
            }
        }))
    })))
}
