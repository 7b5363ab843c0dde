//! Gemini's other way to stream: one JSON list that grows, where the client does not ask for events (`alt=sse`).
//!
//! Invariant: whatever was put in, what came out so far with [`Listed::end`] behind it is one JSON list.

use bytes::BytesMut;

use crate::wire::error::Result;
use crate::wire::sse::{Splitter, parse};

/// Turns events into a list.
#[derive(Debug, Default)]
pub struct Listed {
    splitter: Splitter,
    has_begun: bool,
    has_items: bool,
}

impl Listed {
    /// Takes the next bytes of the events and returns the next of the list. A sign of life becomes an empty line.
    pub fn push(&mut self, chunk: &[u8], out: &mut BytesMut) -> Result<()> {
        self.splitter.push(chunk);
        while let Some(raw) = self.splitter.next()? {
            self.event(&raw, out)?;
        }
        Ok(())
    }

    fn event(&mut self, raw: &[u8], out: &mut BytesMut) -> Result<()> {
        let event = parse(raw)?;
        self.begin(out);
        if event.data.is_empty() {
            out.extend_from_slice(b"\n");
            return Ok(());
        }
        if std::mem::replace(&mut self.has_items, true) {
            out.extend_from_slice(b",\r\n");
        }
        out.extend_from_slice(event.data.as_bytes());
        Ok(())
    }

    fn begin(&mut self, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.has_begun, true) {
            out.extend_from_slice(b"[");
        }
    }

    /// Ends the list.
    pub fn end(&mut self, out: &mut BytesMut) {
        self.begin(out);
        out.extend_from_slice(b"]\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_become_one_list_however_they_are_cut() {
        let events = ": ping\n\ndata: {\"a\":\ndata: 1}\n\ndata: {\"b\":\"é\"}\r\n\r\n: cost\n\n".as_bytes();
        for size in 1..=events.len() {
            let (mut listed, mut out) = (Listed::default(), BytesMut::new());
            events.chunks(size).for_each(|chunk| listed.push(chunk, &mut out).unwrap());
            listed.end(&mut out);
            let list: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!(list, serde_json::json!([{ "a": 1 }, { "b": "é" }]));
        }
        let mut out = BytesMut::new();
        Listed::default().end(&mut out);
        assert_eq!(&out[..], b"[]\n");
    }
}
