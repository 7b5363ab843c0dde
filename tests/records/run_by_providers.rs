//! Tools that a provider ran are billed, whether or not its usage says so: no cost that leaves them out is called known.

use pointsman::config::prices::builtin;

use super::billed::{check, costs};

fn message(blocks: &str, more: &str) -> String {
    format!(
        r#"{{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[{blocks}],"stop_reason":"end_turn","usage":{{"input_tokens":1000,"output_tokens":100{more}}}}}"#
    )
}

const SEARCHED: &str = r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result"}]},{"type":"text","text":"x"}"#;
const RUN: &str = r#"{"type":"server_tool_use","id":"s","name":"bash_code_execution","input":{}},{"type":"bash_code_execution_tool_result","tool_use_id":"s","content":{"type":"bash_code_execution_result"}}"#;

#[test]
fn a_command_in_a_container_is_never_a_known_cost() {
    let response = |items: &str, tools: &str| {
        format!(
            r#"{{"id":"r","object":"response","created_at":1777629600,"model":"gpt-4.1","status":"completed","output":[{items}],"tools":[{tools}],"usage":{{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}}}}"#
        )
    };
    let call = |place: &str| {
        format!(r#"{{"type":"shell_call","status":"completed","action":{{"commands":["ls"]}}{place}}}"#)
    };
    let cites = |kind: &str| {
        format!(
            r#"{{"type":"message","content":[{{"type":"output_text","text":"x","annotations":[{{"type":"{kind}"}}]}}]}}"#
        )
    };
    let hosted = r#"{"type":"shell","environment":{"type":"container_auto"}}"#;
    let local = r#"{"type":"shell","environment":{"type":"local"}}"#;
    let in_one = call(r#","environment":{"type":"container_reference","container_id":"c"}"#);
    check(
        response,
        &[
            (&in_one, hosted, "about 0.0328"),
            (&in_one, "", "about 0.0328"),
            (&call(r#","environment":null"#), hosted, "about 0.0328"),
            (&format!("{in_one},{in_one}"), hosted, "about 0.0328"),
            (&call(r#","environment":{"type":"local"}"#), local, "known 0.0028"),
            (&call(""), local, "known 0.0028"),
            // Files out of a container, and pages that were found, show what ran.
            (&cites("container_file_citation"), "", "about 0.0328"),
            (&cites("url_citation"), "", "about 0.0128"),
            (&cites("file_citation"), "", "known 0.0028"),
            (
                &format!(
                    r#"{{"type":"web_search_call","action":{{"type":"search"}}}},{}"#,
                    cites("url_citation")
                ),
                "",
                "known 0.0128",
            ),
        ],
    );
}

#[test]
fn blocks_of_a_message_that_usage_does_not_count_are_no_known_cost() {
    check(
        message,
        &[
            (r#"{"type":"text","text":"x"}"#, "", "known 0.0045"),
            (SEARCHED, "", "about 0.0145"),
            (SEARCHED, r#","server_tool_use":null"#, "about 0.0145"),
            (SEARCHED, r#","server_tool_use":{"web_search_requests":1}"#, "known 0.0145"),
            (RUN, "", "no_meter"),
            (RUN, r#","server_tool_use":{"web_search_requests":0}"#, "no_meter"),
        ],
    );
    let stream = |block: &str, _: &str| {
        format!(
            "data: {{\"type\":\"message_start\",\"message\":{{\"id\":\"m\",\"model\":\"claude-sonnet-4-6\",\"usage\":{{\"input_tokens\":1000,\"output_tokens\":1}}}}}}\n\n\
             data: {{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{block}}}\n\n\
             data: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"}},\"usage\":{{\"output_tokens\":100}}}}\n\n\
             data: {{\"type\":\"message_stop\"}}\n\n"
        )
    };
    check(
        stream,
        &[
            (r#"{"type":"text","text":""}"#, "", "known 0.0045"),
            (r#"{"type":"server_tool_use","name":"web_search"}"#, "", "about 0.0145"),
            (r#"{"type":"code_execution_tool_result","content":{}}"#, "", "no_meter"),
        ],
    );
    let placed = |container: &str, _: &str| {
        stream(r#"{"type":"text","text":""}"#, "").replace(
            r#""stop_reason":"end_turn""#,
            &format!(r#""stop_reason":"end_turn","container":{container}"#),
        )
    };
    check(placed, &[(r#"{"id":"c"}"#, "", "no_meter"), ("null", "", "known 0.0045")]);
    // As a gateway's row keeps it.
    let row = |blocks: &str, _: &str| {
        format!(
            r#"{{"request_id":"r","call_type":"acompletion","api_key":"h","startTime":"2026-05-01T10:00:00Z","model":"claude-sonnet-4-6","custom_llm_provider":"anthropic","prompt_tokens":1000,"completion_tokens":100,"response":{}}}"#,
            message(blocks, "")
        )
    };
    check(row, &[(SEARCHED, "", "about 0.0145"), (RUN, "", "no_meter")]);
}

#[test]
fn sources_of_a_gemini_answer_and_kinds_that_nobody_knows_are_no_known_cost() {
    let gemini = |grounding: &str, usage: &str| {
        format!(
            r#"{{"candidates":[{{"finishReason":"STOP"{grounding}}}],"modelVersion":"gemini-2.5-flash","usageMetadata":{{"promptTokenCount":1000,"candidatesTokenCount":100,"totalTokenCount":1100{usage}}}}}"#
        )
    };
    let on = |sources: &str| format!(r#","groundingMetadata":{{{sources}}}"#);
    check(
        gemini,
        &[
            ("", "", "known 0.00055"),
            (&on(r#""groundingChunks":[{"maps":{"placeId":"p"}}]"#), "", "no_meter"),
            (&on(r#""groundingChunks":[{"web":{"uri":"u"}}]"#), "", "no_meter"),
            (&on(r#""groundingChunks":[{"retrievedContext":{"title":"t"}}]"#), "", "about 0.00055"),
            ("", r#","promptTokensDetails":[{"modality":"TEXT","tokenCount":1000}]"#, "known 0.00055"),
            ("", r#","promptTokensDetails":[{"modality":"VIDEO","tokenCount":900}]"#, "known 0.00055"),
            ("", r#","promptTokensDetails":[{"modality":"SMELL","tokenCount":900}]"#, "no_meter"),
            ("", r#","candidatesTokensDetails":[{"modality":"VIDEO","tokenCount":90}]"#, "no_meter"),
            ("", r#","candidatesTokensDetails":[{"modality":"SMELL","tokenCount":90}]"#, "no_meter"),
        ],
    );
    let stream = format!(
        "data: {}\n\ndata: {}\n\n",
        r#"{"candidates":[{"content":{"parts":[{"text":"x"}]},"groundingMetadata":{"groundingChunks":[{"maps":{}}]}}]}"#,
        gemini("", "")
    );
    let told = costs(&builtin("list").unwrap(), &stream);
    assert_eq!(told, (vec!["no_meter".to_owned()], "maps_grounding 1".to_owned()));
    let odd = gemini("", r#","promptTokensDetails":[{"modality":"SMELL","tokenCount":900}]"#);
    assert_eq!(costs(&builtin("list").unwrap(), &odd).1, "smell_tokens 900");
}

#[test]
fn what_openrouter_charged_for_searches_is_no_known_cost() {
    let row = |more: &str, _: &str| {
        format!(
            r#"{{"data":{{"id":"gen-1","created_at":"2026-05-23T10:00:02Z","model":"openai/gpt-4.1","native_tokens_prompt":1000,"native_tokens_completion":100{more}}}}}"#
        )
    };
    check(
        row,
        &[
            ("", "", "known 0.0028"),
            (r#","usage_web":0,"usage_file":null"#, "", "known 0.0028"),
            (r#","usage_web":0.02"#, "", "no_meter"),
            (r#","usage_web":"0.02","num_search_results":5"#, "", "no_meter"),
            (r#","usage_file":0.002"#, "", "no_meter"),
            (r#","num_fetches":2"#, "", "no_meter"),
        ],
    );
    check(
        super::billed::chat,
        &[
            (
                r#""prompt_tokens":1000,"completion_tokens":100,"cost_details":{"upstream_inference_cost":0.1}"#,
                "",
                "known 0.0028",
            ),
            (
                r#""prompt_tokens":1000,"completion_tokens":100,"cost_details":{"web_search":0.02}"#,
                "",
                "no_meter",
            ),
        ],
    );
}

/// Perplexity and xAI name the pages that an answer rests on beside its choices.
#[test]
fn pages_beside_the_choices_of_chat_show_a_search() {
    let whole = |beside: &str, _: &str| {
        format!(
            r#"{{"id":"c","object":"chat.completion","created":1777629600,"model":"gpt-4.1","choices":[{{"index":0,"message":{{"role":"assistant","content":"x"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}{beside}}}"#
        )
    };
    let stream = |beside: &str, _: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1777629600,\"model\":\"gpt-4.1\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"x\"}},\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":1000,\"completion_tokens\":100,\"total_tokens\":1100}}{beside}}}\n\n\
             data: [DONE]\n\n"
        )
    };
    let rows = [
        ("", "", "known 0.0028"),
        (r#","citations":["https://a"]"#, "", "about 0.0128"),
        (r#","search_results":[{"url":"https://a"}]"#, "", "about 0.0128"),
        (r#","citations":[]"#, "", "known 0.0028"),
    ];
    check(whole, &rows);
    check(stream, &rows);
}
