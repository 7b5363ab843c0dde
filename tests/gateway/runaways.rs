//! Runaways at the gateway: who loops is frozen and told so in his dialect, nothing of his is sent after that, and he stays
//! frozen over restarts and kills until somebody lifts it.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::front::{Front, Sandbox, Setup};
use crate::stage::{chat, messages};
use crate::upstream::{Reply, Upstream};

const FREEZE: &str = "[runaways.loop]\neach = \"session\"\nsame-call = 5\nthen = \"freeze\"\n";

fn sandbox(upstream: &Upstream, rules: &str) -> (Setup, Sandbox) {
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    fs::write(sandbox.path().join("config/budgets.toml"), rules).unwrap();
    (setup, sandbox)
}

/// A step of an agent that has just called a tool with these arguments.
fn step(session: &str, turn: usize, arguments: &str) -> Ask {
    let call = json!({"id": format!("c{turn}"), "type": "function", "function": {"name": "read", "arguments": arguments}});
    let body = json!({"model": "gpt-4.1", "messages": [
        {"role": "user", "content": "Go on."},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": format!("c{turn}"), "content": format!("result {turn}")},
    ]});
    Ask::post("/v1/chat/completions", &body).header("pointsman-session", session)
}

fn order(front: &Front<'_>, body: &Value) -> Answer {
    Ask::post("/operator/v1/runaways", body).send(front.address())
}

fn standing(front: &Front<'_>) -> Value {
    let answer = Ask::get("/operator/v1/runaways").send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    answer.json()
}

#[test]
fn a_loop_is_frozen_under_sixty_four_clients_and_nothing_new_is_sent_after_it() {
    let upstream = Upstream::with(|_| Reply::text("well"));
    let (setup, sandbox) = sandbox(&upstream, FREEZE);
    let front = sandbox.serve(&setup);
    let to = front.address();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let all: Vec<_> =
            (0..64).map(|n| scope.spawn(move || step("night", n, r#"{"path":"a"}"#).send(to))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let served = answers.iter().filter(|answer| answer.status() == 200).count();
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status() == 429).collect();
    assert_eq!((served, refused.len()), (4, 60), "the fifth trips and is refused already");
    assert_eq!(upstream.served().len(), 4, "nothing new was sent");
    let error = &refused[0].json()["error"];
    assert_eq!((&error["limit_source"], &error["rule"]), (&json!("runaway"), &json!("loop")), "{error}");
    assert!(
        error["since"].as_str().unwrap().ends_with('Z')
            && error["stopped"].as_str().unwrap().contains("night")
    );
    let command = error["lifted_by"].as_str().unwrap();
    assert!(command.starts_with("pointsman lift --session "), "{command}");
    assert!(error["message"].as_str().unwrap().contains("until an operator lifts it"), "{error}");
    assert_eq!(refused[0].header("x-should-retry"), Some("false"));
    assert!(refused[0].header("pointsman-reason").unwrap().contains("was stopped"));
    // Others go on, also with the same call.
    assert_eq!(step("day", 0, r#"{"path":"a"}"#).send(to).status(), 200);
    let found = standing(&front);
    assert_eq!(
        (found["trips"].as_array().unwrap().len(), found["trips"][0]["rule"].as_str()),
        (1, Some("loop"))
    );
    // Somebody is told, until it is lifted.
    let fires = |found: &Value| {
        let alerts = found["alerts"].as_array().unwrap();
        let of = |alert: &&Value| alert["rule"] == "runaway" && alert["resolved"].is_null();
        alerts.iter().filter(of).map(|alert| alert["scope"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let told = until(&front, |found| !fires(found).is_empty());
    let whom = found["stops"][0]["whom"].as_str().unwrap();
    assert_eq!(fires(&told), [whom], "{told:#}");
    assert_eq!(order(&front, &json!({"lift": whom})).status(), 200);
    until(&front, |found| fires(found).is_empty());
    drop(front.settle());
    sandbox.must(&["ledger", "export", "-o", "night.jsonl"]);
    let shown = sandbox.must(&["alerts", "replay", "night.jsonl", "--format", "json"]);
    assert!(shown.contains("\"runaway\""), "{shown}");
}

/// Waits until the alerts are so.
fn until(front: &Front<'_>, so: impl Fn(&Value) -> bool) -> Value {
    let end = std::time::Instant::now() + crate::upstream::PATIENCE;
    loop {
        let found = Ask::get("/operator/v1/alerts").send(front.address()).json();
        if so(&found) {
            return found;
        }
        assert!(std::time::Instant::now() < end, "{found:#}");
        std::thread::yield_now();
    }
}

#[test]
fn a_call_whose_arguments_change_is_no_loop_and_a_lift_starts_anew() {
    let upstream = Upstream::with(|_| Reply::text("well"));
    let (setup, sandbox) = sandbox(&upstream, FREEZE);
    let front = sandbox.serve(&setup);
    let to = front.address();
    for n in 0..20 {
        let answer = step("honest", n, &format!(r#"{{"path":"a","page":{n}}}"#)).send(to);
        assert_eq!(answer.status(), 200, "{}", answer.text());
    }
    for n in 0..5 {
        // However it is written.
        let written = if n % 2 == 0 { r#"{"path":"a","n":1}"# } else { r#"{ "n": 1, "path": "a" }"# };
        let answer = step("s", n, written).send(to);
        assert_eq!(answer.status(), if n < 4 { 200 } else { 429 });
    }
    let whom = standing(&front)["stops"][0]["whom"].as_str().unwrap().to_owned();
    assert!(whom.ends_with('s') && whom.starts_with("session "), "{whom}");
    assert_eq!(order(&front, &json!({ "lift": whom })).status(), 200);
    assert_eq!(step("s", 6, r#"{"path":"a","n":1}"#).send(to).status(), 200);
    assert_eq!(order(&front, &json!({ "lift": whom })).status(), 404, "it is lifted once");
    drop(front.settle());
}

#[test]
fn the_kill_switch_holds_over_a_restart_and_a_kill_in_every_dialect_until_it_is_lifted() {
    let upstream = Upstream::with(|_| Reply::text("well"));
    let (setup, sandbox) = sandbox(&upstream, "");
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    let stopped = order(&front, &json!({"stop": "all", "why": "the bill"}));
    assert_eq!((stopped.status(), &stopped.json()["changed"]), (200, &json!(true)), "{}", stopped.text());
    // What was answered is written: the gateway ends without a word.
    front.kill();
    let front = sandbox.serve(&setup);
    let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "What is due?"}]}]});
    for ask in [
        chat("gpt-4.1", true),
        chat("auto", false),
        messages("claude-opus-4-6", false),
        Ask::post("/v1beta/models/gemini-2.5-flash:generateContent", &gemini),
        Ask::post("/v1/responses", &json!({"model": "gpt-4.1", "input": "What is due?"})),
        Ask::post("/v1/embeddings", &json!({"model": "text-embedding-3-small", "input": "x"})),
    ] {
        let answer = ask.send(front.address());
        assert_eq!(answer.status(), 429, "{}", answer.text());
        let body = answer.json();
        let error = &body["error"];
        assert_eq!(
            (&error["limit_source"], &error["stopped"]),
            (&json!("kill-switch"), &json!("all")),
            "{body}"
        );
        assert_eq!(error["lifted_by"], "pointsman lift --all");
        assert!(error["message"].as_str().unwrap().contains("(the bill)"), "{body}");
    }
    assert_eq!(upstream.served().len(), 1);
    assert_eq!(order(&front, &json!({"lift": "all"})).status(), 200);
    front.stop();
    let front = sandbox.serve(&setup);
    assert_eq!(
        chat("gpt-4.1", false).send(front.address()).status(),
        200,
        "lifted is lifted after a restart too"
    );
    for wrong in [
        json!({}),
        json!({"stop": "nobody"}),
        json!({"stop": "key a", "lift": "key a"}),
        json!({"halt": "all"}),
    ] {
        assert_eq!(order(&front, &wrong).status(), 400, "{wrong}");
    }
    drop(front.settle());
}

/// An agent that leaves the conversation with its provider hands in results alone; what it calls again and again stands in the answers.
#[test]
fn a_loop_is_seen_where_the_provider_keeps_the_conversation() {
    let upstream = Upstream::with(|call| {
        let arguments = if call.body["user"] == "honest" {
            format!("{{\"n\":{}}}", call.number)
        } else {
            r#"{"n":1}"#.into()
        };
        let made = json!({"type": "function_call", "id": "fc", "call_id": "c", "name": "read", "arguments": arguments, "status": "completed"});
        Reply::json(
            &json!({"id": format!("resp_{}", call.number), "object": "response", "created_at": 1, "status": "completed",
            "model": "gpt-4.1", "output": [made], "usage": {"input_tokens": 5, "output_tokens": 5, "total_tokens": 10}}),
        )
    });
    let (setup, sandbox) = sandbox(&upstream, FREEZE);
    let providers = setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    fs::write(sandbox.path().join("config/providers.toml"), providers).unwrap();
    let front = sandbox.serve(&setup);
    for (session, is_kept_as_conversation, stream) in
        [("whole", false, false), ("streamed", false, true), ("said", true, false), ("honest", false, false)]
    {
        let (mut id, mut statuses) = (String::new(), Vec::new());
        for n in 0..7 {
            let output = json!([{"type": "function_call_output", "call_id": "c", "output": "ok"}]);
            let input = if n == 0 { json!("Go on.") } else { output };
            let mut body = json!({"model": "gpt-4.1", "stream": stream, "input": input, "user": session});
            if is_kept_as_conversation {
                body["conversation"] = json!("conv_1");
            } else if n > 0 {
                body["previous_response_id"] = json!(id);
            }
            let answer =
                Ask::post("/v1/responses", &body).header("pointsman-session", session).send(front.address());
            statuses.push(answer.status());
            let text = answer.text();
            let found = text.split_once("\"id\":\"").and_then(|(_, rest)| rest.split('"').next());
            id = found.unwrap_or_default().to_owned();
        }
        let want = if session == "honest" { [200; 7] } else { [200, 200, 200, 200, 200, 429, 429] };
        assert_eq!(statuses, want, "{session}");
    }
    drop(front.settle());
}

#[test]
fn a_frozen_session_is_still_frozen_after_a_restart() {
    let upstream = Upstream::with(|_| Reply::text("well"));
    let (setup, sandbox) = sandbox(&upstream, FREEZE);
    let front = sandbox.serve(&setup);
    for n in 0..5 {
        drop(step("night", n, r#"{"path":"a"}"#).send(front.address()));
    }
    let before = standing(&front)["stops"].clone();
    front.stop();
    let front = sandbox.serve(&setup);
    assert_eq!(standing(&front)["stops"], before, "who, since when and why");
    let answer = step("night", 9, r#"{"path":"b"}"#).send(front.address());
    assert_eq!((answer.status(), &answer.json()["error"]["rule"]), (429, &json!("loop")));
    drop(front.settle());
}

/// A stop is for what waits, too: a minute of backoff later nobody would think of it any more.
#[test]
fn whoever_is_stopped_while_he_waits_for_another_try_is_not_sent_again() {
    let upstream = Upstream::with(|_| Reply::status(500));
    let setup =
        Setup::with(&upstream.url(), r#"retries = { attempts = 5, base = "400ms", max_wait = "10s" }"#);
    let sandbox = Sandbox::new(&setup);
    fs::write(sandbox.path().join("config/budgets.toml"), "[runaways]\n").unwrap();
    let front = sandbox.serve(&setup);
    let to = front.address();
    std::thread::scope(|scope| {
        let asked = scope.spawn(move || chat("gpt-4.1", false).send(to));
        upstream.wait("it was tried once", |state| !state.served.is_empty());
        assert_eq!(order(&front, &json!({"stop": "all"})).status(), 200);
        let sent = upstream.served().len();
        let answer = asked.join().unwrap();
        assert_eq!(answer.json()["error"]["limit_source"], "kill-switch", "{}", answer.text());
        assert_eq!(upstream.served().len(), sent, "nothing was sent after the order was answered");
    });
}
