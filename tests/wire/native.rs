//! What a client is told that speaks its provider's dialect, where the provider gave no stream or says that it failed.

use bytes::BytesMut;
use pointsman::routing::Check;
use pointsman::wire::Dialect::{self, AnthropicMessages, OpenAiChat, OpenAiResponses};
use pointsman::wire::{ApiError, ErrorKind, Relay, StreamEnd};
use serde_json::{Value, json};

use super::same_dialect::answered;
use super::{ask, asked, relayed};

/// Reads the data of every event, and of those with names that they are the types.
fn events(stream: &str) -> Vec<Value> {
    let event = |block: &str| {
        let (name, data) = block.split_once("data: ").unwrap();
        assert!(!data.contains('\n'), "{data}");
        let data: Value = serde_json::from_str(data).unwrap();
        if !name.is_empty() {
            assert_eq!(name.trim_end().strip_prefix("event: "), data["type"].as_str());
        }
        data
    };
    stream.split_terminator("\n\n").filter(|block| *block != "data: [DONE]").map(event).collect()
}

fn told(dialect: Dialect, body: &Value) -> (Vec<Value>, String, Relay) {
    let pretty = serde_json::to_string_pretty(body).unwrap();
    let (out, end, relay) = relayed(dialect, &asked(dialect, true), pretty.as_bytes(), &[7]);
    assert_eq!((end, relay.is_over()), (StreamEnd::Complete, true));
    (events(&out), out, relay)
}

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["type"] == kind).collect()
}

#[test]
fn a_whole_response_comes_with_every_item_as_it_was() {
    let note = json!({"type":"url_citation","url":"https://example.com","start_index":0,"end_index":2});
    let output = json!([
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"abc"},
        {"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"q"}},
        {"type":"message","id":"msg_1","role":"assistant","status":"completed","phase":"final",
            "content":[{"type":"output_text","text":"hi\n","annotations":[note],"logprobs":[]},{"type":"refusal","refusal":"no"}]},
        {"type":"function_call","id":"fc_1","call_id":"c1","name":"add","arguments":"{\"a\": 1}","status":"completed"},
        {"type":"custom_tool_call","id":"ct_1","call_id":"c2","name":"sh","input":"ls"},
        {"type":"mcp_list_tools","id":"mcp_1","tools":[]}]);
    for (status, last) in [("completed", "response.completed"), ("incomplete", "response.incomplete")] {
        let body = json!({"id":"resp_x","object":"response","created_at":5,"status":status,"model":"m","output":output,
            "extra":{"k":1},"usage":{"input_tokens":11,"output_tokens":3,"total_tokens":14}});
        let (events, _, relay) = told(OpenAiResponses, &body);
        for (at, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], at);
        }
        let first = &events[0];
        assert_eq!(first["type"], "response.created");
        assert_eq!((&first["response"]["id"], &first["response"]["extra"]), (&body["id"], &body["extra"]));
        assert_eq!(
            (&first["response"]["status"], &first["response"]["output"]),
            (&json!("in_progress"), &json!([]))
        );
        assert_eq!(events[1]["type"], "response.in_progress");
        let end = events.last().unwrap();
        assert_eq!((&end["type"], &end["response"]), (&json!(last), &body));
        let done = of_kind(&events, "response.output_item.done");
        let done: Vec<_> = done.into_iter().map(|event| event["item"].clone()).collect();
        assert_eq!(json!(done), output);
        let added = of_kind(&events, "response.output_item.added");
        assert_eq!(added[1]["item"], output[1], "what does not grow is there from the start");
        assert_eq!((&added[0]["item"]["summary"], &added[2]["item"]["content"]), (&json!([]), &json!([])));
        assert_eq!((&added[3]["item"]["arguments"], &added[4]["item"]["input"]), (&json!(""), &json!("")));
        for (kind, delta) in [
            ("response.reasoning_summary_text.delta", "hm"),
            ("response.output_text.delta", "hi\n"),
            ("response.refusal.delta", "no"),
            ("response.function_call_arguments.delta", "{\"a\": 1}"),
            ("response.custom_tool_call_input.delta", "ls"),
        ] {
            let deltas = of_kind(&events, kind);
            assert_eq!((deltas.len(), deltas[0]["delta"].as_str()), (1, Some(delta)));
        }
        assert_eq!(of_kind(&events, "response.output_text.annotation.added")[0]["annotation"], note);
        assert_eq!(relay.usage().unwrap().usage.input.get(), Some(11));
        assert_eq!(relay.check(), Check::Passed);
    }
}

#[test]
fn a_whole_message_comes_with_every_block_as_it_was() {
    let citation = json!({"type":"char_location","cited_text":"x","document_index":0});
    let body = json!({"id":"msg_x","type":"message","role":"assistant","model":"m","extra":true,"content":[
        {"type":"thinking","thinking":"hm","signature":"sig"},
        {"type":"redacted_thinking","data":"zzz"},
        {"type":"server_tool_use","id":"st_1","name":"web_search","input":{"query":"q"}},
        {"type":"text","text":"hi","citations":[citation]},
        {"type":"tool_use","id":"tu_1","name":"add","input":{"a":1}}],
        "stop_reason":"tool_use","stop_sequence":null,
        "usage":{"input_tokens":11,"output_tokens":3,"service_tier":"standard"}});
    let (events, _, relay) = told(AnthropicMessages, &body);
    let message = &events[0]["message"];
    assert_eq!((&message["id"], &message["extra"]), (&body["id"], &body["extra"]));
    assert_eq!((&message["content"], &message["stop_reason"]), (&json!([]), &json!(null)));
    let starts = of_kind(&events, "content_block_start");
    let starts: Vec<_> = starts.into_iter().map(|event| event["content_block"].clone()).collect();
    assert_eq!(starts[0], json!({"type":"thinking","thinking":"","signature":""}));
    assert_eq!((&starts[1], &starts[2]), (&body["content"][1], &body["content"][2]));
    assert_eq!(starts[3], json!({"type":"text","text":"","citations":[]}));
    assert_eq!(starts[4]["input"], json!({}));
    let deltas = of_kind(&events, "content_block_delta");
    let deltas: Vec<_> = deltas.into_iter().map(|event| (&event["index"], &event["delta"])).collect();
    assert_eq!(deltas[0], (&json!(0), &json!({"type":"thinking_delta","thinking":"hm"})));
    assert_eq!(deltas[1], (&json!(0), &json!({"type":"signature_delta","signature":"sig"})));
    assert_eq!(deltas[2], (&json!(3), &json!({"type":"text_delta","text":"hi"})));
    assert_eq!(deltas[3], (&json!(3), &json!({"type":"citations_delta","citation":citation})));
    let input: Value = serde_json::from_str(deltas[4].1["partial_json"].as_str().unwrap()).unwrap();
    assert_eq!(input, json!({"a":1}));
    assert_eq!(of_kind(&events, "content_block_stop").len(), 5);
    let [.., end, stop] = events.as_slice() else { panic!("no end") };
    assert_eq!((&end["delta"]["stop_reason"], &end["usage"]), (&json!("tool_use"), &body["usage"]));
    assert_eq!(stop["type"], "message_stop");
    assert_eq!(relay.usage().unwrap().usage.input.get(), Some(11));
}

#[test]
fn a_whole_chat_completion_comes_with_every_choice_as_it_was() {
    let call = json!({"id":"c1","type":"function","function":{"name":"add","arguments":"{}"}});
    let body = json!({"id":"c","object":"chat.completion","created":5,"model":"m","system_fingerprint":"fp","choices":[
        {"index":0,"message":{"role":"assistant","content":"hi","annotations":[]},"logprobs":{"content":[{"token":"hi"}]},"finish_reason":"stop"},
        {"index":1,"message":{"role":"assistant","content":null,"tool_calls":[call]},"logprobs":null,"finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":11,"completion_tokens":3,"total_tokens":14,"extra":1}});
    let (events, out, relay) = told(OpenAiChat, &body);
    assert!(out.ends_with("data: [DONE]\n\n") && out.matches("[DONE]").count() == 1);
    assert_eq!(events.len(), 5);
    for event in &events {
        assert_eq!(event["object"], "chat.completion.chunk");
        for name in ["id", "created", "model", "system_fingerprint"] {
            assert_eq!(event[name], body[name]);
        }
    }
    let [one, two] = [&events[0]["choices"][0], &events[1]["choices"][0]];
    assert_eq!(
        (&one["delta"], &one["logprobs"]),
        (&body["choices"][0]["message"], &body["choices"][0]["logprobs"])
    );
    let calls = json!([{"index":0,"id":"c1","type":"function","function":{"name":"add","arguments":"{}"}}]);
    assert_eq!((&two["index"], &two["delta"]["tool_calls"]), (&json!(1), &calls));
    assert_eq!(events[2]["choices"][0]["finish_reason"], "stop");
    assert_eq!(events[3]["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!((&events[4]["choices"], &events[4]["usage"]), (&json!([]), &body["usage"]));
    assert_eq!(relay.usage().unwrap().usage.input.get(), Some(11));
    let quiet = json!({"model":"auto","stream":true,"messages":[{"role":"user","content":"x"}]});
    let (out, ..) = relayed(OpenAiChat, &ask(OpenAiChat, &quiet), body.to_string().as_bytes(), &[]);
    assert!(!out.contains("\"usage\"") && out.ends_with("data: [DONE]\n\n"));
}

/// A response in events that has said something.
fn begun() -> String {
    [
        json!({"type":"response.created","sequence_number":0,"response":{"id":"resp_x","model":"m","status":"in_progress"}}),
        json!({"type":"response.output_text.delta","sequence_number":1,"item_id":"i","output_index":0,"content_index":0,"delta":"hi"}),
    ]
    .map(|event| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap()))
    .concat()
}

#[test]
fn an_error_goes_on_with_the_numbers_of_the_stream() {
    let (_, end, mut relay) =
        relayed(OpenAiResponses, &asked(OpenAiResponses, true), begun().as_bytes(), &[]);
    assert_eq!(end, StreamEnd::Truncated);
    let mut out = BytesMut::new();
    relay.fail(&ApiError::new(ErrorKind::Server, "it broke"), &mut out);
    let events = events(std::str::from_utf8(&out).unwrap());
    assert_eq!((&events[0]["type"], &events[0]["sequence_number"]), (&json!("error"), &json!(2)));
    assert!(!relay.is_accounted());
}

#[test]
fn a_response_that_failed_says_so_in_its_own_words() {
    let failed = json!({"type":"response.failed","sequence_number":2,"response":{"id":"resp_x","status":"failed","output":[],"k":1,
        "error":{"code":"server_error","message":"it broke"},"usage":{"input_tokens":11,"output_tokens":3,"total_tokens":14}}});
    let stream = begun() + &format!("event: response.failed\ndata: {failed}\n\n");
    let (before, end, mut relay) =
        relayed(OpenAiResponses, &asked(OpenAiResponses, true), stream.as_bytes(), &[40]);
    assert_eq!((before, end), (begun(), StreamEnd::Truncated));
    let error = relay.failure().unwrap().to_api();
    let mut out = BytesMut::new();
    relay.fail(&error, &mut out);
    relay.fail(&error, &mut out);
    assert_eq!(events(std::str::from_utf8(&out).unwrap()), [failed]);
    assert_eq!(relay.usage().unwrap().usage.input.get(), Some(11));
    assert!(relay.is_accounted());
    // What was redacted for the client stays so.
    let (_, _, mut relay) = relayed(OpenAiResponses, &asked(OpenAiResponses, true), stream.as_bytes(), &[]);
    let mut out = BytesMut::new();
    relay.fail(&ApiError::new(ErrorKind::Server, "***"), &mut out);
    let told = events(std::str::from_utf8(&out).unwrap());
    assert_eq!(told[0]["response"]["error"], json!({"code":"server_error","message":"***"}));
}

#[test]
fn a_whole_response_that_failed_says_so_in_its_own_words() {
    let failed = json!({"id":"resp_x","status":"failed","model":"m","error":{"code":"server_error","message":"it broke"},
        "output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"half"}]}],
        "usage":{"input_tokens":11,"output_tokens":3,"total_tokens":14}});
    let read = answered(&asked(OpenAiResponses, false), OpenAiResponses, &failed.to_string());
    let fault = read.fault.as_ref().unwrap();
    assert!(fault.to_api().message.contains("it broke"), "{fault}");
    assert_eq!(read.usage.unwrap().usage.input.get(), Some(11));
}

#[test]
fn a_zero_at_the_end_of_a_response_erases_no_count_of_its_beginning() {
    let event = |kind: &str, usage: Value| {
        let response = json!({"id":"r","model":"m","status":"completed","output":[],"usage":usage});
        format!("event: {kind}\ndata: {}\n\n", json!({"type":kind,"response":response}))
    };
    let delta = json!({"type":"response.output_text.delta","item_id":"i","output_index":0,"content_index":0,"delta":"hi"});
    let stream = event("response.created", json!({"input_tokens":1000,"output_tokens":0}))
        + &format!("event: response.output_text.delta\ndata: {delta}\n\n")
        + &event("response.completed", json!({"input_tokens":0,"output_tokens":100,"total_tokens":100}));
    let (.., relay) = relayed(OpenAiResponses, &asked(OpenAiResponses, true), stream.as_bytes(), &[]);
    let usage = relay.usage().unwrap().usage;
    assert_eq!((usage.input.get(), usage.output.get()), (Some(1000), Some(100)));
}
