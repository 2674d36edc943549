//! Handles on flags: no look-up by name, and for most flags a single load.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use daybreak_engine::{FlagIndex, ValueRef};
use daybreak_model::Context;
use smol_str::SmolStr;

use crate::Client;
use crate::served::Served;

/// The types that flags have: `bool`, `f64`, `i64` and [`SmolStr`].
pub trait FlagType: Sized {
    /// Reads a value of this type; `None` where it is of another.
    fn read(value: ValueRef<'_>) -> Option<Self>;

    /// The value of a bit, of the type that fits into one.
    fn from_bit(_: bool) -> Option<Self> {
        None
    }
}

impl FlagType for bool {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Boolean(boolean) => Some(boolean),
            _ => None,
        }
    }

    fn from_bit(bit: bool) -> Option<Self> {
        Some(bit)
    }
}

impl FlagType for f64 {
    #[expect(clippy::cast_precision_loss, reason = "flags hold no integer beyond ±2⁵³")]
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Integer(integer) => Some(integer as Self),
            ValueRef::Float(float) => Some(float),
            _ => None,
        }
    }
}

impl FlagType for i64 {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Integer(integer) => Some(integer),
            _ => None,
        }
    }
}

/// Longer texts are shared by all who were given them, in bytes.
const COPIED_MAX: usize = 1_000;

impl FlagType for SmolStr {
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            // What is shared is counted where all threads write, so only what takes longer to copy is.
            ValueRef::String(text) if text.is_heap_allocated() && text.len() <= COPIED_MAX => Some(Self::new(text)),
            ValueRef::String(text) => Some(text.clone()),
            _ => None,
        }
    }
}

/// A handle on one flag.
///
/// It remembers where the flag is, and its answer where that cannot depend on the context: packed into one
/// word with the generation of what is served, so that a stale word is never taken for an answer.
#[derive(Debug)]
pub struct Flag<T> {
    client: Client,
    key: Box<str>,
    slot: AtomicU64,
    value: PhantomData<fn() -> T>,
}

/// The slot's lower half: what is known in this generation (the upper half).
const RESOLVED: u64 = 1;
const FIXED: u64 = 1 << 1;
const VALUE: u64 = 1 << 2;
/// Somebody may want to hear of each evaluation.
const HEARD: u64 = 1 << 3;
const SHIFT: u32 = 8;
/// Counters and indexes beyond 24 bits are not packed.
const PACKED_MAX: u64 = (1 << 24) - 1;

impl<T: FlagType> Flag<T> {
    pub(crate) fn new(client: Client, key: &str) -> Self {
        Self { client, key: key.into(), slot: AtomicU64::new(0), value: PhantomData }
    }

    /// The flag's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The flag's value for a context; the default where there is none.
    #[inline]
    #[must_use]
    pub fn get(&self, context: &Context, default: T) -> T {
        let core = self.client.core();
        let generation = core.served.generation();
        let slot = self.slot.load(Ordering::Relaxed);
        if slot >> 32 == u64::from(generation) && slot & FIXED != 0 && (slot & HEARD == 0 || !core.is_heard()) {
            #[expect(clippy::cast_possible_truncation, reason = "24 bits")]
            core.usage.count((slot as u32) >> SHIFT);
            return T::from_bit(slot & VALUE != 0).unwrap_or(default);
        }
        self.look_up(slot, context).unwrap_or(default)
    }

    /// Kept out of [`Flag::get`], which is then small enough to stand in its callers.
    #[inline(never)]
    fn look_up(&self, slot: u64, context: &Context) -> Option<T> {
        self.client.core().served.with(|served| self.look_up_in(served, slot, context))
    }

    #[inline]
    fn look_up_in(&self, served: &Served, slot: u64, context: &Context) -> Option<T> {
        let core = self.client.core();
        let generation = served.generation << 32;
        let known = slot & !u64::from(u32::MAX) == generation && slot & RESOLVED != 0;
        let index = if known {
            FlagIndex::at(u32::try_from((slot & u64::from(u32::MAX)) >> SHIFT).ok()?)
        } else {
            let Some(index) = served.snapshot.index(&self.key) else {
                core.asked_in_vain(served, &self.key);
                return None;
            };
            let packed = generation | self.pack(served, index);
            // Where each evaluation is heard of, threads come by here each time, and share no write.
            if packed != slot {
                self.slot.store(packed, Ordering::Relaxed);
            }
            index
        };
        core.read(served, &self.key, &served.snapshot.evaluate_at(index, context))
    }

    fn pack(&self, served: &Served, index: FlagIndex) -> u64 {
        let fixed = || {
            let (bit, counter) = served.fixed(index)?;
            T::from_bit(bit)?;
            let counter = u64::from(counter);
            (counter <= PACKED_MAX).then_some(FIXED | if bit { VALUE } else { 0 } | counter << SHIFT)
        };
        let resolved = || {
            let index = index.position() as u64;
            if index <= PACKED_MAX { RESOLVED | index << SHIFT } else { 0 }
        };
        let heard = if self.client.core().heard { HEARD } else { 0 };
        fixed().map_or_else(resolved, |fixed| fixed | heard)
    }
}

impl<T> Clone for Flag<T> {
    fn clone(&self) -> Self {
        let slot = AtomicU64::new(self.slot.load(Ordering::Relaxed));
        Self { client: self.client.clone(), key: self.key.clone(), slot, value: PhantomData }
    }
}
