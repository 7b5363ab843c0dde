//! Records of gateways: TensorZero model inferences, OpenRouter generations.

use std::borrow::Cow;

use serde::Deserialize;

use super::bodies::Body;
use super::fields::{attempt, claimed, moment, owned};
use super::tagged::{self, Tags};
use crate::pricing::Usage;
use crate::record::json::{self, Measure, Num, Word, nullable};
use crate::record::known::{Told, answer_key, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts, Writes};
use crate::record::{Attempts, Record, RecordedNeeds, WriteTtl};
use crate::routing::Status;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ModelInference {
    id: Word,
    inference_id: Word,
    episode_id: Word,
    model_name: Word,
    model_provider_name: Word,
    input_tokens: Num,
    output_tokens: Num,
    provider_cache_read_input_tokens: Num,
    provider_cache_write_input_tokens: Num,
    cost: Word,
    response_time_ms: Measure,
    ttft_ms: Measure,
    timestamp: Word,
    /// Whether the gateway's own cache answered.
    cached: Option<bool>,
    tags: Tags,
    raw_response: Body,
}

/// Reads a row of TensorZero's `ModelInference`; its input is the whole prompt, and a row that its cache served stores what would have been used.
pub(super) fn tensorzero(text: &str) -> Result<Told, Refusal> {
    let row: ModelInference = json::read(text).map_err(Refusal::Bad)?;
    let at = moment("timestamp", &row.timestamp)?;
    let counted = Parts {
        input: row.input_tokens.0,
        read: row.provider_cache_read_input_tokens.or_zero(),
        writes: Writes { total: row.provider_cache_write_input_tokens.0, ..Writes::default() },
        output: row.output_tokens.0,
        ..Parts::default()
    }
    .counted(Claim::WHOLE)?;
    let is_from_cache = row.cached == Some(true);
    let is_nothing = counted.usage.prompt() == Some(0) && counted.usage.output.or_zero() == 0;
    let counted =
        if is_from_cache { Counted::NOTHING } else { counted.unless_billed(row.cost.as_str(), || false) };
    // A model that is not configured goes by `provider::model`.
    let short = row.model_name.as_str();
    let short = short.strip_prefix("tensorzero::model_name::").unwrap_or(short);
    let (by, model) = short.split_once("::").unwrap_or(("", short));
    let mut only = attempt(model.to_owned(), counted, Status::Ok);
    let answer = if is_from_cache { None } else { row.raw_response.complete(&mut only, "") };
    // Zeros may mean that the gateway's cache answered, where the row does not say whether it did.
    only.estimated |= is_nothing && row.cached.is_none() && only.usage.is_known();
    only.provider = Cow::Owned(Word::first([&row.model_provider_name, &Word(by.to_owned())]));
    only.latency_ms = row.response_time_ms.scaled(1.0);
    only.ttft_ms = row.ttft_ms.scaled(1.0);
    let keys = [id_of(&[row.id.as_str()]), answer];
    let record = Record {
        id: owned(row.id),
        at,
        session: Cow::Owned(Word::first([&row.episode_id, &row.inference_id])),
        attempts: Attempts::one(only),
        needs: RecordedNeeds { down: tagged::words(&[&row.tags], &[]), ..RecordedNeeds::default() },
        claimed_usd: claimed(row.cost),
        ..Record::default()
    };
    Ok(Told { record: record.into(), keys, nested: None, open: None })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Generation {
    id: Word,
    total_cost: Word,
    created_at: Word,
    model: Word,
    cancelled: Option<bool>,
    provider_name: Word,
    /// Milliseconds to the first token.
    latency: Measure,
    /// Milliseconds from the first token to the last.
    #[serde(rename = "generation_time")]
    writing_time: Measure,
    tokens_prompt: Num,
    tokens_completion: Num,
    native_tokens_prompt: Num,
    native_tokens_completion: Num,
    native_tokens_reasoning: Num,
    native_tokens_cached: Num,
    session_id: Word,
    #[serde(deserialize_with = "nullable")]
    provider_responses: Vec<ProviderResponse>,
    /// The generation that its cache keeps this answer of.
    response_cache_source_id: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProviderResponse {
    status: Num,
    provider_name: Word,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wrapped {
    data: Option<Generation>,
}

/// Reads an OpenRouter generation; billing is by native tokens, and every earlier provider response is an attempt.
pub(super) fn openrouter(text: &str) -> Result<Told, Refusal> {
    let wrapped: Wrapped = json::read(text).map_err(Refusal::Bad)?;
    let row = match wrapped.data {
        Some(row) => row,
        None => json::read(text).map_err(Refusal::Bad)?,
    };
    let at = moment("created_at", &row.created_at)?;
    // What is billed is the native count; where that says nothing, the other one is near it.
    let near =
        |native: Num, other: Num| if native.or_zero() == 0 && other.or_zero() > 0 { other } else { native };
    let (input, output) = (
        near(row.native_tokens_prompt, row.tokens_prompt),
        near(row.native_tokens_completion, row.tokens_completion),
    );
    let counted = Parts {
        input: input.0,
        read: row.native_tokens_cached.or_zero(),
        output: output.0,
        reasoning: row.native_tokens_reasoning.0,
        ..Parts::default()
    }
    .counted(Claim::WHOLE)?
    .unless_billed(row.total_cost.as_str(), || false);
    // One that its own cache answered reached no provider.
    let is_from_cache = !row.response_cache_source_id.is_empty();
    let counted = if is_from_cache { Counted::NOTHING } else { counted };
    let http = |status: Num| u16::try_from(status.or_zero()).map_or(Status::Failed, Status::from_http);
    let mut attempts = Attempts::default();
    let (last, earlier) = match row.provider_responses.split_last() {
        Some((last, earlier)) => (http(last.status), earlier),
        None => (Status::Ok, [].as_slice()),
    };
    for response in earlier.iter().filter(|response| !http(response.status).is_ok()) {
        let mut refused = attempt(row.model.0.clone(), Counted::default(), http(response.status));
        // Only the serving provider's tokens are billed.
        refused.usage = Usage::NONE;
        refused.provider = Cow::Owned(response.provider_name.0.to_ascii_lowercase());
        refused.error = response.status.0.map_or(Cow::Borrowed(""), |code| Cow::Owned(code.to_string()));
        attempts.push(refused);
    }
    let status = if row.cancelled == Some(true) { Status::Cancelled } else { last };
    let mut served = attempt(row.model.0, counted, status);
    let is_near = (input, output) != (row.native_tokens_prompt, row.native_tokens_completion);
    served.estimated |= is_near && !is_from_cache;
    served.provider = Cow::Owned(row.provider_name.0.to_ascii_lowercase());
    // A generation has no count of cache writes, which Anthropic bills higher than input: the cost is an estimate there.
    if served.provider == "anthropic" && counted.usage.cache_read.or_zero() > 0 {
        served.write_ttl = WriteTtl::Assumed;
    }
    served.ttft_ms = row.latency.scaled(1.0);
    let generation = row.writing_time.scaled(1.0);
    served.latency_ms =
        served.ttft_ms.zip(generation).and_then(|(first, rest)| first.checked_add(rest)).or(generation);
    attempts.push(served);
    let keys = [id_of(&[row.id.as_str()]), answer_key(row.id.as_str())];
    let record = Record {
        id: owned(row.id),
        at,
        session: owned(row.session_id),
        attempts,
        claimed_usd: claimed(row.total_cost),
        ..Record::default()
    };
    Ok(Told { record: record.into(), keys, nested: None, open: None })
}
