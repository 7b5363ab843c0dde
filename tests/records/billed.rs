//! A cost is called known only where what was counted, and what the book prices, cover what the row says.

use std::fmt::Write as _;
use std::ops::ControlFlow;

use pointsman::config::prices::builtin;
use pointsman::pricing::{Cost, PriceBook, Terms, bill};
use pointsman::record::{Entry, Input, ReadOptions, WriteTtl, open};

/// Reads a log and says what each of its calls costs by the list, and the meters of the last one.
pub(super) fn costs(book: &PriceBook, log: &str) -> (Vec<String>, String) {
    let (mut all, mut meters) = (Vec::new(), String::new());
    let read = open(&Input::bytes("log", log.as_bytes().to_vec()), &ReadOptions::default())
        .unwrap()
        .for_each(|_, _, entry| {
            let Ok(Entry::Request(record)) = entry else { return ControlFlow::Continue(()) };
            let call = record.attempts.last().unwrap();
            let terms = call.terms.as_deref().copied().unwrap_or(Terms::NONE);
            let billed = if call.billed.is_empty() { &call.model } else { &call.billed };
            let row = book.find(billed).and_then(|prices| prices.at(record.at));
            let cost = bill(&call.usage, &terms, row);
            let is_guess = call.estimated || call.write_ttl == WriteTtl::Assumed;
            all.push(match if is_guess { cost.as_estimate() } else { cost } {
                Cost::Known(amount) => format!("known {}", amount.usd()),
                Cost::Estimated(amount) => format!("about {}", amount.usd()),
                Cost::Unknown(why) => why.name().to_owned(),
            });
            meters =
                terms.meters().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ");
            ControlFlow::Continue(())
        });
    read.unwrap();
    (all, meters)
}

pub(super) fn check(make: impl Fn(&str, &str) -> String, cases: &[(&str, &str, &str)]) {
    let book = builtin("list").unwrap();
    for (one, other, want) in cases {
        let log = make(one, other);
        assert_eq!(costs(&book, &log).0, [*want], "{log}");
    }
}

pub(super) const PLAIN: &str = r#""prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100"#;

pub(super) fn chat(usage: &str, more: &str) -> String {
    format!(
        r#"{{"id":"chatcmpl-abcdefghijklmnopqrs","object":"chat.completion","created":1777629600,"model":"gpt-4.1","choices":[{{"index":0,"message":{{"content":"hi"}}}}],"usage":{{{usage}}}{more}}}"#
    )
}

fn quoted(text: &str) -> String {
    format!("{text:?}")
}

#[test]
fn a_total_that_the_parts_do_not_reach_proves_nothing() {
    check(
        chat,
        &[
            (PLAIN, "", "known 0.0028"),
            (r#""prompt_tokens":1000,"completion_tokens":100"#, "", "known 0.0028"),
            (r#""prompt_tokens":1000,"completion_tokens":100,"total_tokens":0"#, "", "known 0.0028"),
            (r#""prompt_tokens":1000,"completion_tokens":100,"total_tokens":1300"#, "", "about 0.0044"),
            (r#""prompt_tokens":1000,"completion_tokens":100,"total_tokens":900"#, "", "about 0.0028"),
        ],
    );
    check(
        |usage, _| {
            format!(
                r#"{{"candidates":[{{"finishReason":"STOP"}}],"modelVersion":"gemini-2.5-flash","usageMetadata":{{{usage}}}}}"#
            )
        },
        &[
            (
                r#""promptTokenCount":1000,"candidatesTokenCount":100,"totalTokenCount":1100"#,
                "",
                "known 0.00055",
            ),
            (
                r#""promptTokenCount":1000,"candidatesTokenCount":100,"totalTokenCount":1500"#,
                "",
                "about 0.00155",
            ),
        ],
    );
}

#[test]
fn a_cloud_or_a_host_in_a_column_keeps_the_list_price_away() {
    let litellm = |provider: &str, more: &str| {
        format!(
            r#"{{"request_id":"r","call_type":"acompletion","api_key":"h","spend":0.01,"startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","custom_llm_provider":"{provider}","metadata":{{{more}}},{PLAIN}}}"#
        )
    };
    let span = |provider: &str, name: &str| {
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"aa","spanId":"01","startTimeUnixNano":"1777629600000000000","attributes":[{{"key":"{name}","value":{{"stringValue":"{provider}"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4.1"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"1000"}}}},{{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"100"}}}}]}}]}}]}}]}}"#
        )
    };
    let helicone = |provider: &str, _: &str| {
        format!(
            r#"{{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","response_model":"gpt-4.1","provider":"{provider}",{PLAIN}}}"#
        )
    };
    let tensorzero = |provider: &str, _: &str| {
        format!(
            r#"{{"id":"t","model_name":"gpt-4.1","model_provider_name":"{provider}","input_tokens":1000,"output_tokens":100,"timestamp":"2026-05-01T10:00:00Z"}}"#
        )
    };
    for host in ["azure", "ollama", "vertex_ai", "hosted_vllm", "bedrock", "groq"] {
        check(litellm, &[(host, "", "no_price")]);
        check(span, &[(host, "gen_ai.provider.name", "no_price"), (host, "gen_ai.system", "no_price")]);
        check(helicone, &[(&host.to_ascii_uppercase(), "", "no_price")]);
        check(tensorzero, &[(host, "", "no_price")]);
    }
    check(
        litellm,
        &[("openai", "", "known 0.0028"), ("", "", "known 0.0028"), ("custom_openai", "", "about 0.0028")],
    );
    check(
        span,
        &[("OpenAI", "gen_ai.system", "known 0.0028"), ("Langchain", "gen_ai.system", "about 0.0028")],
    );
    check(helicone, &[("OPENAI", "", "known 0.0028"), ("CUSTOM", "", "about 0.0028")]);
    check(tensorzero, &[("openai", "", "known 0.0028"), ("my_route", "", "about 0.0028")]);
    // Tiers, batches and tools, wherever LiteLLM puts them.
    check(
        litellm,
        &[
            ("openai", r#""service_tier":"priority""#, "known 0.0049"),
            ("openai", r#""hidden_params":{"service_tier":"priority"}"#, "known 0.0049"),
            ("openai", r#""hidden_params":{"optional_params":{"service_tier":"priority"}}"#, "about 0.0049"),
            ("openai", r#""optional_params":{"service_tier":"flex"}"#, "about 0.0028"),
            (
                "openai",
                r#""usage_object":{"prompt_tokens":1000,"completion_tokens":100,"service_tier":"default"},"optional_params":{"service_tier":"priority"}"#,
                "known 0.0028",
            ),
            ("openai", r#""hidden_params":{"batch_models":["gpt-4.1"]}"#, "known 0.0014"),
            ("openai", r#""hidden_params":{"batch_models":["gpt-4.1","gpt-4o"]}"#, "no_meter"),
            ("openai", r#""cost_breakdown":{"tool_usage_cost":0.02}"#, "no_meter"),
            ("openai", r#""cost_breakdown":{"tool_usage_cost":0.0}"#, "known 0.0028"),
        ],
    );
}

#[test]
fn tools_are_billed_by_what_they_are_and_only_where_they_worked() {
    let response = |items: &str, tools: &str| {
        format!(
            r#"{{"id":"r","object":"response","created_at":1777629600,"model":"gpt-4.1","status":"completed","output":[{items}],"tools":[{tools}],"usage":{{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}}}}"#
        )
    };
    let searched = r#"{"type":"web_search_call","status":"completed","action":{"type":"search"}}"#;
    let (ga, preview) = (r#"{"type":"web_search"}"#, r#"{"type":"web_search_preview_2025_03_11"}"#);
    check(
        response,
        &[
            (searched, ga, "known 0.0128"),
            (searched, preview, "known 0.0278"),
            (
                r#"{"type":"web_search_call","status":"failed","action":{"type":"search"}}"#,
                ga,
                "known 0.0028",
            ),
            (
                r#"{"type":"web_search_call","status":"completed","action":{"type":"open_page"}}"#,
                ga,
                "known 0.0028",
            ),
            (r#"{"type":"file_search_call","status":"completed"}"#, "", "known 0.0053"),
            (r#"{"type":"code_interpreter_call"},{"type":"code_interpreter_call"}"#, "", "about 0.0328"),
            (r#"{"type":"image_generation_call"}"#, "", "no_meter"),
        ],
    );
    let cited =
        r#","choices":[{"index":0,"message":{"content":"x","annotations":[{"type":"url_citation"}]}}]"#;
    let twice = chat(PLAIN, "").replace(r#","choices":[{"index":0,"message":{"content":"hi"}}]"#, cited);
    check(|_, _| twice.clone(), &[("", "", "about 0.0128")]);
    let gemini = |model: &str, _: &str| {
        format!(
            r#"{{"candidates":[{{"finishReason":"STOP","groundingMetadata":{{"webSearchQueries":["a","b"]}}}}],"modelVersion":"{model}","usageMetadata":{{"promptTokenCount":1000,"candidatesTokenCount":100,"totalTokenCount":1100}}}}"#
        )
    };
    check(gemini, &[("gemini-3-flash-preview", "", "about 0.0288"), ("gemini-2.5-flash", "", "no_meter")]);
}

#[test]
fn a_body_within_a_row_says_more_than_a_zero_and_tells_the_tier() {
    let (body, fast) = (chat(PLAIN, ""), chat(PLAIN, r#","service_tier":"priority""#));
    let chunk = format!(r#"{{"id":"c","model":"gpt-4.1","choices":[],"usage":{{{PLAIN}}}}}"#);
    let stream = format!("{{\"id\":\"c\",\"model\":\"gpt-4.1\",\"choices\":[{{\"delta\":{{}}}}]}}\n{chunk}");
    let zeros = r#""prompt_tokens":0,"completion_tokens":0"#;
    let litellm = |tokens: &str, body: &str| {
        format!(
            r#"{{"request_id":"r","call_type":"acompletion","api_key":"h","startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","custom_llm_provider":"openai",{tokens},"response":{body}}}"#
        )
    };
    let helicone = |tokens: &str, body: &str| {
        format!(
            r#"{{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","response_model":"gpt-4.1","provider":"OPENAI",{tokens},"response_body":{body}}}"#
        )
    };
    for make in [&litellm as &dyn Fn(&str, &str) -> String, &helicone] {
        check(
            make,
            &[
                (zeros, &body, "known 0.0028"),
                (zeros, &quoted(&body), "known 0.0028"),
                (zeros, &quoted(&fast), "known 0.0049"),
                (PLAIN, &fast, "known 0.0049"),
                (PLAIN, "{}", "known 0.0028"),
                (PLAIN, "\"not JSON\"", "known 0.0028"),
                (zeros, &quoted(&stream), "known 0.0028"),
            ],
        );
    }
    let tensorzero = |more: &str, body: &str| {
        format!(
            r#"{{"id":"t","model_name":"gpt-4.1","model_provider_name":"openai","input_tokens":0,"output_tokens":0,"timestamp":"2026-05-01T10:00:00Z"{more},"raw_response":{body}}}"#
        )
    };
    check(
        tensorzero,
        &[
            (r#","cached":false"#, &quoted(&fast), "known 0.0049"),
            (r#","cached":false"#, &quoted(&stream), "known 0.0028"),
            (r#","cached":true"#, &quoted(&body), "known 0"),
            ("", &quoted(&body), "about 0.0028"),
        ],
    );
    let generation = |native: &str, other: &str| {
        format!(
            r#"{{"id":"gen-1","created_at":"2026-05-01T10:00:00Z","model":"openai/gpt-4.1","provider_name":"OpenAI",{native},{other}}}"#
        )
    };
    let told = r#""tokens_prompt":1000,"tokens_completion":100"#;
    check(
        generation,
        &[
            (r#""native_tokens_prompt":0,"native_tokens_completion":0"#, told, "about 0.0028"),
            (r#""native_tokens_prompt":1000,"native_tokens_completion":100"#, told, "known 0.0028"),
        ],
    );
}

#[test]
fn keys_of_usage_that_nobody_knows_are_meters() {
    let book = builtin("list").unwrap();
    let langfuse = |usage: &str| {
        format!(
            r#"{{"id":"g","traceId":"t","type":"GENERATION","startTime":"2026-05-01T10:00:00Z","providedModelName":"gpt-4.1",{usage}}}"#
        )
    };
    let told = |log: &str| {
        let (costs, meters) = costs(&book, log);
        (costs.join(" "), meters)
    };
    for (usage, want) in [
        (r#""usageDetails":{"input":1000,"output":100,"widgets":3}"#, "widgets 3"),
        (r#""usageDetails":{"input":1000,"output":100,"output_widgets":3}"#, "output_widgets 3"),
        (r#""usage":{"input":1000,"output":100,"unit":"CHARACTERS"}"#, "characters 1000"),
    ] {
        let (cost, meters) = told(&langfuse(usage));
        assert_eq!(meters, want, "{usage}");
        assert!(cost.starts_with("no_"), "{usage}: {cost}");
    }
    for (usage, want) in [
        (
            r#""usageDetails":{"input":500,"input_cache_read_input_tokens":500,"output":100,"total":1100}"#,
            "known 0.00205",
        ),
        (
            r#""usageDetails":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":500}}"#,
            "known 0.00205",
        ),
        (r#""usageDetails":{"input":1000,"output":100,"input_cached_tokens":500}"#, "about 0.00305"),
        (
            r#""usage":{"input":1000,"output":100,"total":1100,"unit":"TOKENS","inputCost":0.1,"totalCost":null}"#,
            "known 0.0028",
        ),
        (r#""usage":{"promptTokens":1000,"completionTokens":100,"totalTokens":1100}"#, "known 0.0028"),
        (r#""promptTokens":1000,"completionTokens":100,"totalTokens":1100"#, "known 0.0028"),
    ] {
        assert_eq!(told(&langfuse(usage)), (want.to_owned(), String::new()), "{usage}");
    }
    // The shape of older versions is known for Langfuse's own by nothing but its surroundings.
    let old = langfuse(r#""usage":{"input":1000,"output":100,"unit":"TOKENS"}"#)
        .replace("providedModelName", "model");
    assert_eq!(told(&old).0, "known 0.0028");

    let span = |model: &str, provider: &str, more: &str| {
        let mut attributes = format!(
            r#"{{"key":"gen_ai.request.model","value":{{"stringValue":"{model}"}}}},{{"key":"gen_ai.provider.name","value":{{"stringValue":"{provider}"}}}}"#
        );
        for (name, count) in more.split_whitespace().filter_map(|pair| pair.split_once('=')) {
            let _ = write!(attributes, r#",{{"key":"{name}","value":{{"intValue":"{count}"}}}}"#);
        }
        format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"aa","spanId":"01","startTimeUnixNano":"1777629600000000000","attributes":[{attributes}]}}]}}]}}]}}"#
        )
    };
    let plain = "gen_ai.usage.input_tokens=1000 gen_ai.usage.output_tokens=100";
    let unknown = span("gpt-4.1", "openai", &format!("{plain} gen_ai.usage.grounding_queries=3"));
    assert_eq!(told(&unknown), ("no_meter".to_owned(), "grounding_queries 3".to_owned()));
    let harmless =
        span("gpt-4.1", "openai", &format!("{plain} gen_ai.usage.details.accepted_prediction_tokens=3"));
    assert_eq!(told(&harmless), ("known 0.0028".to_owned(), String::new()));
    // Whether Anthropic's prompt is whole depends on who wrote the span; a cached part that does not fit proves it.
    let cached = "gen_ai.usage.cache_read.input_tokens=500";
    let claude = |more: &str| told(&span("claude-opus-4-6", "anthropic", more)).0;
    assert_eq!(claude(&format!("{plain} {cached}")), "about 0.00525");
    assert_eq!(
        claude(&format!("gen_ai.usage.input_tokens=100 gen_ai.usage.output_tokens=100 {cached}")),
        "known 0.00325"
    );
}

#[test]
fn embeddings_have_no_answer_to_count() {
    for log in [
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"aa","spanId":"01","startTimeUnixNano":"1777629600000000000","attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"embeddings"}},{"key":"gen_ai.request.model","value":{"stringValue":"text-embedding-3-small"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"1000"}}]}]}]}]}"#,
        r#"{"id":"g","traceId":"t","type":"EMBEDDING","startTime":"2026-05-01T10:00:00Z","providedModelName":"text-embedding-3-small","usageDetails":{"input":1000}}"#,
        r#"{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","request_path":"/v1/embeddings","response_model":"text-embedding-3-small","provider":"OPENAI","prompt_tokens":1000}"#,
        // Some tell the total alone.
        r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1]}],"model":"text-embedding-3-small","usage":{"total_tokens":1000}}"#,
    ] {
        assert_eq!(costs(&builtin("list").unwrap(), log).0, ["known 0.00002"], "{log}");
    }
}

#[test]
fn captured_streams_are_answers_one_each() {
    let book = builtin("list").unwrap();
    let chunk = |id: &str, rest: &str| {
        format!(
            "data: {{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":1777629600,\"model\":\"gpt-4.1\",{rest}}}\n\n"
        )
    };
    let stream = |id: &str| {
        chunk(id, r#""choices":[{"index":0,"delta":{"content":"hi"}}],"usage":null"#)
            + &chunk(id, &format!(r#""choices":[],"usage":{{{PLAIN}}}"#))
            + "data: [DONE]\n\n"
    };
    let (one, two) = (stream("chatcmpl-aaaaaaaaaaaaaaaaaaaa"), stream("chatcmpl-bbbbbbbbbbbbbbbbbbbb"));
    assert_eq!(costs(&book, &one).0, ["known 0.0028"]);
    assert_eq!(costs(&book, &format!(": ping\r\n\r\n{}", one.replace('\n', "\r\n"))).0, ["known 0.0028"]);
    assert_eq!(costs(&book, &(one.clone() + &two)).0, ["known 0.0028"; 2]);
    assert_eq!(costs(&book, &(one.clone() + &one)).0, ["known 0.0028"], "told twice");
    assert_eq!(
        costs(&book, &chunk("c", r#""choices":[{"index":0,"delta":{"content":"hi"}}]"#)).0,
        ["no_usage"]
    );
    let compacted = [
        r#"{"type":"message_start","message":{"id":"m","model":"claude-opus-4-6","usage":{"input_tokens":1000,"output_tokens":1}}}"#,
        r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":100,"iterations":[{"type":"compaction","input_tokens":5000,"output_tokens":100},{"type":"message","input_tokens":1000,"output_tokens":100}]}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let events: String = compacted.map(|event| format!("event: x\ndata: {event}\n\n")).concat();
    assert_eq!(costs(&book, &events).0, ["known 0.035"]);
    let responses = format!(
        "event: response.created\ndata: {{\"type\":\"response.created\",\"response\":{{}}}}\n\ndata: {{\"type\":\"response.completed\",\"response\":{}}}\n\n",
        r#"{"id":"r","object":"response","model":"gpt-4.1","service_tier":"priority","usage":{"input_tokens":1000,"output_tokens":100}}"#
    );
    assert_eq!(costs(&book, &responses).0, ["known 0.0049"]);
}

#[test]
fn an_answer_counts_once_whatever_formats_tell_of_it() {
    let answer = chat(PLAIN, "");
    let span = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"aa","spanId":"01","startTimeUnixNano":"1777629600000000000","attributes":[{"key":"gen_ai.response.id","value":{"stringValue":"chatcmpl-abcdefghijklmnopqrs"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4.1"}},{"key":"gen_ai.usage.input_tokens","value":{"intValue":"1000"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":"100"}}]}]}]}]}"#;
    let litellm = |id: &str, body: &str| {
        format!(
            r#"{{"request_id":"{id}","call_type":"acompletion","api_key":"h","startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","custom_llm_provider":"openai",{PLAIN},"response":{body}}}"#
        )
    };
    let logs = [
        answer.clone(),
        span.to_owned(),
        litellm("chatcmpl-abcdefghijklmnopqrs", "{}"),
        litellm("own-id", &answer),
        format!("data: {answer}\n\n"),
    ];
    for first in &logs {
        for second in logs.iter().filter(|second| *second != first) {
            let input = Input::bytes("one", first.clone().into_bytes())
                .and(Input::bytes("two", second.clone().into_bytes()));
            let mut requests = 0;
            open(&input, &ReadOptions::default())
                .unwrap()
                .for_each(|_, _, entry| {
                    requests += usize::from(matches!(entry, Ok(Entry::Request(_))));
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert_eq!(requests, 1, "{first}\n{second}");
        }
    }
}

#[test]
fn a_response_whose_stream_broke_off_or_failed_is_a_request() {
    let book = builtin("list").unwrap();
    let event = |kind: &str, status: &str| {
        format!(
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{{\"id\":\"resp_a\",\"object\":\"response\",\"created_at\":1777629600,\"model\":\"gpt-4.1\",\"status\":\"{status}\",\"output\":[],\"usage\":null}}}}\n\n"
        )
    };
    let start = event("response.created", "in_progress")
        + "data: {\"type\":\"response.output_text.delta\",\"delta\":\"hello\"}\n\n";
    assert_eq!(costs(&book, &start).0, ["no_usage"]);
    assert_eq!(costs(&book, &(start + &event("response.failed", "failed"))).0.len(), 1);
}

#[test]
fn an_event_may_go_over_several_lines() {
    let book = builtin("list").unwrap();
    let log = format!(
        "data: {{\"id\":\"c\",\"model\":\"gpt-4.1\",\"created\":1777629600,\"choices\":[],\ndata: \"usage\":{{{PLAIN}}}}}\n\ndata: [DONE]\n"
    );
    assert_eq!(costs(&book, &log).0, ["known 0.0028"]);
}

#[test]
fn zeros_that_a_claimed_cost_or_the_kind_of_call_contradicts_are_unknown() {
    let row = |kind: &str, spend: &str| {
        format!(
            r#"{{"request_id":"r","call_type":"{kind}","api_key":"h","spend":{spend},"startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","custom_llm_provider":"openai","metadata":{{}},"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}}"#
        )
    };
    check(
        row,
        &[
            ("acompletion", "0.04", "no_usage"),
            ("acompletion", "0", "no_usage"),
            ("aimage_generation", "0", "no_usage"),
            ("pass_through_endpoint", "0", "no_usage"),
        ],
    );
    let helicone = |path: &str, more: &str| {
        format!(
            r#"{{"request_id":"h","request_created_at":"2026-05-01T10:00:00Z","request_path":"{path}","response_model":"gpt-4.1","provider":"OPENAI","prompt_tokens":0,"completion_tokens":0{more}}}"#
        )
    };
    check(
        helicone,
        &[
            ("/v1/chat/completions", r#","costUSD":0.04"#, "no_usage"),
            ("/v1/images/generations", "", "no_usage"),
            (
                "/v1/chat/completions",
                r#","response_body":{"choices":[{"message":{"content":"hello"}}]}"#,
                "no_usage",
            ),
            ("/v1/chat/completions", r#","costUSD":0.04,"cache_reference_id":"abc1""#, "known 0"),
        ],
    );
    let portkey = |cost: &str, cache: &str| {
        format!(
            r#"{{"id":"p","trace_id":"s","created_at":"2026-05-01T10:00:00Z","ai_org":"openai","ai_model":"gpt-4.1","req_units":0,"res_units":0,"cost":{cost},"response_status_code":200,"cache_status":"{cache}"}}"#
        )
    };
    check(portkey, &[("4", "MISS", "no_usage"), ("4", "SEMANTIC HIT", "known 0")]);
    let langfuse = |more: &str, _: &str| {
        format!(
            r#"{{"id":"o","traceId":"t","type":"GENERATION","startTime":"2026-05-01T10:00:00Z","model":"gpt-4.1","usageDetails":{{"input":0,"output":0,"total":0}}{more}}}"#
        )
    };
    check(
        langfuse,
        &[(r#","totalCost":0.04"#, "", "no_usage"), (r#","output":{"content":"hello"}"#, "", "no_usage")],
    );
    let tensorzero = |more: &str, tokens: &str| {
        format!(
            r#"{{"id":"t","model_name":"gpt-4.1","model_provider_name":"openai","input_tokens":{tokens},"output_tokens":{tokens},"timestamp":"2026-05-01T10:00:00Z"{more}}}"#
        )
    };
    check(
        tensorzero,
        &[(r#","cost":"0.04""#, "0", "no_usage"), (r#","cached":true,"cost":"0.04""#, "1000", "known 0")],
    );
}

#[test]
fn an_answer_that_broke_off_is_an_estimate() {
    let text = "x".repeat(4800);
    let start = r#"data: {"type":"message_start","message":{"id":"msg_1","model":"claude-haiku-4-5","usage":{"input_tokens":1000,"output_tokens":1}}}"#;
    let delta = format!(
        r#"data: {{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
    );
    let end =
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":100}}"#;
    check(
        |end, _| format!("{start}\n\n{delta}\n\n{end}\n\n"),
        &[
            ("", "", "about 0.007"),
            (r#"data: {"type":"error","error":{"type":"overloaded_error"}}"#, "", "about 0.007"),
            (end, "", "known 0.0015"),
        ],
    );
    let chunk = |end: &str| {
        format!(
            r#"data: {{"id":"c1","object":"chat.completion.chunk","created":1777629600,"model":"gpt-4.1","choices":[{{"index":0,"delta":{{"content":"hi"}},"finish_reason":{end}}}],"usage":{PLAIN_BLOCK}}}"#
        )
    };
    check(
        |end, more| format!("{}\n\n{more}\n\n", chunk(end)),
        &[
            ("null", "", "about 0.0028"),
            ("\"stop\"", "", "known 0.0028"),
            ("null", "data: [DONE]", "about 0.0028"),
        ],
    );
    check(
        |stop, _| {
            format!(
                r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{{"type":"text","text":"{text}"}}]{stop},"usage":{{"input_tokens":1000,"output_tokens":1}}}}"#
            )
        },
        &[
            (r#","stop_reason":null"#, "", "about 0.007"),
            (r#","stop_reason":"end_turn""#, "", "known 0.001005"),
        ],
    );
}

pub(super) const PLAIN_BLOCK: &str = r#"{"prompt_tokens":1000,"completion_tokens":100,"total_tokens":1100}"#;

#[test]
fn codex_is_priced_by_whom_its_settings_name() {
    check(
        |provider, _| {
            format!(
                "{}\n{}\n{}\n",
                format_args!(
                    r#"{{"timestamp":"2026-05-01T10:00:00Z","type":"session_meta","payload":{{"id":"s1","timestamp":"2026-05-01T10:00:00Z","cwd":"/p"{provider}}}}}"#
                ),
                r#"{"timestamp":"2026-05-01T10:00:01Z","type":"turn_context","payload":{"model":"gpt-4.1","cwd":"/p"}}"#,
                r#"{"timestamp":"2026-05-01T10:00:02Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100},"last_token_usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}}}}"#,
            )
        },
        &[
            ("", "", "known 0.0028"),
            (r#","model_provider":"openai""#, "", "known 0.0028"),
            (r#","model_provider":"azure""#, "", "no_price"),
            (r#","model_provider":"my-proxy""#, "", "about 0.0028"),
        ],
    );
}
