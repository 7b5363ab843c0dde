//! The screen Worlds: the log branched at the play head into a world that is not as it was, branch beside branch.
//!
//! ```text
//! ╭ Worlds ─────────╮╭ A price cut ──────────────────────────── from 14:03:22, routed ╮
//! │ ▸ price-cut     ││                     as it was   in this world    change        │
//! │   429-storm     ││ cost                   $41.87        ~$38.10    -9.0 %         │
//! │   runaway-agent ││ refused                     0              0                   │
//! ╰─────────────────╯╰────────────────────────────────────────────────────────────────╯
//! ```
//!
//! Invariant: the figures are those that `replay --world` gives for the same log, world and moment; what is estimated bears the
//! mark.

mod compare;
mod list;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use self::list::OwnWorld;

use self::compare::Comparison;
use crate::console::action::Action;
use crate::console::paint;
use crate::console::screen::{Ask, Asks, Do, FiguresOf, Pointer, Scene, Screen, View};
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::TableState;
use crate::session::{BranchState, Command, Snapshot};

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The chosen world, by its place in the list.
    chosen: usize,
    /// Worlds of one's own: those of the configuration folder, and those that were named.
    own: Arc<Vec<OwnWorld>>,
    /// The first row of the comparison that is shown.
    scrolled: usize,
}

/// Where the panels lie: worlds, comparison.
fn places(view: View, area: Rect) -> [Rect; 2] {
    let wide = if area.width < 100 { 19 } else { 26 };
    view.alone(area, 0).unwrap_or_else(|| paint::split_left(area, wide).into())
}

impl State {
    /// Takes the worlds of one's own; the one that is named stays chosen.
    pub fn set_own(&mut self, own: Vec<OwnWorld>) {
        let name = self.name();
        self.own = Arc::new(own);
        self.chosen = list::place(&self.own, &name).unwrap_or(0);
    }

    /// Lists a world that was named, and chooses it.
    pub fn add(&mut self, name: &str) {
        if list::place(&self.own, name).is_none() {
            let mut own = (*self.own).clone();
            own.push(OwnWorld { name: name.to_owned(), about: Ok(String::new()) });
            self.own = Arc::new(own);
        }
        self.chosen = list::place(&self.own, name).unwrap_or(0);
    }

    /// Names the chosen world.
    pub fn name(&self) -> String {
        list::name(&self.own, self.chosen).unwrap_or_default().to_owned()
    }

    fn step(&mut self, by: isize) {
        self.chosen = self.chosen.saturating_add_signed(by).min(list::count(&self.own).saturating_sub(1));
    }
}

impl Screen for State {
    /// Worlds, comparison.
    fn panels(&self) -> usize {
        2
    }

    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Worlds
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let [list, compared] = places(scene.view, area);
        if !list.is_empty() {
            list::draw(scene, &self.own, self.chosen, list, buf);
        }
        if compared.is_empty() {
            return;
        }
        match &scene.snapshot.branches {
            BranchState::Done(found) => {
                let table = TableState { selected: None, offset: self.scrolled };
                Comparison::of(found).draw(scene, table, compared, buf);
            }
            other => list::draw_told(scene, (&self.own, self.chosen), other, compared, buf),
        }
    }

    fn act(&mut self, view: View, action: Action, snapshot: &Snapshot) -> Asks {
        let found = match &snapshot.branches {
            BranchState::Done(found) => Some(found),
            _ => None,
        };
        match action {
            Action::Open => {
                self.scrolled = 0;
                vec![Ask::Do(Do::Branch { world: self.name(), beside: Vec::new() })]
            }
            Action::BranchWith => vec![Ask::BranchWith(self.name())],
            Action::DropBranches => match &snapshot.branches {
                BranchState::Idle => vec![Ask::Refuse("no world was tried".to_owned())],
                _ => vec![Ask::Send(Command::DropBranches)],
            },
            Action::BranchesMarkdown | Action::BranchesPage if found.is_none() => {
                vec![Ask::Refuse("nothing to write yet: Enter tries the chosen world".to_owned())]
            }
            Action::BranchesMarkdown => vec![Ask::Do(Do::SaveBranches(false))],
            Action::BranchesPage => vec![Ask::Do(Do::SaveBranches(true))],
            _ => {
                let Some(by) = action.rows() else { return Asks::new() };
                match found.filter(|_| view.focus == 1) {
                    Some(found) => {
                        let last = Comparison::of(found).len().saturating_sub(1);
                        self.scrolled = self.scrolled.saturating_add_signed(by).min(last);
                    }
                    None => self.step(by),
                }
                Asks::new()
            }
        }
    }

    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
        let parts = places(*view, area);
        let Some(panel) = parts.iter().position(|part| part.contains((x, y).into())) else {
            return Asks::new();
        };
        view.focus = panel;
        if let Pointer::Wheel(_, _, by) = pointer {
            let action = if by < 0 { Action::Up } else { Action::Down };
            return self.act(*view, action, snapshot);
        }
        let inside = Panel::inner(parts[0]);
        let row = usize::from(y.saturating_sub(inside.y));
        if panel == 0 && inside.contains((x, y).into()) && row < list::count(&self.own) {
            self.chosen = row;
        }
        Asks::new()
    }
}
