//! What was learnt of one route: its last lessons, each of which counts less than the one after it.
//!
//! Invariant: the sums are made anew from the lessons whenever one has come in, so no order of asking and no restart leaves a trace.

use std::collections::{BTreeMap, VecDeque};

use super::advice::Offer;
use super::solve::{Context, Solved, Sums, WEIGHT};
use crate::units::PerMille;

/// How many lessons a route remembers: at 997 of 1,000 the next one would count two thousandths of the latest.
pub const KEPT: usize = 2048;

/// How a route learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// How much the uncertainty of an estimate counts in a rung's favour.
    pub alpha: u32,
    /// What a lesson counts beside the one after it.
    pub forgetting: PerMille,
    /// The lessons before which nothing is chosen.
    pub least: u32,
}

/// One lesson: who was tried, on what, and what it brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lesson {
    arm: u64,
    context: Context,
    reward: i32,
}

/// What lessons come to.
#[derive(Clone, Debug)]
struct Known {
    forgetting: PerMille,
    /// What lessons brought on average, whoever was tried: what is thought of an arm that nobody has tried.
    mean: i32,
    arms: BTreeMap<u64, Solved>,
}

/// A route's lessons, the latest last.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    lessons: VecDeque<Lesson>,
    /// Those solved; nothing where a lesson has come in since.
    solved: Option<Known>,
}

impl PartialEq for Memory {
    fn eq(&self, other: &Self) -> bool {
        self.lessons == other.lessons
    }
}

impl Memory {
    /// Takes a lesson in.
    pub(super) fn learn(&mut self, arm: u64, context: Context, reward: i32) {
        if self.lessons.len() >= KEPT {
            self.lessons.pop_front();
        }
        self.lessons.push_back(Lesson { arm, context, reward });
        self.solved = None;
    }

    /// Counts the lessons that are remembered.
    pub fn len(&self) -> usize {
        self.lessons.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lessons.is_empty()
    }

    /// Says what each arm is expected to bring at a context, and how much its uncertainty counts in its favour.
    pub(super) fn offers(&mut self, terms: Terms, arms: &[(u8, u64)], context: Context) -> Vec<Offer> {
        let known = match self.solved.take() {
            Some(known) if known.forgetting == terms.forgetting => known,
            _ => self.solve(terms.forgetting),
        };
        let unseen = Solved::of(&Sums::new());
        let (mean, arms_known) = (known.mean, &known.arms);
        let offer = |&(rung, arm): &(u8, u64)| {
            let known = arms_known.get(&arm).unwrap_or(&unseen);
            let bonus = u64::from(known.width(context)) * u64::from(terms.alpha) / 1000;
            Offer {
                rung,
                estimate: mean.saturating_add(known.estimate(context)),
                bonus: u32::try_from(bonus).unwrap_or(u32::MAX),
            }
        };
        let offers = arms.iter().map(offer).collect();
        self.solved = Some(known);
        offers
    }

    fn solve(&self, forgetting: PerMille) -> Known {
        let (mut all, mut weights) = (0, 0);
        for (lesson, weight) in self.weighed(forgetting) {
            all += i64::from(lesson.reward) * weight;
            weights += weight;
        }
        let mean = i32::try_from(all.div_euclid(weights.max(1))).unwrap_or(0);
        let mut sums: BTreeMap<u64, Sums> = BTreeMap::new();
        for (lesson, weight) in self.weighed(forgetting) {
            let sum = sums.entry(lesson.arm).or_insert_with(Sums::new);
            sum.add(lesson.context, lesson.reward - mean, weight);
        }
        let arms = sums.into_iter().map(|(arm, sums)| (arm, Solved::of(&sums))).collect();
        Known { forgetting, mean, arms }
    }

    /// Lists lessons, the latest first, with what each counts.
    fn weighed(&self, forgetting: PerMille) -> impl Iterator<Item = (&Lesson, i64)> {
        // Twenty bits finer than they count, so that rounding does not add up.
        let finer = move |fine: &i64| Some(fine * i64::from(forgetting.get()) / 1000);
        let weights = std::iter::successors(Some(WEIGHT << 20), finer).map(|fine| fine >> 20);
        self.lessons.iter().rev().zip(weights).take_while(|(_, weight)| *weight > 0)
    }
}
