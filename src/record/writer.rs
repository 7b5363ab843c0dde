//! Writes logs in our own format, packed as the file's name asks.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::native::{Header, write_entry, write_header};
use super::{Entry, Error};

/// How much is gathered before it is written.
const GATHER: usize = 1 << 16;

/// Writes entries in our own format. Call [`Writer::finish`] at the end: only then is a packed file whole.
pub struct Writer<W: Write> {
    out: W,
    buffer: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Starts a log with its header line.
    pub fn new(out: W, header: &Header) -> Self {
        let mut buffer = Vec::with_capacity(GATHER * 2);
        write_header(&mut buffer, header);
        Self { out, buffer }
    }

    /// Adds an entry.
    pub fn write(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        write_entry(&mut self.buffer, entry);
        if self.buffer.len() >= GATHER {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Adds an entry with one more member at the end of its object, which is JSON already.
    pub fn write_with(&mut self, entry: &Entry<'_>, key: &str, value: &[u8]) -> io::Result<()> {
        write_entry(&mut self.buffer, entry);
        // The end of the object and of the line.
        self.buffer.truncate(self.buffer.len().saturating_sub(2));
        self.buffer.extend_from_slice(b",\"");
        self.buffer.extend_from_slice(key.as_bytes());
        self.buffer.extend_from_slice(b"\":");
        self.buffer.extend_from_slice(value);
        self.write_line(b"}")
    }

    /// Adds a line that is written already.
    pub fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(line);
        self.buffer.push(b'\n');
        if self.buffer.len() >= GATHER {
            self.out.write_all(&self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }

    /// Writes what is gathered and gives the sink back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&self.buffer)?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// A file that packs what is written into it, by the ending of its name: `.gz`, `.zst` or plain.
pub enum Packed {
    /// Plain.
    Plain(BufWriter<File>),
    /// Gzip.
    Gzip(flate2::write::GzEncoder<File>),
    /// Zstandard.
    Zstd(zstd::stream::write::Encoder<'static, File>),
}

impl Packed {
    /// Creates the file, emptying one that is there.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Open { path: path.to_owned(), source };
        let file = File::create(path).map_err(failed)?;
        Ok(match path.extension().and_then(OsStr::to_str) {
            Some("gz") => Self::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default())),
            Some("zst") => Self::Zstd(zstd::stream::write::Encoder::new(file, 0).map_err(failed)?),
            _ => Self::Plain(BufWriter::with_capacity(GATHER, file)),
        })
    }

    /// Ends the file; a packed one is whole only now.
    pub fn close(self) -> io::Result<()> {
        match self {
            Self::Plain(mut file) => file.flush(),
            Self::Gzip(file) => file.finish().map(drop),
            Self::Zstd(file) => file.finish().map(drop),
        }
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(file) => file.write(bytes),
            Self::Zstd(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(file) => file.flush(),
            Self::Zstd(file) => file.flush(),
        }
    }
}
