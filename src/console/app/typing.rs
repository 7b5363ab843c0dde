//! What is typed and pasted into the lines at the bottom.

use super::completing::Completing;
use super::{App, Asked, Do, Overlay};
use crate::console::action::Action;
use crate::console::prompt::Prompt;
use crate::console::screen::{Ask, ScreenId};
use crate::console::screens::{models, traffic};
use crate::console::{goto, stop};
use crate::session::listing::completions;
use crate::session::{Aim, Command, LimitAim};

impl App {
    /// Takes the filter as far as it is typed.
    pub(super) fn filter_typed(&mut self) {
        traffic::set_filter(&mut self.ui.traffic, self.filter.value());
        let lines =
            if self.filter.is_at_end() { completions(self.filter.value(), self.shown()) } else { Vec::new() };
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
        if matches!(self.overlay, Overlay::Prompt(Asked::Model)) {
            self.model.set(line);
            return;
        }
        self.filter.set(line);
        if alone {
            self.filter_typed();
        } else {
            traffic::set_filter(&mut self.ui.traffic, self.filter.value());
        }
    }

    /// Asks for a filter where the table it narrows is seen; Esc then comes back.
    pub(super) fn ask_filter(&mut self) -> Vec<Do> {
        if self.ui.view.screen == ScreenId::Events && self.ui.detail.is_none() {
            self.overlay = Overlay::Prompt(Asked::Events);
            return Vec::new();
        }
        let here = self.ui.view.screen == ScreenId::Traffic && self.ui.detail.is_none();
        let done = if here { Vec::new() } else { self.lead(ScreenId::Traffic) };
        self.overlay = Overlay::Prompt(Asked::Filter);
        done
    }

    /// Asks for the model that is to answer everything.
    pub(super) fn pick_model(&mut self) -> Vec<Do> {
        self.overlay = Overlay::Prompt(Asked::Model);
        self.model_typed();
        Vec::new()
    }

    /// Offers the models that may be meant by what is typed.
    pub(super) fn model_typed(&mut self) {
        let lines = models::named_like(self.model.value(), self.shown());
        self.completing = Completing { lines, at: None };
    }

    /// Shows what the model typed alone would have cost; the only one offered is taken for it.
    fn take_model(&mut self) -> Vec<Do> {
        let mut name = self.model.value().trim().to_owned();
        if let ([only], false) = (self.completing.lines.as_slice(), name.is_empty()) {
            name.clone_from(only);
        }
        let shown = std::sync::Arc::clone(self.shown());
        if name.is_empty() {
            return self.close_model();
        }
        match models::ask_all_on_named(&mut self.ui.models, &name, &shown) {
            Ok(()) => {
                let mut done = self.close_model();
                if self.ui.view.screen != ScreenId::Models {
                    done.extend(self.asks(vec![Ask::Show(ScreenId::Models)]));
                }
                done
            }
            Err(why) => {
                self.close_model();
                self.warn(&why);
                Vec::new()
            }
        }
    }

    /// Asks whom to stop or to let go, where traffic is live.
    pub(super) fn ask_stop(&mut self) -> Vec<Do> {
        match &self.latest.live {
            None => self.warn(
                "nobody is stopped in a replay; `pointsman runaways LOG` says where rules would have tripped",
            ),
            Some(live) => match &live.read_only {
                Some(why) => {
                    let why = format!("not from here: {why}");
                    self.warn(&why);
                }
                None => self.overlay = Overlay::Prompt(Asked::Stop),
            },
        }
        Vec::new()
    }

    /// Returns the line that is typed.
    pub(super) fn line(&mut self, asked: Asked) -> &mut Prompt {
        match asked {
            Asked::Goto => &mut self.goto,
            Asked::Filter => &mut self.filter,
            Asked::Events => &mut self.events,
            Asked::Model => &mut self.model,
            Asked::Stop => &mut self.stop,
            Asked::Why => &mut self.why,
            Asked::Beside => &mut self.beside,
            Asked::Aim => &mut self.aim,
        }
    }

    fn close_model(&mut self) -> Vec<Do> {
        self.model.set("");
        self.completing = Completing::default();
        self.close_overlay()
    }

    pub(super) fn paste(&mut self, text: &str) -> Vec<Do> {
        match &mut self.overlay {
            Overlay::Palette(palette) => palette.paste(text, &self.settings.keymap),
            Overlay::Prompt(Asked::Filter) => {
                self.filter.paste(text);
                self.filter_typed();
            }
            Overlay::Prompt(Asked::Events) => {
                self.events.paste(text);
                self.ui.events.set_filter(self.events.value());
            }
            Overlay::Prompt(Asked::Model) => {
                self.model.paste(text);
                self.model_typed();
            }
            Overlay::Prompt(asked) => {
                let asked = *asked;
                self.line(asked).paste(text);
            }
            Overlay::Ask => self.ask.paste(text),
            Overlay::None | Overlay::Help(_) | Overlay::Sure => {}
        }
        Vec::new()
    }

    pub(super) fn prompt(&mut self, action: Action) -> Vec<Do> {
        let Overlay::Prompt(asked) = self.overlay else { return Vec::new() };
        let line = self.line(asked);
        match action {
            Action::PromptEarlier => line.earlier(),
            Action::PromptLater => line.later(),
            _ => {}
        }
        if asked == Asked::Filter && matches!(action, Action::PromptEarlier | Action::PromptLater) {
            self.filter_typed();
        }
        match (asked, action) {
            (Asked::Model, Action::PromptAccept) => self.take_model(),
            (Asked::Model, Action::PromptCancel) => self.close_model(),
            (Asked::Filter | Asked::Model, Action::PromptComplete) => {
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
            (Asked::Stop, Action::PromptCancel) => {
                self.stop.set("");
                self.close_overlay()
            }
            (Asked::Stop, Action::PromptAccept) => {
                let typed = self.stop.take();
                self.overlay = Overlay::None;
                match stop::parse(&typed) {
                    Ok(Some((whom, lifts))) => vec![Do::Send(Command::Switch(whom, lifts))],
                    Ok(None) => Vec::new(),
                    Err(problem) => {
                        self.warn(&problem);
                        Vec::new()
                    }
                }
            }
            (Asked::Why, Action::PromptAccept | Action::PromptCancel) => self.take_why(action),
            (Asked::Beside, Action::PromptAccept | Action::PromptCancel) => self.take_beside(action),
            (Asked::Aim, Action::PromptCancel) => {
                self.aim.set("");
                self.close_overlay()
            }
            (Asked::Aim, Action::PromptAccept) => {
                let typed = self.aim.take();
                self.overlay = Overlay::None;
                if typed.trim().is_empty() {
                    return Vec::new();
                }
                if let Some(limit) = typed.trim().strip_prefix(LimitAim::WORD) {
                    return match LimitAim::parse(limit) {
                        Ok(tried) => vec![Do::Send(Command::TryLimit(tried))],
                        Err(problem) => {
                            self.warn(&problem);
                            Vec::new()
                        }
                    };
                }
                match Aim::parse_bounded(&typed) {
                    Ok((aim, bounds)) => vec![Do::Send(Command::Aim(aim, bounds))],
                    Err(problem) => {
                        self.warn(&problem);
                        Vec::new()
                    }
                }
            }
            (Asked::Events, Action::PromptAccept) => self.close_overlay(),
            (Asked::Events, Action::PromptCancel) => {
                self.events.set("");
                self.ui.events.set_filter("");
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
