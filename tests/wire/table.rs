//! The table of what becomes of each member of a request: it is complete, it says what happens, and its page is its own.

use bytes::Bytes;
use pointsman::wire::Dialect::{
    self, AnthropicMessages, Gemini, OpenAiChat, OpenAiCompletions, OpenAiResponses,
};
use pointsman::wire::{Accent, Ask, Fate, Sending, Sent, TABLES, Target, WireError};

use crate::page::translation_page;
use serde_json::{Value, json};

/// The members of each request as the official libraries have them: openai 3.57.0, anthropic 2.14.0 and google-genai 3.6.1
/// (November 2026).
const SCHEMAS: [(Dialect, &str); 5] = [
    (
        OpenAiChat,
        "messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens \
         max_tokens metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key \
         prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed \
         service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity \
         web_search_options",
    ),
    (
        OpenAiResponses,
        "access_programs background background_options context_management conversation image include input \
         instructions max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls \
         previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention reasoning.effort \
         reasoning.summary reasoning.generate_summary safety_identifier service_tier store stream stream_options \
         temperature text.format text.verbosity tool_choice tools top_logprobs top_p truncation user",
    ),
    (
        AnthropicMessages,
        "max_tokens messages model billing_policy cache_control compaction container context_management diagnostics \
         fallback_credit_token fallbacks inference_geo mcp_servers metadata output_config.effort output_config.format \
         output_config.task_budget service_tier speed stop_sequences stream system thinking thread tool_choice tools \
         betas user_profile_id workspace_id output_format temperature top_p top_k",
    ),
    (
        OpenAiCompletions,
        "model prompt best_of echo frequency_penalty logit_bias logprobs max_tokens n presence_penalty seed stop stream \
         stream_options suffix temperature top_p user",
    ),
    (
        Gemini,
        "contents systemInstruction tools toolConfig safetySettings cachedContent labels store serviceTier \
         generationConfig.temperature generationConfig.topP generationConfig.topK generationConfig.candidateCount \
         generationConfig.maxOutputTokens generationConfig.stopSequences generationConfig.responseLogprobs \
         generationConfig.logprobs generationConfig.presencePenalty generationConfig.frequencyPenalty \
         generationConfig.seed generationConfig.responseMimeType generationConfig.responseSchema \
         generationConfig.responseJsonSchema generationConfig.responseModalities generationConfig.mediaResolution \
         generationConfig.speechConfig generationConfig.thinkingConfig generationConfig.imageConfig \
         generationConfig.enableEnhancedCivicAnswers",
    ),
];

fn base(from: Dialect) -> Value {
    match from {
        OpenAiResponses => json!({"model":"m","input":"x"}),
        OpenAiCompletions => json!({"model":"m","prompt":"x"}),
        Gemini => json!({"contents":[{"role":"user","parts":[{"text":"x"}]}]}),
        _ => json!({"model":"m","max_tokens":9999,"messages":[{"role":"user","content":"x"}]}),
    }
}

fn is_own(from: Dialect, to: Target) -> bool {
    matches!(
        (from, to),
        (OpenAiChat, Target::Chat) | (AnthropicMessages, Target::Messages) | (Gemini, Target::Gemini)
    )
}

fn sent(from: Dialect, body: &Value, to: Target) -> Result<Sent, WireError> {
    let (dialect, model, accent) = match to {
        Target::Chat => (OpenAiChat, "gpt-5.2", Accent::OpenAi),
        Target::Mistral => (OpenAiChat, "mistral-small-2503", Accent::Mistral),
        Target::Messages => (AnthropicMessages, "claude-opus-4-8", Accent::OpenAi),
        Target::Gemini => (Dialect::Gemini, "gemini-2.5-flash", Accent::OpenAi),
    };
    let ask = Ask::read_for(from, Bytes::from(body.to_string()), Some("m")).unwrap();
    ask.body_for(dialect, model, &Sending { accent, ..Sending::default() })
}

fn read(sent: &Sent) -> Value {
    serde_json::from_slice(&sent.body).unwrap()
}

fn pointer(place: &str) -> String {
    format!("/{}", place.replace('.', "/"))
}

#[test]
fn every_member_of_every_request_is_in_the_table() {
    for (dialect, members) in SCHEMAS {
        let table = TABLES.iter().find(|table| table.from == dialect).unwrap();
        for member in members.split_whitespace() {
            let rows = table.rows().filter(|row| row.field == member).count();
            assert_eq!(rows, 1, "{dialect}: {member}");
        }
    }
}

#[test]
fn every_row_says_what_happens() {
    for table in &TABLES {
        // Gemini's model stands in the address, and its settings have rows of their own.
        let is_whole = |field: &str| table.from == Gemini && matches!(field, "model" | "generationConfig");
        for row in table.rows().filter(|row| !is_whole(row.field)) {
            let sample: Value = serde_json::from_str(row.sample).unwrap();
            let mut body = base(table.from);
            let beside = match row.field {
                "tool_choice" | "parallel_tool_calls" | "toolConfig" => Some("tools"),
                "function_call" => Some("functions"),
                _ => None,
            };
            if let Some(beside) = beside {
                let tools = table.rows().find(|row| row.field == beside).unwrap();
                body[beside] = serde_json::from_str(tools.sample).unwrap();
            }
            if let Some((outer, inner)) = row.field.split_once('.') {
                body[outer] = json!({inner: sample});
            } else {
                body[row.field] = sample.clone();
            }
            for to in Target::ALL.into_iter().filter(|to| !is_own(table.from, *to)) {
                let case = format!("{} {} to {}", table.from, row.field, to.name());
                let got = sent(table.from, &body, to);
                if row.fate(to) == Fate::Refused {
                    let said = got.unwrap_err().to_string();
                    assert!(said.starts_with(&format!("{}:", row.field)), "{case}: {said}");
                    continue;
                }
                let got = got.unwrap_or_else(|error| panic!("{case}: {error}"));
                let is_told = got.left_out.iter().any(|name| name == row.field);
                assert_eq!(is_told, row.fate(to) == Fate::LeftOut, "{case}: {:?}", got.left_out);
                let arrived = read(&got);
                match row.fate(to) {
                    Fate::Passed => assert_eq!(arrived[row.field], sample, "{case}"),
                    Fate::As(places) => {
                        let is_there = |place: &str| arrived.pointer(&pointer(place)).is_some();
                        assert!(places.split('|').any(is_there), "{case}: {arrived}");
                    }
                    _ => assert_eq!(arrived.get(row.field), None, "{case}"),
                }
            }
        }
    }
}

#[test]
fn a_value_that_says_nothing_is_left_out_without_a_word() {
    let cases = [
        (
            OpenAiChat,
            json!({"n":1,"logprobs":false,"top_logprobs":0,"presence_penalty":0,"frequency_penalty":0.0,
            "logit_bias":{},"modalities":["text"],"store":false,"metadata":{},"service_tier":"auto","seed":null}),
        ),
        (
            OpenAiResponses,
            json!({"background":false,"store":false,"truncation":"disabled","include":[],"metadata":{},
            "top_logprobs":0,"previous_response_id":null,"service_tier":"default","presence_penalty":0,"parallel_tool_calls":true}),
        ),
    ];
    for (from, members) in cases {
        let mut body = base(from);
        for (key, value) in members.as_object().unwrap() {
            body[key] = value.clone();
        }
        for to in [Target::Messages, Target::Gemini] {
            assert_eq!(sent(from, &body, to).unwrap().left_out, [""; 0], "{from} to {}", to.name());
        }
    }
}

/// Puts a piece of content into a conversation in which it makes sense.
fn with_content(from: Dialect, kind: &str, sample: &Value) -> Value {
    let mut body = base(from);
    match from {
        OpenAiResponses => {
            body["input"] = json!([{"role":"user","content":"x"},
                {"type":"function_call","call_id":"c","name":"f","arguments":"{}"}, sample,
                {"type":"function_call_output","call_id":"c","output":"x"}, {"role":"user","content":"y"}]);
        }
        Gemini => {
            let is_models = ["functionCall", "executableCode", "codeExecutionResult"].contains(&kind);
            let call = json!({"functionCall":{"name":"f","args":{}}});
            let (said, got) = if is_models {
                (sample, json!([{"text":"y"}]))
            } else {
                (&call, json!([sample, {"text":"y"}]))
            };
            body["contents"] = json!([{"role":"user","parts":[{"text":"x"}]}, {"role":"model","parts":[said]},
                {"role":"user","parts":got}]);
        }
        OpenAiChat => {
            body["messages"] = json!([{"role":"user","content":[{"type":"text","text":"x"},sample]}]);
        }
        _ => {
            let users = [
                "text",
                "image",
                "document",
                "search_result",
                "tool_result",
                "tool_reference",
                "container_upload",
            ];
            let (said, got) = if users.contains(&kind) {
                (
                    json!([{"type":"tool_use","id":"t","name":"f","input":{}}]),
                    json!([sample, {"type":"text","text":"y"}]),
                )
            } else {
                (json!([{"type":"text","text":"a"}, sample]), json!("y"))
            };
            body["messages"] = json!([{"role":"user","content":"x"},{"role":"assistant","content":said},{"role":"user","content":got}]);
        }
    }
    body
}

#[test]
fn every_kind_of_tool_and_content_becomes_what_the_table_says() {
    for table in &TABLES {
        let member = match table.from {
            OpenAiResponses => "input",
            Gemini => "contents",
            _ => "messages",
        };
        let tools = table.tools.iter().map(|kind| ("tools", kind));
        for (member, kind) in tools.chain(table.content.iter().map(|kind| (member, kind))) {
            let sample: Value = serde_json::from_str(kind.sample).unwrap();
            let name = sample["type"].as_str().unwrap_or(kind.kind);
            let body = if member == "tools" {
                let mut body = base(table.from);
                body["tools"] = json!([sample]);
                body
            } else {
                with_content(table.from, kind.kind, &sample)
            };
            for to in Target::ALL.into_iter().filter(|to| !is_own(table.from, *to)) {
                let case = format!("{} {name} to {}", table.from, to.name());
                let got = sent(table.from, &body, to);
                if kind.fate == Fate::Refused {
                    let said = got.unwrap_err().to_string();
                    assert!(said.contains('[') && said.contains(name), "{case}: {said}");
                    continue;
                }
                let got = got.unwrap_or_else(|error| panic!("{case}: {error}"));
                let told = format!("{member} ({name})");
                assert_eq!(
                    got.left_out.contains(&told),
                    kind.fate == Fate::LeftOut,
                    "{case}: {:?}",
                    got.left_out
                );
                if member == "tools" {
                    let offered = read(&got)["tools"].as_array().map_or(0, Vec::len);
                    assert_eq!(offered > 0, kind.fate != Fate::LeftOut, "{case}");
                }
            }
        }
    }
}

#[test]
fn the_page_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/translation.md");
    let page = translation_page();
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let held = std::fs::read_to_string(path).unwrap_or_default();
    assert!(held == page, "docs/translation.md is out of date: WRITE_DOCS=1 cargo test --test wire the_page");
}
