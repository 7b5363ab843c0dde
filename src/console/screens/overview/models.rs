//! Who answers: each model's share of the requests and of the cost; and how fast: percentiles, and the same on one scale.
//!
//! ```text
//! gpt-4.1   1.20 s  3.41 s  6.02 s    │──●────────│
//! ```

use std::cmp::Reverse;

use arrayvec::ArrayVec;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::bars;
use crate::console::widgets::table::{Column, Slot, Table, TableState, Width};
use crate::console::{format, paint, text};
use crate::session::Snapshot;
use crate::telemetry::{Cell, Percentiles};
use crate::units::ModelId;

/// A model with traffic in the window.
pub(super) struct Model<'a> {
    /// Which; none for calls that name none.
    pub(super) id: ModelId,
    cell: &'a Cell,
}

impl Model<'_> {
    fn name<'s>(&self, snapshot: &'s Snapshot) -> &'s str {
        if self.id.is_some() { snapshot.log.names.model(self.id) } else { figures::unnamed(self.cell) }
    }
}

/// Lists the models with any traffic in the window, the busiest first.
pub(super) fn ranked(snapshot: &Snapshot) -> Vec<Model<'_>> {
    let totals = &*snapshot.totals;
    let named = (0..).zip(&totals.models).map(|(id, cell)| Model { id: ModelId(id), cell });
    // Of equals those without a name come first.
    let all = std::iter::once(Model { id: ModelId::NONE, cell: &totals.unnamed_model }).chain(named);
    let mut models: Vec<_> = all.filter(|model| !model.cell.is_empty()).collect();
    crate::units::sort_by_key(&mut models, |model| {
        (Reverse(model.cell.requests), Reverse(model.cell.attempts))
    });
    models
}

/// Returns the columns that the longest name takes.
fn longest_name(models: &[Model<'_>], snapshot: &Snapshot) -> u16 {
    models.iter().map(|model| text::columns(model.name(snapshot))).max().unwrap_or(0)
}

const COLUMNS: [Column<'_>; 7] = [
    Column::left("model", Width::Fill(10), 0),
    Column::left("", Width::Fill(6), 0),
    Column::right("share", 7, 0),
    Column::right("requests", 9, 2),
    Column::right("cost", 12, 0),
    Column::right("of cost", 7, 3),
    Column::right("$/1k calls", 10, 4),
];

/// The columns below which bars make way for names.
const NARROW: u16 = 60;

/// Draws the panel of shares.
pub(super) fn draw(
    scene: Scene<'_>,
    place: usize,
    models: &[Model<'_>],
    state: TableState,
    area: Rect,
    buf: &mut Buffer,
) {
    let snapshot = scene.snapshot;
    let all = &snapshot.totals.all;
    let inner = figures::page(scene, place, "Models", "", area, buf);
    if models.is_empty() {
        return figures::nothing(scene, "no requests in this window", inner, buf);
    }
    let total = all.cost.total();
    // What the rows leave over shows both shares as one bar each.
    let used = u16::try_from(models.len()).unwrap_or(u16::MAX).saturating_add(1);
    let (inner, spare) = match inner.height.checked_sub(used) {
        Some(spare @ 3..) => paint::split_top(inner, inner.height - spare),
        _ => (inner, Rect { height: 0, ..inner }),
    };
    stacked(scene, models, paint::split_top(spare, 1).1, buf);
    let unknown = all.cost.unknown > 0;
    let mut columns = COLUMNS;
    let longest = longest_name(models, snapshot).max(6);
    let room = if inner.width < NARROW {
        // Names before bars: whose share it is says more than its length. Beside them stand share and cost.
        columns[1].yields = 1;
        inner.width.saturating_sub(21)
    } else {
        inner.width * 2 / 7
    };
    columns[0].width = Width::Fixed(longest.min(room.max(6)));
    let focus = scene.view.focus == place;
    let table = Table { columns: &columns, rows: models.len(), sorted: None, state, focus };
    table.render(inner, buf, scene.look, |buf, slot| {
        let Some(model) = models.get(slot.row) else { return };
        let cell = model.cell;
        let (words, role) = match slot.column {
            0 => return slot.say(buf, model.name(snapshot), Role::Text),
            1 => {
                let style = figures::series(scene.look, model.id);
                let filled = figures::thousandths(cell.requests, all.requests);
                return bars::bar(buf, slot.at, filled, style, scene.look);
            }
            2 => (format::percent(cell.requests, all.requests), Role::Text),
            3 => (format::count_short(cell.requests), Role::Text),
            4 => figures::cost_in_column(&cell.cost, unknown),
            5 => (figures::cost_share(&cell.cost, total), Role::Text),
            _ => {
                let thousand = figures::per_thousand(&cell.cost, cell.attempts);
                (figures::amount(thousand, &cell.cost), Role::Text)
            }
        };
        slot.say(buf, &words, role);
    });
}

/// Draws requests and cost as one bar each, divided among the models; their names below where there is room.
fn stacked(scene: Scene<'_>, models: &[Model<'_>], area: Rect, buf: &mut Buffer) {
    let all = &scene.snapshot.totals.all;
    let high = if area.height >= 5 { 2 } else { 1 };
    let by_requests = |cell: &Cell| figures::thousandths(cell.requests, all.requests);
    let by_cost = |cell: &Cell| figures::money_thousandths(cell.cost.total(), all.cost.total());
    let (first, rest) = paint::split_top(area, high);
    let (second, _) = paint::split_top(paint::split_top(rest, u16::from(high > 1)).1, high);
    whole(scene, models, "requests", &by_requests, first, buf);
    whole(scene, models, "cost", &by_cost, second, buf);
}

fn whole(
    scene: Scene<'_>,
    models: &[Model<'_>],
    name: &str,
    share: &dyn Fn(&Cell) -> u32,
    area: Rect,
    buf: &mut Buffer,
) {
    let look = scene.look;
    if area.is_empty() {
        return;
    }
    let (label, bar) = paint::split_left(area, 9);
    look.text(buf, label, name, Role::Muted);
    let (bar, names) = paint::split_top(bar, 1);
    let column = |thousandths: u32| {
        let offset = u64::from(thousandths.min(1000)) * u64::from(bar.width) / 1000;
        u16::try_from(offset).unwrap_or(0)
    };
    let mut so_far = 0;
    for model in models {
        let from = column(so_far);
        so_far += share(model.cell);
        let to = column(so_far);
        if to <= from {
            continue;
        }
        let style = figures::series(look, model.id);
        let part = Rect { x: bar.x + from, width: to - from, ..bar };
        paint::row(buf, part, look.glyphs.right[8], style);
        // A gap keeps neighbours apart where colours do not.
        if part.width > 2 {
            paint::sign(buf, part.right() - 1, part.y, look.glyphs.right[6], style);
        }
        // Where there is no row for names, a part says inside whose it is.
        let (at, style) = if names.height > 0 {
            (Rect { width: part.width - 1, y: names.y, height: names.height, ..part }, style)
        } else {
            let inside = Rect { x: part.x + 1, width: part.width.saturating_sub(3), ..part };
            (inside, style.add_modifier(Modifier::REVERSED))
        };
        let name = model.name(scene.snapshot);
        look.text(buf, at, &fitting(name, at.width, look.glyphs.ellipsis), style);
    }
}

/// Returns as much of a model's name as has room, marked where it is truncated: the whole, or what stands behind a dash, which tells
/// siblings apart, without its date or version where it has a word; nothing where less than three letters would be left.
fn fitting(name: &str, room: u16, ellipsis: char) -> String {
    fn tails(name: &str) -> impl Iterator<Item = &str> {
        name.match_indices('-').filter_map(|(at, _)| name.get(at + 1..))
    }
    let has_word = |form: &&str| form.bytes().any(|byte| byte.is_ascii_alphabetic());
    let core = name.trim_end_matches(|c: char| c == '-' || c == '.' || c.is_ascii_digit());
    let forms = std::iter::once(name).chain(tails(name).filter(has_word));
    let forms = forms.chain(tails(core)).chain(tails(name));
    let mut marked = forms.filter(|form| form.len() >= 3).map(|form| {
        let sign = |is_whole: bool| if is_whole { String::new() } else { ellipsis.to_string() };
        format!("{}{form}{}", sign(name.starts_with(form)), sign(name.ends_with(form)))
    });
    marked.find(|form| text::width(form) <= usize::from(room)).unwrap_or_default()
}

const LATENCIES: [Column<'_>; 6] = [
    Column::left("model", Width::Fill(13), 0),
    Column::right("p50", 7, 0),
    Column::right("p95", 7, 0),
    Column::right("p99", 8, 0),
    Column::left("", Width::Fill(8), 3),
    Column::right("calls", 7, 5),
];

const TITLE: &str = "Latency per call";

/// Columns kept for the figures: all of them, without the number of calls, the percentiles alone.
const FOR_FIGURES: [u16; 3] = [42, 34, 25];

/// The most rows whose percentiles are read in one drawing.
const MOST: usize = 64;

/// Draws the panel of latencies.
pub(super) fn draw_latencies(
    scene: Scene<'_>,
    place: usize,
    models: &[Model<'_>],
    state: TableState,
    area: Rect,
    buf: &mut Buffer,
) {
    let snapshot = scene.snapshot;
    let inner = figures::page(scene, place, TITLE, "", area, buf);
    if models.is_empty() {
        return figures::nothing(scene, "no calls in this window", inner, buf);
    }
    let visible = Table::visible(inner);
    let state = state.scrolled(models.len(), visible);
    let shown = models.iter().skip(state.offset).take(visible.min(MOST));
    let percentiles: ArrayVec<Option<Percentiles>, MOST> =
        shown.map(|model| model.cell.latency.percentiles()).collect();
    let longest = percentiles.iter().flatten().map(|known| known.p99).max().unwrap_or(0);
    let mut columns = LATENCIES;
    // Whole names come before the curve of calls, and before their number.
    let longest_name = longest_name(models, snapshot);
    let room = FOR_FIGURES.map(|kept| inner.width.saturating_sub(kept));
    let room = room.into_iter().find(|room| *room >= longest_name).unwrap_or(room[2]);
    columns[0].width = Width::Fixed(longest_name.clamp(9, room.max(9)));
    let focus = scene.view.focus == place;
    let table = Table { columns: &columns, rows: models.len(), sorted: None, state, focus };
    table.render(inner, buf, scene.look, |buf, slot| {
        let known = slot.row.checked_sub(state.offset).and_then(|at| percentiles.get(at)).copied().flatten();
        let Some(model) = models.get(slot.row) else { return };
        let late = |of: fn(Percentiles) -> u64| {
            (figures::latency(known.map(of)), if known.is_some() { Role::Text } else { Role::Unknown })
        };
        let (words, role) = match (slot.column, known) {
            (0, _) => return slot.say(buf, model.name(snapshot), Role::Text),
            (1, _) => late(|known| known.p50),
            (2, _) => late(|known| known.p95),
            (3, _) => late(|known| known.p99),
            (4, None) => return,
            (4, Some(known)) => {
                return spread(scene, buf, slot, known, longest, figures::series(scene.look, model.id));
            }
            _ => (format::count_short(model.cell.attempts), Role::Muted),
        };
        slot.say(buf, &words, role);
    });
}

/// Draws p50, p95 and p99 on one scale from nothing to the longest.
fn spread(
    scene: Scene<'_>,
    buf: &mut Buffer,
    slot: Slot<'_>,
    known: Percentiles,
    longest: u64,
    style: Style,
) {
    let Some(last) = slot.at.width.checked_sub(1) else { return };
    let column = |millis: u64| {
        let offset = u128::from(millis.min(longest)) * u128::from(last) / u128::from(longest.max(1));
        slot.at.left() + u16::try_from(offset).unwrap_or(0)
    };
    let glyphs = scene.look.glyphs;
    let (from, middle, to) = (column(known.p50), column(known.p95), column(known.p99));
    let between = Rect { x: from, width: to - from, ..slot.at };
    paint::row(buf, between, glyphs.line.0, style);
    paint::sign(buf, from, slot.at.y, glyphs.line.1, style);
    paint::sign(buf, to, slot.at.y, glyphs.line.1, style);
    paint::sign(buf, middle, slot.at.y, glyphs.point.0, style);
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn a_name_is_whole_or_told_by_its_end_and_marked_where_it_is_truncated() {
        let of = |name, room| fitting(name, room, '…');
        let mini = |room| of("gpt-4.1-mini", room);
        assert_eq!(
            [12, 11, 9, 8, 5, 4].map(mini),
            ["gpt-4.1-mini", "…4.1-mini", "…4.1-mini", "…mini", "…mini", ""]
        );
        assert_eq!([of("claude-opus-4-6", 9), of("claude-opus-4-6", 7)], ["…opus-4-6", "…opus…"]);
        assert_eq!([of("mistral-small-2503", 8), of("gpt-4.1", 4)], ["…small…", "…4.1"]);
        assert_eq!([of("gpt-5", 4), of("", 9)], ["", ""]);
    }
}
