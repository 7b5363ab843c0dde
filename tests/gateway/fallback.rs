//! A route's fallback: asked when every rung failed, serving when none can be called; from the client to the feed and the replay.

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::{Sandbox, Setup};
use crate::replayed::pico;
use crate::rungs::{chat, follow, read, replay, save};
use crate::upstream::{Reply, Upstream};

const FALLBACK: &str = r#"
name = "fallback"

[[route]]
name = "everything"
ladder = [
  { rung = "spare", model = "gemini-2.5-flash", fallback = true },
  { rung = "small", model = "gpt-4.1-nano", threshold = 900 },
  { rung = "large", model = "gpt-4.1" },
]
"#;

#[test]
fn a_fallback_is_asked_when_every_rung_failed_and_serves_when_none_can_be_called() {
    let upstream = Upstream::with(|call| {
        if call.model.starts_with("gemini") { Reply::text("from the spare one") } else { Reply::status(500) }
    });
    let breaker = "breaker = { failures = 3, window = \"60s\", cool_down = \"60s\" }";
    let setup = Setup { policy: FALLBACK.to_owned(), ..Setup::with(&upstream.url(), breaker) };
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let ask = |confidence: &str| {
        let answer = chat(&json!({})).header("pointsman-confidence", confidence).send(front.address());
        assert_eq!(
            (answer.status(), answer.said().as_str()),
            (200, "from the spare one"),
            "{}",
            answer.text()
        );
        assert_eq!(answer.header("pointsman-rung"), Some("spare"));
        answer.header("pointsman-reason").unwrap_or_default().to_owned()
    };
    let asked = 8;
    let reasons: Vec<String> = (0..asked).map(|_| ask("950")).collect();
    assert!(reasons[0].starts_with("escalated"), "{reasons:#?}");
    let last = reasons.last().unwrap();
    assert!(last.starts_with("fallback: no other rung may serve it now"), "{reasons:#?}");
    let lines = read(&mut feed, asked);
    save(&sandbox, &lines);
    let models = |line: &Value| -> Vec<String> {
        let all = line["attempts"].as_array().cloned().unwrap_or_else(|| vec![line.clone()]);
        all.iter().filter_map(|call| call["model"].as_str().map(str::to_owned)).collect()
    };
    let requests: Vec<&Value> = lines.iter().filter(|line| line.get("id").is_some()).collect();
    assert_eq!(models(requests[0]), ["gpt-4.1-nano", "gpt-4.1", "gemini-2.5-flash"]);
    assert_eq!(models(requests[asked - 1]), ["gemini-2.5-flash"], "nobody else is bothered");
    let why = sandbox.must(&["why", "live.jsonl", requests[0]["id"].as_str().unwrap()]);
    assert!(why.contains("down to spare (gemini-2.5-flash)"), "{why}");
    let why = sandbox.must(&["why", "live.jsonl", requests[asked - 1]["id"].as_str().unwrap()]);
    assert!(why.contains("the fallback spare") && why.contains("could not be called then"), "{why}");
    front.settle();
    sandbox.check();
    let (recorded, routed) = (replay(&sandbox, "recorded"), replay(&sandbox, "routed"));
    assert_eq!(pico(&recorded["cost_known_usd"]), pico(&routed["cost_known_usd"]));
    assert_eq!((&routed["estimated_requests"], &routed["requests"]), (&json!(0), &json!(asked)));
    assert_eq!(recorded["attempts"], routed["attempts"]);
}

fn status(status: u16, message: &str, code: &str) -> Reply {
    let error = json!({"error": {"message": message, "type": "invalid_request_error", "code": code}});
    Reply { status, ..Reply::json(&error) }
}

/// What a provider says of itself, or of its account, is no fault of the request: another may serve it.
#[test]
fn a_provider_that_cannot_serve_here_or_now_is_passed_over_whatever_its_status() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for code in [409, 410, 421, 423, 424, 425, 449, 498] {
        upstream.push(Reply::status(code));
        let answer = chat(&json!({})).send(front.address());
        assert_eq!(
            (answer.status(), answer.header("pointsman-model")),
            (200, Some("gpt-4.1")),
            "{code}: {}",
            answer.text()
        );
    }
    for (message, code) in [
        ("API key not valid. Please pass a valid API key.", "API_KEY_INVALID"),
        ("Your credit balance is too low to access the Anthropic API.", "invalid_request_error"),
        ("Billing hard limit has been reached", "billing_hard_limit_reached"),
    ] {
        upstream.push(status(400, message, code));
        let answer = chat(&json!({})).send(front.address());
        assert_eq!(answer.header("pointsman-model"), Some("gpt-4.1"), "{message}: {}", answer.text());
        upstream.push(status(400, message, code));
        let answer = chat(&json!({"model": "gpt-4.1"})).send(front.address());
        assert_eq!(answer.status(), 502, "a client would look for a fault of its own: {}", answer.text());
        assert!(answer.text().contains("refused the gateway's own key"), "{}", answer.text());
    }
    for code in [451, 499] {
        upstream.push(Reply::status(code));
        let answer = chat(&json!({})).send(front.address());
        assert_eq!(answer.status(), code, "what speaks of the request itself ends it: {}", answer.text());
    }
}

/// Servers that check bodies repeat them in what they say is wrong.
#[test]
fn what_a_provider_repeats_of_a_prompt_reaches_the_client_and_no_file() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let secret = "My account number is 4711 0815 2342, and I live in the house with the green door.";
    upstream.push(status(
        400,
        &format!("Input should be a valid list, input: {secret:?}"),
        "BadRequestError",
    ));
    let body = json!({"model": "gpt-4.1", "messages": [{"role": "user", "content": secret}]});
    let answer = Ask::post("/v1/chat/completions", &body).send(front.address());
    assert!(answer.status() == 400 && answer.text().contains("green door"), "{}", answer.text());
    let lines = read(&mut feed, 1);
    assert!(!lines.iter().any(|line| line.to_string().contains("green door")), "{lines:#?}");
    drop(feed);
    let rows = front.settle();
    assert!(rows[0].error.contains("Input should be a valid list"), "{rows:#?}");
    assert!(!rows[0].error.contains("green door") && !rows[0].error.contains("4711"), "{rows:#?}");
}

/// As HTTP 529 and 429 do, it costs nothing: nothing was worked on.
#[test]
fn what_an_overloaded_provider_says_within_a_good_status_costs_nothing() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    upstream.push(Reply::json(
        &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ));
    let body = json!({"model": "claude-opus-4-6", "max_tokens": 100, "messages": [{"role": "user", "content": "x"}]});
    let answer = Ask::post("/v1/messages", &body).send(front.address());
    assert_eq!(answer.status(), 529, "{}", answer.text());
    let rows = front.settle();
    assert_eq!((rows[0].amount, rows[0].kind.as_str()), (Some(0), "known"), "{rows:#?}");
}

/// A rung that serves Responses alone would refuse every chat client whose confidence is low, though the rung below can serve it, and
/// tell an outage of that one as a fault of the request.
#[test]
fn a_rung_that_cannot_be_asked_in_the_clients_form_is_passed_over_and_a_replay_knows_it() {
    let upstream = Upstream::start();
    let policy = r#"
name = "forms"

[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 900 },
  { rung = "large", model = "gpt-5.1-codex" },
]
"#;
    let mut setup = Setup { policy: policy.to_owned(), ..Setup::of(&upstream.url()) };
    setup.providers =
        setup.providers.replace("name = \"up-chat\"\n", "name = \"up-chat\"\nresponses = true\n");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let ask = || chat(&json!({})).header("pointsman-confidence", "100").send(front.address());
    let answer = ask();
    assert_eq!((answer.status(), answer.header("pointsman-rung")), (200, Some("small")), "{}", answer.text());
    let body = json!({"model": "auto", "input": "What is due?"});
    let responses =
        Ask::post("/v1/responses", &body).header("pointsman-confidence", "100").send(front.address());
    assert_eq!(responses.header("pointsman-rung"), Some("large"), "{}", responses.text());
    upstream.push(Reply::status(500));
    upstream.push(Reply::status(500));
    let down = ask();
    assert_eq!(down.status(), 500, "an outage is told as one: {}", down.text());
    let lines = read(&mut feed, 3);
    save(&sandbox, &lines);
    let requests: Vec<&Value> = lines.iter().filter(|line| line.get("id").is_some()).collect();
    let why = sandbox.must(&["why", "live.jsonl", requests[0]["id"].as_str().unwrap()]);
    assert!(why.contains("cannot be asked in the form of the request"), "{why}");
    front.settle();
    sandbox.check();
    let (recorded, routed) = (replay(&sandbox, "recorded"), replay(&sandbox, "routed"));
    assert_eq!(recorded["attempts"], routed["attempts"]);
    assert_eq!(routed["estimated_requests"], json!(0), "all were decided as they were: {routed}");
}
