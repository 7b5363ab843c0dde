//! The table: by route and model how many answers were judged, by whom, how good they were, and what that certifies.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::format::{self, Short, short};
use crate::console::screen::Scene;
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::table::{Column, Slot, Table, TableState, Width};
use crate::outcome::LabelSource;
use crate::routing::{Route, Rung};
use crate::session::{Graded, RungProof, Snapshot};

/// A rung of a route, and what is known of its model's answers.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    route_at: usize,
    rung_at: usize,
    pub(super) route: &'a Route,
    pub(super) rung: &'a Rung,
    /// What is proved of its threshold; none of the last rung and of a fallback, which have none.
    pub(super) proof: Option<&'a RungProof>,
    answers: Graded,
}

impl Row<'_> {
    /// Returns its route and rung as places in the policy.
    pub(super) fn place(&self) -> (usize, usize) {
        (self.route_at, self.rung_at)
    }

    /// Counts the requests of which both answers were judged.
    pub(super) fn pairs(&self) -> u64 {
        self.proof.map_or(0, |proof| proof.quality.diagram.n())
    }

    /// Returns the model's name.
    pub(super) fn model<'s>(&self, snapshot: &'s Snapshot) -> &'s str {
        snapshot.log.names.model(self.rung.model)
    }
}

/// Gathers all rungs of the policy in force.
pub(super) fn rows(snapshot: &Snapshot) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for (route_at, route) in snapshot.policy.routes.iter().enumerate() {
        let proofs = snapshot.proofs.get(route_at).map_or(&[][..], Vec::as_slice);
        for (rung_at, rung) in route.ladder.iter().enumerate() {
            let is_last = rung_at + 1 == route.ladder.len();
            let own = proofs.get(rung_at).filter(|_| !is_last);
            let answers = match own {
                Some(proof) => proof.quality.cheap,
                None => proofs.first().map(|proof| proof.quality.strong).unwrap_or_default(),
            };
            let proof = own.filter(|_| !rung.fallback);
            rows.push(Row { route_at, rung_at, route, rung, proof, answers });
        }
    }
    rows
}

/// Says whether no answer was judged at all.
pub(super) fn is_unjudged(rows: &[Row<'_>]) -> bool {
    rows.iter().all(|row| row.answers.by.iter().all(|&count| count == 0))
}

/// Writes a share between 0 and 1: `.912`, `1.000`.
pub(super) fn share(value: f64) -> Short {
    let per_mille = (value.clamp(0.0, 1.0) * 1000.0).round();
    if per_mille >= 1000.0 { short!("1.000") } else { short!(".{per_mille:03}") }
}

/// Says who judged, those with most judgements first.
pub(super) fn sources(graded: &Graded) -> String {
    let mut by: Vec<(u64, LabelSource)> =
        graded.by.iter().copied().zip(LabelSource::ALL).filter(|(count, _)| *count > 0).collect();
    crate::units::sort_by_key(&mut by, |(count, _)| std::cmp::Reverse(*count));
    let words =
        by.into_iter().map(|(count, source)| format!("{} {}", source.name(), format::count_short(count)));
    words.collect::<Vec<_>>().join(", ")
}

const COLUMNS: [Column<'static>; 8] = [
    Column::left("", Width::Fixed(1), 0),
    Column::left("route", Width::Fill(9), 0),
    Column::left("model", Width::Fill(14), 0),
    Column::right("labels", 6, 0),
    Column::right("quality", 7, 0),
    Column::left("95 %", Width::Fixed(13), 1),
    Column::left("judged by", Width::Fill(14), 3),
    Column::left("certificate", Width::Fill(15), 2),
];

/// Says in two or three words how the certificate stands.
fn certificate(row: &Row<'_>) -> (Short, Role) {
    let Some(proof) = row.proof else {
        let words = if row.rung.fallback { "a fallback" } else { "the strongest" };
        return (short!("{words}"), Role::Muted);
    };
    match (proof.standing.given, proof.standing.withdrawn) {
        (Some(given), _) => (short!("from {} up", given.threshold), Role::Ok),
        (None, Some(_)) => (short!("withdrawn"), Role::Warn),
        (None, None) if proof.standing.n == 0 => (short!("no pairs"), Role::Muted),
        (None, None) => {
            let needed = format::count_short(proof.standing.needed);
            (short!("{needed} more labels"), Role::Text)
        }
    }
}

fn cell(scene: Scene<'_>, rows: &[Row<'_>], slot: Slot<'_>, buf: &mut Buffer) {
    let Some(row) = rows.get(slot.row) else { return };
    let mean = row.answers.mean();
    let unknown = || short!("{}", scene.look.glyphs.absent);
    match slot.column {
        0 => slot.mark_chosen(buf),
        1 => {
            let role = if row.rung_at == 0 { Role::Text } else { Role::Muted };
            slot.say(buf, &row.route.name, role);
        }
        2 => slot.say(buf, row.model(scene.snapshot), figures::series(scene.look, row.rung.model)),
        3 => slot.say(buf, &format::count_short(row.answers.n), Role::Text),
        4 => match mean {
            Some((mean, ..)) => slot.say(buf, &share(mean), Role::Observed),
            None => slot.say(buf, &unknown(), Role::Unknown),
        },
        5 => {
            if let Some((_, low, high)) = mean {
                slot.say(buf, &short!("{} to {}", share(low), share(high)), Role::Muted);
            }
        }
        6 => slot.say(buf, &sources(&row.answers), Role::Muted),
        7 => {
            let (words, role) = certificate(row);
            slot.say(buf, &words, role);
        }
        _ => {}
    }
}

/// Draws the panel.
pub(super) fn draw(scene: Scene<'_>, rows: &[Row<'_>], state: TableState, area: Rect, buf: &mut Buffer) {
    let inner = figures::page(scene, 0, "Answers judged", "all so far", area, buf);
    let focus = scene.view.focus == 0;
    let table = Table { columns: &COLUMNS, rows: rows.len(), sorted: None, state, focus };
    table.render(inner, buf, scene.look, |buf, slot| cell(scene, rows, slot, buf));
}
