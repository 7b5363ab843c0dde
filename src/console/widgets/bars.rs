//! Bars: a list of them with names and figures, one by itself, one in steps, and columns over time, the newest at the right.
//!
//! ```text
//! gemini 2.5 flash ██████████████▍      64.9 %
//! gpt-4.1          ███████▊             31.2 %
//! ```
//!
//! Invariant: anything above nothing shows; where nothing was measured, nothing is claimed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;

/// One bar.
#[derive(Clone, Copy, Debug)]
pub struct Bar<'a> {
    /// What it is of.
    pub label: &'a str,
    /// Its figure.
    pub value: &'a str,
    /// Its length in thousandths of the longest.
    pub filled: u32,
    /// How it looks.
    pub style: Style,
}

/// A list of bars.
#[derive(Clone, Copy, Debug)]
pub struct BarList<'a> {
    /// The bars, from the top.
    pub bars: &'a [Bar<'a>],
    /// The most columns for names.
    pub label_width: u16,
}

impl BarList<'_> {
    /// Draws it; what does not fit below is left out.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let shown = self.bars.iter().take(usize::from(area.height));
        let widest = |of: fn(&Bar<'_>) -> usize| {
            let widest = shown.clone().map(of).max().unwrap_or(0);
            u16::try_from(widest).unwrap_or(u16::MAX)
        };
        let values = widest(|bar| text::width(bar.value)).min(area.width);
        let room = area.width.saturating_sub(values.saturating_add(1));
        // Names give way to figures; bars give way to names.
        let labels = widest(|bar| text::width(bar.label)).min(self.label_width).min(room);
        let lengths = room.saturating_sub(labels.saturating_add(1));
        for (index, bar) in (0u16..).zip(shown.clone()) {
            let row = paint::nth_row(area, index);
            let (label, rest) = paint::split_left(row, labels);
            look.text(buf, label, bar.label, Role::Text);
            let (_, rest) = paint::split_left(rest, u16::from(lengths > 0));
            let (length, rest) = paint::split_left(rest, lengths);
            self::bar(buf, length, bar.filled, bar.style, look);
            look.text_right(buf, rest, bar.value, Role::Text);
        }
    }
}

/// Draws a bar of eighths over the first row of `at`, `filled` thousandths of it; anything above nothing shows.
pub fn bar(buf: &mut Buffer, at: Rect, filled: u32, style: Style, look: Look<'_>) {
    let at = paint::nth_row(at.intersection(buf.area), 0);
    if at.is_empty() || filled == 0 {
        return;
    }
    let full = u32::from(at.width) * 8;
    let eighths = (filled.min(1000) * full / 1000).clamp(1, full);
    for offset in 0..at.width {
        let level = eighths.saturating_sub(u32::from(offset) * 8).min(8);
        if level == 0 {
            break;
        }
        if let Some(&sign) = look.glyphs.right.get(level as usize) {
            paint::sign(buf, at.left() + offset, at.top(), sign, style);
        }
    }
}

/// Draws how much is used, in thousandths of the whole, as steps ▰▰▰▱▱ over the first row; from 800 on it is something to look at.
pub fn gauge(buf: &mut Buffer, area: Rect, used: u32, look: Look<'_>) {
    let at = paint::nth_row(area.intersection(buf.area), 0);
    let exact = u64::from(used.min(1000)) * u64::from(at.width);
    let steps = u16::try_from(exact.div_ceil(1000)).unwrap_or(u16::MAX);
    let role = match used {
        1000.. => Role::Error,
        800.. => Role::Warn,
        _ => Role::GaugeFill,
    };
    for offset in 0..at.width {
        let (full, empty) = look.glyphs.gauge;
        let (sign, role) = if offset < steps { (full, role) } else { (empty, Role::GaugeEmpty) };
        look.sign(buf, at.left() + offset, at.top(), sign, role);
    }
}

/// A sparkline.
#[derive(Clone, Copy, Debug)]
pub struct Spark<'a> {
    /// The values, the oldest first; `None` where nothing was measured.
    pub values: &'a [Option<u64>],
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
        let drawn = (0..width).map(|offset| match self.value(width, offset) {
            Column::Value(value) => value,
            Column::Before | Column::Absent => 0,
        });
        let most = drawn.max().unwrap_or(1).max(1);
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
