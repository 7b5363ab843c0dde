//! One request as a trained classifier reads it, for deciding and for training alike: so both see the same.

use super::Measures;
use super::ask::Ask;
use super::feature::Features;
use super::grams::{Bucket, Counts, Folded, Met};
use super::surface::Surface;

/// What was read of one request's text.
pub struct Reading {
    folded: Folded,
    /// The surface.
    pub surface: Surface,
}

impl Default for Reading {
    fn default() -> Self {
        Self::new()
    }
}

impl Reading {
    /// Starts empty.
    pub const fn new() -> Self {
        Self { folded: Folded::new(), surface: Surface::EMPTY }
    }

    /// Reads an ask whose features have been found. It is large, and so is filled where it lies.
    pub(super) fn fill(&mut self, ask: &Ask<'_>, features: &Features, measures: &Measures, line_end: u8) {
        self.folded.read(ask, line_end);
        self.surface = Surface::of(&self.folded, ask.len, features, measures);
    }

    /// Passes on every bucket of words and characters, and whether it is met for the first time.
    pub fn grams(&self, met: &mut Met, give: impl FnMut(Bucket, bool)) -> Counts {
        self.folded.grams(met, give)
    }

    /// Adds up the weights of all distinct buckets: of characters, and of words.
    pub(super) fn weigh(&self, weights: &[i8]) -> ([i64; 2], Counts) {
        self.folded.weigh(weights)
    }

    /// Lists the hash of every word.
    pub fn words(&self) -> &[u64] {
        self.folded.words()
    }
}
