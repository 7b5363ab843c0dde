//! The sums of a stretch of time that its cost is explained by: requests and costs by who asked, where they were placed, how
//! they ended, and what was called.

use std::collections::BTreeMap;

use super::bucket::{Bucket, Buckets, spread};
use crate::outcome::{Evidence, Seen, Settled};
use crate::pricing::{CostSum, PriceTable};
use crate::routing::Status;
use crate::units::{ModelId, Pico, ProjectId, RouteTag, TeamId};

/// Who asked, and where the request was placed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The team that pays.
    pub team: TeamId,
    /// The project.
    pub project: ProjectId,
    /// The route.
    pub route: RouteTag,
    /// The model called first.
    pub model: ModelId,
}

/// How an operation came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Path {
    /// Answered by the first call.
    Plain,
    /// Answered by the model called first, not by its first call.
    Retried,
    /// Answered by another model than the one called first.
    Escalated,
    /// Ended without an answer.
    Failed,
    /// The cost of a call is unknown: what is known of it explains nothing.
    Unpriced,
}

/// The calls to one model: how many, and their buckets by length band.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Calls {
    pub(super) calls: u64,
    pub(super) bands: Vec<Buckets>,
}

/// Operations of one place that ended in one way.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Branch {
    pub(super) requests: u64,
    pub(super) cost: Pico,
    pub(super) models: BTreeMap<ModelId, Calls>,
}

/// The calls to a model and how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// Calls made.
    pub calls: u64,
    /// Calls by how they ended, in the order of [`Status::ALL`]; those not made are among them.
    by_status: [u64; Status::ALL.len()],
}

impl Ends {
    /// Counts the calls that brought no answer, those that were not made included.
    pub fn failed(&self) -> u64 {
        Status::ALL.iter().zip(self.by_status).filter(|(status, _)| !status.is_ok()).map(|(_, n)| n).sum()
    }

    /// Counts the calls, those that were not made included.
    pub fn all(&self) -> u64 {
        self.by_status.iter().sum()
    }

    /// Returns the way in which most of the failed calls ended, the first of several.
    pub fn worst(&self) -> Option<(Status, u64)> {
        let failed =
            Status::ALL.into_iter().zip(self.by_status).filter(|(status, n)| !status.is_ok() && *n > 0);
        failed.rev().max_by_key(|(_, n)| *n)
    }
}

/// A stretch of time, added up.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// Operations.
    pub requests: u64,
    /// Those that ended without an answer.
    pub failed: u64,
    /// Those that went up the ladder.
    pub escalated: u64,
    /// What they cost.
    pub cost: CostSum,
    /// The calls by model.
    pub models: BTreeMap<ModelId, Ends>,
    pub(super) branches: BTreeMap<(Place, Path), Branch>,
}

impl Window {
    /// Adds a settled operation.
    pub fn add(&mut self, evidence: &Evidence<'_>, settled: &Settled, prices: &PriceTable) {
        let operation = evidence.operation;
        self.requests += 1;
        self.failed += u64::from(!settled.status.is_ok());
        self.escalated += u64::from(settled.escalated);
        self.cost.add_operation(settled.costs());
        let first = settled.attempts.first().map_or(ModelId::NONE, |call| prices.identity(call.model));
        let calls = settled.attempts.iter().filter(|call| call.status.is_call()).count();
        let path = if settled.cost.amount().is_none() {
            Path::Unpriced
        } else if !settled.status.is_ok() {
            Path::Failed
        } else if settled.escalated {
            Path::Escalated
        } else if calls > 1 {
            Path::Retried
        } else {
            Path::Plain
        };
        let (team, project, route) = (operation.team, operation.project, settled.tag);
        let place = Place { team, project, route, model: first };
        let branch = self.branches.entry((place, path)).or_default();
        branch.requests += 1;
        for (index, call) in settled.attempts.iter().enumerate() {
            let model = prices.identity(call.model);
            let ends = self.models.entry(model).or_default();
            if let Some(n) = Status::ALL.iter().position(|status| *status == call.status) {
                ends.by_status[n] += 1;
            }
            let cost = call.cost.amount().unwrap_or(Pico::ZERO);
            branch.cost += cost;
            let is_call = call.status.is_call();
            if !is_call && cost == Pico::ZERO {
                continue;
            }
            ends.calls += u64::from(is_call);
            let sums = branch.models.entry(model).or_default();
            sums.calls += 1;
            let is_match = |seen: &Seen<'_>| seen.call.model == call.model && seen.call.usage == call.usage;
            let seen = if call.observed { seen(evidence, index, is_match) } else { None };
            let (band, buckets) = spread(call, cost, operation.at, seen, prices);
            if sums.bands.len() <= band {
                sums.bands.resize_with(band + 1, Buckets::default);
            }
            for (into, Bucket { tokens, cost }) in sums.bands[band].iter_mut().zip(buckets) {
                into.tokens = into.tokens.saturating_add(tokens);
                into.cost += cost;
            }
        }
    }
}

/// Finds a call among those that were seen: at its own place, or where a policy took others into account, anywhere.
fn seen<'a>(evidence: &Evidence<'a>, index: usize, is_it: impl Fn(&Seen<'a>) -> bool) -> Option<Seen<'a>> {
    let own = evidence.seen().nth(index).filter(|seen| is_it(seen));
    own.or_else(|| evidence.seen().find(is_it))
}
