//! The gate: every request comes through here, whatever its path. Who may, what for, and which form the answer has.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::body::Reply;
use super::{Gateway, feed, feedback, metrics, now, operation};
use crate::access::{Caller, Denied, Scope};
use crate::config::gateway::WhenFailing;
use crate::routing::AUTO;
use crate::wire::{ApiError, Ask, Dialect, ErrorKind, ModelEntry, WireError, model_body, models_body};

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Generate(Dialect),
    CountTokens,
    Models,
    Feedback,
    Health,
    Ready,
    Metrics,
    Feed,
    Policy,
    Unknown,
}

fn endpoint(path: &str) -> Endpoint {
    match path.strip_suffix('/').unwrap_or(path) {
        "/v1/chat/completions" | "/chat/completions" => Endpoint::Generate(Dialect::OpenAiChat),
        "/v1/responses" | "/responses" => Endpoint::Generate(Dialect::OpenAiResponses),
        "/v1/embeddings" | "/embeddings" => Endpoint::Generate(Dialect::OpenAiEmbeddings),
        "/v1/messages" => Endpoint::Generate(Dialect::AnthropicMessages),
        "/v1/messages/count_tokens" => Endpoint::CountTokens,
        "/v1/feedback" => Endpoint::Feedback,
        "/healthz" => Endpoint::Health,
        "/readyz" => Endpoint::Ready,
        "/metrics" => Endpoint::Metrics,
        "/operator/v1/feed" => Endpoint::Feed,
        "/operator/v1/policy" => Endpoint::Policy,
        path if path == "/v1/models" || path.starts_with("/v1/models/") => Endpoint::Models,
        _ => Endpoint::Unknown,
    }
}

/// Lists the methods that a path takes, as the header `allow` says them.
fn methods(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Generate(_) | Endpoint::CountTokens | Endpoint::Feedback => "POST",
        Endpoint::Policy => "GET, POST",
        Endpoint::Feed => "GET",
        _ => "GET, HEAD",
    }
}

/// Gives the form in which a client expects errors: by path, and for shared paths by its headers.
fn form(endpoint: Endpoint, headers: &HeaderMap) -> Dialect {
    match endpoint {
        Endpoint::Generate(dialect) => dialect,
        Endpoint::CountTokens => Dialect::AnthropicMessages,
        _ if headers.contains_key("anthropic-version") => Dialect::AnthropicMessages,
        _ => Dialect::OpenAiChat,
    }
}

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

/// Answers one request.
pub(super) async fn handle(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<Reply> {
    let (head, body) = request.into_parts();
    let endpoint = endpoint(head.uri.path());
    let form = form(endpoint, &head.headers);
    match serve(&gateway, endpoint, head, body).await {
        Ok(response) => response,
        Err(error) => {
            gateway.turned_away.fetch_add(1, Ordering::Relaxed);
            let mut response = refuse(form, &error);
            if error.status == 405 {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods(endpoint)));
            }
            response
        }
    }
}

async fn serve(
    gateway: &Arc<Gateway>,
    endpoint: Endpoint,
    head: http::request::Parts,
    body: Incoming,
) -> Result<Response<Reply>, ApiError> {
    // What a load balancer asks needs no key and says nothing of the traffic.
    match endpoint {
        Endpoint::Health => return Ok(text(StatusCode::OK, "ok\n")),
        Endpoint::Ready => return Ok(ready(gateway)),
        _ => {}
    }
    let needs = match endpoint {
        Endpoint::Metrics | Endpoint::Feed => Scope::Read,
        Endpoint::Policy if head.method == Method::GET => Scope::Read,
        Endpoint::Policy => Scope::Operate,
        _ => Scope::Route,
    };
    let caller = admit(gateway, &head.headers, needs)?;
    if endpoint == Endpoint::Unknown {
        let message =
            format!("there is no {} here; see the README for the paths that are served", head.uri.path());
        let code = Some("unknown_url".to_owned());
        return Err(ApiError { code, ..ApiError::new(ErrorKind::NotFound, message) });
    }
    let allowed = methods(endpoint);
    if !allowed.split(", ").any(|method| method == head.method.as_str()) {
        let message = format!("{} takes {allowed}", head.uri.path());
        let mut error = ApiError::new(ErrorKind::InvalidRequest, message);
        error.status = 405;
        return Err(error);
    }
    match endpoint {
        Endpoint::Generate(dialect) => generate(gateway, dialect, head, body, &caller).await,
        Endpoint::CountTokens => {
            let body = collect(gateway, &head.headers, body).await?;
            let ask = Ask::read(Dialect::AnthropicMessages, body).map_err(|error| error.to_api())?;
            let tokens = ask.measures().estimated_prompt_tokens;
            Ok(json(StatusCode::OK, format!("{{\"input_tokens\":{tokens}}}")))
        }
        Endpoint::Models => models(gateway, &head),
        Endpoint::Feedback => {
            let body = collect(gateway, &head.headers, body).await?;
            feedback::take(gateway, &body, &caller).await
        }
        Endpoint::Metrics => Ok(text(StatusCode::OK, metrics::render(gateway))),
        Endpoint::Feed => Ok(feed::follow(gateway, &head.headers)),
        Endpoint::Policy if head.method == Method::GET => {
            Ok(json(StatusCode::OK, gateway.live.policy_line().to_string()))
        }
        Endpoint::Policy => {
            let body = collect(gateway, &head.headers, body).await?;
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

/// Lets a caller in: by key, or as the local operator where no key was ever made.
pub(super) fn admit(gateway: &Gateway, headers: &HeaderMap, needs: Scope) -> Result<Caller, ApiError> {
    let denied = |denied: Denied| {
        let kind = if denied.is_forbidden() { ErrorKind::Permission } else { ErrorKind::Authentication };
        let mut error = ApiError::new(kind, denied.to_string());
        error.code = Some("invalid_api_key".to_owned()).filter(|_| !denied.is_forbidden());
        error
    };
    let caller = gateway.access.admit(headers, now()).map_err(denied)?;
    caller.may(needs).map_err(denied)?;
    Ok(caller)
}

/// Reads a body whole, within its limits.
async fn collect(gateway: &Gateway, headers: &HeaderMap, mut body: Incoming) -> Result<Bytes, ApiError> {
    let limits = &gateway.settings.limits;
    let too_large = || {
        let message = format!("the body is larger than {} bytes (limits.body in gateway.toml)", limits.body);
        ApiError::new(ErrorKind::TooLarge, message)
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limits.body) {
        return Err(too_large());
    }
    let read = async {
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        let mut read = 0usize;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| {
                ApiError::new(ErrorKind::InvalidRequest, "the body broke off before it was complete")
            })?;
            let Ok(piece) = frame.into_data() else { continue };
            read = read.saturating_add(piece.len());
            if read > limits.body {
                return Err(too_large());
            }
            match &first {
                None => first = Some(piece),
                Some(begin) => {
                    if rest.is_empty() {
                        rest.reserve(announced.unwrap_or(0).max(begin.len() + piece.len()));
                        rest.extend_from_slice(begin);
                    }
                    rest.extend_from_slice(&piece);
                }
            }
        }
        Ok(if rest.is_empty() { first.unwrap_or_default() } else { rest.freeze() })
    };
    let patience = Duration::from_secs(limits.body_seconds);
    tokio::time::timeout(patience, read).await.unwrap_or_else(|_| {
        let message = format!("the body took longer than {} s (limits.body-seconds)", limits.body_seconds);
        let mut error = ApiError::new(ErrorKind::Timeout, message);
        error.status = 408;
        Err(error)
    })
}

/// Gives a request its place in flight, unless the gateway is about to end, is full, or may spend nothing.
pub(super) fn let_in(gateway: &Arc<Gateway>) -> Result<InFlight, ApiError> {
    let not_now = |message: String| {
        let mut error = ApiError::new(ErrorKind::Overloaded, message);
        error.retry_after_ms = Some(1000);
        error
    };
    if gateway.is_draining() {
        return Err(not_now("the gateway is about to stop; try again shortly".to_owned()));
    }
    let most = gateway.settings.limits.requests;
    let place = InFlight::take(gateway).ok_or_else(|| {
        not_now(format!("{most} requests are in flight already (limits.requests in gateway.toml)"))
    })?;
    let needs_ledger = gateway.settings.ledger.when_failing == WhenFailing::Refuse;
    if needs_ledger && gateway.ledger.is_failing() {
        return Err(not_now("the ledger cannot be written, so nothing is spent".to_owned()));
    }
    Ok(place)
}

async fn generate(
    gateway: &Arc<Gateway>,
    dialect: Dialect,
    head: http::request::Parts,
    body: Incoming,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    let place = let_in(gateway)?;
    let body = collect(gateway, &head.headers, body).await?;
    let ask = Ask::read(dialect, body).map_err(|error: WireError| error.to_api())?;
    let pinned = pinned(gateway, ask.model())?;
    if dialect == Dialect::OpenAiEmbeddings && ask.model() == AUTO {
        let message = "embeddings of different models do not compare: name a model, or a route made for them (auto/ROUTE)";
        let mut error = ApiError::new(ErrorKind::InvalidRequest, message);
        error.param = Some("model".to_owned());
        return Err(error);
    }
    operation::run(gateway, ask, pinned, head.headers, caller, place).await
}

/// Says whether the client chose its model; an error where nobody serves it.
pub(super) fn pinned(gateway: &Gateway, model: &str) -> Result<bool, ApiError> {
    let unknown = |message: String| {
        let mut error = ApiError::new(ErrorKind::NotFound, message);
        error.code = Some("model_not_found".to_owned());
        error.param = Some("model".to_owned());
        Err(error)
    };
    if model == AUTO {
        return Ok(false);
    }
    if let Some(route) = model.strip_prefix(AUTO).and_then(|rest| rest.strip_prefix('/')) {
        if gateway.live.has_route(route) {
            return Ok(false);
        }
        let (_, names) = gateway.live.offered();
        return unknown(format!("there is no route `{route}`; ask for one of {}", names.join(", ")));
    }
    if gateway.live.takes_model(model) {
        return Ok(false);
    }
    if gateway.providers.target(model).is_none() {
        return unknown(format!(
            "no provider serves `{model}`; ask for `auto`, or add the model to providers.toml"
        ));
    }
    Ok(true)
}

/// Resolves `%2F` and its like; what does not decode to text stays as it is.
fn decoded(path: &str) -> String {
    let digit =
        |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let bytes = path.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        let pair = (byte == b'%').then(|| Some((digit(bytes.get(at + 1))?, digit(bytes.get(at + 2))?)));
        if let Some(Some((high, low))) = pair {
            out.push(high * 16 + low);
            at += 3;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_owned())
}

fn models(gateway: &Gateway, head: &http::request::Parts) -> Result<Response<Reply>, ApiError> {
    let form = form(Endpoint::Models, &head.headers);
    let (models, names) = gateway.live.offered();
    let mut listed: Vec<(String, String)> =
        names.into_iter().map(|name| (name, "pointsman".to_owned())).collect();
    for model in models {
        let owner =
            gateway.providers.target(&model).map_or_else(String::new, |target| target.provider().to_string());
        listed.push((model, owner));
    }
    for exact in gateway.providers.listed() {
        if !listed.iter().any(|(name, _)| *name == exact.model) {
            listed.push((exact.model, exact.provider.to_string()));
        }
    }
    let created = u64::try_from(gateway.started.0 / 1_000_000).unwrap_or(0);
    let entries: Vec<ModelEntry> =
        listed.into_iter().map(|(id, owner)| ModelEntry { id, owner, created }).collect();
    let wanted = head.uri.path().strip_prefix("/v1/models/").unwrap_or_default();
    let wanted = decoded(wanted.strip_suffix('/').unwrap_or(wanted));
    if wanted.is_empty() {
        return Ok(json(StatusCode::OK, models_body(form, &entries)));
    }
    match entries.iter().find(|entry| entry.id == wanted) {
        Some(entry) => Ok(json(StatusCode::OK, model_body(form, entry))),
        None => Err(ApiError::new(ErrorKind::NotFound, format!("no model `{wanted}` is listed here"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths_are_decoded_where_they_are_text() {
        let cases = [
            ("gpt-4.1", "gpt-4.1"),
            ("auto%2Fcode", "auto/code"),
            ("a%", "a%"),
            ("%zz%4", "%zz%4"),
            ("%ff", "%ff"),
        ];
        for (path, name) in cases {
            assert_eq!(decoded(path), name);
        }
    }

    #[test]
    fn nothing_is_served_on_unknown_paths() {
        for path in ["/", "/v1", "/v1/chat/completions/x", "/v1/files", "/operator/v1/keys", "/v1/modelsx"] {
            assert_eq!(endpoint(path), Endpoint::Unknown, "{path}");
        }
    }
}
