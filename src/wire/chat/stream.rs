//! A chat completion in chunks, read.

use std::borrow::Cow;

use super::finish_from;
use crate::record::usage::{Counted, OpenAiUsage};
use crate::wire::faults::read_event;
use crate::wire::json::Value;
use crate::wire::reply::{Delta, Seen, block, buckets, content_text};
use crate::wire::sse::Event;
use crate::wire::{Dialect, WireError};

/// Reads chunks.
#[derive(Debug, Default)]
pub(in crate::wire) struct Source {
    usage: Option<OpenAiUsage>,
    /// The provider's numbers of the calls that have begun, in the order of their beginning.
    calls: Vec<u64>,
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
        let (mut id, mut model, mut choices, mut usage, mut groq) = (None, None, None, None, None);
        for (key, value) in root.members() {
            match &*key {
                "id" => id = value.text(),
                "model" => model = value.text(),
                "choices" => choices = Some(value),
                "usage" if value.is_object() => usage = Some(value),
                "x_groq" => groq = value.get("usage").filter(|value| value.is_object()),
                "error" if !value.is_null() => {
                    return Err(WireError::Upstream(read_event(Dialect::OpenAiChat, &event.data)));
                }
                _ => {}
            }
        }
        self.absorb(usage);
        self.absorb(groq);
        tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
        let mut is_empty = true;
        for choice in choices.into_iter().flat_map(Value::items) {
            is_empty = false;
            self.choice(choice, tell);
        }
        Ok(if is_empty && usage.is_some() { Seen::UsageOnly } else { Seen::Some })
    }

    /// Takes over a usage block, wherever in an event it stands.
    fn absorb(&mut self, usage: Option<Value<'_>>) {
        if let Some(said) = usage.filter(|usage| usage.is_object()).and_then(block::<OpenAiUsage>) {
            self.usage.get_or_insert_default().absorb(&said);
        }
    }

    fn choice(&mut self, choice: Value<'_>, tell: &mut dyn FnMut(Delta<'_>)) {
        if let Some(delta) = choice.get("delta") {
            for (key, value) in delta.members() {
                match &*key {
                    "content" => say(content_text(value), |text| tell(Delta::Text(text))),
                    "refusal" => say(value.text(), |text| tell(Delta::Refusal(text))),
                    "reasoning_content" | "reasoning" => say(value.text(), |text| tell(Delta::Thought(text))),
                    "tool_calls" => value.items().for_each(|call| self.call(call, tell)),
                    _ => {}
                }
            }
        }
        self.absorb(choice.get("usage"));
        if let Some(word) = choice.text_of("finish_reason") {
            tell(Delta::Finish { finish: finish_from(&word), stop: None });
        }
    }

    fn call(&mut self, value: Value<'_>, tell: &mut dyn FnMut(Delta<'_>)) {
        let function = value.get("function");
        let name = function.and_then(|function| function.text_of("name")).filter(|name| !name.is_empty());
        let id = value.text_of("id").filter(|id| !id.is_empty());
        // Servers that give no number send each call whole.
        let number = value.get("index").and_then(Value::number).unwrap_or_else(|| {
            let last = self.calls.last().copied();
            if id.is_some() { last.map_or(0, |last| last.saturating_add(1)) } else { last.unwrap_or(0) }
        });
        let call = self.calls.iter().position(|known| *known == number);
        let call = match (call, &name) {
            (Some(call), _) => call,
            (None, Some(name)) => {
                let call = self.calls.len();
                self.calls.push(number);
                let made_up = || Cow::Owned(format!("call_{call}"));
                tell(Delta::CallStart { call, id: &id.unwrap_or_else(made_up), name });
                call
            }
            (None, None) => return,
        };
        let arguments = function.and_then(|function| function.get("arguments"));
        let text = arguments.map(|value| value.text().unwrap_or(Cow::Borrowed(value.raw())));
        say(text, |text| tell(Delta::CallArguments { call, text }));
    }

    /// Gives the usage said so far.
    pub(in crate::wire) fn usage(&self) -> Option<Counted> {
        buckets(self.usage.as_ref()?.counted())
    }
}

fn say(text: Option<Cow<'_, str>>, tell: impl FnOnce(&str)) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        tell(&text);
    }
}
