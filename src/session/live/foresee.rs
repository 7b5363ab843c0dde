//! How a request stands before the engine hears of it, and where it would go.

use std::sync::Arc;

use super::arrival::{ask_of, lot_of};
use super::{Arriving, Core, Dispatch, Live, Ticket, lock, needs};
use crate::classifier::Saw;
use crate::outcome::{Operation, Second};
use crate::routing::{
    Circumstance, ConfidenceSource, Decision, Draw, Drawn, Mode, NO_RUNG, Policy, decide, match_route,
};
use crate::runaway::Then;
use crate::session::ingest::source_of;
use crate::units::PerMille;

/// A request whose confidence lies near a threshold.
#[derive(Clone, Debug)]
pub struct Near {
    /// Its route.
    pub route: Arc<str>,
    /// The threshold.
    pub threshold: PerMille,
    /// Its confidence.
    pub confidence: PerMille,
}

impl Live {
    /// Has the classifier judge a request.
    pub(super) fn judged(&self, arriving: &Arriving<'_>) -> Operation {
        let prompt = (!arriving.prompt.is_empty()).then_some(&*arriving.prompt);
        let opinion = self.classifier.classify(prompt, &arriving.measures);
        let mut operation = Operation {
            turn: arriving.measures.turn.and_then(|turn| u16::try_from(turn).ok()).unwrap_or(u16::MAX),
            class: arriving.measures.task.unwrap_or(opinion.class),
            pinned: arriving.pinned,
            ..Operation::default()
        };
        let source = source_of(opinion.basis);
        if arriving.confidence.is_some() {
            operation.set_confidence(arriving.confidence, ConfidenceSource::Recorded);
            return operation;
        }
        operation.set_confidence(opinion.confidence, source);
        operation.saw = Saw::of(&opinion);
        operation.second = self.tried.as_ref().map(|tried| {
            let opinion = tried.classify(prompt, &arriving.measures);
            Second {
                confidence: opinion.confidence,
                source,
                class: arriving.measures.task.unwrap_or(opinion.class),
                least: None,
            }
        });
        operation
    }

    /// Says which threshold a request's confidence lies near, where its route has a band around its thresholds and sends it to
    /// whom it likes; nothing of it is kept.
    pub fn near(&self, arriving: &Arriving<'_>, band: impl Fn(&str) -> Option<u16>) -> Option<Near> {
        let mut operation = self.judged(arriving);
        let confidence = operation.confidence()?;
        let core = lock(&self.core);
        operation.team = core.names.find_team(&arriving.team).unwrap_or_default();
        operation.project = core.names.find_project(&arriving.project).unwrap_or_default();
        operation.asked = core.names.find_model(&arriving.asked).unwrap_or_default();
        let policy = core.decider.policy();
        let signals = operation.signals_by(core.decider.prices());
        let route = policy.route(match_route(policy, &signals));
        let band = band(&route.name)?;
        if route.serves_as_named(&signals) || !route.require.is_empty() {
            return None;
        }
        let away = |threshold: &PerMille| threshold.get().abs_diff(confidence.get());
        let threshold = route.placing_thresholds().min_by_key(away)?;
        (away(&threshold) <= band).then(|| Near { route: Arc::clone(&route.name), threshold, confidence })
    }

    /// Lists the calls that may still be made for an operation, behind that of a rung.
    pub fn later(&self, ticket: &Ticket, rung: Option<u8>) -> Vec<Dispatch> {
        let Some(rung) = rung else { return Vec::new() };
        let core = lock(&self.core);
        let open = ticket.decision.open;
        let mut next = open.at_or_after(usize::from(rung) + 1);
        std::iter::from_fn(|| {
            let rung = next?;
            next = open.at_or_after(rung + 1);
            u8::try_from(rung).ok()
        })
        .map(|rung| core.send(&ticket.policy, &ticket.decision, rung, ticket.limits()))
        .collect()
    }

    /// Says which model a request would be sent to first, empty where none may serve it; nothing of it is kept.
    pub fn would_send(&self, arriving: &Arriving<'_>) -> Arc<str> {
        let mut operation = self.judged(arriving);
        let core = &mut *lock(&self.core);
        let (policy, decision) = core.foreseen(arriving, &mut operation);
        match decision.rung {
            _ if decision.refused => "".into(),
            NO_RUNG => Arc::clone(&arriving.asked),
            rung => core.send(&policy, &decision, rung, (None, 0, false)).model,
        }
    }

    /// Says whether the ladder applies to a request though its client names a model.
    pub fn would_route(&self, arriving: &Arriving<'_>) -> bool {
        let mut operation = self.judged(arriving);
        let (_, decision) = lock(&self.core).foreseen(arriving, &mut operation);
        decision.rung != NO_RUNG || decision.refused
    }

    /// Says whether any route applies its ladder to requests that name a model.
    pub fn routes_named(&self) -> bool {
        lock(&self.core).decider.policy().routes.iter().any(|route| route.mode == Mode::Active)
    }
}

impl Core {
    /// Draws a request where its route holds sessions out; one without a session is drawn by itself.
    pub(super) fn drawn(&self, operation: &Operation, arriving: &Arriving<'_>) -> Option<Drawn> {
        let policy = self.decider.policy();
        if !policy.holds_out() {
            return None;
        }
        let signals = operation.signals();
        let route = policy.route(match_route(policy, &signals));
        let share = route.holdout.filter(|_| !route.serves_as_named(&signals))?;
        let name = if arriving.session.is_empty() { &arriving.id } else { &arriving.session };
        Some(Drawn::draw(name, share))
    }

    /// Decides a request that is not taken in.
    fn foreseen(&mut self, arriving: &Arriving<'_>, operation: &mut Operation) -> (Arc<Policy>, Decision) {
        operation.draw = Draw::of_turn(&arriving.id, arriving.after_tools || arriving.ask.is_turn());
        operation.ask = ask_of(arriving);
        operation.team = self.names.find_team(&arriving.team).unwrap_or_default();
        operation.project = self.names.find_project(&arriving.project).unwrap_or_default();
        operation.asked = self.names.find_model(&arriving.asked).unwrap_or_default();
        (operation.at, operation.lot) = (self.last_at, lot_of(arriving));
        let needs = needs(arriving, &mut self.names);
        let (_, over) = self.claim(arriving, operation, &needs, None);
        let circumstance = Circumstance {
            runaway: if self.is_stopped(arriving) { Then::Freeze } else { Then::Tell },
            drawn: self.drawn(operation, arriving),
            standing: self.standing(operation, self.prompt(arriving).as_deref()),
            follows: self.follows(operation, arriving),
            ..self.circumstance(needs, over, self.last_at, &arriving.wants)
        };
        let policy = Arc::clone(self.decider.policy());
        let decision = decide(&policy, &operation.signals_by(self.decider.prices()), &circumstance);
        (policy, decision)
    }
}
