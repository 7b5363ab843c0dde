//! Rollouts beside traffic: what is over is sorted by side and told to each, with what labels say.
//!
//! Invariant: a fold over requests that are over, in the order in which they come; which side a request is of depends on the
//! policy that was in force when it arrived.

mod over;
mod row;

use std::sync::Arc;

pub use over::{RolloutStep, RolloutTried, roll_over};
pub use row::{ArmRow, RolloutRow};

use super::{Reading, settle_one};
use crate::certificate::Alarm;
use crate::outcome::{Evidence, Outlook, Settled};
use crate::rollout::{Phase, Rollout, Seen, Side, Turn};
use crate::routing::{Check, Lot, Policy, Route, Status, match_route};
use crate::units::{Instant, PerMille};

/// The chance that an alarm is false, over all of a rollout.
const DELTA: f64 = 0.05;
/// Rollouts that are over and still listed: the latest.
const LISTED: usize = 20;

/// One rollout, and what is watched of it.
#[derive(Debug)]
struct Watched {
    rollout: Rollout,
    alarm: Alarm,
    /// The policy as it would be with all sessions drawn, for what a canary beside the traffic would have done.
    drawn: Option<(Arc<Policy>, Arc<Policy>)>,
}

/// All rollouts.
#[derive(Debug, Default)]
pub struct Rollouts {
    list: Vec<Watched>,
}

/// What a request says of a rollout.
struct Told {
    side: Side,
    seen: Seen,
    quality: Option<PerMille>,
    /// Whether a call was estimated.
    estimated: bool,
}

fn seen(lot: Lot, settled: &Settled) -> Seen {
    // A client that went away, or sent what nobody takes, says nothing of the model.
    let has_none = !settled.status.is_ok() && !matches!(settled.status, Status::Cancelled | Status::Rejected);
    // An answer of nothing, or one that fails its check, is none to whoever gets it.
    let last = settled.attempts.last();
    let failed = has_none || last.is_some_and(|last| last.check == Check::Failed);
    Seen { lot, cost: settled.cost, failed, escalated: settled.escalated, latency: settled.latency }
}

impl Watched {
    fn new(rollout: Rollout) -> Self {
        let alarm = Alarm::new(f64::from(rollout.plan.needs.unacceptable.get()) / 1000.0);
        Self { rollout, alarm, drawn: None }
    }

    fn canary<'p>(&self, policy: &'p Policy) -> Option<&'p Route> {
        policy.routes.iter().find(|route| {
            *route.name == *self.rollout.plan.name
                && route.canary.as_ref().is_some_and(|one| *one.of == *self.rollout.plan.route)
        })
    }

    /// Says what a request says, as one or as both sides; nothing where the change is not about it.
    fn tell(
        &mut self,
        evidence: &Evidence<'_>,
        reading: Reading,
        policy: &Arc<Policy>,
        outlook: &Outlook<'_>,
    ) -> Vec<Told> {
        let Some(canary) = self.canary(policy).filter(|_| self.rollout.phase.is_open()) else {
            return Vec::new();
        };
        let operation = evidence.operation;
        let signals = operation.signals_by(outlook.prices);
        let name = &policy.route(match_route(policy, &signals)).name;
        let side = if *name == canary.name {
            Side::Canary
        } else if *name == self.rollout.plan.route {
            Side::Base
        } else {
            return Vec::new();
        };
        // Where the client's own model serves on both sides, nothing is different.
        if canary.serves_as_named(&signals) {
            return Vec::new();
        }
        let mut settled = Settled::default();
        settle_one(evidence, reading, policy, outlook, &mut settled);
        let one = |side, settled: &Settled| Told {
            side,
            seen: seen(operation.lot, settled),
            quality: settled.quality,
            estimated: settled.estimated,
        };
        let mut all = vec![one(side, &settled)];
        if self.rollout.is_shadow() && side == Side::Base {
            let drawn = self.all_drawn(policy);
            settle_one(evidence, Reading::Routed, &drawn, outlook, &mut settled);
            all.push(one(Side::Canary, &settled));
        }
        all
    }

    fn all_drawn(&mut self, policy: &Arc<Policy>) -> Arc<Policy> {
        if let Some((known, drawn)) = &self.drawn
            && Arc::ptr_eq(known, policy)
        {
            return Arc::clone(drawn);
        }
        let mut all = (**policy).clone();
        let name = &self.rollout.plan.name;
        for route in all.routes.iter_mut().filter(|route| route.name == *name) {
            route.canary = route.canary.as_ref().map(|canary| canary.at(PerMille::ONE));
        }
        let drawn = Arc::new(all);
        self.drawn = Some((Arc::clone(policy), Arc::clone(&drawn)));
        drawn
    }

    fn take(&mut self, told: &Told, arrived: Instant) {
        self.rollout.take(told.side, arrived, &told.seen);
        if let Some(quality) = told.quality {
            self.judge(told.side, arrived, quality);
        }
    }

    fn judge(&mut self, side: Side, arrived: Instant, quality: PerMille) {
        self.rollout.judge(side, arrived, quality);
        if side == Side::Canary && arrived >= self.rollout.began {
            let is_lost = quality < Rollout::acceptable();
            self.alarm.observe(if is_lost { PerMille::ONE } else { PerMille::ZERO });
            self.rollout.hear(self.alarm.fires(DELTA));
        }
    }
}

impl Rollouts {
    /// Says whether any may still change anything.
    pub fn are_open(&self) -> bool {
        self.list.iter().any(|one| one.rollout.phase.is_open())
    }

    /// Returns the earliest moment that requests are needed from: the begin of the oldest that is open.
    pub fn since(&self) -> Option<Instant> {
        self.list.iter().filter(|one| one.rollout.phase.is_open()).map(|one| one.rollout.began).min()
    }

    /// Adds one, in place of an older one of its name.
    ///
    /// # Errors
    /// Where one that is open bears its name or changes its route.
    pub fn begin(&mut self, rollout: Rollout) -> Result<(), String> {
        let (name, route) = (&rollout.plan.name, &rollout.plan.route);
        let is_open = |one: &&Watched| one.rollout.phase.is_open();
        let is_same = |one: &&Watched| one.rollout.plan.name == *name || one.rollout.plan.route == *route;
        if let Some(other) = self.list.iter().filter(is_open).find(is_same) {
            let plan = &other.rollout.plan;
            return Err(format!(
                "rollout {} changes route {} and is {}: one writer a route; take it back or let it end first",
                plan.name,
                plan.route,
                other.rollout.phase.word()
            ));
        }
        self.list.retain(|one| one.rollout.plan.name != *name);
        self.list.push(Watched::new(rollout));
        if self.list.len() > LISTED
            && let Some(oldest) = self.list.iter().position(|one| !one.rollout.phase.is_open())
        {
            self.list.remove(oldest);
        }
        Ok(())
    }

    /// Takes one away that did not begin after all.
    pub fn forget(&mut self, name: &str) {
        self.list.retain(|one| *one.rollout.plan.name != *name);
    }

    /// Takes a request that is over.
    pub fn take(&mut self, evidence: &Evidence<'_>, policy: &Arc<Policy>, outlook: &Outlook<'_>) {
        for one in &mut self.list {
            for told in one.tell(evidence, Reading::Recorded, policy, outlook) {
                one.take(&told, evidence.operation.at);
            }
        }
    }

    /// Takes a judgement of a request that was taken before; `evidence` has that label alone.
    pub fn judge(&mut self, evidence: &Evidence<'_>, policy: &Arc<Policy>, outlook: &Outlook<'_>) {
        for one in &mut self.list {
            for told in one.tell(evidence, Reading::Recorded, policy, outlook) {
                if let Some(quality) = told.quality {
                    one.judge(told.side, evidence.operation.at, quality);
                }
            }
        }
    }

    /// Lists what is to be done at a moment, by name.
    pub fn pass(&self, at: Instant) -> Vec<(Arc<str>, Turn)> {
        let due = |one: &Watched| Some((Arc::clone(&one.rollout.plan.name), one.rollout.pass(at)?));
        self.list.iter().filter_map(due).collect()
    }

    /// Finds one by name.
    pub fn find(&mut self, name: &str) -> Option<&mut Rollout> {
        self.list.iter_mut().map(|one| &mut one.rollout).find(|one| *one.plan.name == *name)
    }

    /// Lists them, the latest last.
    pub fn all(&self) -> impl Iterator<Item = &Rollout> {
        self.list.iter().map(|one| &one.rollout)
    }

    /// Ends those whose canary somebody else changed or removed; returns their names.
    pub fn end_others(&mut self, spec: &crate::routing::PolicySpec, at: Instant) -> Vec<Arc<str>> {
        let mut ended = Vec::new();
        for one in self.list.iter_mut().map(|one| &mut one.rollout) {
            if one.phase.is_open() && !one.plan.is_at(spec, one.stage) {
                one.phase = Phase::Back("another policy took its place".into());
                one.since = at;
                ended.push(Arc::clone(&one.plan.name));
            }
        }
        ended
    }

    /// Lists them as rows, the open ones first.
    pub fn rows(&self, at: Instant) -> Vec<RolloutRow> {
        let mut rows: Vec<RolloutRow> = self.all().map(|one| RolloutRow::of(one, at)).collect();
        crate::units::sort_by_key(&mut rows, |row| !row.is_open());
        rows
    }
}
