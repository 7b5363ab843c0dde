//! Service tiers: which one is asked for, which one is told, and which one is charged.

use std::fs;

use serde_json::{Value, json};

use crate::client::Ask;
use crate::front::Sandbox;
use crate::replayed::pico;
use crate::rungs::{chat, follow, read, replay, save, setup};
use crate::upstream::{Reply, Upstream};

#[test]
fn the_price_of_a_tier_that_a_rung_asks_for_is_that_of_the_tier_where_the_answer_is_silent() {
    let policy = r#"
name = "tiers"

[[route]]
name = "everything"
ladder = [{ model = "gpt-5.2", with = { service_tier = "flex" } }]
"#;
    let upstream = Upstream::start();
    let setup = setup(&upstream, policy);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let flex = chat(&json!({})).send(front.address());
    let messages =
        json!({"model": "auto", "max_tokens": 100, "messages": [{"role": "user", "content": "x"}]});
    let translated = Ask::post("/v1/messages", &messages).send(front.address());
    let own = chat(&json!({"model": "gpt-5.2"})).send(front.address());
    let lines = read(&mut feed, 3);
    assert!(upstream.served()[..2].iter().all(|served| served.call.body["service_tier"] == "flex"));
    assert_eq!(
        upstream.served()[2].call.body.get("service_tier"),
        None,
        "a model that is named gets what it got"
    );
    for (answer, kind) in [(&flex, "estimated"), (&translated, "estimated"), (&own, "known")] {
        assert_eq!(answer.header("pointsman-cost-kind"), Some(kind), "{}", answer.text());
    }
    let tiers: Vec<bool> = lines
        .iter()
        .filter(|line| line.get("id").is_some())
        .map(|line| line.to_string().contains("flex"))
        .collect();
    assert_eq!(tiers, [true, true, false]);
    front.settle();
    // What was not asked is estimated at the price of the tier that a rung would ask for.
    save(&sandbox, &lines);
    let estimated = |rung: &str| {
        let policy =
            format!("[[route]]\nname = \"everything\"\nmode = \"active\"\nladder = [{{ {rung} }}]\n");
        fs::write(sandbox.path().join("other.toml"), policy).unwrap();
        let args = ["replay", "live.jsonl", "--as", "routed", "--policy", "other.toml", "--format", "json"];
        let report: Value = serde_json::from_str(&sandbox.must(&args)).unwrap();
        assert_eq!(report["estimated_requests"], 3, "{report}");
        pico(&report["cost_estimated_usd"])
    };
    let flex = estimated(r#"model = "gpt-5-mini", with = { service_tier = "flex" }"#);
    assert!(flex > 0);
    assert_eq!(estimated(r#"model = "gpt-5-mini""#), 2 * flex);
}

#[test]
fn a_tier_that_was_only_asked_for_gives_an_estimate_and_one_that_the_answer_names_is_known() {
    let upstream = Upstream::start();
    let setup = setup(&upstream, crate::front::POLICY);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let mut feed = follow(&front);
    let named = json!({"id": "c", "object": "chat.completion", "model": "gpt-5.2", "service_tier": "priority",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 100}});
    let mut silent = named.clone();
    silent.as_object_mut().unwrap().remove("service_tier");
    let mut kinds = Vec::new();
    for (answer, asked) in
        [(&named, "priority"), (&silent, "priority"), (&silent, "default"), (&named, "auto")]
    {
        let own = json!({"model": "gpt-5.2", "service_tier": asked});
        upstream.push(Reply::json(answer));
        let whole = chat(&own).send(front.address());
        // The table passes the tier from one of OpenAI's dialects to the other.
        upstream.push(Reply::json(answer));
        let body = json!({"model": "gpt-5.2", "input": "x", "service_tier": asked, "stream": true});
        let streamed = Ask::post("/v1/responses", &body).send(front.address());
        assert_eq!((whole.status(), streamed.status()), (200, 200), "{}", streamed.text());
        kinds.push(whole.header("pointsman-cost-kind").unwrap().to_owned());
    }
    assert_eq!(kinds, ["known", "estimated", "known", "known"]);
    let lines = read(&mut feed, 8);
    front.settle();
    save(&sandbox, &lines);
    let replayed = replay(&sandbox, "recorded");
    assert_eq!(replayed["estimated_requests"], 2, "{replayed}");
}

/// Google downgrades who asked for more than there is, and tells so in a header alone.
#[test]
fn the_tier_that_a_header_names_is_the_one_that_is_charged() {
    let upstream = Upstream::start();
    let setup = setup(&upstream, crate::front::POLICY);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let whole = json!({"candidates": [{"content": {"parts": [{"text": "hi"}], "role": "model"}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 200, "totalTokenCount": 1200}});
    let ask = |asked: Option<&str>, served: Option<&str>| {
        let reply = Reply::json(&whole);
        upstream
            .push(served.into_iter().fold(reply, |reply, tier| reply.header("x-gemini-service-tier", tier)));
        let mut own = json!({"model": "gemini-2.5-flash"});
        own.as_object_mut().unwrap().extend(asked.map(|tier| ("service_tier".to_owned(), json!(tier))));
        let answer = chat(&own).send(front.address());
        let header = |name| answer.header(name).unwrap_or_default().to_owned();
        (header("pointsman-cost-kind"), header("pointsman-cost-usd"))
    };
    let plain = ask(None, None);
    assert_eq!(plain.0, "known");
    assert_eq!(ask(Some("priority"), Some("standard")), plain);
    let flex = ask(None, Some("flex"));
    assert!(flex.0 == "known" && flex.1 != plain.1, "{flex:?}");
    assert_eq!(ask(Some("priority"), Some("flex")), flex);
    front.settle();
    sandbox.check();
}
