//! The list of models, as `GET /v1/models` answers it.

use bytes::Bytes;

use super::Dialect;
use super::json::object;

/// A model on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name to ask for.
    pub id: String,
    /// Who makes it, or `pointsman` for a route.
    pub owner: String,
    /// Since when it is on offer, in seconds since 1970.
    pub created: u64,
}

/// Writes the list in OpenAI's shape, or in Anthropic's or Gemini's for their clients.
pub fn models_body(to: Dialect, models: &[ModelEntry]) -> Bytes {
    let mut out = Vec::with_capacity(64 + models.len() * 96);
    object(&mut out, |o| match to {
        Dialect::AnthropicMessages => {
            o.array("data", |a| models.iter().for_each(|model| a.object(|o| anthropic(o, model))));
            o.flag("has_more", false);
            o.text_or_null("first_id", models.first().map(|model| model.id.as_str()));
            o.text_or_null("last_id", models.last().map(|model| model.id.as_str()));
        }
        Dialect::Gemini => o.array("models", |a| {
            for model in models {
                a.object(|o| {
                    o.text("name", &format!("models/{}", model.id));
                    o.text("displayName", &model.id);
                });
            }
        }),
        Dialect::OpenAiChat | Dialect::OpenAiResponses | Dialect::OpenAiEmbeddings => {
            o.text("object", "list");
            o.array("data", |a| models.iter().for_each(|model| a.object(|o| openai(o, model))));
        }
    });
    out.into()
}

/// Writes one model, as `GET /v1/models/ID` answers it.
pub fn model_body(to: Dialect, model: &ModelEntry) -> Bytes {
    let mut out = Vec::with_capacity(96);
    object(
        &mut out,
        |o| if to == Dialect::AnthropicMessages { anthropic(o, model) } else { openai(o, model) },
    );
    out.into()
}

fn openai(o: &mut super::json::Object<'_>, model: &ModelEntry) {
    o.text("id", &model.id);
    o.text("object", "model");
    o.number("created", model.created);
    o.text("owned_by", &model.owner);
}

fn anthropic(o: &mut super::json::Object<'_>, model: &ModelEntry) {
    let seconds = i64::try_from(model.created).unwrap_or(0);
    let since = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    o.text("type", "model");
    o.text("id", &model.id);
    o.text("display_name", &model.id);
    o.text("created_at", &since.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_libraries_find_their_list() {
        let models = [ModelEntry { id: "auto".into(), owner: "pointsman".into(), created: 86_400 }];
        assert_eq!(
            models_body(Dialect::OpenAiChat, &models),
            r#"{"object":"list","data":[{"id":"auto","object":"model","created":86400,"owned_by":"pointsman"}]}"#
        );
        assert_eq!(
            models_body(Dialect::AnthropicMessages, &models),
            r#"{"data":[{"type":"model","id":"auto","display_name":"auto","created_at":"1970-01-02T00:00:00Z"}],"has_more":false,"first_id":"auto","last_id":"auto"}"#
        );
        assert_eq!(models_body(Dialect::OpenAiChat, &[]), r#"{"object":"list","data":[]}"#);
    }
}
