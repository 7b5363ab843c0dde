//! What came of reading a log, in numbers.
//!
//! Invariant: whatever is passed over is counted, by its reason.

use std::collections::BTreeMap;

use super::{Skip, SkipKind};

/// What came of reading a log to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries read.
    pub entries: u64,
    /// Sound things that are no model calls and were passed over.
    pub not_calls: u64,
    /// Answers told again that were left out.
    pub repeats: u64,
    /// Why things were passed over or left out, and how many for each reason.
    pub passed_over: BTreeMap<String, u64>,
    /// Bad lines.
    pub bad: u64,
    /// The first few bad lines, as `file:line: reason`.
    pub first_bad: Vec<String>,
}

/// How many bad lines a summary quotes.
const QUOTED: usize = 5;

impl Summary {
    /// Counts something that was passed over.
    pub fn note(&mut self, file: &str, skip: &Skip) {
        match skip.kind {
            SkipKind::NotACall | SkipKind::Repeated => {
                let is_repeat = skip.kind == SkipKind::Repeated;
                *(if is_repeat { &mut self.repeats } else { &mut self.not_calls }) += 1;
                *self.passed_over.entry(skip.reason.clone()).or_default() += 1;
            }
            SkipKind::Bad => {
                self.bad += 1;
                if self.first_bad.len() < QUOTED {
                    self.first_bad.push(format!("{file}:{}: {}", skip.line, skip.reason));
                }
            }
        }
    }
}
