//! What could stand in place of the line being typed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;

/// The most lines shown at once.
const MOST: usize = 8;

/// The lines offered, and the one that was taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Completing {
    pub(super) lines: Vec<String>,
    pub(super) at: Option<usize>,
}

impl Completing {
    /// Lists what could be meant above the line being typed, which is `footer`; the one taken is among those shown.
    pub(super) fn render(&self, footer: Rect, screen: Rect, buf: &mut Buffer, look: Look<'_>) {
        let most = MOST.min(usize::from(footer.y.saturating_sub(screen.y)));
        let whole = self.lines.len() <= most;
        let shown = if whole { self.lines.len() } else { most.saturating_sub(1) };
        let first = self.at.map_or(0, |at| (at + 1).saturating_sub(shown));
        let rows = u16::try_from(shown + usize::from(!whole && most > 0)).unwrap_or(0);
        let at = Rect { y: footer.y - rows.min(footer.y), height: rows, ..screen }.intersection(screen);
        // Whole rows, so that no half of what lies below is read as part of a name.
        paint::clear(buf, at, look.theme.popup());
        let inside = paint::split_left(at, 3).1;
        let widest = self.lines.iter().map(|line| text::width(line)).max().unwrap_or(0);
        let wide = u16::try_from(widest).unwrap_or(u16::MAX).saturating_add(2).min(inside.width);
        for (row, (place, line)) in (0u16..).zip(self.lines.iter().enumerate().skip(first).take(shown)) {
            let here = paint::nth_row(inside, row);
            look.text(buf, here, line, look.theme.popup());
            if self.at == Some(place) {
                let chosen = Rect { x: here.x.saturating_sub(1), width: wide, ..here };
                paint::tint(buf, chosen.intersection(at), look.style(Role::Selection));
            }
        }
        if !whole {
            let last = paint::nth_row(inside, rows.saturating_sub(1));
            paint::more(buf, last, self.lines.len() - shown, look);
        }
    }
}
