//! How a request stands before the engine hears of it, and where it would go.

use std::sync::Arc;

use super::{Arriving, Dispatch, Live};
use crate::classifier::{Basis, Saw};
use crate::outcome::Operation;
use crate::routing::{ConfidenceSource, decide};

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
    pub fn later(&self, seq: u64, rung: Option<u8>) -> Vec<Dispatch> {
        let inner = self.lock();
        let (Some(pending), Some(rung)) = (inner.pending.get(&seq), rung) else { return Vec::new() };
        let (policy, decision) = inner.decision(seq, &pending.operation);
        let rungs = u8::try_from(policy.route(decision.route).ladder.len()).unwrap_or(u8::MAX);
        (rung.saturating_add(1)..rungs).map(|rung| inner.send(&policy, &decision, rung)).collect()
    }

    /// Says which model of the policy a request would be sent to first; nothing of it is kept.
    pub fn would_send(&self, arriving: &Arriving<'_>) -> Arc<str> {
        let mut operation = self.judged(arriving);
        let inner = self.lock();
        operation.team = inner.names.find_team(&arriving.team).unwrap_or_default();
        operation.project = inner.names.find_project(&arriving.project).unwrap_or_default();
        operation.asked = inner.names.find_model(&arriving.asked).unwrap_or_default();
        let policy = inner.engine.policy();
        let decision = decide(policy, &operation.signals());
        inner.send(policy, &decision, decision.rung).model
    }
}
