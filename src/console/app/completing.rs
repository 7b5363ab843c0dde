//! What could stand in place of the line being typed.

/// The lines offered, and the one that was taken.
#[derive(Clone, Debug, Default)]
pub(super) struct Completing {
    pub(super) lines: Vec<String>,
    pub(super) at: Option<usize>,
}
