//! What is told in parts, or told too short, is counted once and whole: streams, spans around spans, rows that contradict
//! themselves, results of batches.

use pointsman::config::prices::builtin;

use super::billed::{PLAIN, costs};
use super::counted::{document, span};

#[test]
fn a_stream_that_counts_only_its_beginning_is_an_estimate() {
    let book = builtin("list").unwrap();
    let cost = |events: &[String]| {
        let log: String = format!("data: {}\n\n", events.join("\n\ndata: "));
        costs(&book, &log).0
    };
    let message = |end: &str| {
        [
            r#"{"type":"message_start","message":{"id":"m","model":"claude-haiku-4-5","usage":{"input_tokens":1000,"output_tokens":1}}}"#.to_owned(),
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{}"}}}}"#, "x".repeat(2000)),
            format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}}{end}}}"#),
            r#"{"type":"message_stop"}"#.to_owned(),
        ]
    };
    for end in [
        "",
        r#","usage":null"#,
        r#","usage":{}"#,
        r#","usage":{"output_tokens":0}"#,
        r#","usage":{"output_tokens":1}"#,
    ] {
        assert_eq!(cost(&message(end)), ["about 0.0035"], "{end}");
    }
    assert_eq!(cost(&message(r#","usage":{"output_tokens":100}"#)), ["known 0.0015"]);
    let chunk = |text: &str, end: &str| {
        format!(
            r#"{{"id":"c","model":"gpt-4.1","choices":[{{"index":0,"delta":{{"content":"{text}"}}{end}}}]"#
        )
    };
    let counted = format!("{},\"usage\":{{{PLAIN}}}}}", chunk("hi", ""));
    let last = chunk(&"x".repeat(800), r#","finish_reason":"stop""#) + "}";
    assert_eq!(cost(&[counted.clone(), last]), ["about 0.003608"]);
    assert_eq!(cost(&[counted, chunk("", r#","finish_reason":"stop""#) + "}"]), ["known 0.0028"]);
}

#[test]
fn what_a_row_cannot_have_is_an_estimate_and_no_call_is_lost() {
    let book = builtin("list").unwrap();
    let cached = r#"{"id":"c","object":"chat.completion","model":"gpt-4.1","choices":[],"usage":{"prompt_tokens":4,"completion_tokens":23,"total_tokens":27,"prompt_tokens_details":{"cached_tokens":2455}}}"#;
    assert_eq!(costs(&book, cached).0, ["about 0.0014195"]);
    let grok = |total: &str| {
        let row = format!(
            r#"{{"id":"c","object":"chat.completion","model":"grok-4","choices":[{{"message":{{"content":"ok"}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":1000,"completion_tokens":100{total},"completion_tokens_details":{{"reasoning_tokens":50}}}}}}"#
        );
        costs(&book, &row).0.concat()
    };
    assert!(grok("").starts_with("about "), "{}", grok(""));
    assert!(grok(r#","total_tokens":1150"#).starts_with("known "));
    let batch = [
        r#"{"custom_id":"a","response":{"status_code":429,"body":{"error":{"message":"x"}}},"error":null}"#,
        r#"{"custom_id":"b","response":{"status_code":500,"body":{"error":{"message":"x"}}},"error":null}"#,
        r#"{"custom_id":"c","response":null,"error":{"code":"batch_expired"}}"#,
    ]
    .join("\n");
    assert_eq!(costs(&book, &batch).0, ["known 0"; 3]);
    for kind in
        ["canceled", "expired", r#"errored","error":{"type":"error","error":{"type":"api_error"}},"x":""#]
    {
        let line = format!(r#"{{"custom_id":"a","result":{{"type":"{kind}"}}}}"#);
        assert_eq!(costs(&book, &line).0, ["known 0"], "{kind}");
    }
    let gemini = r#"{"key":"a","response":{"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":100},"modelVersion":"gemini-2.5-flash"}}
{"key":"b","error":{"code":4,"message":"x"}}"#;
    assert_eq!(costs(&book, gemini).0, ["known 0.000275", "known 0"]);
}

#[test]
fn calls_within_a_span_that_add_up_to_it_take_its_place_in_whatever_order_they_are_told() {
    let book = builtin("list").unwrap();
    let row = |id: &str, parent: &str, input: u64| {
        format!(
            r#"{{"id":"{id}","traceId":"t","type":"GENERATION","startTime":"2026-05-01T10:00:00Z","providedModelName":"gpt-4.1","usageDetails":{{"input":{input},"output":{}}},"parentObservationId":"{parent}"}}"#,
            input / 10
        )
    };
    let (outer, one, two) = (row("o", "", 2000), row("a", "o", 1000), row("b", "o", 1000));
    for order in [[&outer, &one, &two], [&one, &outer, &two], [&one, &two, &outer]] {
        let log = order.map(String::as_str).join("\n");
        assert_eq!(costs(&book, &log).0, ["known 0.0028"; 2], "{log}");
    }
    // One that is all there is within it may tell of a part.
    assert_eq!(costs(&book, &format!("{outer}\n{one}")).0, ["known 0.0056", "about 0.0028"]);
    // Given out long before, it stands for them.
    let others = (0..300).map(|n| row(&format!("x{n}"), "", 10)).collect::<Vec<_>>().join("\n") + "\n";
    let all = costs(&book, &format!("{outer}\n{others}{one}\n{two}")).0;
    assert_eq!((all.len(), all.first().map(String::as_str)), (301, Some("known 0.0056")));
    let span = |id: &str, parent: &str, model: &str| {
        format!(
            r#"{{"traceId":"aa","spanId":"{id}","parentSpanId":"{parent}","startTimeUnixNano":"1777629600000000000","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"{model}"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"1000"}}}},{{"key":"gen_ai.usage.output_tokens","value":{{"intValue":"100"}}}}]}}"#
        )
    };
    let (outer, inner) = (span("01", "", "auto-router"), span("02", "01", "gpt-4.1"));
    for spans in [format!("{outer},{inner}"), format!("{inner},{outer}")] {
        let log = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
        assert_eq!(costs(&book, &log).0.len(), 1, "the innermost of one line counts");
    }
}

/// Returns every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for next in 0..count {
        all = all
            .into_iter()
            .flat_map(|order: Vec<usize>| {
                (0..=order.len()).map(move |at| {
                    let mut order = order.clone();
                    order.insert(at, next);
                    order
                })
            })
            .collect();
    }
    all
}

#[test]
fn a_span_that_turns_out_to_be_between_two_others_joins_their_call() {
    let book = builtin("list").unwrap();
    let observation = |id: &str, parent: &str, kind: &str, (input, output): (u64, u64)| {
        format!(
            r#"{{"id":"{id}","traceId":"t","parentObservationId":"{parent}","type":"{kind}","startTime":"2026-05-01T10:00:00Z","providedModelName":"gpt-4.1","usageDetails":{{"input":{input},"output":{output}}}}}"#
        ) + "\n"
    };
    let generation = |id: &str, parent: &str| observation(id, parent, "GENERATION", (1000, 100));
    let spans = |id: &str, parent: &str, operation: &str| {
        let call = [
            ("gen_ai.operation.name", operation),
            ("gen_ai.request.model", "gpt-4.1"),
            ("gen_ai.usage.input_tokens", "1000"),
            ("gen_ai.usage.output_tokens", "100"),
        ];
        let http = [("http.request.method", "POST")];
        document(&[span(id, parent, "x", if operation.is_empty() { &http[..] } else { &call })])
    };
    let chat = |id: &str, parent: &str| spans(id, parent, "chat");
    for lines in [
        [chat("1", ""), chat("2", "1"), chat("3", "2"), chat("4", "3")],
        [chat("1", ""), spans("2", "1", ""), spans("3", "2", ""), chat("4", "3")],
        [spans("1", "", "invoke_agent"), chat("2", "1"), spans("3", "2", ""), chat("4", "3")],
        [generation("1", ""), generation("2", "1"), generation("3", "2"), generation("4", "3")],
        [observation("1", "", "AGENT", (1000, 100)), observation("2", "1", "SPAN", (0, 0))]
            .into_iter()
            .chain([observation("3", "2", "SPAN", (0, 0)), generation("4", "3")])
            .collect::<Vec<_>>()
            .try_into()
            .unwrap(),
    ] {
        for order in orders(4) {
            let log: String = order.iter().map(|at| lines[*at].as_str()).collect();
            assert_eq!(costs(&book, &log).0, ["known 0.0028"], "{order:?} of {log}");
        }
    }
    // Several that add up to it, more than are remembered one by one.
    let mut lines = vec![observation("o", "", "GENERATION", (5000, 500))];
    lines.extend(["a", "b", "c", "d", "e"].map(|id| generation(id, "s")));
    lines.push(observation("s", "o", "SPAN", (0, 0)));
    assert_eq!(costs(&book, &lines.concat()).0, ["known 0.0028"; 5]);
    // Fewer tokens of the same model: one of the two may hold the other.
    let small = observation("i", "s", "GENERATION", (500, 50));
    let (large, between) = (generation("o", ""), observation("s", "o", "SPAN", (0, 0)));
    for (log, all) in [
        (format!("{large}{small}{between}"), ["known 0.0028", "about 0.0014"]),
        (format!("{small}{large}{between}"), ["known 0.0014", "about 0.0028"]),
    ] {
        assert_eq!(costs(&book, &log).0, all, "{log}");
    }
    // Two whose answer has one name are one already.
    let named = |id: &str, parent: &str| {
        let name = [("gen_ai.response.id", "chatcmpl-0123456789abcdef0123456789")];
        chat(id, parent).replacen(
            r#""attributes":["#,
            &format!(r#""attributes":[{{"key":"{}","value":{{"stringValue":"{}"}}}},"#, name[0].0, name[0].1),
            1,
        )
    };
    let log = named("1", "") + &named("3", "2") + &spans("2", "1", "");
    assert_eq!(costs(&book, &log).0, ["known 0.0028"]);
    // The outer one long given out: the inner one gives way to it.
    let others = (0..300).map(|n| generation(&format!("x{n}"), "")).collect::<String>();
    let log = generation("1", "") + &others + &generation("3", "2") + &generation("2", "1");
    assert_eq!(costs(&book, &log).0.len(), 301);
}
