//! Policies as TOML files. Errors name file, line and field.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::adapt::{self, AdaptFile};
use super::checks::{self, CheckFile};
use super::explore::{self, ExploreFile};
use super::literal::{list_toml, quoted};
use super::rung_parameters::{ParametersFile, limits_toml, parameters_toml};
use super::span::Span;
use crate::routing::{
    Caching, CanarySpec, FactsSpec, Mode, Parameters, Policy, PolicyError, PolicySpec, REGION, RouteSpec,
    RungSpec, StreamLimits, WhenFailed, WhenFull,
};
use crate::units::{Names, Slip, choice, from_toml, line_of};

/// The policy that comes with the program.
pub const BUILTIN: &str = include_str!("../../config/policy.toml");

/// Why a policy file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no TOML, or not of the right shape.
    #[error("{path}:{slip}")]
    Syntax {
        /// The file.
        path: String,
        /// Where, and what to write instead.
        slip: Slip,
    },
    /// The policy makes no sense.
    #[error("{path}:{line}: {error}")]
    Policy {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, with its field.
        error: PolicyError,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    name: Option<String>,
    baseline: Option<Spanned<String>>,
    classifier: Option<Spanned<String>>,
    mode: Option<Spanned<String>>,
    #[serde(default)]
    model: BTreeMap<String, Spanned<FactsFile>>,
    #[serde(default)]
    route: Vec<Spanned<RouteFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFile {
    name: Spanned<String>,
    #[serde(default, rename = "match")]
    takes: Option<Spanned<MatchFile>>,
    mode: Option<Spanned<String>>,
    #[serde(default)]
    require: Vec<String>,
    when_full: Option<Spanned<String>>,
    when_failed: Option<Spanned<String>>,
    cache: Option<Spanned<String>>,
    switch_cap: Option<Spanned<i64>>,
    #[serde(default)]
    ladder: Vec<Spanned<RungFile>>,
    no_signal: Option<Spanned<String>>,
    holdout: Option<Spanned<i64>>,
    explore: Option<Spanned<ExploreFile>>,
    adapt: Option<Spanned<AdaptFile>>,
    canary: Option<Spanned<CanaryFile>>,
    #[serde(default)]
    stream: StreamFile,
    check: Option<Spanned<String>>,
    #[serde(default)]
    checks: Vec<Spanned<CheckFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CanaryFile {
    of: String,
    share: i64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct StreamFile {
    first_byte: Option<Span>,
    gap: Option<Span>,
    tokens_per_second: Option<u32>,
    hold: Option<bool>,
}

impl StreamFile {
    fn limits(&self) -> StreamLimits {
        let millis = |span: &Option<Span>| span.map(Span::millis);
        StreamLimits {
            first_byte_ms: millis(&self.first_byte),
            gap_ms: millis(&self.gap),
            tokens_per_second: self.tokens_per_second,
            hold: self.hold,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct MatchFile {
    #[serde(default)]
    team: Vec<String>,
    #[serde(default)]
    project: Vec<String>,
    #[serde(default)]
    task: Vec<String>,
    #[serde(default)]
    model: Vec<String>,
}

/// Declares a table that may tell what is known of a model beside its own keys: serde's `flatten` would let unknown keys pass.
macro_rules! with_facts {
    ($name:ident { $($(#[$of:meta])* $field:ident: $kind:ty,)* }) => {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct $name {
            $($(#[$of])* $field: $kind,)*
            #[serde(default)]
            labels: Vec<String>,
            region: Option<String>,
            context: Option<u32>,
            max_output: Option<u32>,
            max_in_flight: Option<u32>,
            vision: Option<bool>,
            tools: Option<bool>,
        }

        impl $name {
            /// Returns what is known of the model; a region is a label like others.
            fn facts(&self) -> FactsSpec {
                let region = self.region.iter().map(|region| format!("{REGION}{region}"));
                FactsSpec {
                    labels: self.labels.iter().cloned().chain(region).collect(),
                    context: self.context,
                    max_output: self.max_output,
                    max_in_flight: self.max_in_flight,
                    vision: self.vision,
                    tools: self.tools,
                }
            }
        }
    };
}

with_facts!(FactsFile {});
with_facts!(RungFile {
    rung: Option<String>,
    model: String,
    threshold: Option<Threshold>,
    #[serde(default)]
    fallback: bool,
    #[serde(default)]
    stream: StreamFile,
    #[serde(default, rename = "with")]
    parameters: Option<Spanned<ParametersFile>>,
});

/// A threshold as it is written: whether it is within its bounds is the policy's to say.
struct Threshold(i64);

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Threshold;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 0 to 1000 (per mille)")
            }
            fn visit_i64<E>(self, number: i64) -> Result<Threshold, E> {
                Ok(Threshold(number))
            }
        }
        deserializer.deserialize_i64(Words)
    }
}

/// Where the fields of a policy stand in its file.
#[derive(Clone, Debug, Default)]
pub struct Places {
    path: String,
    lines: Vec<(String, usize)>,
}

impl Places {
    /// Returns file and line of a field, or of the nearest one around it.
    pub fn of(&self, field: &str) -> String {
        format!("{}:{}", self.path, self.line(field))
    }

    /// Says whether the file writes a field.
    pub fn has(&self, field: &str) -> bool {
        self.lines.iter().any(|(known, _)| known == field)
    }

    fn line(&self, field: &str) -> usize {
        // The longest known prefix of the field is the nearest place in the file.
        let around = self.lines.iter().filter(|(known, _)| field.starts_with(known.as_str()));
        around.max_by_key(|(known, _)| known.len()).map_or(1, |(_, line)| *line)
    }
}

/// Reads a policy from text; `path` is for messages.
///
/// # Errors
/// Where the text is no TOML, has unknown fields, or the policy makes no sense.
pub fn parse(text: &str, path: &str, names: &mut Names) -> Result<Policy, Error> {
    parse_placed(text, path, names).map(|(policy, _)| policy)
}

/// Reads a policy from text, and where its fields stand.
///
/// # Errors
/// Where the text is no TOML, has unknown fields, or the policy makes no sense.
pub fn parse_placed(text: &str, path: &str, names: &mut Names) -> Result<(Policy, Places), Error> {
    let file: PolicyFile = from_toml(text)
        .map_err(|error| Error::Syntax { path: path.to_owned(), slip: Slip::of(text, &error) })?;
    let mut lines: Vec<(String, usize)> = Vec::new();
    let mut spec = PolicySpec {
        name: file.name.unwrap_or_else(|| {
            Path::new(path).file_stem().map_or_else(|| "policy".into(), |s| s.to_string_lossy().into_owned())
        }),
        ..PolicySpec::default()
    };
    spec.baseline = placed(&mut lines, text, "baseline".into(), file.baseline);
    spec.classifier = placed(&mut lines, text, "classifier".into(), file.classifier);
    let read_mode = |word: Option<Spanned<String>>, field: String, lines: &mut Vec<(String, usize)>| {
        let Some(word) = word else { return Ok(None) };
        let line = line_of(text, word.span().start);
        lines.push((field.clone(), line));
        Mode::from_name(word.get_ref()).map(Some).ok_or_else(|| {
            let problem = format!(
                "`{}` is no mode; {}",
                word.get_ref(),
                choice(word.get_ref(), &["pinned", "observe", "active"])
            );
            Error::Policy { path: path.to_owned(), line, error: PolicyError { field, problem } }
        })
    };
    spec.mode = read_mode(file.mode, "mode".into(), &mut lines)?;
    for (name, facts) in file.model {
        lines.push((format!("model.{name}"), line_of(text, facts.span().start)));
        spec.models.push((name, facts.get_ref().facts()));
    }
    for (at, route) in file.route.into_iter().enumerate() {
        let start = line_of(text, route.span().start);
        let route = route.into_inner();
        let name = route.name.get_ref().clone();
        lines.push((format!("route[{at}]"), start));
        lines.push((format!("route.{name}"), line_of(text, route.name.span().start)));
        let mut one = RouteSpec {
            name: route.name.into_inner(),
            stream: route.stream.limits(),
            mode: read_mode(route.mode, format!("route.{name}.mode"), &mut lines)?,
            require: route.require,
            ..RouteSpec::default()
        };
        let at = (text, path);
        one.when_full =
            word(at, &name, "when_full", route.when_full, &WhenFull::ALL.map(|it| (it.name(), it)))?;
        one.when_failed =
            word(at, &name, "when_failed", route.when_failed, &WhenFailed::ALL.map(|it| (it.name(), it)))?;
        one.cache = word(at, &name, "cache", route.cache, &Caching::ALL.map(|it| (it.name(), it)))?;
        let at_route = |key: &str| format!("route.{name}.{key}");
        one.switch_cap = placed(&mut lines, text, at_route("switch_cap"), route.switch_cap);
        if let Some(takes) = placed(&mut lines, text, at_route("match"), route.takes) {
            (one.teams, one.projects, one.tasks, one.asked) =
                (takes.team, takes.project, takes.task, takes.model);
        }
        one.ladder = rungs(route.ladder, (text, &format!("route.{name}")), &mut lines)
            .map_err(|(line, error)| Error::Policy { path: path.to_owned(), line, error })?;
        one.no_signal = placed(&mut lines, text, at_route("no_signal"), route.no_signal);
        one.holdout = placed(&mut lines, text, at_route("holdout"), route.holdout);
        if let Some(explore) = route.explore {
            lines.extend(explore::lines(&name, line_of(text, explore.span().start)));
            one.explore = Some(explore.into_inner().spec());
        }
        if let Some(adapt) = route.adapt {
            lines.extend(adapt::lines(&name, line_of(text, adapt.span().start)));
            one.adapt = Some(adapt.into_inner().spec());
        }
        let canary = placed(&mut lines, text, at_route("canary"), route.canary);
        one.canary = canary.map(|CanaryFile { of, share }| CanarySpec { of, share });
        let read = checks::read((route.check, route.checks), text, &name, &mut lines);
        (one.check, one.checks) =
            read.map_err(|(line, error)| Error::Policy { path: path.to_owned(), line, error })?;
        spec.routes.push(one);
    }
    let places = Places { path: path.to_owned(), lines };
    match Policy::compile(&spec, 1, names) {
        Ok(policy) => Ok((policy, places)),
        Err(error) => Err(Error::Policy { path: path.to_owned(), line: places.line(&error.field), error }),
    }
}

/// Takes what a field says, and notes where it stands.
fn placed<T>(
    lines: &mut Vec<(String, usize)>,
    text: &str,
    field: String,
    said: Option<Spanned<T>>,
) -> Option<T> {
    let said = said?;
    lines.push((field, line_of(text, said.span().start)));
    Some(said.into_inner())
}

/// Reads the rungs of a ladder, and where they stand; what is wrong is told with its line.
pub(super) fn rungs(
    ladder: Vec<Spanned<RungFile>>,
    (text, of): (&str, &str),
    lines: &mut Vec<(String, usize)>,
) -> Result<Vec<RungSpec>, (usize, PolicyError)> {
    let mut rungs = Vec::with_capacity(ladder.len());
    for (at, rung) in ladder.into_iter().enumerate() {
        lines.push((format!("{of}.ladder[{at}]"), line_of(text, rung.span().start)));
        let rung = rung.into_inner();
        let facts = rung.facts();
        let with = match rung.parameters {
            None => Parameters::NONE,
            Some(parameters) => {
                let line = line_of(text, parameters.span().start);
                parameters.into_inner().parameters().map_err(|(key, problem)| {
                    let field = format!("{of}.ladder[{at}].with.{key}");
                    (line, PolicyError { field, problem })
                })?
            }
        };
        let RungFile { rung: name, model, threshold, fallback, stream, .. } = rung;
        rungs.push(RungSpec {
            name,
            model,
            threshold: threshold.map(|Threshold(number)| number),
            fallback,
            stream: stream.limits(),
            facts,
            with,
        });
    }
    Ok(rungs)
}

/// Reads a word of a route that is one of a few.
fn word<T: Copy>(
    (text, path): (&str, &str),
    route: &str,
    key: &str,
    written: Option<Spanned<String>>,
    known: &[(&str, T)],
) -> Result<Option<T>, Error> {
    let Some(word) = written else { return Ok(None) };
    if let Some((_, found)) = known.iter().find(|(name, _)| name == word.get_ref()) {
        return Ok(Some(*found));
    }
    let (line, field) = (line_of(text, word.span().start), format!("route.{route}.{key}"));
    let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
    let problem = format!("`{}` is not known here; {}", word.get_ref(), choice(word.get_ref(), &names));
    Err(Error::Policy { path: path.to_owned(), line, error: PolicyError { field, problem } })
}

/// Writes a policy as a file that [`parse`] reads back to the same.
pub fn to_toml(policy: &Policy, names: &Names) -> String {
    let head = format!("# Version {} of a policy, as it was in force.\n\n", policy.version);
    head + &spec_toml(&policy.spec(names))
}

/// Writes a policy as text that says the same for the same policy, whatever file it came from.
pub fn spec_toml(spec: &PolicySpec) -> String {
    let text = |key: &str, value: Option<&str>| value.map(|value| format!("{key} = {}\n", quoted(value)));
    let number = |key: &str, value: Option<i64>| value.map(|value| format!("{key} = {value}\n"));
    let mut out = format!("name = {}\n", quoted(&spec.name));
    out.extend(text("baseline", spec.baseline.as_deref()));
    out.extend(text("classifier", spec.classifier.as_deref()));
    out.extend(text("mode", spec.mode.map(Mode::name)));
    for (model, facts) in &spec.models {
        let facts: Vec<String> = facts_toml(facts);
        let _ = writeln!(out, "\n[model.{}]\n{}", quoted(model), facts.join("\n"));
    }
    for route in &spec.routes {
        let _ = write!(out, "\n[[route]]\nname = {}\n", quoted(&route.name));
        let lists = [
            ("match.team", &route.teams),
            ("match.project", &route.projects),
            ("match.task", &route.tasks),
            ("match.model", &route.asked),
            ("require", &route.require),
        ];
        for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            let _ = writeln!(out, "{key} = {}", list_toml(list));
        }
        out.extend(text("mode", route.mode.map(Mode::name)));
        out.extend(text("no_signal", route.no_signal.as_deref()));
        out.extend(number("holdout", route.holdout));
        out.extend(route.explore.map(|explore| format!("explore = {}\n", explore::to_toml(explore))));
        out.extend(route.adapt.as_ref().map(|adapt| format!("adapt = {}\n", adapt::to_toml(adapt))));
        out.extend(route.canary.as_ref().map(|CanarySpec { of, share }| {
            format!("canary = {{ of = {}, share = {share} }}\n", quoted(of))
        }));
        out.extend(text("when_full", route.when_full.map(WhenFull::name)));
        out.extend(text("when_failed", route.when_failed.map(WhenFailed::name)));
        out.extend(text("cache", route.cache.map(Caching::name)));
        out.extend(number("switch_cap", route.switch_cap));
        if !route.stream.is_none() {
            let _ = writeln!(out, "stream = {}", limits_toml(route.stream));
        }
        out.push_str(&checks::to_toml(route));
        out.push_str("ladder = [\n");
        for rung in &route.ladder {
            let name = rung.name.as_ref().unwrap_or(&rung.model);
            let mut keys =
                vec![format!("rung = {}", quoted(name)), format!("model = {}", quoted(&rung.model))];
            keys.extend(rung.threshold.map(|threshold| format!("threshold = {threshold}")));
            keys.extend(rung.fallback.then(|| "fallback = true".to_owned()));
            if !rung.stream.is_none() {
                keys.push(format!("stream = {}", limits_toml(rung.stream)));
            }
            keys.extend(facts_toml(&rung.facts));
            if !rung.with.is_none() {
                keys.push(format!("with = {}", parameters_toml(&rung.with)));
            }
            let _ = writeln!(out, "  {{ {} }},", keys.join(", "));
        }
        out.push_str("]\n");
    }
    out
}

fn facts_toml(facts: &FactsSpec) -> Vec<String> {
    let FactsSpec { labels, context, max_output, max_in_flight, vision, tools } = facts;
    let all = [
        (!labels.is_empty()).then(|| format!("labels = {}", list_toml(labels))),
        context.map(|most| format!("context = {most}")),
        max_output.map(|most| format!("max_output = {most}")),
        max_in_flight.map(|most| format!("max_in_flight = {most}")),
        vision.map(|can| format!("vision = {can}")),
        tools.map(|can| format!("tools = {can}")),
    ];
    all.into_iter().flatten().collect()
}

/// Reads a policy file.
///
/// # Errors
/// As [`parse`], and where the file cannot be read.
pub fn load(path: &Path, names: &mut Names) -> Result<Policy, Error> {
    load_placed(path, names).map(|(policy, _)| policy)
}

/// Reads a policy file, and where its fields stand.
///
/// # Errors
/// As [`load`].
pub fn load_placed(path: &Path, names: &mut Names) -> Result<(Policy, Places), Error> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|source| Error::Io { path: shown.clone(), source })?;
    parse_placed(&text, &shown, names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(text, "p.toml", &mut Names::default()).unwrap_err().to_string()
    }

    #[test]
    fn the_policy_that_ships_compiles() {
        let policy = parse(BUILTIN, "policy.toml", &mut Names::default()).unwrap();
        assert_eq!(policy.routes.len(), 6);
    }

    #[test]
    fn a_written_policy_reads_back_the_same() {
        let odd = "name = \"q\\\"uote\"\nbaseline = \"b\"\n[[route]]\nname = \"r\"\nmatch.team = [\"a\", \"b\"]\n\
                   match.project = [\"p\"]\nmatch.task = [\"code\"]\nmatch.model = [\"auto/x\"]\nno_signal = \"cheap\"\nholdout = 50\nwhen_failed = \"fall\"\ncache = \"aware\"\nswitch_cap = 200\n\
                   explore = { share = 20, below = 60 }\n\
                   adapt = { method = \"linucb\", worth = \"0.05\", floors = [900, 5], from = \"checks\", alpha = 0, forgetting = 990, least = 7 }\n\
                   stream = { first_byte = \"5s\", tokens_per_second = 3, hold = true }\ncheck = \"after\"\n\
                   checks = [{ kind = \"regex\", matches = '^\\d', on_fail = \"record\" }, { kind = \"schema\", schema = '{}' },\n\
                   { kind = \"command\", name = \"lint\", command = [\"l\", \"-q\"], time_limit = \"2s\", least = 700 }]\n\
                   ladder = [{ rung = \"spare\", model = \"s\", fallback = true }, { rung = \"cheap\", model = \"m\", threshold = 7, stream = { gap = \"250ms\" } }, { model = \"n\" }]\n\
                   [[route]]\nname = \"next\"\ncanary = { of = \"rest\", share = 10 }\n\
                   [[route]]\nname = \"rest\"\nladder = [{ model = \"n\" }]\n";
        for text in [BUILTIN, odd] {
            let mut names = Names::default();
            let policy = parse(text, "p.toml", &mut names).unwrap();
            let written = to_toml(&policy, &names);
            assert_eq!(parse(&written, "p.toml", &mut names).unwrap(), policy, "{written}");
        }
    }

    #[test]
    fn errors_name_file_line_and_field() {
        let rising = "[[route]]\nname = \"r\"\nladder = [\n  { model = \"a\", threshold = 100 },\n  { model = \"b\", threshold = 200 },\n  { model = \"c\" },\n]\n";
        let text = error(rising);
        assert!(text.starts_with("p.toml:5: route.r.ladder[1].threshold: thresholds must descend"), "{text}");
        assert!(
            error("[[route]]\nname = \"r\"\nladdr = []\n")
                .starts_with("p.toml:3:1: `laddr` is no setting of route[0]; did you mean `ladder`?")
        );
        assert!(error("[[route]]\nname = 3\n").starts_with("p.toml:2:8: route[0].name is 3; write a text"));
        assert!(error("name = \"x\"\n").contains("needs at least one [[route]]"));
        assert!(error("[[route]\n").starts_with("p.toml:1:"));
        let high =
            "[[route]]\nname = \"r\"\nladder = [{ model = \"a\", threshold = 1200 }, { model = \"b\" }]\n";
        assert!(error(high).contains("1200 is outside 0 to 1000"), "{}", error(high));
    }

    #[test]
    fn the_page_about_policies_has_an_example_that_holds_and_every_key() {
        let page = include_str!("../../docs/policy.md");
        let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        let mut names = Names::default();
        let policy = parse(example, "docs/policy.md", &mut names).unwrap();
        assert_eq!(parse(&to_toml(&policy, &names), "p.toml", &mut names).unwrap(), policy);
        let checks = page
            .split("```toml\n")
            .find_map(|block| block.split("```").next().filter(|b| b.starts_with("check ")));
        let route = format!("[[route]]\nname = \"r\"\n{}ladder = [{{ model = \"m\" }}]\n", checks.unwrap());
        let policy = parse(&route, "docs/policy.md", &mut names).unwrap();
        assert_eq!(parse(&to_toml(&policy, &names), "p.toml", &mut names).unwrap(), policy);
        let rung = |keys: &str| format!("[[route]]\nname = \"r\"\nladder = [{{ model = \"m\", {keys} }}]\n");
        for unknown in [
            "zz = 1\n".to_owned(),
            "[model.m]\nzz = 1\n".to_owned(),
            "[[route]]\nname = \"r\"\nzz = 1\n".to_owned(),
            "[[route]]\nname = \"r\"\nmatch.zz = 1\n".to_owned(),
            rung("zz = 1"),
            rung("stream = { zz = 1 }"),
            rung("with = { zz = 1 }"),
            "[[route]]\nname = \"r\"\nchecks = [{ kind = \"finish\", zz = 1 }]\n".to_owned(),
        ] {
            let error = error(&unknown);
            let known: Vec<&str> = error.split_once("write one of ").unwrap().1.split(", ").collect();
            assert!(known.len() > 3, "{error}");
            for key in known {
                let stands = [format!("`{key}`"), format!("`match.{key}`")];
                assert!(stands.iter().any(|key| page.contains(key.as_str())), "`{key}` is not on the page");
            }
        }
    }
}
