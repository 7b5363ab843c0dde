//! What is typed and pasted into the lines at the bottom.

use std::sync::Arc;

use super::completing::Completing;
use super::{App, Asked, Overlay};
use crate::console::action::Action;
use crate::console::prompt::Prompt;
use crate::console::screen::ScreenId;
use crate::console::screens::{models, traffic};
use crate::console::{goto, ordered};
use crate::session::listing::completions;
use crate::session::{Aim, Command, LimitAim};

impl App {
    /// Returns the line that is typed.
    pub(super) fn line(&mut self, asked: Asked) -> &mut Prompt {
        &mut self.lines[asked as usize]
    }

    /// Returns what stands in the line.
    fn value(&self, asked: Asked) -> &str {
        self.lines[asked as usize].value()
    }

    /// Does what is done while a line is typed.
    pub(super) fn typed(&mut self, asked: Asked) {
        let value = self.lines[asked as usize].value();
        let lines = match asked {
            Asked::Events => return self.ui.events.set_filter(value),
            Asked::Model => models::named_like(value, self.shown()),
            Asked::Filter => {
                traffic::set_filter(&mut self.ui.traffic, value);
                let is_at_end = self.lines[asked as usize].is_at_end();
                if is_at_end { completions(self.value(asked), self.shown()) } else { Vec::new() }
            }
            _ => return,
        };
        self.completing = Completing { lines, at: None };
    }

    /// Puts the next completion into the line.
    fn complete(&mut self, asked: Asked) {
        let Completing { lines, at } = &mut self.completing;
        let next = at.map_or(0, |at| at + 1);
        let next = if next < lines.len() { next } else { 0 };
        let Some(line) = lines.get(next) else { return };
        *at = Some(next);
        let alone = lines.len() == 1;
        self.lines[asked as usize].set(line);
        match asked {
            Asked::Filter if alone => self.typed(asked),
            Asked::Filter => traffic::set_filter(&mut self.ui.traffic, self.lines[asked as usize].value()),
            _ => {}
        }
    }

    /// Asks for a filter where the table it narrows is seen; Esc then comes back.
    pub(super) fn ask_filter(&mut self) {
        let here = self.ui.view.screen;
        let asked = match here {
            ScreenId::Events if self.ui.detail.is_none() => Asked::Events,
            _ => Asked::Filter,
        };
        if asked == Asked::Filter && (here != ScreenId::Traffic || self.ui.detail.is_some()) {
            self.lead(ScreenId::Traffic);
        }
        self.overlay = Overlay::Prompt(asked);
    }

    /// Asks for the model that is to answer everything, and offers those that may be meant.
    pub(super) fn pick_model(&mut self) {
        self.overlay = Overlay::Prompt(Asked::Model);
        self.typed(Asked::Model);
    }

    /// Shows what the model typed alone would have cost; the only one offered is taken for it.
    fn take_model(&mut self) {
        let mut name = self.value(Asked::Model).trim().to_owned();
        if let ([only], false) = (self.completing.lines.as_slice(), name.is_empty()) {
            name.clone_from(only);
        }
        self.line(Asked::Model).set("");
        self.close_line();
        if name.is_empty() {
            return;
        }
        let shown = Arc::clone(self.shown());
        match models::ask_all_on_named(&mut self.ui.models, &name, &shown) {
            Ok(()) if self.ui.view.screen != ScreenId::Models => self.lead(ScreenId::Models),
            Ok(()) => {}
            Err(why) => self.warn(&why),
        }
    }

    fn close_line(&mut self) {
        self.overlay = Overlay::None;
        self.completing = Completing::default();
    }

    pub(super) fn paste(&mut self, text: &str) {
        match &mut self.overlay {
            Overlay::Palette(palette) => palette.paste(text, &self.settings.keymap),
            &mut Overlay::Prompt(asked) => {
                self.line(asked).paste(text);
                self.typed(asked);
            }
            Overlay::Ask => self.ask.paste(text),
            Overlay::None | Overlay::Help(_) | Overlay::Sure => {}
        }
    }

    pub(super) fn prompt(&mut self, action: Action) {
        let Overlay::Prompt(asked) = self.overlay else { return };
        match (asked, action) {
            (Asked::Filter | Asked::Model, Action::PromptComplete) => self.complete(asked),
            (_, Action::PromptEarlier | Action::PromptLater) => {
                let line = self.line(asked);
                if action == Action::PromptEarlier {
                    line.earlier();
                } else {
                    line.later();
                }
                if asked == Asked::Filter {
                    self.typed(asked);
                }
            }
            (Asked::Why, Action::PromptAccept | Action::PromptCancel) => self.take_why(action),
            (_, Action::PromptCancel) => {
                self.line(asked).set("");
                self.typed(asked);
                self.close_line();
            }
            (Asked::Filter | Asked::Events, Action::PromptAccept) => self.close_line(),
            (Asked::Model, Action::PromptAccept) => self.take_model(),
            (Asked::Beside, Action::PromptAccept) => {
                let typed = self.line(asked).take();
                self.close_line();
                self.take_beside(&typed);
            }
            (_, Action::PromptAccept) => {
                let typed = self.line(asked).take();
                self.close_line();
                match self.read(asked, typed.trim()) {
                    Ok(Some(command)) => self.send(command),
                    Ok(None) => {}
                    Err(problem) => self.warn(&problem),
                }
            }
            _ => {}
        }
    }

    /// Reads what was typed as a command; none where nothing was typed.
    fn read(&self, asked: Asked, typed: &str) -> Result<Option<Command>, String> {
        match asked {
            _ if typed.is_empty() => Ok(None),
            Asked::Stop => {
                let found = ordered::parse_stop(typed)?;
                Ok(found.map(|(whom, lifts)| Command::Switch(whom, lifts)))
            }
            Asked::Goto => goto::parse(typed, &self.latest).map(Some),
            _ => match typed.strip_prefix(LimitAim::WORD) {
                Some(limit) => LimitAim::parse(limit).map(|tried| Some(Command::TryLimit(tried))),
                None => Aim::parse_bounded(typed).map(|(aim, bounds)| Some(Command::Aim(aim, bounds))),
            },
        }
    }
}
