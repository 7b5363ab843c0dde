//! Text from outside, made safe for a terminal.
//!
//! Invariant: nothing that is returned here can move the cursor, change a colour, turn the reading direction or hide.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

/// What a character from outside becomes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Space,
    Drop,
}

fn fate(c: char) -> Fate {
    match c {
        ' '..='~' => Fate::Keep,
        '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Fate::Space,
        // Marks that turn the reading direction, join or hide, and letters without a shape: an id could be made to read as
        // another.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => Fate::Drop,
        c if c.is_control() => Fate::Drop,
        _ => Fate::Keep,
    }
}

/// Says whether a character may reach the terminal as it is.
pub fn is_safe(c: char) -> bool {
    fate(c) == Fate::Keep
}

/// Takes escape sequences, control and direction marks out of a text; line ends and tabs become spaces.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_safe) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, fate(c)) {
            ('\u{1b}', _) => skip_escape(&mut chars),
            ('\u{9b}', _) => skip_control_sequence(&mut chars),
            ('\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}', _) => skip_string(&mut chars),
            (_, Fate::Keep) => out.push(c),
            (_, Fate::Space) => out.push(' '),
            (_, Fate::Drop) => {}
        }
    }
    Cow::Owned(out)
}

/// Puts a visible sign in the place of everything that may not reach the terminal, line ends included.
pub fn marked(text: &str) -> Cow<'_, str> {
    mark(text, is_safe)
}

/// Likewise, but for line ends and tabs: for texts of ours that quote what is not.
pub fn marked_lines(text: &str) -> Cow<'_, str> {
    mark(text, |c| matches!(c, '\n' | '\t') || is_safe(c))
}

fn mark(text: &str, is_fine: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&is_fine) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let is_between = || {
            let is_letter = |c: char| !c.is_ascii() && is_safe(c);
            out.chars().next_back().is_some_and(is_letter) && chars.clone().next().is_some_and(is_letter)
        };
        // Persian and Indic words are spelt with joiners, and so are emoji; among Latin letters one would hide.
        let is_joiner = matches!(c, '\u{200c}' | '\u{200d}') && is_between();
        out.push(if is_joiner || is_fine(c) { c } else { '\u{fffd}' });
    }
    Cow::Owned(out)
}

fn skip_escape(chars: &mut Peekable<Chars<'_>>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_control_sequence(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        Some(' '..='/') => {
            while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
            chars.next_if(|c| ('0'..='~').contains(c));
        }
        Some('0'..='~') => {
            chars.next();
        }
        _ => {}
    }
}

fn skip_control_sequence(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

/// Skips up to the end of an operating-system command; an end that never comes takes the rest of the line only.
fn skip_string(chars: &mut Peekable<Chars<'_>>) {
    while let Some(c) = chars.next_if(|&c| c != '\n') {
        let ends = c == '\u{7}' || c == '\u{9c}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some());
        if ends {
            break;
        }
    }
}

/// Returns the line of a place in a text, from 1.
pub fn line_of(text: &str, at: usize) -> usize {
    memchr::memchr_iter(b'\n', text.as_bytes().get(..at).unwrap_or_default()).count() + 1
}

/// Returns bytes as lower-case hexadecimal digits, two a byte.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A name that is spelt with joiners would else be none of the log's in CSV, and one of Latin letters could hide one.
    #[test]
    fn joiners_stay_in_words_that_are_spelt_with_them_and_nowhere_else() {
        for name in ["👩\u{200d}👩\u{200d}👧", "می\u{200c}خواهم", "क्\u{200d}ष"] {
            assert_eq!(marked(name), name);
        }
        for hidden in ["ad\u{200d}min", "\u{200d}é", "é\u{200c}", "é\u{200d}\u{200d}é"] {
            assert!(marked(hidden).contains('\u{fffd}'), "{hidden:?}");
        }
    }

    #[test]
    fn what_could_harm_is_taken_out() {
        for (dirty, safe) in [
            ("plain text", "plain text"),
            ("naïve 日本 ✓", "naïve 日本 ✓"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}[2J\u{1b}[1;1Hgone", "gone"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]52;c;c2VjcmV0\u{1b}\\after", "after"),
            ("\u{1b}P+q544e\u{1b}\\after", "after"),
            ("\u{9b}31mred", "red"),
            ("\u{9d}0;t\u{9c}after", "after"),
            ("\u{1b}(0lqk", "lqk"),
            ("\u{1b}cafter", "after"),
            ("two\nlines\r\n\tand tab", "two lines   and tab"),
            ("user\u{202e}nimda", "usernimda"),
            ("a\u{200b}b\u{2066}c\u{feff}", "abc"),
            ("bell\u{7}back\u{8}nul\0del\u{7f}", "bellbacknuldel"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("\u{1b}]never ends\nnext", " next"),
            ("tag\u{e0041}", "tag"),
        ] {
            assert_eq!(clean(dirty), safe, "{dirty:?}");
        }
    }

    #[test]
    fn what_is_quoted_shows_that_something_was_there() {
        assert_eq!(marked("a\u{1b}[31m\u{202e}b\nc\u{200b}"), "a\u{fffd}[31m\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(marked_lines("a\tb\n\u{9b}1m\r"), "a\tb\n\u{fffd}1m\u{fffd}");
    }

    proptest! {
        #[test]
        fn nothing_unsafe_goes_out(text in any::<String>()) {
            prop_assert!(clean(&text).chars().all(is_safe));
            prop_assert!(marked(&text).chars().all(is_safe));
            prop_assert_eq!(marked(&text).chars().count(), text.chars().count());
        }
    }
}
