//! The screen Rollout: what changes routes step by step or by itself, how each stands, and what an operator has done about it.
//!
//! ```text
//! ╭ Rollouts, steering, automations ──────────────────────────────── 1 under way ╮
//! │   name          kind        where it stands                                  │
//! │ ▸ cheaper-code  rollout     stage 3 of 6, 50‰                                │
//! │   company/day   steering    proposes: $1.61 a thousand, ..                   │
//! ╰──────────────────────────────────────────────────────────────────────────────╯
//! ╭ cheaper-code ────────────────────────────────────────── since 14:03, by anna ╮
//! │ stages        ✓ 0   ✓ 10   ▸ 50   250   500   1000 ‰                         │
//! │                 requests  $ per 1,000    failed      mean  quality           │
//! │ canary               212      $1.2300       4‰    812 ms   930‰ (830–972)    │
//! ╰──────────────────────────────────────────────────────────────────────────────╯
//! ```
//!
//! Invariant: nothing is done at a key alone: a reason is asked for, and what changes traffic is said and confirmed first.

mod items;
mod order;
mod shown;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use self::items::Plans;

use self::items::{Item, items};
use crate::console::action::Action;
use crate::console::paint;
use crate::console::screen::{Ask, Asks, FiguresOf, Pointer, Scene, Screen, View};
use crate::console::widgets::panel::Panel;
use crate::console::widgets::table::TableState;
use crate::rollout::Order;
use crate::session::Snapshot;

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The chosen row: its kind and name.
    chosen: Option<(&'static str, String)>,
    /// The plans that could be begun.
    plans: Arc<Plans>,
}

/// Where the panels lie: the list, what is chosen.
fn places(view: View, rows: usize, area: Rect) -> [Rect; 2] {
    if let Some(places) = view.alone(area, 12) {
        return places;
    }
    let wanted = u16::try_from(rows.saturating_add(3)).unwrap_or(u16::MAX).max(5);
    paint::split_top(area, wanted.min(area.height * 2 / 5).max(5)).into()
}

impl State {
    /// Takes the plans that the configuration folder has.
    pub fn set_plans(&mut self, plans: Plans) {
        self.plans = Arc::new(plans);
    }

    fn row(&self, items: &[Item<'_>]) -> usize {
        let chosen = self.chosen.as_ref();
        let place = chosen.and_then(|(kind, name)| items.iter().position(|item| item.is(kind, name)));
        place.unwrap_or(0)
    }

    fn table(&self, items: &[Item<'_>]) -> TableState {
        TableState { selected: (!items.is_empty()).then(|| self.row(items)), offset: 0 }
    }

    fn choose(&mut self, row: usize, items: &[Item<'_>]) {
        self.chosen = items.get(row).map(|item| (item.kind(), item.name().to_owned()));
    }

    fn step(&mut self, by: isize, snapshot: &Snapshot) {
        let plans = Arc::clone(&self.plans);
        let items = items(snapshot, &plans);
        let mut table = self.table(&items);
        table.step(by, items.len());
        self.choose(table.selected.unwrap_or(0), &items);
    }

    /// Has an order asked for about what is chosen, or says why it cannot be.
    fn order(&self, action: Action, snapshot: &Snapshot) -> Asks {
        let refuse = |words: &str| vec![Ask::Refuse(words.to_owned())];
        let Some(live) = &snapshot.live else {
            return refuse(
                "nothing is rolled out in a replay; pointsman rollout LOG says when steps would come",
            );
        };
        if let Some(why) = &live.read_only {
            return refuse(&format!("not from here: {why}"));
        }
        let items = items(snapshot, &self.plans);
        let chosen = items.get(self.row(&items));
        let turn = match action {
            Action::HoldRollout => Order::Hold,
            Action::GoRollout => Order::Go,
            Action::SkipRollout => Order::Skip,
            Action::TakeBack => Order::Back,
            Action::StartRollout => {
                return match chosen {
                    Some(Item::Plan(_, Some(why))) => refuse(&format!("it cannot begin: {why}")),
                    Some(Item::Plan(plan, None)) => vec![Ask::Order(Box::new(order::start(plan)))],
                    _ if self.plans.list.is_empty() => refuse(&self.plans.missing()),
                    _ => refuse("choose a plan that has not begun"),
                };
            }
            _ => {
                return match chosen {
                    Some(Item::Steering(row)) => match order::accept(row) {
                        Ok(ordered) => vec![Ask::Order(Box::new(ordered))],
                        Err(why) => refuse(&why),
                    },
                    _ => refuse("choose a limit that is steered towards"),
                };
            }
        };
        match chosen {
            Some(Item::Rollout(row)) => match order::turn(row, turn) {
                Ok(ordered) => vec![Ask::Order(Box::new(ordered))],
                Err(why) => refuse(&why),
            },
            Some(Item::Automation(_)) => {
                refuse("an automation obeys its file: automations.toml says whether it acts")
            }
            Some(Item::Steering(_)) => refuse("steering obeys budgets.toml; a takes what it proposes"),
            Some(Item::Plan(..)) => refuse("this has not begun; S starts it"),
            None => refuse("no rollout is under way"),
        }
    }
}

impl Screen for State {
    /// The list, what is chosen.
    fn panels(&self) -> usize {
        2
    }

    fn figures_of(&self) -> FiguresOf {
        FiguresOf::Rollout
    }

    fn draw(&self, scene: Scene<'_>, area: Rect, buf: &mut Buffer) {
        let items = items(scene.snapshot, &self.plans);
        if scene.snapshot.live.is_none() || items.is_empty() {
            items::draw_none(scene, &self.plans, area, buf);
            return;
        }
        let [list, below] = places(scene.view, items.len(), area);
        if !list.is_empty() {
            items::draw(scene, &items, self.table(&items), list, buf);
        }
        if let Some(item) = items.get(self.row(&items)).filter(|_| !below.is_empty()) {
            shown::draw(scene, item, below, buf);
        }
    }

    fn act(&mut self, _: View, action: Action, snapshot: &Snapshot) -> Asks {
        match action {
            Action::HoldRollout
            | Action::GoRollout
            | Action::SkipRollout
            | Action::TakeBack
            | Action::StartRollout
            | Action::AcceptSteering => self.order(action, snapshot),
            _ => {
                if let Some(by) = action.rows() {
                    self.step(by, snapshot);
                }
                Asks::new()
            }
        }
    }

    fn point(&mut self, view: &mut View, pointer: Pointer, area: Rect, snapshot: &Snapshot) -> Asks {
        let (Pointer::Press(x, y) | Pointer::Wheel(x, y, _)) = pointer else { return Asks::new() };
        if let Pointer::Wheel(_, _, by) = pointer {
            self.step(isize::from(by.signum()), snapshot);
            return Asks::new();
        }
        let plans = Arc::clone(&self.plans);
        let items = items(snapshot, &plans);
        let parts = places(*view, items.len(), area);
        if let Some(panel) = parts.iter().position(|part| part.contains((x, y).into())) {
            view.focus = panel;
        }
        let inside = paint::margin(Panel::inner(parts[0]));
        if let Some(row) = self.table(&items).hit(items.len(), inside, (x, y)) {
            self.choose(row, &items);
        }
        Asks::new()
    }
}
