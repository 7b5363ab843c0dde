//! What happened in one slot of time, as integer sums; enough of squares is kept to know how far an average may be off.
//!
//! Invariant: sums of integers, so slots add up to any window and windows of several logs to one.

use std::ops::AddAssign;

use crate::units::Pico;

/// Sums over requests, or over the calls to one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Tally {
    /// Requests; for a model, calls.
    pub requests: u64,
    /// Calls to models.
    pub calls: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Requests that went up the ladder; for a model, calls whose answer was not taken.
    pub escalated: u64,
    /// What is known of their cost.
    pub cost: Pico,
    /// Requests whose whole cost is known.
    pub priced: u64,
    /// The cost of those.
    pub whole: Pico,
    /// The squares of those costs, in square micro-dollars.
    pub cost_squares: u128,
    /// Requests whose tokens are known.
    pub counted: u64,
    /// Their tokens, prompt and answer.
    pub tokens: u64,
    /// The squares of those.
    pub token_squares: u128,
    /// Prompt tokens of requests that tell what was read from caches.
    pub prompt: u64,
    /// The part read from caches.
    pub cached: u64,
    /// Requests that tell.
    pub cache_told: u64,
    /// Answered requests whose latency is known.
    pub timed: u64,
    /// The natural logarithms of those latencies in milliseconds, in thousandths.
    pub latency_logs: u64,
    /// The squares of those.
    pub latency_log_squares: u128,
}

impl Tally {
    /// Counts what one request, or one call, cost.
    pub fn spend(&mut self, known: Pico, is_whole: bool) {
        self.cost += known;
        if is_whole {
            let micros = known.0.unsigned_abs() / 1_000_000;
            self.priced += 1;
            self.whole += known;
            self.cost_squares = self.cost_squares.saturating_add(micros.saturating_mul(micros));
        }
    }

    /// Counts its tokens, where they are known.
    pub fn count(&mut self, tokens: Option<u64>) {
        let Some(tokens) = tokens else { return };
        self.counted += 1;
        self.tokens = self.tokens.saturating_add(tokens);
        let square = u128::from(tokens).saturating_mul(u128::from(tokens));
        self.token_squares = self.token_squares.saturating_add(square);
    }

    /// Counts how much of its prompt was read from a cache, where that is known.
    pub fn cache(&mut self, prompt: Option<u64>, read: Option<u64>) {
        if let (Some(prompt @ 1..), Some(read)) = (prompt, read) {
            self.cache_told += 1;
            self.prompt = self.prompt.saturating_add(prompt);
            self.cached = self.cached.saturating_add(read);
        }
    }

    /// Counts how long it took.
    pub fn time(&mut self, millis: u64) {
        let log = (millis.max(1) as f64).ln() * 1000.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 45,000 by the line above"
        )]
        let log = log.round() as u64;
        self.timed += 1;
        self.latency_logs += log;
        self.latency_log_squares += u128::from(log) * u128::from(log);
    }
}

impl AddAssign<&Tally> for Tally {
    fn add_assign(&mut self, other: &Tally) {
        self.requests += other.requests;
        self.calls += other.calls;
        self.failed += other.failed;
        self.escalated += other.escalated;
        self.cost += other.cost;
        self.priced += other.priced;
        self.whole += other.whole;
        self.cost_squares = self.cost_squares.saturating_add(other.cost_squares);
        self.counted += other.counted;
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.token_squares = self.token_squares.saturating_add(other.token_squares);
        self.prompt = self.prompt.saturating_add(other.prompt);
        self.cached = self.cached.saturating_add(other.cached);
        self.cache_told += other.cache_told;
        self.timed += other.timed;
        self.latency_logs += other.latency_logs;
        self.latency_log_squares = self.latency_log_squares.saturating_add(other.latency_log_squares);
    }
}
