//! The checks of a route, ready to judge.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::curve::Curve;
use super::schema::Schema;
use super::{CheckSpec, CheckWhen, Ended, Kind, OnFail, Said, Says, Verdict, Weights};
use crate::units::PerMille;

/// How long a command may take where nothing is said, and at most.
const TIME_LIMIT_MS: u32 = 5_000;
const MOST_MS: u32 = 60_000;
/// The most checks of a route.
const MOST: usize = 16;
/// The most memory that a pattern may take once it is compiled.
const PATTERN: usize = 1 << 20;

/// The checks of a route.
#[derive(Debug)]
pub struct Checks {
    /// When answers are checked.
    pub when: CheckWhen,
    list: Vec<Checker>,
}

/// One of them.
#[derive(Debug)]
pub struct Checker {
    /// Its name.
    pub name: Arc<str>,
    /// What follows where it fails.
    pub on_fail: OnFail,
    spec: CheckSpec,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    NonEmpty,
    Finish,
    ToolCalls,
    /// The request's own schema.
    Asked,
    Schema(Box<Schema>),
    Regex {
        matches: Option<Regex>,
        forbids: Option<Regex>,
    },
    /// The least sureness that passes, or the least chance that a curve makes of it, or of where a logistic puts the words.
    Logprobs(PerMille, Option<Curve>, Option<Weights>),
    Command(Command),
}

/// A program that judges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program and its arguments.
    pub words: Vec<String>,
    /// How long it may take.
    pub time_limit_ms: u32,
    /// The least score with which an answer passes.
    pub least: Option<PerMille>,
}

/// They are compiled from what is written, so two that are written alike are one.
impl PartialEq for Checks {
    fn eq(&self, other: &Self) -> bool {
        self.when == other.when && self.specs().eq(other.specs())
    }
}

impl Eq for Checks {}

/// What is wrong: which check, which of its keys, and how to mend it.
type Wrong = (usize, &'static str, String);

impl Checks {
    /// Compiles the checks of a route; none where there are none and nothing is said of when.
    ///
    /// # Errors
    /// The first thing wrong: which check, which key, and how to mend it.
    pub fn compile(when: Option<CheckWhen>, specs: &[CheckSpec]) -> Result<Option<Arc<Self>>, Wrong> {
        if specs.is_empty() && when.is_none() {
            return Ok(None);
        }
        if specs.len() > MOST {
            return Err((MOST, "kind", format!("is one too many: at most {MOST} checks a route")));
        }
        let mut list: Vec<Checker> = Vec::with_capacity(specs.len());
        for (at, spec) in specs.iter().enumerate() {
            let invalid = |(key, problem): (&'static str, String)| (at, key, problem);
            let rule = rule(spec).map_err(invalid)?;
            let name = spec.name.as_deref().unwrap_or(spec.kind.name());
            if name.is_empty() || name.len() > 64 || !name.chars().all(crate::units::is_safe) {
                return Err((at, "name", "is no name of up to 64 letters".to_owned()));
            }
            if name == Verdict::OWN || list.iter().any(|earlier| &*earlier.name == name) {
                return Err((at, "name", format!("`{name}` is taken; give this check a name of its own")));
            }
            list.push(Checker {
                name: name.into(),
                on_fail: spec.on_fail.unwrap_or_default(),
                spec: spec.clone(),
                rule,
            });
        }
        Ok(Some(Arc::new(Self { when: when.unwrap_or_default(), list })))
    }

    /// Walks the checks as they are written.
    pub fn specs(&self) -> impl Iterator<Item = &CheckSpec> {
        self.list.iter().map(|check| &check.spec)
    }

    /// Returns their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|check| &*check.name)
    }

    /// Says whether a verdict may send a request up its ladder.
    pub fn may_escalate(&self) -> bool {
        self.when == CheckWhen::Before
    }

    /// Says whether an answer that is no JSON fails for that alone.
    pub fn wants_json(&self) -> bool {
        let is_schema = |check: &Checker| matches!(check.rule, Rule::Schema(_));
        self.may_escalate()
            && self.list.iter().any(|check| is_schema(check) && check.on_fail == OnFail::Escalate)
    }

    /// Says whether providers are asked how likely their words were.
    pub fn wants_logprobs(&self) -> bool {
        self.list.iter().any(|check| matches!(check.rule, Rule::Logprobs(..)))
    }

    /// Says whether a verdict sends the request up its ladder.
    pub fn escalates(&self, verdict: &Verdict) -> bool {
        self.may_escalate()
            && verdict.says == Says::Failed
            && (*verdict.by == *Verdict::OWN
                || self
                    .list
                    .iter()
                    .any(|check| *check.name == *verdict.by && check.on_fail == OnFail::Escalate))
    }

    /// Judges the answers to a request by all that costs nothing; every one of them has to be fit. `asked` is the schema
    /// that the request itself names.
    pub fn judge(&self, answers: &[Said], asked: Option<&str>) -> Vec<Verdict> {
        let mut all = Vec::with_capacity(self.list.len());
        for check in &self.list {
            let (says, why) = match &check.rule {
                Rule::Command(_) => continue,
                Rule::Schema(schema) => check.all(answers, Some(schema)),
                Rule::Asked => match asked.map(Schema::of_client) {
                    Some(None) => (Says::Abstained, "the request's schema cannot be used".to_owned()),
                    schema => check.all(answers, schema.flatten().as_ref()),
                },
                _ => check.all(answers, None),
            };
            let is_of_words = matches!(check.rule, Rule::Logprobs(..)) && says != Says::Abstained;
            let least =
                answers.iter().filter(|said| said.sureness.is_some()).min_by_key(|said| said.sureness);
            let least = least.filter(|_| is_of_words);
            let (score, words) = (least.and_then(|said| said.sureness), least.and_then(|said| said.words));
            all.push(Verdict { score, words, ..Verdict::new(&check.name, says, &why) });
        }
        all
    }

    /// Walks the checks that are programs, in order.
    pub fn commands(&self) -> impl Iterator<Item = (&Checker, &Command)> {
        self.list.iter().filter_map(|check| match &check.rule {
            Rule::Command(command) => Some((check, command)),
            _ => None,
        })
    }
}

impl Checker {
    /// Judges all answers: one that is not fit is enough, and so is one that cannot be judged.
    fn all(&self, answers: &[Said], schema: Option<&Schema>) -> (Says, String) {
        let mut told = (Says::Abstained, "there is no answer".to_owned());
        for (nth, said) in answers.iter().enumerate() {
            let (says, why) = self.one(said, schema);
            match says {
                Says::Failed => return (says, why),
                Says::Abstained => told = (says, why),
                Says::Passed if nth == 0 => told = (says, why),
                Says::Passed => {}
            }
        }
        told
    }

    fn one(&self, said: &Said, schema: Option<&Schema>) -> (Says, String) {
        let is_blank = said.text.trim().is_empty();
        // Where the model calls tools first, the text comes with a later answer.
        let calls_alone = is_blank && !said.calls.is_empty();
        let verdict = |is_fit: bool, why: &str| {
            let says = if is_fit { Says::Passed } else { Says::Failed };
            (says, if is_fit { String::new() } else { why.to_owned() })
        };
        let abstained = |why: &str| (Says::Abstained, why.to_owned());
        match &self.rule {
            Rule::NonEmpty => verdict(!is_blank || !said.calls.is_empty() || said.has_more, "it is empty"),
            Rule::Finish => match said.ended {
                Ended::Well => verdict(true, ""),
                Ended::Truncated => verdict(false, "it was cut off by a limit of output"),
                Ended::Filtered => verdict(false, "it was held back, or refused"),
                Ended::Unsaid => abstained("nobody said why it ended"),
            },
            Rule::Logprobs(least, curve, weights) => match said.sureness.map(|sure| (sure, curve)) {
                None => abstained("nobody told how likely its words were"),
                Some((sure, None)) => verdict(sure >= *least, &format!("{sure}‰ is below {least}‰")),
                Some((sure, Some(curve))) => {
                    let weighed = weights.zip(said.words).map(|(weights, words)| weights.place(words));
                    let Some(place) = weighed.unwrap_or(Some(sure)) else {
                        return abstained("nobody told what else its words might have been");
                    };
                    let chance = curve.at(place);
                    verdict(
                        chance >= *least,
                        &format!("good with {chance}‰ where {sure}‰ sure, below {least}‰"),
                    )
                }
            },
            _ if said.is_truncated => abstained("it is too long to be looked into"),
            Rule::ToolCalls => match said.calls.iter().find(|call| !is_object(&call.arguments)) {
                _ if said.calls.is_empty() => abstained("it calls no tool"),
                None => verdict(true, ""),
                Some(_) => verdict(false, "the arguments of a call are no JSON object"),
            },
            Rule::Asked | Rule::Schema(_) | Rule::Regex { .. } if calls_alone => abstained("it calls tools"),
            Rule::Asked | Rule::Schema(_) => match schema {
                None => abstained("the request names no schema"),
                Some(schema) => match schema.fits(&said.text) {
                    Ok(()) => verdict(true, ""),
                    Err(why) => verdict(false, &why),
                },
            },
            Rule::Regex { matches, forbids } => {
                let lacks = matches.as_ref().is_some_and(|pattern| !pattern.is_match(&said.text));
                let has = forbids.as_ref().is_some_and(|pattern| pattern.is_match(&said.text));
                let why = if lacks { "it does not match" } else { "it matches what is forbidden" };
                verdict(!lacks && !has, why)
            }
            Rule::Command(_) => abstained("it is for a program to say"),
        }
    }
}

/// Says whether arguments are an object, or none at all.
fn is_object(arguments: &str) -> bool {
    let arguments = arguments.trim();
    arguments.is_empty()
        || arguments == "null"
        || serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(arguments).is_ok()
}

fn rule(spec: &CheckSpec) -> Result<Rule, (&'static str, String)> {
    let CheckSpec { kind, schema, matches, forbids, command, time_limit_ms, least, curve, weights, .. } =
        spec;
    let strangers = [
        ("schema", schema.is_some(), Kind::Schema),
        ("matches", matches.is_some(), Kind::Regex),
        ("forbids", forbids.is_some(), Kind::Regex),
        ("command", !command.is_empty(), Kind::Command),
        ("time_limit", time_limit_ms.is_some(), Kind::Command),
        ("curve", !curve.is_empty(), Kind::Logprobs),
        ("weights", !weights.is_empty(), Kind::Logprobs),
    ];
    if let Some((key, _, of)) = strangers.into_iter().find(|(_, stands, of)| *stands && of != kind) {
        return Err((key, format!("is for `{}`; this check is a `{}`", of.name(), kind.name())));
    }
    if least.is_some() && !matches!(kind, Kind::Command | Kind::Logprobs) {
        return Err(("least", format!("is for `logprobs` and `command`; this check is a `{}`", kind.name())));
    }
    let least = least.map(|least| {
        PerMille::new(least).ok_or_else(|| ("least", format!("{least} is outside 0 to 1000 per mille")))
    });
    let least = least.transpose()?;
    Ok(match kind {
        Kind::NonEmpty => Rule::NonEmpty,
        Kind::Finish => Rule::Finish,
        Kind::ToolCalls => Rule::ToolCalls,
        Kind::Logprobs => {
            let missing =
                || ("least", "is missing; write the least sureness that passes, 0 to 1000".to_owned());
            let curve = Curve::compile(curve).map_err(|why| ("curve", why))?;
            let weights = (!weights.is_empty()).then(|| Weights::new(weights)).transpose();
            let weights = weights.map_err(|why| ("weights", why.to_owned()))?;
            if weights.is_some() && curve.is_none() {
                let how = "says nothing without a `curve`; `pointsman calibrate` writes both";
                return Err(("weights", how.to_owned()));
            }
            Rule::Logprobs(least.ok_or_else(missing)?, curve, weights)
        }
        Kind::Schema => match schema {
            None => Rule::Asked,
            Some(text) => Rule::Schema(Box::new(Schema::compile(text).map_err(|why| ("schema", why))?)),
        },
        Kind::Regex if matches.is_none() && forbids.is_none() => {
            return Err(("matches", "is missing; write `matches` or `forbids`".to_owned()));
        }
        Kind::Regex => Rule::Regex {
            matches: pattern(matches.as_deref()).map_err(|why| ("matches", why))?,
            forbids: pattern(forbids.as_deref()).map_err(|why| ("forbids", why))?,
        },
        Kind::Command => {
            if command.first().is_none_or(String::is_empty) {
                return Err(("command", "names no program; write [\"program\", \"argument\"]".to_owned()));
            }
            let time_limit_ms = time_limit_ms.unwrap_or(TIME_LIMIT_MS);
            if !(1..=MOST_MS).contains(&time_limit_ms) {
                return Err(("time_limit", format!("is outside 1ms to {}s", MOST_MS / 1000)));
            }
            Rule::Command(Command { words: command.clone(), time_limit_ms, least })
        }
    })
}

fn pattern(text: Option<&str>) -> Result<Option<Regex>, String> {
    let compile = |text: &str| RegexBuilder::new(text).size_limit(PATTERN).build();
    text.map(compile).transpose().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => "is too large a pattern; make it smaller".to_owned(),
        // Its last line says what is wrong; those above draw where.
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default().trim_start_matches("error:").trim();
            format!("is no pattern: {last}")
        }
    })
}
