//! The tool call that a request follows, as a hash: what a rule against loops compares.

use std::hash::{BuildHasher as _, RandomState};

use crate::runaway::Call;
use crate::wire::Ask;

/// Hashes tool calls under a key that no other run knows.
#[derive(Debug, Default)]
pub(super) struct Calls(RandomState);

impl Calls {
    /// Returns the tool call that a request follows.
    pub(super) fn of(&self, ask: &Ask) -> Option<Call> {
        ask.last_call(self.0.build_hasher()).map(|(hash, turns)| Call::new(hash, turns))
    }
}
