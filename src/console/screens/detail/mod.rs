//! One request: what was seen, how it was served, how the policy routes it and why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::ui::{Asks, Scene, Ui};
use crate::session::Snapshot;

/// Which request, and how far it is scrolled.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Its index in the log.
    pub index: usize,
    /// Lines scrolled away.
    pub scroll: usize,
}

/// Draws the request.
pub fn draw(_scene: Scene<'_>, _state: &State, _area: Rect, _buf: &mut Buffer) {}

/// Takes an action.
pub fn act(_ui: &mut Ui, _action: Action, _snapshot: &Snapshot) -> Asks {
    Asks::new()
}
