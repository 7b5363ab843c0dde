//! Automations tried over a log: what each would have proposed, and when.
//!
//! Invariant: nothing of it happened: the traffic goes on as the log has it, whatever was proposed.

use std::collections::BTreeMap;

use super::super::Log;
use super::{AutomationRow, Automations};
use crate::units::{Instant, Span};

/// What would have been proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutomationsTried {
    /// When, by which, the share, and in words.
    pub proposals: Vec<(Instant, String, u16, String)>,
    /// How they stood at the log's end.
    pub last: Vec<AutomationRow>,
}

/// Lets automations propose over a log.
pub fn automate_over(log: &Log, mut all: Automations) -> AutomationsTried {
    let outlook = log.outlook();
    let mut proposals = Vec::new();
    // A request counts when it is over.
    let mut over: BTreeMap<(Instant, usize), usize> = BTreeMap::new();
    for (index, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        let operation = evidence.operation;
        let millis: u64 = evidence.attempts().filter_map(|call| call.latency.get()).sum();
        let took = i64::try_from(millis.saturating_mul(1000)).unwrap_or(0);
        over.insert((operation.at + Span(took), index), index);
    }
    for ((at, _), index) in over {
        let Some(recalled) = log.history.recall(index) else { continue };
        let evidence = recalled.evidence();
        all.take(&evidence, &outlook, &log.names);
        for proposal in all.pass(at, |_| None) {
            if let Some(one) = all.find(&proposal.name) {
                one.shifted(proposal.share, at);
            }
            proposals.push((at, proposal.name.to_string(), proposal.share.get(), proposal.words));
        }
    }
    AutomationsTried { proposals, last: all.rows() }
}
