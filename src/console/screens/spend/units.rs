//! What a request, a session and a good answer cost in the window, retries, escalations and failures inside.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::{self, Short, short};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Slot, Table, TableState, Width};
use crate::console::{paint, text};
use crate::session::Found;
use crate::session::listing::quoted;
use crate::telemetry::{Dimension, UnitCell};
use crate::units::Pico;

/// What units are told apart by, in the order in which they are gone through.
pub(super) const BY: [Dimension; 5] =
    [Dimension::Task, Dimension::Team, Dimension::Project, Dimension::Route, Dimension::Session];

const COLUMNS: [Column<'static>; 8] = [
    Column::left("", Width::Fill(12), 0),
    Column::right("requests", 8, 4),
    Column::right("cost", 11, 0),
    Column::right("per 1,000", 10, 0),
    Column::right("a session", 10, 1),
    Column::right("a good one", 11, 2),
    Column::right("extra calls", 12, 5),
    Column::right("wasted", 9, 3),
];

/// Returns the filter that lists a row's requests; none for a row without a name.
pub(super) fn filter(found: &Found, chosen: usize) -> Option<String> {
    let (name, _) = found.units.get(chosen)?;
    (!name.is_empty()).then(|| format!("{}:{} window", found.by.kind(), quoted(name)))
}

/// Counts the rows.
pub(super) fn count(found: Option<&Found>) -> usize {
    found.map_or(0, |found| found.units.len())
}

/// Draws the panel.
pub(super) fn draw(
    scene: Scene<'_>,
    place: usize,
    (found, by, chosen): (Option<&Found>, Dimension, usize),
    area: Rect,
    buf: &mut Buffer,
) {
    let title = short!("Unit costs by {}", by.kind());
    let scope = figures::window(scene.snapshot);
    let inside = figures::page(scene, place, &title, &scope, area, buf);
    let Some(found) = found.filter(|found| found.by == by) else {
        return figures::nothing(scene, "working it out", inside, buf);
    };
    if found.units.is_empty() {
        return figures::nothing(scene, "no requests in this window", inside, buf);
    }
    let focus = scene.view.focus == place;
    let mut columns = COLUMNS;
    columns[0].name = by.kind();
    // The whole stands below its parts.
    let (above, whole) = paint::split_top(inside, inside.height.saturating_sub(1));
    let state = TableState { selected: focus.then_some(chosen.min(found.units.len() - 1)), offset: 0 };
    let table = Table { columns: &columns, rows: found.units.len(), sorted: None, state, focus };
    table.render(above, buf, scene.look, |buf, slot| {
        if let Some((name, cell)) = found.units.get(slot.row) {
            let name = if name.is_empty() { "(not named)".into() } else { text::clean(name) };
            draw_cell(&name, cell, slot, buf);
        }
    });
    let all = &found.all;
    let mut words = format!("all: {}", figures::cost(&all.cost).0);
    let more = [
        (all.per_requests(1000), "per 1,000"),
        (all.per_session(), "a session"),
        (all.per_good(), "a good answer"),
    ];
    // Only what is known, and whole.
    for (amount, of) in more.into_iter().filter(|(amount, _)| amount.is_some()) {
        let next = format!(" {} {} {of}", scene.look.glyphs.dot, figures::amount(amount, &all.cost));
        if text::width(&words) + text::width(&next) <= usize::from(whole.width) {
            words.push_str(&next);
        }
    }
    scene.look.text(buf, whole, &words, Role::Muted);
}

fn draw_cell(name: &str, cell: &UnitCell, slot: Slot<'_>, buf: &mut Buffer) {
    let look = slot.look;
    let absent = || (short!("{}", look.glyphs.absent), Role::Muted);
    let per = |amount: Option<Pico>| -> (Short, Role) {
        let role = match amount {
            None => Role::Unknown,
            Some(_) if cell.cost.estimated != Pico::ZERO => Role::Estimated,
            Some(_) => Role::Text,
        };
        (figures::amount(amount, &cell.cost), role)
    };
    let some = |amount: Pico| {
        if amount == Pico::ZERO { absent() } else { (figures::amount(Some(amount), &cell.cost), Role::Warn) }
    };
    let (words, role) = match slot.column {
        0 => return slot.say(buf, name, Role::Text),
        1 => (format::count_short(cell.requests), Role::Text),
        2 => figures::cost(&cell.cost),
        3 => per(cell.per_requests(1000)),
        4 if cell.sessions == 0 => absent(),
        4 => per(cell.per_session()),
        5 if cell.judged == cell.failed => absent(),
        5 => per(cell.per_good()),
        6 => some(cell.escalation + cell.retries),
        _ => some(cell.wasted),
    };
    slot.say(buf, &words, role);
}
