//! One request as a trained classifier reads it, for deciding and for training alike: so both see the same.

use super::ask::Ask;
use super::feature::Features;
use super::grams::{Counts, Folded, Met};
use super::surface::Surface;
use super::{Classifier, Measures, ask, extract};

/// What was read of one request's text.
pub struct Reading {
    folded: Folded,
    /// The surface.
    pub surface: Surface,
}

impl Reading {
    /// Reads an ask whose features have been found.
    pub(super) fn of(ask: &Ask<'_>, features: &Features, measures: &Measures) -> Self {
        let folded = Folded::of(ask);
        let surface = Surface::of(&folded, ask.len, features, measures);
        Self { folded, surface }
    }

    /// Gives every bucket of words and characters once.
    pub fn grams(&self, met: &mut Met, give: impl FnMut(u32)) -> Counts {
        self.folded.grams(met, give)
    }

    /// Gives the hash of every word.
    pub fn words(&self, give: impl FnMut(u64)) {
        self.folded.each_word(give);
    }
}

impl Classifier {
    /// Reads a request as a trained classifier does; `None` without an ask.
    pub fn read(&self, text: &str, measures: &Measures) -> Option<Reading> {
        let mut features = Features::default();
        extract::measures(measures, &mut features);
        let ask = ask::find(text);
        extract::text(&ask, &self.lexicon, self.least_known, &mut features)?;
        Some(Reading::of(&ask, &features, measures))
    }
}
