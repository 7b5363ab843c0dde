//! A message read, in events or whole.

use crate::record::usage::{AnthropicUsage, Counted, ServerBlocks};
use crate::units::Count;
use crate::wire::Dialect::AnthropicMessages;
use crate::wire::WireError;
use crate::wire::cited::{Citation, MOST};
use crate::wire::error::Result;
use crate::wire::faults::{read_event, reports_error};
use crate::wire::finish::{Finish, ended};
use crate::wire::json::Value;
use crate::wire::reply::{Delta, Seen, Source, Tell, block, buckets, said};

/// Reads events.
#[derive(Default)]
pub(in crate::wire) struct Events {
    usage: Option<AnthropicUsage>,
    /// Tools that the provider ran.
    shown: ServerBlocks,
    /// Whether the output has been counted; what stands at the start of a message is a placeholder.
    is_counted: bool,
    /// Whether the word for the end was empty.
    has_empty_finish: bool,
    /// The blocks that are calls of tools: their index, and whether their arguments have begun.
    calls: Vec<(u64, bool)>,
    /// The arguments with which calls began; they count where none follow.
    given: Vec<(u64, String)>,
    /// The characters of text so far, and how many there were before the block.
    chars: u64,
    before: u64,
    /// What the text of the block rests on.
    cited: Vec<Citation>,
}

impl Source for Events {
    fn event(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<Seen> {
        let index = || root.get("index").and_then(Value::number);
        match &*root.text_of("type").unwrap_or_default() {
            "error" => return Err(WireError::Upstream(read_event(AnthropicMessages, root.raw()))),
            "message_start" => {
                if let Some(message) = root.get("message") {
                    self.begin(message, tell);
                }
            }
            "content_block_start" => {
                if let Some(block) = root.get("content_block") {
                    self.start(index().unwrap_or(0), block, false, tell);
                }
            }
            "content_block_delta" => self.delta(index(), root, tell),
            "content_block_stop" => self.stop(index(), tell),
            "message_delta" => {
                self.count(root);
                self.cite(tell);
                let Some(delta) = root.get("delta") else { return Ok(Seen::Some) };
                self.placed(delta);
                self.end(delta, tell)?;
            }
            "message_stop" => {
                self.count(root);
                return self.done();
            }
            // What stands before such a server may tell its errors in another's words.
            _ if reports_error(root) => {
                return Err(WireError::Upstream(read_event(AnthropicMessages, root.raw())));
            }
            _ => {}
        }
        Ok(Seen::Some)
    }

    fn whole(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<()> {
        self.begin(root, tell);
        self.is_counted = true;
        let Some(content) = root.get("content") else { return Ok(()) };
        tell(Delta::Choice(0));
        for (index, block) in (0..).zip(content.items()) {
            self.start(index, block, true, tell);
            self.stop(Some(index), tell);
        }
        self.end(root, tell)?;
        self.done().map(|_| ())
    }

    fn done(&mut self) -> Result<Seen> {
        if self.has_empty_finish { Err(ended(AnthropicMessages, "")) } else { Ok(Seen::End) }
    }

    fn usage(&self) -> Option<Counted> {
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

impl Events {
    /// Reads how a message begins.
    fn begin(&mut self, message: Value<'_>, tell: Tell<'_>) {
        self.absorb(message.get("usage"));
        self.placed(message);
        let (id, model) = (message.text_of("id"), message.text_of("model"));
        tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
    }

    /// Reads why it ended.
    fn end(&mut self, told: Value<'_>, tell: Tell<'_>) -> Result<()> {
        let Some(word) = told.text_of("stop_reason") else { return Ok(()) };
        while let Some(index) = self.given.first().map(|(at, _)| *at) {
            self.stop(Some(index), tell);
        }
        match Finish::read(AnthropicMessages, &word) {
            Finish::Failed => return Err(ended(AnthropicMessages, &word)),
            Finish::Other => self.has_empty_finish = true,
            finish => tell(Delta::Finish { finish, stop: told.text_of("stop_sequence").as_deref() }),
        }
        Ok(())
    }

    /// Takes in what the end of a message tells of its usage, wherever servers put it.
    fn count(&mut self, root: Value<'_>) {
        let within = |key: &str| root.get(key).and_then(|part| part.get("usage"));
        for usage in [root.get("usage"), within("delta"), within("message")].into_iter().flatten() {
            let answer = usage.get("output_tokens").and_then(Value::number);
            self.is_counted |= answer.is_some_and(|tokens| tokens > 0);
            self.absorb(Some(usage));
        }
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

    /// Tells arguments of the call in a block.
    fn argue(&mut self, index: Option<u64>, text: &str, tell: Tell<'_>) {
        let call = self.calls.iter().position(|(at, _)| Some(*at) == index);
        if let Some((call, (_, has_begun))) = call.and_then(|call| Some((call, self.calls.get_mut(call)?))) {
            *has_begun = true;
            tell(Delta::CallArguments { call, text });
        }
    }

    /// Reads how a block begins, or all of it.
    fn start(&mut self, index: u64, block: Value<'_>, is_whole: bool, tell: Tell<'_>) {
        match block.text_of("type").as_deref() {
            Some("text") => {
                self.before = self.chars;
                said(block.text_of("text"), |text| self.speak(text, tell));
                self.cited.extend(block.list("citations").map(Citation::of_messages).take(MOST));
            }
            Some("thinking") => said(block.text_of("thinking"), |text| tell(Delta::Thought(text))),
            Some("tool_use") => {
                let Some(name) = block.text_of("name") else { return };
                let call = self.calls.len();
                self.calls.push((index, false));
                tell(Delta::CallStart { call, id: &block.text_of("id").unwrap_or_default(), name: &name });
                // Servers that do not stream arguments give them at once, and some tell them once more.
                let is_given = |input: &Value<'_>| input.members().next().is_some();
                match block.get("input") {
                    Some(input) if is_whole => self.argue(Some(index), input.raw(), tell),
                    Some(input) if is_given(&input) => self.given.push((index, input.raw().to_owned())),
                    _ => {}
                }
            }
            // Converse has models that draw.
            Some("image") => {
                let [mime, data] = block
                    .get("source")
                    .map(|source| source.pick(["media_type", "data"]))
                    .unwrap_or_default()
                    .map(|said| said.and_then(Value::text));
                match (mime, data) {
                    (Some(mime), Some(data)) => tell(Delta::Picture { mime: &mime, data: &data }),
                    _ => tell(Delta::Other("image")),
                }
            }
            // Tools that Anthropic runs, and what they gave.
            Some(kind) if kind != "redacted_thinking" => {
                self.shown.read_block(block.raw());
                tell(Delta::Other(kind));
            }
            _ => {}
        }
    }

    fn speak(&mut self, text: &str, tell: Tell<'_>) {
        self.chars += text.chars().count() as u64;
        tell(Delta::Text(text));
    }

    /// Tells what the text of the block rests on, now that all of it is there.
    fn cite(&mut self, tell: Tell<'_>) {
        let span = Some((self.before, self.chars)).filter(|(start, end)| start < end);
        for citation in self.cited.drain(..) {
            tell(Delta::Cited(&citation.of_span(span)));
        }
    }

    /// A tool without arguments is called with none, and clients expect an object.
    fn stop(&mut self, index: Option<u64>, tell: Tell<'_>) {
        self.cite(tell);
        let given = self.given.iter().position(|(at, _)| Some(*at) == index);
        let given = given.map(|at| self.given.swap_remove(at).1);
        if self.calls.iter().any(|(at, has_begun)| Some(*at) == index && !has_begun) {
            self.argue(index, given.as_deref().unwrap_or("{}"), tell);
        }
    }

    fn delta(&mut self, index: Option<u64>, root: Value<'_>, tell: Tell<'_>) {
        let Some(delta) = root.get("delta") else { return };
        match delta.text_of("type").as_deref() {
            Some("text_delta") => said(delta.text_of("text"), |text| self.speak(text, tell)),
            Some("citations_delta") if self.cited.len() <= MOST => {
                self.cited.extend(delta.get("citation").map(Citation::of_messages));
            }
            Some("thinking_delta") => said(delta.text_of("thinking"), |text| tell(Delta::Thought(text))),
            Some("input_json_delta") => {
                said(delta.text_of("partial_json"), |text| self.argue(index, text, tell));
            }
            _ => {}
        }
    }
}
