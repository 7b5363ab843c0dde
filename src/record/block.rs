//! A stretch of a log that can be read on any thread: whole entries and all that is needed to understand them.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::csv::Columns;
use super::cut::{MAX_ENTRY, Piece};
use super::entries::EntryBatch;
use super::foreign::{self, Coding, Met, Place};
use super::known::{self, Key, Known, Nest, Sink, Told};
use super::mapped::{self, Mapping};
use super::skip::Refusal;
use super::{Entry, Error, InputFormat, Record, Skip, SkipKind, native};

/// What all blocks of one file share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) file: String,
    pub(crate) format: InputFormat,
    pub(crate) columns: Columns,
    /// Where the fields stand in a log of one's own shape.
    pub(crate) mapping: Option<Arc<Mapping>>,
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
    /// Entries that no text holds; the first one stands for the line of this number.
    Entries(u64, Box<dyn EntryBatch>),
    /// The end of a file: what is held back for it comes out.
    End,
    /// No entry at all, but something to tell.
    Remark(Refusal),
}

/// A line of a block, to be read at its turn.
#[derive(Clone, Copy, Debug)]
pub struct Line(Piece);

/// What is on a line, as far as that can be told without those before it.
pub enum Apart<'r, 'b> {
    /// A request of our own format, and what it is known by.
    Ours(Key, &'r mut Record<'b>),
    /// A request of a foreign one.
    Foreign(Foreign),
    /// What is to be read at its turn.
    Waits,
}

/// A request as a reader of a foreign format gives it.
#[derive(Debug)]
pub struct Foreign(Told);

impl Line {
    /// Returns its number, from 1.
    pub fn number(self) -> u64 {
        self.0.line
    }

    /// Says that it tells again of what is counted already.
    pub fn repeated(self) -> Skip {
        known::REPEATED.at_line(self.0.line)
    }
}

impl Block {
    /// Makes a block that tells something of a file.
    pub(crate) fn remark(file: String, format: InputFormat, refusal: Refusal) -> Self {
        Self::bare(file, format, Body::Remark(refusal))
    }

    /// Makes a block of no file, with which answers come out that have waited long enough for their end.
    pub fn waited() -> Self {
        Self::bare(String::new(), InputFormat::ClaudeCode, Body::End)
    }

    fn bare(file: String, format: InputFormat, body: Body) -> Self {
        let shared = Arc::new(Shared { file, format, ..Shared::default() });
        Self { shared, data: Vec::new(), body, place: Place::default() }
    }

    /// Makes the block behind the last one of a reading, with which all that was held back comes out.
    pub(super) fn end(shared: Arc<Shared>, place: Place) -> Self {
        Self { shared, data: Vec::new(), body: Body::End, place }
    }

    /// Returns the name of the file, for messages.
    pub fn file(&self) -> &str {
        &self.shared.file
    }

    /// Returns the format of the file.
    pub fn format(&self) -> InputFormat {
        self.shared.format
    }

    /// Returns the number of bytes (unpacked).
    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// Returns the error that strict reading stops with at this skip, if it does.
    pub fn strict_error(&self, skip: &Skip) -> Option<Error> {
        (self.shared.strict && skip.kind == SkipKind::Bad).then(|| Error::Bad {
            file: self.shared.file.clone(),
            line: skip.line,
            reason: skip.reason.clone(),
        })
    }

    /// Calls `f` for every entry in order, with the number of its line; stops where `f` breaks off. Of the other blocks
    /// nothing is known, so an answer that is told in several of them comes in each.
    pub fn for_each<'b>(
        &'b self,
        mut f: impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut known = Known::default();
        self.walk(&mut known, &mut self.place.clone(), &mut f)?;
        self.flush(&mut known, &mut f)
    }

    /// Calls `f` as [`Self::for_each`] does, but leaves out what `known` has met before: the blocks of a reading share it,
    /// each is read once, and in order.
    pub fn for_each_new<'b>(
        &'b self,
        known: &mut Known,
        mut f: impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.walk(known, &mut self.place.clone(), &mut f)
    }

    /// Says whether its lines mean the same whatever stands before them, so that [`Self::for_each_apart`] reads them.
    pub fn is_apart(&self) -> bool {
        let is_entries = matches!(self.body, Body::Lines(_) | Body::Pieces(_) | Body::Entries(..));
        is_entries && self.shared.format.stands_alone()
    }

    /// Calls `f` for every line in order, with what is on it as far as that can be told without those before.
    pub fn for_each_apart<'b>(&'b self, mut f: impl FnMut(Line, Apart<'_, 'b>)) {
        if let Body::Entries(first, batch) = &self.body {
            for (start, line) in (0..batch.len()).zip(*first..) {
                let piece = Piece { start, end: start, line, giant: false };
                if let Some(Entry::Request(mut record)) = batch.entry(start) {
                    f(Line(piece), self.ours_apart(&mut record));
                } else {
                    f(Line(piece), Apart::Waits);
                }
            }
            return;
        }
        let whole = std::str::from_utf8(&self.data).ok();
        let is_ours = self.shared.format == InputFormat::Native;
        let mut plain = Record::default();
        for piece in self.pieces() {
            let text = whole.and_then(|text| text.get(piece.start..piece.end)).map(str::trim);
            let Some(text) = text.filter(|text| !piece.giant && text.len() <= MAX_ENTRY) else {
                f(Line(piece), Apart::Waits);
                continue;
            };
            if text.is_empty() {
                continue;
            }
            if !is_ours {
                f(Line(piece), self.foreign_apart(text, piece.line).map_or(Apart::Waits, Apart::Foreign));
            } else if native::parse_plain(text, &mut plain) {
                f(Line(piece), self.ours_apart(&mut plain));
            } else if let Ok(Some(Entry::Request(mut record))) = native::parse_any(text) {
                f(Line(piece), self.ours_apart(&mut record));
            } else {
                f(Line(piece), Apart::Waits);
            }
        }
    }

    #[inline]
    fn ours_apart<'r, 'b>(&'b self, record: &'r mut Record<'b>) -> Apart<'r, 'b> {
        let key = Key::of(record);
        self.fill(record);
        Apart::Ours(key, record)
    }

    fn foreign_apart(&self, text: &str, line: u64) -> Option<Foreign> {
        let (mut place, mut nest, mut coding) = (Place::default(), Nest::default(), Coding::default());
        let met = Met { place: &mut place, nest: &mut nest, coding: (&mut coding, &self.shared.file) };
        let mut found = None;
        let _ = self.foreign(text, line, met, &mut |result| {
            found = result.ok();
            ControlFlow::Continue(())
        });
        found.map(Foreign)
    }

    /// Takes in, at its turn, a line of a foreign format that was read before: calls `f` as [`Self::for_each_new`] does.
    pub fn foreign_at_turn<'b>(
        &'b self,
        line: Line,
        foreign: Foreign,
        known: &mut Known,
        mut f: impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Line(piece) = line;
        known.take(piece.line, foreign.0, &mut |line, result| self.give(line, result, &mut f))
    }

    /// Reads one line at its turn: calls `f` as [`Self::for_each_new`] does.
    pub fn at_turn<'b>(
        &'b self,
        line: Line,
        known: &mut Known,
        mut f: impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Line(piece) = line;
        self.piece(None, piece, (known, &mut self.place.clone()), &mut f)
    }

    /// Says where sessions stand behind this block.
    pub(crate) fn place_after(&self) -> Place {
        let mut place = self.place.clone();
        // Nothing breaks off, so the walk always reaches the end.
        let _end = self.walk(&mut Known::default(), &mut place, &mut |_, _| ControlFlow::Continue(()));
        place
    }

    fn walk<'b>(
        &'b self,
        known: &mut Known,
        place: &mut Place,
        f: &mut impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        // One check for the whole block is much cheaper than one a line; only a block with a fault needs the latter.
        let whole = std::str::from_utf8(&self.data).ok();
        match &self.body {
            Body::Lines(_) | Body::Pieces(_) | Body::Entries(..) => {
                for piece in self.pieces() {
                    self.piece(whole, piece, (known, place), f)?;
                }
            }
            Body::End => self.flush(known, f)?,
            Body::Remark(refusal) => f(0, Err(refusal.clone().at_line(0)))?,
        }
        ControlFlow::Continue(())
    }

    /// Cuts it into entries.
    fn pieces(&self) -> impl Iterator<Item = Piece> {
        let (line, pieces) = match &self.body {
            Body::Lines(first) => (Some(*first), &[][..]),
            Body::Pieces(pieces) => (None, pieces.as_slice()),
            Body::End | Body::Remark(_) | Body::Entries(..) => (None, &[][..]),
        };
        let mut next = line.map(|line| (line, 0));
        let lines = std::iter::from_fn(move || {
            let (line, start) = next.filter(|(_, start)| *start < self.data.len())?;
            let rest = self.data.get(start..)?;
            let end = start + memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            next = Some((line + 1, end + 1));
            Some(Piece { start, end, line, giant: false })
        });
        let entries = match &self.body {
            Body::Entries(first, batch) => (0..batch.len()).zip(*first..),
            _ => (0..0).zip(0..),
        };
        let entries = entries.map(|(start, line)| Piece { start, end: start, line, giant: false });
        lines.chain(pieces.iter().copied()).chain(entries)
    }

    #[inline]
    fn piece<'b>(
        &'b self,
        whole: Option<&'b str>,
        piece: Piece,
        met: (&mut Known, &mut Place),
        f: &mut impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let Piece { start, end, line, giant: is_giant } = piece;
        if let Body::Entries(_, batch) = &self.body {
            return match batch.entry(start) {
                None => ControlFlow::Continue(()),
                Some(entry) => self.ours(line, entry, met.0, f),
            };
        }
        if is_giant { f(line, Err(giant(line))) } else { self.entry(whole, start, end, line, met, f) }
    }

    #[inline]
    fn entry<'b>(
        &'b self,
        whole: Option<&'b str>,
        start: usize,
        end: usize,
        line: u64,
        (known, place): (&mut Known, &mut Place),
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
                Ok(Some(entry)) => self.ours(line, entry, known, f),
                Err(refusal) => f(line, Err(refusal.at_line(line))),
            };
        }
        let mut give = |line, result: Result<Record<'static>, Refusal>| self.give(line, result, f);
        let (mut nest, mut coding) = (std::mem::take(&mut known.nest), std::mem::take(&mut known.coding));
        let mut sink = |result: Result<Told, Refusal>| match result {
            Ok(told) => known.take(line, told, &mut give),
            Err(refusal) => give(line, Err(refusal)),
        };
        let met = Met { place, nest: &mut nest, coding: (&mut coding, &self.shared.file) };
        let flow = self.foreign(text, line, met, &mut sink);
        let joined = nest.joined();
        known.nest = nest;
        known.coding = coding;
        flow?;
        known.join(joined, &mut give)
    }

    /// Takes in an entry of our own format.
    #[inline]
    fn ours<'b>(
        &'b self,
        line: u64,
        entry: Entry<'b>,
        known: &mut Known,
        f: &mut impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match entry {
            Entry::Request(record) if !known.is_new(Key::of(&record)) => {
                f(line, Err(known::REPEATED.at_line(line)))
            }
            Entry::Request(record) => self.give(line, Ok(record), f),
            entry => f(line, Ok(entry)),
        }
    }

    /// Reads an entry of a foreign format.
    fn foreign(&self, text: &str, line: u64, met: Met<'_>, sink: &mut Sink<'_>) -> ControlFlow<()> {
        let Shared { format, columns, mapping, .. } = &*self.shared;
        if let Some(mapping) = mapping {
            return sink(mapped::entry(mapping, columns, text, line));
        }
        // A row of a table that was exported stands for the object.
        let is_table = !columns.is_empty() && !format.is_csv();
        let object = is_table.then(|| columns.row(text).object());
        let text = match &object {
            Some(Ok(object)) => object.as_str(),
            Some(Err(refusal)) => return sink(Err(refusal.clone())),
            None => text,
        };
        foreign::parse(*format, text, line, columns, met, sink)
    }

    fn give<'b>(
        &'b self,
        line: u64,
        result: Result<Record<'b>, Refusal>,
        f: &mut impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        match result {
            Ok(mut record) => {
                self.fill(&mut record);
                f(line, Ok(Entry::Request(record)))
            }
            Err(refusal) => f(line, Err(refusal.at_line(line))),
        }
    }

    fn flush<'b>(
        &'b self,
        known: &mut Known,
        f: &mut impl FnMut(u64, Result<Entry<'b>, Skip>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        known.flush(&mut |line, result| self.give(line, result, f))
    }

    /// Fills in the model that the caller said to assume.
    fn fill<'b>(&'b self, record: &mut Record<'b>) {
        let Some(model) = &self.shared.assume_model else { return };
        for attempt in record.attempts.iter_mut().filter(|attempt| attempt.model.is_empty()) {
            attempt.model = Cow::Borrowed(model);
            attempt.assumed_model = true;
        }
    }
}

/// Tells of an entry that is too long.
pub(super) fn giant(line: u64) -> Skip {
    Refusal::Bad(format!("the entry is longer than {} MiB", MAX_ENTRY >> 20)).at_line(line)
}
