//! Operations in order of arrival, in chunks that snapshots share without copying.

use std::sync::Arc;

use super::{Evidence, Extra, Operation};
use crate::units::Instant;

/// Operations in one chunk.
const CHUNK: usize = 16_384;

/// A stretch of operations with their ids and extras.
#[derive(Clone, Debug, Default)]
pub struct Chunk {
    operations: Vec<Operation>,
    extras: Vec<Extra>,
    ids: String,
    id_ends: Vec<u32>,
}

/// All operations held in memory.
#[derive(Clone, Debug, Default)]
pub struct History {
    chunks: Vec<Arc<Chunk>>,
}

impl History {
    /// Counts the operations.
    pub fn len(&self) -> usize {
        self.chunks.last().map_or(0, |last| (self.chunks.len() - 1) * CHUNK + last.operations.len())
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Appends an operation.
    pub fn push(&mut self, id: &str, mut operation: Operation, extra: Option<Extra>) {
        if self.chunks.last().is_none_or(|last| last.operations.len() >= CHUNK) {
            self.chunks.push(Arc::new(Chunk::default()));
        }
        let Some(last) = self.chunks.last_mut() else { return };
        let chunk = Arc::make_mut(last);
        operation.extra = match extra {
            Some(extra) => {
                chunk.extras.push(extra);
                u32::try_from(chunk.extras.len() - 1).unwrap_or(Operation::NO_EXTRA)
            }
            None => Operation::NO_EXTRA,
        };
        chunk.operations.push(operation);
        chunk.ids.push_str(id);
        chunk.id_ends.push(u32::try_from(chunk.ids.len()).unwrap_or(u32::MAX));
    }

    /// Gives memory back that growth left unused.
    pub fn shrink(&mut self) {
        for chunk in &mut self.chunks {
            let chunk = Arc::make_mut(chunk);
            chunk.operations.shrink_to_fit();
            chunk.extras.shrink_to_fit();
            chunk.ids.shrink_to_fit();
            chunk.id_ends.shrink_to_fit();
        }
    }

    /// Gives an operation.
    pub fn get(&self, index: usize) -> Option<&Operation> {
        self.chunks.get(index / CHUNK)?.operations.get(index % CHUNK)
    }

    /// Gives an operation with all that is known of it.
    pub fn evidence(&self, index: usize) -> Option<Evidence<'_>> {
        let chunk = self.chunks.get(index / CHUNK)?;
        let operation = chunk.operations.get(index % CHUNK)?;
        Some(Evidence { operation, extra: chunk.extras.get(operation.extra as usize) })
    }

    /// Gives an operation's id.
    pub fn id(&self, index: usize) -> &str {
        let Some(chunk) = self.chunks.get(index / CHUNK) else { return "" };
        let within = index % CHUNK;
        let end = chunk.id_ends.get(within).copied().unwrap_or(0) as usize;
        let start =
            within.checked_sub(1).and_then(|before| chunk.id_ends.get(before)).copied().unwrap_or(0) as usize;
        chunk.ids.get(start..end).unwrap_or("")
    }

    /// Finds an operation by id.
    pub fn find(&self, id: &str) -> Option<usize> {
        (0..self.len()).find(|&index| self.id(index) == id)
    }

    /// Gives the index of the first operation at or after a moment.
    pub fn first_at(&self, at: Instant) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.get(middle).is_some_and(|operation| operation.at < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Goes through a range in order.
    pub fn range(&self, from: usize, to: usize) -> impl Iterator<Item = (usize, Evidence<'_>)> {
        (from..to.min(self.len())).filter_map(|index| self.evidence(index).map(|evidence| (index, evidence)))
    }

    /// Puts operations into order of time (stable); says how many were out of order.
    pub fn sort(&mut self) -> usize {
        let len = self.len();
        let at =
            |history: &Self, index: usize| history.get(index).map_or(Instant(0), |operation| operation.at);
        let late = (1..len).filter(|&index| at(self, index) < at(self, index - 1)).count();
        if late == 0 {
            return 0;
        }
        let mut order: Vec<u32> = (0..u32::try_from(len).unwrap_or(u32::MAX)).collect();
        order.sort_by_key(|&index| at(self, index as usize));
        let mut sorted = Self::default();
        for index in order {
            if let Some(evidence) = self.evidence(index as usize) {
                sorted.push(self.id(index as usize), *evidence.operation, evidence.extra.cloned());
            }
        }
        *self = sorted;
        late
    }

    /// Gives the first and the last moment.
    pub fn bounds(&self) -> Option<(Instant, Instant)> {
        Some((self.get(0)?.at, self.get(self.len() - 1)?.at))
    }
}
