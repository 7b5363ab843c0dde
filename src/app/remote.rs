//! A gateway over HTTP: its feed, read for as long as there is one, and what is asked of it.
//!
//! Invariants: what was read once is not read again after the connection broke, however much the gateway repeats; whatever
//! stands behind the address, what is held of its words is bounded, and what cannot be taken is told as missing.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use super::told::Told;
use crate::access::Scope;
use crate::alert::Rules;
use crate::config::budgets::parse_all;
use crate::gateway;
use crate::session::{Feed, LiveStatus, Tries};
use crate::units::Span;

/// The longest line that is taken, and the longest answer, in bytes.
const LONGEST: usize = 1 << 20;
/// A gateway speaks every second; one that is silent for so long is not there any more.
const SILENCE: Duration = Duration::from_secs(15);
/// The first wait before the feed is asked for again; it doubles up to the last.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LAST_WAIT: Duration = Duration::from_secs(8);
/// Where the ledger told so many lines, others may have come meanwhile than the feed's backlog holds: half of it.
const MANY: u64 = 5_000;

/// What a gateway says of itself in the feed.
#[derive(Deserialize)]
struct StatusLine {
    status: LiveStatus,
    #[serde(default)]
    gap: u64,
    #[serde(default)]
    ledger: Place,
}

/// Where a ledger stands.
#[derive(Default, Deserialize)]
struct Place {
    cursor: Option<String>,
}

/// A header of the log, which tells how far the ledger was read.
#[derive(Deserialize)]
struct HeaderLine {
    cursor: Option<String>,
    chain: Option<Chain>,
}

#[derive(Deserialize)]
struct Chain {
    gateway: String,
    to: u64,
}

/// What a key may do.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Rights {
    #[serde(default)]
    scopes: Vec<String>,
    /// Where the ledger stands; none where none is kept.
    pub(super) cursor: Option<String>,
}

impl Rights {
    /// Says whether it may change anything.
    pub(super) fn may_operate(&self) -> bool {
        self.scopes.iter().any(|scope| scope == Scope::Operate.name())
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

/// What came of fetching what was missed.
enum Caught {
    /// Nobody reads it here any more.
    Unread,
    /// So many lines, up to the ledger's newest.
    Lines(u64),
    /// The gateway cannot tell.
    Not,
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

    fn ask(&self, path: &str) -> reqwest::RequestBuilder {
        self.keyed(self.client.get(format!("{}{path}", self.url)))
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<String> {
        text_of(&self.url, self.ask(path).send().await).await
    }

    /// Asks what the key may do; a gateway that does not say is tried.
    pub(super) async fn rights(&self) -> anyhow::Result<Rights> {
        let answer = self.ask("/operator/v1/rights").send().await;
        if answer.as_ref().is_ok_and(|answer| answer.status().as_u16() == 404) {
            let scopes = self.may_change().await.then(|| Scope::Operate.name().to_owned());
            return Ok(Rights { scopes: scopes.into_iter().collect(), cursor: None });
        }
        let text = text_of(&self.url, answer).await?;
        serde_json::from_str(&text)
            .with_context(|| format!("{} does not answer like a gateway of this program", self.url))
    }

    async fn may_change(&self) -> bool {
        // An empty policy is refused as such where the key would do, and before that where it would not.
        let request = self.keyed(self.client.post(format!("{}/operator/v1/policy", self.url))).body("");
        request.send().await.is_ok_and(|response| response.status().as_u16() == 400)
    }

    /// Reads the feed, and asks for it again whenever it breaks off, until nobody listens or the key is refused; what was
    /// missed meanwhile is told first.
    pub(super) async fn follow(&self, told: &mut Told, into: &SyncSender<Feed>) {
        let mut wait = FIRST_WAIT;
        loop {
            let before = told.lines;
            let why = match self.read(into, told).await {
                Ok(End::Unread) => return,
                Ok(End::Over) => "the gateway has ended".to_owned(),
                Ok(End::Refused(why)) => {
                    let _ = into.send(Feed::Closed(why.into()));
                    return;
                }
                Err(error) => format!("{error:#}"),
            };
            if told.lines > before {
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

    async fn read(&self, into: &SyncSender<Feed>, told: &mut Told) -> anyhow::Result<End> {
        // Policies come in their order: what was missed goes before what the feed begins with.
        if !self.catch_up(into, told).await? {
            return Ok(End::Unread);
        }
        let response = self.ask("/operator/v1/feed").send().await.context("the feed broke off")?;
        match response.status().as_u16() {
            200..=299 => {}
            status @ (401 | 403) => {
                return Ok(End::Refused(format!("the gateway refuses the key: {status}")));
            }
            status => bail!("the gateway refuses the feed: {status}"),
        }
        let mut lines = Lines::of(response);
        while let Some(text) = lines.next().await? {
            if !forward(&text, into, told) || !tell_gap(std::mem::take(&mut lines.too_long), into) {
                return Ok(End::Unread);
            }
            if told.missed > 0 && !self.catch_up(into, told).await? {
                return Ok(End::Unread);
            }
        }
        Ok(End::Over)
    }

    /// Fetches what was missed; where the gateway cannot tell, that is told. Says whether anybody listens.
    async fn catch_up(&self, into: &SyncSender<Feed>, told: &mut Told) -> anyhow::Result<bool> {
        loop {
            match self.fetch(into, told).await? {
                Caught::Unread => return Ok(false),
                Caught::Lines(lines) if lines > MANY => {}
                Caught::Lines(_) => {
                    told.missed = 0;
                    return Ok(true);
                }
                Caught::Not => return Ok(tell_gap(std::mem::take(&mut told.missed), into)),
            }
        }
    }

    /// Fetches from the ledger what became final since the place that is known.
    async fn fetch(&self, into: &SyncSender<Feed>, told: &mut Told) -> anyhow::Result<Caught> {
        let Some(cursor) = told.cursor.clone() else { return Ok(Caught::Not) };
        let url = format!("{}/operator/v1/log", self.url);
        let url = reqwest::Url::parse_with_params(&url, [("after", &cursor)])?;
        let response =
            self.keyed(self.client.get(url)).send().await.context("the gateway cannot be reached")?;
        match response.status().as_u16() {
            200..=299 => {}
            status => {
                // Another ledger, or none: its own place is told with its state.
                if matches!(status, 404 | 409) {
                    told.cursor = None;
                }
                return Ok(Caught::Not);
            }
        }
        let before = told.lines;
        let mut lines = Lines::of(response);
        while let Some(text) = lines.next().await? {
            if !forward(&text, into, told) || !tell_gap(std::mem::take(&mut lines.too_long), into) {
                return Ok(Caught::Unread);
            }
        }
        Ok(Caught::Lines(told.lines - before))
    }
}

/// Whole lines of an answer as they come.
struct Lines {
    response: reqwest::Response,
    waiting: Vec<u8>,
    /// Whether the present line is too long, so that the rest of it is passed over.
    skips: bool,
    /// How many were.
    too_long: u64,
}

impl Lines {
    fn of(response: reqwest::Response) -> Self {
        Self { response, waiting: Vec::new(), skips: false, too_long: 0 }
    }

    /// Waits for the next lines; none at the end.
    async fn next(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            let piece = tokio::time::timeout(SILENCE, self.response.chunk()).await;
            let piece = piece.context("the gateway is silent")?.context("the feed broke off")?;
            let Some(piece) = piece else { return Ok(None) };
            let mut piece = &piece[..];
            if self.skips {
                let Some(end) = memchr::memchr(b'\n', piece) else { continue };
                piece = piece.get(end + 1..).unwrap_or_default();
                self.skips = false;
            }
            self.waiting.extend_from_slice(piece);
            let Some(end) = memchr::memrchr(b'\n', &self.waiting) else {
                if self.waiting.len() > LONGEST {
                    (self.waiting, self.skips) = (Vec::new(), true);
                    self.too_long += 1;
                }
                continue;
            };
            let rest = self.waiting.split_off(end + 1);
            let whole = std::mem::replace(&mut self.waiting, rest);
            return Ok(Some(String::from_utf8_lossy(&whole).into_owned()));
        }
    }
}

/// Tells of lines that are missing, where there are any. Says whether anybody listens.
fn tell_gap(lines: u64, into: &SyncSender<Feed>) -> bool {
    lines == 0 || into.send(Feed::Gap(lines)).is_ok()
}

/// Forwards lines, those of the gateway's state as such. Says whether anybody takes them.
fn forward(text: &str, into: &SyncSender<Feed>, told: &mut Told) -> bool {
    let mut lines = String::with_capacity(text.len());
    for line in text.lines() {
        if line.starts_with("{\"gap\"") {
            let Ok(said) = serde_json::from_str::<StatusLine>(line) else { continue };
            if told.cursor.is_some() {
                told.missed += said.gap;
            } else if !tell_gap(said.gap, into) {
                return false;
            }
            // What lies before it is all here, unless something is missing.
            if let Some(cursor) = said.ledger.cursor.filter(|_| told.missed == 0) {
                told.cursor = Some(cursor);
            }
            let mut status = said.status;
            status.tries = tries(&status.budgets_file);
            if into.send(Feed::Status(Arc::new(status))).is_err() {
                return false;
            }
        } else if line.starts_with("{\"pointsman\"") {
            let Ok(said) = serde_json::from_str::<HeaderLine>(line) else { continue };
            let read = said.chain.map(|chain| format!("{}:{}", chain.gateway, chain.to));
            told.cursor = said.cursor.or(read).or(told.cursor.take());
        } else if told.take(line) {
            lines.push_str(line);
            lines.push('\n');
        }
    }
    lines.is_empty() || into.send(Feed::Lines(lines.into())).is_ok()
}

/// Reads what a what-if is tried against: budgets as the gateway has them, and the built-in rules of alerts, for its own may name secrets.
fn tries(budgets: &str) -> Tries {
    let limits = parse_all(budgets, "budgets.toml").map(|(limits, _)| limits).unwrap_or_default();
    Tries { limits: limits.into(), rules: Some(Arc::new(Rules::default())), ..Tries::default() }
}

/// Returns the text of an answer.
///
/// # Errors
/// Where there is none or it is a refusal, with how to mend it.
pub(super) async fn text_of(
    url: &str,
    response: reqwest::Result<reqwest::Response>,
) -> anyhow::Result<String> {
    let response = response.map_err(|error| {
        if error.is_builder() {
            return anyhow::anyhow!(
                "{url}: no address of a gateway\nhint: it looks like http://127.0.0.1:4141"
            );
        }
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
    } else if status.as_u16() == 404 && url.trim_end_matches('/').ends_with("/v1") {
        "\nhint: leave /v1 away: that is where clients send their requests"
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

/// Returns what an error body says.
fn said(body: &str) -> String {
    let read: Option<serde_json::Value> = serde_json::from_str(body).ok();
    let message = read.as_ref().and_then(|body| body.pointer("/error/message")?.as_str());
    // Of another server's page, which is no answer of a gateway, its first line is enough.
    let first = || body.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    message.unwrap_or_else(first).chars().take(300).collect()
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
        runtime.block_on(remote.follow(&mut Told::default(), &send));
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

    /// Answers one connection after another, each with what is scripted; returns the heads of what was asked.
    fn scripted(answers: Vec<String>) -> (Remote, std::thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut line, _) = listener.accept().unwrap();
                let mut head = [0; 4096];
                let length = line.read(&mut head).unwrap();
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                asked.push(head.lines().next().unwrap_or_default().to_owned());
                line.write_all(answer.as_bytes()).unwrap();
            }
            asked
        });
        let _ = rustls::crypto::ring::default_provider().install_default();
        (Remote { client: reqwest::Client::new(), url, key: None }, server)
    }

    fn answer(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    #[test]
    fn rights_are_told_and_an_older_gateway_is_tried() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = r#"{"key":"desk","scopes":["read","operate"],"version":"9","cursor":"gw-1:7"}"#;
        let cases = [
            (vec![answer("200", told)], true, Some("gw-1:7")),
            (vec![answer("200", r#"{"key":"wall","scopes":["read"],"version":"9"}"#)], false, None),
            (vec![answer("404", "{}"), answer("400", "{}")], true, None),
            (vec![answer("404", "{}"), answer("403", "{}")], false, None),
        ];
        for (answers, may, cursor) in cases {
            let (remote, server) = scripted(answers);
            let rights = runtime.block_on(remote.rights()).unwrap();
            assert_eq!((rights.may_operate(), rights.cursor.as_deref()), (may, cursor), "{rights:?}");
            server.join().unwrap();
        }
        let (remote, server) = scripted(vec![answer("401", "{}")]);
        assert!(format!("{:#}", runtime.block_on(remote.rights()).unwrap_err()).contains("--key-file"));
        server.join().unwrap();
    }

    #[test]
    fn what_a_reader_missed_is_fetched_from_the_ledger_and_what_it_cannot_tell_is_a_gap() {
        let status = |gap: u64, cursor: &str| {
            format!("{{\"gap\":{gap},\"ledger\":{{\"cursor\":\"{cursor}\"}},\"status\":{{}}}}\n")
        };
        let request = |id: &str| format!("{{\"id\":\"{id}\",\"at\":\"2026-05-23T10:00:00Z\"}}\n");
        let chain = "{\"pointsman\":\"log\",\"v\":2,\"chain\":{\"gateway\":\"gw 1\",\"after\":3,\"to\":6}}\n";
        let (remote, server) = scripted(vec![
            // The feed leaves out two lines; the place told beside that is behind them.
            answer("200", &[request("a"), status(0, "gw 1:3"), status(2, "gw 1:5"), request("d")].concat()),
            // The answer breaks off, and goes on where it did.
            answer("200", &[request("b"), chain.to_owned()].concat()).replace("th: ", "th: 9"),
            answer("200", &[request("c"), request("d")].concat()),
            answer("200", &status(0, "gw 1:8")),
            // Another ledger took its place.
            answer("409", "{}"),
            answer("200", &[status(4, "gw 2:1"), request("e")].concat()),
            answer("401", ""),
            answer("401", ""),
        ]);
        let (send, feed) = sync_channel(64);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut told = Told::default();
        runtime.block_on(remote.follow(&mut told, &send));
        drop(send);
        let (mut lines, mut missing) = (String::new(), 0);
        for part in feed {
            match part {
                Feed::Lines(text) => lines.push_str(&text),
                Feed::Gap(gap) => missing += gap,
                _ => {}
            }
        }
        let once = ["a", "d", "b", "c", "e"].map(request).concat();
        assert_eq!((lines, missing, told.missed), (once, 4, 0));
        let asked = server.join().unwrap();
        let asked: Vec<&str> = asked.iter().filter_map(|line| line.split(' ').nth(1)).collect();
        let after = |cursor: &str| format!("/operator/v1/log?after={cursor}");
        let [three, six, eight, two] = ["gw+1%3A3", "gw+1%3A6", "gw+1%3A8", "gw+2%3A1"].map(after);
        let feed = "/operator/v1/feed";
        assert_eq!(asked, [feed, &*three, &*six, feed, &*eight, feed, &*two, feed]);
    }
}
