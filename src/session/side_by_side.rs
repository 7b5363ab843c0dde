//! Branches side by side: a log as it was, in a world that is not, and with what is tried there.
//!
//! Invariants: the log as it was is always the first branch, under its own policies and decided by the same fold as the others;
//! what a world does not name is alike on both sides of every difference;
//! a command line and a console that ask the same get the same figures.

use std::sync::Arc;

use super::assigned::staged_by;
use super::branches::{Apart, BranchPlan, BranchRun, BranchesFound};
use super::paired::{Estimates, places};
use super::worlds::{Other, WorldError, branched, idle, spans_with};
use super::{Log, PolicySpan};
use crate::budget::{Limit, LimitHistory};
use crate::outcome::Settled;
use crate::routing::{Policy, PolicyError};
use crate::units::{Instant, Span, choice};
use crate::world::World;

/// Why branches cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BranchError {
    /// The log has nothing to put into this world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A threshold that is tried cannot be.
    #[error("{0}")]
    Threshold(String),
    /// A policy that is tried cannot be.
    #[error("{0}: {1}")]
    Policy(String, PolicyError),
    /// The world changes a limit that nobody has.
    #[error("{0}: no budget has the limit `{1}`; {2}")]
    NoLimit(String, String, String),
}

/// What branches are of.
#[derive(Clone, Copy, Debug)]
pub struct BranchesOf<'a> {
    /// The log.
    pub log: &'a Log,
    /// The policies that were in force.
    pub policies: &'a [PolicySpan],
    /// The limits in force, where the world has none of its own.
    pub limits: &'a LimitHistory,
    /// From when on worlds and what is tried are otherwise; the log's first request where not said.
    pub from: Option<Instant>,
    /// A policy in force, and the one staged beside it, which is one branch more.
    pub staged: Option<(&'a Policy, &'a Policy)>,
}

/// One branch before it is run.
struct Run {
    name: String,
    policies: Vec<PolicySpan>,
    limits: LimitHistory,
    /// Whether they decide what there is room for, and not what was recorded of it.
    decide: bool,
    world: Option<World>,
}

/// Runs a log branch by branch. `tick` hears how many requests of all branches are done, and may cancel by answering false,
/// which gives none.
///
/// # Errors
/// Where what is tried cannot be, or the log has nothing to put into the world.
pub fn branch_out(
    of: BranchesOf<'_>,
    plan: &Arc<BranchPlan>,
    mut tick: impl FnMut(u64, u64) -> bool,
) -> Result<Option<BranchesFound>, BranchError> {
    let BranchPlan { file, world, tried } = &**plan;
    let mut names = of.log.names.clone();
    let compiled = tried.iter().map(|(branch, spec)| {
        let Some(spec) = spec else { return Ok(None) };
        let policy = Policy::compile(spec, 1, &mut names);
        policy
            .map(|policy| Some(Arc::new(policy)))
            .map_err(|why| BranchError::Policy(branch.name.clone(), why))
    });
    let compiled: Vec<Option<Arc<Policy>>> = compiled.collect::<Result<_, _>>()?;
    let log = of.log.clone().naming(names);
    let limits = world.limits.clone().map_or_else(|| of.limits.clone(), LimitHistory::from);
    let known: Vec<String> = limits.all().map(Limit::name).collect();
    if let Some(amount) = world.amounts.iter().find(|amount| !known.contains(&amount.limit)) {
        let hint = choice(&amount.limit, &known);
        return Err(BranchError::NoLimit(file.clone(), amount.limit.clone(), hint));
    }
    let first = log.bounds().unwrap_or_default().0;
    // A world of another day moves all of the log there.
    let start = of.from.filter(|_| world.starts.is_none()).unwrap_or(first);
    let run = |name: &str, policies: Vec<PolicySpan>, world: Option<&World>| Run {
        name: name.to_owned(),
        policies,
        limits: limits.clone(),
        decide: !limits.is_empty(),
        world: world.cloned(),
    };
    let as_they_were = || of.policies.to_vec();
    // What limits turned away then the log tells; those of the world, of a file or of one's own were not there.
    let as_it_was = Run { decide: false, ..run("as it was", as_they_were(), None) };
    let mut runs = vec![as_it_was];
    // Limits that the world does not bring change something by themselves, which is none of its doing.
    let base = usize::from(world.limits.is_none() && !limits.is_empty());
    runs.extend((base > 0).then(|| run("under limits", as_they_were(), None)));
    runs.push(run("in this world", as_they_were(), Some(world)));
    let mut untried = Vec::new();
    for (place, ((branch, _), policy)) in tried.iter().zip(compiled).enumerate() {
        let policies = if let Some(policy) = policy {
            spans_with(&log, of.policies, start, Other::Policy(policy))
        } else {
            let now = of.policies.last().map_or(&log.policy, |span| &span.policy);
            let staged = match staged_by(now, &branch.set, &log.names) {
                Ok(staged) => staged,
                // The world was made for another policy; it can be lived through without its branch.
                Err(why) if place < world.branches.len() => {
                    untried.push((branch.name.clone(), why));
                    continue;
                }
                Err(why) => return Err(BranchError::Threshold(why)),
            };
            spans_with(&log, of.policies, start, Other::Thresholds { now, staged: &staged })
        };
        let rules = if branch.runaways { world.rules.clone() } else { Vec::new() };
        let world = World { rules, ..world.clone() };
        let limits = if branch.budgets { limits.clone() } else { LimitHistory::default() };
        let decide = !branch.budgets || !limits.is_empty();
        runs.push(Run { limits, decide, ..run(&branch.name, policies, Some(&world)) });
    }
    if let Some((now, staged)) = of.staged {
        let policies = spans_with(&log, of.policies, start, Other::Thresholds { now, staged });
        runs.push(run("staged", policies, Some(world)));
    }
    let moved = log.in_world(world, start)?;
    let start_moved = world.starts.unwrap_or(start);
    let last = |log: &Log| log.bounds().unwrap_or_default().1;
    let length = |log: &Log| (log.len() - log.history.start()) as u64;
    let all = runs.iter().map(|run| length(if run.world.is_some() { &moved } else { &log })).sum();
    let mut found = BranchesFound {
        plan: Arc::clone(plan),
        title: log.title.clone(),
        simulated: log.simulated as u64,
        prices: log.book.clone(),
        start: start_moved,
        end: last(&moved),
        is_whole: start <= first,
        incident: world.incident((start_moved, last(&moved))).filter(|(from, to)| from < to),
        idle: world.changes.iter().map(|change| idle(&moved, change, start_moved)).collect(),
        untried,
        runs: Vec::new(),
        base,
        names: moved.names.clone(),
    };
    let mut before = 0;
    let mut estimates = Estimates::default();
    let place = places(&log, &moved);
    for Run { name, policies, limits, decide, world } in runs {
        let (of, start) = if world.is_some() { (&moved, start_moved) } else { (&log, start) };
        let policies =
            if world.is_some() { placed(policies, &log, &moved, start_moved - start) } else { policies };
        let incident = plan.world.incident((start, last(of)));
        let from = of.history.start();
        let (branch, mut apart) = (found.runs.len(), Apart::default());
        let hear = |index: usize, settled: &Settled, is_inside: bool| {
            if branch == base {
                estimates.keep(index, settled);
            } else if branch > base {
                let place = place.get(index).copied().flatten();
                estimates.part(place, settled, &mut apart.whole);
                if is_inside {
                    estimates.part(place, settled, &mut apart.inside);
                }
            }
            !index.is_multiple_of(4096) || tick(before + index.saturating_sub(from) as u64, all)
        };
        let world = (world.as_ref(), start);
        let Some(branch) = branched(of, &policies, (&limits, decide), world, incident, hear) else {
            return Ok(None);
        };
        estimates.sort();
        before += length(of);
        let mut policies: Vec<Arc<Policy>> = policies.into_iter().map(|span| span.policy).collect();
        policies.dedup_by(|one, other| one.name == other.name && one.version == other.version);
        found.runs.push(BranchRun { name, policies, found: branch, apart });
    }
    Ok(Some(found))
}

/// Returns policies with their places in a log that was moved, or into which requests came besides.
fn placed(policies: Vec<PolicySpan>, log: &Log, moved: &Log, by: Span) -> Vec<PolicySpan> {
    if (moved.history.start(), moved.len()) == (log.history.start(), log.len()) {
        return policies;
    }
    let place = |span: PolicySpan| {
        let at = log.history.at(span.from).filter(|_| span.from > log.history.start());
        PolicySpan { from: at.map_or(0, |first| moved.history.first_at(first + by)), ..span }
    };
    policies.into_iter().map(place).collect()
}
