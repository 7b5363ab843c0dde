//! How full something is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::paint::{self, Look};
use crate::console::theme::Role;

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

/// How much of a budget is used.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// What is used, in thousandths of the whole; may be more than the whole.
    pub used: u32,
    /// From where on it is something to look at, in thousandths.
    pub warn_from: u32,
}

impl Gauge {
    /// Draws steps ▰▰▰▱▱ over the first row.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let at = paint::nth_row(area.intersection(buf.area), 0);
        let exact = u64::from(self.used.min(1000)) * u64::from(at.width);
        let steps = u16::try_from(exact.div_ceil(1000)).unwrap_or(u16::MAX);
        let role = match self.used {
            1000.. => Role::Error,
            used if used >= self.warn_from => Role::Warn,
            _ => Role::GaugeFill,
        };
        for offset in 0..at.width {
            let (full, empty) = look.glyphs.gauge;
            let (sign, role) = if offset < steps { (full, role) } else { (empty, Role::GaugeEmpty) };
            look.sign(buf, at.left() + offset, at.top(), sign, role);
        }
    }
}
