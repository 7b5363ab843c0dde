//! `pointsman scenario`: lists the worked examples, or runs one and shows what each of its steps costs.
//!
//! Invariant: every figure comes out of a run of the engine just made; the text around it states none.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use super::args::{Choice, chosen, or_dash};
use super::branches;
use super::output;
use crate::config::{prices, user_dir, world};
use crate::report::{Format, Sheet, render, to_json};
use crate::scenario::{self, BUILTIN, Outcome, Scenario, StepOutcome, Vary};
use crate::units::{Pico, choice};

/// Runs a worked example through the engine, or lists them.
#[derive(Args, Debug)]
pub struct ScenarioArgs {
    /// The example's name, or a .toml file of your own; without it, the examples are listed.
    name: Option<String>,
    /// Run it with another price book than its own (list, guide-2026, one of yours, or a file).
    #[arg(long = "prices", visible_alias = "book", value_name = "BOOK|FILE")]
    book: Option<String>,
    /// How to print it.
    #[arg(long, value_parser = chosen(FORMATS), default_value = "table")]
    format: Format,
}

/// How a scenario is printed.
const FORMATS: &[Choice<Format>] = &[
    ("table", "Aligned columns for a terminal", Format::Table),
    ("json", "One JSON object", Format::Json),
    ("md", "Markdown tables", Format::Md),
];

/// Runs the subcommand, writing to stdout; a reader that closes the pipe early is no error.
pub fn run(args: &ScenarioArgs) -> anyhow::Result<()> {
    if let Some(name) =
        args.name.as_deref().filter(|name| world::BUILTIN.iter().any(|(known, _)| known == name))
    {
        return branches::of_sample(name, args.book.as_deref(), args.format);
    }
    let text = text(args)?;
    output::text(&text)
}

/// Returns what the subcommand prints.
pub fn text(args: &ScenarioArgs) -> anyhow::Result<String> {
    let Some(name) = &args.name else { return list(args.format) };
    let scenario = load(name)?;
    let book = {
        let name = args.book.as_deref().unwrap_or(&scenario.book);
        // A scenario states its book whole; nothing is laid over another.
        prices::resolve(name.strip_prefix("only:").unwrap_or(name), user_dir().as_deref())?
    };
    let outcome = scenario::outcome(&scenario, &book)
        .with_context(|| format!("scenario `{}` cannot run", scenario.name))?;
    Ok(match args.format {
        Format::Json => to_json(&as_json(&scenario, &outcome))?,
        format => {
            let (mark, gap) = if format == Format::Md { ("## ", "\n\n") } else { ("", "\n") };
            let sheets = sheets(&scenario, &outcome, format);
            format!("{mark}{}{gap}{}\n\n{sheets}", scenario.title, scenario.about.trim())
        }
    })
}

fn load(name: &str) -> anyhow::Result<Scenario> {
    if let Some((_, text)) = BUILTIN.iter().find(|(known, _)| *known == name) {
        return Ok(scenario::parse(text, name)?);
    }
    if !Path::new(name).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml")) {
        let known: Vec<&str> = BUILTIN.iter().map(|(name, _)| *name).collect();
        bail!(
            "there is no scenario `{name}`\nhint: a file of your own ends in .toml; {}",
            choice(name, &known)
        );
    }
    let text = fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    Ok(scenario::parse(&text, name)?)
}

fn list(format: Format) -> anyhow::Result<String> {
    let known =
        BUILTIN.iter().map(|(name, text)| scenario::parse(text, name)).collect::<Result<Vec<_>, _>>()?;
    let mut sheet =
        Sheet::new("Worked examples, run with `pointsman scenario NAME`", &["name", "what it shows"]);
    for scenario in &known {
        sheet.push(vec![scenario.name.clone(), scenario.title.clone()]);
    }
    let mut worlds = Sheet::new(
        "Worlds that are not as they were, over the sample or, with `pointsman replay LOG --world NAME`, over a log of yours",
        &["name", "what happens"],
    );
    for (name, text) in world::BUILTIN {
        worlds.push(vec![name.to_owned(), world::parse(text, name)?.title]);
    }
    let sheets = [sheet, worlds];
    Ok(match format {
        Format::Json => {
            let list: Vec<_> = sheets
                .iter()
                .flat_map(|sheet| &sheet.rows)
                .map(|row| json!({ "name": row.first(), "title": row.get(1) }))
                .collect();
            to_json(&list)?
        }
        format => render(&sheets, format),
    })
}

fn sheets(scenario: &Scenario, outcome: &Outcome, format: Format) -> String {
    let mut sheets = vec![steps(scenario, outcome)];
    let mut sheet = Sheet::new("What each step says, and what the guide says", &["step", "guide", "note"]);
    for step in scenario.steps.iter().filter(|step| !step.guide.is_empty() || !step.note.is_empty()) {
        sheet.push(vec![step.name.clone(), or_dash(&step.guide), or_dash(&step.note)]);
    }
    sheets.push(sheet);
    sheets.push(parts(scenario, outcome));
    if !outcome.found.is_empty() || outcome.steps.iter().any(|step| step.break_even.is_some()) {
        sheets.push(found(outcome));
    }
    sheets.extend(curve(scenario, outcome));
    render(&sheets, format)
}

fn steps(scenario: &Scenario, outcome: &Outcome) -> Sheet {
    let title = format!("Book {}, {} tasks a day, a month is 30 days", outcome.book, scenario.tasks_a_day);
    let mut sheet = Sheet::new(title, &["step", ">$ a task", ">$ a month", ">less than first", "compared"]);
    for step in &outcome.steps {
        let compared = step.times.as_ref().map_or_else(String::new, |(name, times)| {
            format!("{} times {name}", Pico(i128::from(*times) * 10_000_000_000).usd())
        });
        sheet.push(vec![step.name.clone(), usd(step.task), usd(step.month), per_cent(step.saving), compared]);
    }
    sheet
}

/// Where the money of each step goes: by model and by kind of call, per task.
fn parts(scenario: &Scenario, outcome: &Outcome) -> Sheet {
    let mut sheet =
        Sheet::new("Where the money goes, a task", &["step", "part", ">calls a task", ">$ a task"]);
    for step in &outcome.steps {
        let tasks = i128::from(step.run.tasks);
        // Kinds tell something where there are several and nothing where a task is one call.
        let kinds = step.run.kinds.iter().filter(|_| scenario.calls.len() > 1);
        for (name, calls, cost) in step.run.models.iter().chain(kinds).filter(|(_, calls, _)| *calls > 0) {
            let each = Pico(i128::from(*calls) * Pico::USD.0).ratio(1, tasks).usd();
            sheet.push(vec![step.name.clone(), name.clone(), each, usd(cost.ratio(1, tasks))]);
        }
    }
    sheet
}

fn found(outcome: &Outcome) -> Sheet {
    let mut sheet = Sheet::new("Where it turns", &["", ">", ">$ a task", ">$ a month", ">less than first"]);
    for found in &outcome.found {
        let mut row = vec![found.name.clone()];
        row.extend(match &found.at {
            Some((value, step)) => {
                [unit(found.vary, *value), usd(step.task), usd(step.month), per_cent(step.saving)]
            }
            None => ["none".to_owned(), String::new(), String::new(), String::new()],
        });
        sheet.push(row);
    }
    for step in &outcome.steps {
        if let Some((numerator, denominator)) = step.break_even {
            let rate = Pico(10_000).ratio(numerator, denominator).0;
            let rate = per_cent(i64::try_from(rate).unwrap_or(0));
            let value = format!("{numerator}/{denominator} = {rate}");
            let name = "exact break-even rate of escalation, 1 - cheap / strong".to_owned();
            sheet.push(vec![name, value, String::new(), String::new(), String::new()]);
        }
    }
    sheet
}

fn curve(scenario: &Scenario, outcome: &Outcome) -> Option<Sheet> {
    let (curve, spec) = (outcome.curve.as_ref()?, scenario.curve.as_ref()?);
    let mut sheet = Sheet::new(
        format!("$ a month and saving over {}", curve.lines.join(", ")),
        &["line", ">value", ">$ a month", ">less than first", ""],
    );
    for (at, line) in spec.lines.iter().enumerate() {
        for point in &curve.points {
            let Some((month, saving)) = point.lines.get(at) else { continue };
            let bar = usize::try_from(saving.clamp(&0, &10_000) / 400).unwrap_or(0);
            sheet.push(vec![
                line.name.clone(),
                unit(line.vary, point.value),
                usd(*month),
                per_cent(*saving),
                "▪".repeat(bar),
            ]);
        }
    }
    Some(sheet)
}

fn unit(vary: Vary, value: u64) -> String {
    match vary {
        Vary::Threshold | Vary::Escalation => format!("{value}‰"),
        Vary::Repeated => format!("{value} tokens"),
    }
}

/// Writes dollars exactly, with cents at least.
fn usd(amount: Pico) -> String {
    if amount == Pico::ZERO {
        return "$0".to_owned();
    }
    let exact = amount.usd();
    let places = exact.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("${}", amount.usd_rounded(u32::try_from(places.clamp(2, 8)).unwrap_or(2)))
}

fn per_cent(ten_thousandths: i64) -> String {
    let sign = if ten_thousandths < 0 { "-" } else { "" };
    let size = ten_thousandths.unsigned_abs();
    format!("{sign}{}.{:02}%", size / 100, size % 100)
}

fn as_json(scenario: &Scenario, outcome: &Outcome) -> serde_json::Value {
    let money = |step: &StepOutcome| {
        json!({
            "task_usd": step.task.usd(),
            "month_usd": step.month.usd(),
            "day_usd": step.run.cost.usd(),
            "saving_per_cent": per_cent(step.saving).trim_end_matches('%'),
        })
    };
    let parts = |parts: &[(String, u64, Pico)]| -> Vec<serde_json::Value> {
        let part = |(name, calls, cost): &(String, u64, Pico)| json!({ "name": name, "calls": calls, "day_usd": cost.usd() });
        parts.iter().map(part).collect()
    };
    let steps: Vec<_> = outcome
        .steps
        .iter()
        .zip(&scenario.steps)
        .map(|(step, spec)| {
            json!({
                "name": step.name,
                "guide": spec.guide,
                "note": spec.note,
                "cost": money(step),
                "requests": step.run.requests,
                "escalated": step.run.escalated,
                "models": parts(&step.run.models),
                "kinds": parts(&step.run.kinds),
                "times": step.times.as_ref().map(|(name, times)| json!({ "step": name, "hundredths": times })),
                "break_even": step.break_even.map(|(n, d)| format!("{n}/{d}")),
            })
        })
        .collect();
    let found: Vec<_> = outcome
        .found
        .iter()
        .map(|found| {
            let at = found.at.as_ref();
            json!({ "name": found.name, "value": at.map(|at| at.0), "cost": at.map(|at| money(&at.1)) })
        })
        .collect();
    let curve = outcome.curve.as_ref().map(|curve| {
        let point = |at: &(Pico, i64)| json!({ "month_usd": at.0.usd(), "saving_per_cent": per_cent(at.1).trim_end_matches('%') });
        let points: Vec<_> = curve
            .points
            .iter()
            .map(|at| json!({ "value": at.value, "lines": at.lines.iter().map(point).collect::<Vec<_>>() }))
            .collect();
        json!({ "lines": curve.lines, "points": points })
    });
    json!({
        "scenario": scenario.name,
        "title": scenario.title,
        "about": scenario.about.trim(),
        "book": outcome.book,
        "tasks_a_day": scenario.tasks_a_day,
        "days_a_month": 30,
        "steps": steps,
        "found": found,
        "curve": curve,
    })
}
