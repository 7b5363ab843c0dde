//! OpenAI's chat completions, and the many servers that speak the same.

pub(super) mod answer;
pub(super) mod chunks;
pub(super) mod mistral;
pub(super) mod read_request;
pub(super) mod sink;
pub(super) mod stream;
pub(super) mod write_request;

use std::borrow::Cow;

use super::json::Value;
use super::reply::{Finish, content_text};

/// Reads why an answer ended. An empty word says nothing, and a server that never says another has not ended.
pub(super) fn finish_from(word: &str) -> Finish {
    // Gemini's compatible server adds its own reason: `content_filter: SAFETY`.
    let word = word.split([':', ' ']).next().unwrap_or_default();
    match word.to_ascii_lowercase().as_str() {
        // TGI and Together say `eos`, Cohere `COMPLETE`, Baidu `normal`.
        "stop" | "eos" | "eos_token" | "end_turn" | "end" | "stop_sequence" | "complete" | "completed"
        | "done" | "finished" | "normal" | "pause_turn" => Finish::Stop,
        // Mistral says `model_length` where the window is full.
        "length"
        | "max_tokens"
        | "max_length"
        | "max_output_tokens"
        | "max_output"
        | "model_length"
        | "model_context_window_exceeded" => Finish::Length,
        "tool_calls" | "tool_call" | "tool_use" | "function_call" => Finish::ToolCalls,
        "content_filter" | "refusal" | "safety" | "recitation" | "sensitive" => Finish::Filtered,
        "" => Finish::Other,
        _ => Finish::Failed,
    }
}

/// Reads what a model thought, from a message or a delta: `reasoning_content` with `DeepSeek` and most others, `reasoning`
/// with `OpenRouter` and newer vLLM, a part of the content with Mistral. Servers that say it twice say the same.
fn thought<'a>(
    reasoning_content: Option<Value<'a>>,
    reasoning: Option<Value<'a>>,
    content: Option<Value<'a>>,
) -> Option<Cow<'a, str>> {
    let said = |value: Option<Value<'a>>| value?.text().filter(|text| !text.is_empty());
    said(reasoning_content).or_else(|| said(reasoning)).or_else(|| {
        let content = content?;
        let thinking = content.items().filter_map(|part| part.get("thinking"));
        let thought: String = thinking.filter_map(content_text).collect();
        (!thought.is_empty()).then_some(Cow::Owned(thought))
    })
}

/// Says why an answer ended, to a client that may know calls in their older form alone.
fn finish_word(finish: Finish, is_legacy: bool) -> &'static str {
    match finish {
        Finish::ToolCalls if is_legacy => "function_call",
        Finish::Stop | Finish::Other | Finish::Failed => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_servers_word_for_an_end_is_known_and_no_other() {
        for (finish, words) in [
            (Finish::Stop, "stop eos eos_token end_turn stop_sequence COMPLETE normal pause_turn STOP"),
            (Finish::Length, "length max_tokens MAX_TOKENS model_length model_context_window_exceeded"),
            (Finish::ToolCalls, "tool_calls tool_use function_call"),
            (Finish::Filtered, "content_filter refusal sensitive"),
            (
                Finish::Failed,
                "error abort cancelled network_error insufficient_system_resource malformed_function_call null unknown x",
            ),
        ] {
            for word in words.split(' ') {
                assert_eq!(finish_from(word), finish, "{word}");
            }
        }
        assert_eq!(finish_from("content_filter: PROHIBITED_CONTENT"), Finish::Filtered);
        assert_eq!(finish_from("function_call_filter: MALFORMED_FUNCTION_CALL"), Finish::Failed);
        assert_eq!(finish_from(""), Finish::Other);
    }
}
