//! The best thresholds of all routes of a window, and what they come to.
//!
//! Invariant: what is said of a plan is read from the frontiers at its very thresholds, not from the sweep that found them.

use std::sync::Arc;

use super::frontiers::{Frontiers, Setting, same_names};
use crate::calibration::wilson;
use crate::outcome::Spread;
use crate::pricing::CostSum;
use crate::routing::{Mode, Policy, Route, RouteId, Thresholds};
use crate::telemetry::{Basis, Forecast, Goal, Graded, Grades, Menu, Optimum, Outcome, optimise};
use crate::units::{PerMille, Pico};

/// A good answer, in which quality is counted.
pub const GOOD: i128 = 1_000_000;

/// What is wanted of all routes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Most quality at this cost of the window at most.
    Cost(Pico),
    /// The same, at a cost changed by so many thousandths.
    Change(i32),
    /// Least cost at this quality on average at least, in millionths.
    Quality(u32),
    /// Least cost.
    Least,
}

/// What is to be kept whatever is wanted.
pub struct Keeping<'a> {
    /// The lowest threshold of a rung that is allowed; none where any is.
    pub floor: &'a dyn Fn(&Route, usize) -> Option<PerMille>,
    /// Within how many milliseconds 95 of 100 requests of each route are to be over; none where that is all the same.
    pub within_ms: Option<u64>,
}

/// The quantile that is bounded, in thousandths.
const SLOW: u64 = 950;

/// What a plan does with one route.
#[derive(Clone, Debug)]
pub struct PlannedRoute {
    /// The route as the policy in force has it.
    pub route: RouteId,
    /// Its thresholds after the plan.
    pub thresholds: Thresholds,
    /// What was in force gave.
    pub applied: Forecast,
    /// What the plan gives.
    pub planned: Forecast,
    /// Its quality before and after, what nobody judged filled in.
    pub quality: (i128, i128),
    /// What that rests on.
    pub basis: Basis,
    /// The same by the rung on which requests start.
    pub graded: [Vec<Graded>; 2],
    /// How far off the cost of what moves may be: where it started, and where it would.
    pub moved: [Spread; 2],
    /// Within how many milliseconds 95 of 100 requests are over, before and after, as far as latencies are known.
    pub p95_ms: (Option<u64>, Option<u64>),
}

impl PlannedRoute {
    /// Returns its quality before and after, each with its 95% interval; none where it does not rest on labels. Labels of a rung
    /// speak for the requests that start on it: one label leaves open what becomes of a thousand.
    fn judged(&self) -> [Option<Judged>; 2] {
        [0, 1].map(|side| {
            let parts = self.graded.get(side)?.iter().filter(|one| one.requests > 0);
            let of = |one: &Graded| {
                let mean = one.quality as f64 / GOOD as f64 / one.requests as f64;
                let (low, high) = wilson(mean * one.labelled as f64, one.labelled);
                (one.requests, Judged { mean, low: low.min(mean), high: high.max(mean) })
            };
            let seen = (self.basis == Basis::Labels).then(|| together(parts.map(of)))?;
            let open = judged(&self.planned).filter(|_| side == 1 && moves_unseen(&self.planned));
            Some(open.map_or(seen, |open| Judged { low: seen.low.min(open.low), ..seen }))
        })
    }

    /// Returns the 95% interval of its quality before and after (Wilson's); none where it does not rest on labels.
    pub fn quality_between(&self) -> [Option<(f64, f64)>; 2] {
        self.judged().map(|side| side.map(Judged::between))
    }
}

/// A mean quality and its 95% interval.
#[derive(Clone, Copy, Debug)]
struct Judged {
    mean: f64,
    low: f64,
    high: f64,
}

impl Judged {
    fn between(self) -> (f64, f64) {
        (self.low, self.high)
    }
}

/// Returns the quality of requests of several kinds together: of kinds that have nothing to do with each other what each may be
/// off to one side adds up in squares, so that no bound leaves 0 to 1.
fn together(kinds: impl Iterator<Item = (u64, Judged)>) -> Judged {
    let (mut all, mut requests) = (Judged { mean: 0.0, low: 0.0, high: 0.0 }, 0.0);
    for (of, own) in kinds {
        let weight = of as f64;
        requests += weight;
        all.mean += weight * own.mean;
        all.low += (weight * (own.mean - own.low)).powi(2);
        all.high += (weight * (own.high - own.mean)).powi(2);
    }
    let requests = f64::max(requests, 1.0);
    let mean = all.mean / requests;
    let (below, above) = (all.low.sqrt() / requests, all.high.sqrt() / requests);
    Judged { mean, low: (mean - below).max(0.0), high: (mean + above).min(1.0) }
}

/// Returns the 95% interval of what labels say of quality (Wilson's): it never leaves 0 to 1. None where nobody judged.
///
/// Labels speak for requests like those that they were drawn from. Where hardly any is of those that thresholds move, what becomes
/// of these is open: nobody knows how good an answer is that nobody judged.
pub fn quality_between(forecast: &Forecast) -> Option<(f64, f64)> {
    judged(forecast).map(Judged::between)
}

/// Says whether answers are judged much more rarely, by half, of what thresholds move than of all.
fn moves_unseen(forecast: &Forecast) -> bool {
    let Forecast { requests, labelled, moved, .. } = forecast;
    let share = |labels: u64, of: u64| u128::from(labels) * u128::from(of);
    2 * share(moved.labelled, *requests) < share(*labelled, moved.requests)
}

fn judged(forecast: &Forecast) -> Option<Judged> {
    let of = |(requests, labelled, quality): (u64, u64, u64)| {
        let mean = quality as f64 / 1000.0 / labelled.max(1) as f64;
        let (low, high) = if labelled > 0 { wilson(quality as f64 / 1000.0, labelled) } else { (0.0, 1.0) };
        (requests, Judged { mean, low, high })
    };
    let Forecast { requests, labelled, quality, moved, .. } = forecast;
    let (_, all) = of((*requests, *labelled, *quality));
    if !moves_unseen(forecast) {
        return (*labelled > 0).then_some(all);
    }
    let stay = (requests - moved.requests, labelled - moved.labelled, quality - moved.quality);
    let (requests, mut unseen) = of((moved.requests, moved.labelled, moved.quality));
    if moved.labelled == 0 {
        unseen.mean = all.mean;
    }
    let both = together([of(stay), (requests, unseen)].into_iter().filter(|(requests, _)| *requests > 0));
    Some(Judged { mean: all.mean, low: both.low.min(all.low), high: both.high.max(all.high) })
}

/// Returns by how much what labels say of quality differs between two sides, with its 95% interval; none where one was not judged.
///
/// Of two independent sides it is Newcombe's (1998, method 10): Wilson's intervals of both, added up in squares. Labels that both
/// sides share make it wider than it need be.
pub fn quality_change(before: &Forecast, after: &Forecast) -> Option<(f64, (f64, f64))> {
    let (before, after) = (judged(before)?, judged(after)?);
    let change = after.mean - before.mean;
    let less = (after.mean - after.low).hypot(before.high - before.mean);
    let more = (after.high - after.mean).hypot(before.mean - before.low);
    Some((change, (change - less, change + more)))
}

/// The best thresholds.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is done with every route whose thresholds move anything.
    pub routes: Vec<PlannedRoute>,
    /// What is not moved: requests of routes of earlier policies, of routes that observe, and those whose clients named the model.
    pub fixed: CostSum,
    /// How far off that may be.
    pub fixed_spread: Spread,
    /// Cost before, all in.
    pub cost_before: CostSum,
    /// Cost after.
    pub cost_after: CostSum,
    /// Quality before and after in millionths, summed over the requests that are moved.
    pub quality: (i128, i128),
    /// Requests of the routes that are moved.
    pub requests: u64,
    /// Whether what is wanted is kept.
    pub is_feasible: bool,
    /// By how much any thresholds could be better at most: in quality where a cost was wanted, in pico-dollars else.
    pub gap: i128,
    /// The next step that was not taken.
    pub margin: Option<Outcome>,
    /// The routes that are slower than wanted, wherever their thresholds stand.
    pub too_slow: Vec<Arc<str>>,
    /// Where a time was wanted: the routes of whose requests nobody knows how long they took.
    pub untimed: Vec<Arc<str>>,
    /// The routes that are left as they are, each with the rung of which nobody knows what it costs: nothing is cheap because its
    /// price is unknown.
    pub unpriced: Vec<(Arc<str>, Arc<str>)>,
}

impl Plan {
    /// Returns half the width of a 95% interval of the cost before and after.
    pub fn cost_error(&self) -> (Pico, Pico) {
        let of = |forecast: fn(&PlannedRoute) -> &Forecast| {
            let mut all = self.fixed_spread;
            self.routes.iter().for_each(|route| all.add(forecast(route).spread));
            all.half_width()
        };
        (of(|route| &route.applied), of(|route| &route.planned))
    }

    /// Returns half the width of a 95% interval of the change of cost: what is the same before and after adds nothing.
    pub fn change_error(&self) -> Pico {
        Spread::apart_all(self.routes.iter().map(|route| route.moved))
    }

    /// Says whether the change of cost is no more than its error.
    pub fn is_cost_within_error(&self) -> bool {
        let change = self.cost_after.total() - self.cost_before.total();
        change != Pico::ZERO && change.0.abs() <= self.change_error().0
    }

    /// Returns the quality before and after, each with its 95% interval; none where that of a route does not rest on labels.
    fn judged(&self) -> [Option<Judged>; 2] {
        [0, 1].map(|side| {
            let of = |route: &PlannedRoute| Some((route.applied.requests, route.judged()[side]?));
            let all: Option<Vec<(u64, Judged)>> = self.routes.iter().map(of).collect();
            all.map(|all| together(all.into_iter()))
        })
    }

    /// Returns the 95% interval of quality before and after; none where that of a route does not rest on labels.
    pub fn quality_between(&self) -> [Option<(f64, f64)>; 2] {
        self.judged().map(|side| side.map(Judged::between))
    }

    /// Says whether quality changes by no more than either side may be off towards the other; none where that is not known.
    pub fn is_quality_within_error(&self) -> Option<bool> {
        let [before, after] = self.judged();
        let (before, after) = (before?, after?);
        let [lower, upper] = if before.mean <= after.mean { [before, after] } else { [after, before] };
        let off = (upper.mean - upper.low).max(lower.high - lower.mean);
        Some(self.quality.0 != self.quality.1 && upper.mean - lower.mean <= off)
    }

    /// Returns the policy with the thresholds of the plan.
    pub fn staged(&self, now: &Policy) -> Policy {
        let mut staged = now.clone();
        for planned in &self.routes {
            if let Some(route) = staged.routes.get_mut(planned.route.index()) {
                // They descend by construction: cannot be refused.
                let _ = route.set_thresholds(&planned.thresholds);
            }
        }
        staged
    }
}

impl Frontiers {
    /// Finds the best thresholds of a policy's routes over the window; `None` where no threshold moves anything.
    pub fn plan(&mut self, now: &Policy, wanted: Target, keeping: &Keeping<'_>) -> Option<Plan> {
        let Keeping { floor, within_ms } = *keeping;
        let (mut menus, mut grades): (Vec<Menu>, Vec<Grades>) = (Vec::new(), Vec::new());
        let mut routes: Vec<PlannedRoute> = Vec::new();
        let (mut fixed, mut fixed_spread) = (self.kept, Spread::NONE);
        let (mut is_moved, mut unpriced) = (vec![false; self.held.len()], Vec::new());
        for (at, route) in now.routes.iter().enumerate() {
            let Ok(id) = u8::try_from(at).map(RouteId) else { continue };
            if route.mode == Mode::Observe || route.movable().is_empty() {
                continue;
            }
            let own: Vec<usize> =
                (0..is_moved.len()).filter(|&at| self.held.get(at).is_some_and(|s| fits(s, route))).collect();
            // No threshold of a fallback moves anything.
            let least = |rung: usize| {
                if rung == 0 && route.has_fallback() { Some(PerMille::ONE) } else { floor(route, rung) }
            };
            let floors: Thresholds =
                (0..route.ladder.len() - 1).map(|rung| least(rung).unwrap_or_default()).collect();
            let frontiers: Vec<_> = own.iter().filter_map(|&at| Some(&self.held.get(at)?.frontier)).collect();
            if let Some(rung) = route.ladder.iter().enumerate().skip(route.movable().start).find(|(at, _)| {
                let of = frontiers.iter().map(|frontier| frontier.unknown_on(*at));
                let (all, unknown) = of.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
                all > 0 && all == unknown
            }) {
                unpriced.push((Arc::clone(&route.name), Arc::clone(&rung.1.name)));
                continue;
            }
            let Some(known) = Grades::of(&frontiers, within_ms) else { continue };
            let menu = Menu::of(&known, floors, route.thresholds());
            let mut applied = Forecast::default();
            for &at in &own {
                if let Some(setting) = self.held.get_mut(at) {
                    applied.join(&setting.in_force());
                }
                if let Some(slot) = is_moved.get_mut(at) {
                    *slot = true;
                }
            }
            if applied.requests == 0 {
                continue;
            }
            // What was in force may have changed on the way: each stretch by its own thresholds.
            let graded = self.graded(&own, &known);
            let before = graded.iter().map(|one| one.quality).sum();
            menus.push(menu);
            routes.push(PlannedRoute {
                route: id,
                thresholds: Thresholds::new(),
                applied,
                planned: Forecast::default(),
                quality: (before, 0),
                basis: known.basis(),
                graded: [graded, Vec::new()],
                moved: [Spread::NONE; 2],
                p95_ms: (None, None),
            });
            grades.push(known);
        }
        for at in (0..is_moved.len()).filter(|&at| !is_moved.get(at).copied().unwrap_or(false)) {
            if let Some(setting) = self.held.get_mut(at) {
                let in_force = setting.in_force();
                fixed += &in_force.cost;
                fixed_spread.add(in_force.spread);
            }
        }
        let mut cost_before = fixed;
        for route in &routes {
            cost_before += &route.applied.cost;
        }
        let requests: u64 = routes.iter().map(|route| route.applied.requests).sum();
        let goal = match wanted {
            Target::Cost(limit) => Goal::Cost((limit - fixed.total()).0),
            Target::Change(thousandths) => {
                let limit = cost_before.total().ratio(1000 + i128::from(thousandths), 1000);
                Goal::Cost((limit - fixed.total()).0)
            }
            Target::Quality(millionths) => Goal::Quality(i128::from(millionths) * i128::from(requests)),
            Target::Least => Goal::Quality(i128::MIN / 4),
        };
        if routes.is_empty() {
            return None;
        }
        let Optimum { choice, is_feasible, gap, price } = optimise(&menus, goal);
        let mut cost_after = fixed;
        let mut quality = (0, 0);
        let (mut too_slow, mut untimed) = (Vec::new(), Vec::new());
        for ((planned, thresholds), (menu, known)) in
            routes.iter_mut().zip(choice.thresholds).zip(menus.iter().zip(&grades))
        {
            planned.quality.1 = menu.outcome(&thresholds).quality;
            planned.graded[1] = known.by_rung(&thresholds);
            let Some(route) = now.routes.get(planned.route.index()) else { continue };
            for at in 0..is_moved.len() {
                if let Some(setting) = self.held.get_mut(at).filter(|setting| fits(setting, route)) {
                    planned.planned.join(&setting.at(&thresholds));
                    let more = setting.moved(&thresholds);
                    planned.moved.iter_mut().zip(more).for_each(|(side, more)| side.add(more));
                }
            }
            let p95 = |forecast: &Forecast| forecast.latency.quantile(SLOW);
            planned.p95_ms = (p95(&planned.applied), p95(&planned.planned));
            if within_ms.zip(planned.p95_ms.1).is_some_and(|(within, found)| found > within) {
                too_slow.push(Arc::clone(&route.name));
            }
            if within_ms.is_some() && planned.p95_ms.1.is_none() {
                untimed.push(Arc::clone(&route.name));
            }
            cost_after += &planned.planned.cost;
            quality = (quality.0 + planned.quality.0, quality.1 + planned.quality.1);
            planned.thresholds = thresholds;
        }
        let is_feasible = is_feasible && too_slow.is_empty();
        Some(Plan {
            routes,
            fixed,
            fixed_spread,
            cost_before,
            cost_after,
            quality,
            requests,
            is_feasible,
            gap,
            margin: price,
            too_slow,
            untimed,
            unpriced,
        })
    }

    /// Returns by rung how good was what was in force, each stretch by its own thresholds.
    fn graded(&self, own: &[usize], known: &Grades) -> Vec<Graded> {
        let mut all: Vec<Graded> = Vec::new();
        for setting in own.iter().filter_map(|&at| self.held.get(at)) {
            let Some(part) = known.part(&setting.frontier) else { continue };
            let rungs = part.by_rung(&setting.route.thresholds());
            all.resize(all.len().max(rungs.len()), Graded::default());
            for (sum, more) in all.iter_mut().zip(rungs) {
                sum.requests += more.requests;
                sum.labelled += more.labelled;
                sum.quality += more.quality;
            }
        }
        all
    }
}

/// Says whether what a setting holds moves with a route's thresholds.
fn fits(setting: &Setting, route: &Route) -> bool {
    setting.route.mode == route.mode && same_names(&setting.route, route)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Draw;

    /// A change that is none must not be told as one more often than 95% allow, nor one that is there be hidden.
    #[test]
    fn the_interval_of_a_change_of_quality_covers_it() {
        let mut draws = Draw::new(7);
        for (before, after, labels) in [(700, 700, (300, 300)), (500, 650, (60, 200)), (950, 900, (40, 500))]
        {
            let mut judged = |of: u64, good: usize| {
                let passed = (0..of).filter(|_| draws.below(1000) < good).count() as u64;
                Forecast { labelled: of, quality: passed * 1000, ..Forecast::default() }
            };
            let (mut holds, truth) = (0, (after as f64 - before as f64) / 1000.0);
            for _ in 0..2000 {
                let (one, other) = (judged(labels.0, before), judged(labels.1, after));
                let (_, (low, high)) = quality_change(&one, &other).unwrap();
                holds += u32::from((low..=high).contains(&truth));
            }
            assert!((1870..=1970).contains(&holds), "{holds} of 2,000 at {before} and {after}");
        }
    }
}
