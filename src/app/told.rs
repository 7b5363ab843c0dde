//! What a reader of a gateway's feed was told, and how far its ledger was read.
//!
//! Invariant: a line that feed and ledger both tell is taken once, and what is remembered is bounded.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, BuildHasherDefault};

use rustc_hash::{FxHashSet, FxHasher};

/// Lines remembered: more than a gateway repeats to a reader that comes anew.
const REMEMBERED: usize = 32_768;

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Told {
    order: VecDeque<u64>,
    all: FxHashSet<u64>,
    /// Lines taken, in all.
    pub(super) lines: u64,
    /// The place in the ledger before which everything was told; none where the gateway tells none.
    pub(super) cursor: Option<String>,
    /// Lines that the gateway left out and that were not fetched yet.
    pub(super) missed: u64,
}

impl Told {
    /// Begins at a place in the ledger.
    pub(super) fn from(cursor: Option<String>) -> Self {
        Self { cursor, ..Self::default() }
    }

    /// Takes a line; says whether it is new.
    pub(super) fn take(&mut self, line: &str) -> bool {
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one(key(line));
        if !self.all.insert(hash) {
            return false;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        self.order.push_back(hash);
        self.lines += 1;
        true
    }
}

/// Returns what makes a line the same wherever it is told: a request's id and moment, a policy's moment and version, and any
/// other event without its place in the ledger.
fn key(line: &str) -> &str {
    let behind = |mark: &str, end: char| {
        let from = line.find(mark)? + mark.len();
        Some(from + line.get(from..)?.find(end)?)
    };
    let end = if line.starts_with("{\"id\":") {
        behind(",\"at\":\"", '"')
    } else if line.starts_with("{\"event\":\"policy\"") {
        behind(",\"version\":", ',')
    } else {
        line.rfind(",\"ledger\":{\"cursor\":").or_else(|| line.len().checked_sub(1))
    };
    end.and_then(|end| line.get(..end)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_remembered_within_bounds() {
        let mut told = Told::default();
        for n in 0..REMEMBERED + 10 {
            assert!(told.take(&format!("{n}}}")));
        }
        assert!(told.take("0}") && !told.take("100}"));
        assert_eq!((told.order.len(), told.all.len()), (REMEMBERED, REMEMBERED));
        assert_eq!(told.lines, REMEMBERED as u64 + 11);
    }

    #[test]
    fn feed_and_ledger_tell_of_the_same_in_other_words() {
        let same = [
            (
                r#"{"id":"op-1","at":"2026-05-23T10:00:01.12Z","saw":"x=1","model":"m"}"#,
                r#"{"id":"op-1","at":"2026-05-23T10:00:01.12Z","model":"m","ledger":{"cursor":"g:4"}}"#,
            ),
            (
                r#"{"event":"policy","at":"2026-05-23T10:00:01Z","version":2,"under":{"gateway":"g"},"routes":[]}"#,
                r#"{"event":"policy","at":"2026-05-23T10:00:01Z","version":2,"routes":[],"ledger":{"cursor":"g:3"}}"#,
            ),
            (
                r#"{"event":"label","at":"2026-05-23T10:00:01Z","id":"op-1","quality":900}"#,
                r#"{"event":"label","at":"2026-05-23T10:00:01Z","id":"op-1","quality":900,"ledger":{"cursor":"g:5"}}"#,
            ),
        ];
        for (feed, ledger) in same {
            let mut told = Told::default();
            assert!(told.take(feed) && !told.take(ledger) && !told.take(feed), "{feed}");
        }
        let mut told = Told::default();
        let others = [
            r#"{"id":"op-1","at":"2026-05-23T10:00:01.12Z"}"#,
            r#"{"id":"op-1","at":"2026-05-23T10:00:01.13Z"}"#,
            r#"{"id":"op-2","at":"2026-05-23T10:00:01.12Z"}"#,
            r#"{"id":"op-1"}"#,
            r#"{"event":"label","at":"2026-05-23T10:00:01Z","id":"op-1","quality":901}"#,
            "}",
        ];
        assert!(others.into_iter().all(|line| told.take(line)));
    }
}
