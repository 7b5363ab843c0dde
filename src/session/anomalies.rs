//! A log surveyed for what is unlike its past: every operation settled as recorded, and counted in its scopes.

use super::{Log, Reading, settle_all};
use crate::anomaly::{Incident, Knobs, Scope, Survey, Tally};
use crate::outcome::{Attempt, Settled};
use crate::pricing::Cost;
use crate::units::{Pico, ProjectId, Span, TeamId};

/// What a survey of a log found.
#[derive(Clone, Debug)]
pub struct Surveyed {
    /// What went wrong, by its start.
    pub incidents: Vec<Incident>,
    /// The length of its slots.
    pub slot: Span,
    /// How many there are.
    pub slots: i64,
}

/// Surveys a log. `slot` is the length of slots; one that suits the log where absent.
pub fn survey(log: &Log, knobs: Knobs, slot: Option<Span>) -> Surveyed {
    let ends = log.history.recall(0).zip(log.history.recall(log.len().saturating_sub(1)));
    let whole = ends.map_or(Span::ZERO, |(first, last)| last.operation.at - first.operation.at);
    let mut survey = Survey::new(slot.unwrap_or_else(|| Survey::length_for(whole)), knobs);
    let mut parts = Vec::new();
    settle_all(log, Reading::Recorded, &log.spans(), (0, log.len()), &mut |_, evidence, _, settled| {
        tell(settled, evidence.operation.team, evidence.operation.project, &mut parts);
        survey.add(evidence.operation.at, &parts);
    });
    if let Some((_, last)) = ends {
        // The last slot is over only where the log goes to its end, which nobody knows: it is left out.
        survey.pass(last.operation.at);
    }
    let slot = survey.length;
    Surveyed { incidents: survey.incidents(), slot, slots: whole.0 / slot.0 }
}

/// Tells what an operation comes to in each of its scopes.
pub(super) fn tell(settled: &Settled, team: TeamId, project: ProjectId, into: &mut Vec<(Scope, Tally)>) {
    into.clear();
    let mut whole = Tally { requests: 1, escalated: u64::from(settled.escalated), ..Tally::default() };
    let (mut cost, mut is_priced) = (Pico::ZERO, true);
    let mut calls = settled.attempts.iter().peekable();
    while let Some(call) = calls.next() {
        let (known, is_known) = match call.cost {
            Cost::Known(amount) | Cost::Estimated(amount) => (amount, true),
            Cost::Unknown(_) => (Pico::ZERO, false),
        };
        cost += known;
        is_priced &= is_known;
        if !call.status.is_call() {
            continue;
        }
        whole.calls += 1;
        whole.failed += u64::from(!call.status.is_ok());
        let is_last = calls.peek().is_none();
        let mut own = Tally {
            requests: 1,
            calls: 1,
            failed: u64::from(!call.status.is_ok()),
            escalated: u64::from(!is_last),
            ..Tally::default()
        };
        own.spend(known, is_known);
        measure(call, &mut own);
        if let Some(millis) = call.latency.get().filter(|_| call.status.is_ok()) {
            own.time(millis);
        }
        if is_last {
            measure(call, &mut whole);
        }
        if call.model.is_some() {
            into.push((Scope::Model(call.model), own));
        }
    }
    whole.spend(cost, is_priced);
    if let Some(millis) = settled.latency.get().filter(|_| settled.status.is_ok()) {
        whole.time(millis);
    }
    into.push((Scope::All, whole));
    if team.is_some() {
        into.push((Scope::Team(team), whole));
    }
    if project.is_some() {
        into.push((Scope::Project(project), whole));
    }
    if settled.tag.is_some() {
        into.push((Scope::Route(settled.tag), whole));
    }
}

/// Counts the tokens of a call that was answered.
fn measure(call: &Attempt, into: &mut Tally) {
    if call.status.is_ok() {
        into.count(call.usage.total());
        into.cache(call.usage.prompt(), call.usage.cache_read.get());
    }
}
