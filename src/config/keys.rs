//! The user's own keys: `keys.toml` read into a plain list. What the keys mean is the console's business.
//!
//! A file has one table per group of actions: `[tune]` and in it `nudge-up = ["right", "k"]`; one key may stand without
//! the brackets, and `[]` takes all keys away. Invariant: every error names file and line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::FileError;
use crate::units::line_of;

/// The keys.toml that comes with the program: every action with the keys it has anyhow.
pub const DEFAULT_KEYS: &str = include_str!("../../config/keys.toml");

/// The keys that an action shall have instead of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remap {
    /// The action's id: `tune.nudge-up`.
    pub action: String,
    /// Its keys as they were written: `ctrl-r`, `alt-left`, `0..9`.
    pub keys: Vec<String>,
    /// The file.
    pub origin: String,
    /// The line, from 1.
    pub line: usize,
}

/// Reads a key file.
pub fn read(origin: &str, text: &str) -> Result<Vec<Remap>, FileError> {
    let fail = |at: usize, what: String| FileError::new(origin, line_of(text, at), what);
    let table = DeTable::parse(text).map_err(|error| FileError::of_toml(origin, text, &error))?;
    let mut remaps = Vec::new();
    for (group, value) in table.get_ref() {
        let group_name = group.get_ref();
        let DeValue::Table(actions) = value.get_ref() else {
            let what = format!("`{group_name}` stands in no group; write a head above it, such as [tune]");
            return Err(fail(group.span().start, what));
        };
        for (name, value) in actions {
            let action = format!("{group_name}.{}", name.get_ref());
            let keys = read_keys(value).ok_or_else(|| {
                fail(
                    name.span().start,
                    format!("`{action}` wants a key or a list of keys, such as [\"right\", \"k\"]"),
                )
            })?;
            let line = line_of(text, name.span().start);
            remaps.push(Remap { action, keys, origin: origin.to_owned(), line });
        }
    }
    Ok(remaps)
}

fn read_keys(value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    match value.get_ref() {
        DeValue::String(key) => Some(vec![key.clone().into_owned()]),
        DeValue::Array(keys) => keys.iter().map(|key| key.get_ref().as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_one_or_many() {
        let remaps =
            read("keys.toml", "[tune]\nnudge-up = [\"right\", \"k\"]\n[app]\nquit = \"x\"\nhelp = []\n")
                .unwrap();
        let find = |id: &str| remaps.iter().find(|r| r.action == id).unwrap();
        assert_eq!(find("tune.nudge-up").keys, ["right", "k"]);
        assert_eq!(find("tune.nudge-up").line, 2);
        assert_eq!(find("app.quit").keys, ["x"]);
        assert!(find("app.help").keys.is_empty());
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line) in [("[tune]\nx = 3", 2), ("quit = \"q\"", 1), ("[a]\n\nb = [1]", 3), ("[a\n", 1)] {
            let error = read("keys.toml", text).unwrap_err();
            assert_eq!(error.place.line, line, "{error}");
            assert!(error.to_string().starts_with("keys.toml:"), "{error}");
        }
    }
}
