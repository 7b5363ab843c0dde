//! Requests of agents on their way to another provider: names of tools, thoughts that go back, who speaks first and after
//! results, forms of answers beside tools; and requests that could be read in two ways.

use bytes::Bytes;
use pointsman::routing::Check;
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Accent, Ask, Form, Known, Sending, framed};
use serde_json::{Value, json};

use super::{answered, ask, refused, relayed, sent};

fn gemini(body: &Value) -> Ask {
    Ask::read_for(Gemini, Bytes::from(body.to_string()), Some("m")).unwrap()
}

fn written(asked: &Ask, to: Dialect, model: &str, sending: &Sending<'_>) -> (Value, Vec<String>) {
    let sent = asked.body_for(to, model, sending).unwrap();
    (serde_json::from_slice(&sent.body).unwrap(), sent.left_out)
}

/// `mcp__server__tool` of Claude Code is easily longer than the 64 characters that OpenAI takes, and Google's names have dots and
/// colons: every request of such a client would be refused.
#[test]
fn a_tool_is_called_by_a_name_that_is_taken_and_the_client_hears_its_own() {
    let long = format!("mcp__{}__look", "s".repeat(80));
    let messages = json!({"model": "m", "max_tokens": 9, "tools": [{"name": long, "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "tool", "name": long}, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": long, "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "y"}]}]});
    let dotted = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}],
        "tools": [{"functionDeclarations": [{"name": "ns.tool:a"}, {"name": "ns_tool_a"}]}]});
    for (asked, own, to) in [
        (ask(AnthropicMessages, &messages), &*long, OpenAiChat),
        (ask(AnthropicMessages, &messages), &*long, Gemini),
        (gemini(&dotted), "ns.tool:a", OpenAiChat),
        (gemini(&dotted), "ns.tool:a", AnthropicMessages),
    ] {
        let (got, _) = written(&asked, to, "m", &Sending::default());
        let name = match to {
            OpenAiChat => &got["tools"][0]["function"]["name"],
            Gemini => &got["tools"][0]["functionDeclarations"][0]["name"],
            _ => &got["tools"][0]["name"],
        };
        let name = name.as_str().unwrap().to_owned();
        assert!(
            name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)),
            "{name}"
        );
        assert_eq!(got.to_string().matches(own).count(), 0, "choice, calls and results go by it, too: {got}");
        let call = match to {
            OpenAiChat => {
                json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0,
                "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}}]}}]})
            }
            Gemini => json!({"candidates": [{"index": 0, "finishReason": "STOP",
                "content": {"role": "model", "parts": [{"functionCall": {"name": name, "args": {}}}]}}]}),
            _ => {
                json!({"id": "m1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
                "content": [{"type": "tool_use", "id": "t2", "name": name, "input": {}}],
                "usage": {"input_tokens": 1, "output_tokens": 1}})
            }
        };
        let (answer, _) = answered(&asked, to, &call);
        assert!(answer.to_string().contains(&format!("\"{own}\"")), "{answer}");
    }
    let mut streamed = messages.clone();
    streamed["stream"] = json!(true);
    let streamed = ask(AnthropicMessages, &streamed);
    let (got, _) = written(&streamed, OpenAiChat, "m", &Sending::default());
    let name = got["tools"][0]["function"]["name"].as_str().unwrap();
    let call =
        json!({"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": "{}"}});
    let stream = super::wholeness::chunks(&[
        json!({"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}),
        json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
    ]) + "data: [DONE]\n\n";
    let (out, ..) = relayed(OpenAiChat, &streamed, stream.as_bytes(), &[]);
    assert!(out.contains(&long) && !out.contains(name), "{out}");
}

/// A ladder would buy the dearer answer for a word beside the call.
#[test]
fn json_that_comes_after_calls_is_not_missed_whole_or_streamed() {
    for stream in [false, true] {
        let asked = ask(
            OpenAiChat,
            &json!({"model": "m", "stream": stream, "messages": [{"role": "user", "content": "x"}],
                "response_format": {"type": "json_object"}, "tools": [{"type": "function", "function": {"name": "f"}}]}),
        );
        let call =
            json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
        let check = if stream {
            let stream = super::wholeness::chunks(&[
                json!({"index": 0, "delta": {"content": "Let me look."}, "finish_reason": null}),
                json!({"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": null}),
                json!({"index": 0, "delta": {}, "finish_reason": "tool_calls"}),
            ]) + "data: [DONE]\n\n";
            relayed(OpenAiChat, &asked, stream.as_bytes(), &[]).2.check()
        } else {
            let message = json!({"role": "assistant", "content": "Let me look.", "tool_calls": [call]});
            let choice = json!({"index": 0, "finish_reason": "tool_calls", "message": message});
            answered(
                &asked,
                OpenAiChat,
                &json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}),
            )
            .1
        };
        assert_eq!(check, Check::Passed, "streamed: {stream}");
    }
}

#[test]
fn thinking_that_is_left_to_the_model_is_asked_for_everywhere() {
    for config in [json!({"thinkingBudget": -1, "includeThoughts": true}), json!({"includeThoughts": true})] {
        let asked = gemini(&json!({"contents": [{"parts": [{"text": "x"}]}],
            "generationConfig": {"maxOutputTokens": 9000, "thinkingConfig": config}}));
        let to = |dialect, model| written(&asked, dialect, model, &Sending::default());
        assert_eq!(to(AnthropicMessages, "claude-sonnet-4-5").0["thinking"]["type"], "enabled");
        assert_eq!(to(AnthropicMessages, "claude-opus-4-6").0["thinking"]["type"], "adaptive");
        assert_eq!(to(OpenAiChat, "gpt-5-mini").0["reasoning_effort"], "medium");
        assert_eq!(to(OpenAiChat, "gpt-4.1").1, ["generationConfig.thinkingConfig"], "who cannot is told of");
    }
}

#[test]
fn a_conversation_of_blanks_is_refused_by_its_name_where_nobody_would_answer_it() {
    let blank = json!({"model": "m", "messages": [{"role": "user", "content": " "}]});
    assert!(refused(OpenAiChat, &blank, AnthropicMessages).contains("is empty"));
    let empty = json!({"model": "m", "messages": [{"role": "user", "content": ""}]});
    assert!(refused(OpenAiChat, &empty, Gemini).contains("is empty"));
    let before = json!({"model": "m", "messages": [{"role": "user", "content": "x"}, {"role": "user", "content": ""}]});
    assert_eq!(
        sent(OpenAiChat, &before, AnthropicMessages, "claude-opus-4-6")["messages"].as_array().unwrap().len(),
        1
    );
}

/// One reader takes the first, another the last: what is held would be for another request than what is billed.
#[test]
fn a_name_that_stands_there_twice_is_refused_wherever_it_counts() {
    for (dialect, body) in [
        (OpenAiChat, r#"{"model":"m","messages":[],"prediction":{},"prediction":{}}"#),
        (OpenAiChat, r#"{"model":"m","messages":[],"web_search_options":{},"web_search_options":null}"#),
        (AnthropicMessages, r#"{"model":"m","messages":[],"mcp_servers":[{}],"mcp_servers":null}"#),
        (
            AnthropicMessages,
            r#"{"model":"m","messages":[],"tools":[{"type":"custom","type":"web_fetch_20250910","name":"f"}]}"#,
        ),
        (OpenAiResponses, r#"{"model":"m","input":"x","tools":[{"type":"function","type":"mcp"}]}"#),
        (Gemini, r#"{"contents":[],"cachedContent":"a","cached_content":null}"#),
    ] {
        let why = Ask::read_for(dialect, Bytes::from(body), Some("m")).unwrap_err().to_string();
        assert!(why.contains("given twice"), "{body}: {why}");
    }
}

/// What a hard limit holds for: the whole context, where part of the prompt lies with the provider, however that is written.
#[test]
fn what_lies_with_the_provider_is_seen_in_every_form_that_it_takes() {
    let of = |item: Value| json!({"model": "m", "input": [item, {"role": "user", "content": "x"}]});
    for (item, is_elsewhere) in [
        (json!({"type": "item_reference", "id": "msg_A"}), true),
        (json!({"id": "msg_A"}), true),
        (json!({"type": null, "id": "msg_A"}), true),
        (json!({"type": "reasoning", "id": "rs_1", "summary": []}), true),
        (json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "abc"}), false),
        (json!({"type": "file_search_call", "id": "fs_1", "queries": ["x"]}), true),
        (json!({"type": "message", "id": "msg_1", "role": "assistant", "content": []}), false),
        (json!({"role": "user", "content": "x"}), false),
    ] {
        let measures = ask(OpenAiResponses, &of(item.clone())).measures();
        assert_eq!(measures.is_elsewhere, is_elsewhere, "{item}");
    }
    for (kind, is_elsewhere) in [("container_auto", true), ("local", false)] {
        let body =
            json!({"model": "m", "input": "x", "tools": [{"type": "shell", "environment": {"type": kind}}]});
        assert_eq!(ask(OpenAiResponses, &body).measures().is_elsewhere, is_elsewhere, "{kind}");
    }
    let said = json!({"model": "m", "messages": [{"role": "assistant", "audio": {"id": "audio_1"}}, {"role": "user", "content": "x"}]});
    assert!(ask(OpenAiChat, &said).measures().is_elsewhere);
    let file = json!({"fileData": {"fileUri": "https://x/files/1", "mimeType": "application/pdf"}});
    let body = json!({"contents": {"parts": file}});
    assert!(gemini(&body).measures().is_elsewhere, "Google takes one in the place of a list");
    assert!(
        gemini(&json!({"contents": {"parts": {"text": "x"}}, "tools": {"urlContext": {}}}))
            .measures()
            .is_elsewhere
    );
}

#[test]
fn googles_lists_of_one_are_read_as_google_reads_them() {
    let one = json!({"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}});
    for tools in [json!({"functionDeclarations": [one]}), json!([{"function_declarations": one}])] {
        let asked = gemini(&json!({"contents": {"parts": {"text": "x"}}, "tools": tools}));
        assert_eq!(asked.measures().tools, 1);
        let (got, _) = written(&asked, AnthropicMessages, "claude-opus-4-6", &Sending::default());
        assert_eq!(got["tools"][0]["name"], "f", "{got}");
        assert_eq!(got["tools"][0]["input_schema"]["properties"]["a"]["type"], "string", "{got}");
    }
}

/// Pydantic's unions, trees and maps: refused by Anthropic, or closed so that nothing could be answered.
#[test]
fn schemas_that_anthropic_cannot_hold_to_are_asked_for_in_words() {
    let to = |schema: &Value| {
        let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
        let body =
            json!({"model": "m", "messages": [{"role": "user", "content": "x"}], "response_format": format});
        sent(OpenAiChat, &body, AnthropicMessages, "claude-opus-4-6")
    };
    let object = |properties: Value| json!({"type": "object", "properties": properties});
    let node = object(
        json!({"v": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}}),
    );
    for schema in [
        json!({"$ref": "#/$defs/N", "$defs": {"N": node}}),
        object(json!({"m": {"type": "object", "additionalProperties": {"type": "integer"}}})),
        object(json!({"m": {"type": "object"}})),
        object(
            json!({"m": {"type": "object", "properties": {"a": {}}, "patternProperties": {"^x": {"type": "string"}}}}),
        ),
        object(json!({"e": {"enum": [{"x": 1}, null]}})),
        object(json!({"r": {"$ref": "https://elsewhere/schema"}})),
    ] {
        let got = to(&schema);
        assert!(got.get("output_config").is_none(), "{schema}: {got}");
        assert!(got["system"].to_string().contains("fits this JSON schema"), "{got}");
    }
    let held = to(
        &json!({"type": "object", "properties": {"a": {"oneOf": [{"$ref": "#/$defs/A"}, {"type": "null"}]},
        "b": {"not": {"type": "null"}, "type": "string"}}, "$defs": {"A": object(json!({"c": {"const": "a"}}))}}),
    );
    let schema = &held["output_config"]["format"]["schema"];
    assert_eq!(schema["properties"]["a"]["anyOf"][0]["$ref"], "#/$defs/A", "{held}");
    assert!(
        schema["properties"]["a"].get("oneOf").is_none() && schema["properties"]["b"].get("not").is_none()
    );
    let many: serde_json::Map<String, Value> = (0..5000)
        .map(|n| (format!("D{n}"), object(json!({"d": {"$ref": format!("#/$defs/D{}", n + 1)}}))))
        .collect();
    assert!(
        to(&json!({"$ref": "#/$defs/D0", "$defs": many})).get("output_config").is_none(),
        "no chain is too long to be read"
    );
}

/// 400 "Unexpected role 'user' after role 'tool'": every second turn of Claude Code on a model of Mistral's.
#[test]
fn nobody_speaks_right_after_a_tool_to_mistral() {
    let mistral = Sending { accent: Accent::Mistral, ..Sending::default() };
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c1", "content": "y"},
        {"role": "system", "content": "be brief"}]});
    let result = json!({"type": "tool_result", "tool_use_id": "c1", "content": "y"});
    let messages = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
        {"role": "user", "content": [result, {"type": "text", "text": "<system-reminder>z</system-reminder>"}]}]});
    for (from, body) in [(OpenAiChat, chat), (AnthropicMessages, messages)] {
        let (got, _) = written(&ask(from, &body), OpenAiChat, "mistral-large-latest", &mistral);
        let roles: Vec<&str> =
            got["messages"].as_array().unwrap().iter().map(|one| one["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "assistant", "user"], "{got}");
    }
}

#[test]
fn the_user_has_the_first_word_where_the_assistant_may_not() {
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    for first in [
        json!({"role": "assistant", "content": "Hello!"}),
        json!({"role": "assistant", "tool_calls": [call]}),
    ] {
        let then = if first.get("content").is_some() {
            json!({"role": "user", "content": "x"})
        } else {
            json!({"role": "tool", "tool_call_id": "c1", "content": "y"})
        };
        let body = json!({"model": "m", "messages": [{"role": "system", "content": "s"}, first, then]});
        let claude = sent(OpenAiChat, &body, AnthropicMessages, "claude-opus-4-6");
        assert_eq!(claude["messages"][0]["role"], "user", "{claude}");
        assert_eq!(sent(OpenAiChat, &body, Gemini, "gemini-2.5-flash")["contents"][0]["role"], "user");
        assert_eq!(sent(OpenAiChat, &body, OpenAiChat, "gpt-4.1")["messages"][1]["role"], "assistant");
    }
    let own = json!({"max_tokens": 9, "messages": [{"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "x"}]});
    let got = framed(Form::Converse, Bytes::from(own.to_string()), "meta.llama3", &[]).unwrap().0;
    assert_eq!(serde_json::from_slice::<Value>(&got).unwrap()["messages"][0]["role"], "user");
}

/// `DeepSeek` and Kimi refuse a call of theirs without the thought before it: 400 at the second turn of every tool loop.
#[test]
fn thoughts_go_back_to_the_models_that_want_them_and_to_no_other() {
    let thought = json!({"id": "c", "object": "chat.completion", "model": "m", "choices": [{"index": 0, "finish_reason": "tool_calls",
        "message": {"role": "assistant", "content": null, "reasoning_content": "let me see", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}]});
    let known = Known { wants_thoughts: true, ..Known::default() };
    let wanting = Sending { known: &known, ..Sending::default() };
    let asked = ask(
        AnthropicMessages,
        &json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}),
    );
    let (told, _) = answered(&asked, OpenAiChat, &thought);
    let result = json!({"type": "tool_result", "tool_use_id": "c1", "content": "y"});
    let messages = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": told["content"]}, {"role": "user", "content": [result]}]});
    let asked = ask(OpenAiResponses, &json!({"model": "m", "input": "x"}));
    let (told, _) = answered(&asked, OpenAiChat, &thought);
    let mut input = vec![json!({"role": "user", "content": "x"})];
    input.extend(told["output"].as_array().unwrap().iter().cloned());
    input.push(json!({"type": "function_call_output", "call_id": "c1", "output": "y"}));
    for (from, body) in
        [(AnthropicMessages, messages.clone()), (OpenAiResponses, json!({"model": "m", "input": input}))]
    {
        let (got, left_out) = written(&ask(from, &body), OpenAiChat, "kimi-k2-thinking", &wanting);
        assert_eq!(got["messages"][1]["reasoning_content"], "let me see", "{got}");
        assert!(left_out.is_empty(), "{left_out:?}");
        let (got, left_out) = written(&ask(from, &body), OpenAiChat, "gpt-4.1", &Sending::default());
        assert!(got["messages"][1].get("reasoning_content").is_none() && left_out.len() == 1, "{got}");
    }
    let mut without = messages;
    without["messages"][1]["content"].as_array_mut().unwrap().retain(|part| part["type"] == "tool_use");
    let (got, _) = written(&ask(AnthropicMessages, &without), OpenAiChat, "kimi-k2-thinking", &wanting);
    assert_eq!(got["messages"][1]["reasoning_content"], "", "an empty one is taken where nothing is known");
}

/// 400 "Function calling with a response mime type: 'application/json' is unsupported": every agent with a typed answer.
#[test]
fn older_geminis_are_asked_for_json_beside_tools_in_words() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}});
    let older = sent(OpenAiChat, &body, Gemini, "gemini-2.5-flash");
    assert!(older["generationConfig"].get("responseMimeType").is_none(), "{older}");
    assert!(older["systemInstruction"].to_string().contains("JSON schema"), "{older}");
    let newer = sent(OpenAiChat, &body, Gemini, "gemini-3-pro");
    assert_eq!(newer["generationConfig"]["responseMimeType"], "application/json");
}

/// A mark is bookkeeping: no request fails for it.
#[test]
fn marks_for_caches_reach_the_models_of_converse_that_take_them() {
    let mark = json!({"type": "ephemeral"});
    let body = json!({"max_tokens": 9, "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
        "system": [{"type": "text", "text": "s", "cache_control": mark}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": mark}]}]});
    for (model, points) in
        [("eu.anthropic.claude-sonnet-4-5", 3), ("eu.amazon.nova-pro-v1:0", 2), ("meta.llama3-70b", 0)]
    {
        let got = framed(Form::Converse, Bytes::from(body.to_string()), model, &[]).unwrap().0;
        let got: Value = serde_json::from_slice(&got).unwrap();
        assert_eq!(got.to_string().matches("cachePoint").count(), points, "{model}: {got}");
    }
}

#[test]
fn what_the_system_says_between_a_call_and_its_result_waits_for_the_result() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "y"}]}]});
    let got = sent(AnthropicMessages, &body, AnthropicMessages, "claude-opus-4-6");
    assert_eq!(got["messages"][2]["content"][0]["type"], "tool_result", "{got}");
    assert!(got["messages"][3]["content"].to_string().contains("be brief"), "{got}");
}

#[test]
fn gemini_gets_no_more_stop_sequences_than_it_takes() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
        "stop_sequences": ["a", "b", "c", "d", "e", "f"]});
    let (got, left_out) =
        written(&ask(AnthropicMessages, &body), Gemini, "gemini-2.5-flash", &Sending::default());
    assert_eq!(got["generationConfig"]["stopSequences"].as_array().unwrap().len(), 5);
    assert_eq!(left_out, ["stop_sequences (more than 5)"]);
}

/// `SGLang`, Kimi and llama.cpp count calls anew in each answer: results would go to the wrong function, or be refused.
#[test]
fn results_belong_to_the_nearest_call_of_their_id() {
    let call = |name: &str| {
        json!({"role": "assistant", "content": null, "tool_calls": [
        {"id": "call_0", "type": "function", "function": {"name": name, "arguments": "{}"}}]})
    };
    let result = |text: &str| json!({"role": "tool", "tool_call_id": "call_0", "content": text});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}, call("weather"), result("-5"),
        call("send_mail"), result("sent")]});
    let gemini = sent(OpenAiChat, &body, Gemini, "gemini-2.5-flash");
    for (at, name, said) in [(2, "weather", "-5"), (4, "send_mail", "sent")] {
        let response = &gemini["contents"][at]["parts"][0]["functionResponse"];
        assert_eq!(
            (&response["name"], &response["response"]["output"]),
            (&json!(name), &json!(said)),
            "{gemini}"
        );
    }
    let claude = sent(OpenAiChat, &body, AnthropicMessages, "claude-opus-4-6");
    let id = |at: usize, member: &str| claude["messages"][at]["content"][0][member].clone();
    assert_ne!(id(1, "id"), id(3, "id"), "ids have to be unique: {claude}");
    assert_eq!((id(1, "id"), id(3, "id")), (id(2, "tool_use_id"), id(4, "tool_use_id")), "{claude}");
}

/// Servers of Qwen, Llama and others answer 400 to each of these, and `DeepSeek` writes on over a limit under the newer name.
#[test]
fn chat_in_its_older_form_is_what_servers_of_other_makers_get() {
    let known = Known { older_chat: true, ..Known::default() };
    let older = Sending { known: &known, ..Sending::default() };
    let call = json!({"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"model": "m", "max_completion_tokens": 9, "messages": [
        {"role": "system", "content": "a"}, {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "reasoning_content": "hm", "tool_calls": [call]},
        {"role": "system", "content": "c"}, {"role": "tool", "tool_call_id": "c1", "content": "y"}]});
    let (got, left_out) = written(&ask(OpenAiChat, &body), OpenAiChat, "m", &older);
    let said: Vec<(&str, &Value)> = got["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["role"].as_str().unwrap(), &one["content"]))
        .collect();
    let reminder = json!("<system-reminder>\nc\n</system-reminder>");
    assert_eq!(
        said,
        [
            ("system", &json!("a\n\nb")),
            ("user", &json!("x")),
            ("assistant", &Value::Null),
            ("tool", &json!("y")),
            ("user", &reminder)
        ]
    );
    assert_eq!((&got["max_tokens"], got.get("max_completion_tokens")), (&json!(9), None));
    assert_eq!(
        (&got["messages"][2]["reasoning_content"], left_out.len()),
        (&json!("hm"), 0),
        "the makers of MiniMax, GLM and gpt-oss want them back"
    );
    let refusing = Known { refuses_thoughts: true, ..known.clone() };
    let (got, left_out) = written(
        &ask(OpenAiChat, &body),
        OpenAiChat,
        "m",
        &Sending { known: &refusing, ..Sending::default() },
    );
    assert!(got["messages"][2].get("reasoning_content").is_none());
    assert_eq!(left_out, ["messages.reasoning_content"]);
    let wanting = Known { wants_thoughts: true, ..known.clone() };
    let (got, _) =
        written(&ask(OpenAiChat, &body), OpenAiChat, "m", &Sending { known: &wanting, ..Sending::default() });
    assert_eq!(got["messages"][2]["reasoning_content"], "hm");
    let messages = json!({"model": "m", "max_tokens": 9, "system": "s", "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": "y"}, {"role": "system", "content": "c"}, {"role": "user", "content": "z"}]});
    let (got, _) = written(&ask(AnthropicMessages, &messages), OpenAiChat, "m", &older);
    let systems = got["messages"].as_array().unwrap().iter().filter(|one| one["role"] == "system").count();
    assert_eq!(systems, 1, "{got}");
    let plain = json!({"model": "m", "messages": [{"role": "system", "content": "a"}, {"role": "user", "content": "x"}]});
    assert_eq!(
        written(&ask(OpenAiChat, &plain), OpenAiChat, "m", &older).0,
        plain,
        "what is as it should be stays"
    );
}

/// Anthropic answers an address or a number with 400, and asks not to be told who somebody is.
#[test]
fn anthropic_is_not_told_who_a_user_is() {
    for (user, is_kept) in [("u-1", true), ("me@corp.example", false), ("0170-1234567", false)] {
        let body = json!({"model": "m", "user": user, "messages": [{"role": "user", "content": "x"}]});
        let got =
            sent(OpenAiChat, &body, AnthropicMessages, "claude-opus-4-6")["metadata"]["user_id"].clone();
        let told = got.as_str().unwrap();
        assert_eq!(told == user, is_kept, "{told}");
        assert!(is_kept || (told.len() == 64 && told.bytes().all(|byte| byte.is_ascii_hexdigit())), "{told}");
    }
}

/// Optional members are what pydantic and zod write: 400 where `strict` stands beside them.
#[test]
fn openai_is_held_to_schemas_that_it_takes_as_strict() {
    let strict = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let optional = json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    for (schema, is_strict) in [(strict, true), (optional, false)] {
        let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}],
            "tools": [{"name": "f", "strict": true, "input_schema": schema}],
            "output_config": {"format": {"type": "json_schema", "schema": schema}}});
        let got = sent(AnthropicMessages, &body, OpenAiChat, "gpt-4.1");
        let told = |value: &Value| value.get("strict") == Some(&json!(true));
        assert_eq!(told(&got["tools"][0]["function"]), is_strict, "{got}");
        assert_eq!(told(&got["response_format"]["json_schema"]), is_strict, "{got}");
    }
    let list = gemini(&json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {
        "responseMimeType": "application/json", "responseSchema": {"type": "ARRAY", "items": {"type": "STRING"}}}}));
    let (got, _) = written(&list, OpenAiChat, "gpt-4.1", &Sending::default());
    assert!(got.get("response_format").is_none(), "{got}");
    assert!(got["messages"][0]["content"].as_str().unwrap().contains("JSON schema"), "{got}");
}
