//! Cuts a stream of bytes into server-sent events, however the bytes arrive.
//!
//! Invariant: the events and their raw bytes depend on the whole stream alone, never on where it was cut; together the raw
//! bytes are the stream, to the byte. An event longer than [`LONGEST`] is an error, so memory is bounded.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::{memchr2, memmem};

use super::WireError;
use super::error::Result;
use super::json::{Object, Value, check, object};

/// The most bytes of one event: a picture comes in one, so it may be as long as an answer in one piece.
pub(super) const LONGEST: usize = 64 * 1024 * 1024;

/// Returns where the last event of whole events begins.
pub fn last_event(events: &[u8]) -> usize {
    let held = events.trim_ascii_end();
    let ends = [b"\n\n".as_slice(), b"\n\r\n", b"\r\r"];
    ends.iter().filter_map(|end| Some(memmem::rfind(held, end)? + end.len())).max().unwrap_or(0)
}

/// Cuts a stream into events.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    buffer: BytesMut,
    /// Where the current line starts.
    line: usize,
    /// Up to where no end of line was found.
    searched: usize,
}

impl Splitter {
    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Counts what is kept.
    pub(super) fn held(&self) -> usize {
        self.buffer.len()
    }

    /// Returns the raw bytes of the next whole event, up to and with the empty line that ends it.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        while let Some((end, next)) = self.line_end() {
            let is_empty = end == self.line;
            self.line = next;
            self.searched = next;
            if next > LONGEST {
                return Err(WireError::TooLong(LONGEST));
            }
            if is_empty {
                return Ok(Some(self.take(next)));
            }
        }
        if self.buffer.len() > LONGEST {
            return Err(WireError::TooLong(LONGEST));
        }
        Ok(None)
    }

    /// Returns what is left at the end of the stream: an event without the empty line that should end it.
    pub(super) fn rest(&mut self) -> Option<Bytes> {
        (!self.buffer.is_empty()).then(|| self.take(self.buffer.len()))
    }

    fn take(&mut self, end: usize) -> Bytes {
        self.line = 0;
        self.searched = 0;
        self.buffer.split_to(end).freeze()
    }

    /// Finds where the current line ends and the next one starts. A carriage return may be half of an end of line, so
    /// the last byte does not count if it is one.
    fn line_end(&mut self) -> Option<(usize, usize)> {
        let found = memchr2(b'\n', b'\r', self.buffer.get(self.searched..)?);
        let Some(at) = found.map(|at| self.searched + at) else {
            self.searched = self.buffer.len();
            return None;
        };
        if self.buffer.get(at) == Some(&b'\n') {
            return Some((at, at + 1));
        }
        self.searched = at;
        match self.buffer.get(at + 1)? {
            b'\n' => Some((at, at + 2)),
            _ => Some((at, at + 1)),
        }
    }
}

/// An event's name and data.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// The name, empty where none is given.
    pub(super) name: &'a str,
    /// The lines of data, joined.
    pub(super) data: Cow<'a, str>,
}

/// Reads the data of an event as JSON. What it says is not quoted in the error, as it may be part of an answer.
pub(super) fn json(data: &str) -> Result<Value<'_>> {
    let reason = |_| WireError::Malformed("the data of an event is not JSON".to_owned());
    check(data.as_bytes()).map_err(reason)
}

/// Reads the fields of one raw event.
pub(super) fn parse(raw: &[u8]) -> Result<Event<'_>> {
    let text =
        std::str::from_utf8(raw).map_err(|_| WireError::Malformed("an event is not UTF-8".to_owned()))?;
    let mut event = Event::default();
    let mut has_data = false;
    let mut rest = Some(text.trim_start_matches('\u{feff}'));
    while let Some(text) = rest {
        let end = memchr2(b'\n', b'\r', text.as_bytes());
        let line = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
        rest = end.and_then(|end| text.get(end + 1..));
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = value,
            "data" if !has_data => {
                has_data = true;
                event.data = Cow::Borrowed(value);
            }
            "data" => {
                event.data.to_mut().push('\n');
                event.data.to_mut().push_str(value);
            }
            _ => {}
        }
    }
    Ok(event)
}

/// Writes an event whose data is an object.
pub(super) fn event(out: &mut BytesMut, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
    let mut data = Vec::with_capacity(256);
    object(&mut data, fill);
    frame(out, name, &data);
}

/// Writes JSON as an event; one of no name has no line for it.
pub(super) fn frame(out: &mut BytesMut, name: &str, data: &[u8]) {
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\n");
    }
    out.extend_from_slice(b"data: ");
    // A line's end within would end the data; in JSON it is a blank.
    if memchr2(b'\n', b'\r', data).is_some() {
        out.extend(data.iter().filter(|byte| !matches!(byte, b'\n' | b'\r')));
    } else {
        out.extend_from_slice(data);
    }
    out.extend_from_slice(b"\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(stream: &[u8], cuts: &[usize]) -> (Vec<Bytes>, Option<Bytes>) {
        let mut splitter = Splitter::default();
        let mut found = Vec::new();
        let mut at = 0;
        for cut in cuts.iter().map(|cut| cut % (stream.len() + 1)).chain([stream.len()]) {
            splitter.push(&stream[at.min(cut)..cut]);
            at = at.max(cut);
            while let Some(event) = splitter.next().unwrap() {
                found.push(event);
            }
        }
        (found, splitter.rest())
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(stream in "(data: [aé€🙂]{0,3}|event: x|: c|\n|\r\n|\r){0,12}", mut cuts in prop::collection::vec(0usize..200, 0..20)) {
            let stream = stream.as_bytes();
            for cut in &mut cuts {
                *cut %= stream.len() + 1;
            }
            cuts.sort_unstable();
            let (whole, rest) = events(stream, &[]);
            prop_assert_eq!(events(stream, &cuts), (whole.clone(), rest.clone()));
            let joined: Vec<u8> = whole.iter().chain(&rest).flatten().copied().collect();
            prop_assert_eq!(joined, stream);
        }
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let event = parse(b"\xef\xbb\xbfevent: a\r\n: note\r\ndata:  x\r\ndata:y\r\nid: 1\r\n\r\n").unwrap();
        assert_eq!(event, Event { name: "a", data: Cow::Borrowed(" x\ny") });
        assert_eq!(parse(b": ping\n\n").unwrap(), Event::default());
        assert!(parse(b"data: \xff\n\n").is_err());
    }

    #[test]
    fn an_endless_line_is_an_error() {
        let mut splitter = Splitter::default();
        splitter.push(b"data: ");
        for _ in 0..LONGEST / 65_536 {
            assert_eq!(splitter.next().unwrap(), None);
            splitter.push(&vec![b'x'; 65_536]);
        }
        assert_eq!(splitter.next(), Err(WireError::TooLong(LONGEST)));
    }
}
