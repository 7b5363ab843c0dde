//! Text, measured in columns and truncated to fit; what comes from outside is cleaned first.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::units::{clean, is_safe};

/// Measures a text in columns.
pub fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// Measures a text in columns of a terminal, where more than there can be is as many as there can be.
pub fn columns(text: &str) -> u16 {
    u16::try_from(width(text)).unwrap_or(u16::MAX)
}

/// Finds where to truncate a text so that what is kept fits in `columns`: the byte, and the columns kept.
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

/// Parts a text into lines of at most `columns`, between words where it can be.
pub fn wrap(text: &str, columns: usize) -> impl Iterator<Item = &str> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        let (at, _) = fit(rest, columns);
        if at == rest.len() {
            return Some(std::mem::take(&mut rest)).filter(|line| !line.is_empty());
        }
        let whole = rest.get(at..).is_some_and(|after| after.starts_with(' '));
        let end = if whole { at } else { rest.get(..at)?.rfind(' ').unwrap_or(at) };
        // A single letter wider than the line still takes one, so that this comes to an end.
        let end = if end == 0 { rest.chars().next()?.len_utf8() } else { end };
        let (line, after) = rest.split_at(end);
        rest = after.trim_start();
        Some(line.trim_end())
    })
}

/// Returns the end of a text that fits in `columns`, and whether something before it was left out; then a column stays free
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

/// Truncates a text to fit in `columns`, ending in … where something was left out.
pub fn truncate(text: &str, columns: usize) -> Cow<'_, str> {
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
    fn cutting_counts_columns_not_letters() {
        assert_eq!(truncate("gateway", 7), "gateway");
        assert_eq!(truncate("gateway", 5), "gate…");
        assert_eq!(truncate("日本語", 5), "日本…");
        assert_eq!(truncate("日本語", 4), "日…");
        assert_eq!(truncate("x", 0), "");
        assert_eq!(truncate("xy", 1), "…");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_nothing_unsafe_goes_out(text in any::<String>(), columns in 0usize..40) {
            let safe = clean(&text);
            prop_assert!(safe.chars().all(is_safe));
            prop_assert!(width(&truncate(&safe, columns)) <= columns);
        }
    }
}
