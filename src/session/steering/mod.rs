//! Steering: how thresholds are to be moved so that a limit's window comes out right below what it may cost.
//!
//! Invariants: a fold over requests that are over, so that it is the same beside traffic and over a log; what it says rests on
//! the latest requests, each decided anew at every setting, and on no model of what thresholds cost; it never leaves the
//! routes, the steps and the certificates that it is held to.

mod over;
mod row;

use std::collections::VecDeque;
use std::sync::Arc;

pub use over::{SteeredWindow, steer_over};
pub use row::{Course, Heading, Moved, SteerRow, Steps};

use super::plan::{Keeping, Plan, Target};
use super::proof::Rungs;
use super::whose::payer;
use super::{Frontiers, Reading, settle_one};
use crate::budget::{Demand, Limit, REQUEST, Steer, target};
use crate::outcome::{Evidence, Extra, Operation, Outlook, Settled};
use crate::routing::{Mode, Policy, Route, match_route};
use crate::telemetry::Sign;
use crate::units::{Instant, Names, PerMille, Pico};

/// The latest requests, of which it is asked what settings would have made of them.
const LATEST: usize = 2_000;
/// Fewer say nothing.
const LEAST: usize = 100;
/// Thresholds stand where the window would come out at what is aimed at to within one part in so many of its limit ...
const CLOSE: i128 = 200;
/// ... and one part in so many of what is still to be spent: what is far ahead can be made up for, and is not known so well.
const AHEAD: i128 = 20;

/// One limit that is steered towards.
#[derive(Debug)]
struct Helm {
    limit: Limit,
    steer: Arc<Steer>,
    demand: Demand,
    latest: VecDeque<(Operation, Option<Extra>)>,
    looked: Option<Instant>,
    row: SteerRow,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Steering {
    list: Vec<Helm>,
    certificates: Rungs,
}

impl Steering {
    /// Starts with those limits that are steered towards.
    pub fn new(limits: &[Limit]) -> Self {
        let mut steering = Self::default();
        steering.change(limits);
        steering
    }

    /// Brings other limits into force; what is known of those of the same names stays.
    pub fn change(&mut self, limits: &[Limit]) {
        let mut before = std::mem::take(&mut self.list);
        for limit in limits {
            let Some(steer) = &limit.steer else { continue };
            let place = before.iter().position(|helm| helm.limit.name() == limit.name());
            let known = place.map(|place| before.swap_remove(place));
            let known = known.filter(|helm| helm.limit.scope == limit.scope);
            let (demand, latest, looked) =
                known.map(|helm| (helm.demand, helm.latest, helm.looked)).unwrap_or_default();
            let (limit, steer) = (limit.clone(), Arc::clone(steer));
            let row = SteerRow::new(&limit, &steer);
            self.list.push(Helm { limit, steer, demand, latest, looked, row });
        }
    }

    /// Takes a request that is over.
    pub fn take(
        &mut self,
        evidence: &Evidence<'_>,
        policy: &Arc<Policy>,
        (outlook, names): (&Outlook<'_>, &Names),
    ) {
        if self.list.is_empty() {
            return;
        }
        if self.list.iter().any(|helm| helm.steer.certified) {
            self.certificates.fold(outlook.prices, policy, evidence);
        }
        let operation = evidence.operation;
        let route = policy.route(match_route(policy, &operation.signals_by(outlook.prices)));
        let payer = payer(names, evidence, &route.name, operation.asked, outlook);
        for helm in &mut self.list {
            if helm.limit.scope.member(&payer).is_none() {
                continue;
            }
            helm.demand.count(operation.at);
            if helm.latest.len() >= LATEST {
                helm.latest.pop_front();
            }
            helm.latest.push_back((*operation, evidence.extra.cloned()));
        }
    }

    /// Says whether thresholds have stood long enough for any of them to be looked at.
    pub fn is_due(&self, at: Instant) -> bool {
        self.list.iter().any(|helm| helm.is_due(at))
    }

    /// Looks at those that are due; `course` says how a limit's window stands, `busy` which routes others move. Returns the moves
    /// of each.
    pub fn look(
        &mut self,
        at: Instant,
        policy: &Arc<Policy>,
        outlook: &Outlook<'_>,
        (course, busy): (impl Fn(&str) -> Option<Course>, &[Arc<str>]),
    ) -> Vec<Steps> {
        let mut all = Vec::new();
        for helm in self.list.iter_mut().filter(|helm| helm.is_due(at)) {
            let name: Arc<str> = helm.limit.name().into();
            let Some(course) = course(&name) else { continue };
            helm.looked = Some(at);
            let moves = helm.look(at, policy, outlook, (course, busy), &self.certificates);
            if !moves.is_empty() {
                all.push(Steps { limit: name, acts: helm.steer.acts, moves });
            }
        }
        all
    }

    /// Lists how all of them stand.
    pub fn rows(&self) -> Vec<SteerRow> {
        self.list.iter().map(|helm| helm.row.clone()).collect()
    }
}

impl Helm {
    fn is_due(&self, at: Instant) -> bool {
        self.looked.is_none_or(|looked| at >= looked + self.steer.dwell)
    }

    fn look(
        &mut self,
        at: Instant,
        policy: &Arc<Policy>,
        outlook: &Outlook<'_>,
        (course, busy): (Course, &[Arc<str>]),
        certificates: &Rungs,
    ) -> Vec<Moved> {
        self.row.stands(at, &course);
        let ahead = self.demand.ahead(at, course.ends, self.steer.dwell);
        let Some(ahead) = ahead.filter(|_| self.latest.len() >= LEAST) else {
            self.row.learns(self.latest.len());
            return Vec::new();
        };
        let room =
            (course.amount.ratio(i128::from(self.steer.aim.get()), 1000) - course.spent).max(Pico::ZERO);
        let wanted = target(room, ahead, self.latest.len() as u64);
        let mut frontiers = Frontiers::default();
        // Whatever decided them: what they cost now is what they would cost at the thresholds in force.
        for (operation, extra) in &self.latest {
            let evidence = Evidence { operation, extra: extra.as_ref() };
            let route = match_route(policy, &operation.signals_by(outlook.prices));
            frontiers.apply(policy, &evidence, route, outlook, Sign::Plus);
        }
        // What is not to be moved costs what it costs.
        let mut movable = (**policy).clone();
        for route in &mut movable.routes {
            if !self.steer.moves(&route.name) || busy.contains(&route.name) {
                route.mode = Mode::Observe;
            }
        }
        let floor = |route: &Route, rung: usize| {
            self.steer.certified.then(|| certificates.certified(route, rung).unwrap_or(PerMille::ONE))
        };
        let keeping = Keeping { floor: &floor, within_ms: self.steer.within_ms };
        let plan = frontiers.plan(&movable, Target::Cost(wanted), &keeping);
        let Some(plan) = plan else {
            self.row.learns(0);
            return Vec::new();
        };
        let (now, then) = (plan.cost_before.total(), plan.cost_after.total());
        // What the rest of the window comes to at the thresholds in force, and at what it may.
        let rest = |cost: Pico| cost.ratio(ahead, REQUEST.0.saturating_mul(self.latest.len() as i128));
        let [rest_now, rest_wanted] = [now, wanted].map(rest);
        let close = course.amount.0 / CLOSE + rest_now.0.min(rest_wanted.0) / AHEAD;
        let is_close = (rest_now - rest_wanted).0.abs() <= close;
        let p95 = (
            plan.routes.iter().filter_map(|route| route.p95_ms.0).max(),
            plan.routes.iter().filter_map(|route| route.p95_ms.1).max(),
        );
        let is_slow = self.steer.within_ms.zip(p95.0).is_some_and(|(within, now)| now > within);
        let moves = if is_close && !is_slow { Vec::new() } else { self.moves(policy, &plan) };
        self.row.lasts(p95);
        let heading = match (plan.is_feasible, moves.is_empty()) {
            (false, _) if !plan.too_slow.is_empty() => Heading::TooSlow,
            (false, _) => Heading::OutOfReach,
            (true, false) => Heading::Moves,
            (true, true) if rest_wanted.0 - rest_now.0 > close => Heading::RoomLeft,
            (true, true) => Heading::OnCourse,
        };
        self.row.heads(heading, (ahead, self.latest.len()), [now, wanted, then], &moves);
        moves
    }

    /// Lists what a plan moves, a step at most.
    fn moves(&self, policy: &Policy, plan: &Plan) -> Vec<Moved> {
        let mut moves = Vec::new();
        for planned in &plan.routes {
            let Some(route) = policy.routes.get(planned.route.index()) else { continue };
            let rungs = route.ladder.iter().zip(route.thresholds()).zip(&planned.thresholds);
            for ((rung, from), wanted) in rungs {
                let to = self.steer.toward(from, *wanted);
                if to != from {
                    let (route, rung) = (Arc::clone(&route.name), Arc::clone(&rung.name));
                    moves.push(Moved { route, rung, from, to });
                }
            }
        }
        moves
    }
}

/// Settles a request as a policy decides it.
fn routed(evidence: &Evidence<'_>, policy: &Arc<Policy>, outlook: &Outlook<'_>) -> Pico {
    let mut settled = Settled::default();
    settle_one(evidence, Reading::Routed, policy, outlook, &mut settled);
    settled.cost.amount().unwrap_or(Pico::ZERO)
}

/// Returns a policy with thresholds moved; one that the policy does not have is passed over.
fn with_moves(policy: &Policy, moves: &[Moved]) -> Policy {
    let mut moved = policy.clone();
    for route in &mut moved.routes {
        let mut thresholds = route.thresholds();
        for one in moves.iter().filter(|one| one.route == route.name) {
            let place = route.ladder.iter().position(|rung| rung.name == one.rung);
            if let Some(slot) = place.and_then(|place| thresholds.get_mut(place)) {
                *slot = one.to;
            }
        }
        // Both sides descend, and so do steps between them: cannot be refused.
        let _ = route.set_thresholds(&thresholds);
    }
    moved
}
