//! The screen Models: what every model does in the window, what it costs, and where the policy uses it.
//!
//! ```text
//! ╭ Models · by requests ──────────────────────────────────────────────── last 15m · routed ╮
//! │   model            state      share  requests  fail %     p95      cost  $ in  $ out    │
//! │ ▸ gemini-2.5-flash ✓ ok      64.9 %    12,408     0.1 %  1.20 s  ~$1.20  0.30   2.50    │
//! ╰─────────────────────────────────────────────────────────────────────────────────────────╯
//! ╭ gemini-2.5-flash ───────────────────────────────────────────────────────────────────────╮
//! ╰─────────────────────────────────────────────────────────────────────────────────────────╯
//! ```
//!
//! Invariant: a model's state is what its calls in the window say, nothing else; breakers and quotas are live matters
//! (`health.rs`) and are not made up in a replay.

mod alone;
mod chosen;
mod columns;
mod compare;
mod health;
mod roster;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use self::alone::named_like;

use self::alone::Alone;
use self::columns::Key;
use self::roster::Roster;
use crate::console::action::Action;
use crate::console::paint;
use crate::console::screens::overview;
use crate::console::text;
use crate::console::ui::{Ask, Asks, Pointer, Scene, Ui};
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::{Order, TableState};
use crate::session::Snapshot;
use crate::units::ModelId;

/// Panels that can be given the keys: the table, the chosen model.
pub const PANELS: usize = 2;

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The chosen model; it stays chosen when the order changes.
    model: Option<ModelId>,
    /// What the table is sorted by, and whether the other way round.
    sort: Key,
    reversed: bool,
    /// The first row shown.
    offset: usize,
    /// What one model alone would have cost, where that was asked.
    all_on: Option<Alone>,
}

impl State {
    /// Chooses a model.
    pub fn choose(&mut self, model: ModelId) {
        self.model = Some(model);
    }

    fn order(&self) -> Order {
        if self.sort.descends() == self.reversed { Order::Ascending } else { Order::Descending }
    }

    /// Where the chosen model stands in the table; the first where none was chosen.
    fn table(&self, roster: &Roster<'_>) -> TableState {
        let chosen = self.model.and_then(|model| roster.place(model));
        TableState { selected: chosen.or((roster.len() > 0).then_some(0)), offset: self.offset }
    }
}

/// Rows that the chosen model takes where there are plenty.
const CHOSEN: u16 = 19;
/// Rows from which on all models are compared below it.
const LEAST_COMPARED: u16 = 12;

/// Where the panels lie: the table as high as it needs to be, the chosen model, and the comparison where there is room.
fn places(ui: &Ui, rows: usize, area: Rect) -> [Rect; 3] {
    let none = Rect { width: 0, height: 0, ..area };
    if ui.zoomed {
        return if ui.focus == 1 { [none, area, none] } else { [area, none, none] };
    }
    if area.height < 12 {
        return if ui.focus == 1 { [none, area, none] } else { [area, none, none] };
    }
    let wanted = u16::try_from(rows.saturating_add(3)).unwrap_or(u16::MAX).max(7);
    let most = if area.height < 26 {
        area.height / 2
    } else {
        area.height.saturating_sub(14).min(area.height * 3 / 5)
    };
    let (table, rest) = paint::split_top(area, wanted.min(most));
    if rest.height < CHOSEN + LEAST_COMPARED {
        return [table, rest, none];
    }
    let (chosen, compared) = paint::split_top(rest, CHOSEN);
    [table, chosen, compared]
}

/// Draws the screen.
pub fn draw(scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = area.intersection(buf.area);
    let state = &scene.ui.models;
    let roster = Roster::of(scene.snapshot, state.sort, state.order());
    let [table, rest, compared] = places(scene.ui, roster.len(), area);
    if !table.is_empty() {
        columns::draw(scene, &roster, table, buf);
    }
    if !rest.is_empty() {
        let row = state.table(&roster).selected.and_then(|row| roster.at(row));
        chosen::draw(scene, row, rest, buf);
    }
    if !compared.is_empty() {
        compare::draw(scene, &roster, compared, buf);
    }
}

/// Takes an action.
pub fn act(ui: &mut Ui, action: Action, snapshot: &Snapshot) -> Asks {
    let state = &mut ui.models;
    let by = match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::PageUp => -10,
        Action::PageDown => 10,
        Action::First => isize::MIN / 2,
        Action::Last => isize::MAX / 2,
        Action::Sort => {
            state.sort = state.sort.next();
            state.reversed = false;
            return Asks::new();
        }
        Action::SortReverse => {
            state.reversed = !state.reversed;
            return Asks::new();
        }
        Action::Open => return open(state, snapshot),
        Action::AllOn => return ask_all_on(state, snapshot),
        _ => return Asks::new(),
    };
    step(state, by, snapshot);
    Asks::new()
}

fn step(state: &mut State, by: isize, snapshot: &Snapshot) {
    let roster = Roster::of(snapshot, state.sort, state.order());
    let mut table = state.table(&roster);
    table.step(by, roster.len());
    state.model = table.selected.and_then(|row| roster.at(row)).map(|row| row.model);
}

/// Works out what the chosen model alone would have cost; asked again for the same, the figures go.
fn ask_all_on(state: &mut State, snapshot: &Snapshot) -> Asks {
    let roster = Roster::of(snapshot, state.sort, state.order());
    let row = state.table(&roster).selected.and_then(|row| roster.at(row));
    let Some(name) = row.filter(|row| row.model.is_some()).map(|row| row.name) else {
        return vec![Ask::PickModel];
    };
    let shown = state.all_on.take_if(|alone| alone.name == name && alone.at == snapshot.clock);
    if shown.is_none() {
        state.all_on = Alone::of(name, snapshot);
    }
    Asks::new()
}

/// Works out what a model of this name alone would have cost; says what is wrong where nobody knows it.
pub fn ask_all_on_named(state: &mut State, name: &str, snapshot: &Snapshot) -> Result<(), String> {
    let found = Alone::of(name, snapshot);
    let unknown = || format!("no price book here has a model `{}`; Tab completes names", text::clean(name));
    state.all_on = Some(found.ok_or_else(unknown)?);
    Ok(())
}

/// Lists the chosen model's requests.
fn open(state: &State, snapshot: &Snapshot) -> Asks {
    let roster = Roster::of(snapshot, state.sort, state.order());
    let row = state.table(&roster).selected.and_then(|row| roster.at(row));
    row.map(|row| overview::traffic_of(Some(row.model), snapshot)).into_iter().collect()
}

/// Takes the mouse.
pub fn point(ui: &mut Ui, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
    let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
    let roster = Roster::of(snapshot, ui.models.sort, ui.models.order());
    let [table, rest, _] = places(ui, roster.len(), area);
    let at = (x, y).into();
    if let Pointer::Wheel(_, _, by) = pointer {
        if table.contains(at) || rest.contains(at) {
            step(&mut ui.models, isize::from(by.signum()), snapshot);
        }
        return Asks::new();
    }
    if table.contains(at) {
        ui.focus = 0;
        let inside = columns::inside(Panel::inner(table));
        if let Some(row) = columns::hit(&ui.models, &roster, snapshot.live.is_some(), inside, x, y) {
            ui.models.model = roster.at(row).map(|row| row.model);
        }
    } else if rest.contains(at) {
        ui.focus = 1;
    }
    Asks::new()
}
