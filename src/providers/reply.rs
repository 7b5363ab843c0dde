//! An answer while it comes in: status and headers at once, the body piece by piece, each in its time.
//!
//! Invariant: no read waits longer than the provider's timeouts allow. Dropping a reply ends the call.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use tokio::time::{Instant as Clock, timeout_at};

use super::error::{CallError, safe};
use super::packed::Packing;
use super::simulated::Simulation;
use super::wait;
use crate::config::providers::Timeouts;
use crate::wire::{Form, Unframed, WireError, conversed};

/// The headers that name the service tier of an answer: Gemini's and Bedrock's.
const SERVED_TIERS: [&str; 2] = ["x-gemini-service-tier", "x-amzn-bedrock-service-tier"];
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// For how long, and how far, an answer that is over is read on.
const AFTERWARDS: Duration = Duration::from_secs(1);
const AFTERMATH: usize = 64 * 1024;

/// The longest answer in one piece that is told as a stream: as long as an event of one may be.
const MOST_WHOLE: usize = 64 * 1024 * 1024;

/// An answer whose head has come.
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The provider's headers.
    pub headers: HeaderMap,
    /// How long the provider asks to wait before another try.
    pub retry_after: Option<Duration>,
    /// What the provider says of trying again (`x-should-retry`), where it does.
    pub should_retry: Option<bool>,
    source: Source,
    to: String,
    deadlines: Deadlines,
    begun: bool,
    packing: Packing,
    /// What makes Anthropic's events of another's frames.
    unframed: Option<Unframed>,
    /// The model, where a whole answer is to be put into Anthropic's form.
    conversed: Option<Arc<str>>,
}

/// What came of an answer that did not come whole.
pub struct Part {
    /// Why not.
    pub error: CallError,
    /// What came, as far as it was held.
    pub came: Bytes,
    /// How long it is, as far as is known.
    pub length: u64,
}

enum Source {
    Network(Box<reqwest::Response>),
    Simulated(Simulation),
    Over,
}

/// When what has to have come.
#[derive(Clone, Copy)]
pub(super) struct Deadlines {
    timeouts: Timeouts,
    first_byte: Clock,
    total: Clock,
    stream: bool,
}

impl Deadlines {
    pub(super) fn new(timeouts: Timeouts, stream: bool, start: Clock) -> Self {
        Self { timeouts, first_byte: start + timeouts.first_byte, total: start + timeouts.total, stream }
    }

    /// An answer in one piece begins when it is complete, so it has the total time.
    pub(super) fn head(&self) -> Clock {
        if self.stream { self.first_byte.min(self.total) } else { self.total }
    }

    pub(super) fn missed_head(&self, to: String) -> CallError {
        if self.stream && self.first_byte <= self.total {
            CallError::FirstByteTimeout(to, self.timeouts.first_byte)
        } else {
            CallError::TotalTimeout(to, self.timeouts.total)
        }
    }

    fn next(&self, begun: bool) -> Clock {
        let idle = Clock::now() + self.timeouts.idle;
        let next = if begun || !self.stream { idle } else { idle.max(self.first_byte) };
        next.min(self.total)
    }

    fn missed(&self, deadline: Clock, begun: bool, to: String) -> CallError {
        match () {
            () if deadline >= self.total => CallError::TotalTimeout(to, self.timeouts.total),
            () if begun || !self.stream => CallError::IdleTimeout(to, self.timeouts.idle),
            () => CallError::FirstByteTimeout(to, self.timeouts.first_byte),
        }
    }
}

impl Reply {
    /// Takes an answer of the model `model`, in the form in which messages travel there.
    pub(super) fn network(
        mut response: reqwest::Response,
        to: String,
        deadlines: Deadlines,
        (form, model): (Form, &Arc<str>),
    ) -> Self {
        let status = response.status().as_u16();
        let headers = std::mem::take(response.headers_mut());
        let mut reply = Self::new(status, headers, Source::Network(Box::new(response)), to, deadlines);
        if form != Form::Plain && reply.is_success() {
            let kind = reply.headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
            if kind.starts_with(b"application/vnd.amazon.eventstream") {
                reply.unframed = Some(Unframed::new(form, &reply.request_id(), model));
            } else if form == Form::Converse {
                reply.conversed = Some(Arc::clone(model));
            }
        }
        reply
    }

    /// Returns the id by which Amazon knows the request, or one of our own: clients tell answers apart by it.
    fn request_id(&self) -> String {
        let told = self.headers.get("x-amzn-requestid").and_then(|id| id.to_str().ok()).unwrap_or_default();
        if told.is_empty() {
            format!("{:016x}", getrandom::u64().unwrap_or_default())
        } else {
            told.to_owned()
        }
    }

    /// Returns the tier in which it was served, where a header tells.
    pub fn served_tier(&self) -> Option<&str> {
        let told = |name| self.headers.get(name).and_then(|tier| tier.to_str().ok());
        SERVED_TIERS.into_iter().find_map(told).filter(|tier| !tier.is_empty())
    }

    pub(super) fn simulated(mut simulation: Simulation, to: String, deadlines: Deadlines) -> Self {
        let status = simulation.status;
        let headers = std::mem::take(&mut simulation.headers);
        Self::new(status, headers, Source::Simulated(simulation), to, deadlines)
    }

    fn new(status: u16, headers: HeaderMap, source: Source, to: String, deadlines: Deadlines) -> Self {
        let retry_after = if status >= 400 { wait::retry_after(&headers, wait::wall()) } else { None };
        let said = headers.get(SHOULD_RETRY).and_then(|value| value.to_str().ok());
        let should_retry = match said {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        let packing = Packing::of(&headers);
        Self {
            status,
            headers,
            retry_after,
            should_retry,
            source,
            to,
            deadlines,
            begun: false,
            packing,
            unframed: None,
            conversed: None,
        }
    }

    /// Says whether an answer came, as opposed to an error.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the next piece of the body, unpacked where it comes packed, and as Anthropic's events where it is framed as
    /// Amazon frames them; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, CallError> {
        if self.conversed.is_some() {
            return self.whole_conversed().await;
        }
        loop {
            let piece = self.unpacked().await?;
            let Some(unframed) = &mut self.unframed else { return Ok(piece) };
            let Some(piece) = piece else {
                let last = unframed.end();
                self.unframed = None;
                return Ok(last);
            };
            let events = unframed.take(&piece);
            let why = |error| match error {
                WireError::Malformed(why) => why,
                error => error.to_string(),
            };
            if let Some(events) = events.map_err(|error| self.unreadable(why(error)))? {
                return Ok(Some(events));
            }
        }
    }

    /// Returns an answer of Converse that came in one piece where a stream was asked for, in Anthropic's form.
    async fn whole_conversed(&mut self) -> Result<Option<Bytes>, CallError> {
        let mut body = BytesMut::new();
        while let Some(piece) = self.unpacked().await? {
            if body.len().saturating_add(piece.len()) > MOST_WHOLE {
                (self.source, self.packing) = (Source::Over, Packing::Plain);
                return Err(CallError::TooLarge { to: self.to.clone(), limit: MOST_WHOLE });
            }
            body.extend_from_slice(&piece);
        }
        let id = self.request_id();
        Ok(self.conversed.take().map(|model| conversed(&body.freeze(), &id, &model)))
    }

    async fn unpacked(&mut self) -> Result<Option<Bytes>, CallError> {
        loop {
            if let Some(piece) = self.packing.next().map_err(|why| self.unreadable(why))? {
                return Ok(Some(piece));
            }
            let Some(piece) = self.piece().await? else {
                return self.packing.end().map_err(|why| self.unreadable(why));
            };
            if let Some(piece) = self.packing.take(piece).map_err(|why| self.unreadable(why))? {
                return Ok(Some(piece));
            }
        }
    }

    /// Ends an answer that cannot be unpacked.
    fn unreadable(&mut self, why: String) -> CallError {
        (self.source, self.packing) = (Source::Over, Packing::Plain);
        CallError::Packed(self.to.clone(), why)
    }

    /// Returns the next piece of the body as it comes.
    async fn piece(&mut self) -> Result<Option<Bytes>, CallError> {
        let deadline = self.deadlines.next(self.begun);
        let piece = match &mut self.source {
            Source::Over => return Ok(None),
            Source::Network(response) => timeout_at(deadline, response.chunk()).await.map(|read| {
                let connect = self.deadlines.timeouts.connect;
                read.map_err(|error| CallError::from_reqwest(self.to.clone(), &error, false, connect))
            }),
            Source::Simulated(simulation) => timeout_at(deadline, simulation.next())
                .await
                .map(|read| read.map_err(|why| CallError::Transport(self.to.clone(), safe(why)))),
        };
        let missed = |_| Err(self.deadlines.missed(deadline, self.begun, self.to.clone()));
        let piece = piece.unwrap_or_else(missed);
        self.begun = true;
        if !matches!(piece, Ok(Some(_))) {
            // Lets the connection go: back to the pool after a whole answer, closed otherwise.
            self.source = Source::Over;
        }
        piece
    }

    /// Lets go of an answer that is over. What still ends it (an empty chunk, mostly) is read by the way, for a short while,
    /// so that its connection can serve again.
    pub fn let_go(mut self) {
        let Source::Network(_) = &self.source else { return };
        let rest = async move {
            let mut read = 0;
            while let Ok(Some(piece)) = self.chunk().await {
                read += piece.len();
                if read > AFTERMATH {
                    return;
                }
            }
        };
        let mut rest = tokio::time::timeout(AFTERWARDS, rest).map(drop).boxed();
        if rest.as_mut().now_or_never().is_none() {
            tokio::spawn(rest);
        }
    }

    /// Returns the whole body, if it is no longer than `limit`; `hold` hears how much of it is held and says whether that may be.
    pub async fn whole(self, limit: usize, hold: impl FnMut(usize) -> bool) -> Result<Bytes, CallError> {
        self.whole_or_part(limit, hold).await.map_err(|part| part.error)
    }

    /// Does the same; where it fails, what had come is not lost: a provider bills it.
    ///
    /// # Errors
    /// As [`Self::whole`], with the part that came.
    pub async fn whole_or_part(
        mut self,
        limit: usize,
        hold: impl FnMut(usize) -> bool,
    ) -> Result<Bytes, Box<Part>> {
        let model = self.conversed.take();
        let id = model.as_ref().map(|_| self.request_id());
        let mut body = BytesMut::new();
        let mut length = 0;
        let whole = match self.gathered(limit, hold, (&mut body, &mut length)).await {
            Ok(whole) => whole,
            Err(error) => {
                let length = length.max(body.len() as u64);
                return Err(Box::new(Part { error, came: body.freeze(), length }));
            }
        };
        Ok(match model.zip(id) {
            Some((model, id)) => conversed(&whole, &id, &model),
            None => whole,
        })
    }

    async fn gathered(
        mut self,
        limit: usize,
        mut hold: impl FnMut(usize) -> bool,
        (body, length): (&mut BytesMut, &mut u64),
    ) -> Result<Bytes, CallError> {
        let no_room = |to: &String| CallError::NoRoom(to.clone());
        let too_large = |to: &String| CallError::TooLarge { to: to.clone(), limit };
        let announced = match &self.source {
            Source::Network(response) => response.content_length(),
            Source::Simulated(_) | Source::Over => None,
        };
        *length = announced.unwrap_or(0);
        if *length > limit as u64 {
            return Err(too_large(&self.to));
        }
        let Some(first) = self.chunk().await? else { return Ok(Bytes::new()) };
        *length = (*length).max(first.len() as u64);
        if first.len() > limit {
            return Err(too_large(&self.to));
        }
        if !hold(first.len()) {
            return Err(no_room(&self.to));
        }
        let second = match self.chunk().await {
            Ok(Some(second)) => second,
            Ok(None) => return Ok(first),
            Err(error) => {
                body.extend_from_slice(&first);
                return Err(error);
            }
        };
        body.reserve(first.len() + second.len());
        body.extend_from_slice(&first);
        let mut piece = Some(second);
        while let Some(more) = piece {
            if body.len().saturating_add(more.len()) > limit {
                return Err(too_large(&self.to));
            }
            body.extend_from_slice(&more);
            if !hold(body.capacity()) {
                return Err(no_room(&self.to));
            }
            piece = self.chunk().await?;
        }
        Ok(std::mem::take(body).freeze())
    }
}
