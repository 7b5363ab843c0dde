//! Cuts captured streams of server-sent events into answers: a file may hold one after another.
//!
//! Invariants: a stream ends where its dialect says so, where another answer begins, or with the file; an answer keeps the
//! number of the line on which it starts; memory is bounded by the longest entry that is read.

use memchr::memmem;

use super::cut::{Piece, Unfinished};
use super::value::Object;

/// What stands in the last event of a stream.
const LAST: [&str; 4] =
    ["\"message_stop\"", "\"response.completed\"", "\"response.failed\"", "\"response.incomplete\""];
/// What stands in the first.
const FIRST: [&str; 2] = ["\"message_start\"", "\"response.created\""];

/// The streams of a file, as far as they have been read.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    most: usize,
    line: u64,
    /// A line that has not ended yet.
    rest: Vec<u8>,
    /// The stream under construction.
    current: Unfinished,
    /// The answer's id, where its events tell it.
    id: String,
    has_data: bool,
}

impl Streams {
    /// Starts before the first byte.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, line: 1, current: Unfinished::new(most, 1), ..Self::default() }
    }

    /// Takes the next bytes and appends the streams that end in them.
    pub(crate) fn feed(&mut self, bytes: &[u8], data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(part);
            if self.rest.len() > self.most {
                self.current.giant = true;
                self.rest.clear();
            }
            if part.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.rest);
                self.take(&line, data, pieces);
                self.line += 1;
            }
        }
    }

    /// Takes the end of the file: what is unfinished comes out as it is.
    pub(crate) fn end(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        let line = std::mem::take(&mut self.rest);
        self.take(&line, data, pieces);
        self.finish(data, pieces);
    }

    fn take(&mut self, line: &[u8], data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        let Some(event) = line.trim_ascii().strip_prefix(b"data:") else {
            self.keep(line);
            return;
        };
        let has = |words: &[&str]| words.iter().any(|word| memmem::find(event, word.as_bytes()).is_some());
        let event_text = std::str::from_utf8(event).unwrap_or_default();
        let named = Object::read(event_text).and_then(|event| event.word("id|responseId"));
        let id = named.unwrap_or_default();
        if has(&FIRST) || (!id.is_empty() && !self.id.is_empty() && *id != self.id) {
            self.finish(data, pieces);
        }
        if !id.is_empty() {
            self.id = id.into_owned();
        }
        let is_end = event.trim_ascii() == b"[DONE]";
        self.has_data |= !is_end;
        self.keep(line);
        if is_end || has(&LAST) {
            self.finish(data, pieces);
        }
    }

    fn keep(&mut self, line: &[u8]) {
        if self.current.bytes.is_empty() {
            self.current.line = self.line;
        }
        self.current.keep(line);
    }

    fn finish(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        // Names of events, comments and empty lines between two streams are none.
        if self.has_data || self.current.giant {
            self.current.finish(data, pieces);
        }
        self.current.bytes.clear();
        self.id.clear();
        self.has_data = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &[u8], step: usize) -> Vec<(u64, String)> {
        let (mut data, mut pieces) = (Vec::new(), Vec::new());
        let mut streams = Streams::new(2000);
        for part in text.chunks(step.max(1)) {
            streams.feed(part, &mut data, &mut pieces);
        }
        streams.end(&mut data, &mut pieces);
        let show = |piece: &Piece| {
            let bytes: &[u8] = if piece.giant { b"(giant)" } else { &data[piece.start..piece.end] };
            String::from_utf8_lossy(bytes).into_owned()
        };
        pieces.iter().map(|piece| (piece.line, show(piece))).collect()
    }

    #[test]
    fn streams_are_cut_where_one_ends_or_another_begins() {
        let chat = |id: &str| format!("data: {{\"id\":\"{id}\"}}\n\n");
        let text = format!(
            ": hello\n\n{}{}data: [DONE]\n\n{}event: message_start\ndata: {{\"type\":\"message_start\"}}\n\ndata: {{\"type\":\"message_stop\"}}\n\n",
            chat("a"),
            chat("a"),
            chat("b")
        );
        for step in [1, 7, 5000] {
            let got = cut(text.as_bytes(), step);
            assert_eq!(got.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 8, 12], "{got:?}");
            assert!(got[2].1.contains("message_stop"));
        }
        let long = format!("data: {{\"id\":\"a\",\"x\":\"{}\"}}\n\n{}", "x".repeat(3000), chat("b"));
        assert_eq!(
            cut(long.as_bytes(), 100).len(),
            1,
            "what follows a part that is too long belongs to it or stands alone"
        );
    }

    proptest! {
        #[test]
        fn where_the_file_is_chopped_does_not_matter(text in "(data: (\\{\"id\":\"[ab]\"\\}|\\[DONE\\])|event: x|:|\n){0,30}", step in 1usize..9) {
            prop_assert_eq!(cut(text.as_bytes(), step), cut(text.as_bytes(), 5000));
        }
    }
}
