//! Scenario files. Errors name file, line and field.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::classifier::TaskClass;
use crate::units::{Count, MoneyError, PerMille, Pico, Slip, from_toml};

/// Why a scenario file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is no TOML, or not of the right shape.
    #[error("{path}:{slip}")]
    Syntax {
        /// The file.
        path: String,
        /// Where, and what to write instead.
        slip: Slip,
    },
    /// The scenario makes no sense.
    #[error("{path}: {field}: {problem}")]
    Senseless {
        /// The file.
        path: String,
        /// The field.
        field: String,
        /// What is wrong with it, and how to mend it.
        problem: String,
    },
}

/// A worked example.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name by which it is asked for.
    pub name: String,
    /// What it is, in one line.
    pub title: String,
    /// The price book.
    pub book: String,
    /// Assumptions, for people.
    #[serde(default)]
    pub about: String,
    /// How many tasks there are in a day; all of one day's are run.
    pub tasks_a_day: u32,
    /// The kind of work.
    #[serde(default, deserialize_with = "task_class")]
    pub task_class: TaskClass,
    /// The calls of one task, in order.
    #[serde(rename = "call")]
    pub calls: Vec<CallSpec>,
    /// The policies tried; savings are against the first.
    #[serde(rename = "step")]
    pub steps: Vec<StepSpec>,
    /// Values to be found.
    #[serde(default, rename = "find")]
    pub finds: Vec<FindSpec>,
    /// What to draw.
    pub curve: Option<CurveSpec>,
}

/// Calls of one kind within a task.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallSpec {
    /// What they are called.
    pub kind: String,
    /// How many.
    pub times: u32,
    /// Prompt tokens of each.
    pub input: u64,
    /// Answer tokens of each.
    pub output: u64,
    /// Prompt tokens that an earlier call of the same task sent already.
    #[serde(default)]
    pub repeated: u64,
    /// The part of them that every task shares.
    #[serde(default)]
    pub shared: u64,
}

/// One policy to try.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// Its name.
    pub name: String,
    /// The ladder, cheapest rung first.
    pub ladder: Vec<RungSpec>,
    /// What stays warm.
    #[serde(default)]
    pub caching: Caching,
    /// The first rung's answer fails its check where the confidence is below this.
    #[serde(default)]
    pub check_fails_below: u16,
    /// Another step whose cost this one is compared with.
    pub against: Option<String>,
    /// What the guide says.
    #[serde(default)]
    pub guide: String,
    /// What there is to say about it.
    #[serde(default)]
    pub note: String,
}

/// One rung of a step's ladder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RungSpec {
    /// The model.
    pub model: String,
    /// The threshold in per mille; none on the last rung.
    pub threshold: Option<i64>,
}

/// What a model keeps warm (for five minutes) from call to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Caching {
    /// Nothing.
    #[default]
    None,
    /// What the same task sent to the same model before.
    Task,
    /// That, and what all tasks share.
    Shared,
}

/// What is turned to find a value or to draw a curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vary {
    /// The first rung's threshold, in per mille.
    Threshold,
    /// The share of first answers that fail their check, in per mille.
    Escalation,
    /// The repeated tokens of each call.
    Repeated,
}

/// A value to be found: the last that still meets the goal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FindSpec {
    /// What it is.
    pub name: String,
    /// The step it starts from.
    pub step: String,
    /// What is turned.
    pub vary: Vary,
    /// What must hold.
    pub goal: Goal,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// A task costs this many dollars or less.
    TaskUsd(#[serde(deserialize_with = "usd")] Pico),
    /// A month costs less than this many dollars.
    MonthUsd(#[serde(deserialize_with = "usd")] Pico),
    /// At least this much less than the first step, in per mille.
    Saving(i64),
}

/// A curve over a turned value.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveSpec {
    /// The first value.
    pub from: u64,
    /// The last value.
    pub to: u64,
    /// From one to the next.
    pub by: u64,
    /// What is drawn.
    pub lines: Vec<LineSpec>,
}

/// One line of a curve.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineSpec {
    /// Its name.
    pub name: String,
    /// The step it starts from.
    pub step: String,
    /// What is turned.
    pub vary: Vary,
}

fn task_class<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<TaskClass, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(|()| serde::de::Error::custom(format!("`{name}` is no task class")))
}

fn usd<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Pico, D::Error> {
    let text = String::deserialize(deserializer)?;
    Pico::from_usd(&text).map_err(|error: MoneyError| serde::de::Error::custom(error))
}

/// The most calls that one run may have; a scenario is an example, not a load test.
const MOST_CALLS: u64 = 1_000_000;
/// The most points of a curve.
const MOST_POINTS: u64 = 1_001;

/// Reads a scenario from text; `path` is for messages.
///
/// # Errors
/// Where the text is no TOML, has unknown fields, or makes no sense.
pub fn parse(text: &str, path: &str) -> Result<Scenario, Error> {
    let scenario: Scenario = from_toml(text)
        .map_err(|error| Error::Syntax { path: path.to_owned(), slip: Slip::of(text, &error) })?;
    match check(&scenario) {
        Ok(()) => Ok(scenario),
        Err((field, problem)) => Err(Error::Senseless { path: path.to_owned(), field, problem }),
    }
}

fn check(scenario: &Scenario) -> Result<(), (String, String)> {
    let invalid = |field: String, problem: &str| Err((field, problem.to_owned()));
    let calls = scenario.calls.iter().map(|call| u64::from(call.times)).sum::<u64>();
    let total = calls.saturating_mul(u64::from(scenario.tasks_a_day));
    if total == 0 || total > MOST_CALLS {
        return invalid("tasks_a_day".into(), "a day needs between one and 1,000,000 calls");
    }
    for call in &scenario.calls {
        if call.input.max(call.output) > Count::MAX {
            return invalid(format!("call.{}", call.kind), "has more tokens than one call can have");
        }
        if call.shared > call.repeated || call.repeated > call.input {
            return invalid(format!("call.{}", call.kind), "needs shared <= repeated <= input");
        }
    }
    let mut names = BTreeSet::new();
    for step in &scenario.steps {
        if !names.insert(step.name.as_str()) {
            return invalid(format!("step.{}", step.name), "another step has this name already");
        }
        if PerMille::new(step.check_fails_below).is_none() {
            return invalid(
                format!("step.{}.check_fails_below", step.name),
                "is outside 0 to 1000 per mille",
            );
        }
    }
    if scenario.steps.is_empty() {
        return invalid("step".into(), "a scenario needs at least one [[step]]");
    }
    let lines = scenario.curve.iter().flat_map(|curve| &curve.lines).map(|line| line.step.as_str());
    let finds = scenario.finds.iter().map(|find| find.step.as_str());
    let against = scenario.steps.iter().filter_map(|step| step.against.as_deref());
    for name in lines.chain(finds).chain(against) {
        if !names.contains(name) {
            return invalid(name.to_owned(), "there is no step of this name");
        }
    }
    if let Some(curve) = &scenario.curve
        && (curve.by == 0 || curve.to.saturating_sub(curve.from) / curve.by >= MOST_POINTS)
    {
        return invalid("curve.by".into(), "a curve needs between one and 1,001 points");
    }
    Ok(())
}
