//! OpenAI's responses.

pub(super) mod answer;
pub(super) mod read_request;
pub(super) mod sink;
pub(super) mod stream;

use super::json::Value;
use super::reply::Finish;

/// Reads why a response ended, from the response object.
fn finish_of(response: Value<'_>, has_calls: bool) -> Finish {
    match response.text_of("status").as_deref() {
        Some("completed") if has_calls => Finish::ToolCalls,
        Some("completed") => Finish::Stop,
        Some("incomplete") => {
            let reason = response.get("incomplete_details").and_then(|details| details.text_of("reason"));
            match reason.as_deref() {
                Some("max_output_tokens") => Finish::Length,
                Some("content_filter") => Finish::Filtered,
                _ => Finish::Other,
            }
        }
        _ => Finish::Other,
    }
}
