//! What becomes of each kind of content of an answer on its way to a client of another dialect.

use super::row::{AnswerRow, Answers, Fate};
use crate::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiCompletions, OpenAiResponses};

/// The clients' dialects, in the order of the columns.
pub const CLIENTS: [Dialect; 5] = [OpenAiChat, OpenAiResponses, AnthropicMessages, Gemini, OpenAiCompletions];

/// Every provider's dialect that is translated from.
pub const ANSWERS: [Answers; 3] = [
    Answers { from: OpenAiChat, rows: CHAT },
    Answers { from: AnthropicMessages, rows: MESSAGES },
    Answers { from: Gemini, rows: GEMINI },
];

/// Where pictures go.
const PICTURES: [Fate; 5] = [
    Fate::As("images"),
    Fate::As("image_generation_call"),
    Fate::As("image"),
    Fate::As("inlineData"),
    Fate::LeftOut,
];

/// Says whether a client's dialect has a place for a picture in an answer.
pub(in crate::wire) fn has_pictures(to: Dialect) -> bool {
    let column = CLIENTS.iter().position(|client| *client == to);
    column.and_then(|column| PICTURES.get(column)).is_some_and(|fate| *fate != Fate::LeftOut)
}

/// Reads rows: the kind, what becomes of it with each client, a sample with `MARK` in it, and a note.
macro_rules! answers {
    ($($kind:literal $fates:expr, $sample:literal $(, $note:literal)?;)*) => {
        &[$(AnswerRow { kind: $kind, fates: $fates, sample: $sample, note: concat!($($note)?) }),*]
    };
}

const TEXT: [Fate; 5] =
    [Fate::As("content"), Fate::As("output_text"), Fate::As("text"), Fate::As("text"), Fate::As("text")];
const REFUSAL: [Fate; 5] =
    [Fate::As("refusal"), Fate::As("refusal"), Fate::As("text"), Fate::As("text"), Fate::As("text")];
const THOUGHT: [Fate; 5] = [
    Fate::As("reasoning_content"),
    Fate::As("reasoning"),
    Fate::As("thinking"),
    Fate::Elsewhere,
    Fate::Elsewhere,
];
const CALL: [Fate; 5] = [
    Fate::As("tool_calls"),
    Fate::As("function_call"),
    Fate::As("tool_use"),
    Fate::As("functionCall"),
    Fate::Elsewhere,
];
const NONE: [Fate; 5] = [Fate::LeftOut; 5];
const HIDDEN: [Fate; 5] = [Fate::Elsewhere; 5];

/// Members of a message.
const CHAT: &[AnswerRow] = answers! {
    "content" TEXT, r#"{"content":"MARK"}"#;
    "refusal" REFUSAL, r#"{"refusal":"MARK"}"#;
    "reasoning_content" THOUGHT, r#"{"reasoning_content":"MARK"}"#, "`reasoning` likewise; to Gemini's clients where they ask for thoughts";
    "tool_calls" CALL, r#"{"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":\"MARK\"}"}}]}"#;
    "function_call" CALL, r#"{"function_call":{"name":"f","arguments":"{\"a\":\"MARK\"}"}}"#, "older form of `tool_calls`";
    "picture" PICTURES, r#"{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,MARK"}}]}"#, "`images`, as OpenRouter has them, or a part of the content";
    "image_url" NONE, r#"{"images":[{"type":"image_url","image_url":{"url":"https://example.com/MARK.png"}}]}"#, "a picture by its address";
    "audio" NONE, r#"{"audio":{"id":"a","data":"MARK"}}"#;
};

/// Blocks of a message.
const MESSAGES: &[AnswerRow] = answers! {
    "text" TEXT, r#"{"type":"text","text":"MARK"}"#, "without its citations";
    "thinking" THOUGHT, r#"{"type":"thinking","thinking":"MARK","signature":"s"}"#, "to Gemini's clients where they ask for thoughts";
    "redacted_thinking" HIDDEN, r#"{"type":"redacted_thinking","data":"MARK"}"#, "nobody but Anthropic can read it";
    "tool_use" CALL, r#"{"type":"tool_use","id":"c","name":"f","input":{"a":"MARK"}}"#;
    "server_tool_use" NONE, r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"MARK"}}"#, "a tool that Anthropic ran; so are the next";
    "web_search_tool_result" NONE, r#"{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","title":"MARK","url":"https://example.com"}]}"#;
    "web_fetch_tool_result" NONE, r#"{"type":"web_fetch_tool_result","tool_use_id":"s","content":{"type":"web_fetch_result","url":"MARK"}}"#;
    "code_execution_tool_result" NONE, r#"{"type":"code_execution_tool_result","tool_use_id":"s","content":{"stdout":"MARK"}}"#;
    "bash_code_execution_tool_result" NONE, r#"{"type":"bash_code_execution_tool_result","tool_use_id":"s","content":{"stdout":"MARK"}}"#;
    "text_editor_code_execution_tool_result" NONE, r#"{"type":"text_editor_code_execution_tool_result","tool_use_id":"s","content":{"stdout":"MARK"}}"#;
    "tool_search_tool_result" NONE, r#"{"type":"tool_search_tool_result","tool_use_id":"s","content":{"tool":"MARK"}}"#;
    "advisor_tool_result" NONE, r#"{"type":"advisor_tool_result","tool_use_id":"s","content":{"text":"MARK"}}"#;
    "mcp_tool_use" NONE, r#"{"type":"mcp_tool_use","id":"s","name":"MARK","server_name":"x","input":{}}"#;
    "mcp_tool_result" NONE, r#"{"type":"mcp_tool_result","tool_use_id":"s","content":[{"type":"text","text":"MARK"}]}"#;
    "container_upload" NONE, r#"{"type":"container_upload","file_id":"MARK"}"#;
    "compaction" NONE, r#"{"type":"compaction","content":"MARK"}"#;
    "fallback" NONE, r#"{"type":"fallback","model":"MARK"}"#;
};

/// Parts of a candidate.
const GEMINI: &[AnswerRow] = answers! {
    "text" TEXT, r#"{"text":"MARK"}"#;
    "thought" THOUGHT, r#"{"text":"MARK","thought":true}"#;
    "functionCall" CALL, r#"{"functionCall":{"name":"f","args":{"a":"MARK"}}}"#;
    "picture" PICTURES, r#"{"inlineData":{"mimeType":"image/png","data":"MARK"}}"#, "`inlineData` of a picture";
    "inlineData" NONE, r#"{"inlineData":{"mimeType":"audio/wav","data":"MARK"}}"#, "sound, film and anything else";
    "fileData" NONE, r#"{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/MARK"}}"#, "lies with Google";
    "executableCode" NONE, r#"{"executableCode":{"language":"PYTHON","code":"MARK"}}"#, "what Google ran";
    "codeExecutionResult" NONE, r#"{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"MARK"}}"#, "and what came out";
};
