//! Draws for one synthetic answer: each is a function of seed, request, try and purpose, so that none moves another.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::config::providers::SimulatedSpec;
use crate::providers::wait;
use crate::units::PerMille;

pub(super) const RATE_LIMITED: u64 = 1;
pub(super) const SERVER_ERROR: u64 = 2;
pub(super) const WHICH_ERROR: u64 = 3;
pub(super) const RETRY_AFTER: u64 = 4;
pub(super) const CUT: u64 = 5;
pub(super) const CUT_AT: u64 = 6;
pub(super) const SLOW: u64 = 7;
pub(super) const FIRST_BYTE: u64 = 8;
pub(super) const LENGTH: u64 = 9;
/// A place of the text that no text reaches.
pub(super) const TOOL: u64 = 1 << 31;
pub(super) const TEXT: u64 = 1 << 32;

/// Sixteen equally likely values of a log-normal distribution (sigma 0.6), in thousandths of its median.
const SPREAD: [u64; 16] =
    [328, 453, 546, 626, 706, 787, 866, 953, 1049, 1155, 1271, 1416, 1597, 1832, 2208, 3053];

fn spread(draw: u64) -> u64 {
    usize::try_from(draw % 16).ok().and_then(|at| SPREAD.get(at)).copied().unwrap_or(1000)
}

/// The draws for one answer.
pub(super) struct Draws {
    /// The same for each try of a request: what it says.
    request: u64,
    /// Another for each try: whether and how fast it comes.
    attempt: u64,
}

impl Draws {
    pub(super) fn new(seed: u64, body: &[u8], attempt: u32) -> Self {
        let hash = Sha256::digest(body);
        let number = hash.iter().take(8).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        let request = wait::draw(seed, number);
        Self { request, attempt: wait::draw(request, u64::from(attempt)) }
    }

    pub(super) fn hits(&self, share: PerMille, purpose: u64) -> bool {
        wait::draw(self.attempt, purpose) % 1000 < u64::from(share.get())
    }

    pub(super) fn below(&self, bound: u64, purpose: u64) -> u64 {
        wait::draw(self.attempt, purpose) % bound.max(1)
    }

    /// Returns a number for what the answer says; `n` tells its places apart.
    pub(super) fn text(&self, n: u64) -> u64 {
        wait::draw(self.request, TEXT + n)
    }

    /// Returns a word for ids.
    pub(super) fn id(&self) -> String {
        format!("{:016x}", self.request)
    }

    /// Spreads a median.
    pub(super) fn length(&self, median: u64) -> u64 {
        (median * spread(wait::draw(self.request, LENGTH)) / 1000).max(1)
    }

    /// Returns the wait for the first piece.
    pub(super) fn first_byte(&self, spec: &SimulatedSpec, model: &str) -> Duration {
        let spread = spread(wait::draw(self.attempt, FIRST_BYTE));
        let slow = if self.hits(spec.slow, SLOW) { 10 } else { 1 };
        let thousandths = u32::try_from(spread * slow * pace(model) / 1000).unwrap_or(1000);
        scaled(spec.first_byte, spec) * thousandths / 1000
    }

    /// Returns the wait for each word.
    pub(super) fn per_word(spec: &SimulatedSpec, model: &str) -> Duration {
        scaled(spec.per_word, spec) * u32::try_from(pace(model)).unwrap_or(1000) / 1000
    }
}

fn scaled(span: Duration, spec: &SimulatedSpec) -> Duration {
    // Speed zero does not wait at all.
    span.saturating_mul(100).checked_div(spec.speed).unwrap_or_default()
}

/// Returns how long a model takes, in thousandths of the usual, guessed from its name: small ones are quick.
fn pace(model: &str) -> u64 {
    let has = |words: &[&str]| words.iter().any(|word| model.contains(word));
    match () {
        () if has(&["nano", "lite", "small", "haiku", "mini", "flash"])
            && !model.starts_with("gemini-pro") =>
        {
            550
        }
        () if has(&["opus", "large", "pro", "o1", "o3"]) => 1700,
        () => 1000,
    }
}
