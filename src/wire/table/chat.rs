//! Requests for chat completions.

use super::openai::{OPEN, SAMPLING, SERVICE};
use super::row::{Kind, Row, Table};
use crate::wire::Dialect;

pub(super) const TABLE: Table = Table {
    from: Dialect::OpenAiChat,
    fields: &[FIELDS, SAMPLING, OPEN, SERVICE],
    tools: TOOLS,
    content: CONTENT,
};

/// Chat goes to chat as it is; the first column says so.
const FIELDS: &[Row] = rows! {
    "model" [= "model" "model" ~] r#""m""#, "the provider's own name for it; for Gemini in the address";
    "messages" [= "messages" "messages" "contents"] r#"[{"role":"user","content":"x"}]"#, "system and developer messages that stand first become the system prompt; a later one stays in its place, see below";
    "stream_options" [= ~ ~ ~] r#"{"include_usage":true}"#, "the gateway asks for usage itself";
    "max_tokens" [= = = "generationConfig.maxOutputTokens"] "99", "for reasoning models of OpenAI's it is renamed `max_completion_tokens`";
    "max_completion_tokens" [= "max_tokens" "max_tokens" "generationConfig.maxOutputTokens"] "99";
    "logprobs" [= - - "generationConfig.responseLogprobs"] "true", "the answer has none where nobody tells them";
    "top_logprobs" [= - - "generationConfig.logprobs"] "2";
    "tools" [= "tools" "tools" "tools"] r#"[{"type":"function","function":{"name":"f"}}]"#, "see below";
    "tool_choice" [= "tool_choice" "tool_choice" "toolConfig"] r#"{"type":"function","function":{"name":"f"}}"#, "`allowed_tools` offers those tools alone";
    "functions" [= "tools" "tools" "tools"] r#"[{"name":"f"}]"#, "older form of `tools`, in which the answer has its one call too";
    "function_call" [= "tool_choice" "tool_choice" "toolConfig"] r#"{"name":"f"}"#, "older form of `tool_choice`";
    "response_format" [= = "output_config.format|system" "generationConfig.responseMimeType"] r#"{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object","properties":{},"additionalProperties":false}}}"#, "`json_object` becomes an instruction for Anthropic, and so does a schema for models without structured outputs";
    "reasoning_effort" [= = "output_config.effort|thinking" "generationConfig.thinkingConfig"] r#""low""#, "left out and told for models that cannot be told";
    "reasoning" [= - "output_config.effort|thinking" "generationConfig.thinkingConfig"] r#"{"effort":"low"}"#, "as OpenRouter has it";
    "thinking" [= - "thinking" "generationConfig.thinkingConfig"] r#"{"type":"enabled","budget_tokens":2048}"#, "as Anthropic, DeepSeek and others have it";
    "verbosity" [= - - -] r#""low""#;
    "store" [= - - -] "true";
    "metadata" [= = - -] r#"{"a":"b"}"#;
    "modalities" [= - ! !] r#"["text","audio"]"#;
    "audio" [= - ! !] r#"{"voice":"alloy","format":"wav"}"#;
    "prediction" [= = - -] r#"{"type":"content","content":"x"}"#, "makes an answer quicker, not another";
    "web_search_options" [= - - -] "{}", "a search that OpenAI runs";
    "cache_control" [= - = -] r#"{"type":"ephemeral"}"#, "Anthropic's, as proxies take it; also on messages, parts and tools";
};

const TOOLS: &[Kind] = kinds! {
    "function" = r#"{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}"#, "a function";
    "custom" = r#"{"type":"custom","custom":{"name":"f","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: /x/"}}}}"#, "a function with one text, `input`; the grammar stands in its description";
};

const CONTENT: &[Kind] = kinds! {
    "text" = r#"{"type":"text","text":"x"}"#, "text";
    "refusal" = r#"{"type":"refusal","refusal":"x"}"#, "text";
    "image_url" = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"}}"#, "a picture; by its address refused for Gemini, which does not fetch it";
    "file" = r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA"}}"#, "a document, one of text as text for Anthropic; by `file_id` refused, as it lies with OpenAI";
};
