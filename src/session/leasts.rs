//! The least confidence that tool loops had up to each of their turns: a fold over requests with tools in their order.
//!
//! Invariants: as each turn goes on at least where the one before was, its rung is that of the least confidence so far, whatever the
//! thresholds; memory is bounded as that of loops is; a turn whose beginning is unknown stands as its log tells.

use crate::outcome::{Least, Operation};
use crate::prompt_cache::Recent;
use crate::routing::{Circumstance, Follows};

/// The most loops that are remembered.
const MOST: usize = 32_768;

/// The least confidences of tool loops.
#[derive(Clone, Debug)]
pub(super) struct Leasts(Recent<Least>);

impl Default for Leasts {
    fn default() -> Self {
        Self(Recent::new(MOST))
    }
}

impl Leasts {
    /// Takes the next request, and notes with a later turn what its loop comes to.
    pub(super) fn take(&mut self, operation: &mut Operation, circumstance: &Circumstance) {
        let Some(key) = operation.ask.key() else { return };
        operation.least = None;
        // Whom no ladder placed says nothing of his loop.
        let is_held = circumstance.drawn.is_some_and(|drawn| drawn.held);
        if operation.pinned || is_held {
            return;
        }
        let own = operation.confidence();
        let (told, before) = (circumstance.follows, self.0.get(key));
        let goes_on = operation.ask.is_turn() && (told != Follows::NONE || before.is_some());
        let least = match before {
            Some(before) if goes_on => before.and(own),
            None if goes_on => return,
            _ => Least::of(own),
        };
        self.0.put(key, least);
        // A log without a word of loops is told by each request alone.
        operation.least = Some(least).filter(|_| goes_on && told != Follows::NONE && !told.stays);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::{AskId, ConfidenceSource};
    use crate::units::{ModelId, PerMille};

    #[test]
    fn a_turn_stands_on_the_least_confidence_of_its_loop_and_an_ask_begins_anew() {
        let mut leasts = Leasts::default();
        let mut take = |ask: AskId, confidence: Option<u16>| {
            let mut operation = Operation { ask, ..Operation::default() };
            operation.set_confidence(confidence.and_then(PerMille::new), ConfidenceSource::Recorded);
            let model = if ask.is_turn() { ModelId(1) } else { ModelId::NONE };
            let follows = Follows { model, ..Follows::NONE };
            leasts.take(&mut operation, &Circumstance { follows, ..Circumstance::default() });
            operation.least.map(|least| (least.confidence().map(PerMille::get), least.is_unsure()))
        };
        let (one, other) = (AskId::new(64, false), AskId::new(128, false));
        assert_eq!(take(one.turn(), Some(100)), None, "its beginning is not there");
        assert_eq!(take(one, Some(700)), None);
        assert_eq!(take(other, None), None);
        assert_eq!(take(one.turn(), Some(900)), Some((Some(700), false)));
        assert_eq!(take(other.turn(), None), Some((None, true)));
        assert_eq!(take(one.turn(), Some(0)), Some((Some(0), false)));
        assert_eq!(take(other.turn(), Some(1000)), Some((Some(1000), true)));
        assert_eq!(take(one.turn(), None), Some((Some(0), true)));
        assert_eq!(take(one, Some(900)), None);
        assert_eq!(take(one.turn(), Some(950)), Some((Some(900), false)));
    }
}
