//! Answers as providers send them, one JSON object each.
//!
//! An answer that tells no time is placed at [`TRACE_EPOCH`](super::TRACE_EPOCH) plus one second for each line before it, so that a file of
//! them has an order; parts of a streamed answer are passed over except the one with the final counts.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::failures::went_wrong;
use super::fields::{attempt, claimed, maybe_moment, owned, told_or_placed};
use super::written::{Part, Written};
use crate::record::json::{self, Measure, Num, Word, maybe, nullable};
use crate::record::known::{Told, answer_key, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{AnthropicUsage, Counted, GeminiUsage, OllamaUsage, OpenAiUsage, UsageError};
use crate::record::{Attempt, Attempts, Record, Timing};
use crate::routing::Status;
use crate::units::{Instant, Span};

/// A streamed part that carries no final counts.
const PART: Refusal = Refusal::NotACall("a part of a streamed answer, without its final counts");

/// What counts tokens or lists models.
const ASIDE: Refusal = Refusal::NotACall("counts tokens or lists what there is, and calls no model");

/// Beginnings of the kinds of objects that are no answers, though they may carry usage.
const OBJECTS: &[&str] = &[
    "batch",
    "file",
    "model",
    "fine_tuning",
    "assistant",
    "thread",
    "vector_store",
    "response.input",
    "container",
];

fn answer(id: Word, (at, timing): (Instant, Timing), only: Attempt<'_>) -> Record<'_> {
    Record { id: owned(id), at, timing, attempts: Attempts::one(only), ..Record::default() }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenAiAnswer {
    id: Word,
    object: Word,
    created: Word,
    created_at: Word,
    model: Word,
    provider: Word,
    status: Word,
    #[serde(deserialize_with = "maybe")]
    usage: Option<OpenAiUsage>,
    #[serde(deserialize_with = "maybe")]
    usage_metadata: Option<OpenAiUsage>,
    #[serde(deserialize_with = "nullable")]
    x_groq: Groq,
    #[serde(deserialize_with = "nullable")]
    choices: Vec<Option<Choice>>,
    output: Written,
    #[serde(deserialize_with = "nullable")]
    response_metadata: LangChain,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Groq {
    #[serde(deserialize_with = "maybe")]
    pub(super) usage: Option<OpenAiUsage>,
}

/// What `LangChain` keeps of an answer beside its own count of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LangChain {
    id: Word,
    #[serde(alias = "model")]
    model_name: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    #[serde(deserialize_with = "maybe")]
    usage: Option<OpenAiUsage>,
    finish_reason: Ending,
    #[serde(deserialize_with = "maybe")]
    error: Option<IgnoredAny>,
    message: Part,
    delta: Part,
    text: Written,
}

/// Whether an answer says that it has ended: why, or `null` while it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing of it.
    #[default]
    Unsaid,
    /// Not yet.
    Open,
    /// It has.
    Ended,
    /// It went wrong.
    Failed,
}

impl<'de> Deserialize<'de> for Ending {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Option::<Word>::deserialize(deserializer)? {
            Some(reason) if went_wrong(reason.as_str()) => Self::Failed,
            Some(_) => Self::Ended,
            None => Self::Open,
        })
    }
}

impl OpenAiAnswer {
    /// Says whether it broke off, or is a part of a stream before its end.
    fn is_open(&self, is_chunk: bool) -> bool {
        let mut choices = self.choices.iter().flatten().map(|choice| choice.finish_reason).peekable();
        let is_open = |end: Ending| end == Ending::Open || (is_chunk && end == Ending::Unsaid);
        choices.peek().is_some() && choices.all(is_open)
    }

    /// Says whether none of its choices came to a good end.
    fn has_failed(&self) -> bool {
        let mut choices = self.choices.iter().flatten().peekable();
        choices.peek().is_some()
            && choices.all(|choice| choice.error.is_some() || choice.finish_reason == Ending::Failed)
    }

    /// Returns how much was written.
    fn bytes(&self) -> u64 {
        let choices = self.choices.iter().flatten();
        let written = choices.map(|choice| choice.message.written.0.saturating_add(choice.text.0));
        written.fold(self.output.0, u64::saturating_add)
    }

    /// Puts together what an answer says of its usage, wherever servers put it.
    fn counted(&self) -> Result<Counted, UsageError> {
        let places = [&self.usage, &self.usage_metadata, &self.x_groq.usage].into_iter();
        let choices = || self.choices.iter().flatten();
        let mut all: Option<OpenAiUsage> = None;
        for said in places
            .chain(choices().flat_map(|choice| [&choice.usage, &choice.message.usage, &choice.delta.usage]))
            .flatten()
        {
            all.get_or_insert_default().absorb(said);
        }
        let bytes = self.bytes();
        // What is listed with tokens are vectors.
        let is_list = self.object.as_str() == "list";
        let all = all.map(|usage| if is_list { usage.of_embeddings() } else { usage });
        all.map_or(Ok(Counted::default()), |usage| Ok(usage.counted_of(self.model.as_str())?.believed(bytes)))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct WithCost {
    #[serde(deserialize_with = "nullable")]
    usage: CostOnly,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CostOnly {
    cost: Word,
}

/// Reads an answer in OpenAI's dialect: chat completion or response.
pub(super) fn openai(text: &str, line: u64) -> Result<Told, Refusal> {
    let answer_read: OpenAiAnswer = json::read(text).map_err(Refusal::Bad)?;
    let cost: WithCost = json::read(text).unwrap_or_default();
    let cost = cost.usage.cost;
    let is_chunk = answer_read.object.as_str().rsplit('.').next() == Some("chunk");
    let mut counted = answer_read.counted()?.unless_billed(cost.as_str(), || false);
    let is_open = answer_read.is_open(is_chunk);
    if is_open {
        counted = counted.cut(answer_read.bytes());
    }
    if is_chunk && !counted.usage.is_known() {
        return Err(PART);
    }
    let object = answer_read.object.as_str();
    let is_list = object == "list" && !counted.usage.is_known();
    if is_list || object.ends_with(".deleted") || OBJECTS.iter().any(|kept| object.starts_with(kept)) {
        return Err(Refusal::NotACall("an object that was listed, fetched or deleted, no answer"));
    }
    let created = Word(Word::first([&answer_read.created, &answer_read.created_at]));
    let at = told_or_placed(maybe_moment("created", &created)?, line);
    let status = match answer_read.status.as_str() {
        "failed" => Status::Failed,
        "cancelled" => Status::Cancelled,
        _ if answer_read.has_failed() => Status::Failed,
        _ if is_open => Status::Truncated,
        _ => Status::Ok,
    };
    let named = answer_read.response_metadata;
    let model = Word::first([&answer_read.model, &named.model_name]);
    let id = Word(Word::first([&named.id, &answer_read.id]));
    // Parts of a stream may each tell another moment; whole answers of servers whose ids are short are told apart by it.
    let moment = if is_chunk { "" } else { created.as_str() };
    let keys = [id_of(&[id.as_str(), &model, moment]), answer_key(id.as_str())];
    let mut only = attempt(model, counted, status);
    only.provider = owned(answer_read.provider);
    let mut record = answer(id, at, only);
    record.claimed_usd = claimed(cost);
    Ok(Told { record: record.into(), keys, nested: None, open: None })
}

/// Makes an answer of what a stream of events told.
pub(super) fn streamed(
    id: Word,
    model: Word,
    created: &Word,
    counted: Counted,
    line: u64,
) -> Result<Told, Refusal> {
    let at = told_or_placed(maybe_moment("created", created)?, line);
    let keys = [id_of(&[id.as_str(), model.as_str()]), answer_key(id.as_str())];
    Ok(Told {
        record: answer(id, at, attempt(model.0, counted, Status::Ok)).into(),
        keys,
        nested: None,
        open: None,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AnthropicAnswer {
    id: Word,
    #[serde(rename = "type")]
    kind: Word,
    model: Word,
    content: Written,
    stop_reason: Ending,
    #[serde(deserialize_with = "maybe")]
    usage: Option<AnthropicUsage>,
    input_tokens: Num,
    data: Option<IgnoredAny>,
}

/// Reads an Anthropic message.
pub(super) fn anthropic(text: &str, line: u64) -> Result<Told, Refusal> {
    let message: AnthropicAnswer = json::read(text).map_err(Refusal::Bad)?;
    if !matches!(message.kind.as_str(), "message" | "") {
        return Err(PART);
    }
    let is_silent = message.usage.is_none() && message.id.is_empty();
    if is_silent && (message.input_tokens.0.is_some() || message.data.is_some()) {
        return Err(ASIDE);
    }
    let counted = message.usage.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    let mut counted = counted.believed(message.content.0);
    let mut status = Status::Ok;
    if message.stop_reason == Ending::Open {
        (counted, status) = (counted.cut(message.content.0), Status::Truncated);
    }
    let keys = [id_of(&[message.id.as_str(), message.model.as_str()]), answer_key(message.id.as_str())];
    let mut only = attempt(message.model.0, counted, status);
    only.provider = Cow::Borrowed("anthropic");
    Ok(Told {
        record: answer(message.id, told_or_placed(None, line), only).into(),
        keys,
        nested: None,
        open: None,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct GeminiAnswer {
    #[serde(alias = "response_id")]
    response_id: Word,
    #[serde(alias = "model_version")]
    model_version: Word,
    #[serde(alias = "create_time")]
    create_time: Word,
    #[serde(alias = "usage_metadata")]
    #[serde(deserialize_with = "maybe")]
    usage_metadata: Option<GeminiUsage>,
    #[serde(deserialize_with = "nullable")]
    candidates: Vec<Candidate>,
    #[serde(alias = "total_tokens")]
    total_tokens: Num,
    models: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Candidate {
    #[serde(rename = "finishReason", alias = "finish_reason")]
    finish_reason: Word,
    content: Written,
}

/// Reads a Gemini answer.
pub(super) fn gemini(text: &str, line: u64) -> Result<Told, Refusal> {
    let answer_read: GeminiAnswer = json::read(text).map_err(Refusal::Bad)?;
    let candidates = &answer_read.candidates;
    if !candidates.is_empty() && candidates.iter().all(|candidate| candidate.finish_reason.is_empty()) {
        return Err(PART);
    }
    let is_silent = candidates.is_empty() && answer_read.usage_metadata.is_none();
    if is_silent && (answer_read.total_tokens.0.is_some() || answer_read.models.is_some()) {
        return Err(ASIDE);
    }
    let at = told_or_placed(maybe_moment("createTime", &answer_read.create_time)?, line);
    let bytes = candidates.iter().map(|candidate| candidate.content.0).fold(0, u64::saturating_add);
    let counted = answer_read.usage_metadata.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    let counted = counted.believed(bytes);
    let id = answer_read.response_id.as_str();
    let keys = [id_of(&[id, answer_read.model_version.as_str()]), answer_key(id)];
    let is_wrong = |candidate: &Candidate| went_wrong(candidate.finish_reason.as_str());
    let has_failed = !candidates.is_empty() && candidates.iter().all(is_wrong);
    let status = if has_failed { Status::Failed } else { Status::Ok };
    let mut only = attempt(answer_read.model_version.0, counted, status);
    only.provider = Cow::Borrowed("google");
    Ok(Told { record: answer(answer_read.response_id, at, only).into(), keys, nested: None, open: None })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OllamaAnswer {
    model: Word,
    created_at: Word,
    done: Option<bool>,
    total_duration: Measure,
    load_duration: Measure,
    prompt_eval_duration: Measure,
}

/// Reads an Ollama answer; its durations are in nanoseconds and its time is that of the last byte.
pub(super) fn ollama(text: &str, line: u64) -> Result<Told, Refusal> {
    let answer_read: OllamaAnswer = json::read(text).map_err(Refusal::Bad)?;
    if answer_read.done == Some(false) {
        return Err(PART);
    }
    let counts: OllamaUsage = json::read(text).map_err(Refusal::Bad)?;
    let mut only = attempt(answer_read.model.0, counts.counted()?, Status::Ok);
    only.provider = Cow::Borrowed("ollama");
    only.latency_ms = answer_read.total_duration.scaled(1e-6);
    let prompt_read =
        answer_read.prompt_eval_duration.0.map(|nanos| nanos + answer_read.load_duration.0.unwrap_or(0.0));
    only.ttft_ms = Measure(prompt_read).scaled(1e-6);
    let took = Span(i64::from(only.latency_ms.unwrap_or(0)) * 1000);
    let end = maybe_moment("created_at", &answer_read.created_at)?;
    let at = told_or_placed(end.map(|end| end - took), line);
    // It names no answer, but the moment of its last byte to the nanosecond, and how long it took.
    let took = answer_read.total_duration.0.map(|nanos| nanos.to_string()).unwrap_or_default();
    let keys = [id_of(&[answer_read.created_at.as_str(), &took]), None];
    Ok(Told { record: answer(Word::default(), at, only).into(), keys, nested: None, open: None })
}
