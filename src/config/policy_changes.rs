//! What differs between two policies, setting by setting, in the words of their file.
//!
//! Invariant: it reads the canonical text, so that no setting that a policy can have is overlooked, whichever comes later.

use serde::Serialize;
use toml::{Table, Value};

use super::policy::spec_toml;
use crate::routing::PolicySpec;

/// One setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyDifference {
    /// What: `route extraction · rung flash · threshold`.
    pub setting: String,
    /// Before; null where it was not there.
    pub before: Option<String>,
    /// After; null where it is not there any more.
    pub after: Option<String>,
}

/// Lists what differs between two policies.
pub fn policy_differences(before: &PolicySpec, after: &PolicySpec) -> Vec<PolicyDifference> {
    let table = |spec: &PolicySpec| crate::units::from_toml::<Table>(&spec_toml(spec)).unwrap_or_default();
    let mut found = Vec::new();
    tables("", (&table(before), &table(after)), &mut found);
    found
}

/// The list of a table that has names: its key, what stands before a name, and the key of the name.
const NAMED: [(&str, &str, &str); 2] = [("route", "route", "name"), ("ladder", "rung", "rung")];

fn within(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place} · {name}") }
}

fn tables(place: &str, (before, after): (&Table, &Table), found: &mut Vec<PolicyDifference>) {
    let added = after.keys().filter(|key| !before.contains_key(*key));
    for key in before.keys().chain(added) {
        let (old, new) = (before.get(key), after.get(key));
        if old == new {
            continue;
        }
        if let Some((_, word, name)) = NAMED.iter().find(|(list, ..)| list == key) {
            let list = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
            lists(place, (&list(old), &list(new)), (word, name), found);
            continue;
        }
        let sub = |value: Option<&Value>| value.and_then(Value::as_table).cloned();
        match (sub(old), sub(new)) {
            (Some(old), Some(new)) => tables(&within(place, key), (&old, &new), found),
            // A whole table that came or went is told setting by setting, by its name.
            (None, Some(new)) if old.is_none() && key == "model" => {
                tables(&within(place, key), (&Table::new(), &new), found);
            }
            (Some(old), None) if new.is_none() && key == "model" => {
                tables(&within(place, key), (&old, &Table::new()), found);
            }
            _ => found.push(PolicyDifference {
                setting: within(place, key),
                before: old.map(short),
                after: new.map(short),
            }),
        }
    }
}

fn lists(
    place: &str,
    (before, after): (&[Value], &[Value]),
    (word, key): (&str, &str),
    found: &mut Vec<PolicyDifference>,
) {
    let name = |value: &Value| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let find = |list: &[Value], wanted: &str| list.iter().find(|value| name(value) == wanted).cloned();
    for old in before {
        let named = name(old);
        let here = within(place, &format!("{word} {named}"));
        match find(after, &named) {
            None => found.push(PolicyDifference { setting: here, before: Some(summary(old)), after: None }),
            Some(new) => {
                if let (Some(old), Some(new)) = (old.as_table(), new.as_table()) {
                    tables(&here, (old, new), found);
                }
            }
        }
    }
    for new in after.iter().filter(|new| find(before, &name(new)).is_none()) {
        let setting = within(place, &format!("{word} {}", name(new)));
        found.push(PolicyDifference { setting, before: None, after: Some(summary(new)) });
    }
    // The first route that fits takes a request, and ladders begin with the cheapest: their order says something.
    let both = |list: &[Value], other: &[Value]| -> Vec<String> {
        list.iter().map(name).filter(|name| find(other, name).is_some()).collect()
    };
    let (old, new) = (both(before, after), both(after, before));
    if old != new {
        found.push(PolicyDifference {
            setting: within(place, &format!("order of {word}s")),
            before: Some(old.join(", ")),
            after: Some(new.join(", ")),
        });
    }
}

/// Writes a value as people read it.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::Table(table) => {
            table.iter().map(|(key, value)| format!("{key} {}", short(value))).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// Says in one line what a route or a rung is.
fn summary(value: &Value) -> String {
    let Some(table) = value.as_table() else { return short(value) };
    let ladder = table.get("ladder").and_then(Value::as_array);
    let Some(ladder) = ladder else { return short(value) };
    let rung = |rung: &Value| {
        let model = rung.get("model").map(short).unwrap_or_default();
        let from = rung.get("threshold").map(|threshold| format!(" from {threshold}")).unwrap_or_default();
        let fallback = rung.get("fallback").and_then(Value::as_bool).unwrap_or(false);
        model + &from + if fallback { " as fallback" } else { "" }
    };
    let matched = table.get("match").map(|what| format!("{}: ", short(what))).unwrap_or_default();
    matched + &ladder.iter().map(rung).collect::<Vec<_>>().join(", then ")
}
