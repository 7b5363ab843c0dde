//! Requests marked for providers' prompt caches: what goes out, and what stays as the client wrote it.

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::upstream::Upstream;

/// A turn's request of a conversation: it says again what was said before, and more.
fn turn(model: &str, session: u32, turn: u32) -> Value {
    let said =
        |by: &str, n: u32| json!({"role": by, "content": format!("{session}.{n} {}", "word ".repeat(1_300))});
    let mut messages: Vec<Value> = (1..turn).flat_map(|n| [said("user", n), said("assistant", n)]).collect();
    messages.push(said("user", turn));
    json!({"model": model, "max_tokens": 9, "system": "Be brief.", "messages": messages})
}

/// Sends four conversations of four turns; returns which turns went out marked.
fn marked(gateway: &str, model: &str, change: impl Fn(&mut Value)) -> Vec<bool> {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url()).gateway(gateway);
    for name in ["gpt-4.1-nano", "gpt-4.1"] {
        setup.policy = setup.policy.replace(&format!("\"{name}\""), "\"claude-sonnet-4-6\"");
    }
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for session in 0..4 {
        for at in 1..=4 {
            let mut body = turn(model, session, at);
            change(&mut body);
            assert_eq!(Ask::post("/v1/messages", &body).send(front.address()).status(), 200);
        }
    }
    let bodies: Vec<Value> = upstream.served().into_iter().map(|served| served.call.body).collect();
    let is_marked = |body: &Value| {
        let is_marked = body["cache_control"] == json!({"type": "ephemeral"});
        let system = &body["system"][0];
        assert_eq!(is_marked, system["cache_control"].is_object(), "both or neither: {system}");
        assert!(!is_marked || system["text"] == "Be brief.");
        is_marked
    };
    let all: Vec<bool> = bodies.iter().map(is_marked).collect();
    let count = all.iter().filter(|is_marked| **is_marked).count();
    assert_eq!(crate::bounds::value(&front, "pointsman_cache_marks_total"), count as u64);
    front.settle();
    sandbox.check();
    all
}

#[test]
fn prompts_that_come_again_are_marked_once_that_is_seen_to_pay() {
    let seen = [
        [false, false, false, false],
        [false, false, true, true],
        [false, true, true, true],
        [true, true, true, true],
    ];
    assert_eq!(marked("", "auto", |_| {}), seen.concat());
    assert_eq!(marked("[caching]\nplace = \"always\"", "claude-sonnet-4-6", |_| {}), seen.concat());
}

#[test]
fn what_a_client_marks_or_sends_to_its_own_model_stays_as_it_is() {
    let none = vec![false; 16];
    assert_eq!(marked("", "claude-sonnet-4-6", |_| {}), none, "its own model");
    assert_eq!(marked("[caching]\nplace = \"never\"", "auto", |_| {}), none);
    let marks = |body: &mut Value| {
        body["messages"][0]["content"] =
            json!([{"type": "text", "text": "mine", "cache_control": {"type": "ephemeral"}}]);
    };
    assert_eq!(marked("", "auto", marks), none, "its own marks");
    let short = |body: &mut Value| {
        let last = body["messages"].as_array_mut().unwrap().pop().unwrap();
        body["messages"] = json!([{"role": "user", "content": last["content"].as_str().unwrap()[..2_500]}]);
    };
    assert_eq!(marked("", "auto", short), none, "what never comes again");
}

#[test]
fn openais_requests_of_a_session_carry_one_key_that_does_not_tell_it() {
    let key = "{ command = [\"printf\", \"key\"] }";
    keyed(&format!("key = {key}"));
    keyed(&format!(
        "accounts = [{{ name = \"main\", key = {key} }}, {{ name = \"spare\", key = {key} }}]\nresponses = false"
    ));
}

fn keyed(account: &str) {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url());
    setup.providers = setup.providers.replace("name = \"up-chat\"", &format!("name = \"openai\"\n{account}"));
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let ask = |session: &str, more: Value| {
        let mut body = json!({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let ask = Ask::post("/v1/chat/completions", &body);
        let ask = if session.is_empty() { ask } else { ask.header("pointsman-session", session) };
        assert_eq!(ask.send(front.address()).status(), 200);
        upstream.served().last().unwrap().call.body["prompt_cache_key"].clone()
    };
    let first = ask("alice-1", json!({}));
    assert_eq!(first.as_str().map(str::len), Some(32));
    assert!(!first.to_string().contains("alice"));
    assert_eq!(ask("alice-1", json!({})), first);
    assert_ne!(ask("bob-1", json!({})), first);
    assert_eq!(ask("", json!({})), Value::Null);
    assert_eq!(ask("alice-1", json!({"prompt_cache_key": "mine"})), "mine");
    front.settle();
}
