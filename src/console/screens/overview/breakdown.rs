//! Whose spend it is: by team, project, route or task.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::classifier::TaskClass;
use crate::console::format::{self, Short, short};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::bars;
use crate::console::widgets::table::{Column, Table, TableState, Width};
use crate::console::{paint, text};
use crate::session::Snapshot;
use crate::session::listing::quoted;
use crate::telemetry::Cell;

/// What spend is broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Dimension {
    /// Teams.
    #[default]
    Team,
    /// Projects.
    Project,
    /// Routes.
    Route,
    /// Kinds of work.
    Task,
}

impl Dimension {
    /// All of them, in the order of the tabs.
    const ALL: [Self; 4] = [Self::Team, Self::Project, Self::Route, Self::Task];

    fn name(self) -> &'static str {
        match self {
            Self::Team => "team",
            Self::Project => "project",
            Self::Route => "route",
            Self::Task => "task",
        }
    }

    /// Returns the one after it, going round.
    pub(super) fn next(self) -> Self {
        Self::ALL.get(self as usize + 1).copied().unwrap_or_default()
    }

    /// The parts with any traffic, each with its name where it has one, the most expensive first.
    fn rows(self, snapshot: &Snapshot) -> Vec<(Option<&str>, &Cell)> {
        fn own(names: &[Arc<str>]) -> Vec<&str> {
            names.iter().map(|name| &**name).collect()
        }
        let (totals, names) = (&*snapshot.totals, &snapshot.log.names);
        let (names, cells, rest): (Vec<&str>, &[Cell], Option<&Cell>) = match self {
            Self::Team => (own(names.teams()), &totals.teams.0, Some(&totals.teams.1)),
            Self::Project => (own(names.projects()), &totals.projects.0, Some(&totals.projects.1)),
            Self::Route => (own(names.routes()), &totals.routes, None),
            Self::Task => (TaskClass::ALL.map(TaskClass::name).to_vec(), &totals.tasks, None),
        };
        // Of equals those without a name come first.
        let all = rest.map(|cell| (None, cell)).into_iter().chain(names.into_iter().map(Some).zip(cells));
        let mut rows: Vec<_> = all.filter(|(_, cell)| cell.requests > 0).collect();
        crate::units::sort_by_key(&mut rows, |(_, cell)| {
            (Reverse(cell.cost.total()), Reverse(cell.requests))
        });
        rows
    }
}

/// What a part is called on screen.
fn named(name: Option<&str>) -> &str {
    name.unwrap_or("(none)")
}

/// Counts the parts with any traffic.
pub(super) fn count(snapshot: &Snapshot, dimension: Dimension) -> usize {
    dimension.rows(snapshot).len()
}

/// Returns the filter that lists a part's requests, the first part's where none is chosen; none for a part without a name.
pub(super) fn filter(snapshot: &Snapshot, dimension: Dimension, row: Option<usize>) -> Option<String> {
    let rows = dimension.rows(snapshot);
    let (name, _) = rows.get(row.unwrap_or(0))?;
    Some(format!("{}:{} window", dimension.name(), quoted((*name)?)))
}

/// Where a tab lies within the row of tabs.
fn tabs() -> impl Iterator<Item = (Dimension, u16, u16)> {
    let mut x = 0;
    Dimension::ALL.into_iter().map(move |dimension| {
        let wide = text::columns(dimension.name()) + 1;
        let start = x;
        x += wide + 1;
        (dimension, start, wide)
    })
}

/// Returns the tab under the mouse.
pub(super) fn hit(inside: Rect, x: u16, y: u16) -> Option<Dimension> {
    let inside = paint::margin(inside);
    let offset = x.checked_sub(inside.x)?;
    let found = tabs().find(|(_, start, wide)| (*start..start + wide).contains(&offset));
    found.filter(|_| y == inside.y && has_tabs(inside)).map(|(dimension, ..)| dimension)
}

fn has_tabs(inside: Rect) -> bool {
    inside.height >= 4
}

const COLUMNS: [Column<'_>; 7] = [
    Column::left("", Width::Fill(9), 0),
    Column::right("cost", 12, 0),
    Column::right("share", 7, 1),
    Column::left("", Width::Fill(5), 6),
    Column::right("requests", 8, 5),
    Column::right("saved", 8, 3),
    Column::right("failed", 6, 4),
];

/// Draws the panel.
pub(super) fn draw(
    scene: Scene<'_>,
    place: usize,
    state: (Dimension, TableState),
    area: Rect,
    buf: &mut Buffer,
) {
    let (chosen, parts) = state;
    let title = format!("By {}", chosen.name());
    let mut inner = figures::page(scene, place, &title, "", area, buf);
    if has_tabs(inner) {
        let (row, rest) = paint::split_top(inner, 1);
        draw_tabs(scene, chosen, row, buf);
        inner = rest;
    }
    // Where there is room for more than one table, the next dimensions stand beside the chosen one.
    let beside = (inner.width / 58).clamp(1, 2);
    let below = if beside == 2 && inner.height >= 14 { 2 } else { 1 };
    let mut dimension = chosen;
    let mut rest = inner;
    for rows_left in (1..=below).rev() {
        let (mut row, lower) = paint::split_top(rest, rest.height / rows_left);
        rest = lower;
        row.height -= u16::from(rows_left > 1);
        let gaps = 2 * (beside - 1);
        for left in (1..=beside).rev() {
            let (at, more) = paint::split_left(row, inner.width.saturating_sub(gaps) / beside);
            row = paint::split_left(more, if left > 1 { 2 } else { 0 }).1;
            let first = dimension == chosen;
            let state = if first { parts } else { TableState::default() };
            draw_table(scene, dimension, state, first && scene.view.focus == place, at, buf);
            dimension = dimension.next();
        }
    }
}

/// Cuts a name in its middle: names that begin alike differ at their ends.
fn both_ends<'a>(scene: Scene<'_>, name: &'a str, columns: u16) -> Cow<'a, str> {
    let room = usize::from(columns);
    if text::width(name) <= room {
        return name.into();
    }
    let (end, _) = text::fit_end(name, room.saturating_sub(1) / 2);
    let (until, _) = text::fit(name, room.saturating_sub(text::width(end) + 1));
    format!("{}{}{end}", name.get(..until).unwrap_or_default(), scene.look.glyphs.ellipsis).into()
}

fn draw_tabs(scene: Scene<'_>, chosen: Dimension, row: Rect, buf: &mut Buffer) {
    for (dimension, start, wide) in tabs() {
        let (at, _) = paint::split_left(paint::split_left(row, start).1, wide);
        let on = dimension == chosen;
        let style = scene.look.style(if on { Role::Accent } else { Role::Muted });
        if on {
            paint::sign(buf, at.x, at.y, scene.look.glyphs.chosen, style);
        }
        scene.look.text(buf, paint::split_left(at, 1).1, dimension.name(), style);
    }
}

fn draw_table(
    scene: Scene<'_>,
    dimension: Dimension,
    state: TableState,
    focus: bool,
    area: Rect,
    buf: &mut Buffer,
) {
    let snapshot = scene.snapshot;
    let rows = dimension.rows(snapshot);
    if rows.is_empty() {
        return figures::nothing(scene, "no requests in this window", area, buf);
    }
    let mut columns = COLUMNS;
    columns[0].name = dimension.name();
    let names = rows.iter().map(|(name, _)| text::columns(named(*name)));
    let widest = names.max().unwrap_or(0);
    // Tables that stand together keep their columns under one another.
    columns[0].width =
        Width::Fixed(widest.clamp(if area.width >= 66 { 14 } else { 9 }, (area.width * 2 / 5).max(14)));
    let table = Table { columns: &columns, rows: rows.len(), sorted: None, state, focus };
    let total = snapshot.totals.all.cost.total();
    let unknown = snapshot.totals.all.cost.unknown > 0;
    table.render(area, buf, scene.look, |buf, slot| {
        let Some(&(name, cell)) = rows.get(slot.row) else { return };
        let (words, role) = match slot.column {
            0 => return slot.say(buf, &both_ends(scene, named(name), slot.at.width), Role::Text),
            1 => figures::cost_in_column(&cell.cost, unknown),
            2 => (figures::cost_share(&cell.cost, total), Role::Text),
            3 => {
                let filled = figures::money_thousandths(cell.cost.total(), total);
                return bars::bar(buf, slot.at, filled, scene.look.style(Role::GaugeFill), scene.look);
            }
            4 => (format::count_short(cell.requests), Role::Text),
            5 => saved(cell),
            _ => (format::count_short(cell.errors), if cell.errors > 0 { Role::Error } else { Role::Muted }),
        };
        slot.say(buf, &words, role);
    });
}

fn saved(cell: &Cell) -> (Short, Role) {
    let baseline = cell.baseline.total();
    let change = format::percent_change(baseline.0, baseline.0.saturating_add(cell.saved().0));
    let change = short!("{}", change.strip_prefix('+').unwrap_or(&change));
    match figures::saved(cell) {
        _ if cell.comparable == 0 => (change, Role::Unknown),
        (role, true) => (short!("unclear"), role),
        (role, false) => (change, role),
    }
}
