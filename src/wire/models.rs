//! The list of models: as `GET /v1/models` answers it to clients, and as providers answer it to us.

use bytes::Bytes;

use super::Dialect;
use super::json::{Array, Object, Value, body, check, put};

/// The longest name of a model that is taken from a provider's list, in bytes.
const LONGEST: usize = 256;

/// A model on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name to ask for.
    pub id: String,
    /// Who serves it, or `pointsman` for a route.
    pub owner: String,
    /// Since when it is on offer, in seconds since 1970.
    pub created: u64,
    /// What it is called for people, where its provider says so.
    pub title: Option<String>,
}

/// Writes the list in OpenAI's shape, or in Anthropic's or Gemini's for their clients; `more` says that further ones follow
/// on another page.
pub fn models_body(to: Dialect, models: &[ModelEntry], more: bool) -> Bytes {
    let last = models.last().map(|model| &model.id);
    let list = |a: &mut Array<'_>| models.iter().for_each(|model| a.object(|o| write(o, to, model)));
    body(64 + models.len() * 96, |o| match to {
        Dialect::AnthropicMessages => {
            let first = models.first().map(|model| &model.id);
            put!(o, "data": [list], "has_more": more, "first_id": first, "last_id": last);
        }
        Dialect::Gemini | Dialect::GeminiEmbeddings => {
            put!(o, "models": [list], "nextPageToken"?: last.filter(|_| more));
        }
        _ => put!(o, "object": "list", "data": [list]),
    })
    .into()
}

/// Writes one model, as `GET /v1/models/ID` answers it.
pub fn model_body(to: Dialect, model: &ModelEntry) -> Bytes {
    body(96, |o| write(o, to, model)).into()
}

fn write(o: &mut Object<'_>, to: Dialect, model: &ModelEntry) {
    let ModelEntry { id, owner, created, title } = model;
    let title = title.as_ref().unwrap_or(id);
    match to {
        Dialect::AnthropicMessages => {
            let seconds = i64::try_from(*created).unwrap_or(0);
            let since = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
            let since = since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            put!(o, "type": "model", "id": id, "display_name": title, "created_at": &since);
        }
        Dialect::Gemini | Dialect::GeminiEmbeddings => {
            // All that is listed of a model is its name, and those that embed are named so.
            let embeds = id.contains("embed");
            let methods = if embeds {
                ["embedContent", "batchEmbedContents"]
            } else {
                ["generateContent", "countTokens"]
            };
            put!(o, "name": &format!("models/{id}"), "displayName": title);
            put!(o, "supportedGenerationMethods": [for method in methods => method]);
        }
        _ => put!(o, "id": id, "object": "model", "created": *created, "owned_by": owner),
    }
}

/// Reads a provider's list of models, in whichever shape it comes; nothing where it is none. `owner` is the provider.
///
/// Of Gemini's list only models that answer or embed are taken.
pub fn read_models(body: &[u8], owner: &str) -> Option<Vec<ModelEntry>> {
    let root = check(body).ok()?;
    let list = if root.is_array() { root } else { root.get("data").or_else(|| root.get("models"))? };
    let is_sound = |id: &str| !id.is_empty() && id.len() <= LONGEST && id.chars().all(crate::units::is_safe);
    let entry = |item: Value<'_>| {
        let said = item.text_of("id").or_else(|| item.text_of("name"))?;
        let id = said.strip_prefix("models/").unwrap_or(&said);
        let is_supported = |methods: Value<'_>| {
            methods
                .items()
                .filter_map(Value::text)
                .any(|name| name == "generateContent" || name == "embedContent")
        };
        let serves = item.get("supportedGenerationMethods").is_none_or(is_supported);
        let title = item.text_of("display_name").or_else(|| item.text_of("displayName"));
        (serves && is_sound(id)).then(|| ModelEntry {
            id: id.to_owned(),
            owner: owner.to_owned(),
            created: created(item),
            title: title.filter(|title| is_sound(title)).map(std::borrow::Cow::into_owned),
        })
    };
    list.is_array().then(|| list.items().filter_map(entry).collect())
}

/// Reads since when a model is there: seconds, or a date; 0 where nothing is said.
fn created(item: Value<'_>) -> u64 {
    let seconds = item.get("created").and_then(Value::number);
    let date = || {
        let text = item.text_of("created_at")?;
        let date = chrono::DateTime::parse_from_rfc3339(&text).ok()?;
        u64::try_from(date.timestamp()).ok()
    };
    // Further than the year 9999 no date can be written.
    seconds.or_else(date).filter(|&seconds| seconds < 253_402_300_800).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_libraries_find_their_list() {
        let auto = ModelEntry { id: "auto".into(), owner: "pointsman".into(), created: 86_400, title: None };
        let models = [auto];
        assert_eq!(
            models_body(Dialect::OpenAiChat, &models, false),
            r#"{"object":"list","data":[{"id":"auto","object":"model","created":86400,"owned_by":"pointsman"}]}"#
        );
        assert_eq!(
            models_body(Dialect::AnthropicMessages, &models, true),
            r#"{"data":[{"type":"model","id":"auto","display_name":"auto","created_at":"1970-01-02T00:00:00Z"}],"has_more":true,"first_id":"auto","last_id":"auto"}"#
        );
        assert_eq!(
            models_body(Dialect::Gemini, &models, true),
            r#"{"models":[{"name":"models/auto","displayName":"auto","supportedGenerationMethods":["generateContent","countTokens"]}],"nextPageToken":"auto"}"#
        );
        let embeds = models_body(
            Dialect::Gemini,
            &[ModelEntry { id: "text-embedding-3".into(), ..models[0].clone() }],
            false,
        );
        assert!(String::from_utf8_lossy(&embeds).contains(r#"["embedContent","batchEmbedContents"]"#));
        assert_eq!(models_body(Dialect::OpenAiChat, &[], false), r#"{"object":"list","data":[]}"#);
    }

    #[test]
    fn every_providers_list_is_read() {
        let read = |body: &str| {
            let list = read_models(body.as_bytes(), "up")?;
            Some(list.into_iter().map(|model| (model.id, model.created)).collect::<Vec<_>>())
        };
        for (body, id, created) in [
            (
                r#"{"object":"list","data":[{"id":"gpt-x","object":"model","created":7,"owned_by":"openai"}]}"#,
                "gpt-x",
                7,
            ),
            (
                r#"{"data":[{"type":"model","id":"claude-x","display_name":"X","created_at":"1970-01-02T00:00:00Z"}],"has_more":false}"#,
                "claude-x",
                86_400,
            ),
            (
                r#"{"models":[{"name":"models/gemini-x","supportedGenerationMethods":["generateContent"]},{"name":"models/aqa","supportedGenerationMethods":["generateAnswer"]}]}"#,
                "gemini-x",
                0,
            ),
            (
                r#"[{"id":"meta/llama-x","created":0},{"id":"a\u0007b"},{"id":""},{"id":7},null]"#,
                "meta/llama-x",
                0,
            ),
            (r#"{"data":[{"id":"m","created":99999999999999}]}"#, "m", 0),
        ] {
            assert_eq!(read(body), Some(vec![(id.to_owned(), created)]), "{body}");
        }
        for none in ["", "{}", r#"{"error":{"message":"no"}}"#, r#"{"data":7}"#] {
            assert_eq!(read(none), None, "{none}");
        }
    }
}
