//! The sums of one row of a report on spend.

use super::super::sign::{Summed as _, sums};
use super::super::{Sign, TokenSums};
use crate::outcome::{Evidence, Settled};
use crate::pricing::{Cost, CostSum};
use crate::units::Pico;

sums! {
    /// The sums of one row.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct SpendCell {
        /// Requests with a call in it.
        pub requests: u64,
        /// Calls that were made.
        pub calls: u64,
        /// Those of them that gave no answer.
        pub failed: u64,
        /// Tokens, as far as they are known.
        pub tokens: TokenSums,
        /// Calls whose tokens are not all known.
        pub tokens_unknown: u64,
        /// Cost.
        pub cost: CostSum,
        /// Calls of unknown cost.
        pub unknown_calls: u64,
        /// What the log says was charged.
        pub charged: CostSum,
        /// Requests whose log says what was charged.
        pub charged_requests: u64,
        /// What the requests with a cost and a baseline would have cost on the baseline model.
        pub baseline: Pico,
        /// What those requests cost.
        pub compared: Pico,
        /// How many they are.
        pub comparable: u64,
        /// Requests with a call that was made up.
        pub simulated_requests: u64,
        /// What such calls would have cost, which is in the cost, too.
        pub simulated: CostSum,
    }
}

impl SpendCell {
    /// Adds those calls of an operation that `is_own` takes, by their place; all of it where it takes all.
    pub(in crate::telemetry) fn add(
        &mut self,
        evidence: &Evidence<'_>,
        settled: &Settled,
        is_own: impl Fn(usize) -> bool + Copy,
    ) {
        self.requests += 1;
        let own = || settled.attempts.iter().enumerate().filter(move |(at, _)| is_own(*at));
        let mut is_whole = true;
        for (at, attempt) in settled.attempts.iter().enumerate() {
            if !is_own(at) {
                is_whole = false;
                continue;
            }
            self.unknown_calls += u64::from(matches!(attempt.cost, Cost::Unknown(_)));
            if attempt.status.is_call() {
                self.calls += 1;
                self.failed += u64::from(!attempt.status.is_ok());
                self.tokens.apply(&attempt.usage, Sign::Plus);
                self.tokens_unknown += u64::from(!attempt.usage.is_complete());
            }
        }
        self.cost.add_operation(own().map(|(_, attempt)| attempt.cost));
        if evidence.operation.simulated {
            let made_up = || own().filter(|(at, _)| evidence.is_made_up(*at));
            if made_up().next().is_some() {
                self.simulated_requests += 1;
                self.simulated.add_operation(made_up().map(|(_, attempt)| attempt.cost));
            }
        }
        if evidence.attempts().any(|call| call.charged.cost().is_some()) {
            let told = || {
                let calls = evidence.attempts().enumerate().filter(move |(at, _)| is_own(*at));
                calls.filter_map(|(_, call)| call.charged.cost())
            };
            if told().next().is_some() {
                self.charged_requests += 1;
                self.charged.add_operation(told());
            }
        }
        if let (true, Some(cost), Some(baseline)) =
            (is_whole, settled.cost.amount(), settled.baseline.amount())
        {
            self.baseline += baseline;
            self.compared += cost;
            self.comparable += 1;
        }
    }

    /// Adds the sums of another row.
    pub fn merge(&mut self, other: &Self) {
        self.sum(other, Sign::Plus);
    }
}
