//! What comes into a live log, put where it belongs: operations that finish late, prices, policies.
//!
//! Invariant: every index and every sum that the player holds is afterwards what it would be had all come in order.

use std::sync::Arc;

use super::Player;
use super::difference::{describe_change, same_thresholds};
use super::growth::{Growth, Waiting};
use super::log::{Judged, PolicySpan};
use super::notes::LogNote;
use super::settled::settle_one;
use super::snapshot::{Change, Play, Reading};
use super::written::Deed;
use crate::bandit::key_of;
use crate::engine::{Engine, Event};
use crate::outcome::{Evidence, Extra, Operation};
use crate::record::{Correction, LateLabel, PriceChange};
use crate::routing::Policy;
use crate::units::Instant;

/// Operations that wait while the view is held; then they are let in, and the view moves a little.
const MOST_WAITING: usize = 4096;
/// Changes of policy kept.
const KEPT_CHANGES: usize = 200;

impl Player {
    /// Takes in an operation that has finished, or lets it wait while the view is held.
    pub(super) fn came(&mut self, id: String, operation: Operation, extra: Option<Extra>) {
        self.named();
        let held = matches!(self.play, Play::Paused | Play::Ended);
        let Some(live) = &mut self.live else { return };
        live.view.fresh = live.view.fresh.saturating_add(1);
        let fitted = live.growth.learn(&operation, extra.as_ref(), &mut self.log);
        if held && operation.at <= self.clock && live.waiting.len() < MOST_WAITING {
            live.waiting.push(Waiting { id, operation, extra });
        } else {
            self.insert(&id, operation, extra);
        }
        if fitted {
            // Estimates rest on other profiles from here on, also those of operations that are in the sums.
            if self.reading == Reading::Routed {
                self.recount();
            } else {
                self.rebuild();
            }
        }
    }

    /// Looks prices up for models named for the first time.
    pub(super) fn named(&mut self) {
        let Some(live) = &mut self.live else { return };
        if live.growth.new_models(&mut self.log) {
            for engine in live.floors.iter_mut().chain([&mut self.engine]) {
                engine.apply(Event::PricesLoaded(Arc::clone(&self.log.prices)));
            }
        }
    }

    pub(super) fn insert(&mut self, id: &str, operation: Operation, extra: Option<Extra>) {
        let Some(live) = &mut self.live else { return };
        let start = self.log.history.start();
        if start > 0 && self.log.history.at(start).is_some_and(|first| operation.at < first) {
            // Older than what memory holds: it belongs to the sums of what was let go.
            self.count_in(&Evidence { operation: &operation, extra: extra.as_ref() }, start);
            return;
        }
        let index = live.growth.insert(&mut self.log, id, operation, extra);
        self.shift(index, operation.at);
        // A policy that came into force after it arrived may have been entered already.
        let late =
            index == self.head && self.policy_for(index, operation.at).version < self.engine.policy().version;
        if index >= self.head && !late {
            self.checkpoints.retain(|(at, _)| *at <= index);
            return;
        }
        self.head += 1;
        let log = Arc::clone(&self.log);
        if let Some(recalled) = log.history.recall(index) {
            let evidence = recalled.evidence();
            self.count_in(&evidence, index);
        }
    }

    /// Moves the indices held here along with an operation that came in between others.
    fn shift(&mut self, index: usize, at: Instant) {
        let begins = |changes: &[Change], version: u32| {
            changes.iter().find(|change| change.version == version).map(|change| change.at)
        };
        for span in self.policies.iter_mut().skip(1) {
            let later = begins(&self.changes, span.policy.version).is_some_and(|from| at < from);
            span.from += usize::from(span.from > index || (span.from == index && later));
        }
        for change in &mut self.changes {
            change.from += usize::from(change.from > index || (change.from == index && at < change.at));
        }
        let behind = |place: &mut usize| *place += usize::from(*place > index);
        self.marks.iter_mut().for_each(behind);
        self.loop_start.iter_mut().for_each(behind);
        if let Some((from, to)) = &mut self.looped {
            behind(from);
            behind(to);
        }
    }

    /// Counts an operation that lies behind the head into every sum that has passed it. `index` is where it stands, or the
    /// first index held where memory has no place for it.
    fn count_in(&mut self, evidence: &Evidence<'_>, index: usize) {
        let log = Arc::clone(&self.log);
        let forgotten = log.history.at(index).is_none_or(|held| held > evidence.operation.at);
        let policy = Arc::clone(self.policy_for(index, evidence.operation.at));
        let mut settled = std::mem::take(&mut self.scratch);
        if forgotten && let Some(live) = &mut self.live {
            for (reading, floor) in [Reading::Recorded, Reading::Routed].into_iter().zip(&mut live.floors) {
                settle_one(evidence, reading, &policy, &log.outlook(), &mut settled);
                floor.apply(Event::Recorded { evidence: *evidence, settled: &settled });
            }
        }
        settle_one(evidence, self.reading, &policy, &log.outlook(), &mut settled);
        for (at, engine) in &mut self.checkpoints {
            if forgotten || *at > index {
                *at += usize::from(!forgotten);
                engine.apply(Event::Recorded { evidence: *evidence, settled: &settled });
            }
        }
        self.engine.apply(Event::Recorded { evidence: *evidence, settled: &settled });
        if !forgotten {
            let outside = self.window.is_some_and(|span| evidence.operation.at.0 <= (self.clock - span).0);
            self.view.take_in(&log, (index, outside), &policy, evidence, &settled);
        }
        self.scratch = settled;
    }

    /// Returns the policy that decided an operation, also one that arrived before the first change held in memory.
    fn policy_for(&self, index: usize, at: Instant) -> &Arc<Policy> {
        let change = self.changes.iter().rev().find(|change| change.at <= at);
        let is_it = |span: &&PolicySpan| {
            span.from <= index && change.is_none_or(|change| span.policy.version <= change.version)
        };
        let span = self.policies.iter().rev().find(is_it).or(self.policies.first());
        span.map_or(&self.log.policy, |span| &span.policy)
    }

    /// Takes what became known of answers that have been told.
    pub(super) fn judged(&mut self, labels: &[LateLabel<'_>]) {
        let Some(live) = self.live.as_mut().filter(|_| !labels.is_empty()) else { return };
        let found = self.log.history.find_all(&labels.iter().map(|late| &*late.id).collect());
        let mut counted = false;
        for late in labels {
            let label = live.growth.ingest.label(&late.label);
            if let Some(quality) = label.quality {
                let judged = Judged { at: late.at, id: key_of(&late.id), model: label.model, quality };
                Arc::make_mut(&mut Arc::make_mut(&mut self.log).verdicts).push(judged);
            }
            if let Some(waiting) = live.waiting.iter_mut().find(|waiting| *waiting.id == *late.id) {
                let label = label.about(waiting.operation.simulated);
                waiting.extra.get_or_insert_default().judge(label);
            } else if let Some(&index) = found.get(&*late.id) {
                Arc::make_mut(&mut self.log).history.judge(index, label);
                counted |= index < self.head;
            }
        }
        self.named();
        if counted {
            self.proof.clear();
            self.recount();
        }
    }

    /// Takes what calls were charged in truth, of requests that have been told.
    pub(super) fn corrected(&mut self, corrections: &[Correction<'_>]) {
        let Some(live) = self.live.as_mut().filter(|_| !corrections.is_empty()) else { return };
        let found = self.log.history.find_all(&corrections.iter().map(|one| &*one.id).collect());
        let mut counted = false;
        for Correction { id, call, charged, .. } in corrections {
            if let Some(waiting) = live.waiting.iter_mut().find(|waiting| *waiting.id == **id) {
                waiting.operation.correct(waiting.extra.as_mut(), *call, *charged);
            } else if let Some(&index) = found.get(&**id) {
                Arc::make_mut(&mut self.log).history.correct(index, *call, *charged);
                counted |= index < self.head;
            }
        }
        if counted {
            self.recount();
        }
    }

    pub(super) fn price_came(&mut self, change: &PriceChange<'_>) {
        let Some(live) = &mut self.live else { return };
        let model = live.growth.ingest.names.intern_model(&change.model);
        self.named();
        let log = Arc::make_mut(&mut self.log);
        Arc::make_mut(&mut log.prices).change(model, change.row.clone());
        let Some(live) = &mut self.live else { return };
        for engine in live.floors.iter_mut().chain([&mut self.engine]) {
            engine.apply(Event::PricesLoaded(Arc::clone(&self.log.prices)));
        }
        let note = LogNote::price(change, live.view.now);
        Growth::note(&mut self.log, note);
        let last = self.log.bounds().map(|(_, last)| last);
        if change.row.from.is_none_or(|from| last.is_some_and(|last| from <= last)) {
            self.recount();
        }
    }

    /// Starts with the policy that was in force before this console came.
    fn begin_with(&mut self, policy: Arc<Policy>) {
        Arc::make_mut(&mut self.log).policy = Arc::clone(&policy);
        let engine = || Engine::new(Arc::clone(&policy), Arc::clone(&self.log.prices));
        if let Some(live) = &mut self.live {
            live.floors = [engine(), engine()];
        }
        self.engine = engine();
        self.staged = None;
        self.policies = vec![PolicySpan { from: 0, policy }];
        self.rebuild();
    }

    /// Takes a policy that came into force at a moment: whoever changed it, every console learns of it here.
    pub fn policy_came(&mut self, policy: Policy, at: Instant, who: &str, deed: Deed<'_>) {
        self.named();
        let newest = self.policies.last().map_or(0, |span| span.policy.version);
        if policy.version <= newest {
            return;
        }
        let began = self.live.as_ref().is_some_and(|live| at <= live.started);
        if began && self.changes.is_empty() && self.log.is_empty() {
            self.begin_with(Arc::new(policy));
            return;
        }
        let before = Arc::clone(self.policies.last().map_or(&self.log.policy, |span| &span.policy));
        let policy = Arc::new(policy);
        let from = self.log.history.first_at(at);
        let what = match deed.words() {
            "" => describe_change(&before, &policy),
            words => words.to_owned(),
        };
        let what = if deed.is_undo() { format!("undo: {what}") } else { what };
        // Every console keeps the same list of what can be taken back, whoever took something back. What is guarded by a rollout
        // or an automation is its writer's: neither that nor what lies beneath it can be put back without it.
        if is_guarded(who) || !same_canaries(&before, &policy) {
            self.undo.clear();
        } else if deed.is_undo() {
            self.undo.pop();
        } else {
            self.undo.push((from, before));
        }
        let stays = |staged: &Arc<Policy>| !same_thresholds(staged, &policy) && staged.same_shape(&policy);
        self.staged = self.staged.take().filter(stays);
        self.changes.push(Change { version: policy.version, at, from, who: who.to_owned(), what });
        if self.changes.len() > KEPT_CHANGES {
            self.changes.remove(0);
            self.undo.drain(..self.undo.len().saturating_sub(KEPT_CHANGES));
        }
        self.policies.push(PolicySpan { from, policy });
        self.checkpoints.retain(|(at, _)| *at <= from);
        if from < self.head {
            self.recount();
        } else if from == self.head {
            self.enter_policy();
        }
    }
}

/// Says whether a writer changes the policy by itself, and guards what it changed.
fn is_guarded(who: &str) -> bool {
    ["rollout ", "automation ", "steering"].iter().any(|writer| who.starts_with(writer))
}

/// Says whether two policies send the same shares of sessions other ways.
fn same_canaries(one: &Policy, other: &Policy) -> bool {
    let of = |policy: &Policy| {
        let routes =
            policy.routes.iter().filter_map(|route| Some((Arc::clone(&route.name), route.canary.clone()?)));
        routes.collect::<Vec<_>>()
    };
    of(one) == of(other)
}
