//! A message in events, read.

use super::finish_from;
use crate::record::usage::{AnthropicUsage, Counted, ServerBlocks};
use crate::units::Count;
use crate::wire::faults::read_event;
use crate::wire::json::Value;
use crate::wire::reply::{Delta, Finish, Seen, block, buckets, ended};
use crate::wire::sse::Event;
use crate::wire::{Dialect, WireError};

/// Reads events.
#[derive(Debug, Default)]
pub(in crate::wire) struct Source {
    usage: Option<AnthropicUsage>,
    /// Tools that the provider ran.
    shown: ServerBlocks,
    /// Whether the output has been counted; what stands at the start of a message is a placeholder.
    is_counted: bool,
    /// Whether the word for the end was empty.
    has_empty_finish: bool,
    /// The blocks that are calls of tools: their index, and whether their arguments have begun.
    calls: Vec<(u64, bool)>,
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
        let kind = root.text_of("type").unwrap_or_default();
        match &*kind {
            "error" => return Err(WireError::Upstream(read_event(Dialect::AnthropicMessages, &event.data))),
            "message_start" => {
                if let Some(message) = root.get("message") {
                    self.absorb(message.get("usage"));
                    self.placed(message);
                    let (id, model) = (message.text_of("id"), message.text_of("model"));
                    tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
                }
            }
            "content_block_start" => self.start(root, tell),
            "content_block_delta" => self.delta(root, tell),
            "content_block_stop" => {
                // A tool without arguments is called with none, and clients expect an object.
                let index = root.get("index").and_then(Value::number);
                if let Some(call) =
                    self.calls.iter().position(|(at, has_begun)| Some(*at) == index && !has_begun)
                {
                    self.begun(call);
                    tell(Delta::CallArguments { call, text: "{}" });
                }
            }
            "message_delta" => {
                let usage = root.get("usage");
                let answer = usage.and_then(|usage| usage.get("output_tokens")).and_then(Value::number);
                self.is_counted |= answer.is_some_and(|tokens| tokens > 0);
                self.absorb(usage);
                let Some(delta) = root.get("delta") else { return Ok(Seen::Some) };
                self.placed(delta);
                if let Some(word) = delta.text_of("stop_reason") {
                    let stop = delta.text_of("stop_sequence");
                    match finish_from(&word) {
                        Finish::Failed => return Err(ended("stop_reason", &word)),
                        Finish::Other => self.has_empty_finish = true,
                        finish => tell(Delta::Finish { finish, stop: stop.as_deref() }),
                    }
                }
            }
            "message_stop" if self.has_empty_finish => return Err(ended("stop_reason", "")),
            "message_stop" => return Ok(Seen::End),
            _ => {}
        }
        Ok(Seen::Some)
    }

    fn absorb(&mut self, usage: Option<Value<'_>>) {
        if let Some(said) = usage.and_then(block::<AnthropicUsage>) {
            self.usage.get_or_insert_default().absorb(&said);
        }
    }

    /// Takes in where code ran, as the start or the end of a message tells it.
    fn placed(&mut self, told: Value<'_>) {
        if told.get("container").is_some() {
            self.shown.has_run();
        }
    }

    fn begun(&mut self, call: usize) {
        if let Some((_, has_begun)) = self.calls.get_mut(call) {
            *has_begun = true;
        }
    }

    fn start(&mut self, root: Value<'_>, tell: &mut dyn FnMut(Delta<'_>)) {
        let Some(block) = root.get("content_block") else { return };
        match block.text_of("type").as_deref() {
            Some("text") => {
                if let Some(text) = block.text_of("text").filter(|text| !text.is_empty()) {
                    tell(Delta::Text(&text));
                }
            }
            Some("tool_use") => {
                let call = self.calls.len();
                self.calls.push((root.get("index").and_then(Value::number).unwrap_or(0), false));
                let (id, name) = (block.text_of("id"), block.text_of("name"));
                tell(Delta::CallStart { call, id: &id.unwrap_or_default(), name: &name.unwrap_or_default() });
                // Servers that do not stream arguments give them at once.
                if let Some(input) = block.get("input").filter(|input| input.members().next().is_some()) {
                    self.begun(call);
                    tell(Delta::CallArguments { call, text: input.raw() });
                }
            }
            // Tools that Anthropic runs, and what they gave.
            Some(kind) if !matches!(kind, "thinking" | "redacted_thinking") => {
                self.shown.read_block(block.raw());
                tell(Delta::Other);
            }
            _ => {}
        }
    }

    fn delta(&mut self, root: Value<'_>, tell: &mut dyn FnMut(Delta<'_>)) {
        let Some(delta) = root.get("delta") else { return };
        let said = |key: &str| delta.text_of(key).filter(|text| !text.is_empty());
        match delta.text_of("type").as_deref() {
            Some("text_delta") => {
                if let Some(text) = said("text") {
                    tell(Delta::Text(&text));
                }
            }
            Some("thinking_delta") => {
                if let Some(text) = said("thinking") {
                    tell(Delta::Thought(&text));
                }
            }
            Some("input_json_delta") => {
                let index = root.get("index").and_then(Value::number);
                let call = self.calls.iter().position(|(at, _)| Some(*at) == index);
                if let (Some(call), Some(text)) = (call, said("partial_json")) {
                    self.begun(call);
                    tell(Delta::CallArguments { call, text: &text });
                }
            }
            _ => {}
        }
    }

    /// Gives the usage said so far.
    pub(in crate::wire) fn usage(&self) -> Option<Counted> {
        let mut usage = self.usage?;
        usage.show(self.shown);
        let mut counted = buckets(usage.counted())?;
        if !self.is_counted {
            counted.usage.output = Count::UNKNOWN;
            counted.usage.reasoning = Count::UNKNOWN;
        }
        Some(counted)
    }
}
