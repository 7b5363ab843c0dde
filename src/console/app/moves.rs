//! From screen to screen and back again; and what the mouse asks for: tabs and the playback bar here, everything else of the
//! screen below it.

use std::sync::Arc;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{App, Asked, Do, Overlay};
use crate::console::action::Action;
use crate::console::frame;
use crate::console::screen::{Pointer, ScreenId, View};
use crate::console::widgets::replay;
use crate::session::{Command, WINDOWS};
use crate::units::PerMille;

impl App {
    /// Looks at a longer or a shorter stretch of time.
    pub(super) fn window(&mut self, longer: bool) {
        let now = WINDOWS.iter().position(|&window| window == self.latest.window.window).unwrap_or(0);
        let next = if longer { now + 1 } else { now.wrapping_sub(1) };
        match WINDOWS.get(next) {
            Some(&window) => self.send(Command::Window(window)),
            None => {
                self.warn(if longer { "this is the longest window" } else { "this is the shortest window" });
            }
        }
    }

    /// Shows a screen that something chosen leads to; Esc comes back from there.
    pub(super) fn lead(&mut self, screen: ScreenId) {
        let here = self.ui.view;
        self.show(screen);
        self.came_from = (here.screen != screen).then_some(here);
    }

    /// Leaves the zoom, else goes back to where one was led from, else leaves the filter.
    pub(super) fn back(&mut self) {
        if std::mem::take(&mut self.ui.view.zoomed) {
            return;
        }
        let came_from = self.came_from.take();
        if self.ui.screen_mut().widen() {
            self.line(Asked::Filter).set("");
        }
        if let Some(View { screen, focus, zoomed, .. }) = came_from {
            self.show(screen);
            self.ui.view = View { focus, zoomed, ..self.ui.view };
        }
    }

    pub(super) fn show(&mut self, screen: ScreenId) {
        self.ui.detail = None;
        self.came_from = None;
        let view = self.ui.view;
        if view.screen != screen {
            self.ui.view = View { screen, read_only: view.read_only, ..View::default() };
        }
        self.todo.extend(self.ui.screen_mut().shown(&self.latest).map(Do::Send));
        // Files may have been written since.
        self.todo.extend(matches!(screen, ScreenId::Rollout | ScreenId::Worlds).then_some(Do::Find));
    }

    /// Turns the pages of the help, or scrolls them.
    pub(super) fn turn_help(&mut self, action: Action) {
        let area = self.area;
        let Overlay::Help(help) = &mut self.overlay else { return };
        match action {
            Action::HelpUp => help.scroll(-1, area),
            Action::HelpDown => help.scroll(1, area),
            Action::HelpPageUp => help.scroll_pages(-1, area),
            Action::HelpPageDown => help.scroll_pages(1, area),
            Action::HelpNext => help.turn(1),
            Action::HelpPrevious => help.turn(-1),
            _ => self.overlay = Overlay::None,
        }
    }

    pub(super) fn mouse(&mut self, mouse: MouseEvent) {
        let (x, y) = (mouse.column, mouse.row);
        let parts = frame::parts(self.area);
        let wheel = match self.overlay {
            Overlay::Palette(_) => Some([Action::PaletteUp, Action::PaletteDown]),
            Overlay::Help(_) => Some([Action::HelpUp, Action::HelpDown]),
            _ => None,
        };
        let pointer = match (mouse.kind, wheel) {
            (MouseEventKind::ScrollUp, Some([up, _])) => return self.act(up),
            (MouseEventKind::ScrollDown, Some([_, down])) => return self.act(down),
            (MouseEventKind::Down(MouseButton::Left), None) => Pointer::Press(x, y),
            (MouseEventKind::Drag(MouseButton::Left), None) => Pointer::Drag(x, y),
            (MouseEventKind::Up(MouseButton::Left), None) => Pointer::Release(x, y),
            (MouseEventKind::ScrollUp, None) => Pointer::Wheel(x, y, -1),
            (MouseEventKind::ScrollDown, None) => Pointer::Wheel(x, y, 1),
            _ => return,
        };
        if let Pointer::Press(..) = pointer
            && let Some((screen, ..)) = frame::tab_places(self.ui.front(), self.ui.view.screen, parts.tabs)
                .find(|(_, at, _)| at.contains((x, y).into()))
        {
            return self.show(screen);
        }
        if let Pointer::Press(..) | Pointer::Drag(..) = pointer
            && parts.bar.contains((x, y).into())
        {
            let place = replay::hit(self.strip_area(), x);
            let share = place.map(|place| PerMille::clamped(i64::from(place) / 1000));
            return self.todo.extend(share.map(|share| Do::Send(Command::SeekShare(share))));
        }
        let shown = Arc::clone(self.shown());
        let asks = self.ui.point(pointer, parts.body, &shown);
        self.asks(asks);
    }
}
