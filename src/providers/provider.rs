//! One provider as it is used: its addresses and headers, made once, and the state of each of its models.
//!
//! Invariant: the number of models that a provider keeps state of is bounded, for clients name models; those beyond share
//! one state.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue, header};
use reqwest::{Client, Request, Url};
use rustc_hash::FxHashMap;
use secrecy::{ExposeSecret as _, SecretString};

use super::address::{self, Addresses};
use super::auth::{Credential, Signer, secret_value};
use super::breaker::Breaker;
use super::client;
use super::conceal::concealed;
use super::error::{CallError, ProviderError};
use super::lane::Clients;
use super::limit::Limiter;
use super::names::matches;
use super::quota::Quota;
use crate::config::providers::{Auth, Platform, ProviderSpec, Speaks};
use crate::wire::{Dialect, Form, ModelEntry};

/// The most models of a provider that have a state of their own.
const MOST_MODELS: usize = 512;

/// A provider.
pub(crate) struct Provider {
    /// Its name, with that of the account where it has several.
    pub(crate) name: Arc<str>,
    pub(crate) spec: ProviderSpec,
    /// Whether answers are simulated: by its nature, or for want of a key.
    pub(crate) simulated: bool,
    /// Why no call is made at all, for people.
    pub(crate) refusal: Option<String>,
    /// The provider and its host, for messages.
    pub(crate) to: String,
    /// One for each thread that serves; its connections stay on that thread.
    clients: Clients,
    /// Whether it has taken a connection over HTTP/2.
    pub(crate) over_http2: Arc<AtomicBool>,
    /// What every call carries, the key included.
    pub(crate) headers: HeaderMap,
    /// The same for a Gemini server's paths in OpenAI's manner.
    pub(crate) openai_headers: HeaderMap,
    /// The key, to keep it out of what the provider says.
    key: Option<SecretString>,
    /// How a call says who makes it, where its headers do not.
    pub(super) signer: Option<Signer>,
    pub(crate) base: Option<Url>,
    /// What it said of its models.
    pub(super) catalogue: Catalogue,
    limiter: Arc<Limiter>,
    slots: Mutex<Slots>,
}

/// What a provider said of its models.
#[derive(Default)]
pub(super) struct Catalogue(pub(super) tokio::sync::Mutex<Seen>);

#[derive(Default)]
pub(super) struct Seen {
    pub(super) models: Arc<[ModelEntry]>,
    pub(super) until: Option<tokio::time::Instant>,
}

#[derive(Default)]
struct Slots {
    known: FxHashMap<Arc<str>, Arc<Slot>>,
    /// The state that the models beyond the bound share.
    shared: Option<Arc<Mutex<State>>>,
}

/// A model at its provider.
pub(crate) struct Slot {
    pub(crate) provider: Arc<Provider>,
    pub(crate) upstream: Arc<str>,
    pub(crate) limiter: Arc<Limiter>,
    /// The meter of the place where it runs, where that is said: `region:eu`.
    pub(crate) place: Option<Arc<str>>,
    addresses: Addresses,
    state: Arc<Mutex<State>>,
}

/// What is known of a model's health.
pub(crate) struct State {
    pub(crate) breaker: Breaker,
    pub(crate) quota: Quota,
    pub(crate) in_flight: u32,
    /// The calls so far.
    pub(crate) sent: u64,
    pub(crate) last_error: Option<String>,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("provider", &self.provider.name)
            .field("model", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl Slot {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the address for a dialect; `None` where the server has no such interface.
    pub(crate) fn address(&self, dialect: Dialect, stream: bool) -> Option<&Url> {
        if self.provider.dialect_for(dialect) != Some(dialect) {
            return None;
        }
        let addresses = &self.addresses;
        match dialect {
            Dialect::OpenAiResponses => addresses.responses.as_ref(),
            Dialect::OpenAiEmbeddings => addresses.embeddings.as_ref(),
            Dialect::OpenAiCompletions => addresses.completions.as_ref(),
            Dialect::GeminiEmbeddings => addresses.gemini_embeddings.as_ref(),
            _ if stream => addresses.chat_stream.as_ref().or(addresses.chat.as_ref()),
            _ => addresses.chat.as_ref(),
        }
    }
}

impl Provider {
    /// Sets a provider up, or one of its accounts.
    pub(crate) fn new(
        spec: ProviderSpec,
        account: Option<&str>,
        key: Option<&SecretString>,
        simulated: bool,
        refusal: Option<String>,
        now: Instant,
    ) -> Result<Self, ProviderError> {
        let setting = |field, why: &str| ProviderError {
            origin: spec.origin.clone(),
            provider: spec.name.clone(),
            field,
            why: why.to_owned(),
        };
        let base = match spec.speaks {
            Speaks::Simulated => None,
            _ => Some(Url::parse(&spec.base_url).map_err(|_| setting("base_url", "is no address"))?),
        };
        if base.as_ref().is_some_and(|url| !url.username().is_empty() || url.password().is_some()) {
            return Err(setting("base_url", "has a name or password in it; say where the key is with `key`"));
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &spec.headers {
            put_secret(&mut headers, name, value.expose_secret())
                .ok_or_else(|| setting("headers", "a name or value is none that a header may have"))?;
        }
        let mut openai_headers = headers.clone();
        let signer = Signer::new(&spec, key).map_err(|(field, why)| setting(field, &why))?;
        if let Some(key) = key.filter(|_| spec.hosting.auth == Auth::Key) {
            if key.expose_secret().starts_with('{') {
                return Err(setting(
                    "key",
                    "is a file of an account, no key; say auth = \"google\" or \"aws\"",
                ));
            }
            let usual = match (spec.speaks, spec.hosting.platform) {
                (Speaks::Anthropic, Platform::Own) => "x-api-key",
                (Speaks::Gemini, _) => "x-goog-api-key",
                (_, Platform::Azure) => "api-key",
                _ => "authorization",
            };
            let name = spec.key_header.as_deref().unwrap_or(usual);
            let invalid = || setting("key", "the key has characters that no header may have");
            put_key(&mut headers, name, key).ok_or_else(invalid)?;
            let name = spec.key_header.as_deref().unwrap_or("authorization");
            put_key(&mut openai_headers, name, key).ok_or_else(invalid)?;
        }
        let name: Arc<str> =
            account.map_or_else(|| spec.name.clone(), |account| format!("{}/{account}", spec.name)).into();
        let host = base.as_ref().and_then(Url::host_str).map(|host| format!(" ({host})")).unwrap_or_default();
        Ok(Self {
            to: format!("{name}{host}"),
            name,
            limiter: Arc::new(Limiter::new(spec.limits, now)),
            clients: Clients::default(),
            over_http2: Arc::default(),
            catalogue: Catalogue::default(),
            slots: Mutex::default(),
            simulated,
            refusal,
            headers,
            openai_headers,
            key: key.cloned(),
            signer,
            base,
            spec,
        })
    }

    /// Returns the dialect in which a client's request of `dialect` is put to this provider; `None` where it cannot be.
    pub(crate) fn dialect_for(&self, dialect: Dialect) -> Option<Dialect> {
        let chat = match self.spec.speaks {
            _ if self.simulated => Dialect::OpenAiChat,
            Speaks::Anthropic | Speaks::Converse => Dialect::AnthropicMessages,
            Speaks::Gemini => Dialect::Gemini,
            Speaks::OpenAi | Speaks::Mistral | Speaks::Simulated => Dialect::OpenAiChat,
        };
        let has_embeddings =
            self.simulated || matches!(self.spec.hosting.platform, Platform::Own | Platform::Azure);
        match dialect {
            Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings if !has_embeddings => None,
            // A Gemini server has embeddings in OpenAI's manner beside its own.
            Dialect::OpenAiEmbeddings => (chat != Dialect::AnthropicMessages).then_some(dialect),
            Dialect::GeminiEmbeddings if chat == Dialect::Gemini => Some(dialect),
            Dialect::GeminiEmbeddings => self.dialect_for(Dialect::OpenAiEmbeddings),
            Dialect::OpenAiResponses if self.spec.responses && !self.simulated => Some(dialect),
            Dialect::OpenAiCompletions if self.spec.completions && !self.simulated => Some(dialect),
            Dialect::OpenAiResponses
            | Dialect::OpenAiChat
            | Dialect::AnthropicMessages
            | Dialect::Gemini
            | Dialect::OpenAiCompletions => Some(chat),
        }
    }

    /// Returns what it calls a model that it serves.
    pub(super) fn calls<'m>(&'m self, model: &'m str) -> Option<&'m str> {
        let renamed =
            self.spec.rename.iter().find(|(ours, _)| ours == model).map(|(_, theirs)| theirs.as_str());
        renamed.or_else(|| self.spec.models.iter().any(|pattern| matches(pattern, model)).then_some(model))
    }

    /// Returns the form in which messages travel to it.
    pub(crate) fn form(&self) -> Form {
        match (self.spec.hosting.platform, self.spec.speaks) {
            _ if self.simulated => Form::Plain,
            (Platform::Vertex, Speaks::Anthropic) => Form::Vertex,
            (Platform::Bedrock, Speaks::Anthropic) => Form::Bedrock,
            (_, Speaks::Converse) => Form::Converse,
            _ => Form::Plain,
        }
    }

    /// Takes the key out of a text, should the provider have repeated it there.
    pub(crate) fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let text = match self.key.as_ref().map(SecretString::expose_secret) {
            Some(key) if text.contains(key) => Cow::Owned(text.replace(key, "(key)")),
            _ => Cow::Borrowed(text),
        };
        if let Some(signer) = &self.signer { signer.redact(text) } else { text }
    }

    /// Takes the provider's address out of a text that a client gets: where a provider stands is the operator's affair.
    pub(crate) fn conceal<'t>(&self, text: &'t str) -> Cow<'t, str> {
        concealed(text, self.base.as_ref().and_then(Url::host_str), &self.name)
    }

    /// Has a call say who makes it. Returns what it was signed with, where that may be refused.
    pub(super) async fn sign(&self, request: &mut Request) -> Result<Option<Arc<Credential>>, CallError> {
        let Some(signer) = &self.signer else { return Ok(None) };
        let signed = signer.sign(request).await.map(Some);
        signed.map_err(|why| CallError::Credentials(self.to.clone(), why))
    }

    pub(crate) fn client(&self) -> Result<&Client, CallError> {
        let made = self.clients.get_or_make(|| {
            client::client(&self.spec.base_url, self.spec.timeouts.connect, &self.over_http2)
        });
        made.map_err(|why| CallError::Setup(self.to.clone(), why.to_owned()))
    }

    /// Finds a model's state, making it at first sight.
    pub(crate) fn slot(self: &Arc<Self>, upstream: &str, now: Instant) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.known.get(upstream) {
            return Arc::clone(slot);
        }
        let fresh = || {
            Arc::new(Mutex::new(State {
                breaker: Breaker::new(self.spec.breaker, now),
                quota: Quota::default(),
                in_flight: 0,
                sent: 0,
                last_error: None,
            }))
        };
        let full = slots.known.len() >= MOST_MODELS;
        let state = if full { Arc::clone(slots.shared.get_or_insert_with(fresh)) } else { fresh() };
        let own_limits = self.spec.limits.per_model && !full;
        let base = self.base.as_ref().filter(|_| !self.simulated);
        let slot = Arc::new(Slot {
            provider: Arc::clone(self),
            upstream: upstream.into(),
            place: address::place(&self.spec.hosting, upstream).map(Into::into),
            limiter: if own_limits {
                Arc::new(Limiter::new(self.spec.limits, now))
            } else {
                Arc::clone(&self.limiter)
            },
            addresses: base.map(|base| address::of(&self.spec, base, upstream)).unwrap_or_default(),
            state,
        });
        if !full {
            slots.known.insert(Arc::clone(&slot.upstream), Arc::clone(&slot));
        }
        slot
    }

    /// Lists the models that have a state of their own.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).known.values().cloned().collect()
    }
}

/// Puts a key into its header.
fn put_key(headers: &mut HeaderMap, name: &str, key: &SecretString) -> Option<()> {
    if name.eq_ignore_ascii_case("authorization") {
        let text = SecretString::from(format!("Bearer {}", key.expose_secret()));
        return put_secret(headers, name, text.expose_secret());
    }
    put_secret(headers, name, key.expose_secret())
}

/// Puts what nobody is to see into a header; `None` where it has characters that no header may have.
fn put_secret(headers: &mut HeaderMap, name: &str, value: &str) -> Option<()> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    headers.insert(name, secret_value(value).ok()?);
    Some(())
}
