//! Records of gateways: TensorZero model inferences, OpenRouter generations.

use std::borrow::Cow;

use super::bodies;
use super::fields::{attempt, claimed, first, moment, owned};
use super::tagged::{self, Tags};
use crate::pricing::Usage;
use crate::record::known::{Told, answer_key};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts, Writes};
use crate::record::value::Object;
use crate::record::{Attempts, Record, RecordedNeeds, WriteTtl};
use crate::routing::Status;

/// Reads a row of TensorZero's `ModelInference`; its input is the whole prompt, and a row that its cache served stores what would have been used.
pub(super) fn tensorzero(text: &str) -> Result<Told, Refusal> {
    let row = Object::read(text)?;
    let at = moment("timestamp", &row.word("timestamp")?)?;
    let counted = Parts {
        input: row.count("input_tokens")?.0,
        read: row.count("provider_cache_read_input_tokens")?.or_zero(),
        writes: Writes { total: row.count("provider_cache_write_input_tokens")?.0, ..Writes::default() },
        output: row.count("output_tokens")?.0,
        ..Parts::default()
    }
    .counted(Claim::WHOLE)?;
    // Whether the gateway's own cache answered.
    let cached = row.flag("cached")?;
    let is_from_cache = cached == Some(true);
    let cost = row.word("cost")?;
    let is_nothing = counted.usage.prompt() == Some(0) && counted.usage.output.or_zero() == 0;
    let counted = if is_from_cache { Counted::NOTHING } else { counted.unless_billed(&cost, || false) };
    // A model that is not configured goes by `provider::model`.
    let name = row.word("model_name")?;
    let short = name.strip_prefix("tensorzero::model_name::").unwrap_or(&name);
    let (by, model) = short.split_once("::").unwrap_or(("", short));
    let mut only = attempt(model, counted, Status::Ok);
    let response = bodies::body(row.get("raw_response")?);
    let answer = if is_from_cache { None } else { bodies::complete(&response, &mut only, "") };
    // Zeros may mean that the gateway's cache answered, where the row does not say whether it did.
    only.estimated |= is_nothing && cached.is_none() && only.usage.is_known();
    only.provider = first(&[&row.word("model_provider_name")?, by]);
    only.latency_ms = row.measure("response_time_ms")?.scaled(1.0);
    only.ttft_ms = row.measure("ttft_ms")?.scaled(1.0);
    let (id, tags) = (row.word("id")?, row.maybe::<Tags>("tags")?.unwrap_or_default());
    let record = Record {
        id: owned(&id),
        at,
        session: owned(&row.first(&["episode_id", "inference_id"])?),
        attempts: Attempts::one(only),
        needs: RecordedNeeds { down: tagged::words(&[&tags], &[]), ..RecordedNeeds::default() },
        claimed_usd: claimed(&cost),
        ..Record::default()
    };
    Ok(Told::of_row(record, answer))
}

/// Reads an OpenRouter generation; billing is by native tokens, and every earlier provider response is an attempt.
pub(super) fn openrouter(text: &str) -> Result<Told, Refusal> {
    let row = Object::read(text)?;
    let row = if row.says("data")? { row.object("data")? } else { row };
    let at = moment("created_at", &row.word("created_at")?)?;
    // What is billed is the native count; where that says nothing, the other one is near it.
    let near = |native: &str, other: &str| {
        let (native, other) = (row.count(native)?, row.count(other)?);
        let is_near = native.or_zero() == 0 && other.or_zero() > 0;
        Ok::<_, String>((if is_near { other } else { native }, is_near))
    };
    let (input, is_input_near) = near("native_tokens_prompt", "tokens_prompt")?;
    let (output, is_output_near) = near("native_tokens_completion", "tokens_completion")?;
    let cost = row.word("total_cost")?;
    let counted = Parts {
        input: input.0,
        read: row.count("native_tokens_cached")?.or_zero(),
        output: output.0,
        reasoning: row.count("native_tokens_reasoning")?.0,
        ..Parts::default()
    }
    .counted(Claim::WHOLE)?
    .unless_billed(&cost, || false);
    // One that its own cache keeps an answer of reached no provider.
    let is_from_cache = !row.word("response_cache_source_id")?.is_empty();
    let counted = if is_from_cache { Counted::NOTHING } else { counted };
    let model = row.word("model")?;
    let mut responses = Vec::new();
    for response in row.objects("provider_responses")? {
        let code = response.count("status")?;
        let status = u16::try_from(code.or_zero()).map_or(Status::Failed, Status::from_http);
        responses.push((status, code, response.word("provider_name")?.to_ascii_lowercase()));
    }
    let last = responses.pop().map_or(Status::Ok, |(status, ..)| status);
    let mut attempts = Attempts::default();
    for (status, code, provider) in responses.into_iter().filter(|(status, ..)| !status.is_ok()) {
        let mut refused = attempt(&model, Counted::default(), status);
        // Only the serving provider's tokens are billed.
        refused.usage = Usage::NONE;
        refused.provider = Cow::Owned(provider);
        refused.error = code.0.map_or(Cow::Borrowed(""), |code| Cow::Owned(code.to_string()));
        attempts.push(refused);
    }
    let status = if row.flag("cancelled")? == Some(true) { Status::Cancelled } else { last };
    let mut served = attempt(&model, counted, status);
    served.estimated |= (is_input_near || is_output_near) && !is_from_cache;
    served.provider = Cow::Owned(row.word("provider_name")?.to_ascii_lowercase());
    // A generation has no count of cache writes, which Anthropic bills higher than input: the cost is an estimate there.
    if served.provider == "anthropic" && counted.usage.cache_read.or_zero() > 0 {
        served.write_ttl = WriteTtl::Assumed;
    }
    // Milliseconds to the first token, and from there to the last.
    served.ttft_ms = row.measure("latency")?.scaled(1.0);
    let generation = row.measure("generation_time")?.scaled(1.0);
    served.latency_ms =
        served.ttft_ms.zip(generation).and_then(|(first, rest)| first.checked_add(rest)).or(generation);
    attempts.push(served);
    let id = row.word("id")?;
    let record = Record {
        id: owned(&id),
        at,
        session: owned(&row.word("session_id")?),
        attempts,
        claimed_usd: claimed(&cost),
        ..Record::default()
    };
    Ok(Told::of_row(record, answer_key(&id)))
}
