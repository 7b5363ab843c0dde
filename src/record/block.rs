//! A stretch of a log that can be read on any thread: whole entries and all that is needed to understand them.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::csv::Columns;
use super::cut::{MAX_ENTRY, Piece};
use super::foreign::{self, Place};
use super::skip::Refusal;
use super::{Entry, Error, InputFormat, Record, Skip, SkipKind, native};

/// What all blocks of one file share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) file: String,
    pub(crate) format: InputFormat,
    pub(crate) columns: Columns,
    pub(crate) assume_model: Option<String>,
    pub(crate) strict: bool,
}

/// A stretch of a log of about 1 MiB, cut between entries.
///
/// Blocks need nothing of each other: several threads may read them, and their order gives the order of entries.
#[derive(Debug)]
pub struct Block {
    pub(crate) shared: Arc<Shared>,
    pub(crate) data: Vec<u8>,
    pub(crate) body: Body,
    /// Where sessions that tell only relative times stand at the start of the block.
    pub(crate) place: Place,
}

/// How the bytes of a block divide into entries.
#[derive(Debug)]
pub(crate) enum Body {
    /// One entry a line; the first line has this number.
    Lines(u64),
    /// One entry a piece.
    Pieces(Vec<Piece>),
}

impl Block {
    /// Gives the name of the file, for messages.
    pub fn file(&self) -> &str {
        &self.shared.file
    }

    /// Gives the format of the file.
    pub fn format(&self) -> InputFormat {
        self.shared.format
    }

    /// Gives the number of bytes (unpacked).
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Says whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Gives the error that strict reading stops with at this skip, if it does.
    pub fn strict_error(&self, skip: &Skip) -> Option<Error> {
        (self.shared.strict && skip.kind == SkipKind::Bad).then(|| Error::Bad {
            file: self.shared.file.clone(),
            line: skip.line,
            reason: skip.reason.clone(),
        })
    }

    /// Calls `f` for every entry in order, with the number of its line; stops where `f` breaks off.
    pub fn for_each<'b>(
        &'b self,
        mut f: impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.walk(&mut self.place.clone(), &mut f)
    }

    /// Says where sessions stand behind this block.
    pub(crate) fn place_after(&self) -> Place {
        let mut place = self.place.clone();
        // Nothing breaks off, so the walk always reaches the end.
        let _end = self.walk(&mut place, &mut |_, _| ControlFlow::Continue(()));
        place
    }

    fn walk<'b>(
        &'b self,
        place: &mut Place,
        f: &mut impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // One check for the whole block is much cheaper than one a line; only a block with a fault needs the latter.
        let whole = std::str::from_utf8(&self.data).ok();
        match &self.body {
            Body::Lines(first) => {
                let (mut number, mut start) = (*first, 0);
                while start < self.data.len() {
                    let rest = self.data.get(start..).unwrap_or_default();
                    let length = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
                    self.entry(whole, start, start + length, number, place, f)?;
                    start += length + 1;
                    number += 1;
                }
            }
            Body::Pieces(pieces) => {
                for piece in pieces {
                    if piece.giant {
                        f(piece.line, Err(giant(piece.line)))?;
                    } else {
                        self.entry(whole, piece.start, piece.end, piece.line, place, f)?;
                    }
                }
            }
        }
        ControlFlow::Continue(())
    }

    #[inline]
    fn entry<'b>(
        &'b self,
        whole: Option<&'b str>,
        start: usize,
        end: usize,
        line: u64,
        place: &mut Place,
        f: &mut impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let bytes = self.data.get(start..end).unwrap_or_default();
        if bytes.len() > MAX_ENTRY {
            return f(line, Err(giant(line)));
        }
        let text = match whole.and_then(|text| text.get(start..end)) {
            Some(text) => text,
            None => match std::str::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => {
                    let reason = format!("not UTF-8 text (byte {} of the entry)", error.valid_up_to() + 1);
                    return f(line, Err(Refusal::Bad(reason).at_line(line)));
                }
            },
        };
        let text = text.trim();
        if text.is_empty() {
            return ControlFlow::Continue(());
        }
        if self.shared.format == InputFormat::Native {
            return match native::parse(text) {
                Ok(None) => ControlFlow::Continue(()),
                Ok(Some(entry)) => f(line, Ok(self.finish(entry))),
                Err(refusal) => f(line, Err(refusal.at_line(line))),
            };
        }
        foreign::parse(
            self.shared.format,
            text,
            line,
            &self.shared.columns,
            place,
            &mut |result| match result {
                Ok(record) => f(line, Ok(self.finish(Entry::Request(record)))),
                Err(refusal) => f(line, Err(refusal.at_line(line))),
            },
        )
    }

    /// Fills in the model that the caller said to assume.
    fn finish<'b>(&'b self, mut entry: Entry<'b>) -> Entry<'b> {
        if let (Some(model), Entry::Request(record)) = (&self.shared.assume_model, &mut entry) {
            assume(record, model);
        }
        entry
    }
}

fn assume<'b>(record: &mut Record<'b>, model: &'b str) {
    for attempt in record.attempts.iter_mut().filter(|attempt| attempt.model.is_empty()) {
        attempt.model = Cow::Borrowed(model);
        attempt.assumed_model = true;
    }
}

fn giant(line: u64) -> Skip {
    Refusal::Bad(format!("the entry is longer than {} MiB", MAX_ENTRY >> 20)).at_line(line)
}
