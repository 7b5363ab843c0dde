//! Patterns of names: letters as they are, and `*` for any.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A pattern of names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub Arc<str>);

impl Pattern {
    /// Matches every name.
    pub fn any() -> Self {
        Self("*".into())
    }

    /// Says whether a name is of this pattern.
    pub fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything() {
        for (pattern, name, fits) in [
            ("*", "", true),
            ("*", "teams/day of search", true),
            ("teams/*", "teams/day of search", true),
            ("*search", "teams/day of search", true),
            ("*day*", "teams/day of search", true),
            ("teams*of*search", "teams/day of search", true),
            ("teams", "teams/day", false),
            ("a*a", "a", false),
            ("a*b*c", "abc", true),
            ("a*b*c", "acb", false),
            ("", "", true),
            ("", "x", false),
        ] {
            assert_eq!(Pattern(pattern.into()).matches(name), fits, "{pattern} {name}");
        }
    }
}
