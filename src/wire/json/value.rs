//! A JSON value as a slice of its text; its members and items are found by skipping, not by building a tree.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;
use serde::de::IgnoredAny;

use super::super::WireError;
use crate::record::json;
use crate::wire::error::Result;

/// Checks a client's body: UTF-8, one JSON value, not too deep.
pub(in crate::wire) fn check(body: &[u8]) -> Result<Value<'_>> {
    let text = std::str::from_utf8(body).map_err(|_| WireError::NotJson("it is not UTF-8".to_owned()))?;
    if json::is_too_deep(body) {
        return Err(WireError::TooDeep);
    }
    json::read_shallow::<IgnoredAny>(text).map_err(WireError::NotJson)?;
    Ok(Value(text.trim_matches(is_space)))
}

/// Says whether a text is JSON.
pub(in crate::wire) fn is_json(text: &str) -> bool {
    json::read::<IgnoredAny>(text).is_ok()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// What some servers put before UTF-8, which is no JSON.
pub(in crate::wire) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A value of checked JSON text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) struct Value<'a>(&'a str);

impl<'a> Value<'a> {
    /// Takes text that is known to be one JSON value.
    pub(in crate::wire) fn of(text: &'a str) -> Self {
        Self(text.trim_matches(is_space))
    }

    /// Returns the value as it was written.
    pub(in crate::wire) fn raw(self) -> &'a str {
        self.0
    }

    /// Returns where the value stands in `whole`, the text it was cut from.
    pub(in crate::wire) fn span_in(self, whole: &[u8]) -> Range<usize> {
        let start = (self.0.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        start..start.saturating_add(self.0.len())
    }

    fn first(self) -> u8 {
        self.0.as_bytes().first().copied().unwrap_or(b'n')
    }

    /// Says whether the value is `null`.
    pub(in crate::wire) fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// Says whether the value is an object.
    pub(in crate::wire) fn is_object(self) -> bool {
        self.first() == b'{'
    }

    /// Says whether the value is a list.
    pub(in crate::wire) fn is_array(self) -> bool {
        self.first() == b'['
    }

    /// Says whether the value is text.
    pub(in crate::wire) fn is_text(self) -> bool {
        self.first() == b'"'
    }

    /// Returns the text of a string.
    pub(in crate::wire) fn text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
            return Some(Cow::Borrowed(inner));
        }
        Some(Cow::Owned(sonic_rs::from_str::<String>(self.0).unwrap_or_else(|_| unescape(inner))))
    }

    /// Returns a whole number that is not negative.
    pub(in crate::wire) fn number(self) -> Option<u64> {
        self.0.parse().ok()
    }

    /// Returns a measure, for comparing with a limit.
    pub(in crate::wire) fn measure(self) -> Option<f64> {
        if matches!(self.first(), b'-' | b'0'..=b'9') { self.0.parse().ok() } else { None }
    }

    /// Returns a boolean.
    pub(in crate::wire) fn flag(self) -> Option<bool> {
        match self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// Walks the members of an object; of anything else there are none.
    pub(in crate::wire) fn members(self) -> Members<'a> {
        Members { text: self.0, at: if self.is_object() { 1 } else { self.0.len() }, key: Value("") }
    }

    /// Walks the items of a list; of anything else there are none.
    pub(in crate::wire) fn items(self) -> Items<'a> {
        Items { text: self.0, at: if self.is_array() { 1 } else { self.0.len() } }
    }

    /// Walks the items of a list, or what stands there in the place of a list of one, as Google takes it.
    pub(in crate::wire) fn each(self) -> impl Iterator<Item = Value<'a>> {
        self.items().chain(Some(self).filter(|value| value.is_object()))
    }

    /// Returns the last member of that name that is not `null`.
    pub(in crate::wire) fn get(self, name: &str) -> Option<Value<'a>> {
        self.members()
            .filter(|(key, _)| key == name)
            .last()
            .map(|(_, value)| value)
            .filter(|value| !value.is_null())
    }

    /// Returns what [`Self::get`] does for each of some names, in one walk.
    pub(in crate::wire) fn pick<const N: usize>(self, names: [&str; N]) -> [Option<Value<'a>>; N] {
        let mut found = [None; N];
        for (key, value) in self.members() {
            let key = &*key;
            for (name, slot) in names.iter().zip(&mut found) {
                if *name == key {
                    *slot = Some(value).filter(|value| !value.is_null());
                }
            }
        }
        found
    }

    /// Returns the text of a member.
    pub(in crate::wire) fn text_of(self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.text()
    }

    /// Returns the text that stands there itself, or else in a member.
    pub(in crate::wire) fn text_or(self, name: &str) -> Option<Cow<'a, str>> {
        self.text().or_else(|| self.text_of(name))
    }

    /// Returns the text, or what is none as it was written.
    pub(in crate::wire) fn told(self) -> Cow<'a, str> {
        self.text().unwrap_or(Cow::Borrowed(self.0))
    }

    /// Returns the text of a member that has to be there, in what stands at `place` of a request.
    pub(in crate::wire) fn need(self, name: &str, place: &str) -> Result<Cow<'a, str>> {
        self.text_of(name).ok_or_else(|| WireError::missing(place, name))
    }

    /// Walks the items of a member.
    pub(in crate::wire) fn list(self, name: &str) -> impl Iterator<Item = Value<'a>> + use<'a> {
        self.get(name).into_iter().flat_map(Value::items)
    }
}

/// Reads escaped text that a strict reader refuses: half of a surrogate pair, as servers send that cut a stream between
/// the halves, stands as U+FFFD. The rest of the text is not lost for it.
#[cold]
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        let escape = if c == '\\' { rest.next() } else { None };
        if escape == Some('u') {
            let code = rest.as_str().get(..4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
            units.push(code.unwrap_or(0xfffd));
            rest = rest.as_str().get(4..).unwrap_or_default().chars();
            continue;
        }
        out.extend(char::decode_utf16(units.drain(..)).map(|unit| unit.unwrap_or('\u{fffd}')));
        out.push(match escape {
            None => c,
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some(other) => other,
        });
    }
    out.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')));
    out
}

/// Walks an object's members in their order.
pub(in crate::wire) struct Members<'a> {
    text: &'a str,
    at: usize,
    /// The name of the last member, as it was written.
    pub(in crate::wire) key: Value<'a>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let start = next_start(self.text, self.at)?;
        if self.text.as_bytes().get(start) != Some(&b'"') {
            return None;
        }
        let (key_end, has_escapes) = skip_text(self.text.as_bytes(), start)?;
        self.key = Value(self.text.get(start..key_end)?);
        let plain = || self.text.get(start + 1..key_end - 1).map(Cow::Borrowed);
        let key = if has_escapes { self.key.text() } else { plain() }?;
        let colon = next_start(self.text, key_end)?;
        let end = skip(self.text, colon)?;
        self.at = end;
        Some((key, Value(self.text.get(colon..end)?)))
    }
}

/// Walks a list's items in their order.
pub(in crate::wire) struct Items<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        let start = next_start(self.text, self.at)?;
        let end = skip(self.text, start)?;
        self.at = end;
        Some(Value(self.text.get(start..end)?))
    }
}

/// Finds where the next value starts, past spaces, commas and colons; nothing at a closing bracket or the end.
fn next_start(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    let skipped = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'))?;
    (!matches!(rest.get(skipped), Some(b']' | b'}'))).then_some(at + skipped)
}

/// Finds the end of the value that starts at `at`.
fn skip(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    match bytes.get(at)? {
        b'"' => skip_text(bytes, at).map(|(end, _)| end),
        b'{' | b'[' => skip_nested(bytes, at),
        _ => {
            let rest = bytes.get(at..)?;
            let is_end = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            Some(at + rest.iter().position(is_end).unwrap_or(rest.len()))
        }
    }
}

/// Finds the end of the text that starts at `at`, and says whether it has escapes.
fn skip_text(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut at = at + 1;
    let mut has_escapes = false;
    loop {
        at = quote_or_escape(bytes, at)?;
        if bytes.get(at) == Some(&b'"') {
            return Some((at + 1, has_escapes));
        }
        has_escapes = true;
        at += 2;
    }
}

/// Finds the next quote or backslash. Names and most texts are so short that eight bytes at a time are faster than a search that
/// has to be started; what is longer is searched.
fn quote_or_escape(bytes: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // The lowest bit that is set marks the first byte that is zero.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    for _ in 0..4 {
        let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) else { break };
        let word = u64::from_le_bytes(*eight);
        let found = zeros(word ^ (ONES * u64::from(b'"'))) | zeros(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    Some(at + memchr2(b'"', b'\\', bytes.get(at..)?)?)
}

fn skip_nested(bytes: &[u8], at: usize) -> Option<usize> {
    let (mut at, mut depth) = (at, 0u32);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = skip_text(bytes, at)?.0;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_and_items_are_slices_of_the_text() {
        let body = br#" { "a" : [1, "x,]" , {"k":"\"}"}] , "b\u0031":null, "c":-1.5e3 } "#;
        let value = check(body).unwrap();
        let members: Vec<_> = value.members().map(|(key, value)| (key.into_owned(), value.raw())).collect();
        assert_eq!(
            members,
            [
                ("a".to_owned(), r#"[1, "x,]" , {"k":"\"}"}]"#),
                ("b1".to_owned(), "null"),
                ("c".to_owned(), "-1.5e3")
            ]
        );
        let items: Vec<_> = value.get("a").unwrap().items().map(Value::raw).collect();
        assert_eq!(items, ["1", r#""x,]""#, r#"{"k":"\"}"}"#]);
        let c = value.get("c").unwrap();
        assert_eq!(&body[c.span_in(body)], b"-1.5e3");
        assert_eq!(value.get("b1"), None);
        assert_eq!(value.pick(["c", "b1", "x"]), [value.get("c"), None, None]);
        let twice = Value::of(r#"{"a":1,"b":2,"a":3,"b":null}"#);
        assert_eq!(twice.pick(["a", "b"]), [twice.get("a"), twice.get("b")]);
    }

    #[test]
    fn what_is_no_json_is_refused_and_deep_nesting_too() {
        for bad in ["", "{", "{}{}", "[1,]", "{\"a\":01}", "nul"] {
            assert!(matches!(check(bad.as_bytes()), Err(WireError::NotJson(_))), "{bad}");
        }
        assert_eq!(check("[".repeat(100_000).as_bytes()).unwrap_err(), WireError::TooDeep);
    }

    #[test]
    fn half_a_surrogate_pair_does_not_cost_the_text() {
        for (text, want) in [
            (r#""a\ud83d\n\"b""#, "a\u{fffd}\n\"b"),
            (r#""\ude42\ud83d\ude42""#, "\u{fffd}\u{1f642}"),
            (r#""\u00e9\/\u0041""#, "\u{e9}/A"),
        ] {
            assert_eq!(Value::of(text).text().unwrap(), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn unescaping_agrees_with_the_strict_reader(text in "\\PC{0,20}[\"\\\\\n\r\t\u{8}\u{c}]{0,5}.{0,5}") {
            let quoted = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescape(&quoted[1..quoted.len() - 1]), text);
        }

        #[test]
        fn walking_any_text_ends_without_panic(text in ".{0,80}") {
            let value = Value::of(&text);
            for (_, member) in value.members() {
                let _ = member.items().count();
            }
            let _ = (value.items().count(), value.text(), value.number(), value.get("a"));
        }
    }
}
