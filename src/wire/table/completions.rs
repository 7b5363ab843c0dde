//! Requests for completions, OpenAI's older form.

use super::Fate::{As, Elsewhere, LeftOut, Passed, Refused};
use super::openai::{OPEN, SAMPLING};
use super::{Row, Table, row};
use crate::wire::Dialect;

pub(super) const TABLE: Table =
    Table { from: Dialect::OpenAiCompletions, fields: &[FIELDS, SAMPLING, OPEN], tools: &[], content: &[] };

const FIELDS: &[Row] = &[
    row(
        "model",
        [As("model"), As("model"), As("model"), Elsewhere],
        r#""m""#,
        "the provider's own name for it; for Gemini in the address",
    ),
    row(
        "prompt",
        [As("messages"), As("messages"), As("messages"), As("contents")],
        r#""x""#,
        "what the user says; several prompts, or lists of tokens, are refused",
    ),
    row(
        "stream_options",
        [Elsewhere, Elsewhere, Elsewhere, Elsewhere],
        r#"{"include_usage":true}"#,
        "the gateway asks for usage itself",
    ),
    row(
        "max_tokens",
        [As("max_tokens|max_completion_tokens"), Passed, Passed, As("generationConfig.maxOutputTokens")],
        "99",
        "16 where the client names none, as OpenAI documents; none for models that think before they answer",
    ),
    row("user", [LeftOut, LeftOut, As("metadata.user_id"), LeftOut], r#""u-1""#, ""),
    row(
        "echo",
        [Elsewhere, Elsewhere, Elsewhere, Elsewhere],
        "true",
        "the gateway puts the prompt before the answer",
    ),
    row("best_of", [LeftOut, LeftOut, LeftOut, LeftOut], "2", "makes an answer better, not another"),
    row(
        "logprobs",
        [As("top_logprobs"), LeftOut, LeftOut, As("generationConfig.logprobs")],
        "2",
        "the answer has none where nobody tells them",
    ),
    row("suffix", [Refused, Refused, Refused, Refused], r#""x""#, "chat continues, and does not fill in"),
];
