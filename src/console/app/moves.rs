//! From screen to screen and back again.

use super::{App, Do, Overlay};
use crate::console::action::Action;
use crate::console::screen::{ScreenId, View};
use crate::session::{Command, WINDOWS};

impl App {
    /// Looks at a longer or a shorter stretch of time.
    pub(super) fn window(&mut self, longer: bool) -> Vec<Do> {
        let now = WINDOWS.iter().position(|&window| window == self.latest.window.window).unwrap_or(0);
        let next = if longer { now + 1 } else { now.wrapping_sub(1) };
        if let Some(&window) = WINDOWS.get(next) {
            vec![Do::Send(Command::Window(window))]
        } else {
            self.warn(if longer { "this is the longest window" } else { "this is the shortest window" });
            Vec::new()
        }
    }

    /// Shows a screen that something chosen leads to; Esc comes back from there.
    pub(super) fn lead(&mut self, screen: ScreenId) -> Vec<Do> {
        let here = self.ui.view;
        let done = self.show(screen);
        self.came_from = (here.screen != screen).then_some(here);
        done
    }

    /// Leaves the zoom, else goes back to where one was led from, else leaves the filter.
    pub(super) fn back(&mut self) -> Vec<Do> {
        if self.ui.view.zoomed {
            self.ui.view.zoomed = false;
            return Vec::new();
        }
        let came_from = self.came_from.take();
        if self.ui.screen_mut().widen() {
            self.filter.set("");
        }
        let Some(View { screen, focus, zoomed, .. }) = came_from else { return Vec::new() };
        let done = self.show(screen);
        self.ui.view = View { focus, zoomed, ..self.ui.view };
        done
    }

    pub(super) fn show(&mut self, screen: ScreenId) -> Vec<Do> {
        self.ui.detail = None;
        self.came_from = None;
        let view = self.ui.view;
        if view.screen != screen {
            self.ui.view = View { screen, read_only: view.read_only, ..View::default() };
        }
        let mut done: Vec<Do> = self.ui.screen_mut().shown(&self.latest).map(Do::Send).into_iter().collect();
        // Files may have been written since.
        done.extend(matches!(screen, ScreenId::Rollout | ScreenId::Worlds).then_some(Do::Find));
        done
    }

    /// Turns the pages of the help, or scrolls them.
    pub(super) fn turn_help(&mut self, action: Action) -> Vec<Do> {
        let area = self.area;
        if let Overlay::Help(help) = &mut self.overlay {
            match action {
                Action::HelpUp => help.scroll(-1, area),
                Action::HelpDown => help.scroll(1, area),
                Action::HelpPageUp => help.scroll_pages(-1, area),
                Action::HelpPageDown => help.scroll_pages(1, area),
                Action::HelpNext => help.turn(1),
                _ => help.turn(-1),
            }
        }
        Vec::new()
    }
}
