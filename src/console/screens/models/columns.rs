//! The table of models: those with traffic so far and those on a ladder, in the order asked for; its columns, what sorts by each, its
//! cells.

use arrayvec::ArrayVec;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::health;
use crate::console::format::{self, Short, UNKNOWN, short};
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Order, Slot, Table, TableState, Width};
use crate::pricing::Tier;
use crate::session::Snapshot;
use crate::telemetry::{Cell, ModelHealth, Percentiles};
use crate::units::{ModelId, Pico, PicoPerMillion};

/// A column: its place, what sorts by it and how that order is called, what stands in its cells.
struct Spec {
    column: Column<'static>,
    /// Whether only a live session has it.
    live: bool,
    sort: Option<(&'static str, By)>,
    draw: Draw,
}

type Draw = fn(&Figures<'_>, Slot<'_>, &mut Buffer);

const fn every(column: Column<'static>, sort: Option<(&'static str, By)>, draw: Draw) -> Spec {
    Spec { column, live: false, sort, draw }
}

const fn live(column: Column<'static>, draw: Draw) -> Spec {
    Spec { column, live: true, sort: None, draw }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands where a column may have no order")]
const fn by(name: &'static str, figure: fn(&Row<'_>) -> Option<i128>) -> Option<(&'static str, By)> {
    Some((name, By::Figure(figure)))
}

/// In their order from the left; those that matter least yield first.
static COLUMNS: [Spec; 25] = [
    every(Column::left("", Width::Fixed(1), 0), None, |_, slot, buf| {
        slot.mark_chosen(buf);
    }),
    every(Column::left("model", Width::Fill(20), 0), Some(("name", By::Name)), |of, slot, buf| {
        let look = slot.look;
        let rest = signed(look.glyphs.right[8], series(look, of.row), slot, buf);
        look.text(buf, rest, of.row.name, Role::Text);
    }),
    every(Column::left("state", Width::Fixed(16), 1), None, |of, slot, buf| {
        state(state_of(slot.look, of.row.cell), slot, buf);
    }),
    live(Column::left("breaker", Width::Fixed(12), 1), |of, slot, buf| {
        of.health(slot, buf, |found, slot, buf| state(health::breaker(of.scene, found), slot, buf));
    }),
    live(Column::right("open", 5, 12), |of, slot, buf| {
        of.health(slot, buf, |found, slot, buf| slot.say(buf, &format::count(found.in_flight), Role::Text));
    }),
    live(Column::left("quota used", Width::Fixed(12), 3), |of, slot, buf| {
        of.health(slot, buf, |found, slot, buf| health::quota(found, slot.at, buf, slot.look));
    }),
    live(Column::left("last error", Width::Fill(14), 12), |of, slot, buf| {
        of.health(slot, buf, |found, slot, buf| match &*found.last_error {
            "" => slot.say(buf, "none", Role::Muted),
            error => slot.say(buf, &text::clean(error), Role::Error),
        });
    }),
    every(Column::right("share", 7, 3), None, |of, slot, buf| {
        of.cell(slot, buf, |cell, all| (format::percent(cell.requests, all.requests), Role::Text));
    }),
    every(
        Column::right("requests", 9, 2),
        by("requests", |row| row.count(|cell| cell.requests)),
        |of, slot, buf| {
            of.cell(slot, buf, |cell, _| (format::count_short(cell.requests), Role::Text));
        },
    ),
    every(
        Column::right("calls", 8, 13),
        by("calls", |row| row.count(|cell| cell.attempts)),
        |of, slot, buf| {
            of.cell(slot, buf, |cell, _| (format::count_short(cell.attempts), Role::Text));
        },
    ),
    every(Column::right("failed calls", 12, 19), None, |of, slot, buf| {
        of.cell(slot, buf, |cell, _| (format::count_short(cell.errors), error_role(cell)));
    }),
    every(Column::right("fail %", 7, 9), by("share of failed calls", error_share), |of, slot, buf| {
        of.cell(slot, buf, |cell, _| (format::percent(cell.errors, cell.attempts), error_role(cell)));
    }),
    every(Column::right("p50", 8, 10), by("p50", |row| row.late(|known| known.p50)), |of, slot, buf| {
        of.late(slot, buf, |known| known.p50);
    }),
    every(Column::right("p95", 8, 3), by("p95", |row| row.late(|known| known.p95)), |of, slot, buf| {
        of.late(slot, buf, |known| known.p95);
    }),
    every(Column::right("p99", 8, 11), by("p99", |row| row.late(|known| known.p99)), |of, slot, buf| {
        of.late(slot, buf, |known| known.p99);
    }),
    every(
        Column::right("tok in", 7, 14),
        by("prompt tokens", |row| row.count(|cell| cell.tokens.prompt())),
        |of, slot, buf| {
            of.cell(slot, buf, |cell, _| (format::count_short(cell.tokens.prompt()), Role::Text));
        },
    ),
    every(Column::right("cached", 7, 8), by("share of cache reads", cache_share), |of, slot, buf| {
        of.cell(slot, buf, |cell, _| (figures::cache_share(cell), Role::Text));
    }),
    every(
        Column::right("tok out", 7, 15),
        by("answer tokens", |row| row.count(|cell| cell.tokens.output)),
        |of, slot, buf| {
            of.cell(slot, buf, |cell, _| (format::count_short(cell.tokens.output), Role::Text));
        },
    ),
    every(
        Column::right("cost", 12, 1),
        by("cost", |row| Some(row.cell.map_or(0, |cell| cell.cost.total().0))),
        |of, slot, buf| {
            of.cell(slot, buf, |cell, all| figures::cost_in_column(&cell.cost, all.cost.unknown > 0));
        },
    ),
    every(Column::right("of cost", 7, 17), None, |of, slot, buf| {
        of.cell(slot, buf, |cell, all| (figures::cost_share(&cell.cost, all.cost.total()), Role::Text));
    }),
    every(
        Column::right("$/1k calls", 11, 7),
        by("cost per 1,000 calls", |row| Some(thousand(row)?.0)),
        |of, slot, buf| {
            let cost = of.row.cell.map(|cell| cell.cost).unwrap_or_default();
            slot.say(buf, &figures::amount(thousand(of.row), &cost), Role::Text);
        },
    ),
    every(
        Column::right("$in/1M", 8, 4),
        by("price of prompts", |row| Some(row.tier?.input.0.into())),
        |of, slot, buf| {
            price(of.row.tier.map(|tier| tier.input), slot, buf);
        },
    ),
    every(
        Column::right("$out/1M", 8, 4),
        by("price of answers", |row| Some(row.tier?.output.0.into())),
        |of, slot, buf| {
            price(of.row.tier.map(|tier| tier.output), slot, buf);
        },
    ),
    every(Column::right("$read/1M", 8, 16), None, |of, slot, buf| {
        price(of.row.tier.and_then(|tier| tier.cache_read), slot, buf);
    }),
    every(Column::right("rungs", 5, 18), None, |of, slot, buf| {
        let model = of.row.model;
        let ladders = of.scene.snapshot.policy.routes.iter().flat_map(|route| &route.ladder);
        let count = ladders.filter(|rung| rung.model == model && model.is_some()).count();
        slot.say(buf, &format::count(count as u64), if count > 0 { Role::Text } else { Role::Unknown });
    }),
];

/// What the table is sorted by: one of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key(usize);

impl Default for Key {
    /// Requests answered.
    fn default() -> Self {
        Self(COLUMNS.iter().position(|spec| spec.column.name == "requests").unwrap_or(0))
    }
}

impl Key {
    /// Returns the next column that sorts, starting again at the end.
    pub(super) fn next(self) -> Self {
        let sorts = |at: &usize| COLUMNS.get(*at).is_some_and(|spec| spec.sort.is_some());
        Self((self.0 + 1..COLUMNS.len()).chain(0..=self.0).find(sorts).unwrap_or(self.0))
    }

    /// Returns the name of the order and what it rests on.
    pub(super) fn sort(self) -> (&'static str, By) {
        COLUMNS.get(self.0).and_then(|spec| spec.sort).unwrap_or(("name", By::Name))
    }

    /// Says whether the largest come first unless asked otherwise.
    pub(super) fn descends(self) -> bool {
        !matches!(self.sort().1, By::Name)
    }
}

/// What the table is sorted by, which way, and what is chosen in it.
pub(super) struct Sorted {
    pub(super) by: Key,
    pub(super) order: Order,
    pub(super) state: TableState,
}

/// The columns there are, in live and in a replay: their places in the table of all, and as a table wants them.
struct Shown {
    at: ArrayVec<usize, 32>,
    columns: ArrayVec<Column<'static>, 32>,
}

impl Shown {
    fn of(live: bool) -> Self {
        let there = || COLUMNS.iter().enumerate().filter(move |(_, spec)| live || !spec.live);
        Self {
            at: there().map(|(at, _)| at).collect(),
            columns: there().map(|(_, spec)| spec.column).collect(),
        }
    }

    fn table(&self, roster: &[Row<'_>], sorted: &Sorted, focus: bool) -> Table<'_> {
        let column = self.at.iter().position(|&at| at == sorted.by.0);
        let sorting = column.map(|column| (column, sorted.order));
        Table { columns: &self.columns, rows: roster.len(), sorted: sorting, state: sorted.state, focus }
    }
}

/// Leaves a column free at the right; the left one holds the mark of the chosen row.
fn inside(area: Rect) -> Rect {
    Rect { width: area.width.saturating_sub(1), ..area }
}

/// Returns the row under the mouse; `area` is inside the frame.
pub(super) fn hit(roster: &[Row<'_>], sorted: &Sorted, area: Rect, (x, y): (u16, u16)) -> Option<usize> {
    Shown::of(false).table(roster, sorted, true).hit(inside(area), x, y)
}

/// A row's figures, read once a row.
struct Figures<'a> {
    scene: Scene<'a>,
    row: &'a Row<'a>,
    late: Option<Percentiles>,
}

impl Figures<'_> {
    /// Writes a figure of the model's sums, beside those of all.
    fn cell(&self, slot: Slot<'_>, buf: &mut Buffer, write: fn(&Cell, &Cell) -> (Short, Role)) {
        let unknown = || (short!("{UNKNOWN}"), Role::Unknown);
        let all = &self.scene.snapshot.totals.all;
        let (words, role) = self.row.cell.map_or_else(unknown, |cell| write(cell, all));
        slot.say(buf, &words, role);
    }

    fn late(&self, slot: Slot<'_>, buf: &mut Buffer, of: fn(Percentiles) -> u64) {
        slot.say(buf, &figures::latency(self.late.map(of)), Role::Text);
    }

    /// Draws what a live session says of the model's health.
    fn health(
        &self,
        slot: Slot<'_>,
        buf: &mut Buffer,
        draw: impl FnOnce(&ModelHealth, Slot<'_>, &mut Buffer),
    ) {
        match health::of(self.scene.snapshot, self.row.name) {
            Some(found) => draw(found, slot, buf),
            None => slot.say(buf, UNKNOWN, Role::Unknown),
        }
    }
}

/// Draws the table.
pub(super) fn draw(scene: Scene<'_>, roster: &[Row<'_>], sorted: &Sorted, area: Rect, buf: &mut Buffer) {
    let glyphs = scene.look.glyphs;
    let arrow = if sorted.order == Order::Descending { glyphs.change.1 } else { glyphs.change.0 };
    let title = format!("Models by {} {arrow}", sorted.by.sort().0);
    let inner = inside(figures::frame(scene, 0, &title, "", area, buf));
    let mut last: Option<(usize, Figures<'_>)> = None;
    let shown = Shown::of(scene.snapshot.live.is_some());
    shown.table(roster, sorted, scene.view.focus == 0).render(inner, buf, scene.look, |buf, slot| {
        if last.as_ref().is_none_or(|(row, _)| *row != slot.row) {
            let row = roster.get(slot.row);
            last = row.map(|row| (slot.row, Figures { scene, row, late: row.percentiles() }));
        }
        let spec = shown.at.get(slot.column).and_then(|&at| COLUMNS.get(at));
        if let (Some((_, figures)), Some(spec)) = (&last, spec) {
            (spec.draw)(figures, slot, buf);
        }
    });
}

/// Draws a sign at the start of a cell and returns what is behind it.
fn signed(sign: char, style: Style, slot: Slot<'_>, buf: &mut Buffer) -> Rect {
    let (at, rest) = paint::split_left(slot.at, 2);
    slot.look.mark(buf, at, sign, style);
    rest
}

/// Draws a state: its sign and its words.
fn state((sign, role, words): (char, Role, Short), slot: Slot<'_>, buf: &mut Buffer) {
    let rest = signed(sign, slot.look.style(role), slot, buf);
    slot.look.text(buf, rest, &words, role);
}

fn price(price: Option<PicoPerMillion>, slot: Slot<'_>, buf: &mut Buffer) {
    match price {
        Some(price) => slot.say(buf, &figures::price(price), Role::Text),
        None => slot.say(buf, UNKNOWN, Role::Unknown),
    }
}

/// Returns what a thousand of the model's calls cost.
fn thousand(row: &Row<'_>) -> Option<Pico> {
    row.cell.and_then(|cell| figures::per_thousand(&cell.cost, cell.attempts))
}

/// Returns a share in parts of a million; none of nothing is none.
fn share(part: Option<i128>, whole: Option<i128>) -> Option<i128> {
    Some(part?.saturating_mul(1_000_000).checked_div(whole?).unwrap_or(0))
}

fn error_share(row: &Row<'_>) -> Option<i128> {
    share(row.count(|cell| cell.errors), row.count(|cell| cell.attempts))
}

fn cache_share(row: &Row<'_>) -> Option<i128> {
    share(row.count(|cell| cell.tokens.cache_read), row.count(|cell| cell.tokens.prompt()))
}

/// The colour that stands for a model everywhere.
pub(super) fn series(look: Look<'_>, row: &Row<'_>) -> Style {
    figures::series(look, row.model)
}

/// The look of failed calls: that of the state they make, so that red means one thing.
pub(super) fn error_role(cell: &Cell) -> Role {
    match cell.errors {
        0 => Role::Muted,
        errors if errors.saturating_mul(100) < cell.attempts => Role::Text,
        errors if errors.saturating_mul(10) < cell.attempts => Role::Warn,
        _ => Role::Error,
    }
}

/// A model's state by its calls in the window: from one failed call in a hundred on it is failing.
pub(super) fn state_of(look: Look<'_>, cell: Option<&Cell>) -> (char, Role, Short) {
    let (wrong, look_at, well) = look.glyphs.state;
    match cell {
        None => (look.glyphs.absent, Role::Unknown, short!("not seen")),
        Some(cell) => {
            let words = || short!("{} fail", format::percent(cell.errors, cell.attempts));
            match error_role(cell) {
                Role::Error => (wrong, Role::Error, words()),
                Role::Warn => (look_at, Role::Warn, words()),
                _ => (well, Role::Ok, short!("ok")),
            }
        }
    }
}

/// What models are ordered by.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// Their names.
    Name,
    /// A figure; those of which it is unknown come as if it were least.
    Figure(fn(&Row<'_>) -> Option<i128>),
}

/// One model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// Which; none for calls that name no model.
    pub(super) model: ModelId,
    /// Its name.
    pub(super) name: &'a str,
    /// Its sums over the window, where there are any.
    pub(super) cell: Option<&'a Cell>,
    /// Its base prices at the clock, where it has any.
    pub(super) tier: Option<&'a Tier>,
}

impl Row<'_> {
    /// Returns its latencies.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        self.cell?.latency.percentiles()
    }

    /// Returns a count of its sums: nothing where there are none.
    #[expect(clippy::unnecessary_wraps, reason = "it stands beside figures that may be unknown")]
    pub(super) fn count(&self, of: fn(&Cell) -> u64) -> Option<i128> {
        Some(self.cell.map_or(0, of).into())
    }

    /// Returns a latency, where it is known.
    pub(super) fn late(&self, of: fn(Percentiles) -> u64) -> Option<i128> {
        Some(of(self.percentiles()?).into())
    }
}

/// Gathers and sorts the models of a snapshot.
pub(super) fn roster<'a>(snapshot: &'a Snapshot, by: By, order: Order) -> Vec<Row<'a>> {
    let (window, to_date) = (&*snapshot.totals, &*snapshot.to_date);
    let names = snapshot.log.names.models().len();
    let mut on_ladder = vec![false; names];
    for rung in snapshot.policy.routes.iter().flat_map(|route| &route.ladder) {
        if let Some(slot) = rung.model.index().and_then(|index| on_ladder.get_mut(index)) {
            *slot = true;
        }
    }
    let live = |cell: Option<&'a Cell>| cell.filter(|cell| !cell.is_empty());
    let row = |model, name, cell: Option<&'a Cell>| Row {
        model,
        name,
        cell,
        tier: snapshot.log.prices.rates(model, snapshot.clock).map(|rates| &rates.base),
    };
    let mut rows = Vec::with_capacity(16);
    for (index, on_ladder) in on_ladder.into_iter().enumerate() {
        let seen = live(to_date.models.get(index)).is_some();
        let Ok(id) = u16::try_from(index) else { break };
        if seen || on_ladder {
            let model = ModelId(id);
            rows.push(row(model, snapshot.log.names.model(model), live(window.models.get(index))));
        }
    }
    if let Some(cell) = live(Some(&window.unnamed_model)) {
        rows.push(row(ModelId::NONE, figures::unnamed(cell), Some(cell)));
    }
    // A stable sort by the key over the order of first appearance: ties never jump.
    let figure = |row: &Row<'_>| match by {
        By::Name => None,
        By::Figure(of) => of(row),
    };
    let mut ranked: Vec<_> = rows.into_iter().map(|row: Row<'a>| (figure(&row), row)).collect();
    crate::units::sort_by(&mut ranked, |(a, one), (b, other)| {
        let found = if matches!(by, By::Name) { one.name.cmp(other.name) } else { a.cmp(b) };
        if order == Order::Descending { found.reverse() } else { found }
    });
    ranked.into_iter().map(|(_, row)| row).collect()
}
