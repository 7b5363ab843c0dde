//! The playback bar: where in the log we are, and what lies ahead.
//!
//! ```text
//! ▶ 2.0×  14:03:20 ┊▁▂▅█▃▁▁▂│▂▅▃▁┊ 14:30:00  37 %  7 faults  12,408/33,120 requests  ⚑ 3  loop 14:02:00–14:05:00
//! ```
//!
//! Invariant: places are millionths of the whole log, so that drawing needs no times; [`hit`] is the inverse of drawing.

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::bars;
use crate::console::format::{self, Short, short};
use crate::console::paint::{self, Look};
use crate::console::text;
use crate::console::theme::Role;

/// The whole log.
pub const WHOLE: u32 = 1_000_000;

/// The log from end to end: its event rate, the play head, errors, marks and the loop.
#[derive(Clone, Copy, Debug)]
pub struct Strip<'a> {
    /// Events in equal stretches of the log.
    pub rate: &'a [u32],
    /// The play head, in millionths.
    pub head: u32,
    /// Errors and fallbacks, in millionths.
    pub errors: &'a [u32],
    /// Where rules against runaways tripped, in millionths.
    pub trips: &'a [u32],
    /// Marks, in millionths.
    pub marks: &'a [u32],
    /// The stretch played again and again, in millionths.
    pub looped: Option<(u32, u32)>,
}

/// Returns the column in which a place is drawn.
pub fn column(area: Rect, place: u32) -> u16 {
    let last = u64::from(area.width.saturating_sub(1));
    let offset = (u64::from(place.min(WHOLE)) * last + u64::from(WHOLE / 2)) / u64::from(WHOLE);
    area.x.saturating_add(u16::try_from(offset).unwrap_or(0))
}

/// Returns the place under a column, in millionths, for the mouse.
pub fn hit(area: Rect, column: u16) -> Option<u32> {
    if column < area.left() || column >= area.right() {
        return None;
    }
    let last = u64::from(area.width.saturating_sub(1).max(1));
    u32::try_from(u64::from(column - area.left()) * u64::from(WHOLE) / last).ok()
}

impl Strip<'_> {
    /// Draws it; with a second row the marks and errors stand in it, else they are laid over the rate.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let below = u16::from(area.height >= 2);
        let (rate, ticks) = paint::split_top(area, area.height - below);
        let ticks = if below == 1 { ticks } else { rate };
        let width = usize::from(rate.width);
        let count = self.rate.len();
        // The mean of the stretches that fall together, rounded up so that nothing vanishes.
        let value = |offset: usize| {
            let from = offset * count / width;
            let to = ((offset + 1) * count / width).max(from + 1).min(count);
            let stretches = self.rate.get(from..to).unwrap_or_default();
            let sum: u64 = stretches.iter().map(|&events| u64::from(events)).sum();
            sum.div_ceil(u64::try_from(stretches.len()).unwrap_or(1).max(1))
        };
        let most = (0..width).map(value).max().unwrap_or(0).max(1);
        let style = look.style(Role::ReplayRate);
        for offset in 0..rate.width {
            let events = value(usize::from(offset));
            bars::column(buf, rate, rate.left() + offset, events, most, style, look);
        }
        if let Some((from, to)) = self.looped {
            let (start, end) = (column(rate, from.min(to)), column(rate, from.max(to)));
            let stretch = Rect { x: start, width: end - start + 1, ..rate };
            paint::tint(buf, stretch, look.style(Role::ReplayLoop));
        }
        for &place in self.errors {
            let (x, y) = (column(ticks, place), ticks.bottom() - 1);
            let bare = below == 1 || buf.cell((x, y)).is_some_and(|cell| cell.symbol() == " ");
            let style = look.style(Role::ReplayError);
            if bare {
                paint::sign(buf, x, y, look.glyphs.state.1, style);
            } else {
                paint::tint(buf, Rect { x, y, width: 1, height: 1 }, style);
            }
        }
        for (places, role) in [(self.trips, Role::Warn), (self.marks, Role::ReplayMark)] {
            for &place in places {
                look.sign(buf, column(ticks, place), ticks.bottom() - 1, look.glyphs.mark, role);
            }
        }
        for y in rate.top()..rate.bottom() {
            look.sign(buf, column(rate, self.head), y, look.glyphs.line.1, Role::ReplayHead);
        }
    }
}

/// Whether the log plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayState {
    /// It goes on.
    Playing,
    /// It stands.
    Paused,
    /// It keeps to the newest event.
    Following,
    /// A live view is held still.
    Held,
    /// A live session that has ended or was lost.
    Closed,
}

/// The playback bar.
#[derive(Clone, Copy, Debug)]
pub struct ReplayBar<'a> {
    /// Whether it plays.
    pub state: PlayState,
    /// The speed in tenths; 0 for as fast as it goes.
    pub speed_tenths: u32,
    /// The time at the play head.
    pub now: &'a str,
    /// The time at the end.
    pub end: &'a str,
    /// The log.
    pub strip: Strip<'a>,
    /// Events so far, and all.
    pub events: (u64, u64),
    /// Requests so far with a failed call.
    pub error_count: u64,
    /// The loop in words.
    pub loop_label: &'a str,
}

/// The least columns the strip is drawn in.
const LEAST_STRIP: u16 = 8;

impl ReplayBar<'_> {
    fn left(&self, look: Look<'_>) -> Short {
        let (play, pause, follow) = look.glyphs.play;
        let sign = match self.state {
            PlayState::Playing => play,
            PlayState::Paused | PlayState::Held | PlayState::Closed => pause,
            PlayState::Following => follow,
        };
        let times = if look.glyphs.is_ascii() { 'x' } else { '×' };
        match (self.state, self.speed_tenths) {
            (PlayState::Following, _) => short!("{sign} live  {}", self.now),
            (PlayState::Closed, _) => short!("{sign} closed  {}", self.now),
            (PlayState::Held, _) => short!("{sign} held  {}", self.now),
            (_, 0) => short!("{sign} max  {}", self.now),
            (_, n) => short!("{sign} {}.{}{times}  {}", n / 10, n % 10, self.now),
        }
    }

    /// The figures behind the strip, the most important first.
    fn figures(&self, look: Look<'_>) -> [(Short, Role); 5] {
        let mut figures = [(); 5].map(|()| (Short::new(), Role::Muted));
        let [percent, errors, events, marks, looped] = &mut figures;
        // Of steady width, so that the strip does not move under the play head.
        let _ = write!(percent.0, "{:>3} %", u64::from(self.strip.head.min(WHOLE)) * 100 / u64::from(WHOLE));
        if self.error_count > 0 {
            let noun = if self.error_count == 1 { "fault" } else { "faults" };
            let _ = write!(errors.0, "{} {noun:<6}", format::count_short(self.error_count));
            errors.1 = Role::ReplayError;
        }
        let all = format::count(self.events.1);
        let wide = all.len();
        let _ = write!(events.0, "{:>wide$}/{all} requests", format::count(self.events.0).as_str());
        if !self.strip.marks.is_empty() {
            let _ = write!(marks.0, "{} {}", look.glyphs.mark, self.strip.marks.len());
            marks.1 = Role::ReplayMark;
        }
        if !self.loop_label.is_empty() {
            let _ = write!(looped.0, "loop {}", self.loop_label);
            looped.1 = Role::Accent;
        }
        figures
    }

    /// Returns where the strip is drawn, for the mouse.
    pub fn strip_area(&self, area: Rect, look: Look<'_>) -> Rect {
        self.divide(area, look).0
    }

    /// The strip's place, and how many of the figures are shown.
    fn divide(&self, area: Rect, look: Look<'_>) -> (Rect, usize) {
        let left = text::columns(&self.left(look)).saturating_add(2);
        let end = text::columns(self.end).saturating_add(2);
        let figures = self.figures(look);
        let mut rest = area.width.saturating_sub(left.saturating_add(end));
        let mut shown = 0;
        for (words, _) in &figures {
            let wanted = if words.is_empty() { 0 } else { text::columns(words).saturating_add(2) };
            let Some(left_over) = rest.checked_sub(wanted).filter(|&r| r >= LEAST_STRIP.max(area.width / 4))
            else {
                break;
            };
            rest = left_over;
            shown += 1;
        }
        let x = area.x.saturating_add(left.min(area.width));
        (Rect { x, width: rest.min(area.right().saturating_sub(x)), ..area }, shown)
    }

    /// Draws it.
    pub fn render(&self, area: Rect, buf: &mut Buffer, look: Look<'_>) {
        let area = area.intersection(buf.area);
        if area.is_empty() {
            return;
        }
        let (strip, shown) = self.divide(area, look);
        let goes_on = matches!(self.state, PlayState::Playing | PlayState::Following);
        let role = if goes_on { Role::Accent } else { Role::Warn };
        let first = paint::nth_row(area, 0);
        paint::clear(buf, first, look.theme.base());
        look.text(buf, first, &self.left(look), role);
        if strip.width == 0 {
            return;
        }
        // In plain letters a dashed line looks like a low bar.
        let (begin, end) =
            if look.glyphs.is_ascii() { ('[', ']') } else { (look.glyphs.dashed, look.glyphs.dashed) };
        let edge = look.style(Role::ChartAxis);
        paint::sign(buf, strip.x.saturating_sub(1), strip.y, begin, edge);
        self.strip.render(strip, buf, look);
        let mut rest = paint::split_left(first, strip.right() - first.left()).1;
        if !rest.is_empty() {
            paint::sign(buf, rest.x, rest.y, end, edge);
        }
        rest = paint::split_left(rest, 1).1;
        let used = look.text(buf, rest, self.end, Role::Muted);
        rest = paint::split_left(rest, used).1;
        for (words, role) in self.figures(look).iter().take(shown).filter(|figure| !figure.0.is_empty()) {
            rest = paint::split_left(rest, 2).1;
            let used = look.text(buf, rest, words, *role);
            rest = paint::split_left(rest, used).1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_mouse_lands_on_the_column_it_points_at(x in 0u16..300, width in 2u16..2000, offset in 0u16..2000) {
            let area = Rect::new(x, 0, width, 1);
            let pointed = x + offset % width;
            prop_assert_eq!(column(area, hit(area, pointed).unwrap()), pointed);
        }
    }
}
