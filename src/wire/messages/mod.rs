//! Anthropic's messages.

pub(super) mod answer;
mod own_tools;
pub(super) mod read_request;
pub(super) mod sink;
pub(super) mod stream;
pub(super) mod write_request;

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

/// Says why an answer ended.
fn finish_word(finish: Finish, stop: Option<&str>) -> &'static str {
    match finish {
        Finish::Stop if stop.is_some() => "stop_sequence",
        Finish::Stop | Finish::Other => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered => "refusal",
    }
}
