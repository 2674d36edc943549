//! Room in bytes, of which many take a part for as long as they need it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for so many bytes. A clone is the same room.
#[derive(Clone, Debug)]
pub(crate) struct Room(Arc<Bytes>);

#[derive(Debug)]
struct Bytes {
    most: usize,
    taken: AtomicUsize,
}

/// Bytes that take room until this is dropped. Of none, where nobody counts.
#[derive(Debug, Default)]
pub struct Taken {
    room: Option<Room>,
    bytes: usize,
}

/// There is no room for more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full {
    /// Bytes that there is room for in all.
    pub(crate) most: usize,
}

impl Room {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(Bytes { most, taken: AtomicUsize::new(0) }))
    }

    /// A part of it, of no bytes yet.
    pub(crate) fn part(&self) -> Taken {
        Taken { room: Some(self.clone()), bytes: 0 }
    }

    /// A part of so many bytes. What is longer than the room takes all of it.
    pub(crate) fn take(&self, bytes: usize) -> Result<Taken, Full> {
        let mut taken = self.part();
        taken.grow_to(bytes.min(self.0.most))?;
        Ok(taken)
    }
}

impl Taken {
    /// Takes room for so many bytes in all.
    ///
    /// # Errors
    /// Where there is none: then it has what it had.
    pub(crate) fn grow_to(&mut self, length: usize) -> Result<(), Full> {
        let (Some(Room(room)), bytes) = (&self.room, length.saturating_sub(self.bytes)) else { return Ok(()) };
        let more = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= room.most);
        let grown = room.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        grown.map_err(|_| Full { most: room.most })?;
        self.bytes += bytes;
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(Room(room)) = &self.room {
            room.taken.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Result<(), Full> = Err(Full { most: 10 });

    #[test]
    fn all_parts_together_are_bounded() {
        let room = Room::new(10);
        let (mut one, mut other) = (room.part(), room.part());
        assert_eq!((one.grow_to(6), other.grow_to(4), one.grow_to(7)), (Ok(()), Ok(()), FULL));
        drop(other);
        assert_eq!((one.grow_to(10), one.grow_to(usize::MAX)), (Ok(()), FULL));
        drop(one);
        assert_eq!(room.part().grow_to(10), Ok(()));
        assert_eq!(Taken::default().grow_to(1_000), Ok(()), "nobody counts");
    }

    #[test]
    fn what_is_longer_than_the_room_has_to_be_alone() {
        let room = Room::new(10);
        let short = room.take(1);
        assert!(short.is_ok() && room.take(11).is_err());
        drop(short);
        let long = room.take(11);
        assert!(long.is_ok() && room.take(1).is_err());
        drop(long);
        assert!(room.take(10).is_ok());
    }
}
