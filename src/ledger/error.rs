//! What can go wrong with a ledger, in words that say where and how to mend it.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ErrorCode;

/// Why a ledger cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The folder or a file beside the ledger cannot be made.
    #[error("{}: {source}\nhint: POINTSMAN_DATA_DIR names another folder for the ledger", path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is no such file.
    #[error("{}: no ledger here\nhint: it is made with the first live traffic; `pointsman ledger path` says where", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Another process writes this ledger.
    #[error(
        "{}: another process writes this ledger{by}\nhint: end it, or name another folder with POINTSMAN_DATA_DIR; \
         reading (check, export, replay) works meanwhile", path.display()
    )]
    InUse {
        /// The ledger.
        path: PathBuf,
        /// Who, where known: ` (process 123)`.
        by: String,
    },
    /// The file is something else.
    #[error("{}: not a ledger of this program, and left as it is\nhint: move it away, or name another folder with POINTSMAN_DATA_DIR", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
    },
    /// The ledger was written by a newer program.
    #[error(
        "{}: the ledger has version {found}, this program knows versions up to {known}, and leaves it as it is\n\
         hint: use the newer program that wrote it, or name another folder with POINTSMAN_DATA_DIR", path.display()
    )]
    Newer {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that can be read.
        known: i64,
    },
    /// The newest part of the ledger stands in a file that cannot be shared from here.
    #[error(
        "{}: its newest part is not written back yet, and reading that needs a folder that can be written\n\
         hint: copy the ledger and the file ending in -wal to a folder of your own", path.display()
    )]
    NotWrittenBack {
        /// The ledger.
        path: PathBuf,
    },
    /// The ledger is older than what can be read without changing it.
    #[error(
        "{}: the ledger has version {found}; it is brought to version {known} the next time traffic is served",
        path.display()
    )]
    Older {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The version that can be read.
        known: i64,
    },
    /// The file is damaged.
    #[error(
        "{}: the file is damaged: {detail}\nhint: keep a copy, save what is readable with `pointsman ledger export --salvage`, \
         and move the file away to start a new one", path.display()
    )]
    Corrupt {
        /// The ledger.
        path: PathBuf,
        /// What is known of the damage.
        detail: String,
    },
    /// The database refused.
    #[error("{}: {what}: {}", path.display(), words(source))]
    Sqlite {
        /// The ledger.
        path: PathBuf,
        /// What was being done.
        what: &'static str,
        /// What it says.
        source: rusqlite::Error,
    },
    /// A stored value is none that this program writes.
    #[error(
        "row {seq}: {field}: `{found}` is not a value that this program writes\nhint: run `pointsman ledger check`"
    )]
    Value {
        /// The operation.
        seq: u64,
        /// The column.
        field: &'static str,
        /// What stands there.
        found: String,
    },
    /// Someone wants to go on from a place that the ledger does not have.
    #[error(
        "{wanted}: this ledger has no such place; its chain ends with {known}\nhint: another ledger, or one that was cut off; see `pointsman ledger check`"
    )]
    Place {
        /// The place.
        wanted: String,
        /// Where the chains end.
        known: String,
    },
    /// A commit that was waited for did not come in time.
    #[error("not written within {} ms: {reason}", waited.as_millis())]
    Late {
        /// How long was waited.
        waited: Duration,
        /// Why, as far as known.
        reason: String,
    },
    /// Entries were given up because too many were waiting to be written.
    #[error("{lost} entries could not be kept while the ledger could not be written")]
    Lost {
        /// How many.
        lost: u64,
    },
    /// The ledger was closed or could not be opened.
    #[error("the ledger is not open: {0}")]
    Closed(String),
    /// Someone cancelled the work.
    #[error("cancelled")]
    Cancelled,
    /// The output cannot be written.
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    /// There is no place for a ledger.
    #[error("no folder for data is known on this system\nhint: name one with POINTSMAN_DATA_DIR")]
    NoFolder,
}

impl LedgerError {
    /// Says whether it may pass by itself, or when somebody mends what lies outside of the file.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Folder { .. } | Self::Sqlite { .. })
    }

    /// Says it without its hint.
    pub(super) fn in_a_line(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }

    /// Says whether somebody else holds the file locked.
    pub(super) fn is_busy(&self) -> bool {
        let code = match self {
            Self::Sqlite { source, .. } => source.sqlite_error_code(),
            _ => None,
        };
        matches!(code, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    /// Wraps what SQLite says, telling damage from other trouble.
    pub(super) fn from_sqlite(path: &Path, what: &'static str, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => Self::NotALedger { path },
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt { path, detail: source.to_string() },
            _ => Self::Sqlite { path, what, source },
        }
    }
}

/// Says an error of the database in a person's words.
pub(super) fn words(error: &rusqlite::Error) -> String {
    let said = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => "another process holds the file locked",
        Some(ErrorCode::DatabaseCorrupt) => "the file is damaged",
        Some(ErrorCode::NotADatabase) => "the file is no database any more",
        Some(ErrorCode::ReadOnly) => "the file or its folder is read-only",
        Some(ErrorCode::PermissionDenied) => "the file may not be accessed",
        Some(ErrorCode::CannotOpen) => "the file cannot be opened",
        Some(ErrorCode::SystemIoFailure) => "the system reports an input or output error (is the disk full?)",
        _ => return error.to_string(),
    };
    format!("{said} ({error})")
}

/// Faults that are quoted; more are counted.
const QUOTED: usize = 40;

/// What could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Where and why, in words; at most the first forty.
    pub found: Vec<String>,
    /// How many.
    pub count: u64,
    /// Whether they end the work.
    pub(super) fatal: bool,
}

impl Faults {
    /// Ends the work at the first fault.
    pub(super) fn fatal() -> Self {
        Self { fatal: true, ..Self::default() }
    }

    /// Takes note of a fault, or gives it back where it ends the work.
    pub(super) fn pass(&mut self, what: &str, error: rusqlite::Error) -> rusqlite::Result<()> {
        if self.fatal {
            return Err(error);
        }
        self.tell(format!("{what}: {error}"));
        Ok(())
    }

    pub(super) fn tell(&mut self, text: String) {
        self.count += 1;
        if self.found.len() < QUOTED {
            self.found.push(text);
        }
    }
}
