//! A cost as it was charged once, in eight bytes, and what such charges come to beside the given prices.
//!
//! Invariant: a charge that is there gives back the very cost; one too large to be held is as if it had not been told.

use super::{Cost, CostSum, Unpriced};
use crate::units::Pico;

/// A charge that a log tells, or none.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Charged(i64);

/// Bits for the kind: 0 none, 1 known, 2 estimated, from 3 on the reasons of an unknown cost.
const KIND: u32 = 3;
const _: () = assert!(Unpriced::ALL.len() + 3 <= 1 << KIND, "every reason has a kind");

impl Charged {
    /// Nothing told.
    pub const NONE: Self = Self(0);

    /// Holds a cost.
    pub fn new(cost: Cost) -> Self {
        let kind = match cost {
            Cost::Known(_) => 1,
            Cost::Estimated(_) => 2,
            Cost::Unknown(why) => 3 + why as i64,
        };
        let amount = i64::try_from(cost.amount().unwrap_or(Pico::ZERO).0).ok();
        let packed = amount.and_then(|amount| amount.checked_mul(1 << KIND));
        Self(packed.map_or(0, |packed| packed | kind))
    }

    /// Returns the cost that was charged.
    pub fn cost(self) -> Option<Cost> {
        let amount = Pico(i128::from(self.0 >> KIND));
        match self.0 & ((1 << KIND) - 1) {
            0 => None,
            1 => Some(Cost::Known(amount)),
            2 => Some(Cost::Estimated(amount)),
            why => {
                let place = usize::try_from(why - 3).unwrap_or(usize::MAX);
                Unpriced::ALL.get(place).copied().map(Cost::Unknown)
            }
        }
    }
}

impl std::fmt::Debug for Charged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.cost().fmt(f)
    }
}

/// What a log's own charges come to, and what the given prices make of the same calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recharge {
    /// Operations whose log tells what was charged.
    pub requests: u64,
    /// Those of them that the given prices would charge otherwise.
    pub differing: u64,
    /// What was charged.
    pub charged: CostSum,
    /// What the given prices make of it.
    pub priced: CostSum,
}

impl Recharge {
    /// Adds an operation by its calls: what was charged, and what it would be now. `calls` goes through them anew each time.
    pub fn add<I: Iterator<Item = (Cost, Cost)>>(&mut self, calls: impl Fn() -> I) {
        let mut found = None;
        for (charged, priced) in calls() {
            *found.get_or_insert(false) |= charged != priced;
        }
        let Some(differs) = found else { return };
        self.requests += 1;
        self.differing += u64::from(differs);
        self.charged.add_operation(calls().map(|(charged, _)| charged));
        self.priced.add_operation(calls().map(|(_, priced)| priced));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_gives_back_the_very_cost() {
        let amounts = [0, 1, 16_912_000_000, 1_000_000 * 1_000_000_000_000].map(Pico);
        let costs = amounts.into_iter().flat_map(|amount| [Cost::Known(amount), Cost::Estimated(amount)]);
        for cost in costs.chain(Unpriced::ALL.map(Cost::Unknown)) {
            assert_eq!(Charged::new(cost).cost(), Some(cost));
        }
        assert_eq!(Charged::NONE.cost(), None);
        assert_eq!(Charged::new(Cost::Known(Pico(i128::MAX))), Charged::NONE);
    }
}
