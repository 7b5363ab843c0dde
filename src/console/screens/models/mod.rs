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
//! (`health.rs`) and are not simulated in a replay.

mod alone;
mod chosen;
mod columns;
mod compare;
mod health;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use self::alone::named_like;

use self::alone::Alone;
use self::columns::{Key, Row};
use crate::console::action::Action;
use crate::console::screen::{Ask, Asks, Pointer, Scene, Screen, View};
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::{Order, TableState};
use crate::console::{paint, text};
use crate::session::Snapshot;
use crate::session::listing::answered_by;
use crate::units::ModelId;

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The chosen model; it stays chosen when the order changes.
    model: Option<ModelId>,
    /// What the table is sorted by, and whether the other way round.
    sort: Key,
    reversed: bool,
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
    fn table(&self, roster: &[Row<'_>]) -> TableState {
        let chosen = self.model.and_then(|model| roster.iter().position(|row| row.model == model));
        TableState { selected: chosen.or((!roster.is_empty()).then_some(0)), offset: 0 }
    }

    fn chosen<'a, 's>(&self, roster: &'a [Row<'s>]) -> Option<&'a Row<'s>> {
        self.table(roster).selected.and_then(|row| roster.get(row))
    }
}

/// Rows that the chosen model takes where there are plenty.
const CHOSEN: u16 = 19;
/// Rows from which on all models are compared below it.
const LEAST_COMPARED: u16 = 12;

/// Where the panels lie: the table as high as it needs to be, the chosen model, and the comparison where there is room.
fn places(view: View, rows: usize, area: Rect) -> [Rect; 3] {
    if let Some(places) = view.alone(area, 12) {
        return places;
    }
    let wanted = u16::try_from(rows.saturating_add(3)).unwrap_or(u16::MAX).max(7);
    let most = if area.height < 26 {
        area.height / 2
    } else {
        area.height.saturating_sub(14).min(area.height * 3 / 5)
    };
    let (table, rest) = paint::split_top(area, wanted.min(most));
    if rest.height < CHOSEN + LEAST_COMPARED {
        return [table, rest, Rect { width: 0, height: 0, ..area }];
    }
    let (chosen, compared) = paint::split_top(rest, CHOSEN);
    [table, chosen, compared]
}

impl State {
    fn roster<'a>(&self, snapshot: &'a Snapshot) -> Vec<Row<'a>> {
        columns::roster(snapshot, self.sort, self.order())
    }

    fn step(&mut self, by: isize, snapshot: &Snapshot) {
        let roster = self.roster(snapshot);
        let mut table = self.table(&roster);
        table.step(by, roster.len());
        self.all_on = None;
        self.model = table.selected.and_then(|row| roster.get(row)).map(|row| row.model);
    }

    /// Works out what the chosen model alone would have cost; asked again for the same, the figures go.
    fn ask_all_on(&mut self, snapshot: &Snapshot) -> Asks {
        let roster = self.roster(snapshot);
        let Some(name) = self.chosen(&roster).filter(|row| row.model.is_some()).map(|row| row.name) else {
            return vec![Ask::PickModel];
        };
        let shown = self.all_on.take_if(|alone| alone.name == name && alone.at == snapshot.clock);
        if shown.is_none() {
            self.all_on = Alone::of(name, snapshot);
        }
        Asks::new()
    }
}

/// Works out what a model of this name alone would have cost; says what is wrong where nobody knows it.
pub fn ask_all_on_named(state: &mut State, name: &str, snapshot: &Snapshot) -> Result<(), String> {
    let found = Alone::of(name, snapshot);
    let unknown = || format!("no price book here has a model `{}`; Tab completes names", text::clean(name));
    let found = found.ok_or_else(unknown)?;
    // One that the table has is chosen there, so that its figures stand under its name.
    let roster = state.roster(snapshot);
    let known = roster.iter().find(|row| row.name == name);
    if let Some(row) = known {
        state.model = Some(row.model);
    }
    state.all_on = Some(found);
    Ok(())
}

impl Screen for State {
    /// The table, and the chosen model.
    fn panels(&self) -> usize {
        2
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let roster = self.roster(scene.snapshot);
        let [table, rest, compared] = places(scene.view, roster.len(), area);
        if !table.is_empty() {
            let chosen = (&*roster, self.table(&roster));
            columns::draw(scene, chosen, (self.sort, self.order()), table, buf);
        }
        if !rest.is_empty() {
            chosen::draw(scene, self.chosen(&roster), self.all_on.as_ref(), rest, buf);
        }
        if !compared.is_empty() {
            compare::draw(scene, &roster, compared, buf);
        }
    }

    fn act(&mut self, _: View, action: Action, snapshot: &Snapshot) -> Asks {
        match action {
            Action::Sort => {
                self.sort = self.sort.next();
                self.reversed = false;
            }
            Action::SortReverse => self.reversed = !self.reversed,
            Action::Open => {
                let roster = self.roster(snapshot);
                let Some(row) = self.chosen(&roster) else { return Asks::new() };
                let words =
                    format!("requests that {} ended; its figures here are of all its calls", row.name);
                return vec![
                    Ask::ListFiltered(answered_by(Some(row.model), snapshot)),
                    Ask::Say(text::clean(&words).into_owned()),
                ];
            }
            Action::AllOn => return self.ask_all_on(snapshot),
            _ => {
                if let Some(by) = action.rows() {
                    self.step(by, snapshot);
                }
            }
        }
        Asks::new()
    }

    /// Takes away what one model alone would have cost.
    fn widen(&mut self) -> bool {
        self.all_on.take().is_some()
    }

    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
        let roster = self.roster(snapshot);
        let [table, rest, _] = places(*view, roster.len(), area);
        let at = (x, y).into();
        if let Pointer::Wheel(_, _, by) = pointer {
            if table.contains(at) || rest.contains(at) {
                self.step(isize::from(by.signum()), snapshot);
            }
        } else if table.contains(at) {
            view.focus = 0;
            let inside = columns::inside(Panel::inner(table));
            if let Some(row) = self.table(&roster).hit(roster.len(), inside, (x, y)) {
                self.model = roster.get(row).map(|row| row.model);
                self.all_on = None;
            }
        } else if rest.contains(at) {
            view.focus = 1;
        }
        Asks::new()
    }
}
