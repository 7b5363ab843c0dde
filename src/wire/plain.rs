//! A stream that is none: the provider was asked for events and answers with JSON, whole or line by line.
//!
//! Invariant: what is made of it depends on the bytes alone, never on where they were cut; at most [`LONGEST`] bytes are kept.

use bytes::{Buf, BytesMut};

use super::error::Result;
use super::json::{Value, check};
use super::{Dialect, WireError};

/// The most bytes of an answer that comes whole, or of one line.
const LONGEST: usize = 32 * 1024 * 1024;

/// What the bytes look like.
#[derive(Default)]
pub(super) enum Form {
    /// Nothing but blanks so far.
    #[default]
    Unknown,
    /// Server-sent events.
    Events,
    /// JSON.
    Plain(Plain),
}

/// JSON that has come and was not told yet.
#[derive(Default)]
pub(super) struct Plain {
    buffer: BytesMut,
    /// Up to where no end of line was found.
    searched: usize,
    /// Whether every line is a value of its own.
    by_line: Option<bool>,
}

impl Form {
    /// Judges by the first byte that says anything; an event never begins like JSON.
    pub(super) fn of(chunk: &[u8]) -> Self {
        match chunk.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0xef | 0xbb | 0xbf)) {
            None => Self::Unknown,
            // A page is read like JSON that is none.
            Some(b'{' | b'[' | b'<') => Self::Plain(Plain::default()),
            Some(_) => Self::Events,
        }
    }
}

impl Plain {
    /// Counts what is kept.
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Takes the next bytes.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<()> {
        if self.buffer.len().saturating_add(chunk.len()) > LONGEST {
            return Err(WireError::TooLong(LONGEST));
        }
        self.buffer.extend_from_slice(chunk);
        Ok(())
    }

    /// Returns the next line that is a value of its own, where lines are.
    pub(super) fn line(&mut self) -> Option<BytesMut> {
        while self.by_line != Some(false) {
            let unseen = self.buffer.get(self.searched..)?;
            let Some(at) = memchr::memchr(b'\n', unseen) else {
                self.searched = self.buffer.len();
                return None;
            };
            let end = self.searched + at + 1;
            let line = self.buffer.get(..end)?;
            if line.trim_ascii().is_empty() {
                self.buffer.advance(end);
                self.searched = 0;
                continue;
            }
            // The first line tells: JSON over many lines begins with one that is no value.
            let is_value = || line.trim_ascii() == b"[DONE]" || check(line.trim_ascii()).is_ok();
            if !*self.by_line.get_or_insert_with(is_value) {
                return None;
            }
            self.searched = 0;
            return Some(self.buffer.split_to(end));
        }
        None
    }

    /// Returns what is left at the end.
    pub(super) fn rest(&mut self) -> Option<BytesMut> {
        let rest = std::mem::take(&mut self.buffer);
        (!rest.trim_ascii().is_empty()).then_some(rest)
    }
}

/// Says whether a value is an event that lacks its frame, not a whole answer.
pub(super) fn is_event(from: Dialect, root: Value<'_>) -> bool {
    let kind = root.text_of("type");
    match from {
        Dialect::OpenAiChat => {
            root.text_of("object").as_deref() == Some("chat.completion.chunk")
                || root
                    .get("choices")
                    .and_then(|all| all.items().next())
                    .is_some_and(|c| c.get("delta").is_some())
        }
        Dialect::AnthropicMessages => kind.is_some_and(|kind| kind != "message"),
        Dialect::OpenAiResponses => kind.is_some(),
        // A whole completion has the form of a chunk; it says which it is by being alone.
        Dialect::Gemini | Dialect::OpenAiCompletions => true,
        Dialect::OpenAiEmbeddings | Dialect::GeminiEmbeddings => false,
    }
}
