//! What a row of LiteLLM's or a payload says, and what is made of it.
//!
//! Invariant: the record of a row is the same, whichever reader took it apart.

use std::borrow::Cow;

use serde::Deserialize;

use crate::pricing::Usage;
use crate::record::foreign::bodies::{self, Body};
use crate::record::foreign::fields::{attempt, maybe_moment, millis_between, moment, status_of};
use crate::record::foreign::tagged::{self, Tags, TagsOf};
use crate::record::foreign::{beside, calls};
use crate::record::json::{self, Embedded, Measure, Num, Word, maybe, nullable};
use crate::record::known::{Told, answer_key, id_of};
use crate::record::skip::Refusal;
use crate::record::usage::{Counted, OpenAiUsage};
use crate::record::{Attempt, Attempts, Record, RecordedNeeds};
use crate::routing::Status;

/// What LiteLLM puts as key and tag of the calls that only look whether a model answers.
const HEALTH_CHECK: &str = "litellm-internal-health-check";

/// Makes two of an object: one that forgives whatever writers do, and one whose words may stand in the line still.
macro_rules! row {
    ($(#[$meta:meta])* $row:ident of $loose:ident {
        $($(#[$of_word:meta])* $word:ident,)*;
        $($(#[$of_rest:meta])* $rest:ident: $written:ty => $read:ty,)*
    }) => {
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default)]
        struct $loose {
            $($(#[$of_word])* $word: Word,)*
            $($(#[$of_rest])* $rest: $written,)*
        }

        $(#[$meta])*
        #[derive(Default)]
        pub(super) struct $row<'r> {
            $(pub(super) $word: Cow<'r, str>,)*
            $(pub(super) $rest: $read,)*
        }

        impl From<$loose> for $row<'_> {
            fn from(row: $loose) -> Self {
                Self { $($word: row.$word.0.into(),)* $($rest: row.$rest.into(),)* }
            }
        }
    };
}

row! {
    /// The keys that rows and payloads share, under the names of either.
    Row of LooseRow {
        request_id,
        id,
        trace_id,
        session_id,
        call_type,
        api_key,
        spend,
        response_cost,
        #[serde(rename = "startTime")]
        start,
        #[serde(rename = "endTime")]
        end,
        #[serde(rename = "completionStartTime")]
        first_token,
        model,
        model_group,
        custom_llm_provider,
        user,
        end_user,
        team_id,
        cache_hit,
        status,
        error_str,;
        prompt_tokens: Num => Num,
        completion_tokens: Num => Num,
        total_tokens: Num => Num,
        request_duration_ms: Measure => Measure,
        metadata: Embedded<LooseMetadata> => Metadata<'r>,
        request_tags: Tags => TagsOf<'r>,
        #[serde(deserialize_with = "nullable")]
        error_information: ErrorInformation => ErrorInformation,
        response: Body => Cow<'r, str>,
    }
}

row! {
    Metadata of LooseMetadata {
        user_api_key_alias,
        user_api_key_team_alias,
        user_api_key_team_id,
        user_api_key_user_id,
        user_api_key_project_alias,
        user_api_key_project_id,
        status,
        original_model_group,;
        #[serde(deserialize_with = "nullable")]
        error_information: ErrorInformation => ErrorInformation,
        // Blocks are large, and what is read is moved from level to level.
        #[serde(deserialize_with = "maybe")]
        usage_object: Option<Box<OpenAiUsage>> => Option<Box<OpenAiUsage>>,
        #[serde(deserialize_with = "maybe")]
        additional_usage_values: Option<Box<OpenAiUsage>> => Option<Box<OpenAiUsage>>,
        attempted_fallbacks: Num => Num,
        #[serde(rename = "spend_logs_metadata")]
        logged: Tags => Tags,
        #[serde(rename = "requester_metadata")]
        requested: Tags => Tags,
    }
}

impl From<Embedded<LooseMetadata>> for Metadata<'_> {
    fn from(Embedded(metadata): Embedded<LooseMetadata>) -> Self {
        metadata.into()
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ErrorInformation {
    #[serde(rename = "error_code")]
    code: Word,
    #[serde(rename = "error_class")]
    class: Word,
    #[serde(rename = "error_message")]
    message: Word,
}

/// Reads what is not plain, each part by itself.
pub(super) fn forgiving(text: &str) -> Result<Told, Refusal> {
    let row: LooseRow = json::read(text).map_err(Refusal::Bad)?;
    let mut told = record(row.into())?;
    beside::litellm(text, &mut told.record);
    Ok(told)
}

/// Returns the first word that says something.
fn first<'w, 'r>(words: impl IntoIterator<Item = &'w Cow<'r, str>>) -> Cow<'static, str>
where
    'r: 'w,
{
    words.into_iter().find(|word| !word.is_empty()).map_or(Cow::Borrowed(""), |word| kept(word))
}

/// Returns a word that outlives its line.
fn kept(word: &str) -> Cow<'static, str> {
    if word.is_empty() { Cow::Borrowed("") } else { Cow::Owned(word.to_owned()) }
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

    let mut served = attempt(row.model.as_ref().to_owned(), counted, status);
    let answer =
        if cached_answer { None } else { bodies::complete(&row.response, &mut served, &row.model_group) };
    served.provider =
        if cached_answer { Cow::Borrowed("litellm-cache") } else { kept(&row.custom_llm_provider) };
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
            model: kept(&metadata.original_model_group),
            usage: Usage::NONE,
            status: Status::Failed,
            error: Cow::Borrowed("fallback"),
            ..Attempt::default()
        });
    }
    attempts.push(served);
    let asked = if fell_back { &metadata.original_model_group } else { &row.model_group };
    let told = Cow::Borrowed(row.request_tags.get("project").unwrap_or_default());
    let project = [&metadata.user_api_key_project_alias, &metadata.user_api_key_project_id, &told];
    let tags = [&row.request_tags, &metadata.logged, &metadata.requested];
    let tags = tagged::words(&tags, &["project"]);
    let users = [&row.end_user, &metadata.user_api_key_alias, &metadata.user_api_key_user_id, &row.user];
    let id = first([&row.request_id, &row.id]);
    let keys = [id_of(&[&id]), answer.or_else(|| answer_key(&id))];
    let record = Record {
        id,
        at,
        team: first([&metadata.user_api_key_team_alias, &row.team_id, &metadata.user_api_key_team_id]),
        project: first(project),
        user: first(users),
        session: first([&row.session_id, &row.trace_id]),
        asked: if *asked == row.model { Cow::Borrowed("") } else { kept(asked) },
        attempts,
        needs: RecordedNeeds { down: tags, ..RecordedNeeds::default() },
        claimed_usd: claim.map(|claim| kept(claim)),
        ..Record::default()
    };
    Ok(Told { record: record.into(), keys, nested: None, open: None })
}

/// Returns the code, the class or the words of what went wrong.
fn error(errors: &[&ErrorInformation], said: &str) -> String {
    let told = Word::first(errors.iter().flat_map(|error| [&error.code, &error.class]));
    if told.is_empty() { said.to_owned() } else { told }
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
