//! An answer of Gemini in chunks (`alt=sse`), read. Every chunk carries running totals of usage, early ones not all of them.

use super::answer::searched;
use super::{finish_from, part};
use crate::record::usage::{Counted, GeminiUsage};
use crate::wire::faults::{is_error, read_event};
use crate::wire::json::Value;
use crate::wire::logprobs::Logprobs;
use crate::wire::reply::{self, Delta, Finish, Part, block, buckets, ended, ended_empty};
use crate::wire::sse::Event;
use crate::wire::{Dialect, WireError};

/// Reads chunks.
#[derive(Debug, Default)]
pub(in crate::wire) struct Source {
    usage: Option<GeminiUsage>,
    calls: usize,
    /// The candidates so far.
    candidates: Vec<Seen>,
    /// The candidate that was told of last.
    at: u64,
}

/// What came of a candidate.
#[derive(Debug, Default)]
struct Seen {
    index: u64,
    /// Whether it said anything, or called a tool.
    has_said: bool,
    has_ended: bool,
}

impl Source {
    /// Reads one event and says what it adds.
    pub(in crate::wire) fn event(
        &mut self,
        event: &Event<'_>,
        tell: &mut dyn FnMut(Delta<'_>),
    ) -> Result<reply::Seen, WireError> {
        if event.data.is_empty() {
            return Ok(reply::Seen::Some);
        }
        let root = event.json()?;
        if root.get("error").is_some_and(is_error) {
            return Err(WireError::Upstream(read_event(Dialect::Gemini, &event.data)));
        }
        if let Some(said) = root.get("usageMetadata").and_then(block::<GeminiUsage>) {
            self.usage.get_or_insert_default().absorb(&searched(said, root));
        }
        let id = root.text_of("responseId").unwrap_or_default();
        tell(Delta::Start { id: &id, model: &root.text_of("modelVersion").unwrap_or_default() });
        let mut candidates = root.get("candidates").into_iter().flat_map(Value::items).peekable();
        if candidates.peek().is_some() {
            candidates.try_for_each(|candidate| self.candidate(candidate, &id, tell))?;
        } else if root.get("promptFeedback").and_then(|said| said.get("blockReason")).is_some() {
            tell(Delta::Finish { finish: Finish::Filtered, stop: None });
        }
        Ok(reply::Seen::Some)
    }

    fn candidate(
        &mut self,
        candidate: Value<'_>,
        id: &str,
        tell: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), WireError> {
        let index = candidate.get("index").and_then(Value::number).unwrap_or(0);
        if std::mem::replace(&mut self.at, index) != index {
            tell(Delta::Choice(index));
        }
        let mut has_said = false;
        let content = candidate.get("content").and_then(|content| content.get("parts"));
        for said in content.into_iter().flat_map(Value::items) {
            match part(said, id, self.calls) {
                Some(Part::Text(text)) => {
                    has_said |= !text.trim().is_empty();
                    tell(Delta::Text(&text));
                }
                Some(Part::Call(call)) => {
                    let nth = self.calls;
                    self.calls += 1;
                    has_said = true;
                    tell(Delta::CallStart { call: nth, id: &call.id, name: &call.name });
                    tell(Delta::CallArguments { call: nth, text: &call.arguments });
                }
                Some(Part::Thought(text)) => tell(Delta::Thought(&text)),
                Some(Part::Other) => {
                    has_said = true;
                    tell(Delta::Other);
                }
                Some(Part::Refusal(_)) | None => {}
            }
        }
        if let Some(told) = Logprobs::of(Dialect::Gemini, candidate) {
            tell(Delta::Logprobs(told));
        }
        let known = self.candidates.iter().position(|seen| seen.index == index);
        let known = known.unwrap_or_else(|| {
            self.candidates.push(Seen { index, ..Seen::default() });
            self.candidates.len() - 1
        });
        let Some(seen) = self.candidates.get_mut(known) else { return Ok(()) };
        seen.has_said |= has_said;
        let Some(word) = candidate.text_of("finishReason") else { return Ok(()) };
        match finish_from(&word) {
            Finish::Failed => return Err(ended("finishReason", &word)),
            Finish::Other => {}
            Finish::Stop if !seen.has_said => return Err(ended_empty()),
            finish if !std::mem::replace(&mut seen.has_ended, true) => {
                tell(Delta::Finish { finish, stop: None });
            }
            _ => {}
        }
        Ok(())
    }

    /// Gives the usage said so far.
    pub(in crate::wire) fn usage(&self) -> Option<Counted> {
        buckets(self.usage.as_ref()?.counted())
    }
}
