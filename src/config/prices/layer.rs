//! Books in layers: one's own prices over the list, so that a book need only name what differs.
//!
//! Invariants: a row of the upper book holds from its start on, whatever the lower one says of later; before it the lower
//! book's rows stay; a name of the upper book, alias or model, means what the upper book says.

use std::path::{Path, PathBuf};

use super::{BASE, Error, book_path, resolve};
use crate::pricing::{ModelPrices, PriceBook};

/// What stands before a book's name where it alone is meant.
const ONLY: &str = "only:";

/// Finds the prices to charge by: a book over the list, or with `only:` in front that book alone.
///
/// # Errors
/// As [`resolve`].
pub fn layered(name_or_path: &str, user_dir: Option<&Path>) -> Result<PriceBook, Error> {
    if let Some(only) = name_or_path.strip_prefix(ONLY) {
        return resolve(only, user_dir);
    }
    let upper = resolve(name_or_path, user_dir)?;
    if name_or_path == BASE {
        return Ok(upper);
    }
    Ok(over(upper, resolve(BASE, user_dir)?))
}

/// Names the files that such prices may be read from, whether they are there or not: what to look at for changes.
pub fn files(name_or_path: &str, user_dir: Option<&Path>) -> Vec<PathBuf> {
    let upper = name_or_path.strip_prefix(ONLY).unwrap_or(name_or_path);
    let lower = (upper == name_or_path).then_some(BASE);
    let own = |name: &str| user_dir.map(|dir| book_path(dir, name));
    let named = [Some(PathBuf::from(upper)), user_dir.map(|dir| dir.join("prices").join(upper)), own(upper)];
    named.into_iter().flatten().chain(lower.and_then(own)).collect()
}

/// Lays a book over another.
pub fn over(upper: PriceBook, lower: PriceBook) -> PriceBook {
    let mut book = PriceBook {
        name: format!("{} over {}", upper.name, lower.name),
        dated: if upper.dated.is_empty() { lower.dated } else { upper.dated },
        source: upper.source,
        models: lower.models,
        aliases: lower.aliases,
    };
    for target in book.aliases.values_mut() {
        if let Some(renamed) = upper.aliases.get(target) {
            target.clone_from(renamed);
        }
    }
    for (alias, target) in upper.aliases {
        book.models.remove(&alias);
        book.aliases.insert(alias, target);
    }
    for (name, prices) in upper.models {
        book.aliases.remove(&name);
        let below = book.models.remove(&name).unwrap_or_default();
        book.models.insert(name, laid(prices, below));
    }
    book
}

fn laid(upper: ModelPrices, lower: ModelPrices) -> ModelPrices {
    let mut rows = lower.rows;
    if let Some(first) = upper.rows.first() {
        rows.retain(|row| row.from < first.from);
    }
    rows.extend(upper.rows);
    ModelPrices {
        provider: upper.provider.or(lower.provider),
        max_input: upper.max_input.or(lower.max_input),
        max_output: upper.max_output.or(lower.max_output),
        deprecated: upper.deprecated.or(lower.deprecated),
        other_meters: upper.other_meters,
        rows,
    }
}
