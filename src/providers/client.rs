//! The HTTP client of a provider, on one thread.
//!
//! Invariant: it follows no redirect and sends nothing again by itself, so a key never reaches another host.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::client::legacy::connect::Connection;
use reqwest::{Client, redirect, retry};
use tower_service::Service;

use super::error::safe;
use crate::config::providers::is_loopback;

tokio::task_local! {
    /// Whether the call under way has begun a connection of its own.
    pub(super) static DIALS: Cell<bool>;
}

/// Makes the client of the server at `base_url`. It is made at the first call: reading the system's certificates takes a while.
pub(super) fn client(
    base_url: &str,
    connect: Duration,
    over_http2: &Arc<AtomicBool>,
) -> Result<Client, String> {
    // A second installation is refused, and the first one is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let over_http2 = Arc::clone(over_http2);
    let noting = move |inner| Noting { inner, over_http2: Arc::clone(&over_http2) };
    let mut builder = Client::builder()
        .user_agent(concat!("pointsman/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        // See `http::call`, which has to know of it.
        .retry(retry::never())
        .connector_layer(tower_layer::layer_fn(noting))
        .referer(false)
        .connect_timeout(connect)
        .pool_max_idle_per_host(256)
        .pool_idle_timeout(Duration::from_secs(60))
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(60))
        // Many calls share an HTTP/2 connection; one that died unnoticed would take them all along.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .http2_keep_alive_timeout(Duration::from_secs(10));
    if base_url.starts_with("http://") {
        // Nothing will be encrypted; leave the certificates unread.
        builder = builder.tls_certs_only([]).http1_only();
    }
    if is_loopback(base_url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| safe(&error.without_url().to_string()))
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
