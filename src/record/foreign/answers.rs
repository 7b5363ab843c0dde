//! Answers as providers send them, one JSON object each.
//!
//! An answer that tells no time is placed at [`TRACE_EPOCH`] plus one second for each line before it, so that a file of
//! them has an order; parts of a streamed answer are passed over except the one with the final counts.

use std::borrow::Cow;

use serde::Deserialize;

use super::{TRACE_EPOCH, attempt, claimed, maybe_moment, owned};
use crate::record::json::{self, Measure, Word, nullable};
use crate::record::skip::Refusal;
use crate::record::usage::{AnthropicUsage, Counted, GeminiUsage, OllamaUsage, OpenAiUsage};
use crate::record::{Attempt, Attempts, Record};
use crate::routing::Status;
use crate::units::{Instant, Span};

/// A streamed part that carries no final counts.
const PART: Refusal = Refusal::NotACall("a part of a streamed answer, without its final counts");

fn placed(line: u64) -> Instant {
    let seconds = i64::try_from(line.saturating_sub(1)).unwrap_or(0);
    TRACE_EPOCH + Span(seconds.saturating_mul(1_000_000))
}

fn answer(id: Word, at: Instant, only: Attempt<'_>) -> Record<'_> {
    Record { id: owned(id), at, attempts: Attempts::one(only), ..Record::default() }
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
    usage: Option<OpenAiUsage>,
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
pub(super) fn openai<'b>(text: &str, line: u64) -> Result<Record<'b>, Refusal> {
    let answer_read: OpenAiAnswer = json::read(text).map_err(Refusal::Bad)?;
    if answer_read.object.as_str() == "chat.completion.chunk" && answer_read.usage.is_none() {
        return Err(PART);
    }
    let created = Word(Word::first([&answer_read.created, &answer_read.created_at]));
    let at = maybe_moment("created", &created)?.unwrap_or_else(|| placed(line));
    let counted = answer_read.usage.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    let status = match answer_read.status.as_str() {
        "failed" => Status::Failed,
        "cancelled" => Status::Cancelled,
        _ => Status::Ok,
    };
    let mut only = attempt(answer_read.model.0, counted, status);
    only.provider = owned(answer_read.provider);
    let cost: WithCost = json::read(text).unwrap_or_default();
    let mut record = answer(answer_read.id, at, only);
    record.claimed_usd = claimed(cost.usage.cost);
    Ok(record)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AnthropicAnswer {
    id: Word,
    #[serde(rename = "type")]
    kind: Word,
    model: Word,
    usage: Option<AnthropicUsage>,
}

/// Reads an Anthropic message.
pub(super) fn anthropic<'b>(text: &str, line: u64) -> Result<Record<'b>, Refusal> {
    let message: AnthropicAnswer = json::read(text).map_err(Refusal::Bad)?;
    if !matches!(message.kind.as_str(), "message" | "") {
        return Err(PART);
    }
    let counted = message.usage.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    let mut only = attempt(message.model.0, counted, Status::Ok);
    only.provider = Cow::Borrowed("anthropic");
    Ok(answer(message.id, placed(line), only))
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
    usage_metadata: Option<GeminiUsage>,
    #[serde(deserialize_with = "nullable")]
    candidates: Vec<Candidate>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Candidate {
    #[serde(rename = "finishReason", alias = "finish_reason")]
    finish_reason: Word,
}

/// Reads a Gemini answer.
pub(super) fn gemini<'b>(text: &str, line: u64) -> Result<Record<'b>, Refusal> {
    let answer_read: GeminiAnswer = json::read(text).map_err(Refusal::Bad)?;
    let candidates = &answer_read.candidates;
    if !candidates.is_empty() && candidates.iter().all(|candidate| candidate.finish_reason.is_empty()) {
        return Err(PART);
    }
    let at = maybe_moment("createTime", &answer_read.create_time)?.unwrap_or_else(|| placed(line));
    let counted = answer_read.usage_metadata.map_or(Ok(Counted::default()), |usage| usage.counted())?;
    let mut only = attempt(answer_read.model_version.0, counted, Status::Ok);
    only.provider = Cow::Borrowed("google");
    Ok(answer(answer_read.response_id, at, only))
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
pub(super) fn ollama<'b>(text: &str, line: u64) -> Result<Record<'b>, Refusal> {
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
    let at = match maybe_moment("created_at", &answer_read.created_at)? {
        Some(end) => end - Span(i64::from(only.latency_ms.unwrap_or(0)) * 1000),
        None => placed(line),
    };
    Ok(answer(Word::default(), at, only))
}
