//! Questions to a provider beside the traffic: its list of models, a count of tokens, an answer that it keeps.
//!
//! Invariants: what is asked here costs nothing, is asked once, and is bounded in time and size; it neither waits for
//! breaker, quota and limits nor tells them anything. A provider whose answers are simulated, or that may not be called, is
//! not asked.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method};
use reqwest::{Request, Url};
use tokio::time::{Instant as Clock, timeout_at};

use super::address;
use super::breaker::Phase;
use super::error::CallError;
use super::http as network;
use super::provider::Provider;
use super::registry::{Providers, Target};
use super::reply::{Deadlines, Reply};
use crate::config::providers::{Platform, Speaks, Timeouts};
use crate::wire::{Dialect, Form, ModelEntry, read_models};

/// How long a provider's list of models holds.
const FRESH: Duration = Duration::from_secs(300);
/// After how long a provider whose list could not be had is asked again.
const AGAIN: Duration = Duration::from_secs(30);
/// How long a list, or a count, is waited for.
const PATIENCE: Duration = Duration::from_secs(3);
/// The largest list that is read, in bytes.
const LIST: usize = 4 << 20;
/// The most names that are taken from a list.
const MOST: usize = 5_000;
/// The largest count that is read, in bytes.
const COUNT: usize = 64 << 10;
/// How long an answer that a provider keeps is waited for.
const STORED: Duration = Duration::from_secs(60);
/// The largest such answer, in bytes.
const ANSWER: usize = 64 << 20;

/// What a provider answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

/// A question to a provider.
pub(super) struct Question<'q> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// The client's headers; those that the provider understands go along.
    pub(super) headers: &'q HeaderMap,
    pub(super) body: Option<Bytes>,
    pub(super) patience: Duration,
    /// The largest answer that is read, in bytes.
    pub(super) most: usize,
    /// Hears how much of the answer is held, and says whether it may be.
    pub(super) hold: &'q mut (dyn FnMut(usize) -> bool + Send),
}

impl Provider {
    /// Says whether there is a server that may be asked.
    fn is_there(&self) -> bool {
        !self.simulated && self.refusal.is_none()
    }

    /// Returns an address of its API, with the version where the dialect has it in its paths.
    pub(super) fn beside(&self, parts: &[&str]) -> Option<Url> {
        address::beside(&self.spec, self.base.as_ref().filter(|_| self.is_there())?, parts)
    }

    /// Asks the provider something.
    pub(super) async fn ask(&self, question: Question<'_>) -> Result<Told, CallError> {
        let Question { patience, most, hold, .. } = question;
        let mut request = Request::new(question.method, question.url);
        *request.headers_mut() = self.headers.clone();
        network::pass(question.headers, &self.spec, request.headers_mut());
        *request.body_mut() = question.body.map(Into::into);
        let timeouts =
            Timeouts { first_byte: patience, idle: patience, total: patience, ..self.spec.timeouts };
        let deadlines = Deadlines::new(timeouts, false, Clock::now());
        let exchange = async {
            self.sign(&mut request).await?;
            let broken = |error| CallError::from_reqwest(self.to.clone(), &error, false, timeouts.connect);
            self.client()?.execute(request).await.map_err(broken)
        };
        let missed = |_| deadlines.missed_head(self.to.clone());
        let response = timeout_at(deadlines.head(), exchange).await.map_err(missed)??;
        let reply = Reply::network(response, self.to.clone(), deadlines, (Form::Plain, &Arc::default()));
        let status = reply.status;
        let body = reply.whole(most, hold).await?;
        Ok(Told { status, body })
    }

    /// Returns the models that the provider lists, as it last said: asked for at most every few minutes, by one at a time. One
    /// that does not answer is taken to have what it had.
    async fn catalogue(&self) -> Arc<[ModelEntry]> {
        let mut seen = self.catalogue.0.lock().await;
        if seen.until.is_some_and(|until| Clock::now() < until) {
            return Arc::clone(&seen.models);
        }
        let listed = self.ask_for_list().await;
        seen.until = Some(Clock::now() + if listed.is_some() { FRESH } else { AGAIN });
        if let Some(models) = listed {
            seen.models = models.into();
        }
        Arc::clone(&seen.models)
    }

    async fn ask_for_list(&self) -> Option<Vec<ModelEntry>> {
        // Clouds list what could be served, not what is.
        let mut url = self.beside(&["models"]).filter(|_| self.spec.hosting.platform == Platform::Own)?;
        match self.spec.speaks {
            Speaks::Anthropic => url.set_query(Some("limit=1000")),
            Speaks::Gemini => url.set_query(Some("pageSize=1000")),
            Speaks::OpenAi | Speaks::Mistral | Speaks::Converse | Speaks::Simulated => {}
        }
        let question = Question {
            method: Method::GET,
            url,
            headers: &HeaderMap::new(),
            body: None,
            patience: PATIENCE,
            most: LIST,
            hold: &mut |_| true,
        };
        let listed = match self.ask(question).await {
            Ok(told) if told.status == 200 => read_models(&told.body, &self.spec.name),
            _ => None,
        };
        if listed.is_none() {
            tracing::debug!(provider = &*self.name, "its list of models could not be had");
        }
        let mut listed = listed?;
        listed.truncate(MOST);
        Some(listed)
    }
}

impl Providers {
    /// Lists the models that can be asked for by name: those that the settings name, and of those that patterns serve the
    /// ones that their provider lists. Where answers are simulated those of `known` stand in for a list.
    pub async fn offered(&self, known: impl Iterator<Item = &str>) -> Vec<ModelEntry> {
        let exact = self.models.exact().filter_map(|(model, _)| self.entry(model));
        let mut offered: Vec<ModelEntry> = exact.collect();
        let simulated = known.filter_map(|model| {
            let (at, _) = self.models.find(model)?;
            self.all.get(at).filter(|provider| provider.simulated)?;
            self.entry(model)
        });
        offered.extend(simulated);
        let by_pattern = |provider: &&Arc<Provider>| {
            provider.is_there() && provider.spec.models.iter().any(|name| name.contains('*'))
        };
        let asked = self.all.iter().filter(by_pattern).map(|provider| provider.catalogue());
        for entry in futures::future::join_all(asked).await.iter().flat_map(|list| list.iter()) {
            // Another provider may be nearer to the name than the one that lists it.
            let served = self.models.find(&entry.id).and_then(|(at, _)| self.all.get(at));
            if served.is_some_and(|provider| *provider.spec.name == *entry.owner) {
                offered.push(entry.clone());
            }
        }
        offered.sort_unstable_by(|a, b| a.id.cmp(&b.id).then(b.created.cmp(&a.created)));
        offered.dedup_by(|a, b| a.id == b.id);
        offered
    }

    /// Lists the providers that keep the answers they gave.
    pub fn keepers(&self) -> Vec<Arc<str>> {
        let stores_responses = |provider: &&Arc<Provider>| provider.is_there() && provider.spec.responses;
        self.all.iter().filter(stores_responses).map(|provider| Arc::clone(&provider.name)).collect()
    }

    /// Asks a provider for an answer that it keeps, or for `what` of it: `cancel`, `input_items`. `hold` hears how much of it
    /// is held and says whether that may be.
    pub async fn stored(
        &self,
        provider: &str,
        method: &Method,
        id: &str,
        what: &str,
        query: Option<&str>,
        hold: &mut (dyn FnMut(usize) -> bool + Send),
    ) -> Result<Told, CallError> {
        let unsupported = || CallError::Unsupported(provider.to_owned(), Dialect::OpenAiResponses.name());
        let provider = self.named(provider).ok_or_else(unsupported)?;
        let parts = ["responses", id, what];
        let parts = if what.is_empty() { &parts[..2] } else { &parts[..] };
        let mut url = provider.beside(parts).ok_or_else(unsupported)?;
        let both: Vec<&str> =
            url.query().into_iter().chain(query).filter(|query| !query.is_empty()).collect();
        let both = both.join("&");
        url.set_query((!both.is_empty()).then_some(both.as_str()));
        let method = if *method == Method::HEAD { Method::GET } else { method.clone() };
        let headers = &HeaderMap::new();
        let hold = &mut |size| hold(size);
        provider
            .ask(Question { method, url, headers, body: None, patience: STORED, most: ANSWER, hold })
            .await
    }

    /// Takes a provider's key out of a text that it sent.
    pub fn redact(&self, provider: &str, text: &str) -> String {
        self.named(provider)
            .map_or_else(|| text.to_owned(), |provider| provider.conceal(&provider.redact(text)).into_owned())
    }

    fn named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.accounts().find(|provider| *provider.name == *name)
    }

    /// Returns what a list says of a model that is served, whoever lists it; what would be synthetic is marked.
    pub fn entry(&self, model: &str) -> Option<ModelEntry> {
        let (at, _) = self.models.find(model)?;
        let provider = self.all.get(at)?;
        let mark = |text: &str| format!("{text} (SIMULATED)");
        let instead = provider.simulated && provider.spec.speaks != Speaks::Simulated;
        Some(ModelEntry {
            id: model.to_owned(),
            owner: if instead { mark(&provider.spec.name) } else { provider.spec.name.clone() },
            created: 0,
            title: instead.then(|| mark(model)),
        })
    }

    /// Has the provider itself count the tokens of a request; nothing where it cannot, or is in trouble. The body is one
    /// that the target would be sent in `dialect`.
    pub async fn count(
        &self,
        target: &Target,
        dialect: Dialect,
        body: &Bytes,
        headers: &HeaderMap,
    ) -> Option<u64> {
        let (slot, provider) = (&target.slot, &target.slot.provider);
        let now = std::time::Instant::now();
        let is_well = {
            let state = slot.state();
            state.breaker.phase(now) == Phase::Closed && state.quota.closed_until(now).is_none()
        };
        if !is_well {
            return None;
        }
        let (url, body, field) = match dialect {
            Dialect::AnthropicMessages => {
                let url = provider.beside(&["messages", "count_tokens"])?;
                (url, to_count(body, &MESSAGES)?, "input_tokens")
            }
            Dialect::OpenAiResponses => {
                let url = provider.beside(&["responses", "input_tokens"])?;
                (url, to_count(body, &RESPONSES)?, "input_tokens")
            }
            Dialect::Gemini => {
                let model = slot.upstream.trim_start_matches("models/");
                let url = provider.beside(&["models", &format!("{model}:countTokens")])?;
                (url, within_count(model, body)?, "totalTokens")
            }
            _ => return None,
        };
        let question = Question {
            method: Method::POST,
            url,
            headers,
            body: Some(body),
            patience: PATIENCE,
            most: COUNT,
            hold: &mut |_| true,
        };
        let told = provider.ask(question).await.ok().filter(|told| told.status == 200)?;
        serde_json::from_slice::<serde_json::Value>(&told.body).ok()?.get(field)?.as_u64()
    }
}

/// What of a request of Anthropic's may stand in the question how many tokens it has.
const MESSAGES: [&str; 10] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "cache_control",
    "context_management",
    "mcp_servers",
];

/// And of one for OpenAI's responses.
const RESPONSES: [&str; 11] = [
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "truncation",
    "previous_response_id",
    "conversation",
];

/// Keeps of a request what is counted.
fn to_count(body: &Bytes, counted: &[&str]) -> Option<Bytes> {
    let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    body.retain(|key, _| counted.contains(&key.as_str()));
    Some(serde_json::to_vec(&body).ok()?.into())
}

/// Wraps a request of Gemini's into the question how many tokens it has.
fn within_count(model: &str, body: &Bytes) -> Option<Bytes> {
    let mut body: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    body.insert("model".to_owned(), format!("models/{model}").into());
    Some(serde_json::to_vec(&serde_json::json!({ "generateContentRequest": body })).ok()?.into())
}
