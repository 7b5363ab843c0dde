//! A provider's finished answer, in the client's dialect, and whether it is fit for use.

use std::borrow::Cow;

use bytes::Bytes;

use super::error::Result;
use super::finish::unended;
use super::json::{BYTE_ORDER_MARK, Value, check, is_json, quoted, spliced, written};
use super::reply::{Call, Choice, Delta, LeftOut, Part, Reply, Source, block, buckets};
use super::story::Story;
use super::{
    Ask, Dialect, Finish, WireError, assembled, calls, chat, embeddings, faults, gathered, logprobs, replay,
    translate, usage,
};
use crate::checks::{self, Said};
use crate::record::usage::{Counted, GeminiUsage, OpenAiUsage};
use crate::routing::{Check, Status};
use crate::units::Count;

/// A finished answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The body for the client; the provider's own bytes where both speak the same dialect.
    pub body: Bytes,
    /// What the provider says it used.
    pub usage: Option<Counted>,
    /// The model that the provider says it used.
    pub model: Option<String>,
    /// Whether the answer is fit for use, where that can be seen.
    pub check: Check,
    /// Why it ended.
    pub finish: Finish,
    /// The bytes that the model wrote: text, thoughts and arguments of calls.
    pub output_bytes: u64,
    /// What was left out of it, as the client's dialect has no place for it.
    pub left_out: Vec<String>,
    /// Why it is no answer at all: the model went wrong, or what it wrote cannot be put into the client's dialect. The
    /// body is then not to be given to a client; what was used is used all the same.
    pub fault: Option<WireError>,
}

/// Reads a provider's answer to `ask` and puts it into the client's dialect.
pub fn answer(from: Dialect, ask: &Ask, body: Bytes) -> Result<Answer> {
    answer_and_said(from, ask, body, false).map(|(answer, _)| answer)
}

/// Does the same, and returns what checks look at where that `is_checked`; what they look at and the client did not ask for,
/// how likely words were, it does not get.
pub fn answer_and_said(
    from: Dialect,
    ask: &Ask,
    body: Bytes,
    is_checked: bool,
) -> Result<(Answer, Vec<Said>)> {
    if from != ask.dialect() && !ask.dialect().reaches(from) {
        return Err(WireError::Unsupported { from: ask.dialect(), to: from });
    }
    let body = sound(body);
    let is_events = gathered::is_events(from, &body);
    // What the body says is not quoted in the error, as it may be part of an answer.
    let root = if is_events { Ok(Value::of("{}")) } else { check(&body) };
    let root = root.map_err(|_| faults::unreadable(&body, "it is not JSON"))?;
    if matches!(from, Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings) {
        let read = embedded(from, root)?;
        let list = root.get(if from == Dialect::GeminiEmbeddings { "embeddings" } else { "data" });
        let (found, wanted) = (list.map_or(0, |list| list.items().count()), embeddings::wanted(ask));
        if found < wanted {
            let what = format!(
                "it has {} for {}",
                crate::units::counted(found as u64, "vector"),
                crate::units::counted(wanted as u64, "text")
            );
            return Err(WireError::Malformed(what));
        }
        return Ok((Answer { body: embeddings::answer(from, ask, root, body.clone()), ..read }, Vec::new()));
    }
    let (mut reply, fault) = if is_events { read_events(from, ask, &body)? } else { read(from, ask, root)? };
    let mut story = Story::of_whole(ask, is_checked);
    reply.tell(&mut |delta| story.note(&delta));
    story.is_over = true;
    let said = if is_checked { story.said() } else { Vec::new() };
    let hides = is_checked && !ask.wants_logprobs();
    if hides {
        reply.choices.iter_mut().for_each(|choice| choice.logprobs = None);
    }
    let output_bytes = story.written_bytes();
    let is_translated = ask.is_translated(from);
    let put_together = (is_events && !is_translated).then(|| assembled::whole(from, &body));
    let own = put_together.as_deref().map_or(Ok(root), check)?;
    let used = (reply.usage, output_bytes);
    let hidden = own_form(from, ask, hides, own.raw(), used, &mut reply.left_out).map(Bytes::from);
    let translated = (is_translated && fault.is_none()).then(|| translate::whole(ask, &reply));
    let answer = Answer {
        usage: reply.usage.map(|counted| counted.believed(output_bytes)),
        check: if fault.is_some() { Check::Failed } else { story.check(&ask.required_keys()) },
        finish: reply.choices.first().map(|choice| choice.finish).unwrap_or_default(),
        left_out: reply.left_out.0,
        output_bytes,
        body: translated.or(hidden).or(put_together.map(Bytes::from)).unwrap_or(body),
        model: reply.model,
        fault,
    };
    Ok((answer, said))
}

/// Returns an answer, or an event of one, that goes to a client of the provider's dialect, where it does not go as it came: without
/// what the client did not ask for, in chat with text alone for content, and with an estimate of what a message is told to have
/// used without a count. `used` is what is known of that so far, and how many bytes were written.
pub(super) fn own_form(
    from: Dialect,
    ask: &Ask,
    hides_logprobs: bool,
    data: &str,
    used: (Option<Counted>, u64),
    left_out: &mut LeftOut,
) -> Option<String> {
    if ask.is_translated(from) {
        return None;
    }
    if from == Dialect::AnthropicMessages {
        let named = with_own_names(ask, data);
        return with_estimate(ask, named.as_deref().unwrap_or(data), used).or(named);
    }
    let hidden = if hides_logprobs { logprobs::without(data) } else { None };
    let is_chat = from == Dialect::OpenAiChat;
    let flat =
        is_chat.then(|| chat::source::flattened(hidden.as_deref().unwrap_or(data), left_out)).flatten();
    flat.or(hidden)
}

/// Returns a message, or an event of one, with an estimate of what its provider does not count, and clients count on: of the prompt
/// where it begins, of all where it is whole or ends.
fn with_estimate(ask: &Ask, data: &str, (counted, bytes): (Option<Counted>, u64)) -> Option<String> {
    let root = Value::of(data);
    match root.text_of("type").as_deref() {
        Some("message_start") => {}
        Some("message" | "message_delta") if !root.get("usage").is_some_and(Value::is_object) => {
            let counted = usage::filled(counted, ask.measures().estimated_prompt_tokens, bytes);
            let used = written(|o| usage::messages(o, &counted));
            return Some(written(|o| replay::with(o, root, &[("usage", &used)])));
        }
        _ => return None,
    }
    let said = root.get("message")?.get("usage")?;
    let counts = said
        .pick(["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"])
        .map(|count| count?.number());
    let at = said.get("input_tokens").filter(|_| counts.iter().flatten().all(|count| *count == 0))?;
    let estimate = ask.measures().estimated_prompt_tokens.to_string();
    String::from_utf8(spliced(data.as_bytes(), vec![(at.span_in(data.as_bytes()), estimate)])).ok()
}

/// Returns a message, or an event of one, whose calls bear the client's own names of tools, where those are not what was sent.
fn with_own_names(ask: &Ask, data: &str) -> Option<String> {
    let root = Value::of(data);
    let named = |block: Value<'_>| {
        let name = block.get("name").filter(|_| block.text_of("type").as_deref() == Some("tool_use"))?;
        Some((name.span_in(data.as_bytes()), quoted(&ask.own_name(&name.text()?)?)))
    };
    let blocks = root.get("content_block").into_iter().chain(root.list("content"));
    let changes: Vec<_> = blocks.filter_map(named).collect();
    if changes.is_empty() { None } else { String::from_utf8(spliced(data.as_bytes(), changes)).ok() }
}

/// Takes a byte order mark off, which is no JSON, and puts a sign in the place of a character that was cut.
fn sound(body: Bytes) -> Bytes {
    let body = if body.starts_with(BYTE_ORDER_MARK) { body.slice(BYTE_ORDER_MARK.len()..) } else { body };
    match readable(&body) {
        Cow::Owned(sound) => sound.into(),
        Cow::Borrowed(_) => body,
    }
}

/// Returns text with a sign in the place of a character that was cut. Nearly all is sound, which is found out much faster.
pub(super) fn readable(text: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(text).map_or_else(|_| String::from_utf8_lossy(text), Cow::Borrowed)
}

/// Does the same as [`read`] with an answer that came as events.
fn read_events(from: Dialect, ask: &Ask, body: &[u8]) -> Result<(Reply, Option<WireError>)> {
    settled(from, ask, |source, reply| gathered::read(from, source, body, reply))
}

/// Reads an answer, and says why it is none where it is none; a report of an error in its place is an error.
pub(super) fn read(from: Dialect, ask: &Ask, root: Value<'_>) -> Result<(Reply, Option<WireError>)> {
    if !root.is_object() {
        return Err(WireError::Malformed("it is not an object".to_owned()));
    }
    let reports_error = faults::reports_error(root);
    if reports_error && !has_answer(root) {
        return Err(WireError::Upstream(faults::read_event(from, root.raw())));
    }
    settled(from, ask, |source, reply| {
        source.whole(root, &mut |delta| reply.take(delta))?;
        // What broke behind a gateway stands beside what had come by then.
        let is_broken = reports_error && root.get("error").is_some_and(faults::is_error);
        if is_broken { Err(WireError::Upstream(faults::read_event(from, root.raw()))) } else { Ok(()) }
    })
}

/// Puts an answer together that is read as `fill` says.
fn settled(
    from: Dialect,
    ask: &Ask,
    fill: impl FnOnce(&mut dyn Source, &mut Reply) -> Result<()>,
) -> Result<(Reply, Option<WireError>)> {
    let mut source = translate::source(from);
    let mut reply = Reply::default();
    let mut fault = fill(&mut *source, &mut reply).err();
    reply.usage = source.usage();
    if reply.choices.is_empty() {
        let nothing = || WireError::Malformed("it holds no answer".to_owned());
        return Err(fault.filter(|fault| matches!(fault, WireError::Upstream(_))).unwrap_or_else(nothing));
    }
    let is_translated = ask.is_translated(from);
    for choice in &mut reply.choices {
        // A response that is still being made says so.
        if choice.finish == Finish::Other && from != Dialect::OpenAiResponses {
            fault = fault.or_else(|| Some(unended(from)));
        }
        let has_calls = choice.calls().next().is_some();
        choice.finish = choice.finish.beside(has_calls);
        if is_translated {
            for call in choice.calls_mut() {
                if let Some(own) = ask.own_name(&call.name) {
                    call.name = own.into();
                }
            }
            let left_out = &mut reply.left_out;
            choice.parts.retain(|part| !left_out.takes(&part.delta(), ask.dialect()));
            choice.citations.retain(|one| !left_out.takes(&Delta::Cited(one), ask.dialect()));
            if choice.settle_citations() {
                left_out.note("citations");
            }
            let is_nothing = choice.is_empty() && choice.finish != Finish::Filtered;
            fault = fault.or_else(|| left_out.all(ask.dialect()).filter(|_| is_nothing));
            fault = fault.or(calls::settle(ask, choice).err());
            if ask.measures().wants_json {
                unfence(choice);
            }
        } else if choice.finish == Finish::ToolCalls {
            let mut calls = choice.calls();
            let mut broken = || calls.find(|call| !calls::is_fit(&call.arguments));
            fault = fault.or_else(|| broken().map(|call| calls::unfit(&call.name)));
        }
    }
    Ok((reply, fault))
}

/// Returns the calls of an answer in a client's dialect.
pub fn calls_of(dialect: Dialect, body: &[u8]) -> Vec<checks::Call> {
    let mut reply = Reply::default();
    let Ok(root) = check(body) else { return Vec::new() };
    // What could be read until it went wrong was called all the same.
    let _ = translate::source(dialect).whole(root, &mut |delta| reply.take(delta));
    let call = |call: &Call<'_>| checks::Call {
        name: call.name.clone().into_owned(),
        arguments: call.arguments.clone().into_owned(),
    };
    reply.choices.first().into_iter().flat_map(Choice::calls).map(call).collect()
}

/// Returns the text of an answer in a client's dialect; none where there is none, or tools are called.
pub fn said(dialect: Dialect, body: &[u8]) -> Option<String> {
    let mut reply = Reply::default();
    translate::source(dialect).whole(check(body).ok()?, &mut |delta| reply.take(delta)).ok()?;
    let choice = reply.choices.first().filter(|choice| choice.calls().next().is_none())?;
    Some(choice.text().into_owned()).filter(|text| !text.is_empty())
}

/// Returns what an answer that failed says it used all the same.
pub fn used(from: Dialect, body: &[u8]) -> Option<Counted> {
    let mut source = translate::source(from);
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    // Whatever else is wrong with it, the account may be sound.
    let Some(root) = check(body).ok().filter(|root| root.is_object()) else {
        return used_in_part(from, body);
    };
    let _ = source.whole(root, &mut |_| {});
    source.usage()
}

/// Returns what the beginning of an answer, or one that cannot be read, says it took, where the account is in it; zeros are not
/// believed, as nobody saw all that stands beside them.
pub fn used_in_part(from: Dialect, part: &[u8]) -> Option<Counted> {
    let key = if from == Dialect::Gemini { "usageMetadata" } else { "usage" };
    let quoted = format!("\"{key}\"");
    let at = memchr::memmem::rfind(part, quoted.as_bytes())?;
    let rest = part.get(at + quoted.len()..)?;
    let begin = memchr::memchr(b'{', rest)?;
    let mut depth = 0u32;
    let end = rest.iter().skip(begin).position(|byte| {
        depth = match byte {
            b'{' => depth + 1,
            b'}' => depth.saturating_sub(1),
            _ => depth,
        };
        depth == 0
    })?;
    let account = std::str::from_utf8(rest.get(begin..=begin + end)?).ok()?;
    let told = format!("{{\"{key}\":{account}}}");
    let mut source = translate::source(from);
    let _ = source.whole(check(told.as_bytes()).ok()?, &mut |_| {});
    source.usage().map(|counted| counted.believed(part.len() as u64))
}

/// Says whether a body with an error in it holds an answer all the same.
fn has_answer(root: Value<'_>) -> bool {
    ["choices", "content", "candidates", "output"]
        .iter()
        .any(|key| root.get(key).is_some_and(|list| list.items().next().is_some()))
}

/// Takes JSON out of the fence of Markdown that models put around it where their provider has no JSON mode.
fn unfence(choice: &mut Choice) {
    let mut spoken = choice.parts.iter_mut().filter(|part| !matches!(part, Part::Thought(_)));
    let (Some(Part::Text(text)), None) = (spoken.next(), spoken.next()) else { return };
    let fenced = text.trim().strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    let inner = fenced.and_then(|rest| rest.split_once('\n')).map(|(_, inner)| inner.trim().to_owned());
    if let Some(inner) = inner.filter(|inner| is_json(inner)) {
        *text = inner;
    }
}

/// Reads an answer to embeddings, but for its body.
fn embedded(from: Dialect, root: Value<'_>) -> Result<Answer> {
    if !root.is_object() {
        return Err(WireError::Malformed("it is not an object".to_owned()));
    }
    let list = root.get(if from == Dialect::GeminiEmbeddings { "embeddings" } else { "data" });
    if list.is_none() && faults::reports_error(root) {
        return Err(WireError::Upstream(faults::read_event(from, root.raw())));
    }
    let usage = root.get("usage").and_then(block::<OpenAiUsage>).map(|usage| usage.of_embeddings().counted());
    let usage = usage
        .or_else(|| root.get("usageMetadata").and_then(block::<GeminiUsage>).map(|usage| usage.counted()));
    let mut usage = usage.and_then(|counted| buckets(counted.map(|counted| counted.answered(Status::Ok))));
    if let Some(counted) = usage.as_mut().filter(|counted| !counted.usage.output.is_known()) {
        // There is none: vectors are no tokens.
        counted.usage.output = Count::ZERO;
    }
    let is_empty = list.is_none_or(|list| list.items().next().is_none());
    Ok(Answer {
        usage,
        model: root.text_of("model").map(Cow::into_owned),
        check: if is_empty { Check::Failed } else { Check::None },
        finish: Finish::Stop,
        output_bytes: 0,
        body: Bytes::new(),
        left_out: Vec::new(),
        fault: None,
    })
}
