//! Requests for Anthropic's messages.

use super::row::{Kind, Row, Table};
use crate::wire::Dialect;

pub(super) const TABLE: Table =
    Table { from: Dialect::AnthropicMessages, fields: &[FIELDS], tools: TOOLS, content: CONTENT };

/// Messages go to messages as they are; the third column says so.
const FIELDS: &[Row] = rows! {
    "model" ["model" "model" = ~] r#""m""#, "the provider's own name for it; for Gemini in the address";
    "messages" ["messages" "messages" = "contents"] r#"[{"role":"user","content":"x"}]"#, "a message of role `system` stays in its place, see below";
    "system" ["messages" "messages" = "systemInstruction"] r#""Be brief.""#, "the system prompt";
    "stream" [= = = ~] "true", "for Gemini in the address";
    "max_tokens" ["max_completion_tokens|max_tokens" = = "generationConfig.maxOutputTokens"] "9999";
    "temperature" [= = = "generationConfig.temperature"] "0.5";
    "top_p" [= = = "generationConfig.topP"] "0.9";
    "top_k" [= - = "generationConfig.topK"] "7", "OpenAI's own models refuse it: left out for them";
    "stop_sequences" ["stop" "stop" = "generationConfig.stopSequences"] r#"["END"]"#;
    "seed" [= "random_seed" = "generationConfig.seed"] "7", "not Anthropic's own";
    "presence_penalty" [= = = "generationConfig.presencePenalty"] "0.5", "not Anthropic's own";
    "frequency_penalty" [= = = "generationConfig.frequencyPenalty"] "0.5", "not Anthropic's own";
    "metadata" ["user" - = -] r#"{"user_id":"u-1"}"#, "a `user_id` longer than OpenAI's 64 characters goes as its SHA-256";
    "thinking" ["reasoning_effort" - = "generationConfig.thinkingConfig"] r#"{"type":"enabled","budget_tokens":2048}"#, "left out and told for models that cannot be told";
    "output_config.effort" ["reasoning_effort" - = "generationConfig.thinkingConfig"] r#""low""#, "left out and told for models that cannot be told";
    "output_config.format" ["response_format" "response_format" = "generationConfig.responseMimeType"] r#"{"type":"json_schema","schema":{"type":"object"}}"#;
    "output_config.task_budget" [- - = -] r#"{"type":"tokens","total":9}"#;
    "output_format" ["response_format" "response_format" = "generationConfig.responseMimeType"] r#"{"type":"json_schema","schema":{"type":"object"}}"#, "older form";
    "tools" ["tools" "tools" = "tools"] r#"[{"name":"f","input_schema":{"type":"object"}}]"#, "see below";
    "tool_choice" ["tool_choice" "tool_choice" = "toolConfig"] r#"{"type":"tool","name":"f"}"#, "one that forces a tool which is left out is refused; `disable_parallel_tool_use` is left out for Gemini";
    "service_tier" ["service_tier" = = ~] r#""standard_only""#, "`default` in OpenAI's words, which is what holds anyway with Gemini";
    "speed" [- - = -] r#""fast""#;
    "betas" [- - = -] r#"["x"]"#, "the header `anthropic-beta` goes to Anthropic alone";
    "cache_control" [- - = -] r#"{"type":"ephemeral"}"#, "others cache by themselves; marks on blocks and tools are dropped with it";
    "context_management" [- - = -] r#"{"edits":[{"type":"clear_thinking_20251015"}]}"#, "thoughts are not carried in any case";
    "container" [- - = -] r#""container_1""#, "belongs to tools that Anthropic runs";
    "mcp_servers" [- - = -] r#"[{"type":"url","url":"https://example.com","name":"s"}]"#, "Anthropic calls them";
    "diagnostics" [- - = -] r#"{"previous_message_id":"msg_1"}"#;
    "fallbacks" [- - = -] r#"[{"model":"m"}]"#, "the ladder does that";
    "fallback_credit_token" [- - = -] r#""t""#;
    "user_profile_id" [- - = -] r#""u""#;
    "workspace_id" [- - = -] r#""w""#;
    "inference_geo" [! ! = !] r#""us""#, "where it is to run is a demand";
    "billing_policy" [! ! = !] r#"{"type":"billing_policy","bill_to":"user_profile"}"#, "who pays is a demand";
    "compaction" [! ! = !] r#"{"instructions":"x"}"#, "asks for something else than an answer";
    "thread" [! ! = !] r#"{"type":"create"}"#, "the conversation would lie with Anthropic; refused in the words by which Anthropic's libraries send all of it instead";
};

const TOOLS: &[Kind] = kinds! {
    "custom" = r#"{"type":"custom","name":"f","input_schema":{"type":"object"}}"#, "a function; with `defer_loading` offered from the start";
    "bash_*" = r#"{"type":"bash_20250124","name":"bash"}"#, "a function with Anthropic's parameters";
    "text_editor_*" = r#"{"type":"text_editor_20250728","name":"str_replace_based_edit_tool"}"#, "a function with Anthropic's parameters";
    "memory_*" = r#"{"type":"memory_20250818","name":"memory"}"#, "a function with Anthropic's parameters";
    "computer_*" = r#"{"type":"computer_20250124","name":"computer","display_width_px":9,"display_height_px":9}"#, "a function with Anthropic's parameters";
    "web_search_*" - r#"{"type":"web_search_20250305","name":"web_search"}"#, "Anthropic runs it";
    "web_fetch_*" - r#"{"type":"web_fetch_20250910","name":"web_fetch"}"#, "Anthropic runs it";
    "code_execution_*" - r#"{"type":"code_execution_20250825","name":"code_execution"}"#, "Anthropic runs it";
    "tool_search_tool_*" - r#"{"type":"tool_search_tool_regex_20251119","name":"tool_search_tool_regex"}"#, "Anthropic runs it; the tools it would find are offered from the start";
    "advisor_*" - r#"{"type":"advisor_20260301","name":"advisor","model":"m"}"#, "Anthropic runs it";
    "mcp_toolset" - r#"{"type":"mcp_toolset","mcp_server_name":"s"}"#, "Anthropic runs it";
    "browser_toolset_*" - r#"{"type":"browser_toolset_20260801"}"#, "only Anthropic's models know it";
    "computer_toolset_*" - r#"{"type":"computer_toolset_20260801"}"#, "only Anthropic's models know it";
};

const CONTENT: &[Kind] = kinds! {
    "text" = r#"{"type":"text","text":"x"}"#, "text";
    "image" = r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA"}}"#, "a picture; by its address refused for Gemini, by a file's id refused";
    "document" = r#"{"type":"document","source":{"type":"text","media_type":"text/plain","data":"x"}}"#, "a document, or text";
    "search_result" = r#"{"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"x"}]}"#, "text";
    "tool_use" = r#"{"type":"tool_use","id":"t","name":"f","input":{}}"#, "a call";
    "tool_result" = r#"{"type":"tool_result","tool_use_id":"t","content":"x"}"#, "a result; pictures in it follow in the user's turn where a result holds text alone";
    "tool_reference" = r#"{"type":"tool_reference","tool_name":"f"}"#, "text that names the tool";
    "compaction" = r#"{"type":"compaction","content":"x"}"#, "text";
    "mcp_tool_use" = r#"{"type":"mcp_tool_use","id":"t","name":"f","server_name":"s","input":{}}"#, "text";
    "mcp_tool_result" = r#"{"type":"mcp_tool_result","tool_use_id":"t","content":[{"type":"text","text":"x"}]}"#, "text";
    "thinking" - r#"{"type":"thinking","thinking":"x","signature":"s"}"#, "only the model that had a thought can read it";
    "redacted_thinking" - r#"{"type":"redacted_thinking","data":"x"}"#, "only the model that had a thought can read it";
    "server_tool_use" - r#"{"type":"server_tool_use","id":"t","name":"web_search","input":{}}"#, "what it found stands in the answer after it";
    "web_search_tool_result" - r#"{"type":"web_search_tool_result","tool_use_id":"t","content":[]}"#, "what it found stands in the answer after it";
    "web_fetch_tool_result" - r#"{"type":"web_fetch_tool_result","tool_use_id":"t","content":{}}"#, "what it found stands in the answer after it";
    "code_execution_tool_result" - r#"{"type":"code_execution_tool_result","tool_use_id":"t","content":{}}"#, "what it gave stands in the answer after it";
    "bash_code_execution_tool_result" - r#"{"type":"bash_code_execution_tool_result","tool_use_id":"t","content":{}}"#, "what it gave stands in the answer after it";
    "text_editor_code_execution_tool_result" - r#"{"type":"text_editor_code_execution_tool_result","tool_use_id":"t","content":{}}"#, "what it gave stands in the answer after it";
    "tool_search_tool_result" - r#"{"type":"tool_search_tool_result","tool_use_id":"t","content":{}}"#, "the tools are offered from the start";
    "advisor_tool_result" - r#"{"type":"advisor_tool_result","tool_use_id":"t","content":{}}"#, "what it said stands in the answer after it";
    "mcp_tool_listing" - r#"{"type":"mcp_tool_listing","tools":[]}"#, "tools that Anthropic runs";
    "container_upload" - r#"{"type":"container_upload","file_id":"f"}"#, "belongs to tools that Anthropic runs";
    "tool_addition" - r#"{"type":"tool_addition","tool":{"type":"tool_reference","name":"f"}}"#, "every tool of the request is offered";
    "tool_removal" - r#"{"type":"tool_removal","tool":{"type":"tool_reference","name":"f"}}"#, "every tool of the request is offered";
    "fallback" - r#"{"type":"fallback"}"#, "says which model of Anthropic's wrote";
};
