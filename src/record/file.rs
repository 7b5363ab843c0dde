//! One file of a log: opens, unpacks, recognises the format, and cuts between entries.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::beginning::{bare, first_header, is_ours, is_shape_plain, take_columns, take_line};
use super::block::{Body, Shared};
use super::csv::Columns;
use super::cut::{BLOCK, Elements, MAX_ENTRY, Piece};
use super::entries::EntryReader;
use super::error::Strange;
use super::input::Stream;
use super::mapped::{self, Cut, Mapping, Shape};
use super::native::Header;
use super::recognise::{is_by_line, is_stream, may_be_session, recognise, table};
use super::rows::Rows;
use super::streams::Streams;
use super::{Error, Input, InputFormat};

/// How much is read at once.
const STEP: usize = 1 << 18;
/// How much of a log is looked at to recognise it.
const PEEK: usize = 1 << 20;
/// The same of a session of an agent, which may begin with much that tells no format.
const PEEK_SESSION: usize = 1 << 24;

/// How to read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// The format; `None` recognises it by the content, for each file anew.
    pub format: Option<InputFormat>,
    /// Whether the first bad line ends the reading.
    pub strict: bool,
    /// The model to assume where the log names none; such attempts are marked.
    pub assume_model: Option<String>,
    /// Where the fields of ours stand in logs of one's own shape.
    pub mapping: Option<Arc<Mapping>>,
}

impl ReadOptions {
    fn shared(&self, file: String, format: InputFormat, columns: Columns) -> Shared {
        let assume_model = self.assume_model.clone().filter(|model| !model.is_empty());
        Shared { file, format, columns, mapping: None, assume_model, strict: self.strict }
    }
}

/// Whole entries, cut from a file.
pub(super) type Stretch = (Vec<u8>, Body);

/// A file being read.
pub(super) struct OpenFile {
    stream: Stream,
    pub(super) shared: Arc<Shared>,
    /// Bytes read but not yet given out.
    carry: Vec<u8>,
    cutting: Cutting,
    ended: bool,
    /// Whether what was held back has come out.
    is_flushed: bool,
    /// What ended it early; told once what was read is given out.
    failed: Option<std::io::Error>,
    line: u64,
}

enum Cutting {
    Lines,
    Elements(Box<Elements>),
    Rows(Box<Rows>),
    Streams(Box<Streams>),
    /// No text at all.
    Entries(Box<dyn EntryReader>),
    /// Within a line that is too long; this many bytes of it have gone.
    Dropping,
}

impl OpenFile {
    /// Opens a file of the input, and recognises it; `None` where there is none.
    pub(super) fn at(
        input: &Input,
        place: usize,
        options: &ReadOptions,
        read: &Arc<AtomicU64>,
    ) -> Option<Result<(Self, Option<Header>), Error>> {
        if let Some(entries) = input.open_entries(place) {
            return Some(entries.map(|reader| Self::of_entries(input.name(place), reader, options)));
        }
        Some(input.open(place, read)?.and_then(|stream| Self::new(stream, options)))
    }

    /// Returns all that the header of a file of entries would say; `None` where it is text.
    pub(super) fn whole_header(&self) -> Option<Header> {
        match &self.cutting {
            Cutting::Entries(reader) => Some(reader.whole_header()),
            _ => None,
        }
    }

    fn of_entries(
        file: String,
        reader: Box<dyn EntryReader>,
        options: &ReadOptions,
    ) -> (Self, Option<Header>) {
        let header = reader.header();
        let shared = options.shared(file.clone(), InputFormat::Native, Columns::default());
        let open = Self {
            stream: Stream::empty(file),
            shared: Arc::new(shared),
            carry: Vec::new(),
            cutting: Cutting::Entries(reader),
            ended: false,
            is_flushed: false,
            failed: None,
            // The header would be the first.
            line: 2,
        };
        (open, Some(header))
    }

    fn new(mut stream: Stream, options: &ReadOptions) -> Result<(Self, Option<Header>), Error> {
        let mut carry = Vec::new();
        let (mut ended, mut failed) = (false, None);
        let mut format = None;
        while !ended && carry.len() < PEEK {
            (ended, failed) = more(&mut stream, &mut carry, STEP);
            // A line that is whole is enough where it tells the format; a pipe may not give more for long.
            if carry.contains(&b'\n') {
                format = options.format.or_else(|| recognise(bare(&carry)));
                if options.mapping.is_some() && !is_ours(bare(&carry)) {
                    format = None;
                }
                if format.is_some() || (options.mapping.is_some() && is_shape_plain(&carry)) {
                    break;
                }
            }
        }
        let is_open = format.or(options.format).is_none() && options.mapping.is_none();
        if is_open && recognise(bare(&carry)).is_none() && may_be_session(bare(&carry)) {
            while !ended && format.is_none() && carry.len() < PEEK_SESSION {
                let from = memchr::memrchr(b'\n', &carry).map_or(0, |at| at + 1);
                (ended, failed) = more(&mut stream, &mut carry, PEEK);
                format = recognise(carry.get(from..).filter(|_| !ended).unwrap_or_default());
            }
        }
        carry.drain(..carry.len() - bare(&carry).len());
        let file = stream.name.clone();
        // Whatever it is said to be.
        if let Some(seen) = Strange::unread(&carry) {
            return Err(Error::UnknownFormat { file, seen: Some(seen) });
        }
        let empty = carry.trim_ascii().is_empty();
        let mapped = options.mapping.as_ref().filter(|_| !is_ours(&carry)).map(|_| InputFormat::Mapped);
        let format = match mapped.or(options.format).or(format).or_else(|| recognise(&carry)) {
            Some(format) => format,
            // An empty log is sound: it says that nothing happened. A damaged one is told as such when it is read.
            None if empty || failed.is_some() => InputFormat::Native,
            None => return Err(Error::UnknownFormat { file, seen: Strange::of(&carry) }),
        };
        if let Some(mapping) = options.mapping.as_ref().filter(|_| format == InputFormat::Mapped && !empty) {
            return Self::mapped((stream, carry), mapping, options, (ended, failed)).map(|open| (open, None));
        }
        let mut line = 1;
        let table =
            if format.is_csv() || empty { None } else { table(&carry).map(|(_, delimiter)| delimiter) };
        let columns = match table {
            Some(delimiter) => Columns::exact(&take_line(&mut carry, &mut line), delimiter),
            None if format.is_csv() && !empty => take_columns(&mut carry, &mut line, &file, format)?,
            None => Columns::default(),
        };
        let header = if format == InputFormat::Native { first_header(&carry, &file)? } else { None };
        let by_line = (format == InputFormat::Native && carry.trim_ascii_start().first() != Some(&b'['))
            || is_by_line(format, &carry);
        let is_captured =
            matches!(format, InputFormat::OpenAi | InputFormat::Anthropic | InputFormat::Gemini)
                && is_stream(&carry);
        let cutting = if let Some(delimiter) = table {
            Cutting::Rows(Box::new(Rows::new(delimiter, MAX_ENTRY, line)))
        } else if is_captured {
            Cutting::Streams(Box::new(Streams::new(MAX_ENTRY)))
        } else if by_line {
            Cutting::Lines
        } else {
            let wrapper = format.wrappers().iter().map(|key| (*key).to_owned()).collect();
            Cutting::Elements(Box::new(Elements::new(wrapper, MAX_ENTRY, line)))
        };
        let shared = Arc::new(options.shared(file, format, columns));
        Ok((Self { stream, shared, carry, cutting, ended, is_flushed: false, failed, line }, header))
    }

    /// Starts on a log of one's own shape.
    fn mapped(
        (stream, mut carry): (Stream, Vec<u8>),
        mapping: &Arc<Mapping>,
        options: &ReadOptions,
        (ended, failed): (bool, Option<std::io::Error>),
    ) -> Result<Self, Error> {
        let file = stream.name.clone();
        let Some(shape) = Shape::of(&carry, Some(mapping)) else {
            let reason = "neither JSON nor rows under a header; a mapping needs either".to_owned();
            return Err(Error::Mapping { file, reason });
        };
        mapped::check(mapping, &shape, &file)?;
        let mut line = 1;
        let cutting = match &shape.cut {
            Cut::Lines => Cutting::Lines,
            Cut::Values(around) => {
                Cutting::Elements(Box::new(Elements::new(around.clone(), MAX_ENTRY, line)))
            }
            Cut::Rows(delimiter) => {
                take_line(&mut carry, &mut line);
                Cutting::Rows(Box::new(Rows::new(*delimiter, MAX_ENTRY, line)))
            }
        };
        let shared = options.shared(file, InputFormat::Mapped, shape.header.clone());
        let shared = Arc::new(Shared { mapping: Some(Arc::clone(mapping)), ..shared });
        Ok(Self { stream, shared, carry, cutting, ended, is_flushed: false, failed, line })
    }

    /// Reads more, if there is more.
    fn fill(&mut self) {
        (self.ended, self.failed) = more(&mut self.stream, &mut self.carry, STEP);
    }

    /// Returns what comes next; `None` at the end, or the error that ended the file early.
    pub(super) fn next(&mut self) -> Result<Option<Stretch>, Error> {
        if let Some(stretch) = self.cut() {
            return Ok(Some(stretch));
        }
        if self.shared.format != InputFormat::Native && !std::mem::replace(&mut self.is_flushed, true) {
            return Ok(Some((Vec::new(), Body::End)));
        }
        let Some(source) = self.failed.take() else { return Ok(None) };
        Err(self.stream.failed(self.line.saturating_sub(1), source))
    }

    /// Says whether it can be read on as it grows: text as it lies there, which needs no end to be understood.
    pub(super) fn may_grow(&self) -> bool {
        self.stream.packed.is_none() && !matches!(self.cutting, Cutting::Streams(_) | Cutting::Entries(_))
    }

    /// Reads on from another reader, which begins where the last one stopped.
    pub(super) fn read_from(&mut self, stream: Stream) {
        self.stream = stream;
        self.ended = false;
    }

    /// Takes what is there for all there is.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// Returns the next whole entries of a file that grows; `None` where there are no more at present.
    pub(super) fn more(&mut self) -> Option<Stretch> {
        loop {
            if let Some(stretch) = self.cut_whole() {
                return Some(stretch);
            }
            match self.stream.fill(&mut self.carry, STEP) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    self.failed = Some(error);
                    return None;
                }
            }
        }
    }

    /// Returns a last line without an end, where it is a whole JSON value.
    pub(super) fn unended(&mut self) -> Option<Stretch> {
        let text = self.carry.trim_ascii();
        let is_json = matches!(text.first(), Some(b'{' | b'['));
        let is_whole = is_json && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
        // What ends the line later is then an empty one, of the same number.
        let is_line = matches!(self.cutting, Cutting::Lines) && is_whole;
        is_line.then(|| (std::mem::take(&mut self.carry), Body::Lines(self.line)))
    }

    /// Cuts whole entries from what was read.
    fn cut_whole(&mut self) -> Option<Stretch> {
        match &self.cutting {
            Cutting::Lines => {
                if let Some(at) = memchr::memrchr(b'\n', &self.carry) {
                    let rest = self.carry.split_off(at + 1);
                    let data = std::mem::replace(&mut self.carry, rest);
                    let first = self.line;
                    self.line += memchr::memchr_iter(b'\n', &data).count() as u64;
                    return Some((data, Body::Lines(first)));
                }
                if self.carry.len() > MAX_ENTRY {
                    self.cutting = Cutting::Dropping;
                }
                None
            }
            Cutting::Dropping => {
                if self.carry.contains(&b'\n') {
                    return Some(self.drop_line());
                }
                self.carry.clear();
                None
            }
            _ if self.carry.is_empty() => None,
            _ => self.cut_pieces_of_carry(),
        }
    }

    fn cut_pieces_of_carry(&mut self) -> Option<Stretch> {
        let (mut data, mut pieces) = (Vec::new(), Vec::new());
        match &mut self.cutting {
            Cutting::Elements(elements) => elements.feed(&self.carry, &mut data, &mut pieces),
            Cutting::Rows(rows) => rows.feed(&self.carry, &mut data, &mut pieces),
            _ => {}
        }
        self.carry.clear();
        if let Some(piece) = pieces.last() {
            self.line = piece.line + 1;
        }
        (!pieces.is_empty()).then_some((data, Body::Pieces(pieces)))
    }

    /// Returns the next stretch of whole entries; `None` at the end.
    fn cut(&mut self) -> Option<Stretch> {
        match &mut self.cutting {
            Cutting::Entries(reader) => match reader.next_batch() {
                Ok(batch) => {
                    let batch = batch?;
                    let first = self.line;
                    self.line += batch.len() as u64;
                    Some((Vec::new(), Body::Entries(first, batch)))
                }
                Err(error) => {
                    self.failed = Some(error);
                    None
                }
            },
            Cutting::Elements(_) | Cutting::Streams(_) | Cutting::Rows(_) => self.cut_pieces(),
            Cutting::Lines => self.cut_lines(),
            Cutting::Dropping => Some(self.drop_line()),
        }
    }

    fn cut_lines(&mut self) -> Option<Stretch> {
        let mut searched = 0;
        loop {
            if self.carry.len() >= BLOCK || self.ended {
                let found = memchr::memrchr(b'\n', self.carry.get(searched..).unwrap_or_default());
                let end = match found {
                    Some(at) => searched + at + 1,
                    // The last line may lack its end, unless the file breaks off within it.
                    None if self.ended && self.failed.is_none() => self.carry.len(),
                    None if self.ended => 0,
                    None if self.carry.len() > MAX_ENTRY => {
                        self.cutting = Cutting::Dropping;
                        return Some(self.drop_line());
                    }
                    None => {
                        searched = self.carry.len();
                        self.fill();
                        continue;
                    }
                };
                if end == 0 {
                    return None;
                }
                let mut rest = Vec::with_capacity(if self.ended { 0 } else { BLOCK + 2 * STEP });
                rest.extend_from_slice(self.carry.get(end..).unwrap_or_default());
                let mut data = std::mem::replace(&mut self.carry, rest);
                data.truncate(end);
                let first = self.line;
                self.line += memchr::memchr_iter(b'\n', &data).count() as u64;
                return Some((data, Body::Lines(first)));
            }
            searched = 0;
            self.fill();
        }
    }

    /// Lets go of a line that is too long, and tells of it.
    fn drop_line(&mut self) -> Stretch {
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.carry) {
                self.carry.drain(..=at);
                break;
            }
            self.carry.clear();
            if self.ended {
                break;
            }
            self.fill();
        }
        self.cutting = Cutting::Lines;
        let piece = Piece { start: 0, end: 0, line: self.line, giant: true };
        self.line += 1;
        (Vec::new(), Body::Pieces(vec![piece]))
    }

    fn cut_pieces(&mut self) -> Option<Stretch> {
        let (mut data, mut pieces) = (Vec::new(), Vec::new());
        while data.len() < BLOCK {
            if self.carry.is_empty() && !self.ended {
                self.fill();
            }
            let is_end = self.carry.is_empty();
            match &mut self.cutting {
                _ if is_end && self.failed.is_some() => {}
                Cutting::Elements(elements) if is_end => elements.end(&mut data, &mut pieces),
                Cutting::Elements(elements) => elements.feed(&self.carry, &mut data, &mut pieces),
                Cutting::Rows(rows) if is_end => rows.end(&mut data, &mut pieces),
                Cutting::Rows(rows) => rows.feed(&self.carry, &mut data, &mut pieces),
                Cutting::Streams(streams) if is_end => streams.end(&mut data, &mut pieces),
                Cutting::Streams(streams) => streams.feed(&self.carry, &mut data, &mut pieces),
                Cutting::Lines | Cutting::Dropping | Cutting::Entries(_) => {}
            }
            if is_end {
                break;
            }
            self.carry.clear();
            if let Some(piece) = pieces.last() {
                self.line = piece.line + 1;
            }
        }
        (!pieces.is_empty()).then_some((data, Body::Pieces(pieces)))
    }
}

/// Reads more, and says whether that was all, and what went wrong.
fn more(stream: &mut Stream, carry: &mut Vec<u8>, most: usize) -> (bool, Option<std::io::Error>) {
    match stream.fill(carry, most) {
        Ok(count) => (count == 0, None),
        Err(error) => (true, Some(error)),
    }
}
