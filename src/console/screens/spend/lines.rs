//! Rows of a name, an amount, a bar and a note, all under one another.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::Short;
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::gauge;

/// Columns of amounts.
const AMOUNT: u16 = 11;
/// The least that a bar says anything with, and the most it needs.
const BAR: (u16, u16) = (8, 40);

/// A row.
pub(super) struct Row<'a> {
    name: Cow<'a, str>,
    amount: Short,
    role: Role,
    bar: Option<(u32, Role)>,
    note: Cow<'a, str>,
}

impl<'a> Row<'a> {
    /// Starts one of a name and an amount.
    pub(super) fn new(name: impl Into<Cow<'a, str>>, amount: Short, role: Role) -> Self {
        Self { name: name.into(), amount, role, bar: None, note: Cow::Borrowed("") }
    }

    /// Sets its bar, in thousandths of the longest.
    pub(super) fn bar(self, filled: u32, role: Role) -> Self {
        Self { bar: Some((filled, role)), ..self }
    }

    /// Sets its note.
    pub(super) fn note(self, note: impl Into<Cow<'a, str>>) -> Self {
        Self { note: note.into(), ..self }
    }
}

/// Draws rows; a chosen one is marked.
pub(super) fn rows(scene: Scene<'_>, list: &[Row<'_>], chosen: Option<usize>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let columns = |widest: Option<usize>| u16::try_from(widest.unwrap_or(0)).unwrap_or(u16::MAX);
    let names =
        columns(list.iter().map(|row| text::width(&row.name)).max()).clamp(10, 24).min(area.width / 3);
    let left = area.width.saturating_sub(names + AMOUNT + 4);
    // Words go before bars: what is left of them is the bar's.
    let notes = columns(list.iter().map(|row| text::width(&row.note)).max()).min(left);
    let bars = match left.saturating_sub(notes + 2) {
        room if room >= BAR.0 => room.min(BAR.1),
        _ => 0,
    };
    for (index, row) in list.iter().enumerate() {
        let at = paint::nth_row(area, u16::try_from(index).unwrap_or(u16::MAX));
        if at.is_empty() {
            return;
        }
        if chosen == Some(index) {
            look.sign(buf, at.x, at.y, look.glyphs.chosen, Role::Accent);
        }
        let (_, rest) = paint::split_left(at, 2);
        let (name, rest) = paint::split_left(rest, names);
        look.text(buf, name, &row.name, Role::Text);
        let (amount, rest) = paint::split_left(rest, AMOUNT);
        look.text_right(buf, amount, &row.amount, row.role);
        let (_, rest) = paint::split_left(rest, 2);
        let (bar, rest) = paint::split_left(rest, bars);
        if let Some((filled, role)) = row.bar.filter(|_| bars > 0) {
            gauge::bar(buf, bar, filled, look.style(role), look);
        }
        let (_, rest) = paint::split_left(rest, if bars > 0 { 2 } else { 0 });
        look.text(buf, rest, &row.note, Role::Muted);
    }
}
