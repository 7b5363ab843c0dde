//! Lines of words in several looks, laid out before they are drawn so that they can be scrolled and set side by side.
//!
//! Invariant: a line's width is the columns it takes on screen; foreign text is made safe when it enters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;

/// One line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::console) struct Line {
    spans: Vec<(String, Role)>,
    width: usize,
}

impl Line {
    /// Adds words.
    #[must_use]
    pub(in crate::console) fn with(mut self, words: &str, role: Role) -> Self {
        let words = text::clean(words);
        self.width += text::width(&words);
        match self.spans.last_mut() {
            Some((before, same)) if *same == role => before.push_str(&words),
            _ => self.spans.push((words.into_owned(), role)),
        }
        self
    }

    /// Adds blanks up to a column.
    #[must_use]
    pub(in crate::console) fn to(self, column: usize) -> Self {
        let blanks = column.saturating_sub(self.width);
        self.with(&" ".repeat(blanks.min(1000)), Role::Text)
    }

    /// Adds words that end before a column.
    #[must_use]
    pub(super) fn right(self, words: &str, column: usize, role: Role) -> Self {
        let wide = text::width(&text::clean(words));
        self.to(column.saturating_sub(wide)).with(words, role)
    }

    /// Builds a line from signs.
    pub(super) fn of_signs(signs: &[(char, Role)]) -> Self {
        signs
            .iter()
            .fold(Self::default(), |line, (sign, role)| line.with(sign.encode_utf8(&mut [0; 4]), *role))
    }

    /// Truncates the line to a number of columns.
    fn truncated(mut self, columns: usize) -> Self {
        let mut left = columns;
        for (words, _) in &mut self.spans {
            *words = text::truncate(words, left).into_owned();
            left = left.saturating_sub(text::width(words));
        }
        self.width = columns - left;
        self
    }

    /// Sets another line beside this one, from a column on.
    #[must_use]
    pub(super) fn beside(self, other: Self, column: usize) -> Self {
        let mut line = self.truncated(column.saturating_sub(2)).to(column);
        line.width += other.width;
        line.spans.extend(other.spans);
        line
    }

    /// Returns its words without their looks.
    #[cfg(test)]
    pub(super) fn words(&self) -> String {
        self.spans.iter().map(|(words, _)| words.as_str()).collect()
    }

    /// Draws it.
    pub(in crate::console) fn draw(&self, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        let mut rest = at;
        for (words, role) in &self.spans {
            let used = look.text(buf, rest, words, *role);
            rest = paint::split_left(rest, used).1;
        }
    }
}

/// Sets two blocks of lines side by side, the second from a column on.
pub(super) fn side_by_side(left: Vec<Line>, right: Vec<Line>, column: usize) -> Vec<Line> {
    let mut right = right.into_iter();
    let mut all: Vec<Line> =
        left.into_iter().map(|line| line.beside(right.next().unwrap_or_default(), column)).collect();
    all.extend(right.map(|line| Line::default().beside(line, column)));
    all
}

/// Breaks words into lines of so many columns, after a label of fixed width.
pub(in crate::console) fn wrapped(
    label: &str,
    words: &str,
    indent: usize,
    columns: usize,
    looks: (Role, Role),
) -> Vec<Line> {
    let words = text::clean(words);
    let mut pieces = text::wrap(&words, columns.saturating_sub(indent).max(8));
    let line =
        |label: &str, piece: &str| Line::default().with(label, looks.0).to(indent).with(piece, looks.1);
    let first = line(label, pieces.next().unwrap_or_default());
    std::iter::once(first).chain(pieces.map(|piece| line("", piece))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn wrapping_loses_no_word_and_keeps_its_width(words in "[a-z\u{65e5} ]{0,120}", columns in 0usize..60) {
            let lines = wrapped("label", &words, 6, columns, (Role::Muted, Role::Text));
            let room = columns.saturating_sub(6).max(8);
            prop_assert!(lines.iter().all(|line| line.width <= 6 + room));
            let all: String = lines.iter().skip(1).fold(
                lines[0].spans.iter().map(|(words, _)| words.as_str()).collect::<String>(),
                |all, line| all + &line.spans.iter().map(|(words, _)| words.as_str()).collect::<String>(),
            );
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&all), format!("label{}", letters(&words)));
        }
    }

    #[test]
    fn a_line_that_just_fits_is_not_broken_before_its_last_word() {
        let lines = wrapped("", "one two three", 0, 8, (Role::Muted, Role::Text));
        let text = |line: &Line| line.spans.iter().map(|(words, _)| words.as_str()).collect::<String>();
        assert_eq!(
            lines.iter().map(|line| text(line).trim().to_owned()).collect::<Vec<_>>(),
            ["one two", "three"]
        );
        let lines = wrapped("", "one four three", 0, 8, (Role::Muted, Role::Text));
        assert_eq!(text(&lines[0]).trim(), "one four");
    }

    #[test]
    fn what_is_beside_starts_at_its_column_whatever_stands_before_it() {
        let line = |words: &str| Line::default().with(words, Role::Text);
        for left in ["", "short", "日本語 much too long for the column"] {
            let both = line(left).beside(line("right"), 12);
            assert_eq!(both.width, 17, "{left}");
        }
    }
}
