//! What routing saved in the window, and what it cost to save it; in rows of a name, an amount, a bar and a note.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::{self, Short, UNKNOWN, short};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::bars;
use crate::console::{paint, text};
use crate::pricing::Billed;
use crate::savings::Line;
use crate::session::Found;
use crate::units::Pico;

/// From how many hundredths of a per cent on a bill is another than ours.
const OFF: i128 = 100;

/// Says by how much a bill is more than what was charged: `+0.40 %`.
pub(super) fn off_by(billed: &Billed) -> Option<(Short, Role)> {
    let error = billed.error()?;
    let role = if error.abs() < OFF { Role::Text } else { Role::Warn };
    let sign = if error < 0 { '-' } else { '+' };
    let hundredths = error.unsigned_abs();
    Some((short!("{sign}{}.{:02} %", hundredths / 100, hundredths % 100), role))
}

fn billed(billed: &Billed) -> Option<Row<'static>> {
    let (off, role) = off_by(billed)?;
    let money = |usd: &str| Pico::from_usd(usd).map(format::money).ok();
    let (ours, theirs) = (money(&billed.ours_usd)?, money(&billed.theirs_usd)?);
    let days =
        format!("{} to {}", billed.from.get(5..).unwrap_or_default(), billed.to.get(5..).unwrap_or_default());
    Some(Row::new("bill", off, role).note(format!("{theirs} for our {ours}, {days}")))
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, place: usize, found: Option<&Found>, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let (window, dot) = (figures::window(snapshot), scene.look.glyphs.dot);
    let scope = short!("{window} {dot} {}", snapshot.reading.name());
    let inside = figures::page(scene, place, "Saved", &scope, area, buf);
    let Some(found) = found else { return figures::nothing(scene, "working it out", inside, buf) };
    let saved = &found.savings;
    if saved.requests == 0 {
        return figures::nothing(scene, "no requests in this window", inside, buf);
    }
    let model = text::clean(snapshot.log.names.model(found.baseline));
    if saved.compared == 0 {
        let words = format!("no request has both a cost and one on {model}");
        return figures::nothing(scene, &words, inside, buf);
    }
    let whole = saved.baseline;
    let share = |amount| figures::money_thousandths(amount, whole);
    // A difference inside its error tells nothing.
    let is_within = saved.interval.is_some_and(|at| at.low.0 <= 0 && at.high.0 >= 0);
    let role = match saved.net.0 {
        _ if is_within => Role::Muted,
        ..0 => Role::Worse,
        _ => Role::Better,
    };
    let of = format::percent_change(whole.0, whole.0.saturating_add(saved.net.0));
    let of = of.strip_prefix('+').unwrap_or(&of);
    let sure = match saved.interval {
        Some(at) if is_within && saved.net.0 != 0 => {
            format!("within error {}{}", scene.look.glyphs.plus_minus(), format::money(at.high - saved.net))
        }
        Some(at) => format!("{of} {}{}", scene.look.glyphs.plus_minus(), format::money(at.high - saved.net)),
        None => format!("{of}, nobody knows how sure"),
    };
    // What was not bought is never more than worked out.
    let about = |amount| short!("~{}", format::money(amount));
    let mut list = vec![
        // First, so that it is there in the smallest window.
        Row::new("saved, net", about(saved.net), role).bar(share(saved.net), role).note(sure),
        Row::new("baseline", about(whole), Role::Estimated)
            .bar(1000, Role::GaugeEmpty)
            .note(format!("all on {model}")),
        if saved.is_estimated {
            Row::new("answers", about(saved.answers), Role::Estimated)
        } else {
            Row::new("answers", format::money(saved.answers), Role::Text)
        }
        .bar(share(saved.answers), Role::GaugeFill)
        .note("calls that answered"),
    ];
    list.extend(snapshot.billed().and_then(billed));
    for (name, line) in &saved.lines {
        let name = match *name {
            "cache_loss" => "cache loss",
            name => name,
        };
        let calls = if name == "classifier" { saved.second_calls } else { 0 };
        let mut row = match *line {
            Line::Known(amount) => {
                Row::new(name, format::money(amount), Role::Text).bar(share(amount), Role::Worse)
            }
            Line::Estimated(amount) => {
                Row::new(name, about(amount), Role::Estimated).bar(share(amount), Role::Worse)
            }
            Line::Unknown(why) => Row::new(name, short!("{UNKNOWN}"), Role::Unknown).note(why),
            Line::Absent(why) => {
                Row::new(name, short!("{}", scene.look.glyphs.absent), Role::Muted).note(why)
            }
        };
        if calls > 0 && line.amount().is_some() {
            row = row.note(format!("{} of a second stage", figures::plural(calls, "call")));
            // What is paid for by the call stands where the smallest window shows it.
            list.insert(list.len().min(3), row);
            continue;
        }
        list.push(row);
    }
    let on = format!("of {}", figures::plural(saved.requests, "request"));
    list.push(Row::new("stands on", format::count(saved.compared), Role::Muted).note(on));
    rows(scene, &list, None, inside, buf);
}

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
            bars::bar(buf, bar, filled, look.style(role), look);
        }
        let (_, rest) = paint::split_left(rest, if bars > 0 { 2 } else { 0 });
        look.text(buf, rest, &row.note, Role::Muted);
    }
}
