//! Whose results a call brings along: the tools that the agent's call before it had run.
//!
//! Invariant: all tellings of one answer have the same; whoever was asked anew by a person brings none.

use std::borrow::Cow;

use crate::record::foreign::tagged::{Tags, words};

/// The tag that names them.
const TOOL: &str = "tool";

/// What an agent had its tools do, call by call.
#[derive(Clone, Debug, Default)]
pub(super) struct Called {
    /// The answer being told.
    answer: String,
    made: Vec<String>,
    brought: Vec<String>,
}

impl Called {
    /// Begins an answer, unless it has begun.
    pub(super) fn answer(&mut self, id: &str) {
        if self.answer != id || id.is_empty() {
            id.clone_into(&mut self.answer);
            self.brought = std::mem::take(&mut self.made);
        }
    }

    /// Takes a call of the answer being told.
    pub(super) fn call(&mut self, tool: &str) {
        if !tool.is_empty() && !self.made.iter().any(|known| known == tool) {
            self.made.push(tool.to_owned());
        }
    }

    /// Forgets what was called: a person asked for something else.
    pub(super) fn asked(&mut self) {
        self.made.clear();
        self.brought.clear();
    }

    /// Returns the tag of the answer being told, as records have tags; several tools stand in order, joined by `+`.
    pub(super) fn tag(&self) -> Vec<Cow<'static, str>> {
        let mut tools: Vec<&str> = self.brought.iter().map(String::as_str).collect();
        tools.sort_unstable();
        words(&[&Tags::of_pairs([(TOOL.to_owned(), tools.join("+"))])], &[])
    }
}
