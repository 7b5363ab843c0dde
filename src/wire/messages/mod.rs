//! Anthropic's messages.

pub(super) mod answer;
mod own_tools;
pub(super) mod read_request;
pub(super) mod sink;
pub(super) mod stream;
pub(super) mod write_request;

use super::reply::Finish;

/// Stands for the signature of a thought that another provider's model had. Anthropic takes no such thought back, so one
/// with this signature is left out on its way there.
pub(super) const SIGNATURE: &str = "cG9pbnRzbWFuOm5vLXNpZ25hdHVyZQ==";

/// Reads why an answer ended.
fn finish_from(word: &str) -> Finish {
    match word {
        // A turn that is paused, or about to be compacted, goes on with the client's next request. Compatible servers let words
        // of chat through.
        "end_turn" | "stop_sequence" | "pause_turn" | "compaction" | "stop" | "eos" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" | "length" => Finish::Length,
        "tool_use" | "tool_calls" | "function_call" => Finish::ToolCalls,
        "refusal" | "content_filter" => Finish::Filtered,
        "" => Finish::Other,
        _ => Finish::Failed,
    }
}

/// Says why an answer ended.
fn finish_word(finish: Finish, stop: Option<&str>) -> &'static str {
    match finish {
        Finish::Stop if stop.is_some() => "stop_sequence",
        Finish::Stop | Finish::Other | Finish::Failed => "end_turn",
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::Filtered => "refusal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_of_a_message_is_known_and_no_other() {
        for (finish, words) in [
            (Finish::Stop, "end_turn stop_sequence pause_turn compaction stop"),
            (Finish::Length, "max_tokens model_context_window_exceeded length"),
            (Finish::ToolCalls, "tool_use tool_calls"),
            (Finish::Filtered, "refusal content_filter"),
            (Finish::Failed, "error abort END_TURN null x"),
        ] {
            for word in words.split(' ') {
                assert_eq!(finish_from(word), finish, "{word}");
            }
        }
        assert_eq!(finish_from(""), Finish::Other);
    }
}
