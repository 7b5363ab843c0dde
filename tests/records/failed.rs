//! Requests that failed are requests, not gaps in a log; what was refused used nothing, and is told as what it was.

use std::ops::ControlFlow;

use pointsman::config::prices::builtin;
use pointsman::record::{Entry, Input, InputFormat, ReadOptions, open};

use super::billed::{chat, check, costs};

/// Says of each request of a log how it ended and what it used in all, if that is known.
fn ended(log: &str) -> (InputFormat, Vec<String>) {
    let mut all = Vec::new();
    let mut source = open(&Input::bytes("log", log.as_bytes().to_vec()), &ReadOptions::default()).unwrap();
    let format = source.format();
    source
        .for_each(|_, _, entry| {
            let Ok(Entry::Request(record)) = entry else {
                all.push("skipped".to_owned());
                return ControlFlow::Continue(());
            };
            let call = record.attempts.last().unwrap();
            let used = call.usage.prompt().zip(call.usage.output.get());
            let used = used.map_or_else(|| "?".to_owned(), |(prompt, out)| (prompt + out).to_string());
            all.push(format!("{} {used}", call.status.name()));
            ControlFlow::Continue(())
        })
        .unwrap();
    (format, all)
}

#[test]
fn errors_in_place_of_answers_are_requests_that_failed() {
    let openai = [
        r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        r#"{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}"#,
        r#"{"error":{"message":"bad","type":"invalid_request_error","param":"x","code":null}}"#,
        r#"{"error":{"message":"Provider returned error","code":502},"user_id":"u"}"#,
        r#"{"object":"error","message":"too long","type":"BadRequestError","code":400}"#,
        r#"{"error":"model not found"}"#,
    ];
    let want =
        ["rate_limited 0", "server_error 0", "rejected 0", "server_error 0", "rejected 0", "rejected 0"];
    let log = format!("{}\n{}\n", chat(super::billed::PLAIN, ""), openai.join("\n"));
    assert_eq!(ended(&log).1[1..], want);
    // A log of nothing else is known by them.
    assert_eq!(
        ended(&openai[..3].join("\n")),
        (InputFormat::OpenAi, want[..3].iter().map(|&w| w.to_owned()).collect())
    );
    let anthropic = [
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"x"},"request_id":"req_2"}"#,
        r#"{"type":"error","error":{"type":"invalid_request_error","message":"x"}}"#,
    ];
    let told = ["server_error 0", "rate_limited 0", "rejected 0"].map(str::to_owned).to_vec();
    assert_eq!(ended(&anthropic.join("\n")), (InputFormat::Anthropic, told));
    let gemini = [
        r#"{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED"}}"#,
        r#"[{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}]"#,
        r#"{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT"}}"#,
    ];
    let told = ["rate_limited 0", "server_error 0", "rejected 0"].map(str::to_owned).to_vec();
    assert_eq!(ended(&gemini.join("\n")), (InputFormat::Gemini, told));
    let ollama = "{\"model\":\"llama3\",\"created_at\":\"2026-05-23T10:00:00Z\",\"done\":true,\"prompt_eval_count\":5,\"eval_count\":6}\n\
                  {\"error\":\"model 'x' not found\"}\n";
    assert_eq!(ended(ollama).1, ["ok 11", "rejected 0"]);
    for stream in [
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
        "data: {\"error\":{\"message\":\"x\",\"code\":503}}\n\n",
    ] {
        assert_eq!(ended(stream).1, ["server_error 0"], "{stream}");
    }
    // One that broke off was answered in part.
    let cut = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"m\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n\
               data: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n";
    assert_eq!(ended(cut).1, ["failed 10"]);
}

#[test]
fn an_answer_that_went_wrong_failed_though_it_has_the_shape_of_one() {
    let choice = |choice: &str| {
        chat(super::billed::PLAIN, "").replace(r#"{"index":0,"message":{"content":"hi"}}"#, choice)
    };
    for (log, want) in [
        (choice(r#"{"index":0,"message":{"content":"par"},"finish_reason":"error"}"#), "failed 1100"),
        (choice(r#"{"index":0,"message":{"content":"par"},"error":{"code":502}}"#), "failed 1100"),
        (choice(r#"{"index":0,"message":{"content":"x"},"finish_reason":"stop","error":null}"#), "ok 1100"),
    ] {
        assert_eq!(ended(&log).1, [want], "{log}");
    }
    let gemini = |reason: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"x"}}]}},"finishReason":"{reason}"}}],"usageMetadata":{{"promptTokenCount":9,"candidatesTokenCount":1}}}}"#
        )
    };
    for (reason, want) in [
        ("STOP", "ok 10"),
        ("MALFORMED_FUNCTION_CALL", "failed 10"),
        ("MAX_TOKENS", "ok 10"),
        ("OTHER", "failed 10"),
    ] {
        assert_eq!(ended(&gemini(reason)).1, [want], "{reason}");
        assert_eq!(ended(&format!("data: {}\n\n", gemini(reason))).1, [want], "{reason}");
    }
    let stream =
        format!("data: {}\n\n", choice(r#"{"index":0,"delta":{"content":"x"},"finish_reason":"error"}"#));
    assert_eq!(ended(&stream).1, ["failed 1100"]);
}

/// What a log comes to, in whichever order it was told.
fn sorted(log: &str) -> Vec<String> {
    let mut all = ended(log).1;
    all.sort();
    all
}

#[test]
fn a_response_whose_stream_goes_on_or_failed_after_it_began_is_no_refusal() {
    let created = r#"data: {"type":"response.created","response":{"id":"resp_1","object":"response","model":"gpt-4.1","status":"in_progress","output":[],"usage":null}}"#;
    let text = r#"data: {"type":"response.output_text.delta","delta":"hi"}"#;
    assert_eq!(ended(&format!("{created}\n\n{text}\n\n")).1, ["cut ?"]);
    let error = r#"data: {"type":"error","code":"server_error","message":"x"}"#;
    assert_eq!(ended(&format!("{created}\n\n{error}\n\n")).1, ["failed ?"]);
}

#[test]
fn what_counts_tokens_or_lists_models_is_no_call() {
    let gemini = r#"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1}}"#;
    let other = "{\"totalTokens\":5}\n{\"models\":[{\"name\":\"x\"}]}";
    assert_eq!(sorted(&format!("{gemini}\n{other}\n")), ["ok 10", "skipped", "skipped"]);
    let message = r#"{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":"end_turn","usage":{"input_tokens":9,"output_tokens":1}}"#;
    let other = "{\"input_tokens\":5}\n{\"data\":[{\"id\":\"x\"}],\"has_more\":false}";
    assert_eq!(sorted(&format!("{message}\n{other}\n")), ["ok 10", "skipped", "skipped"]);
}

#[test]
fn results_of_batches_are_requests_at_the_price_of_batches() {
    let openai = |body: &str, _: &str| {
        format!(
            r#"{{"id":"batch_req_1","custom_id":"r1","response":{{"status_code":200,"request_id":"q","body":{body}}},"error":null}}"#
        )
    };
    let (plain, fast) =
        (chat(super::billed::PLAIN, ""), chat(super::billed::PLAIN, r#","service_tier":"default""#));
    check(openai, &[(&plain, "", "known 0.0014"), (&fast, "", "known 0.0014")]);
    let message = r#"{"id":"m","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":"end_turn","usage":{"input_tokens":1000,"output_tokens":100,"service_tier":"batch"}}"#;
    let anthropic = |result: &str, _: &str| format!(r#"{{"custom_id":"r1","result":{result}}}"#);
    check(anthropic, &[(&format!(r#"{{"type":"succeeded","message":{message}}}"#), "", "known 0.00225")]);
    let gemini = |answer: &str, _: &str| format!(r#"{{"key":"r1","response":{answer}}}"#);
    check(
        gemini,
        &[(
            r#"{"candidates":[{"finishReason":"STOP"}],"modelVersion":"gemini-2.5-flash","usageMetadata":{"promptTokenCount":1000,"candidatesTokenCount":100,"totalTokenCount":1100}}"#,
            "",
            "known 0.000275",
        )],
    );
    for (result, want) in [
        (
            r#"{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"x"}}}"#,
            "rejected 0",
        ),
        (r#"{"type":"canceled"}"#, "cancelled 0"),
        (r#"{"type":"expired"}"#, "unavailable 0"),
    ] {
        assert_eq!(ended(&anthropic(result, "")).1, [want], "{result}");
    }
    for (line, want) in [
        (
            r#"{"custom_id":"a","response":{"status_code":400,"body":{"error":{"message":"x","type":"invalid_request_error"}}},"error":null}"#,
            "rejected 0",
        ),
        (
            r#"{"custom_id":"a","response":null,"error":{"code":"batch_expired","message":"x"}}"#,
            "unavailable 0",
        ),
    ] {
        assert_eq!(ended(line).1, [want], "{line}");
    }
    let both = format!(
        "{}\n{}\n",
        openai(&plain, ""),
        r#"{"custom_id":"a","response":null,"error":{"code":"batch_expired","message":"x"}}"#
    );
    assert_eq!(costs(&builtin("list").unwrap(), &both).0, ["known 0.0014", "known 0"]);
}
