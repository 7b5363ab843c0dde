//! A response read, in events or whole.

use std::borrow::Cow;

use crate::record::usage::{Counted, Custom, Offered, OpenAiUsage, SESSIONS, ShownItem};
use crate::wire::Dialect::OpenAiResponses;
use crate::wire::WireError;
use crate::wire::error::Result;
use crate::wire::faults::{is_error, read_event, reports_error};
use crate::wire::finish::{Finish, ended};
use crate::wire::json::Value;
use crate::wire::logprobs::Logprobs;
use crate::wire::reply::{Delta, Seen, Source, Tell, block, buckets, said};

/// Among how many of the latest calls one is looked for: a stream goes on with one of its last.
const LATEST: usize = 128;

/// Reads events.
#[derive(Default)]
pub(in crate::wire) struct Events {
    usage: Option<OpenAiUsage>,
    custom: Custom,
    calls: Vec<Called>,
    /// What has been told of the items that came last.
    last: Told,
    /// What has been told at all.
    all: Told,
}

/// A call that has been told.
struct Called {
    /// Where it stands in the output.
    at: u64,
    id: Box<str>,
    /// Whether its arguments have been.
    argued: bool,
}

/// Which kinds of items have been told. Not which items: servers number what is whole otherwise than its pieces.
#[derive(Clone, Copy, Default)]
struct Told {
    message: bool,
    thought: bool,
    other: bool,
}

impl Source for Events {
    fn event(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<Seen> {
        let text = |key: &str| root.text_of(key);
        let at = root.get("output_index").and_then(Value::number);
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
            "response.output_text.delta" => {
                said(text("delta"), |text| tell(Delta::Text(text)));
                self.tell(|told| &mut told.message);
                if let Some(told) = Logprobs::of_response(root) {
                    tell(Delta::Logprobs(told));
                }
            }
            // What a custom tool is given is content, and no JSON.
            "response.custom_tool_call_input.delta" => said(text("delta"), |text| tell(Delta::Text(text))),
            "response.refusal.delta" => {
                said(text("delta"), |text| tell(Delta::Refusal(text)));
                self.tell(|told| &mut told.message);
            }
            "response.output_item.added" => {
                let Some(item) = root.get("item") else { return Ok(Seen::Some) };
                match item.text_of("type").as_deref() {
                    Some("message") => self.last.message = false,
                    Some("reasoning") => self.last.thought = false,
                    Some("function_call") => self.call(at.unwrap_or(0), item, tell),
                    // Calls of custom tools, and of tools that OpenAI runs.
                    Some(kind) if kind.ends_with("_call") => {
                        tell(Delta::Other(kind));
                        self.tell(|told| &mut told.other);
                    }
                    _ => {}
                }
            }
            "response.function_call_arguments.delta" => self.argue(at, text("delta"), tell),
            // What is whole says again what its pieces said, unless there were none.
            "response.output_text.done" if !self.last.message => {
                said(text("text"), |text| tell(Delta::Text(text)));
                self.tell(|told| &mut told.message);
            }
            "response.refusal.done" if !self.last.message => {
                said(text("refusal"), |text| tell(Delta::Refusal(text)));
                self.tell(|told| &mut told.message);
            }
            "response.function_call_arguments.done"
                if self.calls.get(self.called(at)).is_some_and(|call| !call.argued) =>
            {
                self.argue(at, text("arguments"), tell);
            }
            "response.output_item.done" => {
                if let Some(item) = root.get("item") {
                    self.item((at.unwrap_or(0), item), self.last, tell);
                    match item.text_of("type").as_deref() {
                        Some("message") => self.last.message = false,
                        Some("reasoning") => self.last.thought = false,
                        _ => self.last.other = false,
                    }
                }
            }
            // Thoughts, and whatever hosted tools write.
            kind if kind.rsplit('.').next() == Some("delta") => {
                said(text("delta"), |text| tell(Delta::Thought(text)));
                self.tell(|told| &mut told.thought);
            }
            "response.completed" | "response.incomplete" => {
                if let Some(response) = root.get("response") {
                    self.begin(response, tell);
                    let told = self.all;
                    (0..).zip(response.list("output")).for_each(|item| self.item(item, told, tell));
                    end(response, tell)?;
                }
                return Ok(Seen::End);
            }
            // What stands before OpenAI may tell its errors in another's words.
            _ if reports_error(root) => {
                return Err(WireError::Upstream(read_event(OpenAiResponses, root.raw())));
            }
            _ => {}
        }
        Ok(Seen::Some)
    }

    fn whole(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<()> {
        self.begin(root, tell);
        tell(Delta::Choice(0));
        (0..).zip(root.list("output")).for_each(|item| self.item(item, Told::default(), tell));
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

    /// Takes note that items of a kind are told.
    fn tell(&mut self, kind: impl Fn(&mut Told) -> &mut bool) {
        for told in [&mut self.last, &mut self.all] {
            *kind(told) = true;
        }
    }

    /// Tells a whole item, unless its pieces have been told.
    fn item(&mut self, (at, item): (u64, Value<'_>), told: Told, tell: Tell<'_>) {
        match item.text_of("type").as_deref() {
            Some("message") if !told.message => {
                for part in item.list("content") {
                    match part.text_of("type").as_deref() {
                        Some("output_text") => {
                            said(part.text_of("text"), |text| tell(Delta::Text(text)));
                            if let Some(told) = Logprobs::of_response(part) {
                                tell(Delta::Logprobs(told));
                            }
                        }
                        Some("refusal") => said(part.text_of("refusal"), |text| tell(Delta::Refusal(text))),
                        _ => {}
                    }
                }
                self.all.message = true;
            }
            Some("function_call") => {
                let id = item.text_of("call_id").unwrap_or_default();
                let known = self.latest(|call| *call.id == *id);
                if known.is_none() {
                    self.call(at, item, tell);
                }
                let call = known.unwrap_or(self.calls.len().saturating_sub(1));
                if self.calls.get(call).is_some_and(|call| !call.argued) {
                    self.argument(call, item.text_of("arguments"), tell);
                }
            }
            Some("reasoning") if !told.thought => {
                for part in item.list("summary") {
                    said(part.text_of("text"), |text| tell(Delta::Thought(text)));
                    self.all.thought = true;
                }
            }
            // Calls of hosted tools and custom tools are content too, though nothing here can check them.
            Some(kind) if kind.ends_with("_call") && !told.other => {
                tell(Delta::Other(kind));
                self.all.other = true;
            }
            _ => {}
        }
    }

    /// Returns which of the latest calls is the one that is meant.
    fn latest(&self, is_it: impl Fn(&Called) -> bool) -> Option<usize> {
        self.calls.iter().enumerate().rev().take(LATEST).find(|(_, call)| is_it(call)).map(|(at, _)| at)
    }

    /// Returns the call at a place, else the last one.
    fn called(&self, at: Option<u64>) -> usize {
        self.latest(|call| Some(call.at) == at).unwrap_or(self.calls.len().saturating_sub(1))
    }

    /// Tells arguments of the call at a place, else of the last one.
    fn argue(&mut self, at: Option<u64>, text: Option<Cow<'_, str>>, tell: Tell<'_>) {
        self.argument(self.called(at), text, tell);
    }

    fn argument(&mut self, call: usize, text: Option<Cow<'_, str>>, tell: Tell<'_>) {
        said(text, |text| tell(Delta::CallArguments { call, text }));
        if let Some(call) = self.calls.get_mut(call) {
            call.argued = true;
        }
    }

    fn call(&mut self, at: u64, item: Value<'_>, tell: Tell<'_>) {
        let (id, name) = (item.text_of("call_id"), item.text_of("name"));
        let id = id.unwrap_or_default();
        tell(Delta::CallStart { call: self.calls.len(), id: &id, name: &name.unwrap_or_default() });
        self.calls.push(Called { at, id: id.into(), argued: false });
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
