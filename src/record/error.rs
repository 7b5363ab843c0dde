//! What goes wrong with a whole log; single bad lines are [`super::Skip`]s.

use std::io;
use std::path::PathBuf;

use super::format::names;

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
    #[error("{file}: no known log format in it; name the format with --input-format: {}", names())]
    UnknownFormat {
        /// The file.
        file: String,
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
