//! Counts by slots of time, for sparklines. Slots are aligned to the epoch, so adding and taking away are exact.

use std::collections::BTreeMap;

use super::Sign;
use super::sign::{Summed as _, sums};
use crate::outcome::Settled;
use crate::pricing::CostSum;
use crate::units::{Instant, Span};

sums! {
    /// What happened in one slot of time.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct Slot {
        /// Operations.
        pub requests: u64,
        /// Operations without an answer.
        pub errors: u64,
        /// Operations that went up the ladder.
        pub escalated: u64,
        /// Their cost.
        pub cost: CostSum,
    }
}

/// Slots by number since the epoch; empty ones are absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trend {
    slot: Span,
    slots: BTreeMap<i64, Slot>,
}

impl Trend {
    /// Starts a trend with slots of a given length (at least a millisecond).
    pub fn new(slot: Span) -> Self {
        Self { slot: Span(slot.0.max(1000)), slots: BTreeMap::new() }
    }

    /// Returns the length of a slot.
    pub fn slot(&self) -> Span {
        self.slot
    }

    /// Adds or takes away an operation.
    pub fn apply(&mut self, at: Instant, settled: &Settled, sign: Sign) {
        let number = at.0.div_euclid(self.slot.0);
        let mut one = Slot {
            requests: 1,
            errors: u64::from(!settled.status.is_ok()),
            escalated: u64::from(settled.escalated),
            ..Slot::default()
        };
        one.cost.add_operation(settled.costs());
        match sign {
            Sign::Plus => self.slots.entry(number).or_default().sum(&one, sign),
            Sign::Minus => {
                if let Some(slot) = self.slots.get_mut(&number) {
                    slot.sum(&one, sign);
                    if slot.requests == 0 {
                        self.slots.remove(&number);
                    }
                }
            }
        }
    }

    /// Returns the slots that cover `from..to`, empty ones as `None`; at most `most`, the latest ones.
    pub fn series(&self, from: Instant, to: Instant, most: usize) -> Vec<Option<Slot>> {
        let last = (to.0 - 1).max(from.0).div_euclid(self.slot.0);
        let first = from
            .0
            .div_euclid(self.slot.0)
            .max(last - i64::try_from(most).unwrap_or(i64::MAX).saturating_sub(1));
        (first..=last).map(|number| self.slots.get(&number).copied()).collect()
    }
}
