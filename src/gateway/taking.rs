//! Answers over HTTP/2 of which their client takes nothing: each stream has the limit of time that a whole connection has over
//! HTTP/1.1.
//!
//! Invariant: what a stream holds is given back once a piece of it, of a kibibyte at most, was not taken for so long; others of its connection go on.

use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant as Clock;

use super::deadline::Deadline;

thread_local! {
    /// The stream that is being served on this thread.
    static PRESENT: RefCell<Option<Taking>> = const { RefCell::new(None) };
}

/// How an answer is taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Taking(Arc<At>);

#[derive(Debug, Default)]
struct At {
    /// Whether a piece waits to be taken.
    waits: AtomicBool,
    /// The pieces so far; it may wrap.
    pieces: AtomicU64,
}

impl Taking {
    /// Returns that of the stream whose answer is made here; none over HTTP/1.1.
    pub(super) fn present() -> Option<Self> {
        PRESENT.with_borrow(Clone::clone)
    }

    /// A piece, or the head, is there to be taken.
    pub(super) fn gave(&self) {
        self.0.pieces.fetch_add(1, Ordering::Relaxed);
        self.0.waits.store(true, Ordering::Relaxed);
    }

    /// The next piece is asked for.
    pub(super) fn asked(&self) {
        self.0.waits.store(false, Ordering::Relaxed);
    }
}

/// Spawns the streams of connections over HTTP/2, with so much time for each to be taken something of.
#[derive(Clone, Debug)]
pub(super) struct Streams(pub(super) Duration);

impl<F: Future<Output: Send> + Send + 'static> hyper::rt::Executor<F> for Streams {
    fn execute(&self, stream: F) {
        tokio::spawn(Timed {
            stream: Box::pin(stream),
            patience: self.0,
            taking: Taking::default(),
            pieces: 0,
            deadline: Deadline::default(),
        });
    }
}

/// A stream that ends where its client takes nothing for too long: it is reset.
struct Timed<F> {
    stream: Pin<Box<F>>,
    patience: Duration,
    taking: Taking,
    /// Those that had come at the last look.
    pieces: u64,
    deadline: Deadline,
}

impl<F: Future> Future for Timed<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let outer = PRESENT.replace(Some(this.taking.clone()));
        let polled = this.stream.as_mut().poll(context);
        PRESENT.set(outer);
        if polled.is_ready() {
            return Poll::Ready(());
        }
        let pieces = this.taking.0.pieces.load(Ordering::Relaxed);
        let is_new = std::mem::replace(&mut this.pieces, pieces) != pieces;
        let waits = this.taking.0.waits.load(Ordering::Relaxed);
        if is_new || !waits {
            this.deadline.unset();
        }
        if waits && this.deadline.is_over(Clock::now() + this.patience, context) {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
