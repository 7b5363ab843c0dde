//! Requests in Gemini's form.

use super::row::{Kind, Row, Table};
use crate::wire::Dialect;

pub(super) const TABLE: Table =
    Table { from: Dialect::Gemini, fields: &[FIELDS], tools: TOOLS, content: CONTENT };

/// Gemini goes to Gemini as it is; the last column says so.
const FIELDS: &[Row] = rows! {
    "contents" ["messages" "messages" "messages" =] r#"[{"role":"user","parts":[{"text":"x"}]}]"#, "calls without an id get one; a result without one goes to the first call of its name";
    "systemInstruction" ["messages" "messages" "system" =] r#"{"parts":[{"text":"x"}]}"#;
    "tools" ["tools" "tools" "tools" =] r#"[{"functionDeclarations":[{"name":"f"}]}]"#, "see below";
    "toolConfig" ["tool_choice" "tool_choice" "tool_choice" =] r#"{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}}"#, "several allowed names offer those functions alone";
    "safetySettings" [- - - =] r#"[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}]"#, "a filter that Google runs";
    "cachedContent" [! ! ! =] r#""cachedContents/x""#, "a part of the prompt that lies with Google";
    "labels" [- - - =] r#"{"a":"b"}"#;
    "store" [- - - =] "true";
    "serviceTier" ["service_tier" - - =] r#""flex""#;
    "model" ["model" "model" "model" =] r#""models/m""#, "the one that the address names";
    "generationConfig" [~ ~ ~ =] "{}", "member by member";
    "generationConfig.maxOutputTokens" ["max_tokens|max_completion_tokens" "max_tokens" "max_tokens" =] "99";
    "generationConfig.temperature" ["temperature" "temperature" "temperature" =] "0.5";
    "generationConfig.topP" ["top_p" "top_p" "top_p" =] "0.9";
    "generationConfig.topK" ["top_k" - "top_k" =] "7";
    "generationConfig.stopSequences" ["stop" "stop" "stop_sequences" =] r#"["END"]"#, "such as are blank are left out and told for Anthropic, which refuses them";
    "generationConfig.seed" ["seed" "random_seed" - =] "7";
    "generationConfig.presencePenalty" ["presence_penalty" "presence_penalty" - =] "0.5";
    "generationConfig.frequencyPenalty" ["frequency_penalty" "frequency_penalty" - =] "0.5";
    "generationConfig.candidateCount" ["n" "n" ! =] "2", "Anthropic gives one answer to a request: send one for each";
    "generationConfig.responseMimeType" ["response_format" "response_format" "system" =] r#""application/json""#, "with an enum of plain texts refused";
    "generationConfig.responseSchema" ["response_format" "response_format" "output_config.format|system" =] r#"{"type":"OBJECT","properties":{}}"#, "put into JSON Schema";
    "generationConfig.responseJsonSchema" ["response_format" "response_format" "output_config.format|system" =] r#"{"type":"object","properties":{},"additionalProperties":false}"#;
    "generationConfig.thinkingConfig" ["reasoning_effort" - "output_config.effort|thinking" =] r#"{"thinkingBudget":2048}"#, "left out for models that cannot be told";
    "generationConfig.responseLogprobs" ["logprobs" - - =] "true", "the answer has none where nobody tells them";
    "generationConfig.logprobs" ["top_logprobs" - - =] "2";
    "generationConfig.routingConfig" [- - - -] r#"{"manualMode":{"modelName":"m"}}"#, "the ladder does that";
    "generationConfig.modelSelectionConfig" [- - - -] r#"{"featureSelectionPreference":"BALANCED"}"#;
    "generationConfig.responseModalities" [! ! ! =] r#"["TEXT","AUDIO"]"#, "text alone is what holds anyway";
    "generationConfig.speechConfig" [! ! ! =] r#"{"languageCode":"de-DE"}"#;
    "generationConfig.imageConfig" [! ! ! =] r#"{"aspectRatio":"1:1"}"#;
    "generationConfig.mediaResolution" [- - - =] r#""MEDIA_RESOLUTION_LOW""#;
    "generationConfig.audioTimestamp" [- - - =] "true";
    "generationConfig.enableEnhancedCivicAnswers" [- - - =] "true";
};

const TOOLS: &[Kind] = kinds! {
    "functionDeclarations" = r#"{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}"#, "functions; `parameters` is put into JSON Schema";
    "googleSearch" - r#"{"googleSearch":{}}"#, "a search that Google runs";
    "googleSearchRetrieval" - r#"{"googleSearchRetrieval":{}}"#, "the same, older";
    "urlContext" - r#"{"urlContext":{}}"#, "pages that Google fetches";
    "googleMaps" - r#"{"googleMaps":{}}"#;
    "codeExecution" - r#"{"codeExecution":{}}"#, "code that Google runs";
    "fileSearch" - r#"{"fileSearch":{"fileSearchStoreNames":["x"]}}"#, "files that lie with Google";
    "retrieval" - r#"{"retrieval":{}}"#;
    "enterpriseWebSearch" - r#"{"enterpriseWebSearch":{}}"#;
    "computerUse" ! r#"{"computerUse":{}}"#, "the answer would be steps that nobody else knows";
};

const CONTENT: &[Kind] = kinds! {
    "text" = r#"{"text":"x"}"#, "text; thoughts of earlier turns are kept from other models";
    "inlineData" = r#"{"inlineData":{"mimeType":"image/png","data":"AA=="}}"#, "a picture or a document, one of text as text; sound and film are refused";
    "fileData" = r#"{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/a.png"}}"#, "by its address; refused where it lies with Google";
    "functionCall" = r#"{"functionCall":{"name":"f","args":{}}}"#, "a call";
    "functionResponse" = r#"{"functionResponse":{"name":"f","response":{"output":"x"}}}"#, "its result; `error` alone makes it a failed one";
    "executableCode" - r#"{"executableCode":{"language":"PYTHON","code":"1"}}"#, "what Google ran";
    "codeExecutionResult" - r#"{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}}"#, "and what came out";
};
