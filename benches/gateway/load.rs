//! Clients: so many connections that ask as fast as they are answered, or so many requests a second come what may.
//!
//! They read no more of an answer than they must, so that little of the machine goes into asking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Builds a chat request with a prompt of about 1 KB.
pub(crate) fn request(host: &str, stream: bool, marker: &str) -> Vec<u8> {
    let sentence = "Extract the due date and the total from the invoice below and answer in one line. ";
    let prompt: String = sentence.chars().cycle().take(1_000).collect();
    let options = if stream { r#","stream":true,"stream_options":{"include_usage":true}"# } else { "" };
    let body = format!(
        r#"{{"model":"auto","messages":[{{"role":"system","content":"You read invoices."}},{{"role":"user","content":"{marker}{prompt}"}}]{options}}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\nauthorization: Bearer none\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One connection.
pub(crate) struct Line {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    /// When the first byte of the body was there.
    pub(crate) first: Instant,
    pub(crate) last: Instant,
}

impl Line {
    pub(crate) async fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 << 10) })
    }

    /// Sends a request and reads its answer; `Err` where the connection or the answer broke off.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Got> {
        self.stream.write_all(request).await?;
        let head_end = loop {
            if let Some(at) = memchr::memmem::find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).to_ascii_lowercase();
        let status = head.get(9..12).and_then(|code| code.parse().ok()).context("no status")?;
        let length = head.split("content-length:").nth(1).and_then(|rest| rest.split("\r\n").next());
        let chunked = head.contains("transfer-encoding: chunked");
        self.buffer.drain(..head_end);
        while self.buffer.is_empty() && length.is_none_or(|length| length.trim() != "0") {
            self.more().await?;
        }
        let first = Instant::now();
        if let Some(length) = length {
            let length: usize = length.trim().parse()?;
            while self.buffer.len() < length {
                self.more().await?;
            }
            self.buffer.drain(..length);
        } else if chunked {
            self.chunks().await?;
        } else {
            bail!("an answer without a length");
        }
        Ok(Got { status, first, last: Instant::now() })
    }

    async fn chunks(&mut self) -> anyhow::Result<()> {
        let mut at = 0;
        loop {
            let line_end = loop {
                if let Some(end) = memchr::memmem::find(&self.buffer[at..], b"\r\n") {
                    break at + end;
                }
                self.more().await?;
            };
            let line = std::str::from_utf8(&self.buffer[at..line_end])?;
            let size = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)?;
            at = line_end + 2 + size + 2;
            while self.buffer.len() < at {
                self.more().await?;
            }
            if size == 0 {
                self.buffer.drain(..at);
                return Ok(());
            }
        }
    }

    /// Reads up to the first event, or the headers of an answer that is no stream, and leaves.
    pub(crate) async fn ask_and_leave(mut self, request: &[u8]) -> anyhow::Result<()> {
        self.stream.write_all(request).await?;
        let has = |buffer: &[u8], what: &[u8]| memchr::memmem::find(buffer, what).is_some();
        while !has(&self.buffer, b"data:") && !has(&self.buffer, b"content-length:") {
            self.more().await?;
        }
        Ok(())
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the connection was closed in the middle of an answer");
        }
        Ok(())
    }
}

/// Asks on so many connections as fast as answers come, for `requests` in all; gives how long it took.
pub(crate) async fn closed(to: SocketAddr, connections: usize, requests: u64) -> anyhow::Result<Duration> {
    let text: Arc<[u8]> = request(&to.to_string(), false, "").into();
    let left = Arc::new(AtomicU64::new(requests));
    let mut lines = Vec::new();
    for _ in 0..connections {
        lines.push(Line::open(to).await?);
    }
    let begin = Instant::now();
    let mut asking = Vec::new();
    for mut line in lines {
        let (text, left) = (Arc::clone(&text), Arc::clone(&left));
        asking.push(tokio::spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                let got = line.ask(&text).await?;
                if got.status != 200 {
                    bail!("answered with {}", got.status);
                }
            }
            anyhow::Ok(())
        }));
    }
    for asked in asking {
        asked.await??;
    }
    Ok(begin.elapsed())
}

/// Times of one open-loop run, from the moment each request was due.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// To the first byte of the body.
    pub(crate) first: Vec<Duration>,
    /// To the last.
    pub(crate) last: Vec<Duration>,
}

/// Sends `requests` at a fixed rate, whether or not earlier ones have been answered.
pub(crate) async fn open(to: SocketAddr, rate: u32, requests: u32, stream: bool) -> anyhow::Result<Times> {
    const LINES: usize = 8;
    let text: Arc<[u8]> = request(&to.to_string(), stream, "").into();
    let (hand_back, mut free) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..LINES {
        let mut line = Line::open(to).await?;
        // The first request on a connection pays for things that later ones do not.
        line.ask(&text).await?;
        hand_back.send(line)?;
    }
    let gap = Duration::from_secs(1) / rate;
    let begin = Instant::now() + gap;
    let mut asking = Vec::new();
    for at in 0..requests {
        let due = begin + gap * at;
        tokio::time::sleep_until(due.into()).await;
        let mut line = free.recv().await.context("no connection left")?;
        let (text, hand_back) = (Arc::clone(&text), hand_back.clone());
        // The timer wakes a little late; that is the client's doing, so time runs from the sending.
        let sent = Instant::now().max(due);
        asking.push(tokio::spawn(async move {
            let got = line.ask(&text).await?;
            let _ = hand_back.send(line);
            if got.status != 200 {
                bail!("answered with {}", got.status);
            }
            anyhow::Ok((got.first - sent, got.last - sent))
        }));
    }
    let mut times = Times::default();
    for asked in asking {
        let (first, last) = asked.await??;
        times.first.push(first);
        times.last.push(last);
    }
    Ok(times)
}

/// Returns the value below which so many of a thousand lie.
pub(crate) fn quantile(times: &[Duration], per_mille: usize) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * per_mille / 1_000).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or_default()
}
