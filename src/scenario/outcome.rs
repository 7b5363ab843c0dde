//! What a scenario comes to: its steps beside each other, the values it looks for, its curve.

use super::read::{Goal, Scenario, StepSpec, Vary};
use super::run::{Run, RunError, run};
use crate::pricing::PriceBook;
use crate::units::Pico;

/// Days of the month that the guide counts.
const DAYS: i128 = 30;

/// What a scenario comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The price book it was run with.
    pub book: String,
    /// Its steps in order.
    pub steps: Vec<StepOutcome>,
    /// The values it looks for.
    pub found: Vec<Found>,
    /// Its curve.
    pub curve: Option<Curve>,
}

/// What one step comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepOutcome {
    /// Its name.
    pub name: String,
    /// The day it was run for.
    pub run: Run,
    /// Dollars a task.
    pub task: Pico,
    /// Dollars a month of 30 days.
    pub month: Pico,
    /// How much less than the first step, in ten-thousandths.
    pub saving: i64,
    /// Compared with this step it costs so many times as much, in hundredths.
    pub times: Option<(String, i64)>,
    /// The exact rate of escalation (numerator, denominator) at which a cascade costs what its last rung alone costs.
    pub break_even: Option<(i128, i128)>,
}

/// A value that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// What it is.
    pub name: String,
    /// What was turned.
    pub vary: Vary,
    /// The last value that meets the goal, and what the step comes to there; none where no value does.
    pub at: Option<(u64, StepOutcome)>,
}

/// A curve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// The names of its lines.
    pub lines: Vec<String>,
    /// Its points.
    pub points: Vec<CurvePoint>,
}

/// One value and what every line comes to there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurvePoint {
    /// The value.
    pub value: u64,
    /// Dollars a month, and how much less than the first step in ten-thousandths, for each line.
    pub lines: Vec<(Pico, i64)>,
}

/// The prices of a run, and what the first step costs.
type Beside<'a> = (&'a PriceBook, Pico);

/// Runs a scenario.
///
/// # Errors
/// Where a step cannot be run.
pub fn outcome(scenario: &Scenario, book: &PriceBook) -> Result<Outcome, RunError> {
    let Some(first) = scenario.steps.first() else {
        return Ok(Outcome { book: book.name.clone(), steps: Vec::new(), found: Vec::new(), curve: None });
    };
    let first = run(scenario, first, book)?.cost;
    let mut steps = Vec::with_capacity(scenario.steps.len());
    for step in &scenario.steps {
        let mut one = evaluate(scenario, step, (book, first))?;
        if step.check_fails_below > 0 {
            one.break_even = break_even(scenario, step, book)?;
        }
        steps.push(one);
    }
    let costs: Vec<Pico> = steps.iter().map(|step| step.run.cost).collect();
    for (own, step) in steps.iter_mut().zip(&scenario.steps) {
        let name = step.against.as_ref();
        own.times = name.and_then(|name| {
            let (_, other) = scenario.steps.iter().zip(&costs).find(|(other, _)| other.name == *name)?;
            let times = Pico(100).ratio(own.run.cost.0, other.0).0;
            Some((name.clone(), i64::try_from(times).unwrap_or(i64::MAX)))
        });
    }
    let find = |name: &str| scenario.steps.iter().find(|step| step.name == name);
    let mut found = Vec::new();
    for spec in &scenario.finds {
        let Some(step) = find(&spec.step) else { continue };
        let most = match spec.vary {
            Vary::Threshold | Vary::Escalation => 1000,
            Vary::Repeated => scenario.calls.iter().map(|call| call.input).min().unwrap_or(0),
        };
        let at = boundary(most, |value| {
            let one = turned(scenario, step, (spec.vary, value), (book, first))?;
            Ok((meets(&one, &spec.goal, first), one))
        })?;
        found.push(Found { name: spec.name.clone(), vary: spec.vary, at });
    }
    let mut curve = None;
    if let Some(spec) = &scenario.curve {
        let step_by = usize::try_from(spec.by.max(1)).unwrap_or(1);
        let mut points = Vec::new();
        for value in (spec.from..=spec.to).step_by(step_by) {
            let mut lines = Vec::new();
            for line in &spec.lines {
                let Some(step) = find(&line.step) else { continue };
                let one = turned(scenario, step, (line.vary, value), (book, first))?;
                lines.push((one.month, one.saving));
            }
            points.push(CurvePoint { value, lines });
        }
        curve = Some(Curve { lines: spec.lines.iter().map(|line| line.name.clone()).collect(), points });
    }
    Ok(Outcome { book: book.name.clone(), steps, found, curve })
}

fn evaluate(
    scenario: &Scenario,
    step: &StepSpec,
    (book, first): Beside<'_>,
) -> Result<StepOutcome, RunError> {
    let run = run(scenario, step, book)?;
    Ok(StepOutcome {
        name: step.name.clone(),
        task: run.cost.ratio(1, i128::from(run.tasks)),
        month: run.cost.ratio(DAYS, 1),
        saving: i64::try_from(Pico(10_000).ratio(first.0 - run.cost.0, first.0).0).unwrap_or(0),
        times: None,
        break_even: None,
        run,
    })
}

/// Runs a step with something turned to a value.
fn turned(
    scenario: &Scenario,
    step: &StepSpec,
    (vary, value): (Vary, u64),
    beside: Beside<'_>,
) -> Result<StepOutcome, RunError> {
    let (mut scenario, mut step) = (scenario.clone(), step.clone());
    match vary {
        Vary::Threshold => {
            if let Some(rung) = step.ladder.first_mut() {
                rung.threshold = i64::try_from(value).ok();
            }
        }
        Vary::Escalation => step.check_fails_below = u16::try_from(value.min(1000)).unwrap_or(0),
        Vary::Repeated => {
            for call in &mut scenario.calls {
                // The shared part keeps its proportion.
                let shared = u128::from(call.shared) * u128::from(value) / u128::from(call.repeated.max(1));
                call.repeated = value.min(call.input);
                call.shared = u64::try_from(shared).unwrap_or(0).min(call.repeated);
            }
        }
    }
    evaluate(&scenario, &step, beside)
}

fn meets(step: &StepOutcome, goal: &Goal, first: Pico) -> bool {
    let tasks = i128::from(step.run.tasks);
    match goal {
        // On whole days, where nothing has been rounded yet.
        Goal::TaskUsd(most) => step.run.cost.0 <= most.0.saturating_mul(tasks),
        Goal::MonthUsd(limit) => step.run.cost.0.saturating_mul(DAYS) < limit.0,
        Goal::Saving(permille) => {
            (first.0 - step.run.cost.0).saturating_mul(1000) >= first.0.saturating_mul(i128::from(*permille))
        }
    }
}

/// Finds the last value of `0..=most` that meets a goal, coming from the end that meets it; costs rise or fall steadily.
fn boundary(
    most: u64,
    mut probe: impl FnMut(u64) -> Result<(bool, StepOutcome), RunError>,
) -> Result<Option<(u64, StepOutcome)>, RunError> {
    let (low, high) = (probe(0)?, probe(most)?);
    let (mut good, mut bad, mut best) = match (low.0, high.0) {
        (true, false) => (0, most, low.1),
        (false, true) => (most, 0, high.1),
        (true, true) => return Ok(Some((most, high.1))),
        (false, false) => return Ok(None),
    };
    while good.abs_diff(bad) > 1 {
        let middle = u64::midpoint(good, bad);
        let (met, step) = probe(middle)?;
        if met {
            (good, best) = (middle, step);
        } else {
            bad = middle;
        }
    }
    Ok(Some((good, best)))
}

/// Returns `1 - cheap / strong` as a fraction in lowest terms, both costs from the engine.
fn break_even(
    scenario: &Scenario,
    step: &StepSpec,
    book: &PriceBook,
) -> Result<Option<(i128, i128)>, RunError> {
    let cheap = run(scenario, &StepSpec { check_fails_below: 0, ..step.clone() }, book)?.cost.0;
    let last = step.ladder.last().cloned().into_iter().collect();
    let strong =
        run(scenario, &StepSpec { ladder: last, check_fails_below: 0, ..step.clone() }, book)?.cost.0;
    let (mut a, mut b) = (strong - cheap, strong);
    while b != 0 {
        (a, b) = (b, a.rem_euclid(b));
    }
    Ok((a > 0).then(|| ((strong - cheap) / a, strong / a)))
}
