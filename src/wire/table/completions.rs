//! Requests for completions, OpenAI's older form.

use super::Fate::{As, Elsewhere, LeftOut, Passed, Refused};
use super::{Row, Table, row};
use crate::wire::Dialect;

pub(super) const TABLE: Table =
    Table { from: Dialect::OpenAiCompletions, fields: FIELDS, tools: &[], content: &[] };

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
    row("stream", [Passed, Passed, Passed, Elsewhere], "true", "for Gemini in the address"),
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
    row("temperature", [Passed, Passed, Passed, As("generationConfig.temperature")], "0.5", ""),
    row("top_p", [Passed, Passed, Passed, As("generationConfig.topP")], "0.9", ""),
    row(
        "top_k",
        [Passed, LeftOut, Passed, As("generationConfig.topK")],
        "7",
        "not OpenAI's own, but many servers take it",
    ),
    row(
        "stop",
        [Passed, Passed, As("stop_sequences"), As("generationConfig.stopSequences")],
        r#"["END"]"#,
        "",
    ),
    row("seed", [Passed, As("random_seed"), LeftOut, As("generationConfig.seed")], "7", ""),
    row("presence_penalty", [Passed, Passed, LeftOut, As("generationConfig.presencePenalty")], "0.5", ""),
    row("frequency_penalty", [Passed, Passed, LeftOut, As("generationConfig.frequencyPenalty")], "0.5", ""),
    row("min_p", [Passed, LeftOut, LeftOut, LeftOut], "0.1", ""),
    row("repetition_penalty", [Passed, LeftOut, LeftOut, LeftOut], "1.1", ""),
    row(
        "logit_bias",
        [Passed, LeftOut, LeftOut, LeftOut],
        r#"{"1":5}"#,
        "tokens have other numbers elsewhere",
    ),
    row("user", [LeftOut, LeftOut, As("metadata.user_id"), LeftOut], r#""u-1""#, ""),
    row(
        "echo",
        [Elsewhere, Elsewhere, Elsewhere, Elsewhere],
        "true",
        "the gateway puts the prompt before the answer",
    ),
    row(
        "n",
        [Passed, Passed, Refused, As("generationConfig.candidateCount")],
        "2",
        "Anthropic gives one answer to a request: send one for each",
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
