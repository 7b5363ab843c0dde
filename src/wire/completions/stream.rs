//! A completion in chunks, read.

use crate::record::usage::{Counted, OpenAiUsage};
use crate::wire::chat::finish_from;
use crate::wire::faults::{is_error, read_event};
use crate::wire::json::Value;
use crate::wire::reply::{Delta, Finish, Seen, block, buckets, ended};
use crate::wire::sse::Event;
use crate::wire::{Dialect, WireError};

/// Reads chunks.
#[derive(Debug, Default)]
pub(in crate::wire) struct Source {
    usage: Option<OpenAiUsage>,
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
        if event.data.trim() == "[DONE]" {
            return Ok(Seen::End);
        }
        let root = event.json()?;
        if root.get("error").is_some_and(is_error) {
            return Err(WireError::Upstream(read_event(Dialect::OpenAiCompletions, &event.data)));
        }
        let usage = root.get("usage").filter(|usage| usage.is_object());
        if let Some(said) = usage.and_then(block::<OpenAiUsage>) {
            self.usage.get_or_insert_default().absorb(&said);
        }
        let (id, model) = (root.text_of("id"), root.text_of("model"));
        tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
        let mut is_empty = true;
        for choice in root.get("choices").into_iter().flat_map(Value::items) {
            is_empty = false;
            if let Some(text) = choice.text_of("text").filter(|text| !text.is_empty()) {
                tell(Delta::Text(&text));
            }
            if let Some(word) = choice.text_of("finish_reason").filter(|word| !word.is_empty()) {
                let finish = finish_from(&word);
                if finish == Finish::Failed {
                    return Err(ended("finish_reason", &word));
                }
                tell(Delta::Finish { finish, stop: None });
            }
        }
        Ok(if is_empty && usage.is_some() { Seen::UsageOnly } else { Seen::Some })
    }

    /// Gives the usage said so far.
    pub(in crate::wire) fn usage(&self) -> Option<Counted> {
        buckets(self.usage.as_ref()?.counted())
    }
}
