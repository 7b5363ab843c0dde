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

/// A route's lessons, the latest last.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    lessons: VecDeque<Lesson>,
    /// Those solved, by arm; nothing where a lesson has come in since.
    solved: Option<(PerMille, BTreeMap<u64, Solved>)>,
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
        if self.solved.as_ref().is_none_or(|(forgetting, _)| *forgetting != terms.forgetting) {
            self.solved = Some((terms.forgetting, self.solve(terms.forgetting)));
        }
        let unseen = Solved::of(&Sums::new());
        let solved = self.solved.as_ref().map(|(_, solved)| solved);
        let offer = |&(rung, arm): &(u8, u64)| {
            let known = solved.and_then(|solved| solved.get(&arm)).unwrap_or(&unseen);
            let bonus = u64::from(known.width(context)) * u64::from(terms.alpha) / 1000;
            Offer {
                rung,
                estimate: known.estimate(context),
                bonus: u32::try_from(bonus).unwrap_or(u32::MAX),
            }
        };
        arms.iter().map(offer).collect()
    }

    fn solve(&self, forgetting: PerMille) -> BTreeMap<u64, Solved> {
        let mut sums: BTreeMap<u64, Sums> = BTreeMap::new();
        // Twenty bits finer than they count, so that rounding does not add up.
        let mut fine = WEIGHT << 20;
        for lesson in self.lessons.iter().rev() {
            let weight = fine >> 20;
            if weight == 0 {
                break;
            }
            let sum = sums.entry(lesson.arm).or_insert_with(Sums::new);
            sum.add(lesson.context, lesson.reward, weight);
            fine = fine * i64::from(forgetting.get()) / 1000;
        }
        sums.into_iter().map(|(arm, sums)| (arm, Solved::of(&sums))).collect()
    }
}
