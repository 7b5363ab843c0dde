//! What a rung of the policy writes into requests, in every dialect, as they came and translated.

use std::time::Instant;

use bytes::Bytes;
use pointsman::config::providers::{KeySource, parse};
use pointsman::providers::{FoundKey, KeyError, Providers, Target};
use pointsman::routing::{Effort, Parameters};
use pointsman::wire::Dialect::{
    self, AnthropicMessages, Gemini, OpenAiChat, OpenAiCompletions, OpenAiResponses,
};
use pointsman::wire::{Accent, Ask, Known, Sending, Sent};
use serde_json::{Value, json};

fn sent(from: Dialect, body: &str, to: Dialect, model: &str, with: &Parameters) -> Sent {
    let keys =
        |source: &KeySource| -> Result<FoundKey, KeyError> { Err(KeyError::Unset(source.to_string())) };
    let providers = Providers::build(&parse(&[]).unwrap(), &keys, Instant::now()).unwrap();
    let (target, nothing) = (providers.target(model), Known::default());
    let accent = if model.starts_with("mistral") { Accent::Mistral } else { Accent::OpenAi };
    let sending = Sending {
        known: target.as_ref().map_or(&nothing, Target::known),
        accent,
        with,
        ..Sending::default()
    };
    let ask = Ask::read_for(from, Bytes::copy_from_slice(body.as_bytes()), Some("m")).unwrap();
    ask.body_for(to, model, &sending).unwrap_or_else(|error| panic!("{from} to {to}: {error}"))
}

fn read(sent: &Sent) -> Value {
    serde_json::from_slice(&sent.body).unwrap_or_else(|error| panic!("{error}: {:?}", sent.body))
}

fn effort(effort: Effort) -> Parameters {
    Parameters { effort: Some(effort), ..Parameters::NONE }
}

/// Everything at once.
fn all() -> Parameters {
    Parameters {
        effort: Some(Effort::Low),
        service_tier: Some("flex".into()),
        max_output: Some(4000),
        temperature: Some(200),
        logprobs: false,
    }
}

#[test]
fn a_request_of_the_providers_own_dialect_is_changed_where_the_rung_says_so_and_nowhere_else() {
    let cases: &[(Dialect, &str, &str, &str, &[&str])] = &[
        (
            OpenAiChat,
            "gpt-5.2",
            r#"{"model":"gpt-5.2", "messages":[{"role":"user","content":"x"}] ,"reasoning_effort" : "high","seed":1, "service_tier":"priority"}"#,
            r#"{"model":"gpt-5.2", "messages":[{"role":"user","content":"x"}] ,"reasoning_effort" : "low","seed":1, "service_tier":"flex","max_completion_tokens":4000}"#,
            &["temperature"],
        ),
        (
            OpenAiChat,
            "gpt-4.1",
            r#"{"model":"gpt-4.1","temperature":1,"messages":[],"max_tokens":9000}"#,
            r#"{"model":"gpt-4.1","temperature":0.2,"messages":[],"max_tokens":4000,"service_tier":"flex"}"#,
            &["reasoning_effort"],
        ),
        (
            OpenAiChat,
            "grok-4",
            r#"{"model":"grok-4","messages":[],"reasoning":{"effort":"high","exclude":true},"max_tokens":5}"#,
            r#"{"model":"grok-4","messages":[],"reasoning":{"exclude":true},"max_tokens":5,"reasoning_effort":"low","service_tier":"flex","temperature":0.2}"#,
            &[],
        ),
        (
            OpenAiResponses,
            "gpt-5",
            r#"{"model":"gpt-5","input":"x","reasoning":{"summary":"auto","effort":"high"},"max_output_tokens":null}"#,
            r#"{"model":"gpt-5","input":"x","reasoning":{"summary":"auto","effort":"low"},"max_output_tokens":4000,"service_tier":"flex"}"#,
            &["temperature"],
        ),
        (
            OpenAiResponses,
            "gpt-5.2",
            r#"{"model":"gpt-5.2","input":"x"}"#,
            r#"{"model":"gpt-5.2","input":"x","reasoning":{"effort":"low"},"service_tier":"flex","max_output_tokens":4000}"#,
            &["temperature"],
        ),
        (
            OpenAiCompletions,
            "gpt-3.5-turbo-instruct",
            r#"{"model":"gpt-3.5-turbo-instruct","prompt":"x"}"#,
            r#"{"model":"gpt-3.5-turbo-instruct","prompt":"x","temperature":0.2}"#,
            &["reasoning_effort", "service_tier"],
        ),
        (
            AnthropicMessages,
            "claude-opus-4-6",
            r#"{"model":"claude-opus-4-6","max_tokens":9000,"messages":[{"role":"user","content":"x"}],"output_config":{"effort":"max","format":{"a":1}}}"#,
            r#"{"model":"claude-opus-4-6","max_tokens":4000,"messages":[{"role":"user","content":"x"}],"output_config":{"format":{"a":1},"effort":"low"},"temperature":0.2}"#,
            &["service_tier"],
        ),
        (
            AnthropicMessages,
            "claude-sonnet-4-5",
            r#"{"model":"claude-sonnet-4-5","max_tokens":9000,"messages":[],"thinking":{"type":"enabled","budget_tokens":8000}}"#,
            r#"{"model":"claude-sonnet-4-5","max_tokens":4000,"messages":[],"thinking":{"type":"enabled","budget_tokens":1024}}"#,
            &["service_tier", "temperature"],
        ),
        (
            AnthropicMessages,
            "claude-3-haiku-20240307",
            r#"{"model":"claude-3-haiku-20240307","max_tokens":100,"messages":[]}"#,
            r#"{"model":"claude-3-haiku-20240307","max_tokens":100,"messages":[],"temperature":0.2}"#,
            &["service_tier", "output_config.effort"],
        ),
        (
            Gemini,
            "gemini-2.5-flash",
            r#"{"contents":[{"parts":[{"text":"x"}]}],"generation_config":{"thinking_config":{"thinking_level":"high","includeThoughts":true},"seed":1}}"#,
            r#"{"contents":[{"parts":[{"text":"x"}]}],"generation_config":{"seed":1,"temperature":0.2,"maxOutputTokens":4000,"thinkingConfig":{"includeThoughts":true,"thinkingBudget":1024}},"serviceTier":"flex"}"#,
            &[],
        ),
        (
            Gemini,
            "gemini-2.0-flash",
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":7}}"#,
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":7,"temperature":0.2},"serviceTier":"flex"}"#,
            &["generationConfig.thinkingConfig"],
        ),
    ];
    for (dialect, model, body, want, told) in cases {
        let got = sent(*dialect, body, *dialect, model, &all());
        assert_eq!(std::str::from_utf8(&got.body).unwrap(), *want, "{model}");
        assert_eq!(told_of(&got), *told, "{model}");
        let is_tier_told = got.left_out.iter().any(|name| name == "service_tier");
        assert_eq!(got.tier.as_deref(), (!is_tier_told).then_some("flex"), "{model}");
        let same = sent(*dialect, want, *dialect, model, &all());
        assert_eq!(read(&same), read(&got), "{model}, again");
    }
}

/// A range is the receiver's: 422, on every request of such a client, or of such a rung.
#[test]
fn mistral_is_told_no_temperature_above_its_range() {
    let bodies = [
        (OpenAiChat, json!({"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1.8})),
        (OpenAiResponses, json!({"model":"m","input":"x","temperature":2})),
        (Gemini, json!({"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"temperature":2.0}})),
    ];
    let hot = Parameters { temperature: Some(1_800), ..Parameters::NONE };
    for (from, body) in &bodies {
        for (model, with, want) in [
            ("mistral-large-latest", &Parameters::NONE, None),
            ("mistral-large-latest", &hot, None),
            ("gpt-4.1", &hot, Some(1.8)),
        ] {
            let got = sent(*from, &body.to_string(), OpenAiChat, model, with);
            assert_eq!(read(&got)["temperature"].as_f64(), want, "{from} {model}");
            assert_eq!(
                got.left_out.iter().any(|name| name.ends_with("temperature")),
                want.is_none(),
                "{from} {model}"
            );
        }
    }
    let mild = json!({"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1.5});
    let got = sent(OpenAiChat, &mild.to_string(), OpenAiChat, "mistral-large-latest", &Parameters::NONE);
    assert_eq!(read(&got)["temperature"], 1.5);
}

/// "`include_thoughts` is only enabled when thinking is enabled": such a rung answered nobody who asked for thoughts.
#[test]
fn gemini_tells_no_thoughts_where_it_is_to_have_none() {
    for (from, body) in [
        (OpenAiResponses, json!({"model":"m","input":"x","reasoning":{"effort":"high","summary":"auto"}})),
        (
            AnthropicMessages,
            json!({"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"x"}],"thinking":{"type":"enabled","budget_tokens":5000}}),
        ),
        (
            Gemini,
            json!({"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}),
        ),
    ] {
        for (with, want) in [
            (effort(Effort::None), json!({"thinkingBudget":0})),
            (effort(Effort::Low), json!({"thinkingBudget":Effort::Low.budget(),"includeThoughts":true})),
        ] {
            let got = sent(from, &body.to_string(), Gemini, "gemini-2.5-flash", &with);
            assert_eq!(read(&got)["generationConfig"]["thinkingConfig"], want, "{from}");
        }
    }
    for (from, body) in [
        (OpenAiResponses, json!({"model":"m","input":"x","reasoning":{"effort":"none","summary":"auto"}})),
        (
            AnthropicMessages,
            json!({"model":"m","max_tokens":99,"messages":[{"role":"user","content":"x"}],"thinking":{"type":"enabled","budget_tokens":0}}),
        ),
    ] {
        let got = sent(from, &body.to_string(), Gemini, "gemini-2.5-flash", &Parameters::NONE);
        assert_eq!(read(&got)["generationConfig"]["thinkingConfig"], json!({"thinkingBudget":0}), "{from}");
    }
}

/// Returns what was left out, but for limits that are the rung's instead of the client's.
fn told_of(sent: &Sent) -> Vec<&str> {
    sent.left_out.iter().map(String::as_str).filter(|name| !name.contains(" (above ")).collect()
}

#[test]
fn a_translated_request_says_what_the_rung_says() {
    let asked = [
        (
            OpenAiChat,
            json!({"model":"m","messages":[{"role":"user","content":"x"}],"reasoning_effort":"high"}),
        ),
        (OpenAiResponses, json!({"model":"m","input":"x","reasoning":{"effort":"high"}})),
        (
            AnthropicMessages,
            json!({"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"x"}],
                "thinking":{"type":"enabled","budget_tokens":5000}}),
        ),
        (
            Gemini,
            json!({"contents":[{"parts":[{"text":"x"}]}],
                "generationConfig":{"temperature":1,"thinkingConfig":{"thinkingBudget":5000}}}),
        ),
    ];
    for (from, body) in &asked {
        for (to, model, want, left_out) in [
            (
                OpenAiChat,
                "gpt-5.2",
                json!({"reasoning_effort":"low","service_tier":"flex","max_completion_tokens":4000}),
                &["temperature"][..],
            ),
            (
                OpenAiChat,
                "gpt-4.1",
                json!({"temperature":0.2,"service_tier":"flex","max_tokens":4000}),
                &["reasoning_effort"],
            ),
            (
                OpenAiChat,
                "grok-4",
                json!({"reasoning_effort":"low","temperature":0.2,"service_tier":"flex","max_tokens":4000}),
                &[],
            ),
            (
                OpenAiChat,
                "mistral-small-latest",
                json!({"reasoning_effort":"low","temperature":0.2,"max_tokens":4000}),
                &["service_tier"],
            ),
            (
                AnthropicMessages,
                "claude-opus-4-6",
                json!({"output_config":{"effort":"low"},"temperature":0.2,"max_tokens":4000}),
                &["service_tier"],
            ),
            (
                AnthropicMessages,
                "claude-opus-4-8",
                json!({"output_config":{"effort":"low"},"max_tokens":4000,
                    "thinking":{"type":"adaptive","display":"summarized"}}),
                &["service_tier", "temperature"],
            ),
            (
                Gemini,
                "gemini-2.5-flash",
                json!({"serviceTier":"flex","generationConfig":{"temperature":0.2,"maxOutputTokens":4000,
                    "thinkingConfig":{"thinkingBudget":1024}}}),
                &[],
            ),
        ] {
            if *from == to {
                continue;
            }
            let got = sent(*from, &body.to_string(), to, model, &all());
            let what = format!("{from} to {model}");
            let mut read = read(&got);
            let kept = read.as_object_mut().unwrap();
            for name in ["model", "messages", "contents"] {
                kept.remove(name);
            }
            if let Some(thinking) = read.pointer_mut("/generationConfig/thinkingConfig") {
                thinking.as_object_mut().unwrap().remove("includeThoughts");
            }
            assert_eq!(read, want, "{what}");
            let names = left_out.iter().map(|name| match (*from, *name) {
                (OpenAiResponses, "reasoning_effort") => "reasoning.effort",
                (AnthropicMessages, "reasoning_effort") => "output_config.effort",
                (Gemini, "reasoning_effort") => "generationConfig.thinkingConfig",
                (Gemini, "temperature") => "generationConfig.temperature",
                (Gemini, "service_tier") => "serviceTier",
                (_, name) => name,
            });
            assert_eq!(told_of(&got), names.collect::<Vec<_>>(), "{what}");
            assert_eq!(got.tier.is_some(), !left_out.contains(&"service_tier"), "{what}");
        }
    }
}

#[test]
fn a_lower_limit_of_the_clients_stays() {
    let with = Parameters { max_output: Some(500), ..Parameters::NONE };
    let bodies = [
        (OpenAiChat, r#"{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":9}"#),
        (OpenAiResponses, r#"{"model":"m","input":"x","max_output_tokens":9}"#),
        (AnthropicMessages, r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#),
        (Gemini, r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"maxOutputTokens":9}}"#),
    ];
    for (from, body) in bodies {
        for (to, model, path) in [
            (OpenAiChat, "gpt-4.1", "/max_tokens"),
            (AnthropicMessages, "claude-opus-4-6", "/max_tokens"),
            (Gemini, "gemini-2.0-flash", "/generationConfig/maxOutputTokens"),
        ] {
            for (limit, want) in [("9", 9), ("9000", 500)] {
                let got = sent(from, &body.replace('9', limit), to, model, &with);
                assert_eq!(read(&got).pointer(path), Some(&json!(want)), "{from} to {model}: {limit}");
            }
        }
    }
}

#[test]
fn claude_thinks_as_hard_as_its_rung_says_where_that_goes_together_with_the_request() {
    let ask = |more: Value| {
        let mut body = json!({"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"x"}]});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let result = json!([{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}]);
    for (model, level, more, thinking, word, is_told) in [
        ("claude-opus-4-6", Effort::High, json!({}), json!({"type":"adaptive"}), json!("high"), false),
        ("claude-opus-4-6", Effort::XHigh, json!({}), json!({"type":"adaptive"}), json!("high"), true),
        ("claude-opus-4-6", Effort::High, json!({"temperature":0.5}), Value::Null, json!("high"), false),
        (
            "claude-opus-4-6",
            Effort::High,
            json!({"messages":result}),
            json!({"type":"adaptive"}),
            json!("high"),
            false,
        ),
        ("claude-sonnet-4-5", Effort::High, json!({"messages":result}), Value::Null, Value::Null, true),
        (
            "claude-opus-4-6",
            Effort::High,
            json!({"tool_choice":{"type":"any"}}),
            Value::Null,
            json!("high"),
            false,
        ),
        (
            "claude-opus-4-6",
            Effort::None,
            json!({"thinking":{"type":"adaptive"}}),
            Value::Null,
            Value::Null,
            false,
        ),
        (
            "claude-sonnet-4-5",
            Effort::Medium,
            json!({}),
            json!({"type":"enabled","budget_tokens":4500}),
            Value::Null,
            false,
        ),
        (
            "claude-opus-4-5",
            Effort::Low,
            json!({"output_config":{"effort":"high"}}),
            json!({"type":"enabled","budget_tokens":1024}),
            Value::Null,
            false,
        ),
        ("claude-sonnet-4-5", Effort::Low, json!({"top_k":3}), Value::Null, Value::Null, true),
        ("claude-sonnet-4-5", Effort::Low, json!({"max_tokens":900}), Value::Null, Value::Null, true),
    ] {
        let got = sent(AnthropicMessages, &ask(more.clone()), AnthropicMessages, model, &effort(level));
        let (body, what) = (read(&got), format!("{model} {level:?} {more}"));
        assert_eq!((&body["thinking"], &body["output_config"]["effort"]), (&thinking, &word), "{what}");
        assert_eq!(got.left_out.contains(&"output_config.effort".to_owned()), is_told, "{what}");
    }
    // A lower limit leaves no room for the budget that the client set.
    let asked = ask(json!({"thinking":{"type":"enabled","budget_tokens":8000}}));
    for (most, want) in [(4000, json!({"type":"enabled","budget_tokens":2000})), (1000, Value::Null)] {
        let with = Parameters { max_output: Some(most), ..Parameters::NONE };
        let got = sent(AnthropicMessages, &asked, AnthropicMessages, "claude-sonnet-4-5", &with);
        let is_told = got.left_out.contains(&"thinking".to_owned());
        assert_eq!((&read(&got)["thinking"], is_told), (&want, most == 1000), "{most}");
        assert!(got.left_out.contains(&format!("max_tokens (above {most})")), "a cut answer is told of");
    }
}

#[test]
fn efforts_become_the_nearest_word_that_a_model_knows() {
    let chat = r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#;
    let messages = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}"#;
    for (model, level, word, is_told) in [
        ("o3", Effort::None, "low", true),
        ("gpt-5", Effort::None, "minimal", true),
        ("gpt-5.2", Effort::None, "none", false),
        ("gpt-5.2", Effort::Minimal, "low", true),
        ("gpt-5.2", Effort::Max, "xhigh", true),
        ("o3", Effort::High, "high", false),
    ] {
        for (from, body, member) in
            [(OpenAiChat, chat, "reasoning_effort"), (AnthropicMessages, messages, "output_config.effort")]
        {
            let got = sent(from, body, OpenAiChat, model, &effort(level));
            assert_eq!(read(&got)["reasoning_effort"], word, "{from} {model} {level:?}");
            // Translated, not thinking at all is a hint alone.
            if from == OpenAiChat || level != Effort::None {
                assert_eq!(got.left_out == [member], is_told, "{from} {model} {level:?} {:?}", got.left_out);
            }
        }
    }
}

#[test]
fn tiers_have_the_words_of_whoever_serves() {
    let chat = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"service_tier":"flex"}"#;
    let messages =
        r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],"service_tier":"auto"}"#;
    let gemini = r#"{"contents":[{"parts":[{"text":"x"}]}],"serviceTier":"priority"}"#;
    for (tier, openai, anthropic, google) in [
        ("priority", json!("priority"), json!("auto"), json!("priority")),
        ("standard", json!("default"), json!("standard_only"), Value::Null),
        ("standard_only", json!("standard_only"), json!("standard_only"), json!("left out")),
        ("flex", json!("flex"), json!("left out"), json!("flex")),
    ] {
        let with = Parameters { service_tier: Some(tier.into()), ..Parameters::NONE };
        for (from, body) in [(OpenAiChat, chat), (AnthropicMessages, messages), (Gemini, gemini)] {
            for (to, model, member, want) in [
                (OpenAiChat, "gpt-4.1", "service_tier", &openai),
                (AnthropicMessages, "claude-opus-4-6", "service_tier", &anthropic),
                (Gemini, "gemini-2.0-flash", "serviceTier", &google),
            ] {
                let got = sent(from, body, to, model, &with);
                let what = format!("{tier}, {from} to {to}");
                if want == "left out" {
                    assert!(got.tier.is_none() && got.left_out.len() == 1, "{what}: {:?}", got.left_out);
                } else {
                    assert_eq!(read(&got)[member], *want, "{what}");
                    assert_eq!(got.tier.as_deref(), Some(tier), "{what}");
                }
            }
        }
    }
}

#[test]
fn embeddings_are_left_alone() {
    let body = r#"{"model":"text-embedding-3-small","input":"x"}"#;
    let got =
        sent(Dialect::OpenAiEmbeddings, body, Dialect::OpenAiEmbeddings, "text-embedding-3-small", &all());
    assert_eq!((&got.body[..], got.left_out.len(), got.tier), (body.as_bytes(), 0, None));
}

#[test]
fn what_a_request_needs_of_a_model_is_seen_in_every_dialect() {
    let picture = json!({"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}});
    let said =
        |content: Value| json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":content}]});
    let result = |content: Value| said(json!([{"type":"tool_result","tool_use_id":"a","content":content}]));
    let input = |item: Value| json!({"model":"m","input":[item]});
    let gemini = |part: Value| json!({"contents":[{"role":"user","parts":[part]}]});
    let png = json!({"mimeType":"image/png","data":"AAAA"});
    for (dialect, body) in [
        (OpenAiChat, said(json!([{"type":"image_url","image_url":{"url":"https://a/b.png"}}]))),
        (OpenAiChat, said(json!([{"type":"image_url","image_url":"https://a/b.png"}]))),
        (OpenAiChat, said(json!([{"type":"video_url","video_url":{"url":"https://a/b.mp4"}}]))),
        (
            OpenAiChat,
            json!({"model":"m","messages":[{"role":"tool","tool_call_id":"a",
                "content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}),
        ),
        (
            OpenAiResponses,
            input(json!({"role":"user","content":[{"type":"input_image","image_url":"https://a/b"}]})),
        ),
        (
            OpenAiResponses,
            input(
                json!({"type":"function_call_output","call_id":"a","output":[{"type":"input_image","file_id":"f"}]}),
            ),
        ),
        (
            OpenAiResponses,
            input(json!({"type":"computer_call_output","call_id":"a",
                "output":{"type":"computer_screenshot","image_url":"data:image/png;base64,AAAA"}})),
        ),
        (AnthropicMessages, said(json!([picture]))),
        (AnthropicMessages, result(json!([picture]))),
        (
            AnthropicMessages,
            said(json!([{"type":"document","source":{"type":"content","content":[picture]}}])),
        ),
        (
            AnthropicMessages,
            result(json!([{"type":"document","source":{"type":"content","content":[picture]}}])),
        ),
        (Gemini, gemini(json!({"inlineData":png}))),
        (Gemini, gemini(json!({"inline_data":{"mime_type":"image/png","data":"AAAA"}}))),
        (Gemini, gemini(json!({"fileData":{"mimeType":"image/jpeg","fileUri":"https://a/b"}}))),
        (Gemini, gemini(json!({"fileData":{"mimeType":"video/mp4","fileUri":"https://a/b"}}))),
        (Gemini, gemini(json!({"functionResponse":{"name":"f","response":{},"parts":[{"inlineData":png}]}}))),
    ] {
        let ask = Ask::read_for(dialect, Bytes::from(body.to_string()), Some("m")).unwrap();
        assert!(ask.measures().has_images, "{dialect}: {body}");
    }
    for (dialect, body) in [
        (OpenAiChat, said(json!("an image_url"))),
        (OpenAiChat, said(json!([{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]))),
        (OpenAiResponses, input(json!({"role":"user","content":[{"type":"input_file","file_data":"AAAA"}]}))),
        (AnthropicMessages, result(json!("input_image"))),
        (Gemini, gemini(json!({"inlineData":{"mimeType":"application/pdf","data":"AAAA"}}))),
    ] {
        let ask = Ask::read_for(dialect, Bytes::from(body.to_string()), Some("m")).unwrap();
        assert!(!ask.measures().has_images, "{dialect}: {body}");
    }
    for (dialect, more, tools) in [
        (OpenAiChat, json!({"tools":[{"type":"function","function":{"name":"f"}}]}), 1),
        (OpenAiChat, json!({"functions":[{"name":"f"}]}), 1),
        (OpenAiResponses, json!({"tools":[{"type":"web_search"},{"type":"function","name":"f"}]}), 2),
        (
            OpenAiResponses,
            json!({"input":[{"type":"additional_tools","tools":[{"type":"function","name":"f"}]}]}),
            1,
        ),
        (AnthropicMessages, json!({"tools":[{"type":"web_search_20250305","name":"web_search"}]}), 1),
        (
            Gemini,
            json!({"tools":[{"functionDeclarations":[{"name":"f"},{"name":"g"}]},{"googleSearch":{}}]}),
            3,
        ),
        (Gemini, json!({"tools":[]}), 0),
    ] {
        let mut body = json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],
            "contents":[{"parts":[{"text":"x"}]}],"input":"x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let ask = Ask::read_for(dialect, Bytes::from(body.to_string()), Some("m")).unwrap();
        assert_eq!(ask.measures().tools, tools, "{dialect}: {more}");
    }
}
