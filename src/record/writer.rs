//! Writes logs in our own format, packed as the file's name asks.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

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

/// A file that packs what is written into it, by the ending of its name: `.gz`, `.zst` or plain. It stands under its name only
/// once it is whole; until then beside it.
pub struct Packed {
    packer: Packer,
    /// Where it is written, and its name; none where it is no file that another could take the place of.
    places: Option<(PathBuf, PathBuf)>,
}

enum Packer {
    Plain(BufWriter<File>),
    Gzip(flate2::write::GzEncoder<File>),
    Zstd(zstd::stream::write::Encoder<'static, File>),
}

impl Packed {
    /// Creates the file; one that is there stays until this one is whole.
    ///
    /// # Errors
    /// Where it cannot be created.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Open { path: path.to_owned(), source };
        let is_device = path.metadata().is_ok_and(|meta| !meta.is_file());
        let places = (!is_device).then(|| {
            // A link goes on leading to its file.
            let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
            let mut beside = target.clone().into_os_string();
            beside.push(".new");
            (PathBuf::from(beside), target)
        });
        let file = File::create(places.as_ref().map_or(path, |(beside, _)| beside)).map_err(failed)?;
        let packer = match path.extension().and_then(OsStr::to_str) {
            Some("gz") => Packer::Gzip(flate2::write::GzEncoder::new(file, flate2::Compression::default())),
            Some("zst") => Packer::Zstd(zstd::stream::write::Encoder::new(file, 0).map_err(failed)?),
            _ => Packer::Plain(BufWriter::with_capacity(GATHER, file)),
        };
        Ok(Self { packer, places })
    }

    /// Ends the file, and puts it in its place.
    ///
    /// # Errors
    /// Where it cannot be written to its end.
    pub fn close(mut self) -> io::Result<()> {
        match &mut self.packer {
            Packer::Plain(file) => file.flush()?,
            Packer::Gzip(file) => file.try_finish()?,
            Packer::Zstd(file) => file.do_finish()?,
        }
        match self.places.take() {
            Some((beside, target)) => {
                std::fs::rename(&beside, target).inspect_err(|_| drop(std::fs::remove_file(&beside)))
            }
            None => Ok(()),
        }
    }
}

impl Drop for Packed {
    /// Leaves nothing of a file that was never ended.
    fn drop(&mut self) {
        if let Some((beside, _)) = self.places.take() {
            let _ = std::fs::remove_file(beside);
        }
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.packer {
            Packer::Plain(file) => file.write(bytes),
            Packer::Gzip(file) => file.write(bytes),
            Packer::Zstd(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.packer {
            Packer::Plain(file) => file.flush(),
            Packer::Gzip(file) => file.flush(),
            Packer::Zstd(file) => file.flush(),
        }
    }
}
