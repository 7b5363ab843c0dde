//! A call to be made.

use bytes::Bytes;
use http::HeaderMap;

use crate::wire::Dialect;

/// A call to be made.
#[derive(Clone)]
pub struct Call {
    /// What the body speaks: what `Target::dialect_for` returned.
    pub dialect: Dialect,
    /// The body, with the model's name as the provider knows it.
    pub body: Bytes,
    /// Whether the answer is asked for piece by piece.
    pub stream: bool,
    /// The client's headers; those that the provider understands go along, keys never.
    pub headers: HeaderMap,
    /// Which try of the same request this is, from 0; the simulated provider draws its faults by it.
    pub attempt: u32,
}
