//! Exports of gateways that observe: Helicone, Portkey.

use std::borrow::Cow;

use super::fields::{attempt, began, claimed, first, maybe_moment, millis_between, moment, owned};
use super::served::by_address;
use super::tagged::{self, Tags};
use super::{bodies, calls};
use crate::record::json::Num;
use crate::record::known::Told;
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, Parts, Writes};
use crate::record::value::Object;
use crate::record::{Attempts, Record, RecordedNeeds, WriteTtl};
use crate::routing::Status;
use crate::units::Pico;

/// Reads a count; one below zero says that it is not known, which is said, too.
fn maybe(row: &Object<'_>, names: &str) -> Result<(Option<u64>, bool), String> {
    let value = row.get(names)?;
    let word = value.word()?;
    let text = word.trim();
    let is_unknown = text.starts_with('-') && text.parse::<f64>().is_ok();
    if is_unknown || text.is_empty() {
        return Ok((None, is_unknown));
    }
    let count = Num::parse(text);
    let count =
        count.ok_or_else(|| value.fault(format_args!("`{text}` stands where a whole number is due")))?;
    Ok((count.0, false))
}

/// Reads a Helicone request. Its docs leave open whether the prompt includes cached tokens; the row's own total tells,
/// and where it has none the provider's rule holds.
pub(super) fn helicone(text: &str) -> Result<Told, Refusal> {
    let row = Object::read(text)?;
    let path = row.word("request_path")?;
    if let Some(reason) = calls::by_endpoint(&row.word("request_method|method")?, &path) {
        return Err(Refusal::NotACall(reason));
    }
    let at = moment("request_created_at", &row.word("request_created_at")?)?;
    let end = maybe_moment("response_created_at", &row.word("response_created_at")?)?;
    let code = row.word("response_status")?;
    let status = match code.parse::<i32>() {
        Ok(code @ 100..600) => Status::from_http(u16::try_from(code).unwrap_or(0)),
        Ok(_) => Status::Failed,
        Err(_) => Status::Ok,
    };
    let is_from_cache = row.word("cache_reference_id")?.bytes().any(|byte| !matches!(byte, b'0' | b'-'));
    let cost = row.word("costUSD|cost_usd|cost")?;
    let provider = row.word("provider")?;
    let counted = helicone_usage(&row, &provider, &path, &cost)?;
    let counted = if is_from_cache { Counted::NOTHING } else { counted };
    let told: [Tags; 2] =
        [row.maybe("request_properties")?.unwrap_or_default(), row.maybe("properties")?.unwrap_or_default()];
    let property = |name: &str| owned(told.iter().find_map(|tags| tags.get(name)).unwrap_or_default());
    let columns = ["Team", "team", "Project", "project", "Helicone-Session-Id"];
    let asked = row.word("request_model")?;
    let served = first(&[&row.first(&["response_model", "model_override", "model"])?, &asked]);
    let mut only = attempt(&served, counted, status);
    let response = bodies::body(row.get("response_body|response")?);
    let answer = if is_from_cache { None } else { bodies::complete(&response, &mut only, "") };
    for address in [&row.word("target_url")?, &path] {
        by_address(&mut only, address);
    }
    only.provider = Cow::Owned(provider.to_ascii_lowercase());
    only.latency_ms = row.measure("delay_ms")?.scaled(1.0).or(millis_between(at, end));
    only.ttft_ms = row.measure("time_to_first_token")?.scaled(1.0);
    if !status.is_ok() {
        only.error = owned(&code);
    }
    let id = row.word("request_id")?;
    let record = Record {
        id: owned(&id),
        at: began(at, end),
        team: property("team"),
        project: property("project"),
        user: owned(&row.word("request_user_id")?),
        session: property("Helicone-Session-Id"),
        asked: if asked == served { Cow::Borrowed("") } else { owned(&asked) },
        attempts: Attempts::one(only),
        needs: RecordedNeeds { down: tagged::words(&told.each_ref(), &columns), ..RecordedNeeds::default() },
        claimed_usd: claimed(&cost),
        ..Record::default()
    };
    Ok(Told::of_row(record, answer))
}

fn helicone_usage(row: &Object<'_>, provider: &str, path: &str, cost: &str) -> Result<Counted, Refusal> {
    let (read, is_read_unknown) = maybe(row, "prompt_cache_read_tokens")?;
    let (written, are_writes_unknown) = maybe(row, "prompt_cache_write_tokens")?;
    let parts = Parts {
        input: maybe(row, "prompt_tokens")?.0,
        read: read.unwrap_or(0),
        writes: Writes { total: written, ..Writes::default() },
        output: maybe(row, "completion_tokens")?.0,
        total: maybe(row, "total_tokens")?.0,
        ..Parts::default()
    };
    let leaves_out = matches!(provider.to_ascii_uppercase().as_str(), "ANTHROPIC" | "BEDROCK" | "AWS");
    let claim = if leaves_out { Claim::FRESH } else { Claim::WHOLE };
    let mut counted = parts.counted(claim.open(true, true))?.without_answer(calls::embeds(path));
    counted.is_guess |= is_read_unknown || are_writes_unknown;
    Ok(counted.unless_billed(cost, || calls::is_billed_otherwise(path)))
}

/// Reads a Portkey log; its cost is in cents, and it tells nothing of cached tokens.
pub(super) fn portkey(text: &str) -> Result<Told, Refusal> {
    let row = Object::read(text)?;
    let url = row.word("request_url")?;
    if let Some(reason) = calls::by_endpoint(&row.word("request_method|method")?, &url) {
        return Err(Refusal::NotACall(reason));
    }
    let at = moment("created_at", &row.word("created_at")?)?;
    let code = row.first(&["response_status_code", "status_code"])?;
    let status = match code.parse::<u16>() {
        Ok(code) => Status::from_http(code),
        Err(_) => Status::Ok,
    };
    let tokens = Parts {
        input: row.count("req_units")?.or(row.count("request_tokens")?).0,
        output: row.count("res_units")?.or(row.count("response_tokens")?).0,
        ..Parts::default()
    };
    // `HIT` or `SEMANTIC HIT`: the gateway's own cache answered.
    let is_from_cache = row.word("cache_status|cacheStatus")?.to_ascii_uppercase().ends_with("HIT");
    let cost = row.word("cost")?;
    let counted = if is_from_cache {
        Counted::NOTHING
    } else {
        let counted = tokens.counted(Claim::WHOLE)?.without_answer(calls::embeds(&url));
        counted.unless_billed(&cost, || calls::is_billed_otherwise(&url))
    };
    let mut only = attempt(&row.word("ai_model")?, counted, status);
    // The export has no columns for cached tokens, which cost less: what it bills may be lower than what this gives.
    let answer = if is_from_cache {
        None
    } else {
        only.write_ttl = WriteTtl::Assumed;
        bodies::complete(&bodies::body(row.get("response")?), &mut only, "")
    };
    by_address(&mut only, &url);
    only.provider = owned(&row.first(&["ai_org", "ai_provider"])?);
    only.latency_ms = row.measure("response_time")?.scaled(1.0);
    if !status.is_ok() {
        only.error = owned(&code);
    }
    let tags: Tags = row.maybe("metadata")?.unwrap_or_default();
    let metadata = |name: &str| owned(tags.get(name).unwrap_or_default());
    let dollars = Pico::from_usd(&cost).ok().map(|cents| Cow::Owned(cents.ratio(1, 100).usd()));
    let id = row.word("id")?;
    let record = Record {
        id: owned(&id),
        at,
        team: metadata("team"),
        project: metadata("project"),
        user: metadata("_user"),
        session: owned(&row.word("trace_id")?),
        attempts: Attempts::one(only),
        needs: RecordedNeeds {
            down: tagged::words(&[&tags], &["team", "project", "_user"]),
            ..RecordedNeeds::default()
        },
        claimed_usd: dollars,
        ..Record::default()
    };
    Ok(Told::of_row(record, answer))
}
