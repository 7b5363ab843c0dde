//! What is sent back: an answer in one piece, or pieces as they come.
//!
//! Invariant: pieces that end without having been ended break the connection off, so that half an answer never looks
//! whole.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{Semaphore, mpsc};

use super::budget::Budget;
use crate::wire::Listed;

/// Bytes that may wait for a slow client before the provider is no longer read; one piece more where that is larger.
const ROOM: usize = 256 * 1024;

/// The body of a response.
#[derive(Debug)]
pub(super) enum Reply {
    /// In one piece; taken once.
    Whole(Option<Bytes>),
    /// Piece by piece, until the line is ended or dropped.
    Pieces(Pieces),
}

/// The client's end of a line.
#[derive(Debug)]
pub(super) struct Pieces {
    waiting: mpsc::Receiver<Bytes>,
    /// Bytes that may wait yet.
    room: Arc<Semaphore>,
    budget: Arc<Budget>,
    is_whole: Arc<AtomicBool>,
    /// Makes one JSON list of the events, for clients that read no events.
    listed: Option<Listed>,
}

/// The gateway's end of a line to a client.
#[derive(Debug)]
pub(super) struct Line {
    pieces: mpsc::Sender<Bytes>,
    room: Arc<Semaphore>,
    budget: Arc<Budget>,
    is_whole: Arc<AtomicBool>,
}

/// A line that was dropped before its end.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub(super) struct BrokeOff;

/// Returns what a piece takes of the room.
fn weight(size: usize) -> u32 {
    u32::try_from(size.min(ROOM)).unwrap_or(u32::MAX)
}

/// Opens a line to a client on which so many pieces may wait; what waits counts as held.
pub(super) fn line(waiting: usize, budget: &Arc<Budget>) -> (Line, Reply) {
    let (send, pieces) = mpsc::channel(waiting);
    let is_whole = Arc::new(AtomicBool::new(false));
    let room = Arc::new(Semaphore::new(ROOM));
    let line = Line {
        pieces: send,
        room: Arc::clone(&room),
        budget: Arc::clone(budget),
        is_whole: Arc::clone(&is_whole),
    };
    (
        line,
        Reply::Pieces(Pieces { waiting: pieces, room, budget: Arc::clone(budget), is_whole, listed: None }),
    )
}

impl Line {
    /// Sends a piece; waits for a slow client at most so long. Says whether the line still holds.
    pub(super) async fn send(&mut self, piece: Bytes, patience: Duration) -> bool {
        let size = piece.len();
        if self.weigh(size, patience).await.is_none() {
            return false;
        }
        self.budget.add_anyway(size);
        let taken = match self.pieces.try_send(piece) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(piece)) => {
                self.pieces.send_timeout(piece, patience).await.is_ok()
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        };
        if !taken {
            self.budget.sub(size);
        }
        taken
    }

    /// Waits until so many bytes may wait; none where the client is gone or takes nothing for too long.
    async fn weigh(&self, size: usize, patience: Duration) -> Option<()> {
        let weight = weight(size);
        let room = match self.room.try_acquire_many(weight) {
            Ok(room) => room,
            Err(_) => tokio::time::timeout(patience, self.room.acquire_many(weight)).await.ok()?.ok()?,
        };
        room.forget();
        Some(())
    }

    /// Sends a piece where there is room at once.
    pub(super) fn try_send(&mut self, piece: Bytes) {
        let size = piece.len();
        let Ok(room) = self.room.try_acquire_many(weight(size)) else { return };
        room.forget();
        self.budget.add_anyway(size);
        if self.pieces.try_send(piece).is_err() {
            self.budget.sub(size);
        }
    }

    /// Says whether a piece can be sent at once.
    pub(super) fn has_room(&self) -> bool {
        self.pieces.capacity() > 0
    }

    /// Waits until the client is gone.
    pub(super) async fn closed(&self) {
        self.pieces.closed().await;
    }

    /// Says whether the client is gone.
    pub(super) fn is_closed(&self) -> bool {
        self.pieces.is_closed()
    }

    /// Ends the answer as a whole one.
    pub(super) fn end(self) {
        self.is_whole.store(true, Ordering::Release);
    }
}

impl Reply {
    /// Makes a body of bytes that are there.
    pub(super) fn of(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    /// Makes one JSON list of a stream of events; says whether it is one.
    pub(super) fn list(&mut self) -> bool {
        if let Self::Pieces(line) = self {
            line.listed = Some(Listed::default());
        }
        matches!(self, Self::Pieces(_))
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        self.waiting.close();
        self.room.close();
        while let Ok(piece) = self.waiting.try_recv() {
            self.budget.sub(piece.len());
        }
    }
}

impl Pieces {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        loop {
            let piece = ready!(self.waiting.poll_recv(context));
            if let Some(piece) = &piece {
                self.budget.sub(piece.len());
                self.room.add_permits(weight(piece.len()) as usize);
            }
            let Some(listed) = &mut self.listed else {
                return Poll::Ready(match piece {
                    Some(piece) => Some(Ok(Frame::data(piece))),
                    None if self.is_whole.load(Ordering::Acquire) => None,
                    None => Some(Err(BrokeOff)),
                });
            };
            let mut out = BytesMut::new();
            match piece {
                Some(piece) => {
                    if listed.push(&piece, &mut out).is_err() {
                        return Poll::Ready(Some(Err(BrokeOff)));
                    }
                }
                None if !self.is_whole.load(Ordering::Acquire) => return Poll::Ready(Some(Err(BrokeOff))),
                None => {
                    listed.end(&mut out);
                    self.listed = None;
                }
            }
            if !out.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(out.freeze()))));
            }
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(
                bytes.take().filter(|bytes| !bytes.is_empty()).map(|bytes| Ok(Frame::data(bytes))),
            ),
            Self::Pieces(line) => line.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Pieces(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}
