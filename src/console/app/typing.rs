//! What is typed and pasted into the lines at the bottom.

use super::completing::Completing;
use super::{App, Asked, Do, Overlay};
use crate::console::action::Action;
use crate::console::screen::{Ask, ScreenId};
use crate::console::screens::{models, traffic};
use crate::console::{goto, rollout, stop};
use crate::session::listing::completions;
use crate::session::{Aim, Command, LimitAim, RolloutRow};

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

    /// Asks what becomes of a rollout, where traffic is live and one is under way.
    pub(super) fn ask_rollout(&mut self) -> Vec<Do> {
        let refused = match &self.latest.live {
            None => Some(
                "nothing is rolled out in a replay; `pointsman rollout LOG` says when steps would have come"
                    .to_owned(),
            ),
            Some(live) => match &live.read_only {
                Some(why) => Some(format!("not from here: {why}")),
                None if !live.status.rollouts.iter().any(RolloutRow::is_open) => {
                    Some("no rollout is under way; `pointsman rollout start NAME` begins one".to_owned())
                }
                None => None,
            },
        };
        match refused {
            Some(why) => self.warn(&why),
            None => self.overlay = Overlay::Prompt(Asked::Rollout),
        }
        Vec::new()
    }

    fn take_rollout(&mut self) -> Vec<Do> {
        let typed = self.rollout.take();
        self.overlay = Overlay::None;
        let latest = std::sync::Arc::clone(&self.latest);
        let rows = latest.live.iter().flat_map(|live| &live.status.rollouts);
        let known: Vec<&str> = rows.filter(|row| row.is_open()).map(|row| &*row.name).collect();
        match rollout::parse(&typed, &known) {
            Ok(Some((name, order))) => vec![Do::Send(Command::Rollout(name, order))],
            Ok(None) => Vec::new(),
            Err(problem) => {
                self.warn(&problem);
                Vec::new()
            }
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
            Overlay::Prompt(Asked::Goto) => {
                self.goto.paste(text);
            }
            Overlay::Prompt(Asked::Stop) => {
                self.stop.paste(text);
            }
            Overlay::Prompt(Asked::Rollout) => {
                self.rollout.paste(text);
            }
            Overlay::Prompt(Asked::Aim) => {
                self.aim.paste(text);
            }
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
            Overlay::Ask => self.ask.paste(text),
            Overlay::None | Overlay::Help(_) => {}
        }
        Vec::new()
    }

    pub(super) fn prompt(&mut self, action: Action) -> Vec<Do> {
        let Overlay::Prompt(asked) = self.overlay else { return Vec::new() };
        let line = match asked {
            Asked::Goto => &mut self.goto,
            Asked::Filter => &mut self.filter,
            Asked::Events => &mut self.events,
            Asked::Model => &mut self.model,
            Asked::Stop => &mut self.stop,
            Asked::Rollout => &mut self.rollout,
            Asked::Aim => &mut self.aim,
        };
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
            (Asked::Rollout, Action::PromptCancel) => {
                self.rollout.set("");
                self.close_overlay()
            }
            (Asked::Rollout, Action::PromptAccept) => self.take_rollout(),
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
                match Aim::parse_certified(&typed) {
                    Ok((aim, is_certified)) => vec![Do::Send(Command::Aim(aim, is_certified))],
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
