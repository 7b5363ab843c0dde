//! What another classifier would have made of a log: every request decided twice, by the confidence it had and by the other's.
//!
//! Invariant: only requests that the other one could read are judged anew; what it could not read keeps its confidence, and is
//! counted.

use std::sync::Arc;

use super::frontiers::{same_names, with_staged};
use super::snapshot::RouteConsequences;
use super::{Log, Reading, settle_one};
use crate::outcome::{Evidence, Operation, Settled};
use crate::routing::{NO_RUNG, Policy};
use crate::telemetry::Sign;
use crate::units::PerMille;

/// A request that starts elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flip {
    /// Its place in the log.
    pub index: usize,
    /// Its id.
    pub id: String,
    /// Its confidence, by either.
    pub confidence: [Option<PerMille>; 2],
    /// The route and the rung it starts on, by either.
    pub start: [(Arc<str>, Arc<str>); 2],
}

/// What another classifier would have made of a log.
#[derive(Clone, Debug, Default)]
pub struct Reclassified {
    /// By route of the policy in force at the end: what was in force, and the other classifier with what is staged.
    pub routes: Vec<RouteConsequences>,
    /// Requests that start elsewhere, the first of them.
    pub flips: Vec<Flip>,
    /// Requests that the other one judged.
    pub read: u64,
    /// Those that it could not read: their confidence stands.
    pub unread: u64,
}

impl Operation {
    /// Returns it as the second classifier judged it; as it is where that could not read it.
    fn by_second(&self) -> Self {
        let Some(second) = self.second else { return *self };
        let mut other = *self;
        other.set_confidence(second.confidence, second.source);
        other.class = second.class;
        other
    }
}

/// Decides every request of a log by the confidences of both classifiers; of those that start elsewhere the first `most` are listed.
pub fn reclassified(log: &Log, now: &Policy, staged: &Policy, most: usize) -> Reclassified {
    let mut found = Reclassified {
        routes: now.routes.iter().map(RouteConsequences::none).collect(),
        ..Reclassified::default()
    };
    let outlook = log.outlook();
    let (mut before, mut after) = (Settled::default(), Settled::default());
    let mut changed: Option<(Arc<Policy>, Policy)> = None;
    for (index, evidence) in log.history.range(0, log.len()) {
        let operation = evidence.operation;
        let policy = log.policy_at(index);
        let tried = match changed.take().filter(|(of, _)| Arc::ptr_eq(of, policy)) {
            Some(known) => changed.insert(known),
            None => changed.insert((Arc::clone(policy), with_staged(policy, now, staged))),
        };
        let other = operation.by_second();
        found.read += u64::from(operation.second.is_some());
        found.unread += u64::from(operation.second.is_none());
        let anew = Evidence { operation: &other, ..evidence };
        settle_one(&evidence, Reading::Routed, policy, &outlook, &mut before);
        settle_one(&anew, Reading::Routed, &tried.1, &outlook, &mut after);
        if before.first_rung == NO_RUNG && after.first_rung == NO_RUNG {
            continue;
        }
        let sides = [(&before, &**policy), (&after, &tried.1)];
        let is_flip = (before.tag, before.first_rung) != (after.tag, after.first_rung);
        for (at, (settled, of)) in sides.into_iter().enumerate() {
            let route = of.route(settled.route);
            let place = found.routes.iter().position(|row| same_names(&row.setting, route));
            let place = place.unwrap_or_else(|| {
                found.routes.push(RouteConsequences::none(route));
                found.routes.len() - 1
            });
            let Some(row) = found.routes.get_mut(place) else { continue };
            let side = if at == 0 { &mut row.applied } else { &mut row.staged };
            side.account(settled, Sign::Plus);
            if is_flip {
                row.flips += u64::from(at == 0);
                for attempt in &settled.attempts {
                    row.moved[at].add(attempt.spread);
                }
            }
        }
        if is_flip && found.flips.len() < most {
            let start = sides.map(|(settled, of)| {
                let route = of.route(settled.route);
                let rung = route.ladder.get(usize::from(settled.first_rung));
                (Arc::clone(&route.name), rung.map_or_else(|| "-".into(), |rung| Arc::clone(&rung.name)))
            });
            found.flips.push(Flip {
                index,
                id: log.history.id(index).to_owned(),
                confidence: [operation.confidence(), other.confidence()],
                start,
            });
        }
    }
    found
}
