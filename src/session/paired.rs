//! How far off the difference of two branches may be: what becomes of each request in one, beside what becomes of it in the other.
//!
//! Invariants: what is estimated alike in both adds nothing, for the very same tokens are unknown there; where it is estimated in
//! one only, or on different models, it counts in full, so that the error is too wide rather than too narrow.

use super::Log;
use crate::outcome::{Settled, Spread};
use crate::units::ModelId;

/// What is estimated in the first branch and otherwise in another, and the other way round.
pub type Sides = [Spread; 2];

/// The estimated calls of a branch, by the places of their requests.
#[derive(Default)]
pub(super) struct Estimates(Vec<(usize, ModelId, Spread)>);

impl Estimates {
    /// Keeps those of a request.
    pub(super) fn keep(&mut self, place: usize, settled: &Settled) {
        self.0.extend(estimated(settled).map(|(model, spread)| (place, model, spread)));
    }

    /// Brings those into order that were kept out of it.
    pub(super) fn sort(&mut self) {
        self.0.sort_by_key(|(place, ..)| *place);
    }

    fn of(&self, place: usize) -> &[(usize, ModelId, Spread)] {
        let from = self.0.partition_point(|(at, ..)| *at < place);
        let rest = self.0.get(from..).unwrap_or_default();
        rest.get(..rest.partition_point(|(at, ..)| *at == place)).unwrap_or_default()
    }

    /// Adds how far off the difference may be of what a request came to here, where it has a place, and of what it comes to there.
    pub(super) fn part(&self, place: Option<usize>, settled: &Settled, sides: &mut Sides) {
        let here = place.map_or(&[][..], |place| self.of(place));
        let mut is_met = [false; 8];
        for (model, spread) in estimated(settled) {
            let mut unmet =
                here.iter().zip(&mut is_met).filter(|((_, other, _), met)| *other == model && !**met);
            if let Some(((.., before), met)) = unmet.next() {
                *met = true;
                sides[1].add(before.beside(spread));
            } else {
                sides[1].add(spread);
            }
        }
        let left = here.iter().enumerate().filter(|(at, _)| !is_met.get(*at).copied().unwrap_or(false));
        left.for_each(|(_, (.., spread))| sides[0].add(*spread));
    }
}

fn estimated(settled: &Settled) -> impl Iterator<Item = (ModelId, Spread)> {
    let calls = settled.attempts.iter().map(|attempt| (attempt.model, attempt.spread));
    calls.filter(|(_, spread)| *spread != Spread::NONE)
}

/// Returns by place in a moved log the place that its requests had before; none for those that came besides.
pub(super) fn places(before: &Log, moved: &Log) -> Vec<Option<usize>> {
    let mut next = before.history.start();
    let place = |at: usize| {
        let is_it = next < before.len() && before.history.id(next) == moved.history.id(at);
        let found = is_it.then_some(next);
        next += usize::from(is_it);
        found
    };
    (0..moved.len()).map(place).collect()
}

#[cfg(test)]
#[path = "apart_tests.rs"]
mod tests;
