//! The sums of one slice of traffic: a model, a team, a route, or all of it.

use super::sign::{Summed as _, sums};
use super::{Latencies, Sign};
use crate::outcome::{Attempt, Settled, Spread};
use crate::pricing::{CostSum, Usage};
use crate::units::{Millis, Pico};

sums! {
    /// Sums of known token counts by bucket.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
    pub struct TokenSums {
        /// Fresh prompt tokens.
        pub input: u64,
        /// Prompt tokens read from cache.
        pub cache_read: u64,
        /// Prompt tokens written to a 5-minute cache.
        pub write_5m: u64,
        /// Prompt tokens written to a 1-hour cache.
        pub write_1h: u64,
        /// Answer tokens, reasoning included.
        pub output: u64,
        /// The part of `output` that was reasoning, where told.
        pub reasoning: u64,
    }
}

impl TokenSums {
    pub(super) fn apply(&mut self, usage: &Usage, sign: Sign) {
        sign.count(&mut self.input, usage.input.or_zero());
        sign.count(&mut self.cache_read, usage.cache_read.or_zero());
        sign.count(&mut self.write_5m, usage.write_5m.or_zero());
        sign.count(&mut self.write_1h, usage.write_1h.or_zero());
        sign.count(&mut self.output, usage.output.or_zero());
        sign.count(&mut self.reasoning, usage.reasoning.or_zero());
    }

    /// Returns the cache writes of both lifetimes.
    pub fn cache_write(&self) -> u64 {
        self.write_5m + self.write_1h
    }

    /// Returns all prompt tokens.
    pub fn prompt(&self) -> u64 {
        self.input + self.cache_read + self.write_5m + self.write_1h
    }
}

sums! {
    /// The sums of one slice of traffic.
    #[derive(Clone, Debug, PartialEq, Default)]
    pub struct Cell {
        /// Operations; at a model, those that ended there.
        pub requests: u64,
        /// Those that were answered.
        pub answered: u64,
        /// Calls to models.
        pub attempts: u64,
        /// Calls that were not made, as a breaker, a quota or a limit stood before them; in no other count.
        pub not_made: u64,
        /// Operations that ended without an answer; at a model, calls that were made and did.
        pub errors: u64,
        /// Operations that went up the ladder.
        pub escalated: u64,
        /// Calls whose prompt was read from cache, at least in part.
        pub cache_hits: u64,
        /// Calls whose tokens are not all known.
        pub tokens_unknown: u64,
        /// Operations with at least one estimated call.
        pub estimated: u64,
        /// Tokens.
        pub tokens: TokenSums,
        /// Cost, per operation; at a model, per call.
        pub cost: CostSum,
        /// How far off the estimated part of the cost may be.
        pub spread: Spread,
        /// What the baseline model would have cost, over operations where both are known.
        pub baseline: CostSum,
        /// The cost of just those operations.
        pub compared: Pico,
        /// How many those operations are.
        pub comparable: u64,
        /// Latency, per operation; at a model, per call.
        pub latency: Latencies,
        /// Sum of known quality in per mille, over `labelled` operations.
        pub quality: u64,
        /// Operations where the answering model has a label.
        pub labelled: u64,
        /// What calls were expected to cost with what caches hold, at their models; of those that were answered and whose cost is known.
        pub expected: Pico,
        /// What just those calls cost.
        pub billed: Pico,
        /// How many those calls are.
        pub foretold: u64,
    }
}

impl Cell {
    /// Makes it, empty so far, the sums of one operation, but for its latency.
    #[inline]
    pub(super) fn fill(&mut self, settled: &Settled) {
        self.requests = 1;
        self.answered = u64::from(settled.status.is_ok());
        self.errors = u64::from(!settled.status.is_ok());
        self.escalated = u64::from(settled.escalated);
        self.estimated = u64::from(settled.attempts.iter().any(Attempt::is_estimate));
        for attempt in &settled.attempts {
            self.usage(attempt, Sign::Plus);
        }
        self.cost.add_operation(settled.costs());
        if let (Some(cost), Some(_)) = (settled.cost.amount(), settled.baseline.amount()) {
            self.comparable = 1;
            self.baseline.add(settled.baseline);
            self.compared = cost;
        }
        self.quality = settled.quality.map_or(0, |quality| u64::from(quality.get()));
        self.labelled = u64::from(settled.quality.is_some());
    }

    /// Adds or takes away the sums of an operation.
    #[inline]
    pub(super) fn operation(&mut self, one: &Self, latency: Millis, sign: Sign) {
        self.sum(one, sign);
        self.latency.apply(latency, sign);
    }

    /// Adds or takes away one call at its model; `last` where the operation ended with it.
    pub(super) fn attempt(&mut self, attempt: &Attempt, last: bool, escalated: bool, sign: Sign) {
        sign.count(&mut self.requests, u64::from(last));
        sign.count(&mut self.answered, u64::from(last && attempt.status.is_ok()));
        sign.count(&mut self.escalated, u64::from(last && escalated));
        // What was not made costs nothing, unless the log says that it was charged.
        match sign {
            Sign::Plus => self.cost.add(attempt.cost),
            Sign::Minus => self.cost.remove(attempt.cost),
        }
        if !attempt.status.is_call() {
            return self.usage(attempt, sign);
        }
        sign.count(&mut self.errors, u64::from(!attempt.status.is_ok()));
        sign.count(&mut self.estimated, u64::from(attempt.is_estimate()));
        self.usage(attempt, sign);
        self.latency.apply(attempt.latency, sign);
    }

    fn usage(&mut self, attempt: &Attempt, sign: Sign) {
        if !attempt.status.is_call() {
            return sign.count(&mut self.not_made, 1);
        }
        sign.count(&mut self.attempts, 1);
        sign.count(&mut self.cache_hits, u64::from(attempt.usage.cache_read.or_zero() > 0));
        sign.count(&mut self.tokens_unknown, u64::from(!attempt.usage.is_complete()));
        self.tokens.apply(&attempt.usage, sign);
        self.spread.sum(&attempt.spread, sign);
    }

    /// Adds another cell.
    pub fn merge(&mut self, other: &Self) {
        self.sum(other, Sign::Plus);
    }

    /// Adds or takes away a call that was expected to cost something, beside what it cost.
    pub(super) fn foretold(&mut self, expected: Pico, billed: Pico, sign: Sign) {
        sign.count(&mut self.foretold, 1);
        self.expected.sum(&expected, sign);
        self.billed.sum(&billed, sign);
    }

    /// Returns by how many thousandths of what was billed more was expected, less where negative; none where nothing was.
    pub fn bias(&self) -> Option<i64> {
        if self.foretold == 0 || self.billed.0 <= 0 {
            return None;
        }
        i64::try_from((self.expected - self.billed).0.saturating_mul(1000) / self.billed.0).ok()
    }

    /// Returns what was saved against the baseline, over operations where both are known.
    pub fn saved(&self) -> Pico {
        self.baseline.total() - self.compared
    }

    /// Returns the half-width of a 95% interval of the cost.
    pub fn cost_error(&self) -> Pico {
        self.spread.half_width()
    }

    /// Says whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        self.requests == 0 && self.attempts == 0 && self.not_made == 0
    }
}
