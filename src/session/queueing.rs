//! A log run anew in the order of its arrivals, where requests wait for room in a budget.
//!
//! Invariants: whoever waits has not arrived: it is decided at the moment at which it is let in or refused; at each limit they
//! are let in first come, first served, before whoever arrives at that moment; each of them ends at its last moment at the latest.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fold::Fold;
use super::{Log, PolicySpan};
use crate::budget::Over;
use crate::outcome::{Evidence, Outlook, Settled};
use crate::routing::{Circumstance, Policy};
use crate::units::{Instant, Span};

/// A request that waits.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    index: usize,
    since: Instant,
    /// When it is refused where there is no room yet.
    until: Instant,
    /// When the limit that has no room starts anew, if it does.
    anew: Option<Instant>,
}

impl Waiter {
    fn new(index: usize, since: Instant, over: &Over) -> Self {
        Self { index, since, until: since + over.limit.wait, anew: over.resets_at }
    }

    /// Returns when it asks again of itself.
    fn asks(&self) -> Instant {
        self.anew.map_or(self.until, |anew| anew.min(self.until))
    }
}

/// What became of a request, at the moment at which it was let in or refused.
pub(super) struct Came<'c> {
    /// Its place in the log.
    pub(super) index: usize,
    /// The request, arrived at that moment.
    pub(super) evidence: &'c Evidence<'c>,
    /// The policy that decided.
    pub(super) policy: &'c Arc<Policy>,
    /// How things stood.
    pub(super) circumstance: &'c Circumstance,
    /// What it came to.
    pub(super) settled: &'c Settled,
}

/// A run.
struct Run<'r, F> {
    log: &'r Log,
    policies: &'r [PolicySpan],
    outlook: Outlook<'r>,
    fold: &'r mut Fold,
    take: F,
    waiting: BTreeMap<u64, Waiter>,
    /// The latest place in the log that has come.
    reached: usize,
}

/// Runs a log up to a place: every request in order of arrival, each decided under the policy of its time on how budgets stand.
/// `take` hears of each what became of it, in order of time, and may stop by answering false; says whether it did not.
pub(super) fn in_turn(
    log: &Log,
    fold: &mut Fold,
    (policies, end): (&[PolicySpan], usize),
    take: impl FnMut(Came<'_>) -> bool,
) -> bool {
    let range = (log.history.start(), end.min(log.len()));
    let waited = |evidence: &Evidence<'_>| evidence.extra.map_or(0, |extra| extra.waited);
    let outlook = log.outlook();
    let mut run = Run { log, policies, outlook, fold, take, waiting: BTreeMap::new(), reached: 0 };
    if log.history.range(range.0, range.1).all(|(_, evidence)| waited(&evidence) == 0) {
        let mut arrivals = log.history.range(range.0, range.1);
        return arrivals.all(|(index, evidence)| run.arrive(index, &evidence, evidence.operation.at))
            && run.let_time_pass(None);
    }
    // What waited while it was recorded arrived before the moment that the log tells.
    let came = |(index, evidence): (usize, Evidence<'_>)| {
        (evidence.operation.at + Span(-i64::from(waited(&evidence)).saturating_mul(1000)), index)
    };
    let mut order: Vec<(Instant, usize)> = log.history.range(range.0, range.1).map(came).collect();
    order.sort_unstable();
    let mut arrivals =
        order.into_iter().filter_map(|(at, index)| Some((index, log.history.evidence(index)?, at)));
    arrivals.all(|(index, evidence, at)| run.arrive(index, &evidence, at)) && run.let_time_pass(None)
}

impl<F: FnMut(Came<'_>) -> bool> Run<'_, F> {
    fn arrive(&mut self, index: usize, evidence: &Evidence<'_>, at: Instant) -> bool {
        if !self.let_time_pass(Some(at)) {
            return false;
        }
        self.reached = self.reached.max(index);
        match self.ask(index, evidence, (at, None), false) {
            Ok(goes_on) => goes_on && self.let_in_called(at),
            Err((turn, over)) => {
                self.waiting.insert(turn, Waiter::new(index, at, &over));
                true
            }
        }
    }

    /// Lets in or refuses those whose moment comes up to an arrival, or all; says whether it goes on.
    fn let_time_pass(&mut self, to: Option<Instant>) -> bool {
        loop {
            let next = self.waiting.iter().map(|(turn, waiter)| (waiter.asks(), *turn)).min();
            let Some((at, turn)) = next.filter(|(at, _)| to.is_none_or(|to| *at <= to)) else { return true };
            if !self.ask_again(turn, at) || !self.let_in_called(at) {
                return false;
            }
        }
    }

    /// Lets those ask again who were called; says whether it goes on.
    fn let_in_called(&mut self, at: Instant) -> bool {
        loop {
            let called = self.fold.called();
            if called.is_empty() {
                return true;
            }
            if !called.into_iter().all(|turn| self.ask_again(turn, at)) {
                return false;
            }
        }
    }

    fn ask_again(&mut self, turn: u64, at: Instant) -> bool {
        let Some(waiter) = self.waiting.get(&turn).copied() else { return true };
        let is_late = at >= waiter.until;
        let evidence = self.log.history.evidence(waiter.index);
        let asked = evidence.map(|evidence| self.ask(waiter.index, &evidence, (at, Some(turn)), is_late));
        if let Some(Err((_, over))) = asked {
            let still = Waiter::new(waiter.index, waiter.since, &over);
            self.waiting.insert(turn, still);
            return true;
        }
        self.waiting.remove(&turn);
        self.fold.leave(turn);
        asked.is_none_or(|asked| asked.unwrap_or(true))
    }

    /// Asks for a request at a moment; says whether it goes on.
    ///
    /// # Errors
    /// Where it waits: its turn, and the limit that has no room.
    fn ask(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        (at, turn): (Instant, Option<u64>),
        is_late: bool,
    ) -> Result<bool, (u64, Over)> {
        let mut operation = *evidence.operation;
        operation.at = at;
        let evidence = Evidence { operation: &operation, extra: evidence.extra };
        let of = self.reached.max(index);
        let span = self.policies.iter().rev().find(|span| span.from <= of).or(self.policies.first());
        let policy = span.map_or(&self.log.policy, |span| &span.policy);
        let asked = self.fold.arrive_or_wait(index, &evidence, policy, &self.outlook, (turn, is_late));
        let (circumstance, settled) = asked?;
        Ok((self.take)(Came { index, evidence: &evidence, policy, circumstance, settled }))
    }
}
