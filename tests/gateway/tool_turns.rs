//! Turns that hand in what tools returned: they go on as the user's ask was decided, in whichever dialect, however much came back and
//! whatever the harness adds to it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front::{Front, Sandbox, Setup};
use crate::shadowed::says;
use crate::stage::{chat, nothing_held};
use crate::upstream::{Reply, Upstream};

const POLICY: &str = r#"
name = "test"
[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 500 },
  { rung = "large", model = "gpt-4.1" },
]
"#;

const REMINDER: &str = "<system-reminder>\nYour list of things to do is empty.\n</system-reminder>\n";

/// A conversation of one ask, and what tools returned to it so far, the harness's reminder behind it.
fn conversation(dialect: &str, ask: &str, returned: &[&str], reminds: bool) -> Ask {
    let schema = json!({"type": "object", "properties": {}});
    let mut turns: Vec<Value> = Vec::new();
    let said = |text: &str| json!({"role": "user", "content": text});
    match dialect {
        "messages" => {
            turns.push(said(ask));
            for (at, text) in returned.iter().enumerate() {
                let id = format!("toolu_{at}");
                turns.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": id, "name": "look", "input": {}}]}));
                let mut parts = vec![json!({"type": "tool_result", "tool_use_id": id, "content": text})];
                parts.extend(reminds.then(|| json!({"type": "text", "text": REMINDER})));
                turns.push(json!({"role": "user", "content": parts}));
            }
            let tools = json!([{"name": "look", "description": "Looks.", "input_schema": schema}]);
            Ask::post(
                "/v1/messages",
                &json!({"model": "auto", "max_tokens": 99, "messages": turns, "tools": tools}),
            )
        }
        "chat" => {
            turns.push(said(ask));
            for (at, text) in returned.iter().enumerate() {
                let id = format!("call_{at}");
                let call =
                    json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
                turns.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
                turns.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
                turns.extend(reminds.then(|| said(REMINDER)));
            }
            let tools = json!([{"type": "function", "function": {"name": "look", "parameters": schema}}]);
            Ask::post("/v1/chat/completions", &json!({"model": "auto", "messages": turns, "tools": tools}))
        }
        "responses" => {
            turns.push(said(ask));
            for (at, text) in returned.iter().enumerate() {
                let id = format!("call_{at}");
                turns
                    .push(json!({"type": "function_call", "call_id": id, "name": "look", "arguments": "{}"}));
                turns.push(json!({"type": "function_call_output", "call_id": id, "output": text}));
                turns.extend(reminds.then(|| said(REMINDER)));
            }
            let tools = json!([{"type": "function", "name": "look", "parameters": schema}]);
            Ask::post("/v1/responses", &json!({"model": "auto", "input": turns, "tools": tools}))
        }
        _ => {
            turns.push(json!({"role": "user", "parts": [{"text": ask}]}));
            for text in returned {
                turns.push(
                    json!({"role": "model", "parts": [{"functionCall": {"name": "look", "args": {}}}]}),
                );
                let mut parts =
                    vec![json!({"functionResponse": {"name": "look", "response": {"result": text}}})];
                parts.extend(reminds.then(|| json!({"text": REMINDER})));
                turns.push(json!({"role": "user", "parts": parts}));
            }
            let tools = json!([{"functionDeclarations": [{"name": "look", "parameters": schema}]}]);
            Ask::post("/v1beta/models/auto:generateContent", &json!({"contents": turns, "tools": tools}))
        }
    }
}

const DIALECTS: [&str; 4] = ["messages", "chat", "responses", "gemini"];

fn reason(answer: &Answer) -> String {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.header("pointsman-reason").unwrap_or_default().to_owned()
}

/// A loop near a threshold would else change its model in the middle, and lose its cache with it.
#[test]
fn a_turn_with_results_is_decided_as_the_ask_was() {
    let upstream = Upstream::start();
    let setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()) };
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let long = "line of a listing that tools return\n".repeat(800);
    for dialect in DIALECTS {
        for ask in
            ["Translate 'cat' to French.", "Prove that the square root of two is irrational, step by step."]
        {
            let first = reason(&conversation(dialect, ask, &[], false).send(front.address()));
            assert!(first.starts_with("confidence "), "{dialect}: {first}");
            for (returned, reminds) in
                [(&["ok"][..], false), (&["ok"][..], true), (&[&*long, "ok", &*long][..], true)]
            {
                let later = conversation(dialect, ask, returned, reminds).send(front.address());
                assert_eq!(reason(&later), first, "{dialect}, {} returned, {reminds}", returned.len());
            }
        }
    }
    upstream.wait_idle();
    nothing_held(&front);
}

/// What a small model says of one ask twice may differ, costs twice, and keeps every turn of a loop waiting.
#[test]
fn a_second_stage_is_asked_once_in_a_loop_of_tools() {
    const ASKED: &str = "mistral-small-2503";
    let upstream = Upstream::with(|call| match call.model.as_str() {
        ASKED => says(r#"{"likelihood": 100}"#),
        _ => Reply::text("done"),
    });
    let text = "[second.everything]\nband = 500\ndeadline = \"30s\"\nmax-spend-per-day = \"5\"\n";
    let setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()).gateway(text) };
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let count = |front: &Front<'_>| {
        upstream.wait_idle();
        nothing_held(front);
        upstream.served().iter().filter(|call| call.call.model == ASKED).count()
    };
    for (nth, dialect) in DIALECTS.iter().enumerate() {
        let ask = format!("Prove that {nth} and one make {}.", nth + 1);
        for returned in [&[][..], &["ok"][..], &["ok", "and ok"][..]] {
            let answer = conversation(dialect, &ask, returned, true).send(front.address());
            assert_eq!(reason(&answer), "confidence 1000 reaches 500", "{dialect}");
        }
        assert_eq!(count(&front), nth + 1, "{dialect}");
    }
    // Another ask is another question, in the same words too.
    let _ = chat("auto", false).send(front.address());
    let _ = chat("auto", false).send(front.address());
    assert_eq!(count(&front), DIALECTS.len() + 2);
}

/// An agent that leaves the conversation with the provider hands in results alone: there is no ask in what it sends.
#[test]
fn results_behind_a_kept_answer_are_decided_as_the_ask_was() {
    let upstream = Upstream::start();
    let mut setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()) };
    setup.providers =
        setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for ask in
        ["Translate 'cat' to French.", "Prove that the square root of two is irrational, step by step."]
    {
        let first = Ask::post("/v1/responses", &json!({"model": "auto", "input": ask})).send(front.address());
        let mut id = first.json()["id"].as_str().unwrap().to_owned();
        for _ in 0..3 {
            let output = json!([{"type": "function_call_output", "call_id": "call_1", "output": "ok"}]);
            let body = json!({"model": "auto", "previous_response_id": id, "input": output});
            let next = Ask::post("/v1/responses", &body).send(front.address());
            assert_eq!(reason(&next), reason(&first), "{ask}");
            id = next.json()["id"].as_str().unwrap().to_owned();
        }
    }
    upstream.wait_idle();
    nothing_held(&front);
}

/// Under which model a turn of a chat's loop is asked for.
fn pinned(ask: &str, returned: &[&str], name: &str) -> Ask {
    let mut turns = vec![json!({"role": "user", "content": ask})];
    for (at, text) in returned.iter().enumerate() {
        let id = format!("call_{at}");
        let call = json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
        turns.push(json!({"role": "assistant", "content": null, "tool_calls": [call]}));
        turns.push(json!({"role": "tool", "tool_call_id": id, "content": text}));
    }
    let schema = json!({"type": "object", "properties": {}});
    let tools = json!([{"type": "function", "function": {"name": "look", "parameters": schema}}]);
    Ask::post("/v1/chat/completions", &json!({"model": name, "messages": turns, "tools": tools}))
}

/// What the next answers of the upstream do with calls to the small model.
fn failing(fails: &Arc<AtomicBool>) -> Upstream {
    let fails = Arc::clone(fails);
    Upstream::with(move |call| {
        let fails = call.model == "gpt-4.1-nano" && fails.load(Ordering::SeqCst);
        if fails { Reply::status(500) } else { Reply::text("done") }
    })
}

fn model(answer: &Answer) -> String {
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.header("pointsman-model").unwrap_or_default().to_owned()
}

const GOES_ON: &str = "; goes on where its tool loop was served";

/// A loop that had to go up would else return to the small model at each turn, which goes on with another model's calls; over a restart
/// as well, and in a replay.
#[test]
fn a_loop_that_went_up_stays_up() {
    let fails = Arc::new(AtomicBool::new(false));
    let upstream = failing(&fails);
    let setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()) };
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let ask_in = |dialect: &str| format!("Translate 'cat' to French ({dialect}).");
    for dialect in DIALECTS {
        let ask = &ask_in(dialect);
        fails.store(true, Ordering::SeqCst);
        assert_eq!(
            model(&conversation(dialect, ask, &[], false).send(front.address())),
            "gpt-4.1",
            "{dialect}"
        );
        fails.store(false, Ordering::SeqCst);
        for (returned, reminds) in [(&["ok"][..], false), (&["ok", "and ok"][..], true)] {
            let later = conversation(dialect, ask, returned, reminds).send(front.address());
            assert_eq!(model(&later), "gpt-4.1", "{dialect}");
            assert!(reason(&later).ends_with(GOES_ON), "{dialect}: {}", reason(&later));
        }
        // Another ask is decided by itself, and so is the same one again.
        let other = conversation(dialect, "Translate 'dog' to French.", &[], false).send(front.address());
        assert_eq!(model(&other), "gpt-4.1-nano", "{dialect}");
    }
    upstream.wait_idle();
    nothing_held(&front);
    drop(front.settle());
    let front = sandbox.serve(&setup);
    for dialect in DIALECTS {
        let ask = &ask_in(dialect);
        let later = conversation(dialect, ask, &["ok", "and ok", "more"], true).send(front.address());
        assert_eq!(model(&later), "gpt-4.1", "{dialect}, after a restart");
        let anew = conversation(dialect, ask, &[], false).send(front.address());
        assert_eq!(model(&anew), "gpt-4.1-nano", "{dialect}");
        let later = conversation(dialect, ask, &["ok"], true).send(front.address());
        assert_eq!(model(&later), "gpt-4.1-nano", "{dialect}: asked anew, it starts anew");
    }
    upstream.wait_idle();
    let rows = front.settle();
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    for reading in ["recorded", "routed"] {
        let report = sandbox.must(&["replay", "live.jsonl", "--as", reading, "--format", "json", "--strict"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        for model in report["by_model"].as_array().unwrap() {
            let name = model["model"].as_str().unwrap();
            let attempts = rows.iter().filter(|row| row.model == name).count();
            assert_eq!(model["attempts"], attempts, "{reading}: {name}");
        }
    }
}

/// A lot that sends an ask elsewhere sends all its turns there: half a loop tells nothing of either rung.
#[test]
fn a_loop_stays_where_its_ask_was_drawn_and_claims_no_chance_of_its_own() {
    let upstream = Upstream::start();
    let explore = "name = \"everything\"\nexplore = { share = 500, below = 1000, above = 1000 }\n";
    let policy = POLICY.replace("name = \"everything\"\n", explore);
    let setup = Setup { policy, ..Setup::of(&upstream.url()) };
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut seen = BTreeSet::new();
    for nth in 0..24 {
        let dialect = DIALECTS[nth % 4];
        let ask = format!("Translate the number {nth} to French.");
        let first = model(&conversation(dialect, &ask, &[], false).send(front.address()));
        for returned in [&["ok"][..], &["ok", "ok"][..]] {
            let later = conversation(dialect, &ask, returned, true).send(front.address());
            assert_eq!(model(&later), first, "{dialect}: {ask}");
        }
        seen.insert(first);
    }
    assert_eq!(seen.len(), 2, "both ways were drawn");
    upstream.wait_idle();
    drop(front.settle());
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    let log = std::fs::read_to_string(sandbox.path().join("live.jsonl")).unwrap();
    let (mut asks, mut turns) = (0, 0);
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let words = line["down"].as_array().cloned().unwrap_or_default();
        let has = |start: &str| words.iter().any(|word| word.as_str().unwrap().starts_with(start));
        if has("ask:") {
            asks += 1;
            assert!(has("chance:") && line["propensity"].is_u64(), "{line}");
        } else if has("turn:") {
            turns += 1;
            assert!(!has("chance:") && line["propensity"].is_null(), "{line}");
            assert!(has("follows:") || has("stays:"), "{line}");
        }
    }
    assert_eq!((asks, turns), (24, 48));
}

/// An agent that leaves the conversation with the provider goes on where its last answer came from, over a restart as well.
#[test]
fn results_behind_a_kept_answer_go_on_where_it_was_served() {
    let fails = Arc::new(AtomicBool::new(true));
    let upstream = failing(&fails);
    let mut setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()) };
    setup.providers =
        setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    let sandbox = Sandbox::new(&setup);
    let mut front = sandbox.serve(&setup);
    let tools = json!([{"type": "function", "name": "look", "parameters": {"type": "object"}}]);
    let body = json!({"model": "auto", "input": "Translate 'cat' to French.", "tools": tools});
    let first = Ask::post("/v1/responses", &body).send(front.address());
    assert_eq!(model(&first), "gpt-4.1");
    fails.store(false, Ordering::SeqCst);
    let mut id = first.json()["id"].as_str().unwrap().to_owned();
    for turn in 0..4 {
        if turn == 2 {
            upstream.wait_idle();
            drop(front.settle());
            front = sandbox.serve(&setup);
        }
        let output = json!([{"type": "function_call_output", "call_id": "call_1", "output": "ok"}]);
        let body = json!({"model": "auto", "previous_response_id": id, "input": output, "tools": tools});
        let next = Ask::post("/v1/responses", &body).send(front.address());
        assert_eq!(model(&next), "gpt-4.1", "turn {turn}: {}", reason(&next));
        id = next.json()["id"].as_str().unwrap().to_owned();
    }
    upstream.wait_idle();
    nothing_held(&front);
}

/// A short outage of all models would else send each loop that was running to the dearest one for good; over a restart as well.
#[test]
fn a_turn_that_nobody_answered_moves_no_loop() {
    let fails = Arc::new(AtomicBool::new(false));
    let upstream = Upstream::with({
        let fails = Arc::clone(&fails);
        move |_| if fails.load(Ordering::SeqCst) { Reply::status(500) } else { Reply::text("done") }
    });
    let setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()) };
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let turn = |front: &Front<'_>, returned: &[&str]| {
        conversation("chat", "Translate 'cat' to French.", returned, false).send(front.address())
    };
    assert_eq!(model(&turn(&front, &[])), "gpt-4.1-nano");
    fails.store(true, Ordering::SeqCst);
    assert!(turn(&front, &["ok"]).status() >= 500);
    fails.store(false, Ordering::SeqCst);
    assert_eq!(model(&turn(&front, &["ok"])), "gpt-4.1-nano");
    fails.store(true, Ordering::SeqCst);
    assert!(turn(&front, &["ok", "ok"]).status() >= 500);
    fails.store(false, Ordering::SeqCst);
    upstream.wait_idle();
    nothing_held(&front);
    drop(front.settle());
    let front = sandbox.serve(&setup);
    assert_eq!(model(&turn(&front, &["ok", "ok"])), "gpt-4.1-nano", "after a restart");
    upstream.wait_idle();
    let rows = front.settle();
    sandbox.must(&["ledger", "export", "-o", "live.jsonl", "--with-prices"]);
    let report = sandbox.must(&["replay", "live.jsonl", "--as", "routed", "--format", "json", "--strict"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    for model in report["by_model"].as_array().unwrap() {
        let name = model["model"].as_str().unwrap();
        assert_eq!(model["attempts"], rows.iter().filter(|row| row.model == name).count(), "{name}");
    }
}

/// A turn for which the client names a model is a turn all the same: the next goes on with that model's calls.
#[test]
fn a_loop_goes_on_where_its_client_sent_a_turn() {
    let upstream = Upstream::start();
    let setup = Setup { policy: POLICY.to_owned(), ..Setup::of(&upstream.url()) };
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let turn = |front: &Front<'_>, returned: &[&str], name: &str| {
        model(&pinned("Translate 'cat' to French.", returned, name).send(front.address()))
    };
    assert_eq!(turn(&front, &[], "auto"), "gpt-4.1-nano");
    assert_eq!(turn(&front, &["ok"], "gpt-4.1"), "gpt-4.1");
    assert_eq!(turn(&front, &["ok", "ok"], "auto"), "gpt-4.1");
    upstream.wait_idle();
    nothing_held(&front);
    drop(front.settle());
    let front = sandbox.serve(&setup);
    assert_eq!(turn(&front, &["ok", "ok", "ok"], "auto"), "gpt-4.1", "after a restart");
    upstream.wait_idle();
    nothing_held(&front);
}
