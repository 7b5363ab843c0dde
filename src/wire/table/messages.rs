//! Requests for Anthropic's messages.

use super::Fate::{As, Elsewhere, LeftOut, Passed, Refused};
use super::{Kind, Row, Table, kind, row};
use crate::wire::Dialect;

pub(super) const TABLE: Table =
    Table { from: Dialect::AnthropicMessages, fields: &[FIELDS], tools: TOOLS, content: CONTENT };

/// Messages go to messages as they are; the third column says so.
const FIELDS: &[Row] = &[
    row(
        "model",
        [As("model"), As("model"), Passed, Elsewhere],
        r#""m""#,
        "the provider's own name for it; for Gemini in the address",
    ),
    row(
        "messages",
        [As("messages"), As("messages"), Passed, As("contents")],
        r#"[{"role":"user","content":"x"}]"#,
        "a message of role `system` stays in its place, see below",
    ),
    row(
        "system",
        [As("messages"), As("messages"), Passed, As("systemInstruction")],
        r#""Be brief.""#,
        "the system prompt",
    ),
    row("stream", [Passed, Passed, Passed, Elsewhere], "true", "for Gemini in the address"),
    row(
        "max_tokens",
        [As("max_completion_tokens|max_tokens"), Passed, Passed, As("generationConfig.maxOutputTokens")],
        "9999",
        "",
    ),
    row("temperature", [Passed, Passed, Passed, As("generationConfig.temperature")], "0.5", ""),
    row("top_p", [Passed, Passed, Passed, As("generationConfig.topP")], "0.9", ""),
    row(
        "top_k",
        [Passed, LeftOut, Passed, As("generationConfig.topK")],
        "7",
        "OpenAI's own models refuse it: left out for them",
    ),
    row(
        "stop_sequences",
        [As("stop"), As("stop"), Passed, As("generationConfig.stopSequences")],
        r#"["END"]"#,
        "",
    ),
    row("seed", [Passed, As("random_seed"), Passed, As("generationConfig.seed")], "7", "not Anthropic's own"),
    row(
        "presence_penalty",
        [Passed, Passed, Passed, As("generationConfig.presencePenalty")],
        "0.5",
        "not Anthropic's own",
    ),
    row(
        "frequency_penalty",
        [Passed, Passed, Passed, As("generationConfig.frequencyPenalty")],
        "0.5",
        "not Anthropic's own",
    ),
    row(
        "metadata",
        [As("user"), LeftOut, Passed, LeftOut],
        r#"{"user_id":"u-1"}"#,
        "a `user_id` longer than OpenAI's 64 characters goes as its SHA-256",
    ),
    row(
        "thinking",
        [As("reasoning_effort"), LeftOut, Passed, As("generationConfig.thinkingConfig")],
        r#"{"type":"enabled","budget_tokens":2048}"#,
        "left out and told for models that cannot be told",
    ),
    row(
        "output_config.effort",
        [As("reasoning_effort"), LeftOut, Passed, As("generationConfig.thinkingConfig")],
        r#""low""#,
        "left out and told for models that cannot be told",
    ),
    row(
        "output_config.format",
        [As("response_format"), As("response_format"), Passed, As("generationConfig.responseMimeType")],
        r#"{"type":"json_schema","schema":{"type":"object"}}"#,
        "",
    ),
    row(
        "output_config.task_budget",
        [LeftOut, LeftOut, Passed, LeftOut],
        r#"{"type":"tokens","total":9}"#,
        "",
    ),
    row(
        "output_format",
        [As("response_format"), As("response_format"), Passed, As("generationConfig.responseMimeType")],
        r#"{"type":"json_schema","schema":{"type":"object"}}"#,
        "older form",
    ),
    row(
        "tools",
        [As("tools"), As("tools"), Passed, As("tools")],
        r#"[{"name":"f","input_schema":{"type":"object"}}]"#,
        "see below",
    ),
    row(
        "tool_choice",
        [As("tool_choice"), As("tool_choice"), Passed, As("toolConfig")],
        r#"{"type":"tool","name":"f"}"#,
        "one that forces a tool which is left out is refused; `disable_parallel_tool_use` is left out for Gemini",
    ),
    row(
        "service_tier",
        [As("service_tier"), Passed, Passed, Elsewhere],
        r#""standard_only""#,
        "`default` in OpenAI's words, which is what holds anyway with Gemini",
    ),
    row("speed", [LeftOut, LeftOut, Passed, LeftOut], r#""fast""#, ""),
    row(
        "betas",
        [LeftOut, LeftOut, Passed, LeftOut],
        r#"["x"]"#,
        "the header `anthropic-beta` goes to Anthropic alone",
    ),
    row(
        "cache_control",
        [LeftOut, LeftOut, Passed, LeftOut],
        r#"{"type":"ephemeral"}"#,
        "others cache by themselves; marks on blocks and tools are dropped with it",
    ),
    row(
        "context_management",
        [LeftOut, LeftOut, Passed, LeftOut],
        r#"{"edits":[{"type":"clear_thinking_20251015"}]}"#,
        "thoughts are not carried in any case",
    ),
    row(
        "container",
        [LeftOut, LeftOut, Passed, LeftOut],
        r#""container_1""#,
        "belongs to tools that Anthropic runs",
    ),
    row(
        "mcp_servers",
        [LeftOut, LeftOut, Passed, LeftOut],
        r#"[{"type":"url","url":"https://example.com","name":"s"}]"#,
        "Anthropic calls them",
    ),
    row("diagnostics", [LeftOut, LeftOut, Passed, LeftOut], r#"{"previous_message_id":"msg_1"}"#, ""),
    row("fallbacks", [LeftOut, LeftOut, Passed, LeftOut], r#"[{"model":"m"}]"#, "the ladder does that"),
    row("fallback_credit_token", [LeftOut, LeftOut, Passed, LeftOut], r#""t""#, ""),
    row("user_profile_id", [LeftOut, LeftOut, Passed, LeftOut], r#""u""#, ""),
    row("workspace_id", [LeftOut, LeftOut, Passed, LeftOut], r#""w""#, ""),
    row("inference_geo", [Refused, Refused, Passed, Refused], r#""us""#, "where it is to run is a demand"),
    row(
        "billing_policy",
        [Refused, Refused, Passed, Refused],
        r#"{"type":"billing_policy","bill_to":"user_profile"}"#,
        "who pays is a demand",
    ),
    row(
        "compaction",
        [Refused, Refused, Passed, Refused],
        r#"{"instructions":"x"}"#,
        "asks for something else than an answer",
    ),
    row(
        "thread",
        [Refused, Refused, Passed, Refused],
        r#"{"type":"create"}"#,
        "the conversation would lie with Anthropic; refused in the words by which Anthropic's libraries send all of it instead",
    ),
];

const TOOLS: &[Kind] = &[
    kind(
        "custom",
        As(""),
        r#"{"type":"custom","name":"f","input_schema":{"type":"object"}}"#,
        "a function; with `defer_loading` offered from the start",
    ),
    kind(
        "bash_*",
        As(""),
        r#"{"type":"bash_20250124","name":"bash"}"#,
        "a function with Anthropic's parameters",
    ),
    kind(
        "text_editor_*",
        As(""),
        r#"{"type":"text_editor_20250728","name":"str_replace_based_edit_tool"}"#,
        "a function with Anthropic's parameters",
    ),
    kind(
        "memory_*",
        As(""),
        r#"{"type":"memory_20250818","name":"memory"}"#,
        "a function with Anthropic's parameters",
    ),
    kind(
        "computer_*",
        As(""),
        r#"{"type":"computer_20250124","name":"computer","display_width_px":9,"display_height_px":9}"#,
        "a function with Anthropic's parameters",
    ),
    kind(
        "web_search_*",
        LeftOut,
        r#"{"type":"web_search_20250305","name":"web_search"}"#,
        "Anthropic runs it",
    ),
    kind("web_fetch_*", LeftOut, r#"{"type":"web_fetch_20250910","name":"web_fetch"}"#, "Anthropic runs it"),
    kind(
        "code_execution_*",
        LeftOut,
        r#"{"type":"code_execution_20250825","name":"code_execution"}"#,
        "Anthropic runs it",
    ),
    kind(
        "tool_search_tool_*",
        LeftOut,
        r#"{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}"#,
        "Anthropic runs it; the tools it would find are offered from the start",
    ),
    kind(
        "advisor_*",
        LeftOut,
        r#"{"type":"advisor_20260301","name":"advisor","model":"m"}"#,
        "Anthropic runs it",
    ),
    kind("mcp_toolset", LeftOut, r#"{"type":"mcp_toolset","mcp_server_name":"s"}"#, "Anthropic runs it"),
    kind(
        "browser_toolset_*",
        LeftOut,
        r#"{"type":"browser_toolset_20260801"}"#,
        "only Anthropic's models know it",
    ),
    kind(
        "computer_toolset_*",
        LeftOut,
        r#"{"type":"computer_toolset_20260801"}"#,
        "only Anthropic's models know it",
    ),
];

const CONTENT: &[Kind] = &[
    kind("text", As(""), r#"{"type":"text","text":"x"}"#, "text"),
    kind(
        "image",
        As(""),
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}"#,
        "a picture; by its address refused for Gemini, by a file's id refused",
    ),
    kind(
        "document",
        As(""),
        r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}"#,
        "a document, or text",
    ),
    kind(
        "search_result",
        As(""),
        r#"{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}]}"#,
        "text",
    ),
    kind("tool_use", As(""), r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#, "a call"),
    kind(
        "tool_result",
        As(""),
        r#"{"type":"tool_result","tool_use_id":"t","content":"x"}"#,
        "a result; pictures in it follow in the user's turn where a result holds text alone",
    ),
    kind(
        "tool_reference",
        As(""),
        r#"{"type":"tool_reference","tool_name":"f"}"#,
        "text that names the tool",
    ),
    kind("compaction", As(""), r#"{"type":"compaction","content":"x"}"#, "text"),
    kind(
        "mcp_tool_use",
        As(""),
        r#"{"type":"mcp_tool_use","id":"t","name":"f","server_name":"s","input":{}}"#,
        "text",
    ),
    kind(
        "mcp_tool_result",
        As(""),
        r#"{"type":"mcp_tool_result","tool_use_id":"t","content":[{"type":"text","text":"x"}]}"#,
        "text",
    ),
    kind(
        "thinking",
        LeftOut,
        r#"{"type":"thinking","thinking":"x","signature":"s"}"#,
        "only the model that had a thought can read it",
    ),
    kind(
        "redacted_thinking",
        LeftOut,
        r#"{"type":"redacted_thinking","data":"x"}"#,
        "only the model that had a thought can read it",
    ),
    kind(
        "server_tool_use",
        LeftOut,
        r#"{"type":"server_tool_use","id":"t","name":"web_search","input":{}}"#,
        "what it found stands in the answer after it",
    ),
    kind(
        "web_search_tool_result",
        LeftOut,
        r#"{"type":"web_search_tool_result","tool_use_id":"t","content":[]}"#,
        "what it found stands in the answer after it",
    ),
    kind(
        "web_fetch_tool_result",
        LeftOut,
        r#"{"type":"web_fetch_tool_result","tool_use_id":"t","content":{}}"#,
        "what it found stands in the answer after it",
    ),
    kind(
        "code_execution_tool_result",
        LeftOut,
        r#"{"type":"code_execution_tool_result","tool_use_id":"t","content":{}}"#,
        "what it gave stands in the answer after it",
    ),
    kind(
        "bash_code_execution_tool_result",
        LeftOut,
        r#"{"type":"bash_code_execution_tool_result","tool_use_id":"t","content":{}}"#,
        "what it gave stands in the answer after it",
    ),
    kind(
        "text_editor_code_execution_tool_result",
        LeftOut,
        r#"{"type":"text_editor_code_execution_tool_result","tool_use_id":"t","content":{}}"#,
        "what it gave stands in the answer after it",
    ),
    kind(
        "tool_search_tool_result",
        LeftOut,
        r#"{"type":"tool_search_tool_result","tool_use_id":"t","content":{}}"#,
        "the tools are offered from the start",
    ),
    kind(
        "advisor_tool_result",
        LeftOut,
        r#"{"type":"advisor_tool_result","tool_use_id":"t","content":{}}"#,
        "what it said stands in the answer after it",
    ),
    kind(
        "mcp_tool_listing",
        LeftOut,
        r#"{"type":"mcp_tool_listing","tools":[]}"#,
        "tools that Anthropic runs",
    ),
    kind(
        "container_upload",
        LeftOut,
        r#"{"type":"container_upload","file_id":"f"}"#,
        "belongs to tools that Anthropic runs",
    ),
    kind(
        "tool_addition",
        LeftOut,
        r#"{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}"#,
        "every tool of the request is offered",
    ),
    kind(
        "tool_removal",
        LeftOut,
        r#"{"type":"tool_removal","tool":{"type":"tool_reference","name":"f"}}"#,
        "every tool of the request is offered",
    ),
    kind("fallback", LeftOut, r#"{"type":"fallback"}"#, "says which model of Anthropic's wrote"),
];
