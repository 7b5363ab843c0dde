//! Ladders that fall, sessions that stay where they are warm: from the client to the upstream, the feed, a restart and the replay.

use std::fs;

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::replayed::pico;
use crate::rungs::{follow, read};
use crate::upstream::{Reply, Upstream};

const FALLS: &str = r#"
name = "falls"

[[route]]
name = "everything"
when_failed = "fall"
no_signal = "large"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 900 },
  { rung = "middle", model = "gpt-4.1-mini", threshold = 500 },
  { rung = "large", model = "gpt-4.1" },
]
"#;

#[test]
fn a_request_whose_strongest_rung_failed_falls_and_the_replay_agrees() {
    let upstream = Upstream::with(|call| match call.model.as_str() {
        "gpt-4.1" => Reply::status(500),
        _ => Reply::text("from below"),
    });
    let mut setup = Setup::of(&upstream.url());
    FALLS.clone_into(&mut setup.policy);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    for stream in [false, true] {
        let body =
            json!({"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]});
        let ask = Ask::post("/v1/chat/completions", &body).header("pointsman-confidence", "100");
        let answer = ask.send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert!(answer.text().contains("from below"), "{}", answer.text());
    }
    let lines = read(&mut feed, 2);
    let requests: Vec<&Value> = lines.iter().filter(|line| line.get("id").is_some()).collect();
    for line in &requests {
        let models: Vec<&str> =
            line["attempts"].as_array().unwrap().iter().filter_map(|call| call["model"].as_str()).collect();
        assert_eq!(models, ["gpt-4.1", "gpt-4.1-mini"], "the nearest cheaper rung: {line}");
    }
    front.settle();
    sandbox.check();
    let text = lines.iter().fold(String::new(), |all, line| all + &line.to_string() + "\n");
    fs::write(sandbox.path().join("live.jsonl"), text).unwrap();
    let why = sandbox.must(&["why", "live.jsonl", requests[0]["id"].as_str().unwrap()]);
    assert!(why.contains("down to middle (gpt-4.1-mini)"), "{why}");
    let report = |reading: &str| -> Value {
        let args = ["replay", "live.jsonl", "--as", reading, "--format", "json", "--strict"];
        serde_json::from_str(&sandbox.must(&args)).unwrap()
    };
    let (recorded, routed) = (report("recorded"), report("routed"));
    assert_eq!(pico(&recorded["cost_known_usd"]), pico(&routed["cost_known_usd"]));
    assert_eq!(routed["estimated_requests"], 0);
}

const AWARE: &str = r#"
name = "aware"

[[route]]
name = "everything"
cache = "aware"
ladder = [
  { rung = "sonnet", model = "claude-sonnet-4-6", threshold = 600 },
  { rung = "opus", model = "claude-opus-4-6" },
]
"#;

#[test]
fn a_warm_session_stays_also_after_a_restart() {
    // All of a prompt but its end is read, as in a conversation that goes on.
    let upstream = Upstream::with(|_| {
        Reply::json(
            &json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-6",
            "content": [{ "type": "text", "text": "Yes." }], "stop_reason": "end_turn",
            "usage": { "input_tokens": 20, "cache_read_input_tokens": 40_000, "cache_creation_input_tokens": 400, "output_tokens": 30 } }),
        )
    });
    let mut setup = Setup::of(&upstream.url());
    AWARE.clone_into(&mut setup.policy);
    let sandbox = Sandbox::new(&setup);
    let ask = |front: &crate::front::Front<'_>, turns: u32, confidence: &str| {
        let said =
            |by: &str, n: u32| json!({"role": by, "content": format!("{n} {}", "word ".repeat(6_000))});
        let mut messages: Vec<Value> =
            (1..turns).flat_map(|n| [said("user", n), said("assistant", n)]).collect();
        messages.push(said("user", turns));
        let body = json!({"model": "auto", "max_tokens": 50, "system": "Be brief.", "messages": messages});
        let ask = Ask::post("/v1/messages", &body).header("pointsman-session", "s-1");
        let answer = ask.header("pointsman-confidence", confidence).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        upstream.served().last().unwrap().call.model.clone()
    };
    let front = sandbox.serve(&setup);
    assert_eq!(ask(&front, 2, "100"), "claude-opus-4-6", "a hard turn");
    assert_eq!(ask(&front, 3, "900"), "claude-opus-4-6", "an easy one stays where it is warm");
    assert_eq!(crate::stage::metrics(&front, "pointsman_warm_sessions").len(), 1);
    assert!(crate::bounds::value(&front, "pointsman_warm_prefixes") > 4);
    front.settle();
    let front = sandbox.serve(&setup);
    assert_eq!(ask(&front, 4, "900"), "claude-opus-4-6", "known again from the ledger");
    front.settle();
    sandbox.must(&["ledger", "export", "-o", "live.jsonl"]);
    let log = fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
    assert!(log.contains("cache-down:") && log.contains("cache-expected:"), "{log}");
}
