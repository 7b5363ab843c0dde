//! What is typed and pasted into the lines at the bottom.

use super::{App, Asked, Do, Overlay};
use crate::console::action::Action;
use crate::console::goto;
use crate::console::screens::traffic;

impl App {
    pub(super) fn paste(&mut self, text: &str) -> Vec<Do> {
        match &mut self.overlay {
            Overlay::Palette(palette) => palette.paste(text, &self.settings.keymap),
            Overlay::Prompt(Asked::Goto) => {
                self.goto.paste(text);
            }
            Overlay::Prompt(Asked::Filter) => {
                self.filter.paste(text);
                traffic::set_filter(&mut self.ui.traffic, self.filter.value());
            }
            Overlay::Ask => self.ask.paste(text),
            Overlay::None | Overlay::Help(_) => {}
        }
        Vec::new()
    }

    pub(super) fn prompt(&mut self, action: Action) -> Vec<Do> {
        let Overlay::Prompt(asked) = self.overlay else { return Vec::new() };
        let line = if asked == Asked::Goto { &mut self.goto } else { &mut self.filter };
        match action {
            Action::PromptEarlier => line.earlier(),
            Action::PromptLater => line.later(),
            _ => {}
        }
        if asked == Asked::Filter && matches!(action, Action::PromptEarlier | Action::PromptLater) {
            traffic::set_filter(&mut self.ui.traffic, self.filter.value());
        }
        match (asked, action) {
            (Asked::Filter, Action::PromptAccept) => self.close_overlay(),
            (Asked::Filter, Action::PromptCancel) => {
                self.filter.set("");
                traffic::set_filter(&mut self.ui.traffic, "");
                self.close_overlay()
            }
            (Asked::Goto, Action::PromptCancel) => {
                self.goto.set("");
                self.close_overlay()
            }
            (Asked::Goto, Action::PromptAccept) => {
                let typed = self.goto.take();
                self.overlay = Overlay::None;
                if typed.trim().is_empty() {
                    return Vec::new();
                }
                match goto::parse(&typed, &self.latest) {
                    Ok(command) => vec![Do::Send(command)],
                    Err(problem) => {
                        self.warn(&problem);
                        Vec::new()
                    }
                }
            }
            _ => Vec::new(),
        }
    }
}
