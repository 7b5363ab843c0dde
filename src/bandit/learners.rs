//! All that routes have learnt, and the answers whose verdicts may still come.
//!
//! Invariants: a lesson counts from [`SETTLES`] after its moment on, in the order of moments and requests, so that it makes no
//! difference who told it first; an answer teaches once; memory is bounded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use rustc_hash::FxHashMap;

use super::advice::Advice;
use super::memory::{Memory, Terms};
use super::solve::Context;
use crate::units::{Instant, ModelId, PerMille, Pico, Span};

/// How long after its moment a lesson counts: ends that fall together are in order by then, whoever was told of them first.
pub const SETTLES: Span = Span(1_000_000);
/// Answers whose verdicts are waited for, the latest.
pub const LATE: u64 = 65_536;
/// The least that an answer can be worth, in per mille: four good ones lost.
const WORST: i128 = -4000;

/// An answer that can still teach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The route, as [`super::key_of`] tells it apart.
    pub route: u64,
    /// The rung on which the request started, likewise.
    pub arm: u64,
    /// What an estimate rests on.
    pub context: Context,
    /// What all its calls cost.
    pub cost: Pico,
    /// What a good answer is worth.
    pub worth: Pico,
    /// The model that answered.
    pub model: ModelId,
    /// When it was over.
    pub end: Instant,
    /// Its place in the order of arrival.
    pub order: u64,
}

impl Pending {
    /// Returns what it brought, in per mille of a good answer.
    fn reward(&self, quality: PerMille) -> i32 {
        let cost = self.cost.0.saturating_mul(1000) / self.worth.0.max(1);
        let reward = i128::from(quality.get()).saturating_sub(cost).max(WORST);
        i32::try_from(reward).unwrap_or(0)
    }
}

/// A lesson that has not settled; ordered by its moment, then by its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Taught {
    at: Instant,
    order: u64,
    route: u64,
    arm: u64,
    context: Context,
    reward: i32,
}

/// All that routes have learnt.
#[derive(Clone, Debug, Default)]
pub struct Learners {
    routes: BTreeMap<u64, Memory>,
    unsettled: BinaryHeap<Reverse<Taught>>,
    pending: FxHashMap<u64, Pending>,
    /// The keys of those, in the order in which they came.
    order: VecDeque<(u64, u64)>,
}

impl Learners {
    /// Lets time reach a moment: what has settled counts.
    pub fn reach(&mut self, at: Instant) {
        while let Some(Reverse(next)) = self.unsettled.peek()
            && next.at + SETTLES <= at
            && let Some(Reverse(next)) = self.unsettled.pop()
        {
            self.routes.entry(next.route).or_default().learn(next.arm, next.context, next.reward);
        }
    }

    /// Says what is known of the rungs of a route for a request.
    pub fn advise(&mut self, route: u64, terms: Terms, arms: &[(u8, u64)], context: Context) -> Advice {
        let memory = self.routes.entry(route).or_default();
        let seen = u32::try_from(memory.len()).unwrap_or(u32::MAX);
        if seen < terms.least {
            return Advice::Few { seen, least: terms.least };
        }
        Advice::Of(memory.offers(terms, arms, context))
    }

    /// Remembers an answer, by the number of its request, until somebody judges it.
    pub fn await_verdict(&mut self, id: u64, pending: Pending) {
        self.pending.insert(id, pending);
        self.order.push_back((id, pending.order));
        while let Some(&(oldest, order)) = self.order.front()
            && order.saturating_add(LATE) <= pending.order
        {
            self.order.pop_front();
            if self.pending.get(&oldest).is_some_and(|pending| pending.order == order) {
                self.pending.remove(&oldest);
            }
        }
    }

    /// Takes a verdict on an answer; `is_its` says whether it is about a model's. It teaches where it is the first about the
    /// model that answered.
    pub fn judged(&mut self, id: u64, quality: PerMille, at: Instant, is_its: impl Fn(ModelId) -> bool) {
        if self.pending.get(&id).is_some_and(|pending| is_its(pending.model))
            && let Some(pending) = self.pending.remove(&id)
        {
            self.teach(&pending, quality, at.max(pending.end));
        }
    }

    /// Takes what was seen of an answer at a moment.
    pub fn teach(&mut self, pending: &Pending, quality: PerMille, at: Instant) {
        let &Pending { route, arm, context, order, .. } = pending;
        let reward = pending.reward(quality);
        self.unsettled.push(Reverse(Taught { at, order, route, arm, context, reward }));
    }

    /// Returns what a route remembers.
    pub fn memory(&self, route: u64) -> Option<&Memory> {
        self.routes.get(&route)
    }

    /// Counts the answers whose verdicts are waited for.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Returns it under other orders and models: another session goes on with it.
    #[must_use]
    pub fn carried_over(
        mut self,
        order: impl Fn(u64) -> u64,
        mut model: impl FnMut(ModelId) -> ModelId,
    ) -> Self {
        let pending = std::mem::take(&mut self.pending);
        let mut all: Vec<_> = pending.into_iter().collect();
        all.sort_unstable_by_key(|(_, pending)| pending.order);
        self.order.clear();
        for (id, pending) in all {
            let place = order(pending.order);
            self.pending.insert(id, Pending { order: place, model: model(pending.model), ..pending });
            self.order.push_back((id, place));
        }
        let unsettled = std::mem::take(&mut self.unsettled).into_iter();
        self.unsettled = unsettled
            .map(|Reverse(taught)| Reverse(Taught { order: order(taught.order), ..taught }))
            .collect();
        self
    }
}
