//! What a row of LiteLLM's or a payload says, and what is made of it.
//!
//! Invariant: the record of a row is the same, whichever reader took it apart.

use std::borrow::Cow;

use crate::pricing::Usage;
use crate::record::foreign::bodies::{self, body};
use crate::record::foreign::fields::{
    attempt, began, first, maybe_moment, millis_between, moment, owned, status_of,
};
use crate::record::foreign::tagged::{self, Tags, TagsOf};
use crate::record::foreign::{beside, calls};
use crate::record::json::{Measure, Num};
use crate::record::known::{Told, answer_key};
use crate::record::skip::Refusal;
use crate::record::usage::{Counted, OpenAiUsage};
use crate::record::value::{FromValue, Object, Value};
use crate::record::{Attempt, Attempts, Record, RecordedNeeds};
use crate::routing::Status;

/// What LiteLLM puts as key and tag of the calls that only look whether a model answers.
const HEALTH_CHECK: &str = "litellm-internal-health-check";

/// The keys that rows and payloads share, under the names of either; words may stand in the line still.
#[derive(Default)]
pub(super) struct Row<'r> {
    pub(super) request_id: Cow<'r, str>,
    pub(super) id: Cow<'r, str>,
    pub(super) trace_id: Cow<'r, str>,
    pub(super) session_id: Cow<'r, str>,
    pub(super) call_type: Cow<'r, str>,
    pub(super) api_key: Cow<'r, str>,
    pub(super) spend: Cow<'r, str>,
    pub(super) response_cost: Cow<'r, str>,
    pub(super) start: Cow<'r, str>,
    pub(super) end: Cow<'r, str>,
    pub(super) first_token: Cow<'r, str>,
    pub(super) model: Cow<'r, str>,
    pub(super) model_group: Cow<'r, str>,
    pub(super) custom_llm_provider: Cow<'r, str>,
    pub(super) user: Cow<'r, str>,
    pub(super) end_user: Cow<'r, str>,
    pub(super) team_id: Cow<'r, str>,
    pub(super) cache_hit: Cow<'r, str>,
    pub(super) status: Cow<'r, str>,
    pub(super) error_str: Cow<'r, str>,
    pub(super) prompt_tokens: Num,
    pub(super) completion_tokens: Num,
    pub(super) total_tokens: Num,
    pub(super) request_duration_ms: Measure,
    pub(super) metadata: Metadata<'r>,
    pub(super) request_tags: TagsOf<'r>,
    pub(super) error_information: ErrorInformation,
    pub(super) response: Cow<'r, str>,
}

impl<'r> Row<'r> {
    fn read(row: &Object<'r>) -> Result<Self, String> {
        Ok(Self {
            request_id: row.word("request_id")?,
            id: row.word("id")?,
            trace_id: row.word("trace_id")?,
            session_id: row.word("session_id")?,
            call_type: row.word("call_type")?,
            api_key: row.word("api_key")?,
            spend: row.word("spend")?,
            response_cost: row.word("response_cost")?,
            start: row.word("startTime")?,
            end: row.word("endTime")?,
            first_token: row.word("completionStartTime")?,
            model: row.word("model")?,
            model_group: row.word("model_group")?,
            custom_llm_provider: row.word("custom_llm_provider")?,
            user: row.word("user")?,
            end_user: row.word("end_user")?,
            team_id: row.word("team_id")?,
            cache_hit: row.word("cache_hit")?,
            status: row.word("status")?,
            error_str: row.word("error_str")?,
            prompt_tokens: row.count("prompt_tokens")?,
            completion_tokens: row.count("completion_tokens")?,
            total_tokens: row.count("total_tokens")?,
            request_duration_ms: row.measure("request_duration_ms")?,
            metadata: Metadata::default(),
            request_tags: row.maybe::<Tags>("request_tags")?.unwrap_or_default(),
            error_information: row.maybe("error_information")?.unwrap_or_default(),
            response: body(row.get("response")?),
        })
    }
}

#[derive(Default)]
pub(super) struct Metadata<'r> {
    pub(super) user_api_key_alias: Cow<'r, str>,
    pub(super) user_api_key_team_alias: Cow<'r, str>,
    pub(super) user_api_key_team_id: Cow<'r, str>,
    pub(super) user_api_key_user_id: Cow<'r, str>,
    pub(super) user_api_key_project_alias: Cow<'r, str>,
    pub(super) user_api_key_project_id: Cow<'r, str>,
    pub(super) status: Cow<'r, str>,
    pub(super) original_model_group: Cow<'r, str>,
    pub(super) error_information: ErrorInformation,
    /// Blocks are large, and what is read is moved from level to level.
    pub(super) usage_object: Option<Box<OpenAiUsage>>,
    pub(super) additional_usage_values: Option<Box<OpenAiUsage>>,
    pub(super) attempted_fallbacks: Num,
    pub(super) logged: Tags,
    pub(super) requested: Tags,
}

impl<'r> Metadata<'r> {
    fn read(metadata: &Object<'r>) -> Result<Self, String> {
        Ok(Self {
            user_api_key_alias: metadata.word("user_api_key_alias")?,
            user_api_key_team_alias: metadata.word("user_api_key_team_alias")?,
            user_api_key_team_id: metadata.word("user_api_key_team_id")?,
            user_api_key_user_id: metadata.word("user_api_key_user_id")?,
            user_api_key_project_alias: metadata.word("user_api_key_project_alias")?,
            user_api_key_project_id: metadata.word("user_api_key_project_id")?,
            status: metadata.word("status")?,
            original_model_group: metadata.word("original_model_group")?,
            error_information: metadata.maybe("error_information")?.unwrap_or_default(),
            usage_object: metadata.maybe("usage_object")?.map(Box::new),
            additional_usage_values: metadata.maybe("additional_usage_values")?.map(Box::new),
            attempted_fallbacks: metadata.count("attempted_fallbacks")?,
            logged: metadata.maybe("spend_logs_metadata")?.unwrap_or_default(),
            requested: metadata.maybe("requester_metadata")?.unwrap_or_default(),
        })
    }
}

#[derive(Default)]
pub(super) struct ErrorInformation {
    code: String,
    class: String,
    message: String,
}

impl FromValue for ErrorInformation {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        let error = value.object()?;
        let [code, class, message] =
            ["error_code", "error_class", "error_message"].map(|name| error.word(name));
        Ok(Self { code: code?.into_owned(), class: class?.into_owned(), message: message?.into_owned() })
    }
}

/// Reads what is not plain, each part by itself.
pub(super) fn forgiving(text: &str) -> Result<Told, Refusal> {
    let row = Object::read(text)?;
    let value = row.get("metadata")?;
    let metadata = value.embedded()?;
    let within = Object::read(&metadata).and_then(|within| Metadata::read(&within));
    let within = within.map_err(|reason| match metadata {
        Cow::Borrowed(_) => reason,
        Cow::Owned(_) => value.fault(format_args!("within the text: {reason}")),
    });
    let mut told = record(Row { metadata: within?, ..Row::read(&row)? })?;
    beside::litellm(&row, text, &mut told.record);
    Ok(told)
}

pub(super) fn record(mut row: Row<'_>) -> Result<Told, Refusal> {
    if let Some(reason) = calls::by_call_type(&row.call_type) {
        return Err(Refusal::NotACall(reason));
    }
    if row.request_tags.has_word(HEALTH_CHECK) || row.api_key == HEALTH_CHECK {
        return Err(Refusal::NotACall("a health check"));
    }
    let at = moment("startTime", &row.start)?;
    let end = maybe_moment("endTime", &row.end)?;
    let first_token = maybe_moment("completionStartTime", &row.first_token)?;
    let says_usage = row.metadata.usage_object.as_ref().is_some_and(|block| block.says_anything());
    let told = [row.metadata.additional_usage_values.take(), row.metadata.usage_object.take()];
    let mut told = told.into_iter().flatten();
    let mut usage = told.next().unwrap_or_default();
    told.for_each(|block| usage.absorb(&block));
    usage.absorb_counts(row.prompt_tokens, row.completion_tokens, row.total_tokens);
    let metadata = &row.metadata;
    let cached_answer = row.request_id.contains("_cache_hit")
        || row.id.contains("_cache_hit")
        || row.cache_hit.eq_ignore_ascii_case("true");
    let failed = [&row.status, &metadata.status].iter().any(|word| *word == "failure");
    let errors = [&metadata.error_information, &row.error_information];
    let status = if failed { failure(&errors, &error(&errors, &row.error_str)) } else { Status::Ok };

    // A failed call's row holds the column defaults of zero: nothing was reported.
    let silent =
        failed && !says_usage && row.prompt_tokens.or_zero() == 0 && row.completion_tokens.or_zero() == 0;
    let claim = [&row.spend, &row.response_cost].into_iter().find(|word| !word.is_empty());
    let counted = match (cached_answer, silent) {
        (true, _) => Counted::NOTHING,
        (_, true) => Counted::default(),
        _ => usage
            .counted()?
            .unless_billed(claim.map_or("", |claim| claim), || calls::is_billed_otherwise(&row.call_type)),
    };

    let mut served = attempt(&row.model, counted, status);
    let answer =
        if cached_answer { None } else { bodies::complete(&row.response, &mut served, &row.model_group) };
    served.provider =
        if cached_answer { Cow::Borrowed("litellm-cache") } else { owned(&row.custom_llm_provider) };
    served.latency_ms = row.request_duration_ms.scaled(1.0).or(millis_between(at, end));
    // Without streaming the "first token" is the whole answer, which tells nothing of it.
    served.ttft_ms = if first_token < end { millis_between(at, first_token) } else { None };
    if failed {
        served.error = Cow::Owned(error(&errors, &row.error_str));
    }

    let mut attempts = Attempts::default();
    let fell_back = metadata.attempted_fallbacks.or_zero() > 0 && !metadata.original_model_group.is_empty();
    if fell_back {
        attempts.push(Attempt {
            model: owned(&metadata.original_model_group),
            usage: Usage::NONE,
            status: Status::Failed,
            error: Cow::Borrowed("fallback"),
            ..Attempt::default()
        });
    }
    attempts.push(served);
    let asked = if fell_back { &metadata.original_model_group } else { &row.model_group };
    let told = row.request_tags.get("project").unwrap_or_default();
    let tags = [&row.request_tags, &metadata.logged, &metadata.requested];
    let tags = tagged::words(&tags, &["project"]);
    let id = first(&[&row.request_id, &row.id]);
    let answer = answer.or_else(|| answer_key(&id));
    let record = Record {
        id,
        at: began(at, end),
        team: first(&[&metadata.user_api_key_team_alias, &row.team_id, &metadata.user_api_key_team_id]),
        project: first(&[&metadata.user_api_key_project_alias, &metadata.user_api_key_project_id, told]),
        user: first(&[
            &row.end_user,
            &metadata.user_api_key_alias,
            &metadata.user_api_key_user_id,
            &row.user,
        ]),
        session: first(&[&row.session_id, &row.trace_id]),
        asked: if *asked == row.model { Cow::Borrowed("") } else { owned(asked) },
        attempts,
        needs: RecordedNeeds { down: tags, ..RecordedNeeds::default() },
        claimed_usd: claim.map(|claim| owned(claim)),
        ..Record::default()
    };
    Ok(Told::of_row(record, answer))
}

/// Returns the code, the class or the words of what went wrong.
fn error(errors: &[&ErrorInformation], said: &str) -> String {
    let mut told = errors.iter().flat_map(|error| [&*error.code, &*error.class]).chain([said]);
    told.find(|word| !word.is_empty()).unwrap_or_default().to_owned()
}

fn failure(errors: &[&ErrorInformation], error: &str) -> Status {
    match status_of(error) {
        Status::Failed => {
            let words = errors.iter().flat_map(|e| [&e.class, &e.message]).map(|word| status_of(word));
            words.into_iter().find(|status| *status != Status::Failed).unwrap_or(Status::Failed)
        }
        known => known,
    }
}
