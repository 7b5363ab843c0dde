//! The table of models: those with traffic so far and those on a ladder, in the order asked for; its columns, what sorts by each, its
//! cells.

use arrayvec::ArrayVec;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use self::Shows::{Count, Drawn, Health, Late, Price, Sums};
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

/// A column: its place, what stands in its cells, how the order by it is called where there is one, and what sorts then where that is
/// another figure than the one shown.
struct Spec {
    column: Column<'static>,
    shows: Shows,
    order: Option<&'static str>,
    sorts: Option<fn(&Row<'_>) -> Option<i128>>,
}

/// What stands in a column's cells.
#[derive(Clone, Copy)]
enum Shows {
    /// What is drawn there.
    Drawn(fn(&Figures<'_>, Slot<'_>, &mut Buffer)),
    /// What a live session says of the model's health; elsewhere there is no such column.
    Health(fn(&Figures<'_>, &ModelHealth, Slot<'_>, &mut Buffer)),
    /// A figure of the model's sums, beside those of all.
    Sums(fn(&Cell, &Cell) -> (Short, Role)),
    /// A count of its sums.
    Count(fn(&Cell) -> u64),
    /// A latency.
    Late(fn(Percentiles) -> u64),
    /// A price for a million tokens.
    Price(fn(&Tier) -> Option<PicoPerMillion>),
}

const fn left(name: &'static str, width: Width, yields: u8, shows: Shows) -> Spec {
    Spec { column: Column::left(name, width, yields), shows, order: None, sorts: None }
}

const fn right(name: &'static str, columns: u16, yields: u8, shows: Shows) -> Spec {
    Spec { column: Column::right(name, columns, yields), shows, order: None, sorts: None }
}

impl Spec {
    /// Sorts by the figure that is shown.
    const fn order(self, order: &'static str) -> Self {
        Self { order: Some(order), ..self }
    }

    /// Sorts by another.
    const fn by(self, order: &'static str, sorts: fn(&Row<'_>) -> Option<i128>) -> Self {
        Self { order: Some(order), sorts: Some(sorts), ..self }
    }
}

/// In their order from the left; those that matter least yield first.
static COLUMNS: [Spec; 25] = [
    left("", Width::Fixed(1), 0, Drawn(|_, slot, buf| slot.mark_chosen(buf))),
    left("model", Width::Fill(20), 0, Drawn(name)).order("name"),
    left("state", Width::Fixed(16), 1, Drawn(|of, slot, buf| state(of.state(), slot, buf))),
    left(
        "breaker",
        Width::Fixed(12),
        1,
        Health(|of, found, slot, buf| state(health::breaker(of.scene, found), slot, buf)),
    ),
    right(
        "open",
        5,
        12,
        Health(|_, found, slot, buf| slot.say(buf, &format::count(found.in_flight), Role::Text)),
    ),
    left(
        "quota used",
        Width::Fixed(12),
        3,
        Health(|_, found, slot, buf| health::quota(found, slot.at, buf, slot.look)),
    ),
    left("last error", Width::Fill(14), 12, Health(last_error)),
    right("share", 7, 3, Sums(|cell, all| (format::percent(cell.requests, all.requests), Role::Text))),
    right("requests", 9, 2, Count(|cell| cell.requests)).order("requests"),
    right("calls", 8, 13, Count(|cell| cell.attempts)).order("calls"),
    right("failed calls", 12, 19, Sums(|cell, _| (format::count_short(cell.errors), error_role(cell)))),
    right("fail %", 7, 9, Sums(|cell, _| (format::percent(cell.errors, cell.attempts), error_role(cell))))
        .by("share of failed calls", error_share),
    right("p50", 8, 10, Late(|known| known.p50)).order("p50"),
    right("p95", 8, 3, Late(|known| known.p95)).order("p95"),
    right("p99", 8, 11, Late(|known| known.p99)).order("p99"),
    right("tok in", 7, 14, Count(|cell| cell.tokens.prompt())).order("prompt tokens"),
    right("cached", 7, 8, Sums(|cell, _| (figures::cache_share(cell), Role::Text)))
        .by("share of cache reads", cache_share),
    right("tok out", 7, 15, Count(|cell| cell.tokens.output)).order("answer tokens"),
    right("cost", 12, 1, Sums(|cell, all| figures::cost_in_column(&cell.cost, all.cost.unknown > 0)))
        .by("cost", |row| Some(row.cell.map_or(0, |cell| cell.cost.total().0))),
    right(
        "of cost",
        7,
        17,
        Sums(|cell, all| (figures::cost_share(&cell.cost, all.cost.total()), Role::Text)),
    ),
    right("$/1k calls", 11, 7, Drawn(thousand_calls))
        .by("cost per 1,000 calls", |row| Some(thousand(row)?.0)),
    right("$in/1M", 8, 4, Price(|tier| Some(tier.input))).order("price of prompts"),
    right("$out/1M", 8, 4, Price(|tier| Some(tier.output))).order("price of answers"),
    right("$read/1M", 8, 16, Price(|tier| tier.cache_read)),
    right("rungs", 5, 18, Drawn(rungs)),
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
        let sorts = |at: &usize| COLUMNS.get(*at).is_some_and(|spec| spec.order.is_some());
        Self((self.0 + 1..COLUMNS.len()).chain(0..=self.0).find(sorts).unwrap_or(self.0))
    }

    /// Names the order.
    pub(super) fn name(self) -> &'static str {
        COLUMNS.get(self.0).and_then(|spec| spec.order).unwrap_or("name")
    }

    /// Says whether the largest come first unless asked otherwise.
    pub(super) fn descends(self) -> bool {
        self.name() != "name"
    }

    /// Returns what sorts a model: nothing where that is its name. Those of which it is unknown come as if it were least.
    fn figure(self, row: &Row<'_>) -> Option<i128> {
        let Spec { shows, sorts, .. } = COLUMNS.get(self.0)?;
        match (*shows, sorts) {
            (_, Some(sorts)) => sorts(row),
            (Count(of), _) => Some(row.count(of)),
            (Late(of), _) => Some(of(row.percentiles()?).into()),
            (Price(of), _) => Some(of(row.tier?)?.0.into()),
            (Drawn(_) | Health(_) | Sums(_), _) => None,
        }
    }
}

/// Leaves a column free at the right; the left one holds the mark of the chosen row.
pub(super) fn inside(area: Rect) -> Rect {
    Rect { width: area.width.saturating_sub(1), ..area }
}

/// A row's figures, read once a row.
struct Figures<'a> {
    scene: Scene<'a>,
    row: &'a Row<'a>,
    late: Option<Percentiles>,
}

impl Figures<'_> {
    fn state(&self) -> (char, Role, Short) {
        state_of(self.scene.look, self.row.cell)
    }

    fn draw(&self, shows: Shows, slot: Slot<'_>, buf: &mut Buffer) {
        let Row { name, cell, tier, .. } = self.row;
        let all = &self.scene.snapshot.totals.all;
        let figure = match shows {
            Drawn(draw) => return draw(self, slot, buf),
            Health(draw) => match health::of(self.scene.snapshot, name) {
                Some(found) => return draw(self, found, slot, buf),
                None => None,
            },
            Sums(write) => cell.map(|cell| write(cell, all)),
            Count(of) => cell.map(|cell| (format::count_short(of(cell)), Role::Text)),
            Late(of) => Some((figures::latency(self.late.map(of)), Role::Text)),
            Price(of) => tier.and_then(of).map(|price| (figures::price(price), Role::Text)),
        };
        let (words, role) = figure.unwrap_or_else(|| (short!("{UNKNOWN}"), Role::Unknown));
        slot.say(buf, &words, role);
    }
}

/// Draws the table.
pub(super) fn draw(
    scene: Scene<'_>,
    (roster, state): (&[Row<'_>], TableState),
    (by, order): (Key, Order),
    area: Rect,
    buf: &mut Buffer,
) {
    let glyphs = scene.look.glyphs;
    let arrow = if order == Order::Descending { glyphs.change.1 } else { glyphs.change.0 };
    let title = format!("Models by {} {arrow}", by.name());
    let inner = inside(figures::frame(scene, 0, &title, "", area, buf));
    // A replay has no health.
    let is_there = |spec: &Spec| scene.snapshot.live.is_some() || !matches!(spec.shows, Health(_));
    let there: ArrayVec<_, 32> = COLUMNS.iter().enumerate().filter(|(_, spec)| is_there(spec)).collect();
    let columns: ArrayVec<_, 32> = there.iter().map(|(_, spec)| spec.column).collect();
    let sorted = there.iter().position(|(at, _)| *at == by.0).map(|column| (column, order));
    let focus = scene.view.focus == 0;
    let table = Table { columns: &columns, rows: roster.len(), sorted, state, focus };
    let mut last: Option<(usize, Figures<'_>)> = None;
    table.render(inner, buf, scene.look, |buf, slot| {
        if last.as_ref().is_none_or(|(row, _)| *row != slot.row) {
            let row = roster.get(slot.row);
            last = row.map(|row| (slot.row, Figures { scene, row, late: row.percentiles() }));
        }
        if let (Some((_, figures)), Some((_, spec))) = (&last, there.get(slot.column)) {
            figures.draw(spec.shows, slot, buf);
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

fn name(of: &Figures<'_>, slot: Slot<'_>, buf: &mut Buffer) {
    let look = slot.look;
    let rest = signed(look.glyphs.right[8], series(look, of.row), slot, buf);
    look.text(buf, rest, of.row.name, Role::Text);
}

fn last_error(_: &Figures<'_>, found: &ModelHealth, slot: Slot<'_>, buf: &mut Buffer) {
    match &*found.last_error {
        "" => slot.say(buf, "none", Role::Muted),
        error => slot.say(buf, &text::clean(error), Role::Error),
    }
}

fn thousand_calls(of: &Figures<'_>, slot: Slot<'_>, buf: &mut Buffer) {
    let cost = of.row.cell.map(|cell| cell.cost).unwrap_or_default();
    slot.say(buf, &figures::amount(thousand(of.row), &cost), Role::Text);
}

fn rungs(of: &Figures<'_>, slot: Slot<'_>, buf: &mut Buffer) {
    let model = of.row.model;
    let ladders = of.scene.snapshot.policy.routes.iter().flat_map(|route| &route.ladder);
    let count = ladders.filter(|rung| rung.model == model && model.is_some()).count();
    slot.say(buf, &format::count(count as u64), if count > 0 { Role::Text } else { Role::Unknown });
}

/// Returns what a thousand of the model's calls cost.
fn thousand(row: &Row<'_>) -> Option<Pico> {
    row.cell.and_then(|cell| figures::per_thousand(&cell.cost, cell.attempts))
}

/// Returns a share in parts of a million; none of nothing is none.
fn share(row: &Row<'_>, part: i128, whole: i128) -> Option<i128> {
    row.cell.map(|_| part.saturating_mul(1_000_000).checked_div(whole).unwrap_or(0))
}

fn error_share(row: &Row<'_>) -> Option<i128> {
    share(row, row.count(|cell| cell.errors), row.count(|cell| cell.attempts))
}

fn cache_share(row: &Row<'_>) -> Option<i128> {
    share(row, row.count(|cell| cell.tokens.cache_read), row.count(|cell| cell.tokens.prompt()))
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
    fn count(&self, of: fn(&Cell) -> u64) -> i128 {
        self.cell.map_or(0, of).into()
    }
}

/// Gathers and sorts the models of a snapshot.
pub(super) fn roster<'a>(snapshot: &'a Snapshot, by: Key, order: Order) -> Vec<Row<'a>> {
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
    let mut ranked: Vec<_> = rows.into_iter().map(|row: Row<'a>| (by.figure(&row), row)).collect();
    crate::units::sort_by(&mut ranked, |(a, one), (b, other)| {
        let found = if by.descends() { a.cmp(b) } else { one.name.cmp(other.name) };
        if order == Order::Descending { found.reverse() } else { found }
    });
    ranked.into_iter().map(|(_, row)| row).collect()
}
