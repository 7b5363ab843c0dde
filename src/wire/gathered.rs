//! An answer that was asked for whole and came as events all the same, put together.
//!
//! Invariant: what is made of it is what a client of the stream would have read.

use std::borrow::Cow;

use super::error::Result;
use super::plain::Form;
use super::reply::{Choice, Delta, Part, Reply, Seen, Source};
use super::sse::{self, Splitter};

/// The most choices that are kept apart.
const MOST: u64 = 128;

/// Says whether a body is a stream of events.
pub(super) fn is_events(body: &[u8]) -> bool {
    let begins = |field: &[u8]| body.trim_ascii_start().starts_with(field);
    matches!(Form::of(body), Form::Events) && [&b"data:"[..], b"event:", b":", b"id:"].into_iter().any(begins)
}

/// Reads the events of a body as far as they are sound.
pub(super) fn read(source: &mut dyn Source, body: &[u8], reply: &mut Reply) -> Result<()> {
    let (mut splitter, mut gathered) = (Splitter::default(), Gathered::default());
    splitter.push(body);
    while let Some(raw) = splitter.next()?.or_else(|| splitter.rest()) {
        let event = sse::parse(&raw)?;
        let seen = match event.data.trim() {
            "" => Seen::Some,
            "[DONE]" => source.done()?,
            data => source.event(sse::json(data)?, &mut |delta| gathered.take(delta, reply))?,
        };
        if seen == Seen::End {
            break;
        }
    }
    Ok(())
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
