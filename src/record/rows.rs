//! Cuts rows out of comma-separated text, where a quoted field may hold line ends.
//!
//! Invariants: those of [`super::cut`]; a quote opens a field only at its beginning, so an unexpected one swallows nothing.

use super::cut::{Piece, Unfinished};

/// Cuts rows.
#[derive(Debug)]
pub(crate) struct Rows {
    delimiter: u8,
    line: u64,
    current: Unfinished,
    is_quoted: bool,
    is_field_start: bool,
}

impl Rows {
    /// Starts before the first byte below the header, which is on line `line`.
    pub(crate) fn new(delimiter: u8, most: usize, line: u64) -> Self {
        let current = Unfinished::new(most, line);
        Self { delimiter, line, current, is_quoted: false, is_field_start: true }
    }

    /// Takes the next bytes and appends the rows that end in them.
    pub(crate) fn feed(&mut self, bytes: &[u8], data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        for &byte in bytes {
            if byte == b'\n' {
                self.line += 1;
                if !self.is_quoted {
                    self.finish(data, pieces);
                    continue;
                }
            }
            match byte {
                // Doubled quotes within a field close and open again.
                b'"' if self.is_quoted => (self.is_quoted, self.is_field_start) = (false, true),
                b'"' if self.is_field_start => self.is_quoted = true,
                _ => self.is_field_start = !self.is_quoted && byte == self.delimiter,
            }
            self.current.keep(&[byte]);
        }
    }

    /// Takes the end of the stream: the last row may lack its end.
    pub(crate) fn end(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        if !self.current.bytes.is_empty() || self.current.giant {
            self.finish(data, pieces);
        }
    }

    fn finish(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        self.current.finish(data, pieces);
        self.current.line = self.line;
        (self.is_quoted, self.is_field_start) = (false, true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields_may_hold_line_ends_and_unexpected_quotes_swallow_nothing() {
        let text = "a,\"two\nlines, \"\"so\"\"\",b\n5\" pipe,x,y\nlast,1,2";
        for step in [1, 3, 100] {
            let (mut data, mut pieces) = (Vec::new(), Vec::new());
            let mut rows = Rows::new(b',', 1000, 2);
            for chunk in text.as_bytes().chunks(step) {
                rows.feed(chunk, &mut data, &mut pieces);
            }
            rows.end(&mut data, &mut pieces);
            let got: Vec<_> = pieces
                .iter()
                .map(|piece| {
                    (piece.line, String::from_utf8_lossy(&data[piece.start..piece.end]).into_owned())
                })
                .collect();
            let want = [(2, "a,\"two\nlines, \"\"so\"\"\",b"), (4, "5\" pipe,x,y"), (5, "last,1,2")];
            assert_eq!(got, want.map(|(line, row)| (line, row.to_owned())));
        }
    }
}
