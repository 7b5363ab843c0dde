//! How a call says who makes it: by a key in a header, a token that is renewed, or a signature.
//!
//! Invariants: what a call is signed with stands in no error, message or `Debug` form; a token is asked for by one at a time,
//! before the last one ends.

mod credential;
mod google;
mod keeper;
mod post;
mod signature;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, header};
use reqwest::Request;
use secrecy::{ExposeSecret as _, SecretString};

use super::secret::from_system;
use super::wait;
use crate::config::providers::{Auth, KeySource, ProviderSpec};
pub(super) use credential::{Credential, secret_value};
use keeper::Keeper;
pub(super) use signature::encoded;

/// How the calls of a provider say who makes them, where their headers do not.
pub(super) struct Signer {
    keeper: Arc<Keeper>,
    by: By,
}

enum By {
    /// By a token in that header.
    Token(HeaderName),
    /// By AWS's signature for that region.
    Aws(String),
}

impl Signer {
    /// Makes a provider's, where it needs one; `first` is what was found where its key is said to be.
    pub(super) fn new(
        spec: &ProviderSpec,
        first: Option<&SecretString>,
    ) -> Result<Option<Self>, (&'static str, String)> {
        let Some((source, first)) = spec.key.clone().zip(first.cloned()) else { return Ok(None) };
        let hosting = &spec.hosting;
        let ask: fn(SecretString, Duration, Duration) -> keeper::Asked = match hosting.auth {
            Auth::Key => return Ok(None),
            Auth::Token => |text, renew, _| Box::pin(async move { credential::token(&text, renew) }),
            Auth::Google => |text, renew, connect| Box::pin(google::ask(text, renew, connect)),
            Auth::Aws => |text, _, _| Box::pin(async move { credential::aws_keys(&text, wait::wall()) }),
        };
        // What can be told at once is told at the start, not with the first call.
        match hosting.auth {
            Auth::Google => google::check(&first).map_err(|why| ("key", why))?,
            Auth::Aws => drop(credential::aws_keys(&first, wait::wall()).map_err(|why| ("key", why))?),
            Auth::Token => drop(credential::token(&first, hosting.renew).map_err(|why| ("key", why))?),
            Auth::Key => {}
        }
        let (renew, connect) = (hosting.renew, spec.timeouts.connect);
        let keeper = Keeper::new(Box::new(move || {
            let (source, first) = (source.clone(), first.clone());
            Box::pin(async move { ask(found(source, first).await?, renew, connect).await })
        }));
        if let (Auth::Aws, Some(region)) = (hosting.auth, &hosting.region) {
            return Ok(Some(Self { keeper, by: By::Aws(region.clone()) }));
        }
        let name = spec.key_header.as_deref().unwrap_or("authorization");
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.map_err(|_| ("key_header", "is no name of a header".to_owned()))?;
        Ok(Some(Self { keeper, by: By::Token(name) }))
    }

    /// Signs a call. Returns what it was signed with, which may be refused.
    pub(super) async fn sign(&self, request: &mut Request) -> Result<Arc<Credential>, String> {
        let credential = self.keeper.get(Instant::now()).await?;
        match &self.by {
            By::Token(name) => {
                let value = match (&credential.value, *name == header::AUTHORIZATION) {
                    (Some(bearer), true) => bearer.clone(),
                    _ => secret_value(credential.secret.expose_secret())?,
                };
                request.headers_mut().insert(name, value);
            }
            By::Aws(region) => signature::sign(request, &credential, region, "bedrock", wait::wall())?,
        }
        Ok(credential)
    }

    /// Hears that a call was answered, and says whether it should be made again with what is read anew: it was refused for
    /// what it was signed with, though that had served before.
    pub(super) fn is_stale(&self, used: &Arc<Credential>, status: u16, headers: &HeaderMap) -> bool {
        let is_refused = match self.by {
            By::Token(_) => status == 401,
            By::Aws(_) => {
                let kind = headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok()).unwrap_or("");
                let ended = ["ExpiredToken", "UnrecognizedClient", "InvalidClientTokenId"];
                matches!(status, 400..=403) && ended.iter().any(|word| kind.starts_with(word))
            }
        };
        if !is_refused {
            used.has_served.store(true, Ordering::Relaxed);
            return false;
        }
        self.keeper.forget(used);
        used.has_served.load(Ordering::Relaxed)
    }

    /// Takes what calls are signed with out of a text.
    pub(super) fn redact<'t>(&self, text: Cow<'t, str>) -> Cow<'t, str> {
        let Some(held) = self.keeper.held() else { return text };
        let secrets = std::iter::once(&held.secret).chain(&held.session);
        secrets.fold(text, |text, secret| match secret.expose_secret() {
            secret if text.contains(secret) => Cow::Owned(text.replace(secret, "(key)")),
            _ => text,
        })
    }
}

/// Reads again what may have changed where it is kept; the rest is as it was found at the start.
async fn found(source: KeySource, first: SecretString) -> Result<SecretString, String> {
    if matches!(source, KeySource::Env(_) | KeySource::AwsEnv) {
        return Ok(first);
    }
    let read = tokio::task::spawn_blocking(move || from_system(&source));
    let found = read.await.map_err(|_| "it could not be read".to_owned())?;
    found.map(|found| found.key).map_err(|error| error.to_string())
}
