//! What clients and providers say to each other: byte by byte within a dialect, by meaning between two, and what no bytes
//! may do to a reader.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test's own scaffolding may fail the test"
)]

mod answers;
mod cited;
mod flaws;
mod grammar;
mod habits;
mod inbound;
mod known;
mod loops;
mod native;
mod page;
mod placed;
mod refused;
mod requests;
mod rungs;
mod same_dialect;
mod servers;
mod several;
mod streams;
mod sureness;
mod system;
mod table;
mod taken;
mod told;
mod tools;
mod usage;
mod wholeness;

use bytes::{Bytes, BytesMut};
use pointsman::routing::Check;
use pointsman::wire::{Ask, Dialect, Relay, Sending, StreamEnd, answer};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Every provider's dialect that clients of others can reach.
pub(crate) const PROVIDERS: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::AnthropicMessages, Dialect::Gemini];

pub(crate) fn ask(dialect: Dialect, body: &Value) -> Ask {
    Ask::read(dialect, Bytes::from(body.to_string())).unwrap().received_as("1700000000".into(), 1_700_000_000)
}

pub(crate) fn sent(from: Dialect, body: &Value, to: Dialect, model: &str) -> Value {
    let body = ask(from, body).body_for(to, model, &Sending::default()).unwrap().body;
    serde_json::from_slice(&body).unwrap()
}

pub(crate) fn refused(from: Dialect, body: &Value, to: Dialect) -> String {
    ask(from, body).body_for(to, "m", &Sending::default()).unwrap_err().to_string()
}

pub(crate) fn answered(asked: &Ask, from: Dialect, body: &Value) -> (Value, Check) {
    let answer = answer(from, asked, Bytes::from(body.to_string())).unwrap();
    (serde_json::from_slice(&answer.body).unwrap(), answer.check)
}

pub(crate) fn asked(dialect: Dialect, is_stream: bool) -> Ask {
    let mut body = match dialect {
        Dialect::OpenAiResponses => json!({"model":"auto","input":"x","metadata":{"k":"v"}}),
        _ => json!({"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"x"}]}),
    };
    if is_stream {
        body["stream"] = json!(true);
        if dialect == Dialect::OpenAiChat {
            body["stream_options"] = json!({"include_usage":true});
        }
    }
    ask(dialect, &body)
}

/// Relays a stream that arrives cut at the given places.
pub(crate) fn relayed(
    from: Dialect,
    asked: &Ask,
    stream: &[u8],
    cuts: &[usize],
) -> (String, StreamEnd, Relay) {
    let mut relay = Relay::new(from, asked);
    let mut out = BytesMut::new();
    let mut at = 0;
    for cut in cuts.iter().copied().chain([stream.len()]) {
        let _ = relay.push(&stream[at..cut], &mut out);
        at = cut;
    }
    let end = relay.finish(&mut out);
    (String::from_utf8(out.to_vec()).unwrap(), end, relay)
}

/// Words without anything in them that a dialect would drop: text that is only blank, empty names.
pub(crate) fn words() -> impl Strategy<Value = String> {
    "[a-zA-Zé🙂\"\\\\{}\n ]{0,20}[a-z]"
}
