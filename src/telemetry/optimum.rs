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

/// What thresholds give: cost in pico-dollars and quality in millionths of a good answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Cost.
    pub cost: i128,
    /// Quality, summed over requests.
    pub quality: i128,
}

impl std::ops::Add for Outcome {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { cost: self.cost + other.cost, quality: self.quality + other.quality }
    }
}

impl std::ops::Sub for Outcome {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { cost: self.cost - other.cost, quality: self.quality - other.quality }
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
    /// By rung and threshold, those that are not to be had though no floor forbids them; nothing where none is.
    pub barred: Vec<Vec<bool>>,
}

impl Menu {
    fn floor(&self, rung: usize) -> usize {
        self.floors.get(rung).map_or(0, |floor| floor.bin())
    }

    fn is_barred(&self, rung: usize, threshold: usize) -> bool {
        self.barred.get(rung).and_then(|of| of.get(threshold)).copied().unwrap_or(false)
    }

    /// Says what a setting gives.
    pub fn outcome(&self, thresholds: &[PerMille]) -> Outcome {
        let mut sum = self.base;
        for (steps, threshold) in self.steps.iter().zip(thresholds) {
            sum = sum + steps.get(threshold.bin()).copied().unwrap_or_default();
        }
        sum
    }

    /// Adds what other requests of the same ladder choose between.
    pub fn merge(&mut self, other: &Self) {
        self.base = self.base + other.base;
        for (mine, theirs) in self.steps.iter_mut().zip(&other.steps) {
            for (step, more) in mine.iter_mut().zip(theirs) {
                *step = *step + *more;
            }
        }
    }

    /// Finds the setting of the highest score, of equal ones the highest thresholds.
    fn best(&self, score: &Score) -> Thresholds {
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
                let is_allowed = is_high && !self.is_barred(rung, threshold);
                if is_allowed && best.is_none_or(|(known, _)| total >= known) {
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
            for to in allowed.filter(|to| !self.is_barred(rung, to.bin())) {
                let Some(&step) = steps.get(to.bin()).filter(|step| last != Some(**step)) else { continue };
                last = Some(step);
                all.push((here - now + step, Move { rung, to }));
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

/// How settings are weighed: `gain` times what is gained less `price` times what is used.
struct Score {
    goal: Goal,
    gain: i128,
    price: i128,
    /// Of equal ones, whether the one that gains most is meant, or the one that uses least.
    gains_first: bool,
}

impl Score {
    fn of(&self, outcome: Outcome) -> (i128, i128) {
        let (gained, used) = (self.goal.gained(outcome), self.goal.used(outcome));
        let first = self.gain.saturating_mul(gained).saturating_sub(self.price.saturating_mul(used));
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
            None => menu.best(score),
        };
        chosen(self.menus, self.menus.iter().zip(&self.corners).map(best).collect())
    }
}

/// Finds the convex hull of a route with one threshold; none of another, whose thresholds depend on each other.
fn corners(menu: &Menu, goal: Goal) -> Option<Vec<(Outcome, PerMille)>> {
    let [steps] = menu.steps.as_slice() else { return None };
    let floor = menu.floor(0);
    let allowed = (0..=1000u16).rev().filter_map(PerMille::new).take_while(|to| to.bin() >= floor);
    let allowed = allowed.filter(|to| !menu.is_barred(0, to.bin()));
    let mut points: Vec<(Outcome, PerMille)> =
        allowed.filter_map(|to| Some((menu.base + *steps.get(to.bin())?, to))).collect();
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
    let weigh = |gain, price, gains_first| Score { goal, gain, price, gains_first };
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
        let is_allowed = menu.applied.iter().zip(0..).all(|(threshold, rung)| {
            threshold.bin() >= menu.floor(rung) && !menu.is_barred(rung, threshold.bin())
        });
        if menu.applied.len() == menu.steps.len()
            && is_allowed
            && menu.outcome(&menu.applied) == menu.outcome(thresholds)
        {
            thresholds.clone_from(&menu.applied);
        }
    }
    choice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_mille(value: u16) -> PerMille {
        PerMille::new(value).unwrap_or_default()
    }

    /// A route of two rungs: at each of a few confidences, what starting on the cheap one saves and loses.
    fn menu(groups: &[(u16, i128, i128)], base: Outcome) -> Menu {
        let mut steps = vec![Outcome::default(); PerMille::VALUES];
        for &(confidence, saves, loses) in groups {
            for step in steps.iter_mut().take(usize::from(confidence) + 1) {
                *step = *step + Outcome { cost: -saves, quality: -loses };
            }
        }
        Menu {
            base,
            steps: vec![steps],
            floors: Thresholds::new(),
            applied: Thresholds::new(),
            barred: Vec::new(),
        }
    }

    /// Numbers by counting.
    fn drawn(seed: &mut u64, below: u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) % below
    }

    fn worlds(seed: &mut u64) -> Vec<Menu> {
        (0..3)
            .map(|_| {
                let groups: Vec<(u16, i128, i128)> = (0..8u16)
                    .map(|at| {
                        (at * 120 + 50, i128::from(drawn(seed, 1000)), i128::from(drawn(seed, 1000)) - 200)
                    })
                    .collect();
                menu(&groups, Outcome { cost: 9000, quality: 9000 })
            })
            .collect()
    }

    /// Every setting of three routes that differs in anything.
    fn all_of(menus: &[Menu]) -> Vec<Outcome> {
        let distinct = |menu: &Menu| {
            let mut steps = menu.steps[0].clone();
            steps.dedup();
            steps.into_iter().map(|step| menu.base + step).collect::<Vec<_>>()
        };
        let [a, b, c] = menus else { panic!("three routes") };
        let (a, b, c) = (distinct(a), distinct(b), distinct(c));
        let pairs = a.iter().flat_map(|a| b.iter().map(move |b| *a + *b)).collect::<Vec<_>>();
        pairs.iter().flat_map(|ab| c.iter().map(move |c| *ab + *c)).collect()
    }

    #[test]
    fn it_is_what_trying_every_setting_finds_or_says_by_how_much_not() {
        let mut seed = 3;
        let (mut exact, mut tried) = (0, 0);
        for _ in 0..60 {
            let menus = worlds(&mut seed);
            let every = all_of(&menus);
            for share in [20, 40, 60, 80] {
                let (low, high) = (
                    every.iter().map(|one| one.cost).min().unwrap_or(0),
                    every.iter().map(|one| one.cost).max().unwrap_or(0),
                );
                let limit = low + (high - low) * share / 100;
                let best =
                    every.iter().filter(|one| one.cost <= limit).map(|one| one.quality).max().unwrap_or(0);
                let found = optimise(&menus, Goal::Cost(limit));
                assert!(found.is_feasible && found.choice.outcome.cost <= limit);
                assert!(found.choice.outcome.quality <= best);
                assert!(found.choice.outcome.quality + found.gap >= best, "the gap is a bound");
                tried += 1;
                exact += u32::from(found.choice.outcome.quality == best);

                let cheapest = every.iter().filter(|one| one.quality >= best).map(|one| one.cost).min();
                let found = optimise(&menus, Goal::Quality(best));
                assert!(found.is_feasible && found.choice.outcome.quality >= best);
                assert!(cheapest.is_some_and(|cost| found.choice.outcome.cost - found.gap <= cost));
            }
        }
        assert!(exact * 10 >= tried * 9, "{exact} of {tried} exact");
    }

    #[test]
    fn what_cannot_be_kept_is_said_with_what_comes_nearest() {
        let menus = [menu(&[(500, 100, 50)], Outcome { cost: 1000, quality: 900 })];
        let found = optimise(&menus, Goal::Cost(800));
        assert!(!found.is_feasible);
        assert_eq!(found.choice.outcome, Outcome { cost: 900, quality: 850 });
        let found = optimise(&menus, Goal::Quality(950));
        assert!(!found.is_feasible && found.choice.outcome.quality == 900);
        let free = optimise(&menus, Goal::Cost(5000));
        assert_eq!((free.is_feasible, free.price), (true, None));
        assert_eq!(free.choice.thresholds[0][0].get(), 1000, "of equal ones the safest");
    }

    #[test]
    fn what_is_barred_is_had_at_no_price_and_does_not_stay_though_it_is_in_force() {
        let mut route = menu(&[(500, 100, 1), (800, 100, 1)], Outcome { cost: 1000, quality: 900 });
        route.applied.push(per_mille(700));
        // From 501 to 900 it would be too slow.
        route.barred = vec![(0..PerMille::VALUES).map(|at| (501..=900).contains(&at)).collect()];
        for (goal, at) in [(Goal::Quality(0), 500), (Goal::Quality(900), 1000), (Goal::Cost(950), 500)] {
            let found = optimise(std::slice::from_ref(&route), goal);
            let to = found.choice.thresholds[0][0].get();
            assert_eq!((to, found.is_feasible), (at, true), "{goal:?}");
        }
        // Two thresholds, of which the lower one may not be had.
        route.steps.push(route.steps[0].clone());
        route.applied.clear();
        route.barred.push(vec![true; 300]);
        let found = optimise(std::slice::from_ref(&route), Goal::Quality(0));
        let [high, low] = found.choice.thresholds[0][..] else { panic!("{found:?}") };
        assert!(high >= low && !(501..=900).contains(&high.get()) && low.get() >= 300, "{found:?}");
    }

    #[test]
    fn a_floor_is_kept_and_a_setting_that_is_as_good_stays() {
        let mut route = menu(&[(500, 100, 1), (800, 100, 1)], Outcome { cost: 1000, quality: 900 });
        route.floors.push(per_mille(600));
        route.applied.push(per_mille(700));
        let found = optimise(std::slice::from_ref(&route), Goal::Quality(0));
        assert_eq!(found.choice.thresholds[0][0].get(), 700, "700 and 601 to 800 give the same");
        assert_eq!(found.choice.outcome.cost, 900, "the saving at 500 lies below the floor");
        let found = optimise(&[route], Goal::Cost(850));
        assert!(!found.is_feasible);
    }

    #[test]
    fn thresholds_of_more_rungs_stay_in_order() {
        let mut seed = 9;
        let mut route = worlds(&mut seed).swap_remove(0);
        let second = worlds(&mut seed).swap_remove(0).steps.swap_remove(0);
        route.steps.push(second);
        let every: Vec<Outcome> = (0..=1000u16)
            .step_by(10)
            .flat_map(|upper| (0..=upper).step_by(10).map(move |lower| [per_mille(upper), per_mille(lower)]))
            .map(|setting| route.outcome(&setting))
            .collect();
        let low = every.iter().map(|one| one.cost).min().unwrap_or(0);
        for more in [0, 300, 900, 2000] {
            let best = every.iter().filter(|one| one.cost <= low + more).map(|one| one.quality).max();
            let found = optimise(std::slice::from_ref(&route), Goal::Cost(low + more));
            let thresholds = &found.choice.thresholds[0];
            assert!(thresholds[0] >= thresholds[1], "{thresholds:?}");
            assert!(found.choice.outcome.cost <= low + more);
            assert!(best.is_some_and(|best| found.choice.outcome.quality + found.gap >= best));
        }
    }
}
