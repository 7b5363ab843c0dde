//! A client's connection with its limits of time: a head that does not come, an answer that is not taken.
//!
//! Invariant: no connection stays without progress for longer than the limit of what it is at. How long one of HTTP/1 may
//! idle is the server's affair; one of HTTP/2, where a client may write all day without asking for anything, is closed from
//! here.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant as Clock;

use super::body::{BrokeOff, Reply};
use super::deadline::Deadline;
use super::keeper::Watch;
use super::taking::Taking;

/// A request's head is awaited: it has begun, or the connection is new.
const HEAD: u32 = 0;
/// Nothing is asked.
const RESTING: u32 = 1;
/// From here on so many requests are served, and one; each has limits of its own.
const SERVING: u32 = 2;

/// What a connection is at.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<At>);

#[derive(Debug)]
struct At {
    phase: AtomicU32,
    /// Requests so far; it may wrap.
    requests: AtomicU32,
    /// Whether requests come side by side, as in HTTP/2.
    is_shared: AtomicBool,
    /// Requests whose bodies still come.
    receiving: AtomicU32,
    /// Whether something of an answer waits to be taken.
    is_writing: AtomicBool,
    /// When it last began or ended something, in microseconds since the first connection.
    since: AtomicU64,
}

/// How a connection rests that nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// Whether a request still comes on it.
    pub(super) is_receiving: bool,
    /// Since when, in microseconds since the first connection.
    pub(super) since: u64,
}

/// Returns the time by a clock that never jumps.
fn micros() -> u64 {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    u64::try_from(FIRST.get_or_init(std::time::Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl Default for At {
    fn default() -> Self {
        Self {
            phase: AtomicU32::new(HEAD),
            requests: AtomicU32::new(0),
            is_shared: AtomicBool::new(false),
            receiving: AtomicU32::new(0),
            is_writing: AtomicBool::new(false),
            since: AtomicU64::new(micros()),
        }
    }
}

impl Phase {
    /// A request's head has come. When what is given is dropped, it is over, and with the last one the connection rests.
    pub(super) fn serves(&self, version: http::Version) -> Serving {
        if version == http::Version::HTTP_2 {
            self.0.is_shared.store(true, Ordering::Relaxed);
        }
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.since.store(micros(), Ordering::Relaxed);
        let next = |now: u32| Some(if now < SERVING { SERVING } else { now.saturating_add(1) });
        let _ = self.0.phase.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        Serving(self.clone())
    }

    /// Says how it rests; none where a request is being answered.
    pub(super) fn rest(&self) -> Option<Rest> {
        let (serving, receiving) = (self.get(), self.0.receiving.load(Ordering::Relaxed));
        let answered = serving.saturating_sub(SERVING - 1).saturating_sub(receiving);
        let since = self.0.since.load(Ordering::Relaxed);
        let is_writing = self.0.is_writing.load(Ordering::Relaxed);
        (answered == 0 && !is_writing).then_some(Rest { is_receiving: receiving > 0, since })
    }

    fn get(&self) -> u32 {
        self.0.phase.load(Ordering::Relaxed)
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared.load(Ordering::Relaxed)
    }
}

/// A request that is served.
#[derive(Debug)]
pub(super) struct Serving(Phase);

impl Drop for Serving {
    fn drop(&mut self) {
        let next = |now: u32| Some(now.saturating_sub(1).max(RESTING));
        self.0.0.since.store(micros(), Ordering::Relaxed);
        let _ = self.0.0.phase.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
    }
}

impl Serving {
    /// Notes that the request's body still comes, until what is given is dropped.
    pub(super) fn receives(&self) -> Receiving {
        self.0.0.receiving.fetch_add(1, Ordering::Relaxed);
        Receiving(self.0.clone())
    }
}

/// A request whose body still comes.
#[derive(Debug)]
pub(super) struct Receiving(Phase);

impl Drop for Receiving {
    fn drop(&mut self) {
        self.0.0.receiving.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request's body as it comes.
#[derive(Debug)]
pub(super) struct Sending {
    body: Incoming,
    receiving: Option<Receiving>,
}

impl Sending {
    pub(super) fn new(body: Incoming, serving: &Serving) -> Self {
        let receiving = (!body.is_end_stream()).then(|| serving.receives());
        Self { body, receiving }
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.receiving = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer that lets its connection rest when it is over.
#[derive(Debug)]
pub(super) struct Sent {
    reply: Reply,
    watch: Option<Box<Watch>>,
    /// Over HTTP/2: how it is taken, and what is left of a piece of which the client took a part.
    taking: Option<Taking>,
    rest: Bytes,
    _serving: Serving,
}

/// What is handed to a connection of HTTP/2 at a time: there it lies until its client takes it, and all of it has to be taken within
/// `write-seconds`. So little that whoever reads as fast as one speaks is never too slow.
const PIECE: usize = 1024;

impl Sent {
    pub(super) fn new(reply: Reply, watch: Option<Watch>, serving: Serving) -> Self {
        let taking = Taking::present();
        if let Some(taking) = &taking {
            taking.gave();
        }
        Self { reply, watch: watch.map(Box::new), taking, rest: Bytes::new(), _serving: serving }
    }

    /// Returns the next part of what is left, by itself, so that the whole is given back once its last is on its way.
    fn part(&mut self) -> Frame<Bytes> {
        let part = self.rest.split_to(PIECE.min(self.rest.len()));
        Frame::data(Bytes::copy_from_slice(&part))
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        let this = &mut *self;
        if let Some(taking) = &this.taking {
            taking.asked();
            if !this.rest.is_empty() {
                taking.gave();
                return Poll::Ready(Some(Ok(this.part())));
            }
        }
        let frame = ready!(Pin::new(&mut this.reply).poll_frame(context));
        if let (Some(watch), Some(Ok(frame))) = (&mut this.watch, &frame)
            && !frame.data_ref().is_none_or(|piece| watch.look(piece))
        {
            this.watch = None;
        }
        let Some(taking) = &this.taking else { return Poll::Ready(frame) };
        taking.gave();
        Poll::Ready(match frame {
            Some(Ok(frame)) => Some(Ok(match frame.into_data() {
                Ok(data) if data.len() > PIECE => {
                    this.rest = data;
                    this.part()
                }
                Ok(data) => Frame::data(data),
                Err(frame) => frame,
            })),
            end => end,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.reply.size_hint();
        match hint.exact() {
            Some(size) => SizeHint::with_exact(size + self.rest.len() as u64),
            None => hint,
        }
    }
}

/// A client's connection.
#[derive(Debug)]
pub(super) struct Socket {
    inner: TcpStream,
    phase: Phase,
    /// When the head began.
    began: Clock,
    head: Duration,
    write: Duration,
    idle: Duration,
    /// Requests that had come at the last look.
    requests: u32,
    reading: Deadline,
    writing: Deadline,
}

impl Socket {
    /// Watches over a connection: how long a head may take, a client to take something of its answer, and a connection
    /// that requests share to have none.
    pub(super) fn new(
        inner: TcpStream,
        phase: Phase,
        head: Duration,
        write: Duration,
        idle: Duration,
    ) -> Self {
        let (reading, writing) = (Deadline::default(), Deadline::default());
        Self { inner, phase, began: Clock::now(), head, write, idle, requests: 0, reading, writing }
    }

    /// Says whether the time for what is awaited is over.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        // A request may have come and gone between two looks.
        let requests = self.phase.0.requests.load(Ordering::Relaxed);
        if std::mem::replace(&mut self.requests, requests) != requests {
            self.reading.unset();
        }
        match self.phase.get() {
            HEAD => self.reading.is_over(self.began + self.head, context),
            // What comes in between, pings for example, does not count as being used.
            RESTING if self.phase.is_shared() => self.reading.is_over(Clock::now() + self.idle, context),
            _ => {
                self.reading.unset();
                false
            }
        }
    }

    fn patient<T>(&mut self, step: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.phase.0.is_writing.store(step.is_pending(), Ordering::Relaxed);
        if step.is_ready() {
            self.writing.unset();
            return step;
        }
        let by = Clock::now() + self.write;
        if self.writing.is_over(by, context) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Poll::Ready(done) = Pin::new(&mut this.inner).poll_read(context, into) {
            if this.phase.get() == RESTING && !this.phase.is_shared() {
                this.phase.0.phase.store(HEAD, Ordering::Relaxed);
                this.began = Clock::now();
                this.reading.unset();
            }
            return Poll::Ready(done);
        }
        // As if the client had gone: the connection is closed without a word.
        if this.is_late(context) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let step = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.patient(step, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let step = Pin::new(&mut self.inner).poll_write_vectored(context, pieces);
        self.patient(step, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
        Poll::Ready(Ok(()))
    }
}
