//! The best thresholds of a route among those with which its requests are over in time.
//!
//! Invariant: how late a setting is adds up over its steps as cost and quality do, so one that is in time is found wherever there
//! is one, however many thresholds have to move together for it.

use super::optimum::{Menu, Outcome, Score};
use crate::routing::Thresholds;

/// Corners of the hull of score against time that are looked at, at most.
const CORNERS: usize = 40;

impl Menu {
    /// Says whether being late or not is anything to it.
    pub(super) fn minds_time(&self) -> bool {
        self.base.late != 0 || self.steps.iter().flatten().any(|step| step.late != 0)
    }

    /// Returns it without a mind for time.
    pub(super) fn at_leisure(&self) -> Self {
        let mut all = self.clone();
        all.base.late = 0;
        all.steps.iter_mut().flatten().for_each(|step| step.late = 0);
        all
    }

    /// Finds the setting of the highest score among those on the hull that are in time; where none is, the one of the highest score.
    pub(super) fn best_in_time(&self, score: &Score) -> Thresholds {
        let best = self.best(score);
        let late = |thresholds: &Thresholds| self.outcome(thresholds).late;
        if late(&best) <= 0 {
            return best;
        }
        let mut kept = self.best(&score.against_time(0, 1));
        if late(&kept) > 0 {
            return best;
        }
        let mut over = best;
        for _ in 0..CORNERS {
            let (one, other): (Outcome, Outcome) = (self.outcome(&kept), self.outcome(&over));
            // The chord between the two: what lies above it is nearer to the best.
            let worth = other.late - one.late;
            let time = score.worth(other) - score.worth(one);
            let corner = self.best(&score.against_time(worth, time));
            let found = self.outcome(&corner);
            let above = |at: Outcome| {
                worth.saturating_mul(score.worth(at)).saturating_sub(time.saturating_mul(at.late))
            };
            if time <= 0 || above(found) <= above(one) {
                break;
            }
            if found.late <= 0 { kept = corner } else { over = corner }
        }
        kept
    }
}
