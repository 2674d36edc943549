//! How often each variant was served: counted per thread without a shared write, summed when reported.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use daybreak_engine::Snapshot;
use daybreak_model::Key;
use daybreak_model::wire::Evaluations;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// Counters come in chunks, so that a thread pays only for the flags that it asks for.
const CHUNK: usize = CHUNK_U32 as usize;
const CHUNK_U32: u32 = 512;
/// Chunks of one client: 131,072 counters. Flags beyond that are served, and not counted.
const CHUNKS: usize = 256;

/// Changes of variants whose earlier counts are kept.
const REPLACED_MAX: usize = 1_000;

/// The counters of one client.
#[derive(Debug, Default)]
pub(crate) struct Usage {
    names: Mutex<Names>,
    threads: Mutex<Threads>,
}

/// Which counter is whose. A counter belongs to one flag and variant for the client's life.
#[derive(Debug, Default)]
struct Names {
    /// By flag: its first counter, which counts errors, and the variants of those after it.
    flags: FxHashMap<Key, (u32, Vec<Key>)>,
    next: u32,
    /// Counters of flags whose variants changed since: their counts still count.
    replaced: Vec<(Key, u32, Vec<Key>)>,
}

#[derive(Debug, Default)]
struct Threads {
    living: Vec<Arc<Table>>,
    /// What threads that ended had counted.
    retired: FxHashMap<u32, u64>,
}

/// The counters of one thread: only that thread writes, so that adding is a plain load and store.
#[derive(Debug)]
struct Table {
    chunks: [OnceLock<Box<[AtomicU64; CHUNK]>>; CHUNKS],
}

/// A thread's table for one client; folded into the client's when the thread ends.
struct Mine {
    client: Weak<Usage>,
    table: Arc<Table>,
}

thread_local! {
    static MINE: RefCell<Vec<Mine>> = const { RefCell::new(Vec::new()) };
}

impl Usage {
    /// The first counter of each flag of a snapshot, by the flag's index.
    pub(crate) fn counters(&self, snapshot: &Snapshot) -> Vec<u32> {
        let mut names = self.names.lock();
        snapshot.flags().map(|flag| names.of(flag.key, flag.variants.iter().map(|(name, _)| name))).collect()
    }

    /// Counts one evaluation.
    #[inline]
    pub(crate) fn count(self: &Arc<Self>, counter: u32) {
        // A thread that is ending, or a hook that evaluates while we count, goes uncounted.
        let _ = MINE.try_with(|mine| {
            if let Ok(mut mine) = mine.try_borrow_mut() {
                self.mine(&mut mine).add(counter, 1);
            }
        });
    }

    fn mine<'m>(self: &Arc<Self>, mine: &'m mut Vec<Mine>) -> &'m Table {
        let own = |mine: &Mine| std::ptr::eq(mine.client.as_ptr(), Arc::as_ptr(self));
        let at = match mine.iter().position(own) {
            Some(at) => at,
            None => {
                mine.retain(|mine| mine.client.strong_count() > 0);
                let table = Arc::new(Table { chunks: [const { OnceLock::new() }; CHUNKS] });
                self.threads.lock().living.push(Arc::clone(&table));
                mine.push(Mine { client: Arc::downgrade(self), table });
                mine.len() - 1
            }
        };
        &mine[at].table
    }

    /// The sums over all threads since the client began.
    pub(crate) fn sums(&self) -> BTreeMap<Key, Evaluations> {
        let threads = self.threads.lock();
        let sum = |counter: u32| {
            let living: u64 = threads.living.iter().map(|table| table.get(counter)).sum();
            living + threads.retired.get(&counter).copied().unwrap_or(0)
        };
        let names = self.names.lock();
        let current = names.flags.iter().map(|(key, (first, variants))| (key, *first, variants));
        let replaced = names.replaced.iter().map(|(key, first, variants)| (key, *first, variants));
        let mut sums: BTreeMap<Key, Evaluations> = BTreeMap::new();
        for (key, first, variants) in current.chain(replaced) {
            let counted = (first + 1..).zip(variants).map(|(counter, name)| (name, sum(counter)));
            let counted: Vec<_> = counted.filter(|(_, count)| *count > 0).collect();
            let errors = sum(first);
            if errors == 0 && counted.is_empty() {
                continue;
            }
            let evaluations = sums.entry(key.clone()).or_default();
            evaluations.errors += errors;
            for (name, count) in counted {
                *evaluations.variants.entry(name.clone()).or_default() += count;
            }
        }
        sums
    }
}

impl Names {
    fn of<'k>(&mut self, key: &Key, variants: impl Iterator<Item = &'k Key> + Clone) -> u32 {
        if let Some((first, known)) = self.flags.get(key)
            && known.iter().eq(variants.clone())
        {
            return *first;
        }
        let variants: Vec<Key> = variants.cloned().collect();
        let first = self.next;
        self.next = self.next.saturating_add(1).saturating_add(u32::try_from(variants.len()).unwrap_or(u32::MAX));
        if let Some((before, known)) = self.flags.insert(key.clone(), (first, variants)) {
            if self.replaced.len() >= REPLACED_MAX {
                self.replaced.remove(0);
            }
            self.replaced.push((key.clone(), before, known));
        }
        first
    }
}

impl Table {
    #[inline]
    fn add(&self, counter: u32, count: u64) {
        let Some(chunk) = self.chunks.get(counter as usize / CHUNK) else { return };
        let chunk = chunk.get_or_init(|| Box::new([const { AtomicU64::new(0) }; CHUNK]));
        let counter = &chunk[counter as usize % CHUNK];
        counter.store(counter.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    fn get(&self, counter: u32) -> u64 {
        let chunk = self.chunks.get(counter as usize / CHUNK).and_then(OnceLock::get);
        chunk.map_or(0, |chunk| chunk[counter as usize % CHUNK].load(Ordering::Relaxed))
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        let Some(client) = self.client.upgrade() else { return };
        let mut threads = client.threads.lock();
        threads.living.retain(|table| !Arc::ptr_eq(table, &self.table));
        for (number, chunk) in (0_u32..).zip(&self.table.chunks) {
            let Some(chunk) = chunk.get() else { continue };
            for (offset, counter) in (0_u32..).zip(chunk.iter()) {
                let count = counter.load(Ordering::Relaxed);
                if count > 0 {
                    *threads.retired.entry(number * CHUNK_U32 + offset).or_default() += count;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_threads_that_ended_are_kept() {
        let usage = Arc::new(Usage::default());
        let key = Key::new("flag").unwrap();
        let on = Key::new("on").unwrap();
        let first = usage.names.lock().of(&key, std::iter::once(&on));
        usage.count(first + 1);
        let other = Arc::clone(&usage);
        std::thread::spawn(move || (0..10).for_each(|_| other.count(first + 1))).join().unwrap();
        usage.count(first);
        let sums = usage.sums();
        assert_eq!((sums[&key].variants[&on], sums[&key].errors), (11, 1));
        assert_eq!(usage.threads.lock().living.len(), 1, "a thread that ended leaves nothing behind");
    }
}
