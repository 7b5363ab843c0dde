//! One delivery: a POST, or a program that gets the message on its standard input.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{Client, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::message;
use super::program::{self, Ran};
use crate::alert::Alert;
use crate::config::alerts::{Receiver, Way};
use crate::ledger::News;
use crate::units::clean;

/// The bytes of an answer that are looked at.
const SHOWN: usize = 200;

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the receiver has it.
    pub delivered: bool,
    /// What it answered, in words; never its address.
    pub answer: String,
    /// When it wants to be asked again.
    pub after: Option<Duration>,
}

impl Outcome {
    fn failed(answer: String) -> Self {
        Self { delivered: false, answer, after: None }
    }
}

/// Makes the client that all receivers are told by.
pub(super) fn client() -> Option<Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    // Whoever redirects may lead a secret elsewhere.
    let client =
        Client::builder().redirect(redirect::Policy::none()).connect_timeout(Duration::from_secs(10));
    client.build().ok()
}

/// Tells a receiver.
pub(super) async fn send(
    client: Option<&Client>,
    receiver: &Receiver,
    (alert, news): (&Alert, News),
    is_test: bool,
) -> Outcome {
    let plain = || message::plain(alert, news, is_test);
    let key = message::key(alert, news);
    match (&receiver.way, client) {
        (Way::Webhook(url), Some(client)) => post(client, receiver, url, (&plain(), &key)).await,
        (Way::Slack(url), Some(client)) => {
            post(client, receiver, url, (&message::slack(alert, news, is_test), &key)).await
        }
        (Way::Command(command), _) => run(command, receiver.timeout, &plain()).await,
        (_, None) => Outcome::failed("there is no HTTP client in this process".to_owned()),
    }
}

async fn post(
    client: &Client,
    receiver: &Receiver,
    url: &SecretString,
    (body, key): (&Value, &str),
) -> Outcome {
    let request = client
        .post(url.expose_secret())
        .timeout(receiver.timeout)
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key)
        .body(body.to_string());
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return Outcome::failed(why(&error, receiver.timeout)),
    };
    let status = answer.status();
    let after = retry_after(answer.headers());
    if status.is_success() {
        return Outcome { delivered: true, answer: format!("answered {}", status.as_u16()), after: None };
    }
    if status.is_redirection() {
        let words =
            format!("answered {}: it leads elsewhere; write down the address it leads to", status.as_u16());
        return Outcome::failed(words);
    }
    let said = begin_of(answer).await;
    let colon = if said.is_empty() { "" } else { ": " };
    Outcome { delivered: false, answer: format!("answered {}{colon}{said}", status.as_u16()), after }
}

/// Reads the beginning of an answer.
async fn begin_of(mut answer: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < SHOWN
        && let Ok(Some(part)) = answer.chunk().await
    {
        bytes.extend_from_slice(part.get(..part.len().min(SHOWN)).unwrap_or_default());
    }
    bytes.truncate(SHOWN);
    let text = String::from_utf8_lossy(&bytes);
    clean(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Says why there is no answer, without the address.
fn why(error: &reqwest::Error, timeout: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", timeout.as_secs_f32());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    let words = if error.is_connect() { "cannot be reached" } else { "no answer" };
    // The innermost cause is of the system or of TLS; the outer ones quote the URL.
    if cause.source().is_none() && !std::ptr::addr_eq(cause, error) {
        format!("{words}: {}", clean(&cause.to_string()))
    } else {
        words.to_owned()
    }
}

/// Reads when to come again: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
    Some(Duration::from_secs(u64::try_from(at.as_second()).ok()?.saturating_sub(now)))
}

async fn run(command: &[String], timeout: Duration, message: &Value) -> Outcome {
    match program::run(command, &format!("{message}\n"), &[], (timeout, 0)).await {
        Ok(Ran { code: Some(0), .. }) => {
            Outcome { delivered: true, answer: "ended with 0".to_owned(), after: None }
        }
        Ok(Ran { code, .. }) => Outcome::failed(
            code.map_or_else(|| "was ended by a signal".to_owned(), |code| format!("ended with {code}")),
        ),
        Err(why) => Outcome::failed(why),
    }
}
