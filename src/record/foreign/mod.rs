//! Readers of foreign formats: one entry's text in, requests out.
//!
//! Invariants: cached tokens are taken out of "input" by the rule of the format; what a format does not say is unknown;
//! a model's name stays as the log has it.

mod agents;
mod answers;
mod batches;
mod beside;
mod bodies;
mod calls;
mod coding;
mod exports;
mod failures;
mod fields;
mod gateways;
mod langfuse;
mod litellm;
mod otel;
mod served;
mod tagged;
mod terms;
mod traces;
mod written;

use std::ops::ControlFlow;

pub(crate) use agents::Place;
pub(crate) use coding::{Coding, Within};
pub use fields::TRACE_EPOCH;
pub(super) use fields::{epoch_micros, millis_between, status_of};
pub(crate) use served::by_column;
pub(super) use served::by_name;
pub(super) use tagged::{Tags, words as tag_words};

use super::csv::Columns;
use super::known::{Nest, Sink, Told};
use super::recognise::is_stream;
use super::skip::Refusal;
use super::{InputFormat, Record, plausible};

/// What was met so far that entries rest on.
pub(crate) struct Met<'m> {
    /// Where sessions that tell only relative times stand.
    pub(crate) place: &'m mut Place,
    /// The spans read so far.
    pub(crate) nest: &'m mut Nest,
    /// Sessions of coding agents, and the file being read.
    pub(crate) coding: (&'m mut Coding, &'m str),
}

/// Reads one entry of a foreign format.
pub(crate) fn parse(
    format: InputFormat,
    text: &str,
    line: u64,
    columns: &Columns,
    met: Met<'_>,
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    use InputFormat as F;
    let Met { place, nest, coding } = met;
    let sink = &mut |told: Result<Told, Refusal>| {
        sink(told.map(|mut told| {
            if let Some(last) = told.record.attempts.last_mut() {
                served::by_name(last, &told.record.id);
            }
            told.record.attempts.iter_mut().for_each(|attempt| {
                by_column(format, attempt);
                // What cannot be meant in our own format cannot be in any.
                attempt.usage = plausible(attempt.usage, attempt.charged).0;
            });
            told
        }))
    };
    if matches!(format, F::OpenAi | F::Anthropic | F::Gemini | F::Ollama) {
        if format != F::Ollama && (is_stream(text.as_bytes()) || text.starts_with('[')) {
            return bodies::stream(text, line).map_or(ControlFlow::Continue(()), sink);
        }
        if batches::is_likely(text)
            && let Some(told) = batches::entry(format, text, line)
        {
            return sink(told);
        }
        if terms::has(text, "\"error\"")
            && let Some(told) = failures::body(format, text, line)
        {
            return sink(Ok(told));
        }
    }
    let unkeyed = |record: Record<'static>| Told::new(record, [None, None]);
    let one = match format {
        // Read by others.
        F::Native | F::Mapped => return ControlFlow::Continue(()),
        F::Otel => return otel::spans(text, nest, sink),
        F::AgentJson => return agents::session(text, place, sink),
        F::AgentCsv => agents::row(&columns.row(text), place).map(unkeyed),
        F::ClaudeCode | F::Codex | F::OpenCode | F::GeminiCli => {
            return coding::entry(format, text, coding, sink);
        }
        F::LiteLlmSpend | F::LiteLlmPayload => return sink(litellm::row(text)),
        F::OpenAi | F::Anthropic | F::Gemini | F::Ollama => answers::read(format, text, line),
        F::Langfuse => langfuse::observation(text, nest),
        F::Helicone => exports::helicone(text),
        F::Portkey => exports::portkey(text),
        F::TensorZero => gateways::tensorzero(text),
        F::OpenRouter => gateways::openrouter(text),
        F::Azure => traces::azure(&columns.row(text)).map(unkeyed),
        F::BurstGpt => traces::burstgpt(&columns.row(text)).map(unkeyed),
        F::Mooncake => traces::mooncake(text).map(unkeyed),
    };
    sink(one.map(|mut told| {
        beside::complete(format, text, &mut told.record);
        told
    }))
}
