//! Requests for completions, OpenAI's older form.

use super::openai::{OPEN, SAMPLING};
use super::row::{Row, Table};
use crate::wire::Dialect;

pub(super) const TABLE: Table =
    Table { from: Dialect::OpenAiCompletions, fields: &[FIELDS, SAMPLING, OPEN], tools: &[], content: &[] };

const FIELDS: &[Row] = rows! {
    "model" ["model" "model" "model" ~] r#""m""#, "the provider's own name for it; for Gemini in the address";
    "prompt" ["messages" "messages" "messages" "contents"] r#""x""#, "what the user says; several prompts, or lists of tokens, are refused";
    "stream_options" [~ ~ ~ ~] r#"{"include_usage":true}"#, "the gateway asks for usage itself";
    "max_tokens" ["max_tokens|max_completion_tokens" = = "generationConfig.maxOutputTokens"] "99", "16 where the client names none, as OpenAI documents; none for models that think before they answer";
    "user" [- - "metadata.user_id" -] r#""u-1""#;
    "echo" [~ ~ ~ ~] "true", "the gateway puts the prompt before the answer";
    "best_of" [- - - -] "2", "makes an answer better, not another";
    "logprobs" ["top_logprobs" - - "generationConfig.logprobs"] "2", "the answer has none where nobody tells them";
    "suffix" [! ! ! !] r#""x""#, "chat continues, and does not fill in";
};
