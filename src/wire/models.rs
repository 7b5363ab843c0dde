//! The list of models: as `GET /v1/models` answers it to clients, and as providers answer it to us.

use bytes::Bytes;

use super::Dialect;
use super::json::{Object, Value, check, object};

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
    let mut out = Vec::with_capacity(64 + models.len() * 96);
    let last = models.last().map(|model| model.id.as_str());
    object(&mut out, |o| match to {
        Dialect::AnthropicMessages => {
            o.array("data", |a| models.iter().for_each(|model| a.object(|o| anthropic(o, model))));
            o.flag("has_more", more);
            o.text_or_null("first_id", models.first().map(|model| model.id.as_str()));
            o.text_or_null("last_id", last);
        }
        Dialect::Gemini | Dialect::GeminiEmbeddings => {
            o.array("models", |a| models.iter().for_each(|model| a.object(|o| gemini(o, model))));
            if let Some(last) = last.filter(|_| more) {
                o.text("nextPageToken", last);
            }
        }
        Dialect::OpenAiChat
        | Dialect::OpenAiResponses
        | Dialect::OpenAiEmbeddings
        | Dialect::OpenAiCompletions => {
            o.text("object", "list");
            o.array("data", |a| models.iter().for_each(|model| a.object(|o| openai(o, model))));
        }
    });
    out.into()
}

/// Writes one model, as `GET /v1/models/ID` answers it.
pub fn model_body(to: Dialect, model: &ModelEntry) -> Bytes {
    let mut out = Vec::with_capacity(96);
    object(&mut out, |o| match to {
        Dialect::AnthropicMessages => anthropic(o, model),
        Dialect::Gemini | Dialect::GeminiEmbeddings => gemini(o, model),
        Dialect::OpenAiChat
        | Dialect::OpenAiResponses
        | Dialect::OpenAiEmbeddings
        | Dialect::OpenAiCompletions => openai(o, model),
    });
    out.into()
}

fn openai(o: &mut Object<'_>, model: &ModelEntry) {
    o.text("id", &model.id);
    o.text("object", "model");
    o.number("created", model.created);
    o.text("owned_by", &model.owner);
}

fn anthropic(o: &mut Object<'_>, model: &ModelEntry) {
    let seconds = i64::try_from(model.created).unwrap_or(0);
    let since = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    o.text("type", "model");
    o.text("id", &model.id);
    o.text("display_name", model.title.as_deref().unwrap_or(&model.id));
    o.text("created_at", &since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
}

fn gemini(o: &mut Object<'_>, model: &ModelEntry) {
    o.text("name", &format!("models/{}", model.id));
    o.text("displayName", model.title.as_deref().unwrap_or(&model.id));
    o.array("supportedGenerationMethods", |a| {
        a.text("generateContent");
        a.text("countTokens");
    });
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
        let does = |methods: Value<'_>| {
            methods
                .items()
                .filter_map(Value::text)
                .any(|name| name == "generateContent" || name == "embedContent")
        };
        let serves = item.get("supportedGenerationMethods").is_none_or(does);
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
