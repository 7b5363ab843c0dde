//! Whoever waits for an answer: the head of the response, the line to it, and the signs of life while a model thinks.
//!
//! Invariants: the head goes out once; until an attempt has content a client hears nothing of it but how its message begins,
//! and that once, so it is told one answer however many models were asked; what is sent are whole events.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use tokio::sync::oneshot;
use tokio::time::{Instant as Clock, Sleep, sleep_until};

use super::Gateway;
use super::body::{self, Line, Reply};
use super::budget::Budget;
use crate::config::gateway::{OnDisconnect, StreamSettings};
use crate::units::members;
use crate::wire::{self, ApiError, Dialect, Preface};

/// Pieces that may wait for a slow client before the provider is no longer read.
const WAITING: usize = 32;

/// Where a response goes.
pub(super) type Client = oneshot::Sender<Response<Reply>>;

members! {
    /// The client's end of an operation.
    #[derive(Debug)]
    pub(super) struct Audience;
    /// Takes the place of a client that asked for a stream or for an answer in one piece.
    pub(super) fn new(client: Client, dialect: Dialect, streams: bool, gateway: &Gateway) {
        let settings = &gateway.settings;
        let now = Clock::now();
        let latest = streams.then(|| now + Duration::from_millis(settings.streams.patience_ms));
    }
    end: End = End::Waiting(client),
    alarm: Alarm = Alarm::default(),
    dialect: Dialect = dialect,
    budget: Arc<Budget> = Arc::clone(&gateway.budget),
    settings: StreamSettings = settings.streams,
    /// For how long it may take nothing before it counts as gone.
    patience: Duration = Duration::from_secs(settings.limits.write_seconds),
    /// Whether its leaving ends a call.
    cancels: bool = settings.on_disconnect == OnDisconnect::Cancel,
    /// When the head goes out though there is no content; none where no stream was asked for.
    head_by: Option<Clock> = latest,
    /// The latest that may be.
    latest: Option<Clock> = latest,
    /// When it was last sent anything.
    quiet_since: Clock = now,
    /// The model that the head named, where it went out before there was content.
    named: Option<Arc<str>> = None,
    /// How the message begins, until the head goes out or content comes.
    early: BytesMut = BytesMut::new(),
    /// What `early` comes to.
    pending: Preface = Preface::default(),
    /// What it was told of a message that has no content yet.
    preface: Option<Preface> = None,
}

#[derive(Debug)]
enum End {
    /// It has had nothing yet.
    Waiting(Client),
    /// It has the head of a stream.
    Listening(Line),
    /// It has its answer, or it left.
    Gone,
}

impl End {
    /// Waits until the client is gone.
    async fn left(&mut self) {
        match self {
            Self::Waiting(client) => client.closed().await,
            Self::Listening(line) => line.closed().await,
            Self::Gone => {}
        }
    }
}

impl Audience {
    /// Says whether nobody is there any more.
    pub(super) fn is_gone(&self) -> bool {
        match &self.end {
            End::Waiting(client) => client.is_closed(),
            End::Listening(line) => line.is_closed(),
            End::Gone => true,
        }
    }

    /// Says whether it has had the head of a stream, so that no other status can follow.
    pub(super) fn is_listening(&self) -> bool {
        matches!(self.end, End::Listening(_))
    }

    /// Hears that a call is about to be made.
    pub(super) fn call_begins(&mut self) {
        self.head_by = self.latest;
        // What the call before had to say, and was not told, is not worth telling any more.
        self.early.clear();
    }

    /// Returns what it was told of a message that has no content yet: the next call goes on with it.
    pub(super) fn preface(&self) -> Option<&Preface> {
        self.preface.as_ref()
    }

    /// Takes how a message begins, and tells it as soon as the head has gone out.
    pub(super) fn begin(&mut self, early: BytesMut, preface: Preface) {
        self.early.unsplit(early);
        self.pending = preface;
        if self.is_listening() {
            self.tell_early();
        }
    }

    fn tell_early(&mut self) -> bool {
        let End::Listening(line) = &mut self.end else { return false };
        if self.early.is_empty() || !line.has_room() {
            return false;
        }
        line.try_send(self.early.split().freeze());
        self.preface = Some(std::mem::take(&mut self.pending));
        self.quiet_since = Clock::now();
        true
    }

    /// Hears that a provider has begun to answer; one that fails does so mostly at once, and is waited for a little.
    pub(super) fn provider_began(&mut self) {
        let soon = Clock::now() + Duration::from_millis(self.settings.grace_ms);
        self.head_by = self.head_by.map(|by| by.min(soon));
    }

    /// Awaits a step and meanwhile does what is due; `None` where the client left and policy says that nobody waits for
    /// the step then. `sign` writes the headers of a stream.
    pub(super) async fn during<T>(
        &mut self,
        model: &Arc<str>,
        sign: impl Fn(&mut HeaderMap),
        step: impl Future<Output = T>,
    ) -> Option<T> {
        let mut step = std::pin::pin!(step);
        loop {
            let (cancels, due) = (self.cancels, self.due());
            let Self { end, alarm, .. } = self;
            tokio::select! {
                biased;
                done = &mut step => return Some(done),
                () = end.left(), if cancels => {
                    self.end = End::Gone;
                    return None;
                }
                () = alarm.at(due) => {}
            }
            if self.open(&sign) {
                self.named = Some(Arc::clone(model));
                if self.tell_early() {
                    continue;
                }
            }
            self.ping();
        }
    }

    /// Returns when the client has to hear something.
    fn due(&self) -> Option<Clock> {
        match &self.end {
            End::Waiting(_) => self.head_by,
            End::Listening(_) => Some(self.quiet_since + Duration::from_millis(self.settings.ping_ms)),
            End::Gone => None,
        }
    }

    /// Sends the head of a stream, where it has not gone out. Says whether that was now.
    pub(super) fn open(&mut self, sign: impl Fn(&mut HeaderMap)) -> bool {
        let client = match std::mem::replace(&mut self.end, End::Gone) {
            End::Waiting(client) => client,
            other => {
                self.end = other;
                return false;
            }
        };
        let (line, reply) = body::line(WAITING, &self.budget);
        let mut response = Response::new(reply);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        sign(headers);
        let sent = client.send(response).is_ok();
        if sent {
            self.end = End::Listening(line);
        }
        sent
    }

    /// Tells it that the gateway is at work.
    fn ping(&mut self) {
        self.quiet_since = Clock::now();
        if let End::Listening(line) = &mut self.end {
            // Where there is no room it has enough to read.
            line.try_send(Bytes::from_static(wire::ping(self.dialect)));
        }
    }

    /// Sends what is there; a client that is gone, or takes nothing for too long, loses its line.
    pub(super) async fn send(&mut self, out: &mut BytesMut) {
        let piece = if self.early.is_empty() {
            out.split()
        } else {
            let mut all = self.early.split();
            all.unsplit(out.split());
            all
        };
        if piece.is_empty() {
            return;
        }
        let piece = piece.freeze();
        if let End::Listening(line) = &mut self.end {
            if line.send(piece, self.patience).await {
                self.quiet_since = Clock::now();
            } else {
                self.end = End::Gone;
            }
        }
    }

    /// Ends a stream, with what is to be said at its end.
    pub(super) fn end(&mut self, cost: Option<String>, served: &Arc<str>, left_out: &[Arc<str>]) {
        let End::Listening(mut line) = std::mem::replace(&mut self.end, End::Gone) else { return };
        // Google's own package takes a comment for a part of the answer.
        if self.dialect == Dialect::Gemini {
            return line.end();
        }
        // A comment is no event: clients pass over it, and whoever wants it finds it.
        let mut last = String::new();
        if self.named.as_ref().is_some_and(|named| named != served) {
            last = format!(": pointsman-model {served}\n");
        }
        if let Some(cost) = cost {
            last.push_str(": pointsman-cost-usd ");
            last.push_str(&cost);
            last.push('\n');
        }
        // What was left out of the request stands in the headers.
        let of_answer = left_out.iter().filter(|name| name.starts_with("answer "));
        for (at, name) in of_answer.enumerate() {
            last.push_str(if at == 0 { ": pointsman-left-out " } else { ", " });
            last.push_str(name);
        }
        if left_out.iter().any(|name| name.starts_with("answer ")) {
            last.push('\n');
        }
        if !last.is_empty() {
            last.push('\n');
            line.try_send(last.into());
        }
        line.end();
    }

    /// Tells a client that has had the head of a stream alone that nobody could answer.
    pub(super) fn fail(&mut self, error: &ApiError) {
        if let End::Listening(line) = &mut self.end {
            line.try_send(
                wire::error_event(
                    self.dialect,
                    error,
                    self.preface.as_ref().map_or(0, |preface| preface.events),
                )
                .freeze(),
            );
        }
    }

    /// Answers in one piece.
    pub(super) fn respond(&mut self, response: Response<Reply>) {
        if let End::Waiting(client) = std::mem::replace(&mut self.end, End::Gone) {
            let _ = client.send(response);
        }
    }
}

/// One timer for all that is due, set anew only where it would ring too late: what is sent puts the next sign of life
/// off, and costs nothing.
#[derive(Debug, Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    async fn at(&mut self, due: Option<Clock>) {
        match due {
            Some(at) => poll_fn(|context| self.poll(at, context)).await,
            None => pending().await,
        }
    }

    fn poll(&mut self, at: Clock, context: &mut Context<'_>) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if timer.deadline() > at {
            timer.as_mut().reset(at);
        }
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= at {
                return Poll::Ready(());
            }
            timer.as_mut().reset(at);
        }
        Poll::Pending
    }
}
