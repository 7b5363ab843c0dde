//! Rules against runaways and the kill switch: who is stopped, by whom, until when; written down and put back at the start.
//!
//! Invariants: whoever is told that a stop is in force finds it in the ledger; a request that is refused for one is told which.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::body::Reply;
use super::respond::answer;
use super::{Gateway, now};
use crate::access::Caller;
use crate::runaway::{Stop, Trip, Whom};
use crate::units::{Instant, members};
use crate::wire::{ApiError, ErrorKind, Halted};

/// What an audit entry says was done.
pub(super) const STOP: &str = "stop";
pub(super) const LIFT: &str = "lift";

impl Gateway {
    /// Writes down what tripped with a request, and who was stopped for it.
    pub(super) fn record_trips(&self, trips: &[Arc<Trip>], stop: Option<&Stop>) {
        for trip in trips {
            tracing::warn!(rule = &*trip.rule, whom = %trip.whom, "{}", trip.seen);
            self.note(trip.at, &trip.words());
        }
        if let Some(stop) = stop.filter(|_| !trips.is_empty()) {
            self.record_deed(STOP, stop, stop.at, &stop.who);
        }
    }

    fn record_deed(&self, what: &str, stop: &Stop, at: Instant, who: &str) {
        let whom = stop.whom.to_string();
        let why = stop.why.as_str();
        let (before, after) = if what == STOP { (why, whom.as_str()) } else { (whom.as_str(), "") };
        self.audit(at, who, what, (before, after));
    }

    /// Waits until the ledger holds what was done; says that a restart may forget it where that cannot be.
    pub(super) async fn kept(&self, done: impl FnOnce() -> String) -> Result<(), ApiError> {
        if !self.keeps_ledger {
            return Ok(());
        }
        self.ledger.commit().await.map_err(|error| {
            ApiError::new(ErrorKind::Server, format!("{} but a restart may forget it: {error}", done()))
        })
    }

    /// Stops someone, or lets him go. Says whether that changed anything.
    ///
    /// # Errors
    /// Where the ledger should hold it and does not.
    pub async fn switch(&self, deed: &Switch<'_>) -> Result<bool, ApiError> {
        let Switch { whom, who, why, lifts } = *deed;
        let changed = if lifts {
            self.live.lift(whom, who, now()).map(|(stop, at, text)| {
                self.record_deed(LIFT, &stop, at, who);
                self.note(at, &text);
            })
        } else {
            self.learn_whom(whom);
            let (stop, text) = self.live.stop(whom.clone(), who, why, now());
            text.map(|text| {
                self.record_deed(STOP, &stop, stop.at, who);
                self.note(stop.at, &text);
            })
        };
        if changed.is_some() {
            tracing::warn!(who, %whom, lifts, "kill switch");
        }
        if changed.is_some() {
            self.kept(|| format!("{whom} is {},", if lifts { "lifted" } else { "stopped" })).await?;
        }
        Ok(changed.is_some())
    }
}

/// A turn of the kill switch.
#[derive(Clone, Copy, Debug)]
pub struct Switch<'a> {
    /// Who is stopped or let go.
    pub whom: &'a Whom,
    /// Who does it.
    pub who: &'a str,
    /// Why; empty where nobody says.
    pub why: &'a str,
    /// Whether he is let go.
    pub lifts: bool,
}

members! {
    /// One that is stopped, as it is told.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct StopRow;
    fn of(stop: &Stop) {}
    /// Who: `key ci-bot`, `all`.
    pub whom: String = stop.whom.to_string(),
    /// Since when.
    pub since: String = stop.at.rfc3339(),
    /// By whom.
    pub by: String = stop.who.to_string(),
    /// The rule; none where an operator did it.
    pub rule: Option<String> = stop.rule.as_deref().map(str::to_owned),
    /// Why.
    pub why: String = stop.why.clone(),
    /// The command that lifts it.
    pub lifted_by: String = stop.lifted_by(),
}

members! {
    /// A rule that tripped, as it is told.
    #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
    pub struct TripRow;
    fn of(trip: &Trip) {}
    /// When.
    pub at: String = trip.at.rfc3339(),
    /// The rule.
    pub rule: String = trip.rule.to_string(),
    /// Who.
    pub whom: String = trip.whom.to_string(),
    /// The team and the project whose request it was.
    pub team: String = trip.whose.team.to_string(),
    /// The project.
    pub project: String = trip.whose.project.to_string(),
    /// What was seen.
    pub seen: String = trip.seen.clone(),
    /// What becomes of him.
    pub then: String = trip.then.name().to_owned(),
}

/// Answers who is stopped, which rules are in force, and what tripped.
pub(super) fn standing(gateway: &Gateway) -> Response<Reply> {
    let (rules, stops, trips) = gateway.live.runaways();
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| {
            json!({ "rule": &*rule.name, "each": rule.each.name(), "looks_for": rule.test.words(), "then": rule.then.name() })
        })
        .collect();
    let stops: Vec<StopRow> = stops.iter().map(|stop| StopRow::of(stop)).collect();
    let trips: Vec<TripRow> = trips.iter().rev().map(|trip| TripRow::of(trip)).collect();
    answer(&json!({ "at": now().rfc3339(), "rules": rules, "stops": stops, "trips": trips }))
}

/// What an operator sends: `{"stop":"key ci-bot","why":"loops"}` or `{"lift":"key ci-bot"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    stop: Option<String>,
    lift: Option<String>,
    #[serde(default)]
    why: String,
}

/// Returns of a reason what is kept: two hundred characters, none that could mislead.
pub(super) fn reason(why: &str) -> String {
    why.chars().filter(|c| crate::units::is_safe(*c)).take(200).collect()
}

/// Takes an order.
pub(super) async fn order(
    gateway: &Gateway,
    body: &Bytes,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    const FORM: &str = "send {\"stop\":\"key NAME\",\"why\":\"...\"} or {\"lift\":\"key NAME\"}; instead of key: team, project, user, session, or \"all\" alone";
    let invalid = |what: &str| ApiError::invalid(format!("{what}; {FORM}"));
    let order: Order = serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?;
    let (text, lifts) = match (&order.stop, &order.lift) {
        (Some(stop), None) => (stop, false),
        (None, Some(lift)) => (lift, true),
        _ => return Err(invalid("one of stop and lift is needed")),
    };
    let is_name = text.len() <= 512 && text.chars().all(crate::units::is_safe);
    let whom = Whom::parse(text)
        .filter(|_| is_name)
        .ok_or_else(|| invalid(&format!("`{}` is nobody", crate::units::clean(text))))?;
    let why = reason(&order.why);
    let changed = gateway.switch(&Switch { whom: &whom, who: &caller.name, why: &why, lifts }).await?;
    if !changed && lifts {
        let message = format!("{whom} is not stopped; GET the same address lists who is");
        return Err(ApiError::new(ErrorKind::NotFound, message).coded("not_stopped"));
    }
    let (_, stops, _) = gateway.live.runaways();
    let stops: Vec<StopRow> = stops.iter().map(|stop| StopRow::of(stop)).collect();
    Ok(answer(&json!({ "changed": changed, "stops": stops })))
}

/// Tells a client that it is stopped.
pub(super) fn halted(stop: &Stop, why: &str) -> ApiError {
    let halted = Halted {
        limit_source: if stop.rule.is_some() { "runaway" } else { "kill-switch" },
        rule: stop.rule_name().to_owned(),
        whom: stop.whom.to_string(),
        since: stop.at.rfc3339(),
        lifted_by: stop.lifted_by(),
    };
    let error = ApiError::new(ErrorKind::RateLimited, why).coded("stopped");
    ApiError { halted: Some(Box::new(halted)), ..error }
}
