//! What the classifier thinks of one request, small enough to be kept with every decision.

use super::{FeatureId, TaskClass};
use crate::units::PerMille;

/// The most contributions an opinion carries.
pub(super) const TOP: usize = 5;

/// What an opinion rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum Basis {
    /// The text of the ask, and the measures beside it.
    Text,
    /// Measures alone; the log holds no text.
    Measures,
    /// Nothing to go by, or a text unlike anything known: the strongest model must serve.
    #[default]
    NoSignal,
}

impl Basis {
    /// Returns the words shown to people.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Measures => "measures only",
            Self::NoSignal => "no signal",
        }
    }
}

/// What one feature added to the score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Contribution {
    /// The feature.
    pub feature: FeatureId,
    /// Above zero it speaks for the cheap model, below for the strong one.
    pub milli_logits: i16,
}

/// A class of work and a confidence, with the reasons that weighed most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Opinion {
    /// The kind of work.
    pub class: TaskClass,
    /// How likely the cheap answer is as acceptable as the strong one; none without a signal.
    pub confidence: Option<PerMille>,
    /// What the opinion rests on.
    pub basis: Basis,
    top: [Contribution; TOP],
    held: u8,
}

impl Opinion {
    /// Builds an opinion without a confidence.
    pub(super) fn without_signal(class: TaskClass) -> Self {
        Self { class, ..Self::default() }
    }

    pub(super) fn new(class: TaskClass, confidence: PerMille, basis: Basis) -> Self {
        Self { class, confidence: Some(confidence), basis, ..Self::default() }
    }

    /// Lists the strongest contributions, the strongest first.
    pub fn top(&self) -> &[Contribution] {
        self.top.get(..usize::from(self.held)).unwrap_or(&[])
    }

    /// Takes a contribution into the list where it is strong enough; among equals the earlier one stands first.
    pub(super) fn note(&mut self, contribution: Contribution) {
        if contribution.milli_logits == 0 {
            return;
        }
        let strength = |c: &Contribution| c.milli_logits.unsigned_abs();
        let place = self.top().iter().take_while(|held| strength(held) >= strength(&contribution)).count();
        if let Some(tail) = self.top.get_mut(place..).filter(|tail| !tail.is_empty()) {
            tail.rotate_right(1);
            if let Some(slot) = tail.first_mut() {
                *slot = contribution;
            }
            self.held = (self.held + 1).min(5);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_five_strongest_stand_in_order() {
        let mut opinion = Opinion::default();
        for (feature, milli_logits) in
            [(0u8, 10i16), (1, -300), (2, 0), (3, 40), (4, i16::MIN), (5, 41), (6, 300), (7, 5)]
        {
            opinion.note(Contribution { feature: FeatureId(feature), milli_logits });
        }
        let order: Vec<u8> = opinion.top().iter().map(|c| c.feature.0).collect();
        assert_eq!(order, [4, 1, 6, 5, 3]);
    }
}
