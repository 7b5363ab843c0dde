//! What models refuse deep within a request of their own dialect, and a last turn by the assistant in every dialect.

use std::time::Instant;

use bytes::Bytes;
use pointsman::config::providers::{KeySource, parse};
use pointsman::providers::{FoundKey, KeyError, Providers};
use pointsman::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiResponses};
use pointsman::wire::{Accent, Ask, Sending, Sent};
use serde_json::{Value, json};

fn put(from: Dialect, body: &str, to: Dialect, model: &str) -> (String, Vec<String>) {
    let keys =
        |source: &KeySource| -> Result<FoundKey, KeyError> { Err(KeyError::Unset(source.to_string())) };
    let target =
        Providers::build(&parse(&[]).unwrap(), &keys, Instant::now()).unwrap().target(model).unwrap();
    let accent = if model.starts_with("mistral") { Accent::Mistral } else { Accent::OpenAi };
    let sending = Sending { known: target.known(), accent, ..Sending::default() };
    let ask = Ask::read_for(from, Bytes::copy_from_slice(body.as_bytes()), Some("m")).unwrap();
    let Sent { body, left_out, .. } = ask.body_for(to, model, &sending).unwrap();
    serde_json::from_slice::<Value>(&body).unwrap();
    (String::from_utf8(body.to_vec()).unwrap(), left_out)
}

#[test]
fn what_a_model_refuses_is_left_out_however_deep_it_stands() {
    let cases = [
        (
            AnthropicMessages,
            "claude-sonnet-4-5",
            r#"{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[], "output_config":{"effort":"high", "format":{"a":1}}}"#,
            r#"{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[], "output_config":{ "format":{"a":1}}}"#,
            &["output_config.effort"][..],
        ),
        (
            AnthropicMessages,
            "claude-opus-4-6",
            r#"{"model":"claude-opus-4-6","messages":[],"output_config":{"effort":"xhigh"}}"#,
            r#"{"model":"claude-opus-4-6","messages":[],"output_config":{"effort":"high"}}"#,
            &["output_config.effort"],
        ),
        (
            AnthropicMessages,
            "claude-opus-4-6",
            r#"{"model":"claude-opus-4-6","messages":[],"output_config":{"effort":"max"}}"#,
            r#"{"model":"claude-opus-4-6","messages":[],"output_config":{"effort":"max"}}"#,
            &[],
        ),
        (
            AnthropicMessages,
            "claude-opus-4-5",
            r#"{"model":"claude-opus-4-5","messages":[],"thinking":{"type":"enabled","budget_tokens":1024},"temperature":0.5,"top_k":5}"#,
            r#"{"model":"claude-opus-4-5","messages":[],"thinking":{"type":"enabled","budget_tokens":1024}}"#,
            &["temperature", "top_k"],
        ),
        (
            AnthropicMessages,
            "claude-opus-4-20250514",
            r#"{"model":"claude-opus-4-20250514","messages":[],"thinking":{"type":"disabled"},"temperature":0.5,"top_p":0.5}"#,
            r#"{"model":"claude-opus-4-20250514","messages":[],"thinking":{"type":"disabled"},"temperature":0.5,"top_p":0.5}"#,
            &[],
        ),
        (
            Gemini,
            "gemini-2.5-flash",
            r#"{"contents":[],"generation_config":{"presence_penalty":0.5,"temperature":1, "frequencyPenalty":0.1}}"#,
            r#"{"contents":[],"generation_config":{"temperature":1}}"#,
            &["generationConfig.presencePenalty", "generationConfig.frequencyPenalty"],
        ),
        (
            Gemini,
            "gemini-2.0-flash",
            r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingBudget":9}}}"#,
            r#"{"contents":[],"generationConfig":{}}"#,
            &["generationConfig.thinkingConfig"],
        ),
        (
            OpenAiResponses,
            "gpt-4.1",
            r#"{"model":"gpt-4.1","input":"x","reasoning":{"effort":"low","summary":"auto"},"text":{"format":{"type":"text"},"verbosity":"low"}}"#,
            r#"{"model":"gpt-4.1","input":"x","reasoning":{},"text":{"format":{"type":"text"}}}"#,
            &["reasoning.effort", "reasoning.summary", "text.verbosity"],
        ),
        (
            OpenAiResponses,
            "gpt-5.2",
            r#"{"model":"gpt-5.2","input":"x","reasoning":{"effort":"minimal"},"text":{"verbosity":"low"}}"#,
            r#"{"model":"gpt-5.2","input":"x","reasoning":{"effort":"low"},"text":{"verbosity":"low"}}"#,
            &["reasoning.effort"],
        ),
        (
            OpenAiChat,
            "gpt-5.1",
            r#"{"model":"gpt-5.1","messages":[],"reasoning_effort":"xhigh","verbosity":"medium"}"#,
            r#"{"model":"gpt-5.1","messages":[],"reasoning_effort":"high","verbosity":"medium"}"#,
            &["reasoning_effort"],
        ),
        (
            OpenAiChat,
            "gpt-5.1-codex-max",
            r#"{"model":"gpt-5.1-codex-max","messages":[],"reasoning_effort":"xhigh"}"#,
            r#"{"model":"gpt-5.1-codex-max","messages":[],"reasoning_effort":"xhigh"}"#,
            &[],
        ),
    ];
    for (dialect, model, body, want, told) in cases {
        let (got, left_out) = put(dialect, body, dialect, model);
        assert_eq!(got, want, "{model}");
        assert_eq!(left_out, told, "{model}");
    }
}

/// A conversation in which the assistant has the last word.
fn begun(from: Dialect, text: &str) -> Value {
    let said =
        json!([{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"text","text":text}]}]);
    match from {
        OpenAiResponses => {
            json!({"model":"m","input":[{"role":"user","content":"x"},{"role":"assistant","content":text}]})
        }
        Gemini => {
            json!({"contents":[{"role":"user","parts":[{"text":"x"}]},{"role":"model","parts":[{"text":text}]}]})
        }
        _ => json!({"model":"m","max_tokens":9,"messages":said}),
    }
}

#[test]
fn a_last_turn_by_the_assistant_is_gone_on_with_whoever_is_asked() {
    let old = "claude-sonnet-4-5";
    for from in [OpenAiChat, OpenAiResponses, AnthropicMessages, Gemini] {
        // Claude refuses blanks at its end.
        let (sent, told) = put(from, &begun(from, "{\"a\": ").to_string(), AnthropicMessages, old);
        let sent: Value = serde_json::from_str(&sent).unwrap();
        assert_eq!((&sent["messages"][1]["content"][0]["text"], told), (&json!("{\"a\":"), vec![]), "{from}");
        let (sent, _) = put(from, &begun(from, "{ ").to_string(), OpenAiChat, "mistral-small-2503");
        assert!(sent.contains(r#""prefix":true"#), "{from}: {sent}");
        for (to, model) in
            [(AnthropicMessages, "claude-opus-4-6"), (OpenAiChat, "gpt-4.1"), (Gemini, "gemini-2.5-flash")]
        {
            // Who speaks the same passes it as it is, but for Claude that is known to refuse it.
            if from == to && to != AnthropicMessages {
                continue;
            }
            let (sent, told) = put(from, &begun(from, "{ ").to_string(), to, model);
            let sent: Value = serde_json::from_str(&sent).unwrap();
            let turns = sent["messages"].as_array().or_else(|| sent["contents"].as_array()).unwrap();
            let last = turns.last().unwrap();
            assert_eq!((turns.len(), &last["role"]), (3, &json!("user")), "{from} to {model}");
            assert!(last.to_string().contains("unfinished"), "{last}");
            assert!(told.len() == 1 && told[0].ends_with(" (prefill)"), "{from} to {model}: {told:?}");
        }
    }
}

#[test]
fn a_turn_that_waits_for_tools_of_anthropics_own_stays_as_it_is() {
    let body = r#"{"model":"claude-opus-4-6","messages":[{"role":"user","content":"x"},{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"text","text":"so "}]}]}"#;
    assert_eq!(
        put(AnthropicMessages, body, AnthropicMessages, "claude-opus-4-6"),
        (body.to_owned(), Vec::new())
    );
}

#[test]
fn a_forced_tool_that_cannot_be_offered_is_refused_in_words() {
    let search = json!({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}],
        "tools":[{"type":"web_search_20250305","name":"web_search"}],"tool_choice":{"type":"any"}});
    let said = super::refused(AnthropicMessages, &search, OpenAiChat);
    assert!(said.starts_with("tool_choice: it forces a call"), "{said}");
}
