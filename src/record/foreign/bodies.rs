//! Answers as they came over the wire: whole, or as the events of a stream; captured by themselves, or kept by a gateway
//! beside its own count.
//!
//! Invariants: of a stream that tells its counts more than once the largest hold; a body that cannot be read says nothing,
//! and one that says less than the row around it changes no count of it.

use std::borrow::Cow;

use serde::Deserialize;
use sonic_rs::LazyValue;

use super::answers::{self, Groq, anthropic, gemini, openai};
use super::failures::{Failure, went_wrong};
use super::served::{by_answer, by_name};
use super::terms;
use super::written::{Part, Written};
use crate::record::json::{self, Word, maybe, nullable};
use crate::record::known::Told;
use crate::record::recognise::is_stream;
use crate::record::skip::Refusal;
use crate::record::usage::{
    AnthropicUsage, Counted, GeminiUsage, Grounding, OpenAiUsage, Said, ServerBlocks, or_refused,
};
use crate::record::{Attempt, InputFormat};
use crate::routing::Status;
use crate::units::Count;

/// One event of a stream, of whichever dialect.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    #[serde(rename = "type")]
    kind: Word,
    #[serde(alias = "responseId")]
    id: Word,
    #[serde(alias = "modelVersion")]
    model: Word,
    created: Word,
    provider: Word,
    service_tier: Said,
    #[serde(borrow)]
    usage: Option<LazyValue<'a>>,
    #[serde(borrow, rename = "usageMetadata", alias = "usage_metadata")]
    usage_metadata: Option<LazyValue<'a>>,
    #[serde(borrow)]
    message: Option<LazyValue<'a>>,
    #[serde(borrow)]
    response: Option<LazyValue<'a>>,
    #[serde(borrow)]
    x_groq: Option<LazyValue<'a>>,
    #[serde(borrow)]
    error: Option<LazyValue<'a>>,
    #[serde(borrow)]
    delta: Option<LazyValue<'a>>,
    #[serde(borrow)]
    content_block: Option<LazyValue<'a>>,
    #[serde(deserialize_with = "nullable")]
    choices: Vec<Choice>,
    #[serde(deserialize_with = "nullable")]
    candidates: Vec<Candidate>,
    #[serde(rename = "promptFeedback", alias = "prompt_feedback")]
    feedback: Option<serde::de::IgnoredAny>,
}

/// Why an answer ended, empty where it has not; none where that is not said at all.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct Reason(#[serde(deserialize_with = "said")] Option<Word>);

fn said<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Word>, D::Error> {
    Word::deserialize(deserializer).map(Some)
}

impl Reason {
    fn as_str(&self) -> &str {
        self.0.as_ref().map_or("", Word::as_str)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Stopped {
    #[serde(deserialize_with = "maybe")]
    usage: Option<AnthropicUsage>,
    stop_reason: Reason,
    container: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    #[serde(deserialize_with = "maybe")]
    usage: Option<OpenAiUsage>,
    delta: Part,
    message: Part,
    text: Written,
    finish_reason: Reason,
    #[serde(deserialize_with = "maybe")]
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Candidate {
    content: Written,
    #[serde(rename = "finishReason", alias = "finish_reason")]
    finish_reason: Word,
    #[serde(rename = "groundingMetadata", alias = "grounding_metadata", deserialize_with = "nullable")]
    grounding: Grounding,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Within {
    id: Word,
    model: Word,
    #[serde(deserialize_with = "maybe")]
    usage: Option<AnthropicUsage>,
    container: Option<serde::de::IgnoredAny>,
}

/// What the events of a stream have told so far.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the events, and they vary freely")]
struct Stream {
    id: Word,
    model: Word,
    created: Word,
    provider: Word,
    openai: Option<OpenAiUsage>,
    anthropic: Option<AnthropicUsage>,
    gemini: Option<GeminiUsage>,
    /// Tools that Anthropic ran.
    shown: ServerBlocks,
    /// The response as the last event holds it.
    whole: Option<String>,
    format: Option<InputFormat>,
    bytes: u64,
    /// Whether the last count of the answer was told before its end: by the event that only announces a message, or before
    /// further text.
    is_short: bool,
    /// What the event that announces a message stands in with for the count of its answer.
    announced: u64,
    failure: Option<Failure>,
    /// Whether an event says that the answer is whole, whether one told a reason or that there is none yet, and whether one
    /// told a reason.
    has_ended: bool,
    goes_on: bool,
    says_why: bool,
    has_events: bool,
}

/// Reads a block of usage, where it is one.
fn block<T: for<'de> Deserialize<'de>>(value: &LazyValue<'_>) -> Option<T> {
    json::read::<Option<T>>(value.as_raw_str()).ok().flatten()
}

fn keep(known: &mut Word, said: Word) {
    if known.is_empty() {
        *known = said;
    }
}

impl Stream {
    fn take(&mut self, text: &str) {
        let Ok(event) = json::read::<Event<'_>>(text) else { return };
        self.has_events = true;
        let error = event.error.as_ref().map_or("null", LazyValue::as_raw_str);
        let failure = match event.kind.as_str() {
            "error" => Failure::read(text).or_else(|| Some(Failure::new(Status::Failed))),
            _ => Failure::read(error),
        };
        self.failure = self.failure.take().or(failure);
        let written = event.delta.as_ref().and_then(block::<Written>).unwrap_or_default();
        self.bytes = self.bytes.saturating_add(written.0);
        let kind = event.kind.as_str();
        if kind.starts_with("response.") {
            self.format = Some(InputFormat::OpenAi);
            self.has_ended |= matches!(kind, "response.completed" | "response.incomplete");
            if let Some(response) = event.response {
                self.whole = Some(response.as_raw_str().to_owned());
            }
            return;
        }
        if kind.starts_with("message_") || kind.starts_with("content_block") || kind == "ping" {
            self.format = Some(InputFormat::Anthropic);
            let stopped = event.delta.as_ref().filter(|_| kind == "message_delta").and_then(block::<Stopped>);
            let stopped = stopped.unwrap_or_default();
            self.has_ended |= kind == "message_stop";
            self.hear(&stopped.stop_reason);
            let start = event.message.and_then(|message| block::<Within>(&message)).unwrap_or_default();
            if stopped.container.is_some() || start.container.is_some() {
                self.shown.has_run();
            }
            keep(&mut self.id, start.id);
            keep(&mut self.model, start.model);
            if let Some(block) = event.content_block {
                self.shown.read_block(block.as_raw_str());
            }
            let then = event.usage.and_then(|usage| block::<AnthropicUsage>(&usage));
            let (begins, ends) =
                if kind == "message_start" { (start.usage, None) } else { (None, start.usage) };
            if let Some(begins) = &begins {
                (self.announced, self.is_short) = (begins.answer(), true);
            }
            let ends = [then, stopped.usage, ends];
            self.wrote(written.0, ends.iter().flatten().any(|said| said.answer() > 0));
            for said in [begins].into_iter().chain(ends).flatten() {
                self.anthropic.get_or_insert_default().absorb(&said);
            }
            return;
        }
        keep(&mut self.id, event.id);
        keep(&mut self.model, event.model);
        keep(&mut self.created, event.created);
        keep(&mut self.provider, event.provider);
        if event.usage_metadata.is_some() || !event.candidates.is_empty() {
            self.format = Some(InputFormat::Gemini);
            self.has_ended |=
                event.feedback.is_some() || event.candidates.iter().any(|one| !one.finish_reason.is_empty());
            let mut reasons = event.candidates.iter().map(|one| one.finish_reason.as_str());
            self.fail(reasons.find(|reason| went_wrong(reason)));
            let written = event.candidates.iter().map(|one| one.content.0).fold(0, u64::saturating_add);
            self.bytes = self.bytes.saturating_add(written);
            let said = event.usage_metadata.and_then(|usage| block::<GeminiUsage>(&usage));
            self.wrote(written, said.is_some_and(|said| said.answer() > 0));
            if let Some(said) = said {
                self.gemini.get_or_insert_default().absorb(&said);
            }
            let mut grounding = Grounding::default();
            event.candidates.iter().for_each(|one| grounding.add(one.grounding));
            self.gemini.get_or_insert_default().rest_on(grounding);
            self.whole = Some(text.to_owned());
            return;
        }
        let usage = event.usage.and_then(|usage| block::<OpenAiUsage>(&usage));
        let groq = event.x_groq.and_then(|groq| block::<Groq>(&groq)).and_then(|groq| groq.usage);
        // Behind the last part of its text comes what it used, alone.
        self.has_ended |= event.choices.is_empty() && (usage.is_some() || groq.is_some());
        let before = self.bytes;
        for choice in &event.choices {
            let reason = choice.finish_reason.as_str();
            self.fail(Some(reason).filter(|reason| went_wrong(reason) || choice.error.is_some()));
            self.hear(&choice.finish_reason);
            self.bytes = self.bytes.saturating_add(choice.delta.written.0).saturating_add(choice.text.0);
        }
        let mut is_counted = false;
        let within =
            event.choices.iter().flat_map(|choice| [choice.usage, choice.delta.usage, choice.message.usage]);
        for said in within.chain([usage, groq]).flatten() {
            is_counted |= said.answer() > 0;
            self.openai.get_or_insert_default().absorb(&said);
        }
        self.wrote(self.bytes - before, is_counted);
        if let Some(usage) = &mut self.openai {
            usage.serve(event.service_tier.as_str());
        }
        if text.contains("\"url_citation\"") {
            self.openai.get_or_insert_default().cite();
        }
    }

    /// Takes in why an answer ended, or that it goes on.
    fn hear(&mut self, reason: &Reason) {
        let says_why = !reason.as_str().is_empty();
        self.goes_on |= reason.0.is_some();
        self.says_why |= says_why;
        self.has_ended |= says_why;
    }

    /// Takes in that an event brought text, and whether it counts the answer so far.
    fn wrote(&mut self, bytes: u64, is_counted: bool) {
        self.is_short = !is_counted && (self.is_short || bytes > 0);
    }

    /// Says whether the counts are those of the whole answer, and not of its beginning.
    fn is_counted(&self) -> bool {
        let answer = self.anthropic.as_ref().map_or(0, AnthropicUsage::answer);
        let is_announced_alone =
            answer > 0 && answer <= self.announced && self.bytes > answer.saturating_mul(8);
        !self.is_short && !is_announced_alone
    }

    /// Takes in that the model or its server went wrong, and the word for it.
    fn fail(&mut self, reason: Option<&str>) {
        if let Some(reason) = reason.filter(|_| self.failure.is_none()) {
            self.failure = Some(Failure { status: Status::Failed, word: reason.to_owned() });
        }
    }

    /// Returns what the stream came to; nothing where it was none.
    fn end(mut self, line: u64) -> Option<Result<Told, Refusal>> {
        if !self.has_events {
            return None;
        }
        // So proxies end what broke.
        self.has_ended &= self.says_why || !self.goes_on;
        if let Some(usage) = &mut self.anthropic {
            usage.show(self.shown);
        }
        let failure = self.failure.take();
        // Nothing but an error: refused like any other request.
        let is_refused = self.id.is_empty() && self.format.is_none() && self.bytes == 0;
        let is_counted = self.is_counted();
        let mut told = match (self.format, self.whole) {
            // One that broke off or failed tells no usage, and is a request all the same.
            (Some(InputFormat::OpenAi), Some(whole)) => {
                match answer(&whole, line).unwrap_or_else(|| openai(&whole, line)) {
                    Ok(mut told) => {
                        let last = told.record.attempts.last_mut();
                        // Its last word was that it goes on.
                        if let Some(last) = last.filter(|last| last.status == Status::Ok && !self.has_ended) {
                            last.status = Status::Truncated;
                            last.estimated |= last.usage.is_known();
                        }
                        told
                    }
                    refused => return Some(refused),
                }
            }
            (format, whole) => {
                let counted = match (&self.anthropic, &self.gemini, &self.openai) {
                    (Some(usage), _, _) => usage.counted(),
                    (_, Some(usage), _) => usage.counted(),
                    (_, _, Some(usage)) => usage.counted_of(self.model.as_str()),
                    _ => Ok(Counted::default()),
                };
                let counted = match counted {
                    Ok(counted) if self.has_ended => {
                        let counted = counted.believed(self.bytes);
                        let is_part = counted.usage.output.is_known() && !is_counted;
                        if is_part { counted.cut(self.bytes) } else { counted }
                    }
                    Ok(counted) => counted.believed(self.bytes).cut(self.bytes),
                    Err(error) => return Some(Err(error.into())),
                };
                let mut told = match answers::streamed(self.id, self.model, &self.created, counted, line) {
                    Ok(told) => told,
                    refused => return Some(refused),
                };
                if let Some(last) = told.record.attempts.last_mut() {
                    if !self.has_ended {
                        last.status = Status::Truncated;
                    }
                    last.provider = match format {
                        Some(InputFormat::Anthropic) => "anthropic".into(),
                        Some(InputFormat::Gemini) => "google".into(),
                        _ => self.provider.0.into(),
                    };
                }
                if let (Some(InputFormat::Gemini), Some(last)) = (format, whole) {
                    terms::of_answer(InputFormat::Gemini, &last, &mut told.record);
                }
                told
            }
        };
        if let (Some(failure), Some(last)) = (failure, told.record.attempts.last_mut())
            && matches!(last.status, Status::Ok | Status::Truncated)
        {
            last.status = if is_refused && !last.usage.is_known() { failure.status } else { Status::Failed };
            let counted = Counted { usage: last.usage, ..Counted::default() };
            last.usage = or_refused(counted, last.status).usage;
            last.error = failure.word.into();
        }
        Some(Ok(told))
    }
}

/// Says whether a text is one JSON value from its first byte to its last.
fn is_whole(text: &str) -> bool {
    json::read::<serde::de::IgnoredAny>(text).is_ok()
}

/// Reads a stream of events: as it was sent, one event a line, or as a list.
pub(super) fn stream(text: &str, line: u64) -> Option<Result<Told, Refusal>> {
    let mut all = Stream::default();
    if text.trim_start().starts_with('[') {
        for event in json::read::<Vec<LazyValue<'_>>>(text).ok()? {
            all.take(event.as_raw_str());
        }
    } else {
        let mut open = String::new();
        for line in text.lines() {
            let line = line.trim();
            let event = line.strip_prefix("data:").unwrap_or(line).trim_start();
            // An event may go over several lines of data, which an empty line ends.
            if !open.is_empty() && line.starts_with("data:") {
                open.push('\n');
                open.push_str(event);
                if event.ends_with('}') && is_whole(&open) {
                    all.take(&open);
                    open.clear();
                }
            } else if event.starts_with('{') {
                open.clear();
                if event.ends_with('}') && is_whole(event) {
                    all.take(event);
                } else {
                    open.push_str(event);
                }
            } else if line.is_empty() {
                open.clear();
            }
            all.has_ended |= event == "[DONE]";
        }
    }
    all.end(line)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shape {
    #[serde(rename = "type")]
    kind: Word,
    #[serde(rename = "usageMetadata", alias = "usage_metadata")]
    gemini: Option<serde::de::IgnoredAny>,
    usage: Option<serde::de::IgnoredAny>,
    choices: Option<serde::de::IgnoredAny>,
}

/// Reads an answer, whole or streamed, of whichever dialect; nothing where it is none.
pub(super) fn answer(text: &str, line: u64) -> Option<Result<Told, Refusal>> {
    let text = text.trim();
    let Ok(shape) = json::read::<Shape>(text) else { return stream(text, line) };
    let format = match shape.kind.as_str() {
        "message" => InputFormat::Anthropic,
        _ if shape.gemini.is_some() && shape.choices.is_none() => InputFormat::Gemini,
        _ if shape.usage.is_some() => InputFormat::OpenAi,
        _ => return None,
    };
    let told = match format {
        InputFormat::Anthropic => anthropic(text, line),
        InputFormat::Gemini => gemini(text, line),
        _ => openai(text, line),
    };
    Some(told.map(|mut told| {
        terms::of_answer(format, text, &mut told.record);
        told
    }))
}

/// A body within a row: the answer itself, or text that holds it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Body(Option<Raw>);

/// The text of a value.
#[derive(Clone, Debug)]
struct Raw(String);

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = LazyValue::deserialize(deserializer)?;
        let raw = value.as_raw_str();
        // JSON within text, as dumps of databases have it.
        let text = raw.starts_with('"').then(|| json::read::<String>(raw).ok()).flatten();
        Ok(Self(text.unwrap_or_else(|| raw.to_owned())))
    }
}

/// What a body shows of an answer's text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    choices: Written,
    output: Written,
    candidates: Written,
    content: Written,
}

impl Shown {
    fn bytes(&self) -> u64 {
        let places = [self.choices, self.output, self.candidates, self.content];
        places.into_iter().map(|written| written.0).fold(0, u64::saturating_add)
    }
}

impl From<Body> for String {
    fn from(body: Body) -> Self {
        body.0.map(|raw| raw.0).unwrap_or_default()
    }
}

impl From<Body> for Cow<'_, str> {
    fn from(body: Body) -> Self {
        Self::Owned(body.into())
    }
}

impl Body {
    /// Makes one of its text in JSON.
    pub(super) fn of(raw: &str) -> Self {
        json::read(raw).unwrap_or_default()
    }

    /// Returns its text; empty where there is none.
    pub(super) fn text(&self) -> &str {
        self.0.as_ref().map_or("", |raw| raw.0.as_str())
    }

    /// Lets the answer complete what a row made of it.
    pub(super) fn complete(&self, attempt: &mut Attempt<'_>, asked: &str) -> Option<u64> {
        complete(self.text(), attempt, asked)
    }
}

/// Lets the text of an answer complete what a row made of it: its own counts, where they say as much or more, its tier and
/// meters. Returns the key by which the answer is known elsewhere. `asked` is the model that was asked for.
pub(super) fn complete(text: &str, attempt: &mut Attempt<'_>, asked: &str) -> Option<u64> {
    if attempt.usage.output == Count::ZERO || attempt.usage.prompt() == Some(0) {
        let shown = json::read::<Shown>(text).unwrap_or_default();
        let ours = Counted { usage: attempt.usage, ..Counted::default() };
        attempt.usage = ours.believed(shown.bytes()).usage;
    }
    let is_answer = |text: &&str| text.contains("usage") || is_stream(text.as_bytes());
    let told = Some(text).filter(is_answer).and_then(|text| answer(text, 1))?.ok()?;
    let said = told.record.attempts.last()?;
    by_answer(attempt, &said.model, asked);
    by_name(attempt, &told.record.id);
    let (ours, theirs) = (attempt.usage.told(), said.usage.told());
    // Of a body that breaks off more is guessed than the row knows.
    let is_surer = said.status != Status::Truncated || ours == 0;
    if is_surer && said.usage.is_complete() && theirs > 0 && theirs >= ours {
        attempt.usage = said.usage;
        attempt.write_ttl = said.write_ttl;
        attempt.estimated = said.estimated;
    }
    // One that says itself that it goes on, or went wrong; of a stream the row may have kept a part.
    if attempt.status == Status::Ok
        && matches!(said.status, Status::Truncated | Status::Failed)
        && is_whole(text)
    {
        attempt.status = said.status;
    }
    attempt.estimated |= said.status == Status::Truncated && attempt.usage.is_known();
    if attempt.terms.is_none() {
        attempt.terms.clone_from(&said.terms);
    }
    if attempt.billed.is_empty() {
        attempt.billed = said.billed.to_string().into();
    }
    told.keys[1]
}
