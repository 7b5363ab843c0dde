//! The parts of the traffic that explain most of a change, and the models whose calls began to fail.

use std::collections::BTreeMap;

use super::split::{Pair, Split};
use super::window::{Ends, Path, Place, Window};
use crate::units::{ModelId, Pico, ProjectId, RouteTag, TeamId};

/// A part of the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// What a project asks.
    Project(ProjectId),
    /// What a team asks.
    Team(TeamId),
    /// What is placed on a model first.
    Model(ModelId),
    /// What a route takes.
    Route(RouteTag),
}

impl Dimension {
    /// Returns the parts that a place belongs to.
    fn of(place: &Place) -> [Self; 4] {
        [
            Self::Project(place.project),
            Self::Team(place.team),
            Self::Model(place.model),
            Self::Route(place.route),
        ]
    }

    /// Returns its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Project(_) => "project",
            Self::Team(_) => "team",
            Self::Model(_) => "model",
            Self::Route(_) => "route",
        }
    }

    fn has(self, place: &Place) -> bool {
        Self::of(place).contains(&self)
    }
}

/// A part of the traffic whose cost changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Which.
    pub part: Dimension,
    /// Its own change, split as if it were all of the traffic: its volume is its own.
    pub split: Split,
}

/// What trouble with a model did to a team's requests that were placed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The team.
    pub team: TeamId,
    /// Those that were not answered by the first call, before and after.
    pub requests: (u64, u64),
    /// What more of them cost: escalations, retries and failures.
    pub extra: Pico,
}

/// A model whose calls fail more often than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which.
    pub model: ModelId,
    /// How its calls ended before.
    pub before: Ends,
    /// How they ended after.
    pub after: Ends,
    /// The teams whose requests it hit, the worst first.
    pub hits: Vec<Hit>,
}

/// Why cost changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// All of the traffic.
    pub split: Split,
    /// The parts of it that changed most, at most as many as asked for.
    pub slices: Vec<Slice>,
    /// Models in trouble, the worst first.
    pub trouble: Vec<Trouble>,
}

/// Explains the change between two stretches of time, with the `most` parts of the traffic that changed most.
pub fn explain(before: &Window, after: &Window, most: usize) -> Explained {
    let pair = Pair::new(before, after);
    let mut changes: BTreeMap<Dimension, Pico> = BTreeMap::new();
    for ((place, _), branch) in &before.branches {
        for part in Dimension::of(place) {
            *changes.entry(part).or_default() -= branch.cost;
        }
    }
    for ((place, _), branch) in &after.branches {
        for part in Dimension::of(place) {
            *changes.entry(part).or_default() += branch.cost;
        }
    }
    let mut changes: Vec<(Dimension, Pico)> =
        changes.into_iter().filter(|(_, by)| *by != Pico::ZERO).collect();
    changes.sort_by_key(|(part, by)| (std::cmp::Reverse(by.0.unsigned_abs()), *part));
    let mut slices: Vec<Slice> = Vec::new();
    for (part, _) in changes {
        if slices.len() >= most {
            break;
        }
        let split = pair.split(|place| part.has(place));
        // A team that is all one project says nothing new.
        if !slices.iter().any(|slice| slice.split == split) {
            slices.push(Slice { part, split });
        }
    }
    Explained { split: pair.split(|_| true), slices, trouble: trouble(&pair) }
}

/// A model is in trouble where at least so many calls failed, a twentieth of them, and twice the share of before.
const LEAST_FAILED: u64 = 5;

fn trouble(pair: &Pair<'_>) -> Vec<Trouble> {
    let is_worse = |before: Ends, after: Ends| {
        let (failed, all) = (u128::from(after.failed()), u128::from(after.all()));
        let (failed_before, all_before) = (u128::from(before.failed()), u128::from(before.all()));
        let is_more = all_before == 0 || failed * all_before > 2 * failed_before * all;
        after.failed() >= LEAST_FAILED && failed * 20 >= all && is_more
    };
    let found = pair.after.models.iter().filter_map(|(model, after)| {
        let before = pair.before.models.get(model).copied().unwrap_or_default();
        let hits = || hits(pair, *model);
        is_worse(before, *after).then(|| Trouble { model: *model, before, after: *after, hits: hits() })
    });
    let mut found: Vec<Trouble> = found.collect();
    found.sort_by_key(|trouble| std::cmp::Reverse(trouble.after.failed()));
    found
}

fn hits(pair: &Pair<'_>, model: ModelId) -> Vec<Hit> {
    let mut teams: BTreeMap<TeamId, (u64, u64)> = BTreeMap::new();
    for (window, is_after) in [(pair.before, false), (pair.after, true)] {
        let placed = window.branches.iter().filter(|((place, path), _)| {
            place.model == model && matches!(path, Path::Retried | Path::Escalated | Path::Failed)
        });
        for ((place, _), branch) in placed {
            let counts = teams.entry(place.team).or_default();
            *(if is_after { &mut counts.1 } else { &mut counts.0 }) += branch.requests;
        }
    }
    let hit = |(team, requests): (TeamId, (u64, u64))| {
        let parts = pair.split(|place| place.model == model && place.team == team).parts;
        Hit { team, requests, extra: parts.escalation + parts.retries + parts.failures }
    };
    let mut hits: Vec<Hit> =
        teams.into_iter().filter(|(_, (before, after))| after > before).map(hit).collect();
    hits.sort_by_key(|hit| (std::cmp::Reverse(hit.extra), hit.team));
    hits
}
