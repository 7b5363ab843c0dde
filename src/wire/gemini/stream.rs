//! An answer of Gemini in chunks (`alt=sse`), read. Every chunk carries running totals of usage, early ones not all of them.

use super::answer::searched;
use super::{finish_from, part};
use crate::record::usage::{Counted, GeminiUsage};
use crate::wire::faults::{is_error, read_event};
use crate::wire::json::Value;
use crate::wire::reply::{Delta, Finish, Part, Seen, block, buckets, ended, ended_empty};
use crate::wire::sse::Event;
use crate::wire::{Dialect, WireError};

/// Reads chunks.
#[derive(Debug, Default)]
pub(in crate::wire) struct Source {
    usage: Option<GeminiUsage>,
    calls: usize,
    /// Whether there was any text.
    has_said: bool,
}

impl Source {
    /// Reads one event and says what it adds.
    pub(in crate::wire) fn event(
        &mut self,
        event: &Event<'_>,
        tell: &mut dyn FnMut(Delta<'_>),
    ) -> Result<Seen, WireError> {
        if event.data.is_empty() {
            return Ok(Seen::Some);
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
        if let Some(candidate) = root.get("candidates").and_then(|all| all.items().next()) {
            self.candidate(candidate, &id, tell)?;
        } else if root.get("promptFeedback").and_then(|said| said.get("blockReason")).is_some() {
            tell(Delta::Finish { finish: Finish::Filtered, stop: None });
        }
        Ok(Seen::Some)
    }

    fn candidate(
        &mut self,
        candidate: Value<'_>,
        id: &str,
        tell: &mut dyn FnMut(Delta<'_>),
    ) -> Result<(), WireError> {
        let content = candidate.get("content").and_then(|content| content.get("parts"));
        for said in content.into_iter().flat_map(Value::items) {
            match part(said, id, self.calls) {
                Some(Part::Text(text)) => {
                    self.has_said |= !text.trim().is_empty();
                    tell(Delta::Text(&text));
                }
                Some(Part::Call(call)) => {
                    let nth = self.calls;
                    self.calls += 1;
                    tell(Delta::CallStart { call: nth, id: &call.id, name: &call.name });
                    tell(Delta::CallArguments { call: nth, text: &call.arguments });
                }
                Some(Part::Thought(text)) => tell(Delta::Thought(&text)),
                Some(Part::Other) => {
                    self.has_said = true;
                    tell(Delta::Other);
                }
                Some(Part::Refusal(_)) | None => {}
            }
        }
        let Some(word) = candidate.text_of("finishReason") else { return Ok(()) };
        match finish_from(&word) {
            Finish::Failed => return Err(ended("finishReason", &word)),
            Finish::Other => {}
            Finish::Stop if !self.has_said && self.calls == 0 => return Err(ended_empty()),
            finish => tell(Delta::Finish { finish, stop: None }),
        }
        Ok(())
    }

    /// Gives the usage said so far.
    pub(in crate::wire) fn usage(&self) -> Option<Counted> {
        buckets(self.usage.as_ref()?.counted())
    }
}
