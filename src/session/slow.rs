//! What the limits of a policy on streams would have done to the streams of a log.
//!
//! Invariant: a stream of which the log does not tell what a limit looks at is counted as unknown, never as quick.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::outcome::Evidence;
use crate::pricing::PriceTable;
use crate::routing::{Mode, NO_RUNG, Policy, Status, StreamFigures, StreamLimit, match_route};

/// How many streams a limit would have cut, by route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlowStreams(BTreeMap<Key, SlowTally>);

/// A route's name, a limit and its value.
type Key = (Arc<str>, StreamLimit, u32);

/// What one limit would have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlowTally {
    /// Calls of the route whose answers came as streams.
    pub streams: u64,
    /// Those that it would have cut.
    pub stopped: u64,
    /// Those of which the log does not tell enough.
    pub unknown: u64,
}

impl SlowStreams {
    /// Adds the calls of one operation, as the log has them.
    pub fn add(&mut self, policy: &Policy, evidence: &Evidence<'_>, prices: &PriceTable) {
        if !policy.limits_streams() {
            return;
        }
        let route = policy.route(match_route(policy, &evidence.operation.signals()));
        let particulars = evidence.extra.map_or(&[][..], |extra| extra.particulars.as_slice());
        let error = evidence.extra.map_or("", |extra| &*extra.error);
        // Whoever asked for a stream asked each model for one.
        let is_stream =
            error.contains("(stream.") || evidence.attempts().any(|call| call.ttft.get().is_some());
        let last = evidence.attempts().count().saturating_sub(1);
        for (at, call) in evidence.attempts().enumerate() {
            let has_broken_off = matches!(call.status, Status::Timeout | Status::Truncated);
            let never_began = call.ttft.get().is_none();
            // An answer in one piece has no first byte of its own; one that never came might have been a stream.
            if never_began && !matches!(call.status, Status::Timeout) || !call.status.is_call() {
                continue;
            }
            let rung = route.ladder.iter().position(|rung| prices.same(rung.model, call.model));
            let operation = evidence.operation;
            let is_free = !operation.pinned || (route.mode == Mode::Active && !route.pins(operation.class));
            let rung = rung.filter(|_| is_free).and_then(|rung| u8::try_from(rung).ok());
            let limits = route.limits(rung.unwrap_or(NO_RUNG));
            let figures = StreamFigures {
                ttft_ms: call.ttft.get(),
                gap_ms: particulars.get(at).and_then(|found| found.gap.get()),
                latency_ms: call.latency.get(),
                output: call.usage.output.get(),
            };
            for limit in StreamLimit::ALL {
                let Some(value) = limits.get(limit) else { continue };
                let tally = self.0.entry((Arc::clone(&route.name), limit, value)).or_default();
                tally.streams += 1;
                let told = if at == last { silence(error) } else { None };
                let would = match limits.would_cut(limit, &figures) {
                    None if never_began && is_stream && limit == StreamLimit::FirstByte => {
                        figures.latency_ms.filter(|waited| *waited >= u64::from(value)).map(|_| true)
                    }
                    // How long it was silent at its end stands nowhere else.
                    None | Some(false) if has_broken_off && limit == StreamLimit::Gap => {
                        told.filter(|silent| *silent >= value).map(|_| true)
                    }
                    Some(false) if has_broken_off && limit == StreamLimit::Rate => None,
                    would => would,
                };
                match would {
                    Some(true) => tally.stopped += 1,
                    Some(false) => {}
                    None => tally.unknown += 1,
                }
            }
        }
    }

    /// Lists what each limit would have done: route, limit, its value, tally.
    pub fn rows(&self) -> impl Iterator<Item = (&str, StreamLimit, u32, SlowTally)> {
        self.0.iter().map(|((route, limit, value), tally)| (&**route, *limit, *value, *tally))
    }
}

/// Returns the silence, in milliseconds, for which a stream was ended, where an error says so as the gateway does.
fn silence(error: &str) -> Option<u32> {
    let (_, rest) = error.split_once(" sent nothing for ")?;
    let (millis, rest) = rest.split_once(" ms ")?;
    millis.parse().ok().filter(|_| rest.contains("(stream.gap "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_own_word_on_a_silence_is_understood_and_no_others() {
        let said = "gpt-x sent nothing for 1000 ms in the middle of an answer (stream.gap of route code)";
        assert_eq!(silence(said), Some(1_000));
        for other in ["", "sent nothing for 1000 ms", "x sent nothing for long ms (stream.gap of route code)"]
        {
            assert_eq!(silence(other), None, "{other}");
        }
    }
}
