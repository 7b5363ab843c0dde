//! The parts of the traffic that explain most of a change, and the models whose calls fail.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

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
    fn of(place: Place) -> [Self; 4] {
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

    fn has(self, place: Place) -> bool {
        Self::of(place).contains(&self)
    }
}

/// A part of the traffic whose cost changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Which.
    pub part: Dimension,
    /// Parts whose change is nearly all the same.
    pub also: Vec<Dimension>,
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

/// How a model's trouble went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// More calls fail than before.
    Began,
    /// Many fail, as before.
    WentOn,
    /// Fewer fail than before, where many did.
    Eased,
}

crate::units::spelt!(Course { Began = "began", WentOn = "went_on", Eased = "eased" });

/// A model whose calls fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which.
    pub model: ModelId,
    /// How it went.
    pub course: Course,
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
    /// Models in trouble before or after, the worst first.
    pub trouble: Vec<Trouble>,
}

/// Parts of the traffic that are looked at for slices, by the size of their change.
const LOOKED_AT: usize = 64;

/// Explains the change between two stretches of time, with the `most` parts of the traffic that changed most.
pub fn explain(before: &Window, after: &Window, most: usize) -> Explained {
    let pair = Pair::new(before, after);
    // By place, so that what parts have in common can be told.
    let mut places: BTreeMap<Place, Pico> = BTreeMap::new();
    let gone = before.branches.iter().map(|(at, branch)| (at, -branch.cost));
    for ((place, _), cost) in gone.chain(after.branches.iter().map(|(at, branch)| (at, branch.cost))) {
        *places.entry(*place).or_default() += cost;
    }
    let mut changes: BTreeMap<Dimension, Pico> = BTreeMap::new();
    for (place, by) in &places {
        for part in Dimension::of(*place) {
            *changes.entry(part).or_default() += *by;
        }
    }
    let mut changes: Vec<Changed> = changes.into_iter().filter(|(_, by)| *by != Pico::ZERO).collect();
    crate::units::sort_by_key(&mut changes, |(part, by)| (Reverse(by.0.unsigned_abs()), *part));
    changes.truncate(LOOKED_AT);
    let mut slices: Vec<Slice> = grouped(&changes, &places, most)
        .into_iter()
        .map(|(part, also)| Slice { part, also, split: pair.split(|place| part.has(place)) })
        .collect();
    crate::units::sort_by_key(&mut slices, |slice| {
        (Reverse(slice.split.change().0.unsigned_abs()), slice.part)
    });
    Explained { split: pair.split(|_| true), slices, trouble: trouble(&pair) }
}

type Changed = (Dimension, Pico);

/// Takes the first parts, and puts those that are nearly the same change together under the narrowest of them.
fn grouped(
    changes: &[Changed],
    places: &BTreeMap<Place, Pico>,
    most: usize,
) -> Vec<(Dimension, Vec<Dimension>)> {
    let mut groups: Vec<(Changed, Vec<Dimension>)> = Vec::new();
    for &(part, by) in changes {
        let is_same = |(other, theirs): Changed| {
            let both = places.iter().filter(|(place, _)| part.has(**place) && other.has(**place));
            let common = both.map(|(_, by)| by.0).sum::<i128>().saturating_mul(10);
            let whole = by.0.unsigned_abs().max(theirs.0.unsigned_abs()).saturating_mul(9);
            common.signum() == by.0.signum()
                && by.0.signum() == theirs.0.signum()
                && common.unsigned_abs() >= whole
        };
        match groups.iter().position(|(first, _)| is_same(*first)) {
            Some(place) => {
                let (first, also) = &mut groups[place];
                if part < first.0 {
                    also.push(first.0);
                    *first = (part, by);
                } else {
                    also.push(part);
                }
            }
            None if groups.len() < most => groups.push(((part, by), Vec::new())),
            None => {}
        }
    }
    groups.into_iter().map(|((part, _), also)| (part, also)).collect()
}

/// Fewer failed calls are no trouble.
const LEAST_FAILED: u64 = 5;

fn trouble(pair: &Pair<'_>) -> Vec<Trouble> {
    let both = pair.before.models.keys().chain(pair.after.models.keys()).copied();
    let mut found: Vec<Trouble> = both
        .collect::<BTreeSet<ModelId>>()
        .into_iter()
        .filter_map(|model| {
            let ends = |window: &Window| window.models.get(&model).copied().unwrap_or_default();
            let (before, after) = (ends(pair.before), ends(pair.after));
            let course = course(before, after)?;
            Some(Trouble { model, course, before, after, hits: hits(pair, model) })
        })
        .collect();
    crate::units::sort_by_key(&mut found, |trouble| {
        Reverse(trouble.before.failed().max(trouble.after.failed()))
    });
    found
}

/// Says how trouble went: it began where a twentieth of the calls fail, twice the share of before; it is there where a fifth do.
fn course(before: Ends, after: Ends) -> Option<Course> {
    let (failed, all) = (u128::from(after.failed()), u128::from(after.all()));
    let (failed_before, all_before) = (u128::from(before.failed()), u128::from(before.all()));
    let is_there =
        |ends: Ends| ends.failed() >= LEAST_FAILED && ends.failed().saturating_mul(5) >= ends.all();
    let is_more = all_before == 0 || failed * all_before > 2 * failed_before * all;
    if after.failed() >= LEAST_FAILED && failed * 20 >= all && is_more {
        Some(Course::Began)
    } else if is_there(before) && failed_before * all > 2 * failed * all_before {
        Some(Course::Eased)
    } else if is_there(before) || is_there(after) {
        Some(Course::WentOn)
    } else {
        None
    }
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
    crate::units::sort_by_key(&mut hits, |hit| (Reverse(hit.extra), hit.team));
    hits
}
