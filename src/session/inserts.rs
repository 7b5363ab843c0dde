//! Where a growing log took operations in between others.

use std::collections::VecDeque;
use std::sync::Arc;

/// Places remembered for readers that hold indices.
const REMEMBERED: usize = 1024;
/// Where a growing log took operations in between others, so that whoever holds an index can follow it.
#[derive(Clone, Debug, Default)]
pub struct Inserts {
    origin: Arc<()>,
    count: u64,
    last: VecDeque<usize>,
}

impl Inserts {
    /// Says whether two logs are the same one at different moments.
    pub fn same_log(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.origin, &other.origin)
    }

    /// Counts the places so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the present index of what was at an index when so many places were counted; none where that is too long ago.
    pub fn moved(&self, index: usize, seen: u64) -> Option<usize> {
        let places = self.since(seen)?;
        Some(places.fold(index, |index, place| index + usize::from(place <= index)))
    }

    /// Returns the places since a count, the earliest first; none where that is too long ago.
    pub fn since(&self, seen: u64) -> Option<impl Iterator<Item = usize>> {
        let new = usize::try_from(self.count.checked_sub(seen)?).ok()?;
        let skipped = self.last.len().checked_sub(new)?;
        Some(self.last.iter().skip(skipped).copied())
    }

    pub(super) fn note(&mut self, index: usize) {
        self.count += 1;
        self.last.push_back(index);
        if self.last.len() > REMEMBERED {
            self.last.pop_front();
        }
    }
}
