//! What is known of the latest answers by their ids.
//!
//! Invariant: the number of ids that are kept is bounded; the oldest goes first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

/// The most ids that are kept.
const MOST: usize = 32_768;

/// An operation that may be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) seq: u64,
    pub(super) model: Arc<str>,
    pub(super) team: Arc<str>,
    pub(super) key: Arc<str>,
}

/// Something known of each of the latest ids.
#[derive(Debug)]
pub(super) struct Remembered<V> {
    inner: Mutex<Inner<V>>,
}

#[derive(Debug)]
struct Inner<V> {
    order: VecDeque<Arc<str>>,
    by_id: FxHashMap<Arc<str>, V>,
}

impl<V> Default for Remembered<V> {
    fn default() -> Self {
        Self { inner: Mutex::new(Inner { order: VecDeque::new(), by_id: FxHashMap::default() }) }
    }
}

impl<V: Clone> Remembered<V> {
    /// Notes what is known of an id now.
    pub(super) fn note(&self, id: &Arc<str>, known: V) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.by_id.insert(Arc::clone(id), known).is_some() {
            return;
        }
        if inner.order.len() >= MOST
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.by_id.remove(&oldest);
        }
        inner.order.push_back(Arc::clone(id));
    }

    /// Returns what is known of an id.
    pub(super) fn find(&self, id: &str) -> Option<V> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }
}

/// What an answer called, and how many turns there were with it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Followed {
    pub(super) call: Option<u64>,
    pub(super) turns: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_are_kept() {
        let known = Remembered::default();
        for n in 0..MOST + 10 {
            known.note(&format!("op-{n}").into(), n);
            known.note(&format!("op-{n}").into(), n);
        }
        assert_eq!(known.find("op-9"), None);
        assert_eq!(known.find("op-10"), Some(10));
        assert_eq!(known.inner.lock().unwrap().order.len(), MOST);
    }
}
