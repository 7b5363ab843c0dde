//! Orders about rollouts and the like, asked for and confirmed; worlds that are tried beside something.
//!
//! Invariant: an order whose effect on traffic is not confirmed is not given.

use super::{App, Asked, Do, Overlay};
use crate::console::action::Action;
use crate::console::ordered::Ordered;

impl App {
    /// Asks for a reason where one goes with the order; else whether it is meant.
    pub(super) fn ask_order(&mut self, ordered: Box<Ordered>) {
        self.overlay = if ordered.asks_why() { Overlay::Prompt(Asked::Why) } else { Overlay::Sure };
        self.why.set("");
        self.ordered = Some(ordered);
    }

    /// Takes the reason, or leaves the order.
    pub(super) fn take_why(&mut self, action: Action) -> Vec<Do> {
        self.overlay = Overlay::None;
        let meant = self.ordered.take().filter(|_| action == Action::PromptAccept);
        let Some(ordered) = meant else {
            self.why.set("");
            return Vec::new();
        };
        if ordered.effect.is_some() {
            self.overlay = Overlay::Sure;
            self.ordered = Some(ordered);
            return Vec::new();
        }
        vec![Do::Send(ordered.command(self.why.take().trim()))]
    }

    /// Gives the order, or leaves it.
    pub(super) fn confirmed(&mut self, action: Action) -> Vec<Do> {
        self.overlay = Overlay::None;
        let why = self.why.take();
        let ordered = self.ordered.take().filter(|_| action == Action::ConfirmYes);
        ordered.map(|ordered| Do::Send(ordered.command(why.trim()))).into_iter().collect()
    }

    /// Asks for a world and for what is tried beside it.
    pub(super) fn ask_beside(&mut self, world: &str) {
        self.beside.set(&format!("{world} "));
        self.overlay = Overlay::Prompt(Asked::Beside);
    }

    /// What the line shows while nothing is typed.
    pub(super) const BESIDE_HINT: &str = "WORLD or FILE.toml   POLICY.toml   route.rung=588,.. ";

    /// Takes what is tried beside a world, or leaves it.
    pub(super) fn take_beside(&mut self, action: Action) -> Vec<Do> {
        self.overlay = Overlay::None;
        if action != Action::PromptAccept {
            self.beside.set("");
            return Vec::new();
        }
        let typed = self.beside.take();
        let mut words = typed.split_whitespace().map(str::to_owned);
        let Some(world) = words.next() else { return Vec::new() };
        self.ui.worlds.add(&world);
        vec![Do::Branch { world, beside: words.collect() }]
    }
}
