//! Puts the whole picture together: frame, screen, footer, and what lies over them; and takes out of it what is copied.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{App, Asked, Do, Overlay};
use crate::console::action::Action;
use crate::console::paint::{self, Look};
use crate::console::screen::{Scene, View};
use crate::console::screens::{traffic, welcome};
use crate::console::widgets::panel;
use crate::console::{frame, ordered, text};

/// The columns and rows that a panel is copied in at least.
const LEAST: (u16, u16) = (60, 16);

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
        paint::clear(buf, area, look.theme.base());
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
            Overlay::Prompt(asked) => {
                let (label, hint) = asked.words();
                let what = self.ordered.as_ref().filter(|_| asked == Asked::Why);
                let label = what.map_or_else(
                    || label.to_owned(),
                    |ordered| format!(" {},{label}", text::clean(&ordered.what)),
                );
                self.lines[asked as usize].render(&label, hint, area, buf, look);
                self.completing.render(area, self.area, buf, look);
            }
            _ if self.messages.render(area, buf, look) => {}
            _ => self.hints.1.render(paint::split_left(area, 1).1, buf, look),
        }
    }

    /// Has something done with the listed requests, once the list is whole.
    pub(super) fn with_list(&mut self, done: Do) {
        let shown = Arc::clone(self.shown());
        if traffic::progress(&self.ui.traffic, &shown).is_none() {
            self.todo.push(done);
        } else {
            self.warn("still searching: try again when the list is whole");
        }
    }

    /// Copies what the screen has to give, else the panel with the keys.
    pub(super) fn copy(&mut self, action: Action) {
        let shown = Arc::clone(self.shown());
        let asks = self.ui.act(action, &shown);
        if !asks.is_empty() {
            return self.asks(asks);
        }
        if action == Action::CopyRow {
            return match welcome::command(&shown) {
                Some(command) => self.todo.push(Do::Copy(command)),
                None => self.copy(Action::CopyPanel),
            };
        }
        // A terminal too small to show anything of it still takes it whole.
        let body = frame::parts(self.area).body;
        let area = Rect::new(0, 0, body.width.max(LEAST.0), body.height.max(LEAST.1));
        let scene = self.scene();
        let scene = Scene { view: View { zoomed: true, ..scene.view }, ..scene };
        let mut buf = Buffer::empty(area);
        let front = self.ui.front();
        front.draw(scene, area, &mut buf);
        let copied = markdown(&buf, &frame::scope(scene, front, usize::MAX));
        self.todo.push(Do::Copy(copied));
    }
}

/// Writes a panel that fills a buffer: its name and what its figures are of as a heading, what is inside as it stands.
fn markdown(buf: &Buffer, scope: &str) -> String {
    let row = |y: u16, from: u16, to: u16| -> String { (from..to).map(|x| buf[(x, y)].symbol()).collect() };
    let (width, height) = (buf.area.width, buf.area.height);
    let head = row(0, 0, width);
    let line =
        |c: char| !c.is_alphanumeric() && !matches!(c, '·' | '|' | '(' | ')' | '%' | '$' | '_' | '-' | '.');
    let mut words: Vec<&str> =
        head.split("──").map(|part| part.trim_matches(line)).filter(|part| !part.is_empty()).collect();
    words.push(scope);
    let mut inside: Vec<String> = (1..height.saturating_sub(1))
        .map(|y| row(y, 1, width.saturating_sub(1)).trim_end().to_owned())
        .collect();
    while inside.last().is_some_and(String::is_empty) {
        inside.pop();
    }
    format!("### {}\n\n```text\n{}\n```\n", words.join(" · "), inside.join("\n"))
}
