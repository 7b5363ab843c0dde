//! Puts the whole picture together: frame, screen, footer, and what lies over them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{App, Asked, Overlay};
use crate::console::paint::{self, Look};
use crate::console::screen::Scene;
use crate::console::text;
use crate::console::widgets::panel;
use crate::console::{frame, goto, ordered, stop};
use crate::session::Aim;

impl App {
    pub(super) fn strip_area(&self) -> Rect {
        let parts = frame::parts(self.area);
        let mut nowhere = Buffer::empty(self.area);
        frame::bar(self.scene(), &self.strip, parts.bar, &mut nowhere)
    }

    pub(super) fn scene(&self) -> Scene<'_> {
        self.ui.scene(self.shown(), self.look())
    }

    pub(super) fn look(&self) -> Look<'_> {
        Look { theme: &self.settings.theme, glyphs: self.settings.glyphs }
    }

    /// Draws everything.
    pub fn draw(&mut self, area: Rect, buf: &mut Buffer) {
        self.area = area;
        let look = self.look();
        frame::ground(area, buf, look);
        if panel::too_small(area, buf, look) {
            return;
        }
        let parts = frame::parts(area);
        let scene = self.scene();
        let frozen = self.frozen.as_ref().map(|(picture, since)| {
            let seconds = self.now.saturating_sub(*since).as_secs();
            let new = self.latest.head.saturating_sub(picture.head);
            format!("{seconds}s, {new} new")
        });
        frame::header(scene, frozen.as_deref(), parts.header, buf);
        frame::tabs(scene, self.ui.front(), parts.tabs, buf);
        self.ui.front().draw(scene, parts.body, buf);
        frame::bar(scene, &self.strip, parts.bar, buf);
        self.draw_footer(parts.footer, buf);
        match &self.overlay {
            Overlay::Help(help) => help.render(area, buf, look),
            Overlay::Palette(palette) => palette.render(area, buf, look, &self.settings.keymap),
            Overlay::Ask => self.ask.render(self.shown(), area, buf, look),
            Overlay::Sure => {
                if let Some(ordered) = &self.ordered {
                    ordered::confirm(ordered, area, buf, look);
                }
            }
            Overlay::None | Overlay::Prompt(_) => {}
        }
        if look.glyphs.is_ascii() {
            paint::to_ascii(buf);
        }
    }

    fn draw_footer(&self, area: Rect, buf: &mut Buffer) {
        let look = self.look();
        match self.overlay {
            Overlay::Prompt(Asked::Aim) => self.aim.render(" aim for ", Aim::HINT, area, buf, look),
            Overlay::Prompt(Asked::Goto) => self.goto.render(" go to ", goto::HINT, area, buf, look),
            Overlay::Prompt(Asked::Why) => {
                let what = self.ordered.as_ref().map_or("", |ordered| &*ordered.what);
                let label = format!(" {}, because: ", text::clean(what));
                self.why.render(&label, ordered::WHY_HINT, area, buf, look);
            }
            Overlay::Prompt(Asked::Beside) => {
                self.beside.render(" try ", Self::BESIDE_HINT, area, buf, look);
            }
            Overlay::Prompt(Asked::Stop) => self.stop.render(" stop ", stop::HINT, area, buf, look),
            Overlay::Prompt(Asked::Filter) => {
                let hint = "word  !word  team:search  model~gpt  status:error  cost>0.05";
                self.filter.render(" filter / ", hint, area, buf, look);
                self.completing.render(area, self.area, buf, look);
            }
            Overlay::Prompt(Asked::Events) => {
                let hint = "word  !word  alert  price  policy  note  faults";
                self.events.render(" events / ", hint, area, buf, look);
            }
            Overlay::Prompt(Asked::Model) => {
                let hint = "a model of the price book; Tab completes, Enter takes it";
                self.model.render(" all on ", hint, area, buf, look);
                self.completing.render(area, self.area, buf, look);
            }
            _ if self.messages.render(area, buf, look) => {}
            _ => {
                let inside = paint::split_left(area, 1).1;
                self.hints.1.render(inside, buf, look);
            }
        }
    }
}
