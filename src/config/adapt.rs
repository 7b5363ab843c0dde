//! The setting `adapt` of a route, in the policy file.

use std::fmt::Write as _;

use serde::Deserialize;
use toml::Value;

use super::literal::quoted;
use crate::routing::AdaptSpec;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdaptFile {
    method: String,
    /// Dollars, as a text or a number.
    worth: Value,
    #[serde(default)]
    floors: Vec<i64>,
    from: Option<String>,
    alpha: Option<i64>,
    forgetting: Option<i64>,
    least: Option<i64>,
}

impl AdaptFile {
    /// Returns what it says.
    pub(super) fn spec(self) -> AdaptSpec {
        let Self { method, worth, floors, from, alpha, forgetting, least } = self;
        let worth = match worth {
            Value::String(text) => text,
            other => other.to_string(),
        };
        AdaptSpec { method, worth, floors, from, alpha, forgetting, least }
    }
}

/// Lists the places of its keys, for whoever finds one wrong.
pub(super) fn lines(route: &str, line: usize) -> impl Iterator<Item = (String, usize)> {
    let keys = ["", ".method", ".worth", ".floors", ".from", ".alpha", ".forgetting", ".least"];
    keys.map(|key| (format!("route.{route}.adapt{key}"), line)).into_iter()
}

/// Writes it as [`AdaptFile`] is read.
pub(super) fn to_toml(adapt: &AdaptSpec) -> String {
    let AdaptSpec { method, worth, floors, from, alpha, forgetting, least } = adapt;
    let mut text = format!("{{ method = {}, worth = {}", quoted(method), quoted(worth));
    if !floors.is_empty() {
        let floors: Vec<_> = floors.iter().map(i64::to_string).collect();
        let _ = write!(text, ", floors = [{}]", floors.join(", "));
    }
    if let Some(from) = from {
        let _ = write!(text, ", from = {}", quoted(from));
    }
    for (key, value) in [("alpha", alpha), ("forgetting", forgetting), ("least", least)] {
        if let Some(value) = value {
            let _ = write!(text, ", {key} = {value}");
        }
    }
    text + " }"
}
