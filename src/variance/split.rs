//! The exact split of a change in cost. One thing after the other goes from what it was before to what it was after: how many
//! requests, whose they are, where they are placed, how they end, what is called, how it is cached, how long it is, what it
//! costs. What each step changes is its part.
//!
//! Invariant: the parts add up to the change, to the pico-dollar, for every subset of the traffic: every step but the first
//! begins with the rounded figure at which the one before it ended. A step rounds sums, and what rounding leaves is in the
//! largest part.

use std::collections::{BTreeMap, BTreeSet};

use super::bucket::{BUCKETS, Bucket, Buckets, FEES, PROMPT};
use super::window::{Branch, Calls, Path, Place, Window};
use crate::units::{ModelId, Pico, ProjectId, RouteTag, TeamId};

/// What the shift of requests between parts of the traffic changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mix {
    /// Between teams.
    pub team: Pico,
    /// Between projects of a team.
    pub project: Pico,
    /// Between routes of a project.
    pub route: Pico,
    /// Between the models that requests of a route are placed on.
    pub model: Pico,
}

impl Mix {
    /// Returns all of it.
    pub fn total(&self) -> Pico {
        self.team + self.project + self.route + self.model
    }
}

/// What each cause changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// More or fewer requests.
    pub volume: Pico,
    /// Other teams, projects, routes and models.
    pub mix: Mix,
    /// What tokens cost.
    pub price: Pico,
    /// Longer or shorter prompts and answers.
    pub tokens: Pico,
    /// How much of prompts was read from caches and written to them.
    pub cache: Pico,
    /// More or fewer requests that went up the ladder, or to another model after a failed call.
    pub escalation: Pico,
    /// More or fewer that called the same model again.
    pub retries: Pico,
    /// More or fewer that ended without an answer.
    pub failures: Pico,
    /// What is known of requests whose cost is not wholly known.
    pub unknown: Pico,
    /// What is not billed by tokens.
    pub other: Pico,
}

impl Parts {
    /// Lists them by name, the shift as one.
    pub fn list(&self) -> [(&'static str, Pico); 10] {
        [
            ("volume", self.volume),
            ("mix", self.mix.total()),
            ("price", self.price),
            ("tokens", self.tokens),
            ("cache", self.cache),
            ("escalation", self.escalation),
            ("retries", self.retries),
            ("failures", self.failures),
            ("unknown", self.unknown),
            ("other", self.other),
        ]
    }

    /// Returns their sum.
    pub fn total(&self) -> Pico {
        self.list().into_iter().map(|(_, amount)| amount).sum()
    }

    /// Names the part that moved the cost most, in the direction in which it went.
    pub fn main(&self) -> &'static str {
        let up = self.total() >= Pico::ZERO;
        let toward = |amount: Pico| if up { amount } else { -amount };
        self.list().into_iter().rev().max_by_key(|(_, amount)| toward(*amount)).map_or("", |(name, _)| name)
    }

    /// Returns the largest part, the last of several.
    fn largest(&mut self) -> &mut Pico {
        let Mix { team, project, route, model } = &mut self.mix;
        let mix = [team, project, route, model];
        let ends = [&mut self.escalation, &mut self.retries, &mut self.failures];
        let calls = [&mut self.price, &mut self.tokens, &mut self.cache, &mut self.volume];
        let all = mix.into_iter().chain(ends).chain(calls);
        all.max_by_key(|part| part.0.unsigned_abs()).unwrap_or(&mut self.other)
    }

    fn of_level(&mut self, level: usize) -> &mut Pico {
        match level {
            0 => &mut self.volume,
            1 => &mut self.mix.team,
            2 => &mut self.mix.project,
            3 => &mut self.mix.route,
            _ => &mut self.mix.model,
        }
    }

    fn of_path(&mut self, path: Path) -> &mut Pico {
        match path {
            Path::Escalated => &mut self.escalation,
            Path::Retried => &mut self.retries,
            Path::Failed => &mut self.failures,
            Path::Plain | Path::Unpriced => &mut self.other,
        }
    }
}

/// One side of a comparison, or of a slice of one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// Operations.
    pub requests: u64,
    /// Those that went up the ladder, or to another model after a failed call.
    pub escalated: u64,
    /// Those whose cost is not wholly known.
    pub unknown: u64,
    /// What is known of their cost, estimates included.
    pub cost: Pico,
}

/// A change and its causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Before.
    pub before: Side,
    /// After.
    pub after: Side,
    /// The causes.
    pub parts: Parts,
}

impl Split {
    /// Returns the change.
    pub fn change(&self) -> Pico {
        self.after.cost - self.before.cost
    }
}

/// Requests before and after, and what those before cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    before: u64,
    after: u64,
    cost: Pico,
}

impl Count {
    /// Scales an amount of before to the requests of after.
    fn scale(self, amount: Pico) -> Pico {
        amount.proportion([self.after], [self.before])
    }
}

/// How a place is found in ever smaller parts of the traffic: all of it, its team, project, route, and itself.
const LEVELS: usize = 5;

impl Place {
    /// Returns the part of the traffic of a level that it belongs to.
    fn part(self, level: usize) -> Self {
        let mut part = self;
        if level < 4 {
            part.model = ModelId::NONE;
        }
        if level < 3 {
            part.route = RouteTag::NONE;
        }
        if level < 2 {
            part.project = ProjectId::NONE;
        }
        if level < 1 {
            part.team = TeamId::NONE;
        }
        part
    }
}

/// What tokens cost before, by model, length band and bucket.
type Prices = BTreeMap<(ModelId, usize, usize), Bucket>;

/// Two windows, ready to be split.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) before: &'a Window,
    pub(super) after: &'a Window,
    prices: Prices,
}

const NOTHING: &Branch = &Branch { requests: 0, cost: Pico::ZERO, models: BTreeMap::new() };

impl<'a> Pair<'a> {
    pub(super) fn new(before: &'a Window, after: &'a Window) -> Self {
        let mut prices = Prices::new();
        for (model, calls) in before.branches.values().flat_map(|branch| &branch.models) {
            for (band, buckets) in calls.bands.iter().enumerate() {
                for (at, bucket) in buckets.iter().enumerate().filter(|(_, bucket)| bucket.tokens > 0) {
                    let sum = prices.entry((*model, band, at)).or_default();
                    sum.tokens = sum.tokens.saturating_add(bucket.tokens);
                    sum.cost += bucket.cost;
                }
            }
        }
        Self { before, after, prices }
    }

    /// Splits the change of the places that are asked for.
    pub(super) fn split(&self, wants: impl Fn(Place) -> bool) -> Split {
        let mut split = Split::default();
        let mut counts: [BTreeMap<Place, Count>; LEVELS] = Default::default();
        let mut places: BTreeMap<Place, BTreeSet<Path>> = BTreeMap::new();
        for (window, is_after) in [(self.before, false), (self.after, true)] {
            let side = if is_after { &mut split.after } else { &mut split.before };
            for ((place, path), branch) in window.branches.iter().filter(|((place, _), _)| wants(*place)) {
                side.requests += branch.requests;
                side.cost += branch.cost;
                places.entry(*place).or_default().insert(*path);
                match path {
                    Path::Unpriced => {
                        side.unknown += branch.requests;
                        continue;
                    }
                    Path::Escalated => side.escalated += branch.requests,
                    Path::Plain | Path::Retried | Path::Failed => {}
                }
                for (level, counts) in counts.iter_mut().enumerate() {
                    let count = counts.entry(place.part(level)).or_default();
                    if is_after {
                        count.after += branch.requests;
                    } else {
                        count.before += branch.requests;
                        count.cost += branch.cost;
                    }
                }
            }
        }
        let mut reached: Pico = counts[0].values().map(|count| count.cost).sum();
        for (level, counts) in counts.iter().enumerate() {
            let known = counts.values().filter(|count| count.before > 0);
            let scaled: Pico = known.map(|count| count.scale(count.cost)).sum();
            *split.parts.of_level(level) += scaled - reached;
            reached = scaled;
        }
        let mut left = reached;
        for (place, paths) in &places {
            let levels = std::array::from_fn(|level| {
                counts[level].get(&place.part(level)).copied().unwrap_or_default()
            });
            left -= self.place(*place, paths, &levels, &mut split.parts);
        }
        *split.parts.largest() -= left;
        split
    }

    fn branches(&self, place: Place, path: Path) -> (&'a Branch, &'a Branch) {
        let of = |window: &'a Window| window.branches.get(&(place, path)).unwrap_or(NOTHING);
        (of(self.before), of(self.after))
    }

    /// Splits what is within a place; returns what the steps before come to there, rounded bucket by bucket.
    fn place(
        &self,
        place: Place,
        paths: &BTreeSet<Path>,
        levels: &[Count; LEVELS],
        parts: &mut Parts,
    ) -> Pico {
        let (before, after) = self.branches(place, Path::Unpriced);
        parts.unknown += after.cost - before.cost;
        let paths: Vec<Path> = paths.iter().copied().filter(|path| *path != Path::Unpriced).collect();
        // What is new comes whole, where it is new.
        if let Some(level) = levels.iter().position(|count| count.before == 0) {
            *parts.of_level(level) +=
                paths.iter().map(|path| self.branches(place, *path).1.cost).sum::<Pico>();
            return Pico::ZERO;
        }
        let all = levels[LEVELS - 1];
        let reached = paths.iter().map(|path| scaled(self.branches(place, *path).0, |_| all)).sum();
        self.ends(place, &paths, all, reached, parts);
        for path in paths {
            let (before, after) = self.branches(place, path);
            if before.requests > 0 && after.requests > 0 {
                self.calls(path, before, after, parts);
            }
        }
        reached
    }

    /// Splits what other ends changed: each by how much more such an end costs than the plain one.
    fn ends(&self, place: Place, paths: &[Path], all: Count, reached: Pico, parts: &mut Parts) {
        let (plain_before, plain_after) = self.branches(place, Path::Plain);
        let whole: Pico = paths.iter().map(|path| self.branches(place, *path).0.cost).sum();
        // What a request costs that ends plainly: as a sum over so many.
        let (plain, plain_count) = match (plain_before.requests, plain_after.requests) {
            (0, 0) => (whole, all.before),
            (0, after) => (plain_after.cost, after),
            (before, _) => (plain_before.cost, before),
        };
        let mut total = Pico::ZERO;
        let mut found: Vec<(Path, Pico)> = Vec::new();
        for path in paths {
            let (before, after) = self.branches(place, *path);
            let ended = match before.requests {
                0 => after.cost,
                n => scaled(before, |_| Count { before: n, after: after.requests, ..Count::default() }),
            };
            total += ended;
            if *path == Path::Plain {
                continue;
            }
            let expected = scaled(before, |_| all);
            let instead = plain.proportion([after.requests, 1], [plain_count, 1])
                - plain.proportion([before.requests, all.after], [plain_count, all.before]);
            found.push((*path, ended - expected - instead));
        }
        let rest = total - reached - found.iter().map(|(_, amount)| *amount).sum::<Pico>();
        for (path, amount) in &found {
            *parts.of_path(*path) += *amount;
        }
        // Rounding leaves a few pico-dollars.
        let most = found.iter().max_by_key(|(_, amount)| amount.0.unsigned_abs());
        *parts.of_path(most.map_or(Path::Plain, |(path, _)| *path)) += rest;
    }

    /// Splits what changed within requests that ended alike.
    fn calls(&self, path: Path, before: &Branch, after: &Branch, parts: &mut Parts) {
        let all = Count { before: before.requests, after: after.requests, ..Count::default() };
        let none = Calls::default();
        let models: BTreeSet<ModelId> = before.models.keys().chain(after.models.keys()).copied().collect();
        for model in models {
            let was = before.models.get(&model).unwrap_or(&none);
            let is = after.models.get(&model).unwrap_or(&none);
            let count = Count { before: was.calls, after: is.calls, ..Count::default() };
            let new: Pico = is.bands.iter().flatten().map(|bucket| bucket.cost).sum();
            let reached = scaled_calls(was, all);
            if was.calls == 0 || is.calls == 0 {
                *parts.of_path(path) += new - reached;
                continue;
            }
            *parts.of_path(path) += scaled_calls(was, count) - reached;
            let empty = Buckets::default();
            for band in 0..was.bands.len().max(is.bands.len()) {
                let was = was.bands.get(band).unwrap_or(&empty);
                let is = is.bands.get(band).unwrap_or(&empty);
                self.band((model, band), (was, is), count, parts);
            }
        }
    }

    /// Splits what changed within the calls to a model of one length band.
    fn band(
        &self,
        (model, band): (ModelId, usize),
        (was, is): (&Buckets, &Buckets),
        calls: Count,
        parts: &mut Parts,
    ) {
        let prompt = |buckets: &Buckets| buckets[PROMPT].iter().map(|bucket| bucket.tokens).sum::<u64>();
        let (prompt_before, prompt_after) = (prompt(was), prompt(is));
        for at in 0..BUCKETS {
            let (old, new) = (was[at], is[at]);
            let mut reached = calls.scale(old.cost);
            if at == FEES {
                parts.other += new.cost - reached;
                continue;
            }
            // What a token cost before; one of a kind that was not there before costs what it does now.
            let listed = self.prices.get(&(model, band, at)).copied().unwrap_or(new);
            let price = if old.tokens > 0 { old } else { listed };
            if PROMPT.contains(&at) && prompt_before > 0 && prompt_after > 0 {
                let cached = price.cost.proportion(
                    [prompt_before, calls.after, new.tokens],
                    [calls.before, prompt_after, price.tokens.max(1)],
                );
                parts.cache += cached - reached;
                reached = cached;
            }
            let long = price.cost.proportion([new.tokens], [price.tokens.max(1)]);
            parts.tokens += long - reached;
            parts.price += new.cost - long;
        }
    }
}

/// Scales what a branch cost, bucket by bucket.
fn scaled(branch: &Branch, count: impl Fn(&Branch) -> Count) -> Pico {
    let count = count(branch);
    branch.models.values().map(|calls| scaled_calls(calls, count)).sum()
}

fn scaled_calls(calls: &Calls, count: Count) -> Pico {
    calls.bands.iter().flatten().map(|bucket| count.scale(bucket.cost)).sum()
}
