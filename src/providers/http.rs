//! Calls over the network.
//!
//! Invariants: a call goes to its provider's own address and nowhere else (redirects are not followed, so a key never
//! reaches another host); nothing that a provider may have worked on is sent twice here; of a client's headers only those
//! on a list go along.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, HeaderName};
use hyper_util::client::legacy::connect::Connection;
use reqwest::{Client, Method, Request, redirect, retry};
use tokio::time::{Instant as Clock, timeout_at};
use tower_service::Service;

use super::Call;
use super::error::{CallError, safe};
use super::provider::Slot;
use super::reply::{Deadlines, Reply};
use crate::config::providers::{ProviderSpec, Speaks, is_loopback};
use crate::wire::Dialect;

/// A client's headers that go along to a server of Anthropic's kind.
const TO_ANTHROPIC: [HeaderName; 2] =
    [HeaderName::from_static("anthropic-version"), HeaderName::from_static("anthropic-beta")];
/// A client's headers that go along to a server of OpenAI's kind.
const TO_OPENAI: [HeaderName; 2] =
    [HeaderName::from_static("openai-beta"), HeaderName::from_static("x-client-request-id")];

/// How often a call that was not taken is sent again. Each may meet another connection of the pool that is no more.
const RESENDS: u32 = 3;
/// A server that closed an idle connection answers what comes then with a reset, a round trip later. What breaks off after
/// that may have been worked on, and so may what shares a connection with others, over HTTP/2: there the protocol has to say
/// that it was not.
const STALE: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// Whether the call under way has begun a connection of its own.
    static DIALS: Cell<bool>;
}

/// Makes a provider's client. It is made at the first call: reading the system's certificates takes a while.
pub(super) fn client(spec: &ProviderSpec, over_http2: &Arc<AtomicBool>) -> Result<Client, String> {
    // A second installation is refused, and the first one is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let over_http2 = Arc::clone(over_http2);
    let noting = move |inner| Noting { inner, over_http2: Arc::clone(&over_http2) };
    let mut builder = Client::builder()
        .user_agent(concat!("pointsman/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        // See `call`, which has to know of it.
        .retry(retry::never())
        .connector_layer(tower_layer::layer_fn(noting))
        .referer(false)
        .connect_timeout(spec.timeouts.connect)
        .pool_max_idle_per_host(256)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(60))
        // Many calls share an HTTP/2 connection; one that died unnoticed would take them all along.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10));
    if spec.base_url.starts_with("http://") {
        // Nothing will be encrypted; leave the certificates unread.
        builder = builder.tls_certs_only([]).http1_only();
    }
    if is_loopback(&spec.base_url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| safe(&error.without_url().to_string()))
}

/// Makes a call and waits for the head of its answer.
pub(super) async fn call(slot: &Slot, call: Call) -> Result<Reply, CallError> {
    let provider = &slot.provider;
    let to = || provider.to.clone();
    let Some(url) = slot.address(call.dialect, call.stream) else {
        return Err(CallError::Unsupported { to: to(), dialect: call.dialect.name() });
    };
    let client = provider.client()?;
    let openai = call.dialect == Dialect::OpenAiEmbeddings && provider.spec.speaks == Speaks::Gemini;
    let headers = if openai { &provider.openai_headers } else { &provider.headers };
    let timeouts = provider.spec.timeouts;
    let deadlines = Deadlines::new(timeouts, call.stream, Clock::now());
    let mut sent = 0;
    loop {
        let mut request = Request::new(Method::POST, url.clone());
        *request.headers_mut() = headers.clone();
        pass(&call.headers, provider.spec.speaks, request.headers_mut());
        *request.body_mut() = Some(call.body.clone().into());
        sent += 1;
        let began = Clock::now();
        let sending = async {
            let done = client.execute(request).await;
            (done, DIALS.with(Cell::get))
        };
        let error = match timeout_at(deadlines.head(), DIALS.scope(Cell::new(false), sending)).await {
            Ok((Ok(response), _)) => return Ok(Reply::network(response, to(), deadlines)),
            Ok((Err(error), dials)) => {
                let alone = !provider.over_http2.load(Ordering::Relaxed);
                let stale = !dials && alone && began.elapsed() < STALE;
                CallError::from_reqwest(to(), &error, stale, timeouts.connect)
            }
            Err(_) => return Err(deadlines.missed_head(to())),
        };
        // No call was made yet: it is sent again at once, and nobody need hear of it.
        let again = match error {
            CallError::NotTaken { .. } => sent <= RESENDS,
            CallError::Connect { .. } => sent <= 1,
            _ => false,
        };
        if !again {
            return Err(error);
        }
        tracing::debug!(%error, "not taken; sent again");
    }
}

/// Notes that a connection is made, for the call in whose task that happens. The pool asks for one only where it has none
/// at hand, so a call that notes none went out on a connection that had served before. Notes besides that a connection is
/// shared, before anything is sent on it: the error of a call does not tell over what it went.
#[derive(Clone)]
struct Noting<S> {
    inner: S,
    over_http2: Arc<AtomicBool>,
}

impl<T, S> Service<T> for Noting<S>
where
    S: Service<T, Response: Connection, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, target: T) -> Self::Future {
        // Made ahead of any call, it is nobody's.
        let _ = DIALS.try_with(|dials| dials.set(true));
        let (connecting, over_http2) = (self.inner.call(target), Arc::clone(&self.over_http2));
        Box::pin(async move {
            let connection = connecting.await?;
            if connection.connected().is_negotiated_h2() {
                over_http2.store(true, Ordering::Relaxed);
            }
            Ok(connection)
        })
    }
}

/// Hands those of a client's headers on that a provider understands.
pub(super) fn pass(from: &HeaderMap, speaks: Speaks, to: &mut HeaderMap) {
    if from.is_empty() {
        return;
    }
    let names: &[HeaderName] = match speaks {
        Speaks::Anthropic => &TO_ANTHROPIC,
        Speaks::OpenAi => &TO_OPENAI,
        Speaks::Gemini | Speaks::Mistral | Speaks::Simulated => &[],
    };
    for name in names {
        let mut values = from.get_all(name).iter().cloned();
        if let Some(first) = values.next() {
            to.insert(name, first);
            for value in values {
                to.append(name, value);
            }
        }
    }
}

/// Returns the time of day, for headers that name one.
pub(super) fn wall() -> crate::units::Instant {
    crate::units::Instant(chrono::Utc::now().timestamp_micros())
}
