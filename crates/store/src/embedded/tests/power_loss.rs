//! The power goes: of what was written since the last sync, any part may have reached the disk, in any order, torn.

use std::fs;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

use super::super::disk::Step;
use super::super::folder::FILE;
use super::*;

/// What a disk writes whole, in bytes.
const SECTOR: usize = 512;
/// Changes that are made.
const CHANGES: u64 = 40;
/// How often the power goes.
const LOSSES: u64 = 120;

/// A change that a half of would be seen: two entries that agree, and an event.
fn pair(n: u64) -> Change {
    // Some are long, so that the file grows and pages are freed.
    let padding = "x".repeat(usize::try_from(n * 7_919 % 9_000).unwrap());
    let entries = [("a", json!(n)), ("b", json!(n)), ("padding", json!(padding))];
    let meta = entries.into_iter().map(|(name, value)| (name.to_owned(), Some(value.into()))).collect();
    Change { meta, events: vec![event("e", "a", i64::try_from(n).unwrap())], ..Change::default() }
}

/// What a store did to its file while it made the changes.
struct Journal {
    /// The file before.
    base: Vec<u8>,
    steps: Vec<Step>,
    /// Each revision, and how many steps had been taken when it was acknowledged.
    acknowledged: Vec<(u64, usize)>,
}

impl Journal {
    async fn of_changes() -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path());
        let base = fs::read(folder.path().join(FILE)).unwrap();
        let steps = || store.shared.disk().journal.lock().len();
        store.shared.disk().journal.lock().clear();
        let mut acknowledged = vec![(0, 0)];
        let mut n = 0;
        while n < CHANGES {
            // One alone, or several that share a transaction.
            let held = (n % 3 == 0).then(|| hold(&store));
            let together: Vec<_> = (0..1 + n % 4)
                .map(|_| {
                    n += 1;
                    store.commit(Expected::Any, pair(n))
                })
                .collect();
            drop(held);
            for commit in together {
                let revision = commit.await.unwrap().revision;
                acknowledged.push((revision, steps()));
            }
        }
        let steps = store.shared.disk().journal.lock().clone();
        Self { base, steps, acknowledged }
    }

    /// The file when the power went after so many steps.
    fn file_after(&self, taken: usize, random: &mut ChaCha8Rng) -> Vec<u8> {
        let taken = &self.steps[..taken];
        let synced = taken.iter().rposition(|step| matches!(step, Step::Sync)).unwrap_or(0);
        let mut file = self.base.clone();
        taken[..synced].iter().for_each(|step| apply(&mut file, step, || true));
        // Each step reaches the disk, or does not, or in parts.
        let share = [0.0, 0.1, 0.5, 0.9, 1.0][random.random_range(0..5)];
        let tearing = [0.0, 0.2][random.random_range(0..2)];
        let mut later: Vec<&Step> = taken[synced..].iter().collect();
        if random.random_bool(0.5) {
            // In any order.
            (1..later.len()).rev().for_each(|place| later.swap(place, random.random_range(0..=place)));
        }
        for step in later {
            let torn = random.random_bool(tearing);
            let whole = random.random_bool(share);
            apply(&mut file, step, || if torn { random.random_bool(0.5) } else { whole });
        }
        file
    }

    /// When the power goes: at any step, or right before a sync, when everything was written.
    fn moment(&self, random: &mut ChaCha8Rng) -> usize {
        let syncs =
            self.steps.iter().enumerate().filter(|(_, step)| matches!(step, Step::Sync)).map(|(place, _)| place);
        let syncs: Vec<usize> = syncs.collect();
        match random.random_bool(0.5) {
            true => syncs[random.random_range(0..syncs.len())],
            false => random.random_range(0..=self.steps.len()),
        }
    }

    /// The last revision that was acknowledged by then.
    fn acknowledged_by(&self, taken: usize) -> u64 {
        let by_then = self.acknowledged.iter().filter(|(_, steps)| *steps <= taken);
        by_then.map(|(revision, _)| *revision).max().unwrap_or(0)
    }
}

/// Does a step to a file, as far as its sectors reach the disk.
fn apply(file: &mut Vec<u8>, step: &Step, mut reaches: impl FnMut() -> bool) {
    match step {
        Step::Sync => {}
        Step::Length(length) => {
            if reaches() {
                file.resize(usize::try_from(*length).unwrap(), 0);
            }
        }
        Step::Write(offset, bytes) => {
            let offset = usize::try_from(*offset).unwrap();
            for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                if reaches() {
                    let start = offset + number * SECTOR;
                    let end = start + sector.len();
                    if file.len() < end {
                        file.resize(end, 0);
                    }
                    file[start..end].copy_from_slice(sector);
                }
            }
        }
    }
}

#[tokio::test]
async fn invariant_8_what_was_acknowledged_outlives_a_loss_of_power() {
    let journal = Journal::of_changes().await;
    let folder = TempDir::new().unwrap();
    let (mut kept, mut lost) = (0, 0);
    for seed in 0..LOSSES {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let taken = journal.moment(&mut random);
        fs::write(folder.path().join(FILE), journal.file_after(taken, &mut random)).unwrap();
        let store = EmbeddedStore::open(options(folder.path()));
        let store = store.unwrap_or_else(|error| panic!("seed {seed}, after {taken} steps: {error}"));
        let contents = store.load().await.unwrap();
        let (revision, acknowledged) = (contents.position.revision, journal.acknowledged_by(taken));
        assert!(revision >= acknowledged, "seed {seed}: {acknowledged} was acknowledged, {revision} is there");
        if revision > 0 {
            let [a, b] = ["a", "b"].map(|name| &contents.meta[name].document);
            let whole = json!(revision).into();
            assert_eq!((a, b), (&whole, &whole), "seed {seed}: half a change is there");
        }
        let events = store.events(EventFilter::default(), 1_000).await.unwrap().events;
        let revisions: Vec<u64> = events.iter().rev().filter_map(|event| event.revision).collect();
        assert_eq!(revisions, (1..=revision).collect::<Vec<_>>(), "seed {seed}");
        // It goes on.
        assert_eq!(
            store.commit(Expected::Revision(revision), pair(revision + 1)).await.unwrap().revision,
            revision + 1
        );
        kept += u64::from(revision > acknowledged);
        lost += u64::from(revision == acknowledged);
    }
    println!("{kept} times a change was there that nobody had been told of, {lost} times none");
    assert!(kept > 0 && lost > 0, "the power never went in the middle of a change");
}
