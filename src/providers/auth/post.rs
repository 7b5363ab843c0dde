//! The asking for a token, over the network.
//!
//! Invariant: it goes where the operator says, over TLS or on this machine, follows no redirect, and reads no more than
//! [`MOST`] bytes.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use reqwest::{Method, Request, Url};

use super::super::{client, error};
use crate::config::providers::{check_address, is_loopback};

/// The most bytes of what a server says when it is asked for a token.
const MOST: usize = 64 * 1024;
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a form to where tokens are given and returns the status with what was said.
pub(super) async fn post(url: &str, form: String, connect: Duration) -> Result<(u16, Vec<u8>), String> {
    check_address(url).map_err(|(what, _)| format!("token_uri {what}"))?;
    if url.starts_with("http://") && !is_loopback(url) {
        return Err(
            "token_uri is no https:// address, and a key would go over the network unprotected".to_owned()
        );
    }
    let url = Url::parse(url).map_err(|_| "token_uri is no address".to_owned())?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let asking = async {
        let client = client::client(url.as_str(), connect, &Arc::default())?;
        let mut request = Request::new(Method::POST, url);
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        *request.body_mut() = Some(form.into());
        let failed = |error: reqwest::Error| error::innermost(&error);
        let mut response = client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if body.len() + piece.len() > MOST {
                return Err("its answer is too long".to_owned());
            }
            body.extend_from_slice(&piece);
        }
        Ok((response.status().as_u16(), body))
    };
    let answered = tokio::time::timeout(PATIENCE, asking).await;
    let answered = answered.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
    answered.map_err(|why: String| format!("{host}: {why}"))
}
