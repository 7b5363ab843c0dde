//! How a request stands before the engine hears of it, and where it would go.

use std::sync::Arc;

use super::{Arriving, Dispatch, Live, Ticket, lock};
use crate::classifier::{Basis, Saw};
use crate::outcome::Operation;
use crate::routing::{Circumstance, ConfidenceSource, decide};

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
        let source = match opinion.basis {
            Basis::Text => ConfidenceSource::Text,
            Basis::Measures => ConfidenceSource::Measures,
            Basis::NoSignal => ConfidenceSource::None,
        };
        operation.set_confidence(opinion.confidence, source);
        operation.saw = Saw::of(&opinion);
        operation
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
        .map(|rung| core.send(&ticket.policy, &ticket.decision, rung))
        .collect()
    }

    /// Says which model of the policy a request would be sent to first; nothing of it is kept.
    pub fn would_send(&self, arriving: &Arriving<'_>) -> Arc<str> {
        let mut operation = self.judged(arriving);
        let core = lock(&self.core);
        operation.team = core.names.find_team(&arriving.team).unwrap_or_default();
        operation.project = core.names.find_project(&arriving.project).unwrap_or_default();
        operation.asked = core.names.find_model(&arriving.asked).unwrap_or_default();
        let policy = core.decider.policy();
        let decision = decide(policy, &operation.signals(), Circumstance::PLAIN);
        core.send(policy, &decision, decision.rung).model
    }
}
