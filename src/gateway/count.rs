//! How many tokens a request has that is not to be answered: as the provider counts that would get it, else an estimate.
//!
//! Invariant: a count is no call: it costs nothing, and neither ledger nor log hears of it.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Gateway;
use super::arriving::arriving;
use super::body::Reply;
use super::gate::{let_in, pinned};
use super::headers::COUNT;
use super::respond::json;
use super::stored;
use crate::access::Caller;
use crate::session::Arriving;
use crate::wire::{ApiError, Ask, Dialect, Sending};

/// A number of tokens, and who counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) tokens: u64,
    /// Whether the provider counted; else it is an estimate.
    pub(super) by_provider: bool,
}

/// Answers a client in its own form.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    ask: &Ask,
    headers: &HeaderMap,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    // What a request leans on is part of what is counted, and not everybody's.
    stored::check(gateway, ask, pinned(gateway, ask.model())?, caller).await?;
    let counted = tokens(gateway, ask, headers, caller).await?;
    let tokens = counted.tokens;
    let body = match ask.dialect() {
        Dialect::Gemini => format!("{{\"totalTokens\":{tokens}}}"),
        Dialect::OpenAiResponses => {
            format!("{{\"object\":\"response.input_tokens\",\"input_tokens\":{tokens}}}")
        }
        _ => format!("{{\"input_tokens\":{tokens}}}"),
    };
    let mut response = json(StatusCode::OK, body);
    sign(response.headers_mut(), counted);
    Ok(response)
}

/// Says in an answer's headers who counted.
pub(super) fn sign(into: &mut HeaderMap, counted: Counted) {
    into.insert(COUNT, HeaderValue::from_static(if counted.by_provider { "provider" } else { "estimate" }));
}

/// Counts the tokens of a request.
///
/// # Errors
/// Where the gateway takes no requests in.
pub(super) async fn tokens(
    gateway: &Arc<Gateway>,
    ask: &Ask,
    headers: &HeaderMap,
    caller: &Caller,
) -> Result<Counted, ApiError> {
    let _place = let_in(gateway)?;
    let by_provider = by_provider(gateway, ask, headers, caller).await;
    let estimate = || Counted { tokens: ask.measures().estimated_prompt_tokens, by_provider: false };
    Ok(by_provider.map_or_else(estimate, |tokens| Counted { tokens, by_provider: true }))
}

async fn by_provider(gateway: &Arc<Gateway>, ask: &Ask, headers: &HeaderMap, caller: &Caller) -> Option<u64> {
    let pinned = pinned(gateway, ask.model()).ok()?;
    let tags = gateway.tags(headers, caller, ask.user());
    let arriving = Arriving { pinned, ..arriving(gateway, ask, &tags, caller) };
    let model = gateway.live.would_send(&arriving);
    let target = gateway.providers.target(&model).filter(|target| !target.simulated())?;
    let dialect = target.dialect_for(ask.dialect())?;
    let sending = Sending { default_max_output: gateway.settings.max_output_default, ..Sending::default() };
    let body = ask.body_for(dialect, target.upstream(), &sending).ok()?.body;
    let body = gateway.budget.tie(body);
    gateway.providers.count(&target, dialect, &body, headers).await
}
