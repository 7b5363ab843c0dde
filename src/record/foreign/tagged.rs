//! Tags as other tools keep them: maps of names and values, or lists of words like `env:prod`.
//!
//! Invariant: a tag has a name and one value; of what is told twice the first counts, and what a column of ours holds is no tag.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::record::json::Plain;
use crate::record::value::{FromValue, Value, read};
use crate::routing::TAG;
use crate::units::tag_list;

/// The value of a tag that is a word alone.
const YES: &str = "yes";

/// Tags as a map or a list, also within text as database dumps have it; anything else is "not said".
pub(in crate::record) type Tags = TagsOf<'static>;

/// Tags whose words may stand in a log still.
#[derive(Clone, Debug, Default)]
pub(in crate::record) struct TagsOf<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> TagsOf<'a> {
    /// Makes some of words: `env:prod`, `env=prod`, `beta`.
    pub(in crate::record) fn of_words(words: impl IntoIterator<Item = Cow<'a, str>>) -> Self {
        Self(words.into_iter().map(of_word).collect())
    }

    /// Returns the value of one.
    pub(in crate::record) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_ref())
    }

    /// Says whether a word stands in the list.
    pub(in crate::record) fn has_word(&self, word: &str) -> bool {
        self.0.iter().any(|(name, value)| name == word && value == YES)
    }
}

impl Tags {
    /// Makes some of names and values.
    pub(in crate::record) fn of_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Adds others behind these.
    pub(super) fn add(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}

/// Cuts a word into name and value.
fn of_word(word: Cow<'_, str>) -> (Cow<'_, str>, Cow<'_, str>) {
    match word {
        Cow::Borrowed(word) => {
            let (name, value) = cut(word);
            (name.into(), value.into())
        }
        Cow::Owned(word) => {
            let (name, value) = cut(&word);
            (name.to_owned().into(), value.to_owned().into())
        }
    }
}

fn cut(word: &str) -> (&str, &str) {
    let (name, value) = word.split_once(['=', ':']).unwrap_or((word, YES));
    (name.trim(), value.trim())
}

/// Writes tags as they stand among what a record tells of its circumstances; `columns` are names that are no tags here.
pub(in crate::record) fn words(tags: &[&TagsOf<'_>], columns: &[&str]) -> Vec<Cow<'static, str>> {
    let told = tags.iter().flat_map(|tags| &tags.0).filter(|(name, _)| !columns.contains(&name.as_ref()));
    let list = tag_list(told.map(|(name, value)| (name.as_ref(), value.as_ref())));
    list.into_iter().map(|(name, value)| [TAG, name, "=", value].concat().into()).collect()
}

impl FromValue for Tags {
    fn from_value(value: Value<'_>) -> Result<Self, String> {
        Ok(match value.plain()? {
            Plain::List { .. } => {
                let words = value.items()?.into_iter().map(|item| Ok(item.word()?.into_owned().into()));
                Self::of_words(words.collect::<Result<Vec<_>, String>>()?)
            }
            Plain::Object => {
                let object = value.object()?;
                let pairs =
                    object.members().map(|(name, value)| Ok((name.to_owned(), value.word()?.into_owned())));
                Self::of_pairs(pairs.collect::<Result<BTreeMap<_, _>, String>>()?)
            }
            Plain::Text(text) if text.trim_start().starts_with(['[', '{']) => read(&text).unwrap_or_default(),
            _ => Self::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<String> {
        words(&[&super::read::<Tags>(text).unwrap()], &["team"]).into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn maps_lists_and_text_of_either_are_tags_and_nothing_else_is() {
        for told in [
            r#"{"env":"prod","beta":"yes","team":"a"}"#,
            r#"["env:prod","beta"]"#,
            r#"["beta","env=prod","env:test"]"#,
            r#""[\"env:prod\",\"beta\"]""#,
            r#""{\"env\":\"prod\",\"beta\":\"yes\"}""#,
        ] {
            assert_eq!(read(told), ["tag:beta=yes", "tag:env=prod"], "{told}");
        }
        for told in ["null", "true", "3", "1.5", "\"prod\"", "[]", "{}", r#"{"a":{"b":1}}"#, "\"[broken\""] {
            assert!(read(told).is_empty(), "{told}");
        }
    }
}
