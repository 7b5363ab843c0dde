//! A request for a provider of the client's own dialect: the bytes as they came, but for
//!
//! - the value of `model`;
//! - `stream_options.include_usage: true` in a chat stream, without which a provider would not say what it used;
//! - what a rung of the policy writes (`parameters`, before everything else);
//! - the limit of output, where policy sets a lower one than the client, and its name, where the model knows only the newer;
//! - other models that the client would have asked, which is for policy to say;
//! - what the model is known to refuse (`known`, `refused`), and messages of the system that it does not take (`system`);
//! - a last turn by the assistant, where Claude would refuse it (`prefill`);
//! - what servers of chat in its older form do not know, and thoughts that are refused or wanted (`older`);
//! - names of end users and ids of calls that a server does not take (`ids`);
//! - thoughts of another provider's model, as an earlier answer of ours told them (`returned`).

use std::ops::Range;

use bytes::Bytes;

use super::edits::Edits;
use super::request::Ask;
use super::scan::limits_of;
use super::{ids, older, prefill, refused, returned, system};
use crate::wire::completions::USUAL_LIMIT;
use crate::wire::effort::thinks_before_answering;
use crate::wire::json::{Value, quoted, spliced};
use crate::wire::prompt::Reader;
use crate::wire::{Accent, Dialect, embeddings};

/// The members by which clients have a provider ask other models: Anthropic and OpenRouter, where a preset names some, too.
const ELSEWHERE: [&str; 3] = ["fallbacks", "models", "preset"];

/// Returns the body with the splices that are needed; where none is, the same bytes.
pub(super) fn splice(ask: &Ask, reader: Reader<'_>) -> Bytes {
    let Reader { to, model, upstream, sending, .. } = reader;
    let Ask { body, scan, .. } = ask;
    let mut edits = Edits::new(ask);
    // Gemini's addresses name the model.
    if upstream != scan.model && to != Dialect::Gemini {
        edits.replace(scan.model_span.clone(), quoted(upstream));
    }
    let is_told_usage = !matches!(to, Dialect::OpenAiChat | Dialect::OpenAiCompletions);
    if !is_told_usage && scan.stream && !scan.include_usage {
        match &scan.stream_options {
            Some(span) => edits.replace(span.clone(), with_usage(body, span)),
            None => edits.add("stream_options", WITH_USAGE),
        }
    }
    if let Some(most) = sending.with.max_output.map(u64::from) {
        let text = most.to_string();
        for (_, span) in &scan.limits {
            let asked = body.get(span.clone()).and_then(|text| std::str::from_utf8(text).ok()?.parse().ok());
            if asked.is_none_or(|asked: u64| asked > most) {
                edits.replace(span.clone(), text.as_str());
            }
        }
        if scan.limits.is_empty() {
            // Where completions have no limit, a low one holds already.
            let is_usual = to == Dialect::OpenAiCompletions && most > USUAL_LIMIT;
            match (scan.null_limits.first(), limit_to_add(to, model)) {
                (Some((_, span)), _) => edits.replace(span.clone(), text),
                (None, Some(name)) if !is_usual => edits.add(name, text.as_bytes()),
                _ => {}
            }
        }
    }
    let is_older = scan.limits.iter().any(|(name, _)| *name == "max_tokens");
    if to == Dialect::OpenAiChat && is_older && thinks_before_answering(model) {
        edits.rename("max_tokens", "max_completion_tokens");
    }
    if to == Dialect::OpenAiEmbeddings && sending.accent == Accent::Mistral {
        for (name, _) in ask.root().members() {
            if !embeddings::OF_MISTRAL.contains(&&*name) && edits.remove_named(&name) {
                reader.leave_out(&name);
            }
        }
        edits.rename(embeddings::SIZES[0], embeddings::SIZES[1]);
    }
    // Which models may serve is for policy to say, and what they cost for budgets to hold.
    for name in ELSEWHERE {
        if edits.remove_named(name) {
            reader.leave_out(name);
        }
    }
    refused::leave_out(&mut edits, reader);
    if to == Dialect::OpenAiChat && sending.known.changes_chat() {
        older::settle(&mut edits, reader);
    }
    if scan.has_system_turns {
        system::settle(&mut edits, reader);
    }
    if to == Dialect::AnthropicMessages && sending.known.plain_users {
        ids::name_user(&mut edits);
    }
    let sent = returned::without_thoughts(edits.done(), reader);
    let sent = if sending.known.is_openais { ids::shortened(sent, to) } else { sent };
    if to == Dialect::AnthropicMessages && scan.ends_with_assistant {
        return prefill::settle(sent, reader);
    }
    sent
}

/// Returns the key under which a limit is added where the client gives none.
fn limit_to_add(to: Dialect, model: &str) -> Option<&'static str> {
    let is_newer = to == Dialect::OpenAiChat && thinks_before_answering(model);
    limits_of(to).get(usize::from(is_newer)).copied()
}

/// Stream options with usage switched on.
const WITH_USAGE: &[u8] = br#"{"include_usage":true}"#;

/// Returns the client's stream options with usage switched on; its other options stay as written.
fn with_usage(body: &[u8], span: &Range<usize>) -> Vec<u8> {
    let Some(text) = body.get(span.clone()).and_then(|text| std::str::from_utf8(text).ok()) else {
        return WITH_USAGE.to_vec();
    };
    let options = Value::of(text);
    if !options.is_object() {
        return WITH_USAGE.to_vec();
    }
    let said = options.members().filter(|(key, _)| key == "include_usage").last().map(|(_, value)| value);
    let end = options.members().last().map(|(_, value)| value.span_in(text.as_bytes()).end);
    let edit = match (said, end) {
        (Some(value), _) => (value.span_in(text.as_bytes()), b"true".to_vec()),
        (None, Some(end)) => (end..end, br#","include_usage":true"#.to_vec()),
        (None, None) => return WITH_USAGE.to_vec(),
    };
    spliced(text.as_bytes(), vec![edit])
}
