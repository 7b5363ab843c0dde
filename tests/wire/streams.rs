//! What a stream becomes on its way to a client of another dialect.

use std::fmt::Write;

use bytes::BytesMut;
use pointsman::routing::Check;
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Relay, StreamEnd, WireError};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::grammar::heard;
use super::wholeness::chunks;
use super::{PROVIDERS, ask, asked, relayed};

fn stream(from: Dialect) -> String {
    let events: Vec<(&str, Value)> = match from {
        OpenAiChat => vec![
            (
                "",
                json!({"id":"chatcmpl-1","model":"gpt-4.1-x","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}),
            ),
            ("", json!({"id":"chatcmpl-1","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]})),
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

#[test]
fn every_stream_reaches_every_client() {
    for from in PROVIDERS {
        for client in
            [OpenAiChat, AnthropicMessages, OpenAiResponses].into_iter().filter(|client| *client != from)
        {
            let (out, end, relay) = relayed(from, &asked(client, true), stream(from).as_bytes(), &[]);
            assert_eq!((end, relay.check()), (StreamEnd::Complete, Check::Passed));
            let heard = heard(client, &out);
            assert_eq!(
                (heard.thoughts.as_str(), heard.text.as_str()),
                ("hm", "Héllo 🙂"),
                "{from} to {client}"
            );
            assert_eq!(heard.order, ["thought", "text", "call", "call"]);
            let call = |id: &str, name: &str, arguments: &str| {
                (id.to_owned(), name.to_owned(), arguments.to_owned())
            };
            assert_eq!(heard.calls, [call("call_1", "f", "{\"a\":1}"), call("call_2", "g", "{}")]);
            let (finish, input) = match client {
                OpenAiChat => ("tool_calls", json!([100, 60])),
                AnthropicMessages => ("tool_use", json!([40, 60])),
                _ => ("completed", json!([100, 60])),
            };
            assert_eq!(heard.finish, finish);
            let usage = heard.usage;
            let told = match client {
                OpenAiChat => {
                    json!([usage["prompt_tokens"], usage["prompt_tokens_details"]["cached_tokens"]])
                }
                AnthropicMessages => json!([usage["input_tokens"], usage["cache_read_input_tokens"]]),
                _ => json!([usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"]]),
            };
            assert_eq!(told, input);
            assert!(relay.delivered().starts_with("Héllo 🙂f{\"a\":1}"));
        }
    }
    let mut silent = json!({"model":"auto","messages":[],"stream":true});
    silent["stream_options"] = json!(null);
    let (out, ..) = relayed(Gemini, &ask(OpenAiChat, &silent), stream(Gemini).as_bytes(), &[]);
    assert!(!out.contains("usage"), "usage that was not asked for is not told");
}

#[test]
fn what_was_delivered_can_be_taken_piece_by_piece() {
    let whole = stream(OpenAiChat);
    let mut relay = Relay::new(OpenAiChat, &asked(AnthropicMessages, true));
    let (mut out, mut taken) = (BytesMut::new(), String::new());
    for piece in whole.as_bytes().chunks(50) {
        relay.push(piece, &mut out).unwrap();
        taken += &relay.take_delivered();
    }
    assert_eq!((taken.as_str(), relay.delivered()), ("Héllo 🙂f{\"a\":1}g{}", ""));
    assert_eq!(
        (relay.written_bytes() - relay.thought_bytes(), relay.check()),
        (taken.len() as u64, Check::Passed)
    );
}

#[test]
fn a_response_beyond_what_is_kept_is_whole_in_its_deltas_and_says_so() {
    let piece = "word ".repeat(20_000);
    let chunk = format!("data: {}\n\n", json!({"id":"c","choices":[{"index":0,"delta":{"content":piece}}]}));
    let mut relay = Relay::new(OpenAiChat, &asked(OpenAiResponses, true));
    let (mut out, mut told, mut last) = (BytesMut::new(), 0, 0);
    for _ in 0..100 {
        relay.push(chunk.as_bytes(), &mut out).unwrap();
        told += out.len();
        out.clear();
        relay.take_delivered();
    }
    assert!(told > 100 * piece.len(), "all of it is told as it comes");
    let end =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    relay.push(end.as_bytes(), &mut out).unwrap();
    last += out.len();
    assert!(last < 4 * 4_400_000, "what is repeated is bounded: {last}");
    let out = std::str::from_utf8(&out).unwrap();
    let event: Value = serde_json::from_str(out.trim_end().rsplit_once("data: ").unwrap().1).unwrap();
    assert_eq!(
        (&event["type"], &event["response"]["output"][0]["status"]),
        (&json!("response.incomplete"), &json!("incomplete"))
    );
}

#[test]
fn calls_of_other_tools_come_back_as_what_they_are() {
    let asked = ask(
        OpenAiResponses,
        &json!({"model":"auto","stream":true,"input":"x","tools":[
        {"type":"custom","name":"apply_patch","description":"d"},
        {"type":"namespace","name":"mcp","description":"d","tools":[{"type":"function","name":"look","parameters":{"type":"object"}}]},
        {"type":"local_shell"}]}),
    );
    let call = |index: u32, name: &str, arguments: Value| json!({"index":0,"delta":{"tool_calls":[{"index":index,"id":format!("c{index}"),"type":"function","function":{"name":name,"arguments":arguments.to_string()}}]}});
    let stream = super::wholeness::chunks(&[
        call(0, "apply_patch", json!({"input":"*** \"x\"\n"})),
        call(1, "mcp__look", json!({"a":1})),
        call(2, "local_shell", json!({"command":["ls"]})),
        json!({"index":0,"delta":{},"finish_reason":"tool_calls"}),
    ]);
    let (out, end, _) = relayed(OpenAiChat, &asked, stream.as_bytes(), &[]);
    assert_eq!(end, StreamEnd::Complete);
    assert_eq!(heard(OpenAiResponses, &out).calls[0].2, "*** \"x\"\n");
    let last: Value = serde_json::from_str(out.trim_end().rsplit_once("data: ").unwrap().1).unwrap();
    let output = &last["response"]["output"];
    assert_eq!(
        (&output[0]["type"], &output[0]["call_id"], &output[0]["name"]),
        (&json!("custom_tool_call"), &json!("c0"), &json!("apply_patch"))
    );
    assert_eq!(
        (&output[1]["name"], &output[1]["namespace"], &output[1]["arguments"]),
        (&json!("look"), &json!("mcp"), &json!("{\"a\":1}"))
    );
    assert_eq!(
        (&output[2]["type"], &output[2]["action"]["command"]),
        (&json!("local_shell_call"), &json!(["ls"]))
    );
    let asked = ask(
        OpenAiChat,
        &json!({"model":"auto","stream":true,"messages":[],"tools":[{"type":"custom","custom":{"name":"say"}}]}),
    );
    let stream = format!(
        "data: {}\n\n",
        json!({"candidates":[{"content":{"parts":[{"functionCall":{"name":"say","args":{"input":"hi"}}}]},"finishReason":"STOP"}]})
    );
    let (out, ..) = relayed(Gemini, &asked, stream.as_bytes(), &[]);
    assert_eq!(heard(OpenAiChat, &out).calls[0].2, "hi");
    assert!(out.contains(r#""type":"custom""#));
}

/// Servers that stream by units of UTF-16 cut an emoji in two.
#[test]
fn a_character_that_is_cut_into_two_escapes_arrives_whole() {
    let chat = |text: &str| {
        format!(
            "data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n"
        )
    };
    let stream = chat("a\\ud83c")
        + &chat("\\udf89 b\\uD83D")
        + ": alive\n\n"
        + &chat("\\ude42")
        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    for client in [AnthropicMessages, OpenAiResponses] {
        let (out, end, relay) = relayed(OpenAiChat, &asked(client, true), stream.as_bytes(), &[]);
        assert_eq!((end, &*heard(client, &out).text), (StreamEnd::Complete, "a🎉 b🙂"));
        assert_eq!(relay.delivered(), "a🎉 b🙂");
    }
    // Who speaks the same dialect puts them together itself.
    let (out, ..) = relayed(OpenAiChat, &asked(OpenAiChat, true), stream.as_bytes(), &[]);
    assert!(out.contains("a\\ud83c") && out.contains("\\udf89 b"), "{out}");
}

/// An answer of nothing, for all that was said, makes agents ask again and again.
#[test]
fn what_a_chunk_calls_a_message_is_added_where_nothing_else_is() {
    let chunk = |choice: Value| format!("data: {}\n\n", json!({"id":"c","model":"m","choices":[choice]}));
    let said = |name: &str, text: &str| chunk(json!({"index":0, name: {"role":"assistant","content":text}}));
    let end = chunk(json!({"index":0,"delta":{},"finish_reason":"stop"})) + "data: [DONE]\n\n";
    let whole =
        chunk(json!({"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}));
    for stream in [
        said("message", "Hel") + &said("message", "lo") + &end,
        said("delta", "Hel") + &said("delta", "lo") + &end,
        // The whole once more, behind its pieces.
        said("delta", "Hel") + &said("delta", "lo") + &whole + "data: [DONE]\n\n",
        whole.clone() + "data: [DONE]\n\n",
    ] {
        for client in [AnthropicMessages, OpenAiResponses] {
            let (out, end, _) = relayed(OpenAiChat, &asked(client, true), stream.as_bytes(), &[]);
            assert_eq!((end, &*heard(client, &out).text), (StreamEnd::Complete, "Hello"), "{stream}");
        }
    }
}

#[test]
fn a_translated_stream_that_breaks_is_not_closed_as_whole() {
    for client in [OpenAiChat, AnthropicMessages, OpenAiResponses] {
        for from in PROVIDERS.into_iter().filter(|from| *from != client) {
            let whole = stream(from);
            let cut = whole.find("llo").unwrap();
            let (out, end, mut relay) = relayed(from, &asked(client, true), &whole.as_bytes()[..cut], &[]);
            assert_eq!((end, relay.delivered()), (StreamEnd::Truncated, "Hé"));
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

#[test]
fn calls_that_share_a_number_are_told_apart_by_their_ids() {
    let call = |id: &str, name: &str, arguments: &str| {
        let call =
            json!({"index":0,"id":id,"type":"function","function":{"name":name,"arguments":arguments}});
        json!({"index":0,"delta":{"tool_calls":[call]},"finish_reason":null})
    };
    let stream = chunks(&[
        call("a", "look", "{\"q\":"),
        // The same call goes on, its id and name said again.
        call("a", "look", "\"1\"}"),
        call("b", "find", "{\"q\":\"2\"}"),
        json!({"index":0,"delta":{},"finish_reason":"tool_calls"}),
    ]);
    let (out, end, _) = relayed(OpenAiChat, &asked(AnthropicMessages, true), stream.as_bytes(), &[]);
    assert_eq!(end, StreamEnd::Complete, "{out}");
    for part in [r#""name":"look""#, r#""name":"find""#, r#"{\"q\":\"2\"}"#] {
        assert!(out.contains(part), "{part} is missing: {out}");
    }
    assert_eq!(
        out.matches("content_block_start").count(),
        2 * 2,
        "two blocks, named in event and data: {out}"
    );
}

/// A name in pieces once began a call of a tool that nobody offered.
#[test]
fn a_calls_name_comes_whole_in_pieces_after_its_id_or_again_and_again() {
    let part = |index: u32, call: Value| {
        let mut call = call;
        call["index"] = json!(index);
        json!({"index":0,"delta":{"tool_calls":[call]},"finish_reason":null})
    };
    let name = |name: &str| json!({"function":{"name":name}});
    let ends = json!({"index":0,"delta":{},"finish_reason":"tool_calls"});
    for begins in [
        vec![json!({"id":"a","function":{"name":"look"}}), name("_up")],
        vec![json!({"id":"a","function":{"name":"lo","arguments":""}}), name("ok"), name("_up")],
        vec![json!({"id":"a","function":{"name":"look"}}), json!({"id":"a","function":{"name":"look_up"}})],
        vec![json!({"id":"a","function":{"name":"look_up"}}), name("look_up")],
        vec![json!({"id":"a","function":{"name":""}}), name("look"), name("_up")],
        vec![json!({"id":"a"}), name("look_up")],
    ] {
        for arguments in ["", r#"{"q":1}"#] {
            let mut parts: Vec<Value> = begins.iter().map(|call| part(0, call.clone())).collect();
            parts.push(part(0, json!({"function":{"arguments":arguments}})));
            parts.push(part(1, json!({"id":"b","function":{"name":"find","arguments":"{}"}})));
            parts.push(ends.clone());
            let (out, end, _) =
                relayed(OpenAiChat, &asked(AnthropicMessages, true), chunks(&parts).as_bytes(), &[]);
            assert_eq!(end, StreamEnd::Complete, "{out}");
            let blocks: Vec<_> = out.lines().filter(|line| line.contains(r#""content_block":"#)).collect();
            assert_eq!(blocks.len(), 2, "{out}");
            assert!(blocks[0].contains(r#""id":"a","name":"look_up""#), "{begins:?}: {out}");
            assert!(blocks[1].contains(r#""id":"b","name":"find""#), "{out}");
            assert_eq!(out.contains(r#"{\"q\":1}"#), !arguments.is_empty(), "{out}");
        }
    }
}
