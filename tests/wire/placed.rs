//! Content of answers that a client's dialect has a place for, or not; turns that are not at their end; calls that nobody can
//! make. Each by the table, in every dialect, whole and streamed.

use bytes::{Bytes, BytesMut};
use pointsman::routing::Check;
use pointsman::wire::Dialect::{
    self, AnthropicMessages, Gemini, OpenAiChat, OpenAiCompletions, OpenAiResponses,
};
use pointsman::wire::{
    ANSWERS, ApiError, Ask, CLIENTS, ErrorKind, Fate, Finish, StreamEnd, WireError, answer,
};
use serde_json::{Value, json};

use super::{ask, asked, relayed};

const MARK: &str = "QUJDREVG";

/// A request of every dialect; Gemini's client asks for no thoughts.
fn request(dialect: Dialect, is_stream: bool) -> Ask {
    match dialect {
        OpenAiCompletions => ask(dialect, &json!({"model":"m","prompt":"x","stream":is_stream})),
        Gemini => {
            let body = json!({"contents":[{"role":"user","parts":[{"text":"x"}]}]});
            Ask::read_for(dialect, Bytes::from(body.to_string()), Some("m")).unwrap()
        }
        _ => asked(dialect, is_stream),
    }
}

/// Says whether a sample stands beside a text, and is no content by itself.
fn is_beside(sample: &Value) -> bool {
    ["annotations", "citations", "groundingMetadata", "citationMetadata", "urlContextMetadata"]
        .iter()
        .any(|key| sample.get(key).is_some())
}

/// A whole answer of these parts, and a word for why it ended.
fn whole(from: Dialect, parts: &[Value], word: &str) -> Value {
    match from {
        OpenAiChat => {
            let mut message = json!({"role":"assistant","content":null});
            for part in parts {
                message.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            }
            json!({"id":"c","model":"m","choices":[{"index":0,"message":message,"finish_reason":word}],
                "usage":{"prompt_tokens":10,"completion_tokens":5}})
        }
        AnthropicMessages => {
            json!({"id":"m","type":"message","role":"assistant","model":"m","content":parts,"stop_reason":word,
                "usage":{"input_tokens":10,"output_tokens":5}})
        }
        _ => {
            let (beside, parts): (Vec<&Value>, Vec<&Value>) = parts.iter().partition(|part| is_beside(part));
            let mut candidate =
                json!({"content":{"role":"model","parts":parts},"finishReason":word,"index":0});
            for part in beside {
                candidate.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
            }
            json!({"candidates":[candidate],
                "usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}})
        }
    }
}

/// The same as a stream.
fn stream(from: Dialect, parts: &[Value], word: &str) -> String {
    let event = |value: Value| format!("data: {value}\n\n");
    match from {
        OpenAiChat => {
            let chunk = |delta: Value, word: Value| {
                event(
                    json!({"id":"c","model":"m","choices":[{"index":0,"delta":delta,"finish_reason":word}]}),
                )
            };
            let mut out: String = parts.iter().map(|part| chunk(part.clone(), Value::Null)).collect();
            out += &chunk(json!({}), json!(word));
            out += &event(
                json!({"id":"c","model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5}}),
            );
            out + "data: [DONE]\n\n"
        }
        AnthropicMessages => {
            let mut out =
                event(json!({"type":"message_start","message":{"id":"m","type":"message","role":"assistant",
                "model":"m","content":[],"usage":{"input_tokens":10,"output_tokens":1}}}));
            for (at, part) in parts.iter().enumerate() {
                out += &event(json!({"type":"content_block_start","index":at,"content_block":part}));
                out += &event(json!({"type":"content_block_stop","index":at}));
            }
            out += &event(
                json!({"type":"message_delta","delta":{"stop_reason":word},"usage":{"output_tokens":5}}),
            );
            out + &event(json!({"type":"message_stop"}))
        }
        _ => event(whole(from, parts, word)),
    }
}

fn stop(from: Dialect) -> &'static str {
    match from {
        OpenAiChat => "stop",
        AnthropicMessages => "end_turn",
        _ => "STOP",
    }
}

fn text(from: Dialect, said: &str) -> Value {
    match from {
        OpenAiChat => json!({"content":said}),
        AnthropicMessages => json!({"type":"text","text":said}),
        _ => json!({"text":said}),
    }
}

/// What a client gets: what it reads, what was left out, and the check.
struct Got {
    text: String,
    left_out: Vec<String>,
    check: Check,
    fault: Option<WireError>,
}

fn got(from: Dialect, to: Dialect, parts: &[Value], is_stream: bool) -> Got {
    let request = request(to, is_stream);
    if is_stream {
        let (text, end, relay) = relayed(from, &request, stream(from, parts, stop(from)).as_bytes(), &[40]);
        assert_eq!(end, StreamEnd::Complete, "{from} to {to}: {:?}", relay.failure());
        let (left_out, fault) = (relay.left_out().to_vec(), relay.unfit().cloned());
        return Got { text, left_out, check: relay.check(), fault };
    }
    let body = Bytes::from(whole(from, parts, stop(from)).to_string());
    let answer = answer(from, &request, body).unwrap();
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    Got { text, left_out: answer.left_out, check: answer.check, fault: answer.fault }
}

#[test]
fn every_kind_of_content_arrives_in_its_place_or_is_left_out_and_told() {
    for table in &ANSWERS {
        let from = table.from;
        for row in table.rows {
            let sample: Value = serde_json::from_str(&row.sample.replace("MARK", MARK)).unwrap();
            for (to, fate) in CLIENTS.into_iter().zip(row.fates) {
                if to == from {
                    continue;
                }
                let beside = if sample.get("content").is_some() && from == OpenAiChat {
                    vec![]
                } else {
                    vec![text(from, "beside")]
                };
                let parts: Vec<Value> = beside.into_iter().chain([sample.clone()]).collect();
                for is_stream in [false, true] {
                    let what = format!("{from} {} to {to}, stream {is_stream}", row.kind);
                    let got = got(from, to, &parts, is_stream);
                    assert_eq!(got.fault, None, "{what}");
                    let told = format!("answer ({})", row.kind);
                    match fate {
                        Fate::As(place) => {
                            assert!(
                                got.text.contains(MARK) && got.text.contains(&format!("\"{place}\"")),
                                "{what}: {}",
                                got.text
                            );
                            assert!(got.left_out.is_empty(), "{what}: {:?}", got.left_out);
                        }
                        Fate::LeftOut => {
                            assert!(
                                !got.text.contains(MARK) && got.text.contains("beside"),
                                "{what}: {}",
                                got.text
                            );
                            assert_eq!(got.left_out, [told], "{what}");
                        }
                        _ => {
                            assert!(!got.text.contains(MARK), "{what}: {}", got.text);
                            assert!(got.left_out.is_empty(), "{what}: {:?}", got.left_out);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn an_answer_of_nothing_but_what_is_left_out_is_none() {
    for table in &ANSWERS {
        for row in table.rows {
            let sample: Value = serde_json::from_str(&row.sample.replace("MARK", MARK)).unwrap();
            for (to, fate) in CLIENTS.into_iter().zip(row.fates) {
                for is_stream in [false, true] {
                    let what = format!("{} {} to {to}, stream {is_stream}", table.from, row.kind);
                    if to == table.from || fate != Fate::LeftOut || is_beside(&sample) {
                        continue;
                    }
                    let got = got(table.from, to, std::slice::from_ref(&sample), is_stream);
                    assert!(matches!(got.fault, Some(WireError::Unplaced { .. })), "{what}: {:?}", got.fault);
                    assert_eq!(got.check, Check::Failed, "{what}");
                    let says_end = ["[DONE]", "message_stop", "response.completed", "finishReason"];
                    assert!(
                        !is_stream || !says_end.iter().any(|end| got.text.contains(end)),
                        "{what}: {}",
                        got.text
                    );
                    // Its own client gets what there is.
                    let request = request(table.from, false);
                    let body = Bytes::from(
                        whole(table.from, std::slice::from_ref(&sample), stop(table.from)).to_string(),
                    );
                    let own = answer(table.from, &request, body.clone()).unwrap();
                    assert!(own.fault.is_none() && own.body == body && own.check != Check::Failed, "{what}");
                }
            }
        }
    }
}

#[test]
fn a_block_that_nobody_knows_is_left_out_and_told() {
    let block = json!({"type":"hologram\u{7}","data":MARK});
    let parts = [text(AnthropicMessages, "beside"), block];
    for is_stream in [false, true] {
        let got = got(AnthropicMessages, OpenAiChat, &parts, is_stream);
        assert_eq!(got.left_out, ["answer (hologram)"]);
        assert!(!got.text.contains(MARK));
    }
}

#[test]
fn a_turn_that_is_paused_is_never_told_as_whole() {
    for word in ["pause_turn", "compaction"] {
        let parts = [text(AnthropicMessages, "so far")];
        for (to, right) in [
            (OpenAiChat, r#""finish_reason":"length""#),
            (OpenAiCompletions, r#""finish_reason":"length""#),
            (OpenAiResponses, r#""incomplete_details":{"reason":"max_output_tokens"}"#),
            (Gemini, r#""finishReason":"MAX_TOKENS""#),
        ] {
            let body = Bytes::from(whole(AnthropicMessages, &parts, word).to_string());
            let answer = answer(AnthropicMessages, &request(to, false), body).unwrap();
            let whole = String::from_utf8(answer.body.to_vec()).unwrap();
            assert_eq!(answer.finish, Finish::Paused);
            let text = stream(AnthropicMessages, &parts, word);
            let (streamed, end, _) = relayed(AnthropicMessages, &request(to, true), text.as_bytes(), &[]);
            assert_eq!(end, StreamEnd::Complete);
            for text in [&whole, &streamed] {
                assert!(text.contains(right), "{word} to {to}: {text}");
            }
            assert!(!streamed.contains("response.completed"), "{streamed}");
        }
    }
}

/// A streamed call of a tool with these arguments, the end of the calls, and how the stream ends.
fn call(from: Dialect, arguments: &str) -> String {
    let event = |value: Value| format!("data: {value}\n\n");
    match from {
        OpenAiChat => stream(
            from,
            &[
                json!({"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":arguments}}]}),
            ],
            "tool_calls",
        ),
        AnthropicMessages => {
            let all = stream(from, &[json!({"type":"tool_use","id":"c","name":"f","input":{}})], "tool_use");
            let stop = event(json!({"type":"content_block_stop","index":0}));
            let delta = event(json!({"type":"content_block_delta","index":0,
                "delta":{"type":"input_json_delta","partial_json":arguments}}));
            all.replace(&stop, &(delta + &stop))
        }
        OpenAiResponses => {
            let item =
                json!({"type":"function_call","id":"i","call_id":"c","name":"f","arguments":arguments});
            let response = |status: &str, output: Value| {
                json!({"id":"r","object":"response","model":"m","status":status,"output":output,
                "usage":{"input_tokens":10,"output_tokens":5}})
            };
            [
                json!({"type":"response.created","sequence_number":0,"response":response("in_progress", json!([]))}),
                json!({"type":"response.output_item.added","sequence_number":1,"output_index":0,
                    "item":{"type":"function_call","id":"i","call_id":"c","name":"f","arguments":""}}),
                json!({"type":"response.function_call_arguments.delta","sequence_number":2,"output_index":0,"delta":arguments}),
                json!({"type":"response.output_item.done","sequence_number":3,"output_index":0,"item":item}),
                json!({"type":"response.completed","sequence_number":4,"response":response("completed", json!([item]))}),
            ]
            .into_iter()
            .map(event)
            .collect()
        }
        _ => stream(from, &[json!({"functionCall":{"name":"f","args":arguments}})], "STOP"),
    }
}

#[test]
fn a_streamed_call_that_cannot_be_made_ends_in_an_error_with_its_usage_known() {
    let sources = [OpenAiChat, AnthropicMessages, OpenAiResponses, Gemini];
    for from in sources {
        for to in CLIENTS
            .into_iter()
            .filter(|to| *to == from || (from != OpenAiResponses && *to != OpenAiCompletions))
        {
            let bytes = call(from, r#"{"a":"#);
            for cuts in [&[][..], &[25, 90, 91, 200]] {
                let what = format!("{from} to {to}");
                let mut request = request(to, true);
                if to == OpenAiChat {
                    request = asked(to, true);
                }
                let (text, end, mut relay) = relayed(from, &request, bytes.as_bytes(), cuts);
                assert_eq!((end, relay.check()), (StreamEnd::Complete, Check::Failed), "{what}");
                assert!(relay.unfit().is_some(), "{what}: {text}");
                for end in [
                    "[DONE]",
                    "message_stop",
                    "message_delta",
                    "response.completed",
                    "\"STOP\"",
                    "\"tool_calls\",\"usage\"",
                ] {
                    assert!(!text.contains(end), "{what}: {text}");
                }
                assert_eq!(relay.usage().unwrap().usage.output.get(), Some(5), "{what}");
                let mut out = BytesMut::new();
                relay.fail(&ApiError::new(ErrorKind::Server, "no call"), &mut out);
                assert!(String::from_utf8_lossy(&out).contains("no call"), "{what}: the client is told");
            }
            // One that can be made is passed as it is.
            let good = call(from, r#"{"a":1}"#);
            if from != Gemini {
                let (text, _, relay) = relayed(from, &request(to, true), good.as_bytes(), &[]);
                assert!(relay.unfit().is_none() && relay.check() == Check::Passed, "{from} to {to}: {text}");
                assert!(to != from || from == OpenAiChat || text == good, "{from}: {text}");
            }
        }
    }
    // What the limit of output cut off is told by its own word.
    let cut = call(OpenAiChat, r#"{"a":"#)
        .replace(r#""finish_reason":"tool_calls""#, r#""finish_reason":"length""#);
    let (text, _, relay) = relayed(OpenAiChat, &asked(OpenAiChat, true), cut.as_bytes(), &[]);
    assert!(relay.unfit().is_none() && text == cut, "{text}");
}
