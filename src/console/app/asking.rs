//! What is asked of the operator and of a live session: prompts, reasons, confirmations, an answer, to finish before it is left.
//!
//! Invariant: an order whose effect on traffic is not confirmed is not given.

use super::{App, Asked, Do, Overlay};
use crate::console::action::Action;
use crate::console::ordered::Ordered;
use crate::console::screen::ScreenId;
use crate::console::screens::traffic;
use crate::session::Command;

impl App {
    /// Tells the prompt box what the newest picture says of it.
    pub(super) fn box_news(&mut self) {
        let answer = self.latest.live.as_ref().and_then(|live| live.answer.as_deref());
        let refused = self.latest.message.as_deref().is_some_and(|words| words.starts_with("not sent"));
        self.ask.news(answer, refused);
    }

    /// Says whether somebody left and nothing is in flight any more.
    pub fn has_drained(&self) -> bool {
        let open = self.latest.live.as_ref().map_or(0, |live| live.status.open);
        self.leaving && open == 0
    }

    /// Leaves; where that would cut requests off, only at the second time.
    pub(super) fn leave(&mut self) {
        let live = self.latest.live.as_ref().filter(|live| live.owns && live.closed.is_none());
        let open = live.map_or(0, |live| live.status.open);
        if open == 0 || self.leaving {
            return self.todo.push(Do::Quit);
        }
        self.leaving = true;
        let noun = if open == 1 { "request" } else { "requests" };
        self.warn(&format!("{open} {noun} in flight; draining · q again to leave at once"));
        self.send(Command::Drain);
    }

    pub(super) fn ask_box(&mut self, action: Action) {
        match action {
            Action::AskSend => match self.ask.send() {
                Ok(question) => self.send(Command::Ask(Box::new(question))),
                Err(why) => self.warn(why),
            },
            Action::AskNewLine => self.ask.new_line(),
            Action::AskNextField => self.ask.step(false),
            Action::AskPreviousField => self.ask.step(true),
            Action::AskPageUp | Action::AskPageDown => self.ask.scroll(action == Action::AskPageDown),
            Action::AskShow => match self.ask.operation().map(|id| format!("id:{id}")) {
                Some(filter) => {
                    self.overlay = Overlay::None;
                    self.list_filtered(&filter);
                }
                None => self.warn("there is no answer yet"),
            },
            _ => self.overlay = Overlay::None,
        }
    }

    pub(super) fn list_filtered(&mut self, filter: &str) {
        self.lead(ScreenId::Traffic);
        self.line(Asked::Filter).set(filter);
        traffic::set_filter(&mut self.ui.traffic, self.lines[Asked::Filter as usize].value());
    }

    /// Asks for a reason where one goes with the order; else whether it is meant.
    pub(super) fn ask_order(&mut self, ordered: Box<Ordered>) {
        self.overlay = if ordered.asks_why() { Overlay::Prompt(Asked::Why) } else { Overlay::Sure };
        self.line(Asked::Why).set("");
        self.ordered = Some(ordered);
    }

    /// Takes the reason, or leaves the order.
    pub(super) fn take_why(&mut self, action: Action) {
        self.overlay = Overlay::None;
        match self.ordered.take().filter(|_| action == Action::PromptAccept) {
            None => self.line(Asked::Why).set(""),
            Some(ordered) if ordered.effect.is_some() => {
                self.overlay = Overlay::Sure;
                self.ordered = Some(ordered);
            }
            Some(ordered) => {
                let why = self.line(Asked::Why).take();
                self.send(ordered.command(why.trim()));
            }
        }
    }

    /// Gives the order, or leaves it.
    pub(super) fn confirmed(&mut self, action: Action) {
        self.overlay = Overlay::None;
        let why = self.line(Asked::Why).take();
        if let Some(ordered) = self.ordered.take().filter(|_| action == Action::ConfirmYes) {
            self.send(ordered.command(why.trim()));
        }
    }

    /// Asks for a world and for what is tried beside it.
    pub(super) fn ask_beside(&mut self, world: &str) {
        self.line(Asked::Beside).set(&format!("{world} "));
        self.overlay = Overlay::Prompt(Asked::Beside);
    }

    /// Takes what is tried beside a world.
    pub(super) fn take_beside(&mut self, typed: &str) {
        let mut words = typed.split_whitespace().map(str::to_owned);
        let Some(world) = words.next() else { return };
        self.ui.worlds.add(&world);
        self.todo.push(Do::Branch { world, beside: words.collect() });
    }

    /// Asks whom to stop or to let go, where traffic is live.
    pub(super) fn ask_stop(&mut self) {
        let replay =
            "nobody is stopped in a replay; `pointsman runaways LOG` says where rules would have tripped";
        match self.latest.live.as_ref().map(|live| live.read_only.as_ref()) {
            None => self.warn(replay),
            Some(Some(why)) => {
                let why = format!("not from here: {why}");
                self.warn(&why);
            }
            Some(None) => self.overlay = Overlay::Prompt(Asked::Stop),
        }
    }
}
