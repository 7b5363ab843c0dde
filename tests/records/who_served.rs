//! Whoever names another host, region or tier anywhere in a row keeps the list price from being called known.

use pointsman::config::prices::builtin;

use super::billed::{PLAIN, chat, costs};
use super::counted::{document, span};

fn litellm(more: &str) -> String {
    format!(
        r#"{{"request_id":"r","call_type":"acompletion","api_key":"k","startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","custom_llm_provider":"openai",{PLAIN}{more}}}"#
    )
}

fn helicone(more: &str) -> String {
    format!(
        r#"{{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","response_status":200,"response_model":"gpt-4.1","provider":"OPENAI",{PLAIN}{more}}}"#
    )
}

fn called(key: &str, value: &str) -> String {
    let plain = [
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.request.model", "gpt-4.1"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.usage.input_tokens", "1000"),
        ("gen_ai.usage.output_tokens", "100"),
    ];
    document(&[span("01", "", "x", &[&plain[..], &[(key, value)]].concat())])
}

#[test]
fn an_address_tells_who_served_in_every_format_that_has_one() {
    let book = builtin("list").unwrap();
    for (address, want) in [
        ("https://api.openai.com/v1/chat/completions", "known 0.0028"),
        ("https://eu.api.openai.com/v1", "about 0.0028"),
        ("http://localhost:8000/v1", "about 0.0028"),
        ("https://my.openai.azure.com/openai/deployments/x/chat/completions", "no_price"),
        ("https://api.groq.com/openai/v1", "no_price"),
    ] {
        for log in [
            litellm(&format!(r#","api_base":"{address}""#)),
            litellm(&format!(r#","metadata":{{"hidden_params":{{"api_base":"{address}"}}}}"#)),
            litellm(&format!(r#","hidden_params":{{"api_base":"{address}"}},"response_cost":0.0028"#)),
            helicone(&format!(r#","target_url":"{address}""#)),
            helicone(&format!(r#","request_path":"{address}""#)),
            called("server.address", address),
            called("url.full", address),
            format!(
                r#"{{"id":"g","traceId":"t","type":"GENERATION","startTime":"2026-05-01T10:00:00Z","providedModelName":"gpt-4.1","usageDetails":{{"input":1000,"output":100}},"metadata":{{"attributes":{{"server.address":"{address}"}}}}}}"#
            ),
        ] {
            assert_eq!(costs(&book, &log).0, [want], "{log}");
        }
    }
    for log in [
        called("azure.resource_provider.namespace", "Microsoft.CognitiveServices"),
        litellm(r#","metadata":{"hidden_params":{"litellm_model_name":"azure/gpt-4.1"}}"#),
        chat(PLAIN, r#","prompt_filter_results":[{"prompt_index":0}]"#),
        chat(PLAIN, r#","system_fingerprint":"fp_ollama""#),
        helicone(&format!(r#","response_body":{}"#, chat(PLAIN, r#","prompt_filter_results":[]"#))),
    ] {
        assert_eq!(costs(&book, &log).0, ["no_price"], "{log}");
    }
}

#[test]
fn the_name_of_an_answer_tells_the_cloud_that_gave_it() {
    let book = builtin("list").unwrap();
    let usage = r#""usage":{"input_tokens":1000,"output_tokens":100}"#;
    for (id, want) in [
        ("msg_01abcdefghijklmnopqr", "known 0.0015"),
        ("msg_bdrk_01abcdefghijk", "no_price"),
        ("msg_vrtx_01abcdefghijk", "no_price"),
    ] {
        let message = format!(
            r#"{{"id":"{id}","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{{"type":"text","text":"ok"}}],"stop_reason":"end_turn",{usage}}}"#
        );
        for log in [
            message.clone(),
            format!(
                r#"{{"parentUuid":null,"sessionId":"s","type":"assistant","timestamp":"2026-05-01T10:00:00Z","requestId":"r","uuid":"u","isSidechain":false,"message":{message}}}"#
            ),
            format!(
                r#"{{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","response_status":200,"response_model":"claude-haiku-4-5","provider":"ANTHROPIC","prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,"response_body":{message}}}"#
            ),
        ] {
            assert_eq!(costs(&book, &log).0, [want], "{log}");
        }
    }
}

#[test]
fn a_tier_that_was_asked_for_counts_unless_the_answer_tells_another() {
    let book = builtin("list").unwrap();
    let answer = |more: &str| chat(PLAIN, more);
    for (more, want) in [
        (r#","request_body":{"service_tier":"flex"}"#.to_owned(), "about 0.0028"),
        (r#","request_body":"{\"service_tier\":\"flex\"}""#.to_owned(), "about 0.0028"),
        (r#","request_body":{"service_tier":"auto"}"#.to_owned(), "known 0.0028"),
        (
            format!(
                r#","request_body":{{"service_tier":"flex"}},"response_body":{}"#,
                answer(r#","service_tier":"default""#)
            ),
            "known 0.0028",
        ),
    ] {
        assert_eq!(costs(&book, &helicone(&more)).0, [want], "{more}");
    }
    let litellm = litellm(r#","proxy_server_request":{"body":{"service_tier":"flex"}}"#);
    assert_eq!(costs(&book, &litellm).0, ["about 0.0028"]);
    let tensorzero = r#"{"id":"r","model_name":"gpt-4.1","model_provider_name":"openai","input_tokens":1000,"output_tokens":100,"timestamp":"2026-05-01T10:00:00Z","cached":false,"raw_request":"{\"service_tier\":\"flex\"}"}"#;
    assert_eq!(costs(&book, tensorzero).0, ["about 0.0028"]);
}
