//! What goes wrong with a whole log; single bad lines are [`super::Skip`]s.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::format::names;
use super::mapped::{Shape, propose};

/// Why a log cannot be read (on).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Reading failed on the way.
    #[error("{file}: reading failed after line {line}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The last line that came through whole.
        line: u64,
        /// What the system says.
        source: io::Error,
    },
    /// A compressed file ends too early or is damaged; what came before was read.
    #[error(
        "{file}: the {kind} data breaks off or is damaged after line {line} ({source}); what came before was read. \
         Fetch the file again, or unpack what is whole of it"
    )]
    Damaged {
        /// The file.
        file: String,
        /// `gzip` or `zstd`.
        kind: &'static str,
        /// The last line that came through whole.
        line: u64,
        /// What the decompressor says.
        source: io::Error,
    },
    /// The content is no known format's.
    #[error("{file}: no known log format in it{}", seen.as_deref().map_or_else(no_idea, Strange::to_string))]
    UnknownFormat {
        /// The file.
        file: String,
        /// What is in it instead, where that can be told.
        seen: Option<Box<Strange>>,
    },
    /// A mapping does not fit the log.
    #[error("{file}: {reason}")]
    Mapping {
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// A CSV file lacks columns.
    #[error("{file}:1: the header lacks the column `{column}` that {format} needs")]
    Column {
        /// The file.
        file: String,
        /// The missing column, in lower case.
        column: &'static str,
        /// The format.
        format: super::InputFormat,
    },
    /// The header of a log in our format cannot be accepted.
    #[error("{file}:1: {reason}")]
    Header {
        /// The file.
        file: String,
        /// Why not.
        reason: String,
    },
    /// Strict reading met a bad line.
    #[error("{file}:{line}: {reason}")]
    Bad {
        /// The file.
        file: String,
        /// The line.
        line: u64,
        /// Why it is bad.
        reason: String,
    },
}

impl Error {
    /// Says whether a file is just no log, which is no fault of one that a folder happens to hold.
    pub(crate) fn is_no_log(&self) -> bool {
        matches!(
            self,
            Self::UnknownFormat { .. } | Self::Column { .. } | Self::Mapping { .. } | Self::Open { .. }
        )
    }

    /// Returns the mapping that might fit a log of a shape that nobody knows.
    pub fn mapping(&self) -> Option<&str> {
        match self {
            Self::UnknownFormat { seen, .. } => seen.as_ref()?.mapping(),
            _ => None,
        }
    }
}

/// What a log that no format fits looks like, and how it might be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strange {
    /// What it is, in one line.
    what: String,
    /// What to do with it first, where nothing of it can be read as it is.
    first: Option<&'static str>,
    /// Whether it is what a provider reports of a day: sums, which are no log.
    is_bill: bool,
    /// A mapping that might fit, and the first rows as it would read them.
    proposed: Option<(String, String)>,
}

const UNPACK: &str = "unpack it, or pack it with gzip or Zstandard";
const RECODE: &str = "`iconv -f utf-16 -t utf-8` makes it readable";

/// What is not read as it is, by the bytes that it begins with, and what to do with it first.
const UNREAD: [(&[u8], &str, &str); 7] = [
    (b"BZh", "packed with bzip2", UNPACK),
    (b"PK\x03\x04", "packed with zip", UNPACK),
    (b"\xfd7zXZ\0", "packed with xz", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "packed with 7-Zip", UNPACK),
    (b"\x04\x22\x4d\x18", "packed with LZ4", UNPACK),
    (b"\xff\xfe", "in UTF-16", RECODE),
    (b"\xfe\xff", "in UTF-16", RECODE),
];

/// Says what of a text keeps its entries from being seen, and what to do about it first.
fn hidden(start: &[u8]) -> Option<(&'static str, &'static str)> {
    let line = start.trim_ascii_start().split(|byte| *byte == b'\n').next()?.trim_ascii_end();
    let json = line.iter().position(|byte| *byte == b'{').and_then(|at| line.get(at..));
    if std::str::from_utf8(start).is_err_and(|error| error.error_len().is_some()) {
        Some(("in no UTF-8", "recode it, as with `iconv -f latin1 -t utf-8`"))
    } else if line.starts_with(b"sep=") || line.starts_with(b"#") {
        Some(("a table with lines above its header", "leave those out, as with `tail -n +2`"))
    } else if json.is_some_and(|json| serde_json::from_slice::<serde::de::IgnoredAny>(json).is_ok()) {
        Some(("JSON with text before it on each line", "cut that off, as with `sed 's/^[^{]*//'`"))
    } else {
        None
    }
}

impl Strange {
    /// Looks at the beginning of a log; `None` where it is neither JSON nor rows.
    pub(crate) fn of(start: &[u8]) -> Option<Box<Self>> {
        if let Some(strange) = Self::unread(start) {
            return Some(strange);
        }
        let shape = Shape::of(start, None).filter(|shape| !shape.keys.is_empty());
        let is_bill = shape.as_ref().is_some_and(Shape::is_report);
        let proposed = shape.as_ref().and_then(propose).filter(|_| !is_bill);
        let proposed = proposed.map(|proposal| (proposal.mapping.text(), proposal.rows));
        if let Some((what, first)) = hidden(start).filter(|_| proposed.is_none() && !is_bill) {
            return Some(Box::new(Self { what: what.to_owned(), first: Some(first), is_bill, proposed }));
        }
        let shape = shape?;
        Some(Box::new(Self { what: shape.describe(), first: None, is_bill, proposed }))
    }

    /// Does so by its first bytes alone; `None` where they may be a log's.
    pub(crate) fn unread(start: &[u8]) -> Option<Box<Self>> {
        let (_, what, first) = UNREAD.iter().find(|(magic, ..)| start.starts_with(magic))?;
        Some(Box::new(Self { what: (*what).to_owned(), first: Some(first), is_bill: false, proposed: None }))
    }

    /// Returns the mapping that might fit, as it is told on the command line.
    pub fn mapping(&self) -> Option<&str> {
        self.proposed.as_ref().map(|(mapping, _)| mapping.as_str())
    }
}

impl fmt::Display for Strange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.first {
            return write!(f, "; it is {}, which is not read: {first}", self.what);
        }
        write!(f, "\nit holds {}", self.what)?;
        match &self.proposed {
            None if self.is_bill => f.write_str(
                "\nhint: sums that a provider reports are no log; `pointsman reconcile LOG --bill FILE` sets them beside one",
            ),
            Some((mapping, rows)) => write!(f, "\nits first entries, if read with --map '{mapping}':\n{}", rows.trim_end()),
            None => f.write_str(
                "\nhint: say where its fields stand: --map at=KEY,model=KEY,in=KEY,out=KEY (docs/logs.md), or name its format with --input-format",
            ),
        }
    }
}

/// Says how to go on with a log that is neither JSON nor rows.
fn no_idea() -> String {
    format!("; name the format with --input-format: {}", names())
}
