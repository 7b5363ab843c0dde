//! Calls that a gateway made beside the traffic of a log: told of, and in no other figure.

use crate::pricing::{Cost, CostSum};
use crate::record::Record;
use crate::units::Instant;

/// A call, by its moment.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Made {
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
    /// The same one by one: answers made again and judgements, in order of time.
    runs: Vec<Made>,
    /// Of requests that were classified a second time, besides: in order of time.
    second: Vec<Made>,
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
            let calls = if is_second { &mut self.second } else { &mut self.runs };
            let place = calls.partition_point(|call| call.at <= record.at);
            calls.insert(place, Made { at: record.at, cost });
            if !is_second {
                self.calls += 1;
                add(&mut self.cost, cost);
            }
        }
        true
    }

    /// Says how many calls classified a request a second time over a stretch, its ends included, and what they cost.
    pub fn second_stage(&self, from: Instant, to: Instant) -> (u64, CostSum) {
        between(&self.second, from, to)
    }

    /// Says how many calls shadow runs made over a stretch, their judge's among them, and what they cost.
    pub fn shadow_runs(&self, from: Instant, to: Instant) -> (u64, CostSum) {
        between(&self.runs, from, to)
    }

    /// Lets those go that came before a moment.
    pub(super) fn let_go(&mut self, before: Instant) {
        for calls in [&mut self.second, &mut self.runs] {
            let gone = calls.partition_point(|call| call.at < before);
            calls.drain(..gone);
        }
    }
}

fn between(calls: &[Made], from: Instant, to: Instant) -> (u64, CostSum) {
    let first = calls.partition_point(|call| call.at < from);
    let calls = calls.iter().skip(first).take_while(|call| call.at <= to);
    calls.fold((0, CostSum::default()), |(calls, mut sum), call| {
        add(&mut sum, call.cost);
        (calls + 1, sum)
    })
}

fn add(sum: &mut CostSum, cost: Option<Cost>) {
    match cost {
        Some(cost) => sum.add(cost),
        None => sum.unknown += 1,
    }
}
