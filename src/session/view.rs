//! Sums over a window of operations, slid along the log by adding at the head and taking away at the tail.

use std::sync::Arc;

use super::frontiers::Frontiers;
use super::{Log, PolicySpan, Reading, settle_one};
use crate::outcome::{Evidence, Settled};
use crate::routing::Policy;
use crate::telemetry::{Sign, Totals, Trend};
use crate::units::Span;

/// Slots of the trend over a window.
const TREND_SLOTS: i64 = 120;

/// Returns how long a slot of the trend is, over a window or the whole log.
pub(super) fn trend_slot(log: &Log, window: Option<Span>) -> Span {
    let span = window.unwrap_or_else(|| log.span());
    Span((span.0 / TREND_SLOTS).max(1_000_000))
}

/// The sums of one window.
#[derive(Clone, Debug)]
pub(super) struct View {
    first: usize,
    end: usize,
    /// The sums.
    pub(super) totals: Totals,
    /// The frontiers.
    pub(super) frontiers: Frontiers,
    /// The trend.
    pub(super) trend: Trend,
    scratch: Settled,
}

impl View {
    /// Starts an empty window at an operation.
    pub(super) fn new(at: usize, trend_slot: Span) -> Self {
        Self {
            first: at,
            end: at,
            totals: Totals::default(),
            frontiers: Frontiers::default(),
            trend: Trend::new(trend_slot),
            scratch: Settled::default(),
        }
    }

    /// Returns the operations covered.
    pub(super) fn range(&self) -> (usize, usize) {
        (self.first, self.end)
    }

    /// Adds or takes away one operation whose outcome under the policy in force at it is known.
    fn apply(
        &mut self,
        log: &Log,
        policy: &Arc<Policy>,
        evidence: &Evidence<'_>,
        settled: &Settled,
        sign: Sign,
    ) {
        self.totals.apply(evidence, settled, sign);
        self.trend.apply(evidence.operation.at, settled, sign);
        self.frontiers.apply(policy, evidence, settled.route, &log.outlook(), sign);
    }

    /// Adds the operation at the window's end.
    pub(super) fn push(
        &mut self,
        log: &Log,
        policy: &Arc<Policy>,
        evidence: &Evidence<'_>,
        settled: &Settled,
    ) {
        self.apply(log, policy, evidence, settled, Sign::Plus);
        self.end += 1;
    }

    /// Takes in an operation that came in between others, behind the window's end; `outside` says that it arrived before
    /// the window's time. What was at its index and after it has moved on by one.
    pub(super) fn take_in(
        &mut self,
        log: &Log,
        (index, outside): (usize, bool),
        policy: &Arc<Policy>,
        evidence: &Evidence<'_>,
        settled: &Settled,
    ) {
        if index < self.first || (index == self.first && outside) {
            self.first += 1;
        } else {
            self.apply(log, policy, evidence, settled, Sign::Plus);
        }
        self.end += 1;
    }

    fn settle_and_apply(
        &mut self,
        log: &Log,
        index: usize,
        reading: Reading,
        policies: &[PolicySpan],
        sign: Sign,
    ) {
        let Some(recalled) = log.history.recall(index) else { return };
        let evidence = recalled.evidence();
        let Some(policy) = PolicySpan::in_force(policies, index) else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        settle_one(&evidence, reading, policy, &log.outlook(), &mut scratch);
        self.apply(log, policy, &evidence, &scratch, sign);
        self.scratch = scratch;
    }

    /// Takes operations away at the tail until the window starts at `first`.
    pub(super) fn drop_before(&mut self, log: &Log, first: usize, reading: Reading, policies: &[PolicySpan]) {
        while self.first < first.min(self.end) {
            self.settle_and_apply(log, self.first, reading, policies, Sign::Minus);
            self.first += 1;
        }
    }

    /// Moves the window to `first..end`, sliding or starting anew, whichever touches fewer operations.
    pub(super) fn move_to(
        &mut self,
        log: &Log,
        first: usize,
        end: usize,
        reading: Reading,
        policies: &[PolicySpan],
    ) {
        let slide = self.first.abs_diff(first) + self.end.abs_diff(end);
        if slide >= end.saturating_sub(first) {
            let mut fresh = Self::new(first, self.trend.slot());
            std::mem::swap(&mut fresh.scratch, &mut self.scratch);
            *self = fresh;
        }
        while self.end < end {
            self.settle_and_apply(log, self.end, reading, policies, Sign::Plus);
            self.end += 1;
        }
        while self.first > first {
            self.first -= 1;
            self.settle_and_apply(log, self.first, reading, policies, Sign::Plus);
        }
        while self.end > end {
            self.end -= 1;
            self.settle_and_apply(log, self.end, reading, policies, Sign::Minus);
        }
        self.drop_before(log, first, reading, policies);
    }
}
