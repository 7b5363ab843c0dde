//! An answer that was asked for whole and came as events all the same, put together.
//!
//! Invariant: what is made of it is what a client of the stream would have read.

use std::borrow::Cow;

use super::error::Result;
use super::finish::unended;
use super::json::check;
use super::plain::Form;
use super::reply::{Choice, Delta, Part, Reply, Seen, Source};
use super::sse::{self, Splitter};
use super::{Dialect, WireError};

/// The most choices that are kept apart.
const MOST: u64 = 128;

/// Says whether a body is a stream of events, or the list that Gemini makes of them.
pub(super) fn is_events(from: Dialect, body: &[u8]) -> bool {
    let begins = |field: &[u8]| body.trim_ascii_start().starts_with(field);
    let is_stream = || {
        matches!(Form::of(body), Form::Events)
            && [&b"data:"[..], b"event:", b":", b"id:"].into_iter().any(begins)
    };
    (from == Dialect::Gemini && begins(b"[")) || is_stream()
}

/// Takes the data of the events of a body, as far as they are sound, until one is the last.
pub(super) fn each(from: Dialect, body: &[u8], take: &mut dyn FnMut(&str) -> Result<bool>) -> Result<()> {
    if from == Dialect::Gemini && body.trim_ascii_start().starts_with(b"[") {
        let list = check(body).map_err(|_| WireError::Malformed("it is not JSON".to_owned()))?;
        return list.items().try_for_each(|event| take(event.raw()).map(drop));
    }
    let mut splitter = Splitter::default();
    splitter.push(body);
    while let Some(raw) = splitter.next()?.or_else(|| splitter.rest()) {
        let event = sse::parse(&raw)?;
        if !event.data.trim().is_empty() && take(event.data.trim())? {
            break;
        }
    }
    Ok(())
}

/// Reads the events of a body. What follows one that is no JSON is read for what it tells of the usage.
pub(super) fn read(from: Dialect, source: &mut dyn Source, body: &[u8], reply: &mut Reply) -> Result<()> {
    let (mut gathered, mut broken, mut has_ended) = (Gathered::default(), None, false);
    each(from, body, &mut |data| {
        let seen = match data {
            "[DONE]" => source.done()?,
            data => match sse::json(data) {
                Ok(root) => source.event(root, &mut |delta| gathered.take(delta, reply))?,
                Err(fault) => {
                    broken.get_or_insert(fault);
                    Seen::Some
                }
            },
        };
        has_ended |= seen == Seen::End;
        Ok(seen == Seen::End)
    })?;
    // A response without its last event is no response that is still being made.
    let is_cut = from == Dialect::OpenAiResponses && !has_ended;
    broken.or_else(|| is_cut.then(|| unended(from))).map_or(Ok(()), Err)
}

/// Where the next piece of an answer goes.
#[derive(Default)]
struct Gathered {
    at: usize,
    /// Of which choice each call is, and which of its parts.
    calls: Vec<(usize, usize)>,
}

impl Gathered {
    fn take(&mut self, delta: Delta<'_>, reply: &mut Reply) {
        match delta {
            Delta::Start { id, model } => {
                id.clone_into(&mut reply.id);
                return reply.model = Some(model.to_owned()).filter(|model| !model.is_empty());
            }
            Delta::Choice(nth) => return self.at = usize::try_from(nth.min(MOST)).unwrap_or_default(),
            _ => {}
        }
        if reply.choices.len() <= self.at {
            reply.choices.resize_with(self.at + 1, Choice::default);
        }
        if let Delta::CallArguments { call, text } = delta {
            let Some(&(choice, part)) = self.calls.get(call) else { return };
            let part = reply.choices.get_mut(choice).and_then(|choice| choice.parts.get_mut(part));
            if let Some(Part::Call(call)) = part {
                let arguments: &mut Cow<'static, str> = &mut call.arguments;
                arguments.to_mut().push_str(text);
            }
            return;
        }
        let Some(choice) = reply.choices.get_mut(self.at) else { return };
        match (&delta, choice.parts.last_mut()) {
            (Delta::Thought(text), Some(Part::Thought(last)))
            | (Delta::Refusal(text), Some(Part::Refusal(last))) => return last.push_str(text),
            (Delta::CallStart { .. }, _) => self.calls.push((self.at, choice.parts.len())),
            _ => {}
        }
        choice.take(delta);
    }
}
