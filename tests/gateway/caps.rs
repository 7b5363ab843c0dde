//! Caps on calls and what goes up a ladder: a model that was full when a request arrived is asked all the same when the one
//! below it fails, and replays of the log say so, too.

use serde_json::{Value, json};

use crate::client::{Ask, Line};
use crate::front::{Sandbox, Setup};
use crate::stage::{chat, nothing_held};
use crate::upstream::{At, Fault, Reply, Upstream};

#[test]
fn what_fails_goes_up_to_a_model_that_was_full_when_it_arrived() {
    let upstream = Upstream::with(|call| match (&*call.model, call.body["user"].as_str()) {
        ("gpt-4.1-nano", _) => Reply::status(500),
        (_, Some("first")) => Reply::fault(At::BeforeHeaders, Fault::Stall),
        _ => Reply::text("here"),
    });
    let policy = r#"
[model."gpt-4.1"]
max_in_flight = 1
[[route]]
name = "rest"
ladder = [
  { rung = "small", model = "gpt-4.1-nano", threshold = 0 },
  { rung = "middle", model = "gpt-4.1", threshold = 0 },
  { rung = "large", model = "claude-opus-4-6" },
]
no_signal = "small"
"#;
    let mut setup = Setup::of(&upstream.url());
    policy.clone_into(&mut setup.policy);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut first = Line::open(front.address());
    let body = json!({"model": "gpt-4.1", "user": "first", "messages": [{"role": "user", "content": "x"}]});
    first.write(&Ask::post("/v1/chat/completions", &body).wire()).unwrap();
    upstream.wait("the first is under way", |state| state.busy() == 1);
    for stream in [false, true] {
        let second = chat("auto", stream).send(front.address());
        assert_eq!((second.status(), second.said().as_str()), (200, "here"), "{}", second.text());
        assert_eq!(second.header("pointsman-rung"), Some("middle"));
    }
    upstream.release_until("the first is answered", |state| state.busy() == 0);
    assert_eq!(first.answer().unwrap().status(), 200);
    nothing_held(&front);
    front.settle();
    std::fs::write(sandbox.path().join("live.jsonl"), sandbox.must(&["ledger", "export"])).unwrap();
    let replay = |reading: &str| -> Value {
        let args = ["replay", "live.jsonl", "--as", reading, "--format", "json"];
        serde_json::from_str(&sandbox.must(&args)).unwrap()
    };
    let (recorded, routed) = (replay("recorded"), replay("routed"));
    for key in ["cost_usd", "errors", "escalated", "calls"] {
        assert_eq!(recorded[key], routed[key], "{key}");
    }
    assert_eq!((&routed["escalated"], &routed["errors"]), (&json!(2), &json!(0)));
}
