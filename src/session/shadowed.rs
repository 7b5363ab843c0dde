//! Calls that a gateway made beside the traffic of a log: told of, and in no other figure.

use crate::pricing::{Cost, CostSum};
use crate::record::Record;
use crate::units::Instant;

/// A call that classified a request a second time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Second {
    at: Instant,
    /// None where nobody can say.
    cost: Option<Cost>,
}

/// How many there were, and what they cost as charged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shadowed {
    /// Calls.
    pub calls: u64,
    /// What they cost.
    pub cost: CostSum,
    /// Of requests that were classified a second time, besides: in order of time.
    second: Vec<Second>,
}

impl Shadowed {
    /// Takes one in, where it is one; says whether it is.
    pub(super) fn take(&mut self, record: &Record<'_>) -> bool {
        if !record.is_beside() {
            return false;
        }
        let is_second = record.is_second_stage();
        for attempt in &record.attempts {
            let cost = attempt.charged.cost();
            if is_second {
                let place = self.second.partition_point(|call| call.at <= record.at);
                self.second.insert(place, Second { at: record.at, cost });
            } else {
                self.calls += 1;
                add(&mut self.cost, cost);
            }
        }
        true
    }

    /// Says how many calls classified a request a second time over a stretch, its ends included, and what they cost.
    pub fn second_stage(&self, from: Instant, to: Instant) -> (u64, CostSum) {
        let first = self.second.partition_point(|call| call.at < from);
        let calls = self.second.iter().skip(first).take_while(|call| call.at <= to);
        calls.fold((0, CostSum::default()), |(calls, mut sum), call| {
            add(&mut sum, call.cost);
            (calls + 1, sum)
        })
    }

    /// Lets those go that came before a moment.
    pub(super) fn let_go(&mut self, before: Instant) {
        let gone = self.second.partition_point(|call| call.at < before);
        self.second.drain(..gone);
    }
}

fn add(sum: &mut CostSum, cost: Option<Cost>) {
    match cost {
        Some(cost) => sum.add(cost),
        None => sum.unknown += 1,
    }
}
