//! What was used lately, by key: prefixes that are warm, sessions that go on; the longest unused going first where there are too
//! many.
//!
//! Invariant: there are never more than were allowed; who was dropped is counted, since hits are missed from then on.

use rustc_hash::FxHashMap;

use crate::units::Instant;

/// No neighbour.
const NONE: u32 = u32::MAX;

/// What is known of a prefix.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// When it was last read or written.
    pub at: Instant,
    /// Its tokens, where it is a whole prompt; nothing for a block.
    pub tokens: u32,
    /// Those of them that were written and not yet read again.
    pub unread: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot<T> {
    key: u64,
    held: T,
    /// The neighbours: used before it, and after it.
    older: u32,
    newer: u32,
}

/// Warm prefixes by key.
pub type Warm = Recent<Held>;

/// What was used lately, by key.
#[derive(Clone, Debug)]
pub struct Recent<T> {
    places: FxHashMap<u64, u32>,
    slots: Vec<Slot<T>>,
    oldest: u32,
    newest: u32,
    most: usize,
    dropped: u64,
}

impl Warm {
    /// As many as 64 MB hold at 32 bytes a slot and 17 a place, tables half empty included: 100,000 prefixes of eight blocks.
    pub const MOST: usize = 800_000;
}

impl<T: Copy> Recent<T> {
    /// Holds at most so many.
    pub fn new(most: usize) -> Self {
        let most = most.clamp(1, NONE as usize - 1);
        Self { places: FxHashMap::default(), slots: Vec::new(), oldest: NONE, newest: NONE, most, dropped: 0 }
    }

    /// Counts those that were dropped to make room.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Counts those that are there.
    pub fn count(&self) -> usize {
        self.slots.len()
    }

    /// Lists what is there, in no order that means anything.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().map(|slot| &slot.held)
    }

    /// Returns the bytes that it takes at most, tables half empty included.
    pub const fn bytes(most: usize) -> usize {
        most.next_power_of_two() * size_of::<Slot<T>>()
            + (most * 8 / 7).next_power_of_two() * (size_of::<(u64, u32)>() + 1)
    }

    /// Lists what is there with its key, what was used longest ago first.
    pub fn oldest_first(&self) -> impl Iterator<Item = (u64, T)> {
        let slot = |place: u32| self.slots.get(place as usize);
        let first = slot(self.oldest);
        std::iter::successors(first, move |one| slot(one.newer)).map(|one| (one.key, one.held))
    }

    /// Returns what is known under a key.
    pub fn get(&self, key: u64) -> Option<T> {
        let place = *self.places.get(&key)?;
        self.slots.get(place as usize).map(|slot| slot.held)
    }

    /// Keeps it as what was used last.
    pub fn put(&mut self, key: u64, held: T) {
        if let Some(&place) = self.places.get(&key) {
            self.unlink(place);
            self.link(place, key, held);
        } else if self.slots.len() < self.most {
            let Ok(place) = u32::try_from(self.slots.len()) else { return };
            self.slots.push(Slot { key, held, older: NONE, newer: NONE });
            self.places.insert(key, place);
            self.link(place, key, held);
        } else {
            let place = self.oldest;
            if let Some(slot) = self.slots.get(place as usize) {
                self.places.remove(&slot.key);
            }
            self.dropped += 1;
            self.unlink(place);
            self.places.insert(key, place);
            self.link(place, key, held);
        }
    }

    fn slot(&mut self, place: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(place as usize)
    }

    fn unlink(&mut self, place: u32) {
        let Some(&Slot { older, newer, .. }) = self.slots.get(place as usize) else { return };
        match self.slot(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
        match self.slot(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
    }

    fn link(&mut self, place: u32, key: u64, held: T) {
        let older = self.newest;
        if let Some(slot) = self.slot(place) {
            *slot = Slot { key, held, older, newer: NONE };
        }
        match self.slot(older) {
            Some(slot) => slot.newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Held {
        Held { at: Instant::from_secs(seconds), ..Held::default() }
    }

    #[test]
    fn who_was_longest_unused_goes_first_and_is_counted() {
        let mut warm = Warm::new(3);
        for key in 1..=3 {
            warm.put(key, at(0));
        }
        warm.put(1, at(5));
        warm.put(4, at(6));
        assert_eq!((warm.count(), warm.dropped()), (3, 1));
        assert_eq!(warm.get(2), None);
        assert_eq!(warm.get(1), Some(at(5)));
        for key in 5..500 {
            warm.put(key % 7, at(7));
            assert!(warm.count() <= 3);
            assert_eq!(warm.get(key % 7), Some(at(7)));
        }
    }

    #[test]
    fn a_hundred_thousand_prefixes_of_eight_blocks_take_at_most_64_mb() {
        // A table of so many places has 2^20 of them; a list that grows has the old and the new one for a moment.
        let bytes = Warm::bytes(Warm::MOST);
        assert!(bytes <= 64_000_000, "{bytes} bytes");
    }
}
