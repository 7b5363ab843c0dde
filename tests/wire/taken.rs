//! What providers take of a request, where they take less than the client may say, and which of their answers are none.

use bytes::Bytes;
use pointsman::routing::Check;
use pointsman::wire::Dialect::{
    AnthropicMessages, Gemini, GeminiEmbeddings, OpenAiChat, OpenAiEmbeddings, OpenAiResponses,
};
use pointsman::wire::{
    ApiError, Ask, Dialect, Form, Sending, WireError, answer, error_body, framed, read_error,
};
use serde_json::{Value, json};

use super::{ask, sent};

fn chat(more: &Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "What is due?"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// Every bound that an ordinary schema has and Anthropic answers with 400.
fn bounded() -> Value {
    json!({"type": "object", "required": ["n"], "properties": {
        "n": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How many."},
        "s": {"type": "string", "minLength": 2, "format": "phone", "enum": ["maximum"]},
        "list": {"type": "array", "minItems": 2, "maxItems": 3, "items": {"type": "number", "multipleOf": 0.5}},
        "some": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "date"}},
        "minimum": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": true}
    }})
}

fn narrowed() -> Value {
    json!({"type": "object", "required": ["n"], "additionalProperties": false, "properties": {
        "n": {"type": "integer", "description": "How many.\n\n{maximum: 9, minimum: 1}"},
        "s": {"type": "string", "enum": ["maximum"], "description": "{format: \"phone\", minLength: 2}"},
        "list": {"type": "array", "items": {"type": "number", "description": "{multipleOf: 0.5}"}, "description": "{maxItems: 3, minItems: 2}"},
        "some": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "date"}},
        "minimum": {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}
    }})
}

/// A request with such a schema would be refused whole, pinned or on a ladder, and so would every judge's question to Claude.
#[test]
fn anthropic_gets_of_a_schema_what_it_takes_and_the_rest_in_words() {
    let format =
        json!({"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": bounded()}});
    let asked = ask(OpenAiChat, &chat(&json!({"response_format": format})));
    let written = asked.body_for(AnthropicMessages, "claude-opus-4-6", &Sending::default()).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["output_config"]["format"]["schema"], narrowed());
    for told in ["schema.minimum", "schema.format", "schema.additionalProperties", "schema.maxItems"] {
        assert!(
            written.left_out.iter().any(|name| name == told),
            "{told} is not told: {:?}",
            written.left_out
        );
    }
    let tool = |strict: bool| {
        let function = json!({"name": "f", "strict": strict, "parameters": bounded()});
        let body = chat(&json!({"tools": [{"type": "function", "function": function}]}));
        sent(OpenAiChat, &body, AnthropicMessages, "claude-opus-4-6")["tools"][0]["input_schema"].clone()
    };
    assert_eq!(tool(true), narrowed(), "the arguments of a strict tool are held to the same");
    assert_eq!(tool(false), bounded(), "those of another are no more than a hint, and go as they are");
}

#[test]
fn pictures_go_to_anthropic_under_the_names_that_it_knows() {
    for (given, want) in
        [("image/jpg", "image/png"), ("image/PNG", "image/png"), ("application/octet-stream", "image/png")]
    {
        let url = format!("data:{given};base64,iVBORw0KGgo=");
        let body = json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]});
        let got = sent(OpenAiChat, &body, AnthropicMessages, "claude-opus-4-6");
        assert_eq!(got["messages"][0]["content"][0]["source"]["media_type"], want);
    }
}

fn parallel(first: &str, second: &str, results: [&str; 2]) -> Value {
    let call = |id: &str, city: &str| json!({"id": id, "type": "function", "function": {"name": "temperature", "arguments": json!({"city": city}).to_string()}});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": format!("of {id}")});
    json!({"model": "m", "messages": [
        {"role": "user", "content": "How warm?"},
        {"role": "assistant", "content": null, "tool_calls": [call(first, "Paris"), call(second, "Oslo")]},
        result(results[0]), result(results[1])]})
}

/// Google pairs results with calls by their places; clients give them in the order in which they came in.
#[test]
fn results_of_parallel_calls_reach_gemini_in_the_order_of_their_calls() {
    for model in ["gemini-2.5-flash", "gemini-3-pro"] {
        for results in [["a", "b"], ["b", "a"]] {
            let got = sent(OpenAiChat, &parallel("a", "b", results), Gemini, model);
            let parts = got["contents"][2]["parts"].as_array().unwrap();
            let said: Vec<&Value> =
                parts.iter().map(|part| &part["functionResponse"]["response"]["output"]).collect();
            assert_eq!(said, ["of a", "of b"], "Paris has the temperature of Oslo");
        }
    }
}

#[test]
fn ids_of_calls_that_differ_stay_apart_where_some_of_their_letters_are_not_taken() {
    let got = sent(OpenAiChat, &parallel("a.b", "a:b", ["a:b", "a.b"]), AnthropicMessages, "claude-opus-4-6");
    let ids = |at: usize, name: &str| -> Vec<String> {
        let blocks = got["messages"][at]["content"].as_array().unwrap();
        blocks.iter().filter_map(|block| block[name].as_str().map(str::to_owned)).collect()
    };
    let (calls, results) = (ids(1, "id"), ids(2, "tool_use_id"));
    assert_ne!(calls[0], calls[1], "two calls have one id");
    assert_eq!(results, [calls[1].clone(), calls[0].clone()], "each result finds its call");
    assert!(
        calls.iter().flat_map(|id| id.chars()).all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    );
}

/// What only Mistral knows of an earlier answer is nothing that another could read, and no reason to end a conversation.
#[test]
fn thoughts_of_mistrals_models_stay_behind_where_another_model_goes_on() {
    let answered = json!([{"type": "thinking", "thinking": [{"type": "text", "text": "let me see"}]},
        {"type": "text", "text": "Monday."}, {"type": "reference", "reference_ids": [1]}]);
    let body = json!({"model": "m", "thinking": {"type": "enabled"}, "messages": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": answered}, {"role": "user", "content": "b"}]});
    let claude = sent(OpenAiChat, &body, AnthropicMessages, "claude-opus-4-6");
    assert_eq!(claude["messages"][1]["content"], json!([{"type": "text", "text": "Monday."}]));
    let gemini = sent(OpenAiChat, &body, Gemini, "gemini-2.5-flash");
    assert_eq!(gemini["contents"][1]["parts"], json!([{"text": "Monday."}]));
    let gpt = sent(OpenAiChat, &body, OpenAiChat, "gpt-4.1");
    assert_eq!(gpt["messages"][1]["content"], json!([{"type": "text", "text": "Monday."}]));
    assert_eq!(gpt["thinking"], body["thinking"], "a member of that name is the client's");
}

/// Clients may not name models beside policy: nobody would know of their labels, nor hold for what they cost.
#[test]
fn other_models_that_a_client_names_are_left_out_and_told() {
    let messages = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
        "fallbacks": [{"model": "claude-opus-4-6"}]});
    let routed = chat(&json!({"models": ["openai/gpt-4.1"]}));
    for (dialect, body, name) in [(AnthropicMessages, messages, "fallbacks"), (OpenAiChat, routed, "models")]
    {
        let written = ask(dialect, &body).body_for(dialect, "m", &Sending::default()).unwrap();
        let got: Value = serde_json::from_slice(&written.body).unwrap();
        assert_eq!((got.get(name), written.left_out.as_slice()), (None, [name.to_owned()].as_slice()));
    }
}

fn converse(body: &Value) -> Value {
    let model = "eu.amazon.nova-pro-v1:0";
    let body = Bytes::from(body.to_string());
    serde_json::from_slice(&framed(Form::Converse, body, model, &[]).unwrap().0).unwrap()
}

fn turns(messages: &Value) -> Value {
    converse(&json!({"max_tokens": 9, "messages": messages}))
}

/// Each of these is a `ValidationException`, whatever model is asked.
#[test]
fn converse_is_sent_what_it_takes() {
    let call =
        json!({"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]});
    let result = json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1"}]});
    let got = turns(&json!([{"role": "user", "content": "x"}, call, result]));
    assert_eq!(got["toolConfig"]["tools"][0]["toolSpec"]["name"], "f", "calls need their tools: {got}");
    let said = &got["messages"][2]["content"][0]["toolResult"]["content"];
    assert!(
        said[0]["text"].as_str().is_some_and(|text| !text.trim().is_empty()),
        "a result says something: {got}"
    );

    let got = turns(
        &json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]),
    );
    let roles: Vec<&Value> = got["messages"].as_array().unwrap().iter().map(|turn| &turn["role"]).collect();
    assert_eq!(roles, ["user", "assistant"], "turns alternate");
    assert_eq!(got["messages"][0]["content"], json!([{"text": "a"}, {"text": "b"}]));

    let pdf = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}});
    let got = turns(&json!([{"role": "user", "content": [pdf]}, {"role": "assistant", "content": "b"},
        {"role": "user", "content": [pdf, pdf, {"type": "text", "text": "c"}]}]));
    let texts =
        got["messages"][0]["content"].as_array().unwrap().iter().filter(|block| block.get("text").is_some());
    assert_eq!(texts.count(), 1, "a document has a text beside it: {got}");
    let blocks = |turn: usize| got["messages"][turn]["content"].as_array().unwrap().clone();
    let names = blocks(0)
        .into_iter()
        .chain(blocks(2))
        .filter_map(|block| block["document"]["name"].as_str().map(str::to_owned));
    let names: std::collections::BTreeSet<String> = names.collect();
    assert_eq!(names.len(), 3, "no two documents of a conversation have one name");

    let got = converse(
        &json!({"max_tokens": 9, "messages": [{"role": "user", "content": " "}], "stop_sequences": [" ", "END"]}),
    );
    assert_eq!(got["inferenceConfig"]["stopSequences"], json!(["END"]));
    assert!(
        got["messages"][0]["content"][0]["text"].as_str().is_some_and(|text| !text.trim().is_empty()),
        "{got}"
    );

    let schema = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}}});
    let as_messages = sent(
        OpenAiChat,
        &chat(&json!({"response_format": schema})),
        AnthropicMessages,
        "eu.amazon.nova-pro-v1:0",
    );
    let got = converse(&as_messages);
    assert!(got["system"].to_string().contains("JSON schema"), "who has no schemas is told in words: {got}");
}

#[test]
fn vectors_stand_at_their_texts_whatever_order_they_come_in() {
    let requests: Vec<Value> =
        ["a", "b"].iter().map(|text| json!({"content": {"parts": [{"text": text}]}})).collect();
    let body = Bytes::from(json!({"requests": requests}).to_string());
    let asked = Ask::read_for(GeminiEmbeddings, body, Some("e")).unwrap();
    let vector = |index: u32| json!({"object": "embedding", "index": index, "embedding": [index]});
    let told = |data: &[Value]| {
        let body = json!({"object": "list", "data": data, "usage": {"prompt_tokens": 2, "total_tokens": 2}});
        answer(OpenAiEmbeddings, &asked, Bytes::from(body.to_string()))
    };
    let whole: Value = serde_json::from_slice(&told(&[vector(1), vector(0)]).unwrap().body).unwrap();
    assert_eq!(whole["embeddings"], json!([{"values": [0]}, {"values": [1]}]));
    assert!(
        matches!(told(&[vector(0)]), Err(WireError::Malformed(_))),
        "one vector for two texts is no answer"
    );
    let own = ask(OpenAiEmbeddings, &json!({"model": "e", "input": ["a", "b"]}));
    let none = json!({"object": "list", "data": [], "usage": {"prompt_tokens": 2, "total_tokens": 2}});
    assert!(answer(OpenAiEmbeddings, &own, Bytes::from(none.to_string())).is_err(), "nor is none");
    let tokens = ask(OpenAiEmbeddings, &json!({"model": "e", "input": [1, 2, 3]}));
    let one =
        json!({"object": "list", "data": [vector(0)], "usage": {"prompt_tokens": 3, "total_tokens": 3}});
    assert!(
        answer(OpenAiEmbeddings, &tokens, Bytes::from(one.to_string())).is_ok(),
        "a list of tokens is one text"
    );
}

fn whole(text: &str) -> Value {
    json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}})
}

/// OpenRouter and proxies tell so what broke behind them: half an answer would pass for a whole one.
#[test]
fn an_answer_with_an_error_beside_it_is_none() {
    for from in [OpenAiChat, AnthropicMessages, OpenAiResponses, Gemini] {
        let asked = match from {
            OpenAiChat => ask(from, &chat(&json!({}))),
            OpenAiResponses => ask(from, &json!({"model": "m", "input": "x"})),
            Gemini => Ask::read_for(
                Gemini,
                Bytes::from_static(br#"{"contents":[{"parts":[{"text":"x"}]}]}"#),
                Some("m"),
            )
            .unwrap(),
            _ => ask(
                from,
                &json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}),
            ),
        };
        let mut body = whole("partial te");
        for nothing in [Value::Null, json!({})] {
            body["error"] = nothing;
            let told = answer(OpenAiChat, &asked, Bytes::from(body.to_string())).unwrap();
            assert!(told.fault.is_none(), "{from:?}: an error of nothing is none");
        }
        body["error"] = json!({"message": "Upstream provider timed out", "code": 502});
        let told = answer(OpenAiChat, &asked, Bytes::from(body.to_string())).unwrap();
        assert!(told.fault.is_some() && told.check == Check::Failed, "{from:?} gets half an answer");
        assert!(told.usage.is_some(), "what it used is used");
    }
}

#[test]
fn an_object_that_is_asked_for_is_no_number_and_what_cannot_be_seen_is_no_answer() {
    let asked = ask(OpenAiChat, &chat(&json!({"response_format": {"type": "json_object"}})));
    let check = |asked: &Ask, text: &str| {
        answer(OpenAiChat, asked, Bytes::from(whole(text).to_string())).unwrap().check
    };
    for (text, wants) in
        [("{\"a\": 1}", Check::Passed), ("5", Check::Failed), ("[1]", Check::Failed), ("null", Check::Failed)]
    {
        assert_eq!(check(&asked, text), wants, "{text}");
    }
    let plain = ask(OpenAiChat, &chat(&json!({})));
    assert_eq!(check(&plain, "\u{200b}\u{feff} \n"), Check::Failed);
    assert_eq!(check(&plain, "a\u{200b}"), Check::None);
}

/// Agents make their conversation shorter by these words, and by no others.
#[test]
fn a_prompt_that_is_too_long_is_told_in_the_clients_own_words() {
    let told = |from: Dialect, message: &str, to: Dialect| -> Value {
        let body = json!({"error": {"message": message, "type": "invalid_request_error"}}).to_string();
        let error: ApiError = read_error(from, 400, body.as_bytes());
        serde_json::from_slice(&error_body(to, &error)).unwrap()
    };
    let anthropic = "prompt is too long: 210000 tokens > 200000 maximum";
    assert_eq!(told(AnthropicMessages, anthropic, OpenAiChat)["error"]["code"], "context_length_exceeded");
    let openai = "This model's maximum context length is 8192 tokens.";
    let claude = told(OpenAiChat, openai, AnthropicMessages);
    assert!(claude["error"]["message"].as_str().unwrap().starts_with("prompt is too long"), "{claude}");
    let other = told(AnthropicMessages, "max_tokens: has to be at least 1", OpenAiChat);
    assert_ne!(other["error"]["code"], "context_length_exceeded");
}

#[test]
fn openai_gets_as_many_stop_sequences_as_it_takes_and_google_film() {
    let stops = json!({"model": "m", "max_tokens": 9, "stop_sequences": ["a", "b", "c", "d", "e"], "messages": [{"role": "user", "content": "x"}]});
    let written =
        ask(AnthropicMessages, &stops).body_for(OpenAiChat, "gpt-4.1", &Sending::default()).unwrap();
    let body: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(body["stop"], json!(["a", "b", "c", "d"]));
    assert_eq!(written.left_out, ["stop_sequences (more than 4)"]);
    let film = json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}}]}]});
    let got = sent(OpenAiChat, &film, Gemini, "gemini-2.5-flash");
    assert_eq!(
        got["contents"][0]["parts"][0]["inlineData"],
        json!({"mimeType": "video/mp4", "data": "AAAA"})
    );
}

/// A conversation of an agent's that has gone on for long is read in one walk, or it would hold up everybody for minutes.
#[test]
fn every_result_of_a_long_conversation_finds_its_call() {
    const CALLS: usize = 20_000;
    let calls: Vec<Value> = (0..CALLS)
        .map(|at| json!({"type": "tool_use", "id": format!("t{at}"), "name": format!("f{at}"), "input": {}}))
        .collect();
    let results: Vec<Value> = (0..CALLS)
        .rev()
        .map(|at| json!({"type": "tool_result", "tool_use_id": format!("t{at}"), "content": "x"}))
        .collect();
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": calls}, {"role": "user", "content": results}]});
    let got = sent(AnthropicMessages, &body, Gemini, "gemini-2.5-flash");
    let parts = got["contents"][2]["parts"].as_array().unwrap();
    assert_eq!(parts.len(), CALLS);
    for (at, part) in parts.iter().enumerate() {
        assert_eq!(part["functionResponse"]["name"], format!("f{at}"));
    }
}
