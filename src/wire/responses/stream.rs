//! A response in events, read.

use super::answer::said;
use super::finish_of;
use crate::record::usage::{Counted, OpenAiUsage};
use crate::wire::faults::read_event;
use crate::wire::json::Value;
use crate::wire::reply::{Delta, Finish, Seen, buckets, ended};
use crate::wire::sse::Event;
use crate::wire::{Dialect, WireError};

/// Reads events.
#[derive(Debug, Default)]
pub(in crate::wire) struct Source {
    usage: Option<OpenAiUsage>,
    /// Where the calls stand in the output.
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
        let kind = root.text_of("type").unwrap_or_default();
        let said = |key: &str| root.text_of(key).filter(|text| !text.is_empty());
        match &*kind {
            "error" | "response.failed" | "response.cancelled" => {
                self.absorb(root.get("response"));
                return Err(WireError::Upstream(read_event(Dialect::OpenAiResponses, &event.data)));
            }
            "response.created" | "response.in_progress" => {
                if let Some(response) = root.get("response") {
                    self.absorb(Some(response));
                    let (id, model) = (response.text_of("id"), response.text_of("model"));
                    tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
                }
            }
            "response.output_text.delta" => said("delta").iter().for_each(|text| tell(Delta::Text(text))),
            "response.refusal.delta" => said("delta").iter().for_each(|text| tell(Delta::Refusal(text))),
            "response.output_item.added" => {
                let Some(item) = root.get("item") else { return Ok(Seen::Some) };
                match item.text_of("type").as_deref() {
                    Some("function_call") => {
                        let call = self.calls.len();
                        self.calls.push(root.get("output_index").and_then(Value::number).unwrap_or(0));
                        let (id, name) = (item.text_of("call_id"), item.text_of("name"));
                        tell(Delta::CallStart {
                            call,
                            id: &id.unwrap_or_default(),
                            name: &name.unwrap_or_default(),
                        });
                    }
                    // Calls of custom tools, and of tools that OpenAI runs.
                    Some(kind) if kind.ends_with("_call") => tell(Delta::Other),
                    _ => {}
                }
            }
            "response.function_call_arguments.delta" => {
                let index = root.get("output_index").and_then(Value::number);
                let call = self.calls.iter().rposition(|at| Some(*at) == index);
                if let Some(text) = said("delta") {
                    let call = call.unwrap_or(self.calls.len().saturating_sub(1));
                    tell(Delta::CallArguments { call, text: &text });
                }
            }
            // What a custom tool is given is content, and no JSON.
            "response.custom_tool_call_input.delta" => {
                if let Some(text) = said("delta") {
                    tell(Delta::Text(&text));
                }
            }
            // Thoughts, and whatever hosted tools write.
            kind if kind.rsplit('.').next() == Some("delta") => {
                if let Some(text) = said("delta") {
                    tell(Delta::Thought(&text));
                }
            }
            "response.completed" | "response.incomplete" => {
                if let Some(response) = root.get("response") {
                    self.absorb(Some(response));
                    let (id, model) = (response.text_of("id"), response.text_of("model"));
                    tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
                    match finish_of(response) {
                        Finish::Failed => {
                            let status = response.text_of("status").unwrap_or_default();
                            return Err(ended("status", &status));
                        }
                        finish => tell(Delta::Finish { finish, stop: None }),
                    }
                }
                return Ok(Seen::End);
            }
            _ => {}
        }
        Ok(Seen::Some)
    }

    fn absorb(&mut self, response: Option<Value<'_>>) {
        if let Some(said) = response.and_then(said) {
            self.usage.get_or_insert_default().absorb(&said);
        }
    }

    /// Gives the usage said so far.
    pub(in crate::wire) fn usage(&self) -> Option<Counted> {
        buckets(self.usage.as_ref()?.counted())
    }
}
