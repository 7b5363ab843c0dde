//! What explored requests tell of other thresholds, another classifier tried over a log, and what scores are worth.

use pointsman::routing::{
    Circumstance, Draw, ExploreSpec, Policy, PolicySpec, RouteSpec, RungSpec, Signals, decide,
};
use pointsman::units::{Names, PerMille};
use serde_json::{Value, json};

use super::json;
use crate::program::Sandbox;

const POLICY: &str = "name = \"p\"\n[[route]]\nname = \"all\"\nexplore = { share = 200, below = 60 }\n\
                      ladder = [\n  { rung = \"cheap\", model = \"gpt-4.1-nano\", threshold = 620 },\n  { rung = \"strong\", model = \"gpt-4.1\" },\n]\n";

/// The policy of [`POLICY`], to know what it decides.
fn policy() -> Policy {
    let rung = |name: &str, model: &str, threshold| RungSpec {
        name: Some(name.into()),
        model: model.into(),
        threshold,
        ..RungSpec::default()
    };
    let route = RouteSpec {
        name: "all".into(),
        ladder: vec![rung("cheap", "gpt-4.1-nano", Some(620)), rung("strong", "gpt-4.1", None)],
        explore: Some(ExploreSpec { share: 200, below: Some(60), above: None }),
        ..RouteSpec::default()
    };
    let spec = PolicySpec { name: "p".into(), routes: vec![route], ..PolicySpec::default() };
    Policy::compile(&spec, 1, &mut Names::default()).expect("a policy")
}

/// A log as that policy would have made it, every answer judged: one in four of the cheap ones is bad. Returns it with what 590
/// would have changed in dollars, had everything been seen.
fn log(requests: u32) -> (String, f64) {
    let policy = policy();
    let (mut lines, mut truth) = (String::new(), 0.0);
    for at in 0..requests {
        let (id, confidence) = (format!("r-{at}"), 500 + (at * 37 % 200));
        let signals = Signals {
            confidence: u16::try_from(confidence).ok().and_then(PerMille::new),
            draw: Draw::of(&id),
            ..Signals::default()
        };
        let decided = decide(&policy, &signals, Circumstance::PLAIN);
        let tokens = 400 + at * 91 % 3000;
        let cost = |dollars: f64| f64::from(tokens) * dollars / 1e6 + 100.0 * dollars * 4.0 / 1e6;
        if (590..620).contains(&confidence) {
            truth += cost(0.1) - cost(2.0);
        }
        let model = ["gpt-4.1-nano", "gpt-4.1"][usize::from(decided.rung)];
        let quality = if decided.rung == 0 && at.is_multiple_of(4) { 0 } else { 1000 };
        let line = json!({"id": id, "at": format!("2026-05-23T{:02}:{:02}:{:02}Z", 8 + at / 3600, at / 60 % 60, at % 60),
            "task": "code", "confidence": confidence, "model": model, "in": tokens, "out": 100,
            "propensity": decided.propensity.get(), "labels": [{"model": model, "quality": quality, "source": "label by a"}]});
        lines.push_str(&line.to_string());
        lines.push('\n');
    }
    (lines, truth)
}

fn route(sandbox: &Sandbox, args: &str) -> Value {
    json(&sandbox.good(&format!("whatif log.jsonl --policy p.toml {args} --format json")))["by_route"][0]
        .clone()
}

#[test]
fn explored_requests_tell_what_another_threshold_would_have_changed() {
    let sandbox = Sandbox::new();
    let (lines, truth) = log(8000);
    sandbox.write("p.toml", POLICY);
    sandbox.write("log.jsonl", lines);
    let found = route(&sandbox, "--set all=590");
    let explored = &found["explored"];
    let amount = |key: &str| explored["cost_change_usd"][key].as_str().unwrap().parse::<f64>().unwrap();
    assert!(amount("low") <= truth && truth <= amount("high"), "{truth}: {explored}");
    assert!(amount("high") < 0.0, "cheaper, and beyond its error: {explored}");
    let quality = explored["quality_change"]["change"].as_str().unwrap().parse::<f64>().unwrap();
    // A fifteenth of the requests, a quarter of them worse.
    assert!((quality + 0.15 / 4.0).abs() < 0.02, "{explored}");
    assert_eq!((&explored["unexplored_requests"], &explored["unexplored"]), (&json!(0), &json!([])));
    let worst = |side: &str| found[side]["exploring"]["worst_usd"].as_str().unwrap().parse::<f64>().unwrap();
    assert!(
        worst("applied") > 0.0 && found["applied"]["exploring"]["requests"].as_u64() > Some(2000),
        "{found}"
    );

    let wider = route(&sandbox, "--set all=500");
    assert_eq!(wider["explored"]["unexplored"][0]["from"], 500, "{wider}");
    let table = sandbox.good("whatif log.jsonl --policy p.toml --set all=500");
    for words in ["exploring costs at most", "explored: change of cost", "never explored: 500 to 600"] {
        assert!(table.contains(words), "{words}: {table}");
    }
}

#[test]
fn too_little_explored_tells_nothing_but_what_is_missing() {
    let sandbox = Sandbox::new();
    sandbox.write("p.toml", POLICY);
    sandbox.write("log.jsonl", log(800).0);
    let cost = &route(&sandbox, "--set all=590")["explored"]["cost_change_usd"];
    assert_eq!(cost["change"], Value::Null, "{cost}");
    assert!(
        cost["needed_explored"].as_u64() > Some(50) && cost["needed_requests"].as_u64() > Some(800),
        "{cost}"
    );
}

#[test]
fn another_classifier_is_tried_on_what_it_can_read() {
    let sandbox = Sandbox::new();
    let line = |id: &str, prompt: Option<&str>| {
        let mut line = json!({"id": id, "at": "2026-05-23T10:00:00Z", "task": "question", "confidence": 990,
            "model": "gpt-4.1-nano", "in": 900, "out": 100});
        if let Some(prompt) = prompt {
            line["prompt"] = json!(prompt);
        }
        line.to_string()
    };
    let hard = "Prove that the square root of two is irrational, and derive every step in depth.";
    sandbox.write("p.toml", POLICY.replace("explore = { share = 200, below = 60 }\n", ""));
    sandbox.write("log.jsonl", [line("hard", Some(hard)), line("unread", None)].join("\n"));
    let found = json(&sandbox.good("whatif log.jsonl --policy p.toml --try-classifier public --format json"));
    let judged = &found["classifier"];
    assert_eq!((&judged["judged_requests"], &judged["unread_requests"]), (&json!(1), &json!(1)), "{found}");
    assert_eq!(found["flipped_requests"].as_u64(), judged["flips"].as_array().map(|all| all.len() as u64));
    // Whatever these weights think of it, both sides are the same two requests.
    assert_eq!((&found["applied"]["requests"], &found["staged"]["requests"]), (&json!(2), &json!(2)));
    if let Some(flip) = judged["flips"].get(0) {
        assert_eq!((&flip["id"], &flip["confidence_applied"]), (&json!("hard"), &json!(990)));
    }
    let table = sandbox.good("whatif log.jsonl --policy p.toml --try-classifier public");
    assert!(table.contains("1 without their text keep their confidence"), "{table}");
}

#[test]
fn another_consequence_of_a_check_is_tried_on_its_verdicts() {
    let sandbox = Sandbox::new();
    let policy = POLICY.replace(
        "explore = { share = 200, below = 60 }",
        "checks = [{ kind = \"regex\", name = \"figures\", matches = '^[0-9]+$', on_fail = \"record\" }]",
    );
    sandbox.write("p.toml", &policy);
    let line = |at: u32| {
        let says = if at.is_multiple_of(4) { "failed" } else { "passed" };
        json!({"id": format!("r-{at}"), "at": "2026-05-23T10:00:00Z", "task": "code", "confidence": 900,
            "attempts": [{"model": "gpt-4.1-nano", "in": 900, "out": 100, "check": "passed",
                "verdicts": [{"by": "figures", "says": says}]}]})
        .to_string()
    };
    sandbox.write("log.jsonl", (0..40).map(line).collect::<Vec<_>>().join("\n"));
    let tried = |word: &str| {
        let args = format!("whatif log.jsonl --policy p.toml --on-fail all.figures={word} --format json");
        json(&sandbox.good(&args))
    };
    let found = tried("escalate");
    assert_eq!(found["on_fail"]["failed_requests"], 10, "{found}");
    assert_eq!(
        (&found["applied"]["escalated"], &found["staged"]["escalated"]),
        (&json!(0), &json!(10)),
        "{found}"
    );
    assert_eq!(found["change"]["escalated"], 10, "{found}");
    let same = tried("record");
    assert_eq!((&same["flipped_requests"], &same["staged"]["escalated"]), (&json!(0), &json!(0)), "{same}");
    assert!(
        sandbox
            .refused("whatif log.jsonl --policy p.toml --on-fail none.figures=record")
            .contains("no such route")
    );
}

#[test]
fn what_scores_are_worth_is_fitted_and_taken_by_the_policy() {
    let sandbox = Sandbox::new();
    // Sure of 900 in a thousand, and good in half of the cases.
    let line = |at: u32| {
        let (score, good) =
            if at.is_multiple_of(2) { (900, at.is_multiple_of(4)) } else { (300, at % 10 == 1) };
        json!({"id": format!("r-{at}"), "at": "2026-05-23T10:00:00Z", "task": "code", "confidence": 900,
            "attempts": [{"model": "gpt-4.1-nano", "in": 900, "out": 100,
                "verdicts": [{"by": "logprobs", "says": "passed", "score": score}]}],
            "labels": [{"model": "gpt-4.1-nano", "quality": if good { 1000 } else { 0 }, "source": "label by a"}]})
        .to_string()
    };
    let lines = |n: u32| (0..n).map(line).collect::<Vec<_>>().join("\n");
    sandbox.write("p.toml", POLICY);
    sandbox.write("log.jsonl", lines(400));
    let found = json(&sandbox.good("calibrate log.jsonl --policy p.toml --format json"));
    let row = &found["rows"][0];
    assert_eq!(
        (&row["fit"], &row["judged"], &row["needed"]),
        (&json!("logistic"), &json!(400), &json!(0)),
        "{row}"
    );
    assert!(row["error_raw"].as_f64() > row["error_calibrated"].as_f64(), "{row}");
    let table = sandbox.good("calibrate log.jsonl --policy p.toml");
    let curve = table.lines().find(|line| line.starts_with("curve = ")).expect("a line for the policy");
    let check = format!("checks = [{{ kind = \"logprobs\", least = 450, {curve} }}]\nladder");
    sandbox.write("q.toml", POLICY.replacen("ladder", &check, 1));
    sandbox.good("replay log.jsonl --policy q.toml");
    sandbox.write("log.jsonl", lines(100));
    let few = json(&sandbox.good("calibrate log.jsonl --policy p.toml --format json"));
    assert_eq!((&few["rows"][0]["needed"], &few["rows"][0]["curve"]), (&json!(100), &Value::Null), "{few}");
    let none = sandbox.refused("calibrate log.jsonl --check lint --policy p.toml");
    assert!(none.contains("no verdict of a check `lint`"), "{none}");
}

#[test]
fn what_the_mean_hides_weights_over_words_tell_and_the_policy_takes_them() {
    let sandbox = Sandbox::new();
    // All are as sure on average; bad are those with a word that the model found unlikely, but for one in eleven.
    let written = |at: u32, [good, bad]: [Value; 2]| {
        let is_odd = at.is_multiple_of(2);
        let words = if is_odd { bad } else { good };
        let quality = if is_odd == at.is_multiple_of(11) { 1000 } else { 0 };
        json!({"id": format!("r-{at}"), "at": "2026-05-23T10:00:00Z", "task": "code", "confidence": 900,
            "attempts": [{"model": "gpt-4.1-nano", "in": 900, "out": 100,
                "verdicts": [{"by": "logprobs", "says": "passed", "score": 819, "words": words}]}],
            "labels": [{"model": "gpt-4.1-nano", "quality": quality, "source": "label by a"}]})
        .to_string()
    };
    let lines =
        |both: [Value; 2]| (0..600).map(|at| written(at, both.clone())).collect::<Vec<_>>().join("\n");
    sandbox.write("p.toml", POLICY);
    sandbox.write("log.jsonl", lines([json!([200, 300, 0]), json!([200, 6_000, 150])]));
    let found = json(&sandbox.good("calibrate log.jsonl --policy p.toml --format json"));
    let row = &found["rows"][0];
    assert!(row["ranks_mean"].as_f64() < Some(0.6) && row["ranks_words"].as_f64() > Some(0.85), "{row}");
    assert!(row["error_calibrated"].as_f64() < Some(0.05), "{row}");
    let table = sandbox.good("calibrate log.jsonl --policy p.toml");
    let setting =
        |key: &str| table.lines().find(|line| line.starts_with(key)).expect("a line for the policy");
    let (weights, curve) = (setting("weights = "), setting("curve = "));
    let with = |keys: &str| {
        let check = format!("checks = [{{ kind = \"logprobs\", least = 450, {keys} }}]\nladder");
        sandbox.write("q.toml", POLICY.replacen("ladder", &check, 1));
    };
    with(&format!("{weights}, {curve}"));
    sandbox.good("replay log.jsonl --policy q.toml");
    with(weights);
    let refused = sandbox.refused("replay log.jsonl --policy q.toml");
    assert!(refused.contains("weights") && refused.contains("says nothing without a `curve`"), "{refused}");
    with(&format!("weights = [0, 1, 0, 0], {curve}"));
    let refused = sandbox.refused("replay log.jsonl --policy q.toml");
    assert!(refused.contains("unlikely words for a good sign"), "{refused}");
    with(&format!("weights = [0, 0, 0, 0, 0], {curve}"));
    let refused = sandbox.refused("replay log.jsonl --policy q.toml");
    assert!(refused.contains("neither four numbers"), "{refused}");
    // Where all words are as likely, how near others came tells, and margin and entropy are weighed as well.
    sandbox.write("log.jsonl", lines([json!([200, 300, 0, 900, 200]), json!([200, 300, 0, 150, 1_200])]));
    let found = json(&sandbox.good("calibrate log.jsonl --policy p.toml --format json"));
    let row = &found["rows"][0];
    assert!(row["ranks_mean"].as_f64() < Some(0.6) && row["ranks_words"].as_f64() > Some(0.85), "{row}");
    assert_eq!(row["weights"].as_array().map(Vec::len), Some(6), "{row}");
    let table = sandbox.good("calibrate log.jsonl --policy p.toml");
    let setting =
        |key: &str| table.lines().find(|line| line.starts_with(key)).expect("a line for the policy");
    with(&format!("{}, {}", setting("weights = "), setting("curve = ")));
    sandbox.good("replay log.jsonl --policy q.toml");
}
