//! What a request, an answer and a stream become on their way between dialects, and what is refused on it.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

use bytes::{Bytes, BytesMut};
use pointsman::routing::Check;
use pointsman::wire::{Ask, Dialect, Finish, Relay, Sending, StreamEnd, WireError, answer};
use proptest::prelude::*;
use serde_json::{Value, json};

use Dialect::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};

fn ask(dialect: Dialect, body: &Value) -> Ask {
    Ask::read(dialect, Bytes::from(body.to_string())).unwrap().received_at(1_700_000_000)
}

fn sent(from: Dialect, body: &Value, to: Dialect, model: &str) -> Value {
    let body = ask(from, body).body_for(to, model, &Sending::default()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

fn refused(from: Dialect, body: &Value, to: Dialect) -> String {
    ask(from, body).body_for(to, "m", &Sending::default()).unwrap_err().to_string()
}

fn answered(asked: &Ask, from: Dialect, body: &Value) -> (Value, Check) {
    let answer = answer(from, asked, Bytes::from(body.to_string())).unwrap();
    (serde_json::from_slice(&answer.body).unwrap(), answer.check)
}

fn chat_request() -> Value {
    json!({"model":"auto","messages":[
        {"role":"system","content":"Be brief."},
        {"role":"developer","content":[{"type":"text","text":"No jokes.","cache_control":{"type":"ephemeral"}}]},
        {"role":"user","content":[{"type":"text","text":"Weather here?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO","detail":"low"}}]},
        {"role":"assistant","content":"I look.","tool_calls":[
            {"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Basel\",\"n\":1.5}"}},
            {"id":"call.2","type":"function","function":{"name":"clock","arguments":""}}]},
        {"role":"tool","tool_call_id":"call_1","content":"12 degrees"},
        {"role":"tool","tool_call_id":"call.2","content":"noon"},
        {"role":"user","content":"And tomorrow?"}],
        "tools":[{"type":"function","function":{"name":"weather","description":"Looks it up.","strict":true,"parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}},
                 {"type":"function","function":{"name":"clock"}}],
        "tool_choice":"required","max_completion_tokens":300,"temperature":0.70,"top_p":0.9,"stop":["END"],"seed":7,"stream":true,
        "presence_penalty":0,"user":"u-1","metadata":{"a":"b"},"store":true,"n":1,"logprobs":false,"logit_bias":{}})
}

#[test]
fn chat_becomes_messages() {
    let got = sent(OpenAiChat, &chat_request(), AnthropicMessages, "claude-opus-4-6");
    let want = json!({"model":"claude-opus-4-6","max_tokens":300,
        "system":[{"type":"text","text":"Be brief."},{"type":"text","text":"No jokes.","cache_control":{"type":"ephemeral"}}],
        "messages":[
            {"role":"user","content":[{"type":"text","text":"Weather here?"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]},
            {"role":"assistant","content":[{"type":"text","text":"I look."},{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Basel","n":1.5}},{"type":"tool_use","id":"call_2","name":"clock","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"12 degrees"},{"type":"tool_result","tool_use_id":"call_2","content":"noon"},{"type":"text","text":"And tomorrow?"}]}],
        "tools":[{"name":"weather","description":"Looks it up.","input_schema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]},"strict":true},
                 {"name":"clock","input_schema":{"type":"object","properties":{}}}],
        "tool_choice":{"type":"any"},"temperature":0.70,"top_p":0.9,"stop_sequences":["END"],"metadata":{"user_id":"u-1"},"stream":true});
    assert_eq!(got, want);
}

#[test]
fn chat_becomes_gemini() {
    let got = sent(OpenAiChat, &chat_request(), Gemini, "gemini-2.5-flash");
    let want = json!({"systemInstruction":{"parts":[{"text":"Be brief."},{"text":"No jokes."}]},
        "contents":[
            {"role":"user","parts":[{"text":"Weather here?"},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}]},
            {"role":"model","parts":[{"text":"I look."},{"functionCall":{"name":"weather","args":{"city":"Basel","n":1.5}}},{"functionCall":{"name":"clock","args":{}}}]},
            {"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"output":"12 degrees"}}},{"functionResponse":{"name":"clock","response":{"output":"noon"}}},{"text":"And tomorrow?"}]}],
        "tools":[{"functionDeclarations":[{"name":"weather","description":"Looks it up.","parametersJsonSchema":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}},{"name":"clock","description":""}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY"}},
        "generationConfig":{"maxOutputTokens":300,"temperature":0.70,"topP":0.9,"seed":7,"stopSequences":["END"]}});
    assert_eq!(got, want);
    let marked = sent(OpenAiChat, &chat_request(), Gemini, "gemini-3-pro");
    assert_eq!(marked["contents"][1]["parts"][1]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(marked["contents"][1]["parts"][2].get("thoughtSignature"), None);
}

#[test]
fn a_schema_for_the_answer_arrives_in_its_own_order() {
    let schema = r#"{"type":"object","properties":{"zeta":{"type":"string"},"alpha":{"type":"number"}},"required":["zeta"],"additionalProperties":false}"#;
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],"response_format":{{"type":"json_schema","json_schema":{{"name":"n","strict":true,"schema":{schema}}}}}}}"#
    );
    let asked = Ask::read(OpenAiChat, Bytes::from(body)).unwrap();
    for (to, around) in [
        (
            AnthropicMessages,
            format!(r#""output_config":{{"format":{{"type":"json_schema","schema":{schema}}}}}"#),
        ),
        (Gemini, format!(r#""responseMimeType":"application/json","responseJsonSchema":{schema}"#)),
    ] {
        let body = asked.body_for(to, "m", &Sending::default()).unwrap();
        assert!(std::str::from_utf8(&body).unwrap().contains(&around), "{body:?}");
    }
}

fn messages_request() -> Value {
    json!({"model":"auto","max_tokens":500,"system":[{"type":"text","text":"One.","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"text","text":"Two."}],
        "messages":[{"role":"user","content":"Hi"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"toolu_1","name":"f","input":{"b":1,"a":[2]}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":[{"type":"text","text":"no"},{"type":"image","source":{"type":"url","url":"https://x/y.png"}}]},{"type":"text","text":"Go on","cache_control":{"type":"ephemeral"}}]}],
        "tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":true},
        "stop_sequences":["Z"],"temperature":0.5,"metadata":{"user_id":"u"},"thinking":{"type":"enabled","budget_tokens":4096},"stream":true})
}

#[test]
fn messages_become_chat() {
    let got = sent(AnthropicMessages, &messages_request(), OpenAiChat, "gpt-4.1");
    let want = json!({"model":"gpt-4.1","messages":[
        {"role":"system","content":"One.\n\nTwo."},{"role":"user","content":"Hi"},
        {"role":"assistant","content":"Hello","tool_calls":[{"id":"toolu_1","type":"function","function":{"name":"f","arguments":"{\"a\":[2],\"b\":1}"}}]},
        {"role":"tool","tool_call_id":"toolu_1","content":"no"},
        {"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}},{"type":"text","text":"Go on"}]}],
        "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],
        "tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
        "max_tokens":500,"temperature":0.5,"stop":["Z"],"stream":true,"stream_options":{"include_usage":true}});
    assert_eq!(got, want);
    let thinker = sent(AnthropicMessages, &messages_request(), OpenAiChat, "o4-mini");
    assert_eq!(
        (&thinker["reasoning_effort"], &thinker["max_completion_tokens"]),
        (&json!("medium"), &json!(500))
    );
    assert_eq!(thinker.get("max_tokens"), None);
}

#[test]
fn responses_become_all_three() {
    let body = json!({"model":"auto","instructions":"Be kind.","input":[
        {"role":"user","content":[{"type":"input_text","text":"Sum"},{"type":"input_image","image_url":"data:image/gif;base64,R0","detail":"auto"}]},
        {"type":"reasoning","id":"rs","summary":[]},
        {"type":"function_call","call_id":"c1","name":"add","arguments":"{\"a\":1}"},
        {"type":"function_call_output","call_id":"c1","output":"2"}],
        "tools":[{"type":"function","name":"add","parameters":{"type":"object"},"strict":false}],"tool_choice":"auto",
        "reasoning":{"effort":"low"},"text":{"format":{"type":"json_object"}},"max_output_tokens":4000,"store":false,"include":["reasoning.encrypted_content"]});
    let chat = sent(OpenAiResponses, &body, OpenAiChat, "gpt-4.1");
    assert_eq!(
        chat,
        json!({"model":"gpt-4.1","messages":[{"role":"system","content":"Be kind."},
            {"role":"user","content":[{"type":"text","text":"Sum"},{"type":"image_url","image_url":{"url":"data:image/gif;base64,R0","detail":"auto"}}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"add","arguments":"{\"a\":1}"}}]},
            {"role":"tool","tool_call_id":"c1","content":"2"}],
            "tools":[{"type":"function","function":{"name":"add","parameters":{"type":"object"}}}],"tool_choice":"auto","max_tokens":4000,
            "response_format":{"type":"json_object"}})
    );
    let messages = sent(OpenAiResponses, &body, AnthropicMessages, "claude-opus-4-6");
    assert_eq!(
        messages["messages"][2]["content"][0],
        json!({"type":"tool_result","tool_use_id":"c1","content":"2"})
    );
    assert_eq!(messages.get("thinking"), None, "not in the middle of calls whose thoughts were not kept");
    let gemini = sent(OpenAiResponses, &body, Gemini, "gemini-2.5-flash");
    assert_eq!(
        gemini["generationConfig"],
        json!({"maxOutputTokens":4000,"responseMimeType":"application/json","thinkingConfig":{"thinkingBudget":1024}})
    );
    let short = sent(
        OpenAiResponses,
        &json!({"model":"m","input":"Hi","reasoning":{"effort":"high"}}),
        AnthropicMessages,
        "claude-sonnet-4-5",
    );
    assert_eq!(short["thinking"], json!({"type":"enabled","budget_tokens":4096}));
    assert_eq!(short["max_tokens"], 8192, "a provider that demands a limit gets the policy's");
}

#[test]
fn what_has_no_counterpart_is_refused_by_name() {
    let chat = |key: &str, value: Value| {
        let mut body = json!({"model":"m","messages":[{"role":"user","content":"x"}]});
        body[key] = value;
        body
    };
    let cases = [
        (chat("n", json!(2)), AnthropicMessages, "n:"),
        (chat("n", json!(2)), Gemini, "n:"),
        (chat("logprobs", json!(true)), Gemini, "logprobs:"),
        (chat("logit_bias", json!({"1":5})), AnthropicMessages, "logit_bias:"),
        (chat("temperature", json!(1.5)), AnthropicMessages, "temperature above 1:"),
        (chat("frequency_penalty", json!(0.5)), AnthropicMessages, "frequency_penalty:"),
        (chat("something_new", json!({})), AnthropicMessages, "something_new:"),
        (chat("functions", json!([{}])), Gemini, "functions:"),
        (chat("tools", json!([{"type":"custom","custom":{}}])), AnthropicMessages, "tools[0].type:"),
        (
            chat(
                "messages",
                json!([{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x"}}]}]),
            ),
            Gemini,
            "a picture or document by its address:",
        ),
        (
            chat("messages", json!([{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}])),
            Gemini,
            "messages[0].content[0].file.file_id:",
        ),
        (
            chat(
                "messages",
                json!([{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}]),
            ),
            AnthropicMessages,
            "a file of type audio/wav:",
        ),
        (
            chat(
                "messages",
                json!([{"role":"assistant","content":null,"tool_calls":[{"id":"1","function":{"name":"f","arguments":"{oops"}}]},{"role":"user","content":"x"}]),
            ),
            AnthropicMessages,
            "the arguments of call 1 in an earlier turn:",
        ),
    ];
    for (body, to, want) in cases {
        let said = refused(OpenAiChat, &body, to);
        assert!(said.starts_with(want), "{said}");
    }
    let prefilled = json!({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"{"}]});
    assert!(refused(AnthropicMessages, &prefilled, OpenAiChat).starts_with("a last turn by the assistant"));
    for (key, value) in
        [("previous_response_id", json!("r")), ("background", json!(true)), ("prompt", json!({}))]
    {
        let mut body = json!({"model":"m","input":"x"});
        body[key] = value;
        assert!(refused(OpenAiResponses, &body, OpenAiChat).starts_with(key));
    }
    let unsupported =
        ask(OpenAiChat, &chat("n", json!(1))).body_for(OpenAiResponses, "m", &Sending::default());
    assert!(matches!(unsupported, Err(WireError::Unsupported { .. })));
}

fn asked(dialect: Dialect, is_stream: bool) -> Ask {
    let mut body = match dialect {
        OpenAiResponses => json!({"model":"auto","input":"x","metadata":{"k":"v"}}),
        _ => json!({"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"x"}]}),
    };
    if is_stream {
        body["stream"] = json!(true);
        if dialect == OpenAiChat {
            body["stream_options"] = json!({"include_usage":true});
        }
    }
    ask(dialect, &body)
}

/// The same answer in each provider's words: a text, a call, and usage with cached tokens.
fn whole(from: Dialect) -> Value {
    match from {
        OpenAiChat => {
            json!({"id":"chatcmpl-1","model":"gpt-4.1-x","choices":[{"index":0,"message":{"role":"assistant","content":"Hé","tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],
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

const PROVIDERS: [Dialect; 3] = [OpenAiChat, AnthropicMessages, Gemini];

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
        assert_eq!(
            content[content.len() - 2..],
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
        assert_eq!(response["output"][0]["content"][0]["text"], "Hé");
        assert_eq!(
            (&response["output"][1]["call_id"], &response["output"][1]["arguments"]),
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
            out.push_str(&format!("event: {name}\n"));
        }
        out.push_str(&format!("data: {data}\n\n"));
    }
    if from == OpenAiChat {
        out.push_str("data: [DONE]\n\n");
    }
    out
}

fn relayed(from: Dialect, asked: &Ask, stream: &[u8], cuts: &[usize]) -> (String, StreamEnd, Relay) {
    let mut relay = Relay::new(from, asked);
    let mut out = BytesMut::new();
    let mut at = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let _ = relay.push(&stream[at..cut], &mut out);
        at = cut;
    }
    let end = relay.finish(&mut out);
    (String::from_utf8(out.to_vec()).unwrap(), end, relay)
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
                    assert_eq!(open.replace(event["index"].clone()), None, "blocks do not overlap")
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

/// Words without anything in them that a dialect would drop: text that is only blank, empty names.
fn words() -> impl Strategy<Value = String> {
    "[a-zA-Zé🙂\"\\\\{}\n ]{0,20}[a-z]"
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
    fn a_conversation_survives_the_way_there_and_back(
        turns in prop::collection::vec((words(), words(), prop::collection::btree_map("[a-z]{1,3}", words(), 0..3), words()), 1..5),
        system in words(),
    ) {
        let mut messages = vec![json!({"role":"system","content":system})];
        for (at, (user, said, arguments, result)) in turns.iter().enumerate() {
            messages.push(json!({"role":"user","content":user}));
            messages.push(json!({"role":"assistant","content":said,"tool_calls":[{"id":format!("call_{at}"),"type":"function","function":{"name":"f","arguments":json!(arguments).to_string()}}]}));
            messages.push(json!({"role":"tool","tool_call_id":format!("call_{at}"),"content":result}));
        }
        let body = json!({"model":"m","messages":messages});
        let there = sent(OpenAiChat, &body, AnthropicMessages, "m");
        let back = sent(AnthropicMessages, &there, OpenAiChat, "m");
        prop_assert_eq!(&back["messages"], &body["messages"]);
    }

    #[test]
    fn an_answer_survives_the_way_there_and_back(text in words(), arguments in prop::collection::btree_map("[a-z]{1,3}", words(), 0..3)) {
        let body = json!({"id":"1","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":text,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":json!(arguments).to_string()}}]},"finish_reason":"tool_calls"}]});
        let (message, _) = answered(&asked(AnthropicMessages, false), OpenAiChat, &body);
        let (back, _) = answered(&asked(OpenAiChat, false), AnthropicMessages, &message);
        prop_assert_eq!(&back["choices"][0]["message"]["content"], &body["choices"][0]["message"]["content"]);
        prop_assert_eq!(&back["choices"][0]["message"]["tool_calls"], &body["choices"][0]["message"]["tool_calls"]);
    }

    #[test]
    fn no_request_panics_on_its_way(key in "[a-z_]{1,12}", value in prop_oneof![Just(json!(null)), Just(json!([{}])), Just(json!({"type":7})), Just(json!([[1]])), Just(json!("x")), Just(json!(-1.5))], which in 0usize..14) {
        let known = ["messages", "tools", "tool_choice", "response_format", "stop", "system", "input", "text", "reasoning", "thinking", "output_config", "metadata", "max_tokens", "user"];
        for from in [OpenAiChat, OpenAiResponses, AnthropicMessages] {
            for name in [known[which], key.as_str()] {
                let mut body = json!({"model":"m","messages":[{"role":"user","content":[{"type":"text"}]}],"input":[{"type":"message"}]});
                body[name] = value.clone();
                if let Ok(asked) = Ask::read(from, Bytes::from(body.to_string())) {
                    for to in Dialect::ALL {
                        let _ = asked.body_for(to, "m", &Sending::default());
                    }
                }
            }
        }
    }
}
