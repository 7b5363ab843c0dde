//! What the frontier keeps of requests that start on one rung: integer sums that add and are taken away.

use super::sign::Summed;
use super::{Cascade, Sign};
use crate::outcome::Spread;
use crate::pricing::CostSum;
use crate::routing::MAX_RUNGS;
use crate::units::Pico;

/// Sums over some requests, as if they had started on one rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub(super) requests: u64,
    pub(super) known: i128,
    pub(super) estimated: i128,
    pub(super) spread: Spread,
    pub(super) unknown: u64,
    /// Of `known` and `estimated`, what belongs to requests counted in `unknown`.
    pub(super) partial: i128,
    pub(super) escalated: u64,
    pub(super) cascade: Cascade,
    pub(super) errors: u64,
    pub(super) quality: u64,
    pub(super) labelled: u64,
    pub(super) input: u64,
    pub(super) output: u64,
    /// Those that start on the very model that their client named.
    pub(super) kept: u64,
    pub(super) begun: [u64; MAX_RUNGS],
    pub(super) answered: [u64; MAX_RUNGS],
}

impl Summed for Sums {
    #[inline]
    fn sum(&mut self, other: &Self, sign: Sign) {
        let amount = |mine: &mut i128, theirs: i128| {
            *mine = match sign {
                Sign::Plus => mine.wrapping_add(theirs),
                Sign::Minus => mine.wrapping_sub(theirs),
            };
        };
        amount(&mut self.known, other.known);
        amount(&mut self.estimated, other.estimated);
        amount(&mut self.partial, other.partial);
        self.spread.sum(&other.spread, sign);
        self.cascade.sum(&other.cascade, sign);
        sign.step(&mut self.requests, other.requests);
        sign.step(&mut self.unknown, other.unknown);
        sign.step(&mut self.escalated, other.escalated);
        sign.step(&mut self.errors, other.errors);
        sign.step(&mut self.quality, other.quality);
        sign.step(&mut self.labelled, other.labelled);
        sign.step(&mut self.input, other.input);
        sign.step(&mut self.output, other.output);
        sign.step(&mut self.kept, other.kept);
        self.begun.iter_mut().zip(other.begun).for_each(|(mine, theirs)| sign.step(mine, theirs));
        self.answered.iter_mut().zip(other.answered).for_each(|(mine, theirs)| sign.step(mine, theirs));
    }
}

impl Sums {
    /// Returns the cost.
    pub(super) fn cost(&self) -> CostSum {
        CostSum {
            known: Pico(self.known),
            estimated: Pico(self.estimated),
            unknown: self.unknown,
            partial: Pico(self.partial),
        }
    }
}

/// Requests that thresholds move, and what labels say of the answers that they then get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Moved {
    /// How many.
    pub requests: u64,
    /// Those whose answer there was judged.
    pub labelled: u64,
    /// Their quality in per mille, added up.
    pub quality: u64,
}

impl Moved {
    pub(super) fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.labelled += other.labelled;
        self.quality += other.quality;
    }
}
