//! What the console asks of a live session besides commands: an answer to a prompt, and to finish before it is left.

use super::{App, Do, Overlay};
use crate::console::action::Action;
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
    pub(super) fn leave(&mut self) -> Vec<Do> {
        let live = self.latest.live.as_ref().filter(|live| live.owns && live.closed.is_none());
        let open = live.map_or(0, |live| live.status.open);
        if open == 0 || self.leaving {
            return vec![Do::Quit];
        }
        self.leaving = true;
        let noun = if open == 1 { "request" } else { "requests" };
        self.warn(&format!("{open} {noun} in flight; draining · q again to leave at once"));
        vec![Do::Send(Command::Drain)]
    }

    pub(super) fn ask_box(&mut self, action: Action) -> Vec<Do> {
        match action {
            Action::AskSend => match self.ask.send() {
                Ok(question) => return vec![Do::Send(Command::Ask(Box::new(question)))],
                Err(why) => self.warn(why),
            },
            Action::AskNewLine => self.ask.new_line(),
            Action::AskNextField => self.ask.step(false),
            Action::AskPreviousField => self.ask.step(true),
            Action::AskPageUp | Action::AskPageDown => self.ask.scroll(action == Action::AskPageDown),
            Action::AskShow => {
                let Some(id) = self.ask.operation().map(str::to_owned) else {
                    self.warn("there is no answer yet");
                    return Vec::new();
                };
                self.overlay = Overlay::None;
                return self.list_filtered(&format!("id:{id}"));
            }
            _ => self.overlay = Overlay::None,
        }
        Vec::new()
    }

    pub(super) fn list_filtered(&mut self, filter: &str) -> Vec<Do> {
        let done = self.lead(ScreenId::Traffic);
        self.filter.set(filter);
        traffic::set_filter(&mut self.ui.traffic, self.filter.value());
        done
    }
}
