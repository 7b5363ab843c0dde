//! Members that OpenAI's chat, completions and responses have alike.

use super::Fate::{As, Elsewhere, LeftOut, Passed, Refused};
use super::{Row, row};

/// How a model samples, and whether it streams: in all three forms.
pub(super) const SAMPLING: &[Row] = &[
    row("stream", [Passed, Passed, Passed, Elsewhere], "true", "for Gemini in the address"),
    row(
        "temperature",
        [Passed, Passed, Passed, As("generationConfig.temperature")],
        "0.5",
        "above 1 it is left out for Anthropic, whose range ends there",
    ),
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
];

/// More of that, in chat and in completions.
pub(super) const OPEN: &[Row] = &[
    row("min_p", [Passed, LeftOut, LeftOut, LeftOut], "0.1", ""),
    row("repetition_penalty", [Passed, LeftOut, LeftOut, LeftOut], "1.1", ""),
    row(
        "logit_bias",
        [Passed, LeftOut, LeftOut, LeftOut],
        r#"{"1":5}"#,
        "tokens have other numbers elsewhere",
    ),
    row(
        "n",
        [Passed, Passed, Refused, As("generationConfig.candidateCount")],
        "2",
        "Anthropic gives one answer to a request: send one for each",
    ),
];

/// Who asks, and how he is served: in chat and in responses.
pub(super) const SERVICE: &[Row] = &[
    row(
        "parallel_tool_calls",
        [Passed, Passed, As("tool_choice.disable_parallel_tool_use"), LeftOut],
        "false",
        "",
    ),
    row("user", [Passed, LeftOut, As("metadata.user_id"), LeftOut], r#""u-1""#, ""),
    row(
        "safety_identifier",
        [Passed, LeftOut, As("metadata.user_id"), LeftOut],
        r#""u-1""#,
        "where `user` says nothing",
    ),
    row("prompt_cache_key", [Passed, Passed, LeftOut, LeftOut], r#""k""#, ""),
    row("prompt_cache_retention", [Passed, LeftOut, LeftOut, LeftOut], r#""24h""#, ""),
    row("prompt_cache_options", [Passed, LeftOut, LeftOut, LeftOut], r#"{"ttl":"30m"}"#, ""),
    row(
        "service_tier",
        [Passed, LeftOut, LeftOut, As("serviceTier")],
        r#""flex""#,
        "`auto` and `default` are what holds anyway",
    ),
    row("moderation", [Passed, LeftOut, LeftOut, LeftOut], r#"{"model":"omni-moderation-latest"}"#, ""),
];
