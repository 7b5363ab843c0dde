//! What routes learn while a log is run anew, or its past is read again.
//!
//! Invariants: a verdict counts from its moment on, one that stands with its request from the request's end on; what the log has no
//! verdict on teaches nothing.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::log::{Judged, Log};
use crate::bandit::{Advice, Learners, key_of};
use crate::engine::{advice, learn};
use crate::outcome::{Evidence, History, Outlook, Settled, routed};
use crate::pricing::PriceTable;
use crate::routing::{Decision, Policy, decide};
use crate::units::{Instant, PerMille};

/// By which numbers verdicts call requests.
#[derive(Clone, Debug)]
enum Ids {
    /// As a log in memory has them.
    Held(History),
    /// In order of arrival.
    Told(Vec<u64>),
}

impl Ids {
    fn of(&self, index: usize) -> u64 {
        match self {
            Self::Held(history) => key_of(history.id(index)),
            Self::Told(ids) => ids.get(index).copied().unwrap_or_default(),
        }
    }
}

/// What routes learn while a log is run anew.
#[derive(Clone, Debug)]
pub(super) struct Adapted {
    learners: Learners,
    ids: Ids,
    verdicts: Arc<Vec<Judged>>,
    /// How many of those have been taken.
    taken: usize,
    /// The requests that they are about.
    about: FxHashSet<u64>,
}

impl Adapted {
    /// Begins, where any of these policies learns.
    pub(super) fn of<'a>(log: &Log, mut policies: impl Iterator<Item = &'a Policy>) -> Option<Box<Self>> {
        policies.any(Policy::adapts).then(|| Box::new(Self::new(log)))
    }

    fn new(log: &Log) -> Self {
        Self::with(Ids::Held(log.history.clone()), Arc::clone(&log.verdicts))
    }

    /// Begins with the numbers of requests in order of arrival, and what was said of them in order of time.
    pub(super) fn told(ids: Vec<u64>, verdicts: Vec<Judged>) -> Self {
        Self::with(Ids::Told(ids), Arc::new(verdicts))
    }

    fn with(ids: Ids, verdicts: Arc<Vec<Judged>>) -> Self {
        let about = verdicts.iter().map(|one| one.id).collect();
        Self { learners: Learners::default(), ids, verdicts, taken: 0, about }
    }

    /// Lets time reach a moment.
    pub(super) fn reach(&mut self, at: Instant, prices: &PriceTable) {
        while let Some(one) = self.verdicts.get(self.taken).filter(|one| one.at <= at) {
            self.taken += 1;
            self.learners.judged(one.id, one.quality, one.at, |model| prices.same(model, one.model));
        }
    }

    /// Says what is known of the rungs of the route of a request that arrives.
    pub(super) fn advice(
        &mut self,
        evidence: &Evidence<'_>,
        window: u32,
        policy: &Policy,
        prices: &PriceTable,
    ) -> Advice {
        advice(&mut self.learners, policy, prices, (evidence.operation, window))
    }

    /// Takes what became of it.
    pub(super) fn settled(
        &mut self,
        index: usize,
        (evidence, window): (&Evidence<'_>, u32),
        policy: &Policy,
        (decision, settled): (&Decision, &Settled),
        outlook: &Outlook<'_>,
    ) {
        let route = policy.route(decision.route);
        if route.adapt.is_none() {
            return;
        }
        let (id, order) = (self.ids.of(index), u64::try_from(index).unwrap_or(u64::MAX));
        let learners = &mut self.learners;
        learn(learners, route, (evidence.operation, window), (decision, settled), (id, order));
        // Of several models' answers a log may tell, whoever gave one.
        if let Some(last) = settled.attempts.last().filter(|_| !self.about.contains(&id))
            && let Some(quality) = evidence.label(last.model, outlook.prices).and_then(|label| label.quality)
        {
            learners.judged(id, quality, Instant(i64::MIN), |_| true);
        }
    }
}

/// Reads the past of a gateway again: what its routes have learnt from a log that tells how things stood, under the policies of
/// their time.
pub fn learnt(log: &Log) -> Learners {
    let mut adapted = Adapted::new(log);
    let outlook = log.outlook();
    let mut settled = Settled::default();
    for (index, recalled) in log.history.range(log.history.start(), log.history.len()) {
        let evidence = recalled.evidence();
        let operation = evidence.operation;
        let policy = log.policy_at(index);
        adapted.reach(operation.at, &log.prices);
        adapted.learners.reach(operation.at);
        let circumstance = log.circumstances.get(operation.circumstance);
        let decision = decide(policy, &operation.signals_by(&log.prices), circumstance);
        routed(&evidence, policy, &decision, &outlook, &mut settled);
        let window = circumstance.needs.window;
        adapted.settled(index, (&evidence, window), policy, (&decision, &settled), &outlook);
    }
    adapted.reach(Instant(i64::MAX), &log.prices);
    adapted.learners
}

impl Log {
    /// Returns it with what was said of answers, in order of time, where whoever keeps that knows more of it than the log tells.
    #[must_use]
    pub fn with_verdicts<'a>(
        self,
        told: impl Iterator<Item = (Instant, &'a str, &'a str, PerMille)>,
    ) -> Self {
        let verdict = |(at, id, model, quality): (Instant, &str, &str, PerMille)| {
            let model = self.names.find_model(model)?;
            Some(Judged { at, id: key_of(id), model, quality })
        };
        let verdicts = Arc::new(told.filter_map(verdict).collect());
        Self { verdicts, ..self }
    }
}
