//! A place within JSON text, for readers that look at each byte once.
//!
//! Invariant: whatever is not JSON to the letter, nests deep, or holds an escape where a text is read, is declined.

use std::borrow::Cow;

/// How deep what is passed over may nest.
const DEEPEST: u32 = 64;

/// A place within text.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// Whether its writer puts a space behind colons and commas, as the first colon tells.
    is_spaced: bool,
}

impl<'a> Cursor<'a> {
    /// Stands at the start of a text.
    pub(super) fn new(text: &'a str) -> Self {
        let mut first = text.as_bytes().iter().skip_while(|byte| **byte != b':');
        Self { text, at: 0, is_spaced: first.nth(1) == Some(&b' ') }
    }

    /// Says whether nothing is left.
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    pub(super) fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// Reads a key of up to 15 bytes and its colon, as a number.
    #[inline]
    pub(super) fn key(&mut self) -> Option<u128> {
        self.expect(b'"')?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let start = u128::from_le_bytes(rest.first_chunk().copied().unwrap_or_else(|| padded(rest)));
        #[expect(clippy::cast_possible_truncation, reason = "one half, then the other")]
        let (low, high) = (stops(start as u64), stops((start >> 64) as u64));
        let length = match (low, high) {
            (0, 0) => return None,
            (0, high) => 8 + high.trailing_zeros() / 8,
            (low, _) => low.trailing_zeros() / 8,
        };
        self.at += length as usize;
        self.expect(b'"')?;
        self.expect(b':')?;
        self.space();
        Some(start & !(u128::MAX << (length * 8)))
    }

    /// Reads quoted text without escapes.
    #[inline]
    pub(super) fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        if self.stop()? != b'"' {
            return None;
        }
        self.text.get(start..self.at - 1)
    }

    /// Reads quoted text; one with escapes is read by `escaped`, from its quotes on.
    #[inline]
    pub(super) fn text_or_escaped(
        &mut self,
        escaped: impl FnOnce(&'a str) -> Option<String>,
    ) -> Option<Cow<'a, str>> {
        let start = self.at;
        if let Some(text) = self.text() {
            return Some(text.into());
        }
        self.at = start;
        escaped(self.value()?).map(Cow::Owned)
    }

    /// Passes over what is plain within a text, and what ends it: a quote, a backslash or a control character.
    #[inline]
    fn stop(&mut self) -> Option<u8> {
        let mut rest = self.text.as_bytes().get(self.at..)?;
        let mut end = self.at;
        // Eight bytes at once.
        while let Some((eight, behind)) = rest.split_first_chunk::<8>() {
            let stops = stops(u64::from_le_bytes(*eight));
            if stops != 0 {
                self.at = end + (stops.trailing_zeros() / 8) as usize;
                return self.next();
            }
            end += 8;
            rest = behind;
        }
        self.at = end + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))?;
        self.next()
    }

    /// Passes over a space behind a colon or a comma.
    #[inline]
    pub(super) fn space(&mut self) {
        self.at += usize::from(self.is_spaced && self.peek() == Some(b' '));
    }

    /// Passes over any white space.
    #[inline]
    pub(super) fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn truth(&mut self) -> Option<bool> {
        let is_set = self.peek()? == b't';
        self.literal(if is_set { "true" } else { "false" })?;
        Some(is_set)
    }

    /// Reads a whole number as JSON writes it.
    #[inline]
    pub(super) fn number(&mut self) -> Option<u64> {
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
            self.at += 1;
        }
        let leading_zero = self.at - start > 1 && self.text.as_bytes().get(start) == Some(&b'0');
        (!leading_zero && self.at > start).then_some(value)
    }

    /// Walks an object: `member` hears of each name, stands at its value, and has to pass over that.
    #[inline]
    pub(super) fn members(&mut self, mut member: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        self.blank();
        if self.peek()? == b'}' {
            return self.expect(b'}');
        }
        loop {
            let name = self.text()?;
            self.blank();
            self.expect(b':')?;
            self.blank();
            member(self, name)?;
            if self.is_last(b'}')? {
                return Some(());
            }
        }
    }

    /// Walks a list: `item` stands at each of its values, and has to pass over it.
    #[inline]
    pub(super) fn items(&mut self, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        self.blank();
        if self.peek()? == b']' {
            return self.expect(b']');
        }
        loop {
            item(self)?;
            if self.is_last(b']')? {
                return Some(());
            }
        }
    }

    /// Passes over what stands behind a value: a comma, or `end`; says whether it was that.
    #[inline]
    fn is_last(&mut self, end: u8) -> Option<bool> {
        self.blank();
        match self.next()? {
            b',' => {
                self.blank();
                Some(false)
            }
            byte => (byte == end).then_some(true),
        }
    }

    /// Passes over a value, and returns its text as it stands there.
    pub(super) fn value(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.skip()?;
        self.text.get(start..self.at)
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self) -> Option<()> {
        self.skip_within(DEEPEST)
    }

    fn skip_within(&mut self, left: u32) -> Option<()> {
        match self.peek()? {
            b'"' => self.skip_text(),
            b'{' => {
                let left = left.checked_sub(1)?;
                self.members(|cursor, _| cursor.skip_within(left))
            }
            b'[' => {
                let left = left.checked_sub(1)?;
                self.items(|cursor| cursor.skip_within(left))
            }
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.skip_number(),
        }
    }

    fn literal(&mut self, word: &str) -> Option<()> {
        self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes()).then(|| self.at += word.len())
    }

    fn skip_text(&mut self) -> Option<()> {
        self.expect(b'"')?;
        loop {
            match self.stop()? {
                b'"' => return Some(()),
                b'\\' => match self.next()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        for _ in 0..4 {
                            self.next().filter(u8::is_ascii_hexdigit)?;
                        }
                    }
                    _ => return None,
                },
                _ => return None,
            }
        }
    }

    fn skip_number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.next()? {
            b'0' => {}
            b'1'..=b'9' => self.skip_digits(),
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.next().filter(u8::is_ascii_digit)?;
            self.skip_digits();
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.next().filter(u8::is_ascii_digit)?;
            self.skip_digits();
        }
        Some(())
    }

    fn skip_digits(&mut self) {
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
    }
}

/// Returns the end of a line, and zeros behind it.
#[inline]
fn padded(rest: &[u8]) -> [u8; 16] {
    let mut all = [0; 16];
    all.iter_mut().zip(rest).for_each(|(to, byte)| *to = *byte);
    all
}

/// Marks (with their high bits) bytes that end plain text; only the lowest mark is exact, which is the one used.
fn stops(eight: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGHS;
    let quote = zero(eight ^ (ONES * u64::from(b'"')));
    let backslash = zero(eight ^ (ONES * u64::from(b'\\')));
    let control = eight.wrapping_sub(ONES * 0x20) & !eight & HIGHS;
    quote | backslash | control
}

/// Returns what tells most names apart: their first and last eight bytes, and their length.
pub(super) const fn mark(name: &[u8]) -> u64 {
    let (first, last) = if let (Some(first), Some(last)) = (name.first_chunk(), name.last_chunk()) {
        (u64::from_le_bytes(*first), u64::from_le_bytes(*last))
    } else {
        let (mut number, mut left) = (0, name);
        while let [before @ .., last] = left {
            number = number << 8 | *last as u64;
            left = before;
        }
        (number, 0)
    };
    first ^ last.rotate_left(29) ^ (name.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Makes an enum of names that are found by [`mark`].
macro_rules! names {
    ($(#[$meta:meta])* $kind:ident { $($name:ident $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy)]
        enum $kind { $($name,)* }

        impl $kind {
            /// Finds one by its text.
            #[inline]
            #[expect(non_upper_case_globals, reason = "a name and its mark are called alike")]
            fn of(text: &str) -> Option<Self> {
                $(const $name: u64 = crate::record::cursor::mark($text.as_bytes());)*
                let (found, name) = match crate::record::cursor::mark(text.as_bytes()) {
                    $($name => (Self::$name, $text),)*
                    _ => return None,
                };
                (name == text).then_some(found)
            }
        }
    };
}
pub(super) use names;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_stop_is_seen_first(bytes in any::<[u8; 8]>()) {
            let want = bytes.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20));
            let found = stops(u64::from_le_bytes(bytes));
            let got = (found != 0).then(|| (found.trailing_zeros() / 8) as usize);
            prop_assert_eq!(got, want);
        }

        /// What is passed over is JSON for others, too: a log is refused by one reader as by another.
        #[test]
        fn what_is_passed_over_is_json_to_the_letter(text in "(\\{(\"[a-z\\\\u0n]{0,9}\": ?|\"a\":)|\\[)?(\"[a-z\\\\u0n]{0,12}\"|-?[0-9.eE+-]{1,5}|true|false|nul?l|\\[\\]|\\{\\}|,){1,4}[\\]}]?") {
            let mut cursor = Cursor::new(&text);
            if cursor.skip().is_some() && cursor.is_at_end() {
                let read = sonic_rs::from_str::<serde::de::IgnoredAny>(&text);
                prop_assert!(read.is_ok(), "{}: {:?}", text, read);
            }
        }
    }

    #[test]
    fn usual_values_are_passed_over_and_broken_ones_are_not() {
        for text in [
            r#"{"a": [1, -2.5e-3, "x\"\u00e9", null, true, {}], "b": false}"#,
            "{\"a\":\"a text longer than eight bytes, and é\"}",
            "0",
            "[[],[[]]]",
        ] {
            let mut cursor = Cursor::new(text);
            assert_eq!((cursor.value(), cursor.is_at_end()), (Some(text), true), "{text}");
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        for text in [
            "{",
            "{\"a\"}",
            "[1,]",
            "{\"a\":1,}",
            "01x",
            "-",
            "1.",
            "1e",
            "\"a\tb\"",
            "\"\\x\"",
            "nul",
            &deep,
        ] {
            let mut cursor = Cursor::new(text);
            assert!(cursor.skip().is_none() || !cursor.is_at_end(), "{text}");
        }
    }
}
