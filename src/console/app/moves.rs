//! From screen to screen and back again.

use super::{App, Do};
use crate::console::screens::{traffic, tune};
use crate::console::ui::Screen;
use crate::session::Command;

impl App {
    /// Shows a screen that something chosen leads to; Esc comes back from there.
    pub(super) fn lead(&mut self, screen: Screen) -> Vec<Do> {
        let here = (self.ui.screen, self.ui.focus, self.ui.zoomed);
        let done = self.show(screen);
        self.came_from = (here.0 != screen).then_some(here);
        done
    }

    /// Leaves the zoom, else goes back to where one was led from, else leaves the filter.
    pub(super) fn back(&mut self) -> Vec<Do> {
        if self.ui.zoomed {
            self.ui.zoomed = false;
            return Vec::new();
        }
        let came_from = self.came_from.take();
        if self.ui.screen == Screen::Traffic {
            self.filter.set("");
            traffic::leave_filter(&mut self.ui.traffic);
        }
        let Some((screen, focus, zoomed)) = came_from else { return Vec::new() };
        let done = self.show(screen);
        (self.ui.focus, self.ui.zoomed) = (focus, zoomed);
        done
    }

    pub(super) fn show(&mut self, screen: Screen) -> Vec<Do> {
        self.ui.detail = None;
        self.came_from = None;
        if self.ui.screen != screen {
            self.ui.screen = screen;
            self.ui.focus = 0;
            self.ui.zoomed = false;
        }
        if screen != Screen::Tune {
            return Vec::new();
        }
        if !self.ui.tune.picked {
            self.ui.tune.route = tune::busiest(&self.latest);
        }
        // The curve drawn there is of the threshold chosen there.
        let (route, rung) = self.ui.tune.chosen(&self.latest.policy);
        vec![Do::Send(Command::Focus(route, rung))]
    }
}
