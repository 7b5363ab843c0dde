//! A client of plain sockets: it sees what a gateway really sends, and can misbehave as no library would.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;

use crate::upstream::PATIENCE;

/// A request to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Ask {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::bytes(path, body.to_string().as_bytes())
    }

    pub(crate) fn bytes(path: &str, body: &[u8]) -> Self {
        Self {
            method: "POST",
            path: path.to_owned(),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: body.to_vec(),
        }
    }

    pub(crate) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the bytes on the wire.
    pub(crate) fn wire(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: localhost\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.method == "POST" {
            let _ = write!(head, "content-length: {}\r\n", self.body.len());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it on a connection of its own and reads the answer to its end.
    pub(crate) fn send(&self, to: SocketAddr) -> Answer {
        let mut line = Line::open(to);
        line.write(&self.wire()).expect("the request is taken");
        line.answer().expect("an answer")
    }
}

/// Status and headers.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Returns the value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A whole answer, or as much of it as came.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) head: Head,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as its framing says it should.
    pub(crate) sound: bool,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.status
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(&self.body)))
    }

    /// Returns the events of a stream: name and data, and comments under the name `:`.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let text = self.text();
        let mut events = Vec::new();
        let (mut name, mut data) = (String::new(), Vec::new());
        for line in text.split('\n').map(|line| line.trim_end_matches('\r')) {
            if line.is_empty() {
                if !data.is_empty() {
                    events.push((std::mem::take(&mut name), std::mem::take(&mut data).join("\n")));
                }
            } else if let Some(comment) = line.strip_prefix(':') {
                events.push((":".to_owned(), comment.trim().to_owned()));
            } else if let Some(value) = line.strip_prefix("event:") {
                value.trim().clone_into(&mut name);
            } else if let Some(value) = line.strip_prefix("data:") {
                data.push(value.strip_prefix(' ').unwrap_or(value).to_owned());
            }
        }
        events
    }

    /// Returns the JSON of all events that carry some.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        let events = self.events();
        let data = events.iter().filter(|(name, data)| name != ":" && data != "[DONE]");
        data.map(|(_, data)| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error} in {data}")))
            .collect()
    }

    /// Returns the text of a stream or a whole answer, in the chat dialect or Anthropic's.
    pub(crate) fn said(&self) -> String {
        let stream = self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        let parts = if stream { self.chunks() } else { vec![self.json()] };
        let places =
            ["/choices/0/delta/content", "/choices/0/message/content", "/delta/text", "/content/0/text"];
        parts.iter().filter_map(|part| places.iter().find_map(|at| part.pointer(at)?.as_str())).collect()
    }
}

/// A connection to the gateway.
pub(crate) struct Line {
    stream: TcpStream,
    waiting: Vec<u8>,
}

impl Line {
    pub(crate) fn open(to: SocketAddr) -> Self {
        Self::over(TcpStream::connect(to).expect("the gateway listens"))
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit can be set");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit can be set");
        stream.set_nodelay(true).expect("small writes go at once");
        Self { stream, waiting: Vec::new() }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Writes while the answer is read, as libraries do: who is turned away early hears so before all is written.
    pub(crate) fn write_beside(&self, bytes: Vec<u8>) -> std::thread::JoinHandle<io::Result<()>> {
        let mut stream = self.stream.try_clone().expect("a connection has two ends");
        std::thread::spawn(move || stream.write_all(&bytes))
    }

    fn more(&mut self) -> io::Result<bool> {
        let mut block = [0; 16 << 10];
        let read = self.stream.read(&mut block)?;
        self.waiting.extend_from_slice(&block[..read]);
        Ok(read > 0)
    }

    /// Reads until the other end closes or resets the connection; gives what came.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        loop {
            match self.more() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let slow = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
                    assert!(!slow, "the connection was never closed");
                    break;
                }
            }
        }
        std::mem::take(&mut self.waiting)
    }

    /// Reads status and headers; interim answers are passed over.
    pub(crate) fn head(&mut self) -> io::Result<Head> {
        loop {
            let text = String::from_utf8_lossy(&self.until(b"\r\n\r\n")?).into_owned();
            let mut lines = text.trim_end().split("\r\n");
            let status =
                lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
            let status = status.ok_or_else(|| io::Error::other(format!("no status line: {text:?}")))?;
            let headers = lines.filter_map(|line| line.split_once(':'));
            let headers =
                headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
            if status >= 200 {
                return Ok(Head { status, headers });
            }
        }
    }

    /// Reads up to and with a mark.
    fn until(&mut self, mark: &[u8]) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = self.waiting.windows(mark.len()).position(|window| window == mark) {
                return Ok(self.waiting.drain(..at + mark.len()).collect());
            }
            if !self.more()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn exactly(&mut self, size: usize) -> io::Result<Vec<u8>> {
        while self.waiting.len() < size {
            if !self.more()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.waiting.drain(..size).collect())
    }

    /// Reads one chunk of a chunked body; an empty one is the last.
    pub(crate) fn chunk(&mut self) -> io::Result<Vec<u8>> {
        let line = String::from_utf8_lossy(&self.until(b"\r\n")?).into_owned();
        let size = line.trim().split(';').next().and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(|| io::Error::other(format!("no chunk size: {line:?}")))?;
        let mut chunk = self.exactly(size + 2)?;
        chunk.truncate(size);
        Ok(chunk)
    }

    /// Reads a whole answer; an error where not even its headers came.
    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head()?;
        Ok(self.finish(head))
    }

    /// Reads the rest of an answer whose headers have been read.
    pub(crate) fn finish(&mut self, head: Head) -> Answer {
        let (body, sound) = self.body(&head);
        Answer { head, body, sound }
    }

    fn body(&mut self, head: &Head) -> (Vec<u8>, bool) {
        if head.status == 204 {
            return (Vec::new(), true);
        }
        if head.get("transfer-encoding").is_some() {
            let mut body = Vec::new();
            loop {
                match self.chunk() {
                    Ok(chunk) if chunk.is_empty() => return (body, true),
                    Ok(chunk) => body.extend_from_slice(&chunk),
                    Err(error) => {
                        assert!(error.kind() != io::ErrorKind::WouldBlock, "the answer never ended");
                        return (body, false);
                    }
                }
            }
        }
        match head.get("content-length").and_then(|size| size.parse().ok()) {
            Some(size) => match self.exactly(size) {
                Ok(body) => (body, true),
                Err(_) => (std::mem::take(&mut self.waiting), false),
            },
            None => (self.rest(), true),
        }
    }
}
