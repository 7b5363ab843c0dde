//! A route that learns, live: feedback moves it, the session is its replay, and a restart goes on where it was.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Front, Sandbox, Setup};
use crate::upstream::{Reply, Upstream};

const POLICY: &str = r#"
name = "learning"
baseline = "gpt-4.1"
[[route]]
name = "everything"
cache = "aware"
adapt = { method = "linucb", worth = "0.50", floors = [200], least = 6 }
ladder = [{ rung = "small", model = "gpt-4.1-nano", threshold = 900 }, { rung = "large", model = "gpt-4.1" }]
"#;

/// Asks, and returns the operation with the model that served.
fn ask(front: &Front<'_>) -> (String, String) {
    let body = json!({"model": "auto", "max_tokens": 50,
        "messages": [{"role": "user", "content": "Say what the weather will be."}]});
    let answer =
        Ask::post("/v1/chat/completions", &body).header("pointsman-confidence", "500").send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let told = |name: &str| answer.header(name).unwrap().to_owned();
    (told("pointsman-operation"), told("pointsman-model"))
}

fn judge(front: &Front<'_>, operation: &str, quality: f64) {
    let body = json!({ "operation": operation, "quality": quality });
    let answer = Ask::post("/v1/feedback", &body).send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
}

/// What stood in the lines of requests of what their route had learnt, in order.
fn words(sandbox: &Sandbox, name: &str) -> Vec<String> {
    sandbox.must(&["ledger", "export", "-o", name, "--with-prices"]);
    let log = std::fs::read_to_string(sandbox.path().join(name)).unwrap();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let word = |line: Value| {
        let down = line["down"].as_array()?;
        down.iter().filter_map(Value::as_str).find_map(|word| word.strip_prefix("adapt:").map(str::to_owned))
    };
    lines.filter_map(word).collect()
}

/// Lessons count a second after they were told.
fn settled() {
    std::thread::sleep(Duration::from_millis(1_200));
}

#[test]
fn feedback_moves_a_route_a_replay_decides_the_same_and_a_restart_goes_on() {
    let upstream = Upstream::with(|_| Reply::default());
    let mut setup = Setup::of(&upstream.url());
    POLICY.clone_into(&mut setup.policy);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let first: Vec<_> = (0..8).map(|_| ask(&front)).collect();
    assert!(
        first.iter().all(|(_, model)| model == "gpt-4.1"),
        "without a verdict nobody is moved: {first:?}"
    );
    for (operation, _) in &first {
        judge(&front, operation, 0.3);
    }
    // A second word on one answer teaches nothing more.
    for (operation, _) in &first {
        judge(&front, operation, 1.0);
    }
    settled();
    let moved: Vec<_> = (0..6).map(|_| ask(&front)).collect();
    assert!(moved.iter().all(|(_, model)| model == "gpt-4.1-nano"), "{moved:?}");
    for (operation, _) in &moved {
        judge(&front, operation, 0.9);
    }
    settled();
    let before: Vec<_> = (0..2).map(|_| ask(&front)).collect();
    upstream.wait_idle();
    front.settle();
    let front = sandbox.serve(&setup);
    let after: Vec<_> = (0..2).map(|_| ask(&front)).collect();
    assert!(before.iter().chain(&after).all(|(_, model)| model == "gpt-4.1-nano"), "{before:?} {after:?}");
    // An answer of before the restart is judged after it.
    judge(&front, &before[0].0, 0.0);
    settled();
    ask(&front);
    upstream.wait_idle();
    let rows = front.settle();
    let told = words(&sandbox, "live.jsonl");
    assert_eq!((told.len(), told[0].as_str(), told[7].as_str()), (19, "0/6", "0/6"));
    assert_eq!(told[14], told[15]);
    assert_eq!(told[15], told[16], "what was learnt is the same after a restart");
    assert_eq!(told[16], told[17]);
    assert_ne!(told[17], told[18], "a verdict on an answer of before the restart counts");
    let report = sandbox.must(&["replay", "live.jsonl", "--as", "routed", "--format", "json", "--strict"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    for model in report["by_model"].as_array().unwrap() {
        let attempts = rows.iter().filter(|row| row.model == model["model"].as_str().unwrap()).count();
        assert_eq!(model["attempts"], attempts, "{model}");
    }
    let why = sandbox.must(&["why", "live.jsonl", &moved[0].0]);
    assert!(why.contains("learnt: small (gpt-4.1-nano) promises"), "{why}");
}
