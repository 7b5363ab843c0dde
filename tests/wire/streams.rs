//! What a stream becomes on its way to a client of another dialect.

use std::fmt::Write;

use bytes::BytesMut;
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{StreamEnd, WireError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{PROVIDERS, ask, asked, relayed};

fn stream(from: Dialect) -> String {
    let events: Vec<(&str, Value)> = match from {
        OpenAiChat => vec![
            (
                "",
                json!({"id":"chatcmpl-1","model":"gpt-4.1-x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}),
            ),
            (
                "",
                json!({"id":"chatcmpl-1","model":"gpt-4.1-x","choices":[{"index":0,"delta":{"content":"Hé"}}]}),
            ),
            ("", json!({"id":"chatcmpl-1","choices":[{"index":0,"delta":{"content":"llo 🙂"}}]})),
            (
                "",
                json!({"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}}]}),
            ),
            (
                "",
                json!({"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}}]}),
            ),
            (
                "",
                json!({"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}),
            ),
            (
                "",
                json!({"id":"chatcmpl-1","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]}}]}),
            ),
            ("", json!({"id":"chatcmpl-1","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})),
            (
                "",
                json!({"id":"chatcmpl-1","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":60}}}),
            ),
        ],
        AnthropicMessages => vec![
            (
                "message_start",
                json!({"message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"usage":{"input_tokens":30,"cache_read_input_tokens":60,"cache_creation_input_tokens":0,"output_tokens":1}}}),
            ),
            ("content_block_start", json!({"index":0,"content_block":{"type":"thinking","thinking":""}})),
            ("content_block_delta", json!({"index":0,"delta":{"type":"thinking_delta","thinking":"hm"}})),
            ("content_block_stop", json!({"index":0})),
            ("content_block_start", json!({"index":1,"content_block":{"type":"text","text":""}})),
            ("ping", json!({})),
            ("content_block_delta", json!({"index":1,"delta":{"type":"text_delta","text":"Hé"}})),
            ("content_block_delta", json!({"index":1,"delta":{"type":"text_delta","text":"llo 🙂"}})),
            ("content_block_stop", json!({"index":1})),
            (
                "content_block_start",
                json!({"index":2,"content_block":{"type":"tool_use","id":"call_1","name":"f","input":{}}}),
            ),
            ("content_block_delta", json!({"index":2,"delta":{"type":"input_json_delta","partial_json":""}})),
            (
                "content_block_delta",
                json!({"index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}),
            ),
            ("content_block_stop", json!({"index":2})),
            (
                "content_block_start",
                json!({"index":3,"content_block":{"type":"tool_use","id":"call_2","name":"g","input":{}}}),
            ),
            ("content_block_stop", json!({"index":3})),
            (
                "message_delta",
                json!({"delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":40,"output_tokens":20}}),
            ),
            ("message_stop", json!({})),
        ],
        _ => vec![
            (
                "",
                json!({"candidates":[{"content":{"role":"model","parts":[{"text":"hm","thought":true}]},"index":0}],"usageMetadata":{"promptTokenCount":100,"totalTokenCount":105,"cachedContentTokenCount":60,"thoughtsTokenCount":5},"modelVersion":"gemini-x","responseId":"R1"}),
            ),
            (
                "",
                json!({"candidates":[{"content":{"role":"model","parts":[{"text":"Hé"}]},"index":0}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":3,"totalTokenCount":108,"cachedContentTokenCount":60,"thoughtsTokenCount":5},"modelVersion":"gemini-x","responseId":"R1"}),
            ),
            (
                "",
                json!({"candidates":[{"content":{"role":"model","parts":[{"text":"llo 🙂"},{"functionCall":{"id":"call_1","name":"f","args":{"a":1}}},{"functionCall":{"id":"call_2","name":"g"}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":15,"totalTokenCount":120,"cachedContentTokenCount":60,"thoughtsTokenCount":5},"modelVersion":"gemini-x","responseId":"R1"}),
            ),
        ],
    };
    let mut out = String::new();
    for (name, mut data) in events {
        if !name.is_empty() {
            data["type"] = json!(name);
            writeln!(out, "event: {name}").unwrap();
        }
        write!(out, "data: {data}\n\n").unwrap();
    }
    if from == OpenAiChat {
        out.push_str("data: [DONE]\n\n");
    }
    out
}

fn events(stream: &str) -> Vec<Value> {
    stream.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect()
}

#[test]
fn every_stream_reaches_a_chat_client() {
    for from in [AnthropicMessages, Gemini] {
        let (out, end, relay) = relayed(from, &asked(OpenAiChat, true), stream(from).as_bytes(), &[]);
        assert_eq!(end, StreamEnd::Complete);
        assert!(out.ends_with("data: [DONE]\n\n"));
        let events = events(&out);
        let delta = |event: &Value| event["choices"][0]["delta"].clone();
        let text: String =
            events.iter().filter_map(|event| delta(event)["content"].as_str().map(str::to_owned)).collect();
        assert_eq!(text, "Héllo 🙂");
        assert_eq!(delta(&events[0]), json!({"role":"assistant","content":"","refusal":null}));
        let calls: Vec<Value> =
            events.iter().filter_map(|event| delta(event).get("tool_calls").cloned()).collect();
        let starts: Vec<&Value> = calls.iter().filter(|call| call[0].get("id").is_some()).collect();
        assert_eq!(
            (&starts[0][0]["id"], &starts[0][0]["function"]["name"], &starts[1][0]["index"]),
            (&json!("call_1"), &json!("f"), &json!(1))
        );
        let arguments: String = calls
            .iter()
            .filter(|call| call[0]["index"] == 0)
            .filter_map(|call| call[0]["function"]["arguments"].as_str())
            .collect();
        assert_eq!(arguments, "{\"a\":1}");
        let last = &events[events.len() - 2..];
        assert_eq!(last[0]["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(
            (&last[1]["choices"], &last[1]["usage"]["prompt_tokens"], &last[1]["usage"]["completion_tokens"]),
            (&json!([]), &json!(100), &json!(20))
        );
        assert!(relay.delivered().starts_with("Héllo 🙂f{\"a\":1}"));
    }
    let mut silent = json!({"model":"auto","messages":[],"stream":true});
    silent["stream_options"] = json!(null);
    let (out, ..) = relayed(Gemini, &ask(OpenAiChat, &silent), stream(Gemini).as_bytes(), &[]);
    assert!(!out.contains("usage"), "usage that was not asked for is not told");
}

#[test]
fn every_stream_reaches_a_messages_client() {
    for from in [OpenAiChat, Gemini] {
        let (out, end, _) = relayed(from, &asked(AnthropicMessages, true), stream(from).as_bytes(), &[]);
        assert_eq!(end, StreamEnd::Complete);
        let events = events(&out);
        let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!((kinds[0], kinds[kinds.len() - 1]), ("message_start", "message_stop"));
        let mut open = None;
        for event in &events {
            match event["type"].as_str().unwrap() {
                "content_block_start" => {
                    assert_eq!(open.replace(event["index"].clone()), None, "blocks do not overlap");
                }
                "content_block_delta" => assert_eq!(open.as_ref(), Some(&event["index"])),
                "content_block_stop" => assert_eq!(open.take(), Some(event["index"].clone())),
                _ => {}
            }
        }
        let text: String = events.iter().filter_map(|event| event["delta"]["text"].as_str()).collect();
        assert_eq!(text, "Héllo 🙂");
        let starts: Vec<&Value> = events
            .iter()
            .filter(|event| event["type"] == "content_block_start")
            .map(|event| &event["content_block"])
            .collect();
        assert_eq!(starts[1], &json!({"type":"tool_use","id":"call_1","name":"f","input":{}}));
        let input: String = events
            .iter()
            .filter(|event| event["index"] == 1)
            .filter_map(|event| event["delta"]["partial_json"].as_str())
            .collect();
        assert_eq!(input, "{\"a\":1}");
        let end = &events[events.len() - 2];
        assert_eq!(end["delta"]["stop_reason"], "tool_use");
        assert_eq!(
            (
                &end["usage"]["input_tokens"],
                &end["usage"]["cache_read_input_tokens"],
                &end["usage"]["output_tokens"]
            ),
            (&json!(40), &json!(60), &json!(20))
        );
    }
}

#[test]
fn every_stream_reaches_a_responses_client() {
    for from in PROVIDERS {
        let (out, end, _) = relayed(from, &asked(OpenAiResponses, true), stream(from).as_bytes(), &[]);
        assert_eq!(end, StreamEnd::Complete);
        let events = events(&out);
        for (at, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], at, "events are numbered without a gap");
        }
        let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        assert_eq!(
            kinds[..7],
            [
                "response.created",
                "response.in_progress",
                "response.output_item.added",
                "response.content_part.added",
                "response.output_text.delta",
                "response.output_text.delta",
                "response.output_text.done"
            ]
        );
        let last = &events[events.len() - 1];
        assert_eq!(last["type"], "response.completed");
        let output = last["response"]["output"].as_array().unwrap();
        assert_eq!(output[0]["content"][0]["text"], "Héllo 🙂");
        assert_eq!(
            (&output[1]["name"], &output[1]["arguments"], &output[2]["arguments"]),
            (&json!("f"), &json!("{\"a\":1}"), &json!("{}"))
        );
        assert_eq!(
            (
                &last["response"]["usage"]["input_tokens"],
                &last["response"]["usage"]["input_tokens_details"]["cached_tokens"]
            ),
            (&json!(100), &json!(60))
        );
    }
}

#[test]
fn a_translated_stream_that_breaks_is_not_closed_as_whole() {
    for client in [OpenAiChat, AnthropicMessages, OpenAiResponses] {
        for from in PROVIDERS.into_iter().filter(|from| *from != client) {
            let whole = stream(from);
            let cut = whole.find("llo").unwrap();
            let (out, end, mut relay) = relayed(from, &asked(client, true), &whole.as_bytes()[..cut], &[]);
            assert_eq!((end, relay.delivered()), (StreamEnd::Cut, "Hé"));
            assert!(!["[DONE]", "message_stop", "response.completed"].iter().any(|mark| out.contains(mark)));
            let mut out = BytesMut::new();
            relay.fail(&WireError::Malformed("cut".into()).to_api(), &mut out);
            assert!(std::str::from_utf8(&out).unwrap().contains("\"error\":{"), "{out:?}");
        }
    }
}

proptest! {
    #[test]
    fn where_a_translated_stream_is_cut_changes_nothing(cuts in prop::collection::vec(0usize..2_000, 0..40)) {
        for from in PROVIDERS {
            let whole = stream(from);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (whole.len() + 1)).collect();
            cuts.sort_unstable();
            for client in [OpenAiChat, AnthropicMessages, OpenAiResponses] {
                let (want, ..) = relayed(from, &asked(client, true), whole.as_bytes(), &[]);
                let (got, end, _) = relayed(from, &asked(client, true), whole.as_bytes(), &cuts);
                prop_assert_eq!((got, end), (want, StreamEnd::Complete));
            }
        }
    }

    #[test]
    fn a_damaged_stream_never_panics_and_is_read_the_same_however_cut(
        at in 0usize..3_000, damage in prop::collection::vec(any::<u8>(), 0..4), removed in 0usize..40, cut in 0usize..3_000,
    ) {
        for from in PROVIDERS {
            let mut stream = stream(from).into_bytes();
            let at = at % stream.len();
            stream.splice(at..(at + removed).min(stream.len()), damage.iter().copied());
            for client in [OpenAiChat, AnthropicMessages, OpenAiResponses] {
                let (whole, end, _) = relayed(from, &asked(client, true), &stream, &[]);
                let (pieces, same, _) = relayed(from, &asked(client, true), &stream, &[cut % stream.len()]);
                prop_assert_eq!((whole, end), (pieces, same));
            }
        }
    }
}
