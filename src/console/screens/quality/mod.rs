//! The screen Quality: what labels say of answers, and what they prove of thresholds.
//!
//! ```text
//! ╭ Answers judged ───────────────────────────────────────────────────────── all so far ╮
//! │   route       model             labels  quality           from            certificate │
//! │ ▸ extraction  gemini-2.5-flash     412  .912 .881 to .935  judge 400 ..   from 612    │
//! ╰──────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ Certificate · extraction · flash ╮╭ Said and done · extraction · flash ────────────────╮
//! │ certified from               612 ││ .62  ██████████━━━●━━                     .55   41  │
//! ╰──────────────────────────────────╯╰─────────────────────────────────────────────────────╯
//! ```
//!
//! Invariant: all figures are of everything that was played up to the clock, whatever the window, as certificates are.

mod answers;
mod proof;
mod reliability;
mod worth;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::answers::{Row, is_unjudged, rows};
use crate::console::action::Action;
use crate::console::paint;
use crate::console::screen::{Ask, Asks, FiguresOf, Pointer, Scene, Screen, ScreenId, View};
use crate::console::screens::figures;
use crate::console::theme::Role;
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::TableState;
use crate::routing::RouteId;
use crate::session::{Command, Snapshot};

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The chosen route and rung, by their places in the policy; until one is chosen that with the most pairs.
    chosen: Option<(usize, usize)>,
}

/// Where the panels lie: answers, certificate, reliability, judges.
fn places(view: View, rows: usize, area: Rect) -> [Rect; 4] {
    if let Some(places) = view.alone(area, 12) {
        return places;
    }
    let wanted = u16::try_from(rows.saturating_add(3)).unwrap_or(u16::MAX).max(5);
    let (table, rest) = paint::split_top(area, wanted.min(area.height * 2 / 5).max(5));
    if rest.width >= 150 {
        let (proof, rest) = paint::split_left(rest, rest.width * 3 / 10);
        let (reliability, judges) = paint::split_left(rest, rest.width * 3 / 5);
        return [table, proof, reliability, judges];
    }
    let (left, right) = paint::split_left(rest, rest.width * 2 / 5 + 2);
    // Ten bins with names and axis are enough of a diagram.
    if rest.height >= 20 {
        let (reliability, judges) = paint::split_top(right, (rest.height - 8).min(16));
        return [table, left, reliability, judges];
    }
    [table, left, right, Rect { width: 0, height: 0, ..area }]
}

/// Says how labels come, where there are none.
fn draw_none(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let inner = figures::page(scene, 0, "Quality", "no labels yet", area, buf);
    let lines = [
        ("No answer was judged so far, so nothing is said of quality. Labels come", Role::Text),
        ("", Role::Text),
        ("- from clients: POST /v1/feedback {\"operation\":\"op-…\",\"quality\":0.9}", Role::Text),
        ("- from you: `pointsman label LOG` shows two answers blindly, keys say which is better", Role::Text),
        (
            "- from shadow runs: [shadow.ROUTE] in gateway.toml has a judge compare a share of them",
            Role::Text,
        ),
        ("- from the log itself: `labels` of a request, or label events (LOG-FORMAT.md)", Role::Text),
        ("", Role::Text),
        (
            "A certificate of 2 % loss takes about 210 requests of which both answers were judged.",
            Role::Muted,
        ),
    ];
    let high = u16::try_from(lines.len()).unwrap_or(0);
    let (_, mut below) = paint::split_top(inner, inner.height.saturating_sub(high) / 3);
    for (words, role) in lines {
        below = figures::say(scene, words, role, below, buf);
    }
    if let Some(words) = worth::of(scene.snapshot) {
        figures::say(scene, &words, Role::Muted, below, buf);
    }
}

impl State {
    /// Returns the chosen row: by itself, or as its place in the table.
    fn row(&self, rows: &[Row<'_>]) -> usize {
        let busiest = || rows.iter().enumerate().rev().max_by_key(|(_, row)| row.pairs()).map(|(at, _)| at);
        let chosen = self.chosen.and_then(|place| rows.iter().position(|row| row.place() == place));
        chosen.or_else(busiest).unwrap_or(0)
    }

    fn table(&self, rows: &[Row<'_>]) -> TableState {
        TableState { selected: (!rows.is_empty()).then(|| self.row(rows)), offset: 0 }
    }

    fn choose(&mut self, row: usize, rows: &[Row<'_>]) {
        self.chosen = rows.get(row).map(Row::place);
    }
}

impl Screen for State {
    /// Answers, certificate, reliability, judges.
    fn panels(&self) -> usize {
        4
    }

    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Played
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let rows = rows(scene.snapshot);
        if is_unjudged(&rows) {
            draw_none(scene, area, buf);
            return;
        }
        let [table, proof, reliability, judges] = places(scene.view, rows.len(), area);
        if !table.is_empty() {
            answers::draw(scene, &rows, self.table(&rows), table, buf);
        }
        let Some(row) = rows.get(self.row(&rows)) else { return };
        if !proof.is_empty() {
            proof::draw(scene, row, proof, buf);
        }
        if !reliability.is_empty() {
            reliability::draw(scene, row, reliability, buf);
        }
        if !judges.is_empty() {
            proof::draw_judges(scene, row, judges, buf);
        }
    }

    fn act(&mut self, _: View, action: Action, snapshot: &Snapshot) -> Asks {
        let rows = rows(snapshot);
        if action == Action::Open {
            let Some(row) = rows.get(self.row(&rows)) else { return Asks::new() };
            let (route, rung) = row.place();
            if let Some(why) = row.route.unmovable(rung) {
                return vec![Ask::Refuse(why.to_owned())];
            }
            let route = RouteId(u8::try_from(route).unwrap_or(0));
            return vec![Ask::Send(Command::Focus(route, rung)), Ask::Show(ScreenId::Tune)];
        }
        if let Some(by) = action.rows() {
            let mut table = self.table(&rows);
            table.step(by, rows.len());
            self.choose(table.selected.unwrap_or(0), &rows);
        }
        Asks::new()
    }

    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
        let rows = rows(snapshot);
        let parts = places(*view, rows.len(), area);
        let Some(panel) = parts.iter().position(|part| part.contains((x, y).into())) else {
            return Asks::new();
        };
        if let Pointer::Wheel(_, _, by) = pointer {
            let mut table = self.table(&rows);
            table.step(isize::from(by.signum()), rows.len());
            self.choose(table.selected.unwrap_or(0), &rows);
            return Asks::new();
        }
        view.focus = panel;
        let inside = paint::margin(Panel::inner(parts[0]));
        if let Some(row) = self.table(&rows).hit(rows.len(), inside, (x, y)) {
            self.choose(row, &rows);
        }
        Asks::new()
    }
}
