//! Policies as TOML files. Errors name file, line and field.

use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::span::Span;
use crate::routing::{Policy, PolicyError, PolicySpec, RouteSpec, RungSpec, StreamLimits};
use crate::units::Names;

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
    #[error("{path}:{line}: {problem}")]
    Syntax {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
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
    #[serde(default)]
    route: Vec<Spanned<RouteFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteFile {
    name: Spanned<String>,
    #[serde(default, rename = "match")]
    takes: Option<Spanned<MatchFile>>,
    #[serde(default)]
    ladder: Vec<Spanned<RungFile>>,
    no_signal: Option<Spanned<String>>,
    #[serde(default)]
    stream: StreamFile,
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RungFile {
    rung: Option<String>,
    model: String,
    threshold: Option<i64>,
    #[serde(default)]
    stream: StreamFile,
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// Where the fields of a policy stand in its file.
#[derive(Clone, Debug, Default)]
pub struct Places {
    path: String,
    lines: Vec<(String, usize)>,
}

impl Places {
    /// Gives file and line of a field, or of the nearest one around it.
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
    let file: PolicyFile = toml::from_str(text).map_err(|error| Error::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        problem: error.message().to_owned(),
    })?;
    let mut lines: Vec<(String, usize)> = Vec::new();
    let mut spec = PolicySpec {
        name: file.name.unwrap_or_else(|| {
            Path::new(path).file_stem().map_or_else(|| "policy".into(), |s| s.to_string_lossy().into_owned())
        }),
        ..PolicySpec::default()
    };
    if let Some(baseline) = file.baseline {
        lines.push(("baseline".into(), line_of(text, baseline.span().start)));
        spec.baseline = Some(baseline.into_inner());
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
            ..RouteSpec::default()
        };
        if let Some(takes) = route.takes {
            lines.push((format!("route.{name}.match"), line_of(text, takes.span().start)));
            let takes = takes.into_inner();
            (one.teams, one.projects, one.tasks, one.asked) =
                (takes.team, takes.project, takes.task, takes.model);
        }
        for (at, rung) in route.ladder.into_iter().enumerate() {
            lines.push((format!("route.{name}.ladder[{at}]"), line_of(text, rung.span().start)));
            let rung = rung.into_inner();
            let stream = rung.stream.limits();
            one.ladder.push(RungSpec {
                name: rung.rung,
                model: rung.model,
                threshold: rung.threshold,
                stream,
            });
        }
        if let Some(no_signal) = route.no_signal {
            lines.push((format!("route.{name}.no_signal"), line_of(text, no_signal.span().start)));
            one.no_signal = Some(no_signal.into_inner());
        }
        spec.routes.push(one);
    }
    let places = Places { path: path.to_owned(), lines };
    match Policy::compile(&spec, 1, names) {
        Ok(policy) => Ok((policy, places)),
        Err(error) => Err(Error::Policy { path: path.to_owned(), line: places.line(&error.field), error }),
    }
}

/// Writes a policy as a file that [`parse`] reads back to the same.
pub fn to_toml(policy: &Policy, names: &Names) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let mut out = format!("# Version {} of a policy, as it was in force.\n\n", policy.version);
    let _ =
        write!(out, "name = {}\nbaseline = {}\n", quoted(&policy.name), quoted(names.model(policy.baseline)));
    for route in &policy.routes {
        let _ = write!(out, "\n[[route]]\nname = {}\n", quoted(&route.name));
        for (key, list) in route.matcher.lists(names) {
            let list: Vec<String> = list.into_iter().map(quoted).collect();
            let _ = writeln!(out, "match.{key} = [{}]", list.join(", "));
        }
        let last = route.ladder.len() - 1;
        if usize::from(route.no_signal) != last
            && let Some(rung) = route.ladder.get(usize::from(route.no_signal))
        {
            let _ = writeln!(out, "no_signal = {}", quoted(&rung.name));
        }
        if !route.stream.is_none() {
            let _ = writeln!(out, "stream = {}", limits_toml(route.stream));
        }
        out.push_str("ladder = [\n");
        for (at, rung) in route.ladder.iter().enumerate() {
            let threshold =
                if at == last { String::new() } else { format!(", threshold = {}", rung.threshold) };
            let stream = if rung.stream.is_none() {
                String::new()
            } else {
                format!(", stream = {}", limits_toml(rung.stream))
            };
            let _ = writeln!(
                out,
                "  {{ rung = {}, model = {}{threshold}{stream} }},",
                quoted(&rung.name),
                quoted(names.model(rung.model))
            );
        }
        out.push_str("]\n");
    }
    out
}

fn limits_toml(limits: StreamLimits) -> String {
    let millis = |key: &str, value: Option<u32>| value.map(|value| format!("{key} = \"{value}ms\""));
    let all = [
        millis("first_byte", limits.first_byte_ms),
        millis("gap", limits.gap_ms),
        limits.tokens_per_second.map(|floor| format!("tokens_per_second = {floor}")),
        limits.hold.map(|hold| format!("hold = {hold}")),
    ];
    format!("{{ {} }}", all.into_iter().flatten().collect::<Vec<_>>().join(", "))
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
                   match.project = [\"p\"]\nmatch.task = [\"code\"]\nmatch.model = [\"auto/x\"]\nno_signal = \"cheap\"\n\
                   stream = { first_byte = \"5s\", tokens_per_second = 3, hold = true }\n\
                   ladder = [{ rung = \"cheap\", model = \"m\", threshold = 7, stream = { gap = \"250ms\" } }, { model = \"n\" }]\n\
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
            error("[[route]]\nname = \"r\"\nladdr = []\n").starts_with("p.toml:3: unknown field `laddr`")
        );
        assert!(error("[[route]]\nname = 3\n").starts_with("p.toml:2: invalid type"));
        assert!(error("name = \"x\"\n").contains("needs at least one [[route]]"));
        assert!(error("[[route]\n").starts_with("p.toml:1:"));
        let high =
            "[[route]]\nname = \"r\"\nladder = [{ model = \"a\", threshold = 1200 }, { model = \"b\" }]\n";
        assert!(error(high).contains("1200 is outside 0 to 1000"), "{}", error(high));
    }
}
