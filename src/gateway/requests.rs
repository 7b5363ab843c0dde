//! The gate: every request comes through here, whatever its path. Who may, what for, and which form the answer has.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};

use super::body::Reply;
use super::cors::{self, Visit};
use super::intake::{CODINGS, collect, spill};
use super::paths::{self, Endpoint, Place};
use super::socket::Sending;
use super::{Gateway, count, feed, feedback, metrics, missed, models, now, operation, stored};
use crate::access::{Caller, Denied, Scope, presented};
use crate::config::gateway::WhenFailing;
use crate::routing::AUTO;
use crate::session::Arriving;
use crate::wire::{ApiError, Ask, Dialect, ErrorKind, WireError};

/// The most header lines of a request over HTTP/1.1; over HTTP/2 their size alone counts.
const MOST_LINES: usize = 100;

/// Makes a response of an error in the client's form.
pub(super) fn refuse(form: Dialect, error: &ApiError) -> Response<Reply> {
    let body = crate::wire::error_body(form, error);
    let mut response = json(StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_GATEWAY), body);
    if let Some(millis) = error.retry_after_ms {
        let headers = response.headers_mut();
        headers.insert(RETRY_AFTER, HeaderValue::from(millis.div_ceil(1000)));
        headers.insert("retry-after-ms", HeaderValue::from(millis));
    }
    response
}

pub(super) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::of(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Reply> {
    let mut response = Response::new(Reply::of(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Counts a request as in flight until it is over.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Gateway>);

impl InFlight {
    /// Takes a place; none where all are taken.
    pub(super) fn take(gateway: &Arc<Gateway>) -> Option<Self> {
        let most = gateway.settings.limits.requests;
        let taken = gateway.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Self(Arc::clone(gateway));
        (taken < most).then_some(place)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

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
    let (head, body) = request.into_parts();
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
    // A console of before `rights` asks in this way what it may do.
    let may_probe = place.endpoint == Endpoint::Policy;
    let visit = cors::visit(&gateway.settings.cors, &place, &headers);
    let asked = Asked { place, uri: &uri, method, headers, visit: visit.clone() };
    let served = match too_large(&asked.headers, version, gateway.settings.limits.headers) {
        Some(error) => Err(error),
        None => serve(&gateway, asked, body).await,
    };
    let mut response = served.unwrap_or_else(|error| {
        if !(may_probe && error.status == 400) {
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
    let refused = |message: String| {
        let mut error = ApiError::new(ErrorKind::InvalidRequest, message);
        error.status = 431;
        error
    };
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

async fn serve(gateway: &Arc<Gateway>, asked: Asked<'_>, body: Sending) -> Result<Response<Reply>, ApiError> {
    let Asked { place, uri, method, headers, visit } = asked;
    // What a load balancer asks needs no key and says nothing of the traffic.
    match place.endpoint {
        Endpoint::Health => return Ok(text(StatusCode::OK, "ok\n")),
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
        let code = Some("unknown_url".to_owned());
        return Err(ApiError { code, ..ApiError::new(ErrorKind::NotFound, message) });
    }
    let allowed = place.methods();
    if !allowed.split(", ").any(|known| known == method.as_str()) {
        let hint = if method == Method::OPTIONS {
            "; web pages may call it where gateway.toml names their origin ([cors] origins)"
        } else {
            ""
        };
        let mut error =
            ApiError::new(ErrorKind::InvalidRequest, format!("{} takes {allowed}{hint}", uri.path()));
        error.status = 405;
        error.code = Some("method_not_allowed".to_owned());
        return Err(error);
    }
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
            let ask = Ask::read_to_count(dialect, &body, &paths::decoded(place.name));
            count::answer(gateway, &ask.map_err(|error| error.to_api())?, &headers, &caller).await
        }
        Endpoint::Models => models::answer(gateway, &place, place.form(&headers), uri.query()).await,
        Endpoint::Stored => stored::answer(gateway, place.name, &method, uri.query(), &caller).await,
        Endpoint::Feedback => {
            let body = collect(gateway, &headers, body).await?;
            feedback::take(gateway, &body, &caller).await
        }
        Endpoint::Metrics => Ok(text(StatusCode::OK, metrics::render(gateway))),
        Endpoint::Feed => Ok(feed::follow(gateway, &headers)),
        Endpoint::Log => missed::log(gateway, &headers, paths::parameter(uri.query(), "after")).await,
        Endpoint::Rights => Ok(missed::rights(gateway, &caller)),
        Endpoint::Policy if method == Method::GET => {
            Ok(json(StatusCode::OK, gateway.live.policy_line().to_string()))
        }
        Endpoint::Policy => {
            let body = collect(gateway, &headers, body).await?;
            feed::apply(gateway, &body, &caller)
        }
        Endpoint::Health | Endpoint::Ready | Endpoint::Unknown => Ok(text(StatusCode::OK, "ok\n")),
    }
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

/// Lets a caller in: by key, or as the local operator where no key was ever made. `named` says that the operator named the
/// origin of the page that it comes from.
pub(super) fn admit(
    gateway: &Gateway,
    headers: &HeaderMap,
    needs: &[Scope],
    named: bool,
) -> Result<Caller, ApiError> {
    let denied = |denied: Denied| {
        let kind = if denied.is_forbidden() { ErrorKind::Permission } else { ErrorKind::Authentication };
        let mut error = ApiError::new(kind, denied.to_string());
        error.code = Some("invalid_api_key".to_owned()).filter(|_| !denied.is_forbidden());
        error
    };
    let caller = gateway.access.admit(headers, named, now()).map_err(denied)?;
    // Where none is enough, the first is named.
    let may = needs.iter().map(|scope| caller.may(*scope)).min_by_key(Result::is_err);
    may.unwrap_or(Ok(())).map_err(denied)?;
    Ok(caller)
}

/// Returns a request its place in flight, unless the gateway is about to end, is full, or may spend nothing.
pub(super) fn let_in(gateway: &Arc<Gateway>) -> Result<InFlight, ApiError> {
    let place = InFlight::take(gateway).ok_or_else(|| all_taken(gateway))?;
    may_enter(gateway)?;
    Ok(place)
}

/// Refuses a request that would not be let in now.
fn may_enter(gateway: &Gateway) -> Result<(), ApiError> {
    if gateway.is_draining() {
        return Err(not_now("the gateway is about to stop; try again shortly".to_owned()));
    }
    gateway.budget.note_beside(gateway.held_beside());
    if !gateway.budget.has_room(0) {
        return Err(gateway.budget.full());
    }
    if gateway.in_flight() > gateway.settings.limits.requests {
        return Err(all_taken(gateway));
    }
    let needs_ledger = gateway.settings.ledger.when_failing == WhenFailing::Refuse;
    if needs_ledger && gateway.ledger.is_failing() {
        return Err(not_now("the ledger cannot be written, so nothing is spent".to_owned()));
    }
    Ok(())
}

fn all_taken(gateway: &Gateway) -> ApiError {
    let most = gateway.settings.limits.requests;
    not_now(format!("{most} requests are in flight already (limits.requests in gateway.toml)"))
}

fn not_now(message: String) -> ApiError {
    let mut error = ApiError::new(ErrorKind::Overloaded, message);
    error.retry_after_ms = Some(1000);
    error
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
    mut body: Sending,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    // Whoever sends slowly takes no place of those who are answered.
    if let Err(error) = may_enter(gateway) {
        spill(gateway, &headers, &mut body).await;
        return Err(error);
    }
    let body = collect(gateway, &headers, body).await?;
    let place = let_in(gateway)?;
    let ask = Ask::read_for(dialect, body, named.model.as_deref());
    let mut ask = ask.map_err(|error: WireError| error.to_api())?;
    if named.streams {
        ask = ask.streamed();
    }
    let pinned = pinned(gateway, ask.model())?;
    if pinned && gateway.providers.target(ask.model()).is_none() {
        // Not by that model, but its route may have a ladder for it.
        let tags = gateway.tags(&headers, caller, ask.user());
        let arriving = Arriving { pinned, ..operation::arriving(&ask, &tags, caller) };
        if !gateway.live.would_route(&arriving) {
            return Err(nobody_serves(ask.model()));
        }
    }
    if matches!(dialect, Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings) && ask.model() == AUTO {
        let message = "embeddings of different models do not compare: name a model, or a route made for them (auto/ROUTE)";
        let mut error = ApiError::new(ErrorKind::InvalidRequest, message);
        error.param = Some("model".to_owned());
        return Err(error);
    }
    if dialect == Dialect::OpenAiResponses {
        return stored::run(gateway, ask, pinned, headers, caller, place).await;
    }
    operation::run(gateway, ask, pinned, headers, caller, place).await
}

/// Says whether the client chose its model; an error where nobody serves it and no route has a ladder for such requests.
pub(super) fn pinned(gateway: &Gateway, model: &str) -> Result<bool, ApiError> {
    if model == AUTO {
        return Ok(false);
    }
    if let Some(route) = model.strip_prefix(AUTO).and_then(|rest| rest.strip_prefix('/')) {
        if gateway.live.has_route(route) {
            return Ok(false);
        }
        let (_, names) = gateway.live.offered();
        return Err(unknown(format!("there is no route `{route}`; ask for one of {}", names.join(", "))));
    }
    if !gateway.live.is_choice(model) {
        return Ok(false);
    }
    if gateway.providers.target(model).is_none() && !gateway.live.routes_named() {
        return Err(nobody_serves(model));
    }
    Ok(true)
}

fn nobody_serves(model: &str) -> ApiError {
    unknown(format!("no provider serves `{model}`; ask for `auto`, or add the model to providers.toml"))
}

fn unknown(message: String) -> ApiError {
    let mut error = ApiError::new(ErrorKind::NotFound, message);
    error.code = Some("model_not_found".to_owned());
    error.param = Some("model".to_owned());
    error
}
