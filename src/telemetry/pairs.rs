//! Requests of which both a cheap and the strong answer were judged: what certificates are made of.
//!
//! Invariant: equal pairs are counted, not kept apart, so that adding and taking away are inverses in any order.

use std::collections::BTreeMap;

use super::Sign;
use crate::units::PerMille;

/// How sure the classifier was of a request, and how good both answers were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The confidence.
    pub confidence: PerMille,
    /// The quality of the cheap answer.
    pub cheap: PerMille,
    /// The quality of the strong answer.
    pub strong: PerMille,
    /// The least confidence of which answers are judged as this one was: the threshold that was in force where the cheap model
    /// served, and 0 where somebody judged what it did not serve.
    pub judged_from: PerMille,
}

impl Pair {
    /// Takes both answers to a request of a confidence, under the threshold that was in force.
    pub fn new((confidence, threshold): (PerMille, PerMille), cheap: PerMille, strong: PerMille) -> Self {
        let judged_from = if confidence >= threshold { threshold } else { PerMille::ZERO };
        Self { confidence, cheap, strong, judged_from }
    }
}

/// Judged requests of one rung beside the last.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Pairs {
    counts: BTreeMap<Pair, u32>,
    /// Requests of which one of the answers alone was judged.
    halves: u64,
}

impl Pairs {
    /// Adds or takes away what is known of a request, by its confidence and the threshold that was in force.
    pub fn apply(
        &mut self,
        (confidence, threshold): (PerMille, PerMille),
        cheap: Option<PerMille>,
        strong: Option<PerMille>,
        sign: Sign,
    ) {
        let pair = |cheap, strong| Pair::new((confidence, threshold), cheap, strong);
        match (cheap, strong, sign) {
            (None, None, _) => {}
            (Some(cheap), Some(strong), Sign::Plus) => {
                *self.counts.entry(pair(cheap, strong)).or_default() += 1;
            }
            (Some(cheap), Some(strong), Sign::Minus) => {
                let pair = pair(cheap, strong);
                if let Some(count) = self.counts.get_mut(&pair) {
                    *count -= 1;
                    if *count == 0 {
                        self.counts.remove(&pair);
                    }
                }
            }
            (_, _, Sign::Plus) => self.halves = self.halves.wrapping_add(1),
            (_, _, Sign::Minus) => self.halves = self.halves.wrapping_sub(1),
        }
    }

    /// Adds others.
    pub fn merge(&mut self, other: &Self) {
        for (&pair, &count) in &other.counts {
            *self.counts.entry(pair).or_default() += count;
        }
        self.halves = self.halves.wrapping_add(other.halves);
    }

    /// Counts the requests of which one of the answers alone was judged.
    pub fn halves(&self) -> u64 {
        self.halves
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Lists the pairs by confidence.
    pub fn listed(&self) -> Vec<Pair> {
        self.counts.iter().flat_map(|(&pair, &count)| (0..count).map(move |_| pair)).collect()
    }

    /// Lists the pairs, shuffled by rule, so that their order says nothing of how they were judged.
    pub fn shuffled(&self) -> Vec<Pair> {
        let mut all = self.listed();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for at in (1..all.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = usize::try_from(state >> 33).unwrap_or(0) % (at + 1);
            all.swap(at, other);
        }
        all
    }
}
