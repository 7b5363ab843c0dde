//! Words and counts of JSON, whatever stands in their place, and what is wrong with a line in plain words.
//!
//! Invariant: `null` means "not said"; what is wrong is told with its key and column.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

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
    pub(crate) fn unfit(&self, due: &str) -> String {
        let found = match self {
            Self::Null => "null".to_owned(),
            Self::Truth(yes) => format!("`{yes}`"),
            Self::Whole(n) => format!("`{n}`"),
            Self::Negative(n) => format!("`{n}`"),
            Self::Real(n) => format!("`{n:?}`"),
            Self::Text(text) => format!("{text:?}"),
            Self::List { .. } => "a list".to_owned(),
            Self::Object => "an object".to_owned(),
        };
        format!("{found} stands where {due} is due")
    }
}

impl<'a> Plain<'a> {
    /// Returns whatever it is as one word; lists and objects count as not said.
    pub(crate) fn word(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            Self::Truth(yes) => if yes { "true" } else { "false" }.into(),
            Self::Whole(n) => n.to_string().into(),
            Self::Negative(n) => n.to_string().into(),
            Self::Real(n) => n.to_string().into(),
            Self::Null | Self::List { .. } | Self::Object => Cow::Borrowed(""),
        }
    }
}

/// A count: a whole number that is not negative, also as text or as `12.0`; `null` and `{}` are "not said".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Num(pub(crate) Option<u64>);

impl Num {
    /// Reads it.
    pub(crate) fn of(plain: &Plain<'_>) -> Result<Self, String> {
        Ok(Self(match plain {
            Plain::Null | Plain::Object | Plain::List { is_empty: true } => None,
            Plain::Whole(n) => Some(*n),
            Plain::Negative(_) => return Err("a negative count".to_owned()),
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole, in range and not negative by the test before"
            )]
            Plain::Real(n) if (0.0..EXACT).contains(n) && n.fract() == 0.0 => Some(*n as u64),
            Plain::Real(_) => return Err("not a whole number that is not negative".to_owned()),
            Plain::Text(text) if text.trim().is_empty() => None,
            Plain::Text(text) => Some(text.trim().parse().map_err(|_| "not a whole number".to_owned())?),
            Plain::Truth(_) | Plain::List { .. } => {
                return Err(plain.unfit("a whole number that is not negative"));
            }
        }))
    }
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

/// How deep values may nest; the skipping of unknown fields recurses.
pub(crate) const DEEPEST: u32 = 128;
/// Texts up to this long cannot nest deep enough to matter.
const SHALLOW: usize = 512;

/// Reads one JSON value; an error says what is wrong and under which key.
pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    check_depth(text)?;
    read_shallow(text)
}

/// Does the same where the depth is known to be none that is too deep.
pub(crate) fn read_shallow<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    sonic_rs::from_str(text).map_err(|error| explain(text, &error, 0))
}

/// Refuses what nests too deep.
pub(super) fn check_depth(text: &str) -> Result<(), String> {
    if text.len() > SHALLOW && is_too_deep(text.as_bytes()) {
        return Err(format!("nests deeper than {DEEPEST} levels"));
    }
    Ok(())
}

/// Says whether values nest deeper than [`DEEPEST`].
pub(crate) fn is_too_deep(text: &[u8]) -> bool {
    if text.len() <= DEEPEST as usize {
        return false;
    }
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

/// Says in one line what is wrong with a part of a text, which begins at `from`, naming the key that stands before the fault.
#[cold]
pub(super) fn explain(text: &str, error: &sonic_rs::Error, from: usize) -> String {
    let full = error.to_string();
    let first = full.lines().next().unwrap_or("not JSON");
    let what = in_words(first.split(" at line ").next().unwrap_or(first).trim());
    let offset = error.offset().saturating_add(from);
    match key_before(text.as_bytes(), offset).filter(|_| !error.is_unmatched_type()) {
        Some(key) => format!("not JSON after `{key}`: {what} (column {})", offset.saturating_add(1)),
        None => told_at(text, offset, what),
    }
}

/// Says what is wrong with the value that ends at a place of a text, and under which key it stands.
#[cold]
pub(super) fn told_at(text: &str, offset: usize, what: impl fmt::Display) -> String {
    let key = key_before(text.as_bytes(), offset).unwrap_or_else(|| "not JSON".to_owned());
    format!("{key}: {what} (column {})", offset.saturating_add(1))
}

/// Says what is wrong with a value in words that do not suppose a reader of this program: what stands there, what is due.
fn in_words(message: &str) -> String {
    let said = ["invalid type: ", "invalid value: "].iter().find_map(|start| message.strip_prefix(start));
    let Some((found, due)) = said.and_then(|said| said.rsplit_once(", expected ")) else {
        return match message.strip_prefix("missing field ") {
            Some(field) => format!("{field} is missing"),
            None => message.to_owned(),
        };
    };
    let is_whole = |due: &str| matches!(due.as_bytes(), [b'u' | b'i', rest @ ..] if due != "unit" && (rest == b"size" || rest.iter().all(u8::is_ascii_digit)));
    if let Some(digits) = found.strip_prefix("integer `").and_then(|rest| rest.strip_suffix('`'))
        && is_whole(due)
        && !digits.starts_with('-')
    {
        return format!("`{digits}` is too large");
    }
    let found = match found {
        "map" => "an object",
        "sequence" => "a list",
        "null" | "unit value" | "Option value" => "null",
        _ => ["string ", "integer ", "floating point ", "boolean ", "character "]
            .iter()
            .find_map(|kind| found.strip_prefix(kind))
            .unwrap_or(found),
    };
    let due = match due {
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "an object",
        "a string" | "a borrowed string" | "string" | "str" => "text",
        "a boolean" => "true or false",
        "unit" => "null",
        due if is_whole(due) => "a whole number",
        due if due.starts_with("struct ") => "an object",
        due => due,
    };
    format!("{found} stands where {due} is due")
}

/// Returns where a text ends that begins at a place: at its closing quote, or behind all there is.
pub(super) fn end_of_text(json: &[u8], mut at: usize) -> usize {
    while let Some(&byte) = json.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => break,
            _ => at += 1,
        }
    }
    at
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
        at = end_of_text(text, start);
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
