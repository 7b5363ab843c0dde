//! The few strokes everything is drawn with: a sign, a text, a fill, straight into the buffer.
//!
//! Invariant: nothing is written outside the given area or the buffer, whatever their sizes; unsafe characters are left
//! out; a text costs no allocation.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use unicode_width::UnicodeWidthChar;

use super::glyphs::Glyphs;
use super::text;
use super::theme::{Role, Theme, colour};

/// What everything is drawn with.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The colours.
    pub theme: &'a Theme,
    /// The signs.
    pub glyphs: &'a Glyphs,
}

impl Look<'_> {
    /// Returns the style of a role.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Returns the style of a chosen row's words that are told apart by colour, as far as the colour can be read there.
    pub fn selected(&self, own: Style) -> Style {
        let chosen = self.style(Role::Selection);
        let rgb = |colour: Option<Color>| colour.and_then(colour::rgb);
        match (rgb(own.fg), rgb(chosen.bg), own.fg) {
            (Some(own_rgb), Some(ground), Some(fg)) if colour::contrast(own_rgb, ground) >= 3.0 => {
                chosen.fg(fg)
            }
            _ => chosen,
        }
    }

    /// Writes one sign of one column.
    pub fn sign(self, buf: &mut Buffer, x: u16, y: u16, sign: char, role: Role) {
        self::sign(buf, x, y, sign, self.style(role));
    }

    /// Writes one sign at the start of an area, where it has room.
    pub fn mark(self, buf: &mut Buffer, at: Rect, sign: char, ink: impl Ink) {
        if !at.is_empty() {
            self::sign(buf, at.x, at.y, sign, ink.style(self));
        }
    }

    /// Writes a text as [`text()`] does; returns the columns used.
    pub fn text(self, buf: &mut Buffer, at: Rect, words: &str, ink: impl Ink) -> u16 {
        text(buf, at, words, ink.style(self), self.glyphs.ellipsis)
    }

    /// Writes a text at the right end of the first row of `at`; returns the columns used.
    pub fn text_right(self, buf: &mut Buffer, at: Rect, words: &str, ink: impl Ink) -> u16 {
        let (_, end) = split_left(at, at.width.saturating_sub(text::columns(words)));
        self.text(buf, end, words, ink)
    }

    /// Writes a text in the middle of the first row of `at`; returns the columns used.
    pub fn text_middle(self, buf: &mut Buffer, at: Rect, words: &str, ink: impl Ink) -> u16 {
        let (_, rest) = split_left(at, at.width.saturating_sub(text::columns(words)) / 2);
        self.text(buf, rest, words, ink)
    }

    /// Writes a text over the rows of `at`; the last has all that is left, so that truncation is marked.
    pub fn wrapped(self, buf: &mut Buffer, at: Rect, words: &str, role: Role) {
        let mut left = words;
        for row in 0..at.height {
            let whole = row + 1 == at.height;
            let room = usize::from(at.width).max(8);
            let line = if whole { left } else { text::wrap(left, room).next().unwrap_or_default() };
            self.text(buf, nth_row(at, row), line, role);
            left = left.get(line.len()..).unwrap_or_default().trim_start();
        }
    }

    /// Writes lines one below the other, as many as there is room for.
    pub fn lines<'w>(self, buf: &mut Buffer, at: Rect, lines: impl IntoIterator<Item = (&'w str, Role)>) {
        for (row, (words, role)) in (0..at.height).zip(lines) {
            self.text(buf, nth_row(at, row), words, role);
        }
    }
}

/// What words are written in: the style of a role, or one of their own.
pub trait Ink {
    /// Returns the style.
    fn style(self, look: Look<'_>) -> Style;
}

impl Ink for Role {
    fn style(self, look: Look<'_>) -> Style {
        look.style(self)
    }
}

impl Ink for Style {
    fn style(self, _: Look<'_>) -> Style {
        self
    }
}

/// The longest cluster of combining marks that is kept on one letter.
const LONGEST_CLUSTER: usize = 16;

/// Writes one sign of one column.
pub fn sign(buf: &mut Buffer, x: u16, y: u16, sign: char, style: Style) {
    if let Some(cell) = buf.cell_mut((x, y)) {
        cell.set_char(sign).set_style(style);
    }
}

/// Writes a sign along a row.
pub fn row(buf: &mut Buffer, at: Rect, along: char, style: Style) {
    let at = at.intersection(buf.area);
    for y in at.top()..at.bottom().min(at.top().saturating_add(1)) {
        for x in at.left()..at.right() {
            sign(buf, x, y, along, style);
        }
    }
}

/// Empties an area and paints its ground.
pub fn clear(buf: &mut Buffer, area: Rect, style: Style) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
                cell.set_style(style);
            }
        }
    }
}

/// Replaces every sign that is not ASCII, for terminals that can show nothing else.
pub fn to_ascii(buf: &mut Buffer) {
    for cell in &mut buf.content {
        let plain = match cell.symbol() {
            symbol if symbol.is_ascii() => continue,
            "·" | "│" => "|",
            "–" | "−" => "-",
            "→" => ">",
            "←" => "<",
            "µ" => "u",
            "±" => "+",
            "×" => "x",
            "…" => "\\",
            _ => "?",
        };
        cell.set_symbol(plain);
    }
}

/// Lays a style over an area.
pub fn tint(buf: &mut Buffer, area: Rect, style: Style) {
    buf.set_style(area, style);
}

/// Lays the look of a chosen row over an area; bars and patches of colour keep theirs, as they say whose row it is.
pub fn choose(buf: &mut Buffer, area: Rect, style: Style) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let Some(cell) = buf.cell_mut((x, y)) else { continue };
            let block = cell.symbol().chars().next().is_some_and(|c| ('\u{2580}'..='\u{259f}').contains(&c));
            if block {
                cell.bg = style.bg.unwrap_or(cell.bg);
            } else {
                cell.set_style(style);
            }
        }
    }
}

/// Writes a text into the first row of `at`, truncated with … where it does not fit; returns the columns used.
pub fn text(buf: &mut Buffer, at: Rect, words: &str, style: Style, ellipsis: char) -> u16 {
    let at = at.intersection(buf.area);
    if at.is_empty() {
        return 0;
    }
    let room = usize::from(at.width);
    let longer = words.len() > room && text::width(words) > room;
    let (kept, _) = if longer { text::fit(words, room.saturating_sub(1)) } else { (words.len(), 0) };
    let mut x = at.left();
    let kept = words.get(..kept).unwrap_or_default();
    // Without a sign for it, a number per mille stands alone: `m` would read as minutes, and a blank as a gap.
    let mut letters = kept.chars().peekable();
    let plain = ellipsis.is_ascii() && kept.contains('‰');
    while let Some(c) = letters.next() {
        if !plain || c != '‰' && (c != ' ' || letters.peek() != Some(&'‰')) {
            x = letter(buf, at, x, c, style);
        }
    }
    if longer && x < at.right() {
        sign(buf, x, at.top(), ellipsis, style);
        x += 1;
    }
    x - at.left()
}

/// Writes one letter at `x` and returns the column after it.
fn letter(buf: &mut Buffer, at: Rect, x: u16, c: char, style: Style) -> u16 {
    let y = at.top();
    let wide = if c.is_ascii() { 1 } else { c.width().unwrap_or(0) };
    if !text::is_safe(c) {
        return x;
    }
    if wide == 0 {
        // A combining mark goes to the letter before it.
        let before = x.checked_sub(1).filter(|&b| b >= at.left());
        if let Some(cell) = before.and_then(|b| buf.cell_mut((b, y)))
            && cell.symbol().len() < LONGEST_CLUSTER
            && cell.symbol() != " "
        {
            let mut cluster = cell.symbol().to_owned();
            cluster.push(c);
            cell.set_symbol(&cluster);
        }
        return x;
    }
    let after = x.saturating_add(if wide == 2 { 2 } else { 1 });
    if after > at.right() {
        return x;
    }
    sign(buf, x, y, c, style);
    if wide == 2
        && let Some(hidden) = buf.cell_mut((x + 1, y))
    {
        hidden.set_char(' ').set_style(style);
    }
    after
}

/// Returns the width of a box over a screen: at most so many columns, but no strip of a few columns stays beside it.
pub fn box_width(screen: Rect, most: u16) -> u16 {
    if screen.width < most.saturating_add(12) { screen.width } else { most }
}

/// Says how many lines there would have to be room for.
pub fn more(buf: &mut Buffer, at: Rect, lines: usize, look: Look<'_>) {
    let words = format!("{} {lines} more", look.glyphs.ellipsis);
    look.text(buf, at, &words, Role::Muted);
}

/// Takes `columns` from the left of an area: what was taken, and the rest.
pub fn split_left(area: Rect, columns: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    let rest = Rect { x: area.x.saturating_add(columns), width: area.width - columns, ..area };
    (Rect { width: columns, ..area }, rest)
}

/// Takes `rows` from the top of an area: what was taken, and the rest.
pub fn split_top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    let rest = Rect { y: area.y.saturating_add(rows), height: area.height - rows, ..area };
    (Rect { height: rows, ..area }, rest)
}

/// Returns a place of a size in the middle of an area that is as large.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (x, y) = (area.x + (area.width - width) / 2, area.y + (area.height - height) / 2);
    Rect { x, y, width, height }
}

/// Leaves a column free at both sides, so that nothing touches a frame.
pub fn margin(area: Rect) -> Rect {
    if area.width < 4 { area } else { Rect { x: area.x + 1, width: area.width - 2, ..area } }
}

/// Returns the `index`th row of an area; empty beyond its end.
pub fn nth_row(area: Rect, index: u16) -> Rect {
    split_top(split_top(area, index).1, 1).0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::glyphs::GlyphSet;

    fn line(width: u16, words: &str) -> String {
        line_truncated(width, words, '…')
    }

    fn line_truncated(width: u16, words: &str, ellipsis: char) -> String {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, 1));
        text(&mut buf, Rect::new(0, 0, width, 1), words, Style::new(), ellipsis);
        (0..width).map(|x| buf[(x, 0)].symbol().to_owned()).collect()
    }

    #[test]
    fn texts_are_truncated_and_cleaned_on_the_way() {
        assert_eq!(line(6, "abc"), "abc   ");
        assert_eq!(line(4, "abcdef"), "abc…");
        assert_eq!(line(5, "日本語"), "日 本 …");
        assert_eq!(line(6, "a\u{1b}[31mb\u{202e}c"), "a[31m…");
        assert_eq!(line(3, "e\u{301}x"), "e\u{301}x ");
    }

    #[test]
    fn where_there_is_no_sign_for_per_mille_it_leaves_no_gap() {
        assert_eq!(line_truncated(20, "527‰, below 560 ‰: a", '\\'), "527, below 560: a   ");
        assert_eq!(line(20, "527‰, below 560 ‰: a"), "527‰, below 560 ‰: a");
    }

    #[test]
    fn nothing_is_written_outside() {
        let area = Rect::new(2, 1, 4, 1);
        let look = Look { theme: &Theme::default(), glyphs: Glyphs::of(GlyphSet::Braille) };
        for at in [
            Rect::new(0, 0, 0, 0),
            Rect::new(5, 1, 90, 7),
            Rect::new(0, 0, 9, 9),
            Rect::new(u16::MAX, u16::MAX, 5, 5),
        ] {
            let mut buf = Buffer::empty(area);
            text(&mut buf, at, "abcdefgh", Style::new(), '…');
            look.text_right(&mut buf, at, "abcdefgh", Style::new());
            look.text_middle(&mut buf, at, "日本語", Style::new());
            row(&mut buf, at, '─', Style::new());
            clear(&mut buf, at, Style::new());
        }
    }
}
