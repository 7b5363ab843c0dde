//! Requests for chat completions.

use super::Fate::{As, Elsewhere, LeftOut, Passed, Refused};
use super::{Kind, Row, Table, kind, row};
use crate::wire::Dialect;

pub(super) const TABLE: Table =
    Table { from: Dialect::OpenAiChat, fields: FIELDS, tools: TOOLS, content: CONTENT };

/// Chat goes to chat as it is; the first column says so.
const FIELDS: &[Row] = &[
    row(
        "model",
        [Passed, As("model"), As("model"), Elsewhere],
        r#""m""#,
        "the provider's own name for it; for Gemini in the address",
    ),
    row(
        "messages",
        [Passed, As("messages"), As("messages"), As("contents")],
        r#"[{"role":"user","content":"x"}]"#,
        "system and developer messages that stand first become the system prompt; a later one stays in its place, see below",
    ),
    row("stream", [Passed, Passed, Passed, Elsewhere], "true", "for Gemini in the address"),
    row(
        "stream_options",
        [Passed, Elsewhere, Elsewhere, Elsewhere],
        r#"{"include_usage":true}"#,
        "the gateway asks for usage itself",
    ),
    row(
        "max_tokens",
        [Passed, Passed, Passed, As("generationConfig.maxOutputTokens")],
        "99",
        "for reasoning models of OpenAI's it is renamed `max_completion_tokens`",
    ),
    row(
        "max_completion_tokens",
        [Passed, As("max_tokens"), As("max_tokens"), As("generationConfig.maxOutputTokens")],
        "99",
        "",
    ),
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
    row("min_p", [Passed, LeftOut, LeftOut, LeftOut], "0.1", ""),
    row("repetition_penalty", [Passed, LeftOut, LeftOut, LeftOut], "1.1", ""),
    row(
        "stop",
        [Passed, Passed, As("stop_sequences"), As("generationConfig.stopSequences")],
        r#"["END"]"#,
        "",
    ),
    row("seed", [Passed, As("random_seed"), LeftOut, As("generationConfig.seed")], "7", ""),
    row("presence_penalty", [Passed, Passed, LeftOut, As("generationConfig.presencePenalty")], "0.5", ""),
    row("frequency_penalty", [Passed, Passed, LeftOut, As("generationConfig.frequencyPenalty")], "0.5", ""),
    row(
        "logit_bias",
        [Passed, LeftOut, LeftOut, LeftOut],
        r#"{"1":5}"#,
        "tokens have other numbers elsewhere",
    ),
    row(
        "logprobs",
        [Passed, LeftOut, LeftOut, As("generationConfig.responseLogprobs")],
        "true",
        "the answer has none where nobody tells them",
    ),
    row("top_logprobs", [Passed, LeftOut, LeftOut, As("generationConfig.logprobs")], "2", ""),
    row(
        "n",
        [Passed, Passed, Refused, As("generationConfig.candidateCount")],
        "2",
        "Anthropic gives one answer to a request: send one for each",
    ),
    row(
        "tools",
        [Passed, As("tools"), As("tools"), As("tools")],
        r#"[{"type":"function","function":{"name":"f"}}]"#,
        "see below",
    ),
    row(
        "tool_choice",
        [Passed, As("tool_choice"), As("tool_choice"), As("toolConfig")],
        r#"{"type":"function","function":{"name":"f"}}"#,
        "`allowed_tools` offers those tools alone",
    ),
    row(
        "parallel_tool_calls",
        [Passed, Passed, As("tool_choice.disable_parallel_tool_use"), LeftOut],
        "false",
        "",
    ),
    row(
        "functions",
        [Passed, Refused, As("tools"), As("tools")],
        r#"[{"name":"f"}]"#,
        "older form of `tools`, in which the answer has its one call too; Mistral would answer in the newer form",
    ),
    row(
        "function_call",
        [Passed, Refused, As("tool_choice"), As("toolConfig")],
        r#"{"name":"f"}"#,
        "older form of `tool_choice`",
    ),
    row(
        "response_format",
        [Passed, Passed, As("output_config.format|system"), As("generationConfig.responseMimeType")],
        r#"{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{},"additionalProperties":false}}}"#,
        "`json_object` becomes an instruction for Anthropic, and so does a schema for models without structured outputs",
    ),
    row(
        "reasoning_effort",
        [Passed, Passed, As("output_config.effort|thinking"), As("generationConfig.thinkingConfig")],
        r#""low""#,
        "left out and told for models that cannot be told",
    ),
    row(
        "reasoning",
        [Passed, LeftOut, As("output_config.effort|thinking"), As("generationConfig.thinkingConfig")],
        r#"{"effort":"low"}"#,
        "as OpenRouter has it",
    ),
    row(
        "thinking",
        [Passed, LeftOut, As("thinking"), As("generationConfig.thinkingConfig")],
        r#"{"type":"enabled","budget_tokens":2048}"#,
        "as Anthropic, DeepSeek and others have it",
    ),
    row("verbosity", [Passed, LeftOut, LeftOut, LeftOut], r#""low""#, ""),
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
    row("store", [Passed, LeftOut, LeftOut, LeftOut], "true", ""),
    row("metadata", [Passed, Passed, LeftOut, LeftOut], r#"{"a":"b"}"#, ""),
    row("modalities", [Passed, LeftOut, Refused, Refused], r#"["text","audio"]"#, ""),
    row("audio", [Passed, LeftOut, Refused, Refused], r#"{"voice":"alloy","format":"wav"}"#, ""),
    row(
        "prediction",
        [Passed, Passed, LeftOut, LeftOut],
        r#"{"type":"content","content":"x"}"#,
        "makes an answer quicker, not another",
    ),
    row("moderation", [Passed, LeftOut, LeftOut, LeftOut], r#"{"model":"omni-moderation-latest"}"#, ""),
    row("web_search_options", [Passed, LeftOut, LeftOut, LeftOut], "{}", "a search that OpenAI runs"),
    row(
        "cache_control",
        [Passed, LeftOut, Passed, LeftOut],
        r#"{"type":"ephemeral"}"#,
        "Anthropic's, as proxies take it; also on messages, parts and tools",
    ),
];

const TOOLS: &[Kind] = &[
    kind(
        "function",
        As(""),
        r#"{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}"#,
        "a function",
    ),
    kind(
        "custom",
        As(""),
        r#"{"type":"custom","custom":{"name":"f","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: /x/"}}}}"#,
        "a function with one text, `input`; the grammar stands in its description",
    ),
];

const CONTENT: &[Kind] = &[
    kind("text", As(""), r#"{"type":"text","text":"x"}"#, "text"),
    kind("refusal", As(""), r#"{"type":"refusal","refusal":"x"}"#, "text"),
    kind(
        "image_url",
        As(""),
        r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}"#,
        "a picture; by its address refused for Gemini, which does not fetch it",
    ),
    kind(
        "file",
        As(""),
        r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}}"#,
        "a document; by `file_id` refused, as it lies with OpenAI",
    ),
];
