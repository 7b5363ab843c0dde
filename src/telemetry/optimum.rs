//! The best thresholds of all routes at once: most quality for a cost, or least cost for a quality.
//!
//! A route's cost and quality are a base and a step for each threshold, so a setting that is best at one price of quality is
//! found by walking each curve once; the price is found along the convex hull, and what the hull leaves over is used up by
//! exact exchanges between any two routes. Invariant: all sums are integers, and what is returned keeps its limit exactly.

use crate::routing::Thresholds;
use crate::units::PerMille;

/// Exchanges between routes end at the latest after so many rounds over all of them.
const ROUNDS: usize = 4;
/// Nobody sees a gap of one part in so many.
const CLOSE: i128 = 100_000;
/// Corners of the hull that are looked at, at most.
const CORNERS: usize = 400;

/// What thresholds give: cost in pico-dollars, quality in millionths of a good answer, and how far it is from being in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Cost.
    pub cost: i128,
    /// Quality, summed over requests.
    pub quality: i128,
    /// Above nothing where too few requests are over in time; nothing where that is all the same.
    pub late: i128,
}

impl std::ops::Add for Outcome {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let late = self.late + other.late;
        Self { cost: self.cost + other.cost, quality: self.quality + other.quality, late }
    }
}

impl std::ops::Sub for Outcome {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        let late = self.late - other.late;
        Self { cost: self.cost - other.cost, quality: self.quality - other.quality, late }
    }
}

/// What a route's thresholds choose between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    /// With every request on the last rung, and those without a confidence where they go.
    pub base: Outcome,
    /// By rung but the last, and by threshold: what letting requests from there on start on this rung changes.
    pub steps: Vec<Vec<Outcome>>,
    /// The lowest thresholds allowed; 0 where not said.
    pub floors: Thresholds,
    /// Those in force, which stand where others are no better.
    pub applied: Thresholds,
}

impl Menu {
    fn floor(&self, rung: usize) -> usize {
        self.floors.get(rung).map_or(0, |floor| floor.bin())
    }

    /// Says what a setting gives.
    pub fn outcome(&self, thresholds: &[PerMille]) -> Outcome {
        let mut sum = self.base;
        for (steps, threshold) in self.steps.iter().zip(thresholds) {
            sum = sum + steps.get(threshold.bin()).copied().unwrap_or_default();
        }
        sum
    }

    /// Finds the setting of the highest score, of equal ones the highest thresholds; whether it is in time is all the same.
    pub(super) fn best(&self, score: &Score) -> Thresholds {
        // From the last threshold up: the best of the rungs from here on, where none may lie above a value.
        let mut tables: Vec<Vec<((i128, i128), usize)>> = Vec::with_capacity(self.steps.len());
        for (rung, steps) in self.steps.iter().enumerate().rev() {
            let floor = self.floor(rung);
            let mut table = Vec::with_capacity(PerMille::VALUES);
            let mut best: Option<((i128, i128), usize)> = None;
            for (threshold, step) in steps.iter().enumerate() {
                let own = score.of(*step);
                let below = tables.last().and_then(|table| table.get(threshold)).map_or((0, 0), |one| one.0);
                let total = (own.0.saturating_add(below.0), own.1.saturating_add(below.1));
                let is_high = threshold >= floor || threshold == PerMille::VALUES - 1;
                if is_high && best.is_none_or(|(known, _)| total >= known) {
                    best = Some((total, threshold));
                }
                // Below the floor nothing is allowed: worse than anything.
                table.push(best.unwrap_or(((i128::MIN / 4, 0), PerMille::VALUES - 1)));
            }
            tables.push(table);
        }
        let mut most = PerMille::VALUES - 1;
        tables
            .iter()
            .rev()
            .map(|table| {
                most = table.get(most).map_or(most, |one| one.1);
                PerMille::clamped(i64::try_from(most).unwrap_or(1000))
            })
            .collect()
    }

    /// Lists what moving a single threshold gives, cheapest in the limit first; what gives no more than a cheaper one is left out.
    fn around(&self, thresholds: &Thresholds, goal: Goal) -> Near {
        let here = self.outcome(thresholds);
        let stay = thresholds.first().copied().unwrap_or(PerMille::ONE);
        let mut all = vec![(here, Move { rung: 0, to: stay })];
        for (rung, steps) in self.steps.iter().enumerate() {
            let Some(own) = thresholds.get(rung) else { continue };
            let most = rung.checked_sub(1).and_then(|above| thresholds.get(above)).map_or(1000, |t| t.get());
            let least = thresholds.get(rung + 1).map_or(0, |t| t.bin()).max(self.floor(rung));
            let now = steps.get(own.bin()).copied().unwrap_or_default();
            let mut last = None;
            let allowed = (0..=most).rev().filter_map(PerMille::new).take_while(|to| to.bin() >= least);
            for to in allowed {
                let Some(&step) = steps.get(to.bin()).filter(|step| last != Some(**step)) else { continue };
                last = Some(step);
                // Nothing that is in time is given up for what is not.
                let there = here - now + step;
                if there.late <= 0 || here.late > 0 {
                    all.push((there, Move { rung, to }));
                }
            }
        }
        all.sort_unstable_by_key(|(outcome, _)| (goal.used(*outcome), -goal.gained(*outcome)));
        let mut best = i128::MIN;
        all.retain(|(outcome, _)| {
            let is_more = goal.gained(*outcome) > best;
            best = best.max(goal.gained(*outcome));
            is_more
        });
        all
    }
}

/// A threshold and where it goes.
#[derive(Clone, Copy, Debug)]
struct Move {
    rung: usize,
    to: PerMille,
}

type Near = Vec<(Outcome, Move)>;

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Most quality at this cost at most.
    Cost(i128),
    /// Least cost at this quality at least.
    Quality(i128),
}

impl Goal {
    /// What is limited, as something of which less is allowed.
    fn used(self, outcome: Outcome) -> i128 {
        match self {
            Self::Cost(_) => outcome.cost,
            Self::Quality(_) => -outcome.quality,
        }
    }

    /// What is wanted most of.
    fn gained(self, outcome: Outcome) -> i128 {
        match self {
            Self::Cost(_) => outcome.quality,
            Self::Quality(_) => -outcome.cost,
        }
    }

    fn limit(self) -> i128 {
        match self {
            Self::Cost(cost) => cost,
            Self::Quality(quality) => -quality,
        }
    }

    fn is_kept(self, outcome: Outcome) -> bool {
        self.used(outcome) <= self.limit()
    }
}

/// How settings are weighed: `gain` times what is gained less `price` times what is used, and that against being late.
#[derive(Clone, Copy)]
pub(super) struct Score {
    goal: Goal,
    gain: i128,
    price: i128,
    /// Of equal ones, whether the one that gains most is meant, or the one that uses least.
    gains_first: bool,
    /// What all that counts against the time by which it is late.
    weights: (i128, i128),
}

impl Score {
    /// Returns it so that worth and being late count so much against each other.
    pub(super) fn against_time(self, worth: i128, late: i128) -> Self {
        Self { weights: (worth, late), ..self }
    }

    /// Weighs a setting, whether it is in time or not.
    pub(super) fn worth(&self, outcome: Outcome) -> i128 {
        let (gained, used) = (self.goal.gained(outcome), self.goal.used(outcome));
        self.gain.saturating_mul(gained).saturating_sub(self.price.saturating_mul(used))
    }

    fn of(&self, outcome: Outcome) -> (i128, i128) {
        let (gained, used) = (self.goal.gained(outcome), self.goal.used(outcome));
        let (worth, late) = self.weights;
        let first = match late {
            0 => self.worth(outcome),
            _ => worth.saturating_mul(self.worth(outcome)).saturating_sub(late.saturating_mul(outcome.late)),
        };
        (first, if self.gains_first { gained } else { -used })
    }
}

/// One setting of all routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// By route.
    pub thresholds: Vec<Thresholds>,
    /// What they give together.
    pub outcome: Outcome,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Optimum {
    /// The setting; where the goal is out of reach, the one that comes nearest.
    pub choice: Choice,
    /// Whether it keeps the goal.
    pub is_feasible: bool,
    /// By how much any setting could be better, at most: in what is wanted most of.
    pub gap: i128,
    /// The next step along the best settings: what one more of the limit is worth; none where the limit does not bind.
    pub price: Option<Outcome>,
}

/// Routes, and of those with one threshold the settings that are best at any price.
struct Sweep<'a> {
    menus: &'a [Menu],
    corners: Vec<Option<Vec<(Outcome, PerMille)>>>,
}

impl<'a> Sweep<'a> {
    fn new(menus: &'a [Menu], goal: Goal) -> Self {
        Self { menus, corners: menus.iter().map(|menu| corners(menu, goal)).collect() }
    }

    fn solve(&self, score: &Score) -> Choice {
        let best = |(menu, corners): (&Menu, &Option<Vec<(Outcome, PerMille)>>)| match corners {
            Some(corners) => {
                let best = corners.iter().rev().max_by_key(|(outcome, _)| score.of(*outcome));
                std::iter::once(best.map_or(PerMille::ONE, |(_, threshold)| *threshold)).collect()
            }
            None => menu.best_in_time(score),
        };
        chosen(self.menus, self.menus.iter().zip(&self.corners).map(best).collect())
    }
}

/// Finds the convex hull of a route with one threshold; none of another, whose thresholds depend on each other.
fn corners(menu: &Menu, goal: Goal) -> Option<Vec<(Outcome, PerMille)>> {
    let [steps] = menu.steps.as_slice() else { return None };
    let floor = menu.floor(0);
    let allowed = (0..=1000u16).rev().filter_map(PerMille::new).take_while(|to| to.bin() >= floor);
    let mut points: Vec<(Outcome, PerMille)> =
        allowed.filter_map(|to| Some((menu.base + *steps.get(to.bin())?, to))).collect();
    // Where nothing is in time that is all the same, and told.
    if points.iter().any(|(outcome, _)| outcome.late <= 0) {
        points.retain(|(outcome, _)| outcome.late <= 0);
    }
    // Of equal ones the highest threshold stays.
    crate::units::sort_by_key(&mut points, |(outcome, to)| {
        (goal.used(*outcome), -goal.gained(*outcome), std::cmp::Reverse(*to))
    });
    let mut hull: Vec<(Outcome, PerMille)> = Vec::new();
    for point in points {
        if hull.last().is_some_and(|(last, _)| goal.gained(point.0) <= goal.gained(*last)) {
            continue;
        }
        while let [.., (one, _), (two, _)] = hull.as_slice() {
            let (first, next) = (*two - *one, point.0 - *two);
            let bends_down = goal.gained(first).saturating_mul(goal.used(next))
                > goal.gained(next).saturating_mul(goal.used(first));
            if bends_down {
                break;
            }
            hull.pop();
        }
        hull.push(point);
    }
    Some(hull)
}

fn chosen(menus: &[Menu], thresholds: Vec<Thresholds>) -> Choice {
    let outcomes = menus.iter().zip(&thresholds).map(|(menu, thresholds)| menu.outcome(thresholds));
    Choice { outcome: outcomes.fold(Outcome::default(), std::ops::Add::add), thresholds }
}

/// Finds the best thresholds of all routes together.
pub fn optimise(menus: &[Menu], goal: Goal) -> Optimum {
    let mut found = found(menus, goal);
    // Of several thresholds that have to be in time together not every setting is looked at: none is better than the best of all.
    if found.is_feasible && menus.iter().any(|menu| menu.steps.len() > 1 && menu.minds_time()) {
        let most = self::found(&menus.iter().map(Menu::at_leisure).collect::<Vec<_>>(), goal);
        let better = goal.gained(most.choice.outcome) + most.gap - goal.gained(found.choice.outcome);
        found.gap = found.gap.max(better);
    }
    found
}

fn found(menus: &[Menu], goal: Goal) -> Optimum {
    let weigh = |gain, price, gains_first| Score { goal, gain, price, gains_first, weights: (1, 0) };
    let sweep = Sweep::new(menus, goal);
    let mut kept = sweep.solve(&weigh(0, 1, true));
    let mut over = sweep.solve(&weigh(1, 0, false));
    let found = |choice: Choice, is_feasible, gap, price| Optimum {
        choice: unmoved(menus, choice),
        is_feasible,
        gap,
        price,
    };
    if !goal.is_kept(kept.outcome) {
        return found(kept, false, 0, None);
    }
    if goal.is_kept(over.outcome) {
        // On the hull of what is in time there may be better between two corners.
        let minds_time = menus.iter().any(|menu| menu.steps.len() > 1 && menu.minds_time());
        let over = if minds_time { exchange(menus, goal, over, i128::MAX / 8) } else { over };
        return found(over, true, 0, None);
    }
    // Between the two lies the limit; the hull's corner on either side of it is found chord by chord.
    for _ in 0..CORNERS {
        let gain = goal.used(over.outcome) - goal.used(kept.outcome);
        let price = goal.gained(over.outcome) - goal.gained(kept.outcome);
        let score = weigh(gain, price, false);
        let corner = sweep.solve(&score);
        if score.of(corner.outcome).0 <= score.of(kept.outcome).0 {
            break;
        }
        if goal.is_kept(corner.outcome) {
            kept = corner;
        } else {
            over = corner;
        }
    }
    let (used, gained) = (
        goal.used(over.outcome) - goal.used(kept.outcome),
        goal.gained(over.outcome) - goal.gained(kept.outcome),
    );
    let left = goal.limit() - goal.used(kept.outcome);
    let most = goal.gained(kept.outcome) + gained.saturating_mul(left) / used.max(1);
    let price = over.outcome - kept.outcome;
    let best = exchange(menus, goal, kept, most);
    let gap = (most - goal.gained(best.outcome)).max(0);
    found(best, true, gap, Some(price))
}

/// Uses up what is left of the limit: of any two routes the best setting of both, until no two give more.
fn exchange(menus: &[Menu], goal: Goal, mut choice: Choice, most: i128) -> Choice {
    let is_close = |choice: &Choice| most - goal.gained(choice.outcome) <= most.abs() / CLOSE;
    let around = |choice: &Choice, at: usize| match (menus.get(at), choice.thresholds.get(at)) {
        (Some(menu), Some(thresholds)) => menu.around(thresholds, goal),
        _ => Vec::new(),
    };
    for _ in 0..ROUNDS {
        let before = goal.gained(choice.outcome);
        let mut near: Vec<_> = (0..menus.len()).map(|at| around(&choice, at)).collect();
        for one in 0..menus.len() {
            for other in one..menus.len() {
                if is_close(&choice) {
                    return choice;
                }
                let Some((first, second)) = pair(&near, one, other, goal, menus, &choice) else { continue };
                for (at, moved) in [(one, Some(first)), (other, second)] {
                    let Some(Move { rung, to }) = moved else { continue };
                    let slot = choice.thresholds.get_mut(at).and_then(|own| own.get_mut(rung));
                    if let Some(slot) = slot {
                        *slot = to;
                    }
                }
                choice = chosen(menus, choice.thresholds);
                for at in [one, other] {
                    if let Some(slot) = near.get_mut(at) {
                        *slot = around(&choice, at);
                    }
                }
            }
        }
        if goal.gained(choice.outcome) <= before {
            break;
        }
    }
    choice
}

/// Finds settings of two routes, or of one and the same, that give more within the limit; `None` where there are none.
fn pair(
    near: &[Near],
    one: usize,
    other: usize,
    goal: Goal,
    menus: &[Menu],
    choice: &Choice,
) -> Option<(Move, Option<Move>)> {
    let now = |at: usize| Some(menus.get(at)?.outcome(choice.thresholds.get(at)?));
    let left = goal.limit() - goal.used(choice.outcome);
    let (first, second) = (near.get(one)?, near.get(other)?);
    if one == other {
        let own = now(one)?;
        let room = left + goal.used(own);
        let best = first.iter().rev().find(|(outcome, _)| goal.used(*outcome) <= room)?;
        return (goal.gained(best.0) > goal.gained(own)).then_some((best.1, None));
    }
    let both = now(one)? + now(other)?;
    let room = left + goal.used(both);
    let mut best: Option<(i128, Move, Move)> = None;
    let mut end = second.len();
    // The more the one uses, the less is left for the other.
    for &(outcome, own) in first {
        let left = room - goal.used(outcome);
        while second.get(end.wrapping_sub(1)).is_some_and(|(other, _)| goal.used(*other) > left) {
            end -= 1;
        }
        let Some(&(with, others)) = end.checked_sub(1).and_then(|at| second.get(at)) else { break };
        let gained = goal.gained(outcome) + goal.gained(with);
        if best.as_ref().is_none_or(|known| gained > known.0) {
            best = Some((gained, own, others));
        }
    }
    let (gained, first, second) = best?;
    (gained > goal.gained(both)).then_some((first, Some(second)))
}

/// Leaves a route's thresholds as they are in force where that gives the same.
fn unmoved(menus: &[Menu], mut choice: Choice) -> Choice {
    for (menu, thresholds) in menus.iter().zip(&mut choice.thresholds) {
        let is_high = |(threshold, rung): (&PerMille, usize)| threshold.bin() >= menu.floor(rung);
        let is_allowed = menu.applied.len() == menu.steps.len() && menu.applied.iter().zip(0..).all(is_high);
        let (now, then) = (menu.outcome(&menu.applied), menu.outcome(thresholds));
        let is_same = (now.cost, now.quality) == (then.cost, then.quality) && now.late <= then.late.max(0);
        if is_allowed && is_same {
            thresholds.clone_from(&menu.applied);
        }
    }
    choice
}

#[cfg(test)]
#[path = "optimum_tests.rs"]
mod tests;
