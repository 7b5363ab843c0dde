//! Text from outside, made safe for a terminal, measured in columns and cut to fit.
//!
//! Invariant: nothing that [`clean`] returns can move the cursor, change a colour, turn the reading direction or hide.

use std::borrow::Cow;
use std::iter::Peekable;
use std::str::Chars;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

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
        // Marks that turn the reading direction, join or hide: an id could be made to read as another.
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => Fate::Drop,
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => {
            Fate::Drop
        }
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

/// Measures a text in columns.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// Finds where to cut a text so that what is kept fits in `columns`: the byte, and the columns kept.
pub fn fit(text: &str, columns: usize) -> (usize, usize) {
    if text.is_ascii() {
        let kept = text.len().min(columns);
        return (kept, kept);
    }
    let mut used = 0;
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if used + wide > columns {
            return (at, used);
        }
        used += wide;
    }
    (text.len(), used)
}

/// Gives the end of a text that fits in `columns`, and whether something before it was left out; then a column stays free
/// for the sign of it.
pub fn fit_end(text: &str, columns: usize) -> (&str, bool) {
    if width(text) <= columns {
        return (text, false);
    }
    let room = columns.saturating_sub(1);
    let (mut from, mut used) = (text.len(), 0);
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        from = at;
    }
    (text.get(from..).unwrap_or_default(), true)
}

/// Cuts a text to fit in `columns`, ending in … where something was left out.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    if width(text) <= columns {
        return Cow::Borrowed(text);
    }
    let Some(room) = columns.checked_sub(1) else { return Cow::Borrowed("") };
    let (at, _) = fit(text, room);
    Cow::Owned(format!("{}…", text.get(..at).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn cutting_counts_columns_not_letters() {
        assert_eq!(cut("gateway", 7), "gateway");
        assert_eq!(cut("gateway", 5), "gate…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("x", 0), "");
        assert_eq!(cut("xy", 1), "…");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_nothing_unsafe_goes_out(text in any::<String>(), columns in 0usize..40) {
            let safe = clean(&text);
            prop_assert!(safe.chars().all(is_safe));
            prop_assert!(width(&cut(&safe, columns)) <= columns);
        }
    }
}
