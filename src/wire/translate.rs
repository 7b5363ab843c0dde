//! From one dialect to another.

use bytes::{Bytes, BytesMut};

use super::json::Value;
use super::reply::{Delta, Reply};
use super::{Ask, Dialect, Sending, WireError};
use crate::record::usage::Counted;

/// Puts a request into the provider's dialect.
pub(super) fn request(
    from: Dialect,
    _root: Value<'_>,
    to: Dialect,
    _model: &str,
    _sending: &Sending,
) -> Result<Bytes, WireError> {
    Err(WireError::Unsupported { from, to })
}

/// Puts an answer into the client's dialect.
pub(super) fn answer(_ask: &Ask, _reply: &Reply<'_>) -> Bytes {
    Bytes::new()
}

/// Puts a stream into the client's dialect.
#[derive(Debug)]
pub(super) struct Sink;

impl Sink {
    /// Starts a stream that answers `ask`.
    pub(super) fn new(_ask: &Ask) -> Self {
        Self
    }

    /// Writes what is added.
    pub(super) fn write(&mut self, _delta: Delta<'_>, _out: &mut BytesMut) {}

    /// Writes the closing events.
    pub(super) fn close(&mut self, _usage: Option<Counted>, _out: &mut BytesMut) {}

    /// Gives the number of the next event.
    pub(super) fn sequence(&self) -> u64 {
        0
    }
}
