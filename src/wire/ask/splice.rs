//! A request for a provider of the client's own dialect: the bytes as they came, but for
//!
//! - the value of `model`;
//! - `stream_options.include_usage: true` in a chat stream, without which a provider would not say what it used;
//! - what a rung of the policy writes (`parameters`, before everything else);
//! - the limit of output, where policy sets a lower one than the client, and its name, where the model knows only the newer;
//! - what the model is known to refuse (`known`, `refused`), and messages of the system that it does not take (`system`);
//! - a last turn by the assistant, where Claude would refuse it (`prefill`);
//! - thoughts of another provider's model, as an earlier answer of ours told them (`returned`).

use std::ops::Range;

use bytes::{Bytes, BytesMut};

use super::scan::{Member, Scan};
use super::system;
use super::{Sending, prefill, refused, returned};
use crate::wire::Dialect;
use crate::wire::completions::USUAL_LIMIT;
use crate::wire::effort::thinks_before_answering;
use crate::wire::gemini::names::camel;
use crate::wire::json::{Value, quote};
use crate::wire::prompt::Reader;

/// Text in place of a stretch of the body.
pub(super) type Edit = (Range<usize>, Vec<u8>);

/// Returns the body with the splices that are needed; where none is, the same bytes.
pub(super) fn splice(
    body: &Bytes,
    scan: &Scan,
    model: &str,
    sending: &Sending<'_>,
    reader: Reader<'_>,
) -> Bytes {
    let to = reader.to;
    let mut edits: Vec<Edit> = Vec::new();
    let mut added = Vec::new();
    let mut removed: Vec<usize> = Vec::new();
    // Gemini's addresses name the model.
    if model != scan.model && to != Dialect::Gemini {
        let mut name = Vec::with_capacity(model.len() + 2);
        quote(&mut name, model);
        edits.push((scan.model_span.clone(), name));
    }
    let is_told_usage = !matches!(to, Dialect::OpenAiChat | Dialect::OpenAiCompletions);
    if !is_told_usage && scan.stream && !scan.include_usage {
        match &scan.stream_options {
            Some(span) => edits.push((span.clone(), with_usage(body, span))),
            None => added.extend_from_slice(br#","stream_options":{"include_usage":true}"#),
        }
    }
    if let Some(most) = sending.with.max_output.map(u64::from) {
        for (_, span) in &scan.limits {
            let asked = body.get(span.clone()).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            if asked.is_none_or(|asked: u64| asked > most) {
                edits.push((span.clone(), most.to_string().into_bytes()));
            }
        }
        if scan.limits.is_empty() {
            match (scan.null_limits.first(), limit_to_add(to, model)) {
                (Some((_, span)), _) => edits.push((span.clone(), most.to_string().into_bytes())),
                (None, Some(name)) => {
                    // Where completions have no limit, a low one holds already.
                    let is_usual = to == Dialect::OpenAiCompletions && most > USUAL_LIMIT;
                    let text = format!(",\"{name}\":{most}");
                    added.extend_from_slice(if is_usual { b"" } else { text.as_bytes() });
                }
                (None, None) => {}
            }
        }
    }
    if to == Dialect::OpenAiChat
        && scan.limits.iter().any(|(name, _)| *name == "max_tokens")
        && thinks_before_answering(model)
    {
        rename_limit(body, scan, &mut edits, &mut removed);
    }
    if !sending.known.rules.is_empty() {
        refused::leave_out(body, scan, sending.known, reader, &mut edits, &mut added, &mut removed);
    }
    if scan.has_system_turns {
        system::settle(body, scan, sending.known.takes_system, reader, &mut edits, &mut added);
    }
    remove(body, &scan.members, removed, &mut edits);
    if !added.is_empty() {
        edits.push((scan.end..scan.end, added));
    }
    let sent = returned::without_thoughts(to, apply(body, edits));
    if to == Dialect::AnthropicMessages && scan.ends_with_assistant {
        return prefill::settle(sent, sending.known.refuses_prefill(to), reader);
    }
    sent
}

/// Finds a top-level member by its name, which Google takes in two ways.
pub(super) fn find(body: &[u8], scan: &Scan, name: &str) -> Option<usize> {
    let is_it = |member: &Member| {
        let key = body.get(member.key.clone()).unwrap_or_default();
        let key = key.get(1..key.len().saturating_sub(1)).unwrap_or_default();
        is_named(key, name)
    };
    scan.members.iter().position(is_it)
}

/// Says whether a name as it was written is that name; only Google's names have capitals.
pub(super) fn is_named(written: &[u8], name: &str) -> bool {
    let is_googles = || name.bytes().any(|byte| byte.is_ascii_uppercase());
    written == name.as_bytes()
        || (written.contains(&b'_')
            && is_googles()
            && std::str::from_utf8(written).is_ok_and(|written| camel(written) == name))
}

/// Returns the value of a top-level member.
pub(super) fn value_of<'b>(body: &'b [u8], scan: &Scan, name: &str) -> Option<Value<'b>> {
    let member = scan.members.get(find(body, scan, name)?)?;
    std::str::from_utf8(body.get(member.value.clone())?).ok().map(Value::of)
}

/// Returns the limit of output the name that reasoning models know; where both stand there, the older one goes.
fn rename_limit(body: &[u8], scan: &Scan, edits: &mut Vec<Edit>, removed: &mut Vec<usize>) {
    let Some(at) = find(body, scan, "max_tokens") else { return };
    let newer = value_of(body, scan, "max_completion_tokens");
    if newer.is_some_and(|value| !value.is_null()) {
        removed.push(at);
        return;
    }
    removed.extend(find(body, scan, "max_completion_tokens"));
    edits.extend(
        scan.members.get(at).map(|member| (member.key.clone(), b"\"max_completion_tokens\"".to_vec())),
    );
}

/// Takes members out, each with the comma before it; the first ones with the comma after them.
pub(super) fn remove(body: &[u8], members: &[Member], mut removed: Vec<usize>, edits: &mut Vec<Edit>) {
    removed.sort_unstable();
    removed.dedup();
    let is_removed = |at: usize| removed.binary_search(&at).is_ok();
    for &at in &removed {
        let Some(member) = members.get(at) else { continue };
        let stays_before = (0..at).rev().find(|&before| !is_removed(before));
        let from = match (stays_before, at.checked_sub(1).and_then(|before| members.get(before))) {
            (_, Some(before)) => before.value.end,
            (_, None) => member.key.start,
        };
        // Where nothing stays before it, the comma after it goes instead of the one before.
        let to = if stays_before.is_none() {
            let rest = body.get(member.value.end..).unwrap_or_default();
            let comma = members.get(at + 1).and_then(|_| rest.iter().position(|byte| *byte == b','));
            member.value.end + comma.map_or(0, |comma| comma + 1)
        } else {
            member.value.end
        };
        let from = if stays_before.is_none() { member.key.start } else { from };
        edits.retain(|(span, _)| span.start < from || span.end > to);
        edits.push((from..to, Vec::new()));
    }
}

/// Returns the key under which a limit is added where the client gives none.
fn limit_to_add(to: Dialect, model: &str) -> Option<&'static str> {
    match to {
        Dialect::OpenAiChat if thinks_before_answering(model) => Some("max_completion_tokens"),
        Dialect::OpenAiChat | Dialect::AnthropicMessages | Dialect::OpenAiCompletions => Some("max_tokens"),
        Dialect::OpenAiResponses => Some("max_output_tokens"),
        Dialect::OpenAiEmbeddings | Dialect::Gemini | Dialect::GeminiEmbeddings => None,
    }
}

/// Returns the client's stream options with usage switched on; its other options stay as written.
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

pub(super) fn apply(body: &Bytes, mut edits: Vec<(Range<usize>, Vec<u8>)>) -> Bytes {
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
