//! Why a live request went where it went, in plain letters (they travel in headers).

use crate::routing::{Decision, Status, Step, Why};

/// Says why a request starts where it does.
pub(super) fn reason(decision: &Decision) -> String {
    let confidence = decision.trail.iter().find_map(|step| match step {
        Step::Classified { confidence, .. } => *confidence,
        _ => None,
    });
    let value = confidence.map_or_else(|| "none".to_owned(), |value| value.to_string());
    let placed = decision.trail.iter().rev().find_map(|step| match step {
        Step::Placed { threshold, .. } => Some(format!("confidence {value} reaches {threshold}")),
        Step::Last { missed: Some(missed), .. } => Some(format!("confidence {value} below {missed}")),
        Step::Last { missed: None, .. } => Some("only rung".to_owned()),
        Step::NoSignal { .. } => Some("no signal".to_owned()),
        Step::Pinned { .. } => Some("pinned by the client".to_owned()),
        _ => None,
    });
    placed.unwrap_or_default()
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
