//! Where a log comes from: files, standard input or bytes in memory, plain or compressed.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;
use super::cut::{BLOCK, MAX_ENTRY};
use super::entries::{EntryOpener, EntryReader};

/// How a file begins that is packed.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Likewise.
pub(super) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// One or more logs, read one after another.
#[derive(Clone, Debug, Default)]
pub struct Input {
    parts: Vec<Part>,
}

/// What a file is to the system, whichever of its names it was called by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileId(#[cfg(unix)] (u64, u64), #[cfg(not(unix))] PathBuf);

impl FileId {
    /// Finds a regular file by a name; `None` where there is none.
    #[cfg(unix)]
    pub fn of(path: &Path) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata(path)
            .ok()
            .filter(std::fs::Metadata::is_file)
            .map(|meta| Self((meta.dev(), meta.ino())))
    }

    /// Finds a regular file by a name; `None` where there is none.
    #[cfg(not(unix))]
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::canonicalize(path).ok().filter(|path| path.is_file()).map(Self)
    }
}

/// Opens something that gives a log when it is read.
pub type Opener = Arc<dyn Fn() -> io::Result<Box<dyn Read + Send>> + Send + Sync>;

#[derive(Clone)]
enum Part {
    File(PathBuf),
    /// A file of a folder, which may turn out to be no log.
    Found(PathBuf),
    Stdin,
    Bytes {
        name: String,
        bytes: Cow<'static, [u8]>,
    },
    Made {
        name: String,
        opener: Opener,
    },
    Entries {
        name: String,
        opener: EntryOpener,
    },
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Found(path) => write!(f, "File({})", path.display()),
            Self::Stdin => f.write_str("Stdin"),
            Self::Bytes { name, .. } | Self::Made { name, .. } | Self::Entries { name, .. } => {
                write!(f, "{name}")
            }
        }
    }
}

impl Input {
    /// Reads files in the order given; `-` is standard input.
    pub fn paths<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let part = |path: P| match path.as_ref() {
            dash if dash == Path::new("-") => Part::Stdin,
            path => Part::File(path.to_owned()),
        };
        Self { parts: paths.into_iter().map(part).collect() }
    }

    /// Reads files of a folder in the order given; those that are no logs are passed over.
    pub fn found(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        Self { parts: paths.into_iter().map(Part::Found).collect() }
    }

    /// Says whether a part is text in a file or a pipe.
    pub(crate) fn is_text(&self, place: usize) -> bool {
        matches!(self.parts.get(place), Some(Part::File(_) | Part::Found(_) | Part::Stdin))
    }

    /// Says whether one of the parts is a file of a folder.
    pub(crate) fn is_found(&self, place: usize) -> bool {
        matches!(self.parts.get(place), Some(Part::Found(_)))
    }

    /// Reads bytes that are already there, under a name for messages.
    pub fn bytes(name: &str, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { parts: vec![Part::Bytes { name: name.to_owned(), bytes: bytes.into() }] }
    }

    /// Reads what an opener gives, anew each time it is opened, under a name for messages.
    pub fn made(name: &str, opener: Opener) -> Self {
        Self { parts: vec![Part::Made { name: name.to_owned(), opener }] }
    }

    /// Reads entries that no text holds, under a name for messages.
    pub fn entries(name: &str, opener: EntryOpener) -> Self {
        Self { parts: vec![Part::Entries { name: name.to_owned(), opener }] }
    }

    /// Reads further parts after these.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.parts.extend(more.parts);
        self
    }

    /// Returns the name of a part for messages.
    pub(crate) fn name(&self, place: usize) -> String {
        match self.parts.get(place) {
            Some(Part::File(path) | Part::Found(path)) => path.display().to_string(),
            Some(Part::Bytes { name, .. } | Part::Made { name, .. } | Part::Entries { name, .. }) => {
                name.clone()
            }
            Some(Part::Stdin) => "standard input".to_owned(),
            None => String::new(),
        }
    }

    /// Returns the places of files that are named a second time, and of all that can be read before its turn: what may keep
    /// a reader waiting, as a pipe, cannot.
    pub(crate) fn turns(&self) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let (mut again, mut early) = (BTreeSet::new(), BTreeSet::new());
        let mut met = HashSet::new();
        for (place, part) in self.parts.iter().enumerate() {
            match part {
                Part::File(path) | Part::Found(path) => match FileId::of(path).map(|file| met.insert(file)) {
                    Some(true) => early.insert(place),
                    Some(false) => again.insert(place),
                    None => false,
                },
                Part::Bytes { .. } | Part::Made { .. } => early.insert(place),
                // Whoever keeps entries has threads of its own.
                Part::Stdin | Part::Entries { .. } => false,
            };
        }
        (again, early)
    }

    /// Says whether what was read can be read once more: files and what is made, not pipes.
    pub fn can_be_read_again(&self) -> bool {
        self.parts.iter().all(|part| match part {
            Part::File(path) | Part::Found(path) => FileId::of(path).is_some(),
            Part::Stdin => false,
            Part::Bytes { .. } | Part::Made { .. } | Part::Entries { .. } => true,
        })
    }

    /// Returns the number of files or streams.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Returns the sum of the sizes as stored; `None` where a stream's is not known.
    pub(crate) fn size(&self) -> Option<u64> {
        let sizes = self.parts.iter().map(|part| match part {
            Part::File(path) | Part::Found(path) => {
                std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len())
            }
            Part::Stdin | Part::Made { .. } | Part::Entries { .. } => None,
            Part::Bytes { bytes, .. } => u64::try_from(bytes.len()).ok(),
        });
        sizes.sum()
    }

    /// Opens every file once, so that a missing one is told before hours of reading.
    pub(crate) fn check(&self) -> Result<(), Error> {
        for part in &self.parts {
            if let Part::File(path) = part {
                let open = |source| Error::Open { path: path.clone(), source };
                let meta = std::fs::metadata(path).map_err(open)?;
                if meta.is_dir() {
                    return Err(open(io::Error::new(
                        io::ErrorKind::IsADirectory,
                        "it is a directory without logs (names in .jsonl, .ndjson, .json, .csv, .tsv or .db, also packed); name the files",
                    )));
                }
            }
        }
        Ok(())
    }

    /// Opens one of the parts that are entries; `None` where it is none.
    pub(crate) fn open_entries(&self, place: usize) -> Option<Result<Box<dyn EntryReader>, Error>> {
        let Some(Part::Entries { name, opener }) = self.parts.get(place) else { return None };
        Some(opener().map_err(|source| Error::Read { file: name.clone(), line: 0, source }))
    }

    /// Opens one of the parts.
    pub(crate) fn open(&self, place: usize, read: &Arc<AtomicU64>) -> Option<Result<Stream, Error>> {
        let part = self.parts.get(place)?;
        let name = self.name(place);
        let raw: Box<dyn Read + Send> = match part {
            Part::Stdin => Box::new(io::stdin()),
            Part::Entries { .. } => Box::new(io::empty()),
            Part::Bytes { bytes, .. } => Box::new(Cursor::new(bytes.clone())),
            Part::Made { opener, .. } => match opener() {
                Ok(reader) => reader,
                Err(source) => return Some(Err(Error::Read { file: name, line: 0, source })),
            },
            Part::File(path) | Part::Found(path) => match File::open(path) {
                Ok(file) => Box::new(file),
                Err(source) => return Some(Err(Error::Open { path: path.clone(), source })),
            },
        };
        let counted = Counted { inner: raw, read: Arc::clone(read) };
        Some(Stream::unpack(name.clone(), counted).map_err(|source| Error::Read {
            file: name,
            line: 0,
            source,
        }))
    }
}

/// Adds up the bytes that pass through.
struct Counted {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

/// An opened part, unpacked on the way.
pub(crate) struct Stream {
    /// Its name for messages.
    pub(crate) name: String,
    /// How it is packed, if at all.
    pub(crate) packed: Option<&'static str>,
    reader: Box<dyn Read + Send>,
}

impl Stream {
    /// Has a name and nothing to read.
    pub(crate) fn empty(name: String) -> Self {
        Self { name, packed: None, reader: Box::new(io::empty()) }
    }

    /// Reads a file on from where it stands.
    pub(crate) fn of(name: String, file: File, read: &Arc<AtomicU64>) -> Self {
        let reader = Box::new(Counted { inner: Box::new(file), read: Arc::clone(read) });
        Self { name, packed: None, reader }
    }

    fn unpack(name: String, mut raw: Counted) -> io::Result<Self> {
        let mut magic = [0u8; 4];
        let mut have = 0;
        while let Some(rest) = magic.get_mut(have..).filter(|rest| !rest.is_empty()) {
            match raw.read(rest) {
                Ok(0) => break,
                Ok(count) => have += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let start = magic.get(..have).unwrap_or_default().to_vec();
        let (gzip, zstd) = (start.starts_with(&GZIP), start == ZSTD);
        let whole = Cursor::new(start).chain(raw);
        let (packed, reader): (_, Box<dyn Read + Send>) = if gzip {
            // Parts that were packed one by one and joined are read to the end.
            (Some("gzip"), Box::new(super::members::Members::new(BufReader::with_capacity(1 << 17, whole))))
        } else if zstd {
            (Some("zstd"), Box::new(zstd::stream::read::Decoder::new(whole)?))
        } else {
            (None, Box::new(whole))
        };
        Ok(Self { name, packed, reader })
    }

    /// Tells that reading failed behind a line.
    pub(crate) fn failed(&self, line: u64, source: io::Error) -> Error {
        let file = self.name.clone();
        match self.packed {
            Some(kind) => Error::Damaged { file, kind, line, source },
            None => Error::Read { file, line, source },
        }
    }

    /// Reads all there is; `looks` is asked of the beginning, and whether that is all, until it says whether this is what is to be
    /// read: nothing where it is not. What there may not be too much of is told in two parts.
    pub(crate) fn all(
        mut self,
        (what, instead): (&str, &str),
        looks: &mut dyn FnMut(&[u8], bool) -> Option<bool>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let (mut bytes, mut is_known) = (Vec::new(), false);
        loop {
            let read = self.fill(&mut bytes, BLOCK);
            let lines = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).count() as u64;
            let count = read.map_err(|source| self.failed(lines(&bytes), source))?;
            if !is_known {
                match looks(&bytes, count == 0) {
                    Some(false) => return Ok(None),
                    found => is_known = found.is_some(),
                }
            }
            if count == 0 {
                return Ok(Some(bytes));
            }
            if bytes.len() > MAX_ENTRY * 64 {
                let reason = format!("{what} {} MiB; {instead}", MAX_ENTRY >> 14);
                return Err(Error::Bad { file: self.name, line: 0, reason });
            }
        }
    }

    /// Appends up to `most` bytes; 0 at the end.
    pub(crate) fn fill(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        // Room made by copying: a `resize` that is not optimised writes byte by byte.
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        let before = buffer.len();
        buffer.reserve(most);
        while let Some(lacks @ 1..) = (before + most).checked_sub(buffer.len()) {
            buffer.extend_from_slice(ZEROS.get(..lacks).unwrap_or(&ZEROS));
        }
        let result = loop {
            match self.reader.read(buffer.get_mut(before..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        buffer.truncate(before + result.as_ref().copied().unwrap_or(0));
        result
    }
}
