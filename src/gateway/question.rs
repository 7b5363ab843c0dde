//! A prompt typed in a console, sent like any client's request.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use http::{HeaderMap, Response};
use serde_json::Value;

use super::body::Reply as Body;
use super::gate::{let_in, pinned};
use super::headers::{self, value};
use super::{Gateway, run};
use crate::access::Caller;
use crate::session::{Answer, Question, Reply};
use crate::units::Pico;
use crate::wire::{Ask, Dialect};

/// How long a typed prompt is waited for.
const PATIENCE: Duration = Duration::from_secs(600);
/// The longest answer that is shown, in bytes.
const LONGEST: usize = 16 << 20;

fn body(question: &Question) -> String {
    let model = if question.model.is_empty() { crate::routing::AUTO } else { &question.model };
    serde_json::json!({
        "model": model,
        "messages": [{ "role": "user", "content": question.prompt }],
    })
    .to_string()
}

fn tags(question: &Question) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let tags = [
        ("pointsman-team", &question.team),
        ("pointsman-project", &question.project),
        ("pointsman-task", &question.task),
    ];
    for (name, text) in tags {
        if !text.is_empty() {
            headers.insert(name, value(text));
        }
    }
    headers
}

/// Reads a chat answer with its headers as a person wants to see it.
fn read(status: u16, headers: &HeaderMap, body: &[u8], took: Duration) -> Result<Reply, String> {
    let said = |name: &http::HeaderName| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    if !(200..300).contains(&status) {
        let message = parsed.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
        return Err(format!("{status}: {message}"));
    }
    let message = parsed.pointer("/choices/0/message");
    let text = message.and_then(|message| message.get("content")?.as_str()).unwrap_or_default();
    Ok(Reply {
        text: text.to_owned(),
        model: said(&headers::MODEL),
        rung: said(&headers::RUNG),
        cost: Pico::from_usd(&said(&headers::COST)).ok(),
        latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        operation: said(&headers::OPERATION),
        simulated: headers.contains_key(headers::SIMULATED),
    })
}

impl Gateway {
    /// Answers a prompt that the operator typed at this gateway's own console.
    pub async fn answer(self: &Arc<Self>, question: Question) -> Answer {
        let started = Moment::now();
        let ticket = question.ticket;
        let outcome = match self.put(&question).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                let bytes = match body {
                    Body::Whole(bytes) => bytes.unwrap_or_default(),
                    Body::Pieces(_) => bytes::Bytes::new(),
                };
                read(head.status.as_u16(), &head.headers, &bytes, started.elapsed())
            }
            Err(message) => Err(message),
        };
        Answer { ticket, outcome }
    }

    async fn put(self: &Arc<Self>, question: &Question) -> Result<Response<Body>, String> {
        let place = let_in(self).map_err(|error| error.message)?;
        let ask = Ask::read(Dialect::OpenAiChat, body(question).into()).map_err(|error| error.to_string())?;
        let pinned = pinned(self, ask.model()).map_err(|error| error.message)?;
        let caller = Caller { name: "console".into(), ..Caller::local() };
        let tags = tags(question);
        let response = run::run(self, ask, pinned, tags, &caller, place);
        let response = tokio::time::timeout(PATIENCE, response).await;
        response.map_err(|_| "no answer in time".to_owned())?.map_err(|error| error.message)
    }
}

/// Sends a typed prompt to a gateway elsewhere.
///
/// # Errors
/// Where it cannot be reached or refuses, in words for the screen.
pub async fn ask_over_http(
    client: &reqwest::Client,
    url: &str,
    key: Option<&str>,
    question: &Question,
) -> Result<Reply, String> {
    let started = Moment::now();
    let mut request = client
        .post(format!("{url}/v1/chat/completions"))
        .headers(tags(question))
        .header("content-type", "application/json")
        .body(body(question))
        .timeout(PATIENCE);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let mut response = request.send().await.map_err(|_| format!("{url} cannot be reached"))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|_| "the answer broke off".to_owned())? {
        if bytes.len() + piece.len() > LONGEST {
            return Err(format!("the answer is longer than {LONGEST} bytes"));
        }
        bytes.extend_from_slice(&piece);
    }
    read(status, &headers, &bytes, started.elapsed())
}
