//! What a client sees of the simulated provider.

use proptest::prelude::*;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::json;

use super::simulation::{Piece, SIMULATED};
use super::*;
use crate::units::PerMille;

fn quiet() -> SimulatedSpec {
    SimulatedSpec { speed: 0, ..SimulatedSpec::default() }
}

fn ask(body: &Value) -> Call {
    Call {
        dialect: Dialect::OpenAiChat,
        stream: body.get("stream").is_some(),
        body: Bytes::from(body.to_string()),
        headers: HeaderMap::new(),
        attempt: 0,
    }
}

fn pieces(spec: &SimulatedSpec, call: &Call) -> (u16, Vec<String>, bool) {
    let simulation = simulate("gpt-4.1", spec, call).unwrap();
    let cut = simulation.pieces.iter().any(|piece| piece.bytes.is_err());
    let text = |piece: Piece| piece.bytes.ok().map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
    (simulation.status, simulation.pieces.into_iter().filter_map(text).collect(), cut)
}

fn whole(body: &Value) -> Value {
    let (status, pieces, _) = pieces(&quiet(), &ask(body));
    assert_eq!(status, 200);
    serde_json::from_str(&pieces.concat()).unwrap()
}

fn events(body: &Value) -> Vec<Value> {
    let (_, mut pieces, _) = pieces(&quiet(), &ask(body));
    assert_eq!(pieces.pop().as_deref(), Some("data: [DONE]\n\n"));
    let event = |text: String| serde_json::from_str(text.strip_prefix("data: ").unwrap().trim_end()).unwrap();
    pieces.into_iter().map(event).collect()
}

fn question() -> Value {
    json!({ "model": "gpt-4.1", "messages": [{ "role": "user", "content": "Where does this train go?" }] })
}

fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("an object") };
    body.as_object_mut().unwrap().extend(more);
    body
}

#[test]
fn an_answer_says_that_it_is_made_up() {
    let answer = whole(&question());
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.starts_with("SIMULATED"), "{text}");
    assert_eq!(answer["usage"]["completion_tokens"], text.split_whitespace().count());
    assert_eq!(answer, whole(&question()), "the same request has the same answer");
    let other = with(question(), json!({ "user": "someone else" }));
    assert_ne!(answer["choices"], whole(&other)["choices"]);
}

#[test]
fn a_stream_says_the_same_as_the_whole_and_counts_the_same() {
    let asked = with(question(), json!({ "n": 2 }));
    let streamed =
        with(asked.clone(), json!({ "stream": true, "stream_options": { "include_usage": true } }));
    let events = events(&streamed);
    let usage = &events.last().unwrap()["usage"];
    let words: usize = (0..2)
        .map(|choice| {
            let text: String = events
                .iter()
                .filter_map(|event| event["choices"].as_array()?.first())
                .filter(|one| one["index"] == choice)
                .filter_map(|one| one["delta"]["content"].as_str())
                .collect();
            text.split_whitespace().count()
        })
        .sum();
    assert_eq!(usage["completion_tokens"], words);
    assert_eq!(usage["prompt_tokens"], whole(&asked)["usage"]["prompt_tokens"]);
    assert!(
        super::tests::events(&with(question(), json!({ "stream": true })))
            .iter()
            .all(|e| e["usage"].is_null())
    );
}

#[test]
fn limits_of_length_are_kept() {
    let answer = whole(&with(question(), json!({ "max_tokens": 3 })));
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 3);
}

#[test]
fn a_tool_is_called_when_it_must_be() {
    let tool = |name: &str| {
        let parameters =
            json!({ "type": "object", "required": ["city"], "properties": { "city": { "type": "string" } } });
        json!({ "type": "function", "function": { "name": name, "parameters": parameters } })
    };
    let tools = json!({ "tools": [tool("first"), tool("second")] });
    let named = json!({ "tool_choice": { "type": "function", "function": { "name": "second" } } });
    for (choice, wanted) in [(json!({ "tool_choice": "required" }), "first"), (named, "second")] {
        let asked = with(with(question(), tools.clone()), choice);
        let answer = whole(&asked);
        let call = &answer["choices"][0]["message"]["tool_calls"][0];
        assert_eq!(call["function"]["name"], wanted);
        assert_eq!(call["function"]["arguments"], json!({ "city": "SIMULATED" }).to_string());
        assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
        let streamed: String = events(&with(asked, json!({ "stream": true })))
            .iter()
            .filter_map(|event| {
                event["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str()
            })
            .collect();
        assert_eq!(streamed, json!({ "city": "SIMULATED" }).to_string());
    }
    let absent = json!({ "tool_choice": { "type": "function", "function": { "name": "third" } } });
    let (status, said, _) = pieces(&quiet(), &ask(&with(with(question(), tools.clone()), absent)));
    assert_eq!(status, 400, "{said:?}");
    let never = whole(&with(with(question(), tools), json!({ "tool_choice": "none" })));
    assert!(never["choices"][0]["message"]["content"].is_string());
}

fn offered(names: &[&str]) -> Value {
    let parameters = json!({ "type": "object", "properties": { "command": { "type": "string" } }, "required": ["command"] });
    let one =
        |name: &&str| json!({ "type": "function", "function": { "name": name, "parameters": parameters } });
    names.iter().map(one).collect()
}

fn asking(text: &str, tools: &[&str]) -> Value {
    json!({ "messages": [{ "role": "user", "content": text }], "tools": offered(tools) })
}

fn called(body: &Value) -> Vec<String> {
    let answer = whole(body);
    let calls = answer["choices"][0]["message"]["tool_calls"].as_array().cloned().unwrap_or_default();
    calls.iter().map(|call| call["function"]["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_offered_tool_is_called_now_and_then_and_where_it_is_asked_for() {
    let some =
        (0..60).filter(|n| !called(&asking(&format!("Tell me about {n}"), &["get_weather"])).is_empty());
    let some = some.count();
    assert!((8..40).contains(&some), "{some} of 60");
    for (text, tools, want) in [
        ("What is the weather in Rome?", &["get_time", "get_weather"][..], &["get_weather"][..]),
        ("Use the get_time tool", &["get_weather", "get_time"], &["get_time"]),
        ("Call two tools", &["get_weather", "get_time"], &["get_weather", "get_time"]),
        ("Call get_time twice", &["get_weather", "get_time"], &["get_time", "get_time"]),
        ("Weather in Paris and Rome?", &["get_weather", "get_time"], &["get_weather", "get_time"]),
        ("Weather in Paris and Rome?", &["get_weather"], &["get_weather", "get_weather"]),
        ("List the files here", &["Task", "Edit", "Read", "Bash", "Write"], &["Bash"]),
        ("Run ls", &["apply_patch", "exec_command"], &["exec_command"]),
        ("Write a file", &["write_file"], &["write_file"]),
        ("Write a poem", &["Write", "Edit"], &[]),
        ("Reply exactly OK", &["get_weather"], &[]),
    ] {
        assert_eq!(called(&asking(text, tools)), want, "{text}");
    }
    let alone = with(asking("Call two tools", &["a_b", "c_d"]), json!({ "parallel_tool_calls": false }));
    assert_eq!(called(&alone).len(), 1);
}

#[test]
fn a_tool_loop_comes_to_an_end_with_words_about_the_result() {
    let mut body = asking("List the files here, then reply exactly DONE", &["Bash"]);
    let answer = whole(&body);
    let message = &answer["choices"][0]["message"];
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], r#"{"command":"ls"}"#);
    let result =
        json!({ "role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "Cargo.toml" });
    body["messages"].as_array_mut().unwrap().extend([message.clone(), result]);
    assert_eq!(whole(&body)["choices"][0]["message"]["content"], "DONE");
    body["messages"][0]["content"] = json!("List the files here");
    let text = whole(&body)["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    assert!(text.starts_with("SIMULATED") && text.contains("Bash gave Cargo.toml"), "{text}");
}

#[test]
fn two_calls_in_a_stream_are_told_apart() {
    let body = with(asking("Call two tools", &["get_a", "get_b"]), json!({ "stream": true }));
    let mut calls = vec![(String::new(), String::new()); 2];
    for event in events(&body) {
        for call in event["choices"][0]["delta"]["tool_calls"].as_array().into_iter().flatten() {
            let at = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            calls[at].0 += call["function"]["name"].as_str().unwrap_or_default();
            calls[at].1 += call["function"]["arguments"].as_str().unwrap_or_default();
        }
    }
    let ls = r#"{"command":"ls"}"#.to_owned();
    assert_eq!(calls, [("get_a".to_owned(), ls.clone()), ("get_b".to_owned(), ls)]);
}

#[test]
fn a_custom_tool_gets_a_text() {
    let tool = json!({ "type": "custom", "custom": { "name": "grammar" } });
    let body = with(question(), json!({ "tools": [tool], "tool_choice": "required" }));
    let call = &whole(&body)["choices"][0]["message"]["tool_calls"][0];
    assert_eq!(
        (&call["type"], &call["custom"]),
        (&json!("custom"), &json!({ "name": "grammar", "input": "SIMULATED" }))
    );
    let streamed: String = events(&with(body, json!({ "stream": true })))
        .iter()
        .filter_map(|event| event["choices"][0]["delta"]["tool_calls"][0]["custom"]["input"].as_str())
        .collect();
    assert_eq!(streamed, "SIMULATED");
}

#[test]
fn a_text_to_repeat_is_repeated_and_a_stop_sequence_stops() {
    let say = |more: Value| {
        let body =
            json!({ "messages": [{ "role": "user", "content": "Reply with exactly: one two  three" }] });
        let answer = whole(&with(body, more));
        answer["choices"][0]["message"]["content"].as_str().unwrap().to_owned()
    };
    assert_eq!(say(json!({})), "one two  three");
    assert_eq!(say(json!({ "stop": ["zero", "o  t"] })), "one tw");
    assert_eq!(say(json!({ "max_tokens": 1 })), "one ");
}

#[test]
fn json_fits_the_schema_that_was_asked_for() {
    let schema = json!({ "type": "object", "required": ["n"], "properties": { "n": { "type": "integer" } } });
    let format = json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "x", "schema": schema } } });
    let answer = whole(&with(question(), format));
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), json!({ "n": 0 }));
    let answer = whole(&with(question(), json!({ "response_format": { "type": "json_object" } })));
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()["simulated"], true);
}

#[test]
fn embeddings_come_as_numbers_and_as_base64() {
    let ask = |more: Value| {
        let body = with(json!({ "model": "e", "input": ["one", "two"], "dimensions": 8 }), more);
        let call = Call { dialect: Dialect::OpenAiEmbeddings, ..ask(&body) };
        let (status, pieces, _) = pieces(&quiet(), &call);
        (status, serde_json::from_str::<Value>(&pieces.concat()).unwrap())
    };
    let (status, plain) = ask(json!({}));
    assert_eq!((status, plain["data"][1]["embedding"].as_array().unwrap().len()), (200, 8));
    assert_eq!(plain["usage"]["prompt_tokens"], 2);
    let (_, packed) = ask(json!({ "encoding_format": "base64" }));
    assert_eq!(packed["data"][0]["embedding"].as_str().unwrap().len(), (8usize * 4).div_ceil(3) * 4);
    assert_eq!(ask(json!({ "input": [1, 2, 3] })).1["usage"]["prompt_tokens"], 3);
    let square = |value: &Value| value.as_f64().unwrap().powi(2);
    let length: f64 = plain["data"][0]["embedding"].as_array().unwrap().iter().map(square).sum();
    assert!((length - 1.0).abs() < 1e-4, "{length}");
    let usual = |model: &str| {
        let answer = ask(json!({ "dimensions": null, "model": model })).1;
        answer["data"][0]["embedding"].as_array().unwrap().len()
    };
    // The model is the one that was routed to, not the one in the body.
    assert_eq!(usual("text-embedding-3-large"), 256);
    for wrong in [
        json!({ "input": [] }),
        json!({ "input": {} }),
        json!({ "input": [null] }),
        json!({ "dimensions": 0 }),
    ] {
        assert_eq!(ask(wrong).0, 400);
    }
}

#[test]
fn faults_come_at_their_rates_and_another_try_draws_anew() {
    let spec = SimulatedSpec {
        rate_limited: PerMille::new(200).unwrap(),
        server_error: PerMille::new(200).unwrap(),
        cut: PerMille::new(200).unwrap(),
        ..quiet()
    };
    let (mut limited, mut failed, mut cuts, mut cured) = (0, 0, 0, 0);
    for n in 0..1000 {
        let call = ask(&with(question(), json!({ "stream": true, "seed": n })));
        let (status, _, cut) = pieces(&spec, &call);
        limited += u32::from(status == 429);
        failed += u32::from(status >= 500);
        cuts += u32::from(cut);
        cured += u32::from(status == 429 && pieces(&spec, &Call { attempt: 1, ..call }).0 == 200);
    }
    for (what, count) in [("429", limited), ("5xx", failed), ("cut", cuts)] {
        assert!((100..300).contains(&count), "{what}: {count} of 1000");
    }
    assert!(cured > 50, "a second try draws anew: {cured}");
}

#[test]
fn a_refusal_says_how_long_to_wait() {
    let spec = SimulatedSpec { rate_limited: PerMille::ONE, ..quiet() };
    let simulation = simulate("m", &spec, &ask(&question())).unwrap();
    assert_eq!(simulation.status, 429);
    let wait: u64 = simulation.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait));
    assert_eq!(simulation.headers[SIMULATED], "true");
}

#[test]
fn delays_follow_the_settings() {
    let spec = |speed| SimulatedSpec { speed, ..SimulatedSpec::default() };
    let sum = |speed| {
        let call = ask(&with(question(), json!({ "stream": true })));
        let simulation = simulate("gpt-4.1", &spec(speed), &call).unwrap();
        simulation.first + simulation.pieces.iter().map(|piece| piece.wait).sum::<Duration>()
    };
    assert_eq!(sum(0), Duration::ZERO);
    assert!(sum(100) > Duration::from_millis(300));
    let (once, twice) = (sum(100).as_millis(), sum(200).as_millis());
    assert!(twice.abs_diff(once / 2) <= 2, "{once} {twice}");
}

proptest! {
    #[test]
    fn no_request_brings_it_down(body in "\\PC{0,60}", kind in 0usize..5) {
        let call = Call {
            dialect: Dialect::ALL[kind], body: Bytes::from(body), stream: false, headers: HeaderMap::new(), attempt: 0,
        };
        let _ = simulate("m", &quiet(), &call);
    }
}
