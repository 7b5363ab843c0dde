//! Streams as their clients live through them: heads and signs of life while a model thinks, one message however many
//! models were asked, an end when it is the end, and limits on how slow one may be.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Line};
use crate::front::{Front, Sandbox, Setup};
use crate::stage::{MODELS, Sees, Speaks, all_lawful, chat, ends_well, hold, messages, nothing_held};
use crate::upstream::{At, End, Fault, Pace, Reply, Upstream};

/// Signs of life come soon, so that a test need not wait for them.
const SOON: &str = "[streams]\ngrace-ms = 20\npatience-ms = 60\nping-ms = 30\n";

/// Sends a request and reads until something has come so often.
fn until(front: &Front<'_>, ask: &Ask, what: &str, times: usize) -> (Line, crate::client::Head, Vec<u8>) {
    let mut line = Line::open(front.address());
    line.write(&ask.wire()).unwrap();
    let head = line.head().unwrap();
    let mut seen = Vec::new();
    while String::from_utf8_lossy(&seen).matches(what).count() < times {
        let chunk = line.chunk().unwrap();
        assert!(!chunk.is_empty(), "it ended before: {}", String::from_utf8_lossy(&seen));
        seen.extend(chunk);
    }
    (line, head, seen)
}

fn rest(mut line: Line, head: crate::client::Head, seen: Vec<u8>) -> Answer {
    let answer = line.finish(head);
    Answer { body: [seen, answer.body].concat(), ..answer }
}

fn ping(speaks: Speaks) -> &'static str {
    match speaks {
        Speaks::Chat => ": ping\n\n",
        Speaks::Messages => "event: ping\n",
    }
}

#[test]
fn while_a_model_thinks_its_client_has_the_head_and_signs_of_life() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway(SOON);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    // Without a head, between head and body, and behind the first event, which says nothing yet.
    for at in [At::BeforeHeaders, At::AfterHeaders, At::Frame(1)] {
        for model in MODELS {
            for speaks in Speaks::ALL {
                upstream.push(Reply::fault(at, Fault::Stall));
                let (line, head, seen) = until(&front, &speaks.ask(model, true), ping(speaks), 3);
                assert_eq!(head.get("content-type"), Some("text/event-stream; charset=utf-8"));
                upstream.release_until("the answer is whole", |state| state.busy() == 0);
                let what = format!("{at:?} {model} {speaks:?}");
                let answer = rest(line, head, seen);
                hold(&what, speaks, true, Sees::Whole, &answer, &Reply::default().whole_text());
            }
        }
    }
    nothing_held(&front);
    all_lawful(&front.settle(), &upstream.served());
}

/// Counts what begins a message.
fn beginnings(answer: &Answer) -> usize {
    let begins = |chunk: &Value| {
        chunk["type"] == "message_start"
            || chunk.pointer("/choices/0/delta/role").is_some_and(Value::is_string)
    };
    answer.chunks().iter().filter(|chunk| begins(chunk)).count()
}

#[test]
fn after_the_head_a_failure_still_goes_to_another_model_and_the_client_is_told_one_message() {
    let upstream = Upstream::start();
    let limits = r#"timeouts = { connect = "5s", first_byte = "1s", idle = "1s", total = "30s" }"#;
    let setup = Setup::with(&upstream.url(), limits).gateway(SOON);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for at in [At::BeforeHeaders, At::AfterHeaders, At::Frame(1)] {
        for speaks in Speaks::ALL {
            upstream.push(Reply::fault(at, Fault::Stall));
            let answer = speaks.ask("auto", true).send(front.address());
            let what = format!("{at:?} {speaks:?}");
            hold(&what, speaks, true, Sees::Whole, &answer, &Reply::default().whole_text());
            assert_eq!(beginnings(&answer), 1, "{what}: {}", answer.text());
            assert_eq!(ids(&answer).len(), 1, "{what}: {}", answer.text());
            assert!(answer.text().contains(ping(speaks)), "{what}: {}", answer.text());
            // The head named the model that was being asked; who answered comes at the end.
            assert_eq!(answer.header("pointsman-model"), Some("gpt-4.1-nano"), "{what}");
            assert!(answer.text().contains(": pointsman-model gpt-4.1\n"), "{what}: {}", answer.text());
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    let models: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    assert_eq!(models, ["gpt-4.1-nano", "gpt-4.1"].repeat(6));
    all_lawful(&rows, &upstream.served());
}

/// Returns the ids by which a message goes in its events.
fn ids(answer: &Answer) -> std::collections::BTreeSet<String> {
    let id = |chunk: &Value| {
        let places = ["/id", "/message/id", "/response/id"];
        places.iter().find_map(|place| chunk.pointer(place)?.as_str().map(str::to_owned))
    };
    answer.chunks().iter().filter_map(id).collect()
}

#[test]
fn how_a_message_begins_is_told_while_its_model_still_thinks() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url()).gateway(SOON);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    // Gemini has no event for that.
    for model in ["gpt-4.1", "claude-opus-4-6", "mistral-small-2503"] {
        for (speaks, begins) in
            [(Speaks::Chat, "\"role\":\"assistant\""), (Speaks::Messages, "event: message_start")]
        {
            upstream.push(Reply::fault(At::Frame(1), Fault::Stall));
            let (line, head, seen) = until(&front, &speaks.ask(model, true), begins, 1);
            upstream.release_until("the answer is whole", |state| state.busy() == 0);
            let what = format!("{model} {speaks:?}");
            let answer = rest(line, head, seen);
            hold(&what, speaks, true, Sees::Whole, &answer, &Reply::default().whole_text());
            assert_eq!((beginnings(&answer), ids(&answer).len()), (1, 1), "{what}: {}", answer.text());
        }
    }
    nothing_held(&front);
    all_lawful(&front.settle(), &upstream.served());
}

#[test]
fn a_response_that_has_begun_goes_on_under_its_id_and_numbers_whoever_answers() {
    let upstream = Upstream::start();
    let limits = r#"timeouts = { connect = "5s", first_byte = "1s", idle = "1s", total = "30s" }"#;
    let setup = Setup::with(&upstream.url(), limits).gateway(SOON);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let body = json!({"model": "auto", "stream": true, "input": "What is due, and when?"});
    upstream.push(Reply::fault(At::Frame(1), Fault::Stall));
    let answer = crate::client::Ask::post("/v1/responses", &body).send(front.address());
    assert_eq!(answer.status(), 200, "{}", answer.text());
    let chunks = answer.chunks();
    let kinds: Vec<&str> = chunks.iter().filter_map(|chunk| chunk["type"].as_str()).collect();
    let so_often = |kind: &str| kinds.iter().filter(|found| **found == kind).count();
    assert_eq!((so_often("response.created"), so_often("response.completed")), (1, 1), "{kinds:?}");
    let numbers: Vec<u64> = chunks.iter().filter_map(|chunk| chunk["sequence_number"].as_u64()).collect();
    assert!(numbers.is_sorted() && numbers.first() == Some(&0), "{numbers:?}");
    let told = ids(&answer);
    assert_eq!(told.len(), 1, "{}", answer.text());
    assert!(answer.text().contains(": pointsman-model gpt-4.1\n"), "{}", answer.text());
    // What the client knows it by is no id of the provider's.
    let id = told.into_iter().next().unwrap();
    let next = json!({"model": "gpt-4.1", "input": "And then?", "previous_response_id": id});
    let next = crate::client::Ask::post("/v1/responses", &next).send(front.address());
    assert_eq!(next.status(), 400, "{}", next.text());
    assert!(next.text().contains("is kept nowhere"), "{}", next.text());
    nothing_held(&front);
    all_lawful(&front.settle(), &upstream.served());
}

#[test]
fn a_route_that_holds_its_streams_shows_nothing_that_failed_its_check() {
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url()).gateway(SOON);
    setup.policy = limited("hold = true");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let body = json!({"model": "auto", "stream": true, "response_format": {"type": "json_object"},
        "messages": [{"role": "user", "content": "What is due, and when? Answer in JSON."}]});
    let ask = crate::client::Ask::post("/v1/chat/completions", &body);
    let says = |text: &str| Reply { pieces: vec![text.to_owned()], ..Reply::default() };
    let good = r#"{"day":"Monday"}"#;
    // Words where JSON was asked for; a stream that breaks behind its content; one that is good at once.
    for (first, second) in [
        (says("On Monday, I think."), Some(says(good))),
        (Reply { fault: Some((At::Frame(2), Fault::End)), ..says(good) }, Some(says(good))),
        (says(good), None),
    ] {
        let served_by = if second.is_some() { "gpt-4.1" } else { "gpt-4.1-nano" };
        upstream.push(first);
        if let Some(reply) = second {
            upstream.push(reply);
        }
        let answer = ask.send(front.address());
        hold(served_by, Speaks::Chat, true, Sees::Whole, &answer, good);
        assert_eq!((beginnings(&answer), ids(&answer).len()), (1, 1), "{}", answer.text());
    }
    // While its content waits the client has the head, the beginning and signs of life, and no more.
    upstream.push(Reply { fault: Some((At::Frame(2), Fault::Stall)), ..says(good) });
    let (line, head, seen) = until(&front, &ask, ping(Speaks::Chat), 3);
    let before = String::from_utf8_lossy(&seen).into_owned();
    upstream.release_until("the answer is whole", |state| state.busy() == 0);
    let answer = rest(line, head, seen);
    assert!(answer.said() == good && !before.contains("Monday"), "{before}");
    // The last rung is not held: nobody else would be asked.
    nothing_held(&front);
    let rows = front.settle();
    let ended: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
    assert_eq!(ended, ["ok", "ok", "server_error", "ok", "ok", "ok"]);
    all_lawful(&rows, &upstream.served());
}

#[test]
fn where_nobody_answers_after_the_head_the_client_gets_an_error_event_of_its_dialect() {
    let upstream = Upstream::start();
    let limits = r#"timeouts = { connect = "5s", first_byte = "1s", idle = "1s", total = "30s" }"#;
    let setup = Setup::with(&upstream.url(), limits).gateway(SOON);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for speaks in Speaks::ALL {
        upstream.push(Reply::fault(At::BeforeHeaders, Fault::Stall));
        let answer = speaks.ask("gpt-4.1", true).send(front.address());
        assert_eq!((answer.status(), answer.sound), (200, true));
        let chunks = answer.chunks();
        speaks.error(chunks.iter().find(|chunk| chunk.get("error").is_some()).unwrap());
        assert!(!ends_well(&answer) && beginnings(&answer) == 0, "{}", answer.text());
    }
    // Who says no at once is heard with a status of its own.
    upstream.push(Reply::status(500));
    assert_eq!(chat("gpt-4.1", true).send(front.address()).status(), 500);
    nothing_held(&front);
    all_lawful(&front.settle(), &upstream.served());
}

#[test]
fn a_stream_is_over_when_it_says_so_though_its_connection_stays_open() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for model in MODELS {
        for speaks in Speaks::ALL {
            upstream.push(Reply::fault(At::Frame(usize::MAX), Fault::Stall));
            let answer = speaks.ask(model, true).send(front.address());
            hold(model, speaks, true, Sees::Whole, &answer, &Reply::default().whole_text());
        }
    }
    nothing_held(&front);
    upstream.wait("the gateway hung up by itself", |state| state.busy() == 0);
    let rows = front.settle();
    assert!(rows.iter().all(|row| row.status == "ok" && row.kind == "known"), "{rows:#?}");
}

#[test]
fn what_a_stale_connection_did_not_take_is_sent_again_and_is_no_call() {
    let upstream = Upstream::start();
    // One thread, so that the second call takes the connection of the first.
    let setup = Setup::of(&upstream.url()).gateway("threads = 1");
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for fault in [Fault::Reset, Fault::Close] {
        for stream in [false, true] {
            // The first leaves a connection behind, which breaks under the second.
            assert_eq!(chat("gpt-4.1", stream).send(front.address()).status(), 200);
            upstream.wait_idle();
            upstream.push(Reply::fault(At::BeforeHeaders, fault.clone()));
            let answer = chat("gpt-4.1", stream).send(front.address());
            assert_eq!(answer.status(), 200, "{fault:?} {stream}: {}", answer.text());
            assert_eq!(answer.header("pointsman-attempts"), Some("1"));
            upstream.wait_idle();
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(rows.len(), 8);
    assert!(rows.iter().all(|row| row.status == "ok" && row.kind == "known"), "{rows:#?}");
    let made: Vec<_> =
        upstream.served().into_iter().filter(|served| served.end != Some(End::Broken)).collect();
    all_lawful(&rows, &made);
}

#[test]
fn who_hangs_up_on_a_new_connection_may_have_worked_and_has_failed_rather_than_been_slow() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for fault in [Fault::Reset, Fault::Close] {
        upstream.push(Reply::fault(At::BeforeHeaders, fault));
        let answer = chat("gpt-4.1", false).send(front.address());
        assert_eq!(answer.status(), 502, "{}", answer.text());
        assert_eq!(answer.json()["error"]["type"], "server_error");
    }
    nothing_held(&front);
    let rows = front.settle();
    assert!(rows.iter().all(|row| row.status == "server_error" && row.kind == "unknown"), "{rows:#?}");
    assert_eq!(upstream.served().len(), 2, "nothing was sent twice");
}

#[test]
fn what_one_model_cannot_take_another_is_asked() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for status in [400, 413, 422] {
        for stream in [false, true] {
            upstream.push(Reply::status(status));
            let answer = messages("auto", stream).send(front.address());
            assert_eq!(answer.status(), 200, "{status}: {}", answer.text());
            assert_eq!(answer.header("pointsman-model"), Some("gpt-4.1"));
            assert_eq!(answer.header("pointsman-reason"), Some("escalated: unfit for the model"));
        }
    }
    // What nobody takes is told as it was; what is refused for what it says is not offered around.
    upstream.push(Reply::status(400));
    upstream.push(Reply::status(400));
    assert_eq!(chat("auto", false).send(front.address()).status(), 400);
    let body = json!({"error": {"message": "no", "type": "invalid_request_error", "code": "content_policy_violation"}});
    upstream.push(Reply { body: Some(body.to_string().into_bytes()), ..Reply::status(400) });
    assert_eq!(chat("auto", false).send(front.address()).status(), 400);
    nothing_held(&front);
    let rows = front.settle();
    let ended: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
    let pairs = ["unfit", "ok"].repeat(6);
    assert_eq!(ended, [pairs.as_slice(), &["unfit", "unfit", "rejected"]].concat());
    all_lawful(&rows, &upstream.served());
    // A replay decides the same.
    sandbox.must(&["ledger", "export", "-o", "live.jsonl"]);
    let report = sandbox.must(&["replay", "live.jsonl", "--as", "routed", "--format", "json", "--strict"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["requests"], &report["attempts"]), (&json!(8), &json!(rows.len())));
}

#[test]
fn a_refusal_for_quota_without_a_wait_says_so_and_for_how_long_nobody_asks() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    upstream.push(Reply::status(429));
    let answer = chat("gpt-4.1", false).send(front.address());
    assert_eq!(answer.status(), 429);
    assert!(answer.text().contains("sent no Retry-After"), "{}", answer.text());
    assert!(answer.header("retry-after-ms").is_some());
    let next = chat("gpt-4.1", false).send(front.address());
    assert!(next.status() == 200 || next.text().contains("without a Retry-After"), "{}", next.text());
    nothing_held(&front);
    front.settle();
}

/// A ladder whose first rung has to be quick.
fn limited(limits: &str) -> String {
    crate::front::POLICY.replace("threshold = 0 }", &format!("threshold = 0, stream = {{ {limits} }} }}"))
}

#[test]
fn a_stream_that_is_too_slow_goes_to_the_next_rung_or_ends_with_its_own_error() {
    let upstream = Upstream::start();
    // The head waits for longer than these limits do.
    let mut setup = Setup::of(&upstream.url()).gateway("[streams]\ngrace-ms = 20000\npatience-ms = 20000\n");
    setup.policy = limited(r#"first_byte = "400ms", gap = "400ms""#);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for at in [At::BeforeHeaders, At::AfterHeaders, At::Frame(1)] {
        upstream.push(Reply::fault(at, Fault::Stall));
        let answer = chat("auto", true).send(front.address());
        hold(&format!("{at:?}"), Speaks::Chat, true, Sees::Whole, &answer, &Reply::default().whole_text());
        assert_eq!(answer.header("pointsman-model"), Some("gpt-4.1"), "{at:?}");
    }
    upstream.push(Reply::fault(At::Frame(4), Fault::Stall));
    let answer = messages("auto", true).send(front.address());
    hold("in the middle", Speaks::Messages, true, Sees::Broken, &answer, &Reply::default().whole_text());
    assert!(answer.text().contains("(stream.gap of route everything)"), "{}", answer.text());
    // An answer in one piece has no pace.
    let slow = Pace::Drip(Duration::from_millis(1));
    upstream.push(Reply::default().paced(slow));
    assert_eq!(chat("auto", false).send(front.address()).status(), 200);
    nothing_held(&front);
    let rows = front.settle();
    let ended: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
    assert_eq!(ended, ["timeout", "ok", "timeout", "ok", "timeout", "ok", "cut", "ok"]);
    assert!(rows.iter().all(|row| row.kind != "known" || row.status == "ok"));
    // What these limits, or others, would have done is counted over the log.
    sandbox.must(&["ledger", "export", "-o", "live.jsonl"]);
    std::fs::write(sandbox.path().join("strict.toml"), limited(r#"gap = "1h", tokens_per_second = 1000000"#))
        .unwrap();
    let report = sandbox.must(&["replay", "live.jsonl", "--policy", "strict.toml", "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    let row = &report["stream_limits"][0];
    assert_eq!((&row["limit"], &row["value"], &row["cut"]), (&json!("gap"), &json!(3_600_000), &json!(0)));
    assert_eq!(report["stream_limits"][1]["limit"], "tokens_per_second");
    assert_eq!(
        (&row["streams"], &row["unknown"]),
        (&json!(4), &json!(4)),
        "what was cut may have been silent for longer"
    );
    // The limits that really cut these.
    std::fs::write(sandbox.path().join("same.toml"), limited(r#"first_byte = "400ms", gap = "400ms""#))
        .unwrap();
    let report = sandbox.must(&["replay", "live.jsonl", "--policy", "same.toml", "--format", "json"]);
    let report: Value = serde_json::from_str(&report).unwrap();
    for (at, limit) in ["first_byte", "gap"].into_iter().enumerate() {
        let row = &report["stream_limits"][at];
        assert_eq!((&row["limit"], &row["streams"]), (&json!(limit), &json!(4)), "{row}");
        assert!(row["cut"].as_u64() >= Some(1), "{row}");
    }
    let text = sandbox.must(&["replay", "live.jsonl", "--policy", "strict.toml"]);
    assert!(text.contains("Limits on streams") && text.contains("would have cut"), "{text}");
}
