//! Whether it pays to ask a cheap model first: how many of its requests go up the ladder, and how many may.
//!
//! Invariant: only requests count of which both costs are there; a cascade beats the strongest model as long as fewer than
//! `1 - c_cheap / c_strong` of its requests go up.

use super::Sign;
use super::sign::Summed;
use crate::units::{PerMille, Pico};

/// Requests that start below the strongest rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cascade {
    /// How many.
    pub requests: u64,
    /// How many of them went up.
    pub escalated: u64,
    /// What they cost on the rung that they start on, that alone.
    pub first: Pico,
    /// What they would cost on the strongest.
    pub strongest: Pico,
}

impl Cascade {
    /// Returns the share of requests that went up.
    pub fn rate(&self) -> Option<PerMille> {
        share(i128::from(self.escalated), i128::from(self.requests))
    }

    /// Returns the share below which asking first is cheaper than to ask the strongest at once: nothing where the first rung
    /// costs more than that.
    pub fn break_even(&self) -> Option<PerMille> {
        share(self.strongest.0.saturating_sub(self.first.0), self.strongest.0)
    }
}

fn share(part: i128, of: i128) -> Option<PerMille> {
    (of > 0).then(|| {
        PerMille::clamped(i64::try_from(Pico(part.saturating_mul(1000)).ratio(1, of).0).unwrap_or(0))
    })
}

impl Summed for Cascade {
    #[inline]
    fn sum(&mut self, other: &Self, sign: Sign) {
        sign.step(&mut self.requests, other.requests);
        sign.step(&mut self.escalated, other.escalated);
        self.first.sum(&other.first, sign);
        self.strongest.sum(&other.strongest, sign);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cascade_pays_below_one_less_the_ratio_of_costs() {
        let of = |escalated, first, strongest| {
            let cascade = Cascade { requests: 8, escalated, first: Pico(first), strongest: Pico(strongest) };
            (cascade.rate().map(PerMille::get), cascade.break_even().map(PerMille::get))
        };
        assert_eq!(of(1, 2, 10), (Some(125), Some(800)));
        assert_eq!(of(8, 11, 10), (Some(1000), Some(0)), "a first rung that costs more never pays");
        assert_eq!(of(0, 0, 0), (Some(0), None), "of what costs nothing there is no telling");
        assert_eq!(Cascade::default().rate(), None);
    }
}
