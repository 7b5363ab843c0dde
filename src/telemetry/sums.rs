//! What the frontier keeps of requests that start on one rung: integer sums that add and are taken away.

use std::ops::{AddAssign, SubAssign};

use super::Cascade;
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

impl AddAssign<&Sums> for Sums {
    fn add_assign(&mut self, o: &Sums) {
        self.requests = self.requests.wrapping_add(o.requests);
        self.known = self.known.wrapping_add(o.known);
        self.estimated = self.estimated.wrapping_add(o.estimated);
        self.spread.add(o.spread);
        self.unknown = self.unknown.wrapping_add(o.unknown);
        self.partial = self.partial.wrapping_add(o.partial);
        self.escalated = self.escalated.wrapping_add(o.escalated);
        self.cascade += &o.cascade;
        self.errors = self.errors.wrapping_add(o.errors);
        self.quality = self.quality.wrapping_add(o.quality);
        self.labelled = self.labelled.wrapping_add(o.labelled);
        self.input = self.input.wrapping_add(o.input);
        self.output = self.output.wrapping_add(o.output);
        self.kept = self.kept.wrapping_add(o.kept);
        for (mine, theirs) in self.begun.iter_mut().zip(&o.begun) {
            *mine = mine.wrapping_add(*theirs);
        }
        for (mine, theirs) in self.answered.iter_mut().zip(&o.answered) {
            *mine = mine.wrapping_add(*theirs);
        }
    }
}

impl SubAssign<&Sums> for Sums {
    fn sub_assign(&mut self, o: &Sums) {
        self.requests = self.requests.wrapping_sub(o.requests);
        self.known = self.known.wrapping_sub(o.known);
        self.estimated = self.estimated.wrapping_sub(o.estimated);
        self.spread.remove(o.spread);
        self.unknown = self.unknown.wrapping_sub(o.unknown);
        self.partial = self.partial.wrapping_sub(o.partial);
        self.escalated = self.escalated.wrapping_sub(o.escalated);
        self.cascade -= &o.cascade;
        self.errors = self.errors.wrapping_sub(o.errors);
        self.quality = self.quality.wrapping_sub(o.quality);
        self.labelled = self.labelled.wrapping_sub(o.labelled);
        self.input = self.input.wrapping_sub(o.input);
        self.output = self.output.wrapping_sub(o.output);
        self.kept = self.kept.wrapping_sub(o.kept);
        for (mine, theirs) in self.begun.iter_mut().zip(&o.begun) {
            *mine = mine.wrapping_sub(*theirs);
        }
        for (mine, theirs) in self.answered.iter_mut().zip(&o.answered) {
            *mine = mine.wrapping_sub(*theirs);
        }
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
