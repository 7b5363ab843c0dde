//! A request for a provider of the client's own dialect: the bytes as they came, but for
//!
//! - the value of `model`;
//! - `stream_options.include_usage: true` in a chat stream, without which a provider would not say what it used;
//! - the limit of output, where policy sets a lower one than the client.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::Sending;
use super::scan::Scan;
use crate::wire::Dialect;
use crate::wire::effort::thinks_before_answering;
use crate::wire::json::{Value, quote};

/// Gives the body with the splices that are needed; where none is, the same bytes.
pub(super) fn splice(body: &Bytes, scan: &Scan, to: Dialect, model: &str, sending: &Sending) -> Bytes {
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::new();
    if model != scan.model {
        let mut name = Vec::with_capacity(model.len() + 2);
        quote(&mut name, model);
        edits.push((scan.model_span.clone(), name));
    }
    let mut added = Vec::new();
    if to == Dialect::OpenAiChat && scan.stream && !scan.include_usage {
        match &scan.stream_options {
            Some(span) => edits.push((span.clone(), with_usage(body, span))),
            None => added.extend_from_slice(br#","stream_options":{"include_usage":true}"#),
        }
    }
    if let Some(most) = sending.max_output {
        for (_, span) in &scan.limits {
            let asked = body.get(span.clone()).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            if asked.is_none_or(|asked: u64| asked > most) {
                edits.push((span.clone(), most.to_string().into_bytes()));
            }
        }
        if scan.limits.is_empty() {
            match (scan.null_limits.first(), limit_to_add(to, model)) {
                (Some((_, span)), _) => edits.push((span.clone(), most.to_string().into_bytes())),
                (None, Some(name)) => added.extend_from_slice(format!(",\"{name}\":{most}").as_bytes()),
                (None, None) => {}
            }
        }
    }
    if !added.is_empty() {
        edits.push((scan.end..scan.end, added));
    }
    apply(body, edits)
}

/// Gives the key under which a limit is added where the client gives none.
fn limit_to_add(to: Dialect, model: &str) -> Option<&'static str> {
    match to {
        Dialect::OpenAiChat if thinks_before_answering(model) => Some("max_completion_tokens"),
        Dialect::OpenAiChat | Dialect::AnthropicMessages => Some("max_tokens"),
        Dialect::OpenAiResponses => Some("max_output_tokens"),
        Dialect::OpenAiEmbeddings | Dialect::Gemini => None,
    }
}

/// Gives the client's stream options with usage switched on; its other options stay as written.
fn with_usage(body: &[u8], span: &Range<usize>) -> Vec<u8> {
    const ALONE: &[u8] = br#"{"include_usage":true}"#;
    let Some(text) = body.get(span.clone()).and_then(|text| std::str::from_utf8(text).ok()) else {
        return ALONE.to_vec();
    };
    let options = Value::of(text);
    if !options.is_object() {
        return ALONE.to_vec();
    }
    let said = options.members().filter(|(key, _)| key == "include_usage").last().map(|(_, value)| value);
    let end = options.members().last().map(|(_, value)| value.span_in(text.as_bytes()).end);
    let edit = match (said, end) {
        (Some(value), _) => (value.span_in(text.as_bytes()), b"true".to_vec()),
        (None, Some(end)) => (end..end, br#","include_usage":true"#.to_vec()),
        (None, None) => return ALONE.to_vec(),
    };
    apply(&Bytes::copy_from_slice(text.as_bytes()), vec![edit]).to_vec()
}

fn apply(body: &Bytes, mut edits: Vec<(Range<usize>, Vec<u8>)>) -> Bytes {
    if edits.is_empty() {
        return body.clone();
    }
    edits.sort_by_key(|(span, _)| (span.start, span.end));
    let grown: usize = edits.iter().map(|(_, text)| text.len()).sum();
    let mut out = BytesMut::with_capacity(body.len() + grown);
    let mut at = 0;
    for (span, text) in edits {
        out.extend_from_slice(body.get(at..span.start).unwrap_or_default());
        out.extend_from_slice(&text);
        at = span.end;
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    out.freeze()
}
