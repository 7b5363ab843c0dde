//! JSON written straight into bytes, in the order it is said.

use std::ops::Range;

use super::Value;
use crate::wire::error::Result;

/// Writes members of an object that is being written: `"key": value`, or `"key"?: option` where none is no member. A value
/// is anything that is [`Put`], `null`, `{ members }`, `[for item in list => { members }]` (or `=> value`), a closure that fills an object
/// (`|o| ..`), or one that fills a list (`[|a| ..]`).
macro_rules! put {
    ($o:ident $(,)?) => {};
    ($o:ident, $key:literal : null $(, $($rest:tt)*)?) => {{
        $o.named(concat!('"', $key, "\":null"));
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal : {} $(, $($rest:tt)*)?) => {{
        $o.named(concat!('"', $key, "\":{}"));
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal : { $($inner:tt)* } $(, $($rest:tt)*)?) => {{
        crate::wire::json::object($o.named(concat!('"', $key, "\":")), |o| put!(o, $($inner)*));
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal : [for $item:pat in $list:expr => { $($inner:tt)* }] $(, $($rest:tt)*)?) => {{
        crate::wire::json::array($o.named(concat!('"', $key, "\":")), |a| {
            for $item in $list {
                a.object(|o| put!(o, $($inner)*));
            }
        });
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal : [for $item:pat in $list:expr => $value:expr] $(, $($rest:tt)*)?) => {{
        crate::wire::json::array($o.named(concat!('"', $key, "\":")), |a| {
            for $item in $list {
                a.put($value);
            }
        });
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal : [] $(, $($rest:tt)*)?) => {{
        $o.named(concat!('"', $key, "\":[]"));
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal : [$fill:expr] $(, $($rest:tt)*)?) => {{
        crate::wire::json::array($o.named(concat!('"', $key, "\":")), $fill);
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal : |$inner:pat_param| $fill:expr $(, $($rest:tt)*)?) => {{
        crate::wire::json::object($o.named(concat!('"', $key, "\":")), |$inner| $fill);
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal ?: $value:expr $(, $($rest:tt)*)?) => {{
        if let Some(value) = $value {
            crate::wire::json::Put::put(value, $o.named(concat!('"', $key, "\":")));
        }
        put!($o, $($($rest)*)?);
    }};
    ($o:ident, $key:literal : $value:expr $(, $($rest:tt)*)?) => {{
        crate::wire::json::Put::put($value, $o.named(concat!('"', $key, "\":")));
        put!($o, $($($rest)*)?);
    }};
}

pub(in crate::wire) use put;

/// What can be written as a value: text, a number, a flag, a value that was read, JSON as it is; of an option `null` is none.
pub(in crate::wire) trait Put {
    /// Writes the value.
    fn put(self, out: &mut Vec<u8>);
}

/// Text that is JSON already.
pub(in crate::wire) struct Raw<'a>(pub(in crate::wire) &'a str);

impl<T: AsRef<str> + ?Sized> Put for &T {
    fn put(self, out: &mut Vec<u8>) {
        quote(out, self.as_ref());
    }
}

impl Put for std::borrow::Cow<'_, str> {
    fn put(self, out: &mut Vec<u8>) {
        quote(out, &self);
    }
}

impl Put for Raw<'_> {
    fn put(self, out: &mut Vec<u8>) {
        let mut rest = self.0.as_bytes();
        // A strict reader refuses all of it for half a surrogate pair, as clients write that cut a text.
        while let Some((before, after)) = half(rest) {
            out.extend_from_slice(before);
            out.extend_from_slice(b"\\ufffd");
            rest = after;
        }
        out.extend_from_slice(rest);
    }
}

/// Finds half a surrogate pair among the escapes of JSON; returns what stands before and behind it.
fn half(json: &[u8]) -> Option<(&[u8], &[u8])> {
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut at = 0;
    loop {
        at += memchr::memchr(b'\\', json.get(at..)?)?;
        at += match unit(at) {
            Some(0xd800..0xdc00) if matches!(unit(at + 6), Some(0xdc00..0xe000)) => 12,
            Some(0xd800..0xe000) => return Some((json.get(..at)?, json.get(at + 6..)?)),
            _ => 2,
        };
    }
}

impl Put for Value<'_> {
    fn put(self, out: &mut Vec<u8>) {
        Raw(self.raw()).put(out);
    }
}

impl Put for u64 {
    fn put(self, out: &mut Vec<u8>) {
        Raw(&self.to_string()).put(out);
    }
}

impl Put for bool {
    fn put(self, out: &mut Vec<u8>) {
        Raw(if self { "true" } else { "false" }).put(out);
    }
}

impl<T: Put> Put for Option<T> {
    fn put(self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.put(out),
            None => Raw("null").put(out),
        }
    }
}

/// Writes an object by itself as text.
pub(in crate::wire) fn written(fill: impl FnOnce(&mut Object<'_>)) -> String {
    String::from_utf8(body(0, fill)).unwrap_or_default()
}

/// Writes an object by itself.
pub(in crate::wire) fn body(capacity: usize, fill: impl FnOnce(&mut Object<'_>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity);
    object(&mut out, fill);
    out
}

/// Writes an object by itself, unless filling it fails.
pub(in crate::wire) fn try_body(
    capacity: usize,
    fill: impl FnOnce(&mut Object<'_>) -> Result<()>,
) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(capacity);
    object(&mut out, fill)?;
    Ok(out)
}

/// Writes an object, and returns what filling it gave.
pub(in crate::wire) fn object<T>(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object<'_>) -> T) -> T {
    out.push(b'{');
    let filled = fill(&mut Object { out, is_first: true });
    out.push(b'}');
    filled
}

/// Writes a list, and returns what filling it gave.
pub(in crate::wire) fn array<T>(out: &mut Vec<u8>, fill: impl FnOnce(&mut Array<'_>) -> T) -> T {
    out.push(b'[');
    let filled = fill(&mut Array { out, is_first: true });
    out.push(b']');
    filled
}

/// Puts texts in place of stretches of a body.
pub(in crate::wire) fn spliced(body: &[u8], mut spans: Vec<(Range<usize>, impl AsRef<[u8]>)>) -> Vec<u8> {
    spans.sort_by_key(|(span, _)| (span.start, span.end));
    let grown: usize = spans.iter().map(|(_, text)| text.as_ref().len()).sum();
    let mut out = Vec::with_capacity(body.len() + grown);
    let mut at = 0;
    for (span, text) in spans {
        out.extend_from_slice(body.get(at..span.start).unwrap_or_default());
        out.extend_from_slice(text.as_ref());
        at = span.end;
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    out
}

/// Writes text in quotes, escaped.
pub(in crate::wire) fn quote(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(bytes.get(from..at).unwrap_or_default());
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
        from = at + 1;
    }
    out.extend_from_slice(bytes.get(from..).unwrap_or_default());
    out.push(b'"');
}

/// Returns text in quotes, escaped.
pub(in crate::wire) fn quoted(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 2);
    quote(&mut out, text);
    String::from_utf8(out).unwrap_or_default()
}

fn comma(out: &mut Vec<u8>, is_first: &mut bool) {
    if !std::mem::take(is_first) {
        out.push(b',');
    }
}

/// An object being written.
pub(in crate::wire) struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl Object<'_> {
    /// Begins a member by its name.
    pub(in crate::wire) fn key(&mut self, key: &str) -> &mut Vec<u8> {
        comma(self.out, &mut self.is_first);
        quote(self.out, key);
        self.out.push(b':');
        self.out
    }

    /// Begins a member by its name with quotes and colon.
    pub(in crate::wire) fn named(&mut self, name: &str) -> &mut Vec<u8> {
        comma(self.out, &mut self.is_first);
        self.out.extend_from_slice(name.as_bytes());
        self.out
    }

    /// Writes a member whose name was read.
    pub(in crate::wire) fn put(&mut self, key: &str, value: impl Put) {
        value.put(self.key(key));
    }

    /// Writes members of an object as they are, those of certain names.
    pub(in crate::wire) fn copy(&mut self, value: Value<'_>, is_kept: impl Fn(&str) -> bool) {
        let kept = value.members().filter(|(key, _)| is_kept(key));
        kept.for_each(|(key, value)| self.put(&key, value));
    }

    /// Writes the members of an object that is JSON already, and is not empty.
    pub(in crate::wire) fn within(&mut self, json: &str) {
        let inner = json.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        self.named(inner);
    }

    /// Writes an object.
    pub(in crate::wire) fn object<T>(&mut self, key: &str, fill: impl FnOnce(&mut Object<'_>) -> T) -> T {
        object(self.key(key), fill)
    }

    /// Writes a list.
    pub(in crate::wire) fn array<T>(&mut self, key: &str, fill: impl FnOnce(&mut Array<'_>) -> T) -> T {
        array(self.key(key), fill)
    }
}

/// A list being written.
pub(in crate::wire) struct Array<'o> {
    out: &'o mut Vec<u8>,
    is_first: bool,
}

impl Array<'_> {
    /// Begins an item.
    pub(in crate::wire) fn item(&mut self) -> &mut Vec<u8> {
        comma(self.out, &mut self.is_first);
        self.out
    }

    /// Writes a value.
    pub(in crate::wire) fn put(&mut self, value: impl Put) {
        value.put(self.item());
    }

    /// Writes an object.
    pub(in crate::wire) fn object<T>(&mut self, fill: impl FnOnce(&mut Object<'_>) -> T) -> T {
        object(self.item(), fill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_surrogate_pair_is_written_as_a_sign_in_its_place() {
        for (json, want) in [
            (r#"{"a":"cut \ud83d"}"#, r#"{"a":"cut \ufffd"}"#),
            (r#"["\uDE42\ud83d\ude42","\\ud83d"]"#, r#"["\ufffd\ud83d\ude42","\\ud83d"]"#),
            (r#""\n\u00e9""#, r#""\n\u00e9""#),
        ] {
            let mut out = Vec::new();
            Raw(json).put(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quoted_text_reads_back(text in "\\PC{0,40}[\\x00-\\x1f\"\\\\]{0,10}.{0,10}") {
            let mut out = Vec::new();
            quote(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn what_is_written_keeps_its_order() {
        let mut out = Vec::new();
        object(&mut out, |o| {
            put!(o, "b": "x", "a": [|a| {
                a.object(|_| {});
                a.put("t");
            }], "n": { "m": 7 }, "f": true, "z": null, "y"?: None::<&str>, "x": None::<&str>, "w": [for n in 0..2 => { "n": n }]);
            o.put("a\"", Raw("[]"));
        });
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"b":"x","a":[{},"t"],"n":{"m":7},"f":true,"z":null,"x":null,"w":[{"n":0},{"n":1}],"a\"":[]}"#
        );
    }
}
