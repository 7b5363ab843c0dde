//! Calls that a gateway made beside the traffic of a log: told of, and in no other figure.

use crate::pricing::CostSum;
use crate::record::Record;

/// How many there were, and what they cost as charged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shadowed {
    /// Calls.
    pub calls: u64,
    /// What they cost.
    pub cost: CostSum,
    /// Of requests that were classified a second time, besides.
    pub second_calls: u64,
    /// What those cost.
    pub second_cost: CostSum,
}

impl Shadowed {
    /// Takes one in, where it is one; says whether it is.
    pub(super) fn take(&mut self, record: &Record<'_>) -> bool {
        if !record.is_beside() {
            return false;
        }
        let (calls, sum) = if record.is_second_stage() {
            (&mut self.second_calls, &mut self.second_cost)
        } else {
            (&mut self.calls, &mut self.cost)
        };
        for attempt in &record.attempts {
            *calls += 1;
            match attempt.charged.cost() {
                Some(cost) => sum.add(cost),
                None => sum.unknown += 1,
            }
        }
        true
    }
}
