//! The screen traffic.

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

/// Sets the filter.
pub fn set_filter(_state: &mut State, _text: &str) {}

/// Shows the requests that the staged policy sends elsewhere.
pub fn show_flips(_ui: &mut Ui, _snapshot: &Snapshot) {}

/// Goes on with what takes longer than a moment; says whether there is more to do.
pub fn work(_state: &mut State, _snapshot: &Snapshot) -> bool {
    false
}

/// Gives the chosen row as text.
pub fn selected_text(_state: &State, _snapshot: &Snapshot) -> Option<String> {
    None
}
