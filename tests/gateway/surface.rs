//! What stands around an answer: headers that say what was decided and spent, the comment behind a stream, the list of
//! models, health, feedback, and the word SIMULATED.

use serde_json::json;

use crate::client::{Ask, Line};
use crate::front::{Sandbox, Setup};
use crate::stage::{Speaks, chat, nothing_held};
use crate::upstream::Upstream;

#[test]
fn every_answer_says_what_was_decided_and_what_it_cost() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for speaks in Speaks::ALL {
        for model in ["auto", "auto/everything", "gpt-4.1"] {
            let answer = speaks.ask(model, false).send(front.address());
            for name in ["operation", "model", "rung", "reason", "policy", "cost-usd"] {
                assert!(
                    answer.header(&format!("pointsman-{name}")).is_some(),
                    "{model}: no pointsman-{name}"
                );
            }
            assert!(answer.header("pointsman-simulated").is_none());
            let stream = speaks.ask(model, true).send(front.address());
            assert!(stream.header("pointsman-cost-usd").is_none(), "nobody knows it before the end");
            let comments: Vec<_> = stream.events().into_iter().filter(|(name, _)| name == ":").collect();
            assert_eq!(comments.len(), 1, "{comments:?}");
            assert!(comments[0].1.starts_with("pointsman-cost-usd 0.0"), "{comments:?}");
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    assert!(rows.iter().all(|row| row.simulated.is_empty() && row.kind == "known"));
}

#[test]
fn health_models_and_feedback() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(Ask::get(path).send(front.address()).status(), 200, "{path}");
    }
    let models = Ask::get("/v1/models").send(front.address()).json();
    let ids: Vec<&str> =
        models["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    for id in ["auto", "auto/everything", "gpt-4.1", "gpt-4.1-nano"] {
        assert!(ids.contains(&id), "{id} is not in {ids:?}");
    }
    let answer = chat("auto", false).send(front.address());
    let operation = answer.header("pointsman-operation").unwrap();
    let feedback = |body| Ask::post("/v1/feedback", &body).send(front.address()).status();
    assert_eq!(feedback(json!({"operation": operation, "quality": 0.9})), 200);
    assert_eq!(feedback(json!({"operation": operation, "good": false})), 200);
    assert_eq!(feedback(json!({"operation": "op-nobody", "quality": 1})), 404);
    assert_eq!(feedback(json!({"operation": operation, "quality": 7})), 400);
    front.settle();
    let log = sandbox.must(&["ledger", "export"]);
    let judged = log.matches(r#"{"event":"label""#).count();
    assert_eq!(judged, 2, "the judgements are not in the log: {log}");
}

#[test]
fn a_web_page_cannot_reach_a_gateway_that_asks_for_no_key() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let wire = String::from_utf8(chat("gpt-4.1", false).wire()).unwrap();
    for foreign in [
        wire.replace("host: localhost", "host: evil.example"),
        wire.replace("host: localhost", "host: localhost\r\norigin: https://evil.example"),
    ] {
        let mut line = Line::open(front.address());
        line.write(foreign.as_bytes()).unwrap();
        assert_eq!(line.answer().unwrap().status(), 403, "{foreign}");
    }
    assert_eq!(upstream.served().len(), 0);
}

#[test]
fn what_is_made_up_says_so_everywhere() {
    let mut setup = Setup::of("http://127.0.0.1:9");
    setup.providers = "[simulated]\nspeed = 0\n".to_owned();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        let answer = chat("auto", stream).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        assert_eq!(answer.header("pointsman-simulated"), Some("true"));
        assert!(!answer.said().is_empty());
    }
    assert!(front.said().contains("SIMULATED"), "{}", front.said());
    let rows = front.settle();
    assert!(rows.iter().all(|row| !row.simulated.is_empty()), "{rows:#?}");
}

#[test]
fn what_a_model_does_not_take_is_named_in_the_answer_and_the_log() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let body = json!({"model": "gpt-4.1", "max_tokens": 9, "top_k": 3, "speed": "fast",
        "messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "Be brief."}]});
    let answer = Ask::post("/v1/messages", &body).send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let said = answer.header("pointsman-left-out").unwrap();
    let mut names: Vec<&str> = said.split(", ").collect();
    names.sort_unstable();
    assert_eq!(names, ["speed", "top_k"]);
    assert!(chat("gpt-4.1", false).send(front.address()).header("pointsman-left-out").is_none());
    // By these words Anthropic's libraries send the whole conversation instead of building on one that is kept.
    let mut thread = body;
    thread["thread"] = json!({"type": "create"});
    let refused = Ask::post("/v1/messages", &thread).send(front.address());
    assert_eq!(refused.status(), 400);
    assert_eq!(refused.json()["error"]["details"], json!({"error_code": "thread_unsupported_request"}));
    nothing_held(&front);
    front.settle();
    let log = sandbox.must(&["ledger", "export"]);
    assert!(log.contains(r#""left_out":["#) && log.contains("top_k"), "{log}");
}
