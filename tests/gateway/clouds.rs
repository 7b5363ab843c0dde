//! Models in Azure, Vertex and Bedrock, at servers that check signatures and tokens: what is asked, what clients of any
//! dialect get, what it costs, and that nothing it is signed with is told.

use std::fs;

use serde_json::{Value, json};

use crate::client::{Answer, Ask};
use crate::cloud::{AWS, Came, Cloud, Said, chunk, frames, whole};
use crate::front::{Front, Row, Sandbox, Setup};
use crate::stage::{chat, messages};

/// A gateway before a cloud: `providers` is added to the file, with URL and the folder put in.
fn setup(cloud: &Cloud, providers: &str) -> Setup {
    let mut setup = Setup::of(&cloud.url);
    setup.providers = format!(
        "[defaults]\nretries = {{ attempts = 1 }}\n\n{}\n[simulated]\nwithout_key = false\n",
        providers.replace("URL", &cloud.url)
    );
    setup
}

fn sandbox(setup: &Setup, files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new(setup);
    for (name, text) in files {
        fs::write(sandbox.path().join(name), text).unwrap();
    }
    sandbox
}

/// Ends the gateway and returns its ledger, once it is sure that nothing secret stands anywhere.
fn ended(sandbox: &Sandbox, front: Front<'_>, answers: &[&Answer]) -> Vec<Row> {
    let log = front.stop();
    let rows = sandbox.ledger();
    let told: String = answers.iter().map(|answer| answer.text()).collect();
    let all = format!("{log}{rows:?}{told}");
    assert!(!all.contains("never-to-be-seen"), "{all}");
    rows
}

const BEDROCK: &str = "[[provider]]\nname = \"bedrock\"\nplatform = \"bedrock\"\ndialect = \"DIALECT\"\nregion = \"us-east-1\"\n\
    base_url = \"URL\"\nkey = { command = [\"cat\", \"aws.json\"] }\n\
    rename = { \"claude-opus-4-6\" = \"us.anthropic.claude-opus-4-6-v1:0\" }\n";
const VERTEX: &str = "[[provider]]\nname = \"vertex\"\nplatform = \"vertex\"\ndialect = \"anthropic\"\n\
    region = \"us-east5\"\nproject = \"acme-1\"\nbase_url = \"URL\"\nkey = { file = \"account.json\" }\n\
    rename = { \"claude-opus-4-6\" = \"claude-opus-4-6@20260205\" }\n";

fn aws_keys(session: &str, until: &str) -> String {
    json!({ "Version": 1, "AccessKeyId": AWS[0], "SecretAccessKey": AWS[1], "SessionToken": session, "Expiration": until })
        .to_string()
}

fn good_keys() -> String {
    aws_keys(AWS[2], "2999-01-01T00:00:00Z")
}

/// An answer of Claude's, in events or whole.
fn claude(is_stream: bool) -> Vec<Value> {
    if !is_stream {
        return vec![
            json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-opus-4-6",
            "content": [{ "type": "text", "text": "Tomorrow." }], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": { "input_tokens": 11, "output_tokens": 5 } }),
        ];
    }
    vec![
        json!({ "type": "message_start", "message": { "id": "msg_1", "type": "message", "role": "assistant",
            "model": "claude-opus-4-6", "content": [], "usage": { "input_tokens": 11, "output_tokens": 1 } } }),
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
        json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "text_delta", "text": "Tomorrow." } }),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" }, "usage": { "output_tokens": 5 } }),
        json!({ "type": "message_stop" }),
    ]
}

fn as_events(events: &[Value]) -> Said {
    let line = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let body: String = events.iter().map(line).collect();
    (200, "content-type: text/event-stream\r\n".to_owned(), body.into_bytes())
}

fn is_charged(row: &Row, input: u64, output: u64) {
    assert_eq!((row.input, row.output, row.kind.as_str()), (Some(input), Some(output), "known"), "{row:?}");
}

#[test]
fn claude_on_bedrock_is_invoked_under_a_signature() {
    let cloud = Cloud::start(0, |came| match came.target.rsplit_once('/').unwrap().1 {
        "invoke" => whole(&claude(false)[0]),
        "invoke-with-response-stream" => frames(&claude(true).iter().map(chunk).collect::<Vec<_>>()),
        other => panic!("{other}"),
    });
    let setup = setup(&cloud, &BEDROCK.replace("DIALECT", "anthropic"));
    let sandbox = sandbox(&setup, &[("aws.json", &good_keys())]);
    let front = sandbox.serve(&setup);
    let mut answers = Vec::new();
    for stream in [false, true] {
        for ask in [chat("claude-opus-4-6", stream), messages("claude-opus-4-6", stream)] {
            let betas = "interleaved-thinking-2025-05-14,claude-code-20250219";
            let answer = ask.header("anthropic-beta", betas).send(front.address());
            assert_eq!((answer.status(), answer.said().as_str()), (200, "Tomorrow."), "{}", answer.text());
            answers.push(answer);
        }
    }
    for came in cloud.seen("/model/") {
        assert!(came.target.starts_with("/model/us.anthropic.claude-opus-4-6-v1%3A0/"), "{}", came.target);
        let body = came.json();
        assert_eq!(body["anthropic_version"], "bedrock-2023-05-31");
        assert_eq!(
            body["anthropic_beta"],
            json!(["interleaved-thinking-2025-05-14"]),
            "what it refuses is left out"
        );
        assert!(body.get("model").is_none() && body.get("stream").is_none(), "{body}");
        assert!(came.headers.keys().all(|name| !name.starts_with("anthropic")));
    }
    let left_out = answers[1].header("pointsman-left-out").unwrap_or_default();
    assert!(left_out.contains("claude-code-20250219"), "{left_out}");
    for row in ended(&sandbox, front, &answers.iter().collect::<Vec<_>>()) {
        is_charged(&row, 11, 5);
        assert_eq!(row.amount, Some((11 * 5 + 5 * 25) * 1_100_000), "a region costs a tenth more: {row:?}");
    }
}

/// A turn of Converse: thoughts, words, a call of a tool, cached tokens.
fn conversed(came: &Came) -> Said {
    let usage = json!({ "inputTokens": 11, "outputTokens": 5, "totalTokens": 116, "cacheReadInputTokens": 80,
        "cacheWriteInputTokens": 20, "cacheDetails": [{ "ttl": "5m", "inputTokens": 20 }] });
    if came.target.ends_with("/converse") {
        return whole(&json!({ "output": { "message": { "role": "assistant", "content": [
            { "text": "I look." },
            { "toolUse": { "toolUseId": "t1", "name": "weather", "input": { "city": "Zürich" } } }] } },
            "stopReason": "tool_use", "usage": usage, "metrics": { "latencyMs": 1 } }));
    }
    frames(&[
        ("messageStart", json!({ "role": "assistant" })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": "I " } })),
        ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": "look." } })),
        ("contentBlockStop", json!({ "contentBlockIndex": 0 })),
        (
            "contentBlockStart",
            json!({ "contentBlockIndex": 1, "start": { "toolUse": { "toolUseId": "t1", "name": "weather" } } }),
        ),
        (
            "contentBlockDelta",
            json!({ "contentBlockIndex": 1, "delta": { "toolUse": { "input": "{\"city\":" } } }),
        ),
        (
            "contentBlockDelta",
            json!({ "contentBlockIndex": 1, "delta": { "toolUse": { "input": "\"Zürich\"}" } } }),
        ),
        ("contentBlockStop", json!({ "contentBlockIndex": 1 })),
        ("messageStop", json!({ "stopReason": "tool_use" })),
        ("metadata", json!({ "usage": usage, "metrics": { "latencyMs": 1 } })),
    ])
}

#[test]
fn any_client_speaks_to_converse() {
    let cloud = Cloud::start(0, conversed);
    let setup = setup(&cloud, &BEDROCK.replace("DIALECT", "converse"));
    let sandbox = sandbox(&setup, &[("aws.json", &good_keys())]);
    let front = sandbox.serve(&setup);
    let schema = json!({ "type": "object", "properties": { "city": { "type": "string" } } });
    let mut answers = Vec::new();
    for stream in [false, true] {
        let body = json!({ "model": "claude-opus-4-6", "stream": stream, "max_tokens": 50, "temperature": 0.5,
            "stop_sequences": ["END"], "top_k": 3, "metadata": { "user_id": "u" },
            "system": [{ "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral" } }],
            "tools": [{ "name": "weather", "description": "d", "input_schema": schema }], "tool_choice": { "type": "any" },
            "messages": [
                { "role": "user", "content": "Rain?" },
                { "role": "assistant", "content": [{ "type": "tool_use", "id": "t0", "name": "weather", "input": {} }] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "t0", "content": "no city", "is_error": true },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "QUJD" } }] }] });
        let answer = Ask::post("/v1/messages", &body).send(front.address());
        assert_eq!(answer.status(), 200, "{}", answer.text());
        let text = answer.text();
        assert_eq!(answer.said(), "I look.");
        for part in ["\"tool_use\"", "\"t1\"", "weather", "Zürich", "msg_bdrk_"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        answers.push(answer);
        let tools = json!([{ "type": "function", "function": { "name": "weather", "parameters": schema } }]);
        let body = json!({ "model": "claude-opus-4-6", "stream": stream, "tools": tools,
            "messages": [{ "role": "user", "content": "Rain?" }] });
        let answer = Ask::post("/v1/chat/completions", &body).send(front.address());
        assert!(answer.text().contains("tool_calls"), "{}", answer.text());
        assert_eq!((answer.status(), answer.said().as_str()), (200, "I look."));
        answers.push(answer);
    }
    let asked = cloud.seen("/converse")[0].json();
    let wanted = json!({
        "messages": [
            { "role": "user", "content": [{ "text": "Rain?" }] },
            { "role": "assistant", "content": [{ "toolUse": { "toolUseId": "t0", "name": "weather", "input": {} } }] },
            { "role": "user", "content": [
                { "toolResult": { "toolUseId": "t0", "content": [{ "text": "no city" }], "status": "error" } },
                { "image": { "format": "png", "source": { "bytes": "QUJD" } } }] }],
        "system": [{ "text": "Be brief." }, { "cachePoint": { "type": "default" } }],
        "inferenceConfig": { "maxTokens": 50, "temperature": 0.5, "stopSequences": ["END"] },
        "toolConfig": { "tools": [{ "toolSpec": { "name": "weather", "description": "d", "inputSchema": { "json": schema } } }],
            "toolChoice": { "any": {} } },
        "additionalModelRequestFields": { "top_k": 3 },
    });
    assert_eq!(asked, wanted);
    assert!(answers[0].header("pointsman-left-out").unwrap_or_default().contains("metadata"));
    for row in ended(&sandbox, front, &answers.iter().collect::<Vec<_>>()) {
        is_charged(&row, 11, 5);
        assert_eq!((row.cache_read, row.write_5m), (Some(80), Some(20)), "{row:?}");
    }
}

/// "This model doesn't support tool use in streaming mode": every coding agent streams.
#[test]
fn tools_of_llamas_are_asked_for_whole_and_told_as_a_stream() {
    let cloud = Cloud::start(0, conversed);
    let setup = setup(
        &cloud,
        &BEDROCK
            .replace("DIALECT", "converse")
            .replace("us.anthropic.claude-opus-4-6-v1:0", "us.meta.llama4-scout"),
    );
    let sandbox = sandbox(&setup, &[("aws.json", &good_keys())]);
    let front = sandbox.serve(&setup);
    let tools = json!([{ "name": "weather", "input_schema": { "type": "object" } }]);
    let body = json!({ "model": "claude-opus-4-6", "stream": true, "max_tokens": 50, "tools": tools,
        "messages": [{ "role": "user", "content": "Rain?" }] });
    let messages = Ask::post("/v1/messages", &body).send(front.address());
    let tools = json!([{ "type": "function", "function": { "name": "weather" } }]);
    let body = json!({ "model": "claude-opus-4-6", "stream": true, "tools": tools, "messages": [{ "role": "user", "content": "Rain?" }] });
    let chat = Ask::post("/v1/chat/completions", &body).send(front.address());
    for answer in [&messages, &chat] {
        assert_eq!((answer.status(), answer.said().as_str()), (200, "I look."), "{}", answer.text());
        assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
        assert!(crate::stage::ends_well(answer) && answer.text().contains("weather"), "{}", answer.text());
    }
    assert!(cloud.seen("/converse-stream").is_empty());
    for row in ended(&sandbox, front, &[&messages, &chat]) {
        is_charged(&row, 11, 5);
    }
}

#[test]
fn an_exception_in_bedrocks_stream_and_a_broken_frame_are_failures() {
    let cloud = Cloud::start(0, |came| {
        let begun = [
            ("messageStart", json!({ "role": "assistant" })),
            ("contentBlockDelta", json!({ "contentBlockIndex": 0, "delta": { "text": "I " } })),
        ];
        let asked = String::from_utf8_lossy(&came.body).into_owned();
        if asked.contains("throttle") {
            return frames(&[("throttlingException", json!({ "message": "Too many tokens" }))]);
        }
        if asked.contains("late") {
            let late = ("modelStreamErrorException", json!({ "message": "it broke" }));
            return frames(&[begun[0].clone(), begun[1].clone(), late]);
        }
        let (status, head, mut body) = frames(&begun);
        let last = body.len() - 6;
        body[last] ^= 1;
        (status, head, body)
    });
    let setup = setup(&cloud, &BEDROCK.replace("DIALECT", "converse"));
    let sandbox = sandbox(&setup, &[("aws.json", &good_keys())]);
    let front = sandbox.serve(&setup);
    let ask = |word: &str| {
        let body = json!({ "model": "claude-opus-4-6", "stream": true, "messages": [{ "role": "user", "content": word }] });
        Ask::post("/v1/chat/completions", &body).send(front.address())
    };
    let late = ask("late");
    assert!(late.text().contains("it broke") && !late.text().contains("[DONE]"), "{}", late.text());
    let broken = ask("broken");
    // Which other rung could have been asked: the client had nothing of it.
    assert_eq!(broken.status(), 502, "{}", broken.text());
    // Last, as the model is left alone for it, as it is for a status.
    let throttled = ask("throttle");
    assert_eq!(throttled.status(), 429, "{}", throttled.text());
    assert!(throttled.text().contains("Too many tokens"), "{}", throttled.text());
    let rows = ended(&sandbox, front, &[&late, &broken, &throttled]);
    let statuses: Vec<&str> = rows.iter().map(|row| row.status.as_str()).collect();
    assert_eq!(statuses, ["cut", "server_error", "rate_limited"], "{rows:#?}");
    assert!(rows[0].kind == "estimated" && rows[0].amount.is_some_and(|cost| cost > 0), "{rows:#?}");
    assert_eq!(rows[1].kind, "unknown", "nobody saw what it came to: {rows:#?}");
}

#[test]
fn keys_of_awss_that_end_are_read_again() {
    let cloud = Cloud::start(0, |_| whole(&claude(false)[0]));
    let setup = setup(&cloud, &BEDROCK.replace("DIALECT", "anthropic"));
    // They say that they have ended, so each call reads them again.
    let sandbox = sandbox(&setup, &[("aws.json", &aws_keys(AWS[2], "2020-01-01T00:00:00Z"))]);
    let front = sandbox.serve(&setup);
    let first = chat("claude-opus-4-6", false).send(front.address());
    assert_eq!(first.status(), 200, "{}", first.text());
    fs::write(sandbox.path().join("aws.json"), good_keys()).unwrap();
    let second = chat("claude-opus-4-6", false).send(front.address());
    assert_eq!(second.status(), 200, "{}", second.text());
    fs::write(sandbox.path().join("aws.json"), "{}").unwrap();
    let third = chat("claude-opus-4-6", false).send(front.address());
    assert_eq!(third.status(), 200, "what does not end is not read again: {}", third.text());
    ended(&sandbox, front, &[&first, &second, &third]);
}

#[test]
fn claude_on_vertex_is_asked_under_a_token_that_is_renewed() {
    let cloud = Cloud::start(3600, |came| match came.target.rsplit_once(':').unwrap().1 {
        "rawPredict" => whole(&claude(false)[0]),
        "streamRawPredict" => as_events(&claude(true)),
        other => panic!("{other}"),
    });
    let setup = setup(&cloud, VERTEX);
    let sandbox = sandbox(&setup, &[("account.json", &cloud.account())]);
    let front = sandbox.serve(&setup);
    let mut answers = Vec::new();
    for ask in [chat("claude-opus-4-6", false), messages("claude-opus-4-6", true)] {
        answers.push(ask.send(front.address()));
    }
    assert_eq!(cloud.seen("/token").len(), 1, "a token serves until it ends");
    // One that served and is refused is renewed, and the call made again.
    cloud.revoke();
    answers.push(chat("claude-opus-4-6", true).send(front.address()));
    for answer in &answers {
        assert_eq!((answer.status(), answer.said().as_str()), (200, "Tomorrow."), "{}", answer.text());
    }
    assert_eq!((cloud.seen("/token").len(), cloud.seen("/v1/projects/").len()), (2, 4));
    for came in cloud.seen("/v1/projects/") {
        let path =
            "/v1/projects/acme-1/locations/us-east5/publishers/anthropic/models/claude-opus-4-6@20260205:";
        assert!(came.target.starts_with(path), "{}", came.target);
        let body = came.json();
        assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
        assert_eq!(body.get("model"), None);
        assert_eq!(body["stream"].as_bool().unwrap_or(false), came.target.ends_with("streamRawPredict"));
    }
    let rows = ended(&sandbox, front, &answers.iter().collect::<Vec<_>>());
    assert_eq!(rows.len(), 3, "a refused token is no call");
    for row in &rows {
        is_charged(row, 11, 5);
    }
}

#[test]
fn a_token_that_is_not_given_fails_the_call_and_says_why() {
    let cloud = Cloud::start(3600, |_| whole(&claude(false)[0]));
    let setup = setup(&cloud, VERTEX);
    let other = cloud.account().replace("gateway@example", "somebody@example");
    let sandbox = sandbox(&setup, &[("account.json", &other)]);
    let front = sandbox.serve(&setup);
    let answers: Vec<Answer> = (0..3).map(|_| chat("claude-opus-4-6", false).send(front.address())).collect();
    for answer in &answers {
        assert_eq!(answer.status(), 502, "{}", answer.text());
    }
    assert_eq!(cloud.seen("/token").len(), 1, "nobody asks again at once");
    let rows = ended(&sandbox, front, &answers.iter().collect::<Vec<_>>());
    for row in &rows {
        assert!(row.error.contains("no token was given: 400"), "{row:?}");
        assert_eq!((row.kind.as_str(), row.amount), ("known", Some(0)), "no call, no bill: {row:?}");
    }
}

#[test]
fn a_token_goes_over_no_open_network_and_a_broken_account_ends_the_start() {
    let cloud = Cloud::start(3600, |_| whole(&claude(false)[0]));
    let setup = setup(&cloud, VERTEX);
    let account = cloud.account();
    let open = account.replace(&cloud.url, "http://tokens.example.com");
    let desk_open = sandbox(&setup, &[("account.json", &open)]);
    let front = desk_open.serve(&setup);
    let answer = chat("claude-opus-4-6", false).send(front.address());
    let rows = ended(&desk_open, front, &[&answer]);
    assert!(rows[0].error.contains("token_uri is no https:// address"), "{rows:?}");
    for (from, to, wanted) in [
        ("PRIVATE KEY", "PUBLIC KEY", "is no PEM of a PRIVATE KEY"),
        ("service_account", "external_account", "is no file of a service account"),
    ] {
        let sandbox = sandbox(&setup, &[("account.json", &account.replace(from, to))]);
        let (status, said) = sandbox.refuses(&setup);
        assert!(!status.success() && said.contains(wanted) && said.contains("provider.vertex.key"), "{said}");
    }
}

#[test]
fn azure_is_asked_by_deployment_with_its_own_header() {
    let cloud = Cloud::start(0, |_| {
        whole(&json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "gpt-4.1",
            "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Tomorrow." } }],
            "usage": { "prompt_tokens": 11, "completion_tokens": 5, "total_tokens": 16 } }))
    });
    let azure = "[[provider]]\nname = \"azure\"\nplatform = \"azure\"\ndialect = \"openai\"\nbase_url = \"URL\"\n\
                 key = { file = \"azure.key\" }\nrename = { \"gpt-4.1\" = \"my dep\" }\n";
    for (version, path) in [
        (
            "api_version = \"2024-10-21\"\n",
            "/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21",
        ),
        ("", "/openai/v1/chat/completions"),
    ] {
        let setup = setup(&cloud, &format!("{azure}{version}"));
        let sandbox = sandbox(&setup, &[("azure.key", "azure-key-never-to-be-seen\n")]);
        let front = sandbox.serve(&setup);
        let answer = chat("gpt-4.1", false).send(front.address());
        assert_eq!((answer.status(), answer.said().as_str()), (200, "Tomorrow."), "{}", answer.text());
        assert_eq!(cloud.seen(path)[0].json()["model"], "my dep");
        is_charged(&ended(&sandbox, front, &[&answer])[0], 11, 5);
    }
}
