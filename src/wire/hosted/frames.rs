//! Amazon's framing of streams: `vnd.amazon.eventstream`.
//!
//! Invariants: the frames depend on the whole stream alone, never on where it was cut; a frame longer than
//! `sse::LONGEST`, or whose sums do not fit, is an error, so memory is bounded.

use bytes::{Buf as _, BytesMut};

use crate::wire::WireError;
use crate::wire::error::Result;
use crate::wire::sse::LONGEST;

/// The lengths, and their sum.
const PRELUDE: usize = 12;
/// Everything besides headers and payload.
const AROUND: usize = PRELUDE + 4;

/// Cuts a stream into frames.
#[derive(Default)]
pub(super) struct Frames {
    buffer: BytesMut,
}

/// One frame.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Frame {
    /// What it is: an event, an exception, an error.
    message: String,
    /// The event, the exception or the error.
    pub(super) kind: String,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    /// Names what went wrong, where it tells that.
    pub(super) fn failed(&self) -> Option<&str> {
        (self.message != "event").then_some(self.kind.as_str())
    }
}

impl Frames {
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// Returns the next whole frame.
    pub(super) fn next(&mut self) -> Result<Option<Frame>> {
        let broken = || WireError::Malformed("a frame of the stream is broken".to_owned());
        let Some(mut prelude) = self.buffer.get(..PRELUDE) else { return Ok(None) };
        let sum = crc(prelude.get(..8).unwrap_or_default());
        let (total, headers, said) = (prelude.get_u32(), prelude.get_u32(), prelude.get_u32());
        let (total, headers) = (total as usize, headers as usize);
        if said != sum || total < AROUND || headers > total - AROUND {
            return Err(broken());
        }
        if total > LONGEST {
            return Err(WireError::TooLong(LONGEST));
        }
        if self.buffer.len() < total {
            return Ok(None);
        }
        let whole = self.buffer.split_to(total).freeze();
        let (body, mut end) = whole.split_at(total - 4);
        if crc(body) != end.get_u32() {
            return Err(broken());
        }
        let mut frame = Frame::default();
        let about = body.get(PRELUDE..PRELUDE + headers).ok_or_else(broken)?;
        read_headers(about, &mut frame).ok_or_else(broken)?;
        frame.payload = body.get(PRELUDE + headers..).unwrap_or_default().to_vec();
        Ok(Some(frame))
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// Reads the headers that say what a frame is; `None` where they are broken.
fn read_headers(mut rest: &[u8], frame: &mut Frame) -> Option<()> {
    while !rest.is_empty() {
        let length = usize::from(rest.try_get_u8().ok()?);
        let (name, after) = rest.split_at_checked(length)?;
        rest = after;
        let length = match rest.try_get_u8().ok()? {
            0 | 1 => 0,
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            6 | 7 => usize::from(rest.try_get_u16().ok()?),
            9 => 16,
            _ => return None,
        };
        let (value, after) = rest.split_at_checked(length)?;
        rest = after;
        let text = || String::from_utf8_lossy(value).into_owned();
        match name {
            b":message-type" => frame.message = text(),
            b":event-type" | b":exception-type" | b":error-code" => frame.kind = text(),
            _ => {}
        }
    }
    Some(())
}
