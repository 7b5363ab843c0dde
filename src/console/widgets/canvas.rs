//! Dots finer than a cell, drawn straight into the buffer: braille (2×4 to a cell), quadrants (2×2) or signs at three heights.
//!
//! Invariant: dots add up, because a cell's own sign is read back before the next dot is put in.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::console::glyphs::{GlyphSet, Glyphs};

const QUADRANTS: [char; 16] =
    [' ', '▘', '▝', '▀', '▖', '▌', '▞', '▛', '▗', '▚', '▐', '▜', '▄', '▙', '▟', '█'];

/// What stands for dots at the top, in the middle and at the foot of a cell, and for more than one of them.
const HEIGHTS: [char; 8] = [' ', '\'', '-', '|', '.', '|', '|', '|'];

/// A grid of dots over an area.
#[derive(Clone, Copy, Debug)]
pub(super) struct Canvas<'a> {
    pub(super) area: Rect,
    pub(super) glyphs: &'a Glyphs,
}

impl Canvas<'_> {
    /// Returns how many dots a cell has, across and down.
    fn dots_in_cell(self) -> (u16, u16) {
        match self.glyphs.set {
            GlyphSet::Braille => (2, 4),
            GlyphSet::Block => (2, 2),
            GlyphSet::Ascii => (1, 3),
        }
    }

    /// Returns how many dots there are, across and down.
    pub(super) fn size(self) -> (u32, u32) {
        let (across, down) = self.dots_in_cell();
        (u32::from(self.area.width) * u32::from(across), u32::from(self.area.height) * u32::from(down))
    }

    /// Puts one dot, counted from the top left; outside the area nothing happens.
    pub(super) fn dot(self, buf: &mut Buffer, x: u32, y: u32, style: Style) {
        let (across, down) = self.dots_in_cell();
        let (Ok(column), Ok(row)) =
            (u16::try_from(x / u32::from(across)), u16::try_from(y / u32::from(down)))
        else {
            return;
        };
        if column >= self.area.width || row >= self.area.height {
            return;
        }
        let (dx, dy) = (x % u32::from(across), y % u32::from(down));
        let Some(cell) = buf.cell_mut((self.area.x + column, self.area.y + row)) else { return };
        let present = cell.symbol().chars().next().unwrap_or(' ');
        let sign = match self.glyphs.set {
            GlyphSet::Braille => {
                let bit: u32 = match (dx, dy) {
                    (0, 3) => 0x40,
                    (_, 3) => 0x80,
                    (0, dy) => 1 << dy,
                    (_, dy) => 8 << dy,
                };
                let before = u32::from(present).checked_sub(0x2800).filter(|&bits| bits < 256).unwrap_or(0);
                char::from_u32(0x2800 + (before | bit)).unwrap_or(present)
            }
            GlyphSet::Block => {
                let before = QUADRANTS.iter().position(|&q| q == present).unwrap_or(0);
                let bit = 1usize << (dx + 2 * dy);
                QUADRANTS.get(before | bit).copied().unwrap_or(present)
            }
            GlyphSet::Ascii => {
                let before = HEIGHTS.iter().position(|&sign| sign == present).unwrap_or(0);
                HEIGHTS.get(before | 1 << dy).copied().unwrap_or(present)
            }
        };
        cell.set_char(sign).set_style(style);
    }

    /// Draws a line between two dots given in parts of the area (0 to 1, y upwards); what lies outside is cut off.
    pub(super) fn line(self, buf: &mut Buffer, from: (f64, f64), to: (f64, f64), style: Style) {
        let Some((from, to)) = clip(from, to) else { return };
        let (width, height) = self.size();
        if width == 0 || height == 0 {
            return;
        }
        let across = |x: f64| x * f64::from(width - 1);
        let down = |y: f64| (1.0 - y) * f64::from(height - 1);
        let (x0, y0, x1, y1) = (across(from.0), down(from.1), across(to.0), down(to.1));
        let steps = (x1 - x0).abs().max((y1 - y0).abs()).ceil().clamp(1.0, 100_000.0);
        let mut step = 0.0;
        while step <= steps {
            let part = step / steps;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clipped to the area above"
            )]
            self.dot(
                buf,
                (x0 + (x1 - x0) * part).round() as u32,
                (y0 + (y1 - y0) * part).round() as u32,
                style,
            );
            step += 1.0;
        }
    }

    /// Returns the cell of a place given in parts of the area (0 to 1, y upwards); `None` outside.
    pub(super) fn cell(self, place: (f64, f64)) -> Option<(u16, u16)> {
        let inside = (0.0..=1.0).contains(&place.0) && (0.0..=1.0).contains(&place.1);
        if !inside || self.area.is_empty() {
            return None;
        }
        // By way of the dot, so that a sign stands in the cell through which a line to that place runs.
        let (across, down) = self.dots_in_cell();
        let (width, height) = self.size();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the count of dots"
        )]
        let dots = (
            (place.0 * f64::from(width - 1)).round() as u32,
            ((1.0 - place.1) * f64::from(height - 1)).round() as u32,
        );
        let column = u16::try_from(dots.0 / u32::from(across)).ok()?;
        let row = u16::try_from(dots.1 / u32::from(down)).ok()?;
        Some((self.area.x + column, self.area.y + row))
    }
}

/// Cuts a line to the unit square (Liang and Barsky); `None` where nothing of it lies inside.
fn clip(from: (f64, f64), to: (f64, f64)) -> Option<((f64, f64), (f64, f64))> {
    if ![from.0, from.1, to.0, to.1].iter().all(|v| v.is_finite()) {
        return None;
    }
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let (mut enter, mut leave) = (0.0f64, 1.0f64);
    for (p, q) in [(-dx, from.0), (dx, 1.0 - from.0), (-dy, from.1), (dy, 1.0 - from.1)] {
        if p == 0.0 {
            if q < 0.0 {
                return None;
            }
        } else if p < 0.0 {
            enter = enter.max(q / p);
        } else {
            leave = leave.min(q / p);
        }
    }
    let at = |part: f64| ((from.0 + dx * part).clamp(0.0, 1.0), (from.1 + dy * part).clamp(0.0, 1.0));
    (enter <= leave).then(|| (at(enter), at(leave)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_of_signs_shows_thirds_of_a_row() {
        let area = Rect::new(0, 0, 4, 1);
        let mut buf = Buffer::empty(area);
        let canvas = Canvas { area, glyphs: Glyphs::of(GlyphSet::Ascii) };
        for (x, y) in [(0, 0), (1, 1), (2, 2), (3, 0), (3, 2)] {
            canvas.dot(&mut buf, x, y, Style::new());
        }
        let row: String = (0..4).map(|x| buf[(x, 0)].symbol().to_owned()).collect();
        assert_eq!(row, "'-.|");
    }
}
