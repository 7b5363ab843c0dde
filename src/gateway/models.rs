//! Which models a client may ask for: the list, a page of it, and each by its name.
//!
//! Invariant: what is listed here is served; a name that is served answers, whether it is listed or not.

use std::sync::Arc;

use http::{Response, StatusCode};
use rustc_hash::FxHashSet;

use super::Gateway;
use super::body::Reply;
use super::gate::{pinned, unknown};
use super::paths::{Place, decoded, parameter};
use super::respond::json;
use crate::wire::{ApiError, Dialect, ModelEntry, model_body, models_body};

/// Answers with the list, or with the model that the path names.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    place: &Place<'_>,
    form: Dialect,
    query: Option<&str>,
) -> Result<Response<Reply>, ApiError> {
    let wanted = decoded(place.name);
    if !wanted.is_empty() && pinned(gateway, &wanted).is_err() {
        let message = format!("no model `{wanted}` is served here; GET /v1/models lists what is");
        return Err(unknown(message));
    }
    let listed = list(gateway).await;
    if wanted.is_empty() {
        let (page, more) = page(&listed, form, query)?;
        return Ok(json(StatusCode::OK, models_body(form, page, more)));
    }
    let entry = listed.into_iter().find(|entry| entry.id == wanted).or_else(|| of_model(gateway, &wanted));
    let entry = entry.unwrap_or_else(|| of_route(gateway, wanted));
    Ok(json(StatusCode::OK, model_body(form, &entry)))
}

/// Who owns the names that are routes.
const OURS: &str = "pointsman";

/// Since when the names are on offer whose provider says nothing of that.
fn since(gateway: &Gateway) -> u64 {
    u64::try_from(gateway.started.0 / 1_000_000).unwrap_or(0)
}

fn of_route(gateway: &Gateway, id: String) -> ModelEntry {
    ModelEntry { id, owner: OURS.to_owned(), created: since(gateway), title: None }
}

fn of_model(gateway: &Gateway, model: &str) -> Option<ModelEntry> {
    Some(ModelEntry { created: since(gateway), ..gateway.providers.entry(model)? })
}

/// Lists `auto` and the routes, the models of the policy, then what providers offer besides, each once.
async fn list(gateway: &Gateway) -> Vec<ModelEntry> {
    let (models, names) = gateway.live.offered();
    let book = gateway.live.book();
    let known = book.models.keys().chain(book.aliases.keys()).map(String::as_str);
    let mut offered = gateway.providers.offered(known).await;
    offered.iter_mut().filter(|entry| entry.created == 0).for_each(|entry| entry.created = since(gateway));
    let mut listed: Vec<ModelEntry> = names.into_iter().map(|name| of_route(gateway, name)).collect();
    for model in models {
        let known = offered.iter().find(|entry| entry.id == model).cloned();
        // One that nobody serves is listed all the same: its route escalates past it.
        let known = known.or_else(|| of_model(gateway, &model));
        listed.push(known.unwrap_or_else(|| ModelEntry { owner: String::new(), ..of_route(gateway, model) }));
    }
    listed.extend(offered);
    let mut seen = FxHashSet::default();
    listed.retain(|entry| seen.insert(entry.id.clone()));
    listed
}

/// Returns the page that a client asks for, and whether more follow: all of it, unless it says how many it wants.
fn page<'e>(
    all: &'e [ModelEntry],
    form: Dialect,
    query: Option<&str>,
) -> Result<(&'e [ModelEntry], bool), ApiError> {
    let (size, after, before) = match form {
        Dialect::AnthropicMessages => ("limit", "after_id", "before_id"),
        Dialect::Gemini => ("pageSize", "pageToken", ""),
        _ => return Ok((all, false)),
    };
    let invalid = |name: &str, message: String| ApiError::invalid(message).at(name);
    let place = |name: &str| match parameter(query, name).filter(|id| !id.is_empty()) {
        None => Ok(None),
        Some(id) => match all.iter().position(|entry| entry.id == id) {
            Some(at) => Ok(Some(at)),
            None => Err(invalid(name, format!("{name}: no such model is listed"))),
        },
    };
    let most = match parameter(query, size) {
        None => all.len(),
        Some(text) => match text.parse() {
            Ok(most) if most > 0 => most,
            _ => return Err(invalid(size, format!("{size}: has to be a whole number from 1 on"))),
        },
    };
    let from = place(after)?.map_or(0, |at| at + 1);
    if let Some(end) = place(before)? {
        let start = end.saturating_sub(most).max(from);
        return Ok((all.get(start..end).unwrap_or_default(), start > from));
    }
    let end = from.saturating_add(most).min(all.len());
    Ok((all.get(from..end).unwrap_or_default(), end < all.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let all: Vec<ModelEntry> = ["a", "b", "c", "d", "e"]
            .map(|id| ModelEntry { id: id.into(), owner: String::new(), created: 0, title: None })
            .into();
        let of = |form, query| {
            let (page, more) = page(&all, form, query).unwrap();
            (page.iter().map(|entry| entry.id.as_str()).collect::<String>(), more)
        };
        let (anthropic, gemini) = (Dialect::AnthropicMessages, Dialect::Gemini);
        for (form, query, ids, more) in [
            (anthropic, None, "abcde", false),
            (anthropic, Some("limit=2"), "ab", true),
            (anthropic, Some("limit=2&after_id=b"), "cd", true),
            (anthropic, Some("after_id=d&limit=2"), "e", false),
            (anthropic, Some("before_id=d&limit=2"), "bc", true),
            (anthropic, Some("before_id=b"), "a", false),
            (gemini, Some("pageSize=3"), "abc", true),
            (gemini, Some("pageSize=3&pageToken=c"), "de", false),
            (Dialect::OpenAiChat, Some("limit=1"), "abcde", false),
        ] {
            assert_eq!(of(form, query), (ids.to_owned(), more), "{query:?}");
        }
        for wrong in ["limit=0", "limit=x", "after_id=z"] {
            assert!(page(&all, anthropic, Some(wrong)).is_err(), "{wrong}");
        }
    }
}
