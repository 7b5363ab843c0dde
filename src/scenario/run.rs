//! A day of a scenario's tasks through the engine, with a provider played that answers and keeps prompts warm.
//!
//! The engine decides, escalates and sums; this file only says what tokens each call took.

use std::sync::Arc;

use super::read::{Caching, CallSpec, Scenario, StepSpec};
use crate::engine::{Arrival, Effect, Engine, Event};
use crate::outcome::{Attempt, Operation};
use crate::pricing::{Cost, PriceBook, PriceTable, Usage, charge};
use crate::routing::{
    AUTO, Check, Circumstance, ConfidenceSource, Policy, PolicyError, PolicySpec, RouteSpec, RungSpec, Status,
};
use crate::units::{Count, Instant, Names, PerMille, Pico, Span};

/// How long a warm prompt lives after its last use.
const CACHE_LIFE: Span = Span::mins(5);
/// From one call of a task to the next.
const PACE: Span = Span::secs(8);
/// Prime to 1000, so that any 1,000 calls in a row have every confidence from 0 to 999 once, well mixed.
const STRIDE: u64 = 387;

/// Why a step cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ladder makes no policy.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// A model has no price.
    #[error(
        "the book `{book}` has no price of `{model}`\nhint: `pointsman prices list --book {book}` names the models it has"
    )]
    NoPrice {
        /// The book.
        book: String,
        /// The model.
        model: String,
    },
}

/// What a day of tasks came to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Run {
    /// Tasks run.
    pub tasks: u64,
    /// Requests made.
    pub requests: u64,
    /// Requests that escalated.
    pub escalated: u64,
    /// What the day cost.
    pub cost: Pico,
    /// By model: calls, and what they cost.
    pub models: Vec<(String, u64, Pico)>,
    /// By kind of call: how many, and what they cost.
    pub kinds: Vec<(String, u64, Pico)>,
}

/// What a model was last sent.
#[derive(Clone, Copy, Debug, Default)]
struct Warm {
    at: Option<Instant>,
    task: u64,
}

/// Runs one step of a scenario.
///
/// # Errors
/// Where the ladder makes no policy, or a model has no price in the book.
pub fn run(scenario: &Scenario, step: &StepSpec, book: &PriceBook) -> Result<Run, RunError> {
    let mut names = Names::default();
    let ladder = step.ladder.iter().map(|rung| RungSpec {
        model: rung.model.clone(),
        threshold: rung.threshold,
        ..RungSpec::default()
    });
    let route = RouteSpec { name: scenario.name.clone(), ladder: ladder.collect(), ..RouteSpec::default() };
    let spec = PolicySpec { name: step.name.clone(), routes: vec![route], ..PolicySpec::default() };
    let policy = Arc::new(Policy::compile(&spec, 1, &mut names)?);
    let prices = Arc::new(PriceTable::new(book, &names));
    let mut engine = Engine::new(policy, Arc::clone(&prices));
    let mut found = Run { tasks: u64::from(scenario.tasks_a_day), ..Run::default() };
    found.kinds = scenario.calls.iter().map(|call| (call.kind.clone(), 0, Pico::ZERO)).collect();
    found.models = names.models().iter().map(|name| (name.to_string(), 0, Pico::ZERO)).collect();
    let mut warm = vec![Warm::default(); names.models().len()];
    let apart = Span::days(1).0 / i64::from(scenario.tasks_a_day).max(1);
    let mut key = 0;
    for task in 0..found.tasks {
        let start = Instant(i64::try_from(task).unwrap_or(0) * apart);
        let mut at = start;
        let calls = scenario.calls.iter().enumerate();
        for (kind, call) in calls.flat_map(|(kind, call)| (0..call.times).map(move |_| (kind, call))) {
            let confidence = u16::try_from(key * STRIDE % 1000).unwrap_or(0);
            let mut operation = Operation { at, class: scenario.task_class, ..Operation::default() };
            operation.set_confidence(PerMille::new(confidence), ConfidenceSource::Recorded);
            let mut effects = engine.apply(Event::Arrived(Arrival {
                key,
                operation,
                circumstance: Circumstance::PLAIN,
                claims: None,
                whose: None,
                prompt: None,
            }));
            while let Some(effect) = effects.take() {
                match effect {
                    Effect::Send { rung, model, .. } => {
                        let held = model.index().and_then(|index| warm.get_mut(index));
                        let read = held.map_or(0, |held| read(step.caching, call, held, task, at));
                        let fails = rung == 0 && confidence < step.check_fails_below;
                        let usage = usage(call, read);
                        let cost = charge(&usage, prices.rates(model, at));
                        let check = if fails { Check::Failed } else { Check::None };
                        let attempt =
                            Attempt { model, usage, cost, status: Status::Ok, check, ..Attempt::REFUSED };
                        effects = engine.apply(Event::Attempted { key, attempt, evidence: None });
                    }
                    Effect::Answer { settled, .. } => {
                        found.requests += 1;
                        found.escalated += u64::from(settled.escalated);
                        for attempt in &settled.attempts {
                            let Cost::Known(cost) = attempt.cost else {
                                let model = names.model(attempt.model).to_owned();
                                return Err(RunError::NoPrice { book: book.name.clone(), model });
                            };
                            let of_model =
                                attempt.model.index().and_then(|index| found.models.get_mut(index));
                            for (_, calls, sum) in of_model.into_iter().chain(found.kinds.get_mut(kind)) {
                                *calls += 1;
                                *sum += cost;
                            }
                        }
                        engine.recycle(settled);
                    }
                }
            }
            key += 1;
            at = at + PACE;
        }
    }
    // Names of routes stand among those of models, for clients that ask by them; nobody called one.
    found.models.retain(|(name, calls, _)| *calls > 0 || !name.starts_with(AUTO));
    found.cost = engine.totals().all.cost.known;
    Ok(found)
}

/// Returns the prompt tokens that are still warm on a model, and keeps the whole prompt warm there from now on.
fn read(caching: Caching, call: &CallSpec, held: &mut Warm, task: u64, at: Instant) -> u64 {
    let alive = held.at.is_some_and(|last| at - last < CACHE_LIFE);
    let same = held.task == task;
    *held = Warm { at: Some(at), task };
    match caching {
        Caching::Task | Caching::Shared if alive && same => call.repeated,
        Caching::Shared if alive => call.shared,
        _ => 0,
    }
}

fn usage(call: &CallSpec, read: u64) -> Usage {
    let count = |tokens| Count::new(tokens).unwrap_or_default();
    let read = read.min(call.input);
    Usage {
        input: count(call.input - read),
        cache_read: count(read),
        output: count(call.output),
        reasoning: Count::UNKNOWN,
        ..Usage::NONE
    }
}
