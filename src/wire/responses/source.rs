//! A response read, in events or whole.

use std::borrow::Cow;

use crate::record::usage::{Counted, Custom, Offered, OpenAiUsage, SESSIONS, ShownItem};
use crate::wire::Dialect::OpenAiResponses;
use crate::wire::WireError;
use crate::wire::error::Result;
use crate::wire::faults::{is_error, read_event};
use crate::wire::finish::{Finish, ended};
use crate::wire::json::Value;
use crate::wire::logprobs::Logprobs;
use crate::wire::reply::{Delta, Seen, Source, Tell, block, buckets, said};

/// Reads events.
#[derive(Debug, Default)]
pub(in crate::wire) struct Events {
    usage: Option<OpenAiUsage>,
    custom: Custom,
    /// Where the calls stand in the output.
    calls: Vec<u64>,
    /// What has been told of the output: the place of an item, and that of a part within it.
    told: Vec<(u64, u64)>,
}

impl Source for Events {
    fn event(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<Seen> {
        let text = |key: &str| root.text_of(key);
        let place = |key: &str| root.get(key).and_then(Value::number);
        let (at, part) = (place("output_index"), place("content_index").or_else(|| place("summary_index")));
        let part = (at.unwrap_or(0), part.unwrap_or(0));
        match &*text("type").unwrap_or_default() {
            "error" | "response.failed" | "response.cancelled" => {
                self.absorb(root.get("response"));
                return Err(WireError::Upstream(read_event(OpenAiResponses, root.raw())));
            }
            "response.created" | "response.in_progress" => {
                if let Some(response) = root.get("response") {
                    self.begin(response, tell);
                }
            }
            // What a custom tool is given is content, and no JSON.
            "response.output_text.delta" | "response.custom_tool_call_input.delta" => {
                said(text("delta"), |text| tell(Delta::Text(text)));
                self.is_new(part);
                if let Some(told) = Logprobs::of_response(root) {
                    tell(Delta::Logprobs(told));
                }
            }
            "response.refusal.delta" => {
                said(text("delta"), |text| tell(Delta::Refusal(text)));
                self.is_new(part);
            }
            "response.output_item.added" => {
                let Some(item) = root.get("item") else { return Ok(Seen::Some) };
                match item.text_of("type").as_deref() {
                    Some("function_call") => self.call(part.0, item, tell),
                    // Calls of custom tools, and of tools that OpenAI runs.
                    Some(kind) if kind.ends_with("_call") => {
                        tell(Delta::Other(kind));
                        self.is_new(part);
                    }
                    _ => {}
                }
            }
            "response.function_call_arguments.delta" => self.argue(at, text("delta"), tell),
            // What is whole says again what its pieces said, unless there were none.
            "response.output_text.done" if self.is_new(part) => {
                said(text("text"), |text| tell(Delta::Text(text)));
            }
            "response.refusal.done" if self.is_new(part) => {
                said(text("refusal"), |text| tell(Delta::Refusal(text)));
            }
            "response.function_call_arguments.done" if !self.told.contains(&part) => {
                self.argue(at, text("arguments"), tell);
            }
            "response.output_item.done" => {
                if let Some(item) = root.get("item") {
                    self.item(part.0, item, tell);
                }
            }
            // Thoughts, and whatever hosted tools write.
            kind if kind.rsplit('.').next() == Some("delta") => {
                said(text("delta"), |text| tell(Delta::Thought(text)));
                self.is_new(part);
            }
            "response.completed" | "response.incomplete" => {
                if let Some(response) = root.get("response") {
                    self.begin(response, tell);
                    if self.told.is_empty() && self.calls.is_empty() {
                        (0..).zip(response.list("output")).for_each(|(at, item)| self.item(at, item, tell));
                    }
                    end(response, tell)?;
                }
                return Ok(Seen::End);
            }
            // What stands before OpenAI may tell its errors in another's words.
            _ if root.get("error").is_some_and(is_error) => {
                return Err(WireError::Upstream(read_event(OpenAiResponses, root.raw())));
            }
            _ => {}
        }
        Ok(Seen::Some)
    }

    fn whole(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<()> {
        self.begin(root, tell);
        tell(Delta::Choice(0));
        (0..).zip(root.list("output")).for_each(|(at, item)| self.item(at, item, tell));
        end(root, tell)
    }

    fn usage(&self) -> Option<Counted> {
        buckets(self.usage.as_ref()?.counted_in(self.custom))
    }
}

impl Events {
    /// Reads what a response says of itself.
    fn begin(&mut self, response: Value<'_>, tell: Tell<'_>) {
        self.absorb(Some(response));
        let (id, model) = (response.text_of("id"), response.text_of("model"));
        if let Some(model) = &model {
            self.custom = Custom::of(model);
        }
        tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
    }

    /// Takes note that a part of the output is told, and says whether it was not before.
    fn is_new(&mut self, part: (u64, u64)) -> bool {
        let is_new = self.told.last() != Some(&part) && !self.told.contains(&part);
        if is_new {
            self.told.push(part);
        }
        is_new
    }

    /// Tells what has not been told of a whole item.
    fn item(&mut self, at: u64, item: Value<'_>, tell: Tell<'_>) {
        match item.text_of("type").as_deref() {
            Some("message") => {
                for (nth, part) in (0..).zip(item.list("content")) {
                    if !self.is_new((at, nth)) {
                        continue;
                    }
                    match part.text_of("type").as_deref() {
                        Some("output_text") => {
                            said(part.text_of("text"), |text| tell(Delta::Text(text)));
                            if let Some(told) = Logprobs::of_response(part) {
                                tell(Delta::Logprobs(told));
                            }
                        }
                        Some("refusal") => {
                            part.text_of("refusal").iter().for_each(|text| tell(Delta::Refusal(text)));
                        }
                        _ => {}
                    }
                }
            }
            Some("function_call") => {
                if !self.calls.contains(&at) {
                    self.call(at, item, tell);
                }
                if !self.told.contains(&(at, 0)) {
                    self.argue(Some(at), item.text_of("arguments"), tell);
                }
            }
            Some("reasoning") => {
                for (nth, part) in (0..).zip(item.list("summary")) {
                    if self.is_new((at, nth)) {
                        said(part.text_of("text"), |text| tell(Delta::Thought(text)));
                    }
                }
            }
            // Calls of hosted tools and custom tools are content too, though nothing here can check them.
            Some(kind) if kind.ends_with("_call") && self.is_new((at, 0)) => tell(Delta::Other(kind)),
            _ => {}
        }
    }

    /// Tells arguments of the call at a place, else of the last one.
    fn argue(&mut self, at: Option<u64>, text: Option<Cow<'_, str>>, tell: Tell<'_>) {
        let call = self.calls.iter().rposition(|place| Some(*place) == at);
        let call = call.unwrap_or(self.calls.len().saturating_sub(1));
        said(text, |text| tell(Delta::CallArguments { call, text }));
        self.is_new((at.unwrap_or(0), 0));
    }

    fn call(&mut self, at: u64, item: Value<'_>, tell: Tell<'_>) {
        let call = self.calls.len();
        self.calls.push(at);
        let (id, name) = (item.text_of("call_id"), item.text_of("name"));
        tell(Delta::CallStart { call, id: &id.unwrap_or_default(), name: &name.unwrap_or_default() });
    }

    fn absorb(&mut self, response: Option<Value<'_>>) {
        if let Some(said) = response.and_then(used) {
            self.usage.get_or_insert_default().absorb(&said);
        }
    }
}

/// Reads why a response ended; one that is still being made has not.
fn end(response: Value<'_>, tell: Tell<'_>) -> Result<()> {
    let finish = match response.text_of("status").as_deref() {
        Some("completed") => Finish::Stop,
        Some("incomplete") => {
            let reason = response.get("incomplete_details").and_then(|details| details.text_of("reason"));
            match reason.as_deref() {
                Some("content_filter") => Finish::Filtered,
                // `max_output_tokens`, or whatever other limit stopped it.
                _ => Finish::Length,
            }
        }
        Some("in_progress" | "queued") | None => Finish::Other,
        // What the provider says of it is worth more than the bare word.
        Some(_) if response.get("error").is_some_and(is_error) => {
            return Err(WireError::Upstream(read_event(OpenAiResponses, response.raw())));
        }
        Some(status) => return Err(ended(OpenAiResponses, status)),
    };
    tell(Delta::Finish { finish, stop: None });
    Ok(())
}

/// Reads the usage of a response, with the tier that served and the tools that the provider ran.
fn used(response: Value<'_>) -> Option<OpenAiUsage> {
    let mut usage = response.get("usage").and_then(block::<OpenAiUsage>)?;
    usage.serve(&response.text_of("service_tier").unwrap_or_default());
    let kind = |value: Value<'_>| value.text_of("type").unwrap_or_default().into_owned();
    let within = |value: Value<'_>, key: &str| value.get(key).map(kind).unwrap_or_default();
    let (mut has_searched, mut is_cited) = (false, false);
    let mut offered = Offered::default();
    for tool in response.list("tools") {
        offered.add(&kind(tool), &within(tool, "environment"));
    }
    for item in response.list("output") {
        let meter = offered.meter(ShownItem {
            kind: &kind(item),
            action: &within(item, "action"),
            status: &item.text_of("status").unwrap_or_default(),
            place: &within(item, "environment"),
        });
        if let Some(meter) = meter {
            usage.show(meter, 1);
            has_searched |= meter.contains("search");
        }
        for source in item.list("content").flat_map(|part| part.list("annotations")) {
            match &*kind(source) {
                "container_file_citation" => usage.show(SESSIONS, 1),
                "url_citation" => is_cited = true,
                _ => {}
            }
        }
    }
    if is_cited && !has_searched {
        usage.cite();
    }
    Some(usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_of_a_response_is_known_and_no_other() {
        for (response, want) in [
            (r#"{"status":"completed"}"#, Some(Finish::Stop)),
            (
                r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#,
                Some(Finish::Length),
            ),
            (
                r#"{"status":"incomplete","incomplete_details":{"reason":"content_filter"}}"#,
                Some(Finish::Filtered),
            ),
            (r#"{"status":"incomplete"}"#, Some(Finish::Length)),
            (r#"{"status":"in_progress"}"#, Some(Finish::Other)),
            (r#"{"status":"queued"}"#, Some(Finish::Other)),
            (r#"{"status":"failed"}"#, None),
            (r#"{"status":"cancelled"}"#, None),
            (r#"{"status":"x"}"#, None),
        ] {
            let mut told = None;
            let outcome = end(Value::of(response), &mut |delta| {
                if let Delta::Finish { finish, .. } = delta {
                    told = Some(finish);
                }
            });
            assert_eq!((told, outcome.is_err()), (want, want.is_none()), "{response}");
        }
    }
}
