//! Policies written as the text of a file.
//!
//! Invariant: what is written says the same for the same policy, and is read back to it.

use std::fmt::Write as _;

use super::checks;
use super::literal::{list_toml, quoted};
use crate::routing::{FactsSpec, Parameters, Policy, PolicySpec, StreamLimits};
use crate::units::Names;

/// Writes a policy as a file that [`super::policy::parse`] reads back to the same.
pub fn to_toml(policy: &Policy, names: &Names) -> String {
    let head = format!("# Version {} of a policy, as it was in force.\n\n", policy.version);
    head + &spec_toml(&policy.spec(names))
}

/// Writes a policy as text that says the same for the same policy, whatever file it came from.
pub fn spec_toml(spec: &PolicySpec) -> String {
    let mut out = format!("name = {}\n", quoted(&spec.name));
    if let Some(baseline) = &spec.baseline {
        let _ = writeln!(out, "baseline = {}", quoted(baseline));
    }
    if let Some(classifier) = &spec.classifier {
        let _ = writeln!(out, "classifier = {}", quoted(classifier));
    }
    if let Some(mode) = spec.mode {
        let _ = writeln!(out, "mode = {}", quoted(mode.name()));
    }
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
        if let Some(mode) = route.mode {
            let _ = writeln!(out, "mode = {}", quoted(mode.name()));
        }
        if let Some(rung) = &route.no_signal {
            let _ = writeln!(out, "no_signal = {}", quoted(rung));
        }
        if let Some(share) = route.holdout {
            let _ = writeln!(out, "holdout = {share}");
        }
        if let Some(way) = route.when_full {
            let _ = writeln!(out, "when_full = {}", quoted(way.name()));
        }
        if let Some(way) = route.when_failed {
            let _ = writeln!(out, "when_failed = {}", quoted(way.name()));
        }
        if let Some(cache) = route.cache {
            let _ = writeln!(out, "cache = {}", quoted(cache.name()));
        }
        if let Some(cap) = route.switch_cap {
            let _ = writeln!(out, "switch_cap = {cap}");
        }
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

fn parameters_toml(with: &Parameters) -> String {
    let all = [
        with.effort.map(|effort| format!("effort = {}", quoted(effort.name()))),
        with.service_tier.as_deref().map(|tier| format!("service_tier = {}", quoted(tier))),
        with.max_output.map(|most| format!("max_output = {most}")),
        with.temperature_text().map(|text| format!("temperature = {text}")),
    ];
    format!("{{ {} }}", all.into_iter().flatten().collect::<Vec<_>>().join(", "))
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
