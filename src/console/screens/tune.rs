//! The screen tune.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::ui::{Asks, Pointer, Scene, Ui};
use crate::session::Snapshot;

/// Panels that can be given the keys.
pub const PANELS: usize = 1;

/// What is chosen on this screen.
#[derive(Clone, Debug, Default)]
pub struct State {}

/// Draws the screen.
pub fn draw(_scene: Scene<'_>, _area: Rect, _buf: &mut Buffer) {}

/// Takes an action.
pub fn act(_ui: &mut Ui, _action: Action, _snapshot: &Snapshot) -> Asks {
    Asks::new()
}

/// Takes the mouse.
pub fn point(_ui: &mut Ui, _pointer: Pointer, _area: Rect, _snapshot: &Snapshot) -> Asks {
    Asks::new()
}
