//! Names and their figures, one a line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;

/// A name and its figure.
#[derive(Clone, Copy, Debug)]
pub struct KeyValue<'a> {
    /// The name.
    pub key: &'a str,
    /// The figure.
    pub value: &'a str,
    /// How the figure looks.
    pub style: Style,
}

/// Draws names at the left and figures at the right, as many as fit, and says how many do not; a name gives way to its figure.
pub fn render(rows: &[KeyValue<'_>], area: Rect, buf: &mut Buffer, look: Look<'_>) {
    let area = area.intersection(buf.area);
    let left_out = rows.len().saturating_sub(usize::from(area.height));
    for (index, row) in (0..area.height).zip(rows) {
        if left_out > 0 && index + 1 == area.height {
            paint::more(buf, paint::nth_row(area, index), left_out + 1, look);
            break;
        }
        let at = paint::nth_row(area, index);
        let wide = text::columns(row.value).min(at.width);
        let (name, _) = paint::split_left(at, at.width.saturating_sub(wide.saturating_add(1)));
        look.text(buf, name, row.key, Role::Muted);
        look.text_right(buf, at, row.value, row.style);
    }
}
