//! The sums of a run: what was sent, what came back, what it cost.

use std::collections::BTreeMap;

use super::{Answer, Cap};
use crate::telemetry::{Latencies, Percentiles, Sign};
use crate::units::{Millis, OTHERS, Span};

/// The most different models told apart; a server can send any text as a name.
const MOST_MODELS: usize = 256;
const UNNAMED: &str = "(not named)";
/// The longest name kept.
const LONGEST_NAME: usize = 128;

/// The sums of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Requests sent.
    pub sent: u64,
    /// Answers served whole.
    pub ok: u64,
    /// Requests that ended otherwise.
    pub failed: u64,
    /// Requests that could not be sent when they were due, as too many were in flight or the cap was held by them.
    pub late: u64,
    /// Requests sent with words of ours instead of the log's.
    pub filler: u64,
    /// Requests sent as streams.
    pub streams: u64,
    /// Served answers that the gateway calls simulated.
    pub simulated: u64,
    /// How requests ended, by status or reason.
    pub endings: BTreeMap<String, u64>,
    /// Who served, by name.
    pub models: BTreeMap<String, u64>,
    /// How far the schedule has come: when the last request sent was due.
    pub reached: Span,
    /// Money.
    pub cap: Cap,
    latency: Latencies,
    first_byte: Latencies,
}

impl Tally {
    /// Starts with nothing sent.
    pub fn new(cap: Cap) -> Self {
        Self { cap, ..Self::default() }
    }

    /// Adds an answer; its cost is the cap's business.
    pub(super) fn add(&mut self, answer: &Answer) {
        *self.endings.entry(answer.ending.name()).or_default() += 1;
        if !answer.ending.is_ok() {
            self.failed += 1;
            return;
        }
        self.ok += 1;
        self.simulated += u64::from(answer.simulated);
        let name: String = answer.model.as_deref().unwrap_or(UNNAMED).chars().take(LONGEST_NAME).collect();
        let full = self.models.len() >= MOST_MODELS && !self.models.contains_key(&name);
        *self.models.entry(if full { OTHERS.to_owned() } else { name }).or_default() += 1;
        let millis =
            |time: std::time::Duration| Millis::new(u64::try_from(time.as_millis()).unwrap_or(u64::MAX - 1));
        self.latency.apply(millis(answer.latency), Sign::Plus);
        if let Some(first) = answer.first_byte {
            self.first_byte.apply(millis(first), Sign::Plus);
        }
    }

    /// Counts requests that are not answered yet.
    pub fn in_flight(&self) -> u64 {
        self.sent - self.ok - self.failed
    }

    /// Returns the latencies of served answers, to the last byte.
    pub fn latency(&self) -> Option<Percentiles> {
        self.latency.percentiles()
    }

    /// Returns their latencies to the first byte of the body.
    pub fn first_byte(&self) -> Option<Percentiles> {
        self.first_byte.percentiles()
    }
}
