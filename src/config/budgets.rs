//! Budgets as a TOML file. Errors name file, line and what would be right.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::Weekday;
use serde::Deserialize;
use toml::Spanned;

use super::place::FileError;
use super::reading::Reading;
use super::runaways::RuleKeys;
use super::steer::{self, SteerKeys};
use crate::budget::{Anchor, Dimension, Limit, Mode, OverLimit, Period, Scope, Unpriced, Zone};
use crate::classifier::TaskClass;
use crate::runaway::{Rule, built_in};
use crate::units::{Instant, Pico, Span, choice, from_toml, is_tag_name};

/// The file of one's own budgets.
pub const FILE: &str = "budgets.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    budget: BTreeMap<String, Spanned<Budget>>,
    runaways: Option<BTreeMap<String, Spanned<RuleKeys>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    limit: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default)]
    team: Vec<String>,
    #[serde(default)]
    project: Vec<String>,
    #[serde(default)]
    user: Vec<String>,
    #[serde(default)]
    key: Vec<String>,
    #[serde(default)]
    session: Vec<String>,
    #[serde(default)]
    route: Vec<String>,
    #[serde(default)]
    model: Vec<String>,
    #[serde(default)]
    task: Vec<Spanned<String>>,
    #[serde(default)]
    tag: BTreeMap<Spanned<String>, Vec<String>>,
    each: Option<Spanned<String>>,
    #[serde(default)]
    special: BTreeMap<String, BTreeMap<Spanned<String>, Spanned<toml::Value>>>,
    zone: Option<Spanned<String>>,
    #[serde(default)]
    starts: Starts,
    mode: Option<Spanned<String>>,
    over: Option<Spanned<String>>,
    wait: Option<Spanned<String>>,
    unpriced: Option<Spanned<String>>,
    steer: Option<Spanned<SteerKeys>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Starts {
    week: Option<Spanned<String>>,
    month: Option<Spanned<i64>>,
    year: Option<Spanned<String>>,
    from: Option<Spanned<String>>,
}

/// How much by which window.
type Amounts = Vec<(Period, Pico)>;

impl Reading<'_> {
    fn period(&self, word: &Spanned<String>) -> Result<Period, FileError> {
        Period::parse(word.get_ref()).ok_or_else(|| {
            let known = ["hour", "day", "week", "month", "quarter", "year", "lifetime"];
            let hint = choice(word.get_ref(), &known);
            self.wrong(word, format!("`{}` is no window; {hint} (or a length, \"6h\")", word.get_ref()))
        })
    }

    fn amounts(&self, limit: &BTreeMap<Spanned<String>, Spanned<toml::Value>>) -> Result<Amounts, FileError> {
        let mut amounts = Amounts::new();
        for (word, amount) in limit {
            let period = self.period(word)?;
            if amounts.iter().any(|(known, _)| *known == period) {
                let what = format!("`{}` is as long as another window here; say it once", word.get_ref());
                return Err(self.wrong(word, what));
            }
            amounts.push((period, self.amount(amount)?));
        }
        Ok(amounts)
    }

    fn wait(&self, told: Option<&Spanned<String>>) -> Result<Span, FileError> {
        let what = "is no time to wait; write \"30s\", at most \"10m\"";
        told.map_or(Ok(Limit::WAIT), |told| self.length(told, |span| span <= Limit::LONGEST_WAIT, what))
    }

    fn zone(&self, name: Option<&Spanned<String>>) -> Result<Zone, FileError> {
        let Some(name) = name else { return Ok(Zone::utc()) };
        Zone::find(name.get_ref()).ok_or_else(|| {
            let hint = "write a name of the IANA database such as \"Europe/Berlin\"";
            self.wrong(name, format!("no time zone `{}` is known; {hint}", name.get_ref()))
        })
    }

    fn anchor(&self, starts: &Starts) -> Result<Anchor, FileError> {
        let mut anchor = Anchor::default();
        if let Some(weekday) = self.one_of(starts.week.as_ref(), &WEEKDAYS)? {
            anchor.weekday = weekday;
        }
        if let Some(day) = &starts.month {
            let known = i8::try_from(*day.get_ref()).ok().filter(|day| (1..=31).contains(day));
            anchor.day = known
                .ok_or_else(|| self.wrong(day, format!("{} is no day of a month; 1 to 31", day.get_ref())))?;
        }
        if let Some(month) = self.one_of(starts.year.as_ref(), &MONTHS)? {
            anchor.month = month;
        }
        if let Some(from) = &starts.from {
            let told = Instant::parse(from.get_ref());
            anchor.from = told.map_err(|error| self.wrong(from, format!("`{}`: {error}", from.get_ref())))?;
        }
        Ok(anchor)
    }

    fn scope(&self, budget: &Budget) -> Result<Scope, FileError> {
        let known: Vec<&str> = TaskClass::ALL.iter().map(|class| class.name()).collect();
        if let Some(task) = budget.task.iter().find(|task| !known.contains(&task.get_ref().as_str())) {
            let hint = choice(task.get_ref(), &known);
            return Err(self.wrong(task, format!("`{}` is no task; {hint}", task.get_ref())));
        }
        let tasks: Vec<String> = budget.task.iter().map(|task| task.get_ref().clone()).collect();
        let lists = [
            (Dimension::Team, &budget.team),
            (Dimension::Project, &budget.project),
            (Dimension::User, &budget.user),
            (Dimension::Key, &budget.key),
            (Dimension::Session, &budget.session),
            (Dimension::Route, &budget.route),
            (Dimension::Model, &budget.model),
            (Dimension::Task, &tasks),
        ];
        if let Some((name, _)) = budget.tag.iter().find(|(name, _)| !is_tag_name(name.get_ref())) {
            let what = "is no name of a tag: without `=`, comma and blank";
            return Err(self.wrong(name, format!("`{}` {what}", name.get_ref())));
        }
        let tags =
            budget.tag.iter().map(|(name, values)| (Dimension::Tag(name.get_ref().as_str().into()), values));
        let values = |list: &Vec<String>| list.iter().map(|value| Arc::from(value.as_str())).collect();
        let lists = lists.into_iter().chain(tags).filter(|(_, list)| !list.is_empty());
        let each = budget.each.as_ref().map(|word| {
            Dimension::parse(word.get_ref()).ok_or_else(|| {
                let known: Vec<_> =
                    Dimension::NAMED.iter().map(|(name, _)| *name).chain(["tag.NAME"]).collect();
                let hint = choice(word.get_ref(), &known);
                self.wrong(word, format!("requests are not told apart by `{}`; {hint}", word.get_ref()))
            })
        });
        Ok(Scope { lists: lists.map(|(one, list)| (one, values(list))).collect(), each: each.transpose()? })
    }

    fn limits(&self, name: &str, budget: &Spanned<Budget>) -> Result<Vec<Limit>, FileError> {
        let told = budget.get_ref();
        let amounts = self.amounts(&told.limit)?;
        if amounts.is_empty() {
            return Err(
                self.wrong(budget, format!("budget {name} has no limit; write limit = {{ month = 900 }}"))
            );
        }
        if name.is_empty() || name.contains('/') || !name.chars().all(crate::units::is_safe) {
            return Err(
                self.wrong(budget, format!("`{name}` is no name of a budget: letters, digits, - and ."))
            );
        }
        let scope = Arc::new(self.scope(told)?);
        let mut special: Vec<(Arc<str>, Amounts)> = Vec::new();
        for (member, limit) in &told.special {
            let amounts_here = self.amounts(limit)?;
            let unknown =
                limit.keys().zip(&amounts_here).find(|(_, one)| !amounts.iter().any(|(p, _)| *p == one.0));
            if let Some((word, _)) = unknown {
                let what =
                    format!("budget {name} has no limit by {}; give it one under limit", word.get_ref());
                return Err(self.wrong(word, what));
            }
            special.push((member.as_str().into(), amounts_here));
        }
        if scope.each.is_none() && !special.is_empty() {
            return Err(self.wrong(
                budget,
                format!("budget {name} is special to some, but each says by what; write each = \"team\""),
            ));
        }
        let limit = Limit {
            budget: name.into(),
            scope,
            period: Period::Lifetime,
            anchor: self.anchor(&told.starts)?,
            zone: self.zone(told.zone.as_ref())?,
            amount: Pico::ZERO,
            special: BTreeMap::new(),
            mode: self.one_of(told.mode.as_ref(), &Mode::ALL)?.unwrap_or_default(),
            over: self.one_of(told.over.as_ref(), &OverLimit::ALL)?.unwrap_or_default(),
            wait: self.wait(told.wait.as_ref())?,
            unpriced: self.one_of(told.unpriced.as_ref(), &Unpriced::ALL)?.unwrap_or_default(),
            steer: None,
        };
        let steered =
            told.steer.as_ref().map(|keys| keys.get_ref().read(keys, &limit, &amounts, self)).transpose()?;
        let of = |period: Period| {
            let own = |(member, amounts): &(Arc<str>, Amounts)| {
                amounts
                    .iter()
                    .find(|(one, _)| *one == period)
                    .map(|(_, amount)| (Arc::clone(member), *amount))
            };
            special.iter().filter_map(own).collect()
        };
        Ok(amounts
            .iter()
            .map(|&(period, amount)| {
                let steer = steered
                    .as_ref()
                    .filter(|(window, _)| *window == period)
                    .map(|(_, steer)| Arc::clone(steer));
                Limit { period, amount, special: of(period), steer, ..limit.clone() }
            })
            .collect())
    }
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

const MONTHS: [(&str, i8); 12] = [
    ("january", 1),
    ("february", 2),
    ("march", 3),
    ("april", 4),
    ("may", 5),
    ("june", 6),
    ("july", 7),
    ("august", 8),
    ("september", 9),
    ("october", 10),
    ("november", 11),
    ("december", 12),
];

/// Reads the limits of all budgets from text; `origin` is for messages.
///
/// # Errors
/// As [`parse_all`].
pub fn parse(text: &str, origin: &str) -> Result<Vec<Limit>, FileError> {
    parse_all(text, origin).map(|(limits, _)| limits)
}

/// Reads limits, and the rules against runaways: the built-in ones where the text names none.
///
/// # Errors
/// Where the text is no TOML, has unknown keys, or says what cannot be, with its line.
pub fn parse_all(text: &str, origin: &str) -> Result<(Vec<Limit>, Vec<Rule>), FileError> {
    let file: File = from_toml(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let reading = Reading { text, origin };
    let mut limits = Vec::new();
    for (name, budget) in &file.budget {
        let own = reading.limits(name, budget)?;
        if let Some((other, route)) = steer::contested(&limits, &own) {
            let what = format!(
                "budget {name} would steer {route} as budget {other} does: one writer a route; name the routes of each"
            );
            return Err(reading.wrong(budget, what));
        }
        limits.extend(own);
    }
    let rules = match &file.runaways {
        None => built_in(),
        Some(rules) => rules
            .iter()
            .map(|(name, keys)| keys.get_ref().rule(name, keys, &reading))
            .collect::<Result<_, _>>()?,
    };
    Ok((limits, rules))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> String {
        parse(text, "budgets.toml").unwrap_err().to_string()
    }

    #[test]
    fn the_example_is_read_as_it_says() {
        let limits = parse(include_str!("../../config/budgets.toml"), "config/budgets.toml").unwrap();
        let names: Vec<_> =
            limits.iter().map(|limit| (limit.name(), limit.amount.usd(), limit.scope.describe())).collect();
        let names: Vec<_> = names.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())).collect();
        insta::assert_debug_snapshot!(names);
    }

    #[test]
    fn slips_are_told_with_their_line_and_what_would_be_right() {
        let of = |body: &str| wrong(&format!("[budget.a]\n{body}"));
        let steered = |keys: &str| of(&format!("limit = {{ day = 1, month = 9 }}\nsteer = {{ {keys} }}"));
        assert!(steered("").starts_with("budgets.toml:3: budget a has several windows; say which"));
        assert!(steered("window = \"week\"").contains("has no limit by `week`; it has day, month"));
        assert!(
            steered("window = \"day\", dwell = \"5s\"").contains("`5s` is no time for thresholds to stand")
        );
        assert!(steered("window = \"day\", aim = 0").contains("0 is outside 1 to 1000"));
        assert!(steered("window = \"day\", acts = true").contains("acts"));
        let two = "[budget.a]\nlimit = { day = 1 }\nsteer = { routes = [\"x\"] }\n[budget.b]\nlimit = { day = 1 }\nsteer = {}";
        assert!(wrong(two).contains("budget b would steer route x as budget a does"), "{}", wrong(two));
        assert!(of("each = \"team\"\nlimit = { day = 1 }\nsteer = {}").contains("cannot be steered towards"));
        assert_eq!(of("limit = {}"), "budgets.toml:1: budget a has no limit; write limit = { month = 900 }");
        assert!(of("limit = { month = -1 }").starts_with("budgets.toml:2: `-1` is no amount in dollars"));
        assert!(
            of("limit = { moth = 1 }")
                .starts_with("budgets.toml:2: `moth` is no window; did you mean `month`?")
        );
        assert!(
            of("limit = { day = 1 }\nzone = \"Berlin\"").starts_with("budgets.toml:3: no time zone `Berlin`")
        );
        assert_eq!(
            of("limit = { day = 1 }\nmode = \"hrad\""),
            "budgets.toml:3: `hrad` is not known here; did you mean `hard`?"
        );
        assert_eq!(
            of("limit = { day = 1 }\neach = \"taem\""),
            "budgets.toml:3: requests are not told apart by `taem`; did you mean `team`?"
        );
        assert!(
            of("limit = { day = 1 }\nstarts = { month = 32 }")
                .starts_with("budgets.toml:3: 32 is no day of a month")
        );
        assert!(of("limit = { day = 1 }\nspecial = { x = { day = 1 } }").contains("each says by what"));
        assert!(
            of("limit = { day = 1 }\neach = \"team\"\nspecial = { x = { week = 1 } }")
                .contains("has no limit by week")
        );
        assert!(
            of("limit = { day = 1 }\nteams = [\"a\"]")
                .contains("`teams` is no setting of budget.a; did you mean `team`?")
        );
    }
}
