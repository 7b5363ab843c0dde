//! Answers with one flaw, or in another form than they were asked for: what of them reaches the client, and what is billed.

use std::fmt::Write as _;

use bytes::Bytes;
use pointsman::routing::Check;
use pointsman::wire::Dialect::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{StreamEnd, answer};
use serde_json::{Value, json};

use super::wholeness::{CLIENTS, begins, broke, chunks, ended, ends, goes_on, message, read, says};
use super::{asked, relayed};

/// Some servers always stream. Clients got an error, and what had been written was billed as nothing.
#[test]
fn an_answer_that_was_asked_for_whole_and_comes_as_events_is_put_together() {
    for (from, word) in [(OpenAiChat, "stop"), (AnthropicMessages, "end_turn"), (Gemini, "STOP")] {
        for client in CLIENTS.into_iter().filter(|client| *client == from || client.reaches(from)) {
            let (stream, _) = ended(from, "It is fine.", word);
            let read = answer(from, &asked(client, false), Bytes::from(stream)).unwrap();
            let body = String::from_utf8(read.body.to_vec()).unwrap();
            assert!(body.contains("It is fine."), "{from} to {client}: {body}");
            assert_eq!(read.fault, None, "{from} to {client}");
        }
    }
    let stream = chunks(&[
        begins(0, "call_a", ""),
        begins(1, "call_b", ""),
        goes_on(0, "{\"q\":1"),
        goes_on(1, "{}"),
        goes_on(0, "}"),
        ends("tool_calls"),
    ]);
    let read = answer(OpenAiChat, &asked(AnthropicMessages, false), Bytes::from(stream)).unwrap();
    let body: Value = serde_json::from_slice(&read.body).unwrap();
    let inputs: Vec<&Value> =
        body["content"].as_array().unwrap().iter().map(|block| &block["input"]).collect();
    assert_eq!(inputs, [&json!({"q": 1}), &json!({})]);
}

/// Five bad schemas of one client would else close a model for everybody, and each would be asked twice.
#[test]
fn what_a_model_did_wrong_is_told_apart_from_what_its_provider_did() {
    for (from, word, is_models) in [
        (Gemini, "MALFORMED_FUNCTION_CALL", true),
        (Gemini, "UNEXPECTED_TOOL_CALL", true),
        (AnthropicMessages, "malformed_tool_use", true),
        (Gemini, "OTHER", false),
        (OpenAiChat, "error", false),
    ] {
        let (_, whole) = ended(from, "Let me look.", word);
        assert_eq!(read(from, OpenAiChat, &whole).fault.unwrap().is_models(), is_models, "{word}");
    }
    for client in [OpenAiChat, AnthropicMessages] {
        for (name, arguments) in [("f", "{\"a\":"), ("", "{}")] {
            let call =
                json!({"id": "a", "type": "function", "function": {"name": name, "arguments": arguments}});
            let whole = message(
                json!({"role": "assistant", "content": null, "tool_calls": [call]}),
                &json!("tool_calls"),
            );
            let read = read(OpenAiChat, client, &whole);
            assert!(read.fault.unwrap().is_models(), "{client} {arguments}");
            assert_eq!((read.check, read.usage.is_some()), (Check::Failed, true));
        }
    }
    let texts = message(json!({"role": "assistant", "content": ["hello ", "world"]}), &json!("stop"));
    assert!(
        String::from_utf8_lossy(&read(OpenAiChat, AnthropicMessages, &texts).body).contains("hello world")
    );
}

#[test]
fn one_flaw_costs_nobody_the_answer_or_its_bill() {
    let whole = message(json!({"role": "assistant", "content": "h\u{e9}"}), &json!("stop")).to_string();
    let flawed = |from: &[u8], to: &[u8]| {
        let at = whole.as_bytes().windows(from.len()).position(|window| window == from).unwrap();
        let rest = &whole.as_bytes()[at + from.len()..];
        Bytes::from([&whole.as_bytes()[..at], to, rest].concat())
    };
    let cut = flawed("\u{e9}".as_bytes(), b"\xc3");
    let body = answer(OpenAiChat, &asked(OpenAiChat, false), cut).unwrap().body;
    assert!(String::from_utf8(body.to_vec()).unwrap().contains("h\u{fffd}"));
    for broken in [flawed(b"\"index\":0", b"\"index\":NaN"), flawed("\u{e9}".as_bytes(), b"\x01")] {
        assert!(answer(OpenAiChat, &asked(OpenAiChat, false), broken.clone()).is_err());
        let told = pointsman::wire::used(OpenAiChat, &broken).unwrap().usage;
        assert_eq!((told.prompt(), told.output.get()), (Some(11), Some(2)));
        let zeros = String::from_utf8_lossy(&broken)
            .replace(":11,", ":0,")
            .replace(":13", ":0")
            .replace(":2,", ":0,");
        let told = pointsman::wire::used(OpenAiChat, zeros.as_bytes()).unwrap().usage;
        assert_eq!((told.prompt(), told.output.get()), (None, None), "{zeros}");
    }
    let stream = chunks(&[says(json!({"content": "h\u{e9}"})), ends("stop")]) + "data: [DONE]\n\n";
    let at = stream.find('\u{e9}').unwrap();
    let stream = [&stream.as_bytes()[..at], b"\xc3", &stream.as_bytes()[at + 2..]].concat();
    let (out, end, _) = relayed(OpenAiChat, &asked(OpenAiChat, true), &stream, &[]);
    assert!(end == StreamEnd::Complete && out.contains("h\u{fffd}"), "{out}");
}

/// Proxies that put a call together first tell it at once, and once more.
#[test]
fn a_call_that_is_told_twice_arrives_once() {
    let with = |deltas: &[&str]| {
        let mut stream = String::new();
        let mut event = |data: Value| write!(stream, "data: {data}\n\n").unwrap();
        event(
            json!({"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}),
        );
        event(
            json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"a":1}}}),
        );
        for part in deltas {
            event(
                json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":part}}),
            );
        }
        event(json!({"type":"content_block_stop","index":0}));
        event(json!({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":5}}));
        event(json!({"type":"message_stop"}));
        stream
    };
    for deltas in [&[][..], &["{\"a\"", ":1}"]] {
        for client in [AnthropicMessages, OpenAiChat] {
            let (_, why, relay) = broke(AnthropicMessages, client, &with(deltas));
            assert_eq!((why, relay.check(), relay.unfit()), (None, Check::Passed, None), "{client}");
            assert_eq!(relay.delivered(), "f{\"a\":1}");
        }
    }
}

/// Codex and the Agents SDK make a call as soon as its item is done.
#[test]
fn what_a_limit_cut_is_told_as_incomplete_to_clients_of_responses() {
    let half = chunks(&[begins(0, "call_a", "{\"path\":\"/tmp"), ends("length")]) + "data: [DONE]\n\n";
    let text = chunks(&[says(json!({"content": "half a sent"})), ends("length")]) + "data: [DONE]\n\n";
    let whole = chunks(&[begins(0, "call_a", "{}"), ends("tool_calls")]) + "data: [DONE]\n\n";
    for (stream, status) in [(half, "incomplete"), (text, "incomplete"), (whole, "completed")] {
        let (out, _, _) = broke(OpenAiChat, OpenAiResponses, &stream);
        let events = out.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
        let events: Vec<Value> = events.collect();
        let done = events.iter().find(|event| event["type"] == "response.output_item.done").unwrap();
        assert_eq!(done["item"]["status"], status, "{out}");
        let is_given = out.contains("function_call_arguments.done");
        assert_eq!(is_given, status == "completed", "{out}");
        assert_eq!(events.last().unwrap()["response"]["output"][0]["status"], status);
    }
}
