//! How full something is, and a slider.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::paint::{self, Look};
use crate::console::theme::Role;
use crate::units::PerMille;

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
    /// What is held on top of that, in thousandths.
    pub held: u32,
    /// From where on it is something to look at, in thousandths.
    pub warn_from: u32,
}

impl Gauge {
    /// Draws steps ▰▰▰▱▱ over the first row.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let at = paint::nth_row(area.intersection(buf.area), 0);
        let steps = |thousandths: u32| {
            let exact = u64::from(thousandths.min(1000)) * u64::from(at.width);
            u16::try_from(exact.div_ceil(1000)).unwrap_or(u16::MAX)
        };
        let role = match self.used {
            1000.. => Role::Error,
            used if used >= self.warn_from => Role::Warn,
            _ => Role::GaugeFill,
        };
        let (used, held) = (steps(self.used), steps(self.used.saturating_add(self.held)));
        for offset in 0..at.width {
            let (sign, role) = match offset {
                _ if offset < used => (look.glyphs.gauge.0, role),
                _ if offset < held => (look.glyphs.gauge.0, Role::Muted),
                _ => (look.glyphs.gauge.1, Role::GaugeEmpty),
            };
            look.sign(buf, at.left() + offset, at.top(), sign, role);
        }
    }
}

/// A threshold on its line, with the one in force behind it.
#[derive(Clone, Copy, Debug)]
pub struct Slider {
    /// The value being tried.
    pub staged: PerMille,
    /// The value in force.
    pub applied: PerMille,
}

impl Slider {
    /// Draws it over the first row; the mouse is read with [`super::histogram::hit`].
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let at = paint::nth_row(area.intersection(buf.area), 0);
        if at.is_empty() {
            return;
        }
        paint::row(buf, at, look.glyphs.slider.0, look.style(Role::SliderTrack));
        let ghost = super::histogram::column(at, self.applied);
        look.sign(buf, ghost, at.y, look.glyphs.point.1, Role::SliderGhost);
        let knob = super::histogram::column(at, self.staged);
        look.sign(buf, knob, at.y, look.glyphs.slider.1, Role::SliderKnob);
    }
}
