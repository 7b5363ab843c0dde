//! A route's fallback: asked when every rung failed, serving when none can be called; from the client to the feed and the replay.

use serde_json::{Value, json};

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
