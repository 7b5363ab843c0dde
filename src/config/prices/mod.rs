//! Price books on disk: the built-in ones, the operator's own, and LiteLLM's catalogue as a source of more.
//!
//! Invariant: a price travels from the text of a file into [`PicoPerMillion`](crate::units::PicoPerMillion) as decimal
//! digits; it is exact or it is refused, never rounded.

mod layer;
mod litellm;
mod read;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::pricing::PriceBook;
use crate::units::{Slip, choice};

pub use layer::{files, layered, over};
pub use litellm::{Import, Reason, Refusal, import_litellm};
pub use read::from_toml;
pub use write::{row_toml, to_toml};

/// Why a price book could not be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error("{}: cannot read the price book: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no TOML.
    #[error("{file}:{slip}")]
    Syntax {
        /// The file.
        file: String,
        /// Where, and what to write instead.
        slip: Slip,
    },
    /// A field is missing, unknown or wrong.
    #[error("{file}:{line}: {field}: {message}\nhint: {hint}")]
    Field {
        /// The file.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// The field, as a dotted path.
        field: String,
        /// What is wrong with it.
        message: String,
        /// How to mend it.
        hint: String,
    },
    /// A JSON file is no LiteLLM catalogue.
    #[error(
        "{file}:{line}: {message}\nhint: a .json price file is read as LiteLLM's model_prices_and_context_window.json"
    )]
    Catalogue {
        /// The file.
        file: String,
        /// The line, counted from 1; 0 when the file as a whole is meant.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// There is no such file.
    #[error("{}: no such price book\nhint: known books are {}; a path to a .toml or .json file works too", path.display(), known.join(", "))]
    NoFile {
        /// The file asked for.
        path: PathBuf,
        /// The names that would have worked.
        known: Vec<String>,
    },
    /// A book was asked for without a name.
    #[error("the name of the price book is empty\nhint: known books are {}, `only:NAME` takes one alone; a path to a .toml or .json file works too", known.join(", "))]
    NoName {
        /// The names that would have worked.
        known: Vec<String>,
    },
    /// No book has this name.
    #[error(
        "no price book `{name}`\nhint: a path to a .toml or .json file works too; {}",
        choice(name, known)
    )]
    UnknownBook {
        /// The name asked for.
        name: String,
        /// The names that would have worked.
        known: Vec<String>,
    },
}

/// The book that all others are laid over.
const BASE: &str = "list";

/// The books that ship inside the program: name and text.
const BUILTIN: [(&str, &str); 2] = [
    ("list", include_str!("../../../config/prices/list.toml")),
    ("guide-2026", include_str!("../../../config/prices/guide-2026.toml")),
];

/// Returns the names of the built-in books.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|(name, _)| *name)
}

/// Returns the text of a built-in book, to start one's own from.
pub fn builtin_text(name: &str) -> Option<&'static str> {
    BUILTIN.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

/// Returns a built-in book. That each of them can be read is held by a test.
pub fn builtin(name: &str) -> Option<PriceBook> {
    from_toml(builtin_text(name)?, &format!("built-in {name}.toml")).ok()
}

/// Reads a book from a file: `.json` as LiteLLM's catalogue (refused entries are left out), anything else as TOML.
pub fn load(path: &Path) -> Result<PriceBook, Error> {
    let text = read_file(path)?;
    let file = path.display().to_string();
    if path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("json")) {
        return import_litellm(&text, &file).map(|import| import.book);
    }
    from_toml(&text, &file)
}

/// Reads the text of a price file.
pub fn read_file(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// Finds a book by path, by name among the operator's own (`prices/NAME.toml` under `user_dir`), or by built-in name.
pub fn resolve(name_or_path: &str, user_dir: Option<&Path>) -> Result<PriceBook, Error> {
    if name_or_path.trim().is_empty() {
        return Err(Error::NoName { known: known_names(user_dir) });
    }
    let path = Path::new(name_or_path);
    let written_as_path = path.components().count() != 1
        || path
            .extension()
            .is_some_and(|ext| ext.eq_ignore_ascii_case("toml") || ext.eq_ignore_ascii_case("json"));
    if written_as_path {
        // Also a file of the configuration folder, named as it is called there.
        let own = user_dir.map(|dir| dir.join("prices").join(path)).filter(|own| own.is_file());
        return match own.filter(|_| !path.exists()) {
            Some(own) => load(&own),
            None if path.exists() => load(path),
            None => Err(Error::NoFile { path: path.to_owned(), known: known_names(user_dir) }),
        };
    }
    if let Some(own) = user_dir.map(|dir| book_path(dir, name_or_path)).filter(|own| own.is_file()) {
        return load(&own);
    }
    builtin(name_or_path)
        .ok_or_else(|| Error::UnknownBook { name: name_or_path.to_owned(), known: known_names(user_dir) })
}

/// Says where the operator's own book of that name lives.
pub fn book_path(user_dir: &Path, name: &str) -> PathBuf {
    user_dir.join("prices").join(format!("{name}.toml"))
}

/// Lists the books that [`resolve`] knows by name, the operator's own first.
pub fn known_names(user_dir: Option<&Path>) -> Vec<String> {
    let mut names: Vec<String> = user_dir
        .and_then(|dir| fs::read_dir(dir.join("prices")).ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            entry.ok()?.path().file_name()?.to_str()?.strip_suffix(".toml").map(str::to_owned)
        })
        .collect();
    names.sort_unstable();
    for name in builtin_names() {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}
