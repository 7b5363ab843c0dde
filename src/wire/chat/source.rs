//! A chat completion read, in chunks or whole; and one of the older kind, whose choices are text alone.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use crate::record::usage::{Counted, Custom, OpenAiUsage};
use crate::wire::Dialect::OpenAiChat;
use crate::wire::WireError;
use crate::wire::calls::nameless;
use crate::wire::cited::{Citation, MOST};
use crate::wire::error::Result;
use crate::wire::faults::{is_error, read_event, reports_error};
use crate::wire::finish::{Finish, ended};
use crate::wire::json::{Progress, Value, quoted, spliced};
use crate::wire::logprobs::Logprobs;
use crate::wire::reply::{Delta, LeftOut, Seen, Source, Tell, block, buckets, content_text, said};

/// A call that has begun. One is not told yet while it is opened: its name may come in pieces, or after its id.
struct Begun {
    /// Of which choice it is, and the provider's number.
    number: (u64, u64),
    id: String,
    name: String,
    /// What has come of its arguments.
    arguments: Progress,
}

impl Begun {
    /// Says whether what comes under its number is a call of its own: one with another id, or, as servers number every call 0
    /// and some give no ids, one with a name and arguments where this one has all of its own.
    fn is_before(&self, id: Option<&str>, name: Option<&str>, has_arguments: bool) -> bool {
        name.is_some_and(|name| match id {
            Some(id) if !self.id.is_empty() => self.id != id,
            _ => self.arguments.is_object() && (has_arguments || self.name != name),
        })
    }

    /// Takes in more of a name: a further piece, or all of it again.
    fn add(&mut self, id: Option<Cow<'_, str>>, name: Option<Cow<'_, str>>) {
        if let Some(id) = id.filter(|_| self.id.is_empty() || self.name.is_empty()) {
            self.id = id.into();
        }
        match name {
            Some(more) if more.starts_with(&self.name) => self.name = more.into(),
            Some(piece) => self.name.push_str(&piece),
            None => {}
        }
    }
}

/// Reads chunks.
#[derive(Default)]
pub(in crate::wire) struct Chunks {
    usage: Option<OpenAiUsage>,
    custom: Custom,
    /// The calls that have begun, in the order of their beginning.
    calls: Vec<Begun>,
    opening: Option<Begun>,
    /// Whether calls of a choice share a number, and which each fragment in the last event would have had.
    shares_numbers: bool,
    numbers: Vec<usize>,
    /// The choices that have ended.
    ends: Vec<u64>,
    /// The choice that was told of last.
    at: u64,
    /// The pages that the answer rests on as a whole, as it was last said.
    pages: Vec<Citation>,
    /// Whether a choice ends with an empty word, so far.
    has_empty_finish: bool,
    /// Whether anything was added under its usual name.
    has_deltas: bool,
}

impl Source for Chunks {
    fn event(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<Seen> {
        let [id, model, choices, usage, groq, tier, error, cited, found, message] = root.pick([
            "id",
            "model",
            "choices",
            "usage",
            "x_groq",
            "service_tier",
            "error",
            "citations",
            "search_results",
            "message",
        ]);
        self.rest_on(cited, found);
        self.numbers.clear();
        // Some say what went wrong in an event of nothing else.
        let is_bare = [id, choices, usage].iter().all(Option::is_none);
        let is_told = is_bare && (message.is_some_and(Value::is_text) || reports_error(root));
        if is_told || error.is_some_and(is_error) {
            return Err(WireError::Upstream(read_event(OpenAiChat, root.raw())));
        }
        self.begin([id, model, usage, groq, tier], tell);
        let mut is_empty = true;
        for choice in choices.into_iter().flat_map(Value::items) {
            is_empty = false;
            self.choice(choice, None, tell)?;
        }
        if !self.ends.is_empty() && !self.pages.is_empty() {
            if std::mem::take(&mut self.at) != 0 {
                tell(Delta::Choice(0));
            }
            self.cite(tell);
        }
        let is_usage = is_empty && usage.is_some_and(Value::is_object);
        Ok(if is_usage { Seen::UsageOnly } else { Seen::Some })
    }

    fn whole(&mut self, root: Value<'_>, tell: Tell<'_>) -> Result<()> {
        let [choices, cited, found, id, model, usage, groq, tier] = root.pick([
            "choices",
            "citations",
            "search_results",
            "id",
            "model",
            "usage",
            "x_groq",
            "service_tier",
        ]);
        self.rest_on(cited, found);
        self.begin([id, model, usage, groq, tier], tell);
        let mut outcome = Ok(());
        for (nth, choice) in (0..).zip(choices.into_iter().flat_map(Value::items)) {
            // What came of the others is told as well: it was written.
            outcome = outcome.and(self.choice(choice, Some(nth), tell));
        }
        outcome
    }

    fn done(&mut self) -> Result<Seen> {
        if self.has_empty_finish { Err(ended(OpenAiChat, "")) } else { Ok(Seen::End) }
    }

    fn numbered(&self, event: &str) -> Option<String> {
        if !self.shares_numbers || self.numbers.is_empty() {
            return None;
        }
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        let mut numbers = self.numbers.iter();
        for choice in Value::of(event).list("choices") {
            let calls =
                choice.get("delta").or(choice.get("message")).and_then(|added| added.get("tool_calls"));
            for (call, number) in calls.into_iter().flat_map(Value::items).zip(numbers.by_ref()) {
                let said = call.members().find_map(|(key, index)| (key == "index").then_some(index));
                if let Some(index) = said {
                    spans.push((index.span_in(event.as_bytes()), number.to_string()));
                } else {
                    let start = call.span_in(event.as_bytes()).start + 1;
                    spans.push((start..start, format!("\"index\":{number},")));
                }
            }
        }
        String::from_utf8(spliced(event.as_bytes(), spans)).ok()
    }

    fn usage(&self) -> Option<Counted> {
        buckets(self.usage.as_ref()?.counted_in(self.custom))
    }
}

impl Chunks {
    /// Reads what stands beside the choices; servers put usage at the top, into a choice or what it adds, or under `x_groq`.
    fn begin(&mut self, [id, model, usage, groq, tier]: [Option<Value<'_>>; 5], tell: Tell<'_>) {
        self.absorb(usage);
        self.absorb(groq.and_then(|groq| groq.get("usage")));
        said(tier.and_then(Value::text), |tier| self.usage.get_or_insert_default().serve(tier));
        let (id, model) = (id.and_then(Value::text), model.and_then(Value::text));
        if let Some(model) = &model {
            self.custom = Custom::of(model);
        }
        tell(Delta::Start { id: &id.unwrap_or_default(), model: &model.unwrap_or_default() });
    }

    /// Takes over the pages that stand beside the choices: addresses alone, or with their titles where both are told.
    fn rest_on(&mut self, cited: Option<Value<'_>>, found: Option<Value<'_>>) {
        let list = [found, cited].into_iter().flatten().find(|list| list.items().next().is_some());
        if let Some(list) = list {
            self.pages = list.items().take(MOST).map(Citation::of_page).collect();
            self.usage.get_or_insert_default().cite();
        }
    }

    fn cite(&mut self, tell: Tell<'_>) {
        for page in &std::mem::take(&mut self.pages) {
            tell(Delta::Cited(page));
        }
    }

    /// Takes over a usage block, wherever in an event it stands.
    fn absorb(&mut self, usage: Option<Value<'_>>) {
        if let Some(said) = usage.filter(|usage| usage.is_object()).and_then(block::<OpenAiUsage>) {
            self.usage.get_or_insert_default().absorb(&said);
        }
    }

    /// Reads what is added to a choice, or all of it where its place in a whole answer is given.
    fn choice(&mut self, choice: Value<'_>, place: Option<u64>, tell: Tell<'_>) -> Result<()> {
        let [index, delta, message, text, told, usage, word, error] =
            choice.pick(["index", "delta", "message", "text", "logprobs", "usage", "finish_reason", "error"]);
        let fault = error.filter(|error| is_error(*error));
        let fault = fault.map(|_| WireError::Upstream(read_event(OpenAiChat, choice.raw())));
        if let Some(fault) = fault.clone().filter(|_| place.is_none()) {
            return Err(fault);
        }
        self.absorb(usage);
        self.absorb(delta.or(message).and_then(|said| said.get("usage")));
        let nth = place.or_else(|| index.and_then(Value::number)).unwrap_or(0);
        if self.at != nth || place.is_some() {
            self.open(tell);
            self.at = nth;
            tell(Delta::Choice(nth));
        }
        self.has_deltas |= delta.is_some();
        // Some servers call what is added a message; behind what was added one is the whole again.
        let added = || delta.or(message.filter(|_| !self.has_deltas));
        if let Some(message) = if place.is_some() { message } else { added() } {
            self.message(message, nth, place.is_some(), tell);
        }
        if place == Some(0) {
            self.cite(tell);
        }
        // The older completions have no more than this.
        said(text.and_then(Value::text), |text| tell(Delta::Text(text)));
        if let Some(told) = told.filter(|told| told.is_object()) {
            tell(Delta::Logprobs(Logprobs::of_chat(told)));
        }
        if let Some(fault) = fault {
            return Err(fault);
        }
        let word = word.and_then(Value::text);
        if word.is_some() || place.is_some() {
            self.open(tell);
            if self.opening.as_ref().is_some_and(|call| !call.id.is_empty()) {
                return Err(nameless());
            }
        }
        let Some(word) = word else { return Ok(()) };
        match Finish::read(OpenAiChat, &word) {
            Finish::Failed => return Err(ended(OpenAiChat, &word)),
            Finish::Other if place.is_some() => return Err(ended(OpenAiChat, &word)),
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

    /// Reads a message, or what is added to one.
    fn message(&mut self, message: Value<'_>, nth: u64, is_whole: bool, tell: Tell<'_>) {
        let [reasoning_content, reasoning, content, refusal, calls, audio, images, notes, function] = message
            .pick([
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
        let is_said = |text: &Cow<'_, str>| !text.is_empty();
        let thought = thought(reasoning_content, reasoning, content).filter(is_said);
        let text = content.and_then(content_text).filter(is_said);
        if thought.is_some() || text.is_some() {
            // What was begun before stands before it.
            self.open(tell);
        }
        said(thought, |text| tell(Delta::Thought(text)));
        said(text, |text| tell(Delta::Text(text)));
        let noted = || notes.into_iter().flat_map(Value::items);
        noted().for_each(|note| tell(Delta::Cited(&Citation::of_chat(note))));
        said(refusal.and_then(Value::text), |text| tell(Delta::Refusal(text)));
        for (at, call) in (0..).zip(calls.into_iter().flat_map(Value::items)) {
            let id = call.text_of("id").filter(|id| !id.is_empty());
            let index = call.get("index").and_then(Value::number).filter(|_| !is_whole);
            // Servers that give no number send each call whole.
            let number = index.or(is_whole.then_some(at)).unwrap_or_else(|| {
                let told = self.calls.iter().rev().map(|call| call.number);
                let last = self.opening.iter().map(|call| call.number).chain(told).find(|(of, _)| *of == nth);
                let last = last.map(|(_, number)| number);
                if id.is_some() { last.map_or(0, |last| last.saturating_add(1)) } else { last.unwrap_or(0) }
            });
            self.fragment((nth, number), id, call.get("function"), tell);
            let is_it = |of: &(u64, u64)| *of == (nth, number);
            let begun = self.calls.iter().rposition(|call| is_it(&call.number));
            let begun = begun.filter(|_| !self.opening.as_ref().is_some_and(|call| is_it(&call.number)));
            let before = self.calls.iter().take(begun.unwrap_or(self.calls.len()));
            self.numbers.push(before.filter(|call| call.number.0 == nth).count());
        }
        if audio.is_some() {
            tell(Delta::Other("audio"));
        }
        images.into_iter().flat_map(Value::items).for_each(|image| picture(image, tell));
        for part in content.into_iter().flat_map(Value::items) {
            match &*part.text_of("type").unwrap_or_default() {
                "" | "text" | "output_text" | "thinking" | "refusal" => {}
                "image_url" => picture(part, tell),
                kind => tell(Delta::Other(kind)),
            }
        }
        // A source of the web is quoted: the provider searched it.
        let is_quoted = |note: Value<'_>| note.text_of("type").as_deref() == Some("url_citation");
        if noted().any(is_quoted) {
            self.usage.get_or_insert_default().cite();
        }
        // The form that came before `tool_calls`: one at most, and without an id.
        if let Some(function) = function.filter(|function| function.is_object()) {
            self.fragment((nth, u64::MAX), None, Some(function), tell);
        }
    }

    /// Takes in a part of a call. What has begun is told once its name is whole, which is where its arguments begin.
    fn fragment(
        &mut self,
        number: (u64, u64),
        id: Option<Cow<'_, str>>,
        function: Option<Value<'_>>,
        tell: Tell<'_>,
    ) {
        let name = function.and_then(|function| function.text_of("name")).filter(|name| !name.is_empty());
        let arguments = function.and_then(|function| function.get("arguments"));
        let text = arguments.map(Value::told);
        let text = text.filter(|text| !text.is_empty());
        let is_other =
            |known: &str| name.is_some() && id.as_deref().is_some_and(|id| !known.is_empty() && known != id);
        let is_opening = |call: &Begun| call.number == number && !is_other(&call.id);
        let is_over = |call: &Begun| call.is_before(id.as_deref(), name.as_deref(), text.is_some());
        let begun = self.calls.iter().rposition(|call| call.number == number);
        let begun = begun.filter(|call| !self.calls.get(*call).is_some_and(is_over));
        let call = if let Some(opening) = self.opening.as_mut().filter(|call| is_opening(call)) {
            opening.add(id, name);
            None
        } else if begun.is_none() {
            if id.is_some() || name.is_some() {
                self.open(tell);
                self.shares_numbers |= self.calls.iter().any(|call| call.number == number);
                let (id, name) = (id.unwrap_or_default().into(), name.unwrap_or_default().into());
                self.opening = Some(Begun { number, id, name, arguments: Progress::default() });
            }
            None
        } else {
            begun
        };
        let Some(text) = text else { return };
        let call = call.or_else(|| {
            self.opening.as_ref().filter(|call| call.number == number && !call.name.is_empty())?;
            self.open(tell)
        });
        if let Some((call, begun)) = call.and_then(|call| Some((call, self.calls.get_mut(call)?))) {
            begun.arguments.push(&text);
            tell(Delta::CallArguments { call, text: &text });
        }
    }

    /// Tells the call that is being opened, if it has a name; returns its place.
    fn open(&mut self, tell: Tell<'_>) -> Option<usize> {
        let opened = self.opening.take_if(|call| !call.name.is_empty())?;
        let call = self.calls.len();
        tell(Delta::CallStart { call, id: &opened.id, name: &opened.name });
        self.calls.push(opened);
        Some(call)
    }
}

/// Puts contents that are lists of parts, as Mistral's models that think answer with them, into the form that clients of chat know:
/// a text, and beside it what was thought and drawn. Kinds that have no place are noted.
pub(in crate::wire) fn flattened(data: &str, left_out: &mut LeftOut) -> Option<String> {
    // Nearly all contents are texts, and this is asked of every event of a stream.
    if !may_list_content(data) {
        return None;
    }
    let mut spans: Vec<(Range<usize>, String)> = Vec::new();
    for choice in Value::of(data).list("choices") {
        let Some(message) = choice.get("delta").or_else(|| choice.get("message")) else { continue };
        let [content, known, images] = message.pick(["content", "reasoning_content", "images"]);
        let Some(content) = content.filter(|content| content.is_array()) else { continue };
        let mut text = quoted(&content_text(content).unwrap_or_default());
        if let Some(thought) = thought(None, None, Some(content)).filter(|_| known.is_none()) {
            text.extend([",\"reasoning_content\":", &quoted(&thought)]);
        }
        let mut drawn = Vec::new();
        for part in content.items().filter(|part| part.is_object()) {
            match &*part.text_of("type").unwrap_or_default() {
                "" | "text" | "output_text" | "thinking" => {}
                "image_url" if images.is_none() => drawn.push(part.raw()),
                kind => left_out.note(kind),
            }
        }
        if !drawn.is_empty() {
            text.extend([",\"images\":[", &drawn.join(","), "]"]);
        }
        spans.push((content.span_in(data.as_bytes()), text));
    }
    if spans.is_empty() { None } else { String::from_utf8(spliced(data.as_bytes(), spans)).ok() }
}

/// Says whether a member of that name may be a list; nobody writes the name with escapes.
fn may_list_content(data: &str) -> bool {
    const NAME: &[u8] = b"\"content\"";
    let data = data.as_bytes();
    memmem::find_iter(data, NAME).any(|at| {
        let said = data.get(at + NAME.len()..).unwrap_or_default().trim_ascii_start().strip_prefix(b":");
        said.is_some_and(|said| said.trim_ascii_start().starts_with(b"["))
    })
}

/// Tells a picture, as OpenRouter and others give it; one that is given by its address lies elsewhere.
fn picture(image: Value<'_>, tell: Tell<'_>) {
    let url = image.get("image_url").and_then(|said| said.text_or("url"));
    let parsed = url.as_deref().and_then(|url| url.strip_prefix("data:")?.split_once(";base64,"));
    match parsed {
        Some((mime, data)) => tell(Delta::Picture { mime, data }),
        None => tell(Delta::Other("image_url")),
    }
}

/// Reads what a model thought, from a message or a delta: `reasoning_content` with `DeepSeek` and most others, `reasoning`
/// with `OpenRouter` and newer vLLM, a part of the content with Mistral. Servers that say it twice say the same.
fn thought<'a>(
    reasoning_content: Option<Value<'a>>,
    reasoning: Option<Value<'a>>,
    content: Option<Value<'a>>,
) -> Option<Cow<'a, str>> {
    let said = |value: Option<Value<'a>>| value?.text().filter(|text| !text.is_empty());
    said(reasoning_content).or_else(|| said(reasoning)).or_else(|| {
        let content = content?;
        let thinking = content.items().filter_map(|part| part.get("thinking"));
        let thought: String = thinking.filter_map(content_text).collect();
        (!thought.is_empty()).then_some(Cow::Owned(thought))
    })
}
