//! A route with a fallback: nothing takes that for a rung with a threshold.

use std::fmt::Write as _;

use serde_json::Value;

use super::json;
use super::program::Sandbox;

const POLICY: &str = r#"
name = "p"
baseline = "gpt-4.1"
[[route]]
name = "all"
explore = { share = 100, below = 60 }
ladder = [
  { rung = "spare", model = "claude-opus-4-6", fallback = true },
  { rung = "small", model = "mistral-small-2503", threshold = 500 },
  { rung = "big", model = "gpt-4.1" },
]
"#;

/// Requests of which all three answers were judged; the small model's is good from a confidence of 400 up.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut text = String::new();
    for at in 0..1500u32 {
        let confidence = at * 7 % 1001;
        let cheap = if at % 4 == 0 && confidence < 400 { 0 } else { 1000 };
        let (minute, second) = (at / 60, at % 60);
        writeln!(
            text,
            r#"{{"id":"r-{at}","at":"2026-05-23T10:{minute:02}:{second:02}Z","task":"code","confidence":{confidence},"model":"gpt-4.1","in":1000,"out":200,"labels":[{{"model":"mistral-small-2503","quality":{cheap},"output":200}},{{"model":"gpt-4.1","quality":1000}},{{"model":"claude-opus-4-6","quality":1000}}]}}"#
        )
        .expect("a text");
    }
    sandbox.write("l.jsonl", text);
    sandbox.write("p.toml", POLICY);
    sandbox.write(
        "without.toml",
        POLICY.lines().filter(|line| !line.contains("spare")).collect::<Vec<_>>().join("\n"),
    );
    sandbox
}

fn of(sandbox: &Sandbox, args: &str) -> Value {
    json(&sandbox.good(&format!("{args} --format json")))
}

/// A threshold of 1000 that nobody set would be certified, moved and told to be in force.
#[test]
fn a_fallback_is_neither_certified_nor_moved_nor_drawn() {
    let sandbox = sandbox();
    let found = of(&sandbox, "certify l.jsonl --policy p.toml");
    let rungs: Vec<&Value> =
        found["routes"].as_array().expect("a list").iter().map(|row| &row["rung"]).collect();
    assert_eq!(rungs, ["small"]);
    assert_eq!(found["applied_threshold"], 500);

    let found = of(&sandbox, "optimise l.jsonl --policy p.toml --cost=-20%");
    let rungs = found["routes"][0]["thresholds"].as_array().expect("a list");
    assert_eq!(rungs.iter().map(|row| &row["rung"]).collect::<Vec<_>>(), ["small"]);
    let set = found["set"][0].as_str().expect("a move");
    assert!(set.starts_with("all.small="), "{set}");

    let found = of(&sandbox, "frontier l.jsonl --policy p.toml --route all --step 500");
    assert_eq!(found["rung"], "small", "the first with a threshold");
    let why = sandbox.refused("frontier l.jsonl --policy p.toml --route all --rung spare");
    assert!(why.contains("a fallback has no threshold"), "{why}");

    let found = of(&sandbox, "drift l.jsonl --policy p.toml");
    let rungs = found["rungs"].as_array().expect("a list");
    assert_eq!(rungs.iter().map(|row| &row["rung"]).collect::<Vec<_>>(), ["small"]);
}

#[test]
fn a_what_if_moves_the_thresholds_beside_a_fallback_alone() {
    let sandbox = sandbox();
    let found = of(&sandbox, "whatif l.jsonl --policy p.toml --set all=400");
    let split = &found["by_route"][0]["staged"]["split"];
    assert_eq!((&split[0]["fallback"], &split[0]["threshold"]), (&Value::from(true), &Value::Null));
    assert_eq!((&split[0]["starts"], &split[1]["threshold"]), (&Value::from(0), &Value::from(400)));
    // Nobody near 1000 would be sent to the fallback: those explored are near the one threshold there is.
    let [with, without] = ["p.toml", "without.toml"].map(|policy| {
        of(&sandbox, &format!("whatif l.jsonl --policy {policy} --set all=400"))["by_route"][0]["applied"]
                ["exploring"]
                .clone()
    });
    assert!(with["requests"].as_u64().is_some_and(|requests| requests > 0), "{with}");
    assert_eq!(with, without);
    let why = sandbox.refused("whatif l.jsonl --policy p.toml --set all.spare=400");
    assert!(why.contains("all.spare=400: a fallback has no threshold"), "{why}");
    assert!(
        !sandbox.good("whatif l.jsonl --policy p.toml --set all=400").contains("spare"),
        "it serves nobody"
    );
}

/// Savings beside the model that only steps in would be savings beside what nobody would have paid.
#[test]
fn what_was_saved_is_not_beside_a_fallback() {
    let sandbox = sandbox();
    let [with, without] = ["p.toml", "without.toml"].map(|policy| {
        of(&sandbox, &format!("savings l.jsonl --policy {policy} --as routed --against dearest"))
    });
    assert_eq!(with["baseline_usd"], without["baseline_usd"]);
    assert_eq!(with["net_usd"], without["net_usd"]);
}

#[test]
fn nothing_but_an_outage_leads_to_a_fallback() {
    let sandbox = sandbox();
    sandbox.write("bad.toml", POLICY.replace("name = \"all\"", "name = \"all\"\nno_signal = \"spare\""));
    let why = sandbox.refused("replay l.jsonl --policy bad.toml");
    assert!(why.contains("route.all.no_signal: is a fallback"), "{why}");
}
