//! What becomes of models, as the engine is told: which cannot be called before when, and when they can again.
//!
//! Invariant: the engine hears of a change once, and of nothing that it could not replay: what stands before a call is a
//! signal in the log, no hidden state of a provider.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Gateway, lock, now};
use crate::routing::Status;
use crate::units::Span;

/// How much later a model has to be called again than was said for that to be worth saying.
const LATER: Duration = Duration::from_millis(100);

impl Gateway {
    /// Looks at a model of which a call has ended, and tells the engine where it can be called no longer, or again.
    pub(super) fn look_at(&self, model: &Arc<str>, status: Status) {
        let at = Instant::now();
        let mut down = lock(&self.down);
        let known = down.get(model).copied();
        if status.is_ok() && known.is_none() {
            return;
        }
        let blocked = self.providers.blocked(model, at);
        match (blocked, known) {
            (Some((wait, why)), known) => {
                let until = at + wait;
                if known.is_some_and(|known| until < known + LATER) {
                    return;
                }
                down.insert(Arc::clone(model), until);
                let micros = i64::try_from(wait.as_micros()).unwrap_or(i64::MAX / 4);
                self.signal(model, Some(now() + Span(micros)), why);
            }
            (None, Some(_)) => {
                down.remove(model);
                self.signal(model, None, "");
            }
            (None, None) => {}
        }
    }
}
