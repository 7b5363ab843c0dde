//! The files of prices: looked at while serving; what changed holds for all that arrives from then on.
//!
//! Invariant: a file that cannot be read changes nothing: the prices that were read last stay in force, and it is said.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Gateway, lock, now};
use crate::config::Watched;
use crate::config::prices::{self, layered};
use crate::pricing::{Amended, PriceBook, PriceRow};
use crate::units::counted;

/// Changes that are told one by one.
const TOLD: usize = 5;

/// The prices as they are named, and the files that they come from.
#[derive(Debug, Default)]
pub struct Tariff {
    named: String,
    folder: Option<PathBuf>,
    files: Watched,
}

impl Tariff {
    /// Watches the files of such prices.
    pub fn new(named: &str, folder: Option<&Path>) -> Self {
        let files = Watched::new(prices::files(named, folder));
        Self { named: named.to_owned(), folder: folder.map(Path::to_owned), files }
    }

    /// Looks whether a file changed, and reads the prices anew.
    fn look(&mut self) -> Option<Result<PriceBook, prices::Error>> {
        self.files.changed().then(|| layered(&self.named, self.folder.as_deref()))
    }
}

impl Gateway {
    /// Looks whether a file of prices changed, and brings them into force. Returns what became of it in words.
    pub(super) fn look_at_prices(&self) -> Option<String> {
        let looked = lock(&self.tariff).look()?;
        let book = match looked {
            Ok(book) => book,
            Err(error) => return Some(format!("prices: {error}; the prices before stay in force")),
        };
        let amended = self.live.reprice(&book, now());
        let (mut before, mut after) = (String::new(), String::new());
        for change in &amended.changes {
            let was = change.before.as_ref().map_or_else(|| "unknown".to_owned(), words);
            let _ = writeln!(before, "{}: {was}", change.model);
            let from = change.row.from.map_or_else(String::new, |from| format!(" from {}", from.rfc3339()));
            let _ = writeln!(after, "{}: {}{from}", change.model, words(&change.row));
        }
        if !amended.changes.is_empty() {
            self.audit(now(), "prices file", "prices", (&before, &after));
        }
        told(&amended)
    }
}

fn words(row: &PriceRow) -> String {
    let base = &row.standard.base;
    let hours = row.hours_text().map_or_else(String::new, |hours| format!(" ({hours})"));
    format!("{} in, {} out per 1M{hours}", base.input.dollars(), base.output.dollars())
}

/// Says what became of prices; nothing where nothing did.
fn told(amended: &Amended) -> Option<String> {
    let mut parts = Vec::new();
    for change in amended.changes.iter().take(TOLD) {
        let from = change.row.from.filter(|from| *from > now());
        let from = from.map_or_else(String::new, |from| format!(" from {}", from.rfc3339()));
        parts.push(format!("{} {}{from}", change.model, words(&change.row)));
    }
    if let Some(more) = amended.changes.len().checked_sub(TOLD).filter(|more| *more > 0) {
        parts.push(format!("{} more", counted(more as u64, "price")));
    }
    if !amended.gone.is_empty() {
        parts.push(format!("without a price now, so the last stays: {}", amended.gone.join(", ")));
    }
    if !amended.renamed.is_empty() {
        parts.push(format!(
            "names of other models than before, which takes a new start: {}",
            amended.renamed.join(", ")
        ));
    }
    (!parts.is_empty()).then(|| format!("prices: {}", parts.join("; ")))
}
