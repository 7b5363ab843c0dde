//! A list of bars: name, bar, figure.
//!
//! ```text
//! gemini 2.5 flash ██████████████▍      64.9 %
//! gpt-4.1          ███████▊             31.2 %
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::gauge;
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
            gauge::bar(buf, length, bar.filled, bar.style, look);
            look.text_right(buf, rest, bar.value, Role::Text);
        }
    }
}
