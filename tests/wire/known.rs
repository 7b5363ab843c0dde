//! What models are known to refuse, as the rules that come with the program have it, on the way to every kind of provider.

use std::time::Instant;

use bytes::Bytes;
use pointsman::config::providers::{KeySource, parse};
use pointsman::providers::{FoundKey, KeyError, Providers, Target};
use pointsman::wire::Dialect::{AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Ask, Dialect, Known, Sending, Sent};
use serde_json::{Value, json};

use super::ask;

fn target(model: &str) -> Target {
    let keys =
        |source: &KeySource| -> Result<FoundKey, KeyError> { Err(KeyError::Unset(source.to_string())) };
    Providers::build(&parse(&[]).unwrap(), &keys, Instant::now()).unwrap().target(model).unwrap()
}

fn put(from: Dialect, body: &Value, to: Dialect, model: &str) -> (Value, Vec<String>) {
    let target = target(model);
    let sending = Sending { known: target.known(), ..Sending::default() };
    let Sent { body, left_out, .. } = ask(from, body).body_for(to, model, &sending).unwrap();
    (serde_json::from_slice(&body).unwrap(), left_out)
}

/// Reads a request whose model stands nowhere in it, as Gemini's.
fn named(from: Dialect, body: &Value) -> Ask {
    let mut body = body.clone();
    if from != Gemini {
        body["model"] = json!("m");
    }
    Ask::read_for(from, Bytes::from(body.to_string()), Some("m")).unwrap()
}

fn chat(members: &Value) -> Value {
    let mut body = json!({"model":"auto","messages":[{"role":"user","content":"x"}]});
    for (key, value) in members.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[test]
fn sampling_is_left_out_where_a_model_refuses_it() {
    let both = chat(&json!({"temperature":0.2,"top_p":0.9}));
    let cases = [
        ("claude-opus-4-5", AnthropicMessages, &["top_p"][..]),
        ("claude-opus-4-7", AnthropicMessages, &["temperature", "top_p"]),
        ("claude-sonnet-5", AnthropicMessages, &["temperature", "top_p"]),
        ("claude-opus-4-20250514", AnthropicMessages, &[]),
        ("gemini-2.5-flash", Gemini, &[]),
        ("gpt-5", OpenAiChat, &["temperature", "top_p"]),
        ("o3", OpenAiChat, &["temperature", "top_p"]),
        ("gpt-4.1", OpenAiChat, &[]),
    ];
    for (model, to, want) in cases {
        let (body, left_out) = put(OpenAiChat, &both, to, model);
        assert_eq!(left_out, want, "{model}");
        for name in want {
            assert_eq!(body.get(*name), None, "{model}");
        }
    }
    // Anthropic's way to say how much to think, which chat servers other than OpenAI's take as well.
    let thinking = chat(&json!({"thinking":{"type":"enabled","budget_tokens":2000}}));
    for (model, want) in [("gpt-5", &["thinking"][..]), ("mistral-large-latest", &[])] {
        let (body, left_out) = put(OpenAiChat, &thinking, OpenAiChat, model);
        assert_eq!(left_out, want, "{model}");
        assert_eq!(body.get("thinking").is_none(), !want.is_empty(), "{model}");
    }
    // The same from another dialect, by the client's own names.
    let messages = json!({"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"x"}],"temperature":0.5,"top_k":3,"stop_sequences":["x"]});
    let (body, left_out) = put(AnthropicMessages, &messages, OpenAiChat, "o3");
    assert_eq!(left_out, ["top_k", "temperature", "stop_sequences"]);
    assert_eq!(
        (body.get("temperature"), body.get("stop"), &body["max_completion_tokens"]),
        (None, None, &json!(9))
    );
    let penalties = chat(&json!({"presence_penalty":0.5}));
    assert_eq!(put(OpenAiChat, &penalties, Gemini, "gemini-2.5-flash").1, ["presence_penalty"]);
}

#[test]
fn effort_decides_where_a_model_samples_only_without_thinking() {
    let with = |effort: &str| chat(&json!({"temperature":0.2,"reasoning_effort":effort}));
    for (model, effort, is_left_out) in [
        ("gpt-5.2", "none", false),
        ("gpt-5.2", "high", true),
        ("gpt-5.6-sol", "none", false),
        ("gpt-5.6-sol", "low", true),
    ] {
        let (_, left_out) = put(OpenAiChat, &with(effort), OpenAiChat, model);
        assert_eq!(left_out.contains(&"temperature".to_owned()), is_left_out, "{model} {effort}");
    }
    let responses = json!({"model":"m","input":"x","temperature":0.2,"reasoning":{"effort":"none"}});
    assert_eq!(put(OpenAiResponses, &responses, OpenAiResponses, "gpt-5.6-sol").1, [""; 0]);
}

/// Left out, thinking at full price is what an agent gets that turned it off.
#[test]
fn efforts_of_other_dialects_reach_models_of_other_makers_that_take_them() {
    let provider = |name: &str, host: &str, models: &str| {
        format!(
            "[[provider]]\nname = \"{name}\"\ndialect = \"openai\"\nbase_url = \"https://{host}\"\nmodels = [{models}]\n"
        )
    };
    let text = provider("own", "127.0.0.1:9/v1", "\"gpt-oss-*\", \"grok-*\", \"own-*\"")
        + &provider("hosted", "127.0.0.1:9/v1", "\"hosted/*\"")
        + &provider("ds", "api.deepseek.com", "\"deepseek-*\"")
        + &provider("glm", "api.z.ai/api/paas/v4", "\"glm-*\"")
        + &provider("moonshot", "127.0.0.1:9/v1", "\"kimi-*\"");
    let keys =
        |source: &KeySource| -> Result<FoundKey, KeyError> { Err(KeyError::Unset(source.to_string())) };
    let providers = Providers::build(&parse(&[("p", &text)]).unwrap(), &keys, Instant::now()).unwrap();
    let off =
        json!({"max_tokens":9000,"messages":[{"role":"user","content":"x"}],"thinking":{"type":"disabled"}});
    let effort = |word: &str| json!({"input":"x","reasoning":{"effort":word}});
    let budget = json!({"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":1024}}});
    for (model, from, asked, word, thinking) in [
        ("gpt-oss-120b", OpenAiResponses, effort("low"), "low", ""),
        ("gpt-oss-120b", OpenAiResponses, effort("xhigh"), "high", ""),
        ("gpt-oss-120b", AnthropicMessages, off.clone(), "low", ""),
        ("gpt-oss-120b", Gemini, budget, "low", ""),
        ("grok-3-mini", OpenAiResponses, effort("medium"), "low", ""),
        ("grok-4.3", AnthropicMessages, off.clone(), "none", ""),
        ("deepseek-v4-flash", AnthropicMessages, off.clone(), "", "disabled"),
        ("deepseek-v4-flash", OpenAiResponses, effort("low"), "low", "enabled"),
        ("glm-4.6", AnthropicMessages, off.clone(), "", "disabled"),
        ("glm-4.6", OpenAiResponses, effort("high"), "", "enabled"),
        // Of these, or of these there, nothing is known; or only one temperature would do.
        ("kimi-k2.5", AnthropicMessages, off.clone(), "", ""),
        ("own-model", OpenAiResponses, effort("low"), "", ""),
        ("hosted/glm-4.6", AnthropicMessages, off, "", ""),
    ] {
        let target = providers.target(model).unwrap();
        let sending = Sending { known: target.known(), ..Sending::default() };
        let sent = named(from, &asked).body_for(OpenAiChat, model, &sending).unwrap();
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        let found = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let found = (found(&body["reasoning_effort"]), found(&body["thinking"]["type"]));
        assert_eq!(found, (word.to_owned(), thinking.to_owned()), "{model} {asked}");
    }
    // A client's own form as well, which the model would refuse.
    let none = json!({"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}});
    for (model, want) in [("gemini-2.5-pro", 128), ("gemini-2.5-flash", 0)] {
        let target = target(model);
        let sending = Sending { known: target.known(), ..Sending::default() };
        let sent = named(Gemini, &none).body_for(Gemini, model, &sending).unwrap();
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(body["generationConfig"]["thinkingConfig"]["thinkingBudget"], want, "{model}");
    }
}

#[test]
fn what_excludes_each_other_is_mended_and_told() {
    let tools =
        chat(&json!({"tools":[{"type":"function","function":{"name":"f"}}],"reasoning_effort":"high"}));
    let (body, left_out) = put(OpenAiChat, &tools, OpenAiChat, "gpt-5.6-sol");
    assert_eq!((&body["reasoning_effort"], left_out), (&json!("none"), vec!["reasoning_effort".to_owned()]));
    let agent = json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],
        "tools":[{"name":"f","input_schema":{"type":"object"}}]});
    let (body, left_out) = put(AnthropicMessages, &agent, OpenAiChat, "gpt-5.6-sol");
    assert_eq!(
        (&body["reasoning_effort"], left_out),
        (&json!("none"), vec![]),
        "it thinks where nothing is said"
    );
    let thinking = json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"thinking":{"type":"enabled","budget_tokens":2048}});
    let (body, left_out) = put(AnthropicMessages, &thinking, AnthropicMessages, "claude-opus-4-8");
    assert_eq!((&body["thinking"], left_out), (&json!({"type":"adaptive"}), vec!["thinking".to_owned()]));
    assert_eq!(put(AnthropicMessages, &thinking, AnthropicMessages, "claude-opus-4-5").1, [""; 0]);
}

#[test]
fn all_other_bytes_stay_as_they_came() {
    let cases = [
        (
            r#"{"temperature": 0.5 ,"model":"o3","messages":[] , "x":1.50}"#,
            r#"{"model":"o3","messages":[] , "x":1.50}"#,
        ),
        (
            r#"{ "model":"o3", "temperature":0.5,"top_p":0.1 ,"messages":[]}"#,
            r#"{ "model":"o3" ,"messages":[]}"#,
        ),
        (r#"{"temperature":0.5,"top_p":0.1,"model":"o3","messages":[]}"#, r#"{"model":"o3","messages":[]}"#),
        (r#"{"model":"o3","messages":[],"temperature":0.5}"#, r#"{"model":"o3","messages":[]}"#),
        (
            r#"{"model":"o3","messages":[],"temperature":1,"seed":3}"#,
            r#"{"model":"o3","messages":[],"temperature":1,"seed":3}"#,
        ),
        (
            r#"{"max_tokens":5,"model":"o3","messages":[]}"#,
            r#"{"max_completion_tokens":5,"model":"o3","messages":[]}"#,
        ),
        (
            r#"{"max_tokens":5,"model":"o3","messages":[],"max_completion_tokens":7}"#,
            r#"{"model":"o3","messages":[],"max_completion_tokens":7}"#,
        ),
        (
            r#"{"model":"o3","max_completion_tokens":null,"max_tokens":5,"messages":[]}"#,
            r#"{"model":"o3","max_completion_tokens":5,"messages":[]}"#,
        ),
        (
            r#"{"model":"o3","stream":true,"messages":[],"top_p":0.5}"#,
            r#"{"model":"o3","stream":true,"messages":[],"stream_options":{"include_usage":true}}"#,
        ),
    ];
    let target = target("o3");
    for (body, want) in cases {
        let sending = Sending { known: target.known(), ..Sending::default() };
        let ask = Ask::read(OpenAiChat, Bytes::copy_from_slice(body.as_bytes())).unwrap();
        let sent = ask.body_for(OpenAiChat, "o3", &sending).unwrap();
        assert_eq!(std::str::from_utf8(&sent.body).unwrap(), want);
        assert!(serde_json::from_slice::<Value>(&sent.body).is_ok());
    }
}

/// Which models serve is for policy to say, and what they cost for budgets to hold.
#[test]
fn no_client_of_gemini_chooses_another_model_within_its_request() {
    let body = json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"topK": 4,
        "routing_config": {"manual_mode": {"model_name": "gemini-2.5-pro"}}, "routingConfig": {"autoMode": {}},
        "modelSelectionConfig": {}, "seed": 7}});
    let target = target("gemini-2.5-flash");
    let sending = Sending { known: target.known(), ..Sending::default() };
    let sent = named(Gemini, &body).body_for(Gemini, "gemini-2.5-flash", &sending).unwrap();
    let body: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["generationConfig"], json!({"topK": 4, "seed": 7}));
    assert_eq!(sent.left_out, ["generationConfig.routingConfig", "generationConfig.modelSelectionConfig"]);
}

#[test]
fn no_gemini_is_told_to_think_in_a_way_that_it_refuses() {
    let path = "generationConfig.thinkingConfig";
    for (model, said, want) in [
        ("gemini-2.5-flash", json!({"thinkingLevel": "low"}), json!({})),
        ("gemini-2.5-flash", json!({"thinkingBudget": 30000}), json!({"thinkingBudget": 24576})),
        ("gemini-2.5-flash", json!({"thinkingBudget": -1}), json!({"thinkingBudget": -1})),
        (
            "gemini-2.5-flash",
            json!({"thinkingBudget": 0, "includeThoughts": true}),
            json!({"thinkingBudget": 0}),
        ),
        ("gemini-2.5-pro", json!({"thinkingBudget": 40000}), json!({"thinkingBudget": 32768})),
        ("gemini-2.5-pro", json!({"thinkingBudget": 0}), json!({"thinkingBudget": 128})),
        ("gemini-pro-latest", json!({"thinkingBudget": 0}), json!({"thinkingBudget": 128})),
        ("gemini-3-pro-preview", json!({"thinkingLevel": "minimal"}), json!({"thinkingLevel": "low"})),
        ("gemini-3-flash", json!({"thinkingLevel": "minimal"}), json!({"thinkingLevel": "minimal"})),
        (
            "gemini-3-flash",
            json!({"thinkingLevel": "low", "thinkingBudget": 9}),
            json!({"thinkingLevel": "low"}),
        ),
    ] {
        let body =
            json!({"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"thinkingConfig": said}});
        let target = target(model);
        let sending = Sending { known: target.known(), ..Sending::default() };
        let sent = named(Gemini, &body).body_for(Gemini, model, &sending).unwrap();
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(body["generationConfig"]["thinkingConfig"], want, "{model} {said}");
        assert_eq!(sent.left_out.iter().any(|name| name.starts_with(path)), said != want, "{model} {said}");
    }
    let budget = json!({"model": "m", "max_tokens": 64000, "messages": [{"role": "user", "content": "x"}],
        "thinking": {"type": "enabled", "budget_tokens": 31999}});
    for (model, want) in [("gemini-2.5-flash", 24_576), ("gemini-2.5-pro", 31_999)] {
        let (body, _) = put(AnthropicMessages, &budget, Gemini, model);
        assert_eq!(body["generationConfig"]["thinkingConfig"]["thinkingBudget"], want, "{model}");
    }
}

#[test]
fn a_model_of_one_effort_is_told_no_other() {
    let with = |said: Value| {
        let mut body = json!({"model": "m", "input": "x"});
        body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        put(OpenAiResponses, &body, OpenAiResponses, "gpt-5-pro")
    };
    let (body, left_out) = with(json!({"reasoning": {"effort": "low"}}));
    assert_eq!(
        (&body["reasoning"], left_out),
        (&json!({"effort": "high"}), vec!["reasoning.effort".to_owned()])
    );
    let (body, left_out) = with(json!({}));
    assert_eq!((body.get("reasoning"), left_out), (None, vec![]));
}

/// The page of budgets has clients tag by `metadata` and `labels`: OpenAI, Anthropic and Google refused each such request.
#[test]
fn tags_reach_no_provider_that_refuses_them() {
    let tags = json!({"env": "prod"});
    let chat = |more: Value| {
        let mut body = chat(&json!({"metadata": tags}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        put(OpenAiChat, &body, OpenAiChat, "gpt-4.1")
    };
    let (body, left_out) = chat(json!({}));
    assert_eq!((body.get("metadata"), left_out), (None, vec!["metadata".to_owned()]));
    let (body, left_out) = chat(json!({"store": true}));
    assert_eq!((&body["metadata"], left_out), (&tags, vec![]));
    let said = json!({"model": "m", "input": "x", "metadata": tags});
    let (body, left_out) = put(OpenAiResponses, &said, OpenAiChat, "gpt-4.1");
    assert_eq!((body.get("metadata"), left_out), (None, vec!["metadata".to_owned()]));
    let said = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "metadata": {"env": "prod", "user_id": "u1"}});
    let (body, left_out) = put(AnthropicMessages, &said, AnthropicMessages, "claude-haiku-4-5");
    assert_eq!((&body["metadata"], left_out), (&json!({"user_id": "u1"}), vec!["metadata.env".to_owned()]));
    let target = target("gemini-2.5-flash");
    for (known, want) in [(target.known().clone(), None), (Known::default(), Some(&tags))] {
        let sending = Sending { known: &known, ..Sending::default() };
        let said = json!({"contents": [{"parts": [{"text": "x"}]}], "labels": tags});
        let sent = named(Gemini, &said).body_for(Gemini, "gemini-2.5-flash", &sending).unwrap();
        let body: Value = serde_json::from_slice(&sent.body).unwrap();
        assert_eq!(
            (body.get("labels"), sent.left_out.contains(&"labels".to_owned())),
            (want, want.is_none())
        );
    }
}

#[test]
fn gemma_at_google_gets_what_it_takes() {
    let target = target("gemma-3-27b-it");
    let sending = Sending { known: target.known(), ..Sending::default() };
    let mut body = json!({"model": "m", "messages": [{"role": "system", "content": "Be brief."},
        {"role": "user", "content": "x"}], "response_format": {"type": "json_object"}});
    let sent = ask(OpenAiChat, &body).body_for(Gemini, "gemma-3-27b-it", &sending).unwrap();
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert!(
        sent.get("systemInstruction").is_none() && sent["generationConfig"].get("responseMimeType").is_none()
    );
    let said = sent["contents"][0]["parts"].to_string();
    assert!(said.contains("Be brief.") && said.contains("JSON"), "{sent}");
    body["tools"] = json!([{"type": "function", "function": {"name": "f"}}]);
    let refused = ask(OpenAiChat, &body).body_for(Gemini, "gemma-3-27b-it", &sending).unwrap_err();
    assert!(refused.to_string().starts_with("tools"), "{refused}");
}

#[test]
fn models_that_search_get_no_sampling() {
    let body =
        chat(&json!({"temperature": 0.2, "top_p": 0.9, "presence_penalty": 1, "frequency_penalty": 1}));
    for model in ["gpt-4o-search-preview", "gpt-4o-mini-search-preview-2025-03-11", "gpt-5-search-api"] {
        let (body, left_out) = put(OpenAiChat, &body, OpenAiChat, model);
        assert_eq!(left_out.len(), 4, "{model} {left_out:?}");
        assert!(body.get("temperature").is_none(), "{body}");
    }
}

/// At other ids Kimi falls into writing its calls as text after a few turns.
#[test]
fn kimi_gets_the_ids_by_which_it_knows_its_calls() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "functions_f_0_e8aa760c", "name": "f", "input": {}},
            {"type": "tool_use", "id": "toolu_1", "name": "g", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "functions_f_0_e8aa760c", "content": "r"},
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "s"}]}]});
    for (model, ids) in [
        ("kimi-k2.5", ["functions.f:0", "functions.g:1"]),
        ("gpt-4.1", ["functions_f_0_e8aa760c", "toolu_1"]),
    ] {
        let sent = ask(AnthropicMessages, &body).body_for(OpenAiChat, model, &Sending::default()).unwrap();
        let sent: Value = serde_json::from_slice(&sent.body).unwrap();
        let messages = sent["messages"].as_array().unwrap();
        let calls = messages[1]["tool_calls"].as_array().unwrap();
        assert_eq!([&calls[0]["id"], &calls[1]["id"]], ids, "{model}");
        assert_eq!([&messages[2]["tool_call_id"], &messages[3]["tool_call_id"]], ids, "{model}");
    }
}

#[test]
fn a_call_of_earlier_turns_has_an_object_for_gemini_whatever_it_was_called_with() {
    for input in [json!("abc"), json!([1]), json!(5)] {
        let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": input}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "r"}]}]});
        let (sent, left_out) = put(AnthropicMessages, &body, Gemini, "gemini-2.5-flash");
        assert!(sent["contents"][1]["parts"][0]["functionCall"]["args"].is_object(), "{input} {sent}");
        assert_eq!(left_out.len(), 1, "{input} {left_out:?}");
    }
}
