//! How prices and their books are written for people, and where one's own books lie.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::config::prices;
use crate::pricing::{PriceRow, Tier};
use crate::report::{Sheet, aligned};
use crate::units::{PicoPerMillion, marked};

pub(super) fn own_book(user_dir: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        bail!("`{name}` is no name for a price book\nhint: use letters, digits, `-`, `_` and `.`");
    }
    Ok(prices::book_path(user_dir, name))
}

pub(super) fn usd(price: Option<PicoPerMillion>) -> String {
    let Some(price) = price else { return "-".to_owned() };
    let text = price.usd_per_million();
    // Cents at least, so that a column of prices reads as one.
    match text.split_once('.') {
        None => format!("{text}.00"),
        Some((_, decimals)) if decimals.len() == 1 => format!("{text}0"),
        Some(_) => text,
    }
}

/// Says what of a row looks as if it were of another unit: it is taken all the same.
pub(super) fn doubt(row: &PriceRow) -> Option<String> {
    /// In dollars for a million tokens; the dearest that anybody lists takes 600 for an answer.
    const DEAR: i64 = 1000;
    let Tier { input, output, cache_read, .. } = row.standard.base;
    let is_dear = |price: PicoPerMillion| price.0 / 1_000_000_000_000 >= DEAR;
    if let Some(dear) = [input, output].into_iter().find(|price| is_dear(*price)) {
        return Some(format!(
            "{} for a million tokens is far above all that is listed: is it for a thousand?",
            dear.dollars()
        ));
    }
    let read = cache_read.filter(|read| *read > input)?;
    Some(format!("what is read from a cache costs {}, more than what is not", read.dollars()))
}

/// Makes text that comes from a file fit for a terminal.
pub(super) fn shown(text: &str) -> String {
    marked(text).into_owned()
}

/// Writes aligned columns.
pub(super) fn table(heads: &[&'static str], rows: Vec<Vec<String>>, out: &mut impl Write) -> io::Result<()> {
    let mut sheet = Sheet::new("", heads);
    sheet.rows = rows;
    aligned(&sheet).iter().try_for_each(|line| writeln!(out, "{line}"))
}
