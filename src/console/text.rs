//! Text, measured in columns and cut to fit; what comes from outside is cleaned first.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::units::{clean, is_safe};

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
