//! Several accounts of one provider: who is called, when it is another's turn, and what log and ledger say.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client::Ask;
use crate::cloud::{Came, Cloud, Said, whole};
use crate::front::{Sandbox, Setup};
use crate::rungs::follow;
use crate::stage::messages;

fn setup(cloud: &Cloud, more: &str) -> (Setup, Sandbox) {
    let mut setup = Setup::of(&cloud.url);
    setup.providers = format!(
        "[defaults]\nretries = {{ attempts = 1 }}\n\n[[provider]]\nname = \"claude\"\ndialect = \"anthropic\"\n\
         base_url = \"{}\"\nkey_header = \"api-key\"\nmodels = [\"claude-*\"]\n\
         headers = {{ \"anthropic-version\" = \"2023-06-01\" }}\n\
         accounts = [{{ name = \"main\", key = {{ file = \"main.key\" }} }}, {{ name = \"spare\", key = {{ file = \"spare.key\" }} }}]\n\
         {more}\n",
        cloud.url
    );
    let sandbox = Sandbox::new(&setup);
    for name in ["main", "spare"] {
        // The key of both is known there; what stands behind it tells them apart.
        std::fs::write(
            sandbox.path().join(format!("{name}.key")),
            format!("azure-key-never-to-be-seen#{name}"),
        )
        .unwrap();
    }
    (setup, sandbox)
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
    let (setup, sandbox) = setup(&cloud, "");
    let front = sandbox.serve(&setup);
    let ask = || {
        let answer = messages("claude-opus-4-6", false).send(front.address());
        assert_eq!((answer.status(), answer.said().as_str()), (200, "Tomorrow."), "{}", answer.text());
    };
    let called = || cloud.seen("/v1/messages").iter().map(account).collect::<Vec<_>>();
    ask();
    assert_eq!(called(), ["main", "spare"], "the client hears nothing of it");
    ask();
    assert_eq!(called(), ["main", "spare", "spare"], "until its window resets it is not asked");
    let mut feed = follow(&front);
    let mut text = String::new();
    let state = loop {
        text += &String::from_utf8(feed.chunk().unwrap()).unwrap();
        let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        if let Some(state) =
            whole.map(|line| line["status"].clone()).find(|status| status["models"].is_array())
        {
            break state;
        }
    };
    let models = state["models"].as_array().unwrap();
    let windows: Vec<&Value> = models.iter().filter(|model| model.get("windows").is_some()).collect();
    assert_eq!(windows.len(), 1, "{state}");
    let used = windows[0]["windows"][0]["used"].as_u64();
    assert_eq!((windows[0]["provider"].as_str(), used), (Some("claude/main"), Some(1000)));
    front.stop();
    let rows = sandbox.ledger();
    let attempts: Vec<(&str, &str)> =
        rows.iter().map(|row| (row.status.as_str(), row.kind.as_str())).collect();
    assert_eq!(attempts, [("rate_limited", "known"), ("ok", "known"), ("ok", "known")]);
    let export = sandbox.must(&["ledger", "export"]);
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
    let (setup, sandbox) = setup(&cloud, "drain = \"balanced\"");
    let front = sandbox.serve(&setup);
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
    let (setup, sandbox) = setup(&cloud, "");
    std::fs::remove_file(sandbox.path().join("main.key")).unwrap();
    let front = sandbox.serve(&setup);
    let answer = messages("claude-opus-4-6", false).send(front.address());
    assert_eq!((answer.status(), answer.header("x-simulated")), (200, None), "{}", answer.text());
    assert_eq!(account(&cloud.seen("/v1/messages")[0]), "spare");
    let said = front.stop();
    assert!(said.contains("claude/main: no key"), "{said}");
}

/// Two providers of one model, of which the first is down until it is told to be well.
fn two(cloud: &Cloud, more: &str) -> Setup {
    let mut setup = Setup::of(&cloud.url);
    let provider = |name: &str, more: &str| {
        format!(
            "[[provider]]\nname = \"{name}\"\ndialect = \"anthropic\"\nbase_url = \"{}/{name}\"\nkey_header = \"api-key\"\n\
             key = {{ file = \"main.key\" }}\nrename = {{ \"claude-opus-4-6\" = \"opus at {name}\" }}\n{more}\n\n",
            cloud.url
        )
    };
    setup.providers = format!(
        "[defaults]\nretries = {{ attempts = 1 }}\nbreaker = {{ failures = 1, window = \"30s\", cool_down = \"200ms\" }}\n\n{}{}",
        provider("one", more),
        provider("two", "")
    );
    setup
}

fn ill(came: &Came) -> Said {
    if came.target.starts_with("/one/") { (500, String::new(), b"{}".to_vec()) } else { answer("") }
}

#[test]
fn a_provider_that_is_out_falls_to_another_of_the_same_model() {
    let cloud = Cloud::start(0, ill);
    let setup = two(&cloud, "fallback = \"two\"");
    let sandbox = Sandbox::new(&setup);
    std::fs::write(sandbox.path().join("main.key"), "azure-key-never-to-be-seen").unwrap();
    let front = sandbox.serve(&setup);
    let said = messages("claude-opus-4-6", false).send(front.address());
    assert_eq!((said.status(), said.said().as_str()), (200, "Tomorrow."), "{}", said.text());
    let called: Vec<(String, Value)> = cloud
        .seen("/v1/messages")
        .iter()
        .map(|came| (came.target.clone(), came.json()["model"].clone()))
        .collect();
    assert_eq!(called[0], ("/one/v1/messages".to_owned(), json!("opus at one")));
    assert_eq!(called[1], ("/two/v1/messages".to_owned(), json!("opus at two")));
    front.stop();
    let export = sandbox.must(&["ledger", "export"]);
    assert!(export.contains("\"provider\":\"one\"") && export.contains("\"provider\":\"two\""), "{export}");
}

#[test]
fn where_all_is_out_a_request_waits_as_long_as_it_may() {
    let tries = Arc::new(Mutex::new(0));
    let count = Arc::clone(&tries);
    let cloud = Cloud::start(0, move |_| {
        let mut tries = count.lock().unwrap();
        *tries += 1;
        // Not before it is well again; one call that tries before its time keeps it shut.
        if *tries <= 2 { (500, String::new(), b"{}".to_vec()) } else { answer("") }
    });
    let setup = two(&cloud, "patience = \"20s\"");
    let sandbox = Sandbox::new(&setup);
    std::fs::write(sandbox.path().join("main.key"), "azure-key-never-to-be-seen").unwrap();
    let front = sandbox.serve(&setup);
    let ask = || messages("claude-opus-4-6", false).send(front.address()).status();
    assert_eq!((ask(), ask()), (500, 500), "the second tries before its time");
    let others: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        asked.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(others, [200; 4], "they wait for the one that tries");
    front.stop();
}

/// A key that is refused says more of its account than a lack of room: five clients would lose their requests before anybody asked
/// the account that works.
#[test]
fn an_account_whose_key_is_refused_is_followed_by_the_next_and_the_client_hears_nothing_of_it() {
    for (status, error) in [
        (401, json!({"type": "authentication_error", "message": "invalid x-api-key"})),
        (400, json!({"type": "invalid_request_error", "message": "Your credit balance is too low"})),
        (400, json!({"type": "invalid_request_error", "message": "This organization has been disabled."})),
        (
            403,
            json!({"type": "permission_error", "message": "Key limit exceeded (monthly limit). Manage it using .."}),
        ),
        (
            403,
            json!({"type": "permission_error", "message": "OAuth token has been revoked. Please obtain a new token."}),
        ),
        (
            403,
            json!({"type": "permission_error", "message": "Your account has been flagged for potential abuse."}),
        ),
        (
            412,
            json!({"type": "invalid_request_error", "message": "Account x is suspended, possibly due to its spending limit"}),
        ),
    ] {
        let cloud = Cloud::start(0, move |came| {
            if account(came) == "main" {
                let body = json!({"type": "error", "error": error});
                return (status, String::new(), body.to_string().into_bytes());
            }
            answer("")
        });
        let (setup, sandbox) = setup(&cloud, "");
        let front = sandbox.serve(&setup);
        for _ in 0..2 {
            let answer = messages("claude-opus-4-6", false).send(front.address());
            assert_eq!((answer.status(), answer.said().as_str()), (200, "Tomorrow."), "{}", answer.text());
        }
        let called: Vec<String> = cloud.seen("/v1/messages").iter().map(account).collect();
        assert_eq!(called, ["main", "spare", "spare"], "the one that was refused is left alone");
        front.stop();
    }
}

/// One such prompt each 15 s would send everybody to the dearer rung, and be sent, and charged for, once per account.
#[test]
fn a_prompt_that_is_refused_for_what_it_says_closes_no_account_and_is_sent_once() {
    let cloud = Cloud::start(0, |came| {
        let refuse = |status: u16, message: &str| {
            let body =
                json!({ "type": "error", "error": { "type": "invalid_request_error", "message": message } });
            (status, String::new(), body.to_string().into_bytes())
        };
        match String::from_utf8_lossy(&came.body) {
            text if text.contains("bad words") => {
                refuse(403, "Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE")
            }
            text if text.contains("no such value") => refuse(
                400,
                "Invalid value: 'billing hard limit has been reached'. Supported values are: 'a'.",
            ),
            text if text.contains("too much") => refuse(
                403,
                "The sum of the input token count and max_tokens parameter must be less than the context length of the model being queried.",
            ),
            text if text.contains("a container") => refuse(403, "You do not have access to container cntr_1"),
            text if text.contains("no tools") => refuse(404, "No endpoints found that support tool use."),
            text if text.contains("a model") => refuse(403, "Project does not have access to this model"),
            _ => answer(""),
        }
    });
    let (setup, sandbox) = setup(&cloud, "");
    let front = sandbox.serve(&setup);
    let ask = |text: &str| {
        let body = json!({ "model": "claude-opus-4-6", "max_tokens": 9,
            "messages": [{ "role": "user", "content": text }] });
        let answer = Ask::post("/v1/messages", &body).send(front.address());
        (answer.status(), answer.text())
    };
    for (text, status, says) in [
        ("bad words", 403, "usage guidelines"),
        ("no such value", 400, "Invalid value"),
        ("too much", 400, "context length"),
        ("a container", 403, "cntr_1"),
        ("no tools", 404, "tool use"),
        ("a model", 502, "access"),
    ] {
        let before = cloud.seen("/v1/messages").len();
        let (told, message) = ask(text);
        assert_eq!(told, status, "{message}");
        assert!(message.contains(says) && !message.contains("own key"), "{message}");
        assert_eq!(cloud.seen("/v1/messages").len(), before + 1, "another account is not asked: {text}");
        assert_eq!(ask("hello").0, 200);
        let last = cloud.seen("/v1/messages").last().map(account);
        assert_eq!(last.as_deref(), Some("main"), "no account is left alone for it: {text}");
    }
}

/// Who writes a limit of its own and a fallback wants the rest to go there, not back to the client.
#[test]
fn a_provider_at_the_operators_own_limit_falls_to_another_as_well() {
    let cloud = Cloud::start(0, |_| answer(""));
    let setup = two(&cloud, "fallback = \"two\"\nlimits = { requests_per_minute = 1 }");
    let sandbox = Sandbox::new(&setup);
    std::fs::write(sandbox.path().join("main.key"), "azure-key-never-to-be-seen").unwrap();
    let front = sandbox.serve(&setup);
    for _ in 0..3 {
        let said = messages("claude-opus-4-6", false).send(front.address());
        assert_eq!(said.status(), 200, "{}", said.text());
    }
    let called: Vec<String> = cloud.seen("/v1/messages").iter().map(|came| came.target.clone()).collect();
    assert_eq!(called, ["/one/v1/messages", "/two/v1/messages", "/two/v1/messages"]);
    front.stop();
}

/// One client whose prompts are too long for the tier would keep everybody else waiting, a second for each.
#[test]
fn a_429_about_one_requests_size_keeps_nobody_waiting_and_is_told_as_too_large() {
    let cloud = Cloud::start(0, |came| {
        if !String::from_utf8_lossy(&came.body).contains("Too long a prompt") {
            return answer("");
        }
        let message = "Extra usage is required for long context requests.";
        let body = json!({"type": "error", "error": {"type": "rate_limit_error", "message": message}});
        (429, String::new(), body.to_string().into_bytes())
    });
    let setup = two(&cloud, "");
    let sandbox = Sandbox::new(&setup);
    std::fs::write(sandbox.path().join("main.key"), "azure-key-never-to-be-seen").unwrap();
    let front = sandbox.serve(&setup);
    for _ in 0..3 {
        let body = json!({"model": "claude-opus-4-6", "max_tokens": 9, "messages": [{"role": "user", "content": "Too long a prompt"}]});
        let refused = Ask::post("/v1/messages", &body).send(front.address());
        assert_eq!((refused.status(), refused.header("retry-after")), (413, None), "{}", refused.text());
        assert_eq!(
            messages("claude-opus-4-6", false).send(front.address()).status(),
            200,
            "others are served at once"
        );
    }
    front.stop();
}

/// A client took the gateway's key for its own, and an account at its limit was not left for the next.
#[test]
fn what_is_said_in_the_place_of_an_answer_is_judged_as_a_status_is() {
    for (kind, status) in [("rate_limit_error", "rate_limited"), ("authentication_error", "failed")] {
        for stream in [false, true] {
            let cloud = Cloud::start(0, move |came| match account(came).as_str() {
                "main" => whole(&json!({ "type": "error", "error": { "type": kind, "message": "full" } })),
                _ => answer(""),
            });
            let (setup, sandbox) = setup(&cloud, "");
            let front = sandbox.serve(&setup);
            let said = messages("claude-opus-4-6", stream).send(front.address());
            assert!(said.status() == 200 && said.text().contains("Tomorrow."), "{kind}: {}", said.text());
            let called: Vec<String> = cloud.seen("/v1/messages").iter().map(account).collect();
            assert_eq!(called, ["main", "spare"], "{kind} {stream}");
            front.stop();
            let rows = sandbox.ledger();
            let attempts: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
            assert_eq!(attempts, [status, "ok"], "{kind} {stream}");
        }
    }
    let cloud = Cloud::start(0, |_| {
        whole(&json!({ "type": "error", "error": { "type": "authentication_error", "message": "no" } }))
    });
    let (setup, sandbox) = setup(&cloud, "");
    let front = sandbox.serve(&setup);
    let said = messages("claude-opus-4-6", false).send(front.address());
    assert!(said.status() == 502 && said.text().contains("the gateway's own key"), "{}", said.text());
    front.stop();
}
