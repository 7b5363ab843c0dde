//! Forgiving JSON words for logs: text borrowed from the line, numbers that may be written as text, JSON within text.
//!
//! Invariant: `null` and an absent key mean "not said"; a value of the wrong kind is an error that names its place.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::by_name::{ByName, Reading};
use super::forgiving::in_words;
pub(crate) use super::forgiving::maybe;

/// What stands at one place, whatever is due there. Of a list or an object only that it is one, and whether it is empty.
#[derive(Clone, Debug)]
pub(crate) enum Plain<'a> {
    Null,
    Truth(bool),
    Whole(u64),
    Negative(i64),
    Real(f64),
    Text(Cow<'a, str>),
    List { is_empty: bool },
    Object,
}

impl<'de: 'a, 'a> Deserialize<'de> for Plain<'a> {
    #[inline]
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Anything;
        impl<'de> Visitor<'de> for Anything {
            type Value = Plain<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Plain::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Plain::Text(Cow::Owned(text.to_owned())))
            }
            fn visit_bool<E: Error>(self, yes: bool) -> Result<Self::Value, E> {
                Ok(Plain::Truth(yes))
            }
            fn visit_u64<E: Error>(self, n: u64) -> Result<Self::Value, E> {
                Ok(Plain::Whole(n))
            }
            fn visit_i64<E: Error>(self, n: i64) -> Result<Self::Value, E> {
                Ok(u64::try_from(n).map_or(Plain::Negative(n), Plain::Whole))
            }
            fn visit_f64<E: Error>(self, n: f64) -> Result<Self::Value, E> {
                Ok(Plain::Real(n))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Plain::Null)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut is_empty = true;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    is_empty = false;
                }
                Ok(Plain::List { is_empty })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Plain::Object)
            }
        }
        deserializer.deserialize_any(Anything)
    }
}

impl Plain<'_> {
    /// Says that something else is due.
    #[cold]
    pub(crate) fn unfit<E: Error>(&self, due: &'static str) -> E {
        E::invalid_type(
            match self {
                Self::Null => Unexpected::Unit,
                Self::Truth(yes) => Unexpected::Bool(*yes),
                Self::Whole(n) => Unexpected::Unsigned(*n),
                Self::Negative(n) => Unexpected::Signed(*n),
                Self::Real(n) => Unexpected::Float(*n),
                Self::Text(text) => Unexpected::Str(text),
                Self::List { .. } => Unexpected::Seq,
                Self::Object => Unexpected::Map,
            },
            &due,
        )
    }
}

/// Text borrowed from the line unless it holds escapes; numbers are taken as they print, `null` as empty.
///
/// A plain `Cow` would not do: serde copies it whenever it sits inside an `Option`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Plain::deserialize(deserializer)? {
            Plain::Text(text) => text,
            Plain::Whole(n) => n.to_string().into(),
            Plain::Negative(n) => n.to_string().into(),
            Plain::Real(n) => n.to_string().into(),
            Plain::Null => Cow::default(),
            other => return Err(other.unfit("text")),
        }))
    }
}

/// Owned text for foreign formats: whatever stands there as one word; lists and objects count as not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) String);

impl Word {
    /// Returns the first of several words that is not empty.
    pub(crate) fn first<'w>(words: impl IntoIterator<Item = &'w Word>) -> String {
        words.into_iter().find(|word| !word.0.is_empty()).map(|word| word.0.clone()).unwrap_or_default()
    }
    /// Returns the word as borrowed text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
    /// Says whether nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::ops::Deref for Word {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match Plain::deserialize(deserializer)? {
            Plain::Text(text) => text.into_owned(),
            Plain::Truth(yes) => yes.to_string(),
            Plain::Whole(n) => n.to_string(),
            Plain::Negative(n) => n.to_string(),
            Plain::Real(n) => n.to_string(),
            Plain::Null | Plain::List { .. } | Plain::Object => String::new(),
        }))
    }
}

/// A count: a whole number that is not negative, also as text or as `12.0`; `null` and `{}` are "not said".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Num(pub(crate) Option<u64>);

impl Num {
    /// Returns this count, or another where this one is not said.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0.or(other.0))
    }
    /// Reads a count that stands as text, also as `12.0`; `None` where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let whole = text.trim().strip_suffix(".0").unwrap_or(text.trim());
        whole.parse().ok().map(|count| Self(Some(count)))
    }
    /// Returns the larger of two counts of the same thing; one that is not said is the smallest.
    pub(crate) fn most(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }
    /// Takes over what another block of the same stream says of a count: it is a running total, which never shrinks.
    pub(crate) fn absorb(&mut self, then: Self) {
        *self = self.most(then);
    }
    /// Returns the count, taking "not said" as zero.
    pub(crate) fn or_zero(self) -> u64 {
        self.0.unwrap_or(0)
    }
}

/// The largest whole number below which every `f64` is exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl<'de> Deserialize<'de> for Num {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let plain = Plain::deserialize(deserializer)?;
        Ok(Self(match &plain {
            Plain::Null | Plain::Object | Plain::List { is_empty: true } => None,
            Plain::Whole(n) => Some(*n),
            Plain::Negative(_) => return Err(D::Error::custom("a negative count")),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, in range and not negative by the test before"
            )]
            Plain::Real(n) if (0.0..EXACT).contains(n) && n.fract() == 0.0 => Some(*n as u64),
            Plain::Real(_) => return Err(D::Error::custom("not a whole number that is not negative")),
            Plain::Text(text) if text.trim().is_empty() => None,
            Plain::Text(text) => {
                Some(text.trim().parse().map_err(|_| D::Error::custom("not a whole number"))?)
            }
            Plain::Truth(_) | Plain::List { .. } => {
                return Err(plain.unfit("a whole number that is not negative"));
            }
        }))
    }
}

/// A measured number (seconds, milliseconds), also as text; anything else is "not said".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Measure(pub(crate) Option<f64>);

impl Measure {
    /// Reads a word.
    pub(crate) fn of(word: &str) -> Self {
        Self(word.trim().parse().ok().filter(|n: &f64| n.is_finite()))
    }
    /// Returns the measure times `factor`, rounded to a whole number of `u32`; `None` where it does not fit.
    pub(crate) fn scaled(self, factor: f64) -> Option<u32> {
        let value = (self.0? * factor).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "in range by the test before"
        )]
        (value >= 0.0 && value <= f64::from(u32::MAX)).then_some(value as u32)
    }
}

impl<'de> Deserialize<'de> for Measure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Word::deserialize(deserializer).map(|word| Self::of(word.as_str()))
    }
}

/// An object that may be written as JSON within text, as database dumps do; `null` and empty text are "not said".
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Embedded<T>(pub(crate) T);

impl<'de, T: DeserializeOwned + Default> Deserialize<'de> for Embedded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(std::marker::PhantomData<T>);
        impl<'de, T: DeserializeOwned + Default> Visitor<'de> for Either<T> {
            type Value = Embedded<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, or JSON within text")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let mut map = Reading { inner: map, has_begun: false };
                T::deserialize(serde::de::value::MapAccessDeserializer::new(&mut map)).map(Embedded)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Embedded(T::default()))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                if text.trim().is_empty() || text.trim() == "null" {
                    return Ok(Embedded(T::default()));
                }
                read(text).map(Embedded).map_err(|reason| E::custom(format!("within the text: {reason}")))
            }
            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Embedded(T::default()))
            }
        }
        deserializer.deserialize_any(Either(std::marker::PhantomData))
    }
}

/// An object or a list; what says nothing is the default.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    maybe(d).map(Option::unwrap_or_default)
}

/// A value that is read so.
#[derive(Default, Deserialize)]
#[serde(transparent, bound = "T: Deserialize<'de> + Default")]
pub(crate) struct Nullable<T>(#[serde(deserialize_with = "nullable")] pub(crate) T);

/// How deep values may nest; the skipping of unknown fields recurses.
pub(crate) const DEEPEST: u32 = 128;
/// Texts up to this long cannot nest deep enough to matter.
const SHALLOW: usize = 512;

/// Reads one JSON value; an error says what is wrong and under which key.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    if text.len() > SHALLOW && is_too_deep(text.as_bytes()) {
        return Err(format!("nests deeper than {DEEPEST} levels"));
    }
    sonic_rs::from_str(text).map(|ByName(value)| value).map_err(|error| explain(text, &error))
}

/// Says whether values nest deeper than [`DEEPEST`].
pub(crate) fn is_too_deep(text: &[u8]) -> bool {
    // Most texts have too few openings to be deep at all, whatever stands in strings.
    if memchr::memchr2_iter(b'[', b'{', text).nth(DEEPEST as usize).is_none() {
        return false;
    }
    let mut depth = 0u32;
    for (_, byte) in outside_texts(text) {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > DEEPEST {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Returns the bytes of JSON that are not within its texts, each with its place; of a text only the quote that opens it.
pub(super) fn outside_texts(json: &[u8]) -> impl Iterator<Item = (usize, u8)> {
    let (mut is_within, mut is_escaped) = (false, false);
    json.iter().copied().enumerate().filter(move |&(_, byte)| {
        let was_within = is_within;
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_within => is_escaped = true,
            b'"' => is_within = !is_within,
            _ => {}
        }
        !was_within
    })
}

/// Says in one line what is wrong, naming the key that stands before the fault.
#[cold]
fn explain(text: &str, error: &sonic_rs::Error) -> String {
    let full = error.to_string();
    let first = full.lines().next().unwrap_or("not JSON");
    let what = in_words(first.split(" at line ").next().unwrap_or(first).trim());
    let column = error.offset().saturating_add(1);
    match key_before(text.as_bytes(), error.offset()) {
        Some(key) if error.is_unmatched_type() => format!("{key}: {what} (column {column})"),
        Some(key) => format!("not JSON after `{key}`: {what} (column {column})"),
        None => format!("not JSON: {what} (column {column})"),
    }
}

/// Finds the last key that begins before `offset`.
fn key_before(text: &[u8], offset: usize) -> Option<String> {
    let mut key = None;
    let mut at = 0;
    while at < text.len() && at < offset {
        if text.get(at) != Some(&b'"') {
            at += 1;
            continue;
        }
        let start = at + 1;
        at = start;
        while let Some(&byte) = text.get(at) {
            match byte {
                b'\\' => at += 2,
                b'"' => break,
                _ => at += 1,
            }
        }
        let end = at.min(text.len());
        at += 1;
        let colon =
            text.get(at..).unwrap_or_default().iter().copied().find(|byte| !byte.is_ascii_whitespace());
        if colon == Some(b':') && start < offset {
            key = text.get(start..end);
        }
    }
    let shown: String = String::from_utf8_lossy(key?).chars().take(60).collect();
    Some(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Sample<'a> {
        #[serde(borrow)]
        id: Text<'a>,
        n: Num,
        inner: Embedded<Inner>,
    }
    #[derive(Debug, Default, Deserialize)]
    #[serde(default)]
    struct Inner {
        n: Num,
    }

    #[test]
    fn text_is_borrowed_and_forgiving() {
        let plain: Sample<'_> = read(r#"{"id":"abc"}"#).unwrap();
        assert!(matches!(plain.id.0, Cow::Borrowed("abc")));
        for (line, want) in
            [(r#"{"id":"a\"b"}"#, "a\"b"), (r#"{"id":12}"#, "12"), (r#"{"id":null}"#, ""), ("{}", "")]
        {
            let sample: Sample<'_> = read(line).unwrap();
            assert_eq!(sample.id.0, want, "{line}");
        }
    }

    #[test]
    fn numbers_may_be_text_but_never_negative() {
        for (line, want) in [
            ("12", Some(12)),
            ("12.0", Some(12)),
            ("\"12\"", Some(12)),
            ("null", None),
            ("{}", None),
            ("0", Some(0)),
        ] {
            let line = format!("{{\"n\":{line}}}");
            assert_eq!(read::<Sample<'_>>(&line).unwrap().n.0, want, "{line}");
        }
        for bad in ["-1", "1.5", "\"x\"", "[1]", "1e300"] {
            let line = format!("{{\"id\":\"q\",\"n\":{bad}}}");
            let reason = read::<Sample<'_>>(&line).unwrap_err();
            assert!(reason.starts_with("n:"), "{line}: {reason}");
        }
    }

    #[test]
    fn json_within_text_is_read_like_an_object() {
        for line in [r#"{"inner":{"n":3}}"#, r#"{"inner":"{\"n\":3}"}"#] {
            assert_eq!(read::<Sample<'_>>(line).unwrap().inner.0.n.0, Some(3), "{line}");
        }
        assert!(read::<Sample<'_>>(r#"{"inner":"{\"n\":"}"#).unwrap_err().starts_with("inner"));
        assert_eq!(read::<Sample<'_>>(r#"{"inner":""}"#).unwrap().inner.0.n.0, None);
    }

    #[test]
    fn deep_nesting_is_refused_before_it_eats_the_stack() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let line = format!("{{\"x\":{}1{}}}", open.repeat(200_000), close.repeat(200_000));
            assert!(read::<Sample<'_>>(&line).unwrap_err().contains("deeper"), "{open}");
        }
        let brackets_in_text = format!("{{\"id\":\"{}\"}}", "[".repeat(5000));
        assert_eq!(read::<Sample<'_>>(&brackets_in_text).unwrap().id.0.len(), 5000);
    }
}
