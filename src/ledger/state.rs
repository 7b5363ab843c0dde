//! How the ledger is doing, as plain data for screens.

use std::fmt;
use std::path::PathBuf;

use super::Durability;
use crate::units::Instant;

/// How the ledger is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerState {
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes with what is not written back yet; as of the last look.
    pub size: u64,
    /// When something was last committed.
    pub last_commit: Option<Instant>,
    /// What a commit promises.
    pub durability: Durability,
    /// Entries written since the start.
    pub written: u64,
    /// Entries that had to be given up since the start.
    pub lost: u64,
    /// Whether it is well.
    pub health: Health,
}

/// Whether a ledger is well.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Health {
    /// Everything recorded is written, or about to be.
    #[default]
    Ok,
    /// The disk does not keep up; nothing is lost.
    Behind {
        /// Entries waiting.
        queued: usize,
    },
    /// Nothing can be written.
    Failing {
        /// Why, in words.
        reason: String,
        /// Since when.
        since: Instant,
        /// Entries waiting.
        queued: usize,
        /// Entries given up since then, because too many waited.
        lost: u64,
    },
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Behind { queued } => write!(f, "behind: {queued} entries wait to be written"),
            Self::Failing { reason, since, queued, lost } => {
                write!(f, "NOT WRITING since {}: {reason}; {queued} entries wait", since.clock())?;
                if *lost > 0 {
                    write!(f, ", {lost} LOST")?;
                }
                Ok(())
            }
        }
    }
}
