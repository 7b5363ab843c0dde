//! A rollout tried over a log: when each step would have come, and what was missing.
//!
//! Invariants: nothing of it happened, so it says that all of it is simulated: what a drawn session would have cost is an
//! estimate where the log has no answer of that model; requests count when they are over, as live.

use std::collections::BTreeMap;

use super::super::{Log, PolicySpan, Reading};
use super::{RolloutRow, Rollouts, Told, Watched};
use crate::rollout::{Rollout, Side};
use crate::units::{Instant, Span};

/// Something that would have been done.
#[derive(Clone, Debug, PartialEq)]
pub struct RolloutStep {
    /// When.
    pub at: Instant,
    /// What, in words.
    pub what: String,
    /// How the stage before stood then.
    pub stood: RolloutRow,
}

/// What would have become of a rollout.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RolloutTried {
    /// Its steps, in order.
    pub steps: Vec<RolloutStep>,
    /// How it stood at the log's end.
    pub last: RolloutRow,
    /// Requests that the canary would have decided.
    pub drawn: u64,
    /// Of those, with a call that the log does not have, so that it was estimated.
    pub estimated: u64,
}

/// A request that is not over yet.
type Under = (Told, Instant);

/// Tries a rollout over a log from its first request on; `staged` are the log's policies with the canary, by stage.
pub fn roll_over(log: &Log, rollout: Rollout, staged: &[Vec<PolicySpan>]) -> RolloutTried {
    let mut all = Rollouts::default();
    let last = RolloutRow::of(&rollout, rollout.began);
    let mut tried = RolloutTried { last, ..RolloutTried::default() };
    if all.begin(rollout).is_err() {
        return tried;
    }
    let mut under: BTreeMap<(Instant, usize, bool), Under> = BTreeMap::new();
    let outlook = log.outlook();
    for (index, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        let at = evidence.operation.at;
        settle(&mut all, &mut under, &mut tried, at);
        let Some(watched) = all.list.first_mut().filter(|one| one.rollout.phase.is_open()) else { break };
        let spans = staged.get(watched.rollout.stage);
        let Some(policy) = spans.and_then(|spans| PolicySpan::in_force(spans, index)) else { continue };
        for told in watched.tell(&evidence, Reading::Routed, policy, &outlook) {
            let is_canary = told.side == Side::Canary;
            tried.drawn += u64::from(is_canary);
            tried.estimated += u64::from(is_canary && told.estimated);
            let over = at + Span::millis(told.seen.latency.get().unwrap_or(0));
            under.insert((over, index, is_canary), (told, at));
        }
    }
    let end = log.bounds().unwrap_or_default().1;
    let end = under.last_key_value().map_or(end, |((last, ..), _)| *last) + Span(1);
    settle(&mut all, &mut under, &mut tried, end);
    if let Some(one) = all.all().next() {
        tried.last = RolloutRow::of(one, end);
    }
    tried
}

/// Lets time reach a moment: what is over counts, and steps come where they may.
fn settle(
    all: &mut Rollouts,
    under: &mut BTreeMap<(Instant, usize, bool), Under>,
    tried: &mut RolloutTried,
    to: Instant,
) {
    loop {
        let Some(one) = all.list.first_mut() else { return };
        let next = under.first_key_value().map(|((at, ..), _)| *at).filter(|at| *at < to);
        // A stage may have lasted long enough while nothing was over.
        let due = one.rollout.since + one.rollout.plan.needs.dwell;
        let at = next.map_or(to, |next| next.min(to));
        if due <= at && one.rollout.phase.is_open() {
            step(one, due.max(one.rollout.since), tried);
        }
        let Some(one) = all.list.first_mut() else { return };
        if next.is_none() {
            return;
        }
        let Some(((at, ..), (told, arrived))) = under.pop_first() else { return };
        one.take(&told, arrived);
        step(one, at, tried);
    }
}

fn step(one: &mut Watched, at: Instant, tried: &mut RolloutTried) {
    let rollout = &mut one.rollout;
    if !rollout.phase.is_open() {
        return;
    }
    if let Some(turn) = rollout.pass(at) {
        let stood = RolloutRow::of(rollout, at);
        tried.steps.push(RolloutStep { at, what: rollout.words(&turn), stood });
        rollout.turned(&turn, at);
    }
}
