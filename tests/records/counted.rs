//! Every answer counts once, with the tokens that its row proves: what gateways, frameworks and agents really write.

use std::fmt::Write as _;

use pointsman::record::{Input, ReadOptions, SkipKind};

use super::{A, Buckets, Seen, read, text};

fn one(log: &str) -> Seen {
    let (requests, skips) = text(log);
    assert_eq!((requests.len(), skips.len()), (1, 0), "{log}: {skips:?}");
    requests[0].clone()
}

fn four(log: &str) -> [Option<u64>; 4] {
    let [input, read, write, _, output, _] = one(log).buckets;
    [input, read, write, output]
}

fn litellm(id: &str, kind: &str, more: &str) -> String {
    format!(
        r#"{{"request_id":"{id}","call_type":"{kind}","api_key":"h","spend":0.01,"startTime":"2026-05-01T10:00:00Z","endTime":"2026-05-01T10:00:01Z","model":"m","custom_llm_provider":"openai","cache_hit":"False","status":"success",{more}}}"#
    )
}

const PLAIN: &str = r#""total_tokens":1100,"prompt_tokens":1000,"completion_tokens":100,"metadata":{}"#;

/// Seven times the bill came of a zero in one key that hid the count in another.
#[test]
fn a_zero_in_one_key_hides_no_count_in_another() {
    let row = |usage: &str| {
        four(&litellm("r", "pass_through_endpoint", &format!(r#""metadata":{{"usage_object":{{{usage}}}}}"#)))
    };
    assert_eq!(
        row(
            r#""total_tokens":2482,"prompt_tokens":2459,"completion_tokens":23,"prompt_tokens_details":{"cached_tokens":0},"cache_read_input_tokens":2455,"cache_creation_input_tokens":0"#
        ),
        [Some(4), Some(2455), Some(0), Some(23)]
    );
    assert_eq!(
        row(
            r#""total_tokens":12857,"prompt_tokens":12307,"completion_tokens":550,"prompt_tokens_details":{"cached_tokens":0,"cache_creation_tokens":0},"cache_read_input_tokens":0,"cache_creation_input_tokens":12304"#
        ),
        [Some(3), Some(0), Some(12304), Some(550)]
    );
}

#[test]
fn what_looks_up_or_keeps_alive_is_no_call_and_is_told() {
    let mut log = String::new();
    for (at, kind) in [
        "aresponses",
        "aget_responses",
        "alist_input_items",
        "aretrieve_batch",
        "/health",
        "adelete_responses",
    ]
    .iter()
    .enumerate()
    {
        let _ = writeln!(log, "{}", litellm(&format!("resp_{at}"), kind, PLAIN));
    }
    let tagged = PLAIN.to_owned() + r#","request_tags":["litellm-internal-health-check"]"#;
    let _ = writeln!(log, "{}", litellm("h", "acompletion", &tagged));
    let (requests, skips) = text(log);
    assert_eq!((requests.len(), skips.len()), (1, 6), "{skips:?}");
    assert!(skips.iter().all(|skip| skip.kind == SkipKind::NotACall));

    let helicone = |path: &str| {
        format!(
            r#"{{"request_id":"{path}","request_created_at":"2026-05-01T10:00:00Z","request_path":"{path}","response_status":200,"request_model":"m","prompt_tokens":1,"completion_tokens":2}}"#
        )
    };
    let (requests, skips) =
        text(format!("{}\n{}\n", helicone("/v1/responses"), helicone("/v1/responses/resp_1")));
    assert_eq!((requests.len(), skips.len()), (1, 1));
}

#[test]
fn the_same_answer_told_again_counts_once_and_is_told() {
    let row = litellm("chatcmpl-1", "acompletion", PLAIN);
    let other = litellm("chatcmpl-2", "acompletion", PLAIN);
    let (requests, skips) = text(format!("{row}\n{other}\n{row}\n"));
    assert_eq!((requests.len(), skips.len()), (2, 1), "another id is another call");
    assert_eq!((skips[0].line, skips[0].kind), (3, SkipKind::Repeated));

    let message = |out: u64| {
        format!(
            r#"{{"id":"msg_01A","type":"message","role":"assistant","model":"m","content":[{{"type":"text","text":"one"}}],"usage":{{"input_tokens":4,"cache_read_input_tokens":2455,"output_tokens":{out}}}}}"#
        )
    };
    let (requests, skips) = text(format!("{}\n{}\n{}\n", message(1), message(23), message(23)));
    assert_eq!(
        (requests.len(), skips.len(), requests[0].buckets[4]),
        (1, 2, Some(23)),
        "what says most counts"
    );

    // A server that tells running totals with every part of a stream.
    let chunk = |out: u64| {
        format!(
            r#"{{"id":"c1","object":"chat.completion.chunk","created":1777629600,"model":"m","choices":[{{"index":0,"delta":{{}}}}],"usage":{{"prompt_tokens":10,"completion_tokens":{out},"total_tokens":{}}}}}"#,
            out + 10
        )
    };
    let (requests, _) = text((1..200).map(|out| chunk(out) + "\n").collect::<String>());
    assert_eq!((requests.len(), requests[0].buckets[4]), (1, Some(199)));

    // Whole answers of servers that call each of them the same are told apart by their moments.
    let answer = |at: u64| {
        format!(
            r#"{{"id":"x","object":"chat.completion","created":{at},"model":"m","choices":[{{}}],"usage":{{"prompt_tokens":10,"completion_tokens":1}}}}"#
        )
    };
    let (requests, _) =
        text(format!("{}\n{}\n{}\n", answer(1_777_629_600), answer(1_777_629_601), answer(1_777_629_600)));
    assert_eq!(requests.len(), 2);
}

#[test]
fn a_file_named_twice_is_read_once_and_logs_that_overlap_count_each_request_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let line = |n: u64| {
        format!(
            "{{\"id\":\"op-{n}\",\"at\":\"2026-05-23T10:00:{n:02}Z\",\"model\":\"m\",\"in\":1,\"out\":1}}\n"
        )
    };
    let lines = |range: std::ops::Range<u64>| range.map(line).collect::<String>();
    std::fs::write(path("monday.jsonl"), lines(0..20)).unwrap();
    std::fs::write(path("tuesday.jsonl"), lines(10..30)).unwrap();
    std::fs::hard_link(path("monday.jsonl"), path("link.jsonl")).unwrap();
    let sum = |names: &[&str]| {
        let input = Input::paths(names.iter().map(|name| path(name)));
        let (requests, skips, summary) = read(&input, &ReadOptions::default()).unwrap();
        assert!(skips.iter().all(|skip| skip.kind == SkipKind::Repeated), "{skips:?}");
        (requests.len(), summary.repeats)
    };
    assert_eq!(sum(&["monday.jsonl"]), (20, 0));
    std::fs::write(path("joined.jsonl"), lines(0..20) + &lines(10..30)).unwrap();
    assert_eq!(sum(&["joined.jsonl"]), (30, 10));
    assert_eq!(sum(&["monday.jsonl", "monday.jsonl"]), (20, 1));
    assert_eq!(sum(&["monday.jsonl", "link.jsonl"]), (20, 1));
    assert_eq!(sum(&["monday.jsonl", "tuesday.jsonl", "monday.jsonl"]), (30, 11));

    std::fs::write(
        path("trace.csv"),
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00,1,2\n2024-05-10 00:00:00,1,2\n",
    )
    .unwrap();
    assert_eq!(sum(&["trace.csv", "trace.csv"]), (2, 1), "rows without an id are never taken for each other");
}

#[test]
fn a_session_of_claude_code_is_one_answer_for_all_its_blocks() {
    let line = |uuid: &str, message: &str, request: &str, out: u64| {
        format!(
            r#"{{"parentUuid":null,"isSidechain":false,"sessionId":"s1","cwd":"/home/mia/shop","type":"assistant","timestamp":"2026-05-01T10:00:00.000Z","requestId":"{request}","uuid":"{uuid}","message":{{"id":"{message}","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{{"type":"text","text":"one"}}],"usage":{{"input_tokens":4,"cache_creation_input_tokens":100,"cache_read_input_tokens":2455,"cache_creation":{{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":100}},"output_tokens":{out}}}}}}}"#
        ) + "\n"
    };
    let user = r#"{"parentUuid":"u1","isSidechain":false,"sessionId":"s1","type":"user","uuid":"u2","timestamp":"2026-05-01T10:00:00.000Z","message":{"role":"user","content":"go on"}}"#;
    let log = format!(
        "{{\"type\":\"summary\",\"summary\":\"x\",\"leafUuid\":\"u\"}}\n{}{user}\n{}{}",
        line("u1", "msg_1", "req_1", 1),
        line("u3", "msg_1", "req_1", 23),
        line("u4", "msg_2", "req_2", 5)
    );
    let resumed = log.clone() + &line("u9", "msg_3", "req_3", 7);
    let input =
        Input::bytes("one.jsonl", log.into_bytes()).and(Input::bytes("two.jsonl", resumed.into_bytes()));
    let (requests, skips, summary) = read(&input, &ReadOptions::default()).unwrap();
    let out: Vec<_> = requests.iter().map(|request| request.buckets[4]).collect();
    assert_eq!(out, [Some(23), Some(5), Some(7)], "{skips:?}");
    assert_eq!(requests[0].buckets[..4], [Some(4), Some(2455), Some(0), Some(100)]);
    assert_eq!((summary.repeats, summary.not_calls, summary.bad), (4, 4, 0));
}

pub(super) fn span(id: &str, parent: &str, name: &str, attributes: &[(&str, &str)]) -> String {
    let attributes: Vec<_> = attributes
        .iter()
        .map(|(key, value)| match value.parse::<u64>() {
            Ok(n) => format!(r#"{{"key":"{key}","value":{{"intValue":"{n}"}}}}"#),
            Err(_) => format!(r#"{{"key":"{key}","value":{{"stringValue":{value:?}}}}}"#),
        })
        .collect();
    format!(
        r#"{{"traceId":"aa","spanId":"{id}","parentSpanId":"{parent}","name":"{name}","startTimeUnixNano":"1777629600000000000","endTimeUnixNano":"1777629601000000000","attributes":[{}]}}"#,
        attributes.join(",")
    )
}

pub(super) fn document(spans: &[String]) -> String {
    format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}]}}]}}]}}"#, spans.join(",")) + "\n"
}

/// Every framework has its own word for cached tokens; one that is not read costs ten times its price.
#[test]
fn cached_and_reasoning_tokens_are_found_under_every_name() {
    let chat =
        [("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4.1"), ("gen_ai.system", "openai")];
    let plain = [("gen_ai.usage.input_tokens", "12000"), ("gen_ai.usage.output_tokens", "650")];
    let of = |base: &[(&'static str, &'static str)], more: &[(&'static str, &'static str)]| -> Buckets {
        let all: Vec<_> = base.iter().chain(more).copied().collect();
        let mut buckets = one(&document(&[span("1", "", "x", &all)])).buckets;
        buckets[5] = A[5];
        buckets
    };
    let semantic: Vec<_> = chat.iter().chain(&plain).copied().collect();
    for name in [
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.input_tokens.cached",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cached_tokens",
        "gen_ai.usage.input_token_details.cache_read",
        "ai.usage.cachedInputTokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "llm.usage.cache_read_input_tokens",
    ] {
        assert_eq!(of(&semantic, &[(name, "8192")]), A, "{name}");
        let zero = [("gen_ai.usage.cache_read.input_tokens", "0"), (name, "8192")];
        assert_eq!(of(&semantic, &zero), A, "a zero beside {name}");
    }
    assert_eq!(of(&semantic, &[("gen_ai.usage.input_token_details", r#"{"cache_read":8192}"#)]), A);
    let sdk = [
        ("ai.operationId", "ai.generateText.doGenerate"),
        ("ai.model.id", "gpt-4.1"),
        ("ai.model.provider", "openai.chat"),
    ];
    let sdk4 = [
        ("ai.usage.promptTokens", "12000"),
        ("ai.usage.completionTokens", "650"),
        ("ai.response.providerMetadata", r#"{"openai":{"cachedPromptTokens":8192}}"#),
    ];
    assert_eq!(of(&sdk, &sdk4), A);
    let inference = [
        ("openinference.span.kind", "LLM"),
        ("llm.model_name", "gpt-4.1"),
        ("llm.token_count.prompt", "12000"),
        ("llm.token_count.completion", "650"),
        ("llm.token_count.prompt_details.cache_read", "8192"),
    ];
    assert_eq!(of(&inference, &[]), A);
    let flow = [
        ("mlflow.spanType", "CHAT_MODEL"),
        (
            "mlflow.chat.tokenUsage",
            r#"{"input_tokens":12000,"output_tokens":650,"input_token_details":{"cache_read":8192}}"#,
        ),
    ];
    assert_eq!(of(&flow, &[]), A);
}

/// Such calls had tokens and no model, or were passed over as no calls of a model.
#[test]
fn spans_name_their_model_in_the_words_of_their_framework() {
    let named = |attributes: &[(&str, &str)]| one(&document(&[span("1", "", "x", attributes)])).model;
    let langfuse = [
        ("langfuse.observation.type", "generation"),
        ("langfuse.observation.model.name", "gpt-4.1"),
        ("langfuse.observation.usage_details", r#"{"input":1000,"output":100}"#),
    ];
    assert_eq!(named(&langfuse), "gpt-4.1");
    let flow = [
        ("mlflow.spanType", r#""CHAT_MODEL""#),
        ("mlflow.llm.model", r#""gpt-4.1""#),
        ("mlflow.chat.tokenUsage", r#"{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}"#),
    ];
    assert_eq!(named(&flow), "gpt-4.1");
}

#[test]
fn the_framework_and_the_figures_tell_whether_input_is_whole() {
    let sdk = |more: &[(&str, &str)]| {
        let base = [
            ("ai.operationId", "ai.streamText.doStream"),
            ("ai.model.id", "claude-haiku-4-5"),
            ("ai.model.provider", "anthropic.messages"),
        ];
        let all: Vec<_> = base.iter().chain(more).copied().collect();
        four(&document(&[span("1", "", "x", &all)]))
    };
    let fifth = [
        ("ai.usage.inputTokens", "3000"),
        ("ai.usage.outputTokens", "20"),
        ("ai.usage.totalTokens", "3020"),
        ("ai.usage.cachedInputTokens", "2455"),
    ];
    assert_eq!(sdk(&fifth), [Some(3000), Some(2455), Some(0), Some(20)], "its total is no proof");
    let sixth = [
        ("ai.usage.inputTokens", "3000"),
        ("ai.usage.outputTokens", "20"),
        ("ai.usage.inputTokenDetails.noCacheTokens", "45"),
        ("ai.usage.inputTokenDetails.cacheReadTokens", "2455"),
        ("ai.usage.inputTokenDetails.cacheWriteTokens", "500"),
    ];
    assert_eq!(sdk(&sixth), [Some(45), Some(2455), Some(500), Some(20)]);

    let langfuse = |usage: &str| {
        four(&format!(
            r#"{{"id":"g","traceId":"t","type":"GENERATION","startTime":"2026-05-01T10:00:00Z","providedModelName":"m","usageDetails":{usage}}}"#
        ))
    };
    let disjoint = r#"{"input":3808,"input_cached_tokens":8192,"output":650,"total":12650}"#;
    let whole = r#"{"input":12000,"input_cached_tokens":8192,"output":650,"total":12650}"#;
    for usage in [disjoint, whole] {
        assert_eq!(langfuse(usage), [Some(3808), Some(8192), Some(0), Some(650)], "{usage}");
    }
    assert_eq!(
        langfuse(r#"{"input":10,"output":600,"output_reasoning_tokens":540,"total":610}"#)[3],
        Some(600)
    );
    assert_eq!(langfuse(r#"{"input":10,"output":60,"output_reasoning_tokens":540}"#)[3], Some(600));
}

#[test]
fn spans_around_one_call_count_once_in_whatever_order_they_come() {
    let usage = [("gen_ai.usage.input_tokens", "1000"), ("gen_ai.usage.output_tokens", "100")];
    let llm = |id: &str, parent: &str, model: &str| {
        let mut all = vec![("openinference.span.kind", "LLM"), ("llm.model_name", model)];
        all.extend(usage);
        span(id, parent, "ChatOpenAI", &all)
    };
    let tool = span("9", "1", "tool", &[("openinference.span.kind", "TOOL")]);
    let (outer, between, inner) =
        (llm("1", "", "gpt-4.1"), llm("2", "9", "gpt-4.1-2025-04-14"), llm("3", "2", "azure/prod"));
    for order in [[&outer, &tool, &between, &inner], [&inner, &between, &tool, &outer]] {
        let spans: Vec<String> = order.iter().map(|span| (*span).clone()).collect();
        let (requests, skips) = text(document(&spans));
        let repeated = skips.iter().filter(|skip| skip.kind == SkipKind::Repeated).count();
        assert_eq!((requests.len(), repeated), (1, 2), "{skips:?}");
        assert_eq!(requests[0].model, "azure/prod", "the innermost counts");
        // One export a line.
        let (requests, _) =
            text(spans.iter().map(|span| document(std::slice::from_ref(span))).collect::<String>());
        assert_eq!(requests.len(), 1);
    }
    let sdk = |id: &str, parent: &str, step: &str, input: &str| {
        span(
            id,
            parent,
            step,
            &[
                ("ai.operationId", step),
                ("ai.model.id", "gpt-4.1"),
                ("ai.usage.inputTokens", input),
                ("ai.usage.outputTokens", "10"),
            ],
        )
    };
    let steps = [
        sdk("1", "", "ai.streamText", "300"),
        sdk("2", "1", "ai.streamText.doStream", "100"),
        sdk("3", "1", "ai.streamText.doStream", "200"),
    ];
    assert_eq!(text(document(&steps)).0.len(), 2);
    assert_eq!(text(document(&steps[..1])).0.len(), 1, "alone it is all there is");

    let generation = |id: &str, parent: &str| {
        format!(
            r#"{{"id":"{id}","traceId":"t","parentObservationId":"{parent}","type":"GENERATION","startTime":"2026-05-01T10:00:00Z","providedModelName":"gpt-4.1","usageDetails":{{"input":1000,"output":100}}}}"#
        ) + "\n"
    };
    assert_eq!(text(generation("a", "") + &generation("b", "a") + &generation("c", "")).0.len(), 2);
}

#[test]
fn usage_is_found_wherever_servers_put_it() {
    let answer = |top: &str, choice: &str| {
        four(&format!(
            r#"{{"id":"x","object":"chat.completion","created":1777629600,"model":"m","choices":[{{"index":0,"message":{{"role":"assistant","content":"hello"}}{choice}}}]{top}}}"#
        ))
    };
    let usage =
        r#""usage":{"prompt_tokens":1000,"completion_tokens":200,"total_tokens":1200,"cached_tokens":512}"#;
    let want = [Some(488), Some(512), Some(0), Some(200)];
    assert_eq!(answer(&format!(",{usage}"), ""), want);
    assert_eq!(answer("", &format!(",{usage}")), want);
    for part in ["delta", "message"] {
        // In a captured stream, in a kept last part of one, and in a whole answer.
        let rest = r#""object":"chat.completion.chunk","created":1777629600,"model":"m""#;
        let end = format!(
            r#"{{"id":"x",{rest},"choices":[{{"index":0,"{part}":{{"content":"",{usage}}},"finish_reason":"stop"}}]}}"#
        );
        let start = format!(r#"{{"id":"x",{rest},"choices":[{{"index":0,"delta":{{"content":"hello"}}}}]}}"#);
        assert_eq!(four(&format!("data: {start}\n\ndata: {end}\n\ndata: [DONE]\n\n")), want, "{part}");
        assert_eq!(four(&end), want, "{part}");
        assert_eq!(four(&end.replace("completion.chunk", "completion")), want, "{part}");
    }
    assert_eq!(answer(&format!(r#","x_groq":{{{usage}}}"#), ""), want);
    // Zeros that the answer's own text contradicts say nothing.
    let zeros = r#","usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    assert_eq!(answer(zeros, ""), [None; 4]);
}

#[test]
fn a_captured_message_tells_its_usage_wherever_at_its_end_it_stands() {
    let start = r#"{"type":"message_start","message":{"id":"m","type":"message","model":"claude-haiku-4-5","usage":{"input_tokens":1000,"output_tokens":1}}}"#;
    let text = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a longer text"}}"#;
    let told = r#""usage":{"output_tokens":200}"#;
    for (delta, end, stop) in [
        (String::new(), format!(",{told}"), String::new()),
        (format!(",{told}"), String::new(), String::new()),
        (String::new(), format!(r#","message":{{{told}}}"#), String::new()),
        (String::new(), String::new(), format!(",{told}")),
        (String::new(), String::new(), format!(r#","message":{{{told}}}"#)),
    ] {
        let log = format!(
            "data: {start}\n\ndata: {text}\n\ndata: {{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"end_turn\"{delta}}}{end}}}\n\ndata: {{\"type\":\"message_stop\"{stop}}}\n\n"
        );
        assert_eq!(four(&log), [Some(1000), Some(0), Some(0), Some(200)], "{log}");
    }
}

#[test]
fn of_an_answer_in_several_files_the_telling_that_says_most_counts_whatever_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, out: u64| {
        let row = litellm(
            "r1",
            "acompletion",
            &format!(
                r#""total_tokens":{},"prompt_tokens":1000,"completion_tokens":{out},"metadata":{{}}"#,
                1000 + out
            ),
        );
        let path = folder.path().join(name);
        std::fs::write(&path, row + "\n").unwrap();
        path
    };
    let (part, whole) = (write("k1.jsonl", 1), write("k2.jsonl", 100));
    for order in [[part.clone(), whole.clone()], [whole, part]] {
        let (requests, skips, _) = read(&Input::paths(order), &ReadOptions::default()).unwrap();
        assert_eq!((requests.len(), skips.len(), requests[0].buckets[4]), (1, 1, Some(100)));
    }
}
