//! How a ledger is kept, as whoever opens one says it, and the clock that it goes by.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::units::Instant;

/// What a commit promises.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the program loses nothing committed; a power failure may lose the last moments.
    #[default]
    Normal,
    /// What is committed is on the disk.
    Strict,
}

/// What a run is written down with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    /// Program and version.
    pub program: String,
    /// Where it listens.
    pub listen: String,
    /// The classifier's name and hash.
    pub classifier: String,
    /// The price book's name and date.
    pub prices: String,
}

/// How a ledger is kept.
#[derive(Clone, Debug)]
pub struct LedgerOptions {
    /// The file.
    pub path: PathBuf,
    /// What a commit promises.
    pub durability: Durability,
    /// How long entries gather before they are written, unless someone waits for them.
    pub batch: Duration,
    /// The most entries that wait in memory while nothing can be written; operations under way may exceed it a little.
    pub queue_limit: usize,
    /// How long a commit is waited for.
    pub deadline: Duration,
    /// What the run is written down with.
    pub run: Run,
    /// The gateway that writes, by its id; the one whose ledger it is where none is named.
    pub gateway: Option<String>,
    /// Hears how many of how many operations of an older ledger have been brought up to date.
    pub progress: fn(u64, u64),
}

impl LedgerOptions {
    /// Keeps a ledger at a path, everything else as usual.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::Normal,
            batch: Duration::from_millis(10),
            queue_limit: 200_000,
            deadline: Duration::from_secs(2),
            run: Run { program: format!("pointsman {}", env!("CARGO_PKG_VERSION")), ..Run::default() },
            gateway: None,
            progress: |_, _| {},
        }
    }
}

/// Returns the moment by the system's clock.
pub fn now() -> Instant {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Instant(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
