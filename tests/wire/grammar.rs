//! What a stream of each dialect has to look like, checked without mercy: every event has its members, begins and ends
//! come in turn, numbers ascend, and there is exactly one end.

use pointsman::wire::Dialect::{self, AnthropicMessages, OpenAiResponses};
use serde_json::{Value, json};

/// What a client puts together from a stream.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Heard {
    pub(crate) thoughts: String,
    pub(crate) text: String,
    /// Id, name, arguments.
    pub(crate) calls: Vec<(String, String, String)>,
    pub(crate) finish: String,
    pub(crate) usage: Value,
    /// Thoughts, texts and calls in the order in which they came.
    pub(crate) order: Vec<&'static str>,
}

impl Heard {
    fn next(&mut self, kind: &'static str) {
        if kind == "call" || self.order.last() != Some(&kind) {
            self.order.push(kind);
        }
    }
}

/// Reads a whole stream as the strictest of clients would.
pub(crate) fn heard(client: Dialect, stream: &str) -> Heard {
    match client {
        AnthropicMessages => messages(&framed(stream)),
        OpenAiResponses => responses(&framed(stream)),
        _ => chat(stream),
    }
}

/// Reads events whose name has to be the type of their data.
fn framed(stream: &str) -> Vec<Value> {
    let blocks: Vec<&str> = stream.split_terminator("\n\n").collect();
    assert!(stream.ends_with("\n\n"), "the last event is whole");
    let event = |block: &&str| {
        let (name, data) = block.split_once('\n').expect("an event has a name and data");
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        data
    };
    blocks.iter().map(event).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn chat(stream: &str) -> Heard {
    let mut heard = Heard::default();
    let body = stream.strip_suffix("data: [DONE]\n\n").expect("one mark at the end");
    let mut has_ended = false;
    for (at, block) in body.split_terminator("\n\n").enumerate() {
        let chunk: Value = serde_json::from_str(block.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(chunk["id"].is_string() && chunk["model"].is_string() && chunk["created"].is_u64());
        let Some(choice) = chunk["choices"].get(0) else {
            assert!(has_ended && heard.usage.is_null(), "usage comes once, at the end");
            heard.usage = chunk["usage"].clone();
            continue;
        };
        assert!(!has_ended, "nothing follows the end");
        let delta = &choice["delta"];
        assert_eq!(delta.get("role").is_some(), at == 0, "the role comes first and once");
        if let Some(said) = delta.get("reasoning_content") {
            heard.next("thought");
            heard.thoughts += text(said);
        }
        if let Some(said) = delta.get("content").filter(|said| *said != "") {
            heard.next("text");
            heard.text += text(said);
        }
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
            let kind =
                if call.get("custom").is_some() { ("custom", "input") } else { ("function", "arguments") };
            if let Some(id) = call.get("id") {
                assert_eq!((index, &call["type"]), (heard.calls.len(), &json!(kind.0)));
                heard.next("call");
                heard.calls.push((text(id).into(), text(&call[kind.0]["name"]).into(), String::new()));
            }
            heard.calls[index].2 += call[kind.0][kind.1].as_str().unwrap_or_default();
        }
        if let Some(word) = choice["finish_reason"].as_str() {
            word.clone_into(&mut heard.finish);
            has_ended = true;
        }
    }
    assert!(has_ended);
    heard
}

fn messages(events: &[Value]) -> Heard {
    let mut heard = Heard::default();
    let (first, rest) = events.split_first().unwrap();
    assert_eq!((&first["type"], &first["message"]["role"]), (&json!("message_start"), &json!("assistant")));
    assert!(
        first["message"]["usage"]["input_tokens"].is_u64()
            && first["message"]["usage"]["output_tokens"].is_u64()
    );
    let (tail, blocks) = (&rest[rest.len() - 2..], &rest[..rest.len() - 2]);
    assert_eq!((&tail[0]["type"], &tail[1]["type"]), (&json!("message_delta"), &json!("message_stop")));
    assert!(tail[0]["usage"]["output_tokens"].is_u64());
    text(&tail[0]["delta"]["stop_reason"]).clone_into(&mut heard.finish);
    heard.usage = tail[0]["usage"].clone();
    let (mut open, mut next, mut signed): (Option<Value>, u64, bool) = (None, 0, false);
    for event in blocks {
        match text(&event["type"]) {
            "ping" => {}
            "content_block_start" => {
                assert!(open.is_none(), "blocks do not overlap");
                assert_eq!(event["index"], next, "indexes ascend");
                let block = &event["content_block"];
                signed = false;
                match text(&block["type"]) {
                    "text" => assert_eq!(block["text"], ""),
                    "thinking" => {
                        assert_eq!((&block["thinking"], &block["signature"]), (&json!(""), &json!("")));
                    }
                    "tool_use" => {
                        assert_eq!(block["input"], json!({}));
                        let id = text(&block["id"]);
                        let is_safe = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
                        assert!(!id.is_empty() && id.chars().all(is_safe), "{id}");
                        heard.next("call");
                        heard.calls.push((id.into(), text(&block["name"]).into(), String::new()));
                    }
                    other => panic!("a block of kind {other}"),
                }
                open = Some(block["type"].clone());
            }
            "content_block_delta" => {
                assert_eq!(event["index"], next, "a delta belongs to the open block");
                let delta = &event["delta"];
                match (text(open.as_ref().expect("a block is open")), text(&delta["type"])) {
                    ("text", "text_delta") => {
                        heard.next("text");
                        heard.text += text(&delta["text"]);
                    }
                    ("thinking", "thinking_delta") => {
                        assert!(!signed, "the signature comes last");
                        heard.next("thought");
                        heard.thoughts += text(&delta["thinking"]);
                    }
                    ("thinking", "signature_delta") => signed = !text(&delta["signature"]).is_empty(),
                    ("tool_use", "input_json_delta") => {
                        heard.calls.last_mut().unwrap().2 += text(&delta["partial_json"]);
                    }
                    (block, delta) => panic!("{delta} in a block of {block}"),
                }
            }
            "content_block_stop" => {
                assert_eq!(event["index"], next);
                let kind = open.take().expect("a block is open");
                assert!(kind != "thinking" || signed, "thoughts are signed");
                next += 1;
            }
            other => panic!("an event of kind {other}"),
        }
    }
    assert!(open.is_none(), "every block is closed");
    heard
}

/// The members of a response that are always there.
pub(crate) const RESPONSE: [&str; 31] = [
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "incomplete_details",
    "model",
    "previous_response_id",
    "instructions",
    "output",
    "error",
    "tools",
    "tool_choice",
    "truncation",
    "parallel_tool_calls",
    "text",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "top_logprobs",
    "temperature",
    "reasoning",
    "usage",
    "max_output_tokens",
    "max_tool_calls",
    "store",
    "background",
    "service_tier",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
];

/// Checks a response object.
pub(crate) fn response(response: &Value) {
    for name in RESPONSE {
        assert!(response.get(name).is_some(), "{name} is missing");
    }
    assert_eq!(response["object"], "response");
    let is_done = response["status"] == "completed";
    assert_eq!(response["completed_at"].is_u64(), is_done);
    for name in ["parallel_tool_calls", "store", "background"] {
        assert!(response[name].is_boolean(), "{name}");
    }
    for name in ["top_p", "temperature", "presence_penalty", "frequency_penalty", "top_logprobs"] {
        assert!(response[name].is_number(), "{name}");
    }
    for name in ["truncation", "service_tier", "model"] {
        assert!(response[name].is_string(), "{name}");
    }
    assert!(response["text"]["format"]["type"].is_string() && response["text"]["verbosity"].is_string());
    assert!(response["reasoning"].get("effort").is_some() && response["reasoning"].get("summary").is_some());
    for tool in response["tools"].as_array().unwrap() {
        if tool["type"] == "function" {
            assert!(
                tool["strict"].is_boolean()
                    && tool.get("description").is_some()
                    && tool.get("parameters").is_some()
            );
        }
    }
    if is_done && !response["usage"].is_null() {
        let usage = &response["usage"];
        assert!(usage["input_tokens_details"]["cached_tokens"].is_u64());
        assert!(usage["output_tokens_details"]["reasoning_tokens"].is_u64());
        assert!(usage["total_tokens"].is_u64());
    }
}

fn responses(events: &[Value]) -> Heard {
    let mut heard = Heard::default();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], at, "events are numbered without a gap");
    }
    assert_eq!(
        (&events[0]["type"], &events[1]["type"]),
        (&json!("response.created"), &json!("response.in_progress"))
    );
    let (last, between) = events[2..].split_last().unwrap();
    let id = &events[0]["response"]["id"];
    for event in [&events[0], &events[1], last] {
        response(&event["response"]);
        assert_eq!(&event["response"]["id"], id);
    }
    assert_eq!(last["type"], format!("response.{}", text(&last["response"]["status"])));
    let mut output: Vec<Value> = Vec::new();
    // The item that is open, and what its deltas come to.
    let mut open: Option<(Value, String)> = None;
    for event in between {
        let kind = text(&event["type"]);
        if kind == "response.output_item.added" {
            assert!(open.is_none(), "items do not overlap");
            assert_eq!(event["output_index"], output.len());
            let item = event["item"].clone();
            match text(&item["type"]) {
                "reasoning" => assert_eq!(item["summary"], json!([])),
                "message" => assert_eq!((&item["content"], &item["role"]), (&json!([]), &json!("assistant"))),
                _ => {
                    heard.next("call");
                    heard.calls.push((
                        text(&item["call_id"]).into(),
                        item["name"].as_str().unwrap_or_default().into(),
                        String::new(),
                    ));
                }
            }
            // Whoever adds up deltas begins with what the item has.
            let begun = item["arguments"].as_str().or(item["input"].as_str()).unwrap_or_default().to_owned();
            open = Some((item, begun));
            continue;
        }
        let (item, grown) = open.as_mut().expect("an item is open");
        assert_eq!(event["output_index"], output.len());
        if kind == "response.output_item.done" {
            let done = event["item"].clone();
            assert_eq!((&done["id"], &done["type"]), (&item["id"], &item["type"]));
            match text(&done["type"]) {
                "reasoning" => assert_eq!(done["summary"][0]["text"], grown.as_str()),
                "message" => assert_eq!(done["content"][0]["text"], grown.as_str()),
                "function_call" => assert_eq!(done["arguments"], grown.as_str()),
                "custom_tool_call" => assert_eq!(done["input"], grown.as_str()),
                _ => {}
            }
            if done["type"] != "message" && done["type"] != "reasoning" {
                heard.calls.last_mut().unwrap().2.clone_from(grown);
            }
            output.push(done);
            open = None;
            continue;
        }
        assert_eq!(event["item_id"], item["id"]);
        let of = text(&item["type"]);
        match (of, kind.strip_prefix("response.").unwrap()) {
            ("reasoning", "reasoning_summary_part.added" | "reasoning_summary_part.done") => {
                assert_eq!(
                    (&event["summary_index"], &event["part"]["type"]),
                    (&json!(0), &json!("summary_text"))
                );
            }
            ("reasoning", "reasoning_summary_text.delta") => {
                heard.next("thought");
                heard.thoughts += text(&event["delta"]);
                *grown += text(&event["delta"]);
            }
            ("message", "content_part.added" | "content_part.done") => {
                assert_eq!(event["content_index"], 0);
                assert!(event["part"]["annotations"].is_array() && event["part"]["logprobs"].is_array());
            }
            ("message", "output_text.delta") => {
                assert!(event["logprobs"].is_array());
                heard.next("text");
                heard.text += text(&event["delta"]);
                *grown += text(&event["delta"]);
            }
            ("reasoning", "reasoning_summary_text.done") | ("message", "output_text.done") => {
                assert_eq!(event["text"], grown.as_str());
            }
            ("function_call", "function_call_arguments.delta")
            | ("custom_tool_call", "custom_tool_call_input.delta") => *grown += text(&event["delta"]),
            ("function_call", "function_call_arguments.done") => {
                assert_eq!((&event["arguments"], &event["name"]), (&json!(grown.as_str()), &item["name"]));
            }
            ("custom_tool_call", "custom_tool_call_input.done") => assert_eq!(event["input"], grown.as_str()),
            (of, kind) => panic!("{kind} of an item of kind {of}"),
        }
    }
    assert!(open.is_none(), "every item is done");
    assert_eq!(last["response"]["output"], json!(output), "the response repeats its items");
    heard.finish = match last["response"]["incomplete_details"]["reason"].as_str() {
        Some(reason) => reason.to_owned(),
        None => text(&last["response"]["status"]).to_owned(),
    };
    heard.usage = last["response"]["usage"].clone();
    heard
}
