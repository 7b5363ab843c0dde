//! A gateway over HTTP: its feed, read for as long as there is one, and what is asked of it.
//!
//! Invariants: what was read once is not read again after the connection broke, however much the gateway repeats; whatever
//! stands behind the address, what is held of its words is bounded, and what cannot be taken is told as missing.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustc_hash::{FxHashSet, FxHasher};

use crate::gateway;
use crate::session::{Feed, LiveStatus};
use crate::units::Span;

/// Lines remembered: more than a gateway repeats to a reader that comes anew.
const REMEMBERED: usize = 32_768;
/// The longest line that is taken, and the longest answer, in bytes.
const LONGEST: usize = 1 << 20;
/// A gateway speaks every second; one that is silent for so long is not there any more.
const SILENCE: Duration = Duration::from_secs(15);
/// The first wait before the feed is asked for again; it doubles up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(8);

/// What a gateway says of itself in the feed.
#[derive(serde::Deserialize)]
struct StatusLine {
    status: LiveStatus,
    #[serde(default)]
    gap: u64,
}

/// Which lines were read.
#[derive(Debug, Default)]
struct Seen {
    order: VecDeque<u64>,
    all: FxHashSet<u64>,
}

impl Seen {
    /// Takes a line; says whether it is new.
    fn take(&mut self, line: &str) -> bool {
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one(line);
        if !self.all.insert(hash) {
            return false;
        }
        if self.order.len() >= REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        self.order.push_back(hash);
        true
    }
}

/// How a feed ended.
enum End {
    /// Nobody reads it here any more.
    Unread,
    /// The gateway ended it.
    Over,
    /// The gateway lets this key read no more.
    Refused(String),
}

/// A gateway over HTTP.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) client: reqwest::Client,
    pub(super) url: String,
    pub(super) key: Option<String>,
}

impl Remote {
    pub(super) fn keyed(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<String> {
        let request = self.keyed(self.client.get(format!("{}{path}", self.url)));
        text_of(&self.url, request.send().await).await
    }

    pub(super) async fn may_change(&self) -> bool {
        // An empty policy is refused as such where the key would do, and before that where it would not.
        let request = self.keyed(self.client.post(format!("{}/operator/v1/policy", self.url))).body("");
        request.send().await.is_ok_and(|response| response.status().as_u16() == 400)
    }

    /// Reads the feed, and asks for it again whenever it breaks off, until nobody listens or the key is refused.
    pub(super) async fn follow(&self, into: &SyncSender<Feed>) {
        let mut seen = Seen::default();
        let mut wait = FIRST_WAIT;
        loop {
            let before = seen.order.len();
            let why = match self.read(into, &mut seen).await {
                Ok(End::Unread) => return,
                Ok(End::Over) => "the gateway has ended".to_owned(),
                Ok(End::Refused(why)) => {
                    let _ = into.send(Feed::Closed(why.into()));
                    return;
                }
                Err(error) => format!("{error:#}"),
            };
            if seen.order.len() > before {
                wait = FIRST_WAIT;
            }
            let again = gateway::now() + Span(i64::try_from(wait.as_micros()).unwrap_or(0));
            if into.send(Feed::Closed(why.into())).is_err() || into.send(Feed::Again(again)).is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LAST_WAIT);
        }
    }

    async fn read(&self, into: &SyncSender<Feed>, seen: &mut Seen) -> anyhow::Result<End> {
        let request = self.keyed(self.client.get(format!("{}/operator/v1/feed", self.url)));
        let mut response = request.send().await.context("the feed broke off")?;
        match response.status().as_u16() {
            200..=299 => {}
            status @ (401 | 403) => {
                return Ok(End::Refused(format!("the gateway refuses the key: {status}")));
            }
            status => bail!("the gateway refuses the feed: {status}"),
        }
        let mut waiting: Vec<u8> = Vec::new();
        // Whether the present line is too long, so that the rest of it is passed over.
        let mut skips = false;
        loop {
            let piece = tokio::time::timeout(SILENCE, response.chunk()).await;
            let piece = piece.context("the gateway is silent")?.context("the feed broke off")?;
            let Some(piece) = piece else { return Ok(End::Over) };
            let mut piece = &piece[..];
            if skips {
                let Some(end) = memchr::memchr(b'\n', piece) else { continue };
                piece = piece.get(end + 1..).unwrap_or_default();
                skips = false;
            }
            waiting.extend_from_slice(piece);
            let Some(end) = memchr::memrchr(b'\n', &waiting) else {
                if waiting.len() > LONGEST {
                    (waiting, skips) = (Vec::new(), true);
                    if into.send(Feed::Gap(1)).is_err() {
                        return Ok(End::Unread);
                    }
                }
                continue;
            };
            let rest = waiting.split_off(end + 1);
            let whole = std::mem::replace(&mut waiting, rest);
            if !hand(&String::from_utf8_lossy(&whole), into, seen) {
                return Ok(End::Unread);
            }
        }
    }
}

/// Hands lines on, those of the gateway's state as such. Says whether anybody takes them.
fn hand(text: &str, into: &SyncSender<Feed>, seen: &mut Seen) -> bool {
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        match line.starts_with("{\"gap\"").then(|| serde_json::from_str::<StatusLine>(line)) {
            Some(Ok(said)) => {
                let gap = said.gap > 0 && into.send(Feed::Gap(said.gap)).is_err();
                if gap || into.send(Feed::Status(Arc::new(said.status))).is_err() {
                    return false;
                }
            }
            None if seen.take(line) => {
                lines.push_str(line);
                lines.push('\n');
            }
            Some(Err(_)) | None => {}
        }
    }
    lines.is_empty() || into.send(Feed::Lines(lines.into())).is_ok()
}

/// Gives the text of an answer.
///
/// # Errors
/// Where there is none or it is a refusal, with how to mend it.
pub(super) async fn text_of(
    url: &str,
    response: reqwest::Result<reqwest::Response>,
) -> anyhow::Result<String> {
    let response = response.map_err(|error| {
        let why = if error.is_connect() { "nothing answers there" } else { "the connection broke" };
        anyhow::anyhow!("{url}: {why}\nhint: start one with `pointsman serve`")
    })?;
    let status = response.status();
    let text = bounded(response).await?;
    if status.is_success() {
        return Ok(text);
    }
    let hint = if status.as_u16() == 401 || status.as_u16() == 403 {
        "\nhint: give a key with the scope read: --key-file FILE, or the variable POINTSMAN_KEY"
    } else {
        ""
    };
    bail!("{url} answers {status}: {}{hint}", said(&text))
}

/// Reads an answer that is not too long.
async fn bounded(mut response: reqwest::Response) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.context("the answer broke off")? {
        if bytes.len() + piece.len() > LONGEST {
            bail!("the answer is longer than {LONGEST} bytes\nhint: is that a gateway of this program?");
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Gives what an error body says.
fn said(body: &str) -> String {
    let read: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let message = read.as_ref().and_then(|body| body.pointer("/error/message")?.as_str());
    message.unwrap_or(body).chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_feed_that_breaks_off_is_followed_again_and_repeats_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let status = r#"{"gap":0,"status":{}}"#;
        let feeds = [
            format!("HTTP/1.1 200 OK\r\n\r\n{{\"id\":\"a\"}}\n{status}\n{{\"id\":\"b\"}}\n{{\"id\":\"ha"),
            format!(
                "HTTP/1.1 200 OK\r\n\r\n{{\"id\":\"a\"}}\n{{\"id\":\"b\"}}\n{status}\n{{\"id\":\"c\"}}\n"
            ),
            // A line that is far too long is passed over, and what follows it is not.
            format!("HTTP/1.1 200 OK\r\n\r\n{{\"id\":\"{}\"}}\n{{\"id\":\"d\"}}\n", "x".repeat(3 * LONGEST)),
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_owned(),
        ];
        let server = std::thread::spawn(move || {
            for feed in feeds {
                let (mut line, _) = listener.accept().unwrap();
                let mut head = [0; 4096];
                assert!(line.read(&mut head).unwrap() > 0);
                line.write_all(feed.as_bytes()).unwrap();
            }
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        let remote = Remote { client: reqwest::Client::new(), url, key: None };
        let (send, feed) = sync_channel(64);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(remote.follow(&send));
        drop(send);
        server.join().unwrap();
        let (mut lines, mut closed, mut again, mut told, mut missing) = (String::new(), 0, 0, 0, 0);
        for part in feed {
            match part {
                Feed::Lines(text) => lines.push_str(&text),
                Feed::Status(_) => told += 1,
                Feed::Closed(_) => closed += 1,
                Feed::Again(_) => again += 1,
                Feed::Gap(lines) => missing += lines,
                other => unreachable!("{other:?}"),
            }
        }
        assert_eq!(lines, "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\"}\n{\"id\":\"d\"}\n");
        assert_eq!((closed, told, missing), (4, 2, 1));
        assert_eq!(again, 3, "whoever is refused does not come again");
    }

    #[test]
    fn what_was_read_is_remembered_within_bounds() {
        let mut seen = Seen::default();
        for n in 0..REMEMBERED + 10 {
            assert!(seen.take(&n.to_string()));
        }
        assert!(seen.take("0") && !seen.take("100"));
        assert_eq!((seen.order.len(), seen.all.len()), (REMEMBERED, REMEMBERED));
    }
}
