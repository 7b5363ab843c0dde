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
}

impl Shadowed {
    /// Takes one in, where it is one; says whether it is.
    pub(super) fn take(&mut self, record: &Record<'_>) -> bool {
        if !record.is_beside() {
            return false;
        }
        for attempt in &record.attempts {
            self.calls += 1;
            match attempt.charged.cost() {
                Some(cost) => self.cost.add(cost),
                None => self.cost.unknown += 1,
            }
        }
        true
    }
}
