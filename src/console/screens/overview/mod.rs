//! The screen Overview: everything at a glance, as much as the window has room for.
//!
//! ```text
//! ╭ Spend ────── last 15m · routed ╮╭ Models ─────────────────────────── last 15m · routed ╮
//! │ so far                  $41.87 ││ model            requests          share    cost     │
//! ╰────────────────────────────────╯╰──────────────────────────────────────────────────────╯
//! ╭ Spend per 1,000 requests ─────────────────────────────────────────────────────────────────╮
//! ╰───────────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ Confidence · extraction ─────────────────────────╮╭ Latency ────────────── last 15m · routed ╮
//! ╰──────────────────────────────────────────────────╯╰──────────────────────────────────────╯
//! ╭ Traffic ───────────────╮╭ Spend by team ─────────────╮╭ Events ────────────────────────╮
//! ╰────────────────────────╯╰────────────────────────────╯╰────────────────────────────────╯
//! ```
//!
//! Invariant: nothing is worked out here that the snapshot does not hold; where a panel has no room, giving it the keys
//! brings it on screen.

mod breakdown;
mod confidence;
mod layout;
mod models;
mod spend;
mod traffic;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::breakdown::Dimension;
use self::layout::Panel;
use crate::console::action::Action;
use crate::console::paint;
use crate::console::screen::{Ask, Asks, Pointer, Scene, Screen, ScreenId, View};
use crate::console::screens::events::list as events;
use crate::console::screens::trend::{self, Measure};
use crate::console::screens::welcome;
use crate::console::widgets::panel;
use crate::console::widgets::table::TableState;
use crate::routing::RouteId;
use crate::session::listing::answered_by;
use crate::session::{Command, Snapshot};

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The model chosen in the split and in the latencies.
    models: TableState,
    /// The route whose confidence is shown; the busiest where none was chosen.
    route: Option<usize>,
    /// What spend is broken down by.
    dimension: Dimension,
    /// Where the breakdown is scrolled to.
    parts: TableState,
    /// The chosen event, the newest first.
    events: TableState,
}

/// Moves a choice that goes round through `count` things.
fn turn(at: usize, by: isize, count: usize) -> usize {
    let count = isize::try_from(count.max(1)).unwrap_or(isize::MAX);
    let at = isize::try_from(at).unwrap_or(0);
    usize::try_from((at + by.signum()).rem_euclid(count)).unwrap_or(0)
}

impl State {
    fn step(&mut self, panel: Panel, by: isize, snapshot: &Snapshot) {
        match panel {
            Panel::Split | Panel::Latency => self.models.step(by, models::ranked(snapshot).len()),
            Panel::Confidence => {
                let now = confidence::route(self.route, snapshot).unwrap_or(0);
                self.route = Some(turn(now, by, snapshot.policy.routes.len()));
            }
            Panel::Breakdown => self.parts.step(by, breakdown::count(snapshot, self.dimension)),
            Panel::Events => self.events.step(by, events::all(snapshot).len()),
            Panel::Spend | Panel::Traffic | Panel::Rate => {}
        }
    }

    fn break_down_by(&mut self, dimension: Dimension) {
        self.dimension = dimension;
        self.parts = TableState::default();
    }

    /// Goes where the chosen thing leads.
    fn open(&self, panel: Panel, snapshot: &Snapshot) -> Asks {
        match panel {
            Panel::Split | Panel::Latency => {
                let ranked = models::ranked(snapshot);
                let row = self.models.selected.unwrap_or(0);
                let Some(model) = ranked.get(row).map(|model| model.id) else { return Asks::new() };
                let list = Ask::ListFiltered(answered_by(Some(model), snapshot));
                model.is_some().then_some(Ask::Choose(model)).into_iter().chain([list]).collect()
            }
            Panel::Confidence => {
                let route = confidence::route(self.route, snapshot).unwrap_or(0);
                let id = RouteId(u8::try_from(route).unwrap_or(0));
                vec![Ask::Send(Command::Focus(id, 0)), Ask::Show(ScreenId::Tune)]
            }
            Panel::Events => {
                let event = events::all(snapshot).into_iter().nth(self.events.selected.unwrap_or(0));
                event.map(|event| Ask::Send(Command::SeekTime(event.at))).into_iter().collect()
            }
            Panel::Traffic => vec![Ask::Show(ScreenId::Traffic)],
            Panel::Breakdown => {
                let filter = breakdown::filter(snapshot, self.dimension, self.parts.selected);
                filter.map(Ask::ListFiltered).into_iter().collect()
            }
            Panel::Spend | Panel::Rate => Asks::new(),
        }
    }
}

impl Screen for State {
    fn panels(&self) -> usize {
        Panel::ALL.len()
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        if welcome::draw(scene, area, buf) {
            return;
        }
        let models = models::ranked(scene.snapshot);
        for (panel, at) in layout::places(scene.view, area) {
            let place = panel.place();
            match panel {
                Panel::Spend => spend::draw(scene, place, at, buf),
                Panel::Split => models::draw(scene, place, &models, self.models, at, buf),
                Panel::Latency => models::draw_latencies(scene, place, &models, self.models, at, buf),
                Panel::Confidence => confidence::draw(scene, place, self.route, at, buf),
                Panel::Traffic => traffic::draw(scene, place, at, buf),
                Panel::Breakdown => breakdown::draw(scene, place, (self.dimension, self.parts), at, buf),
                Panel::Events => {
                    let more = if scene.view.focus == place { "; Enter goes there" } else { "" };
                    let scope = format!("all so far, newest first{more}");
                    let events = events::all(scene.snapshot);
                    events::draw(scene, (place, "Events", &scope), (self.events.selected, &events), at, buf);
                }
                Panel::Rate => trend::draw(scene, place, Measure::Thousand, at, buf),
            }
        }
    }

    fn act(&mut self, view: View, action: Action, snapshot: &Snapshot) -> Asks {
        let panel = Panel::at(view.focus);
        match action {
            Action::Open => return self.open(panel, snapshot),
            Action::NextDimension => self.break_down_by(self.dimension.next()),
            _ => {
                if let Some(by) = action.rows() {
                    self.step(panel, by, snapshot);
                }
            }
        }
        Asks::new()
    }

    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
        let hit = layout::places(*view, area).into_iter().find(|(_, at)| at.contains((x, y).into()));
        let Some((panel, at)) = hit else { return Asks::new() };
        if let Pointer::Wheel(_, _, by) = pointer {
            let rows = if panel == Panel::Breakdown { 3 } else { 1 };
            self.step(panel, isize::from(by.signum()) * rows, snapshot);
            return Asks::new();
        }
        view.focus = panel.place();
        let inside = panel::Panel::inner(at);
        match panel {
            Panel::Split | Panel::Latency => {
                let rows = models::ranked(snapshot).len();
                if let Some(row) = self.models.hit(rows, paint::margin(inside), (x, y)) {
                    self.models.select(row, rows);
                }
            }
            Panel::Breakdown => {
                if let Some(dimension) = breakdown::hit(inside, x, y) {
                    self.break_down_by(dimension);
                }
            }
            Panel::Events => {
                let all = events::all(snapshot);
                if let Some(row) = events::hit((self.events.selected, &all), snapshot, inside, y) {
                    self.events.select(row, all.len());
                }
            }
            Panel::Spend | Panel::Confidence | Panel::Traffic | Panel::Rate => {}
        }
        Asks::new()
    }
}
