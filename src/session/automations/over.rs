//! Automations tried over a log: what each would have proposed, and when.
//!
//! Invariant: nothing of it happened: the traffic goes on as the log has it, whatever was proposed.

use super::super::Log;
use super::{AutomationRow, Automations};
use crate::outcome::Recalled;
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
    let ended = |(index, recalled): (usize, Recalled<'_>)| {
        let took = recalled.evidence().attempts().filter_map(|call| call.latency.get()).sum();
        (recalled.operation.at + Span::millis(took), index)
    };
    let mut over: Vec<_> = log.history.range(log.history.start(), log.len()).map(ended).collect();
    over.sort_unstable();
    for (at, index) in over {
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
