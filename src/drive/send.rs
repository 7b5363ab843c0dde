//! One request over HTTP. No retry, no redirect: what is counted here is what was sent.

use std::time::{Duration, Instant};

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, retry};
use secrecy::{ExposeSecret as _, SecretString};

use super::answer::{Answer, COST_HEADER, Ending, StreamEnd, read_cost};
use super::{Job, Target};

const MODEL_HEADER: &str = "pointsman-model";
const SIMULATED_HEADER: &str = "pointsman-simulated";

const CONNECT: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(120);
const TOTAL: Duration = Duration::from_secs(900);
/// A longer answer is cut off.
const LARGEST: usize = 64 << 20;

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The key holds characters that no header can.
    #[error("the key holds characters that a key never has; give it as it was printed")]
    Key,
    /// The HTTP client cannot be set up.
    #[error("cannot set up HTTP: {0}")]
    Client(String),
}

/// Sends jobs to one address.
#[derive(Debug)]
pub struct Sender {
    client: Client,
    target: Target,
    model: String,
    /// Marked as sensitive, so that it shows in no `Debug`.
    key: Option<HeaderValue>,
}

impl Sender {
    /// Sets up a client; nothing is sent yet.
    ///
    /// # Errors
    /// Where the key or the system's certificates cannot be used.
    pub fn new(target: Target, model: &str, key: Option<&SecretString>) -> Result<Self, SendError> {
        let key = key.map(|key| {
            let text = SecretString::from(format!("Bearer {}", key.expose_secret().trim()));
            let mut value = HeaderValue::from_str(text.expose_secret()).map_err(|_| SendError::Key)?;
            value.set_sensitive(true);
            Ok(value)
        });
        // Fails only where one is installed already, which does as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .retry(retry::never())
            .connect_timeout(CONNECT)
            .read_timeout(IDLE)
            .timeout(TOTAL)
            .user_agent(concat!("pointsman-drive/", env!("CARGO_PKG_VERSION")));
        if target.is_loopback {
            builder = builder.no_proxy();
        }
        if target.chat.scheme() == "http" {
            // Without TLS no certificate is needed, and a system without any can still be driven.
            builder = builder.tls_certs_only([]);
        }
        let client = builder.build().map_err(|error| SendError::Client(error.to_string()))?;
        Ok(Self { client, target, model: model.to_owned(), key: key.transpose()? })
    }

    /// Returns the address.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Sends one job and waits for the whole answer.
    pub async fn send(&self, job: &Job) -> Answer {
        let started = Instant::now();
        let request =
            self.client.post(self.target.chat.clone()).headers(self.headers(job)).body(self.body(job));
        let mut answer = Answer::failed();
        match request.send().await {
            Ok(response) => read(response, started, &mut answer).await,
            Err(error) => answer.ending = failure(&error),
        }
        answer.latency = started.elapsed();
        answer
    }

    fn headers(&self, job: &Job) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &self.key {
            headers.insert(AUTHORIZATION, key.clone());
        }
        for (name, tag) in [
            ("pointsman-team", &job.team),
            ("pointsman-project", &job.project),
            ("pointsman-task", &job.task),
            ("pointsman-session", &job.session),
        ] {
            // A tag with control characters cannot travel in a header, and would be refused there anyway.
            if let Ok(value) = HeaderValue::from_bytes(tag.as_bytes())
                && !tag.is_empty()
            {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
        headers
    }

    fn body(&self, job: &Job) -> String {
        let mut body = serde_json::json!({
            "model": self.model,
            "messages": [{ "role": "user", "content": job.prompt.text() }],
            "max_tokens": job.max_tokens,
        });
        if job.stream
            && let Some(fields) = body.as_object_mut()
        {
            fields.insert("stream".to_owned(), true.into());
            fields.insert("stream_options".to_owned(), serde_json::json!({ "include_usage": true }));
        }
        body.to_string()
    }
}

async fn read(mut response: Response, started: Instant, answer: &mut Answer) {
    let headers = response.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    answer.model = text(MODEL_HEADER).filter(|name| !name.is_empty()).map(str::to_owned);
    answer.cost = text(COST_HEADER).and_then(read_cost);
    answer.simulated =
        text(SIMULATED_HEADER).is_some_and(|value| !matches!(value, "" | "0" | "false" | "no"));
    let is_stream = text(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("text/event-stream"));
    answer.ending = Ending::Status(response.status().as_u16());
    let mut end = StreamEnd::default();
    let mut size = 0usize;
    loop {
        match response.chunk().await {
            Ok(Some(bytes)) => {
                answer.first_byte = answer.first_byte.or_else(|| Some(started.elapsed()));
                size = size.saturating_add(bytes.len());
                if size > LARGEST {
                    answer.ending = Ending::Failed("answer too long");
                    break;
                }
                if is_stream {
                    end.feed(&bytes);
                }
            }
            Ok(None) => break,
            Err(error) => {
                answer.ending = if error.is_timeout() { TIMED_OUT } else { BROKE_OFF };
                break;
            }
        }
    }
    if is_stream {
        end.end_line();
        answer.cost = end.cost.or(answer.cost);
        if answer.ending.is_ok() {
            answer.ending = match (end.failed, end.done) {
                (true, _) => Ending::Failed("error within the stream"),
                (false, true) => answer.ending,
                (false, false) => BROKE_OFF,
            };
        }
    }
}

const TIMED_OUT: Ending = Ending::Failed("timed out");
const BROKE_OFF: Ending = Ending::Failed("answer broke off");

fn failure(error: &reqwest::Error) -> Ending {
    if error.is_connect() {
        Ending::UNREACHABLE
    } else if error.is_timeout() {
        TIMED_OUT
    } else {
        Ending::Failed("no answer")
    }
}
