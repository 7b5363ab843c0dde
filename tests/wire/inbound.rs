//! Clients of Gemini's dialect and of completions: what they ask arrives at every provider, and what they get is in their form.

use bytes::Bytes;
use pointsman::routing::Parameters;
use pointsman::wire::{Ask, Dialect, Sending, StreamEnd, WireError};
use serde_json::{Value, json};

use crate::{answered, ask, relayed};

fn gemini(body: &Value, stream: bool) -> Ask {
    let ask = Ask::read_for(Dialect::Gemini, Bytes::from(body.to_string()), Some("auto")).unwrap();
    let ask = ask.received_as("1700000000".into(), 1_700_000_000);
    if stream { ask.streamed() } else { ask }
}

fn hello() -> Value {
    json!({ "contents": [{ "role": "user", "parts": [{ "text": "x" }] }] })
}

fn with(mut body: Value, more: Value) -> Value {
    let Value::Object(more) = more else { return body };
    body.as_object_mut().unwrap().extend(more);
    body
}

/// Returns what a provider is sent, and what was left out of it.
fn put(ask: &Ask, to: Dialect, model: &str) -> (Value, Vec<String>) {
    let sent = ask.body_for(to, model, &Sending::default()).unwrap();
    (serde_json::from_slice(&sent.body).unwrap(), sent.left_out)
}

fn refusal(ask: &Ask, to: Dialect) -> String {
    ask.body_for(to, "m", &Sending::default()).unwrap_err().to_string()
}

/// Returns the data of the events.
fn events(text: &str) -> Vec<Value> {
    let data = text.split("\n\n").filter_map(|event| event.trim().strip_prefix("data: "));
    data.filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

const CHAT_STREAM: &str = concat!(
    r#"data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"index":0,"delta":{"content":"Zü"}}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"index":0,"delta":{"content":"rich"}}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"f","arguments":"{\"a\""}}]}}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","model":"gpt-x","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}"#,
    "\n\n",
    r#"data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#,
    "\n\n",
    "data: [DONE]\n\n",
);

#[test]
fn a_request_of_geminis_reaches_gemini_byte_for_byte() {
    let body = br#" { "contents" : [{"parts":[{"text":"x"}]}], "generation_config":{"maxOutputTokens": 99,"brandNew":1} , "new": null } "#;
    let ask = Ask::read_for(Dialect::Gemini, Bytes::from_static(body), Some("auto")).unwrap();
    let sent = ask.body_for(Dialect::Gemini, "gemini-2.5-flash", &Sending::default()).unwrap();
    assert_eq!(&sent.body[..], &body[..]);
    assert_eq!((ask.model(), ask.measures().max_output, &*ask.ask_text()), ("auto", Some(99), "x"));
    let most = Parameters { max_output: Some(9), ..Parameters::NONE };
    let limited = Sending { with: &most, ..Sending::default() };
    let sent = ask.body_for(Dialect::Gemini, "m", &limited).unwrap();
    assert!(String::from_utf8_lossy(&sent.body).contains(r#""maxOutputTokens": 9,"#));
}

#[test]
fn settings_of_geminis_arrive_by_their_meaning() {
    let body = with(
        hello(),
        json!({
            "system_instruction": { "parts": [{ "text": "be brief" }] },
            "generationConfig": {
                "temperature": 0.5, "topP": 0.9, "topK": 7, "seed": 3, "maxOutputTokens": 99, "stopSequences": ["END"],
                "presencePenalty": 0.1, "frequencyPenalty": 0.2, "candidateCount": 1, "responseModalities": ["TEXT"],
                "responseMimeType": "application/json",
                "responseSchema": { "type": "OBJECT", "properties": { "n": { "type": "INTEGER", "nullable": true } }, "required": ["n"] },
            },
            "safetySettings": [{ "category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE" }],
        }),
    );
    let asked = gemini(&body, true);
    assert!(asked.measures().wants_json);
    let (chat, left_out) = put(&asked, Dialect::OpenAiChat, "gpt-4.1");
    assert_eq!(left_out, ["safetySettings"]);
    assert_eq!(
        chat["messages"],
        json!([{ "role": "system", "content": "be brief" }, { "role": "user", "content": "x" }])
    );
    for (name, want) in [
        ("temperature", json!(0.5)),
        ("top_p", json!(0.9)),
        ("top_k", json!(7)),
        ("seed", json!(3)),
        ("max_tokens", json!(99)),
        ("stop", json!(["END"])),
        ("presence_penalty", json!(0.1)),
        ("frequency_penalty", json!(0.2)),
        ("stream", json!(true)),
    ] {
        assert_eq!(chat[name], want, "{name}");
    }
    assert_eq!(
        chat["response_format"]["json_schema"]["schema"],
        json!({ "type": "object", "properties": { "n": { "type": ["integer", "null"] } }, "required": ["n"] })
    );
    let (messages, _) = put(&asked, Dialect::AnthropicMessages, "claude-3-haiku-20240307");
    assert_eq!((&messages["max_tokens"], &messages["stop_sequences"]), (&json!(99), &json!(["END"])));
}

#[test]
fn calls_and_results_of_geminis_find_each_other_without_ids() {
    let call = |city: &str| json!({ "functionCall": { "name": "weather", "args": { "city": city } }, "thoughtSignature": "AA" });
    let result = |celsius: u32| json!({ "functionResponse": { "name": "weather", "response": { "output": { "celsius": celsius } } } });
    let body = json!({
        "contents": [
            { "role": "user", "parts": [{ "text": "x" }] },
            { "role": "model", "parts": [{ "text": "hm", "thought": true }, call("Bern"), call("Rome")] },
            { "role": "user", "parts": [result(1), result(2)] },
        ],
        "tools": [{ "function_declarations": [
            { "name": "weather", "description": "d", "parameters": { "type": "OBJECT", "properties": { "city": { "type": "STRING" } } } },
            { "name": "time", "parametersJsonSchema": { "type": "object" } },
        ] }, { "googleSearch": {} }],
        "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["weather"] } },
    });
    let asked = gemini(&body, false);
    assert_eq!(asked.measures().tools, 3);
    let (chat, left_out) = put(&asked, Dialect::OpenAiChat, "gpt-4.1");
    assert_eq!(left_out, ["tools (googleSearch)"]);
    let said = chat["messages"].as_array().unwrap();
    let ids: Vec<&Value> = said[1]["tool_calls"].as_array().unwrap().iter().map(|call| &call["id"]).collect();
    assert_ne!(ids[0], ids[1]);
    assert_eq!((&said[2]["tool_call_id"], &said[2]["content"]), (ids[0], &json!(r#"{"celsius":1}"#)));
    assert_eq!((&said[3]["tool_call_id"], &said[3]["content"]), (ids[1], &json!(r#"{"celsius":2}"#)));
    assert_eq!(chat["tools"][0]["function"]["parameters"]["properties"]["city"]["type"], "string");
    assert_eq!(chat["tools"][1]["function"]["parameters"], json!({ "type": "object" }));
    assert_eq!(chat["tool_choice"], json!({ "type": "function", "function": { "name": "weather" } }));
    let (messages, _) = put(&asked, Dialect::AnthropicMessages, "claude-3-haiku-20240307");
    assert_eq!(
        messages["messages"][2]["content"][1]["tool_use_id"],
        messages["messages"][1]["content"][1]["id"]
    );
}

#[test]
fn what_nobody_else_can_do_is_refused_by_its_name() {
    for (more, name) in [
        (json!({ "cachedContent": "cachedContents/x" }), "cachedContent"),
        (
            json!({ "generationConfig": { "responseModalities": ["IMAGE"] } }),
            "generationConfig.responseModalities",
        ),
        (json!({ "tools": [{ "computerUse": {} }] }), "computerUse"),
        (
            json!({ "contents": [{ "parts": [{ "fileData": { "fileUri": "gs://b/x", "mimeType": "image/png" } }] }] }),
            "fileUri",
        ),
        (
            json!({ "contents": [{ "parts": [{ "functionResponse": { "name": "f", "response": {} } }] }] }),
            "functionResponse",
        ),
    ] {
        let said = refusal(&gemini(&with(hello(), more), false), Dialect::OpenAiChat);
        assert!(said.contains(name), "{said}");
    }
    let read = |body: &str| Ask::read_for(Dialect::Gemini, Bytes::from(body.to_owned()), Some("m"));
    for (body, name) in [
        ("{}", "contents"),
        (r#"{"contents":3}"#, "contents"),
        (r#"{"contents":[],"contents":[]}"#, "contents"),
        (r#"{"contents":[],"generationConfig":{"maxOutputTokens":"x"}}"#, "maxOutputTokens"),
    ] {
        assert!(
            matches!(read(body), Err(WireError::Invalid { field, .. }) if field.contains(name)),
            "{body}"
        );
    }
    assert!(Ask::read(Dialect::Gemini, Bytes::from(hello().to_string())).is_err(), "no model is named");
}

#[test]
fn an_answer_in_geminis_form_has_all_its_parts() {
    let thinking =
        with(hello(), json!({ "generationConfig": { "thinkingConfig": { "includeThoughts": true } } }));
    let body = json!({
        "id": "chatcmpl-1", "model": "gpt-x", "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "reasoning_content": "hm", "content": "Zürich",
            "tool_calls": [{ "id": "c1", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } }] } }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16,
            "prompt_tokens_details": { "cached_tokens": 4 }, "completion_tokens_details": { "reasoning_tokens": 2 } },
    });
    let (answer, _) = answered(&gemini(&thinking, false), Dialect::OpenAiChat, &body);
    let parts = json!([
        { "text": "hm", "thought": true }, { "text": "Zürich" }, { "functionCall": { "id": "c1", "name": "f", "args": { "a": 1 } } },
    ]);
    assert_eq!(
        answer["candidates"],
        json!([{ "content": { "parts": parts, "role": "model" }, "finishReason": "STOP", "index": 0 }])
    );
    assert_eq!(
        answer["usageMetadata"],
        json!({ "promptTokenCount": 9, "candidatesTokenCount": 5, "totalTokenCount": 16, "cachedContentTokenCount": 4, "thoughtsTokenCount": 2 })
    );
    assert_eq!((&answer["modelVersion"], &answer["responseId"]), (&json!("gpt-x"), &json!("chatcmpl-1")));
    let (plain, _) = answered(&gemini(&hello(), false), Dialect::OpenAiChat, &body);
    assert_eq!(
        plain["candidates"][0]["content"]["parts"][0],
        json!({ "text": "Zürich" }),
        "thoughts are for those who ask"
    );
}

#[test]
fn a_stream_in_geminis_form_says_the_same_wherever_it_is_cut() {
    let asked = gemini(&hello(), true);
    let (whole, end, _) = relayed(Dialect::OpenAiChat, &asked, CHAT_STREAM.as_bytes(), &[]);
    assert_eq!(end, StreamEnd::Complete);
    for cut in (1..CHAT_STREAM.len()).step_by(7) {
        assert_eq!(relayed(Dialect::OpenAiChat, &asked, CHAT_STREAM.as_bytes(), &[cut]).0, whole);
    }
    let chunks = events(&whole);
    let parts: Vec<&Value> = chunks
        .iter()
        .flat_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().unwrap())
        .collect();
    let text: String = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    assert_eq!(text, "Zürich");
    let calls: Vec<_> = parts.iter().filter_map(|part| part.get("functionCall")).collect();
    assert_eq!(calls, [&json!({ "id": "c1", "name": "f", "args": { "a": 1 } })]);
    let reasons: Vec<_> =
        chunks.iter().filter_map(|chunk| chunk["candidates"][0]["finishReason"].as_str()).collect();
    assert_eq!(reasons, ["STOP"]);
    assert_eq!(chunks.last().unwrap()["usageMetadata"]["thoughtsTokenCount"], 2);
}

fn completion(more: Value) -> Ask {
    ask(Dialect::OpenAiCompletions, &with(json!({ "model": "auto", "prompt": "Once" }), more))
}

#[test]
fn a_prompt_to_continue_becomes_what_the_user_says() {
    let asked = completion(
        json!({ "stop": "END", "temperature": 0.5, "echo": true, "logit_bias": { "1": 2 }, "suffix": "" }),
    );
    assert_eq!((&*asked.ask_text(), asked.measures().choices), ("Once", 1));
    let (chat, left_out) = put(&asked, Dialect::OpenAiChat, "gpt-4.1");
    assert_eq!(chat["messages"], json!([{ "role": "user", "content": "Once" }]));
    assert_eq!(
        (&chat["max_tokens"], &chat["stop"], &chat["temperature"]),
        (&json!(16), &json!(["END"]), &json!(0.5))
    );
    assert!(left_out.is_empty(), "{left_out:?}");
    let (thinker, _) = put(&asked, Dialect::OpenAiChat, "gpt-5");
    assert!(thinker.get("max_completion_tokens").is_none(), "thoughts would use up the limit");
    let (messages, left_out) = put(&asked, Dialect::AnthropicMessages, "claude-3-haiku-20240307");
    assert_eq!(
        (&messages["messages"][0]["content"][0]["text"], left_out),
        (&json!("Once"), vec!["logit_bias".to_owned()])
    );
    let (chat, _) =
        put(&completion(json!({ "prompt": ["Once"], "max_tokens": 5 })), Dialect::OpenAiChat, "gpt-4.1");
    assert_eq!((&chat["messages"][0]["content"], &chat["max_tokens"]), (&json!("Once"), &json!(5)));
}

#[test]
fn what_chat_cannot_complete_is_refused_in_words() {
    for (more, name) in [
        (json!({ "prompt": ["a", "b"] }), "several prompts"),
        (json!({ "prompt": [1, 2] }), "tokens"),
        (json!({ "prompt": [[1, 2]] }), "tokens"),
        (json!({ "prompt": {} }), "prompt"),
        (json!({ "suffix": "x" }), "suffix"),
    ] {
        let said = refusal(&completion(more), Dialect::OpenAiChat);
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn a_completion_is_written_whole_and_in_chunks() {
    let body = json!({
        "id": "chatcmpl-1", "model": "gpt-x", "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 },
        "choices": [{ "index": 0, "finish_reason": "length", "message": { "role": "assistant", "content": " upon" } }],
    });
    let (answer, _) = answered(&completion(json!({ "echo": true })), Dialect::OpenAiChat, &body);
    assert_eq!(
        (&answer["object"], &answer["id"], &answer["created"], &answer["model"]),
        (&json!("text_completion"), &json!("cmpl-chatcmpl-1"), &json!(1_700_000_000), &json!("gpt-x"))
    );
    assert_eq!(
        answer["choices"],
        json!([{ "text": "Once upon", "index": 0, "logprobs": null, "finish_reason": "length" }])
    );
    assert_eq!(answer["usage"]["total_tokens"], 3);
    let stream = CHAT_STREAM.replace("tool_calls\"}]", "stop\"}]");
    for (more, has_usage) in
        [(json!({}), false), (json!({ "stream_options": { "include_usage": true } }), true)]
    {
        let asked = completion(with(json!({ "stream": true }), more));
        let (out, end, _) = relayed(Dialect::OpenAiChat, &asked, stream.as_bytes(), &[]);
        assert_eq!(end, StreamEnd::Complete);
        assert!(out.ends_with("data: [DONE]\n\n"), "{out}");
        let chunks = events(&out);
        let text: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
        assert_eq!(text, "Zürich");
        assert_eq!(chunks.iter().filter(|chunk| chunk["choices"][0]["finish_reason"] == "stop").count(), 1);
        assert_eq!(chunks.last().unwrap().get("usage").is_some(), has_usage, "{out}");
        assert!(chunks.iter().all(|chunk| chunk["object"] == "text_completion"));
    }
}

#[test]
fn a_server_that_has_completions_is_sent_them_as_they_came() {
    let body = br#"{"model":"auto","prompt":[[1,2],[3]],"n":2,"brand_new":{"kept":true},"stream":true}"#;
    let asked = Ask::read(Dialect::OpenAiCompletions, Bytes::from_static(body)).unwrap();
    assert_eq!(asked.measures().choices, 4);
    let sent = asked.body_for(Dialect::OpenAiCompletions, "m", &Sending::default()).unwrap();
    let want = r#"{"model":"m","prompt":[[1,2],[3]],"n":2,"brand_new":{"kept":true},"stream":true,"stream_options":{"include_usage":true}}"#;
    assert_eq!(String::from_utf8_lossy(&sent.body), want);
    let chunk = |text: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"cmpl-1\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"text\":\"{text}\",\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}\n\n";
    let stream =
        [chunk("a", "null"), chunk("b", "\"stop\""), usage.to_owned(), "data: [DONE]\n\n".to_owned()]
            .concat();
    let one = completion(json!({ "stream": true }));
    let (out, end, relay) = relayed(Dialect::OpenAiCompletions, &one, stream.as_bytes(), &[]);
    assert_eq!(
        (out, end),
        (stream.replace(usage, ""), StreamEnd::Complete),
        "usage that was not asked for is taken out"
    );
    assert_eq!(relay.usage().unwrap().usage.output.get(), Some(2));
    let whole = json!({ "id": "cmpl-1", "model": "m", "choices": [{ "index": 0, "text": "ab", "finish_reason": "stop" }],
        "usage": { "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3 } });
    assert_eq!(answered(&one, Dialect::OpenAiCompletions, &whole).0, whole);
}

#[test]
fn embeddings_name_no_other_model_than_their_address() {
    let text = json!({"parts": [{"text": "x"}]});
    let read = |body: Value| {
        let body = bytes::Bytes::from(body.to_string());
        pointsman::wire::Ask::read_for(Dialect::GeminiEmbeddings, body, Some("e"))
            .map_err(|error| error.to_string())
    };
    for said in [json!("e"), json!("models/e"), Value::Null] {
        assert!(read(json!({"model": said, "content": text})).is_ok());
        assert!(read(json!({"requests": [{"content": text}, {"model": said, "content": text}]})).is_ok());
    }
    for said in [json!("other"), json!("models/other"), json!(5)] {
        let place = "model: has to be the one in the address, models/e";
        assert_eq!(read(json!({"model": said, "content": text})).unwrap_err(), place);
        let many =
            json!({"requests": [{"model": "models/e", "content": text}, {"model": said, "content": text}]});
        assert_eq!(read(many).unwrap_err(), format!("requests[1].{place}"));
    }
}
