//! Calls over the network.
//!
//! Invariants: a call goes to its provider's own address and nowhere else (redirects are not followed, so a key never
//! reaches another host); nothing that a provider may have worked on is sent twice here; of a client's headers only those
//! on a list go along.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Request};
use tokio::time::{Instant as Clock, timeout_at};

use super::call::Call;
use super::client::DIALS;
use super::error::CallError;
use super::provider::Slot;
use super::reply::{Deadlines, Reply};
use crate::config::providers::{Platform, ProviderSpec, Speaks};
use crate::wire::{Dialect, Form, betas_for_vertex, for_vertex, is_answered_whole};

/// A client's headers that go along to a server of Anthropic's kind.
const TO_ANTHROPIC: [HeaderName; 2] =
    [HeaderName::from_static("anthropic-version"), HeaderName::from_static("anthropic-beta")];
/// A client's headers that go along to a server of OpenAI's kind.
const TO_OPENAI: [HeaderName; 2] =
    [HeaderName::from_static("openai-beta"), HeaderName::from_static("x-client-request-id")];

/// The headers by which Vertex is asked for a service tier of Gemini's.
/// <https://cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo>
const TO_VERTEX: [HeaderName; 2] = [
    HeaderName::from_static("x-vertex-ai-llm-request-type"),
    HeaderName::from_static("x-vertex-ai-llm-shared-request-type"),
];

/// How often a call that was not taken is sent again. Each may meet another connection of the pool that is no more.
const RESENDS: u32 = 3;
/// A server that closed an idle connection answers what comes then with a reset, a round trip later. What breaks off after
/// that may have been worked on, and so may what shares a connection with others, over HTTP/2: there the protocol has to say
/// that it was not.
const STALE: Duration = Duration::from_secs(1);

/// Makes a call and waits for the head of its answer.
pub(super) async fn call(slot: &Slot, call: Call) -> Result<Reply, CallError> {
    let provider = &slot.provider;
    let to = || provider.to.clone();
    // Told as a stream all the same.
    let streams =
        call.stream && !(provider.form() == Form::Converse && is_answered_whole(&slot.upstream, &call.body));
    let Some(url) = slot.address(call.dialect, streams) else {
        return Err(CallError::Unsupported(to(), call.dialect.name()));
    };
    let is_gemini = call.dialect == Dialect::Gemini && provider.spec.hosting.platform == Platform::Vertex;
    let (body, tier) = if is_gemini { for_vertex(call.body) } else { (call.body, None) };
    let client = provider.client()?;
    let openai = call.dialect == Dialect::OpenAiEmbeddings && provider.spec.speaks == Speaks::Gemini;
    let headers = if openai { &provider.openai_headers } else { &provider.headers };
    let timeouts = provider.spec.timeouts;
    let deadlines = Deadlines::new(timeouts, streams, Clock::now());
    let (mut sent, mut is_anew) = (0, false);
    loop {
        let mut request = Request::new(Method::POST, url.clone());
        *request.headers_mut() = headers.clone();
        pass(&call.headers, &provider.spec, request.headers_mut());
        if let Some(tier) = tier.as_deref().and_then(|tier| HeaderValue::from_str(tier).ok()) {
            let [kind, shared] = TO_VERTEX;
            request.headers_mut().insert(kind, HeaderValue::from_static("shared"));
            request.headers_mut().insert(shared, tier);
        }
        *request.body_mut() = Some(body.clone().into());
        let signing = timeout_at(deadlines.head(), provider.sign(&mut request)).await;
        let used = signing.unwrap_or_else(|_| Err(deadlines.missed_head(to())))?;
        sent += 1;
        let began = Clock::now();
        let sending = async {
            let done = client.execute(request).await;
            (done, DIALS.with(Cell::get))
        };
        let error = match timeout_at(deadlines.head(), DIALS.scope(Cell::new(false), sending)).await {
            Ok((Ok(response), _)) => {
                let (status, headers) = (response.status().as_u16(), response.headers());
                let signed = provider.signer.as_ref().zip(used.as_ref());
                let is_stale = signed.is_some_and(|(signer, used)| signer.is_stale(used, status, headers));
                if is_stale && !std::mem::replace(&mut is_anew, true) {
                    tracing::debug!(provider = &*provider.name, "what the call was signed with has ended");
                    continue;
                }
                return Ok(Reply::network(response, to(), deadlines, (provider.form(), &slot.upstream)));
            }
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

/// Forwards those of a client's headers that a provider understands.
pub(super) fn pass(from: &HeaderMap, spec: &ProviderSpec, to: &mut HeaderMap) {
    if from.is_empty() {
        return;
    }
    let names: &[HeaderName] = match (spec.speaks, spec.hosting.platform) {
        // There they stand in the body.
        (Speaks::Anthropic, Platform::Bedrock) => &[],
        (Speaks::Anthropic, _) => &TO_ANTHROPIC,
        (Speaks::OpenAi, Platform::Own | Platform::Azure) => &TO_OPENAI,
        _ => &[],
    };
    let is_vertex = spec.hosting.platform == Platform::Vertex;
    for name in names {
        if is_vertex && name == "anthropic-beta" {
            let known = from.get_all(name).iter().filter_map(|line| betas_for_vertex(line.to_str().ok()?));
            let known = HeaderValue::from_str(&known.collect::<Vec<_>>().join(","));
            if let Some(known) = known.ok().filter(|known| !known.is_empty()) {
                to.insert(name, known);
            }
            continue;
        }
        if from.contains_key(name) {
            to.remove(name);
        }
        for value in from.get_all(name) {
            to.append(name, value.clone());
        }
    }
}
