//! Checks of answers as policy files write them.

use serde::Deserialize;
use toml::Spanned;

use super::literal::{list_toml, quoted};
use super::span::Span;
use crate::checks::{CheckSpec, CheckWhen, Kind, OnFail};
use crate::routing::{PolicyError, RouteSpec};
use crate::units::{choice, line_of};

/// What is wrong: the key, and how to mend it.
type Wrong = (&'static str, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CheckFile {
    kind: String,
    name: Option<String>,
    on_fail: Option<String>,
    schema: Option<String>,
    matches: Option<String>,
    forbids: Option<String>,
    #[serde(default)]
    command: Vec<String>,
    time_limit: Option<Span>,
    least: Option<u16>,
    #[serde(default)]
    curve: Vec<[u16; 2]>,
    #[serde(default)]
    weights: Vec<i32>,
}

/// Reads when the answers of a route are checked, and what is checked of them; notes where each stands.
pub(super) fn read(
    (when, checks): (Option<Spanned<String>>, Vec<Spanned<CheckFile>>),
    text: &str,
    route: &str,
    lines: &mut Vec<(String, usize)>,
) -> Result<(Option<CheckWhen>, Vec<CheckSpec>), (usize, PolicyError)> {
    let when = when.map(|word| {
        let (line, field) = (line_of(text, word.span().start), format!("route.{route}.check"));
        let known = CheckWhen::ALL.map(CheckWhen::name);
        CheckWhen::from_name(word.get_ref()).ok_or_else(|| {
            let problem = format!("`{}` is no moment; {}", word.get_ref(), choice(word.get_ref(), &known));
            (line, PolicyError { field, problem })
        })
    });
    let mut all = Vec::with_capacity(checks.len());
    for (at, check) in checks.into_iter().enumerate() {
        let (line, field) = (line_of(text, check.span().start), format!("route.{route}.checks[{at}]"));
        let spec = check
            .into_inner()
            .spec()
            .map_err(|(key, problem)| (line, PolicyError { field: format!("{field}.{key}"), problem }));
        all.push(spec?);
        lines.push((field, line));
    }
    Ok((when.transpose()?, all))
}

/// Writes them as [`read`] takes them.
pub(super) fn to_toml(route: &RouteSpec) -> String {
    let when = route.check.map(|when| format!("check = {}\n", quoted(when.name()))).unwrap_or_default();
    if route.checks.is_empty() {
        return when;
    }
    let all: Vec<String> = route.checks.iter().map(|check| format!("  {},\n", check_toml(check))).collect();
    format!("{when}checks = [\n{}]\n", all.concat())
}

impl CheckFile {
    /// Returns the check as it is written.
    fn spec(self) -> Result<CheckSpec, Wrong> {
        let Self {
            kind,
            name,
            on_fail,
            schema,
            matches,
            forbids,
            command,
            time_limit,
            least,
            curve,
            weights,
        } = self;
        let known = Kind::ALL.map(Kind::name);
        let kind = Kind::from_name(&kind)
            .ok_or_else(|| ("kind", format!("`{kind}` is no check; {}", choice(&kind, &known))))?;
        let known = OnFail::ALL.map(OnFail::name);
        let on_fail = on_fail.map(|word| {
            OnFail::from_name(&word)
                .ok_or_else(|| ("on_fail", format!("`{word}` follows nothing; {}", choice(&word, &known))))
        });
        Ok(CheckSpec {
            kind,
            name,
            on_fail: on_fail.transpose()?,
            schema,
            matches,
            forbids,
            command,
            time_limit_ms: time_limit.map(Span::millis),
            least,
            curve,
            weights,
        })
    }
}

/// Writes a check as [`CheckFile`] reads it.
fn check_toml(spec: &CheckSpec) -> String {
    let CheckSpec {
        kind,
        name,
        on_fail,
        schema,
        matches,
        forbids,
        command,
        time_limit_ms,
        least,
        curve,
        weights,
    } = spec;
    let text =
        |key: &str, text: &Option<String>| text.as_ref().map(|text| format!("{key} = {}", quoted(text)));
    let all = [
        Some(format!("kind = {}", quoted(kind.name()))),
        text("name", name),
        on_fail.map(|what| format!("on_fail = {}", quoted(what.name()))),
        text("schema", schema),
        text("matches", matches),
        text("forbids", forbids),
        (!command.is_empty()).then(|| format!("command = {}", list_toml(command))),
        time_limit_ms.map(|limit| format!("time_limit = \"{limit}ms\"")),
        least.map(|least| format!("least = {least}")),
        (!curve.is_empty()).then(|| format!("curve = {curve:?}")),
        (!weights.is_empty()).then(|| format!("weights = {weights:?}")),
    ];
    format!("{{ {} }}", all.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
