//! Limits steered towards over a log: what each window would have cost, and how often thresholds would have been moved.
//!
//! Invariants: nothing of it happened, so all of it is simulated: a call that the log does not have is estimated; a request
//! counts when it arrives; no limit refuses anybody here, so what is told is what steering does by itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Course, Moved, Steering, Steps, routed, with_moves};
use crate::budget::{Limit, Window};
use crate::outcome::Evidence;
use crate::routing::{Policy, match_route};
use crate::session::whose::payer;
use crate::session::{Log, frontiers};
use crate::units::{Instant, Pico};

/// One window of a limit that was steered towards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteeredWindow {
    /// Budget and window.
    pub limit: String,
    /// When it starts and ends.
    pub window: Window,
    /// What may be spent.
    pub amount: Pico,
    /// What the log's policies spend.
    pub as_it_was: Pico,
    /// What is spent where it is steered.
    pub steered: Pico,
    /// Requests.
    pub requests: u64,
    /// How often thresholds were moved.
    pub moves: u64,
    /// Where they stood last.
    pub last: Vec<Moved>,
}

/// Steers over a log. `tick` hears how many requests are done, and may cancel by answering false, which gives none.
pub fn steer_over(
    log: &Log,
    limits: &[Limit],
    mut tick: impl FnMut(usize) -> bool,
) -> Option<Vec<SteeredWindow>> {
    let outlook = log.outlook();
    let steered: Vec<&Limit> = limits.iter().filter(|limit| limit.steer.is_some()).collect();
    let mut steering = Steering::new(limits);
    let mut windows: BTreeMap<(usize, Instant), SteeredWindow> = BTreeMap::new();
    let mut base = Arc::clone(&log.policy);
    let mut policy = Arc::clone(&base);
    for (index, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        let at = evidence.operation.at;
        let in_force = log.policy_at(index);
        if !Arc::ptr_eq(in_force, &base) {
            policy = Arc::new(frontiers::with_staged(in_force, &base, &policy));
            base = Arc::clone(in_force);
        }
        if steering.is_due(at) {
            let course = |name: &str| {
                let (place, limit) = steered.iter().enumerate().find(|(_, limit)| limit.name() == name)?;
                let window = window(limit, at);
                let spent = windows.get(&(place, window.start)).map_or(Pico::ZERO, |one| one.steered);
                Some(Course { spent, amount: limit.amount, ends: window.end? })
            };
            for Steps { limit: name, moves, .. } in steering.look(at, &policy, &outlook, (course, &[])) {
                policy = Arc::new(with_moves(&policy, &moves));
                let place = steered.iter().position(|limit| limit.name() == *name);
                let one = place.and_then(|place| {
                    let start = window(steered.get(place)?, at).start;
                    windows.get_mut(&(place, start))
                });
                if let Some(one) = one {
                    one.moves += 1;
                    one.last = moves;
                }
            }
        }
        let costs = [routed(&evidence, &base, &outlook), routed(&evidence, &policy, &outlook)];
        book(log, &evidence, &policy, (&steered, &mut windows), costs);
        steering.take(&evidence, &policy, (&outlook, &log.names));
        if index % 4096 == 0 && !tick(index) {
            return None;
        }
    }
    Some(windows.into_values().collect())
}

fn window(limit: &Limit, at: Instant) -> Window {
    Window::around(at, limit.period, &limit.anchor, &limit.zone)
}

fn book(
    log: &Log,
    evidence: &Evidence<'_>,
    policy: &Policy,
    (limits, windows): (&[&Limit], &mut BTreeMap<(usize, Instant), SteeredWindow>),
    [as_it_was, steered]: [Pico; 2],
) {
    let outlook = log.outlook();
    let operation = evidence.operation;
    let route = policy.route(match_route(policy, &operation.signals_by(outlook.prices)));
    let payer = payer(&log.names, evidence, &route.name, operation.asked, &outlook);
    for (place, limit) in limits.iter().enumerate() {
        if limit.scope.member(&payer).is_none() {
            continue;
        }
        let window = window(limit, operation.at);
        let one = windows.entry((place, window.start)).or_insert_with(|| SteeredWindow {
            limit: limit.name(),
            window,
            amount: limit.amount,
            as_it_was: Pico::ZERO,
            steered: Pico::ZERO,
            requests: 0,
            moves: 0,
            last: Vec::new(),
        });
        one.as_it_was += as_it_was;
        one.steered += steered;
        one.requests += 1;
    }
}
