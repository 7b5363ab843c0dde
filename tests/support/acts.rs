//! A server on the loopback that answers by a script, one entry a request; the last entry holds for all that follow.

use std::fmt::Write as _;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is done with a request.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends these bytes and keeps the connection.
    Send(Vec<u8>),
    /// Sends these bytes and closes it.
    SendAndClose(Vec<u8>),
    /// Sends these bytes and then nothing, until the client gives up.
    Stall(Vec<u8>),
    /// Sends these bytes and resets the connection.
    Reset(Vec<u8>),
    /// Sends these bytes and then one more piece at a time, slowly, until the client gives up.
    Trickle(Vec<u8>, Vec<u8>),
}

/// The server.
pub(crate) struct Upstream {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// The requests as they came, head and body.
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    /// How many connections there were.
    pub(crate) connections: Arc<AtomicUsize>,
}

impl Upstream {
    /// Starts a server.
    pub(crate) async fn start(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (all, count) = (Arc::clone(&seen), Arc::clone(&connections));
        tokio::spawn(async move {
            let script = Arc::new(script);
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&all)));
            }
        });
        Self { url, seen, connections }
    }

    /// Returns the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Vec<Act>>,
    seen: Arc<Mutex<Vec<String>>>,
) -> io::Result<()> {
    while let Some(request) = read_request(&mut stream).await? {
        let number = {
            let mut seen = seen.lock().unwrap();
            seen.push(request);
            seen.len() - 1
        };
        match script[number.min(script.len() - 1)].clone() {
            Act::Send(bytes) => stream.write_all(&bytes).await?,
            Act::SendAndClose(bytes) => return stream.write_all(&bytes).await,
            Act::Stall(bytes) => {
                stream.write_all(&bytes).await?;
                // Ends when the client closes its side.
                while stream.read(&mut [0; 256]).await? > 0 {}
                return Ok(());
            }
            Act::Reset(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.set_zero_linger();
            }
            Act::Trickle(head, piece) => {
                stream.write_all(&head).await?;
                for _ in 0..10_000 {
                    stream.write_all(&piece).await?;
                    // The slowness under test.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }
    Ok(())
}

async fn read_request(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.parse::<usize>().unwrap());
            if body.len() >= length {
                return Ok(Some(text.into_owned()));
            }
        }
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&buffer[..read]);
    }
}

/// Writes a whole answer.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

/// Writes the head of an answer that comes in chunks, and its first chunks.
pub(crate) fn chunked(chunks: &[&str]) -> Vec<u8> {
    let mut text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for chunk in chunks {
        write!(text, "{:x}\r\n{chunk}\r\n", chunk.len()).unwrap();
    }
    text.into_bytes()
}
