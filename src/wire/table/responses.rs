//! Requests for responses.

use super::openai::{SAMPLING, SERVICE};
use super::row::{Kind, Row, Table};
use crate::wire::Dialect;

pub(super) const TABLE: Table = Table {
    from: Dialect::OpenAiResponses,
    fields: &[FIELDS, SAMPLING, SERVICE],
    tools: TOOLS,
    content: CONTENT,
};

const FIELDS: &[Row] = rows! {
    "model" ["model" "model" "model" ~] r#""m""#, "the provider's own name for it; for Gemini in the address";
    "input" ["messages" "messages" "messages" "contents"] r#""x""#, "see below";
    "instructions" ["messages" "messages" "system" "systemInstruction"] r#""Be brief.""#, "the system prompt";
    "stream_options" [~ ~ ~ ~] r#"{"include_obfuscation":false}"#, "nothing of the gateway's is padded";
    "max_output_tokens" ["max_completion_tokens|max_tokens" "max_tokens" "max_tokens" "generationConfig.maxOutputTokens"] "9999";
    "top_logprobs" [= - - "generationConfig.logprobs"] "2", "with `logprobs: true`, which chat wants beside it";
    "include" ["logprobs" - - "generationConfig.responseLogprobs"] r#"["message.output_text.logprobs"]"#, "logprobs are asked for; all else is extras of tools that OpenAI runs";
    "tools" ["tools" "tools" "tools" "tools"] r#"[{"type":"function","name":"f"}]"#, "see below";
    "tool_choice" ["tool_choice" "tool_choice" "tool_choice" "toolConfig"] r#"{"type":"function","name":"f"}"#, "`allowed_tools` offers those tools alone; one that forces a tool which is left out is refused";
    "max_tool_calls" [- - - -] "3", "counts calls of tools that OpenAI runs";
    "reasoning.effort" ["reasoning_effort" - "output_config.effort|thinking" "generationConfig.thinkingConfig"] r#""low""#, "left out and told for models that cannot be told";
    "reasoning.summary" [- - ~ "generationConfig.thinkingConfig.includeThoughts"] r#""auto""#, "thoughts that a model tells come as a summary in any case; models of Anthropic's that keep them are asked for them wherever they are told to think";
    "reasoning.generate_summary" [- - ~ "generationConfig.thinkingConfig.includeThoughts"] r#""auto""#, "older name of `summary`";
    "reasoning.context" [- - - -] r#""all_turns""#;
    "text.format" ["response_format" "response_format" "output_config.format|system" "generationConfig.responseMimeType"] r#"{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object","properties":{},"additionalProperties":false}}"#, "`json_object` becomes an instruction for Anthropic, and so does a schema for models without structured outputs";
    "text.verbosity" ["verbosity" - - -] r#""low""#;
    "store" [= - - -] "true", "nothing is stored here, whatever it says";
    "metadata" [= = - -] r#"{"a":"b"}"#, "the answer repeats it in any case";
    "truncation" [- - - -] r#""auto""#, "a prompt that is too long fails, and the next rung is asked";
    "client_metadata" [- - - -] r#"{"a":"b"}"#;
    "context_management" [- - - -] r#"[{"type":"compaction"}]"#;
    "access_programs" [- - - -] r#"{"cyber":true}"#;
    "background_options" [- - - -] r#"{"completion_window":"24h"}"#;
    "image" [- - - -] r#"{"context_compression":"auto"}"#;
    "background" [! ! ! !] "true", "nobody would keep the answer";
    "conversation" [! ! ! !] r#""conv_1""#, "lies with OpenAI";
    "previous_response_id" [! ! ! !] r#""resp_1""#, "lies with OpenAI";
    "prompt" [! ! ! !] r#"{"id":"pmpt_1"}"#, "lies with OpenAI";
};

const TOOLS: &[Kind] = kinds! {
    "function" = r#"{"type":"function","name":"f","parameters":{"type":"object"}}"#, "a function; with `defer_loading` offered from the start";
    "custom" = r#"{"type":"custom","name":"f","format":{"type":"grammar","syntax":"lark","definition":"start: /x/"}}"#, "a function with one text, `input`; the grammar stands in its description; called, it is a `custom_tool_call` again";
    "namespace" = r#"{"type":"namespace","name":"n","description":"d","tools":[{"type":"function","name":"f"}]}"#, "its tools, as functions named NAMESPACE__NAME; called, they have their namespace again";
    "local_shell" = r#"{"type":"local_shell"}"#, "a function; called, a `local_shell_call`";
    "shell" = r#"{"type":"shell","environment":{"type":"local"}}"#, "a function; called, a `shell_call`; in a container of OpenAI's left out";
    "apply_patch" = r#"{"type":"apply_patch"}"#, "a function; called, an `apply_patch_call`";
    "tool_search" = r#"{"type":"tool_search","execution":"client"}"#, "executed by the client a function; by OpenAI left out, and the tools it would find are offered from the start";
    "web_search" - r#"{"type":"web_search"}"#, "OpenAI runs it";
    "web_search_preview" - r#"{"type":"web_search_preview"}"#, "OpenAI runs it";
    "file_search" - r#"{"type":"file_search","vector_store_ids":["v"]}"#, "OpenAI runs it";
    "code_interpreter" - r#"{"type":"code_interpreter","container":{"type":"auto"}}"#, "OpenAI runs it";
    "image_generation" - r#"{"type":"image_generation"}"#, "OpenAI runs it";
    "mcp" - r#"{"type":"mcp","server_label":"s","server_url":"https://example.com"}"#, "OpenAI runs it";
    "computer" - r#"{"type":"computer"}"#, "only OpenAI's models know it";
    "computer_use_preview" - r#"{"type":"computer_use_preview","display_width":9,"display_height":9,"environment":"mac"}"#, "only OpenAI's models know it";
    "programmatic_tool_calling" - r#"{"type":"programmatic_tool_calling"}"#, "OpenAI runs it";
};

const CONTENT: &[Kind] = kinds! {
    "message" = r#"{"type":"message","role":"user","content":"x"}"#, "a message; developer and system as in chat";
    "function_call" = r#"{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}"#, "a call";
    "function_call_output" = r#"{"type":"function_call_output","call_id":"c","output":"x"}"#, "a result";
    "custom_tool_call" = r#"{"type":"custom_tool_call","call_id":"c","name":"f","input":"x"}"#, "a call";
    "custom_tool_call_output" = r#"{"type":"custom_tool_call_output","call_id":"c","output":"x"}"#, "a result";
    "local_shell_call" = r#"{"type":"local_shell_call","id":"i","call_id":"c","action":{"type":"exec","command":["ls"],"env":{}}}"#, "a call";
    "local_shell_call_output" = r#"{"type":"local_shell_call_output","call_id":"c","output":"{}"}"#, "a result";
    "shell_call" = r#"{"type":"shell_call","call_id":"c","action":{"commands":["ls"]}}"#, "a call";
    "shell_call_output" = r#"{"type":"shell_call_output","call_id":"c","output":[{"stdout":"a","stderr":"","outcome":{"type":"exit","exit_code":0}}]}"#, "a result";
    "apply_patch_call" = r#"{"type":"apply_patch_call","call_id":"c","operation":{"type":"delete_file","path":"a"},"status":"completed"}"#, "a call";
    "apply_patch_call_output" = r#"{"type":"apply_patch_call_output","call_id":"c","status":"completed","output":"x"}"#, "a result";
    "tool_search_call" = r#"{"type":"tool_search_call","call_id":"c","execution":"client","arguments":{"query":"x"}}"#, "a call; one that OpenAI executed is left out";
    "tool_search_output" = r#"{"type":"tool_search_output","call_id":"c","execution":"client","tools":[]}"#, "a result, and its tools are offered from then on";
    "additional_tools" = r#"{"type":"additional_tools","role":"developer","tools":[{"type":"function","name":"g"}]}"#, "tools of the request";
    "mcp_call" = r#"{"type":"mcp_call","id":"m","server_label":"s","name":"f","arguments":"{}","output":"x"}"#, "a call and its result";
    "reasoning" - r#"{"type":"reasoning","id":"r","summary":[]}"#, "only the model that had a thought can read it";
    "web_search_call" - r#"{"type":"web_search_call","id":"w","status":"completed"}"#, "what it found stands in the answer after it";
    "file_search_call" - r#"{"type":"file_search_call","id":"w","status":"completed","queries":[]}"#, "what it found stands in the answer after it";
    "code_interpreter_call" - r#"{"type":"code_interpreter_call","id":"w","status":"completed","code":"1"}"#, "what it gave stands in the answer after it";
    "image_generation_call" - r#"{"type":"image_generation_call","id":"w","status":"completed","result":"AA"}"#, "a model's own turn can hold no picture elsewhere";
    "mcp_list_tools" - r#"{"type":"mcp_list_tools","id":"m","server_label":"s","tools":[]}"#, "tools that OpenAI runs";
    "mcp_approval_request" - r#"{"type":"mcp_approval_request","id":"m","server_label":"s","name":"f","arguments":"{}"}"#, "tools that OpenAI runs";
    "mcp_approval_response" - r#"{"type":"mcp_approval_response","approval_request_id":"m","approve":true}"#, "tools that OpenAI runs";
    "configuration_update" - r#"{"type":"configuration_update"}"#;
    "program" - r#"{"type":"program","id":"p"}"#, "OpenAI runs it";
    "program_output" - r#"{"type":"program_output","id":"p"}"#, "OpenAI runs it";
    "compaction" - r#"{"type":"compaction","encrypted_content":"x"}"#, "stands for earlier turns, and only OpenAI can read it";
    "compaction_trigger" ! r#"{"type":"compaction_trigger"}"#, "asks for something else than an answer";
    "item_reference" ! r#"{"type":"item_reference","id":"i"}"#, "lies with OpenAI";
    "computer_call" ! r#"{"type":"computer_call","id":"i","call_id":"c"}"#, "only OpenAI's models know it";
    "computer_call_output" ! r#"{"type":"computer_call_output","call_id":"c","output":{}}"#, "only OpenAI's models know it";
};
