//! What becomes of each kind of content of an answer on its way to a client of another dialect.

use super::row::{AnswerRow, Answers, Fate};
use crate::wire::Dialect::{self, AnthropicMessages, Gemini, OpenAiChat, OpenAiCompletions, OpenAiResponses};
use crate::wire::cited::Basis;

/// The clients' dialects, in the order of the columns.
pub const CLIENTS: [Dialect; 5] = [OpenAiChat, OpenAiResponses, AnthropicMessages, Gemini, OpenAiCompletions];

/// Every provider's dialect that is translated from.
pub const ANSWERS: [Answers; 3] = [
    Answers { from: OpenAiChat, rows: CHAT },
    Answers { from: AnthropicMessages, rows: MESSAGES },
    Answers { from: Gemini, rows: GEMINI },
];

/// Where pictures go.
const PICTURES: [Fate; 5] = fates!("images" "image_generation_call" "image" "inlineData" -);

/// Says whether a client's dialect has a place for a picture in an answer.
pub(in crate::wire) fn has_pictures(to: Dialect) -> bool {
    is_placed(&PICTURES, to)
}

/// Where citations go, by what they name: a page, a file with the provider, a document.
const PAGE: [Fate; 5] =
    fates!("url_citation" "url_citation" "web_search_result_location" "groundingChunks" -);
const FILE: [Fate; 5] = fates!(- "file_citation" - "retrievedContext" -);
const DOCUMENT: [Fate; 5] = fates!(- - - "retrievedContext" -);

/// Says whether a client's dialect has a place for a citation that names such a thing.
pub(in crate::wire) fn has_citations(basis: Basis, to: Dialect) -> bool {
    is_placed(
        match basis {
            Basis::Page => &PAGE,
            Basis::File => &FILE,
            Basis::Document => &DOCUMENT,
            Basis::Nothing => &NONE,
        },
        to,
    )
}

/// Says whether a client's dialect has a place, by what becomes of something with each.
fn is_placed(fates: &[Fate; 5], to: Dialect) -> bool {
    let column = CLIENTS.iter().position(|client| *client == to);
    column.and_then(|column| fates.get(column)).is_some_and(|fate| *fate != Fate::LeftOut)
}

/// Reads rows: the kind, what becomes of it with each client, a sample with `MARK` in it, and a note.
macro_rules! answers {
    ($($kind:literal $fates:expr, $sample:literal $(, $note:literal)?;)*) => {
        &[$(AnswerRow { kind: $kind, fates: $fates, sample: $sample, note: concat!($($note)?) }),*]
    };
}

const TEXT: [Fate; 5] = fates!("content" "output_text" "text" "text" "text");
const REFUSAL: [Fate; 5] = fates!("refusal" "refusal" "text" "text" "text");
const THOUGHT: [Fate; 5] = fates!("reasoning_content" "reasoning" "thinking" ~ ~);
const CALL: [Fate; 5] = fates!("tool_calls" "function_call" "tool_use" "functionCall" ~);
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
    "url_citation" PAGE, r#"{"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":2,"title":"t","url":"https://example.com/MARK"}}]}"#, "one of `annotations`; `citations` and `search_results` beside the choices, as Perplexity and xAI have them, likewise";
    "file_citation" FILE, r#"{"annotations":[{"type":"file_citation","file_citation":{"file_id":"MARK","filename":"f"}}]}"#;
    "file" NONE, r#"{"annotations":[{"type":"file","file":{"hash":"MARK"}}]}"#, "what OpenRouter read of a file; so is any other annotation";
};

/// Blocks of a message.
const MESSAGES: &[AnswerRow] = answers! {
    "text" TEXT, r#"{"type":"text","text":"MARK"}"#;
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
    "web_search_result_location" PAGE, r#"{"type":"text","text":"","citations":[{"type":"web_search_result_location","url":"https://example.com/MARK","title":"t","cited_text":"q","encrypted_index":"e"}]}"#, "a citation of a text; so are the next";
    "search_result_location" PAGE, r#"{"type":"text","text":"","citations":[{"type":"search_result_location","source":"https://example.com/MARK","title":"t","cited_text":"q","search_result_index":0,"start_block_index":0,"end_block_index":1}]}"#, "where its source is no address as `char_location`";
    "char_location" DOCUMENT, r#"{"type":"text","text":"","citations":[{"type":"char_location","cited_text":"MARK","document_index":0,"document_title":"t","start_char_index":0,"end_char_index":4,"file_id":null}]}"#, "where it names a file of Anthropic's, as `file_citation` in responses; so are the next";
    "page_location" DOCUMENT, r#"{"type":"text","text":"","citations":[{"type":"page_location","cited_text":"MARK","document_index":0,"document_title":null,"start_page_number":1,"end_page_number":2}]}"#;
    "content_block_location" DOCUMENT, r#"{"type":"text","text":"","citations":[{"type":"content_block_location","cited_text":"MARK","document_index":0,"document_title":"t","start_block_index":0,"end_block_index":1}]}"#;
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
    "groundingMetadata" PAGE, r#"{"groundingMetadata":{"groundingChunks":[{"web":{"uri":"https://example.com/MARK","title":"t"}}],"groundingSupports":[{"segment":{"endIndex":2},"groundingChunkIndices":[0]}]}}"#, "beside the content: `groundingChunks`, each with the stretches that rest on it; those without an address are left out";
    "citationMetadata" PAGE, r#"{"citationMetadata":{"citationSources":[{"startIndex":0,"endIndex":2,"uri":"https://example.com/MARK"}]}}"#, "beside the content: what the answer repeats";
    "searchEntryPoint" NONE, r#"{"groundingMetadata":{"searchEntryPoint":{"renderedContent":"MARK"}}}"#, "Google's terms want it shown beside a grounded answer";
    "urlContextMetadata" NONE, r#"{"urlContextMetadata":{"urlMetadata":[{"retrievedUrl":"https://example.com/MARK"}]}}"#, "the pages that Google fetched";
    "codeExecutionResult" NONE, r#"{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"MARK"}}"#, "and what came out";
};
