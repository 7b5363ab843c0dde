//! Tags of a request: names with values, as one text.
//!
//! Invariant: the same tags are the same text, in whatever order they were told; a name has one value.

use std::fmt::Write as _;

use super::{OTHERS, is_safe};

/// The most tags of a request; those that come later in the alphabet are left out.
const MOST: usize = 16;
/// The longest name and the longest value, in bytes.
const LONGEST: usize = 128;

/// Says whether a text can be the name of a tag.
pub fn is_tag_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST
        && name.chars().all(|c| is_safe(c) && !matches!(c, '=' | ',' | ' '))
}

/// Puts tags together as one text; of a name that comes twice the first value counts. What cannot be a tag is left out.
pub fn tag_set<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = String::new();
    for (name, value) in tag_list(pairs) {
        let _ = write!(text, "{}{name}={value}", if text.is_empty() { "" } else { "\n" });
    }
    text
}

/// Lists tags as a set of them has them.
pub fn tag_list<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let clean = |(name, value): (&'a str, &'a str)| (name.trim(), value.trim());
    let is_tag = |(name, value): &(&str, &str)| {
        is_tag_name(name) && !value.is_empty() && value.len() <= LONGEST && value.chars().all(is_safe)
    };
    let mut list: Vec<_> = pairs.into_iter().map(clean).filter(is_tag).collect();
    list.sort_by_key(|(name, _)| *name);
    list.dedup_by_key(|(name, _)| *name);
    list.truncate(MOST);
    list
}

/// Reads `NAME=VALUE`.
pub fn tag(text: &str) -> Option<(&str, &str)> {
    text.split_once('=')
}

/// Lists the tags of a set, each as `NAME=VALUE`.
pub fn tags_of(set: &str) -> impl Iterator<Item = &str> {
    set.split('\n').filter(|tag| !tag.is_empty())
}

/// Returns the value of a tag within a set; empty where there is none. Of sets that are not told apart nobody knows it.
pub fn tag_value<'a>(set: &'a str, name: &str) -> &'a str {
    if set == OTHERS {
        return OTHERS;
    }
    tags_of(set).filter_map(tag).find(|(known, _)| *known == name).map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_tags_are_the_same_text_and_what_cannot_be_one_is_left_out() {
        let set =
            tag_set([("env", "prod"), ("a b", "x"), ("cost-centre", " 4711 "), ("env", "test"), ("x", "")]);
        assert_eq!(set, "cost-centre=4711\nenv=prod");
        assert_eq!(set, tag_set([("cost-centre", "4711"), ("env", "prod")]));
        assert_eq!((tag_value(&set, "env"), tag_value(&set, "x"), tag_value("", "env")), ("prod", "", ""));
        assert_eq!(
            tags_of(&set).map(tag).collect::<Vec<_>>(),
            [Some(("cost-centre", "4711")), Some(("env", "prod"))]
        );
        let many: Vec<String> = (10..90).map(|n| n.to_string()).collect();
        assert_eq!(tags_of(&tag_set(many.iter().map(|name| (name.as_str(), "1")))).count(), MOST);
        assert_eq!(tag_value(OTHERS, "env"), OTHERS);
        assert_eq!(tag_set([("a", "1\n2"), ("b", "\u{1b}[2J"), ("c", &"x".repeat(200))]), "");
    }
}
