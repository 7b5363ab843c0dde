//! The latest lines of the log, kept for readers that come later.
//!
//! Invariant: their number and their bytes are bounded; the oldest go first.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lines kept.
const LINES: usize = 10_000;
/// Bytes of them.
const BYTES: usize = 32 * 1024 * 1024;

/// The latest lines.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    lines: VecDeque<Arc<str>>,
    bytes: Arc<AtomicUsize>,
}

impl Backlog {
    /// Returns the count of bytes, which follows as lines come and go.
    pub(super) fn bytes(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.bytes)
    }

    /// Lists them, the oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<str>> {
        self.lines.iter()
    }

    /// Adds a line; `gone` hears of each that goes for it.
    pub(super) fn push(&mut self, line: &Arc<str>, mut gone: impl FnMut(&Arc<str>)) {
        let mut bytes = self.bytes.load(Ordering::Relaxed).saturating_add(line.len());
        self.lines.push_back(Arc::clone(line));
        while self.lines.len() > LINES || bytes > BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            bytes = bytes.saturating_sub(oldest.len());
            gone(&oldest);
        }
        self.bytes.store(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_lines_are_kept() {
        let mut backlog = Backlog::default();
        for n in 0..LINES + 7 {
            backlog.push(&n.to_string().into(), |_| {});
        }
        assert_eq!((backlog.lines.len(), &*backlog.lines[0]), (LINES, "7"));
        let long: Arc<str> = "x".repeat(BYTES / 2).into();
        for _ in 0..3 {
            backlog.push(&long, |_| {});
        }
        assert_eq!(backlog.lines.len(), 2);
        assert_eq!(backlog.bytes().load(Ordering::Relaxed), 2 * long.len());
    }
}
