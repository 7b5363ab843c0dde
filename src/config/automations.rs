//! Automations as a TOML file: `[automation.NAME]`. Errors name file, line and what would be right.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::place::FileError;
use super::reading::Reading;
use crate::automation::{Bounds, Rule, Signal};
use crate::units::{PerMille, Span, choice, from_toml};

/// The file of one's own automations.
pub const FILE: &str = "automations.toml";

type Told<T> = Option<Spanned<T>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    automation: BTreeMap<String, Spanned<Keys>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    when: Spanned<WhenKeys>,
    route: String,
    to: String,
    share: Spanned<i64>,
    step: Told<i64>,
    dwell: Told<String>,
    #[serde(default)]
    act: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WhenKeys {
    down: Option<String>,
    errors: Option<String>,
    latency: Option<String>,
    headroom: Option<String>,
    spend: Option<String>,
    pace: Option<String>,
    hours: Told<String>,
    above: Option<i64>,
    below: Option<i64>,
    until: Option<i64>,
}

/// The share from which on nothing is left by which a model could be seen to be well again.
const MOST_WATCHED: i64 = 900;

/// Reads all automations of a file.
///
/// # Errors
/// Where the text is no TOML, has unknown keys, or says what cannot be, with its line.
pub fn parse(text: &str, origin: &str) -> Result<Vec<Rule>, FileError> {
    let file: File = from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let reading = Reading { text, origin };
    let rules: Vec<Rule> =
        file.automation.iter().map(|(name, keys)| rule(name, keys, &reading)).collect::<Result<_, _>>()?;
    for (at, rule) in rules.iter().enumerate() {
        if let Some(other) = rules.iter().take(at).find(|other| other.route == rule.route) {
            let what = format!(
                "automations {} and {} both shift route {}: one writer a route; keep one",
                other.name, rule.name, rule.route
            );
            let place = file.automation.get(&*rule.name);
            return Err(place.map_or_else(
                || FileError::new(origin, 1, what.clone()),
                |keys| reading.wrong(keys, what.clone()),
            ));
        }
    }
    Ok(rules)
}

fn rule(name: &str, keys: &Spanned<Keys>, reading: &Reading<'_>) -> Result<Rule, FileError> {
    let named = reading.name(name, keys, "an automation")?;
    let Keys { when, route, to, share, step, dwell, act } = keys.get_ref();
    let (signal, bounds) = when_of(when, reading)?;
    let share_of = |told: &Spanned<i64>, most: i64| {
        let value = Some(*told.get_ref()).filter(|share| (1..=most).contains(share));
        value.map(PerMille::clamped).ok_or_else(|| {
            let why = if most < 1000 {
                "; some traffic has to stay, by which the model is seen to be well again"
            } else {
                ""
            };
            reading
                .wrong(told, format!("{} is outside 1 to {most} per mille of sessions{why}", told.get_ref()))
        })
    };
    let is_watched = matches!(signal, Signal::Errors(_) | Signal::Latency(_));
    let share = share_of(share, if is_watched { MOST_WATCHED } else { 1000 })?;
    let step = step.as_ref().map(|step| share_of(step, 1000)).transpose()?.unwrap_or(share);
    let dwell = dwell.as_ref().map_or(Ok(Span::mins(5)), |told| {
        let what = "is no time to stay; write \"5m\", 1s to 7d";
        reading.length(told, |span| (Span::secs(1)..=Span::days(7)).contains(&span), what)
    })?;
    let (name, route, to) = (named, route.as_str().into(), to.as_str().into());
    Ok(Rule { name, signal, bounds, route, to, share, step, dwell, acts: *act })
}

fn when_of(when: &Spanned<WhenKeys>, reading: &Reading<'_>) -> Result<(Signal, Bounds), FileError> {
    let keys = when.get_ref();
    let named = |name: &Option<String>, signal: fn(std::sync::Arc<str>) -> Signal| {
        name.as_deref().map(|name| signal(name.into()))
    };
    let hours = keys.hours.as_ref().map(|told| hours(told, reading)).transpose()?;
    let all = [
        named(&keys.down, Signal::Down),
        named(&keys.errors, Signal::Errors),
        named(&keys.latency, Signal::Latency),
        named(&keys.headroom, Signal::Headroom),
        named(&keys.spend, Signal::Spend),
        named(&keys.pace, Signal::Pace),
        hours,
    ];
    let mut found = all.into_iter().flatten();
    let (Some(signal), None) = (found.next(), found.next()) else {
        let what = "looks at one thing: down, errors, latency, headroom, spend, pace or hours";
        return Err(reading.wrong(when, format!("when {what}")));
    };
    let invalid = |what: &str| Err(reading.wrong(when, format!("when {what}")));
    let number = |told: Option<i64>| told.and_then(|number| u64::try_from(number).ok());
    let bounds = match (&signal, number(keys.above), number(keys.below), number(keys.until)) {
        (Signal::Down(_) | Signal::Hours(..), None, None, None) => Bounds::YES,
        (Signal::Down(_) | Signal::Hours(..), ..) => {
            return invalid("it is either so or not: leave above, below and until out");
        }
        (Signal::Headroom(_), None, Some(on), Some(off)) if off > on => Bounds { on, off, is_above: false },
        (Signal::Headroom(_), ..) => {
            return invalid("quota left needs below = 150 and a higher until = 400, in thousandths");
        }
        (_, Some(on), None, Some(off)) if off < on => Bounds { on, off, is_above: true },
        _ => return invalid("it needs above = 200 and a lower until = 50, so that it does not swing"),
    };
    Ok((signal, bounds))
}

fn hours(told: &Spanned<String>, reading: &Reading<'_>) -> Result<Signal, FileError> {
    let read = || {
        let (from, to) = told.get_ref().split_once('-')?;
        let hour = |text: &str| text.trim().parse::<u8>().ok().filter(|hour| *hour < 24);
        Some((hour(from)?, hour(to)?)).filter(|(from, to)| from != to)
    };
    read().map(|(from, to)| Signal::Hours(from, to)).ok_or_else(|| {
        let known = ["22-6"];
        let hint = choice(told.get_ref(), &known);
        reading.wrong(told, format!("`{}` are no hours of the day in UTC; {hint}", told.get_ref()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = "[automation.spare]\nwhen = { headroom = \"anthropic\", below = 150, until = 400 }\nroute = \"code\"\n\
                        to = \"large\"\nshare = 500\nstep = 250\ndwell = \"10m\"\n";

    #[test]
    fn an_automation_is_read_as_written_and_acts_only_where_that_is_said() {
        let rules = parse(RULE, "a.toml").unwrap();
        let [rule] = rules.as_slice() else { panic!("{rules:?}") };
        assert_eq!(rule.signal, Signal::Headroom("anthropic".into()));
        assert_eq!(rule.bounds, Bounds { on: 150, off: 400, is_above: false });
        assert_eq!(
            (rule.share.get(), rule.step.get(), rule.dwell, rule.acts),
            (500, 250, Span::mins(10), false)
        );
        let night = RULE.replace("headroom = \"anthropic\", below = 150, until = 400", "hours = \"22-6\"");
        assert_eq!(parse(&night, "a.toml").unwrap()[0].signal, Signal::Hours(22, 6));
        let fast = RULE.replace(
            "headroom = \"anthropic\", below = 150, until = 400",
            "pace = \"a/day\", above = 1200, until = 1000",
        );
        let fast = &parse(&fast, "a.toml").unwrap()[0];
        assert_eq!((&fast.signal, fast.bounds.is_above), (&Signal::Pace("a/day".into()), true));
    }

    #[test]
    fn what_would_swing_or_cannot_be_is_told_with_its_line() {
        let invalid = |from: &str, to: &str| {
            assert!(RULE.contains(from), "{from}");
            parse(&RULE.replacen(from, to, 1), "a.toml").unwrap_err().to_string()
        };
        assert!(invalid("until = 400", "until = 100").starts_with("a.toml:2: "));
        assert!(invalid("headroom = \"anthropic\", ", "").contains("looks at one thing"));
        assert!(invalid("headroom", "down").contains("either so or not"));
        assert!(invalid("share = 500", "share = 0").starts_with("a.toml:5: 0 is outside"));
        let all = RULE.replace("share = 500", "share = 1000");
        let blind = all.replace(
            "headroom = \"anthropic\", below = 150, until = 400",
            "errors = \"m\", above = 9, until = 1",
        );
        assert!(parse(&blind, "a.toml").unwrap_err().to_string().contains("some traffic has to stay"));
        let two = format!("{RULE}{}", RULE.replace("automation.spare", "automation.other"));
        assert!(parse(&two, "a.toml").unwrap_err().to_string().contains("one writer a route"));
    }

    #[test]
    fn the_page_about_automations_has_an_example_that_holds() {
        let page = include_str!("../../docs/automations.md");
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert_eq!(parse(example, "docs/automations.md").unwrap().len(), 4);
    }
}
