//! The help: every key that works here and what it does, made from the table of actions.
//!
//! Invariant: nothing is listed that does not work; a key that another context has taken is not shown with this one.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::action::{Context, Spec};
use super::keys::Keymap;
use super::paint::{self, Look};
use super::text;
use super::theme::Role;
use super::widgets::panel::Panel;
use super::widgets::table::scrollbar;

#[derive(Clone, Debug)]
enum Line {
    Heading(Context),
    Row { keys: String, spec: &'static Spec },
    Blank,
}

/// The help over one screen.
#[derive(Clone, Debug)]
pub struct Help {
    screen: Context,
    lines: Vec<Line>,
    offset: usize,
}

impl Help {
    /// Opens the help over a screen.
    pub fn open(screen: Context, layers: &[Context], keymap: &Keymap, ascii: bool) -> Self {
        let mut lines = Vec::new();
        let mut heading = None;
        for (context, spec) in keymap.actions_here(layers) {
            let keys = keymap.labels_here(layers, spec.action, ascii);
            // An action without a key here is still found in the palette.
            if keys.is_empty() && !spec.keys.is_empty() {
                continue;
            }
            if heading != Some(context) {
                if heading.is_some() {
                    lines.push(Line::Blank);
                }
                heading = Some(context);
                lines.push(Line::Heading(context));
            }
            lines.push(Line::Row { keys, spec });
        }
        Self { screen, lines, offset: 0 }
    }

    /// Gives where the help lies over a screen.
    pub fn area(screen: Rect) -> Rect {
        let (width, height) =
            (screen.width.min(150), screen.height.saturating_sub(2).max(screen.height.min(3)));
        let (x, y) = (screen.x + (screen.width - width) / 2, screen.y + (screen.height - height) / 2);
        Rect { x, y, width, height }
    }

    fn columns(inner: Rect) -> u16 {
        (inner.width / 66).clamp(1, 2)
    }

    /// Scrolls by so many lines of a help over this screen area.
    pub fn scroll(&mut self, by: isize, screen: Rect) {
        let inner = Panel::inner(Self::area(screen));
        let last = self.rows(inner).saturating_sub(usize::from(inner.height));
        self.offset = self.offset.saturating_add_signed(by).min(last);
    }

    /// The rows that the longest column takes.
    fn rows(&self, inner: Rect) -> usize {
        self.lines.len().div_ceil(usize::from(Self::columns(inner)))
    }

    /// Draws it over a screen.
    pub fn render(&self, screen: Rect, buf: &mut Buffer, look: Look<'_>) {
        let area = Self::area(screen.intersection(buf.area));
        paint::clear(buf, area, look.theme.popup());
        let inner = Panel { title: "Keys", scope: self.screen.name(), focus: true }.render(area, buf, look);
        if inner.is_empty() {
            return;
        }
        let (rows, visible) = (self.rows(inner), usize::from(inner.height));
        let offset = self.offset.min(rows.saturating_sub(visible));
        let columns = Self::columns(inner);
        let wide = (inner.width - 1) / columns;
        for column in 0..columns {
            let place = Rect { x: inner.x + column * wide, width: wide, ..inner };
            let lines = self.lines.iter().skip(usize::from(column) * rows).take(rows).skip(offset);
            for (row, line) in (0..inner.height).zip(lines) {
                render_line(line, paint::nth_row(place, row), buf, look);
            }
        }
        let place = Rect { x: inner.right() - 1, width: 1, ..inner };
        scrollbar(buf, place, offset, visible, rows, look);
    }

    /// Lists keys, names and sentences under their headings, for documentation.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for line in &self.lines {
            match line {
                Line::Heading(context) => {
                    let _ = writeln!(
                        out,
                        "### {}\n\n| key | action | what it does |\n|---|---|---|",
                        context.name()
                    );
                }
                Line::Row { keys, spec } => {
                    let keys: Vec<String> =
                        keys.split(' ').map(|key| format!("`{}`", key.replace('|', "\\|"))).collect();
                    let _ = writeln!(out, "| {} | {} | {} |", keys.join(" "), spec.name, spec.doc);
                }
                Line::Blank => out.push('\n'),
            }
        }
        out
    }
}

/// The columns given to keys.
const KEYS: u16 = 19;

fn render_line(line: &Line, at: Rect, buf: &mut Buffer, look: Look<'_>) {
    let (_, at) = paint::split_left(at, 1);
    match line {
        Line::Blank => {}
        Line::Heading(context) => {
            paint::text(buf, at, context.name(), look.style(Role::Title), look.glyphs.cut);
        }
        Line::Row { keys, spec } => {
            let (place, rest) = paint::split_left(at, KEYS.min(at.width / 2));
            let (place, _) = paint::split_left(place, place.width.saturating_sub(1));
            paint::text(buf, place, keys, look.style(Role::Key), look.glyphs.cut);
            let wide = u16::try_from(text::width(spec.doc)).unwrap_or(u16::MAX);
            // The sentence says more; where it does not fit whole, the name does.
            let words = if wide < rest.width { spec.doc } else { spec.name };
            let (words_at, _) = paint::split_left(rest, rest.width.saturating_sub(1));
            paint::text(buf, words_at, words, look.theme.popup(), look.glyphs.cut);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_shows_what_holds_here_and_nothing_else() {
        let keymap = Keymap::default();
        let of =
            |screen: Context, replay| Help::open(screen, screen.layers(replay), &keymap, false).markdown();
        let tune = of(Context::Tune, true);
        assert!(tune.contains("| `←` `h` | Threshold down by 1 |"), "{tune}");
        assert!(tune.contains("| `<` `Alt-←` | Back 10 seconds |"), "{tune}");
        assert!(of(Context::Overview, true).contains("| `←` `<` `Alt-←` | Back 10 seconds |"));
        assert!(!of(Context::Overview, false).contains("Back 10 seconds"), "there is no player in live view");
    }
}
