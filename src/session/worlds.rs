//! A log run in a world that is not as it was, under one policy and another.
//!
//! Invariant: each request is decided in order of arrival on how things stood then, by the same fold as everywhere; one log, one
//! world and one policy give the same figures, to the pico-dollar.

use std::sync::Arc;

use super::branches::{Branched, Idle};
use super::fold::Fold;
use super::frontiers::with_staged;
use super::log::{Judged, Log, PolicySpan};
use super::queueing::{Came, Script, in_turn};
use super::spending::Spending;
use crate::budget::LimitHistory;
use crate::outcome::{Extra, History, Operation, Settled};
use crate::pricing::Charged;
use crate::routing::{Policy, Status};
use crate::runaway::Call;
use crate::telemetry::{Sign, Totals};
use crate::units::{Count, Instant, ModelId, Names, Span};
use crate::world::{Amount, Change, Models, Repeat, Sky, World};

/// Requests that a world can bring besides; a scenario is an incident, not a load test.
const MOST: u32 = 200_000;

/// What is tried.
#[derive(Clone, Debug)]
pub enum Other<'a> {
    /// Another policy.
    Policy(Arc<Policy>),
    /// The log's own with thresholds moved, from one to another.
    Thresholds {
        /// The policy in force at its end.
        now: &'a Policy,
        /// The same with what is moved.
        staged: &'a Policy,
    },
}

/// Why a log cannot be put into a world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// Nothing to repeat.
    #[error(
        "repeat {0}: no request of the log is like that from then on\nhint: name one by its id with like = \"..\", or leave team and task out"
    )]
    NothingAlike(usize),
    /// Too much of it.
    #[error("repeat {0}: {1} requests are more than the {MOST} that a world can bring besides")]
    TooMany(usize, u32),
}

/// Says why nothing comes of a change in a world that starts at a moment, where that is so.
pub(super) fn idle(log: &Log, change: &Change, start: Instant) -> Option<Idle> {
    if change.stretch.within(start).0 > log.bounds().unwrap_or_default().1 {
        return Some(Idle::Later);
    }
    let meant = meant(log);
    let mut models = (0u16..).map(ModelId).zip(log.names.models());
    (!models.any(|(model, _)| meant(&change.models, model))).then_some(Idle::Nobody)
}

/// Says which models a log's world is about.
fn meant(log: &Log) -> impl Fn(&Models, ModelId) -> bool + '_ {
    |models, model| {
        let name = log.names.model(model);
        let listed = log.catalog.find_named(name);
        let provider = listed.and_then(|(_, prices)| prices.provider.as_deref());
        models.take(name, provider) || listed.is_some_and(|(listed, _)| models.take(listed, provider))
    }
}

impl Log {
    /// Returns the log with names that policies brought, and the prices of the models they name.
    #[must_use]
    pub fn naming(self, names: Names) -> Self {
        let mut prices = (*self.prices).clone();
        prices.extend(&self.catalog, &names);
        Self { names, prices: Arc::new(prices), ..self }
    }

    /// Returns the log as a world has it: moved to its start, with the traffic that comes besides.
    ///
    /// # Errors
    /// Where nothing in the log is like what is to be repeated, or too much is.
    pub fn in_world(&self, world: &World, start: Instant) -> Result<Self, WorldError> {
        let first = self.bounds().unwrap_or_default().0;
        let moved = world.starts.map_or(Span::ZERO, |starts| starts - first);
        if moved == Span::ZERO && world.repeats.is_empty() {
            return Ok(self.clone());
        }
        let mut names = self.names.clone();
        let mut history = History::default();
        for (index, recalled) in self.history.range(self.history.start(), self.len()) {
            let evidence = recalled.evidence();
            let operation = Operation { at: evidence.operation.at + moved, ..*evidence.operation };
            history.push(self.history.id(index), operation, evidence.extra.cloned());
        }
        for (at, repeat) in world.repeats.iter().enumerate() {
            if repeat.times > MOST {
                return Err(WorldError::TooMany(at + 1, repeat.times));
            }
            repeated(repeat, start + moved, &mut names, &mut history)
                .ok_or(WorldError::NothingAlike(at + 1))?;
        }
        history.sort();
        let moved_too = |one: &Judged| Judged { at: one.at + moved, ..*one };
        let verdicts = Arc::new(self.verdicts.iter().map(moved_too).collect());
        Ok(Self { history, names, verdicts, ..self.clone() })
    }
}

/// Returns the policies that were in force with what another says from a moment on: that one alone, or no more than its
/// thresholds.
pub(super) fn spans_with(
    log: &Log,
    spans: &[PolicySpan],
    start: Instant,
    other: Other<'_>,
) -> Vec<PolicySpan> {
    let from = log.history.first_at(start);
    let behind = |span: &&PolicySpan| span.from > from;
    let at = PolicySpan::in_force(spans, from).map(|policy| PolicySpan { from, policy: Arc::clone(policy) });
    let mut all: Vec<PolicySpan> = spans.iter().filter(|span| span.from < from).cloned().collect();
    match other {
        Other::Policy(policy) => all.push(PolicySpan { from, policy }),
        Other::Thresholds { now, staged } => {
            let changed = |span: &PolicySpan| PolicySpan {
                from: span.from,
                policy: Arc::new(with_staged(&span.policy, now, staged)),
            };
            all.extend(at.iter().chain(spans.iter().filter(behind)).map(changed));
        }
    }
    all
}

/// Adds requests like one of the log; none where there is none like that.
fn repeated(repeat: &Repeat, start: Instant, names: &mut Names, history: &mut History) -> Option<()> {
    let (from, to) = repeat.stretch.within(start);
    let from = from.max(start);
    let is_repeated = |index: usize, operation: &Operation| {
        if let Some(id) = &repeat.like {
            history.id(index) == id
        } else {
            let team = repeat.team.as_ref().is_none_or(|team| names.team(operation.team) == team);
            let task = repeat.task.as_ref().is_none_or(|task| operation.class.name() == task);
            operation.at >= from && team && task && operation.served.usage.is_complete()
        }
    };
    let (like, extra) = history
        .range(0, history.len())
        .find(|(index, like)| is_repeated(*index, &like.operation))
        .map(|(_, like)| (like.operation, like.extra.cloned()))?;
    let session = names.intern_session(&repeat.session);
    for nth in 0..repeat.times {
        let at = from + Span(repeat.every.0.saturating_mul(i64::from(nth)));
        if at >= to {
            break;
        }
        let mut operation = Operation {
            at,
            session,
            turn: u16::try_from(nth).unwrap_or(u16::MAX),
            simulated: true,
            // The same tool call again and again, which is what a loop is.
            call: Call::packed(Some(Call::new(u64::MAX, usize::try_from(nth).unwrap_or(usize::MAX)))),
            ..like
        };
        let grown = u64::from(nth) * u64::from(repeat.grows);
        let input = &mut operation.served.usage.input;
        *input = input.get().and_then(|input| Count::new(input + grown)).unwrap_or(*input);
        operation.served.charged = Charged::NONE;
        // It stands for one call, whatever came before that one.
        let particulars = extra.as_ref().and_then(|extra| extra.particulars.last().cloned());
        let extra = particulars.map(|last| Extra { particulars: vec![last], ..Extra::default() });
        history.push(&format!("{}-{}", repeat.session, nth + 1), operation, extra);
    }
    Some(())
}

/// Runs a log under policies and limits, which decide what there is room for or leave that as it was recorded, in a world that
/// starts at a moment or, without one, as it was; `incident` is the stretch that is added up apart. `hear` is told each request's place, what became of it and whether that lies in the stretch, and may
/// cancel by answering false.
pub fn branched(
    log: &Log,
    policies: &[PolicySpan],
    (limits, decide): (&LimitHistory, bool),
    (world, start): (Option<&World>, Instant),
    incident: Option<(Instant, Instant)>,
    mut hear: impl FnMut(usize, &Settled, bool) -> bool,
) -> Option<Branched> {
    let end = log.bounds().unwrap_or_default().1;
    let otherwise = world.map(|world| with_amounts(limits, world, start));
    let mut spending = Spending::new(otherwise.as_ref().unwrap_or(limits), &log.names);
    spending.decides = decide;
    let mut fold = Fold::with(spending).minding(log, policies.iter().map(|span| &span.policy));
    let mut priced = None;
    if let Some(world) = world {
        fold.sky = Some(Box::new(Sky::new(world, start, &log.names, &log.prices, meant(log))));
        priced = Some(world.prices(&log.prices, start, meant(log)));
    }
    let script = Script { prices: priced.as_ref(), ..Script::new(policies, log.len()) };
    let (mut totals, mut inside) = (Totals::default(), Totals::default());
    let mut refused = (0, 0);
    let goes_on = in_turn(log, &mut fold, script, &mut |Came { index, evidence, settled, .. }| {
        let is_refused = u64::from(settled.status == Status::Refused);
        totals.apply(evidence, settled, Sign::Plus);
        refused.0 += is_refused;
        // By the moment that the log tells, so that the stretch has the same requests in every branch.
        let told = log.history.at(index).unwrap_or(evidence.operation.at);
        let is_inside = incident.is_some_and(|(from, to)| told >= from && told < to);
        if is_inside {
            inside.apply(evidence, settled, Sign::Plus);
            refused.1 += is_refused;
        }
        hear(index, settled, is_inside)
    });
    if !goes_on {
        return None;
    }
    let (seen, trips) = fold.sky.as_deref().map_or_else(Default::default, |sky| (sky.seen, sky.trips()));
    Some(Branched { totals, inside, refused, seen, trips, budgets: fold.spending?.end(end) })
}

/// Returns limits with the amounts that a world gives them for a time.
fn with_amounts(limits: &LimitHistory, world: &World, start: Instant) -> LimitHistory {
    let within = |amount: &Amount| <[Instant; 2]>::from(amount.stretch.within(start));
    let mut turns: Vec<Instant> = world.amounts.iter().flat_map(within).collect();
    turns.extend(limits.later().iter().map(|(at, _)| *at));
    turns.sort_unstable();
    turns.dedup();
    let at = |at: Instant| {
        let mut limits = limits.at(at).to_vec();
        for amount in &world.amounts {
            let [from, to] = within(amount);
            for limit in
                limits.iter_mut().filter(|limit| limit.name() == amount.limit && at >= from && at < to)
            {
                limit.amount = amount.amount;
            }
        }
        limits
    };
    LimitHistory::new(limits.first().to_vec(), turns.into_iter().map(|turn| (turn, at(turn))).collect())
}
