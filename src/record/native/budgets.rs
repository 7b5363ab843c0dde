//! The files of budgets that traffic was under, as a log's header has them.
//!
//! Invariant: each is kept as it was written, and holds from its moment on.

use crate::units::Instant;

/// Files of budgets, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetFiles {
    /// The one in force at first; empty where none was.
    pub first: String,
    /// Those that replaced it, in order of time.
    pub later: Vec<(Instant, String)>,
}

impl BudgetFiles {
    /// Says whether nothing is told.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.later.is_empty()
    }

    /// Returns those of a stretch.
    #[must_use]
    pub fn between(mut self, first: Instant, last: Instant) -> Self {
        let begun = self.later.partition_point(|(at, _)| *at <= first);
        if let Some((_, text)) = self.later.drain(..begun).next_back() {
            self.first = text;
        }
        self.later.retain(|(at, _)| *at <= last);
        self
    }
}

impl From<String> for BudgetFiles {
    fn from(first: String) -> Self {
        Self { first, later: Vec::new() }
    }
}
