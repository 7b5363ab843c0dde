//! What counts as an answer: how it has to end, what its calls have to be, and what becomes of one that is none.

#![expect(clippy::needless_pass_by_value, reason = "JSON reads best where it is made")]

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use pointsman::routing::Check;
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Ask, Finish, Relay, StreamEnd, WireError, answer};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::grammar::{Heard, heard, response};
use super::{ask, asked, relayed};

pub(crate) const CLIENTS: [Dialect; 3] = [OpenAiChat, AnthropicMessages, OpenAiResponses];

/// Writes chunks of a chat stream.
pub(crate) fn chunks(choices: &[Value]) -> String {
    let event = |choice: &Value| {
        format!(
            "data: {}\n\n",
            json!({"id":"c1","object":"chat.completion.chunk","model":"m","choices":[choice]})
        )
    };
    choices.iter().map(event).collect()
}

pub(crate) fn says(delta: Value) -> Value {
    json!({"index":0,"delta":delta,"finish_reason":null})
}

pub(crate) fn ends(word: &str) -> Value {
    json!({"index":0,"delta":{},"finish_reason":word})
}

pub(crate) fn begins(index: u32, id: &str, arguments: &str) -> Value {
    says(
        json!({"tool_calls":[{"index":index,"id":id,"type":"function","function":{"name":"look","arguments":arguments}}]}),
    )
}

pub(crate) fn goes_on(index: u32, arguments: &str) -> Value {
    says(json!({"tool_calls":[{"index":index,"function":{"arguments":arguments}}]}))
}

/// Relays a stream and says why it broke, if it did.
pub(crate) fn broke(from: Dialect, client: Dialect, stream: &str) -> (String, Option<String>, Relay) {
    let (out, end, relay) = relayed(from, &asked(client, true), stream.as_bytes(), &[]);
    let why = relay.failure().map(ToString::to_string);
    assert_eq!(end == StreamEnd::Complete, relay.is_complete());
    let why = why.or_else(|| (end == StreamEnd::Truncated).then(|| "cut".to_owned()));
    (out, why, relay)
}

/// A whole answer of a chat provider.
pub(crate) fn message(message: Value, finish: &Value) -> Value {
    json!({"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"message":message,"finish_reason":finish}],
        "usage":{"prompt_tokens":11,"completion_tokens":2,"total_tokens":13}})
}

fn called(call: Value) -> Value {
    json!({"role":"assistant","content":null,"tool_calls":[call]})
}

pub(crate) fn read(from: Dialect, client: Dialect, body: &Value) -> pointsman::wire::Answer {
    answer(from, &asked(client, false), Bytes::from(body.to_string())).unwrap()
}

#[test]
fn fragments_of_parallel_calls_never_reach_a_call_that_is_done() {
    let stream = chunks(&[
        begins(0, "call_a", ""),
        begins(1, "call_b", ""),
        goes_on(0, "{\"q\":\"o"),
        goes_on(1, "{\"q\":\"t"),
        says(json!({"content":"And "})),
        says(json!({"reasoning_content":"hm"})),
        begins(2, "call_c", ""),
        goes_on(0, "ne\"}"),
        goes_on(1, "wo\"}"),
        says(json!({"content":"so."})),
        ends("tool_calls"),
    ]) + "data: [DONE]\n\n";
    let call = |id: &str, arguments: &str| (id.to_owned(), "look".to_owned(), arguments.to_owned());
    let calls =
        vec![call("call_a", "{\"q\":\"one\"}"), call("call_b", "{\"q\":\"two\"}"), call("call_c", "{}")];
    for client in [AnthropicMessages, OpenAiResponses] {
        let (out, end, _) = relayed(OpenAiChat, &asked(client, true), stream.as_bytes(), &[]);
        assert_eq!(end, StreamEnd::Complete);
        let heard = heard(client, &out);
        assert_eq!((&heard.calls, heard.text.as_str(), heard.thoughts.as_str()), (&calls, "And so.", "hm"));
        assert_eq!(
            heard.order,
            ["call", "call", "text", "thought", "call", "text"],
            "nothing is told out of turn"
        );
    }
}

#[test]
fn a_call_that_is_whole_is_not_held_back_for_the_next() {
    let stream = chunks(&[begins(0, "call_a", "{\"q\":1}"), begins(1, "call_b", "{\"q\"")]);
    let (out, ..) = relayed(OpenAiChat, &asked(AnthropicMessages, true), stream.as_bytes(), &[]);
    assert!(out.contains("call_b") && out.contains(r#""partial_json":"{\"q\"""#), "{out}");
}

#[test]
fn what_has_to_be_held_back_is_bounded() {
    let mut relay = Relay::new(OpenAiChat, &asked(AnthropicMessages, true));
    let mut out = BytesMut::new();
    relay.push(chunks(&[begins(0, "a", ""), begins(1, "b", "{\"q\":\"")]).as_bytes(), &mut out).unwrap();
    let piece = chunks(&[goes_on(1, &"x".repeat(100_000))]);
    let error = (0..100).find_map(|_| relay.push(piece.as_bytes(), &mut out).err());
    assert!(matches!(error, Some(WireError::TooMixed(_))), "{error:?}");
}

#[test]
fn whole_calls_reach_every_client_in_order() {
    let call = |id: Value, arguments: Value| json!({"id":id,"type":"function","function":{"name":"add","arguments":arguments}});
    for word in ["stop", "tool_calls", "eos"] {
        let body = message(called(call(json!("c1"), json!("{\"a\":1}"))), &json!(word));
        assert_eq!(read(OpenAiChat, OpenAiChat, &body).finish, Finish::ToolCalls, "calls are why it ended");
        for client in [AnthropicMessages, OpenAiResponses] {
            let read = read(OpenAiChat, client, &body);
            let told: Value = serde_json::from_slice(&read.body).unwrap();
            assert_eq!((read.check, &read.fault), (Check::Passed, &None));
            if client == AnthropicMessages {
                assert_eq!(
                    (&told["stop_reason"], &told["content"][0]["input"]),
                    (&json!("tool_use"), &json!({"a":1}))
                );
            } else {
                response(&told);
                assert_eq!(told["output"][0]["arguments"], "{\"a\":1}");
            }
        }
    }
    for nothing in [json!(""), json!(null), json!(" "), json!("null"), json!({})] {
        let body = message(called(call(json!("c1"), nothing.clone())), &json!("tool_calls"));
        let told =
            |client| -> Value { serde_json::from_slice(&read(OpenAiChat, client, &body).body).unwrap() };
        assert_eq!(told(AnthropicMessages)["content"][0]["input"], json!({}), "{nothing}");
        assert_eq!(told(OpenAiResponses)["output"][0]["arguments"], "{}", "{nothing}");
    }
    for bad in ["{\"a\": 1", "[1]", "words", "\"{}\"", "{\"a\":1}{\"b\":2}"] {
        let body = message(called(call(json!("c1"), json!(bad))), &json!("tool_calls"));
        for client in [AnthropicMessages, OpenAiResponses] {
            let read = read(OpenAiChat, client, &body);
            let fault = read.fault.expect("arguments that cannot be read are no answer");
            assert!(fault.to_string().contains("call of add") && !fault.to_string().contains(bad), "{fault}");
            assert_eq!((fault.to_api().status, read.check), (502, Check::Failed));
            assert_eq!(read.usage.unwrap().usage.input.get(), Some(11), "it was used all the same");
        }
        let same = read(OpenAiChat, OpenAiChat, &body);
        assert_eq!(same.check, Check::Failed);
        assert!(same.fault.unwrap().is_models(), "no client is given a call that nobody can make");
    }
}

#[test]
fn a_call_without_an_id_gets_one_of_its_own() {
    let body = |ids: [Value; 2]| {
        let calls =
            ids.map(|id| json!({"id":id,"type":"function","function":{"name":"add","arguments":"{}"}}));
        message(json!({"role":"assistant","content":null,"tool_calls":calls}), &json!("tool_calls"))
    };
    let ids = |asked: &Ask, body: &Value| -> Vec<String> {
        let read = answer(OpenAiChat, asked, Bytes::from(body.to_string())).unwrap();
        let told: Value = serde_json::from_slice(&read.body).unwrap();
        told["content"]
            .as_array()
            .unwrap()
            .iter()
            .map(|block| block["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = asked(AnthropicMessages, false);
    let made = ids(&first, &body([json!(null), json!("")]));
    assert!(
        made[0] != made[1] && made.iter().all(|id| id.starts_with("call_") && id.len() <= 40),
        "{made:?}"
    );
    assert_eq!(ids(&first, &body([json!(null), json!("")])), made, "the same answer gives the same ids");
    let later = ask(
        AnthropicMessages,
        &json!({"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"user","content":"y"}]}),
    );
    assert_ne!(ids(&later, &body([json!(null), json!("")])), made, "a later turn gives others");
    let twice = ids(&first, &body([json!("x"), json!("x")]));
    assert!(twice[0] == "x" && twice[1] != "x", "an id given twice is no id");
    let stream = chunks(&[
        says(json!({"tool_calls":[{"index":0,"function":{"name":"add","arguments":"{}"}}]})),
        says(json!({"tool_calls":[{"index":1,"function":{"name":"add","arguments":"{}"}}]})),
        ends("stop"),
    ]);
    for client in [AnthropicMessages, OpenAiResponses] {
        let (out, ..) = relayed(OpenAiChat, &asked(client, true), stream.as_bytes(), &[]);
        let heard = heard(client, &out);
        assert!(heard.calls[0].0 != heard.calls[1].0 && heard.calls[0].0.starts_with("call_"));
        assert_eq!(heard.finish, if client == AnthropicMessages { "tool_use" } else { "completed" });
    }
}

#[test]
fn streamed_arguments_are_an_object_or_the_stream_fails() {
    for nothing in [json!(""), json!(null), json!("null")] {
        let begin =
            says(json!({"tool_calls":[{"index":0,"id":"a","function":{"name":"ping","arguments":nothing}}]}));
        let stream = chunks(&[begin, ends("tool_calls")]) + "data: [DONE]\n\n";
        for client in [AnthropicMessages, OpenAiResponses] {
            let (out, why, _) = broke(OpenAiChat, client, &stream);
            assert_eq!((why, heard(client, &out).calls[0].2.as_str()), (None, "{}"));
        }
    }
    let cut = |word: &str| chunks(&[begins(0, "a", "{\"a\":"), ends(word)]) + "data: [DONE]\n\n";
    for client in [AnthropicMessages, OpenAiResponses] {
        let (out, why, mut relay) = broke(OpenAiChat, client, &cut("tool_calls"));
        assert_eq!(why, None, "it was read to its end");
        let unfit = relay.unfit().unwrap().to_api();
        assert!(unfit.message.contains("call of look"));
        assert!(!out.contains("message_stop") && !out.contains("response.completed"));
        let mut told = BytesMut::new();
        relay.fail(&unfit, &mut told);
        assert!(told.starts_with(b"event: error\n"), "the client is told");
        // Where the limit of output cut them, the client is told of the limit.
        let (out, why, relay) = broke(OpenAiChat, client, &cut("length"));
        assert_eq!((why, relay.check()), (None, Check::Failed));
        assert_eq!(
            heard(client, &out).finish,
            if client == AnthropicMessages { "max_tokens" } else { "max_output_tokens" }
        );
    }
    let (_, why, relay) = broke(OpenAiChat, OpenAiChat, &cut("tool_calls"));
    assert_eq!((why, relay.check()), (None, Check::Failed), "what passes as it is is checked all the same");
}

/// How each dialect's stream and whole answer end with a word, after some text or none.
pub(crate) fn ended(from: Dialect, text: &str, word: &str) -> (String, Value) {
    match from {
        AnthropicMessages => {
            let mut stream = String::new();
            let mut event = |data: Value| {
                write!(stream, "event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap()).unwrap();
            };
            event(
                json!({"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":5,"output_tokens":1}}}),
            );
            if !text.is_empty() {
                event(
                    json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}),
                );
                event(
                    json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":text}}),
                );
                event(json!({"type":"content_block_stop","index":0}));
            }
            event(
                json!({"type":"message_delta","delta":{"stop_reason":word,"stop_sequence":null},"usage":{"output_tokens":2}}),
            );
            event(json!({"type":"message_stop"}));
            let content = if text.is_empty() { json!([]) } else { json!([{"type":"text","text":text}]) };
            (
                stream,
                json!({"id":"msg_1","type":"message","role":"assistant","model":"m","content":content,"stop_reason":word,"usage":{"input_tokens":5,"output_tokens":2}}),
            )
        }
        Gemini => {
            let parts = if text.is_empty() { json!([]) } else { json!([{"text":text}]) };
            let whole = json!({"candidates":[{"content":{"role":"model","parts":parts},"finishReason":word,"index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7},"modelVersion":"m","responseId":"g"});
            (format!("data: {whole}\n\n"), whole)
        }
        _ => {
            let mut all = vec![says(json!({"role":"assistant","content":text}))];
            all.push(ends(word));
            (
                chunks(&all) + "data: [DONE]\n\n",
                message(json!({"role":"assistant","content":text}), &json!(word)),
            )
        }
    }
}

#[test]
fn every_end_that_is_none_is_a_failure_whole_and_streamed() {
    for (from, words) in [
        (OpenAiChat, "error abort network_error malformed_function_call x"),
        (AnthropicMessages, "error x"),
        (Gemini, "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS OTHER x"),
    ] {
        for client in CLIENTS.into_iter().filter(|client| *client == from || client.reaches(from)) {
            for word in words.split(' ') {
                for text in ["", "Let me look."] {
                    let (stream, whole) = ended(from, text, word);
                    let (out, why, relay) = broke(from, client, &stream);
                    assert!(why.unwrap().contains(word), "{from} to {client}: {word}");
                    assert_eq!((relay.has_content(), relay.check()), (!text.is_empty(), Check::None));
                    assert!(
                        !["[DONE]", "message_stop", "response.completed"]
                            .iter()
                            .any(|mark| out.contains(mark))
                    );
                    let read = read(from, client, &whole);
                    assert!(read.fault.unwrap().to_string().contains(word));
                    assert_eq!((read.check, read.usage.is_some()), (Check::Failed, true));
                }
            }
        }
    }
}

#[test]
fn every_end_that_is_one_stays_good() {
    for (from, words) in [
        (OpenAiChat, "stop eos end_turn length max_tokens model_length content_filter stop_sequence"),
        (
            AnthropicMessages,
            "end_turn max_tokens stop_sequence pause_turn refusal model_context_window_exceeded",
        ),
        (Gemini, "STOP MAX_TOKENS SAFETY RECITATION PROHIBITED_CONTENT"),
    ] {
        for client in CLIENTS.into_iter().filter(|client| *client == from || client.reaches(from)) {
            for word in words.split(' ') {
                let (stream, whole) = ended(from, "fine", word);
                let (out, why, relay) = broke(from, client, &stream);
                assert_eq!((why, relay.has_answer()), (None, true), "{from} to {client}: {word}");
                if client != from {
                    assert_eq!(heard(client, &out).text, "fine");
                }
                let read = read(from, client, &whole);
                assert_eq!((read.fault, read.check), (None, Check::None), "{from} to {client}: {word}");
                assert_eq!(relay.finish_reason(), Some(read.finish), "whole and streamed agree");
            }
        }
    }
}

#[test]
fn an_empty_word_is_no_end_until_another_comes() {
    let empty = |content: &str| json!({"index":0,"delta":{"content":content},"finish_reason":""});
    let good = chunks(&[empty(""), empty("fine"), ends("stop")]) + "data: [DONE]\n\n";
    let never = chunks(&[empty(""), empty("half an ans")]);
    for client in CLIENTS {
        let (_, why, _) = broke(OpenAiChat, client, &good);
        assert_eq!(why, None);
        let (out, why, relay) = broke(OpenAiChat, client, &never);
        assert_eq!((why.as_deref(), relay.has_content()), (Some("cut"), true), "it just stops");
        assert!(!out.contains("[DONE]"));
        let (_, why, _) = broke(OpenAiChat, client, &(never.clone() + "data: [DONE]\n\n"));
        assert!(why.unwrap().contains("finish_reason \"\""), "an empty word is no word");
    }
    let (_, _, relay) = broke(OpenAiChat, AnthropicMessages, &chunks(&[empty("")]));
    assert!(!relay.has_content(), "another may be asked");
    let body = message(json!({"role":"assistant","content":"hi"}), &json!(""));
    assert!(read(OpenAiChat, AnthropicMessages, &body).fault.is_some());
}

#[test]
fn an_answer_that_never_says_that_it_ended_has_not_whole_and_streamed() {
    for from in [OpenAiChat, AnthropicMessages, Gemini] {
        for client in CLIENTS.into_iter().filter(|client| *client == from || client.reaches(from)) {
            let (stream, whole) = ended(from, "half an ans", "WORD");
            let stream = stream.replace("\"WORD\"", "null");
            let whole: Value = serde_json::from_str(&whole.to_string().replace("\"WORD\"", "null")).unwrap();
            let (out, why, relay) = broke(from, client, &stream);
            let why = why.unwrap();
            assert!(why == "cut" || why.contains("without a "), "{from} to {client}: {why}");
            assert_eq!((relay.is_complete(), relay.check()), (false, Check::None));
            let marks = ["[DONE]", "message_stop", "response.completed"];
            assert!(!marks.iter().any(|mark| out.contains(mark)), "{from} to {client}: {out}");
            let read = read(from, client, &whole);
            assert!(read.fault.unwrap().to_string().contains("without a "), "{from} to {client}");
            assert_eq!((read.check, read.usage.is_some()), (Check::Failed, true));
        }
    }
}

#[test]
fn an_empty_answer_is_no_content_and_fails_its_check() {
    for (from, word) in
        [(OpenAiChat, "stop"), (AnthropicMessages, "end_turn"), (Gemini, "MAX_TOKENS"), (Gemini, "SAFETY")]
    {
        for client in CLIENTS.into_iter().filter(|client| *client == from || client.reaches(from)) {
            let (stream, whole) = ended(from, "", word);
            let (_, why, relay) = broke(from, client, &stream);
            assert_eq!(
                (why, relay.has_content(), relay.check()),
                (None, false, Check::Failed),
                "{from} to {client}"
            );
            assert_eq!(read(from, client, &whole).check, Check::Failed);
        }
    }
    for parts in [json!([]), json!([{"text":"hm","thought":true}])] {
        let whole = json!({"candidates":[{"content":{"parts":parts},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5}});
        let (_, why, _) = broke(Gemini, OpenAiChat, &format!("data: {whole}\n\n"));
        assert!(why.unwrap().contains("without a word"), "Gemini stops so when its model went wrong");
        assert!(read(Gemini, OpenAiChat, &whole).fault.is_some());
    }
    let (_, why, _) = broke(OpenAiChat, OpenAiChat, "data: [DONE]\n\n");
    assert!(why.unwrap().contains("without a word"));
    let thought = json!({"role":"assistant","content":null,"reasoning_content":"hm"});
    assert_eq!(read(OpenAiChat, AnthropicMessages, &message(thought, &json!("stop"))).check, Check::Failed);
}

#[test]
fn an_event_of_nothing_but_words_is_the_error_that_they_tell() {
    for client in CLIENTS {
        let (_, _, relay) = broke(OpenAiChat, client, "event: error\ndata: {\"message\":\"gone\"}\n\n");
        let Some(WireError::Upstream(error)) = relay.failure() else { panic!("{:?}", relay.failure()) };
        assert_eq!((error.status, error.message.as_str()), (502, "gone"));
    }
}

#[test]
fn an_error_within_a_choice_is_an_error() {
    let choice = json!({"index":0,"delta":{"content":""},"finish_reason":"error","error":{"code":429,"message":"slow down"}});
    let whole = json!({"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":""},"finish_reason":"error","error":{"code":429,"message":"slow down"}}]});
    for client in CLIENTS {
        let (_, _, relay) = broke(OpenAiChat, client, &chunks(std::slice::from_ref(&choice)));
        let Some(WireError::Upstream(error)) = relay.failure() else { panic!("{:?}", relay.failure()) };
        assert_eq!((error.status, error.message.as_str()), (429, "slow down"));
        assert!(matches!(read(OpenAiChat, client, &whole).fault, Some(WireError::Upstream(_))));
    }
}

#[test]
fn a_stream_is_over_when_its_dialect_says_so() {
    for (from, stream) in [
        (OpenAiChat, ended(OpenAiChat, "x", "stop").0),
        (AnthropicMessages, ended(AnthropicMessages, "x", "end_turn").0),
    ] {
        let mut relay = Relay::new(from, &asked(from, true));
        let mut out = BytesMut::new();
        let last = stream.trim_end().rfind("\n\n").unwrap();
        relay.push(&stream.as_bytes()[..last], &mut out).unwrap();
        assert!(!relay.is_over());
        relay.push(&stream.as_bytes()[last..], &mut out).unwrap();
        assert!(relay.is_over() && relay.is_complete());
    }
}

#[test]
fn json_in_place_of_a_stream_becomes_one() {
    let call = json!({"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}});
    let said = json!({"role":"assistant","content":"hi","reasoning_content":"hm","tool_calls":[call]});
    let compact = message(said, &json!("tool_calls"));
    let pretty = serde_json::to_string_pretty(&compact).unwrap();
    for client in CLIENTS {
        let want = Heard { text: "hi".into(), thoughts: "hm".into(), ..Heard::default() };
        for body in
            [compact.to_string(), format!("\n{compact}\n"), pretty.clone(), format!("\u{feff} {pretty}\n\n")]
        {
            for cut in [1, body.len() / 2, body.len() - 1] {
                let cut = (0..=cut).rev().find(|at| body.is_char_boundary(*at)).unwrap();
                let (out, end, relay) = relayed(OpenAiChat, &asked(client, true), body.as_bytes(), &[cut]);
                assert_eq!((end, relay.is_over(), relay.check()), (StreamEnd::Complete, true, Check::Passed));
                let heard = heard(client, &out);
                assert_eq!((&heard.text, &heard.thoughts), (&want.text, &want.thoughts));
                assert_eq!(heard.calls, [("c1".into(), "add".into(), "{\"a\":1}".into())]);
                assert_eq!(relay.usage().unwrap().usage.input.get(), Some(11));
                assert!(!heard.usage.is_null());
            }
        }
        let lines = chunks(&[says(json!({"content":"h"})), says(json!({"content":"i"})), ends("stop")])
            .replace("data: ", "")
            .replace("\n\n", "\n");
        let (out, end, _) = relayed(OpenAiChat, &asked(client, true), lines.as_bytes(), &[7]);
        assert_eq!(end, StreamEnd::Complete);
        assert!(out.contains("\"h\"") && !out.contains("\n{"), "{out}");
        let (_, why, relay) = broke(OpenAiChat, client, &pretty[..pretty.len() - 3]);
        assert!(why.is_some() && !relay.has_content());
    }
    let one = json!({"candidates":[{"content":{"parts":[{"text":"h"}]}}]});
    let two = json!({"candidates":[{"content":{"parts":[{"text":"i"}]},"finishReason":"STOP"}]});
    let (out, end, _) =
        relayed(Gemini, &asked(AnthropicMessages, true), format!("[{one}\n,\n{two}]").as_bytes(), &[9]);
    assert_eq!((end, heard(AnthropicMessages, &out).text.as_str()), (StreamEnd::Complete, "hi"));
    let body = ended(AnthropicMessages, "hi", "end_turn").1.to_string();
    let (out, end, _) = relayed(AnthropicMessages, &asked(AnthropicMessages, true), body.as_bytes(), &[]);
    assert_eq!((end, heard(AnthropicMessages, &out).text.as_str()), (StreamEnd::Complete, "hi"));
}

#[test]
fn an_error_in_place_of_a_stream_keeps_its_status() {
    for (body, status) in [
        (r#"{"error":{"message":"too fast","type":"rate_limit_error","code":429}}"#, 429),
        (r#"{"error":{"message":"too fast","code":"rate_limit_exceeded"}}"#, 429),
        ("{\"error\":{\"message\":\"too fast\",\"code\":503}}\n", 503),
        (r#"{"error":"too fast"}"#, 502),
        (r#"{"type":"error","error":{"type":"overloaded_error","message":"too fast"}}"#, 529),
        (r#"{"object":"error","message":"too fast","code":400}"#, 400),
        (r#"[{"error":{"code":429,"message":"too fast","status":"RESOURCE_EXHAUSTED"}}]"#, 429),
        ("data: {\"error\":{\"message\":\"too fast\",\"code\":429}}\n\n", 429),
        // The frame broke off with the error.
        (": keep\n\n{\"error\":{\"message\":\"too fast\",\"code\":429}}", 429),
    ] {
        for client in CLIENTS {
            let (_, _, relay) = broke(OpenAiChat, client, body);
            let Some(WireError::Upstream(error)) = relay.failure() else {
                panic!("{body}: {:?}", relay.failure())
            };
            assert_eq!((error.status, error.message.as_str()), (status, "too fast"), "{body}");
        }
    }
    let (_, why, _) = broke(OpenAiChat, OpenAiChat, "<html>502 Bad gateway</html>");
    assert!(why.as_deref().is_some_and(|why| why.ends_with("it is a page, not JSON")), "{why:?}");
    let (_, why, _) = broke(OpenAiChat, OpenAiChat, "");
    assert_eq!(why.as_deref(), Some("cut"));
}

#[test]
fn a_message_starts_with_an_estimate_of_its_prompt() {
    let asked = ask(
        AnthropicMessages,
        &json!({"model":"auto","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"word ".repeat(400)}]}),
    );
    let stream = chunks(&[says(json!({"content":"hi"})), ends("stop")])
        + "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":401,\"completion_tokens\":5}}\n\ndata: [DONE]\n\n";
    let (out, ..) = relayed(OpenAiChat, &asked, stream.as_bytes(), &[]);
    let start: Value =
        serde_json::from_str(out.lines().nth(1).unwrap().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(start["message"]["usage"]["input_tokens"], asked.measures().estimated_prompt_tokens);
    assert!(asked.measures().estimated_prompt_tokens > 400);
    assert_eq!(heard(AnthropicMessages, &out).usage["input_tokens"], 401);
}

proptest! {
    #[test]
    fn whatever_alternates_is_told_in_turn_however_cut(
        steps in prop::collection::vec((0u32..4, "[a-c \\\\\"é]{0,4}"), 0..24), cuts in prop::collection::vec(0usize..6_000, 0..12),
    ) {
        // Four texts grow in turns: three calls' arguments and what is said besides.
        let (mut all, mut texts) = (Vec::new(), [String::new(), String::new(), String::new(), String::new()]);
        for (of, text) in &steps {
            let of = *of as usize;
            if of == 3 {
                all.push(says(json!({"content":text})));
            } else if texts[of].is_empty() {
                texts[of].push_str("{\"q\":\"");
                all.push(begins(u32::try_from(of).unwrap(), &format!("call_{of}"), "{\"q\":\""));
            }
            let quoted = serde_json::to_string(text).unwrap();
            if of < 3 {
                all.push(goes_on(u32::try_from(of).unwrap(), &quoted[1..quoted.len() - 1]));
                texts[of] += &quoted[1..quoted.len() - 1];
            } else {
                texts[of] += text;
            }
        }
        for (of, text) in texts.iter_mut().enumerate().take(3).filter(|(_, text)| !text.is_empty()) {
            text.push_str("\"}");
            all.push(goes_on(u32::try_from(of).unwrap(), "\"}"));
        }
        all.push(ends("stop"));
        let stream = chunks(&all) + "data: [DONE]\n\n";
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
        cuts.sort_unstable();
        for client in [AnthropicMessages, OpenAiResponses] {
            let (out, end, _) = relayed(OpenAiChat, &asked(client, true), stream.as_bytes(), &cuts);
            let (whole, ..) = relayed(OpenAiChat, &asked(client, true), stream.as_bytes(), &[]);
            prop_assert_eq!(&out, &whole);
            prop_assert_eq!(end, StreamEnd::Complete);
            let heard = heard(client, &out);
            prop_assert_eq!(heard.text, texts[3].clone());
            for (id, _, arguments) in &heard.calls {
                let of: usize = id.strip_prefix("call_").unwrap().parse().unwrap();
                prop_assert_eq!(arguments, &texts[of]);
            }
        }
    }
}

#[test]
fn a_call_that_the_limit_of_output_cut_off_is_taken_away_and_the_limit_told() {
    let call = |id: &str, arguments: &str| json!({"id":id,"type":"function","function":{"name":"look","arguments":arguments}});
    let said = json!({"role":"assistant","content":"","tool_calls":[call("a", "{\"q\":1}"), call("b", "{")]});
    let read = read(OpenAiChat, AnthropicMessages, &message(said, &json!("length")));
    let body: Value = serde_json::from_slice(&read.body).unwrap();
    assert!(read.fault.is_none());
    assert_eq!(body["stop_reason"], "max_tokens");
    assert_eq!(body["content"], json!([{"type":"tool_use","id":"a","name":"look","input":{"q":1}}]));
}
