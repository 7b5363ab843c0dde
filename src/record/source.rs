//! Reads logs as a stream of blocks, one file after another.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ahead::{self, Ahead};
use super::block::{Block, Body, Shared};
use super::file::{OpenFile, ReadOptions};
use super::foreign::Place;
use super::known::{self, Known};
use super::native::Header;
use super::skip::Refusal;
use super::summary::Summary;
use super::{Entry, Error, Input, InputFormat, Skip};

/// How far the reading has come, in bytes as stored (packed); to be watched from another thread.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    read: Arc<AtomicU64>,
    /// All there is to read, where known.
    pub total: Option<u64>,
}

impl Progress {
    /// Returns the bytes read so far.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

/// Logs being read.
#[derive(Default)]
pub struct Source {
    input: Arc<Input>,
    options: ReadOptions,
    progress: Progress,
    next: usize,
    current: Option<Current>,
    /// Files that are named a second time, and those that can be read ahead of their turn.
    again: BTreeSet<usize>,
    early: BTreeSet<usize>,
    /// The files to come, from the first block on.
    ahead: Option<Ahead>,
    place: Place,
    header: Header,
    format: InputFormat,
    known: Known,
    /// Files that are not read, and why, until that is told.
    remarks: VecDeque<(String, Refusal)>,
    /// How many of them were no logs.
    no_logs: usize,
    /// The last file whose answers may be held back, until they come out.
    holding: Option<Arc<Shared>>,
    /// An error that is told once those are out.
    failure: Option<Error>,
}

/// The file whose turn it is.
struct Current {
    shared: Arc<Shared>,
    /// Itself, where it is not read ahead.
    here: Option<Box<OpenFile>>,
}

/// Opens logs, and recognises the first.
pub fn open(input: &Input, options: &ReadOptions) -> Result<Source, Error> {
    input.check()?;
    let progress = Progress { read: Arc::default(), total: input.size() };
    let (again, early) = input.turns();
    let mut source = Source {
        input: Arc::new(input.clone()),
        options: options.clone(),
        progress,
        again,
        early,
        format: options.format.unwrap_or_default(),
        ..Source::default()
    };
    source.advance()?;
    Ok(source)
}

impl Source {
    /// Says whether reading stops at the first thing that is wrong.
    pub fn is_strict(&self) -> bool {
        self.options.strict
    }

    /// Returns the format of the file being read.
    pub fn format(&self) -> InputFormat {
        self.format
    }

    /// Returns the header of the last file in our own format; empty where there was none.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Returns the header with all that can be found out for it, which may take as long as reading the log.
    pub fn whole_header(&self) -> Header {
        let here = self.current.as_ref().and_then(|current| current.here.as_ref());
        here.and_then(|open| open.whole_header()).unwrap_or_else(|| self.header.clone())
    }

    /// Returns a view of how far the reading has come.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Returns what the reading has met so far, for [`Block::for_each_new`].
    pub fn known(&mut self) -> &mut Known {
        &mut self.known
    }

    /// Says whether it was said how it is to be read: as which format, or by which mapping.
    pub fn is_told_how(&self) -> bool {
        self.options.mapping.is_some() || self.options.format.is_some()
    }

    /// Reads to the end, calling `f` for every entry and every skip until it breaks off.
    ///
    /// Strict reading ends with an error at the first bad line.
    pub fn for_each(
        &mut self,
        mut f: impl FnMut(&str, u64, Result<Entry<'_>, &Skip>) -> ControlFlow<()>,
    ) -> Result<Summary, Error> {
        let mut summary = Summary::default();
        while let Some(block) = self.next_block() {
            let block = block?;
            let mut stop = None;
            let flow = block.for_each_new(&mut self.known, |line, result| match result {
                Ok(entry) => {
                    summary.entries += 1;
                    f(block.file(), line, Ok(entry))
                }
                Err(skip) => {
                    stop = block.strict_error(&skip);
                    summary.note(block.file(), &skip);
                    if stop.is_some() { ControlFlow::Break(()) } else { f(block.file(), line, Err(&skip)) }
                }
            });
            if let Some(error) = stop {
                return Err(error);
            }
            if flow.is_break() {
                break;
            }
        }
        Ok(summary)
    }

    /// Returns the next block, or the error that ends a file; after that the next call goes on with the next file.
    pub fn next_block(&mut self) -> Option<Result<Block, Error>> {
        if self.ahead.is_none() {
            self.read_ahead(ahead::lanes());
        }
        if let Some(error) = self.failure.take() {
            return Some(Err(error));
        }
        loop {
            if self.current.is_none()
                && self.next < self.input.len()
                && let Err(error) = self.advance()
            {
                return Some(self.told(error));
            }
            if let Some((file, why)) = self.remarks.pop_front() {
                return Some(Ok(Block::remark(file, self.format, why)));
            }
            if self.current.is_none() && self.next < self.input.len() {
                continue;
            }
            let Some(current) = self.current.as_mut() else {
                return Some(Ok(Block::end(self.holding.take()?, self.place.clone())));
            };
            self.format = current.shared.format;
            let next = match (&mut current.here, &mut self.ahead) {
                (Some(open), _) => open.next(),
                (None, Some(ahead)) => ahead.next(self.next.saturating_sub(1)),
                (None, None) => Ok(None),
            };
            match next {
                // A later file may tell more of an answer that is held back.
                Ok(Some((_, Body::End))) if self.next < self.input.len() => {
                    self.holding = Some(Arc::clone(&current.shared));
                }
                Ok(Some((data, body))) => {
                    if matches!(body, Body::End) {
                        self.holding = None;
                    }
                    let shared = Arc::clone(&current.shared);
                    let block = Block { shared, data, body, place: self.place.clone() };
                    if block.shared.format.is_relative() {
                        self.place = block.place_after();
                    }
                    return Some(Ok(block));
                }
                Ok(None) => self.current = None,
                Err(error) => {
                    self.current = None;
                    return Some(self.told(error));
                }
            }
        }
    }

    /// Returns an error, behind what is held back: whoever stops at it has what was read before.
    fn told(&mut self, error: Error) -> Result<Block, Error> {
        let Some(shared) = self.holding.take() else { return Err(error) };
        self.failure = Some(error);
        Ok(Block::end(shared, self.place.clone()))
    }

    /// Has the files to come read on so many threads.
    pub(super) fn read_ahead(&mut self, lanes: usize) {
        let places = self.early.split_off(&self.next);
        self.ahead = Some(Ahead::start(lanes, &self.input, &self.options, &self.progress.read, places));
    }

    /// Opens the next file, if there is one.
    fn advance(&mut self) -> Result<(), Error> {
        let place = self.next;
        self.next += 1;
        if self.again.contains(&place) {
            self.remarks.push_back((self.input.name(place), known::NAMED_TWICE));
            return Ok(());
        }
        let opened = match self.ahead.as_mut().and_then(|ahead| ahead.open(place)) {
            Some(opened) => opened.map(|(shared, header)| (Current { shared, here: None }, header)),
            None => match OpenFile::at(&self.input, place, &self.options, &self.progress.read) {
                Some(opened) => opened.map(|(open, header)| {
                    (Current { shared: Arc::clone(&open.shared), here: Some(Box::new(open)) }, header)
                }),
                None => return Ok(()),
            },
        };
        let (current, header) = match opened {
            Err(error) if self.input.is_found(place) && error.is_no_log() => {
                self.no_logs += 1;
                let why = if self.no_logs <= NAMED {
                    Refusal::NoLog(format!("{NO_LOG}: {}", self.input.name(place)))
                } else {
                    Refusal::NotACall(NO_LOG)
                };
                self.remarks.push_back((String::new(), why));
                return Ok(());
            }
            opened => opened?,
        };
        self.format = current.shared.format;
        if let Some(header) = header {
            self.header = header;
        }
        self.current = Some(current);
        Ok(())
    }
}

/// A file of a folder that is no log.
const NO_LOG: &str = "a file of a folder that is in no known log format";
/// How many of those are told by name.
const NAMED: usize = 8;
