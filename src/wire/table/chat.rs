//! Requests for chat completions.

use super::Fate::{As, Elsewhere, LeftOut, Passed, Refused};
use super::openai::{OPEN, SAMPLING, SERVICE};
use super::{Kind, Row, Table, kind, row};
use crate::wire::Dialect;

pub(super) const TABLE: Table = Table {
    from: Dialect::OpenAiChat,
    fields: &[FIELDS, SAMPLING, OPEN, SERVICE],
    tools: TOOLS,
    content: CONTENT,
};

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
        "logprobs",
        [Passed, LeftOut, LeftOut, As("generationConfig.responseLogprobs")],
        "true",
        "the answer has none where nobody tells them",
    ),
    row("top_logprobs", [Passed, LeftOut, LeftOut, As("generationConfig.logprobs")], "2", ""),
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
        "functions",
        [Passed, As("tools"), As("tools"), As("tools")],
        r#"[{"name":"f"}]"#,
        "older form of `tools`, in which the answer has its one call too",
    ),
    row(
        "function_call",
        [Passed, As("tool_choice"), As("tool_choice"), As("toolConfig")],
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
