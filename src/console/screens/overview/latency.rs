//! How fast each model answers: percentiles, and the same on one scale.
//!
//! ```text
//! gpt-4.1   1.20 s  3.41 s  6.02 s    │──●────────│
//! ```

use arrayvec::ArrayVec;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::split::Ranked;
use crate::console::format;
use crate::console::paint;
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Slot, Table, TableState, Width};
use crate::telemetry::Percentiles;

const COLUMNS: [Column<'_>; 6] = [
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
    let inner = paint::margin(figures::frame(scene, place, TITLE, "", area, buf));
    if models.len() == 0 {
        figures::nothing(scene, "no calls in this window", inner, buf);
        return;
    }
    let visible = Table::visible(inner);
    let state = state.scrolled(models.len(), visible);
    let shown = (state.offset..models.len()).take(visible.min(MOST));
    let percentiles: ArrayVec<Option<Percentiles>, MOST> =
        shown.map(|row| models.cell(row).and_then(|cell| cell.latency.percentiles())).collect();
    let longest = percentiles.iter().flatten().map(|known| known.p99).max().unwrap_or(0);
    let mut columns = COLUMNS;
    // Whole names come before the curve of calls, and before their number.
    let longest_name = models.longest(snapshot);
    let room = FOR_FIGURES.map(|kept| inner.width.saturating_sub(kept));
    let room = room.into_iter().find(|room| *room >= longest_name).unwrap_or(room[2]);
    columns[0].width = Width::Fixed(longest_name.clamp(9, room.max(9)));
    let focus = scene.view.focus == place;
    let table = Table { columns: &columns, rows: models.len(), sorted: None, state, focus };
    table.render(inner, buf, scene.look, |buf, slot| {
        let known = slot.row.checked_sub(state.offset).and_then(|at| percentiles.get(at)).copied().flatten();
        let Some(cell) = models.cell(slot.row) else { return };
        let role = if known.is_some() { Role::Text } else { Role::Unknown };
        match slot.column {
            0 => slot.say(buf, models.name(slot.row, snapshot), Role::Text),
            1 => slot.say(buf, &figures::latency(known.map(|known| known.p50)), role),
            2 => slot.say(buf, &figures::latency(known.map(|known| known.p95)), role),
            3 => slot.say(buf, &figures::latency(known.map(|known| known.p99)), role),
            4 => {
                if let Some(known) = known {
                    spread(scene, buf, slot, known, longest, models.series(slot.row));
                }
            }
            _ => slot.say(buf, &format::count_short(cell.attempts), Role::Muted),
        }
    });
}

/// Draws p50, p95 and p99 on one scale from nothing to the longest.
fn spread(
    scene: Scene<'_>,
    buf: &mut Buffer,
    slot: Slot<'_>,
    known: Percentiles,
    longest: u64,
    series: usize,
) {
    let Some(last) = slot.at.width.checked_sub(1) else { return };
    let column = |millis: u64| {
        let offset = u128::from(millis.min(longest)) * u128::from(last) / u128::from(longest.max(1));
        slot.at.left() + u16::try_from(offset).unwrap_or(0)
    };
    let (look, glyphs) = (scene.look, scene.look.glyphs);
    let (from, middle, to) = (column(known.p50), column(known.p95), column(known.p99));
    let style = look.theme.series(series);
    let between = Rect { x: from, width: to - from, ..slot.at };
    paint::row(buf, between, glyphs.line.0, style);
    paint::sign(buf, from, slot.at.y, glyphs.line.1, style);
    paint::sign(buf, to, slot.at.y, glyphs.line.1, style);
    paint::sign(buf, middle, slot.at.y, glyphs.point.0, style);
}
