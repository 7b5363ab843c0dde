//! Odd answers of providers: packed unasked, marked, with addresses in their errors, or holding what a client's dialect has
//! no place for. What the client sees of them, and what the ledger says.

use std::io::Write as _;

use serde_json::json;

use crate::front::{Desk, Setup};
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
    let desk = Desk::new(&setup);
    let front = desk.serve(&setup);
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
    let desk = Desk::new(&setup);
    let front = desk.serve(&setup);
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
