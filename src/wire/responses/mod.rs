//! OpenAI's responses.

pub(super) mod answer;
mod item;
mod object;
pub(super) mod read_request;
pub(super) mod sink;
pub(super) mod stream;

use super::json::Value;
use super::reply::Finish;

/// Reads why a response ended, from the response object. One that is still being made has not ended.
fn finish_of(response: Value<'_>) -> Finish {
    match response.text_of("status").as_deref() {
        Some("completed") => Finish::Stop,
        Some("incomplete") => {
            let reason = response.get("incomplete_details").and_then(|details| details.text_of("reason"));
            match reason.as_deref() {
                Some("content_filter") => Finish::Filtered,
                // `max_output_tokens`, or whatever other limit stopped it.
                _ => Finish::Length,
            }
        }
        Some("in_progress" | "queued") | None => Finish::Other,
        Some(_) => Finish::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_a_response_is_known_and_no_other() {
        for (response, finish) in [
            (r#"{"status":"completed"}"#, Finish::Stop),
            (
                r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#,
                Finish::Length,
            ),
            (r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}"#, Finish::Filtered),
            (r#"{"status":"incomplete"}"#, Finish::Length),
            (r#"{"status":"in_progress"}"#, Finish::Other),
            (r#"{"status":"queued"}"#, Finish::Other),
            (r#"{"status":"failed"}"#, Finish::Failed),
            (r#"{"status":"cancelled"}"#, Finish::Failed),
            (r#"{"status":"x"}"#, Finish::Failed),
        ] {
            assert_eq!(finish_of(Value::of(response)), finish, "{response}");
        }
    }
}
