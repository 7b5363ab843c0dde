//! Anthropic's messages.

mod own_tools;
pub(super) mod read_request;
mod schema;
pub(super) mod sink;
pub(super) mod source;
pub(super) mod write_request;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use bytes::BytesMut;

use super::json::{Object, put};
use super::sse;
use crate::units::{Sha256, hex};

/// Stands for the signature of a thought that another provider's model had. Anthropic takes no such thought back, so one
/// with this signature is left out on its way there.
pub(super) const SIGNATURE: &str = "cG9pbnRzbWFuOm5vLXNpZ25hdHVyZQ==";

/// Returns the name of an end user as Anthropic takes it, which wants no addresses and no numbers of telephones: what is no
/// opaque word of such a length goes as its digest.
pub(in crate::wire) fn opaque(user: &str, lengths: RangeInclusive<usize>) -> Cow<'_, str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let is_number = user.chars().all(|c| c.is_ascii_digit() || c == '-');
    if lengths.contains(&user.len()) && !is_number && user.chars().all(is_word) {
        return Cow::Borrowed(user);
    }
    Cow::Owned(hex(&Sha256::digest(user.as_bytes())))
}

/// Writes the event with which a block begins.
pub(in crate::wire) fn block_start(out: &mut BytesMut, at: u64, fill: impl FnOnce(&mut Object<'_>)) {
    event(out, "content_block_start", |o| {
        put!(o, "index": at);
        o.object("content_block", fill);
    });
}

/// Writes what is added to a block.
pub(in crate::wire) fn block_delta(out: &mut BytesMut, at: u64, fill: impl FnOnce(&mut Object<'_>)) {
    event(out, "content_block_delta", |o| {
        put!(o, "index": at);
        o.object("delta", fill);
    });
}

/// Writes the event with which a block ends.
pub(in crate::wire) fn block_stop(out: &mut BytesMut, at: u64) {
    event(out, "content_block_stop", |o| put!(o, "index": at));
}

/// Writes an event of a name.
pub(in crate::wire) fn event(out: &mut BytesMut, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
    sse::event(out, name, |o| {
        put!(o, "type": name);
        fill(o);
    });
}
