//! Who answers: each model's share of the requests and of the cost.

use std::cmp::Reverse;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use crate::console::format;
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::text;
use crate::console::theme::Role;
use crate::console::widgets::gauge;
use crate::console::widgets::table::{Column, Table, TableState, Width};
use crate::session::Snapshot;
use crate::telemetry::Cell;
use crate::units::ModelId;

/// The models with any traffic in the window, the busiest first.
pub(super) struct Ranked<'a>(Vec<(Option<usize>, &'a Cell)>);

impl<'a> Ranked<'a> {
    /// Ranks the models of a snapshot.
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let totals = &*snapshot.totals;
        let named = totals.models.iter().enumerate().map(|(index, cell)| (Some(index), cell));
        let all = named.chain([(None, &totals.unnamed_model)]);
        let mut rows: Vec<_> = all.filter(|(_, cell)| !cell.is_empty()).collect();
        crate::units::sort_by_key(&mut rows, |(index, cell)| {
            (Reverse(cell.requests), Reverse(cell.attempts), *index)
        });
        Self(rows)
    }

    /// Counts them.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns a row's model, where it has a name.
    pub(super) fn model(&self, row: usize) -> Option<ModelId> {
        let index = self.0.get(row)?.0?;
        u16::try_from(index).ok().map(ModelId)
    }

    /// Returns a row's sums.
    pub(super) fn cell(&self, row: usize) -> Option<&'a Cell> {
        self.0.get(row).map(|(_, cell)| *cell)
    }

    /// Returns a row's name.
    pub(super) fn name<'s>(&self, row: usize, snapshot: &'s Snapshot) -> &'s str {
        self.model(row).map_or(figures::UNNAMED, |model| snapshot.log.names.model(model))
    }

    /// Returns the columns that the longest name takes.
    pub(super) fn longest(&self, snapshot: &Snapshot) -> u16 {
        (0..self.len()).map(|row| text::columns(self.name(row, snapshot))).max().unwrap_or(0)
    }

    /// Returns the number of the colour that stands for a row's model everywhere.
    pub(super) fn series(&self, row: usize) -> usize {
        self.0.get(row).and_then(|(index, _)| *index).unwrap_or(7)
    }
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

/// Returns the row under the mouse, here and in the latencies.
pub(super) fn hit(state: TableState, rows: usize, inside: Rect, x: u16, y: u16) -> Option<usize> {
    Table { columns: &COLUMNS, rows, sorted: None, state, focus: true }.hit(paint::margin(inside), x, y)
}

/// Draws the panel.
pub(super) fn draw(
    scene: Scene<'_>,
    place: usize,
    models: &Ranked<'_>,
    state: TableState,
    area: Rect,
    buf: &mut Buffer,
) {
    let snapshot = scene.snapshot;
    let all = &snapshot.totals.all;
    let inner = paint::margin(figures::frame(scene, place, "Models", "", area, buf));
    if models.len() == 0 {
        figures::nothing(scene, "no requests in this window", inner, buf);
        return;
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
    let longest = models.longest(snapshot).max(6);
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
        let Some(cell) = models.cell(slot.row) else { return };
        let text = Role::Text;
        match slot.column {
            0 => slot.say(buf, models.name(slot.row, snapshot), text),
            1 => {
                let style = scene.look.theme.series(models.series(slot.row));
                let filled = figures::thousandths(cell.requests, all.requests);
                gauge::bar(buf, slot.at, filled, style, scene.look);
            }
            2 => slot.say(buf, &format::percent(cell.requests, all.requests), text),
            3 => slot.say(buf, &format::count_short(cell.requests), text),
            4 => {
                let (cost, role) = figures::cost_in_column(&cell.cost, unknown);
                slot.say(buf, &cost, role);
            }
            5 => slot.say(buf, &figures::cost_share(&cell.cost, total), text),
            _ => {
                let thousand = figures::per_thousand(&cell.cost, cell.attempts);
                slot.say(buf, &format::or_unknown(thousand, format::money), text);
            }
        }
    });
}

/// Draws requests and cost as one bar each, divided among the models; their names below where there is room.
fn stacked(scene: Scene<'_>, models: &Ranked<'_>, area: Rect, buf: &mut Buffer) {
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
    models: &Ranked<'_>,
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
    for row in 0..models.len() {
        let Some(cell) = models.cell(row) else { continue };
        let from = column(so_far);
        so_far += share(cell);
        let to = column(so_far);
        if to <= from {
            continue;
        }
        let style = look.theme.series(models.series(row));
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
        let name = models.name(row, scene.snapshot);
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

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn a_name_is_whole_or_told_by_its_end_and_marked_where_it_is_truncated() {
        let of = |name, room| fitting(name, room, '…').to_string();
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
