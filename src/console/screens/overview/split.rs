//! Who answers: each model's share of the requests and of the cost.

use std::cmp::Reverse;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::ui::Scene;
use crate::console::widgets::gauge;
use crate::console::widgets::table::{Column, Table, TableState, Width};
use crate::session::Snapshot;
use crate::telemetry::Cell;
use crate::units::ModelId;

use super::State;
use super::spend::margin;

/// The models with any traffic in the window, the busiest first.
pub(super) struct Ranked<'a>(Vec<(Option<usize>, &'a Cell)>);

impl<'a> Ranked<'a> {
    /// Ranks the models of a snapshot.
    pub(super) fn of(snapshot: &'a Snapshot) -> Self {
        let totals = &*snapshot.totals;
        let named = totals.models.iter().enumerate().map(|(index, cell)| (Some(index), cell));
        let all = named.chain([(None, &totals.unnamed_model)]);
        let mut rows: Vec<_> = all.filter(|(_, cell)| !cell.is_empty()).collect();
        rows.sort_by_key(|(index, cell)| (Reverse(cell.requests), Reverse(cell.attempts), *index));
        Self(rows)
    }

    /// Counts them.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Gives a row's model, where it has a name.
    pub(super) fn model(&self, row: usize) -> Option<ModelId> {
        let index = self.0.get(row)?.0?;
        u16::try_from(index).ok().map(ModelId)
    }

    /// Gives a row's sums.
    pub(super) fn cell(&self, row: usize) -> Option<&'a Cell> {
        self.0.get(row).map(|(_, cell)| *cell)
    }

    /// Gives a row's name.
    pub(super) fn name<'s>(&self, row: usize, snapshot: &'s Snapshot) -> &'s str {
        self.model(row).map_or(figures::UNNAMED, |model| snapshot.log.names.model(model))
    }

    /// Gives the number of the colour that stands for a row's model everywhere.
    pub(super) fn series(&self, row: usize) -> usize {
        self.0.get(row).and_then(|(index, _)| *index).unwrap_or(7)
    }
}

const COLUMNS: [Column<'_>; 7] = [
    Column { name: "model", width: Width::Fill(11), right: false, yields: 0 },
    Column { name: "", width: Width::Fill(6), right: false, yields: 0 },
    Column { name: "share", width: Width::Fixed(7), right: true, yields: 0 },
    Column { name: "requests", width: Width::Fixed(9), right: true, yields: 2 },
    Column { name: "cost", width: Width::Fixed(10), right: true, yields: 0 },
    Column { name: "of cost", width: Width::Fixed(7), right: true, yields: 3 },
    Column { name: "$/1k", width: Width::Fixed(9), right: true, yields: 4 },
];

fn table(rows: usize, state: TableState, focus: bool) -> Table<'static> {
    Table { columns: &COLUMNS, rows, sorted: None, state, focus }
}

/// Gives the row under the mouse, here and in the latencies.
pub(super) fn hit(state: &State, rows: usize, inside: Rect, x: u16, y: u16) -> Option<usize> {
    table(rows, state.models, true).hit(margin(inside), x, y)
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, place: usize, models: &Ranked<'_>, area: Rect, buf: &mut Buffer) {
    let snapshot = scene.snapshot;
    let all = &snapshot.totals.all;
    let scope = figures::scope_of(scene, all.estimated, all.requests);
    let inner = margin(figures::frame(scene, place, "Models", &scope, area, buf));
    if models.len() == 0 {
        figures::nothing(scene, "no requests in this window", inner, buf);
        return;
    }
    let total = all.cost.total();
    let table = table(models.len(), scene.ui.overview.models, scene.ui.focus == place);
    table.render(inner, buf, scene.look, |buf, slot| {
        let Some(cell) = models.cell(slot.row) else { return };
        let text = scene.look.style(Role::Text);
        match slot.column {
            0 => slot.text(buf, models.name(slot.row, snapshot), text),
            1 => {
                let style = scene.look.theme.series(models.series(slot.row));
                gauge::bar(
                    buf,
                    slot.at,
                    figures::thousandths(cell.requests, all.requests),
                    style,
                    scene.look,
                );
            }
            2 => slot.text(buf, &format::percent(cell.requests, all.requests), text),
            3 => slot.text(buf, &format::count_short(cell.requests), text),
            4 => {
                let (cost, role) = figures::cost(&cell.cost);
                slot.text(buf, &cost, scene.look.style(role));
            }
            5 => slot.text(buf, &figures::money_share(cell.cost.total(), total), text),
            _ => {
                let thousand = figures::per_thousand(&cell.cost, cell.attempts);
                slot.text(buf, &format::or_unknown(thousand, format::money), text);
            }
        }
    });
}
