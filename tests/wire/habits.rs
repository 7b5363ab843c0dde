//! What servers and models demand of requests besides their dialect: thoughts, edits of the context, schemas, limits.

use bytes::Bytes;
use pointsman::routing::{Check, Parameters};
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Ask, Form, Known, Sending, framed};
use serde_json::{Value, json};

use super::{answered, ask, relayed, sent};

fn put(from: Dialect, body: &Value, to: Dialect, model: &str, known: &Known) -> (Value, Vec<String>) {
    let sending = Sending { known, ..Sending::default() };
    let sent = ask(from, body).body_for(to, model, &sending).unwrap();
    (serde_json::from_slice(&sent.body).unwrap(), sent.left_out)
}

/// Claude Code sends the edit with each request that thinks: without `thinking` every one of them is a 400.
#[test]
fn edits_that_clear_thoughts_go_with_the_thinking_that_is_taken_away() {
    let clearing = json!({"type": "clear_thinking_20251015", "keep": "all"});
    let uses = json!({"type": "clear_tool_uses_20250919"});
    let call = json!({"type": "tool_use", "id": "t", "name": "f", "input": {}});
    let result = json!({"type": "tool_result", "tool_use_id": "t", "content": "y"});
    let body = |edits: Value, turn: Value| {
        json!({"model": "m", "max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2000},
            "context_management": {"edits": edits}, "messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": [turn, call]}, {"role": "user", "content": [result]}]})
    };
    let text = json!({"type": "text", "text": "Let me look."});
    let thought = json!({"type": "thinking", "thinking": "t", "signature": "EqQB"});
    let none = Known::default();
    let (got, left_out) = put(
        AnthropicMessages,
        &body(json!([clearing]), text.clone()),
        AnthropicMessages,
        "claude-sonnet-4-5",
        &none,
    );
    assert_eq!(got["thinking"], json!({"type": "disabled"}), "another's call stands there without a thought");
    assert!(got.get("context_management").is_none(), "{got}");
    assert_eq!(left_out, ["thinking", "context_management.edits (clear_thinking)"]);
    let (got, _) = put(
        AnthropicMessages,
        &body(json!([clearing, uses]), text),
        AnthropicMessages,
        "claude-sonnet-4-5",
        &none,
    );
    assert_eq!(got["context_management"], json!({"edits": [uses]}));
    let own = body(json!([clearing]), thought);
    let (got, left_out) = put(AnthropicMessages, &own, AnthropicMessages, "m", &none);
    assert_eq!((got, left_out.len()), (own.clone(), 0), "what thinks keeps its edits");
    let with = Parameters { effort: Some(pointsman::routing::Effort::None), ..Parameters::NONE };
    let sending = Sending { with: &with, ..Sending::default() };
    let got =
        ask(AnthropicMessages, &own).body_for(AnthropicMessages, "claude-sonnet-4-5", &sending).unwrap().body;
    let got: Value = serde_json::from_slice(&got).unwrap();
    assert_eq!((got.get("thinking"), got.get("context_management")), (None, None), "{got}");
}

/// 400 "Missing `reasoning_content` field in the assistant message" at each turn behind another model's call.
#[test]
fn a_chat_clients_calls_have_the_thoughts_that_a_model_wants_under_its_name_for_them() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = |more: Value| {
        let mut turn = json!({"role": "assistant", "content": null, "tool_calls": [call]});
        turn.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"model": "m", "messages": [{"role": "user", "content": "x"}, turn,
            {"role": "tool", "tool_call_id": "c1", "content": "y"}]})
    };
    let wants = Known { wants_thoughts: true, ..Known::default() };
    let keeps = Known { keeps_thoughts: true, older_chat: true, ..Known::default() };
    for (more, want) in
        [(json!({}), ""), (json!({"reasoning": "hm"}), "hm"), (json!({"reasoning_content": "hm"}), "hm")]
    {
        let (got, _) = put(OpenAiChat, &body(more.clone()), OpenAiChat, "m", &wants);
        assert_eq!(got["messages"][1]["reasoning_content"], want, "{got}");
        assert_eq!(got["messages"][1]["tool_calls"][0]["id"], "c1");
        let (got, left_out) = put(OpenAiChat, &body(more.clone()), OpenAiChat, "m", &keeps);
        assert_eq!((got, left_out.len()), (body(more), 0), "what takes a call without keeps what came");
    }
}

/// vLLM and others refuse a turn without content, Qwen's templates a conversation without a user.
#[test]
fn every_turn_of_older_chat_says_something_and_somebody_asks() {
    let older = Known { older_chat: true, ..Known::default() };
    let cut = json!({"model": "m", "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "reasoning_content": "t"}, {"role": "user", "content": "go on"}]});
    let (got, _) = put(OpenAiChat, &cut, OpenAiChat, "m", &older);
    assert_eq!(got["messages"][1]["content"], "...", "{got}");
    let alone = json!({"model": "m", "messages": [{"role": "system", "content": "Tell a joke."}]});
    let (got, _) = put(OpenAiChat, &alone, OpenAiChat, "m", &older);
    assert_eq!(got["messages"], json!([{"role": "user", "content": "Tell a joke."}]));
}

/// A server of whatever model may ignore the newer name of the limit: a hard budget would be pierced.
#[test]
fn servers_of_others_than_openai_get_the_older_words_for_any_model() {
    let others = Known { older_words: true, ..Known::default() };
    let body = json!({"model": "m", "max_completion_tokens": 9, "messages": [
        {"role": "developer", "content": "a"}, {"role": "user", "content": "x"}, {"role": "system", "content": "b"}]});
    let (got, left_out) = put(OpenAiChat, &body, OpenAiChat, "house", &others);
    assert_eq!((&got["max_tokens"], got.get("max_completion_tokens")), (&json!(9), None), "{got}");
    assert_eq!(
        (&got["messages"][0]["role"], &got["messages"][2]["role"]),
        (&json!("system"), &json!("system"))
    );
    assert!(left_out.is_empty(), "nothing is lost: {left_out:?}");
    let (got, _) = put(OpenAiChat, &body, OpenAiChat, "gpt-5", &others);
    assert_eq!(got["max_completion_tokens"], 9, "OpenAI's own know no other name");
}

/// 400 "This `response_format` type is unavailable now": every typed request would fail.
#[test]
fn a_server_without_schemas_is_asked_for_them_in_words() {
    let known = Known { json_object_alone: true, ..Known::default() };
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let chat = json!({"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "x"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});
    let messages = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
        "output_config": {"format": {"type": "json_schema", "schema": schema}}});
    for (from, body) in [(OpenAiChat, chat), (AnthropicMessages, messages)] {
        let (got, _) = put(from, &body, OpenAiChat, "deepseek-chat", &known);
        assert_eq!(got["response_format"], json!({"type": "json_object"}), "{got}");
        assert_eq!(got["messages"][0]["role"], "system");
        assert!(got["messages"][0]["content"].as_str().unwrap().contains("JSON schema"), "{got}");
        assert_eq!(got["messages"][1]["role"], "user");
    }
}

/// One tool of a server's would fail every request of an agent.
#[test]
fn a_choice_at_the_top_of_a_tools_schema_is_folded_where_it_is_refused() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
        "anyOf": [{"required": ["a"]}, {"required": ["b"]}]});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "name": "f", "parameters": schema}], "input": "x"});
    for (to, place) in
        [(AnthropicMessages, "/tools/0/input_schema"), (OpenAiChat, "/tools/0/function/parameters")]
    {
        let (got, left_out) = put(OpenAiResponses, &body, to, "m", &Known::default());
        let sent = got.pointer(place).unwrap();
        assert!(sent.get("anyOf").is_none() && sent["properties"]["b"].is_object(), "{got}");
        assert!(sent["description"].as_str().unwrap().contains("required"), "{got}");
        assert!(left_out.contains(&"tools.schema".to_owned()), "{left_out:?}");
    }
    let gemini = sent(OpenAiResponses, &body, Gemini, "gemini-2.5-flash").to_string();
    assert!(gemini.contains("anyOf"), "who takes it gets it: {gemini}");
}

/// Pydantic's unions come as `oneOf`, which OpenAI does not permit in a strict schema: the request would be refused.
#[test]
fn a_choice_that_is_not_permitted_as_strict_is_not_sent_as_strict() {
    let one = json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false});
    let schema = json!({"type": "object", "properties": {"a": {"oneOf": [one, one]}}, "required": ["a"],
        "additionalProperties": false});
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
        "tools": [{"name": "f", "strict": true, "input_schema": schema}]});
    let (got, left_out) = put(AnthropicMessages, &body, OpenAiChat, "gpt-4.1", &Known::default());
    assert_eq!(
        (got["tools"][0]["function"].get("strict"), left_out),
        (None, vec!["tools.strict".to_owned()])
    );
}

/// `JSON.parse` fails on a fence, and a held answer would be bought again dearer.
#[test]
fn a_stream_of_json_that_was_asked_for_in_words_has_no_fence() {
    let asked = ask(
        OpenAiChat,
        &json!({"model": "m", "stream": true, "messages": [{"role": "user", "content": "x"}],
            "response_format": {"type": "json_object"}}),
    );
    let text = |text: &str| {
        let delta =
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}});
        format!("event: content_block_delta\ndata: {delta}\n\n")
    };
    let event = |value: Value| format!("event: {}\ndata: {value}\n\n", value["type"].as_str().unwrap());
    let stream = event(
        json!({"type": "message_start", "message": {"id": "m1", "type": "message", "role": "assistant",
        "model": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}}}),
    ) + &event(
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    ) + &text("``")
        + &text("`json\n{\"a\":")
        + &text(" []}\n`")
        + &text("``")
        + &event(json!({"type": "content_block_stop", "index": 0}))
        + &event(
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}),
        )
        + &event(json!({"type": "message_stop"}));
    let (out, _, relay) = relayed(AnthropicMessages, &asked, stream.as_bytes(), &[]);
    assert_eq!(relay.check(), Check::Passed, "{out}");
    let said: String = out
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok())
        .filter_map(|chunk| Some(chunk["choices"][0]["delta"]["content"].as_str()?.to_owned()))
        .collect();
    assert_eq!(said, "{\"a\": []}");
    let whole = json!({"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "```json\n{\"a\": []}\n```"}], "usage": {"input_tokens": 1, "output_tokens": 1}});
    let whole_ask = ask(
        OpenAiChat,
        &json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": {"type": "json_object"}}),
    );
    assert_eq!(
        answered(&whole_ask, AnthropicMessages, &whole).0["choices"][0]["message"]["content"],
        said.as_str()
    );
}

/// Claude Code sends all of these: "Extra inputs are not permitted" at every request.
#[test]
fn members_that_need_a_beta_which_a_cloud_does_not_know_go_with_it() {
    let scoped = json!({"type": "ephemeral", "scope": "global"});
    let body = json!({"model": "m", "max_tokens": 9, "speed": "fast", "output_config": {},
        "system": [{"type": "text", "text": "s", "cache_control": scoped}],
        "tools": [{"name": "A", "input_schema": {"type": "object"}, "eager_input_streaming": true, "cache_control": scoped},
            {"name": "B", "input_schema": {"type": "object"}, "defer_loading": true, "input_examples": [{}]}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": scoped}]}]});
    let betas = ["claude-code-20250219,prompt-caching-scope-2026-01-05", "interleaved-thinking-2025-05-14"];
    for form in [Form::Bedrock, Form::Vertex] {
        let (got, left_out) = framed(form, Bytes::from(body.to_string()), "m", &betas).unwrap();
        let got: Value = serde_json::from_slice(&got).unwrap();
        let text = got.to_string();
        for gone in
            ["scope", "eager_input_streaming", "defer_loading", "input_examples", "speed", "output_config"]
        {
            assert!(!text.contains(gone), "{gone}: {text}");
        }
        assert_eq!(text.matches("ephemeral").count(), 3, "the marks stay: {text}");
        assert!(left_out.contains(&"anthropic-beta: claude-code-20250219".to_owned()), "{left_out:?}");
        assert!(left_out.contains(&"cache_control.scope".to_owned()), "{left_out:?}");
        assert!(!left_out.iter().any(|name| name.contains("interleaved")), "{left_out:?}");
    }
    let mut searching = body;
    searching["tools"]
        .as_array_mut()
        .unwrap()
        .push(json!({"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"}));
    let (got, _) =
        framed(Form::Bedrock, Bytes::from(searching.to_string()), "m", &["advanced-tool-use-2025-11-20"])
            .unwrap();
    let got: Value = serde_json::from_slice(&got).unwrap();
    assert_eq!(got["anthropic_beta"], json!(["tool-search-tool-2025-10-19"]));
    assert_eq!(got["tools"][1]["defer_loading"], true, "a search finds what is deferred");
}

/// `CrewAI` sends a stop in each request: 400 at every one of them.
#[test]
fn stops_are_left_out_for_models_of_converse_without_the_field() {
    let body = json!({"max_tokens": 9, "stop_sequences": ["\nObservation:"], "messages": [{"role": "user", "content": "x"}]});
    for (model, is_taken) in [
        ("openai.gpt-oss-120b-1:0", false),
        ("qwen.qwen3-32b-v1:0", false),
        ("eu.amazon.nova-pro-v1:0", true),
    ] {
        let (got, left_out) = framed(Form::Converse, Bytes::from(body.to_string()), model, &[]).unwrap();
        assert_eq!(String::from_utf8_lossy(&got).contains("stopSequences"), is_taken, "{model}");
        assert_eq!(left_out.is_empty(), is_taken, "{model}: {left_out:?}");
    }
}

/// A conversation under a label would go to third parties' servers.
#[test]
fn what_hands_a_conversation_on_is_known_in_every_dialects_words() {
    let of = |dialect, body: Value| Ask::read_for(dialect, Bytes::from(body.to_string()), Some("m")).unwrap();
    let url = json!([{"name": "e", "streamableHttpTransport": {"url": "https://third.example/mcp"}}]);
    for (dialect, body, member) in [
        (Gemini, json!({"contents": [], "tools": [{"mcpServers": url}]}), "tools"),
        (Gemini, json!({"contents": [], "tools": {"mcp_servers": url}}), "tools"),
        (OpenAiChat, json!({"model": "m", "messages": [], "data_sources": [{}]}), "data_sources"),
        (
            OpenAiChat,
            json!({"model": "m", "messages": [], "providerOptions": {"gateway": {}}}),
            "providerOptions",
        ),
        (OpenAiResponses, json!({"model": "m", "input": "x", "prompt": {"id": "p"}}), "prompt"),
        (OpenAiResponses, json!({"model": "m", "input": "x", "moderation": {"model": "o"}}), "moderation"),
        (
            Gemini,
            json!({"contents": [], "generationConfig": {"routing_config": {"manual_mode": {"model_name": "another"}}}}),
            "generationConfig.routingConfig",
        ),
        (
            Gemini,
            json!({"contents": [], "generationConfig": {"modelSelectionConfig": {}}}),
            "generationConfig.modelSelectionConfig",
        ),
        (
            Gemini,
            json!({"contents": [], "tools": [{"retrieval": {"externalApi": {"endpoint": "https://e"}}}]}),
            "tools",
        ),
        (Gemini, json!({"contents": [], "tools": [{"parallelAiSearch": {"apiKey": "k"}}]}), "tools"),
        (
            OpenAiChat,
            json!({"model": "m", "messages": [], "tools": [{"type": "openrouter:web_search", "parameters": {"engine": "exa"}}]}),
            "tools",
        ),
        (
            OpenAiChat,
            json!({"model": "m", "messages": [], "tools": [{"type": "painter", "parameters": {"model": "another"}}]}),
            "tools",
        ),
        (
            AnthropicMessages,
            json!({"model": "m", "messages": [], "tools": [{"type": "mcp_toolset"}]}),
            "tools",
        ),
        (
            AnthropicMessages,
            json!({"model": "m", "messages": [], "tools": [{"type": "advisor_20260301", "name": "advisor", "model": "another"}]}),
            "tools",
        ),
        (
            OpenAiResponses,
            json!({"model": "m", "input": "x", "tools": [{"type": "image_generation", "model": "another"}]}),
            "tools",
        ),
    ] {
        assert_eq!(of(dialect, body.clone()).hands_on(), Some(member), "{body}");
    }
    let plain = json!({"model": "m", "input": "x", "tools": [{"type": "function", "name": "f"}]});
    assert_eq!(of(OpenAiResponses, plain).hands_on(), None);
}
