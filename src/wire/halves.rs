//! Characters that a server cuts in half: pairs of `\u` escapes whose first stands at the end of a text in one event, and whose
//! second at the beginning of one in a later event.
//!
//! Invariant: an event without such a half is read as it came.

use std::borrow::Cow;

use memchr::memmem;

/// Bytes of an escape: `\ud83c`.
const ESCAPE: usize = 6;

/// The first half of a character that a stream has begun.
#[derive(Default)]
pub(super) struct Halves(Option<String>);

impl Halves {
    /// Returns the data of an event with a first half that came before put in front of its second, and without the first half
    /// that it ends a text with.
    pub(super) fn join<'a>(&mut self, data: &'a str) -> Cow<'a, str> {
        let mut joined = Cow::Borrowed(data);
        // Few streams have any escapes of halves, and those of others are not looked into.
        if self.0.is_none() && memmem::find(data.as_bytes(), b"\\u").is_none() {
            return joined;
        }
        let second = self.0.as_ref().and_then(|_| places(data).find(|at| is_second(data, *at)));
        if let Some(at) = second
            && let Some(first) = self.0.take()
        {
            joined.to_mut().insert_str(at, &first);
        }
        let first = places(&joined).find(|at| is_first(&joined, *at));
        if let Some(at) = first {
            self.0 = joined.get(at..at + ESCAPE).map(str::to_owned);
            joined.to_mut().replace_range(at..at + ESCAPE, "");
        }
        joined
    }
}

/// Lists where escapes of code units begin.
pub(super) fn places(data: &str) -> impl Iterator<Item = usize> + use<'_> {
    let bytes = data.as_bytes();
    memmem::find_iter(bytes, b"\\u").filter(move |&at| {
        // A backslash that another one escapes begins no escape.
        let before = bytes.get(..at).unwrap_or_default();
        before.iter().rev().take_while(|&&byte| byte == b'\\').count().is_multiple_of(2)
    })
}

/// Returns the code unit of the escape at a place.
pub(super) fn unit(data: &str, at: usize) -> Option<u16> {
    u16::from_str_radix(data.get(at + 2..at + ESCAPE)?, 16).ok()
}

/// Says whether an escape is a first half at the end of a text.
fn is_first(data: &str, at: usize) -> bool {
    data.as_bytes().get(at + ESCAPE) == Some(&b'"') && matches!(unit(data, at), Some(0xd800..0xdc00))
}

/// Says whether an escape is a second half at the beginning of one.
fn is_second(data: &str, at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| data.as_bytes().get(before));
    before == Some(&b'"') && matches!(unit(data, at), Some(0xdc00..0xe000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_joined_over_whatever_comes_between() {
        let mut halves = Halves::default();
        let mut read = |data: &str| halves.join(data).into_owned();
        assert_eq!(read(r#"{"t":"a\ud83c"}"#), r#"{"t":"a"}"#);
        assert_eq!(read(r#"{"type":"ping"}"#), r#"{"type":"ping"}"#);
        assert_eq!(read(r#"{"t":"\uDF89 b\ud83c"}"#), r#"{"t":"\ud83c\uDF89 b"}"#);
        assert_eq!(read(r#"{"t":"\udf89"}"#), r#"{"t":"\ud83c\udf89"}"#);
        for whole in [
            r#"{"t":"\ud83c\udf89"}"#,
            r#"{"t":"\udf89"}"#,
            r#"{"t":"C:\\ud83c"}"#,
            r#"{"t":"\ud83c and more"}"#,
            r#"{"t":"\u00e9"}"#,
            r#"{"t":"\u"#,
        ] {
            assert_eq!(read(whole), whole);
        }
    }
}
