//! What a finished answer becomes on its way to a client of another dialect.

use std::fmt::Write as _;

use bytes::Bytes;
use pointsman::routing::Check;
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Finish, answer};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{PROVIDERS, answered, ask, asked, words};

/// The same answer in each provider's words: a text, a call, and usage with cached tokens.
fn whole(from: Dialect) -> Value {
    match from {
        OpenAiChat => {
            json!({"id":"chatcmpl-1","model":"gpt-4.1-x","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":"t","content":"Hé","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],
            "usage":{"prompt_tokens":100,"completion_tokens":20,"prompt_tokens_details":{"cached_tokens":60},"completion_tokens_details":{"reasoning_tokens":5}}})
        }
        AnthropicMessages => {
            json!({"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"Hé"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":1}}],
            "stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":40,"cache_read_input_tokens":60,"cache_creation_input_tokens":0,"output_tokens":20,"output_tokens_details":{"thinking_tokens":5}}})
        }
        _ => {
            json!({"candidates":[{"content":{"role":"model","parts":[{"text":"t","thought":true},{"text":"Hé"},{"functionCall":{"name":"f","args":{"a":1}}}]},"finishReason":"STOP","index":0}],
            "usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":15,"thoughtsTokenCount":5,"totalTokenCount":120},"modelVersion":"gemini-x","responseId":"R1"})
        }
    }
}

#[test]
fn every_answer_reaches_every_client() {
    for from in PROVIDERS {
        let call = match from {
            OpenAiChat => "call_1".to_owned(),
            AnthropicMessages => "toolu_1".to_owned(),
            _ => answered(&asked(OpenAiChat, false), Gemini, &whole(Gemini)).0["choices"][0]["message"]["tool_calls"][0]["id"].as_str().unwrap().to_owned(),
        };
        assert!(call.len() <= 40, "OpenAI takes no longer ids: {call}");
        let (chat, check) = answered(&asked(OpenAiChat, false), from, &whole(from));
        assert_eq!(check, Check::Passed);
        assert_eq!(chat["choices"][0]["message"]["content"], "Hé");
        assert_eq!(
            chat["choices"][0]["message"]["tool_calls"][0],
            json!({"id":call,"type":"function","function":{"name":"f","arguments":"{\"a\":1}"}})
        );
        assert_eq!(chat["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(chat["usage"]["prompt_tokens"], 100, "{from}");
        assert_eq!(chat["usage"]["prompt_tokens_details"]["cached_tokens"], 60);
        assert_eq!(
            (
                &chat["usage"]["completion_tokens"],
                &chat["usage"]["completion_tokens_details"]["reasoning_tokens"]
            ),
            (&json!(20), &json!(5))
        );
        let (message, _) = answered(&asked(AnthropicMessages, false), from, &whole(from));
        let content = message["content"].as_array().unwrap();
        assert_eq!(content[0]["thinking"], "t", "thoughts have a place of their own");
        assert!(
            content[0]["signature"].is_string() && chat["choices"][0]["message"]["reasoning_content"] == "t"
        );
        assert_eq!(
            content[1..],
            [
                json!({"type":"text","text":"Hé"}),
                json!({"type":"tool_use","id":call,"name":"f","input":{"a":1}})
            ]
        );
        assert_eq!((&message["stop_reason"], &message["type"]), (&json!("tool_use"), &json!("message")));
        assert_eq!(
            (
                &message["usage"]["input_tokens"],
                &message["usage"]["cache_read_input_tokens"],
                &message["usage"]["output_tokens"]
            ),
            (&json!(40), &json!(60), &json!(20))
        );
        let (response, _) = answered(&asked(OpenAiResponses, false), from, &whole(from));
        super::grammar::response(&response);
        assert_eq!(response["output"][0]["summary"], json!([{"type":"summary_text","text":"t"}]));
        assert_eq!(response["output"][1]["content"][0]["text"], "Hé");
        assert_eq!(
            (&response["output"][2]["call_id"], &response["output"][2]["arguments"]),
            (&json!(call), &json!("{\"a\":1}"))
        );
        assert_eq!(
            (&response["status"], &response["metadata"], &response["created_at"]),
            (&json!("completed"), &json!({"k":"v"}), &json!(1_700_000_000))
        );
        assert_eq!(
            (&response["usage"]["input_tokens"], &response["usage"]["total_tokens"]),
            (&json!(100), &json!(120))
        );
    }
}

#[test]
fn a_blocked_prompt_is_told_as_filtered() {
    let body = json!({"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4,"totalTokenCount":4}});
    let read = answer(Gemini, &asked(OpenAiChat, false), Bytes::from(body.to_string())).unwrap();
    assert_eq!((read.finish, read.check), (Finish::Filtered, Check::Failed));
    assert_eq!(answered(&asked(AnthropicMessages, false), Gemini, &body).0["stop_reason"], "refusal");
    assert_eq!(
        answered(&asked(OpenAiResponses, false), Gemini, &body).0["incomplete_details"]["reason"],
        "content_filter"
    );
}

#[test]
fn json_comes_out_of_its_fence_where_the_provider_has_no_json_mode() {
    let wants = json!({"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_object"}});
    let said = |text: &str| json!({"id":"msg_1","type":"message","content":[{"type":"text","text":text}],"stop_reason":"end_turn"});
    for (text, want, check) in [
        ("```json\n{\"a\":1}\n```\n", "{\"a\":1}", Check::Passed),
        ("{\"a\":1}", "{\"a\":1}", Check::Passed),
        ("```\nwords\n```", "```\nwords\n```", Check::Failed),
        ("Here: {}", "Here: {}", Check::Failed),
    ] {
        let (chat, checked) = answered(&ask(OpenAiChat, &wants), AnthropicMessages, &said(text));
        assert_eq!((&chat["choices"][0]["message"]["content"], checked), (&json!(want), check));
    }
}

/// Of a whole answer clients of chat were told the first thought alone; streams told all.
#[test]
fn every_thought_is_told_to_clients_of_chat() {
    let claude = json!({"id":"msg_1","type":"message","content":[{"type":"thinking","thinking":"One. ","signature":"s"},{"type":"text","text":"a"},
        {"type":"thinking","thinking":"Two.","signature":"s"},{"type":"text","text":"b"}],"stop_reason":"end_turn"});
    let gemini = json!({"candidates":[{"content":{"parts":[{"text":"One. ","thought":true},{"text":"Two.","thought":true},{"text":"ab"}]},"finishReason":"STOP"}]});
    for (from, body) in [(AnthropicMessages, claude), (Gemini, gemini)] {
        let (chat, _) = answered(&asked(OpenAiChat, false), from, &body);
        let message = &chat["choices"][0]["message"];
        assert_eq!((&message["reasoning_content"], &message["content"]), (&json!("One. Two."), &json!("ab")));
    }
}

/// Mistral's models that think answer with a list, which clients of OpenAI's form cannot add to a text.
#[test]
fn a_content_of_parts_reaches_clients_of_chat_as_a_text_and_what_was_thought() {
    let thinking = json!({"type":"thinking","thinking":[{"type":"text","text":"hm"}]});
    let picture = json!({"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}});
    let parts = json!([thinking, {"type":"text","text":"a"}, {"type":"reference","reference_ids":[1]}, {"type":"text","text":"b"}, picture]);
    let body = json!({"id":"c","model":"m","own":1,"choices":[{"index":0,"message":{"role":"assistant","content":parts,"x":2},"finish_reason":"stop"}]});
    let read = answer(OpenAiChat, &asked(OpenAiChat, false), Bytes::from(body.to_string())).unwrap();
    let mut want = body.clone();
    want["choices"][0]["message"] =
        json!({"role":"assistant","content":"ab","reasoning_content":"hm","images":[picture],"x":2});
    assert_eq!(serde_json::from_slice::<Value>(&read.body).unwrap(), want);
    assert_eq!(read.left_out, ["answer (reference)"]);
    let event = |delta: Value, finish: Value| {
        let event =
            json!({"id":"c","model":"m","choices":[{"index":0,"delta":delta,"finish_reason":finish}]});
        format!("data: {event}\n\n")
    };
    let stream = |thought: Value, text: Value| {
        event(thought, Value::Null)
            + &event(text, Value::Null)
            + &event(json!({"content":"b"}), json!("stop"))
            + "data: [DONE]\n\n"
    };
    let came = stream(json!({"content":[thinking]}), json!({"content":[{"type":"text","text":"a"}]}));
    let goes = stream(json!({"content":"","reasoning_content":"hm"}), json!({"content":"a"}));
    let (out, _, _) = super::relayed(OpenAiChat, &asked(OpenAiChat, true), came.as_bytes(), &[]);
    let said = |text: &str| -> Vec<Value> {
        let events = text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok());
        events.collect()
    };
    assert_eq!(said(&out), said(&goes));
}

/// Servers that do not stream say all of a response in its last event, or item by item: it counted as empty.
#[test]
fn what_a_response_says_only_when_it_is_whole_is_its_answer() {
    let message = json!({"type":"message","id":"m1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hello","annotations":[]}]});
    let call = json!({"type":"function_call","id":"f1","call_id":"c1","name":"f","arguments":"{\"a\":1}","status":"completed"});
    let last = |output: Value| json!({"type":"response.completed","response":{"id":"r1","object":"response","model":"m","status":"completed","output":output,"usage":{"input_tokens":9,"output_tokens":9}}});
    let done =
        |at: u64, item: &Value| json!({"type":"response.output_item.done","output_index":at,"item":item});
    let delta = |text: &str| json!({"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":text});
    let text = json!({"type":"response.output_text.done","output_index":0,"content_index":0,"text":"hello"});
    let begun = json!({"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c1","name":"f","arguments":""}});
    let arguments =
        json!({"type":"response.function_call_arguments.done","output_index":1,"arguments":"{\"a\":1}"});
    let pieces =
        json!({"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"a\":1}"});
    let both = json!([message, call]);
    // Servers number what is whole otherwise than its pieces, or not at all.
    let moved = |event: &Value, keys: &[(&str, u64)]| {
        let mut event = event.clone();
        for (key, at) in keys {
            event[*key] = json!(at);
        }
        event
    };
    let unplaced = |event: &Value| {
        let mut event = event.clone();
        for key in ["output_index", "content_index"] {
            event.as_object_mut().unwrap().remove(key);
        }
        event
    };
    let thought =
        json!({"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"hm"});
    let (text_done, begun_call, told_pieces, told_arguments) =
        (text.clone(), begun.clone(), pieces.clone(), arguments.clone());
    let whole = [
        delta("hello"),
        text.clone(),
        done(0, &message),
        begun.clone(),
        pieces.clone(),
        arguments.clone(),
        done(1, &call),
    ];
    for events in [
        vec![last(both.clone())],
        vec![done(0, &message), done(1, &call), last(json!([]))],
        vec![done(0, &message), done(1, &call), last(both.clone())],
        vec![text.clone(), begun.clone(), arguments.clone(), last(both.clone())],
        vec![
            delta("hel"),
            delta("lo"),
            text,
            done(0, &message),
            begun,
            pieces,
            arguments,
            done(1, &call),
            last(both.clone()),
        ],
        vec![
            thought.clone(),
            moved(&delta("hello"), &[("output_index", 8), ("content_index", 5)]),
            moved(&text_done, &[("output_index", 9), ("content_index", 5)]),
            done(9, &message),
            moved(&begun_call, &[("output_index", 9)]),
            moved(&told_pieces, &[("output_index", 9)]),
            moved(&told_arguments, &[("output_index", 10)]),
            done(10, &call),
            last(both.clone()),
        ],
        whole.iter().map(unplaced).chain([last(both.clone())]).collect(),
        vec![thought, last(both)],
    ] {
        let mut stream = String::new();
        for event in &events {
            let _ = write!(stream, "event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
        }
        let mut relay = pointsman::wire::Relay::new(OpenAiResponses, &asked(OpenAiResponses, true));
        relay.keep_said(false);
        let mut out = bytes::BytesMut::new();
        relay.push(stream.as_bytes(), &mut out).unwrap();
        relay.finish(&mut out);
        assert_eq!((relay.check(), relay.unfit()), (Check::Passed, None), "{stream}");
        let said = relay.said();
        assert_eq!(said[0].text, "hello", "{stream}");
        let calls: Vec<_> = said[0].calls.iter().map(|call| (&*call.name, &*call.arguments)).collect();
        assert_eq!(calls, [("f", "{\"a\":1}")], "{stream}");
        assert_eq!(out, stream, "and a client of its dialect gets it as it came");
    }
}

proptest! {
    #[test]
    fn an_answer_survives_the_way_there_and_back(text in words(), arguments in prop::collection::btree_map("[a-z]{1,3}", words(), 0..3)) {
        let body = json!({"id":"1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":text,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":json!(arguments).to_string()}}]},"finish_reason":"tool_calls"}]});
        let (message, _) = answered(&asked(AnthropicMessages, false), OpenAiChat, &body);
        let (back, _) = answered(&asked(OpenAiChat, false), AnthropicMessages, &message);
        prop_assert_eq!(&back["choices"][0]["message"]["content"], &body["choices"][0]["message"]["content"]);
        prop_assert_eq!(&back["choices"][0]["message"]["tool_calls"], &body["choices"][0]["message"]["tool_calls"]);
    }
}
