//! What the mouse asks for: tabs and the playback bar here, everything else of the screen below it.

use std::sync::Arc;

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::{App, Do, Overlay};
use crate::console::action::Action;
use crate::console::frame;
use crate::console::screen::Pointer;
use crate::console::widgets::replay;
use crate::session::Command;
use crate::units::PerMille;

impl App {
    pub(super) fn mouse(&mut self, mouse: MouseEvent) -> Vec<Do> {
        let (x, y) = (mouse.column, mouse.row);
        let parts = frame::parts(self.area);
        if let Overlay::Palette(_) | Overlay::Help(_) = self.overlay {
            let help = matches!(self.overlay, Overlay::Help(_));
            return match mouse.kind {
                MouseEventKind::ScrollUp => {
                    self.action(if help { Action::HelpUp } else { Action::PaletteUp })
                }
                MouseEventKind::ScrollDown => {
                    self.action(if help { Action::HelpDown } else { Action::PaletteDown })
                }
                _ => Vec::new(),
            };
        }
        let pointer = match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Pointer::Press(x, y),
            MouseEventKind::Drag(MouseButton::Left) => Pointer::Drag(x, y),
            MouseEventKind::Up(MouseButton::Left) => Pointer::Release(x, y),
            MouseEventKind::ScrollUp => Pointer::Wheel(x, y, -1),
            MouseEventKind::ScrollDown => Pointer::Wheel(x, y, 1),
            _ => return Vec::new(),
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
            let strip = self.strip_area();
            return replay::hit(strip, x).map_or_else(Vec::new, |place| {
                let share = PerMille::clamped(i64::from(place) / 1000);
                vec![Do::Send(Command::SeekShare(share))]
            });
        }
        let shown = Arc::clone(self.shown());
        let asks = self.ui.point(pointer, parts.body, &shown);
        self.asks(asks)
    }
}
