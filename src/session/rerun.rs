//! Re-deciding a stretch of the log in full, on all cores: the check on the instant figure.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::fold::walk;
use super::snapshot::RouteConsequences;
use super::{Log, PolicySpan, Reading, TriedLimit, settle_one};
use crate::outcome::Settled;
use crate::pricing::CostSum;
use crate::routing::match_route;

/// What a full re-run decides anew, and by what.
#[derive(Clone, Debug, PartialEq)]
pub struct RerunJob {
    /// The policies that were in force, what is staged changed in each.
    pub policies: Arc<[PolicySpan]>,
    /// Limits that are tried beside those in force.
    pub limits: Arc<[TriedLimit]>,
    /// The first operation.
    pub first: usize,
    /// The one after the last.
    pub end: usize,
}

/// What is staged, decided in order of time, and the rows that this came to.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) job: RerunJob,
    pub(super) rows: Vec<RouteConsequences>,
}

/// What a re-run found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rerun {
    /// Operations decided.
    pub requests: u64,
    /// Their cost.
    pub cost: CostSum,
    /// Operations that went up the ladder.
    pub escalated: u64,
}

/// Decides operations anew, each under the policy of its time. `done` counts along; `None` where `stop` was raised.
pub fn rerun(log: &Log, job: &RerunJob, done: &AtomicUsize, stop: &AtomicBool) -> Option<Rerun> {
    let &RerunJob { first, end, ref policies, .. } = job;
    if log.remembers(policies) {
        return in_order(log, job, done, stop);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = end.saturating_sub(first).div_ceil(threads).max(1);
    let parts = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|at| {
                let from = first + at * share;
                let to = (from + share).min(end);
                scope.spawn(move || part(log, policies, from, to, done, stop))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().ok().flatten()).collect::<Option<Vec<_>>>()
    })?;
    Some(parts.iter().fold(Rerun::default(), |mut all, one| {
        all.requests += one.requests;
        all.cost += &one.cost;
        all.escalated += one.escalated;
        all
    }))
}

/// Decides operations one after the other on the state of each instant, from the log's start on.
fn in_order(log: &Log, job: &RerunJob, done: &AtomicUsize, stop: &AtomicBool) -> Option<Rerun> {
    let mut found = Rerun::default();
    let ran = walk(log, (&job.policies, job.end), &mut |index, evidence, policy, settled| {
        if index % 4096 == 0 {
            done.store(index.saturating_sub(job.first), Ordering::Relaxed);
        }
        let operation = evidence.operation;
        let is_kept = operation.pinned && policy.route(settled.route).pins(operation.class);
        if index >= job.first && !is_kept {
            found.requests += 1;
            found.cost.add_operation(settled.costs());
            found.escalated += u64::from(settled.escalated);
        }
        index % 4096 != 0 || !stop.load(Ordering::Relaxed)
    });
    ran.then_some(found)
}

fn part(
    log: &Log,
    policies: &[PolicySpan],
    from: usize,
    to: usize,
    done: &AtomicUsize,
    stop: &AtomicBool,
) -> Option<Rerun> {
    let mut found = Rerun::default();
    let mut settled = Settled::default();
    let outlook = log.outlook();
    // Later ones of the same start have the last word.
    let mut at = policies.partition_point(|span| span.from <= from).saturating_sub(1);
    for (index, recalled) in log.history.range(from, to) {
        let evidence = recalled.evidence();
        while policies.get(at + 1).is_some_and(|next| next.from <= index) {
            at += 1;
        }
        let PolicySpan { policy, .. } = policies.get(at)?;
        let operation = evidence.operation;
        let route = || policy.route(match_route(policy, &operation.signals()));
        if operation.pinned && route().pins(operation.class) {
            continue;
        }
        settle_one(&evidence, Reading::Routed, policy, &outlook, &mut settled);
        found.requests += 1;
        found.cost.add_operation(settled.costs());
        found.escalated += u64::from(settled.escalated);
        if index % 4096 == 0 {
            done.fetch_add(4096, Ordering::Relaxed);
            if stop.load(Ordering::Relaxed) {
                return None;
            }
        }
    }
    Some(found)
}
