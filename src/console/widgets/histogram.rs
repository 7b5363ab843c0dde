//! How confident the classifier was: requests per confidence, with the thresholds drawn on it.
//!
//! ```text
//! ▁▁▂▂▃▃▂▁▁      │▂▄▅██▆▄▂▁      ┊│▁▂▂▁       ▁▁▂▂▃▄▄▅▅▆▆▇▇████████████▆▃▁
//! 0      100     200     300     400     500     600     700     800   1000
//! ◀─ opus 4.6 ──▶▲◀──────── gpt-4.1 ──────▶△▲◀────── gemini 2.5 flash ─────▶
//!               180                      588 620
//! ```
//!
//! Invariant: a column with any request at all shows at least an eighth; [`hit`] is the inverse of [`column()`].

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bars;
use crate::console::format::short;
use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;
use crate::units::PerMille;

const VALUES: u32 = 1001;

/// The stretch of confidence that a rung serves: from `from` up to the next segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The least confidence it serves.
    pub from: PerMille,
    /// The rung's name.
    pub name: &'a str,
    /// How its bars look.
    pub style: Style,
}

/// What a marker stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerKind {
    /// A threshold in force.
    Applied,
    /// A threshold being tried.
    Staged,
}

/// A threshold drawn on the histogram.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    /// Where it stands.
    pub at: PerMille,
    /// What it is.
    pub kind: MarkerKind,
    /// Whether it is the one the keys move.
    pub chosen: bool,
}

/// Requests per confidence with the thresholds on it.
#[derive(Clone, Copy, Debug)]
pub struct Histogram<'a> {
    /// Requests for each confidence, 0 to 1000.
    pub bins: &'a [u32],
    /// The rungs, in order of confidence.
    pub segments: &'a [Segment<'a>],
    /// The thresholds.
    pub markers: &'a [Marker],
    /// From where on the chosen threshold is certified.
    pub certified: Option<PerMille>,
}

/// Returns the column in which a confidence is drawn.
pub fn column(area: Rect, at: PerMille) -> u16 {
    let offset = u32::from(at.get()) * u32::from(area.width) / VALUES;
    area.x.saturating_add(u16::try_from(offset).unwrap_or(0))
}

/// Returns the confidence under a column, for the mouse: the first column is 0, the last 1000.
pub fn hit(area: Rect, column: u16) -> Option<PerMille> {
    if column < area.left() || column >= area.right() {
        return None;
    }
    let offset = column - area.left();
    if offset + 1 == area.width && area.width > 1 {
        return Some(PerMille::ONE);
    }
    if offset == 0 {
        return Some(PerMille::ZERO);
    }
    let (from, to) = span(area.width, offset);
    Some(PerMille::clamped(i64::from(u32::midpoint(from, to.max(from + 1) - 1))))
}

/// The confidences of one column, half open; empty where there are more columns than values.
fn span(width: u16, offset: u16) -> (u32, u32) {
    let (width, offset) = (u32::from(width.max(1)), u32::from(offset));
    let edge = |at: u32| (at * VALUES).div_ceil(width).min(VALUES);
    (edge(offset), edge(offset + 1))
}

impl Histogram<'_> {
    /// Draws it; with little height the lower rows go first.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let area = area.intersection(buf.area);
        let below = match area.height {
            0..=1 => 0,
            2..=3 => 1,
            4 => 2,
            _ => 3,
        };
        let (bars, rest) = paint::split_top(area, area.height - below);
        // The markers matter more than the numbers under the axis.
        let (numbers, rest) = paint::split_top(rest, u16::from(below == 3));
        self.bars(bars, buf, look);
        axis(numbers, buf, look);
        self.rungs(paint::nth_row(rest, 0), buf, look);
        self.labels(paint::nth_row(rest, 1), buf, look);
    }

    /// Requests per confidence value in one column, scaled so that uneven columns compare.
    fn density(&self, width: u16, offset: u16) -> u64 {
        let (from, to) = span(width, offset);
        let bins = self.bins.get(from as usize..to as usize).unwrap_or_default();
        let sum: u64 = bins.iter().map(|&n| u64::from(n)).sum();
        match u64::try_from(bins.len()) {
            Ok(n @ 1..) if sum > 0 => (sum * 1024 / n).max(1),
            _ => 0,
        }
    }

    fn bars(&self, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        if at.is_empty() {
            return;
        }
        let most = (0..at.width).map(|x| self.density(at.width, x)).max().unwrap_or(0).max(1);
        for offset in 0..at.width {
            let style = self.style_at(span(at.width, offset).0, look);
            let density = self.density(at.width, offset);
            bars::column(buf, at, at.left() + offset, density, most, style, look);
        }
        for marker in self.in_order() {
            let x = column(at, marker.at);
            let (sign, style) = match marker.kind {
                MarkerKind::Applied => (look.glyphs.line.1, look.style(Role::Applied)),
                MarkerKind::Staged => (look.glyphs.dashed, look.style(Role::Staged)),
            };
            for y in at.top()..at.bottom() {
                // A line over the bars would hide them; it shows where there is none.
                let empty = buf.cell((x, y)).is_some_and(|cell| cell.symbol() == " ");
                if empty {
                    paint::sign(buf, x, y, sign, style);
                }
            }
        }
    }

    fn style_at(&self, confidence: u32, look: Look<'_>) -> Style {
        let serving = self.segments.iter().rev().find(|segment| u32::from(segment.from.get()) <= confidence);
        serving
            .or_else(|| self.segments.first())
            .map_or_else(|| look.theme.series(0), |segment| segment.style)
    }

    /// The markers with the chosen one last, so that it lies on top.
    fn in_order(&self) -> impl Iterator<Item = &Marker> {
        let others = self.markers.iter().filter(|marker| !marker.chosen);
        others.chain(self.markers.iter().filter(|marker| marker.chosen))
    }

    /// Returns the longest part of a row, from one column to before another, in which no marker stands.
    fn free_of_markers(&self, row: Rect, first: u16, to: u16) -> Rect {
        let mut longest = Rect { width: 0, ..row };
        let mut from = first;
        for x in first..=to {
            let is_gate = self.certified.is_some_and(|from| column(row, from) == x);
            if x < to && !is_gate && self.markers.iter().all(|marker| column(row, marker.at) != x) {
                continue;
            }
            if x.saturating_sub(from) > longest.width {
                longest = Rect { x: from, width: x - from, ..row };
            }
            from = x.saturating_add(1);
        }
        longest
    }

    fn rungs(&self, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        if at.is_empty() {
            return;
        }
        for (index, segment) in self.segments.iter().enumerate() {
            let start = column(at, segment.from);
            let end = self.segments.get(index + 1).map_or(at.right(), |next| column(at, next.from));
            if end <= start {
                continue;
            }
            let place = Rect { x: start, width: end - start, ..at };
            paint::row(buf, place, look.glyphs.line.0, segment.style);
            paint::sign(buf, start, at.y, look.glyphs.arrow.0, segment.style);
            paint::sign(buf, end - 1, at.y, look.glyphs.arrow.1, segment.style);
            let name = text::columns(segment.name);
            let free = self.free_of_markers(at, start + 1, end - 1);
            if free.width >= 6 && !segment.name.is_empty() {
                let wide = name.saturating_add(2).min(free.width - 2);
                let x = free.x + (free.width - wide) / 2;
                let room = Rect { x, width: wide, ..place };
                paint::row(buf, room, ' ', segment.style);
                let inside = Rect { x: x + 1, width: wide - 2, ..place };
                look.text(buf, inside, segment.name, segment.style);
            }
        }
        self.certified(at, buf, look);
        for marker in self.in_order() {
            let (sign, style) = sign_of(*marker, look);
            paint::sign(buf, column(at, marker.at), at.y, sign, style);
        }
    }

    /// Draws where the chosen threshold may stand: a gate, and a heavy line from there on but for what is written on it.
    fn certified(&self, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        let Some(from) = self.certified else { return };
        let (gate, line) = look.glyphs.certified;
        let (start, style) = (column(at, from), look.style(Role::Better));
        for x in start..at.right() {
            let thin = look.glyphs.line.0;
            let is_line = buf.cell((x, at.y)).is_some_and(|cell| cell.symbol().starts_with(thin));
            if is_line {
                paint::sign(buf, x, at.y, line, style);
            }
        }
        paint::sign(buf, start, at.y, gate, style);
    }

    fn labels(&self, at: Rect, buf: &mut Buffer, look: Look<'_>) {
        // The chosen one is placed first; those that would touch another are left out.
        let mut taken = [(0u16, 0u16); 32];
        let mut used = 0;
        let (chosen, others): (Vec<&Marker>, Vec<&Marker>) =
            self.markers.iter().partition(|marker| marker.chosen);
        for marker in chosen.into_iter().chain(others) {
            let words = short!("{}", marker.at);
            let wide = u16::try_from(words.len()).unwrap_or(0);
            if wide > at.width {
                continue;
            }
            let middle = column(at, marker.at).saturating_sub(wide / 2);
            let free = |start: u16| {
                let fits = start >= at.left() && start + wide <= at.right();
                fits && taken.iter().take(used).all(|&(from, to)| start > to || start + wide < from)
            };
            // Beside its place where that is taken, but never so far that it seems to belong to another.
            let shifts = [0i16, 1, -1, 2, -2, 3, -3];
            let edge = middle.clamp(at.left(), at.right() - wide);
            let start =
                shifts.iter().filter_map(|&shift| edge.checked_add_signed(shift)).find(|&start| free(start));
            let (Some(start), Some(slot)) = (start, taken.get_mut(used)) else { continue };
            *slot = (start, start + wide);
            used += 1;
            let (_, style) = sign_of(*marker, look);
            look.text(buf, Rect { x: start, width: wide, ..at }, &words, style);
        }
        let Some(from) = self.certified else { return };
        let gate = column(at, from);
        let forms = [format!("certified from {from}"), format!("cert. {from}"), from.to_string()];
        for words in forms {
            let wide = u16::try_from(words.len()).unwrap_or(u16::MAX);
            // To the right of the gate or to its left, wherever nothing stands.
            let places = [gate, (gate + 1).saturating_sub(wide)];
            let is_free = |start: &u16| {
                let fits = *start >= at.left() && start.saturating_add(wide) <= at.right();
                fits && taken.iter().take(used).all(|&(from, to)| *start > to || start + wide < from)
            };
            if let Some(start) = places.into_iter().find(is_free) {
                let room = Rect { x: start, width: wide, ..at };
                look.text(buf, room, &words, look.style(Role::Better));
                return;
            }
        }
    }
}

fn sign_of(marker: Marker, look: Look<'_>) -> (char, Style) {
    let (sign, role) = match marker.kind {
        MarkerKind::Applied => (look.glyphs.threshold.0, Role::Applied),
        MarkerKind::Staged => (look.glyphs.threshold.1, Role::Staged),
    };
    let knob = if marker.chosen { look.style(Role::SliderKnob) } else { Style::new() };
    (sign, look.style(role).patch(knob).patch(look.style(role)))
}

fn axis(at: Rect, buf: &mut Buffer, look: Look<'_>) {
    if at.is_empty() {
        return;
    }
    let style = look.style(Role::ChartLabel);
    let step = [100, 200, 250, 500, 1000].into_iter().find(|step| u32::from(at.width) * step / VALUES >= 8);
    let step = step.unwrap_or(1000);
    for value in (0..=1000).step_by(step as usize) {
        let words = short!("{value}");
        let wide = u16::try_from(words.len()).unwrap_or(0);
        if wide > at.width {
            continue;
        }
        let x = column(at, PerMille::clamped(value)).min(at.right() - wide);
        look.text(buf, Rect { x, width: wide, ..at }, &words, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::glyphs::{GlyphSet, Glyphs};
    use crate::console::theme::Theme;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_mouse_lands_on_the_column_it_points_at(x in 0u16..500, width in 1u16..1001, offset in 0u16..1001) {
            let area = Rect::new(x, 0, width, 5);
            let pointed = x + offset % width;
            let value = hit(area, pointed).unwrap();
            prop_assert_eq!(column(area, value), pointed);
            prop_assert_eq!(hit(area, x + width), None);
        }

        #[test]
        fn no_request_is_left_out(width in 1u16..1200) {
            let covered: u32 = (0..width).map(|offset| { let (from, to) = span(width, offset); to - from }).sum();
            prop_assert_eq!(covered, VALUES);
        }
    }

    #[test]
    fn no_marker_stands_on_a_name() {
        let permille = |value| PerMille::clamped(value);
        let segment = |from, name| Segment { from: permille(from), name, style: Style::new() };
        let marker = |at, kind| Marker { at: permille(at), kind, chosen: false };
        let segments = [segment(0, "large"), segment(560, "nano")];
        for (staged, width) in (0..=1000).step_by(20).flat_map(|at| [52, 100].map(|width| (at, width))) {
            let markers = [marker(740, MarkerKind::Applied), marker(staged, MarkerKind::Staged)];
            let area = Rect::new(0, 0, width, 1);
            let mut buf = Buffer::empty(area);
            let look = Look { theme: &Theme::default(), glyphs: Glyphs::of(GlyphSet::Braille) };
            Histogram { bins: &[], segments: &segments, markers: &markers, certified: None }
                .rungs(area, &mut buf, look);
            let row: String = (0..width).map(|x| buf[(x, 0)].symbol().to_owned()).collect();
            assert!(row.contains(" large ") && row.contains(" nano "), "{staged}: {row}");
        }
    }

    #[test]
    fn the_ends_can_be_reached_with_the_mouse() {
        let area = Rect::new(3, 0, 80, 5);
        assert_eq!(hit(area, 3), Some(PerMille::ZERO));
        assert_eq!(hit(area, 82), Some(PerMille::ONE));
    }
}
