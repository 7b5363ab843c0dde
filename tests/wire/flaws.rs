//! Answers with one flaw, or in another form than they were asked for: what of them reaches the client, and what is billed.

use std::fmt::Write as _;

use bytes::Bytes;
use pointsman::routing::Check;
use pointsman::wire::Dialect::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Ask, Dialect, StreamEnd, answer};
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

fn whole_asked(dialect: Dialect) -> Ask {
    match dialect {
        Gemini => {
            let body = json!({"contents":[{"parts":[{"text":"x"}]}]});
            Ask::read_for(Gemini, Bytes::from(body.to_string()), Some("m")).unwrap()
        }
        other => asked(other, false),
    }
}

/// What the provider wants back in the next turn (signatures, sealed thoughts, ids) was lost, and blocks became `{}`.
#[test]
fn events_of_the_clients_own_dialect_are_put_together_as_they_came() {
    let whole = |from, events: &[Value]| {
        let mut stream = String::new();
        for event in events {
            write!(stream, "data: {event}\n\n").unwrap();
        }
        let read = answer(from, &whole_asked(from), Bytes::from(stream)).unwrap();
        assert_eq!((read.fault, read.left_out, read.usage.is_some()), (None, vec![], true), "{from}");
        serde_json::from_slice::<Value>(&read.body).unwrap()
    };
    let mut events = vec![
        json!({"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"c","content":[],"stop_reason":null,"usage":{"input_tokens":10,"output_tokens":1,"service_tier":"standard"}}}),
    ];
    for (index, block, deltas) in [
        (
            0,
            json!({"type":"thinking","thinking":"","signature":""}),
            vec![
                json!({"type":"thinking_delta","thinking":"de"}),
                json!({"type":"thinking_delta","thinking":"ep"}),
                json!({"type":"signature_delta","signature":"SIG=="}),
            ],
        ),
        (1, json!({"type":"redacted_thinking","data":"RED"}), vec![]),
        (
            2,
            json!({"type":"server_tool_use","id":"s","name":"web_search","input":{}}),
            vec![
                json!({"type":"input_json_delta","partial_json":"{\"query\":"}),
                json!({"type":"input_json_delta","partial_json":"\"q\"}"}),
            ],
        ),
        (3, json!({"type":"web_search_tool_result","tool_use_id":"s","content":[]}), vec![]),
        (
            4,
            json!({"type":"text","text":""}),
            vec![
                json!({"type":"text_delta","text":"a"}),
                json!({"type":"citations_delta","citation":{"type":"x"}}),
            ],
        ),
        (5, json!({"type":"tool_use","id":"t","name":"f","input":{}}), vec![]),
    ] {
        events.push(json!({"type":"content_block_start","index":index,"content_block":block}));
        events.extend(
            deltas.into_iter().map(|delta| json!({"type":"content_block_delta","index":index,"delta":delta})),
        );
        events.push(json!({"type":"content_block_stop","index":index}));
    }
    events.push(json!({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":50}}));
    events.push(json!({"type":"message_stop"}));
    let content = json!([
        {"type":"thinking","thinking":"deep","signature":"SIG=="}, {"type":"redacted_thinking","data":"RED"},
        {"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}},
        {"type":"web_search_tool_result","tool_use_id":"s","content":[]},
        {"type":"text","text":"a","citations":[{"type":"x"}]}, {"type":"tool_use","id":"t","name":"f","input":{}},
    ]);
    let got = whole(AnthropicMessages, &events);
    assert_eq!((&got["content"], &got["stop_reason"]), (&content, &json!("tool_use")));
    assert_eq!(got["usage"], json!({"input_tokens":10,"output_tokens":50,"service_tier":"standard"}));

    let chunk = |parts: Value, more: &Value| {
        let mut chunk = json!({"candidates":[{"content":{"role":"model","parts":parts},"index":0}],"responseId":"r",
            "usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}});
        chunk["candidates"][0].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chunk
    };
    let call = json!({"functionCall":{"name":"f","args":{}},"thoughtSignature":"SIG2"});
    let chunks = [
        chunk(json!([{"text":"t","thought":true}]), &json!({})),
        chunk(json!([{"text":"a"}]), &json!({})),
        chunk(json!([{"text":"b"}, call]), &json!({"finishReason":"STOP"})),
    ];
    let parts = json!([{"text":"t","thought":true}, {"text":"ab"}, call]);
    let got = whole(Gemini, &chunks);
    assert_eq!((&got["candidates"][0]["content"]["parts"], &got["responseId"]), (&parts, &json!("r")));
    assert_eq!(got["candidates"][0]["finishReason"], "STOP");
    // The list that Google makes of them where nobody asks for events.
    let list = Bytes::from(json!(chunks).to_string());
    let got = answer(Gemini, &whole_asked(Gemini), list).unwrap().body;
    assert_eq!(serde_json::from_slice::<Value>(&got).unwrap()["candidates"][0]["content"]["parts"], parts);

    let items = json!([{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"ENC"},
        {"type":"message","id":"msg_abc","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[]}]}]);
    let response = |output: &Value| json!({"id":"resp","status":"completed","model":"m","output":output,"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15}});
    for output in [&items, &json!([])] {
        let mut events = vec![
            json!({"type":"response.created","response":{"id":"resp","status":"in_progress","output":[]}}),
        ];
        events.extend(
            items
                .as_array()
                .unwrap()
                .iter()
                .map(|item| json!({"type":"response.output_item.done","output_index":0,"item":item})),
        );
        events.push(json!({"type":"response.completed","response":response(output)}));
        assert_eq!(whole(OpenAiResponses, &events), response(&items));
    }
    let cut = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hi\"}\n\n";
    let read = answer(OpenAiResponses, &asked(OpenAiResponses, false), Bytes::from(cut)).unwrap();
    assert!(read.fault.is_some(), "half a response is none that is still being made");

    let said = |delta: Value| json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":delta,"finish_reason":null}]});
    let mut chunks = vec![
        said(json!({"role":"assistant","content":null,"reasoning_content":"th"})),
        said(
            json!({"reasoning_content":"ink","reasoning_details":[{"type":"x","format":"y","index":0,"text":"a"}]}),
        ),
        said(json!({"content":"a","reasoning_details":[{"type":"x","format":"y","index":0,"text":"b"}]})),
        said(
            json!({"content":"b","tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]}),
        ),
        said(json!({"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]})),
    ];
    chunks[3]["choices"][0]["logprobs"] = json!({"content":[{"token":"b"}]});
    chunks.push(json!({"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11},"service_tier":"default"}));
    let got = whole(OpenAiChat, &chunks);
    let message = json!({"role":"assistant","content":"ab","reasoning_content":"think","reasoning_details":[{"type":"x","format":"y","index":0,"text":"ab"}],
        "tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{}"}}]});
    let choice = json!({"index":0,"message":message,"finish_reason":"tool_calls","logprobs":{"content":[{"token":"b"}]}});
    assert_eq!(got["choices"], json!([choice]));
    assert_eq!(
        [&got["object"], &got["system_fingerprint"], &got["service_tier"], &got["usage"]["total_tokens"]],
        [&json!("chat.completion"), &json!("fp"), &json!("default"), &json!(11)]
    );
}

/// Its usage stands behind it: the call was billed by an estimate.
#[test]
fn behind_an_event_that_is_no_json_the_usage_is_read() {
    let stream = chunks(&[says(json!({"content": "h"}))])
        + "data: {\"broken\n\n"
        + &chunks(&[
            ends("stop"),
            json!({"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}),
        ]);
    let read = answer(OpenAiChat, &asked(OpenAiChat, false), Bytes::from(stream)).unwrap();
    assert!(read.fault.is_some());
    assert_eq!(read.usage.unwrap().usage.output.get(), Some(5));
}

/// Anthropic's own package dies of a message without a usage.
#[test]
fn a_message_has_a_usage_though_its_provider_tells_none() {
    let whole = json!({"id":"m","type":"message","role":"assistant","model":"c","content":[{"type":"text","text":"four"}],"stop_reason":"end_turn","usage":null});
    let read = read(AnthropicMessages, AnthropicMessages, &whole);
    assert_eq!(read.usage, None, "what is made up for the client is billed to nobody as known");
    let body: Value = serde_json::from_slice(&read.body).unwrap();
    assert_eq!(body["usage"]["output_tokens"], 1, "{body}");
    let stream = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"content\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n\
        data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"four\"}}\n\n\
        data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"}}\n\ndata: {\"type\":\"message_stop\"}\n\n";
    let (out, end, _) = relayed(AnthropicMessages, &asked(AnthropicMessages, true), stream.as_bytes(), &[]);
    assert_eq!(end, StreamEnd::Complete);
    let last = out.lines().find(|line| line.contains("message_delta")).unwrap();
    assert!(last.contains("\"input_tokens\":3") && last.contains("\"output_tokens\":1"), "{last}");
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
