//! The gate: every request comes through here, whatever its path. Who may, what for, and which form the answer has.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::body::Reply;
use super::{Gateway, feed, metrics, now, operation};
use crate::access::{Caller, Denied, Scope};
use crate::config::gateway::WhenFailing;
use crate::ledger::{Entry, Health, Label};
use crate::routing::AUTO;
use crate::units::PerMille;
use crate::wire::{ApiError, Ask, Dialect, ErrorKind, ModelEntry, WireError, model_body, models_body};

/// Operations remembered for feedback.
const REMEMBERED: usize = 32_768;

/// Which operation was served by which model, of the latest ones.
#[derive(Debug, Default)]
pub(super) struct Served {
    inner: Mutex<ServedInner>,
}

#[derive(Debug, Default)]
struct ServedInner {
    order: VecDeque<Arc<str>>,
    by_id: FxHashMap<Arc<str>, (u64, Arc<str>)>,
}

impl Served {
    pub(super) fn note(&self, id: &Arc<str>, seq: u64, model: &Arc<str>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.order.len() >= REMEMBERED
            && let Some(oldest) = inner.order.pop_front()
        {
            inner.by_id.remove(&oldest);
        }
        inner.order.push_back(Arc::clone(id));
        inner.by_id.insert(Arc::clone(id), (seq, Arc::clone(model)));
    }

    fn find(&self, id: &str) -> Option<(u64, Arc<str>)> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).by_id.get(id).cloned()
    }
}

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
    match path {
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
    match serve(&gateway, endpoint, &head, body).await {
        Ok(response) => response,
        Err(error) => {
            gateway.turned_away.fetch_add(1, Ordering::Relaxed);
            refuse(form, &error)
        }
    }
}

async fn serve(
    gateway: &Arc<Gateway>,
    endpoint: Endpoint,
    head: &http::request::Parts,
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
    let method = match endpoint {
        Endpoint::Generate(_) | Endpoint::CountTokens | Endpoint::Feedback => &[Method::POST][..],
        Endpoint::Policy => &[Method::GET, Method::POST],
        _ => &[Method::GET],
    };
    if endpoint == Endpoint::Unknown {
        let message =
            format!("there is no {} here; see the README for the paths that are served", head.uri.path());
        return Err(ApiError::new(ErrorKind::NotFound, message));
    }
    if !method.contains(&head.method) {
        let allowed: Vec<&str> = method.iter().map(Method::as_str).collect();
        let mut error = ApiError::new(
            ErrorKind::InvalidRequest,
            format!("{} takes {}", head.uri.path(), allowed.join(", ")),
        );
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
        Endpoint::Models => models(gateway, head),
        Endpoint::Feedback => {
            let body = collect(gateway, &head.headers, body).await?;
            feedback(gateway, &body, &caller)
        }
        Endpoint::Metrics => Ok(text(StatusCode::OK, metrics::render(gateway))),
        Endpoint::Feed => Ok(feed::follow(gateway, head.uri.query().unwrap_or_default())),
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
    let state = gateway.ledger.state();
    let refuses = gateway.settings.ledger.when_failing == WhenFailing::Refuse;
    match state.health {
        Health::Failing { .. } if refuses => {
            text(StatusCode::SERVICE_UNAVAILABLE, format!("ledger {}\n", state.health))
        }
        _ => text(StatusCode::OK, "ready\n"),
    }
}

/// Lets a caller in: by key, or as the local operator where no key was ever made.
fn admit(gateway: &Gateway, headers: &HeaderMap, needs: Scope) -> Result<Caller, ApiError> {
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

async fn generate(
    gateway: &Arc<Gateway>,
    dialect: Dialect,
    head: &http::request::Parts,
    body: Incoming,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    if gateway.is_draining() {
        let mut error =
            ApiError::new(ErrorKind::Overloaded, "the gateway is about to stop; try again shortly");
        error.retry_after_ms = Some(1000);
        return Err(error);
    }
    let Some(place) = InFlight::take(gateway) else {
        let most = gateway.settings.limits.requests;
        let message = format!("{most} requests are in flight already (limits.requests in gateway.toml)");
        let mut error = ApiError::new(ErrorKind::Overloaded, message);
        error.retry_after_ms = Some(1000);
        return Err(error);
    };
    if gateway.settings.ledger.when_failing == WhenFailing::Refuse {
        let state = gateway.ledger.state();
        if matches!(state.health, Health::Failing { .. }) {
            let message = format!("the ledger cannot be written, so nothing is spent: {}", state.health);
            return Err(ApiError::new(ErrorKind::Overloaded, message));
        }
    }
    let body = collect(gateway, &head.headers, body).await?;
    let ask = Ask::read(dialect, body).map_err(|error: WireError| error.to_api())?;
    let pinned = pinned(gateway, ask.model())?;
    operation::run(gateway, ask, pinned, &head.headers, caller, place).await
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
    let Some(wanted) = head.uri.path().strip_prefix("/v1/models/").filter(|name| !name.is_empty()) else {
        return Ok(json(StatusCode::OK, models_body(form, &entries)));
    };
    match entries.iter().find(|entry| entry.id == wanted) {
        Some(entry) => Ok(json(StatusCode::OK, model_body(form, entry))),
        None => Err(ApiError::new(ErrorKind::NotFound, format!("no model `{wanted}` is listed here"))),
    }
}

#[derive(Deserialize)]
struct Feedback {
    operation: String,
    model: Option<String>,
    /// 0 to 1, or `true` and `false`.
    quality: Option<serde_json::Value>,
    good: Option<bool>,
}

fn feedback(gateway: &Gateway, body: &Bytes, caller: &Caller) -> Result<Response<Reply>, ApiError> {
    let wrong = |param: &str, message: String| {
        let mut error = ApiError::new(ErrorKind::InvalidRequest, message);
        error.param = Some(param.to_owned());
        error
    };
    let read: Feedback = serde_json::from_slice(body).map_err(|error| {
        wrong("", format!("not the expected JSON: {error}; send {{\"operation\":\"op-…\",\"quality\":0.9}}"))
    })?;
    let verdict = |good: bool| PerMille::clamped(if good { 1000 } else { 0 });
    let quality = match (&read.quality, read.good) {
        (Some(serde_json::Value::Bool(good)), _) => verdict(*good),
        (None, Some(good)) => verdict(good),
        (Some(serde_json::Value::Number(number)), None) => {
            let share = number.as_f64().filter(|share| (0.0..=1.0).contains(share));
            share
                .and_then(PerMille::from_probability)
                .ok_or_else(|| wrong("quality", format!("{number} is outside 0 to 1")))?
        }
        _ => return Err(wrong("quality", "give `quality` (0 to 1) or `good` (true or false)".to_owned())),
    };
    let Some((seq, served)) = gateway.served.find(&read.operation) else {
        let message = format!(
            "`{}` is none of the last {REMEMBERED} operations (its id is in the header pointsman-operation)",
            read.operation
        );
        return Err(ApiError::new(ErrorKind::NotFound, message));
    };
    let model: Arc<str> = read.model.map_or(served, Into::into);
    let at = now();
    gateway.ledger.record(Entry::Label(Box::new(Label {
        seq,
        model: Arc::clone(&model),
        quality: Some(quality),
        output: None,
        source: format!("feedback by {}", caller.name).into(),
        at,
    })));
    let body = serde_json::json!({ "operation": read.operation, "model": &*model, "quality": f64::from(quality.get()) / 1000.0 });
    Ok(json(StatusCode::OK, body.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_operations_are_remembered() {
        let served = Served::default();
        let model: Arc<str> = "m".into();
        for seq in 0..REMEMBERED as u64 + 10 {
            served.note(&format!("op-{seq}").into(), seq, &model);
        }
        assert_eq!(served.find("op-9"), None);
        assert_eq!(served.find("op-10").unwrap().0, 10);
        assert_eq!(served.inner.lock().unwrap().order.len(), REMEMBERED);
    }

    #[test]
    fn nothing_is_served_on_unknown_paths() {
        for path in ["/", "/v1", "/v1/chat/completions/x", "/v1/files", "/operator/v1/keys", "/v1/modelsx"] {
            assert_eq!(endpoint(path), Endpoint::Unknown, "{path}");
        }
    }
}
