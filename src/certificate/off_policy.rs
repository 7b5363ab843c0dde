//! What moving thresholds would have changed, from requests that lots sent the other way: the difference form of the doubly robust
//! estimate (Dudík, Langford and Li, arXiv 1103.4601).
//!
//! A request that both settings start on one rung adds exactly nothing. Of the others each that was drawn speaks for as many as
//! its chance says; what is expected of a rung anyway is taken from the other four fifths of them, so that only what is unlike
//! it adds error. Nothing is said of confidences where no lot could have sent a request to the rung in question.

use std::collections::BTreeMap;

use crate::routing::{MAX_RUNGS, Route};
use crate::telemetry::{Lot, Lots};
use crate::units::{PerMille, Pico};

/// Below this many requests that count in full nothing is estimated.
pub const LEAST: u64 = 100;
/// The normal deviate of a 95% interval.
const Z: f64 = 1.959_963_984_540_054;
/// Parts that what is expected is taken across.
const FOLDS: usize = 5;
/// Requests of one confidence band that is told apart where it was never explored.
const BAND: u16 = 50;

/// Requests of one setting of a route.
#[derive(Clone, Copy, Debug)]
pub struct Explored<'a> {
    /// What was drawn for them.
    pub lots: &'a Lots,
    /// The route under which it was.
    pub logged: &'a Route,
    /// The same route with other thresholds.
    pub tried: &'a Route,
    /// All its requests.
    pub requests: u64,
}

/// What moving thresholds would have changed.
#[derive(Clone, Debug, PartialEq)]
pub struct OffPolicy {
    /// All requests.
    pub requests: u64,
    /// Those that would start on another rung, and that lots could have sent there.
    pub covered: u64,
    /// Those that would start on a rung to which no lot could have sent them.
    pub uncovered: u64,
    /// The bands of confidence that those lie in: from, to, and how many.
    pub unexplored: Vec<(PerMille, PerMille, u64)>,
    /// The change of their cost in dollars, of all that are covered together.
    pub cost: Estimate,
    /// The change of quality on average over all requests, 1 for a good answer.
    pub quality: Estimate,
}

/// An estimate, or what it lacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Estimate {
    /// Nothing changes that lots could tell.
    Nothing,
    /// Too little was explored.
    Short {
        /// How many requests what was seen is worth.
        effective: u64,
        /// How many more have to be seen that were sent the other way.
        more: u64,
        /// How many requests of this traffic that takes, where that can be told.
        requests: Option<u64>,
    },
    /// It is told.
    Told {
        /// The change.
        change: f64,
        /// Half the width of its 95% interval.
        half: f64,
        /// How many requests what was seen is worth.
        effective: u64,
    },
}

/// A request that moves: where it was sent, the rung that it leaves and the one it goes to.
#[derive(Clone, Copy)]
struct Case {
    from: usize,
    to: usize,
    taken: usize,
    chance: f64,
    fold: usize,
    size: f64,
    cost: Option<f64>,
    quality: Option<f64>,
}

/// Estimates what other thresholds would have changed; `None` where nothing was drawn.
pub fn off_policy<'a>(settings: impl Iterator<Item = Explored<'a>>) -> Option<OffPolicy> {
    let mut cases: Vec<Case> = Vec::new();
    let mut missed: BTreeMap<u16, u64> = BTreeMap::new();
    let (mut requests, mut drawn) = (0, false);
    for setting in settings {
        requests += setting.requests;
        drawn |= !setting.lots.is_empty();
        let mut miss = |confidence: PerMille, count: u64| {
            *missed.entry(confidence.get().min(999) / BAND).or_default() += count;
        };
        for row in setting.lots.rows() {
            match case(row, setting.logged, setting.tried) {
                Moved::No => {}
                Moved::Unseen => miss(row.confidence, 1),
                Moved::Yes(case) => cases.push(case),
            }
        }
        for (confidence, count) in setting.lots.sure() {
            let by = Some(confidence);
            if setting.logged.rung_for(by) != setting.tried.rung_for(by) {
                miss(confidence, count.into());
            }
        }
    }
    if !drawn {
        return None;
    }
    let n = requests.max(1) as f64;
    let cost = Outcome::of(&cases, |case| case.cost, None).estimate(n);
    let quality = Outcome::of(&cases, |case| case.quality, Some(1.0)).estimate(n);
    Some(OffPolicy {
        requests,
        covered: cases.len() as u64,
        uncovered: missed.values().sum(),
        unexplored: joined(&missed),
        cost,
        quality: quality.scaled(1.0 / n),
    })
}

enum Moved {
    No,
    Unseen,
    Yes(Case),
}

fn case(row: &Lot, logged: &Route, tried: &Route) -> Moved {
    let start = |route: &Route, by| route.place(Some(by), row.open);
    let (Some(from), Some(to)) = (start(logged, row.confidence), start(tried, row.confidence)) else {
        return Moved::No;
    };
    if from == to {
        return Moved::No;
    }
    let mut chances = [0_u16; MAX_RUNGS];
    for (by, chance) in logged.explore.map(|explore| explore.ways(row.confidence)).into_iter().flatten() {
        if let Some(slot) = start(logged, by).and_then(|rung| chances.get_mut(rung)) {
            *slot += chance;
        }
    }
    let chance = |rung: usize| chances.get(rung).copied().unwrap_or(0);
    let taken = usize::from(row.start);
    if chance(to) == 0 || chance(from) == 0 || chance(taken) == 0 {
        return Moved::Unseen;
    }
    Moved::Yes(Case {
        from,
        to,
        taken,
        chance: f64::from(chance(taken)) / 1000.0,
        fold: usize::from(row.fold) % FOLDS,
        size: f64::from(row.prompt),
        cost: row.cost.map(dollars),
        quality: row.quality.map(|quality| f64::from(quality.get()) / 1000.0),
    })
}

/// Returns a count that was worked out, without its fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was clamped")]
fn whole(count: f64) -> u64 {
    count.clamp(0.0, 9e15) as u64
}

fn dollars(amount: Pico) -> f64 {
    amount.0 as f64 / Pico::USD.0 as f64
}

/// Takes neighbouring bands together.
fn joined(missed: &BTreeMap<u16, u64>) -> Vec<(PerMille, PerMille, u64)> {
    let mut all: Vec<(u16, u16, u64)> = Vec::new();
    for (&band, &count) in missed.iter().filter(|(_, count)| **count > 0) {
        match all.last_mut() {
            Some((_, to, sum)) if *to == band => (*to, *sum) = (band + 1, *sum + count),
            _ => all.push((band, band + 1, count)),
        }
    }
    let edge = |band: u16| PerMille::clamped(i64::from(band) * i64::from(BAND));
    all.into_iter().map(|(from, to, count)| (edge(from), edge(to), count)).collect()
}

/// Sums over what was seen of one rung in one fold.
#[derive(Clone, Copy, Default)]
struct Seen {
    count: f64,
    size: f64,
    sum: f64,
}

impl Seen {
    fn less(self, other: Self) -> Self {
        Self { count: self.count - other.count, size: self.size - other.size, sum: self.sum - other.sum }
    }
}

/// One outcome of the requests that move.
struct Outcome {
    /// What each adds to the change.
    parts: Vec<f64>,
    /// By rung: what of it was seen, by its weight.
    arms: [Arm; MAX_RUNGS],
    /// The rungs that requests leave or go to.
    touched: [bool; MAX_RUNGS],
    /// What may lie further off than anything seen.
    unseen: f64,
}

#[derive(Clone, Copy, Default)]
struct Arm {
    weight: f64,
    squares: f64,
    seen: f64,
    farthest: f64,
}

impl Outcome {
    /// Adds up; `most` is the greatest value where there is one, the least is then zero.
    fn of(cases: &[Case], value: impl Fn(&Case) -> Option<f64>, most: Option<f64>) -> Self {
        let mut folds = [[Seen::default(); FOLDS]; MAX_RUNGS];
        let mut all = [Seen::default(); MAX_RUNGS];
        let mut sent = [0.0; MAX_RUNGS];
        for case in cases {
            sent[case.taken] += 1.0;
            let Some(found) = value(case) else { continue };
            for seen in [&mut folds[case.taken][case.fold], &mut all[case.taken]] {
                (seen.count, seen.size, seen.sum) =
                    (seen.count + 1.0, seen.size + case.size, seen.sum + found);
            }
        }
        // Costs go with the length of the prompt, where lengths are told; qualities are what they are on average.
        let expected = |rung: usize, case: &Case| {
            let rest = all[rung].less(folds[rung][case.fold]);
            match most {
                None if rest.size > 0.0 && case.size > 0.0 => rest.sum / rest.size * case.size,
                _ if rest.count > 0.0 => rest.sum / rest.count,
                _ => 0.0,
            }
        };
        let mut arms = [Arm::default(); MAX_RUNGS];
        let mut touched = [false; MAX_RUNGS];
        let parts = cases.iter().map(|case| {
            (touched[case.from], touched[case.to]) = (true, true);
            let anyway = expected(case.to, case) - expected(case.from, case);
            let side = f64::from(i8::from(case.taken == case.to) - i8::from(case.taken == case.from));
            let Some(found) = value(case).filter(|_| side != 0.0) else { return anyway };
            // Of those sent there, only some were judged: each of these speaks for the others.
            let weight = sent[case.taken] / all[case.taken].count / case.chance;
            let off = found - expected(case.taken, case);
            let arm = &mut arms[case.taken];
            (arm.weight, arm.squares, arm.seen) =
                (arm.weight + weight, arm.squares + weight * weight, arm.seen + 1.0);
            arm.farthest = arm.farthest.max(match most {
                Some(most) => {
                    off.abs().max(expected(case.taken, case).max(most - expected(case.taken, case)))
                }
                None => off.abs(),
            });
            anyway + side * weight * off
        });
        let parts = parts.collect();
        // What was seen seldom may well be unlike all that was: of each rung twice more the farthest that can be.
        let far = |arm: &Arm| {
            if arm.seen > 0.0 { 2.0 * (arm.weight / arm.seen * arm.farthest).powi(2) } else { 0.0 }
        };
        let unseen = arms.iter().map(far).sum();
        Self { parts, arms, touched, unseen }
    }

    /// Estimates the change of all together.
    fn estimate(&self, n: f64) -> Estimate {
        if self.parts.is_empty() {
            return Estimate::Nothing;
        }
        let worth = |arm: &Arm| if arm.squares > 0.0 { arm.weight * arm.weight / arm.squares } else { 0.0 };
        let of_touched = self.arms.iter().zip(self.touched).filter(|(_, touched)| *touched);
        let effective = of_touched.map(|(arm, _)| worth(arm)).fold(f64::INFINITY, f64::min);
        let least = LEAST as f64;
        if effective < least {
            let requests = (effective > 0.0).then(|| whole((n * (least - effective) / effective).ceil()));
            return Estimate::Short {
                effective: whole(effective),
                more: whole((least - effective).ceil()),
                requests,
            };
        }
        let change: f64 = self.parts.iter().sum();
        let squares: f64 = self.parts.iter().map(|part| part * part).sum();
        let variance = (squares - change * change / n).max(0.0) + self.unseen;
        // Student's t, to its first term.
        let t = Z + (Z.powi(3) + Z) / (4.0 * (effective - 1.0));
        Estimate::Told { change, half: t * variance.sqrt(), effective: whole(effective) }
    }
}

impl Estimate {
    fn scaled(self, by: f64) -> Self {
        match self {
            Self::Told { change, half, effective } => {
                Self::Told { change: change * by, half: half * by, effective }
            }
            other => other,
        }
    }
}
