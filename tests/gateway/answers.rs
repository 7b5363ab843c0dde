//! Odd answers of providers: packed unasked, marked, with addresses in their errors, or holding what a client's dialect has
//! no place for. What the client sees of them, and what the ledger says.

use std::io::Write as _;

use serde_json::json;

use crate::front::{Sandbox, Setup};
use crate::stage::{MODELS, Sees, Speaks, chat, hold, nothing_held};
use crate::upstream::{Pace, Reply, Upstream};

/// A whole answer of chat, and the same as a stream.
fn said(stream: bool) -> String {
    let usage = r#""usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}"#;
    if !stream {
        return format!(
            r#"{{"id":"c","object":"chat.completion","model":"gpt-4.1","choices":[{{"index":0,"message":{{"role":"assistant","content":"due on Friday"}},"finish_reason":"stop"}}],{usage}}}"#
        );
    }
    let chunk = |choices: &str, rest: &str| {
        format!(
            "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4.1\",\"choices\":[{choices}]{rest}}}\n\n"
        )
    };
    [
        chunk(
            r#"{"index":0,"delta":{"role":"assistant","content":"due on Friday"},"finish_reason":null}"#,
            "",
        ),
        chunk(r#"{"index":0,"delta":{},"finish_reason":"stop"}"#, ""),
        chunk("", &format!(",{usage}")),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

fn body(bytes: impl Into<Vec<u8>>) -> Reply {
    Reply { body: Some(bytes.into()), ..Reply::default() }
}

#[test]
fn an_answer_that_is_packed_unasked_or_marked_is_read_as_any_other() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for stream in [false, true] {
        let text = said(stream);
        let marked = format!("\u{feff}{text}");
        let forms = [
            ("gzip", body(gzip(text.as_bytes())).header("content-encoding", "gzip")),
            (
                "gzip in pieces",
                body(gzip(text.as_bytes())).header("content-encoding", "gzip").paced(Pace::Bytes(3)),
            ),
            ("zstd", body(zstd::encode_all(text.as_bytes(), 1).unwrap()).header("content-encoding", "zstd")),
            ("gzip that nobody told of", body(gzip(text.as_bytes()))),
            ("a byte order mark", body(marked.clone())),
            ("both", body(gzip(marked.as_bytes())).header("content-encoding", "gzip")),
        ];
        for (what, reply) in forms {
            for speaks in Speaks::ALL {
                upstream.push(reply.clone());
                let answer = speaks.ask("gpt-4.1", stream).send(front.address());
                let what = format!("{what}, {speaks:?}, stream {stream}");
                hold(&what, speaks, stream, Sees::Whole, &answer, "due on Friday");
                assert!(!answer.body.starts_with(b"\xef\xbb\xbf"), "{what}: the mark is no JSON");
            }
        }
    }
    // What cannot be read is told by its name, and so is an answer that breaks off within its packing.
    let text = said(false);
    let cut = gzip(text.as_bytes());
    for (reply, told) in [
        (body(b"\x0b\x02\x80abc".to_vec()).header("content-encoding", "br"), "packed (br)"),
        (body(cut[..cut.len() - 5].to_vec()).header("content-encoding", "gzip"), "cannot be unpacked"),
    ] {
        for stream in [false, true] {
            upstream.push(reply.clone());
            let answer = chat("gpt-4.1", stream).send(front.address());
            assert_eq!(answer.status(), 502, "{}", answer.text());
            assert!(answer.text().contains(told), "{}", answer.text());
        }
    }
    upstream.wait_idle();
    nothing_held(&front);
    let rows = front.settle();
    let (read, broken) = rows.split_at(24);
    assert!(
        read.iter().all(|row| row.status == "ok" && row.kind == "known" && row.amount == Some(36_000_000)),
        "{read:#?}"
    );
    assert!(broken.iter().all(|row| row.status == "server_error"), "{broken:#?}");
}

#[test]
fn an_error_within_an_answer_tells_no_address_of_a_machine() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let error = json!({"error": {"type": "server_error", "code": "x",
        "message": format!("quota at http://10.1.2.3:99/secret, see {}/v1 and https://example.com/help", upstream.url())}});
    for model in MODELS {
        for speaks in Speaks::ALL {
            for (stream, text) in
                [(false, error.to_string()), (true, error.to_string()), (true, format!("data: {error}\n\n"))]
            {
                upstream.push(body(text));
                let answer = speaks.ask(model, stream).send(front.address());
                let (text, what) = (answer.text(), format!("{model} {speaks:?} {stream}"));
                assert!(
                    text.contains("quota at up-") && text.contains("https://example.com/help"),
                    "{what}: {text}"
                );
                assert!(!text.contains("10.1.2.3") && !text.contains("127.0.0.1"), "{what}: {text}");
            }
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    assert!(rows.iter().all(|row| row.error.contains("10.1.2.3:99")), "the operator reads where: {rows:#?}");
}

#[test]
fn a_refusal_under_a_good_status_costs_what_one_by_its_status_does() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for code in [400, 429] {
        let error = json!({"error": {"message": "no", "type": "invalid_request_error", "code": code}});
        for (stream, text) in
            [(false, error.to_string()), (true, error.to_string()), (true, format!("data: {error}\n\n"))]
        {
            upstream.push(body(text));
            let answer = chat("gpt-4.1", stream).send(front.address());
            assert_eq!(answer.status(), code, "{}", answer.text());
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    assert!(rows.iter().all(|row| row.kind == "known" && row.amount == Some(0)), "{rows:#?}");
}

/// A stream of chat: this delta, then this word for its end, usage and the last mark.
fn streamed(delta: &str, word: &str) -> String {
    let chunk = |rest: &str| format!("data: {{\"id\":\"c\",\"model\":\"m\",{rest}}}\n\n");
    chunk(&format!(r#""choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]"#))
        + &chunk(&format!(r#""choices":[{{"index":0,"delta":{{}},"finish_reason":"{word}"}}]"#))
        + &chunk(r#""choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2}"#)
        + "data: [DONE]\n\n"
}

#[test]
fn a_streamed_call_that_cannot_be_made_is_an_error_and_a_failed_check_whatever_the_client_speaks() {
    let upstream = Upstream::start();
    let setup = Setup::of(&upstream.url());
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let call = r#"{"tool_calls":[{"index":0,"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":"}}]}"#;
    for speaks in Speaks::ALL {
        upstream.push(body(streamed(call, "tool_calls")));
        let answer = speaks.ask("gpt-4.1", true).send(front.address());
        let text = answer.text();
        assert!(answer.status() == 200 && answer.sound, "{text}");
        let error = answer.chunks().into_iter().find(|chunk| chunk.get("error").is_some());
        speaks.error(&error.unwrap_or_else(|| panic!("no error event: {text}")));
        assert!(!crate::stage::ends_well(&answer), "{text}");
    }
    // On a ladder it is the same once the client has had a part of it, and nobody else is asked.
    upstream.push(body(streamed(call, "tool_calls")));
    let answer = chat("auto", true).send(front.address());
    assert!(answer.text().contains("not a JSON object"), "{}", answer.text());
    upstream.wait_idle();
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(rows.len(), 3, "{rows:#?}");
    assert!(
        rows.iter().all(|row| row.kind == "known" && row.error.contains("not a JSON object")),
        "{rows:#?}"
    );
    assert_eq!(rows.iter().map(|row| row.status.as_str()).collect::<Vec<_>>(), ["ok", "ok", "cut"]);
    let told = sandbox.must(&["ledger", "export"]);
    assert_eq!(told.matches(r#""check":"failed""#).count(), 3, "{told}");
}

#[test]
fn what_a_dialect_has_no_place_for_is_told_or_the_next_rung_is_asked() {
    let policy = r#"
[[route]]
name = "everything"
ladder = [
  { rung = "small", model = "gemini-2.5-flash", threshold = 0 },
  { rung = "large", model = "gpt-4.1" },
]
no_signal = "small"
"#;
    let upstream = Upstream::start();
    let mut setup = Setup::of(&upstream.url());
    policy.clone_into(&mut setup.policy);
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let answer = |parts: serde_json::Value| {
        json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 2, "totalTokenCount": 12}})
    };
    let sound = json!({"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}});
    let form = |value: &serde_json::Value, stream: bool| {
        body(if stream { format!("data: {value}\n\n") } else { value.to_string() })
    };
    for stream in [false, true] {
        // Beside a text it is left out and told.
        let both = answer(json!([{"text": "listen"}, sound]));
        upstream.push(form(&both, stream));
        let got = chat("gemini-2.5-flash", stream).send(front.address());
        assert_eq!((got.status(), got.said().as_str()), (200, "listen"));
        let told = if stream {
            got.text().contains("\n: pointsman-left-out answer (inlineData)\n")
                || got.text().contains(": pointsman-left-out answer (inlineData)")
        } else {
            got.header("pointsman-left-out") == Some("answer (inlineData)")
        };
        assert!(told, "stream {stream}: {}", got.text());
        // Alone it is no answer: an error where nobody else is asked, else the next rung's.
        let alone = answer(json!([sound]));
        upstream.push(form(&alone, stream));
        let got = chat("gemini-2.5-flash", stream).send(front.address());
        assert_eq!(got.status(), 502, "stream {stream}: {}", got.text());
        assert!(got.text().contains("answer (inlineData)"), "{}", got.text());
        upstream.push(form(&alone, stream));
        upstream.push(body(said(stream)));
        let got = chat("auto", stream).send(front.address());
        assert_eq!((got.status(), got.said().as_str()), (200, "due on Friday"), "{}", got.text());
        // A picture has a place.
        upstream
            .push(form(&answer(json!([{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}])), stream));
        let got = chat("gemini-2.5-flash", stream).send(front.address());
        assert!(got.text().contains("data:image/png;base64,AAAA"), "{}", got.text());
    }
    nothing_held(&front);
    let rows = front.settle();
    assert!(rows.iter().all(|row| row.status == "ok" && row.kind == "known"), "{rows:#?}");
    let told = sandbox.must(&["ledger", "export"]);
    assert_eq!(told.matches(r#""check":"failed""#).count(), 4, "{told}");
    assert_eq!(told.matches("answer (inlineData)").count(), 10, "named by log, and within errors: {told}");
}
