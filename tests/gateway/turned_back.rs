//! Calls over HTTP/2 that the provider turned back by the protocol's own words: they were not made, are sent again at once,
//! and cost nothing. What was not turned back may have been worked on, and is never sent twice.
//!
//! The upstream writes frames by hand, for no library says GOAWAY below a stream that it has read. The certificate is taken
//! from a file, which only Linux lets one choose.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use crate::front::{Row, Sandbox, Setup};
use crate::stage::{chat, nothing_held, price};
use crate::upstream::Tokens;

const TOKENS: Tokens = Tokens { input: 100, cache_read: 0, write_5m: 0, output: 2, reasoning: 0 };
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const NO_ERROR: u32 = 0;
const INTERNAL_ERROR: u32 = 2;
const REFUSED_STREAM: u32 = 7;
const ENHANCE_YOUR_CALM: u32 = 11;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Answer,
    /// Answers when the next call on the connection has been turned back.
    Later,
    /// The stream is reset with this code.
    Reset(u32),
    /// The connection is closed with this code, as one that did not look at the call.
    Above(u32),
    /// The connection is closed with this code, as one that may have looked at the call.
    Below(u32),
    /// The connection ends without a word.
    HangUp,
}

#[derive(Default)]
struct State {
    script: VecDeque<Act>,
    /// What became of each call, and on which connection.
    seen: Vec<(usize, Act)>,
    connections: usize,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// A provider of OpenAI's kind that speaks HTTP/2 over TLS, and nothing else.
struct Provider {
    address: SocketAddr,
    shared: Shared,
    certificate: String,
}

impl Provider {
    fn start() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Shared::default();
        let accepted = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Ok((socket, _)) = listener.accept() {
                let (shared, config) = (Arc::clone(&accepted), Arc::clone(&config));
                std::thread::spawn(move || {
                    let tls = StreamOwned::new(ServerConnection::new(config).unwrap(), socket);
                    // A client may hang up whenever it likes.
                    let _ = Connection::new(tls, &shared).serve();
                });
            }
        });
        Self { address, shared, certificate: pem(cert.der()) }
    }

    fn push(&self, acts: &[Act]) {
        self.shared.0.lock().unwrap().script.extend(acts);
    }

    fn seen(&self) -> Vec<(usize, Act)> {
        std::mem::take(&mut self.shared.0.lock().unwrap().seen)
    }

    /// Waits until a call has come in.
    fn wait(&self) {
        let (state, changed) = &*self.shared;
        let state = state.lock().unwrap();
        let waited =
            changed.wait_timeout_while(state, crate::upstream::PATIENCE, |state| state.seen.is_empty());
        assert!(!waited.unwrap().1.timed_out(), "no call came in");
    }

    fn setup(&self) -> Setup {
        let mut setup = Setup::of(&format!("https://{}", self.address));
        setup.trusts.clone_from(&self.certificate);
        // One thread, so that all calls share a connection.
        setup.gateway("threads = 1")
    }
}

/// Writes a certificate as PEM.
fn pem(der: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for three in line.chunks(3) {
            let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
            let bits = at(0) << 16 | at(1) << 8 | at(2);
            for n in 0..4 {
                let sign = SIGNS[(bits >> (18 - 6 * n) & 63) as usize] as char;
                text.push(if n > three.len() { '=' } else { sign });
            }
        }
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

/// A connection of a client's.
struct Connection<'s> {
    tls: StreamOwned<ServerConnection, TcpStream>,
    shared: &'s Shared,
    number: usize,
    later: Vec<u32>,
}

impl<'s> Connection<'s> {
    fn new(tls: StreamOwned<ServerConnection, TcpStream>, shared: &'s Shared) -> Self {
        let number = {
            let mut state = shared.0.lock().unwrap();
            state.connections += 1;
            state.connections
        };
        Self { tls, shared, number, later: Vec::new() }
    }

    fn serve(mut self) -> std::io::Result<()> {
        let mut preface = [0; PREFACE.len()];
        self.tls.read_exact(&mut preface)?;
        assert_eq!(preface, PREFACE);
        self.frame(SETTINGS, 0, 0, &[])?;
        loop {
            let mut head = [0; 9];
            self.tls.read_exact(&mut head)?;
            let [a, b, c, kind, flags, stream @ ..] = head;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            self.tls.read_exact(&mut payload)?;
            let ends = flags & 1 != 0;
            match kind {
                SETTINGS if !ends => self.frame(SETTINGS, 1, 0, &[])?,
                PING if !ends => self.frame(PING, 1, 0, &payload)?,
                _ => {}
            }
            let is_whole = ends && matches!(kind, HEADERS | DATA);
            if is_whole && !self.call(u32::from_be_bytes(stream))? {
                return self.hang_up();
            }
        }
    }

    /// Does with a call what is next; says whether the connection goes on.
    fn call(&mut self, stream: u32) -> std::io::Result<bool> {
        let act = {
            let mut state = self.shared.0.lock().unwrap();
            let act = state.script.pop_front().unwrap_or(Act::Answer);
            state.seen.push((self.number, act));
            self.shared.1.notify_all();
            act
        };
        let goes_away = |last: u32, code: u32| [last.to_be_bytes(), code.to_be_bytes()].concat();
        match act {
            Act::Answer => self.answer(stream)?,
            Act::Later => self.later.push(stream),
            Act::Reset(code) => self.frame(RST_STREAM, 0, stream, &code.to_be_bytes())?,
            Act::Above(code) => self.frame(GOAWAY, 0, 0, &goes_away(stream.saturating_sub(2), code))?,
            Act::Below(code) => self.frame(GOAWAY, 0, 0, &goes_away(stream, code))?,
            Act::HangUp => {}
        }
        if act != Act::Later {
            for stream in std::mem::take(&mut self.later) {
                self.answer(stream)?;
            }
        }
        Ok(!matches!(act, Act::Above(_) | Act::Below(_) | Act::HangUp))
    }

    /// Answers with `:status: 200` (a word of the protocol's own table) and a body.
    fn answer(&mut self, stream: u32) -> std::io::Result<()> {
        let (name, value) = ("content-type", "application/json");
        let mut head = vec![0x88, 0, u8::try_from(name.len()).unwrap()];
        head.extend_from_slice(name.as_bytes());
        head.push(u8::try_from(value.len()).unwrap());
        head.extend_from_slice(value.as_bytes());
        self.frame(HEADERS, 4, stream, &head)?;
        let body = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4.1",
            "choices": [{"index": 0, "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Monday."}}],
            "usage": {"prompt_tokens": TOKENS.input, "completion_tokens": TOKENS.output,
                "total_tokens": TOKENS.input + TOKENS.output}});
        self.frame(DATA, 1, stream, body.to_string().as_bytes())
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = [&length[..], &[kind, flags], &stream.to_be_bytes()].concat();
        frame.extend_from_slice(payload);
        self.tls.write_all(&frame)?;
        self.tls.flush()
    }

    fn hang_up(&mut self) -> std::io::Result<()> {
        self.tls.conn.send_close_notify();
        self.tls.flush()?;
        self.tls.sock.shutdown(std::net::Shutdown::Write)?;
        // Closing with something unread would take the last words back.
        std::io::copy(&mut self.tls.sock, &mut std::io::sink()).map(drop)
    }
}

/// Holds a row to a call that was answered, and paid for once.
fn paid_once(row: &Row) {
    assert_eq!((row.status.as_str(), row.kind.as_str()), ("ok", "known"), "{row:#?}");
    assert_eq!(row.amount, Some(price("gpt-4.1", TOKENS)), "{row:#?}");
}

#[test]
fn a_call_that_http2_turned_back_is_sent_again_and_is_no_call() {
    let provider = Provider::start();
    let setup = provider.setup();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let turns = [Act::Reset(REFUSED_STREAM), Act::Above(NO_ERROR), Act::Above(ENHANCE_YOUR_CALM)];
    for turn in turns {
        // On a connection that is new, and on one that has served.
        for used in [false, true] {
            if used {
                assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
            }
            let acts = [turn, turn, turn, Act::Answer];
            provider.seen();
            provider.push(&acts);
            let answer = chat("gpt-4.1", false).send(front.address());
            assert_eq!(
                (answer.status(), answer.said()),
                (200, "Monday.".to_owned()),
                "{turn:?}: {}",
                answer.text()
            );
            assert_eq!(answer.header("pointsman-attempts"), Some("1"), "{turn:?}");
            let seen = provider.seen();
            assert_eq!(seen.iter().map(|(_, act)| *act).collect::<Vec<_>>(), acts);
            let first = seen[0].0;
            let stays = seen.iter().all(|(connection, _)| *connection == first);
            assert_eq!(stays, turn == turns[0], "who goes away is not asked again: {seen:?}");
        }
    }
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(rows.len(), 9);
    rows.iter().for_each(paid_once);
}

#[test]
fn who_turns_every_call_back_has_failed_and_is_paid_nothing() {
    let provider = Provider::start();
    let setup = provider.setup();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    for turn in [Act::Reset(REFUSED_STREAM), Act::Above(NO_ERROR)] {
        provider.push(&[turn; 4]);
        let answer = chat("gpt-4.1", false).send(front.address());
        assert_eq!(answer.status(), 502, "{}", answer.text());
        assert!(answer.text().contains("did not take the request"), "{}", answer.text());
        assert_eq!(provider.seen().len(), 4, "{turn:?}: sent again without end, or not at all");
    }
    nothing_held(&front);
    for row in front.settle() {
        assert_eq!((row.status.as_str(), row.kind.as_str()), ("server_error", "known"), "{row:#?}");
        assert_eq!(row.amount, Some(0), "{row:#?}");
    }
}

#[test]
fn a_call_that_http2_did_not_turn_back_is_never_sent_twice() {
    let provider = Provider::start();
    let setup = provider.setup();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    let turns = [
        Act::Reset(INTERNAL_ERROR),
        Act::Reset(NO_ERROR),
        Act::Below(NO_ERROR),
        Act::Below(INTERNAL_ERROR),
        Act::HangUp,
    ];
    for turn in turns {
        assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
        provider.seen();
        provider.push(&[turn]);
        let answer = chat("gpt-4.1", false).send(front.address());
        assert_eq!(answer.status(), 502, "{turn:?}: {}", answer.text());
        assert_eq!(provider.seen().len(), 1, "{turn:?}: may have been worked on, and was sent again");
    }
    nothing_held(&front);
    let rows = front.settle();
    assert_eq!(rows.len(), 2 * turns.len());
    for pair in rows.chunks(2) {
        paid_once(&pair[0]);
        assert_eq!((pair[1].status.as_str(), pair[1].kind.as_str()), ("server_error", "unknown"));
    }
}

#[test]
fn a_connection_that_goes_away_ends_what_it_took() {
    let provider = Provider::start();
    let setup = provider.setup();
    let sandbox = Sandbox::new(&setup);
    let front = sandbox.serve(&setup);
    assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
    provider.seen();
    provider.push(&[Act::Later, Act::Above(NO_ERROR), Act::Answer]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| chat("gpt-4.1", false).send(front.address()));
        provider.wait();
        assert_eq!(chat("gpt-4.1", false).send(front.address()).status(), 200);
        assert_eq!(first.join().unwrap().status(), 200);
    });
    assert_eq!(provider.seen().len(), 3);
    nothing_held(&front);
    front.settle().iter().for_each(paid_once);
}
