//! The table of models: its columns, its order, its cells.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::health;
use super::roster::{Key, Roster, Row};
use crate::console::format::{self, Short, UNKNOWN};
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::screens::figures::{self, line, short};
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Order, Slot, Table, TableState, Width};
use crate::telemetry::{Cell, Percentiles};

/// What a column shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    Mark,
    Name,
    State,
    Share,
    Requests,
    Calls,
    Errors,
    ErrorShare,
    P50,
    P95,
    P99,
    Prompt,
    CacheShare,
    Answer,
    Cost,
    CostShare,
    PerThousand,
    PriceIn,
    PriceOut,
    PriceCache,
    Rungs,
    Breaker,
    InFlight,
    Quota,
    LastError,
}

const COUNT: usize = 21;
/// Columns that only a live session has, and where they stand.
const LIVE_COUNT: usize = 4;
const LIVE_AT: usize = 3;

const fn right(name: &'static str, width: u16, yields: u8) -> Column<'static> {
    Column { name, width: Width::Fixed(width), right: true, yields }
}

const fn left(name: &'static str, width: Width, yields: u8) -> Column<'static> {
    Column { name, width, right: false, yields }
}

/// The columns with what they show and what sorts by them; those that matter least yield first.
static COLUMNS: [(Column<'static>, Shows, Option<Key>); COUNT] = [
    (left("", Width::Fixed(1), 0), Shows::Mark, None),
    (left("model", Width::Fill(20), 0), Shows::Name, Some(Key::Name)),
    (left("state", Width::Fixed(16), 1), Shows::State, None),
    (right("share", 7, 3), Shows::Share, None),
    (right("requests", 9, 2), Shows::Requests, Some(Key::Requests)),
    (right("calls", 8, 13), Shows::Calls, Some(Key::Attempts)),
    (right("failed calls", 12, 19), Shows::Errors, None),
    (right("fail %", 7, 9), Shows::ErrorShare, Some(Key::Errors)),
    (right("p50", 8, 10), Shows::P50, Some(Key::P50)),
    (right("p95", 8, 3), Shows::P95, Some(Key::P95)),
    (right("p99", 8, 11), Shows::P99, Some(Key::P99)),
    (right("tok in", 7, 14), Shows::Prompt, Some(Key::TokensIn)),
    (right("cached", 7, 8), Shows::CacheShare, Some(Key::Cache)),
    (right("tok out", 7, 15), Shows::Answer, Some(Key::TokensOut)),
    (right("cost", 12, 1), Shows::Cost, Some(Key::Cost)),
    (right("of cost", 7, 17), Shows::CostShare, None),
    (right("$/1k calls", 11, 7), Shows::PerThousand, Some(Key::PerThousand)),
    (right("$in/1M", 8, 4), Shows::PriceIn, Some(Key::PriceIn)),
    (right("$out/1M", 8, 4), Shows::PriceOut, Some(Key::PriceOut)),
    (right("$read/1M", 8, 16), Shows::PriceCache, None),
    (right("rungs", 5, 18), Shows::Rungs, None),
];

const LIVE: [(Column<'static>, Shows, Option<Key>); LIVE_COUNT] = [
    (left("breaker", Width::Fixed(12), 1), Shows::Breaker, None),
    (right("open", 5, 12), Shows::InFlight, None),
    (left("quota used", Width::Fixed(12), 3), Shows::Quota, None),
    (left("last error", Width::Fill(14), 12), Shows::LastError, None),
];

/// The columns of a live session.
static LIVE_COLUMNS: [(Column<'static>, Shows, Option<Key>); COUNT + LIVE_COUNT] = {
    let mut out = [COLUMNS[0]; COUNT + LIVE_COUNT];
    let mut at = 0;
    while at < COUNT + LIVE_COUNT {
        out[at] = if at < LIVE_AT {
            COLUMNS[at]
        } else if at < LIVE_AT + LIVE_COUNT {
            LIVE[at - LIVE_AT]
        } else {
            COLUMNS[at - LIVE_COUNT]
        };
        at += 1;
    }
    out
};

/// Their names alone.
static LIVE_NAMES: [Column<'static>; COUNT + LIVE_COUNT] = {
    let mut out = [COLUMNS[0].0; COUNT + LIVE_COUNT];
    let mut at = 0;
    while at < COUNT + LIVE_COUNT {
        out[at] = LIVE_COLUMNS[at].0;
        at += 1;
    }
    out
};

/// A column, what it shows and what sorts by it.
type Shown = (Column<'static>, Shows, Option<Key>);

/// Returns the columns, in live and in a replay.
fn shown(live: bool) -> (&'static [Column<'static>], &'static [Shown]) {
    if live { (&LIVE_NAMES, &LIVE_COLUMNS) } else { (&NAMES, &COLUMNS) }
}

/// What the table is sorted by, which way, and what is chosen in it.
pub(super) struct Sorted {
    pub(super) by: Key,
    pub(super) order: Order,
    pub(super) state: TableState,
}

/// Returns the table, for drawing and for the mouse.
pub(super) fn table(roster: &Roster<'_>, sorted: &Sorted, live: bool, focus: bool) -> Table<'static> {
    let (columns, all) = shown(live);
    let column = all.iter().position(|(_, _, key)| *key == Some(sorted.by));
    let rows = roster.len();
    Table { columns, rows, sorted: column.map(|column| (column, sorted.order)), state: sorted.state, focus }
}

/// The columns alone, as the table wants them.
static NAMES: [Column<'static>; COUNT] = {
    let mut out = [COLUMNS[0].0; COUNT];
    let mut at = 0;
    while at < COUNT {
        out[at] = COLUMNS[at].0;
        at += 1;
    }
    out
};

/// Leaves a column free at the right; the left one holds the mark of the chosen row.
pub(super) fn inside(area: Rect) -> Rect {
    Rect { width: area.width.saturating_sub(1), ..area }
}

/// A row's figures, read once a row.
struct Figures<'a> {
    row: &'a Row<'a>,
    cell: Option<&'a Cell>,
    late: Option<Percentiles>,
}

/// Draws the table.
pub(super) fn draw(scene: Scene<'_>, roster: &Roster<'_>, sorted: &Sorted, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let glyphs = scene.look.glyphs;
    let arrow = if sorted.order == Order::Descending { glyphs.change.1 } else { glyphs.change.0 };
    let title = line(format_args!("Models by {} {arrow}", sorted.by.name()));
    let inner = inside(figures::frame(scene, 0, &title, "", area, buf));
    let mut last: Option<(usize, Figures<'_>)> = None;
    let live = snapshot.live.is_some();
    table(roster, sorted, live, scene.view.focus == 0).render(inner, buf, scene.look, |buf, slot| {
        if last.as_ref().is_none_or(|(row, _)| *row != slot.row) {
            last = roster
                .at(slot.row)
                .map(|row| (slot.row, Figures { row, cell: row.cell, late: row.percentiles() }));
        }
        let Some((_, figures)) = &last else { return };
        if let Some((_, shows, _)) = shown(live).1.get(slot.column) {
            cell(scene, *shows, figures, slot, buf);
        }
    });
}

fn cell(scene: Scene<'_>, shows: Shows, figures: &Figures<'_>, slot: Slot<'_>, buf: &mut Buffer) {
    let look = scene.look;
    let all = &scene.snapshot.totals.all;
    let text = look.style(Role::Text);
    let faint = look.style(Role::Unknown);
    let tier = figures.row.tier;
    let priced = |price: Option<crate::units::PicoPerMillion>| match price {
        Some(price) => (figures::price(price), text),
        None => (short(format_args!("{UNKNOWN}")), faint),
    };
    let late = |of: fn(Percentiles) -> u64| (figures::latency(figures.late.map(of)), text);
    let of = |write: &dyn Fn(&Cell) -> (Short, Style)| match figures.cell {
        Some(cell) => write(cell),
        None => (short(format_args!("{UNKNOWN}")), faint),
    };
    let (words, style) = match shows {
        Shows::Mark => {
            if slot.selected && slot.at.width > 0 {
                look.sign(buf, slot.at.x, slot.at.y, look.glyphs.chosen, Role::Accent);
            }
            return;
        }
        Shows::Name => {
            let style = series(look, figures.row);
            let (sign, rest) = paint::split_left(slot.at, 2);
            if sign.width > 0 {
                paint::sign(buf, sign.x, sign.y, look.glyphs.right[8], style);
            }
            paint::text(buf, rest, figures.row.name, text, look.glyphs.cut);
            return;
        }
        Shows::State => {
            let (sign, role, words) = state_of(look, figures.cell);
            let (at, rest) = paint::split_left(slot.at, 2);
            if at.width > 0 {
                look.sign(buf, at.x, at.y, sign, role);
            }
            look.text(buf, rest, &words, role);
            return;
        }
        Shows::Breaker | Shows::InFlight | Shows::Quota | Shows::LastError => {
            draw_health(scene, shows, figures.row.name, slot, buf);
            return;
        }
        Shows::Rungs => {
            let ladders = scene.snapshot.policy.routes.iter().flat_map(|route| &route.ladder);
            let model = figures.row.model;
            let count = ladders.filter(|rung| rung.model == model && model.is_some()).count();
            (format::count(count as u64), if count > 0 { text } else { faint })
        }
        Shows::Share => of(&|cell| (format::percent(cell.requests, all.requests), text)),
        Shows::Requests => of(&|cell| (format::count_short(cell.requests), text)),
        Shows::Calls => of(&|cell| (format::count_short(cell.attempts), text)),
        Shows::Errors => of(&|cell| (format::count_short(cell.errors), error_style(look, cell))),
        Shows::ErrorShare => {
            of(&|cell| (format::percent(cell.errors, cell.attempts), error_style(look, cell)))
        }
        Shows::P50 => late(|known| known.p50),
        Shows::P95 => late(|known| known.p95),
        Shows::P99 => late(|known| known.p99),
        Shows::Prompt => of(&|cell| (format::count_short(cell.tokens.prompt()), text)),
        Shows::CacheShare => of(&|cell| (figures::cache_share(cell), text)),
        Shows::Answer => of(&|cell| (format::count_short(cell.tokens.output), text)),
        Shows::Cost => of(&|cell| {
            let (words, role) = figures::cost_in_column(&cell.cost, all.cost.unknown > 0);
            (words, look.style(role))
        }),
        Shows::CostShare => of(&|cell| (figures::cost_share(&cell.cost, all.cost.total()), text)),
        Shows::PerThousand => {
            let thousand = figures.cell.and_then(|cell| figures::per_thousand(&cell.cost, cell.attempts));
            (format::or_unknown(thousand, format::money), text)
        }
        Shows::PriceIn => priced(tier.map(|tier| tier.input)),
        Shows::PriceOut => priced(tier.map(|tier| tier.output)),
        Shows::PriceCache => priced(tier.and_then(|tier| tier.cache_read)),
    };
    slot.text(buf, &words, style);
}

/// Draws one of the columns that only a live session has.
fn draw_health(scene: Scene<'_>, shows: Shows, name: &str, slot: Slot<'_>, buf: &mut Buffer) {
    let look = scene.look;
    let Some(found) = health::of(scene.snapshot, name) else {
        slot.text(buf, UNKNOWN, look.style(Role::Unknown));
        return;
    };
    match shows {
        Shows::Breaker => {
            let (sign, role, words) = health::breaker(scene, found);
            let (at, rest) = paint::split_left(slot.at, 2);
            if at.width > 0 {
                look.sign(buf, at.x, at.y, sign, role);
            }
            look.text(buf, rest, &words, role);
        }
        Shows::InFlight => slot.text(buf, &format::count(found.in_flight), look.style(Role::Text)),
        Shows::Quota => health::quota(found, slot.at, buf, look),
        _ if found.last_error.is_empty() => slot.text(buf, "none", look.style(Role::Muted)),
        _ => slot.text(buf, &text::clean(&found.last_error), look.style(Role::Error)),
    }
}

/// The colour that stands for a model everywhere.
pub(super) fn series(look: Look<'_>, row: &Row<'_>) -> Style {
    figures::series(look, row.model)
}

fn error_style(look: Look<'_>, cell: &Cell) -> Style {
    look.style(if cell.errors > 0 { Role::Error } else { Role::Muted })
}

/// A model's state by its calls in the window: from one failed call in a hundred on it is failing.
pub(super) fn state_of(look: Look<'_>, cell: Option<&Cell>) -> (char, Role, Short) {
    let (wrong, look_at, well) = look.glyphs.state;
    match cell {
        None => (look.glyphs.absent, Role::Unknown, short(format_args!("not seen"))),
        Some(cell) if cell.errors.saturating_mul(100) < cell.attempts || cell.errors == 0 => {
            (well, Role::Ok, short(format_args!("ok")))
        }
        Some(cell) => {
            let words = short(format_args!("fails {}", format::percent(cell.errors, cell.attempts)));
            let bad = cell.errors.saturating_mul(10) >= cell.attempts;
            if bad { (wrong, Role::Error, words) } else { (look_at, Role::Warn, words) }
        }
    }
}
