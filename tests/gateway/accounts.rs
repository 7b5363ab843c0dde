//! Several accounts of one provider: who is called, when it is another's turn, and what log and ledger say.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client::Ask;
use crate::cloud::{Came, Cloud, Said, whole};
use crate::front::{Desk, Setup};
use crate::stage::messages;

fn setup(cloud: &Cloud, more: &str) -> (Setup, Desk) {
    let mut setup = Setup::of(&cloud.url);
    setup.providers = format!(
        "[defaults]\nretries = {{ attempts = 1 }}\n\n[[provider]]\nname = \"claude\"\ndialect = \"anthropic\"\n\
         base_url = \"{}\"\nkey_header = \"api-key\"\nmodels = [\"claude-*\"]\n\
         headers = {{ \"anthropic-version\" = \"2023-06-01\" }}\n\
         accounts = [{{ name = \"main\", key = {{ file = \"main.key\" }} }}, {{ name = \"spare\", key = {{ file = \"spare.key\" }} }}]\n\
         {more}\n",
        cloud.url
    );
    let desk = Desk::new(&setup);
    for name in ["main", "spare"] {
        // The key of both is known there; what stands behind it tells them apart.
        std::fs::write(desk.path().join(format!("{name}.key")), format!("azure-key-never-to-be-seen#{name}"))
            .unwrap();
    }
    (setup, desk)
}

fn answer(headers: &str) -> Said {
    let (status, head, body) = whole(&json!({ "id": "msg_1", "type": "message", "role": "assistant",
        "model": "claude-opus-4-6", "content": [{ "type": "text", "text": "Tomorrow." }], "stop_reason": "end_turn",
        "usage": { "input_tokens": 11, "output_tokens": 5 } }));
    (status, format!("{head}{headers}"), body)
}

fn unified(status: &str, used: &str, reset: i64) -> String {
    format!(
        "anthropic-ratelimit-unified-status: {status}\r\nanthropic-ratelimit-unified-representative-claim: five_hour\r\n\
         anthropic-ratelimit-unified-5h-utilization: {used}\r\nanthropic-ratelimit-unified-5h-reset: {reset}\r\n"
    )
}

fn account(came: &Came) -> String {
    came.header("api-key").rsplit_once('#').map_or_else(String::new, |(_, name)| name.to_owned())
}

#[test]
fn a_429_moves_to_the_next_account_and_the_first_is_called_again_when_its_window_resets() {
    let now = chrono::Utc::now().timestamp();
    // When the first account's window resets, as its refusal tells: far away, or over already.
    let resets = Arc::new(Mutex::new(Some(now + 3600)));
    let told = Arc::clone(&resets);
    let cloud = Cloud::start(0, move |came| match *told.lock().unwrap() {
        Some(reset) if account(came) == "main" => {
            let body = json!({ "type": "error", "error": { "type": "rate_limit_error", "message": "full" } });
            let head = format!("retry-after: 0\r\n{}", unified("rejected", "1.0", reset));
            (429, head, body.to_string().into_bytes())
        }
        _ => answer(""),
    });
    let (setup, desk) = setup(&cloud, "");
    let front = desk.serve(&setup);
    let ask = || {
        let answer = messages("claude-opus-4-6", false).send(front.address());
        assert_eq!((answer.status(), answer.said().as_str()), (200, "Tomorrow."), "{}", answer.text());
    };
    let called = || cloud.seen("/v1/messages").iter().map(account).collect::<Vec<_>>();
    ask();
    assert_eq!(called(), ["main", "spare"], "the client hears nothing of it");
    ask();
    assert_eq!(called(), ["main", "spare", "spare"], "until its window resets it is not asked");
    let metrics = Ask::get("/operator/v1/status").send(front.address());
    let status: Value = metrics.json();
    let windows: Vec<&Value> =
        status["models"].as_array().unwrap().iter().filter(|model| model.get("windows").is_some()).collect();
    assert_eq!(windows.len(), 1, "{status}");
    assert_eq!(
        (windows[0]["provider"].as_str(), windows[0]["windows"][0]["used"].as_u64()),
        (Some("claude/main"), Some(1000))
    );
    front.stop();
    let rows = desk.ledger();
    let attempts: Vec<(&str, &str)> =
        rows.iter().map(|row| (row.status.as_str(), row.kind.as_str())).collect();
    assert_eq!(attempts, [("rate_limited", "known"), ("ok", "known"), ("ok", "known")]);
    let export = desk.must(&["ledger", "export"]);
    assert!(
        export.contains("\"provider\":\"claude/main\"") && export.contains("\"provider\":\"claude/spare\""),
        "{export}"
    );
    assert!(!export.contains("never-to-be-seen"));
}

#[test]
fn accounts_are_drained_in_balance_where_that_is_asked_for() {
    let reset = chrono::Utc::now().timestamp() + 3600;
    let cloud = Cloud::start(0, move |came| {
        let used = if account(came) == "main" { "0.6" } else { "0.2" };
        answer(&unified("allowed", used, reset))
    });
    let (setup, desk) = setup(&cloud, "drain = \"balanced\"");
    let front = desk.serve(&setup);
    for _ in 0..4 {
        assert_eq!(messages("claude-opus-4-6", false).send(front.address()).status(), 200);
    }
    let called: Vec<String> = cloud.seen("/v1/messages").iter().map(account).collect();
    assert_eq!(called, ["main", "spare", "spare", "spare"], "the one of which less is used");
    front.stop();
}

#[test]
fn an_account_without_a_key_is_told_and_left_out() {
    let cloud = Cloud::start(0, |_| answer(""));
    let (setup, desk) = setup(&cloud, "");
    std::fs::remove_file(desk.path().join("main.key")).unwrap();
    let front = desk.serve(&setup);
    let answer = messages("claude-opus-4-6", false).send(front.address());
    assert_eq!((answer.status(), answer.header("x-simulated")), (200, None), "{}", answer.text());
    assert_eq!(account(&cloud.seen("/v1/messages")[0]), "spare");
    let said = front.stop();
    assert!(said.contains("claude/main: no key"), "{said}");
}
