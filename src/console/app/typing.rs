//! What is typed and pasted into the lines at the bottom.

use super::{App, Asked, Do, Overlay};
use crate::console::action::Action;
use crate::console::goto;
use crate::console::screens::traffic;

/// The lines that could stand in place of the one typed, and the one that does.
#[derive(Clone, Debug, Default)]
pub(super) struct Completing {
    pub(super) lines: Vec<String>,
    pub(super) at: Option<usize>,
}

impl App {
    /// Takes the filter as far as it is typed.
    pub(super) fn filter_typed(&mut self) {
        traffic::set_filter(&mut self.ui.traffic, self.filter.value());
        let lines = if self.filter.is_at_end() {
            traffic::completions(self.filter.value(), self.shown())
        } else {
            Vec::new()
        };
        self.completing = Completing { lines, at: None };
    }

    /// Puts the next completion into the line.
    fn complete(&mut self) {
        let Completing { lines, at } = &mut self.completing;
        let next = at.map_or(0, |at| at + 1);
        let next = if next < lines.len() { next } else { 0 };
        let Some(line) = lines.get(next) else { return };
        *at = Some(next);
        let alone = lines.len() == 1;
        self.filter.set(line);
        if alone {
            self.filter_typed();
        } else {
            traffic::set_filter(&mut self.ui.traffic, self.filter.value());
        }
    }

    pub(super) fn paste(&mut self, text: &str) -> Vec<Do> {
        match &mut self.overlay {
            Overlay::Palette(palette) => palette.paste(text, &self.settings.keymap),
            Overlay::Prompt(Asked::Goto) => {
                self.goto.paste(text);
            }
            Overlay::Prompt(Asked::Filter) => {
                self.filter.paste(text);
                self.filter_typed();
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
            self.filter_typed();
        }
        match (asked, action) {
            (Asked::Filter, Action::PromptComplete) => {
                self.complete();
                Vec::new()
            }
            (Asked::Filter, Action::PromptAccept) => {
                self.completing = Completing::default();
                self.close_overlay()
            }
            (Asked::Filter, Action::PromptCancel) => {
                self.completing = Completing::default();
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
