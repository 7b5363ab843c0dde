//! An operation that is over, as an entry of the log.

use std::borrow::Cow;

use super::{Called, Pending, SIMULATED};
use crate::pricing::{Charged, Cost};
use crate::record::{self, Attempt, Attempts, Record};

impl Pending {
    /// Gives the entry.
    pub(super) fn record(&self) -> Record<'_> {
        let attempt = |(call, cost): &'_ (Called, Cost)| Attempt {
            model: Cow::Owned(call.model.to_string()),
            billed: call.billed.as_deref().map_or(Cow::Borrowed(""), |name| Cow::Owned(name.to_owned())),
            provider: Cow::Owned(call.provider.to_string()),
            usage: call.usage,
            write_ttl: call.write_ttl,
            estimated: call.estimated,
            latency_ms: Some(call.latency_ms),
            ttft_ms: call.ttft_ms,
            status: call.status,
            error: Cow::Owned(call.error.clone()),
            check: call.check,
            terms: record::some_terms(&call.terms),
            left_out: call.left_out.iter().map(|name| Cow::Owned(name.to_string())).collect(),
            gap_ms: call.gap_ms,
            charged: Charged::new(*cost),
            ..Attempt::default()
        };
        let simulated = self.calls.iter().any(|(call, _)| call.simulated);
        Record {
            id: Cow::Borrowed(&self.id),
            at: self.operation.at,
            team: Cow::Borrowed(&self.team),
            project: Cow::Borrowed(&self.project),
            user: Cow::Borrowed(&self.user),
            session: Cow::Borrowed(&self.session),
            asked: Cow::Borrowed(&self.asked),
            pinned: self.pinned,
            task: Some(self.operation.class),
            confidence: self.operation.confidence(),
            unsure: self.operation.confidence().is_none(),
            saw: self.operation.saw,
            turn: self.measures.turn,
            tools: self.measures.tools,
            history: self.measures.history,
            attempts: Attempts::from(self.calls.iter().map(attempt).collect::<Vec<_>>()),
            simulated: Cow::Borrowed(if simulated { SIMULATED } else { "" }),
            ..Record::default()
        }
    }
}
