//! Anthropic's messages.

pub(super) mod answer;
pub(super) mod stream;

use super::reply::Finish;

/// Reads why an answer ended.
fn finish_from(word: &str) -> Finish {
    match word {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Filtered,
        _ => Finish::Other,
    }
}
