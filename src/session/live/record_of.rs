//! An operation that is over, as an entry of the log.

use std::borrow::Cow;

use super::{Called, Ticket};
use crate::pricing::{Charged, Cost};
use crate::record::{self, Attempt, Attempts, Record, RecordedNeeds};
use crate::routing::{Capability, propensity_told};

impl Ticket {
    /// Returns the entry.
    pub(super) fn record(&self) -> Record<'_> {
        Record {
            id: Cow::Borrowed(&self.said.id),
            at: self.operation.at,
            team: Cow::Borrowed(&self.said.whose.team),
            project: Cow::Borrowed(&self.said.whose.project),
            user: Cow::Borrowed(&self.said.whose.user),
            key: Cow::Borrowed(&self.said.whose.key),
            session: Cow::Borrowed(&self.said.whose.session),
            asked: Cow::Borrowed(&self.said.asked),
            pinned: self.operation.pinned,
            task: Some(self.operation.class),
            confidence: self.operation.confidence(),
            unsure: self.operation.confidence().is_none(),
            saw: self.operation.saw,
            turn: self.said.measures.turn,
            tools: self.said.measures.tools,
            history: self.said.measures.history,
            prefix: self.said.prefix.to_vec(),
            needs: self.needs(),
            seq: Some(self.seq),
            policy: Some(self.policy.version),
            propensity: propensity_told(&self.down),
            attempts: Attempts::from(self.calls.iter().map(attempt).collect::<Vec<_>>()),
            simulated: self.simulation(),
            ..Record::default()
        }
    }

    /// Returns what the request asked of whoever was to serve it, and how things stood.
    pub fn needs(&self) -> RecordedNeeds<'_> {
        RecordedNeeds {
            window: Some(self.needs.window).filter(|&window| window > 0),
            output: Some(self.needs.output).filter(|&output| output > 0),
            vision: self.needs.capabilities.has(Capability::Vision),
            require: self.said.require.iter().map(|label| Cow::Borrowed(&**label)).collect(),
            down: self.down.iter().map(|model| Cow::Borrowed(&**model)).collect(),
        }
    }
}

/// Returns a call as it stands in a line.
pub(super) fn attempt((call, cost): &(Called, Cost)) -> Attempt<'static> {
    Attempt {
        model: Cow::Owned(call.model.to_string()),
        billed: call.billed.as_deref().map_or(Cow::Borrowed(""), |name| Cow::Owned(name.to_owned())),
        provider: Cow::Owned(call.provider.to_string()),
        usage: call.usage,
        write_ttl: call.write_ttl,
        estimated: call.estimated,
        latency_ms: call.latency_ms,
        ttft_ms: call.ttft_ms,
        status: call.status,
        error: Cow::Owned(call.error.clone()),
        check: call.check,
        verdicts: call.verdicts.as_slice().into(),
        terms: record::some_terms(&call.terms),
        left_out: call.left_out.iter().map(|name| Cow::Owned(name.to_string())).collect(),
        gap_ms: call.gap_ms,
        began_us: Some(call.began_us),
        effort: call.effort,
        charged: Charged::new(*cost),
        ..Attempt::default()
    }
}
