//! Every request comes through here, whatever its path: which endpoint it means, and which form the answer has.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, EXPECT, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::Body as _;

use super::arriving::arriving;
use super::body::Reply;
use super::cors::{self, Visit};
use super::gate::{admit, let_in, may_enter, nobody_serves, pinned};
use super::intake::{CODINGS, collect, spill};
use super::paths::{self, Endpoint, Place};
use super::respond::{json, refuse, text};
use super::socket::Sending;
use super::{
    Gateway, IDENTITY, alerts, automations, corrections, count, feed, feedback, large, metrics, missed,
    models, posted, rollouts, run, runaways, spending, steering, stored,
};
use crate::access::{Caller, presented};
use crate::config::gateway::WhenFailing;
use crate::routing::AUTO;
use crate::session::Arriving;
use crate::wire::{ApiError, Ask, Dialect, ErrorKind, WireError};

/// The most header lines of a request over HTTP/1.1; over HTTP/2 their size alone counts.
const MOST_LINES: usize = 100;

/// A request whose path and headers are understood.
struct Asked<'u> {
    place: Place<'u>,
    uri: &'u Uri,
    method: Method,
    headers: HeaderMap,
    visit: Visit,
}

/// Answers one request.
pub(super) async fn handle(gateway: Arc<Gateway>, request: Request<Sending>) -> Response<Reply> {
    let (head, mut body) = request.into_parts();
    let http::request::Parts { uri, method, version, mut headers, .. } = head;
    // Over HTTP/2, and where a proxy is asked, the host stands in the address.
    if let Some(host) = uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        headers.append(HOST, host);
    }
    let place = paths::place(uri.path());
    if place.gemini && presented(&headers).is_none() {
        present_key_of(&uri, &mut headers);
    }
    let form = place.form(&headers);
    // Who asks before sending sends nothing to an answer that refuses.
    let asks_first = headers.contains_key(EXPECT);
    // An operator's order that cannot be carried out, or a console's question what it may do, is no request of the traffic.
    let may_be_order = place.endpoint.is_operators();
    let visit = cors::visit(&gateway.settings.cors, &place, &headers);
    let asked = Asked { place, uri: &uri, method, headers, visit: visit.clone() };
    let served = match too_large(&asked.headers, version, gateway.settings.limits.headers) {
        Some(error) => Err(error),
        None => serve(&gateway, asked, &mut body).await,
    };
    if served.as_ref().is_err_and(|error| error.status != 408) && !asks_first && !body.is_end_stream() {
        spill(&gateway, &mut body).await;
    }
    let mut response = served.unwrap_or_else(|error| {
        if !may_be_order || matches!(error.status, 401 | 403) {
            gateway.turned_away.count(error.status);
        }
        let mut response = refuse(form, &error);
        match error.status {
            405 => response.headers_mut().insert(ALLOW, HeaderValue::from_static(place.methods())),
            415 => response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(CODINGS)),
            _ => None,
        };
        response
    });
    visit.sign(response.headers_mut());
    response
}

/// Refuses headers that are too large. Of HTTP/1 the connection's buffer bounds them before they are read.
fn too_large(headers: &HeaderMap, version: Version, most: usize) -> Option<ApiError> {
    // What HTTP/2 counts for each besides its text.
    const EACH: usize = 32;
    let refused = |message: String| ApiError::invalid(message).with_status(431);
    if version != Version::HTTP_2 {
        return (headers.len() > MOST_LINES)
            .then(|| refused(format!("there are more than {MOST_LINES} header lines")));
    }
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + EACH).sum();
    (size > most).then(|| {
        let message = format!("the headers are larger than {most} bytes (limits.headers in gateway.toml)");
        refused(message)
    })
}

/// Takes the key out of an address, where Gemini's clients may have it, and puts it where it is looked for.
fn present_key_of(uri: &Uri, headers: &mut HeaderMap) {
    let key = paths::parameter(uri.query(), "key").and_then(|key| HeaderValue::from_str(&key).ok());
    if let Some(mut key) = key {
        key.set_sensitive(true);
        headers.insert("x-goog-api-key", key);
    }
}

async fn serve(
    gateway: &Arc<Gateway>,
    asked: Asked<'_>,
    body: &mut Sending,
) -> Result<Response<Reply>, ApiError> {
    let Asked { place, uri, method, headers, visit } = asked;
    // What a load balancer asks needs no key and says nothing of the traffic.
    match place.endpoint {
        Endpoint::Health => return Ok(health()),
        Endpoint::Ready => return Ok(ready(gateway)),
        _ => {}
    }
    // A browser asks without the page's key.
    if let Some(answer) = visit.preflight(&gateway.settings.cors, &place, &method, &headers) {
        return answer;
    }
    let caller = admit(gateway, &headers, place.needs(&method), visit.is_trusted())?;
    // A call of a model that there is none of, `MODEL:nope`, is no model to be looked at.
    let is_call = |name: &str| name.contains(':') || name.contains("%3A");
    let is_no_call = place.endpoint == Endpoint::Models && method == Method::POST && is_call(place.name);
    if place.endpoint == Endpoint::Unknown || is_no_call {
        let message = format!("there is no {} here; what is served: {}", uri.path(), paths::SERVED);
        return Err(ApiError::new(ErrorKind::NotFound, message).coded("unknown_url"));
    }
    let allowed = place.methods();
    if !allowed.split(", ").any(|known| known == method.as_str()) {
        let hint = if method == Method::OPTIONS {
            "; web pages may call it where gateway.toml names their origin ([cors] origins)"
        } else {
            ""
        };
        let message = format!("{} takes {allowed}{hint}", uri.path());
        return Err(ApiError::invalid(message).with_status(405).coded("method_not_allowed"));
    }
    let is_read = method == Method::GET;
    let takes_body = method == Method::POST && (!place.is_api() || place.endpoint == Endpoint::Feedback);
    let said = if takes_body { collect(gateway, &headers, body).await? } else { Bytes::new() };
    match place.endpoint {
        Endpoint::Generate(dialect) => {
            let named = (!place.name.is_empty()).then(|| paths::decoded(place.name));
            let named = Named { model: named, streams: place.streams };
            let mut response = generate(gateway, dialect, named, headers, body, &caller).await?;
            // Gemini's clients get events only where they ask for them.
            let events = !place.streams || paths::parameter(uri.query(), "alt").as_deref() == Some("sse");
            if !events && response.body_mut().list() {
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            Ok(response)
        }
        Endpoint::CountTokens(dialect) => {
            let body = collect(gateway, &headers, body).await?;
            let model = paths::decoded(place.name);
            let ask = large::on(body.len(), move || Ask::read_to_count(dialect, &body, &model)).await;
            count::answer(gateway, &ask.map_err(|error| error.to_api())?, &headers, &caller).await
        }
        Endpoint::Models => models::answer(gateway, &place, place.form(&headers), uri.query()).await,
        Endpoint::Stored => stored::answer(gateway, place.name, &method, uri.query(), &caller).await,
        Endpoint::Feedback => feedback::take(gateway, &said, &caller).await,
        Endpoint::Metrics => Ok(text(StatusCode::OK, metrics::render(gateway))),
        Endpoint::Feed => Ok(feed::follow(gateway, &headers)),
        Endpoint::Log => missed::log(gateway, &headers, paths::parameter(uri.query(), "after")).await,
        Endpoint::Rights => Ok(missed::rights(gateway, &caller)),
        Endpoint::Policy if is_read => Ok(json(StatusCode::OK, gateway.live.policy_line().to_string())),
        Endpoint::Policy => posted::apply(gateway, &said, &caller),
        Endpoint::Budgets => Ok(spending::standings(gateway)),
        Endpoint::Alerts if is_read => Ok(alerts::list(gateway)),
        Endpoint::Alerts => alerts::act(gateway, &said, &caller).await,
        Endpoint::Runaways if is_read => Ok(runaways::standing(gateway)),
        Endpoint::Runaways => runaways::order(gateway, &said, &caller).await,
        Endpoint::Automations => Ok(automations::standing(gateway)),
        Endpoint::Rollouts if is_read => Ok(rollouts::standing(gateway)),
        Endpoint::Rollouts => rollouts::order(gateway, &said, &caller).await,
        Endpoint::Steering if is_read => Ok(steering::standing(gateway)),
        Endpoint::Steering => steering::order(gateway, &said, &caller),
        Endpoint::Corrections => corrections::take(gateway, &said, &caller).await,
        Endpoint::Health | Endpoint::Ready | Endpoint::Unknown => Ok(text(StatusCode::OK, "ok\n")),
    }
}

/// Says that this is a gateway of this program, to whoever wants to be sure before it sends anything.
fn health() -> Response<Reply> {
    let mut answer = text(StatusCode::OK, "ok\n");
    answer.headers_mut().insert(IDENTITY, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    answer
}

/// Says whether requests would be served.
fn ready(gateway: &Gateway) -> Response<Reply> {
    if gateway.is_draining() {
        return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
    }
    if !gateway.ledger.is_failing() {
        return text(StatusCode::OK, "ready\n");
    }
    if !gateway.keeps_ledger {
        return text(StatusCode::OK, "ready; no ledger is kept\n");
    }
    // Anybody may ask this, so it does not say where the ledger is or what is wrong with it.
    if gateway.settings.ledger.when_failing == WhenFailing::Refuse {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the ledger cannot be written\n");
    }
    text(StatusCode::OK, "ready; the ledger cannot be written\n")
}

/// What a path says of a request that others say in the body.
struct Named {
    model: Option<String>,
    streams: bool,
}

async fn generate(
    gateway: &Arc<Gateway>,
    dialect: Dialect,
    named: Named,
    headers: HeaderMap,
    body: &mut Sending,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    // Whoever sends slowly takes no place of those who are answered.
    may_enter(gateway)?;
    let body = collect(gateway, &headers, body).await?;
    let place = let_in(gateway)?;
    let (length, model) = (body.len(), named.model);
    let ask = large::on(length, move || Ask::read_for(dialect, body, model.as_deref())).await;
    let mut ask = ask.map_err(|error: WireError| error.to_api())?;
    if named.streams {
        ask = ask.streamed();
    }
    let pinned = pinned(gateway, ask.model())?;
    if pinned && gateway.providers.target(ask.model()).is_none() {
        // Not by that model, but its route may have a ladder for it.
        let tags = gateway.tags(&headers, caller, ask.user());
        let arriving = Arriving { pinned, ..arriving(gateway, &ask, &tags, caller) };
        if !gateway.live.would_route(&arriving) {
            return Err(nobody_serves(ask.model()));
        }
    }
    if matches!(dialect, Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings) && ask.model() == AUTO {
        let message = "embeddings of different models do not compare: name a model, or a route made for them (auto/ROUTE)";
        return Err(ApiError::invalid(message).at("model"));
    }
    if dialect == Dialect::OpenAiResponses {
        return stored::run(gateway, ask, pinned, headers, caller, place).await;
    }
    run::run(gateway, ask, pinned, headers, caller, place).await
}
