//! A model API over plain TCP that goes wrong on demand, and remembers what it served.
//!
//! It does what its script says for each request: answer in the dialect it was asked in, or reset, stall, lie about its
//! usage, break off. What it keeps (requests, tokens told, how each answer ended, open connections) is the truth that a
//! ledger is compared with. It runs on a thread of its own, so tests wait on it without a runtime.

pub(crate) mod upstream_dialect;
mod upstream_peer;
pub(crate) mod upstream_script;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

pub(crate) use upstream_dialect::Told;
use upstream_dialect::{Body, Mark};
use upstream_peer::{Asked, Peer};
pub(crate) use upstream_script::{At, Call, Dialect, Fault, Framing, Pace, Reply, Tokens};

/// How long a test waits for something that must happen, before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every byte was written.
    Whole,
    /// The body ended early, properly framed.
    Half,
    /// The connection was reset or closed in the middle.
    Broken,
    /// The peer went away first.
    PeerLeft,
}

/// One request and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// What was asked.
    pub(crate) call: Call,
    /// Its headers, names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The status that was written; none where the fault struck first.
    pub(crate) status: Option<u16>,
    /// What the peer was told of its usage.
    pub(crate) told: Told,
    /// What was counted, told or not.
    pub(crate) tokens: Tokens,
    /// The text that was written.
    pub(crate) text: String,
    /// Whether all of the answer was written, with the reason why it ended.
    pub(crate) finished: bool,
    /// Whether something that does not belong there came in between: a reader may have stopped there.
    pub(crate) spliced: bool,
    /// Whether the connection was reset, which throws away what has not been read yet.
    pub(crate) reset: bool,
    /// How it ended; none while it is being answered.
    pub(crate) end: Option<End>,
}

impl Served {
    /// Returns the value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What is known at a moment.
#[derive(Default)]
pub(crate) struct State {
    /// All requests, in order of arrival.
    pub(crate) served: Vec<Served>,
    /// Connections that are open now.
    pub(crate) open: usize,
    /// Connections ever accepted.
    pub(crate) accepted: usize,
}

impl State {
    /// Counts the requests that are being answered.
    pub(crate) fn busy(&self) -> usize {
        self.served.iter().filter(|served| served.end.is_none()).count()
    }
}

type Rule = Box<dyn Fn(&Call) -> Reply + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    queue: Mutex<VecDeque<Reply>>,
    rule: Rule,
    released: watch::Sender<usize>,
}

impl Shared {
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
        done
    }
}

/// A running upstream; it stops when dropped.
pub(crate) struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Starts one that answers soundly unless replies are queued.
    pub(crate) fn start() -> Self {
        Self::with(|_| Reply::default())
    }

    /// Starts one that answers by rule.
    pub(crate) fn with(rule: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            queue: Mutex::default(),
            rule: Box::new(rule),
            released: watch::Sender::new(0),
        });
        let stop = watch::Sender::new(false);
        let (ready, started) = std::sync::mpsc::channel();
        let (theirs, mut stopped) = (Arc::clone(&shared), stop.subscribe());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                ready.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    tokio::select! {
                        _ = stopped.changed() => break,
                        accepted = listener.accept() => {
                            let Ok((stream, _)) = accepted else { continue };
                            tokio::spawn(serve(stream, Arc::clone(&theirs)));
                        }
                    }
                }
            });
        });
        let address = started.recv().unwrap();
        Self { address, shared, stop, thread: Some(thread) }
    }

    /// Returns where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its base URL, without a path.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Queues a reply; queued ones go before the rule.
    pub(crate) fn push(&self, reply: Reply) {
        self.shared.queue.lock().unwrap().push_back(reply);
    }

    /// Returns every request so far.
    pub(crate) fn served(&self) -> Vec<Served> {
        self.shared.state.lock().unwrap().served.clone()
    }

    /// Counts the connections that are open.
    pub(crate) fn open(&self) -> usize {
        self.shared.state.lock().unwrap().open
    }

    /// Lets everything that stalls go on.
    pub(crate) fn release(&self) {
        self.shared.released.send_modify(|times| *times += 1);
    }

    /// Lets everything that stalls go on, again and again until something is so: what begins to stall later than one
    /// release would wait for ever.
    pub(crate) fn release_until(&self, what: &str, so: impl Fn(&State) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            self.release();
            if so(&self.shared.state.lock().unwrap()) {
                return;
            }
            assert!(Instant::now() < until, "never happened: {what}");
            std::thread::yield_now();
        }
    }

    /// Waits until something is so, and fails the test when it never is.
    pub(crate) fn wait(&self, what: &str, so: impl Fn(&State) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shared.state.lock().unwrap();
        while !so(&state) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "never happened: {what} (open {}, busy {}, served {})",
                state.open,
                state.busy(),
                state.served.len()
            );
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits until nothing is being answered.
    pub(crate) fn wait_idle(&self) {
        self.wait("the upstream is idle", |state| state.busy() == 0);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the upstream's thread failed");
        }
    }
}

/// An address that is taken and refuses every connection.
pub(crate) struct Refusing {
    address: SocketAddr,
    _bound: TcpSocket,
}

impl Refusing {
    /// Takes one.
    pub(crate) fn take() -> Self {
        let bound = TcpSocket::new_v4().unwrap();
        bound.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        Self { address: bound.local_addr().unwrap(), _bound: bound }
    }

    /// Returns its base URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Counts a connection as long as it lives.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.change(|state| {
            state.open += 1;
            state.accepted += 1;
        });
        Self(Arc::clone(shared))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.change(|state| state.open -= 1);
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let _counted = Counted::new(&shared);
    let mut peer = Peer::new(stream);
    if peer.stream.set_nodelay(true).is_err() {
        return;
    }
    while let Ok(Some(asked)) = peer.request().await {
        let (place, call, reply) = enter(&shared, asked);
        let end = respond(&mut peer, &shared, place, &call, &reply).await;
        let end = end.unwrap_or(End::PeerLeft);
        // A half answer left the connection in order; so did a whole one, unless its length was a lie.
        let sound = matches!(reply.framing, Framing::Usual | Framing::Trailers);
        let reset = matches!(reply.fault, Some((_, Fault::Reset)));
        if end == End::Broken && reset && peer.stream.set_zero_linger().is_err() {
            return;
        }
        shared.change(|state| state.served[place].end = Some(end));
        if !(sound && matches!(end, End::Whole | End::Half)) {
            return;
        }
    }
}

/// Notes a request and asks the script.
fn enter(shared: &Shared, asked: Asked) -> (usize, Call, Reply) {
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or(Value::Null);
    let bare = asked.path.split('?').next().unwrap_or_default();
    let dialect = match bare {
        _ if bare.ends_with("/chat/completions") => Dialect::Chat,
        _ if bare.ends_with("/responses") => Dialect::Responses,
        _ if bare.ends_with("/embeddings") => Dialect::Embeddings,
        _ if bare.ends_with("/messages") => Dialect::Anthropic,
        _ if bare.contains("enerateContent") => Dialect::Gemini,
        _ => Dialect::Strange,
    };
    let in_path = bare.rsplit('/').next().and_then(|last| last.split(':').next());
    let model = body.get("model").and_then(Value::as_str).or(in_path).unwrap_or_default().to_owned();
    let stream =
        body.get("stream").and_then(Value::as_bool).unwrap_or(bare.ends_with(":streamGenerateContent"));
    let wants_usage = body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false);
    shared.change(|state| {
        let number = state.served.len();
        let call = Call { number, path: asked.path.clone(), dialect, model, stream, wants_usage, body };
        let queued = shared.queue.lock().unwrap().pop_front();
        let mut reply = queued.unwrap_or_else(|| (shared.rule)(&call));
        if dialect == Dialect::Strange && reply.body.is_none() {
            reply = Reply::status(404);
        }
        state.served.push(Served {
            call: call.clone(),
            headers: asked.headers,
            status: None,
            told: Told::Nothing,
            tokens: Tokens::default(),
            text: String::new(),
            finished: false,
            spliced: false,
            reset: false,
            end: None,
        });
        (number, call, reply)
    })
}

/// Answers one request; an error means that the peer went away.
async fn respond(
    peer: &mut Peer,
    shared: &Shared,
    place: usize,
    call: &Call,
    reply: &Reply,
) -> io::Result<End> {
    let body = upstream_dialect::body(call, reply);
    shared.change(|state| {
        state.served[place].tokens = body.tokens;
        state.served[place].spliced = matches!(reply.fault, Some((_, Fault::Splice(_))));
        state.served[place].reset = matches!(reply.fault, Some((_, Fault::Reset)));
    });
    // A chat stream says why it ended before it tells its usage; elsewhere both come together.
    let apart = call.stream && call.dialect == Dialect::Chat && !call.is_mistral();
    let tells = if apart { Mark::Text } else { Mark::Usage };
    let last = body.frames.iter().rposition(|frame| frame.mark == tells);
    for status in &reply.interim {
        peer.stream
            .write_all(format!("HTTP/1.1 {status} Interim\r\nx-interim: yes\r\n\r\n").as_bytes())
            .await?;
    }
    let strike = reply.fault.as_ref().map(|(at, fault)| (strikes(*at, &body), fault));
    if let Some((None, fault)) = strike
        && let Some(end) = peer.befall(&shared.released, fault, b"HTTP/1.1 200 OK\r\nx-slow: ", None).await?
    {
        return Ok(end);
    }
    let (head, chunked) = head(reply, &body, call.stream, strike);
    peer.stream.write_all(head.as_bytes()).await?;
    shared.change(|state| state.served[place].status = Some(reply.status));
    let mut held = Vec::new();
    for (at, frame) in body.frames.iter().enumerate() {
        if let Some((Some(struck), fault)) = strike
            && struck == at
        {
            peer.body(&std::mem::take(&mut held), chunked, reply.pace).await?;
            if let Some(end) = peer.befall(&shared.released, fault, b": ", Some(chunked)).await? {
                return Ok(end);
            }
        }
        if reply.pace == Pace::Whole {
            held.extend_from_slice(&frame.bytes);
        } else {
            peer.body(&frame.bytes, chunked, reply.pace).await?;
        }
        shared.change(|state| {
            let served = &mut state.served[place];
            let lied = matches!(reply.framing, Framing::TooLong | Framing::TooShort);
            match frame.told {
                Told::Nothing => {}
                Told::Counts(_) if lied => served.told = Told::Nonsense,
                told => served.told = told,
            }
            served.text.push_str(&frame.text);
            served.finished |= last == Some(at);
        });
    }
    peer.body(&held, chunked, reply.pace).await?;
    if let Some((Some(struck), fault)) = strike
        && struck >= body.frames.len()
        && let Some(end) = peer.befall(&shared.released, fault, b": ", Some(chunked)).await?
    {
        return Ok(end);
    }
    if chunked {
        let trailers = if reply.framing == Framing::Trailers { "x-trailer: said\r\n" } else { "" };
        peer.stream.write_all(format!("0\r\n{trailers}\r\n").as_bytes()).await?;
    }
    Ok(End::Whole)
}

/// Returns before which frame a fault strikes; none for before the headers.
fn strikes(at: At, body: &Body) -> Option<usize> {
    let mark = |mark: Mark| body.frames.iter().position(|frame| frame.mark == mark);
    match at {
        At::BeforeHeaders => None,
        At::AfterHeaders => Some(0),
        At::Frame(frame) => Some(frame.min(body.frames.len())),
        At::BeforeUsage => Some(mark(Mark::Usage).or(mark(Mark::End)).unwrap_or(body.frames.len())),
        At::BeforeEnd => Some(mark(Mark::End).unwrap_or(body.frames.len())),
    }
}

/// Returns status line and headers, and whether the body goes in chunks.
fn head(reply: &Reply, body: &Body, stream: bool, strike: Option<(Option<usize>, &Fault)>) -> (String, bool) {
    let ended = match strike {
        Some((Some(at), Fault::End)) => at,
        _ => body.frames.len(),
    };
    let extra = match strike {
        Some((Some(_), Fault::Splice(bytes))) => bytes.len(),
        Some((Some(_), Fault::GiantLine(bytes))) => *bytes,
        _ => 0,
    };
    let length = body.frames.iter().take(ended).map(|frame| frame.bytes.len()).sum::<usize>() + extra;
    let streams = stream && body.content_type == "text/event-stream";
    let (framing, chunked) = match reply.framing {
        Framing::Usual if !streams => (format!("content-length: {length}\r\n"), false),
        Framing::Usual | Framing::Trailers => ("transfer-encoding: chunked\r\n".to_owned(), true),
        Framing::UntilClose => ("connection: close\r\n".to_owned(), false),
        Framing::TooLong => (format!("content-length: {}\r\n", length + 1_000), false),
        Framing::TooShort => (format!("content-length: {}\r\n", length.saturating_sub(10)), false),
    };
    let mut head =
        format!("HTTP/1.1 {} Said\r\ncontent-type: {}\r\n{framing}", reply.status, body.content_type);
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    (head, chunked)
}
