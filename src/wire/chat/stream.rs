//! A chat completion in chunks, read; and one of the older kind, whose choices are text alone.

use std::borrow::Cow;

use super::answer::cites;
use super::{finish_from, thought};
use crate::record::usage::{Counted, OpenAiUsage};
use crate::wire::faults::{is_error, read_event};
use crate::wire::json::Value;
use crate::wire::logprobs::Logprobs;
use crate::wire::reply::{Delta, Finish, Seen, block, buckets, content_text, ended};
use crate::wire::sse::Event;
use crate::wire::{Dialect, WireError};

/// A call that has begun.
#[derive(Debug)]
struct Begun {
    /// Of which choice it is, and the provider's number.
    number: (u64, u64),
    id: String,
}

/// Reads chunks.
#[derive(Debug, Default)]
pub(in crate::wire) struct Source {
    usage: Option<OpenAiUsage>,
    /// The calls that have begun, in the order of their beginning.
    calls: Vec<Begun>,
    /// The choices that have ended.
    ends: Vec<u64>,
    /// The choice that was told of last.
    at: u64,
    /// Whether a choice ends with an empty word, so far.
    has_empty_finish: bool,
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
            return if self.has_empty_finish { Err(ended("finish_reason", "")) } else { Ok(Seen::End) };
        }
        let root = event.json()?;
        let (mut id, mut model, mut choices, mut usage, mut groq, mut tier) =
            (None, None, None, None, None, None);
        for (key, value) in root.members() {
            match &*key {
                "id" => id = value.text(),
                "model" => model = value.text(),
                "choices" => choices = Some(value),
                "usage" if value.is_object() => usage = Some(value),
                "service_tier" => tier = value.text().filter(|tier| !tier.is_empty()),
                "x_groq" => groq = value.get("usage").filter(|value| value.is_object()),
                "error" if is_error(value) => {
                    return Err(WireError::Upstream(read_event(Dialect::OpenAiChat, &event.data)));
                }
                _ => {}
            }
        }
        self.absorb(usage);
        self.absorb(groq);
        if let Some(tier) = tier {
            self.usage.get_or_insert_default().serve(&tier);
        }
        tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
        let mut is_empty = true;
        for choice in choices.into_iter().flat_map(Value::items) {
            is_empty = false;
            self.choice(choice, tell)?;
        }
        Ok(if is_empty && usage.is_some() { Seen::UsageOnly } else { Seen::Some })
    }

    /// Takes over a usage block, wherever in an event it stands.
    fn absorb(&mut self, usage: Option<Value<'_>>) {
        if let Some(said) = usage.filter(|usage| usage.is_object()).and_then(block::<OpenAiUsage>) {
            self.usage.get_or_insert_default().absorb(&said);
        }
    }

    fn choice(&mut self, choice: Value<'_>, tell: &mut dyn FnMut(Delta<'_>)) -> Result<(), WireError> {
        let (mut nth, mut word, mut delta, mut text, mut told) = (0, None, None, None, None);
        for (key, value) in choice.members() {
            match &*key {
                "index" => nth = value.number().unwrap_or(0),
                "delta" => delta = Some(value),
                // The older completions have no more than this.
                "text" => text = value.text(),
                "logprobs" if value.is_object() => told = Some(Logprobs::of_chat(value)),
                "usage" => self.absorb(Some(value)),
                "finish_reason" => word = value.text(),
                "error" if is_error(value) => {
                    return Err(WireError::Upstream(read_event(Dialect::OpenAiChat, choice.raw())));
                }
                _ => {}
            }
        }
        if std::mem::replace(&mut self.at, nth) != nth {
            tell(Delta::Choice(nth));
        }
        say(text, |text| tell(Delta::Text(text)));
        if let Some(delta) = delta {
            let [reasoning_content, reasoning, content, refusal, calls, audio, images, notes, function] =
                delta.pick([
                    "reasoning_content",
                    "reasoning",
                    "content",
                    "refusal",
                    "tool_calls",
                    "audio",
                    "images",
                    "annotations",
                    "function_call",
                ]);
            say(thought(reasoning_content, reasoning, content), |text| tell(Delta::Thought(text)));
            say(content.and_then(content_text), |text| tell(Delta::Text(text)));
            say(refusal.and_then(Value::text), |text| tell(Delta::Refusal(text)));
            for call in calls.into_iter().flat_map(Value::items) {
                self.call(nth, call, tell);
            }
            if audio.or(images).is_some() {
                tell(Delta::Other);
            }
            if cites(notes) {
                self.usage.get_or_insert_default().cite();
            }
            if let Some(function) = function.filter(|function| function.is_object()) {
                self.function(nth, function, tell);
            }
        }
        if let Some(told) = told {
            tell(Delta::Logprobs(told));
        }
        let Some(word) = word else { return Ok(()) };
        match finish_from(&word) {
            Finish::Failed => return Err(ended("finish_reason", &word)),
            // Some servers say so with every chunk, and say the true word at the end.
            Finish::Other => self.has_empty_finish |= !self.ends.contains(&nth),
            finish if !self.ends.contains(&nth) => {
                self.has_empty_finish = false;
                self.ends.push(nth);
                tell(Delta::Finish { finish, stop: None });
            }
            _ => {}
        }
        Ok(())
    }

    /// Reads a call in the form that came before `tool_calls`: one at most, and without an id.
    fn function(&mut self, choice: u64, value: Value<'_>, tell: &mut dyn FnMut(Delta<'_>)) {
        self.fragment((choice, u64::MAX), None, Some(value), tell);
    }

    fn call(&mut self, choice: u64, value: Value<'_>, tell: &mut dyn FnMut(Delta<'_>)) {
        let id = value.text_of("id").filter(|id| !id.is_empty());
        // Servers that give no number send each call whole.
        let number = value.get("index").and_then(Value::number).unwrap_or_else(|| {
            let last = self.calls.iter().rev().map(|call| call.number);
            let last = last.filter(|(of, _)| *of == choice).map(|(_, number)| number).next();
            if id.is_some() { last.map_or(0, |last| last.saturating_add(1)) } else { last.unwrap_or(0) }
        });
        self.fragment((choice, number), id, value.get("function"), tell);
    }

    fn fragment(
        &mut self,
        number: (u64, u64),
        id: Option<Cow<'_, str>>,
        function: Option<Value<'_>>,
        tell: &mut dyn FnMut(Delta<'_>),
    ) {
        let name = function.and_then(|function| function.text_of("name")).filter(|name| !name.is_empty());
        // Servers that number every call 0 tell them apart by their ids.
        let is_other = |begun: &Begun| {
            let id = id.as_deref().filter(|_| name.is_some());
            id.is_some_and(|id| !begun.id.is_empty() && begun.id != id)
        };
        let call = self.calls.iter().rposition(|begun| begun.number == number);
        let call = call.filter(|call| !self.calls.get(*call).is_some_and(is_other));
        let call = match (call, &name) {
            (Some(call), _) => call,
            (None, Some(name)) => {
                let call = self.calls.len();
                let id = id.unwrap_or_default();
                tell(Delta::CallStart { call, id: &id, name });
                self.calls.push(Begun { number, id: id.into_owned() });
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
