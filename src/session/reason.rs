//! Why a live request went where it went, in plain letters (they travel in headers).

use crate::routing::{Decision, Policy, Status, Step, Why};
use crate::units::Names;

/// Says why a request starts where it does; `barred` are the reasons of guards.
pub(super) fn reason(decision: &Decision, barred: &str) -> String {
    let confidence = decision.trail.iter().find_map(|step| match step {
        Step::Classified { confidence, .. } => *confidence,
        _ => None,
    });
    let mut value = confidence.map_or_else(|| "none".to_owned(), |value| value.to_string());
    let explored = |step: &Step| if let Step::Lot { placed_as, .. } = step { *placed_as } else { None };
    if let Some(placed_as) = decision.trail.iter().find_map(explored) {
        value = format!("{value}, explored as {placed_as},");
    }
    let placed = decision.trail.iter().rev().find_map(|step| match step {
        Step::Placed { threshold, .. } => Some(format!("confidence {value} reaches {threshold}")),
        Step::Last { missed: Some(missed), .. } => Some(format!("confidence {value} below {missed}")),
        Step::Last { missed: None, .. } => Some("only rung".to_owned()),
        Step::NoSignal { .. } => Some("no signal".to_owned()),
        Step::Fallback { .. } => Some("fallback: no other rung may serve it now".to_owned()),
        Step::Pinned { .. } => Some("pinned by the client".to_owned()),
        Step::Observed { .. } => Some("observed: the client's own model serves".to_owned()),
        Step::Refused => Some("no model may serve it".to_owned()),
        _ => None,
    });
    let mut reason = placed.unwrap_or_default();
    if decision.trail.iter().any(|step| matches!(step, Step::GoesOn { .. })) {
        reason += "; goes on where its tool loop was served";
    }
    if !barred.is_empty() && decision.would.is_none() {
        reason += " (";
        reason += barred;
        reason += ")";
    }
    reason
}

/// Says what guards bar for a request, and why; empty where nothing.
pub(super) fn barred(policy: &Policy, decision: &Decision, names: &Names) -> String {
    let bars = decision.trail.iter().filter(|step| matches!(step, Step::Barred { .. }));
    let mut all = String::new();
    for step in bars {
        all += if all.is_empty() { "" } else { "; " };
        all += &step.describe(decision.route, policy, names);
    }
    all
}

/// Says why a request went up its ladder.
pub(super) fn why_text(why: Why) -> &'static str {
    match why {
        Why::Check => "escalated: check failed",
        Why::Provider(Status::RateLimited) => "escalated: rate limited",
        Why::Provider(Status::Timeout) => "escalated: timeout",
        Why::Provider(Status::Unavailable) => "escalated: unavailable",
        Why::Provider(Status::Unfit) => "escalated: unfit for the model",
        Why::Provider(_) => "escalated: provider failed",
    }
}
