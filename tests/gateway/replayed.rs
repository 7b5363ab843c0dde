//! A live session is the same as its replay: the ledger's stretch, exported as a log and played again, gives the same
//! decisions and the same totals to the last digit.

use serde_json::Value;

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::stage::{MODELS, Speaks, metrics, nothing_held};
use crate::upstream::upstream_script::Report;
use crate::upstream::{At, Fault, Reply, Upstream};

/// A ladder whose rungs depend on the confidence, so that a replay must decide as live traffic did.
const POLICY: &str = r#"
name = "replayed"
baseline = "gpt-4.1"

[[route]]
name = "classification"
match.task = ["classification"]
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 400 },
  { rung = "large", model = "gpt-4.1" },
]

[[route]]
name = "everything"
explore = { share = 300, below = 300, above = 200 }
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 700 },
  { rung = "middle", model = "gemini-2.5-flash", threshold = 350 },
  { rung = "large", model = "claude-opus-4-6" },
]
"#;

/// Reads an amount in dollars as pico-dollars.
pub(crate) fn pico(text: &Value) -> i128 {
    let text = text.as_str().unwrap();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = format!("{part:0<12}");
    whole.parse::<i128>().unwrap() * 1_000_000_000_000 + part.parse::<i128>().unwrap()
}

#[test]
fn a_live_session_is_its_replay() {
    let upstream = Upstream::with(|call| match call.number % 9 {
        2 => Reply::status(500),
        4 => Reply::status(429),
        5 => Reply::fault(At::Frame(4), Fault::Reset),
        7 => Reply::report(Report::Missing),
        _ => Reply::default(),
    });
    let mut setup =
        Setup::with(&upstream.url(), r#"retries = { attempts = 2, base = "1ms", max_wait = "1s" }"#);
    setup.policy = POLICY.to_owned();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let prompts = [
        "Is this review positive or negative? 'Great product.' Answer with one word.",
        "Prove that the square root of two is irrational, and discuss every step in depth.",
        "Extract the invoice number from: INV-2291, due 14 March.",
        "Write a Rust program that balances a red-black tree without unsafe code.",
        "hello",
    ];
    for (at, prompt) in prompts.iter().cycle().take(40).enumerate() {
        let model = if at % 5 == 4 { MODELS[at % 3] } else { "auto" };
        let speaks = Speaks::ALL[at % 2];
        let path = if speaks == Speaks::Chat { "/v1/chat/completions" } else { "/v1/messages" };
        let body = serde_json::json!({"model": model, "max_tokens": 200, "stream": at % 3 == 0,
            "messages": [{"role": "user", "content": prompt}]});
        let team = ["search", "payments"][at % 2];
        Ask::post(path, &body).header("pointsman-team", team).send(front.address());
    }
    upstream.wait_idle();
    nothing_held(&front);
    let live = metrics(&front, "pointsman_cost_usd_total");
    let rows = front.settle();
    assert!(rows.iter().any(|row| row.kind == "estimated") && rows.iter().any(|row| row.kind == "known"));
    let models: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    assert!(models.len() >= 3, "the traffic should take several ways: {models:?}");
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    // What was drawn to explore is told with its chance, in the ledger's export as in the feed.
    let chances = |text: &str| -> Vec<(u64, bool)> {
        let told = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        told.filter_map(|line| {
            let chance = line["propensity"].as_u64()?;
            let word = Value::from(format!("chance:{chance}"));
            Some((chance, line["down"].as_array().is_some_and(|words| words.contains(&word))))
        })
        .collect()
    };
    let told = chances(&std::fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap());
    assert!(told.iter().any(|(chance, _)| *chance < 500), "nothing was explored: {told:?}");
    assert!(told.iter().all(|(chance, in_words)| (*chance < 1000) == *in_words), "{told:?}");
    let sum = |kind: &str| -> i128 {
        rows.iter().filter(|row| row.kind == kind).filter_map(|row| row.amount).sum()
    };
    for kind in ["known", "estimated"] {
        let of_kind = live.iter().filter(|(what, _)| what.contains(&format!("kind=\"{kind}\"")));
        let total: i128 = of_kind.map(|(_, value)| pico(&Value::from(value.as_str()))).sum();
        assert_eq!(total, sum(kind), "live: {kind}");
    }
    for reading in ["recorded", "routed"] {
        let report = sandbox.must(&["replay", "live.jsonl", "--as", reading, "--format", "json", "--strict"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["requests"], 40, "{reading}");
        assert_eq!(report["attempts"], rows.len(), "{reading}");
        assert_eq!(pico(&report["cost_known_usd"]), sum("known"), "{reading}: known");
        assert_eq!(pico(&report["cost_estimated_usd"]), sum("estimated"), "{reading}: estimated");
        for model in report["by_model"].as_array().unwrap() {
            let name = model["model"].as_str().unwrap();
            let attempts = rows.iter().filter(|row| row.model == name).count();
            assert_eq!(model["attempts"], attempts, "{reading}: {name}");
        }
    }
}

/// An agent's turn is decided when its user asks; what its tools return goes on with that turn, and an exploring route draws no lot for it.
#[test]
fn requests_within_a_tool_loop_are_never_explored_live_or_replayed() {
    let upstream = Upstream::with(|_| Reply::default());
    let mut setup = Setup::of(&upstream.url());
    // As wide as it can be: every other request that may be drawn starts elsewhere.
    setup.policy = r#"
name = "wide"
baseline = "gpt-4.1"

[[route]]
name = "everything"
explore = { share = 500, below = 1000, above = 1000 }
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 500 },
  { rung = "large", model = "gpt-4.1" },
]
"#
    .to_owned();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let user = serde_json::json!({"role": "user", "content": "Find all uses of the function and rename it."});
    let called = serde_json::json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "grep", "arguments": "{}"}}]});
    let returned = serde_json::json!({"role": "tool", "tool_call_id": "call_1", "content": "three uses"});
    for at in 0..40 {
        let messages = if at % 2 == 0 {
            vec![user.clone()]
        } else {
            vec![user.clone(), called.clone(), returned.clone()]
        };
        let body = serde_json::json!({"model": "auto", "max_tokens": 50, "messages": messages});
        Ask::post("/v1/chat/completions", &body).send(front.address());
    }
    upstream.wait_idle();
    let rows = front.settle();
    assert_eq!(rows.len(), 40);
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    let log = std::fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
    let mut seen = std::collections::BTreeMap::<bool, Vec<(u64, String)>>::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(chance) = line["propensity"].as_u64() else { continue };
        let words = line["down"].as_array().cloned().unwrap_or_default();
        let model = line["model"].as_str().or(line["attempts"][0]["model"].as_str()).unwrap_or("").to_owned();
        seen.entry(words.contains(&"undrawn:tools".into())).or_default().push((chance, model));
    }
    let (asks, turns) = (&seen[&false], &seen[&true]);
    assert_eq!((asks.len(), turns.len()), (20, 20));
    assert!(asks.iter().all(|(chance, _)| *chance < 1000), "{asks:?}");
    assert!(turns.iter().all(|(chance, model)| *chance == 1000 && *model == turns[0].1), "{turns:?}");
    let models = |of: &[(u64, String)]| {
        of.iter().map(|(_, model)| model.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(models(asks).len(), 2, "what may be drawn goes both ways: {asks:?}");
    let report = sandbox.must(&["replay", "live.jsonl", "--as", "routed", "--format", "json", "--strict"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    for model in report["by_model"].as_array().unwrap() {
        let name = model["model"].as_str().unwrap();
        let attempts = rows.iter().filter(|row| row.model == name).count();
        assert_eq!(model["attempts"], attempts, "{name}");
    }
}

#[test]
fn what_was_charged_stands_whatever_book_is_at_hand_and_the_book_that_disagrees_is_told() {
    let upstream = Upstream::with(|call| match call.number % 5 {
        3 => Reply::report(Report::Missing),
        4 => Reply::status(500),
        _ => Reply::default(),
    });
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for at in 0..10 {
        Speaks::ALL[at % 2].ask("auto", at % 3 == 0).send(front.address());
    }
    upstream.wait_idle();
    nothing_held(&front);
    let rows = front.settle();
    let sum = |kind: &str| -> i128 {
        rows.iter().filter(|row| row.kind == kind).filter_map(|row| row.amount).sum()
    };
    assert!(sum("known") > 0 && sum("estimated") > 0, "{rows:#?}");
    // Ten times what was paid, for every model that was asked.
    let dear = r#"
name = "dear"
dated = "2026-11-23"
source = "made up"

[models."gpt-4.1"]
provider = "openai"
input = 20.00
output = 80.00

[models."gpt-4.1-nano"]
provider = "openai"
input = 1.00
output = 4.00
"#;
    std::fs::write(sandbox.path().join("dear.toml"), dear).unwrap();
    sandbox.must(&["ledger", "export", "-o", "plain.jsonl"]);
    sandbox.must(&["ledger", "export", "-o", "priced.jsonl", "--with-prices"]);
    for log in ["plain.jsonl", "priced.jsonl", "data/ledger.db"] {
        let replay = |more: &[&str]| {
            let args = [&["replay", log, "--as", "recorded"], more].concat();
            sandbox.must(&args)
        };
        let report = |more: &[&str]| -> Value {
            serde_json::from_str(&replay(&[more, &["--format", "json"]].concat())).unwrap()
        };
        let same = report(&[]);
        let of_same = &same["recorded_charges"];
        assert_eq!(
            (&of_same["differing_requests"], &of_same["remark"]),
            (&0.into(), &Value::Null),
            "{log}: {of_same}"
        );
        let other = report(&["--prices", "dear.toml"]);
        for report in [&same, &other] {
            assert_eq!(pico(&report["cost_known_usd"]), sum("known"), "{log}");
            assert_eq!(pico(&report["cost_estimated_usd"]), sum("estimated"), "{log}");
        }
        let told = &other["recorded_charges"];
        if log == "priced.jsonl" {
            // The prices that a log brings along hold before any book.
            assert_eq!((&told["differing_requests"], &told["remark"]), (&0.into(), &Value::Null), "{told}");
            continue;
        }
        assert_eq!(told["requests"], 10, "{log}: {told}");
        assert!(told["differing_requests"].as_u64().unwrap() >= 8, "{log}: {told}");
        assert_eq!(pico(&told["charged_usd"]), sum("known") + sum("estimated"), "{log}: {told}");
        assert!(pico(&told["book_usd"]) > 5 * pico(&told["charged_usd"]), "{log}: {told}");
        let remark = told["remark"].as_str().unwrap();
        assert!(
            remark.contains("disagree with what was charged") && remark.contains("--reprice"),
            "{remark}"
        );
        assert!(replay(&["--prices", "dear.toml"]).contains("disagree with what was charged"), "{log}");
        let anew = report(&["--prices", "dear.toml", "--reprice"]);
        assert_eq!(anew["cost_usd"], told["book_usd"], "{log}");
    }
}
