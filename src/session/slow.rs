//! What the limits of a policy on streams would have done to the streams of a log.
//!
//! Invariant: a stream of which the log does not tell what a limit looks at is counted as unknown, never as quick.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::outcome::Evidence;
use crate::pricing::PriceTable;
use crate::routing::{NO_RUNG, Policy, Status, StreamFigures, StreamLimit, match_route};

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
    pub cut: u64,
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
        for (at, call) in evidence.attempts().enumerate() {
            // An answer in one piece has no first byte of its own.
            if call.ttft.get().is_none() || matches!(call.status, Status::Unavailable) {
                continue;
            }
            let rung = route.ladder.iter().position(|rung| prices.same(rung.model, call.model));
            let rung = rung.filter(|_| !evidence.operation.pinned).and_then(|rung| u8::try_from(rung).ok());
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
                match limits.would_cut(limit, &figures) {
                    Some(true) => tally.cut += 1,
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
