//! What routing saved in the window, and what it cost to save it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::lines::{Row, rows};
use crate::console::format::{self, Short, UNKNOWN, short};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::text;
use crate::console::theme::Role;
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
    let inside = figures::frame(scene, place, "Saved", &scope, area, buf);
    let inside = crate::console::paint::margin(inside);
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
        Row::new("answers", format::money(saved.answers), Role::Text)
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
