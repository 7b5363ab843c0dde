//! One connection of the upstream: requests read from it, bytes and faults written to it.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::upstream_script::{Fault, Pace};
use super::{End, PATIENCE};

/// The most a flood sends: a peer that takes this much has no limit.
const FLOOD: usize = 256 << 20;
/// The largest request that is read.
const LARGEST: usize = 64 << 20;

/// A request as it came.
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// The other end of a connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    waiting: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, waiting: Vec::new() }
    }

    /// Reads a request; nothing where the peer has closed the connection between two.
    pub(crate) async fn request(&mut self) -> io::Result<Option<Asked>> {
        let head_end = loop {
            if let Some(at) = find(&self.waiting, b"\r\n\r\n") {
                break at;
            }
            if !self.more().await? {
                return Ok(None);
            }
        };
        let head = String::from_utf8_lossy(&self.waiting[..head_end]).into_owned();
        self.waiting.drain(..head_end + 4);
        let mut lines = head.split("\r\n");
        let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let value = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let body = if value("transfer-encoding").is_some() {
            let mut body = Vec::new();
            loop {
                let line = self.line().await?;
                let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
                let chunk = self.take(size + 2).await?;
                if size == 0 {
                    break body;
                }
                body.extend_from_slice(&chunk[..size]);
            }
        } else {
            let size = value("content-length").map_or(Ok(0), str::parse).map_err(io::Error::other)?;
            self.take(size).await?
        };
        Ok(Some(Asked { path, headers, body }))
    }

    async fn more(&mut self) -> io::Result<bool> {
        if self.waiting.len() > LARGEST {
            return Err(io::Error::other("the request is too large"));
        }
        Ok(self.stream.read_buf(&mut self.waiting).await? > 0)
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = find(&self.waiting, b"\r\n") {
                let line: Vec<u8> = self.waiting.drain(..at + 2).collect();
                return Ok(String::from_utf8_lossy(&line).into_owned());
            }
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    async fn take(&mut self, size: usize) -> io::Result<Vec<u8>> {
        while self.waiting.len() < size {
            if !self.more().await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.waiting.drain(..size).collect())
    }

    /// Writes a part of the body in the pieces its pace asks for, each in a chunk of its own where it goes in chunks.
    pub(crate) async fn body(&mut self, bytes: &[u8], chunked: bool, pace: Pace) -> io::Result<()> {
        let size = match pace {
            Pace::Frames | Pace::Whole => bytes.len(),
            Pace::Bytes(size) => size,
            Pace::Drip(_) => 1,
        };
        for piece in bytes.chunks(size.max(1)) {
            if chunked {
                let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
                framed.extend_from_slice(piece);
                framed.extend_from_slice(b"\r\n");
                self.stream.write_all(&framed).await?;
            } else {
                self.stream.write_all(piece).await?;
            }
            match pace {
                Pace::Drip(pause) => tokio::time::sleep(pause).await,
                _ => tokio::task::yield_now().await,
            }
        }
        Ok(())
    }

    /// Lets a fault happen; gives how the answer ended, or nothing where it goes on.
    pub(crate) async fn befall(
        &mut self,
        released: &watch::Sender<usize>,
        fault: &Fault,
        drip: &[u8],
        chunked: Option<bool>,
    ) -> io::Result<Option<End>> {
        let in_chunks = chunked == Some(true);
        match fault {
            Fault::Reset | Fault::Close => return Ok(Some(End::Broken)),
            Fault::Stall => self.stall(released).await?,
            Fault::End if in_chunks => {
                self.stream.write_all(b"0\r\n\r\n").await?;
                return Ok(Some(End::Half));
            }
            Fault::End => return Ok(Some(if chunked.is_some() { End::Half } else { End::Broken })),
            Fault::Splice(bytes) => self.body(bytes, in_chunks, Pace::Whole).await?,
            Fault::GiantLine(size) => {
                let mut left = *size;
                while left > 0 {
                    let part = left.min(64 << 10);
                    self.body(&vec![b'x'; part], in_chunks, Pace::Whole).await?;
                    left -= part;
                }
            }
            Fault::Flood => {
                let block = vec![b'x'; 64 << 10];
                let mut sent = 0;
                while sent < FLOOD {
                    self.body(&block, in_chunks, Pace::Whole).await?;
                    sent += block.len();
                }
            }
            Fault::Loris(pause) => {
                self.body(drip, in_chunks, Pace::Whole).await?;
                let until = Instant::now() + PATIENCE;
                while Instant::now() < until {
                    self.body(b"a", in_chunks, Pace::Drip(*pause)).await?;
                }
            }
        }
        Ok(None)
    }

    /// Waits until the test lets it go on; an error where the peer leaves first.
    async fn stall(&mut self, released: &watch::Sender<usize>) -> io::Result<()> {
        let mut released = released.subscribe();
        tokio::select! {
            _ = released.changed() => Ok(()),
            more = self.more() => {
                more?;
                Err(io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
