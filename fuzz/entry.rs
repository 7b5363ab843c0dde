//! What may be fed with any bytes at all: requests, answers, streams and headers of model APIs, request logs.
//!
//! The fuzz targets call these, and so does `cargo test` with inputs of its own, so that they cannot rot. Each holds
//! what must be true of every input beyond "it does not panic".

use std::ops::ControlFlow;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use pointsman::providers::retry_after;
use pointsman::record::{Input, InputFormat, ReadOptions, open};
use pointsman::routing::{Effort, Parameters};
use pointsman::units::Instant;
use pointsman::wire::{Ask, Dialect, Relay, Sending, StreamEnd, answer};

/// The dialects that clients speak.
const CLIENTS: [Dialect; 7] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::OpenAiEmbeddings,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::OpenAiCompletions,
    Dialect::GeminiEmbeddings,
];

/// A request in each of them, so that answers have something to answer.
const ASKS: [&str; 7] = [
    r#"{"model":"auto","messages":[{"role":"user","content":"hi"}],"stream":true}"#,
    r#"{"model":"auto","input":"hi","stream":true}"#,
    r#"{"model":"auto","input":["a","b"]}"#,
    r#"{"model":"auto","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}"#,
    r#"{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"thinkingConfig":{"includeThoughts":true}}}"#,
    r#"{"model":"auto","prompt":"hi","echo":true,"stream":true}"#,
    r#"{"content":{"parts":[{"text":"hi"}]},"outputDimensionality":3}"#,
];

/// Reads a request as the gateway does; the model of Gemini's stands in its address.
fn read(dialect: Dialect, body: Bytes) -> Option<Ask> {
    let named = matches!(dialect, Dialect::Gemini | Dialect::GeminiEmbeddings).then_some("auto");
    Ask::read_for(dialect, body, named).ok()
}

/// Takes one of a list by a byte.
fn pick<T>(list: &[T], by: u8) -> Option<&T> {
    list.get(usize::from(by) % list.len().max(1))
}

fn asked(by: u8) -> Option<Ask> {
    let (dialect, body) = (*pick(&CLIENTS, by)?, *pick(&ASKS, by)?);
    read(dialect, Bytes::from_static(body.as_bytes()))
}

/// A client's request: the first byte picks its dialect, the rest is its body.
pub(crate) fn ask(data: &[u8]) {
    let [by, body @ ..] = data else { return };
    let Some(&dialect) = pick(&CLIENTS, *by) else { return };
    let Some(ask) = read(dialect, Bytes::copy_from_slice(body)) else { return };
    let _ = (ask.measures(), ask.ask_text(), ask.user());
    for to in Dialect::ALL {
        for with in [&LIMITED, &RUNG] {
            sent(&ask, dialect, to, with);
        }
    }
}

/// What rungs of a policy write into requests.
const LIMITED: Parameters = Parameters { max_output: Some(7), ..Parameters::NONE };
const RUNG: Parameters = Parameters { effort: Some(Effort::Low), temperature: Some(200), ..LIMITED };

/// Writes a request for a provider: it stays JSON, for the model that was chosen.
fn sent(ask: &Ask, dialect: Dialect, to: Dialect, with: &Parameters) {
    for name in ["served", "claude-opus-4-6", "claude-sonnet-4-5", "gemini-2.5-flash", "gpt-5.2"] {
        let Ok(sent) = ask.body_for(to, name, &Sending { with, ..Sending::default() }) else {
            continue;
        };
        assert!(
            serde_json::from_slice::<serde::de::IgnoredAny>(&sent.body).is_ok(),
            "what is sent on is no JSON"
        );
        // Gemini's addresses name the model.
        if to == dialect && to != Dialect::Gemini {
            let again = read(dialect, sent.body).map(|ask| ask.model().to_owned());
            assert!(again.is_some_and(|model| model == name), "the model is not the one that was chosen");
        }
    }
}

/// A provider's whole answer: two bytes pick the dialects of both sides, the rest is its body.
pub(crate) fn whole(data: &[u8]) {
    let [client, provider, body @ ..] = data else { return };
    let (Some(ask), Some(&from)) = (asked(*client), pick(&Dialect::ALL, *provider)) else { return };
    let Ok(answered) = answer(from, &ask, Bytes::copy_from_slice(body)) else { return };
    let read = serde_json::from_slice::<serde::de::IgnoredAny>(&answered.body);
    assert!(
        read.is_ok(),
        "what the client gets is no JSON: {read:?} in {}",
        String::from_utf8_lossy(&answered.body)
    );
}

/// A provider's stream: two bytes pick the dialects, two more say how its bytes are cut; however they are, the client
/// gets the same.
pub(crate) fn stream(data: &[u8]) {
    let [client, provider, first, second, bytes @ ..] = data else { return };
    let (Some(ask), Some(&from)) = (asked(*client), pick(&Dialect::ALL, *provider)) else { return };
    if from != ask.dialect() && !ask.dialect().reaches(from) {
        return;
    }
    let whole = relayed(&ask, from, bytes.chunks(bytes.len().max(1)));
    let (mut rest, mut pieces) = (bytes, Vec::new());
    for at in 0.. {
        if rest.is_empty() {
            break;
        }
        let size = usize::from(if at % 2 == 0 { *first } else { *second }).max(1).min(rest.len());
        let (piece, after) = rest.split_at(size);
        pieces.push(piece);
        rest = after;
    }
    let cut = relayed(&ask, from, pieces.into_iter());
    assert_eq!(whole, cut, "how the bytes were cut made a difference");
}

fn relayed<'a>(ask: &Ask, from: Dialect, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, String, bool) {
    let mut relay = Relay::new(from, ask);
    let mut out = BytesMut::new();
    for piece in pieces {
        if relay.push(piece, &mut out).is_err() {
            break;
        }
    }
    let complete = relay.finish(&mut out) == StreamEnd::Complete;
    (out.to_vec(), relay.delivered().to_owned(), complete)
}

/// A request log: the first byte picks its format, or leaves it to be recognised.
pub(crate) fn log(data: &[u8]) {
    let [by, bytes @ ..] = data else { return };
    let format = InputFormat::ALL.get(usize::from(*by)).copied();
    let options = ReadOptions { format, ..ReadOptions::default() };
    let Ok(mut source) = open(&Input::bytes("fuzzed", bytes.to_vec()), &options) else { return };
    let _ = source.for_each(|_, _, _| ControlFlow::Continue(()));
}

/// What a provider says of when to come back: the first eight bytes are the time of day, then lines of headers.
pub(crate) fn headers(data: &[u8]) {
    let Some((now, lines)) = data.split_first_chunk::<8>() else { return };
    let mut headers = HeaderMap::new();
    for line in lines.split(|&byte| byte == b'\n').take(64) {
        let colon = line.iter().position(|&byte| byte == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let name = HeaderName::from_bytes(name);
        let value = HeaderValue::from_bytes(value.get(1..).unwrap_or_default());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let _ = retry_after(&headers, Instant(i64::from_le_bytes(*now)));
}
