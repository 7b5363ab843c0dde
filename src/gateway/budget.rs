//! What requests, answers, streams and backlogs hold in memory: one budget for the whole process.
//!
//! Invariant: what is counted is given back when the last of its bytes is dropped. Whatever comes from outside asks first;
//! copies of what was let in are counted without asking.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;

use crate::wire::{ApiError, ErrorKind};

/// Bytes too few to be worth counting one by one.
const SMALL: usize = 4096;
/// What an answer under way may hold even where there is no room: a flood of bodies must not end the answers of others.
const SPARED: usize = 64 * 1024;
/// From this size on what a body is read into is estimated, at so many bytes for each object in it.
const LARGE: usize = 1024 * 1024;
const A_MEMBER: usize = 192;
/// After what time a client may come again, in milliseconds.
const AGAIN_MS: u64 = 1000;

/// How much may be held, and how much is.
#[derive(Debug)]
pub(super) struct Budget {
    most: usize,
    held: AtomicUsize,
    /// What others hold, as they last said: the backlog of the log, the queue of the ledger.
    beside: AtomicUsize,
    /// What bodies that are being read will hold, copies of them included, by what they announced.
    begun: AtomicUsize,
    refused: AtomicU64,
}

/// A body that is being read. Without it many that come at once take the room from each other as they grow, and none is let
/// in where some would have fitted.
#[derive(Debug)]
pub(super) struct Begun {
    budget: Arc<Budget>,
    bytes: usize,
}

/// A part of the budget that is in use.
#[derive(Debug)]
pub(super) struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

/// Bytes and what they hold.
struct Owned {
    bytes: Bytes,
    _held: Held,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Budget {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            held: AtomicUsize::new(0),
            beside: AtomicUsize::new(0),
            begun: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        })
    }

    /// Returns how much may be held.
    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// Counts what is held.
    pub(super) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed).saturating_add(self.beside.load(Ordering::Relaxed))
    }

    /// Counts what was refused for want of room.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Hears what is held elsewhere.
    pub(super) fn note_beside(&self, bytes: usize) {
        self.beside.store(bytes, Ordering::Relaxed);
    }

    /// Says whether there is room for so many bytes more; counts a refusal where there is none.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let has = self.held().saturating_add(bytes) <= self.most;
        if !has {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        has
    }

    /// Begins to read a body of an announced length, where it and its copy will have room beside the others that are being
    /// read; counts a refusal where they will not.
    pub(super) fn begin(self: &Arc<Self>, length: usize) -> Option<Begun> {
        let bytes = length.saturating_mul(2);
        if !self.has_room(bytes) {
            return None;
        }
        if !raise(&self.begun, bytes, self.most) {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Begun { budget: Arc::clone(self), bytes })
    }

    /// Counts bytes in, where there is room.
    pub(super) fn add(&self, bytes: usize) -> bool {
        let fits = raise(&self.held, bytes, self.most.saturating_sub(self.beside.load(Ordering::Relaxed)));
        if !fits {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        fits
    }

    /// Counts bytes in without asking.
    pub(super) fn add_anyway(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts bytes out.
    pub(super) fn sub(&self, bytes: usize) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Begins to hold something.
    pub(super) fn hold(self: &Arc<Self>) -> Held {
        Held { budget: Arc::clone(self), bytes: 0 }
    }

    /// Counts a copy of what was let in for as long as any of it is there.
    pub(super) fn tie(self: &Arc<Self>, bytes: Bytes) -> Bytes {
        let mut held = self.hold();
        if bytes.len() >= SMALL {
            self.add_anyway(bytes.len());
            held.bytes = bytes.len();
        }
        held.tie(bytes)
    }

    /// Says that there is no room.
    pub(super) fn full(&self) -> ApiError {
        let message = format!(
            "requests and answers hold all of the {} bytes that they may (limits.memory in gateway.toml); try again shortly",
            self.most
        );
        ApiError::new(ErrorKind::Overloaded, message).again_after(AGAIN_MS)
    }
}

/// Raises a count that may not pass a limit; never over it for a moment, which would refuse others that fit.
fn raise(count: &AtomicUsize, by: usize, most: usize) -> bool {
    let more = |count: usize| count.checked_add(by).filter(|sum| *sum <= most);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

impl Held {
    /// Holds so many bytes from now on; says whether there is room for them.
    pub(super) fn set(&mut self, bytes: usize) -> bool {
        if bytes <= self.bytes {
            self.budget.sub(self.bytes - bytes);
        } else if !self.budget.add(bytes - self.bytes) {
            return false;
        }
        self.bytes = bytes;
        true
    }

    /// Likewise for an answer under way, which is refused nothing while it is small.
    pub(super) fn follow(&mut self, bytes: usize) -> bool {
        if bytes > SPARED {
            return self.set(bytes);
        }
        if bytes > self.bytes {
            self.budget.add_anyway(bytes - self.bytes);
        } else {
            self.budget.sub(self.bytes - bytes);
        }
        self.bytes = bytes;
        true
    }

    /// Makes room for the copy of a request that is sent, and, where it is put into another dialect, for what it is read
    /// into on the way; says whether there is any.
    pub(super) fn make_room(&mut self, body: &[u8], is_translated: bool) -> bool {
        let on_the_way = if is_translated { body.len().saturating_add(members(body)) } else { 0 };
        body.len() < SMALL || self.set(body.len().saturating_add(on_the_way))
    }

    /// Holds what that copy is found to take, in place of the room made for it, for as long as any of it is there.
    pub(super) fn tie_copy(mut self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 {
            return self.budget.tie(bytes);
        }
        self.budget.add_anyway(bytes.len());
        self.budget.sub(std::mem::replace(&mut self.bytes, bytes.len()));
        self.tie(bytes)
    }

    /// Releases what is held when the last of these bytes is dropped.
    pub(super) fn tie(self, bytes: Bytes) -> Bytes {
        if self.bytes == 0 {
            return bytes;
        }
        Bytes::from_owner(Owned { bytes, _held: self })
    }
}

/// Estimates what the members of a body take once they are read, besides their text: many small ones take far more than
/// they are long.
pub(super) fn members(body: &[u8]) -> usize {
    if body.len() < LARGE { 0 } else { memchr::memchr_iter(b'{', body).count().saturating_mul(A_MEMBER) }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.sub(self.bytes);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.budget.begun.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_bodies_that_come_at_once_as_many_begin_as_fit() {
        let budget = Budget::new(32);
        let begun: Vec<Begun> = (0..16).filter_map(|_| budget.begin(6)).collect();
        assert_eq!((begun.len(), budget.refused()), (2, 14));
        assert_eq!(budget.held(), 0, "what is announced is not held yet");
        drop(begun);
        assert!(budget.add(12) && budget.begin(10).is_some() && budget.begin(11).is_none());
    }

    #[test]
    fn what_is_held_is_given_back_with_the_last_of_it() {
        let budget = Budget::new(10_000);
        let mut held = budget.hold();
        assert!(held.set(8_000) && !held.set(10_001) && held.set(9_000));
        assert_eq!((budget.held(), budget.refused()), (9_000, 1));
        let bytes = held.tie(Bytes::from(vec![7; 9_000]));
        let part = bytes.slice(100..110);
        drop(bytes);
        assert_eq!(budget.held(), 9_000);
        drop(part);
        assert_eq!(budget.held(), 0);
        let copy = budget.tie(Bytes::from(vec![7; 20_000]));
        assert_eq!(budget.held(), 20_000, "a copy is counted without asking");
        assert!(!budget.add(1));
        drop((copy, budget.tie(Bytes::from_static(b"small"))));
        assert_eq!(budget.held(), 0);
        budget.note_beside(9_999);
        assert!(budget.add(1) && !budget.add(1));
        let mut answer = budget.hold();
        assert!(
            answer.follow(SPARED) && !answer.follow(SPARED + 1),
            "one under way goes on while it is small"
        );
        assert!(answer.follow(7));
        drop(answer);
        assert_eq!(budget.held(), 10_000);
    }
    #[test]
    fn a_copy_has_room_before_it_is_written_and_counts_what_it_takes_after() {
        let budget = Budget::new(8 << 20);
        let text = vec![b'x'; 3 << 20];
        let mut copy = budget.hold();
        assert!(copy.make_room(&text, false));
        assert_eq!(budget.held(), 3 << 20);
        assert!(!budget.hold().make_room(&text, true), "it is read into as much again on the way");
        let sent = copy.tie_copy(Bytes::from(vec![b'x'; 1 << 20]));
        assert_eq!(budget.held(), 1 << 20);
        drop(sent);
        let objects = b"{},".repeat(400_000);
        assert!(!budget.hold().make_room(&objects, true), "small members take more than they are long");
        assert!(budget.hold().make_room(&objects, false));
        let mut small = budget.hold();
        assert!(small.make_room(b"{}", true));
        drop(small.tie_copy(Bytes::from_static(b"{}")));
        assert_eq!(budget.held(), 0);
    }
}
