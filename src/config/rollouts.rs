//! Rollouts as a TOML file: `[rollout.NAME]`. Errors name file, line and what would be right.
//!
//! A file of its own: a policy says what is in force, a rollout how one gets there, and is over when it did.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::place::FileError;
use super::policy::{RungFile, rungs};
use super::reading::Reading;
use crate::pricing::thousandths;
use crate::rollout::{Change, Needs, Plan, STAGES};
use crate::routing::Mode;
use crate::units::{PerMille, Span, choice, from_toml};

/// The file of one's own rollouts.
pub const FILE: &str = "rollouts.toml";

type Told<T> = Option<Spanned<T>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rollout: BTreeMap<String, Spanned<Keys>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    route: Spanned<String>,
    mode: Told<String>,
    no_signal: Option<String>,
    #[serde(default)]
    set: BTreeMap<String, Spanned<i64>>,
    #[serde(default)]
    ladder: Vec<Spanned<RungFile>>,
    stages: Told<Vec<i64>>,
    requests: Told<i64>,
    labels: Told<i64>,
    dwell: Told<String>,
    cost: Told<toml::Value>,
    errors: Told<i64>,
    unacceptable: Told<i64>,
}

/// Reads all plans of a file.
///
/// # Errors
/// Where the text is no TOML, has unknown keys, or says what cannot be, with its line.
pub fn parse(text: &str, origin: &str) -> Result<Vec<Plan>, FileError> {
    let file: File = from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let reading = Reading { text, origin };
    let whole: Arc<str> = text.into();
    file.rollout.into_iter().map(|(name, keys)| plan(&name, keys, &reading, &whole)).collect()
}

/// Reads one plan of a file.
///
/// # Errors
/// As [`parse`], and where the file has none of that name.
pub fn find(text: &str, origin: &str, name: &str) -> Result<Plan, FileError> {
    let plans = parse(text, origin)?;
    let known: Vec<String> = plans.iter().map(|plan| plan.name.to_string()).collect();
    let found = plans.into_iter().find(|plan| *plan.name == *name);
    found.ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(String::as_str).collect();
        FileError::new(origin, 1, format!("there is no rollout `{name}`; {}", choice(name, &names)))
    })
}

fn plan(name: &str, keys: Spanned<Keys>, reading: &Reading<'_>, whole: &Arc<str>) -> Result<Plan, FileError> {
    let named = reading.name(name, &keys, "a rollout")?;
    let at = Spanned::new(keys.span(), ());
    let keys = keys.into_inner();
    let modes: Vec<(&str, Mode)> = Mode::ALL.into_iter().map(|mode| (mode.name(), mode)).collect();
    let mode = reading.one_of(keys.mode.as_ref(), &modes)?;
    let mut thresholds = Vec::with_capacity(keys.set.len());
    for (rung, to) in &keys.set {
        if !(0..=1000).contains(to.get_ref()) {
            return Err(reading.wrong(to, format!("{} is outside 0 to 1000 per mille", to.get_ref())));
        }
        thresholds.push((rung.clone(), *to.get_ref()));
    }
    let ladder = rungs(keys.ladder, (reading.text, &format!("rollout.{name}")), &mut Vec::new())
        .map_err(|(line, error)| FileError::new(reading.origin, line, error.to_string()))?;
    if !ladder.is_empty() && !thresholds.is_empty() {
        return Err(reading.wrong(&at, "write the thresholds into `ladder`, or leave it out".to_owned()));
    }
    if mode.is_none() && keys.no_signal.is_none() && thresholds.is_empty() && ladder.is_empty() {
        let what = format!(
            "rollout {name} changes nothing: write set = {{ RUNG = 550 }}, ladder, mode or no_signal"
        );
        return Err(reading.wrong(&at, what));
    }
    let change = Change { mode, no_signal: keys.no_signal, thresholds, ladder, from: None };
    let usual = Needs::default();
    let count = |told: &Told<i64>, usual: u64| {
        told.as_ref().map_or(Ok(usual), |told| reading.whole(told, (0, 1_000_000_000)))
    };
    let share = |told: &Told<i64>, bounds: (u16, u16), usual: PerMille| {
        told.as_ref().map_or(Ok(usual), |told| reading.share(told, bounds))
    };
    let needs = Needs {
        requests: count(&keys.requests, usual.requests)?,
        labels: count(&keys.labels, usual.labels)?,
        dwell: keys.dwell.as_ref().map_or(Ok(usual.dwell), |told| {
            let what = "is no time to stay; write \"1h\", at most \"60d\"";
            reading.length(told, |span| span <= Span::days(60), what)
        })?,
        cost: factor(reading, keys.cost.as_ref(), usual.cost)?,
        errors: share(&keys.errors, (0, 1000), usual.errors)?,
        unacceptable: share(&keys.unacceptable, (1, 999), usual.unacceptable)?,
    };
    let stages = stages(reading, keys.stages.as_ref())?;
    let route = keys.route.into_inner().into();
    Ok(Plan { name: named, route, change, stages, needs, text: Arc::clone(whole) })
}

fn stages(reading: &Reading<'_>, told: Option<&Spanned<Vec<i64>>>) -> Result<Vec<PerMille>, FileError> {
    let Some(told) = told else {
        return Ok(STAGES.iter().filter_map(|share| PerMille::new(*share)).collect());
    };
    let list = told.get_ref();
    let shares: Option<Vec<PerMille>> =
        list.iter().map(|share| u16::try_from(*share).ok().and_then(PerMille::new)).collect();
    let rises = list.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
    shares.filter(|shares| rises && !shares.is_empty() && shares.len() <= 32).ok_or_else(|| {
        let what = "are rising shares of sessions in per mille, 0 (beside the traffic) to 1000: [0, 10, 50, 250, 500, 1000]";
        reading.wrong(told, format!("stages {what}"))
    })
}

fn factor(reading: &Reading<'_>, told: Option<&Spanned<toml::Value>>, usual: u32) -> Result<u32, FileError> {
    let Some(told) = told else { return Ok(usual) };
    let text = told.get_ref().to_string();
    thousandths(text.trim_matches('"')).filter(|factor| *factor <= 100_000).ok_or_else(|| {
        let what = "is no bound: 1.05 lets a request cost 5% more than on the route as it was, 0.8 at most 80% of it";
        reading.wrong(told, format!("{text} {what}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: &str = "[rollout.cheaper]\nroute = \"code\"\nset = { small = 550 }\nstages = [10, 500]\nrequests = 40\n\
                        labels = 5\ndwell = \"10m\"\ncost = 0.9\nerrors = 5\nunacceptable = 30\n";

    #[test]
    fn a_plan_is_read_as_written_and_what_is_left_out_is_usual() {
        let plan = find(PLAN, "rollouts.toml", "cheaper").unwrap();
        assert_eq!(
            (&*plan.route, plan.change.thresholds.as_slice()),
            ("code", &[("small".to_owned(), 550)][..])
        );
        assert_eq!(plan.stages, [10, 500].map(PerMille::clamped));
        let needs = Needs {
            requests: 40,
            labels: 5,
            dwell: Span::mins(10),
            cost: 900,
            errors: PerMille::clamped(5),
            unacceptable: PerMille::clamped(30),
        };
        assert_eq!(plan.needs, needs);
        let bare = find("[rollout.on]\nroute = \"r\"\nmode = \"active\"\n", "r.toml", "on").unwrap();
        assert_eq!((bare.needs, bare.stages.len()), (Needs::default(), STAGES.len()));
    }

    #[test]
    fn what_cannot_be_is_told_with_its_line() {
        let invalid = |from: &str, to: &str| {
            assert!(PLAN.contains(from), "{from}");
            parse(&PLAN.replacen(from, to, 1), "r.toml").unwrap_err().to_string()
        };
        assert!(invalid("[10, 500]", "[500, 10]").starts_with("r.toml:4: stages are rising shares"));
        assert!(invalid("0.9", "\"much\"").starts_with("r.toml:8: "), "{}", invalid("0.9", "\"much\""));
        assert!(invalid("550", "1550").starts_with("r.toml:3: 1550 is outside 0 to 1000"));
        assert!(invalid("set = { small = 550 }", "").contains("changes nothing"));
        assert!(invalid("dwell", "dwel").contains("did you mean `dwell`"));
        let missing = find(PLAN, "r.toml", "chaper").unwrap_err().to_string();
        assert!(missing.contains("did you mean `cheaper`"), "{missing}");
    }

    #[test]
    fn the_page_about_rollouts_has_an_example_that_holds() {
        let page = include_str!("../../docs/rollouts.md");
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert_eq!(parse(example, "docs/rollouts.md").unwrap().len(), 2);
    }
}
