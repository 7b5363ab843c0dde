//! The ledger: what was asked, decided, used and charged, durably, in SQLite. A writer thread of its own takes entries in
//! batches, so that no request ever waits on the disk unless it asks to.
//!
//! Invariants: a committed charge is never lost nor changed; a charge is written once for each attempt, whatever is
//! retried; what cannot be written is kept and told, and what cannot be kept is counted; amounts are exact.

mod alerting;
mod alerts;
mod batch;
mod budgets;
mod chain;
mod check;
mod corrections;
mod encoding;
mod entry;
mod error;
mod export;
mod exported;
mod extract;
mod file;
mod guard;
mod handle;
mod interrupted;
mod kept;
mod lock;
mod marks;
mod opening;
mod options;
mod price;
mod prompted;
mod proof;
mod queue;
mod reading;
mod recover;
mod rollouts;
mod row;
mod runs;
mod salvage;
mod schema;
mod since;
mod spent;
mod sqlite;
mod state;
mod stops;
mod stored;
mod sums;
mod vacuum;
mod verdicts;
mod verify;
mod wal;
mod writer;
mod writing;

pub use alerting::{Alerting, Delivery, DeliveryState, News};
pub use alerts::Alarms;
pub use chain::{Cursor, Head};
pub use check::CheckReport;
pub use corrections::ChargedCalls;
pub use entry::{
    AttemptEnded, AttemptStarted, Audit, Closed, Correction, Entry, Kept, Label, Note, Opened, PolicyVersion,
    Prompt, Signal, Text,
};
pub use error::{Faults, LedgerError};
pub use export::{ExportOptions, Exported, export};
pub use exported::{ExportReport, check_export};
pub use file::{LedgerFile, PolicyInForce, Range, ServedBy};
pub use handle::Ledger;
pub use options::{Durability, LedgerOptions, Run, now};
pub use price::Price;
pub use prompted::Prompted;
pub use reading::{LedgerEntries, entries, entries_on};
pub use recover::Recovery;
pub use salvage::Salvaged;
pub use schema::is_ledger;
pub use spent::SpentCall;
pub use state::{Health, LedgerState};
pub use sums::{Sum, Totals};
pub use vacuum::{Vacuumed, vacuum};
pub use verdicts::Verdict;

use std::path::PathBuf;

/// The ledger's file within the data directory.
pub const FILE: &str = "ledger.db";

/// Returns the ledger's usual place.
///
/// # Errors
/// Where the system knows no folder for data.
pub fn usual_path() -> Result<PathBuf, LedgerError> {
    crate::config::data_dir().map(|dir| dir.join(FILE)).ok_or(LedgerError::NoFolder)
}
