//! A log that is read while it is written: what was appended since it was last looked at, up to the last whole entry.
//!
//! Invariants: bytes are read once; an entry that is half written waits for its end; where the bytes before the place are
//! others than they were, the file is another log, and is not read on.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::block::Block;
use super::file::{OpenFile, ReadOptions, Stretch};
use super::foreign::Place;
use super::input::Stream;
use super::{Error, Input};

/// How many bytes before the place are looked at again.
const MARK: u64 = 128;

/// A log that is read while it is written.
pub struct Growing {
    open: OpenFile,
    place: Place,
    read: Arc<AtomicU64>,
    /// The last bytes that were read.
    mark: Vec<u8>,
}

impl Growing {
    /// Opens a log at its start; `None` where it can only be read as a whole: packed, a captured stream or a database.
    ///
    /// # Errors
    /// Where it cannot be opened, or is in no known format.
    pub fn open(input: &Input, options: &ReadOptions) -> Result<Option<Self>, Error> {
        if !input.is_text(0) {
            return Ok(None);
        }
        let read = Arc::default();
        let Some(opened) = OpenFile::at(input, 0, options, &read) else { return Ok(None) };
        let (open, _) = opened?;
        let is_growing = open.may_grow();
        Ok(is_growing.then(|| Self { open, place: Place::default(), read, mark: Vec::new() }))
    }

    /// Goes on with a file from where the reading stopped; says whether it is still the log that it was.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn go_on(&mut self, file: &File) -> io::Result<bool> {
        let at = self.read.load(Ordering::Relaxed);
        let mut file = file.try_clone()?;
        if file.metadata()?.len() < at {
            return Ok(false);
        }
        let now = bytes_before(&mut file, at, self.mark.len() as u64)?;
        let is_same = now == self.mark;
        if is_same {
            self.open.read_from(Stream::of(self.open.shared.file.clone(), file, &self.read));
        }
        Ok(is_same)
    }

    /// Remembers where the reading of a file stopped.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn stop(&mut self, file: &File) -> io::Result<()> {
        let mut file = file.try_clone()?;
        self.mark = bytes_before(&mut file, self.read.load(Ordering::Relaxed), MARK)?;
        self.open.read_from(Stream::empty(self.open.shared.file.clone()));
        Ok(())
    }

    /// Returns the next whole entries; `None` where there are no more at present.
    pub fn next_block(&mut self) -> Option<Block> {
        let stretch = self.open.more()?;
        Some(self.block(stretch))
    }

    /// Returns a last line that nothing ends, where it is a whole JSON value; for a file that was left alone for a while.
    pub fn last_line(&mut self) -> Option<Block> {
        let stretch = self.open.unended()?;
        Some(self.block(stretch))
    }

    /// Returns what comes at the end of what will not grow any more, block by block.
    ///
    /// # Errors
    /// Where the reading broke off.
    pub fn rest(&mut self) -> Result<Option<Block>, Error> {
        self.open.end();
        let stretch = self.open.next()?;
        Ok(stretch.map(|stretch| self.block(stretch)))
    }

    /// Returns the block with which all comes out that is held back for the end of a file.
    pub fn end(&self) -> Block {
        Block::end(Arc::clone(&self.open.shared), self.place.clone())
    }

    fn block(&mut self, (data, body): Stretch) -> Block {
        let block = Block { shared: Arc::clone(&self.open.shared), data, body, place: self.place.clone() };
        if block.shared.format.is_relative() {
            self.place = block.place_after();
        }
        block
    }
}

/// Returns up to so many bytes before a place, and leaves the file at the place.
fn bytes_before(file: &mut File, at: u64, most: u64) -> io::Result<Vec<u8>> {
    let count = at.min(most);
    file.seek(SeekFrom::Start(at - count))?;
    let mut bytes = Vec::new();
    file.by_ref().take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}
