//! Exports of gateways that observe: Helicone, Portkey.

use std::borrow::Cow;

use serde::Deserialize;

use super::bodies::Body;
use super::calls;
use super::fields::{attempt, claimed, maybe_moment, millis_between, moment, owned};
use super::served::by_address;
use super::tagged::{self, Tags};
use crate::record::json::{self, Measure, Num, Word};
use crate::record::known::{Told, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts, Writes};
use crate::record::{Attempts, Record, RecordedNeeds, WriteTtl};
use crate::routing::Status;
use crate::units::Pico;

/// A count, where one below zero says that it is not known.
#[derive(Clone, Copy, Debug, Default)]
struct Maybe {
    count: Num,
    is_unknown: bool,
}

impl<'de> Deserialize<'de> for Maybe {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = Word::deserialize(deserializer)?;
        let text = word.as_str().trim();
        let is_unknown = text.starts_with('-') && text.parse::<f64>().is_ok();
        if is_unknown || text.is_empty() {
            return Ok(Self { count: Num(None), is_unknown });
        }
        let count = Num::parse(text).ok_or_else(|| {
            serde::de::Error::custom(format!("`{text}` stands where a whole number is due"))
        })?;
        Ok(Self { count, is_unknown })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HeliconeRow {
    request_id: Word,
    request_path: Word,
    target_url: Word,
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
    total_tokens: Maybe,
    prompt_tokens: Maybe,
    prompt_cache_write_tokens: Maybe,
    prompt_cache_read_tokens: Maybe,
    completion_tokens: Maybe,
    #[serde(rename = "costUSD", alias = "cost_usd", alias = "cost")]
    cost_usd: Word,
    request_user_id: Word,
    request_properties: Tags,
    properties: Tags,
    cache_reference_id: Word,
    #[serde(alias = "response")]
    response_body: Body,
}

/// Reads a Helicone request. Its docs leave open whether the prompt includes cached tokens; the row's own total tells,
/// and where it has none the provider's rule holds.
pub(super) fn helicone(text: &str) -> Result<Told, Refusal> {
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
    let is_from_cache = row.cache_reference_id.as_str().bytes().any(|byte| !matches!(byte, b'0' | b'-'));
    let counted = if is_from_cache { Counted::NOTHING } else { helicone_usage(&row)? };
    let property = |name: &str| {
        let found = row.request_properties.get(name).or_else(|| row.properties.get(name));
        found.unwrap_or_default().to_owned()
    };
    let (team, project, session) = (property("team"), property("project"), property("Helicone-Session-Id"));
    let columns = ["Team", "team", "Project", "project", "Helicone-Session-Id"];
    let tags = tagged::words(&[&row.request_properties, &row.properties], &columns);
    let served =
        Word(Word::first([&row.response_model, &row.model_override, &row.model, &row.request_model]));
    let mut only = attempt(served.0.clone(), counted, status);
    let answer = if is_from_cache { None } else { row.response_body.complete(&mut only, "") };
    for address in [&row.target_url, &row.request_path] {
        by_address(&mut only, address.as_str());
    }
    only.provider = Cow::Owned(row.provider.0.to_ascii_lowercase());
    only.latency_ms = row.delay_ms.scaled(1.0).or(millis_between(at, end));
    only.ttft_ms = row.time_to_first_token.scaled(1.0);
    if !status.is_ok() {
        only.error = owned(row.response_status);
    }
    let keys = [id_of(&[row.request_id.as_str()]), answer];
    let record = Record {
        id: owned(row.request_id),
        at,
        team: Cow::Owned(team),
        project: Cow::Owned(project),
        user: owned(row.request_user_id),
        session: Cow::Owned(session),
        asked: if row.request_model == served { Cow::Borrowed("") } else { owned(row.request_model) },
        attempts: Attempts::one(only),
        needs: RecordedNeeds { down: tags, ..RecordedNeeds::default() },
        claimed_usd: claimed(row.cost_usd),
        ..Record::default()
    };
    Ok(Told { record: record.into(), keys, nested: None, open: None })
}

fn helicone_usage(row: &HeliconeRow) -> Result<Counted, Refusal> {
    let parts = Parts {
        input: row.prompt_tokens.count.0,
        read: row.prompt_cache_read_tokens.count.or_zero(),
        writes: Writes { total: row.prompt_cache_write_tokens.count.0, ..Writes::default() },
        output: row.completion_tokens.count.0,
        total: row.total_tokens.count.0,
        ..Parts::default()
    };
    let provider = row.provider.as_str().to_ascii_uppercase();
    let leaves_out = matches!(provider.as_str(), "ANTHROPIC" | "BEDROCK" | "AWS");
    let claim = if leaves_out { Claim::FRESH } else { Claim::WHOLE };
    let is_embedding = calls::embeds(row.request_path.as_str());
    let is_billed_otherwise = calls::is_billed_otherwise(row.request_path.as_str());
    let mut counted = parts.counted(claim.open(true, true))?.without_answer(is_embedding);
    counted.is_guess |= row.prompt_cache_read_tokens.is_unknown || row.prompt_cache_write_tokens.is_unknown;
    Ok(counted.unless_billed(row.cost_usd.as_str(), || is_billed_otherwise))
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
    #[serde(alias = "cacheStatus")]
    cache_status: Word,
    metadata: Tags,
    response: Body,
}

/// Reads a Portkey log; its cost is in cents, and it tells nothing of cached tokens.
pub(super) fn portkey(text: &str) -> Result<Told, Refusal> {
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
    // `HIT` or `SEMANTIC HIT`: the gateway's own cache answered.
    let is_from_cache = row.cache_status.as_str().to_ascii_uppercase().ends_with("HIT");
    let counted = if is_from_cache {
        Counted::NOTHING
    } else {
        let url = row.request_url.as_str();
        let counted = tokens.counted(Claim::WHOLE)?.without_answer(calls::embeds(url));
        counted.unless_billed(row.cost.as_str(), || calls::is_billed_otherwise(url))
    };
    let mut only = attempt(row.ai_model.0, counted, status);
    // The export has no columns for cached tokens, which cost less: what it bills may be lower than what this gives.
    let answer = if is_from_cache {
        None
    } else {
        only.write_ttl = WriteTtl::Assumed;
        row.response.complete(&mut only, "")
    };
    by_address(&mut only, row.request_url.as_str());
    only.provider = Cow::Owned(Word::first([&row.ai_org, &row.ai_provider]));
    only.latency_ms = row.response_time.scaled(1.0);
    if !status.is_ok() {
        only.error = owned(code);
    }
    let metadata = |name: &str| row.metadata.get(name).unwrap_or_default().to_owned();
    let tags = tagged::words(&[&row.metadata], &["team", "project", "_user"]);
    let dollars = Pico::from_usd(row.cost.as_str()).ok().map(|cents| Cow::Owned(cents.ratio(1, 100).usd()));
    let keys = [id_of(&[row.id.as_str()]), answer];
    let record = Record {
        id: owned(row.id),
        at,
        team: Cow::Owned(metadata("team")),
        project: Cow::Owned(metadata("project")),
        user: Cow::Owned(metadata("_user")),
        session: owned(row.trace_id),
        attempts: Attempts::one(only),
        needs: RecordedNeeds { down: tags, ..RecordedNeeds::default() },
        claimed_usd: dollars,
        ..Record::default()
    };
    Ok(Told { record: record.into(), keys, nested: None, open: None })
}
