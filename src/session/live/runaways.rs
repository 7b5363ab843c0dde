//! Runaways of a live session: rules brought into force, who is stopped and let go, what is said of a request that arrives.

use std::sync::Arc;

use super::{Arriving, Core, Live, lock};
use crate::runaway::{Call, Rule, Runaways, Stop, Then, Trip, Verdict, Whom, Whose};
use crate::units::Instant;

impl Live {
    /// Brings other rules into force; what those of the same names saw stands.
    pub fn watch(&self, rules: Vec<Rule>) {
        let mut core = lock(&self.core);
        core.decider.runaways_mut().change(rules);
        let looks = core.decider.runaways().looks_at_calls();
        self.compares_calls.store(looks, std::sync::atomic::Ordering::Relaxed);
    }

    /// Says whether any rule compares tool calls, so that nobody hashes what nobody looks at.
    pub fn compares_calls(&self) -> bool {
        self.compares_calls.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Stops someone from now on: what is under way ends, nothing new is sent. Returns the stop that stands and, where it is
    /// new, what readers of the log were told.
    pub fn stop(&self, whom: Whom, who: &str, why: &str, now: Instant) -> (Arc<Stop>, Option<String>) {
        let mut core = lock(&self.core);
        let at = core.event_at(now);
        let stop = core.decider.runaways_mut().stop(Stop::told(whom, at, who, why));
        let text = (stop.at == at).then(|| format!("stopped: {}", stop.words()));
        if let Some(text) = &text {
            self.note_at(at, text, false);
        }
        (stop, text)
    }

    /// Lets someone go. Returns what had stopped him, the moment, and what readers of the log were told; none where he was
    /// not stopped.
    pub fn lift(&self, whom: &Whom, who: &str, now: Instant) -> Option<(Arc<Stop>, Instant, String)> {
        let mut core = lock(&self.core);
        let lifted = core.decider.runaways_mut().lift(whom)?;
        let at = core.event_at(now);
        let text = format!(
            "lifted: {whom} may call again, by {who}; stopped since {} by {}",
            lifted.at.rfc3339(),
            lifted.who
        );
        self.note_at(at, &text, false);
        Some((lifted, at, text))
    }

    /// Puts stops that were written down back into force.
    pub fn restore_stops(&self, stops: impl IntoIterator<Item = Stop>) {
        let mut core = lock(&self.core);
        for stop in stops {
            core.decider.runaways_mut().stop(stop);
        }
    }

    /// Returns the rules, who is stopped, and what tripped.
    pub fn runaways(&self) -> (Vec<Rule>, Vec<Arc<Stop>>, Vec<Arc<Trip>>) {
        let core = lock(&self.core);
        let runaways: &Runaways = core.decider.runaways();
        (runaways.rules().cloned().collect(), runaways.stops(), runaways.trips().cloned().collect())
    }

    /// Returns what has stopped somebody by now.
    pub fn stop_of(&self, whose: &Whose) -> Option<Arc<Stop>> {
        lock(&self.core).decider.runaways().stop_of(whose)
    }

    /// Lists who is stopped, the latest first.
    pub fn stopped(&self) -> Vec<String> {
        lock(&self.core).decider.runaways().stops().iter().map(|stop| stop.whom.to_string()).collect()
    }

    /// Tells of the rules that a request tripped, while the core's lock is held so that no line overtakes it.
    pub(super) fn tell_trips(&self, verdict: &Verdict, at: Instant) {
        for trip in &verdict.trips {
            self.note_at(at, &trip.words(), false);
        }
    }
}

impl Core {
    /// Says whether whoever sends a request is stopped.
    pub(super) fn is_stopped(&self, arriving: &Arriving<'_>) -> bool {
        let runaways = self.decider.runaways();
        !runaways.is_idle() && runaways.is_stopped(&whose(arriving))
    }

    /// Says what is to be said of a request that arrives; nothing is kept of whose it is where nobody is watched.
    pub(super) fn watched(&mut self, arriving: &Arriving<'_>, at: Instant) -> (Option<Box<Whose>>, Verdict) {
        if self.decider.runaways().is_idle() {
            return (None, Verdict::default());
        }
        let whose = Box::new(whose(arriving));
        let verdict = self.decider.runaways_mut().arrived(&whose, arriving.call, at);
        (Some(whose), verdict)
    }
}

pub(super) fn whose(arriving: &Arriving<'_>) -> Whose {
    let Arriving { team, project, user, session, wants, .. } = arriving;
    let [team, project, user, key, session] = [team, project, user, &wants.key, session].map(Arc::clone);
    Whose { team, project, user, key, session }
}

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
