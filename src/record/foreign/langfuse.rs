//! Langfuse observations: their usage is a map whose keys count disjoint tokens, in what shape an SDK or a user sent it.
//!
//! Invariants: every key counts something, so one that nobody here knows is a meter of its own; a unit other than tokens
//! is never taken for tokens.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::bodies::body;
use super::fields::{attempt, began, claimed, first, maybe_moment, millis_between, moment, owned, status_of};
use super::tagged::{self, Tags};
use super::written::Written;
use crate::pricing::Terms;
use crate::record::json::Num;
use crate::record::known::{Nest, Nested, SpanTold, Standing, Told, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Claim, Counted, OpenAiUsage, Parts, Writes, is_known_key};
use crate::record::value::{FromValue as _, Object, read};
use crate::record::{Attempts, Record, RecordedNeeds};
use crate::routing::Status;

/// Returns who served, as frameworks write it beside.
fn provider(beside: &Object<'_>) -> Result<Cow<'static, str>, String> {
    let attributes = beside.get("attributes")?.embedded()?;
    let attributes = Object::read(&attributes)?;
    let told = attributes.first(&["gen_ai.provider.name", "gen_ai.system", "llm.provider"])?;
    Ok(first(&[&beside.word("ls_provider|provider")?, &told]))
}

/// Reads a Langfuse observation: the keys of its usage are disjoint, reasoning stands beside the output, unless its total
/// shows that the numbers came in whole.
pub(super) fn observation(text: &str, nest: &mut Nest) -> Result<Told, Refusal> {
    let row = Object::read(text)?;
    let (id, trace, project) =
        (row.word("id")?, row.word("trace_id|traceId")?, row.word("project_id|projectId")?);
    let span = |id: &str| id_of(&[id, &trace, &project]);
    let key = span(&id);
    if let Some(key) = key {
        nest.place(key, span(&row.word("parent_observation_id|parentObservationId")?));
    }
    let kind = row.word("type")?;
    // Runs of agents, chains and the like may tell the sum of the generations within them.
    let is_sum = !matches!(&*kind, "GENERATION" | "EMBEDDING" | "");
    let said = counted(&row);
    if is_sum && !said.as_ref().is_ok_and(|said| said.usage.prompt().or(said.usage.output.get()) > Some(0)) {
        return Err(Refusal::NotACall("an observation that is no generation"));
    }
    let at = moment("start_time", &row.word("start_time|startTime")?)?;
    let end = maybe_moment("end_time", &row.word("end_time|endTime")?)?;
    let message = row.word("status_message|statusMessage")?;
    let status = if row.word("level")? == "ERROR" { status_of(&message) } else { Status::Ok };
    let is_embedding = kind == "EMBEDDING";
    let cost = row.word("total_cost|totalCost|calculatedTotalCost")?;
    let Written(written) = Written::from_value(row.get("output")?)?;
    let counted = said?
        .believed(if is_embedding { 0 } else { written })
        .without_answer(is_embedding)
        .unless_billed(&cost, || false);
    let model = row.word("provided_model_name|providedModelName|model")?;
    let mut nested = None;
    if let Some(key) = key {
        let told = SpanTold {
            model: model.to_string(),
            tokens: counted.usage.total(),
            is_embedding,
            is_wrapper: is_sum,
            is_sum,
        };
        let standing = match nest.judge(key, told) {
            Standing::Told(again) => Nested { again: Some(again), ..Nested::default() },
            Standing::Counts(standing) => standing,
        };
        nested = Some(Nested { joined: nest.joined(), ..standing });
    }
    let mut only = attempt(&model, counted, status);
    only.estimated |= is_sum && only.usage.is_known();
    // Whoever writes it may put anything there.
    let metadata = body(row.get("metadata")?);
    only.provider = Object::read(&metadata).and_then(|beside| provider(&beside)).unwrap_or_default();
    let tags = [
        row.maybe::<Tags>("tags|traceTags|trace_tags")?.unwrap_or_default(),
        read::<Tags>(&metadata).unwrap_or_default(),
    ];
    only.latency_ms = row.measure("latency")?.scaled(1000.0).or(millis_between(at, end));
    only.ttft_ms = row.measure("time_to_first_token|timeToFirstToken")?.scaled(1000.0);
    if !status.is_ok() {
        only.error = owned(&message);
    }
    let record = Record {
        id: owned(&id),
        at: began(at, end),
        project: owned(&project),
        user: owned(&row.word("user_id|userId")?),
        session: first(&[&row.word("session_id|sessionId")?, &trace]),
        attempts: Attempts::one(only),
        needs: RecordedNeeds { down: tagged::words(&tags.each_ref(), &[]), ..RecordedNeeds::default() },
        claimed_usd: claimed(&cost),
        ..Record::default()
    };
    Ok(Told { nested, ..Told::new(record, [key, None]) })
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

/// Names of counts that are billed as plain tokens.
const PLAIN: &[&str] = &[
    "input",
    "output",
    "total",
    "input_text",
    "output_text",
    "input_text_tokens",
    "output_text_tokens",
    "input_modality_text",
    "output_modality_text",
    "input_modality_video",
    "input_video_tokens",
    "input_modality_document",
    "output_accepted_prediction_tokens",
    "output_rejected_prediction_tokens",
];

/// Says whether a key of Langfuse's usage is one whose tokens are in the buckets, at the price of those.
fn is_bucket(key: &str) -> bool {
    [PLAIN, READ, WRITE, SHORT, LONG, REASONING].iter().any(|names| names.contains(&key))
}

/// Reads the usage of an observation, wherever versions put it.
fn counted(row: &Object<'_>) -> Result<Counted, Refusal> {
    for names in ["usage_details|usageDetails", "usage"] {
        if let Some(counted) = usage(&body(row.get(names)?))? {
            return Ok(counted);
        }
    }
    let mut plain = OpenAiUsage::default();
    plain.absorb_counts(
        row.count("promptTokens|prompt_tokens|inputUsage")?,
        row.count("completionTokens|completion_tokens|outputUsage")?,
        row.count("totalTokens|total_tokens|totalUsage")?,
    );
    Ok(plain.counted()?)
}

/// Reads a map of usage in whatever shape it was sent; nothing where it says nothing.
pub(super) fn usage(text: &str) -> Result<Option<Counted>, Refusal> {
    let words = Object::read(text).and_then(|told| {
        let words = told.members().map(|(key, value)| Ok((key.to_owned(), value.word()?.into_owned())));
        words.collect::<Result<BTreeMap<String, String>, String>>()
    });
    let Ok(words) = words else { return Ok(None) };
    let is_openai = |key: &str| {
        matches!(
            key,
            "prompt_tokens" | "completion_tokens" | "input_tokens_details" | "output_tokens_details"
        )
    };
    if words.keys().any(|key| is_openai(key)) {
        let usage: OpenAiUsage = read(text).map_err(|reason| Refusal::Bad(format!("usage: {reason}")))?;
        return Ok(Some(usage.counted()?));
    }
    let mut details = BTreeMap::new();
    for (key, word) in &words {
        if word.is_empty() || key == "unit" || key.to_ascii_lowercase().contains("cost") {
            continue;
        }
        let count = Num::parse(word)
            .ok_or_else(|| Refusal::Bad(format!("usage: {key}: `{word}` is not a whole number")))?;
        let key = match key.as_str() {
            "promptTokens" => "input",
            "completionTokens" => "output",
            "totalTokens" => "total",
            key => key,
        };
        details.insert(key.to_owned(), count);
    }
    if details.is_empty() {
        return Ok(None);
    }
    let unit = words.get("unit").map(|unit| unit.to_ascii_lowercase()).unwrap_or_default();
    if matches!(unit.as_str(), "" | "tokens" | "token") {
        return buckets(&details).map(Some);
    }
    let mut terms = Terms::NONE;
    terms.meter(&unit, details.values().map(|count| count.or_zero()).max().unwrap_or(0));
    Ok(Some(Counted::default().on(terms, &[])))
}

/// Makes buckets of Langfuse's keys.
fn buckets(details: &BTreeMap<String, Num>) -> Result<Counted, Refusal> {
    let said = |name: &str| details.get(name).and_then(|count| count.0);
    let most = |names: &[&str]| names.iter().filter_map(|name| said(name)).max();
    // Every other key that starts so is a kind of its own (audio, image), taken out of the plain one.
    let sum = |prefix: &str| {
        let named = [READ, WRITE, SHORT, LONG, REASONING];
        let fits = |key: &str| key.starts_with(prefix) && !named.iter().any(|names| names.contains(&key));
        let counts = details.iter().filter(|(key, _)| fits(key)).filter_map(|(_, count)| count.0);
        counts.fold(None, |sum: Option<u64>, count| Some(sum.unwrap_or(0).saturating_add(count)))
    };
    // Langfuse adds up every key, whatever it counts.
    let is_token = |key: &str| is_bucket(key) || key.starts_with("input") || key.starts_with("output");
    let is_total = |key: &str| matches!(key, "total" | "total_tokens");
    let add = |wanted: &dyn Fn(&str) -> bool| {
        let counts = details.iter().filter(|(key, _)| !is_total(key) && wanted(key));
        counts.map(|(_, count)| count.or_zero()).fold(0, u64::saturating_add)
    };
    let beside = add(&|key| !is_token(key));
    let total = said("total").or(said("total_tokens")).filter(|total| *total > 0);
    let total = total.map(|total| if total == add(&|_| true) { total.saturating_sub(beside) } else { total });
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
    let mut terms = Terms::NONE;
    meters(details, &mut terms);
    Ok(parts.counted(Claim::DISJOINT.open(true, true))?.on(terms, &[]))
}

/// Tells what keys of Langfuse's usage count besides plain tokens; every key counts something, so an unknown one is told.
fn meters(details: &BTreeMap<String, Num>, terms: &mut Terms) {
    for (key, count) in details {
        let (name, count) = (key.to_ascii_lowercase(), count.or_zero());
        let side = if name.starts_with("input") { "input" } else { "output" };
        let is_side = name.starts_with(side);
        match name.as_str() {
            name if is_bucket(name) => {}
            name if is_side && name.contains("audio") => terms.meter(&format!("audio_{side}"), count),
            name if is_side && name.contains("image") => terms.meter(&format!("image_{side}"), count),
            name if name.contains("web_search") => terms.meter("web_search", count),
            name if is_known_key(name) => {}
            name => terms.meter(name, count),
        }
    }
}
