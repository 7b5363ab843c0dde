//! Rows as LiteLLM writes nearly all of them, read in one walk that looks at each byte once.
//!
//! Invariant: it gives just what the forgiving readers would, or declines; whatever is unusual or wrong is declined.

use std::borrow::Cow;

use super::row::{Metadata, Row, record};
use crate::record::cursor::{Cursor, names};
use crate::record::foreign::beside::{
    Around, Breakdown, Hidden, LiteLlm, embedded_tier, is_charge, serve_asked,
};
use crate::record::foreign::bodies::body;
use crate::record::foreign::tagged::{Tags, TagsOf};
use crate::record::json::{self, Measure};
use crate::record::known::Told;
use crate::record::skip::Refusal;
use crate::record::usage::{OpenAiUsage, Plainly};
use crate::record::value::{FromValue, Value};

names! {
    RowKey {
        RequestId "request_id", Id "id", TraceId "trace_id", SessionId "session_id", CallType "call_type",
        ApiKey "api_key", Spend "spend", ResponseCost "response_cost", PromptTokens "prompt_tokens",
        CompletionTokens "completion_tokens", TotalTokens "total_tokens", Start "startTime", End "endTime",
        FirstToken "completionStartTime", Duration "request_duration_ms", Model "model", ModelGroup "model_group",
        Provider "custom_llm_provider", User "user", EndUser "end_user", TeamId "team_id", CacheHit "cache_hit",
        Status "status", Metadata "metadata", RequestTags "request_tags", ErrorInformation "error_information",
        ErrorStr "error_str", ModelParameters "model_parameters",
        Response "response", RawResponse "raw_response", ResponseBody "response_body",
        Request "request", RawRequest "raw_request", RequestBody "request_body", Proxied "proxy_server_request",
    }
}

names! {
    MetadataKey {
        Alias "user_api_key_alias", TeamAlias "user_api_key_team_alias", TeamId "user_api_key_team_id",
        UserId "user_api_key_user_id", ProjectAlias "user_api_key_project_alias",
        ProjectId "user_api_key_project_id", Status "status", ErrorInformation "error_information",
        Usage "usage_object", More "additional_usage_values", Fallbacks "attempted_fallbacks",
        OriginalGroup "original_model_group", Logged "spend_logs_metadata", Requested "requester_metadata",
    }
}

names! {
    /// What may stand in a row or in its metadata.
    AroundKey {
        Tier "service_tier", Breakdown "cost_breakdown", Hidden "hidden_params", Optional "optional_params",
        Usage "usage_object", ApiBase "api_base",
    }
}

/// Reads a row; nothing where it is not plain.
pub(super) fn row(text: &str) -> Option<Result<Told, Refusal>> {
    let within;
    let (mut row, mut beside) = (Row::default(), LiteLlm::default());
    let (mut metadata, mut asked, mut answer) = (None, None, None);
    let (mut seen, mut seen_around) = (0, 0);
    let mut cursor = Cursor::new(text);
    cursor.members(|cursor, name| {
        let Some(key) = RowKey::of(name) else {
            return around(cursor, name, &mut beside.row, &mut seen_around);
        };
        once(&mut seen, key as u32)?;
        match key {
            RowKey::RequestId => row.request_id = word(cursor)?,
            RowKey::Id => row.id = word(cursor)?,
            RowKey::TraceId => row.trace_id = word(cursor)?,
            RowKey::SessionId => row.session_id = word(cursor)?,
            RowKey::CallType => row.call_type = word(cursor)?,
            RowKey::ApiKey => row.api_key = word(cursor)?,
            RowKey::Spend => row.spend = word(cursor)?,
            RowKey::ResponseCost => row.response_cost = word(cursor)?,
            RowKey::PromptTokens => row.prompt_tokens.plainly(cursor)?,
            RowKey::CompletionTokens => row.completion_tokens.plainly(cursor)?,
            RowKey::TotalTokens => row.total_tokens.plainly(cursor)?,
            RowKey::Start => row.start = word(cursor)?,
            RowKey::End => row.end = word(cursor)?,
            RowKey::FirstToken => row.first_token = word(cursor)?,
            RowKey::Duration => row.request_duration_ms = Measure::of(&word(cursor)?),
            RowKey::Model => row.model = word(cursor)?,
            RowKey::ModelGroup => row.model_group = word(cursor)?,
            RowKey::Provider => row.custom_llm_provider = word(cursor)?,
            RowKey::User => row.user = word(cursor)?,
            RowKey::EndUser => row.end_user = word(cursor)?,
            RowKey::TeamId => row.team_id = word(cursor)?,
            RowKey::CacheHit => row.cache_hit = word(cursor)?,
            RowKey::Status => row.status = word(cursor)?,
            RowKey::RequestTags => row.request_tags = tags(cursor)?,
            RowKey::ErrorInformation => row.error_information = told(cursor)?,
            RowKey::ErrorStr => row.error_str = word(cursor)?,
            RowKey::ModelParameters => {
                beside.model_parameters = embedded_tier(Value::of(cursor.value()?)).ok()?;
            }
            RowKey::Metadata if cursor.peek() == Some(b'{') => {
                about(cursor, &mut row.metadata, &mut beside.metadata)?;
            }
            RowKey::Metadata => metadata = Some(cursor.value()?),
            RowKey::Response | RowKey::RawResponse | RowKey::ResponseBody => {
                let is_first = answer.is_none();
                let raw = cursor.value()?;
                answer = is_first.then_some(Some(raw))?;
                if matches!(key, RowKey::Response) {
                    row.response = body(Value::of(raw));
                    beside.response = embedded_tier(Value::of(raw)).ok()?;
                }
            }
            RowKey::Request | RowKey::RawRequest | RowKey::RequestBody | RowKey::Proxied => {
                let is_first = asked.is_none();
                asked = is_first.then_some(Some(cursor.value()?))?;
            }
        }
        Some(())
    })?;
    end(&mut cursor)?;
    match metadata {
        None | Some("null") => {}
        // JSON within text, as dumps of databases have it.
        Some(raw) if raw.starts_with('"') => {
            within = json::read::<String>(raw).ok()?;
            if !matches!(within.trim(), "" | "null") {
                let mut cursor = Cursor::new(&within);
                cursor.blank();
                about(&mut cursor, &mut row.metadata, &mut beside.metadata)?;
                end(&mut cursor)?;
            }
        }
        Some(_) => return None,
    }
    let told = record(row);
    Some(told.map(|mut told| {
        beside.tell(&mut told.record, |terms| {
            let bodies = [asked, answer].map(Option::unwrap_or_default);
            bodies.iter().any(|raw| raw.contains("tier")) && {
                let [request, response] = bodies.map(|raw| body(Value::of(raw)));
                serve_asked(&request, &response, terms)
            }
        });
        told
    }))
}

/// Walks metadata.
fn about<'a>(cursor: &mut Cursor<'a>, metadata: &mut Metadata<'a>, beside: &mut Around) -> Option<()> {
    let (mut seen, mut seen_around) = (0, 0);
    cursor.members(|cursor, name| {
        let Some(key) = MetadataKey::of(name) else {
            return around(cursor, name, beside, &mut seen_around);
        };
        once(&mut seen, key as u32)?;
        match key {
            MetadataKey::Alias => metadata.user_api_key_alias = word(cursor)?,
            MetadataKey::TeamAlias => metadata.user_api_key_team_alias = word(cursor)?,
            MetadataKey::TeamId => metadata.user_api_key_team_id = word(cursor)?,
            MetadataKey::UserId => metadata.user_api_key_user_id = word(cursor)?,
            MetadataKey::ProjectAlias => metadata.user_api_key_project_alias = word(cursor)?,
            MetadataKey::ProjectId => metadata.user_api_key_project_id = word(cursor)?,
            MetadataKey::Status => metadata.status = word(cursor)?,
            MetadataKey::ErrorInformation => metadata.error_information = told(cursor)?,
            MetadataKey::Usage => {
                usage(cursor, &mut metadata.usage_object)?;
                if let Some(usage) = &metadata.usage_object {
                    beside.usage_object = usage.tier();
                }
            }
            MetadataKey::More => usage(cursor, &mut metadata.additional_usage_values)?,
            MetadataKey::Fallbacks => metadata.attempted_fallbacks.plainly(cursor)?,
            MetadataKey::OriginalGroup => metadata.original_model_group = word(cursor)?,
            MetadataKey::Logged => metadata.logged = told(cursor)?,
            MetadataKey::Requested => metadata.requested = told(cursor)?,
        }
        Some(())
    })
}

/// Reads what may stand in a row or in its metadata, and passes over what nobody looks at.
fn around(cursor: &mut Cursor<'_>, name: &str, beside: &mut Around, seen: &mut u64) -> Option<()> {
    let Some(key) = AroundKey::of(name) else { return cursor.skip() };
    once(seen, key as u32)?;
    match key {
        AroundKey::Tier => beside.service_tier.plainly(cursor)?,
        AroundKey::Breakdown if cursor.peek() == Some(b'{') => costs(cursor, &mut beside.cost_breakdown)?,
        AroundKey::Breakdown => {
            beside.cost_breakdown = Breakdown::from_value(Value::of(cursor.value()?)).ok()?;
        }
        AroundKey::Hidden => beside.hidden_params = Hidden::from_value(Value::of(cursor.value()?)).ok()?,
        AroundKey::Optional => beside.optional_params = embedded_tier(Value::of(cursor.value()?)).ok()?,
        AroundKey::Usage => beside.usage_object = embedded_tier(Value::of(cursor.value()?)).ok()?,
        AroundKey::ApiBase => beside.api_base = word(cursor)?.into_owned(),
    }
    Some(())
}

/// Reads what a call came to, of which little is looked at.
fn costs(cursor: &mut Cursor<'_>, costs: &mut Breakdown) -> Option<()> {
    let mut seen = 0;
    cursor.members(|cursor, name| match name {
        "tool_usage_cost" => {
            once(&mut seen, 0)?;
            costs.is_tool_charged = is_charge(&word(cursor)?);
            Some(())
        }
        "service_tier" => {
            once(&mut seen, 1)?;
            costs.service_tier.plainly(cursor)
        }
        _ => cursor.skip(),
    })
}

/// Declines what comes twice.
fn once(seen: &mut u64, key: u32) -> Option<()> {
    let is_first = *seen & 1 << key == 0;
    *seen |= 1 << key;
    is_first.then_some(())
}

fn end(cursor: &mut Cursor<'_>) -> Option<()> {
    cursor.blank();
    cursor.is_at_end().then_some(())
}

/// Reads whatever stands there as one word; lists and objects count as not said.
fn word<'a>(cursor: &mut Cursor<'a>) -> Option<Cow<'a, str>> {
    if cursor.peek()? == b'"' {
        return cursor.text_or_escaped(|raw| json::read(raw).ok());
    }
    let raw = cursor.value()?;
    match raw.as_bytes().first()? {
        b't' | b'f' => Some(raw.into()),
        b'0'..=b'9' => number(raw),
        b'-' => None,
        _ => Some(Cow::Borrowed("")),
    }
}

/// Returns a number as it prints, which is as it stands there where it is short.
fn number(raw: &str) -> Option<Cow<'_, str>> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_short = match raw.split_once('.') {
        None => digits(raw),
        Some((whole, fraction)) => digits(whole) && digits(fraction) && !fraction.ends_with('0'),
    };
    if is_short && raw.len() <= 16 {
        return Some(raw.into());
    }
    let is_real = raw.contains(['.', 'e', 'E']);
    let value = raw.parse().ok().filter(|value: &f64| is_real && value.is_finite())?;
    Some(value.to_string().into())
}

/// Reads a block of usage; one that says nothing at all is none.
fn usage(cursor: &mut Cursor<'_>, usage: &mut Option<Box<OpenAiUsage>>) -> Option<()> {
    if cursor.peek()? == b'n' {
        return cursor.skip();
    }
    let (mut ahead, mut says) = (*cursor, false);
    ahead.members(|ahead, _| {
        says |= ahead.peek()? != b'n';
        if says { None } else { ahead.skip() }
    });
    let mut block = Box::<OpenAiUsage>::default();
    block.plainly(cursor)?;
    *usage = says.then_some(block);
    Some(())
}

fn tags<'a>(cursor: &mut Cursor<'a>) -> Option<TagsOf<'a>> {
    if cursor.peek()? != b'[' {
        return told::<Tags>(cursor);
    }
    let mut words = Vec::new();
    cursor.items(|cursor| {
        words.push(word(cursor)?);
        Some(())
    })?;
    Some(TagsOf::of_words(words))
}

/// Reads a value of which little is looked at, by its forgiving reader.
fn told<T: FromValue + Default>(cursor: &mut Cursor<'_>) -> Option<T> {
    Value::of(cursor.value()?).maybe().ok().map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::{Index, subsequence};

    /// Says whether a row is plain; one that is comes out as the forgiving readers have it.
    fn is_plain(text: &str) -> bool {
        let Some(plain) = row(text) else { return false };
        assert_eq!(
            format!("{plain:?}"),
            format!("{:?}", crate::record::foreign::litellm::row::forgiving(text)),
            "{text}"
        );
        true
    }

    const USAGE: &str = r#"{"prompt_tokens":30,"completion_tokens":7,"total_tokens":37,"service_tier":"flex","prompt_tokens_details":{"cached_tokens":12,"audio_tokens":0,"odd_tokens":3}}"#;
    const METADATA: &str = r#"{"user_api_key_alias":"ci","user_api_key_team_alias":null,"user_api_key_project_id":7,"status":"success","usage_object":{"prompt_tokens":30,"completion_tokens":7},"additional_usage_values":{"prompt_tokens_details":null},"cost_breakdown":{"tool_usage_cost":0.01},"error_information":null,"attempted_fallbacks":1,"original_model_group":"big","requester_metadata":{"env":"prod"},"hidden_params":{"batch_models":["a","b"],"api_base":"https://x.azure.com"}}"#;

    #[test]
    fn what_litellm_writes_is_plain() {
        let row = format!(
            r#"{{"request_id":"chatcmpl-1","call_type":"acompletion","spend":0.018124,"prompt_tokens":30,"completion_tokens":7,"startTime":"2026-05-01T00:00:00Z","endTime":"2026-05-01T00:00:02.5Z","model":"gpt-4.1","api_base":"https://api.openai.com/v1/","metadata":{METADATA},"cache_hit":"False","request_tags":["User-Agent: x","project:search"],"messages":{{}},"response":{{}},"proxy_server_request":{{"service_tier":"flex"}}}}"#
        );
        assert!(is_plain(&row));
        assert!(is_plain(&row.replace(',', " ,\n ").replace(':', ": ")));
        assert!(is_plain(&row.replace("gpt-4.1", "gpt-\\u0034.1")));
        let dumped = row.replace(METADATA, &serde_json::to_string(METADATA).unwrap());
        assert!(is_plain(&dumped), "{dumped}");
        for wrong in [
            row.replace("\"model\":", "\"model\":\"twice\",\"model\":"),
            row.replace(":30,", ":-30,"),
            row.replace(":30,", ":30.5,"),
            row.replace("\"messages\":{}", "\"messages\":{]"),
            format!("{row}x"),
        ] {
            assert!(!is_plain(&wrong), "{wrong}");
        }
    }

    proptest! {
        /// A row means the same whichever way it is read.
        #[test]
        fn plain_and_forgiving_readers_agree(
            keys in subsequence((0..30usize).collect::<Vec<_>>(), 0..16),
            picks in proptest::collection::vec(any::<Index>(), 16),
        ) {
            let names = [
                "request_id", "id", "call_type", "api_key", "spend", "response_cost", "prompt_tokens", "completion_tokens",
                "total_tokens", "endTime", "completionStartTime", "request_duration_ms", "model", "model_group",
                "custom_llm_provider", "user", "team_id", "cache_hit", "status", "metadata", "request_tags",
                "error_information", "error_str", "model_parameters", "response", "proxy_server_request", "service_tier",
                "usage_object", "hidden_params", "api_base",
            ];
            let values = [
                "null", "\"\"", "\"gpt-4.1\"", "\"a\\u00e9\\\"b\"", "12", "0", "0.50", "1e-3", "12345678901234567890", "-4", "true", "{}",
                "[]", "[\"a:b\",3,null,[1]]", "\"2026-05-01T00:00:02Z\"", "\"failure\"", "{\"service_tier\":\"priority\"}",
                "\"{\\\"service_tier\\\": \\\"flex\\\"}\"", "{\"error_code\":\"429\",\"error_message\":null}", USAGE, METADATA,
                "\"https://api.groq.com/v1\"", "{\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":1},\"model\":\"gpt-4.1-mini\",\"choices\":[]}",
            ];
            let mut text = String::from("{\"startTime\":\"2026-05-01T00:00:00Z\"");
            for (key, pick) in keys.into_iter().zip(picks) {
                text += &[",\"", names[key], "\":", values[pick.index(values.len())]].concat();
            }
            is_plain(&(text + "}"));
        }
    }
}
