//! What the latest bill said of the ledger, for whoever looks at spend: read again when its file changes.

use std::path::PathBuf;

use crate::config::{Watched, billed};
use crate::pricing::Billed;

/// The file that is kept beside the ledger, and what it said last.
#[derive(Debug, Default)]
pub(super) struct BillBeside {
    ledger: Option<PathBuf>,
    watched: Watched,
    told: Option<Billed>,
}

impl BillBeside {
    /// Looks beside a ledger; where there is none there is no bill.
    pub(super) fn new(ledger: Option<PathBuf>) -> Self {
        let watched = Watched::new(ledger.as_deref().map(billed::path_of));
        let told = ledger.as_deref().and_then(billed::read);
        Self { ledger, watched, told }
    }

    /// Looks whether there is another one.
    pub(super) fn look(&mut self) {
        if self.watched.changed() {
            self.told = self.ledger.as_deref().and_then(billed::read);
        }
    }

    /// Returns what the latest said.
    pub(super) fn told(&self) -> Option<Billed> {
        self.told.clone()
    }
}
