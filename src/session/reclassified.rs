//! A log decided twice, as it was and with something changed in its requests: the confidences of another classifier, or what follows
//! where a check says that an answer is not fit.
//!
//! Invariant: what cannot be told anew (a request that the other classifier could not read, an answer without that check's verdict)
//! stays as it was, and is counted.

use std::sync::Arc;

use super::frontiers::{row_of, same_names, with_staged};
use super::settled::settle_tried;
use super::snapshot::RouteConsequences;
use super::{Log, Reading, settle_one};
use crate::checks::{OnFail, Says, Verdict};
use crate::outcome::{Evidence, Extra, Operation, Outlook, Settled};
use crate::routing::{Check, NO_RUNG, Policy, Route, match_route};
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

/// A log decided twice.
#[derive(Clone, Debug, Default)]
pub struct Reclassified {
    /// By route of the policy in force at the end: what was in force, and what is changed with what is staged.
    pub routes: Vec<RouteConsequences>,
    /// Requests that start elsewhere, the first of them.
    pub flips: Vec<Flip>,
    /// Requests that were told anew.
    pub read: u64,
    /// Those that stay as they were.
    pub unread: u64,
}

impl Operation {
    /// Returns it as the second classifier judged it; none where that could not read it.
    pub(super) fn by_second(&self) -> Option<Self> {
        let second = self.second?;
        let mut other = *self;
        other.set_confidence(second.confidence, second.source);
        (other.class, other.least) = (second.class, second.least);
        Some(other)
    }
}

/// Decides every request of a log by the confidences of both classifiers; of those that start elsewhere the first `most` are listed.
pub fn reclassified(log: &Log, now: &Policy, staged: &Policy, most: usize) -> Reclassified {
    twice(log, (now, staged), (most, settle_tried), |evidence, _| {
        Some((evidence.operation.by_second()?, None))
    })
}

/// Decides every request of a log as it was and with another consequence where a check of a route fails.
pub fn rechecked(
    log: &Log,
    now: &Policy,
    staged: &Policy,
    (route, check, on_fail): (&str, &str, OnFail),
) -> Reclassified {
    let settle: Settle =
        |evidence, policy, outlook, into| settle_one(evidence, Reading::Routed, policy, outlook, into);
    twice(log, (now, staged), (0, settle), |evidence, of| {
        if *of.name == *route { anew(evidence, of, (check, on_fail)) } else { None }
    })
}

/// Returns a request with what its checks say of each answer, were the consequence of one of them another; none where that check
/// never said that an answer was not fit.
fn anew(
    evidence: &Evidence<'_>,
    route: &Route,
    (check, on_fail): (&str, OnFail),
) -> Option<(Operation, Option<Extra>)> {
    let extra = evidence.extra?;
    let fails = |verdict: &&Verdict| verdict.says == Says::Failed && *verdict.by == *check;
    if !extra.particulars.iter().any(|told| told.verdicts.iter().any(|verdict| fails(&verdict))) {
        return None;
    }
    let (mut operation, mut extra) = (*evidence.operation, extra.clone());
    let said = |verdict: &Verdict| {
        if *verdict.by == *check {
            verdict.says == Says::Failed && on_fail == OnFail::Escalate
        } else {
            route.checks.as_ref().is_some_and(|checks| checks.escalates(verdict))
                || (verdict.says == Says::Failed && *verdict.by == *Verdict::OWN)
        }
    };
    let calls = extra.earlier.iter_mut().chain(std::iter::once(&mut operation.served));
    for (call, told) in calls.zip(&extra.particulars) {
        if told.verdicts.iter().any(|verdict| fails(&verdict)) {
            call.check = if told.verdicts.iter().any(said) { Check::Failed } else { Check::Passed };
        }
    }
    Some((operation, Some(extra)))
}

/// Settles one request by a policy.
type Settle = fn(&Evidence<'_>, &Policy, &Outlook<'_>, &mut Settled);

/// Decides every request twice; `change` says what is another in the second case.
fn twice(
    log: &Log,
    (now, staged): (&Policy, &Policy),
    (most, settle): (usize, Settle),
    change: impl Fn(&Evidence<'_>, &Route) -> Option<(Operation, Option<Extra>)>,
) -> Reclassified {
    let mut found = Reclassified {
        routes: now.routes.iter().map(RouteConsequences::none).collect(),
        ..Reclassified::default()
    };
    let outlook = log.outlook();
    let (mut before, mut after) = (Settled::default(), Settled::default());
    let mut changed: Option<(Arc<Policy>, Policy)> = None;
    for (index, recalled) in log.history.range(0, log.len()) {
        let evidence = recalled.evidence();
        let policy = log.policy_at(index);
        let tried = match changed.take().filter(|(of, _)| Arc::ptr_eq(of, policy)) {
            Some(known) => changed.insert(known),
            None => changed.insert((Arc::clone(policy), with_staged(policy, now, staged))),
        };
        let route = policy.route(match_route(policy, &evidence.operation.signals_by(&log.prices)));
        let other = change(&evidence, route);
        found.read += u64::from(other.is_some());
        found.unread += u64::from(other.is_none());
        let extra = other.as_ref().and_then(|(_, extra)| extra.as_ref());
        let anew = Evidence {
            operation: other.as_ref().map_or(evidence.operation, |(operation, _)| operation),
            extra: extra.or(evidence.extra),
        };
        settle(&evidence, policy, &outlook, &mut before);
        settle(&anew, &tried.1, &outlook, &mut after);
        // Who was refused, or nobody could serve, counts on both sides, as in every other what-if.
        let route = policy.route(before.route);
        if before.first_rung == NO_RUNG
            && after.first_rung == NO_RUNG
            && evidence.operation.pinned
            && route.pins(evidence.operation.class)
        {
            if let Some(row) = found.routes.iter_mut().find(|row| same_names(&row.setting, route)) {
                row.pinned.account(&before, Sign::Plus);
            }
            continue;
        }
        let sides = [(&before, &**policy), (&after, &tried.1)];
        let place = |settled: &Settled| (settled.tag, settled.first_rung, settled.rung);
        let is_flip = place(&before) != place(&after);
        for (at, (settled, of)) in sides.into_iter().enumerate() {
            let route = of.route(settled.route);
            let row = row_of(&mut found.routes, route);
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
                confidence: [evidence.operation.confidence(), anew.operation.confidence()],
                start,
            });
        }
    }
    found
}
