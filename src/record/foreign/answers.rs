//! Answers as providers send them, one JSON object each.
//!
//! An answer that tells no time is placed at [`TRACE_EPOCH`](super::TRACE_EPOCH) plus one second for each line before it, so that a file of
//! them has an order; parts of a streamed answer are passed over except the one with the final counts.

use std::borrow::Cow;

use super::failures::went_wrong;
use super::fields::{attempt, claimed, first, maybe_moment, owned, told_or_placed};
use super::written::{Part, Written};
use crate::record::json::Measure;
use crate::record::known::{Told, answer_key, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{AnthropicUsage, Counted, GeminiUsage, OllamaUsage, OpenAiUsage};
use crate::record::value::{FromValue as _, Object, Value};
use crate::record::{Attempt, Attempts, InputFormat, Record, Timing};
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

fn answer(id: &str, (at, timing): (Instant, Timing), only: Attempt<'static>) -> Record<'static> {
    Record { id: owned(id), at, timing, attempts: Attempts::one(only), ..Record::default() }
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

impl Ending {
    /// Reads it where it stands, if it does.
    pub(super) fn of(said: Option<Value<'_>>) -> Result<Self, String> {
        Ok(match said {
            None => Self::Unsaid,
            Some(value) if value.said().is_none() => Self::Open,
            Some(value) if went_wrong(&value.word()?) => Self::Failed,
            Some(_) => Self::Ended,
        })
    }
}

/// One choice of an answer, whole or of a stream.
pub(super) struct Choice<'a> {
    /// Its usage, wherever servers put it.
    pub(super) usage: Option<OpenAiUsage>,
    /// Why it ended, empty where it has not; none where that is not said at all.
    pub(super) reason: Option<Cow<'a, str>>,
    ending: Ending,
    pub(super) has_error: bool,
    /// How much was written: in a message, in a part of one, as text.
    pub(super) message: u64,
    pub(super) delta: u64,
    pub(super) text: u64,
}

impl<'a> Choice<'a> {
    /// Reads the choices of an answer.
    pub(super) fn all(answer: &Object<'a>) -> Result<Vec<Self>, String> {
        let choices = answer.items("choices")?.into_iter().filter(|choice| choice.said().is_some());
        choices.map(|choice| Self::read(&choice.object()?)).collect()
    }

    fn read(choice: &Object<'a>) -> Result<Self, String> {
        let [message, delta] = ["message", "delta"].map(|name| Part::from_value(choice.get(name)?));
        let (message, delta) = (message?, delta?);
        let mut usage: Option<OpenAiUsage> = None;
        for said in [choice.maybe("usage")?, message.usage, delta.usage].into_iter().flatten() {
            usage.get_or_insert_default().absorb(&said);
        }
        let reason = choice.find("finish_reason")?;
        Ok(Self {
            usage,
            ending: Ending::of(reason)?,
            reason: reason.map(Value::word).transpose()?,
            has_error: !matches!(choice.get("error")?.raw(), "null" | "false" | "\"\""),
            message: message.written,
            delta: delta.written,
            text: Written::from_value(choice.get("text")?)?.0,
        })
    }
}

/// Reads an answer of a dialect; of none that is known here in OpenAI's.
pub(super) fn read(format: InputFormat, text: &str, line: u64) -> Result<Told, Refusal> {
    match format {
        InputFormat::Anthropic => anthropic(text, line),
        InputFormat::Gemini => gemini(text, line),
        InputFormat::Ollama => ollama(text, line),
        _ => openai(text, line),
    }
}

/// Reads an answer in OpenAI's dialect: chat completion or response.
pub(super) fn openai(text: &str, line: u64) -> Result<Told, Refusal> {
    let read = Object::read(text)?;
    let object = read.word("object")?;
    let is_chunk = object.rsplit('.').next() == Some("chunk");
    let choices = Choice::all(&read)?;
    // What LangChain keeps of an answer beside its own count of it.
    let kept = read.object("response_metadata")?;
    let own_model = read.word("model")?;
    let Written(output) = Written::from_value(read.get("output")?)?;
    let bytes = choices.iter().map(|choice| choice.message.saturating_add(choice.text));
    let bytes = bytes.fold(output, u64::saturating_add);
    let groq = read.object("x_groq")?.maybe("usage")?;
    let places = [read.maybe("usage")?, read.maybe("usage_metadata")?, groq];
    let mut all: Option<OpenAiUsage> = None;
    for said in places.into_iter().chain(choices.iter().map(|choice| choice.usage)).flatten() {
        all.get_or_insert_default().absorb(&said);
    }
    // What is listed with tokens are vectors.
    let all = all.map(|usage| if object == "list" { usage.of_embeddings() } else { usage });
    let counted = match all {
        Some(usage) => usage.counted_of(&own_model)?.believed(bytes),
        None => Counted::default(),
    };
    let cost = read.object("usage").and_then(|usage| usage.word("cost")).unwrap_or_default();
    let mut counted = counted.unless_billed(&cost, || false);
    // It broke off, or is a part of a stream before its end.
    let is_open = |end: Ending| end == Ending::Open || (is_chunk && end == Ending::Unsaid);
    let is_open = !choices.is_empty() && choices.iter().all(|choice| is_open(choice.ending));
    if is_open {
        counted = counted.cut(bytes);
    }
    if is_chunk && !counted.usage.is_known() {
        return Err(PART);
    }
    let is_list = object == "list" && !counted.usage.is_known();
    if is_list || object.ends_with(".deleted") || OBJECTS.iter().any(|kept| object.starts_with(kept)) {
        return Err(Refusal::NotACall("an object that was listed, fetched or deleted, no answer"));
    }
    let created = read.first(&["created", "created_at"])?;
    let at = told_or_placed(maybe_moment("created", &created)?, line);
    // None of its choices came to a good end.
    let has_failed = !choices.is_empty()
        && choices.iter().all(|choice| choice.has_error || choice.ending == Ending::Failed);
    let status = match &*read.word("status")? {
        "failed" => Status::Failed,
        "cancelled" => Status::Cancelled,
        _ if has_failed => Status::Failed,
        _ if is_open => Status::Truncated,
        _ => Status::Ok,
    };
    let model = first(&[&own_model, &kept.word("model_name|model")?]);
    let id = first(&[&kept.word("id")?, &read.word("id")?]);
    // Parts of a stream may each tell another moment.
    let keys = if is_chunk {
        [id_of(&[&id, &model, ""]), answer_key(&id)]
    } else {
        keys(&id, &model, &created, &counted)
    };
    let mut only = attempt(&model, counted, status);
    only.provider = owned(&read.word("provider")?);
    let mut record = answer(&id, at, only);
    record.claimed_usd = claimed(&cost);
    Ok(Told::new(record, keys))
}

/// Names a whole answer. Servers whose ids are short give them again: to another prompt, at another moment.
fn keys(id: &str, model: &str, created: &str, counted: &Counted) -> [Option<u64>; 2] {
    let long = answer_key(id);
    let prompt = counted.usage.prompt().filter(|_| long.is_none());
    let prompt = prompt.map(|prompt| prompt.to_string()).unwrap_or_default();
    [id_of(&[id, model, created, &prompt]), long]
}

/// Makes an answer of what a stream of events told.
pub(super) fn streamed(
    id: &str,
    model: &str,
    created: &str,
    counted: Counted,
    line: u64,
) -> Result<Told, Refusal> {
    let at = told_or_placed(maybe_moment("created", created)?, line);
    let keys = keys(id, model, created, &counted);
    Ok(Told::new(answer(id, at, attempt(model, counted, Status::Ok)), keys))
}

/// Reads an Anthropic message.
fn anthropic(text: &str, line: u64) -> Result<Told, Refusal> {
    let message = Object::read(text)?;
    if !matches!(&*message.word("type")?, "message" | "") {
        return Err(PART);
    }
    let (id, model) = (message.word("id")?, message.word("model")?);
    let usage: Option<AnthropicUsage> = message.maybe("usage")?;
    let is_silent = usage.is_none() && id.is_empty();
    if is_silent && (message.count("input_tokens")?.0.is_some() || message.says("data")?) {
        return Err(ASIDE);
    }
    let counted = usage.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    let Written(bytes) = Written::from_value(message.get("content")?)?;
    let mut counted = counted.believed(bytes);
    let mut status = Status::Ok;
    if Ending::of(message.find("stop_reason")?)? == Ending::Open {
        (counted, status) = (counted.cut(bytes), Status::Truncated);
    }
    let keys = keys(&id, &model, "", &counted);
    let mut only = attempt(&model, counted, status);
    only.provider = Cow::Borrowed("anthropic");
    Ok(Told::new(answer(&id, told_or_placed(None, line), only), keys))
}

/// Reads a Gemini answer.
fn gemini(text: &str, line: u64) -> Result<Told, Refusal> {
    let read = Object::read(text)?;
    let (mut reasons, mut bytes) = (Vec::new(), 0u64);
    for candidate in read.objects("candidates")? {
        reasons.push(candidate.word("finishReason|finish_reason")?);
        bytes = bytes.saturating_add(Written::from_value(candidate.get("content")?)?.0);
    }
    if !reasons.is_empty() && reasons.iter().all(|reason| reason.is_empty()) {
        return Err(PART);
    }
    let usage: Option<GeminiUsage> = read.maybe("usageMetadata|usage_metadata")?;
    let is_silent = reasons.is_empty() && usage.is_none();
    if is_silent && (read.count("totalTokens|total_tokens")?.0.is_some() || read.says("models")?) {
        return Err(ASIDE);
    }
    let at = told_or_placed(maybe_moment("createTime", &read.word("createTime|create_time")?)?, line);
    let counted = usage.map_or(Ok(Counted::default()), |usage| usage.counted())?.believed(bytes);
    let (id, model) = (read.word("responseId|response_id")?, read.word("modelVersion|model_version")?);
    let has_failed = !reasons.is_empty() && reasons.iter().all(|reason| went_wrong(reason));
    let keys = keys(&id, &model, "", &counted);
    let mut only = attempt(&model, counted, if has_failed { Status::Failed } else { Status::Ok });
    only.provider = Cow::Borrowed("google");
    Ok(Told::new(answer(&id, at, only), keys))
}

/// Reads an Ollama answer; its durations are in nanoseconds and its time is that of the last byte.
fn ollama(text: &str, line: u64) -> Result<Told, Refusal> {
    let read = Object::read(text)?;
    if read.flag("done")? == Some(false) {
        return Err(PART);
    }
    let counts = OllamaUsage::from_value(Value::of(text))?;
    let mut only = attempt(&read.word("model")?, counts.counted()?, Status::Ok);
    only.provider = Cow::Borrowed("ollama");
    let total = read.measure("total_duration")?;
    only.latency_ms = total.scaled(1e-6);
    let loaded = read.measure("load_duration")?.0.unwrap_or(0.0);
    let prompt_read = read.measure("prompt_eval_duration")?.0.map(|nanos| nanos + loaded);
    only.ttft_ms = Measure(prompt_read).scaled(1e-6);
    let took = Span(i64::from(only.latency_ms.unwrap_or(0)) * 1000);
    let created = read.word("created_at")?;
    let end = maybe_moment("created_at", &created)?;
    let at = told_or_placed(end.map(|end| end - took), line);
    // It names no answer, but the moment of its last byte to the nanosecond, and how long it took.
    let took = total.0.map(|nanos| nanos.to_string()).unwrap_or_default();
    Ok(Told::new(answer("", at, only), [id_of(&[&created, &took]), None]))
}
