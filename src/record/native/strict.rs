//! A policy that somebody sends by hand: what a log passes over as unknown is told here, as a policy file tells it.
//!
//! Invariant: whatever our writer writes of a policy is known.

use serde_json::{Map, Value};

use crate::checks::CheckSpec;

const EVENT: &[&str] = &[
    "event",
    "at",
    "version",
    "who",
    "what",
    "undo",
    "under",
    "name",
    "baseline",
    "classifier",
    "mode",
    "models",
    "routes",
    "ledger",
];
const ROUTE: &[&str] = &[
    "route",
    "team",
    "project",
    "task",
    "asked",
    "mode",
    "require",
    "no_signal",
    "holdout",
    "explore",
    "adapt",
    "canary",
    "when_full",
    "when_failed",
    "cache",
    "switch_cap",
    "stream",
    "check",
    "checks",
    "ladder",
];
const MODEL: &[&str] = &["model", "labels", "context", "max_output", "max_in_flight", "vision", "tools"];
const RUNG: &[&str] = &[
    "rung",
    "model",
    "threshold",
    "fallback",
    "stream",
    "labels",
    "context",
    "max_output",
    "max_in_flight",
    "vision",
    "tools",
    "with",
];
const EXPLORE: &[&str] = &["share", "below", "above"];
const ADAPT: &[&str] = &["method", "worth", "floors", "from", "alpha", "forgetting", "least"];
const CANARY: &[&str] = &["of", "share"];
const STREAM: &[&str] = &["first_byte_ms", "gap_ms", "tokens_per_second", "hold"];
const WITH: &[&str] = &["effort", "service_tier", "max_output", "temperature_thousandths"];

/// A key of a policy event that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownKey {
    /// Where it stands: `routes[0].ladder[1].with`; empty for the event itself.
    pub place: String,
    /// The key.
    pub key: String,
    /// Those that are known there.
    pub known: &'static [&'static str],
}

/// Finds every key of a policy event that is not known; none also where the text is no JSON.
pub fn unknown_policy_keys(text: &str) -> Vec<UnknownKey> {
    let Ok(event) = serde_json::from_str::<Map<String, Value>>(text) else { return Vec::new() };
    let mut found = Vec::new();
    unknown(&event, "", EVENT, &mut found);
    let list = |name: &'static str| event.get(name).into_iter().flat_map(move |list| each(list, name));
    list("models").for_each(|(place, one)| unknown(one, &place, MODEL, &mut found));
    list("routes").for_each(|(place, one)| route(one, &place, &mut found));
    found
}

fn route(one: &Map<String, Value>, place: &str, found: &mut Vec<UnknownKey>) {
    unknown(one, place, ROUTE, found);
    within(one, place, ("stream", STREAM), found);
    within(one, place, ("explore", EXPLORE), found);
    within(one, place, ("adapt", ADAPT), found);
    within(one, place, ("canary", CANARY), found);
    for (place, check) in one
        .get("checks")
        .into_iter()
        .flat_map(|list| each(list, &format!("{place}.checks")).collect::<Vec<_>>())
    {
        unknown(check, &place, CheckSpec::KEYS, found);
    }
    let rungs = one
        .get("ladder")
        .into_iter()
        .flat_map(|list| each(list, &format!("{place}.ladder")).collect::<Vec<_>>());
    for (place, rung) in rungs {
        unknown(rung, &place, RUNG, found);
        within(rung, &place, ("stream", STREAM), found);
        within(rung, &place, ("with", WITH), found);
    }
}

/// Looks into an object within another.
fn within(
    one: &Map<String, Value>,
    place: &str,
    (key, known): (&str, &'static [&'static str]),
    found: &mut Vec<UnknownKey>,
) {
    if let Some(inner) = one.get(key).and_then(Value::as_object) {
        unknown(inner, &format!("{place}.{key}"), known, found);
    }
}

/// Lists the objects of a list, with their places.
fn each<'a>(list: &'a Value, place: &str) -> impl Iterator<Item = (String, &'a Map<String, Value>)> {
    let all = list.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate();
    all.filter_map(move |(at, one)| Some((format!("{place}[{at}]"), one.as_object()?)))
}

fn unknown(
    of: &Map<String, Value>,
    place: &str,
    known: &'static [&'static str],
    found: &mut Vec<UnknownKey>,
) {
    let keys = of.keys().filter(|key| !known.contains(&key.as_str()));
    found.extend(keys.map(|key| UnknownKey { place: place.to_owned(), key: key.clone(), known }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Kind;
    use crate::record::{Entry, PolicyChange, append_line};
    use crate::routing::{
        CanarySpec, FactsSpec, Mode, Parameters, PolicySpec, RouteSpec, RungSpec, StreamLimits,
    };
    use crate::units::Instant;

    fn full() -> String {
        let stream = StreamLimits {
            first_byte_ms: Some(1),
            gap_ms: Some(1),
            tokens_per_second: Some(1),
            hold: Some(true),
        };
        let facts = FactsSpec {
            labels: vec!["eu".into()],
            context: Some(9),
            max_output: Some(9),
            max_in_flight: None,
            vision: Some(true),
            tools: Some(false),
        };
        let with = Parameters {
            effort: Some(crate::routing::Effort::Low),
            service_tier: Some("flex".into()),
            max_output: Some(9),
            temperature: Some(200),
            logprobs: false,
        };
        let rung = RungSpec {
            name: Some("one".into()),
            model: "m".into(),
            threshold: Some(5),
            fallback: true,
            stream,
            facts: facts.clone(),
            with,
        };
        let word = || vec!["x".to_owned()];
        let check = CheckSpec { on_fail: Some(crate::checks::OnFail::Record), ..CheckSpec::default() };
        let route = RouteSpec {
            name: "r".into(),
            teams: word(),
            projects: word(),
            tasks: vec!["code".into()],
            asked: word(),
            canary: None,
            mode: Some(Mode::Active),
            require: word(),
            when_full: Some(crate::routing::WhenFull::Refuse),
            ladder: vec![rung],
            no_signal: Some("one".into()),
            holdout: Some(50),
            explore: Some(crate::routing::ExploreSpec { share: 20, below: Some(60), above: Some(9) }),
            adapt: Some(crate::routing::AdaptSpec {
                method: "linucb".into(),
                worth: "0.05".into(),
                floors: vec![300],
                from: Some("checks".into()),
                alpha: Some(1),
                forgetting: Some(990),
                least: Some(9),
            }),
            when_failed: Some(crate::routing::WhenFailed::Fall),
            cache: Some(crate::routing::Caching::Aware),
            switch_cap: Some(200),
            stream,
            check: Some(crate::checks::CheckWhen::After),
            checks: vec![
                CheckSpec { schema: Some("{}".into()), kind: Kind::Schema, ..check.clone() },
                CheckSpec {
                    matches: Some("a".into()),
                    forbids: Some("b".into()),
                    kind: Kind::Regex,
                    name: Some("x".into()),
                    ..check.clone()
                },
                CheckSpec {
                    command: word(),
                    time_limit_ms: Some(9),
                    least: Some(1),
                    kind: Kind::Command,
                    name: Some("y".into()),
                    ..check
                },
            ],
        };
        let spec = PolicySpec {
            name: "p".into(),
            baseline: Some("m".into()),
            classifier: Some("a0b3d1fc".into()),
            mode: Some(Mode::Observe),
            models: vec![("m".into(), FactsSpec { max_in_flight: Some(4), ..facts })],
            routes: vec![
                RouteSpec {
                    name: "next".into(),
                    canary: Some(CanarySpec { of: "r".into(), share: 50 }),
                    ..RouteSpec::default()
                },
                route,
            ],
        };
        let change = PolicyChange {
            version: 3,
            at: Instant(0),
            who: "w".into(),
            what: "x".into(),
            undo: true,
            under: crate::record::Under { gateway: "g".into(), ..Default::default() },
            spec,
        };
        let mut line = Vec::new();
        append_line(&mut line, &Entry::Policy(Box::new(change)));
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn all_that_is_written_is_known_and_a_slip_anywhere_is_found() {
        let line = full();
        assert_eq!(unknown_policy_keys(&line), [], "{line}");
        for (of, slip, place) in [
            ("\"undo\"", "\"udno\"", ""),
            ("\"max_in_flight\":4", "\"max_inflight\":4", "models[0]"),
            ("\"share\"", "\"shares\"", "routes[0].canary"),
            ("\"require\"", "\"requires\"", "routes[1]"),
            ("\"rung\":", "\"rug\":", "routes[1].ladder[0]"),
            ("\"temperature_thousandths\":200", "\"temperature\":0.2", "routes[1].ladder[0].with"),
            ("\"gap_ms\"", "\"gap\"", "routes[1].stream"),
            ("\"below\"", "\"blow\"", "routes[1].explore"),
            ("\"forgetting\"", "\"forgeting\"", "routes[1].adapt"),
            ("\"forbids\"", "\"forbid\"", "routes[1].checks[1]"),
        ] {
            assert!(line.contains(of), "{of} is not in {line}");
            let found = unknown_policy_keys(&line.replacen(of, slip, 1));
            assert_eq!((found.len(), found[0].place.as_str()), (1, place), "{found:?}");
        }
    }
}
