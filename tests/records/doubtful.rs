//! What a row leaves open, contradicts or writes in the manner of another language: never refused for it, never called known.

use pointsman::config::prices::builtin;
use pointsman::record::{Input, ReadOptions, open};

use super::billed::{chat, check, costs};

fn span(operation: &str, more: &[(&str, u64)]) -> String {
    let counts: Vec<_> = more
        .iter()
        .map(|(key, count)| format!(r#",{{"key":"{key}","value":{{"intValue":"{count}"}}}}"#))
        .collect();
    let counts = counts.concat();
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"aa","spanId":"01","startTimeUnixNano":"1777629600000000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"{operation}"}}}},{{"key":"gen_ai.system","value":{{"stringValue":"openai"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4.1"}}}}{counts}]}}]}}]}}]}}"#
    )
}

#[test]
fn spans_of_other_operations_are_requests_whose_cost_tokens_do_not_tell() {
    let book = builtin("list").unwrap();
    let used = [("gen_ai.usage.input_tokens", 1000), ("gen_ai.usage.output_tokens", 100)];
    for (operation, counts, want) in [
        ("chat", &used[..], &["known 0.0028"][..]),
        ("image_generation", &[][..], &["no_usage"]),
        ("image_generation", &used, &["no_meter"]),
        ("text_to_speech", &used, &["no_meter"]),
        ("rerank", &used, &["no_meter"]),
        ("invoke_agent", &used, &["about 0.0028"]),
        ("invoke_agent", &[], &[]),
        ("execute_tool", &used, &[]),
        ("create_agent", &[], &[]),
        ("something_new", &[], &[]),
    ] {
        assert_eq!(costs(&book, &span(operation, counts)).0, want, "{operation} {counts:?}");
    }
}

#[test]
fn a_running_total_of_codex_that_jumps_makes_up_for_what_is_missing() {
    let line = |total: u64, last: u64, cached: u64| {
        format!(
            r#"{{"timestamp":"2026-05-23T10:00:00Z","type":"event_msg","payload":{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{total},"output_tokens":{}}},"last_token_usage":{{"input_tokens":{last},"cached_input_tokens":{cached},"output_tokens":10}}}}}}}}"#,
            total / 100
        )
    };
    let log = |lines: &[String]| {
        let head = r#"{"timestamp":"2026-05-23T10:00:00Z","type":"session_meta","payload":{"id":"s"}}
{"timestamp":"2026-05-23T10:00:00Z","type":"turn_context","payload":{"model":"gpt-4.1"}}"#;
        format!("{head}\n{}\n", lines.join("\n"))
    };
    let book = builtin("list").unwrap();
    let even = log(&[line(1000, 1000, 0), line(2000, 1000, 0)]);
    assert_eq!(costs(&book, &even).0, ["known 0.00208", "known 0.00208"]);
    let jump = log(&[line(1000, 1000, 0), line(3000, 1000, 0)]);
    assert_eq!(costs(&book, &jump).0, ["known 0.00208", "about 0.00416"]);
    // More cached than the prompt that it is part of cannot be.
    let odd = log(&[line(1000, 1000, 5000)]);
    assert!(costs(&book, &odd).0[0].starts_with("about "), "{:?}", costs(&book, &odd));
}

#[test]
fn more_cached_than_prompt_is_no_known_cost_where_it_is_part_of_it() {
    check(
        chat,
        &[
            (
                r#""prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":2000}"#,
                "",
                "about 0.0038",
            ),
            (
                r#""prompt_tokens":1000,"completion_tokens":100,"total_tokens":3100,"prompt_tokens_details":{"cached_tokens":2000}"#,
                "",
                "known 0.0038",
            ),
        ],
    );
}

#[test]
fn long_writes_without_any_price_of_writes_are_not_known() {
    check(
        |model, bucket| {
            format!(
                r#"{{"at":"2026-05-23T10:00:00Z","model":"{model}","in":1000,"{bucket}":1000,"out":100}}"#
            )
        },
        &[
            ("gpt-4.1", "write_1h", "no_price"),
            ("gpt-4.1", "write_5m", "about 0.0048"),
            ("claude-sonnet-4-6", "write_1h", "known 0.0105"),
        ],
    );
}

/// PHP writes an empty list where others write an empty object, and some write empty text or `false`.
#[test]
fn what_is_empty_refuses_no_line() {
    let plain = r#""prompt_tokens":1000,"completion_tokens":100"#;
    for empty in ["[]", "{}", "\"\"", "null", "false"] {
        for key in ["prompt_tokens_details", "completion_tokens_details", "cache_creation", "server_tool_use"]
        {
            check(chat, &[(&format!(r#"{plain},"{key}":{empty}"#), "", "known 0.0028")]);
        }
        let whole = chat(plain, "").replace(r#"[{"index":0,"message":{"content":"hi"}}]"#, empty);
        check(|_, _| whole.clone(), &[("", "", "known 0.0028")]);
        let silent = chat(plain, "").replace(&format!("{{{plain}}}"), empty);
        check(|_, _| silent.clone(), &[("", "", "no_usage")]);
        let message = |key: &str, _: &str| {
            format!(
                r#"{{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":"end_turn","usage":{{"input_tokens":1000,"output_tokens":100,"{key}":{empty}}}}}"#
            )
        };
        let keys = ["cache_creation", "server_tool_use", "output_tokens_details", "iterations"];
        for key in keys {
            check(message, &[(key, "", "known 0.0045")]);
        }
        let gemini = |key: &str, _: &str| {
            format!(
                r#"{{"candidates":[{{"finishReason":"STOP","groundingMetadata":{empty}}}],"modelVersion":"gemini-2.5-flash","usageMetadata":{{"promptTokenCount":1000,"candidatesTokenCount":100,"totalTokenCount":1100,"{key}":{empty}}}}}"#
            )
        };
        let keys = ["promptTokensDetails", "candidatesTokensDetails", "cacheTokensDetails"];
        for key in keys {
            check(gemini, &[(key, "", "known 0.00055")]);
        }
    }
}

#[test]
fn exports_tell_tiers_unknown_counts_and_models_in_their_own_way() {
    let langfuse = |metadata: &str, _: &str| {
        format!(
            r#"{{"id":"o","traceId":"t","type":"GENERATION","startTime":"2026-05-23T10:00:00Z","model":"gpt-4.1","usageDetails":{{"input":1000,"output":100,"total":1100}},"metadata":{metadata}}}"#
        )
    };
    check(
        langfuse,
        &[
            ("{}", "", "known 0.0028"),
            (r#"{"service_tier":"priority"}"#, "", "known 0.0049"),
            (r#""{\"service_tier\":\"priority\"}""#, "", "known 0.0049"),
            (r#"{"attributes":{"openai.response.service_tier":"priority"}}"#, "", "known 0.0049"),
            (r#""only words of service_tier""#, "", "known 0.0028"),
        ],
    );
    let helicone = |counts: &str, _: &str| {
        format!(
            r#"{{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","response_model":"gpt-4.1","provider":"OPENAI",{counts}}}"#
        )
    };
    check(
        helicone,
        &[
            (r#""prompt_tokens":1000,"completion_tokens":100"#, "", "known 0.0028"),
            (r#""prompt_tokens":-1,"completion_tokens":-1,"total_tokens":-1"#, "", "no_usage"),
            (r#""prompt_tokens":"-1","completion_tokens":100"#, "", "no_usage"),
            (
                r#""prompt_tokens":1000,"completion_tokens":100,"prompt_cache_read_tokens":-1"#,
                "",
                "about 0.0028",
            ),
        ],
    );
    let tensorzero = |name: &str, provider: &str| {
        format!(
            r#"{{"id":"t","model_name":"{name}","model_provider_name":"{provider}","input_tokens":1000,"output_tokens":100,"timestamp":"2026-05-01T10:00:00Z"}}"#
        )
    };
    check(
        tensorzero,
        &[
            ("openai::gpt-4.1", "openai", "known 0.0028"),
            ("openai::gpt-4.1", "", "known 0.0028"),
            ("tensorzero::model_name::openai::gpt-4.1", "openai", "known 0.0028"),
            ("azure::gpt-4.1", "azure", "no_price"),
        ],
    );
}

#[test]
fn a_value_that_does_not_fit_is_told_in_plain_words() {
    for (line, want) in [
        (
            r#"{"at":"2026-05-23T10:00:00Z","model":"m","in":5,"out":5,"turn":"x"}"#,
            r#"turn: "x" stands where a whole number is due"#,
        ),
        (
            r#"{"at":"2026-05-23T10:00:00Z","model":"m","attempts":5}"#,
            "attempts: `5` stands where a list is due",
        ),
        (
            &chat(r#""prompt_tokens":1000,"completion_tokens":true"#, ""),
            "completion_tokens: `true` stands where a whole number",
        ),
        (
            &chat(r#""prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":[7]"#, ""),
            "prompt_tokens_details: a list stands where an object is due",
        ),
    ] {
        let mut told = String::new();
        let log = format!(
            "{}\n{line}\n",
            line.replace(r#""turn":"x""#, r#""turn":1"#).replace(r#""attempts":5"#, r#""in":1"#)
        );
        open(&Input::bytes("log", log.into_bytes()), &ReadOptions::default())
            .unwrap()
            .for_each(|_, _, entry| {
                if let Err(skip) = entry {
                    told.clone_from(&skip.reason);
                }
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        assert!(told.starts_with(want), "{line}: {told}");
        assert!(!told.contains("struct") && !told.contains("expected"), "{told}");
    }
}

#[test]
fn what_a_row_does_not_say_for_sure_is_no_known_cost() {
    let book = builtin("list").unwrap();
    let check = |log: &str, want: &str| assert_eq!(costs(&book, log).0, [want], "{log}");
    // The answer says who was billed, whatever the row calls it; a date is no other model.
    let body = |model: &str, reason: &str| {
        format!(
            r#"{{"id":"c","object":"chat.completion","created":1,"model":"{model}","choices":[{{"index":0,"message":{{"content":"hi"}},"finish_reason":{reason}}}],"usage":{{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}}}"#
        )
    };
    let litellm = |model: &str, rest: &str| {
        format!(
            r#"{{"request_id":"r","call_type":"acompletion","api_key":"h","startTime":"2026-05-01T10:00:00Z","model":"{model}","model_group":"gpt-4.1","prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100,{rest}}}"#
        )
    };
    let of = |host: &str, answer: &str| {
        format!(r#""custom_llm_provider":"{host}","response":{}"#, body(answer, r#""stop""#))
    };
    check(&litellm("gpt-4.1", &of("openai", "gpt-4.1-nano-2025-04-14")), "known 0.00014");
    check(&litellm("gpt-4.1", &of("openai", "gpt-4.1-2025-04-14")), "known 0.0028");
    check(&litellm("gpt-4.1-nano", &of("openai", "gpt-4.1")), "known 0.00014");
    check(&litellm("gpt-4.1", &of("groq", "gpt-4.1-nano")), "no_price");
    let tensorzero = |model: &str, raw: &str| {
        format!(
            r#"{{"id":"0196fb5e-0000-7000-8000-000000000002","inference_id":"i","raw_request":"{{}}","raw_response":{},"model_name":"{model}","model_provider_name":"openai","input_tokens":1000,"output_tokens":100,"timestamp":"2026-05-01T10:00:00Z"}}"#,
            serde_json::to_string(raw).unwrap()
        )
    };
    check(&tensorzero("fast", &body("gpt-4.1-2025-04-14", r#""stop""#)), "known 0.0028");
    // A stream that was kept and broke off.
    let part = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4.1","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}"#;
    check(&tensorzero("gpt-4.1", &format!("{part}\n\n")), "about 0.0028");
    // One whose end never says why.
    let used = r#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4.1","choices":[],"usage":{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}}"#;
    check(&format!("{part}\n\n{used}\n\ndata: [DONE]\n"), "about 0.0028");
    let events = [
        r#"{"type":"message_start","message":{"id":"m","model":"claude-opus-4-6","usage":{"input_tokens":1000,"output_tokens":1}}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":null},"usage":{"output_tokens":100}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    check(&events.map(|event| format!("event: x\ndata: {event}\n\n")).concat(), "about 0.0075");
    // A tier that was asked for, of an answer that is silent on it.
    let tier = r#""custom_llm_provider":"openai","proxy_server_request":{"service_tier":"priority"}"#;
    check(&litellm("gpt-4.1", tier), "about 0.0049");
    let asked = span("chat", &[("gen_ai.usage.input_tokens", 1000), ("gen_ai.usage.output_tokens", 100)]);
    let asked = asked.replacen(
        r#""attributes":["#,
        r#""attributes":[{"key":"openai.request.service_tier","value":{"stringValue":"priority"}},"#,
        1,
    );
    check(&asked, "about 0.0049");
    check(&asked.replace("openai.request.", "openai.response."), "known 0.0049");
    // What a cache answered reached no provider.
    check(
        r#"{"id":"gen-1779530402-000","total_cost":0.0028,"created_at":"2026-05-01T10:00:00Z","model":"openai/gpt-4.1","provider_name":"OpenAI","tokens_prompt":900,"tokens_completion":90,"native_tokens_prompt":1000,"native_tokens_completion":100,"origin":"","usage":0.0028,"response_cache_source_id":"gen-1"}"#,
        "known 0",
    );
    // Zeros of an answer that was not told to its end.
    for (fault, want) in [
        (r#"{"name":"MessageAbortedError","data":{"message":"aborted"}}"#, "no_usage"),
        (r#"{"name":"UnknownError","data":{"message":"socket closed"}}"#, "no_usage"),
        (r#"{"name":"APIError","data":{"message":"x","statusCode":429}}"#, "known 0"),
        (r#"{"name":"ProviderAuthError","data":{"providerID":"x","message":"x"}}"#, "known 0"),
    ] {
        check(
            &format!(
                r#"{{"id":"msg_1","sessionID":"ses_1","role":"assistant","time":{{"created":1777593601000,"completed":1777593602000}},"modelID":"claude-opus-4-6","providerID":"anthropic","cost":0,"tokens":{{"input":0,"output":0,"reasoning":0,"cache":{{"read":0,"write":0}}}},"path":{{"cwd":"/","root":"/"}},"error":{fault}}}"#
            ),
            want,
        );
    }
}

/// No model answers an empty prompt: a log that says so has lost the count, whoever wrote it.
#[test]
fn an_answered_prompt_of_nothing_is_no_known_cost_in_our_own_format_either() {
    let book = builtin("list").unwrap();
    let line = |counts: &str| {
        format!(r#"{{"id":"x","at":"2026-05-01T00:00:01Z","model":"gpt-4.1",{counts}}}"#) + "\n"
    };
    for (counts, want) in [
        (r#""in":0,"out":100"#, "no_usage"),
        (r#""in":0,"cache_read":800,"out":100"#, "known 0.0012"),
        (r#""in":0,"out":0"#, "known 0"),
        // What was charged then stands.
        (r#""in":0,"out":100,"charged":"0.0008""#, "known 0.0008"),
        // Nobody says what this model's cache writes cost: five minutes' at least as much as input.
        (r#""in":500,"write_5m":500,"out":100"#, "about 0.0028"),
        (r#""in":500,"write_1h":500,"out":100"#, "no_price"),
    ] {
        assert_eq!(costs(&book, &line(counts)).0, [want], "{counts}");
    }
}
