//! Drift of confidences from a shell: what is spread otherwise is told, what is not is left alone.

use serde_json::{Value, json};

use super::json;
use crate::program::Sandbox;

const POLICY: &str = r#"
name = "test"
[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 500 },
  { rung = "large", model = "gpt-4.1" },
]
"#;

/// Two stretches of 600 requests: confidences spread over all values, then as `later` says. Both answers are judged, and the cheap
/// one is as good as often as its confidence says; in the second stretch, where `is_off`, never.
fn log(later: fn(u64) -> u64, is_off: bool) -> String {
    let line = |nth: u64| {
        // In no order that means anything.
        let at = nth / 600 * 600 + nth % 600 * 371 % 600;
        let is_later = at >= 600;
        let confidence = if is_later { later(at - 600) } else { at * 7 % 1000 };
        let is_good = (at * 37 % 100) * 10 < confidence && !(is_off && is_later);
        json!({
            "id": format!("r-{at}"), "at": format!("2026-05-{:02}T{:02}:{:02}:{:02}Z", 1 + nth / 600, nth % 600 / 60, nth % 60, 0),
            "confidence": confidence, "model": "gpt-4.1-nano", "in": 10, "out": 10,
            "labels": [
                {"model": "gpt-4.1-nano", "quality": if is_good { 1000 } else { 0 }},
                {"model": "gpt-4.1", "quality": 1000},
            ],
        })
        .to_string()
    };
    let lines = std::iter::once(r#"{"pointsman":"log","v":1,"source":"a test"}"#.to_owned())
        .chain((0..1200).map(line));
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn rung(sandbox: &Sandbox, log: String, more: &str) -> Value {
    sandbox.write("policy.toml", POLICY);
    sandbox.write("log.jsonl", log);
    let found = json(&sandbox.good(&format!("drift log.jsonl --policy policy.toml --format json{more}")));
    assert_eq!(found["rungs"].as_array().map(Vec::len), Some(1), "{found}");
    found["rungs"][0].clone()
}

#[test]
fn confidences_that_moved_are_told_and_those_that_did_not_are_left_alone() {
    let sandbox = Sandbox::new();
    let moved = rung(&sandbox, log(|at| 400 + at * 7 % 600, false), "");
    assert_eq!(
        [&moved["reference_requests"], &moved["requests"], &moved["drifted"]],
        [&json!(600), &json!(600), &json!(true)],
        "{moved}"
    );
    // SciPy 1.17.1: ks_2samp of the same numbers.
    assert_eq!(moved["ks"].as_f64().map(|d| format!("{d:.4}")), Some("0.4283".to_owned()), "{moved}");
    assert!(moved["ks_critical"].as_f64().is_some_and(|most| moved["ks"].as_f64() > Some(most)), "{moved}");
    assert_eq!(moved["holds_less"], json!(false), "{moved}");

    let named = " --reference 2026-05-01..2026-05-01";
    let same = rung(&sandbox, log(|at| at * 11 % 1000, false), named);
    assert_eq!((&same["drifted"], &same["requests"]), (&json!(false), &json!(600)), "{same}");
    assert!(same["ks"].as_f64() < same["ks_critical"].as_f64(), "{same}");
    assert!(same["ece"].as_f64() < Some(0.05), "{same}");
    assert_eq!(same["holds_less"], json!(false), "{same}");
    let off = rung(&sandbox, log(|at| at * 11 % 1000, true), named);
    assert_eq!(off["drifted"], json!(false), "the same confidences, which hold no longer: {off}");
    assert!(off["ece"].as_f64() > Some(0.3) && off["reference_ece"].as_f64() < Some(0.05), "{off}");
    assert_eq!(off["holds_less"], json!(true), "{off}");
    let told = sandbox.good(&format!("drift log.jsonl --policy policy.toml{named}"));
    assert!(told.contains("holds less") && !told.contains("drifted"), "{told}");
}

#[test]
fn too_few_are_told_as_such() {
    let sandbox = Sandbox::new();
    let few = log(|at| at, false).split_inclusive('\n').take(301).collect();
    let few = rung(&sandbox, few, "");
    assert_eq!((&few["drifted"], &few["psi"]), (&Value::Null, &Value::Null), "{few}");
    assert_eq!(few["holds_less"], Value::Null, "{few}");
    let wrong = sandbox.refused("drift log.jsonl --reference 2026-05-03..2026-05-01");
    assert!(wrong.contains("is not before"), "{wrong}");
}
