//! The frame round a panel: its name on the left, its scope on the right.
//!
//! The line of tabs says once what a screen's figures are of; a panel says it again where its own differ.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::short;
use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;

/// A panel's frame.
#[derive(Clone, Copy, Debug)]
pub struct Panel<'a> {
    /// Its name.
    pub title: &'a str,
    /// What its figures are of.
    pub scope: &'a str,
    /// Whether it has the keys.
    pub focus: bool,
}

impl Panel<'_> {
    /// Returns the area inside the frame.
    pub fn inner(area: Rect) -> Rect {
        if area.width < 2 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
    }

    /// Draws the frame and returns the area inside it.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) -> Rect {
        let area = area.intersection(buf.area);
        if area.width < 2 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        let role = if self.focus { Role::BorderFocus } else { Role::Border };
        let style = look.style(role);
        let g = look.glyphs;
        let (left, right, top, bottom) = (area.left(), area.right() - 1, area.top(), area.bottom() - 1);
        for x in left..=right {
            paint::sign(buf, x, top, g.line.0, style);
            paint::sign(buf, x, bottom, g.line.0, style);
        }
        for y in top..=bottom {
            paint::sign(buf, left, y, g.line.1, style);
            paint::sign(buf, right, y, g.line.1, style);
        }
        paint::sign(buf, left, top, g.corner.0, style);
        paint::sign(buf, right, top, g.corner.1, style);
        paint::sign(buf, left, bottom, g.corner.2, style);
        paint::sign(buf, right, bottom, g.corner.3, style);
        self.name(Rect { x: left + 1, y: top, width: area.width - 2, height: 1 }, buf, look);
        Self::inner(area)
    }

    /// Draws the frame and returns the area inside it with a column free at both sides.
    pub fn page(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) -> Rect {
        paint::margin(self.render(area, buf, look))
    }

    fn name(&self, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        let style = if self.focus { Role::BorderFocus } else { Role::Title };
        let mut used = 0;
        if !self.title.is_empty() && at.width >= 3 {
            let room = Rect { x: at.x + 1, width: at.width - 2, ..at };
            let title = look
                .style(Role::Title)
                .patch(look.style(style))
                .add_modifier(look.style(Role::Title).add_modifier);
            let wide = look.text(buf, room, self.title, title);
            paint::sign(buf, at.x, at.y, ' ', title);
            paint::sign(buf, at.x + 1 + wide, at.y, ' ', title);
            used = wide + 2;
        }
        // The scope stands only where it stands whole or nearly so; half a scope misleads.
        let wanted = text::columns(self.scope).saturating_add(2);
        let room = at.width.saturating_sub(used + 1);
        if !self.scope.is_empty() && room >= wanted.min(12) && room >= 4 {
            let wide = wanted.min(room);
            let place = Rect { x: at.right() - wide, width: wide, ..at };
            let style = look.style(Role::Scope);
            paint::row(buf, place, ' ', style);
            let inside = Rect { x: place.x + 1, width: wide - 2, ..place };
            look.text(buf, inside, self.scope, style);
        }
    }
}

/// The smallest window in which the screens make sense.
pub const SMALLEST: (u16, u16) = (60, 16);

/// Draws what is shown instead of a screen in a window that is too small; says whether it was.
pub fn too_small(area: Rect, buf: &mut Buffer, look: Look<'_>) -> bool {
    if area.width >= SMALLEST.0 && area.height >= SMALLEST.1 {
        return false;
    }
    let middle = area.height / 2;
    let first = paint::nth_row(area, middle.saturating_sub(1));
    look.text_middle(buf, first, "window too small", Role::Warn);
    let words = short!("{}x{}, wants {}x{}", area.width, area.height, SMALLEST.0, SMALLEST.1);
    look.text_middle(buf, paint::nth_row(area, middle), &words, Role::Muted);
    true
}
