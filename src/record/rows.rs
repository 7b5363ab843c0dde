//! Cuts rows out of comma-separated text, where a quoted field may hold line ends.
//!
//! Invariants: those of [`super::cut`]; a quote opens a field only at its beginning, so an unexpected one swallows nothing; a
//! row with a quote that nothing closes ends with its line.

use super::cut::{Piece, Unfinished};

/// Cuts rows.
#[derive(Debug)]
pub(crate) struct Rows {
    delimiter: u8,
    /// The longest row.
    most: usize,
    line: u64,
    current: Unfinished,
    is_quoted: bool,
    is_field_start: bool,
}

impl Rows {
    /// Starts before the first byte below the header, which is on line `line`.
    pub(crate) fn new(delimiter: u8, most: usize, line: u64) -> Self {
        let current = Unfinished::new(most, line);
        Self { delimiter, most, line, current, is_quoted: false, is_field_start: true }
    }

    /// Takes the next bytes and appends the rows that end in them.
    pub(crate) fn feed(&mut self, bytes: &[u8], data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        for &byte in bytes {
            if self.is_quoted && self.current.bytes.len() >= self.most {
                self.end_open_row(data, pieces);
            }
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
        while self.is_quoted && self.current.bytes.contains(&b'\n') {
            self.end_open_row(data, pieces);
        }
        if !self.current.bytes.is_empty() || self.current.giant {
            self.finish(data, pieces);
        }
    }

    /// Ends a row whose quote nothing closes with its first line, and cuts what it would have swallowed.
    fn end_open_row(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        let Some(end) = memchr::memchr(b'\n', &self.current.bytes) else { return };
        let swallowed = self.current.bytes.split_off(end);
        self.line = self.current.line + 1;
        self.finish(data, pieces);
        self.feed(swallowed.get(1..).unwrap_or_default(), data, pieces);
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

    /// One quote too many would else take all requests behind it, and nobody would say so.
    #[test]
    fn a_quote_that_nothing_closes_takes_its_own_line_alone() {
        let cut = |text: &str, most: usize, step: usize| {
            let (mut data, mut pieces) = (Vec::new(), Vec::new());
            let mut rows = Rows::new(b',', most, 2);
            for chunk in text.as_bytes().chunks(step) {
                rows.feed(chunk, &mut data, &mut pieces);
            }
            rows.end(&mut data, &mut pieces);
            let row = |piece: &Piece| String::from_utf8_lossy(&data[piece.start..piece.end]).into_owned();
            pieces.iter().map(|piece| (piece.line, row(piece))).collect::<Vec<_>>()
        };
        let text = "1,a\n2,\"open\n3,b\n4,c\n5,\"open, too\n6,d";
        let want: Vec<(u64, String)> =
            (2..).zip(text.lines()).map(|(line, row)| (line, row.to_owned())).collect();
        // Where the first quote ends in the second one the two rows between are one that no header fits.
        let halves = [want[0].clone(), (3, "2,\"open\n3,b\n4,c\n5,\"open, too".to_owned()), want[5].clone()];
        for step in [1, 3, 100] {
            assert_eq!(cut(text, 1000, step), halves);
            let one = text.replace(",\"open, too", ",open");
            let want: Vec<(u64, String)> =
                (2..).zip(one.lines()).map(|(line, row)| (line, row.to_owned())).collect();
            assert_eq!(cut(&one, 1000, step), want);
            assert_eq!(cut(&one, 12, step), want, "also where the file goes on for long");
        }
    }
}
