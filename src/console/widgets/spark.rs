//! A line of columns over time, the newest at the right; where nothing was measured, nothing is claimed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::paint::{self, Look};
use crate::console::theme::Role;

/// A sparkline.
#[derive(Clone, Copy, Debug)]
pub struct Spark<'a> {
    /// The values, the oldest first; `None` where nothing was measured.
    pub values: &'a [Option<u64>],
    /// The value of a full column; the largest of those drawn where not given.
    pub most: Option<u64>,
    /// How the columns look.
    pub style: Style,
}

/// What stands in one column.
#[derive(Clone, Copy)]
enum Column {
    /// Nothing: the values do not reach so far back.
    Before,
    /// A time in which nothing was measured.
    Absent,
    Value(u64),
}

impl Spark<'_> {
    /// What is drawn in a column: the mean of the values that fall together, or one each from the right.
    fn value(&self, width: usize, offset: usize) -> Column {
        let count = self.values.len();
        let (from, to) = if count > width {
            (offset * count / width, (offset + 1) * count / width)
        } else {
            match offset.checked_sub(width - count) {
                Some(at) => (at, at + 1),
                None => return Column::Before,
            }
        };
        let values = self.values.get(from..to).unwrap_or_default();
        let known = || values.iter().copied().flatten();
        match known().count() {
            0 => Column::Absent,
            // Rounded up, so that nothing vanishes.
            many => Column::Value(known().fold(0u64, u64::saturating_add).div_ceil(many as u64)),
        }
    }

    /// Draws it over the whole area.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let width = usize::from(area.width);
        let largest = || {
            let drawn = (0..width).map(|offset| match self.value(width, offset) {
                Column::Value(value) => value,
                Column::Before | Column::Absent => 0,
            });
            drawn.max().unwrap_or(1)
        };
        let most = self.most.unwrap_or_else(largest).max(1);
        for offset in 0..area.width {
            let x = area.left() + offset;
            match self.value(width, usize::from(offset)) {
                Column::Value(value) => column(buf, area, x, value, most, self.style, look),
                Column::Absent => {
                    let y = area.bottom() - 1;
                    look.sign(buf, x, y, look.glyphs.dot, Role::Unknown);
                }
                Column::Before => {}
            }
        }
    }
}

/// Draws one column of `value / most` of the area's height; anything above nothing shows.
pub(super) fn column(
    buf: &mut Buffer,
    area: Rect,
    x: u16,
    value: u64,
    most: u64,
    style: Style,
    look: Look<'_>,
) {
    if value == 0 {
        return;
    }
    let full = u64::from(area.height) * 8;
    let scaled = u128::from(value) * u128::from(full) / u128::from(most.max(1));
    let eighths = u64::try_from(scaled).unwrap_or(full).clamp(1, full.max(1));
    for up in 0..area.height {
        let level = eighths.saturating_sub(u64::from(up) * 8).min(8);
        if level == 0 {
            break;
        }
        if let Some(&sign) = usize::try_from(level).ok().and_then(|level| look.glyphs.up.get(level)) {
            paint::sign(buf, x, area.bottom() - 1 - up, sign, style);
        }
    }
}
