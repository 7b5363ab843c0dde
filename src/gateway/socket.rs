//! A client's connection with its limits of time: a head that does not come, an answer that is not taken.
//!
//! Invariant: no connection stays without progress for longer than the limit of what it is at. How long one may idle is
//! the server's affair.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant as Clock, Sleep};

use super::body::{BrokeOff, Reply};

/// A request's head is awaited: it has begun, or the connection is new.
const HEAD: u8 = 0;
/// A request is served, which has limits of its own.
const SERVING: u8 = 1;
/// Nothing is asked.
const RESTING: u8 = 2;

/// What a connection is at.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<AtomicU8>);

impl Phase {
    /// A request's head has come. Its answer, when it is over, lets the connection rest.
    pub(super) fn serves(&self) {
        self.0.store(SERVING, Ordering::Relaxed);
    }

    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }
}

/// An answer that lets its connection rest when it is over.
#[derive(Debug)]
pub(super) struct Sent {
    reply: Reply,
    phase: Phase,
}

impl Sent {
    pub(super) fn new(reply: Reply, phase: Phase) -> Self {
        Self { reply, phase }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.phase.0.store(RESTING, Ordering::Relaxed);
    }
}

impl Body for Sent {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        Pin::new(&mut self.reply).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.reply.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.reply.size_hint()
    }
}

/// A moment by which something has to have happened. Made at first need: most steps never wait.
#[derive(Debug, Default)]
struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
    is_set: bool,
}

impl Deadline {
    /// Says whether the time is over; sets it where it was not set yet.
    fn is_over(&mut self, at: Clock, context: &mut Context<'_>) -> bool {
        if !std::mem::replace(&mut self.is_set, true) {
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(at),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(at))),
            }
        }
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready())
    }

    fn unset(&mut self) {
        self.is_set = false;
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
    reading: Deadline,
    writing: Deadline,
}

impl Socket {
    /// Watches over a connection: how long a head may take, and a client to take something of its answer.
    pub(super) fn new(inner: TcpStream, phase: Phase, head: Duration, write: Duration) -> Self {
        let (reading, writing) = (Deadline::default(), Deadline::default());
        Self { inner, phase, began: Clock::now(), head, write, reading, writing }
    }

    fn patient<T>(&mut self, step: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
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
            if this.phase.get() == RESTING {
                this.phase.0.store(HEAD, Ordering::Relaxed);
                this.began = Clock::now();
                this.reading.unset();
            }
            return Poll::Ready(done);
        }
        if this.phase.get() != HEAD {
            this.reading.unset();
            return Poll::Pending;
        }
        let over = this.reading.is_over(this.began + this.head, context);
        // As if the client had gone: the connection is closed without a word.
        if over { Poll::Ready(Ok(())) } else { Poll::Pending }
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
