//! The fuzz targets' entry points on a bounded set of inputs: sound ones of every dialect and format, and the same
//! broken in every way that a few thousand draws come upon. What breaks here would take a gateway down from outside.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

#[path = "../fuzz/entry.rs"]
mod entry;
#[path = "support/fixtures.rs"]
mod fixtures;
#[expect(dead_code, reason = "each test target uses its own part of the harness")]
#[path = "support/upstream.rs"]
mod upstream;

use std::fs;

use fixtures::{FIXTURES, fixture};
use serde_json::json;
use upstream::upstream_dialect::body;
use upstream::upstream_script::Report;
use upstream::{Call, Dialect, Reply};

const DRAWS: usize = 400;

/// Things that parsers have stumbled over before.
const STUMBLES: &[&[u8]] = &[
    b"{", b"}", b"[", b"]", b"\"", b"\\", b"\n\n", b"\r\n\r\n", b"data: ", b"data:", b"event: error\n", b": ", b"[DONE]",
    b"null", b"-1", b"1e999", b"18446744073709551616", b"0.1", b"\\ud800", b"\\u0000", b"\xff", b"\xf0\x9f", b"\xef\xbb\xbf",
    b"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
];

/// A small generator (`SplitMix64`), seeded, so that a failure comes back.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most.max(1) as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    fn break_up(&mut self, sound: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = sound.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(24)).min(bytes.len());
            match self.below(7) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => {
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
                3 => {
                    let byte = self.byte();
                    if let Some(place) = bytes.get_mut(at) {
                        *place = byte;
                    }
                }
                4 | 5 => {
                    let stumble = STUMBLES[self.below(STUMBLES.len())];
                    bytes.splice(at..at, stumble.iter().copied());
                }
                _ => {
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
            }
        }
        bytes
    }
}

/// Feeds the sound inputs, then broken ones.
fn feed(seed: u64, sound: &[Vec<u8>], prefix: usize, target: fn(&[u8])) {
    assert!(!sound.is_empty(), "there is nothing to feed");
    let mut dice = Dice(seed);
    for (at, input) in sound.iter().enumerate() {
        for draw in 0..DRAWS / sound.len() + 4 {
            // The first bytes pick dialects and cuts: all small values are tried, whatever the input was meant for.
            let mut data: Vec<u8> = (0..prefix).map(|_| dice.byte() % 24).collect();
            if draw == 0 {
                data.extend_from_slice(input);
            } else {
                let other = &sound[(at + draw) % sound.len()];
                data.extend_from_slice(&dice.break_up(input, other));
            }
            target(&data);
        }
    }
}

/// What the upstream of the other tests would answer, in every dialect and with every report of usage.
fn answers(stream: bool) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for dialect in
        [Dialect::Chat, Dialect::Responses, Dialect::Anthropic, Dialect::Gemini, Dialect::Embeddings]
    {
        for tools in [json!(null), json!([{"name": "f", "function": {"name": "f"}}])] {
            for report in Report::ALL {
                let asked = json!({"messages": [{"role": "user", "content": "hi"}], "tools": tools});
                let call = Call {
                    number: 1,
                    path: String::new(),
                    dialect,
                    model: "m".to_owned(),
                    stream,
                    wants_usage: true,
                    body: asked,
                };
                let frames = body(&call, &Reply::report(report)).frames;
                all.push(frames.into_iter().flat_map(|frame| frame.bytes).collect());
            }
        }
    }
    all
}

#[test]
fn no_request_breaks_the_reader() {
    let asks = [
        json!({"model": "auto", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content":
            [{"type": "text", "text": "grüße \"x\" \\"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]}],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "tool_choice": "auto", "stream": true, "stream_options": {"include_usage": false}, "n": 2, "unknown": [1.50, null]}),
        json!({"model": "m", "input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}], "text":
            {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}}}),
        json!({"model": "m", "input": ["a", "b"], "dimensions": 3}),
        json!({"model": "m", "max_tokens": 5, "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
            "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": [{"type": "tool_use", "id": "t",
            "name": "f", "input": {"a": 1}}]}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t",
            "content": "x"}]}], "tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
        json!({"contents": [{"parts": [{"text": "hi"}, {"inline_data": {"mimeType": "image/png", "data": "aGk="}}]}, {"role": "model",
            "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]}, {"parts": [{"functionResponse": {"name": "f", "response":
            {"output": "x"}}}]}], "tools": [{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT", "nullable": true,
            "properties": {"e": {"enum": ["a"], "nullable": true}}}}]}], "generationConfig": {"responseSchema": {"type": "STRING"}}}),
        json!({"model": "m", "prompt": ["hi"], "echo": true, "suffix": "", "n": 1, "stream": true}),
    ];
    let sound: Vec<Vec<u8>> = asks.iter().map(|ask| ask.to_string().into_bytes()).collect();
    feed(1, &sound, 1, entry::ask);
}

#[test]
fn no_answer_breaks_the_reader() {
    feed(2, &answers(false), 2, entry::whole);
}

#[test]
fn no_stream_breaks_the_relay_however_it_is_cut() {
    feed(3, &answers(true), 4, entry::stream);
}

#[test]
fn no_log_breaks_a_reader() {
    let sound: Vec<Vec<u8>> = FIXTURES.iter().map(|(name, _)| fs::read(fixture(name)).unwrap()).collect();
    feed(4, &sound, 1, entry::log);
}

#[test]
fn no_header_breaks_the_reader() {
    let sound = [
        "retry-after-ms: 250\nretry-after: 3",
        "retry-after: 0.5",
        "retry-after: Wed, 21 Oct 2026 07:28:00 GMT",
        "retry-after: Wednesday, 21-Oct-26 07:28:00 GMT",
        "retry-after: 99999999999999999999999\nretry-after: -3",
        "retry-after-ms: 1e400",
    ];
    let sound: Vec<Vec<u8>> = sound.iter().map(|lines| lines.as_bytes().to_vec()).collect();
    feed(5, &sound, 8, entry::headers);
}
