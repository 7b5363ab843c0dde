//! Exports of observability services: Langfuse, Helicone, Portkey.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::{attempt, calls, claimed, maybe_moment, millis_between, moment, owned, status_of};
use crate::record::json::{self, Embedded, Measure, Num, Word};
use crate::record::known::{AROUND, Nest, SpanTold, Told, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts, Writes};
use crate::record::{Attempts, Record, WriteTtl};
use crate::routing::Status;
use crate::units::Pico;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Observation {
    id: Word,
    #[serde(alias = "traceId")]
    trace_id: Word,
    #[serde(alias = "parentObservationId")]
    parent_observation_id: Word,
    #[serde(alias = "projectId")]
    project_id: Word,
    #[serde(alias = "sessionId")]
    session_id: Word,
    #[serde(alias = "userId")]
    user_id: Word,
    #[serde(rename = "type")]
    kind: Word,
    #[serde(alias = "startTime")]
    start_time: Word,
    #[serde(alias = "endTime")]
    end_time: Word,
    level: Word,
    #[serde(alias = "statusMessage")]
    status_message: Word,
    #[serde(alias = "providedModelName", alias = "model")]
    provided_model_name: Word,
    #[serde(alias = "usageDetails")]
    usage_details: Embedded<BTreeMap<String, Num>>,
    #[serde(alias = "totalCost", alias = "calculatedTotalCost")]
    total_cost: Word,
    #[serde(alias = "timeToFirstToken")]
    time_to_first_token: Measure,
    latency: Measure,
}

/// Reads a Langfuse observation: the keys of its usage are disjoint, reasoning stands beside the output, unless its total
/// shows that the numbers came in whole.
pub(super) fn langfuse(text: &str, nest: &mut Nest) -> Result<Told, Refusal> {
    let row: Observation = json::read(text).map_err(Refusal::Bad)?;
    let span = |id: &Word| id_of(&[id.as_str(), row.trace_id.as_str(), row.project_id.as_str()]);
    let key = span(&row.id);
    if let Some(key) = key {
        nest.place(key, span(&row.parent_observation_id));
    }
    if !matches!(row.kind.as_str(), "GENERATION" | "EMBEDDING" | "") {
        return Err(Refusal::NotACall("an observation that is no generation"));
    }
    let at = moment("start_time", &row.start_time)?;
    let end = maybe_moment("end_time", &row.end_time)?;
    let status =
        if row.level.as_str() == "ERROR" { status_of(row.status_message.as_str()) } else { Status::Ok };
    let counted = langfuse_usage(&row.usage_details.0)?.without_answer(row.kind.as_str() == "EMBEDDING");
    if let Some(key) = key {
        let told = SpanTold {
            model: row.provided_model_name.0.clone(),
            tokens: counted
                .usage
                .prompt()
                .zip(counted.usage.output.get())
                .map(|(prompt, answer)| prompt + answer),
            is_embedding: row.kind.as_str() == "EMBEDDING",
            is_wrapper: false,
        };
        if !nest.counts(key, told) {
            return Err(AROUND);
        }
    }
    let mut only = attempt(row.provided_model_name.0, counted, status);
    only.latency_ms = row.latency.scaled(1000.0).or(millis_between(at, end));
    only.ttft_ms = row.time_to_first_token.scaled(1000.0);
    if !status.is_ok() {
        only.error = owned(row.status_message);
    }
    let record = Record {
        id: owned(row.id),
        at,
        project: owned(row.project_id),
        user: owned(row.user_id),
        session: Cow::Owned(Word::first([&row.session_id, &row.trace_id])),
        attempts: Attempts::one(only),
        claimed_usd: claimed(row.total_cost),
        ..Record::default()
    };
    Ok(Told { record, keys: [key, None] })
}

/// Names under which Langfuse's keys tell cached, written and reasoning tokens.
const READ: &[&str] = &[
    "input_cached_tokens",
    "input_cache_read",
    "input_cache_read_input_tokens",
    "input_cache_read_tokens",
    "input_cached",
    "cache_read_input_tokens",
    "cached_input_tokens",
    "cached_tokens",
    "cache_read",
];
const WRITE: &[&str] = &[
    "input_cache_creation",
    "input_cache_creation_tokens",
    "input_cache_creation_input_tokens",
    "input_cache_write",
    "input_cache_write_tokens",
    "cache_creation_input_tokens",
    "cache_write_input_tokens",
    "cache_creation",
    "cache_write",
];
const SHORT: &[&str] = &["input_cache_creation_5m", "cache_creation_5m", "ephemeral_5m_input_tokens"];
const LONG: &[&str] = &["input_cache_creation_1h", "cache_creation_1h", "ephemeral_1h_input_tokens"];
const REASONING: &[&str] = &[
    "output_reasoning_tokens",
    "output_reasoning",
    "reasoning_tokens",
    "reasoning",
    "output_thinking_tokens",
    "thinking_tokens",
];

/// Makes buckets of Langfuse's keys.
pub(super) fn langfuse_usage(details: &BTreeMap<String, Num>) -> Result<Counted, Refusal> {
    let said = |name: &str| details.get(name).and_then(|count| count.0);
    let most = |names: &[&str]| names.iter().filter_map(|name| said(name)).max();
    // Every other key that starts so is a kind of its own (audio, image), taken out of the plain one.
    let sum = |prefix: &str| {
        let named = [READ, WRITE, SHORT, LONG, REASONING];
        let fits = |key: &str| key.starts_with(prefix) && !named.iter().any(|names| names.contains(&key));
        let counts = details.iter().filter(|(key, _)| fits(key)).filter_map(|(_, count)| count.0);
        counts.fold(None, |sum: Option<u64>, count| Some(sum.unwrap_or(0).saturating_add(count)))
    };
    let total = said("total").or(said("total_tokens")).filter(|total| *total > 0);
    // Whoever sends OpenAI's numbers as they are has input and output alone add up to the total.
    let plain = said("input").zip(said("output"));
    let whole = plain.filter(|(input, output)| Some(input.saturating_add(*output)) == total);
    let (short, long) = (most(SHORT), most(LONG));
    let split = short.unwrap_or(0).saturating_add(long.unwrap_or(0));
    // The total of writes may stand beside its split; as keys are disjoint, anything but that sum comes on top.
    let written = most(WRITE).map(|total| if total == split { total } else { total.saturating_add(split) });
    let reasoning = most(REASONING);
    let parts = Parts {
        input: whole.map(|(input, _)| input).or_else(|| sum("input")),
        read: most(READ).unwrap_or(0),
        writes: Writes { total: written, short, long },
        // Where nothing but reasoning is told, that is the output.
        output: whole.map(|(_, output)| output).or_else(|| sum("output")).or(reasoning.map(|_| 0)),
        reasoning,
        total,
        ..Parts::default()
    };
    Ok(parts.counted(Claim::DISJOINT.open(true, true))?)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeliconeRow {
    request_id: Word,
    request_path: Word,
    #[serde(alias = "method")]
    request_method: Word,
    request_created_at: Word,
    response_created_at: Word,
    response_status: Word,
    response_model: Word,
    request_model: Word,
    model_override: Word,
    model: Word,
    provider: Word,
    delay_ms: Measure,
    time_to_first_token: Measure,
    total_tokens: Num,
    prompt_tokens: Num,
    prompt_cache_write_tokens: Num,
    prompt_cache_read_tokens: Num,
    completion_tokens: Num,
    #[serde(rename = "costUSD", alias = "cost_usd", alias = "cost")]
    cost_usd: Word,
    request_user_id: Word,
    request_properties: Embedded<BTreeMap<String, Word>>,
    properties: Embedded<BTreeMap<String, Word>>,
    cache_reference_id: Word,
}

/// Reads a Helicone request. Its docs leave open whether the prompt includes cached tokens; the row's own total tells,
/// and where it has none the provider's rule holds.
pub(super) fn helicone<'b>(text: &str) -> Result<Record<'b>, Refusal> {
    let row: HeliconeRow = json::read(text).map_err(Refusal::Bad)?;
    if let Some(reason) = calls::by_endpoint(row.request_method.as_str(), row.request_path.as_str()) {
        return Err(Refusal::NotACall(reason));
    }
    let at = moment("request_created_at", &row.request_created_at)?;
    let end = maybe_moment("response_created_at", &row.response_created_at)?;
    let status = match row.response_status.as_str().parse::<i32>() {
        Ok(code @ 100..600) => Status::from_http(u16::try_from(code).unwrap_or(0)),
        Ok(_) => Status::Failed,
        Err(_) => Status::Ok,
    };
    let counted = if row.cache_reference_id.as_str().bytes().any(|byte| !matches!(byte, b'0' | b'-')) {
        Counted::NOTHING
    } else {
        helicone_usage(&row)?
    };
    let property = |name: &str| {
        let maps = [&row.request_properties.0, &row.properties.0];
        let mut found =
            maps.iter().flat_map(|map| map.iter()).filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map(|(_, word)| word.0.clone()).unwrap_or_default()
    };
    let (team, project, session) = (property("team"), property("project"), property("Helicone-Session-Id"));
    let served =
        Word(Word::first([&row.response_model, &row.model_override, &row.model, &row.request_model]));
    let mut only = attempt(served.0.clone(), counted, status);
    only.provider = Cow::Owned(row.provider.0.to_ascii_lowercase());
    only.latency_ms = row.delay_ms.scaled(1.0).or(millis_between(at, end));
    only.ttft_ms = row.time_to_first_token.scaled(1.0);
    if !status.is_ok() {
        only.error = owned(row.response_status);
    }
    Ok(Record {
        id: owned(row.request_id),
        at,
        team: Cow::Owned(team),
        project: Cow::Owned(project),
        user: owned(row.request_user_id),
        session: Cow::Owned(session),
        asked: if row.request_model == served { Cow::Borrowed("") } else { owned(row.request_model) },
        attempts: Attempts::one(only),
        claimed_usd: claimed(row.cost_usd),
        ..Record::default()
    })
}

fn helicone_usage(row: &HeliconeRow) -> Result<Counted, Refusal> {
    let parts = Parts {
        input: row.prompt_tokens.0,
        read: row.prompt_cache_read_tokens.or_zero(),
        writes: Writes { total: row.prompt_cache_write_tokens.0, ..Writes::default() },
        output: row.completion_tokens.0,
        total: row.total_tokens.0,
        ..Parts::default()
    };
    let provider = row.provider.as_str().to_ascii_uppercase();
    let leaves_out = matches!(provider.as_str(), "ANTHROPIC" | "BEDROCK" | "AWS");
    let claim = if leaves_out { Claim::FRESH } else { Claim::WHOLE };
    let is_embedding = calls::embeds(row.request_path.as_str());
    Ok(parts.counted(claim.open(true, true))?.without_answer(is_embedding))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PortkeyRow {
    id: Word,
    trace_id: Word,
    created_at: Word,
    request_url: Word,
    #[serde(alias = "method")]
    request_method: Word,
    ai_org: Word,
    ai_provider: Word,
    ai_model: Word,
    req_units: Num,
    request_tokens: Num,
    res_units: Num,
    response_tokens: Num,
    cost: Word,
    response_time: Measure,
    response_status_code: Word,
    status_code: Word,
    metadata: Embedded<BTreeMap<String, Word>>,
}

/// Reads a Portkey log; its cost is in cents, and it tells nothing of cached tokens.
pub(super) fn portkey<'b>(text: &str) -> Result<Record<'b>, Refusal> {
    let row: PortkeyRow = json::read(text).map_err(Refusal::Bad)?;
    if let Some(reason) = calls::by_endpoint(row.request_method.as_str(), row.request_url.as_str()) {
        return Err(Refusal::NotACall(reason));
    }
    let at = moment("created_at", &row.created_at)?;
    let code = Word(Word::first([&row.response_status_code, &row.status_code]));
    let status = match code.as_str().parse::<u16>() {
        Ok(code) => Status::from_http(code),
        Err(_) => Status::Ok,
    };
    let tokens = Parts {
        input: row.req_units.or(row.request_tokens).0,
        output: row.res_units.or(row.response_tokens).0,
        ..Parts::default()
    };
    let counted = tokens.counted(Claim::WHOLE)?.without_answer(calls::embeds(row.request_url.as_str()));
    let mut only = attempt(row.ai_model.0, counted, status);
    // The export has no columns for cached tokens, which cost less: what it bills may be lower than what this gives.
    only.write_ttl = WriteTtl::Assumed;
    only.provider = Cow::Owned(Word::first([&row.ai_org, &row.ai_provider]));
    only.latency_ms = row.response_time.scaled(1.0);
    if !status.is_ok() {
        only.error = owned(code);
    }
    let metadata = |name: &str| row.metadata.0.get(name).map(|word| word.0.clone()).unwrap_or_default();
    let dollars = Pico::from_usd(row.cost.as_str()).ok().map(|cents| Cow::Owned(cents.ratio(1, 100).usd()));
    Ok(Record {
        id: owned(row.id),
        at,
        team: Cow::Owned(metadata("team")),
        project: Cow::Owned(metadata("project")),
        user: Cow::Owned(metadata("_user")),
        session: owned(row.trace_id),
        attempts: Attempts::one(only),
        claimed_usd: dollars,
        ..Record::default()
    })
}
