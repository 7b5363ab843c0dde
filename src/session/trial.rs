//! What a what-if over a whole log rests on: its frontiers, the policies that decided it, and what it is called.
//!
//! Invariant: a log that was streamed and one that is held in memory give the same figures.

use std::sync::Arc;

use super::frontiers::{Frontiers, MOST, grounds, with_earlier};
use super::plan::{Keeping, Plan, Target};
use super::player::Player;
use super::snapshot::{Reading, RouteConsequences};
use super::streamed::StreamResult;
use super::{Command, Log};
use crate::record::Timing;
use crate::routing::{Policy, Route};
use crate::telemetry::{CurvePoint, Pairs};
use crate::units::{Names, Span};

/// A log on which thresholds can be tried.
#[derive(Debug)]
pub struct Trial {
    /// What it is called.
    pub title: String,
    /// The price book's name and date.
    pub book: String,
    /// Names of everything in it.
    pub names: Names,
    /// How well its moments are known.
    pub timing: Timing,
    /// Its length.
    pub span: Span,
    /// The policies that decided, in order of time.
    pub policies: Vec<Arc<Policy>>,
    /// The policy in force at its end.
    pub now: Arc<Policy>,
    /// Files that broke off.
    pub damaged: Vec<String>,
    /// Requests whose answers were simulated.
    pub simulated: u64,
    frontiers: Frontiers,
    /// The log itself, where it is held in memory.
    player: Option<Box<Player>>,
}

impl Trial {
    /// Makes one of a log that was streamed for its frontiers; `None` where it has to be held in memory: it is empty, calls
    /// are capped, there are tool loops in it, or its policies are too many to keep apart.
    pub fn streamed(title: String, book: String, found: StreamResult) -> Option<Self> {
        let StreamResult { names, timing, skipped, first_at, last_at, looked_at, spans, frontiers, .. } =
            found;
        let (simulated, has_loops) = (found.simulated, found.has_loops);
        let (mut frontiers, span) = (frontiers?, looked_at.unwrap_or(last_at? - first_at?));
        if has_loops || spans.iter().any(|policy| policy.remembers()) || !frontiers.by_time() {
            return None;
        }
        let newer = |now: Arc<Policy>, next: &Arc<Policy>| {
            if next.version > now.version { Arc::clone(next) } else { now }
        };
        let now = spans.iter().skip(1).fold(Arc::clone(spans.first()?), newer);
        let (policies, damaged) = (spans, skipped.damaged);
        Some(Self {
            title,
            book,
            names,
            timing,
            span,
            policies,
            now,
            damaged,
            simulated,
            frontiers,
            player: None,
        })
    }

    /// Makes one of a log in memory.
    pub fn loaded(log: &Arc<Log>) -> Self {
        let mut player = Box::new(Player::new(Arc::clone(log), Reading::Routed, None));
        player.handle(Command::Follow);
        Self {
            title: log.title.clone(),
            book: log.book.clone(),
            names: log.names.share(),
            timing: log.timing,
            span: log.span(),
            policies: player.policies.iter().map(|span| Arc::clone(&span.policy)).collect(),
            now: Arc::clone(player.policy()),
            damaged: log.skipped.damaged.clone(),
            simulated: log.simulated as u64,
            frontiers: player.view.frontiers.clone(),
            player: Some(player),
        }
    }

    /// Says that the log has more policies than are kept apart, so that the oldest count as later ones; none where it has not.
    pub fn joined(&self) -> Option<String> {
        let why = || format!("a route had more than {MOST} settings: the oldest count as the one after them");
        self.frontiers.are_joined.then(why)
    }

    /// Says whether thresholds move more than sums tell: decisions depend on how requests before were routed.
    pub fn remembers(&self) -> bool {
        self.now.remembers()
            || self.player.as_ref().is_some_and(|player| player.log.circumstances.have_loops())
    }

    /// Says what sums leave out of that: nothing where they are the figure.
    pub fn left_out(&self) -> Vec<&'static str> {
        let has_loops = self.player.as_ref().is_some_and(|player| player.log.circumstances.have_loops());
        let all = [
            (self.now.capped().next().is_some(), "caps on calls"),
            (self.now.minds_caches(), "warm caches"),
            // Where confidences decide, sums know them.
            (has_loops, "escalations in tool loops"),
        ];
        all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what).collect()
    }

    /// Returns the time that rates are made of; none where the log tells none.
    pub fn rated(&self) -> Option<Span> {
        (self.timing != Timing::Placed).then_some(self.span)
    }

    /// Returns the policy in force at the end, with the routes besides that only earlier ones have.
    pub fn with_earlier(&self) -> Policy {
        with_earlier(&self.now, self.policies.iter().map(|policy| &**policy))
    }

    fn grounds(&self, staged: &Policy) -> Arc<Policy> {
        grounds(&self.now, staged, self.policies.iter().map(|policy| &**policy))
    }

    /// Returns what a staged policy would have meant.
    pub fn consequences(&mut self, staged: &Policy) -> Vec<RouteConsequences> {
        let now = self.grounds(staged);
        self.frontiers.consequences(&now, staged)
    }

    /// Returns the same where calls are capped: every request decided in order of time, on the state of its instant.
    pub fn in_order(&mut self, staged: &Arc<Policy>) -> Option<Vec<RouteConsequences>> {
        let player = self.player.as_mut()?;
        player.handle(Command::Stage(Some(Arc::clone(staged))));
        player.what_if_in_order()
    }

    /// Returns the judged requests of a route's rung beside its last one.
    pub fn pairs(&self, route: &Route, rung: usize) -> Pairs {
        self.frontiers.pairs(route, rung)
    }

    /// Finds the best thresholds of all routes of the policy in force at the end; `None` where no threshold moves anything.
    pub fn plan(&mut self, wanted: Target, keeping: &Keeping<'_>) -> Option<Plan> {
        let now = Arc::clone(&self.now);
        self.frontiers.plan(&now, wanted, keeping)
    }

    /// Returns the curve of one rung's threshold.
    pub fn curve(&mut self, staged: &Policy, route: &Route, rung: usize) -> Vec<CurvePoint> {
        let now = self.grounds(staged);
        self.frontiers.curve(&now, staged, route, rung)
    }
}

#[cfg(test)]
#[path = "loop_sums_tests.rs"]
mod loop_sums_tests;
