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

/// What may stand in an object: its keys, and of what shape the objects and the lists of objects under some of them are.
struct Shape {
    keys: &'static [&'static str],
    objects: &'static [(&'static str, Shape)],
    lists: &'static [(&'static str, Shape)],
}

impl Shape {
    const fn plain(keys: &'static [&'static str]) -> Self {
        Self { keys, objects: &[], lists: &[] }
    }
}

const POLICY: Shape = Shape {
    keys: EVENT,
    objects: &[],
    lists: &[
        ("models", Shape::plain(MODEL)),
        (
            "routes",
            Shape {
                keys: ROUTE,
                objects: &[
                    ("stream", Shape::plain(STREAM)),
                    ("explore", Shape::plain(EXPLORE)),
                    ("adapt", Shape::plain(ADAPT)),
                    ("canary", Shape::plain(CANARY)),
                ],
                lists: &[
                    ("checks", Shape::plain(CheckSpec::KEYS)),
                    (
                        "ladder",
                        Shape {
                            keys: RUNG,
                            objects: &[("stream", Shape::plain(STREAM)), ("with", Shape::plain(WITH))],
                            lists: &[],
                        },
                    ),
                ],
            },
        ),
    ],
};

/// Finds every key of a policy event that is not known; none also where the text is no JSON.
pub fn unknown_policy_keys(text: &str) -> Vec<UnknownKey> {
    let mut found = Vec::new();
    if let Ok(event) = serde_json::from_str(text) {
        look(&event, "", &POLICY, &mut found);
    }
    found
}

fn look(of: &Map<String, Value>, place: &str, shape: &'static Shape, found: &mut Vec<UnknownKey>) {
    let (keys, known) = (of.keys().filter(|key| !shape.keys.contains(&key.as_str())), shape.keys);
    found.extend(keys.map(|key| UnknownKey { place: place.to_owned(), key: key.clone(), known }));
    let dot = if place.is_empty() { "" } else { "." };
    for (key, shape) in shape.objects {
        if let Some(inner) = of.get(*key).and_then(Value::as_object) {
            look(inner, &format!("{place}{dot}{key}"), shape, found);
        }
    }
    for (key, shape) in shape.lists {
        let list = of.get(*key).and_then(Value::as_array).into_iter().flatten();
        for (at, one) in list.enumerate().filter_map(|(at, one)| Some((at, one.as_object()?))) {
            look(one, &format!("{place}{dot}{key}[{at}]"), shape, found);
        }
    }
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
