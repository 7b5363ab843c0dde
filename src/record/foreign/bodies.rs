//! Answers as they came over the wire: whole, or as the events of a stream; captured by themselves, or kept by a gateway
//! beside its own count.
//!
//! Invariants: of a stream that tells its counts more than once the largest hold; a body that cannot be read says nothing,
//! and one that says less than the row around it changes no count of it.

use std::borrow::Cow;

use super::answers::{self, Choice, openai};
use super::failures::{Failure, provider, went_wrong};
use super::served::{by_answer, by_name};
use super::terms;
use super::written::Written;
use crate::record::json::{self, Plain};
use crate::record::known::Told;
use crate::record::recognise::is_stream;
use crate::record::skip::Refusal;
use crate::record::usage::{
    AnthropicUsage, Counted, GeminiUsage, Grounding, OpenAiUsage, ServerBlocks, UsageBlock, or_refused, sound,
};
use crate::record::value::{FromValue, Object, Value};
use crate::record::{Attempt, InputFormat};
use crate::routing::Status;
use crate::units::Count;

/// What a candidate of Gemini's says.
struct Candidate<'a> {
    written: u64,
    finish_reason: Cow<'a, str>,
    grounding: Grounding,
}

impl<'a> Candidate<'a> {
    fn read(candidate: &Object<'a>) -> Result<Self, String> {
        Ok(Self {
            written: Written::from_value(candidate.get("content")?)?.0,
            finish_reason: candidate.word("finishReason|finish_reason")?,
            grounding: candidate.maybe("groundingMetadata|grounding_metadata")?.unwrap_or_default(),
        })
    }
}

/// What the events of a stream have told so far.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the events, and they vary freely")]
struct Stream {
    id: String,
    model: String,
    created: String,
    provider: String,
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

/// Reads a member that may not be one of these.
fn block<T: FromValue>(of: &Object<'_>, names: &str) -> Option<T> {
    let value = of.get(names).ok()?;
    value.said().and_then(|_| T::from_value(value).ok())
}

/// Reads a usage block as far as it can be read.
fn counts<T: UsageBlock>(of: &Object<'_>, names: &str) -> Option<T> {
    sound(of.get(names).ok()?.said()?)
}

/// Keeps the first word that is said.
fn keep(known: &mut String, of: &Object<'_>, names: &str) {
    if known.is_empty() {
        *known = of.word(names).unwrap_or_default().into_owned();
    }
}

impl Stream {
    /// Takes an event, unless it is none.
    fn take(&mut self, text: &str) {
        let Ok(event) = Object::read(text) else { return };
        let candidates: Result<Vec<Candidate<'_>>, _> =
            event.objects("candidates").and_then(|all| all.iter().map(Candidate::read).collect());
        if let (Ok(kind), Ok(choices), Ok(candidates)) = (event.word("type"), Choice::all(&event), candidates)
        {
            self.event(text, &event, &kind, &choices, &candidates);
        }
    }

    fn event(
        &mut self,
        text: &str,
        event: &Object<'_>,
        kind: &str,
        choices: &[Choice<'_>],
        candidates: &[Candidate<'_>],
    ) {
        self.has_events = true;
        let said = |name: &str| event.get(name).ok().and_then(Value::said);
        let failure = match kind {
            "error" => Failure::read(text).or_else(|| Some(Failure::new(Status::Failed))),
            _ => Failure::read(said("error").unwrap_or_default()),
        };
        self.failure = self.failure.take().or(failure);
        let Written(written) = block(event, "delta").unwrap_or_default();
        self.bytes = self.bytes.saturating_add(written);
        if kind.starts_with("response.") {
            self.format = Some(InputFormat::OpenAi);
            self.has_ended |= matches!(kind, "response.completed" | "response.incomplete");
            if let Some(response) = said("response") {
                self.whole = Some(response.to_owned());
            }
            return;
        }
        if kind.starts_with("message_") || kind.starts_with("content_block") || kind == "ping" {
            return self.message(event, kind, written);
        }
        keep(&mut self.id, event, "id|responseId");
        keep(&mut self.model, event, "model|modelVersion");
        keep(&mut self.created, event, "created");
        keep(&mut self.provider, event, "provider");
        if said("usageMetadata|usage_metadata").is_some() || !candidates.is_empty() {
            self.format = Some(InputFormat::Gemini);
            self.has_ended |= said("promptFeedback|prompt_feedback").is_some()
                || candidates.iter().any(|one| !one.finish_reason.is_empty());
            let mut reasons = candidates.iter().map(|one| &*one.finish_reason);
            self.fail(reasons.find(|reason| went_wrong(reason)));
            let written = candidates.iter().map(|one| one.written).fold(0, u64::saturating_add);
            self.bytes = self.bytes.saturating_add(written);
            let said: Option<GeminiUsage> = counts(event, "usageMetadata|usage_metadata");
            self.wrote(written, said.is_some_and(|said| said.answer() > 0));
            let usage = self.gemini.get_or_insert_default();
            if let Some(said) = said {
                usage.absorb(&said);
            }
            let mut grounding = Grounding::default();
            for one in candidates {
                grounding.add(one.grounding);
            }
            usage.rest_on(grounding);
            self.whole = Some(text.to_owned());
            return;
        }
        let usage: Option<OpenAiUsage> = counts(event, "usage");
        let groq = event.object("x_groq").ok().and_then(|groq| counts::<OpenAiUsage>(&groq, "usage"));
        // Behind the last part of its text comes what it used, alone.
        self.has_ended |= choices.is_empty() && (usage.is_some() || groq.is_some());
        let before = self.bytes;
        for choice in choices {
            let reason = choice.reason.as_deref();
            let word = reason.unwrap_or_default();
            self.fail(Some(word).filter(|word| went_wrong(word) || choice.has_error));
            self.hear(reason);
            self.bytes = self.bytes.saturating_add(choice.delta).saturating_add(choice.text);
        }
        let mut is_counted = false;
        for said in choices.iter().map(|choice| choice.usage).chain([usage, groq]).flatten() {
            is_counted |= said.answer() > 0;
            self.openai.get_or_insert_default().absorb(&said);
        }
        self.wrote(self.bytes - before, is_counted);
        if let Some(usage) = &mut self.openai {
            usage.serve(&event.word("service_tier").unwrap_or_default());
        }
        if text.contains("\"url_citation\"") || terms::rests_on_pages(event) {
            self.openai.get_or_insert_default().cite();
        }
    }

    /// Takes an event of a message of Anthropic's.
    fn message(&mut self, event: &Object<'_>, kind: &str, written: u64) {
        self.format = Some(InputFormat::Anthropic);
        let within = |name: &str| event.object(name).unwrap_or_default();
        let stopped = if kind == "message_delta" { within("delta") } else { Object::default() };
        let start = within("message");
        self.has_ended |= kind == "message_stop";
        self.hear(stopped.find("stop_reason").ok().flatten().and_then(|said| said.word().ok()).as_deref());
        if [&stopped, &start].iter().any(|part| part.says("container").unwrap_or(false)) {
            self.shown.has_run();
        }
        keep(&mut self.id, &start, "id");
        keep(&mut self.model, &start, "model");
        if let Some(block) = event.get("content_block").ok().and_then(Value::said) {
            self.shown.read_block(block);
        }
        let started: Option<AnthropicUsage> = counts(&start, "usage");
        let (begins, ends) = if kind == "message_start" { (started, None) } else { (None, started) };
        if let Some(begins) = &begins {
            (self.announced, self.is_short) = (begins.answer(), true);
        }
        let ends = [counts(event, "usage"), counts(&stopped, "usage"), ends];
        self.wrote(written, ends.iter().flatten().any(|said| said.answer() > 0));
        for said in [begins].into_iter().chain(ends).flatten() {
            self.anthropic.get_or_insert_default().absorb(&said);
        }
    }

    /// Takes in why an answer ended, or that it goes on.
    fn hear(&mut self, reason: Option<&str>) {
        let says_why = reason.is_some_and(|reason| !reason.is_empty());
        self.goes_on |= reason.is_some();
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
                    (_, _, Some(usage)) => usage.counted_of(&self.model),
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
                let mut told = match answers::streamed(&self.id, &self.model, &self.created, counted, line) {
                    Ok(told) => told,
                    refused => return Some(refused),
                };
                if let Some(last) = told.record.attempts.last_mut() {
                    if !self.has_ended {
                        last.status = Status::Truncated;
                    }
                    last.provider = match provider(format) {
                        "" => self.provider.into(),
                        maker => maker.into(),
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
        json::check_depth(text).ok()?;
        for event in Value::of(text).items().ok()? {
            all.take(event.raw());
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

/// Reads an answer, whole or streamed, of whichever dialect; nothing where it is none.
pub(super) fn answer(text: &str, line: u64) -> Option<Result<Told, Refusal>> {
    let text = text.trim();
    let Ok(shape) = Object::read(text) else { return stream(text, line) };
    let says = |names: &str| shape.says(names).unwrap_or(false);
    let format = match &*shape.word("type").unwrap_or_default() {
        "message" => InputFormat::Anthropic,
        _ if says("usageMetadata|usage_metadata") && !says("choices") => InputFormat::Gemini,
        _ if says("usage") => InputFormat::OpenAi,
        _ => return None,
    };
    Some(answers::read(format, text, line).map(|mut told| {
        terms::of_answer(format, text, &mut told.record);
        told
    }))
}

/// Returns the text of a body within a row: the answer itself, or text that holds it, as dumps of databases have it.
pub(super) fn body(value: Value<'_>) -> Cow<'_, str> {
    match value.plain() {
        Ok(Plain::Text(text)) => text,
        _ => value.said().unwrap_or_default().into(),
    }
}

/// Returns how much of an answer's text a body shows.
fn shown(text: &str) -> u64 {
    let bytes = Object::read(text).and_then(|body| {
        let places =
            ["choices", "output", "candidates", "content"].map(|name| Written::from_value(body.get(name)?));
        places.into_iter().try_fold(0u64, |sum, written| Ok(sum.saturating_add(written?.0)))
    });
    bytes.unwrap_or(0)
}

/// Lets the text of an answer complete what a row made of it: its own counts, where they say as much or more, its tier and
/// meters. Returns the key by which the answer is known elsewhere. `asked` is the model that was asked for.
pub(super) fn complete(text: &str, attempt: &mut Attempt<'_>, asked: &str) -> Option<u64> {
    if attempt.usage.output == Count::ZERO || attempt.usage.prompt() == Some(0) {
        let ours = Counted { usage: attempt.usage, ..Counted::default() };
        attempt.usage = ours.believed(shown(text)).usage;
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
