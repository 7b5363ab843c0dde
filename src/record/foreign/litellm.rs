//! LiteLLM: rows of its spend-log table, and the payload that its callbacks send.
//!
//! `prompt_tokens` includes cache reads and writes, also for Anthropic. A hit in LiteLLM's own response cache reached no
//! provider: it is an answer that used nothing, from provider `litellm-cache`. A fallback is an attempt at the original
//! model group that used nothing here, since its own row carries what it used.

use std::borrow::Cow;

use serde::Deserialize;

use super::bodies::Body;
use super::calls;
use super::fields::{attempt, claimed, maybe_moment, millis_between, moment, owned, status_of};
use super::tagged::{self, Tags};
use crate::pricing::Usage;
use crate::record::json::{self, Embedded, Measure, Num, Word, maybe, nullable};
use crate::record::known::{Told, answer_key, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Counted, OpenAiUsage};
use crate::record::{Attempt, Attempts, Record, RecordedNeeds};
use crate::routing::Status;

/// What LiteLLM puts as key and tag of the calls that only look whether a model answers.
const HEALTH_CHECK: &str = "litellm-internal-health-check";

/// The keys that rows and payloads share, under the names of either.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Row {
    request_id: Word,
    id: Word,
    trace_id: Word,
    session_id: Word,
    call_type: Word,
    api_key: Word,
    spend: Word,
    response_cost: Word,
    prompt_tokens: Num,
    completion_tokens: Num,
    total_tokens: Num,
    #[serde(rename = "startTime")]
    start: Word,
    #[serde(rename = "endTime")]
    end: Word,
    #[serde(rename = "completionStartTime")]
    first_token: Word,
    request_duration_ms: Measure,
    model: Word,
    model_group: Word,
    custom_llm_provider: Word,
    user: Word,
    end_user: Word,
    team_id: Word,
    cache_hit: Word,
    status: Word,
    metadata: Embedded<Metadata>,
    request_tags: Tags,
    #[serde(deserialize_with = "nullable")]
    error_information: ErrorInformation,
    error_str: Word,
    response: Body,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    user_api_key_alias: Word,
    user_api_key_team_alias: Word,
    user_api_key_team_id: Word,
    user_api_key_user_id: Word,
    user_api_key_project_alias: Word,
    user_api_key_project_id: Word,
    status: Word,
    #[serde(deserialize_with = "nullable")]
    error_information: ErrorInformation,
    /// Blocks are large, and what is read is moved from level to level.
    #[serde(deserialize_with = "maybe")]
    usage_object: Option<Box<OpenAiUsage>>,
    #[serde(deserialize_with = "maybe")]
    additional_usage_values: Option<Box<OpenAiUsage>>,
    attempted_fallbacks: Num,
    original_model_group: Word,
    #[serde(rename = "spend_logs_metadata")]
    logged: Tags,
    #[serde(rename = "requester_metadata")]
    requested: Tags,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ErrorInformation {
    #[serde(rename = "error_code")]
    code: Word,
    #[serde(rename = "error_class")]
    class: Word,
    #[serde(rename = "error_message")]
    message: Word,
}

/// Reads a row of `LiteLLM_SpendLogs`.
pub(super) fn spend_row(text: &str) -> Result<Told, Refusal> {
    record(json::read(text).map_err(Refusal::Bad)?)
}

/// Reads a `StandardLoggingPayload`.
pub(super) fn payload(text: &str) -> Result<Told, Refusal> {
    record(json::read(text).map_err(Refusal::Bad)?)
}

fn record(row: Row) -> Result<Told, Refusal> {
    if let Some(reason) = calls::by_call_type(row.call_type.as_str()) {
        return Err(Refusal::NotACall(reason));
    }
    if row.request_tags.has_word(HEALTH_CHECK) || row.api_key.as_str() == HEALTH_CHECK {
        return Err(Refusal::NotACall("a health check"));
    }
    let at = moment("startTime", &row.start)?;
    let end = maybe_moment("endTime", &row.end)?;
    let first_token = maybe_moment("completionStartTime", &row.first_token)?;
    let metadata = row.metadata.0;
    let cached_answer = row.request_id.as_str().contains("_cache_hit")
        || row.id.as_str().contains("_cache_hit")
        || row.cache_hit.as_str().eq_ignore_ascii_case("true");
    let failed = [&row.status, &metadata.status].iter().any(|word| word.as_str() == "failure");
    let errors = [&metadata.error_information, &row.error_information];
    let error = Word::first(errors.iter().flat_map(|e| [&e.code, &e.class]).chain([&row.error_str]));
    let status = if failed { failure(&errors, &error) } else { Status::Ok };

    let mut usage = OpenAiUsage::bare(row.prompt_tokens, row.completion_tokens, row.total_tokens);
    for block in [&metadata.additional_usage_values, &metadata.usage_object].into_iter().flatten() {
        usage.absorb(block);
    }
    // A failed call's row holds the column defaults of zero: nothing was reported.
    let silent = failed
        && !metadata.usage_object.as_ref().is_some_and(|block| block.says_anything())
        && row.prompt_tokens.or_zero() == 0
        && row.completion_tokens.or_zero() == 0;
    let counted = match (cached_answer, silent) {
        (true, _) => Counted::NOTHING,
        (_, true) => Counted::default(),
        _ => {
            let claim = Word::first([&row.spend, &row.response_cost]);
            usage.counted()?.unless_billed(&claim, calls::is_billed_otherwise(row.call_type.as_str()))
        }
    };

    let mut served = attempt(row.model.0.clone(), counted, status);
    let answer =
        if cached_answer { None } else { row.response.complete(&mut served, row.model_group.as_str()) };
    served.provider =
        if cached_answer { Cow::Borrowed("litellm-cache") } else { owned(row.custom_llm_provider) };
    served.latency_ms = row.request_duration_ms.scaled(1.0).or(millis_between(at, end));
    // Without streaming the "first token" is the whole answer, which tells nothing of it.
    served.ttft_ms = if first_token < end { millis_between(at, first_token) } else { None };
    served.error = if failed { Cow::Owned(error) } else { Cow::Borrowed("") };

    let mut attempts = Attempts::default();
    let fell_back = metadata.attempted_fallbacks.or_zero() > 0 && !metadata.original_model_group.is_empty();
    if fell_back {
        attempts.push(Attempt {
            model: Cow::Owned(metadata.original_model_group.0.clone()),
            usage: Usage::NONE,
            status: Status::Failed,
            error: Cow::Borrowed("fallback"),
            ..Attempt::default()
        });
    }
    attempts.push(served);
    let asked = if fell_back { metadata.original_model_group } else { row.model_group };
    let told = Word(row.request_tags.get("project").unwrap_or_default().to_owned());
    let project = [&metadata.user_api_key_project_alias, &metadata.user_api_key_project_id, &told];
    let tags = [&row.request_tags, &metadata.logged, &metadata.requested];
    let tags = tagged::words(&tags, &["project"]);
    let users = [&row.end_user, &metadata.user_api_key_alias, &metadata.user_api_key_user_id, &row.user];
    let id = Word::first([&row.request_id, &row.id]);
    let keys = [id_of(&[&id]), answer.or_else(|| answer_key(&id))];
    let record = Record {
        id: Cow::Owned(id),
        at,
        team: Cow::Owned(Word::first([
            &metadata.user_api_key_team_alias,
            &row.team_id,
            &metadata.user_api_key_team_id,
        ])),
        project: Cow::Owned(Word::first(project)),
        user: Cow::Owned(Word::first(users)),
        session: Cow::Owned(Word::first([&row.session_id, &row.trace_id])),
        asked: if asked == row.model { Cow::Borrowed("") } else { owned(asked) },
        attempts,
        needs: RecordedNeeds { down: tags, ..RecordedNeeds::default() },
        claimed_usd: claimed(Word(Word::first([&row.spend, &row.response_cost]))),
        ..Record::default()
    };
    Ok(Told { record, keys, nested: None })
}

fn failure(errors: &[&ErrorInformation], error: &str) -> Status {
    match status_of(error) {
        Status::Failed => {
            let words =
                errors.iter().flat_map(|e| [&e.class, &e.message]).map(|word| status_of(word.as_str()));
            words.into_iter().find(|status| *status != Status::Failed).unwrap_or(Status::Failed)
        }
        known => known,
    }
}
