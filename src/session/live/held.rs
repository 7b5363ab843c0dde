//! What held for whoever sent a request, as a log writes it and as guards look at it.

use std::sync::Arc;

use crate::runaway::{Call, Then, Verdict};

/// Says how a log writes what held for a request, and the call that it follows.
pub(super) fn words_of(verdict: &Verdict, call: Option<Call>) -> impl Iterator<Item = Arc<str>> {
    let stopped = verdict.stop.as_ref().map(|stop| format!("{}{}", crate::routing::STOPPED, stop.whom));
    let then =
        verdict.then.filter(|then| matches!(then, Then::Degrade | Then::Cheapest) && stopped.is_none());
    let then = then.map(|then| format!("{}{}", crate::routing::RUNAWAY, then.name()));
    stopped.into_iter().chain(then).chain(call.map(Call::word)).map(Into::into)
}

/// Says what guards look at.
pub(super) fn held_back(verdict: &Verdict) -> Then {
    if verdict.stop.is_some() { Then::Freeze } else { verdict.then.unwrap_or_default() }
}
