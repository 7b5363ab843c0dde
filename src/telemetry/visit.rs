//! The calls of one operation to one model, added up.

use crate::outcome::{Choice, Evidence, Outlook, Spread, visit};
use crate::pricing::Cost;
use crate::routing::{Check, Status};

/// All calls of one operation to one model, retries included; the last one decides what follows.
#[derive(Default)]
pub(super) struct Visit {
    pub(super) known: i128,
    pub(super) estimated: i128,
    pub(super) unknown: bool,
    pub(super) spread: Spread,
    pub(super) input: u64,
    pub(super) output: u64,
    /// Waits included.
    pub(super) latency: Option<u64>,
    /// Whether any of them was made.
    pub(super) called: bool,
    pub(super) status: Status,
    pub(super) check: Check,
    pub(super) quality: Option<u64>,
}

impl Visit {
    /// Adds up what a choice did with an operation.
    pub(super) fn new(evidence: &Evidence<'_>, choice: Choice<'_>, outlook: &Outlook<'_>) -> Self {
        let label = evidence.label(choice.model, outlook.prices).and_then(|label| label.quality);
        let quality = label.map(|quality| u64::from(quality.get()));
        let mut sums = Self { latency: Some(0), quality, ..Self::default() };
        for attempt in visit(evidence, choice, outlook) {
            match attempt.cost {
                Cost::Known(amount) => sums.known += amount.0,
                Cost::Estimated(amount) => sums.estimated += amount.0,
                Cost::Unknown(_) => sums.unknown = true,
            }
            sums.spread.add(attempt.spread);
            sums.input += attempt.usage.prompt().unwrap_or(0);
            sums.output += attempt.usage.output.or_zero();
            let is_call = attempt.status.is_call();
            let took = if is_call { attempt.latency.get() } else { Some(0) };
            sums.latency = sums.latency.zip(took).map(|(a, b)| a + b + u64::from(attempt.waited));
            sums.called |= is_call;
            (sums.status, sums.check) = (attempt.status, attempt.check);
        }
        sums
    }
}
