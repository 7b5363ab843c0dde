//! Requests in Gemini's form.

use super::Fate::{As, Elsewhere, LeftOut, Passed, Refused};
use super::{Kind, Row, Table, kind, row};
use crate::wire::Dialect;

pub(super) const TABLE: Table =
    Table { from: Dialect::Gemini, fields: &[FIELDS], tools: TOOLS, content: CONTENT };

/// Gemini goes to Gemini as it is; the last column says so.
const FIELDS: &[Row] = &[
    row(
        "contents",
        [As("messages"), As("messages"), As("messages"), Passed],
        r#"[{"role":"user","parts":[{"text":"x"}]}]"#,
        "calls without an id get one; a result without one goes to the first call of its name",
    ),
    row(
        "systemInstruction",
        [As("messages"), As("messages"), As("system"), Passed],
        r#"{"parts":[{"text":"x"}]}"#,
        "",
    ),
    row(
        "tools",
        [As("tools"), As("tools"), As("tools"), Passed],
        r#"[{"functionDeclarations":[{"name":"f"}]}]"#,
        "see below",
    ),
    row(
        "toolConfig",
        [As("tool_choice"), As("tool_choice"), As("tool_choice"), Passed],
        r#"{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}"#,
        "several allowed names offer those functions alone",
    ),
    row(
        "safetySettings",
        [LeftOut, LeftOut, LeftOut, Passed],
        r#"[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]"#,
        "a filter that Google runs",
    ),
    row(
        "cachedContent",
        [Refused, Refused, Refused, Passed],
        r#""cachedContents/x""#,
        "a part of the prompt that lies with Google",
    ),
    row("labels", [LeftOut, LeftOut, LeftOut, Passed], r#"{"a":"b"}"#, ""),
    row("store", [LeftOut, LeftOut, LeftOut, Passed], "true", ""),
    row("serviceTier", [As("service_tier"), LeftOut, LeftOut, Passed], r#""flex""#, ""),
    row(
        "model",
        [As("model"), As("model"), As("model"), Passed],
        r#""models/m""#,
        "the one that the address names",
    ),
    row("generationConfig", [Elsewhere, Elsewhere, Elsewhere, Passed], "{}", "member by member"),
    row(
        "generationConfig.maxOutputTokens",
        [As("max_tokens|max_completion_tokens"), As("max_tokens"), As("max_tokens"), Passed],
        "99",
        "",
    ),
    row(
        "generationConfig.temperature",
        [As("temperature"), As("temperature"), As("temperature"), Passed],
        "0.5",
        "",
    ),
    row("generationConfig.topP", [As("top_p"), As("top_p"), As("top_p"), Passed], "0.9", ""),
    row("generationConfig.topK", [As("top_k"), LeftOut, As("top_k"), Passed], "7", ""),
    row(
        "generationConfig.stopSequences",
        [As("stop"), As("stop"), As("stop_sequences"), Passed],
        r#"["END"]"#,
        "",
    ),
    row("generationConfig.seed", [As("seed"), As("random_seed"), LeftOut, Passed], "7", ""),
    row(
        "generationConfig.presencePenalty",
        [As("presence_penalty"), As("presence_penalty"), LeftOut, Passed],
        "0.5",
        "",
    ),
    row(
        "generationConfig.frequencyPenalty",
        [As("frequency_penalty"), As("frequency_penalty"), LeftOut, Passed],
        "0.5",
        "",
    ),
    row(
        "generationConfig.candidateCount",
        [As("n"), As("n"), Refused, Passed],
        "2",
        "Anthropic gives one answer to a request: send one for each",
    ),
    row(
        "generationConfig.responseMimeType",
        [As("response_format"), As("response_format"), As("system"), Passed],
        r#""application/json""#,
        "with an enum of plain texts refused",
    ),
    row(
        "generationConfig.responseSchema",
        [As("response_format"), As("response_format"), As("output_config.format|system"), Passed],
        r#"{"type":"OBJECT","properties":{}}"#,
        "put into JSON Schema",
    ),
    row(
        "generationConfig.responseJsonSchema",
        [As("response_format"), As("response_format"), As("output_config.format|system"), Passed],
        r#"{"type":"object","properties":{},"additionalProperties":false}"#,
        "",
    ),
    row(
        "generationConfig.thinkingConfig",
        [As("reasoning_effort"), LeftOut, As("output_config.effort|thinking"), Passed],
        r#"{"thinkingBudget":2048}"#,
        "left out for models that cannot be told",
    ),
    row(
        "generationConfig.responseLogprobs",
        [As("logprobs"), LeftOut, LeftOut, Passed],
        "true",
        "the answer has none where nobody tells them",
    ),
    row("generationConfig.logprobs", [As("top_logprobs"), LeftOut, LeftOut, Passed], "2", ""),
    row(
        "generationConfig.responseModalities",
        [Refused, Refused, Refused, Passed],
        r#"["TEXT","AUDIO"]"#,
        "text alone is what holds anyway",
    ),
    row(
        "generationConfig.speechConfig",
        [Refused, Refused, Refused, Passed],
        r#"{"languageCode":"de-DE"}"#,
        "",
    ),
    row("generationConfig.imageConfig", [Refused, Refused, Refused, Passed], r#"{"aspectRatio":"1:1"}"#, ""),
    row(
        "generationConfig.mediaResolution",
        [LeftOut, LeftOut, LeftOut, Passed],
        r#""MEDIA_RESOLUTION_LOW""#,
        "",
    ),
    row("generationConfig.audioTimestamp", [LeftOut, LeftOut, LeftOut, Passed], "true", ""),
    row("generationConfig.enableEnhancedCivicAnswers", [LeftOut, LeftOut, LeftOut, Passed], "true", ""),
];

const TOOLS: &[Kind] = &[
    kind(
        "functionDeclarations",
        As(""),
        r#"{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}"#,
        "functions; `parameters` is put into JSON Schema",
    ),
    kind("googleSearch", LeftOut, r#"{"googleSearch":{}}"#, "a search that Google runs"),
    kind("googleSearchRetrieval", LeftOut, r#"{"googleSearchRetrieval":{}}"#, "the same, older"),
    kind("urlContext", LeftOut, r#"{"urlContext":{}}"#, "pages that Google fetches"),
    kind("googleMaps", LeftOut, r#"{"googleMaps":{}}"#, ""),
    kind("codeExecution", LeftOut, r#"{"codeExecution":{}}"#, "code that Google runs"),
    kind(
        "fileSearch",
        LeftOut,
        r#"{"fileSearch":{"fileSearchStoreNames":["x"]}}"#,
        "files that lie with Google",
    ),
    kind("retrieval", LeftOut, r#"{"retrieval":{}}"#, ""),
    kind("enterpriseWebSearch", LeftOut, r#"{"enterpriseWebSearch":{}}"#, ""),
    kind("computerUse", Refused, r#"{"computerUse":{}}"#, "the answer would be steps that nobody else knows"),
];

const CONTENT: &[Kind] = &[
    kind("text", As(""), r#"{"text":"x"}"#, "text; thoughts of earlier turns are kept from other models"),
    kind(
        "inlineData",
        As(""),
        r#"{"inlineData":{"mimeType":"image/png","data":"AA=="}}"#,
        "a picture or a document; sound and film are refused",
    ),
    kind(
        "fileData",
        As(""),
        r#"{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/a.png"}}"#,
        "by its address; refused where it lies with Google",
    ),
    kind("functionCall", As(""), r#"{"functionCall":{"name":"f","args":{}}}"#, "a call"),
    kind(
        "functionResponse",
        As(""),
        r#"{"functionResponse":{"name":"f","response":{"output":"x"}}}"#,
        "its result; `error` alone makes it a failed one",
    ),
    kind(
        "executableCode",
        LeftOut,
        r#"{"executableCode":{"language":"PYTHON","code":"1"}}"#,
        "what Google ran",
    ),
    kind(
        "codeExecutionResult",
        LeftOut,
        r#"{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}}"#,
        "and what came out",
    ),
];
