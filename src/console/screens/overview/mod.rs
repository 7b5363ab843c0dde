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
mod events;
mod latency;
mod layout;
mod rate;
mod spend;
mod split;
mod traffic;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use self::breakdown::Dimension;
use self::layout::Panel;
use crate::console::action::Action;
use crate::console::screens::traffic as table;
use crate::console::ui::{Ask, Asks, Pointer, Scene, Screen, Ui};
use crate::console::widgets::table::TableState;
use crate::routing::RouteId;
use crate::session::{Command, Snapshot};
use crate::units::ModelId;

/// Panels that can be given the keys.
pub const PANELS: usize = Panel::ALL.len();

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

/// Draws the screen.
pub fn draw(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let models = split::Ranked::of(scene.snapshot);
    for (panel, at) in layout::places(scene.ui, area) {
        let place = panel.place();
        match panel {
            Panel::Spend => spend::draw(scene, place, at, buf),
            Panel::Split => split::draw(scene, place, &models, at, buf),
            Panel::Latency => latency::draw(scene, place, &models, at, buf),
            Panel::Confidence => confidence::draw(scene, place, at, buf),
            Panel::Traffic => traffic::draw(scene, place, at, buf),
            Panel::Breakdown => breakdown::draw(scene, place, at, buf),
            Panel::Events => events::draw(scene, place, at, buf),
            Panel::Rate => rate::draw(scene, place, at, buf),
        }
    }
}

/// Rows that an action moves by: far enough for any list stands for its ends.
fn rows(action: Action) -> Option<isize> {
    match action {
        Action::Up => Some(-1),
        Action::Down => Some(1),
        Action::PageUp => Some(-10),
        Action::PageDown => Some(10),
        Action::First => Some(isize::MIN / 2),
        Action::Last => Some(isize::MAX / 2),
        _ => None,
    }
}

/// Moves a choice that goes round through `count` things.
fn turn(at: usize, by: isize, count: usize) -> usize {
    let count = isize::try_from(count.max(1)).unwrap_or(isize::MAX);
    let by = by.clamp(-1, 1);
    let at = isize::try_from(at).unwrap_or(0);
    usize::try_from((at + by).rem_euclid(count)).unwrap_or(0)
}

/// Takes an action.
pub fn act(ui: &mut Ui, action: Action, snapshot: &Snapshot) -> Asks {
    let panel = Panel::at(ui.focus);
    if action == Action::Open {
        return open(ui, panel, snapshot);
    }
    if action == Action::NextDimension {
        let state = &mut ui.overview;
        state.dimension = state.dimension.next(1);
        state.parts = TableState::default();
        return Asks::new();
    }
    if let Some(by) = rows(action) {
        step(ui, panel, by, snapshot);
    }
    Asks::new()
}

fn step(ui: &mut Ui, panel: Panel, by: isize, snapshot: &Snapshot) {
    let state = &mut ui.overview;
    match panel {
        Panel::Split | Panel::Latency => {
            state.models.step(by, split::Ranked::of(snapshot).len());
        }
        Panel::Confidence => {
            let now = confidence::route(state, snapshot).unwrap_or(0);
            state.route = Some(turn(now, by, snapshot.policy.routes.len()));
        }
        Panel::Breakdown => state.parts.step(by, breakdown::count(snapshot, state.dimension)),
        Panel::Events => state.events.step(by, events::Events::of(snapshot).len()),
        Panel::Spend | Panel::Traffic | Panel::Rate => {}
    }
}

/// Goes where the chosen thing leads.
fn open(ui: &mut Ui, panel: Panel, snapshot: &Snapshot) -> Asks {
    match panel {
        Panel::Split | Panel::Latency => {
            let ranked = split::Ranked::of(snapshot);
            let row = ui.overview.models.selected.unwrap_or(0);
            if let Some(model) = ranked.model(row) {
                ui.models.choose(model);
            }
            (row < ranked.len()).then(|| traffic_of(ranked.model(row), snapshot)).into_iter().collect()
        }
        Panel::Confidence => {
            let route = confidence::route(&ui.overview, snapshot).unwrap_or(0);
            let id = RouteId(u8::try_from(route).unwrap_or(0));
            vec![Ask::Send(Command::Focus(id, 0)), Ask::Show(Screen::Tune)]
        }
        Panel::Events => {
            let row = ui.overview.events.selected.unwrap_or(0);
            match events::Events::of(snapshot).at(row) {
                Some(event) => vec![Ask::Send(Command::SeekTime(event.at))],
                None => Asks::new(),
            }
        }
        Panel::Traffic => vec![Ask::Show(Screen::Traffic)],
        Panel::Breakdown => {
            let filter = breakdown::filter(snapshot, ui.overview.dimension, ui.overview.parts.selected);
            filter.map(Ask::ListFiltered).into_iter().collect()
        }
        Panel::Spend | Panel::Rate => Asks::new(),
    }
}

/// Asks for the window's requests that a model answered.
pub(super) fn traffic_of(model: Option<ModelId>, snapshot: &Snapshot) -> Ask {
    let name = model.filter(|model| model.is_some()).map(|model| snapshot.log.names.model(model));
    let name = name.map_or_else(|| "-".to_owned(), table::quoted);
    Ask::ListFiltered(format!("model:{name} window"))
}

/// Takes the mouse.
pub fn point(ui: &mut Ui, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
    let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
    let hit = layout::places(ui, area).find(|(_, at)| at.contains((x, y).into()));
    let Some((panel, at)) = hit else { return Asks::new() };
    if let Pointer::Wheel(_, _, by) = pointer {
        match panel {
            Panel::Breakdown => step(ui, panel, isize::from(by.signum()) * 3, snapshot),
            _ => step(ui, panel, isize::from(by.signum()), snapshot),
        }
        return Asks::new();
    }
    ui.focus = panel.place();
    let inside = crate::console::widgets::panel::Panel::inner(at);
    match panel {
        Panel::Split | Panel::Latency => {
            let rows = split::Ranked::of(snapshot).len();
            if let Some(row) = split::hit(&ui.overview, rows, inside, x, y) {
                ui.overview.models.select(row, rows);
            }
        }
        Panel::Breakdown => {
            if let Some(dimension) = breakdown::hit(inside, x, y) {
                ui.overview.dimension = dimension;
                ui.overview.parts = TableState::default();
            }
        }
        Panel::Events => {
            let rows = events::Events::of(snapshot).len();
            if let Some(row) = events::hit(&ui.overview, snapshot, inside, y) {
                ui.overview.events.select(row, rows);
            }
        }
        Panel::Spend | Panel::Confidence | Panel::Traffic | Panel::Rate => {}
    }
    Asks::new()
}
