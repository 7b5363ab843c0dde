//! OpenAI's chat completions, and the many servers that speak the same.

pub(super) mod answer;
pub(super) mod mistral;
pub(super) mod read_request;
pub(super) mod sink;
pub(super) mod stream;
pub(super) mod write_request;

use super::reply::Finish;

/// Reads why an answer ended.
fn finish_from(word: &str) -> Finish {
    match word {
        "stop" | "eos" => Finish::Stop,
        // Mistral says `model_length` where the window is full.
        "length" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::Filtered,
        _ => Finish::Other,
    }
}

/// Says why an answer ended.
fn finish_word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::Other => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::Filtered => "content_filter",
    }
}
