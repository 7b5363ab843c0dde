//! Operations in order of arrival, in chunks that snapshots share without copying.
//!
//! A history that grows while it is watched takes operations in at any place and lets the oldest go by whole chunks.
//! Invariant: an index names the same operation until one is inserted before it; letting go moves no index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::packed::Column;
use super::{Evidence, Extra, ModelLabel, Operation};
use crate::pricing::Charged;
use crate::routing::CircumstanceId;
use crate::units::Instant;

/// Operations in one chunk: what is copied when a shared chunk is written to.
const CHUNK: usize = 2048;

/// A stretch of operations with their ids and extras.
#[derive(Clone, Debug, Default)]
struct Chunk {
    operations: Column,
    extras: Vec<Extra>,
    ids: String,
    id_ends: Vec<u32>,
}

impl Chunk {
    fn id_start(&self, within: usize) -> usize {
        within.checked_sub(1).and_then(|before| self.id_ends.get(before)).copied().unwrap_or(0) as usize
    }

    fn id(&self, within: usize) -> &str {
        let end = self.id_ends.get(within).copied().unwrap_or(0) as usize;
        self.ids.get(self.id_start(within)..end).unwrap_or("")
    }

    /// Puts an operation in at a place within the chunk.
    fn insert(&mut self, within: usize, id: &str, mut operation: Operation, extra: Option<Extra>) {
        let within = within.min(self.operations.len());
        operation.extra = match extra {
            Some(extra) => {
                self.extras.push(extra);
                u32::try_from(self.extras.len() - 1).unwrap_or(Operation::NO_EXTRA)
            }
            None => Operation::NO_EXTRA,
        };
        let start = self.id_start(within);
        let long = u32::try_from(id.len()).unwrap_or(0);
        self.operations.insert(within, &operation);
        self.ids.insert_str(start, id);
        self.id_ends.insert(within, u32::try_from(start).unwrap_or(u32::MAX).saturating_add(long));
        for end in self.id_ends.iter_mut().skip(within + 1) {
            *end = end.saturating_add(long);
        }
    }

    /// Takes the last operation out.
    fn pop(&mut self) -> Option<(String, Operation, Option<Extra>)> {
        let within = self.operations.len().checked_sub(1)?;
        let id = self.id(within).to_owned();
        let operation = self.operations.pop()?;
        self.id_ends.pop();
        self.ids.truncate(self.ids.len() - id.len());
        let place = operation.extra as usize;
        let extra = (place < self.extras.len()).then(|| self.extras.swap_remove(place));
        if extra.is_some() {
            // The last extra has moved into the gap; its operation is told.
            let moved = self.extras.len();
            if let Some(owner) = self.operations.with_extra(moved) {
                self.change(owner, |owner, _| owner.extra = operation.extra);
            }
        }
        Some((id, operation, extra))
    }

    /// Changes an operation.
    fn change(&mut self, within: usize, change: impl FnOnce(&mut Operation, &mut Vec<Extra>)) {
        let Some(mut operation) = self.operations.get(within) else { return };
        change(&mut operation, &mut self.extras);
        self.operations.set(within, &operation);
    }
}

/// An operation out of memory, with what few have.
#[derive(Clone, Copy, Debug)]
pub struct Recalled<'a> {
    /// The operation.
    pub operation: Operation,
    /// What few have.
    pub extra: Option<&'a Extra>,
}

impl Recalled<'_> {
    /// Returns it as evidence.
    pub fn evidence(&self) -> Evidence<'_> {
        Evidence { operation: &self.operation, extra: self.extra }
    }
}

/// All operations held in memory.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Operations let go before the first chunk; whole chunks of them.
    base: usize,
    chunks: Vec<Arc<Chunk>>,
}

impl History {
    /// Counts the operations, those let go included: the index after the last one.
    pub fn len(&self) -> usize {
        self.base
            + self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.operations.len())
    }

    /// Returns the index of the first operation held.
    pub fn start(&self) -> usize {
        self.base
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Appends an operation.
    pub fn push(&mut self, id: &str, operation: Operation, extra: Option<Extra>) {
        if self.chunks.last().is_none_or(|last| last.operations.len() >= CHUNK) {
            self.chunks.push(Arc::new(Chunk::default()));
        }
        let Some(last) = self.chunks.last_mut() else { return };
        let chunk = Arc::make_mut(last);
        chunk.insert(chunk.operations.len(), id, operation, extra);
    }

    /// Puts an operation in behind those that arrived before it or with it, and returns its index. Older than all that is
    /// held, it becomes the first.
    pub fn insert(&mut self, id: &str, operation: Operation, extra: Option<Extra>) -> usize {
        let index = self.first_at(Instant(operation.at.0.saturating_add(1)));
        if index == self.len() {
            self.push(id, operation, extra);
            return index;
        }
        let within = (index - self.base) % CHUNK;
        let mut at = (index - self.base) / CHUNK;
        let mut next = self.chunks.get_mut(at).and_then(|chunk| {
            let chunk = Arc::make_mut(chunk);
            chunk.insert(within, id, operation, extra);
            if chunk.operations.len() > CHUNK { chunk.pop() } else { None }
        });
        // What a full chunk has too much goes to the front of the next.
        while let Some((id, operation, extra)) = next {
            at += 1;
            let Some(chunk) = self.chunks.get_mut(at) else {
                self.push(&id, operation, extra);
                break;
            };
            let chunk = Arc::make_mut(chunk);
            chunk.insert(0, &id, operation, extra);
            next = if chunk.operations.len() > CHUNK { chunk.pop() } else { None };
        }
        index
    }

    /// Returns how many operations can be let go, at most, so that `keep` are left: whole chunks.
    pub fn spare(&self, keep: usize) -> usize {
        (self.len() - self.base).saturating_sub(keep) / CHUNK * CHUNK
    }

    /// Lets the oldest operations go, by whole chunks; never the last chunk.
    pub fn let_go(&mut self, operations: usize) {
        let chunks = (operations / CHUNK).min(self.chunks.len().saturating_sub(1));
        self.chunks.drain(..chunks);
        self.base += chunks * CHUNK;
    }

    /// Returns memory back that growth left unused.
    pub fn shrink(&mut self) {
        for chunk in &mut self.chunks {
            let chunk = Arc::make_mut(chunk);
            chunk.operations.shrink();
            chunk.extras.shrink_to_fit();
            chunk.ids.shrink_to_fit();
            chunk.id_ends.shrink_to_fit();
        }
    }

    fn chunk(&self, index: usize) -> Option<(&Chunk, usize)> {
        let held = index.checked_sub(self.base)?;
        Some((self.chunks.get(held / CHUNK)?, held % CHUNK))
    }

    /// Returns an operation.
    pub fn get(&self, index: usize) -> Option<Operation> {
        let (chunk, within) = self.chunk(index)?;
        chunk.operations.get(within)
    }

    /// Returns when an operation arrived.
    pub fn at(&self, index: usize) -> Option<Instant> {
        let (chunk, within) = self.chunk(index)?;
        chunk.operations.at(within)
    }

    /// Returns an operation with all that is known of it.
    pub fn recall(&self, index: usize) -> Option<Recalled<'_>> {
        let (chunk, within) = self.chunk(index)?;
        let operation = chunk.operations.get(within)?;
        Some(Recalled { operation, extra: chunk.extras.get(operation.extra as usize) })
    }

    /// Returns an operation's id.
    pub fn id(&self, index: usize) -> &str {
        self.chunk(index).map_or("", |(chunk, within)| chunk.id(within))
    }

    /// Finds an operation by id.
    pub fn find(&self, id: &str) -> Option<usize> {
        (self.base..self.len()).find(|&index| self.id(index) == id)
    }

    /// Finds operations by their ids in one pass; of several that share an id, the first.
    pub fn find_all(&self, ids: &BTreeSet<&str>) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        if !ids.is_empty() {
            for index in (self.base..self.len()).filter(|&index| ids.contains(self.id(index))) {
                found.entry(self.id(index).to_owned()).or_insert(index);
            }
        }
        found
    }

    /// Changes an operation that is held.
    fn change(&mut self, index: usize, change: impl FnOnce(&mut Operation, &mut Vec<Extra>)) {
        let Some(held) = index.checked_sub(self.base) else { return };
        let Some(chunk) = self.chunks.get_mut(held / CHUNK) else { return };
        Arc::make_mut(chunk).change(held % CHUNK, change);
    }

    /// Adds what became known of an operation later.
    pub fn judge(&mut self, index: usize, label: ModelLabel) {
        self.change(index, |operation, extras| {
            if operation.extra == Operation::NO_EXTRA {
                extras.push(Extra::default());
                operation.extra = u32::try_from(extras.len() - 1).unwrap_or(Operation::NO_EXTRA);
            }
            if let Some(extra) = extras.get_mut(operation.extra as usize) {
                extra.judge(label.about(operation.simulated));
            }
        });
    }

    /// Sets right what a call of an operation was charged; says whether it has that call.
    pub fn correct(&mut self, index: usize, call: Option<u32>, charged: Charged) -> bool {
        let mut fits = false;
        self.change(index, |operation, extras| {
            let extra = extras.get_mut(operation.extra as usize);
            fits = operation.correct(extra, call, charged);
        });
        fits
    }

    /// Changes how things stood when an operation arrived, and what of its prompt is warm where it goes.
    pub fn set_circumstance(&mut self, index: usize, circumstance: CircumstanceId, warm: Option<u32>) {
        self.change(index, |operation, _| (operation.circumstance, operation.warm) = (circumstance, warm));
    }

    /// Returns the index of the first operation at or after a moment.
    pub fn first_at(&self, at: Instant) -> usize {
        let (mut low, mut high) = (self.base, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.at(middle).is_some_and(|arrived| arrived < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Goes through a range in order.
    pub fn range(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, Recalled<'_>)> {
        (from.max(self.base)..to.min(self.len()))
            .filter_map(|index| self.recall(index).map(|recalled| (index, recalled)))
    }

    /// Puts operations into order of time (stable); says how many were out of order.
    pub fn sort(&mut self) -> usize {
        // Only a log being loaded is sorted; it has let nothing go.
        let len = self.len();
        let at = |history: &Self, index: usize| history.at(index).unwrap_or(Instant(0));
        let late = (1..len).filter(|&index| at(self, index) < at(self, index - 1)).count();
        if late == 0 {
            return 0;
        }
        let mut order: Vec<u32> = (0..u32::try_from(len).unwrap_or(u32::MAX)).collect();
        order.sort_by_key(|&index| at(self, index as usize));
        let mut sorted = Self::default();
        for index in order {
            if let Some(recalled) = self.recall(index as usize) {
                sorted.push(self.id(index as usize), recalled.operation, recalled.extra.cloned());
            }
        }
        *self = sorted;
        late
    }

    /// Returns the first and the last moment.
    pub fn bounds(&self) -> Option<(Instant, Instant)> {
        Some((self.at(self.base)?, self.at(self.len().checked_sub(1)?)?))
    }
}
