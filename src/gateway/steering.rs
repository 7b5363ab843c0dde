//! Limits that are steered towards, at work: thresholds moved by themselves or proposed, and accepted by an operator.
//!
//! Invariants: every move is a policy in the log and in the ledger, with who and why; a proposal is taken only while the
//! thresholds that it is about stand where it found them; a route that a rollout changes is left alone.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::json;

use super::body::Reply;
use super::respond::answer;
use super::{Gateway, lock, now};
use crate::access::Caller;
use crate::session::{Course, Deed, Moved, SteerRow, Steps};
use crate::units::{Instant, choice};
use crate::wire::ApiError;

impl Gateway {
    /// Says how the windows of all limits stand at a moment.
    pub fn courses(&self, at: Instant) -> Vec<(String, Course)> {
        let standings = self.live.budgets(at);
        let steered = standings.iter().filter(|one| one.limit.steer.is_some() && one.member.is_empty());
        let course = |one: &crate::budget::Standing| {
            let ends = one.account.window.end?;
            Some((one.limit.name(), Course { spent: one.account.spent, amount: one.amount, ends }))
        };
        steered.filter_map(course).collect()
    }

    /// Lists the routes that rollouts change.
    pub fn rolling_routes(&self) -> Vec<Arc<str>> {
        let rollouts = lock(self.rollouts());
        let open = rollouts.all().filter(|one| one.phase.is_open());
        open.flat_map(|one| [Arc::clone(&one.plan.route), Arc::clone(&one.plan.name)]).collect()
    }

    /// Takes what steering says: moves thresholds where it acts by itself, and keeps what it proposes.
    pub fn steer(&self, steps: Vec<Steps>, rows: Vec<SteerRow>) {
        let mut proposed = Vec::new();
        for Steps { limit, acts, moves } in steps {
            if !acts {
                proposed.push((limit, moves));
                continue;
            }
            if let Err(why) = self.move_thresholds(&limit, &moves, &format!("steering {limit}")) {
                tracing::error!(%limit, why, "thresholds cannot be moved");
            }
        }
        let mut steered = lock(&self.steered);
        // What was proposed stands until that limit is looked at again.
        let is_news = |limit: &str| {
            let before = steered.rows.iter().find(|row| row.limit == limit).map(|row| row.at);
            rows.iter().find(|row| row.limit == limit).is_none_or(|row| Some(row.at) != before)
        };
        let known: Vec<_> = steered.proposed.iter().filter(|(limit, _)| !is_news(limit)).cloned().collect();
        proposed.extend(known);
        (steered.rows, steered.proposed) = (rows, proposed);
    }

    fn move_thresholds(&self, limit: &str, moves: &[Moved], who: &str) -> Result<String, String> {
        let (_, mut spec) = self.live.policy_spec();
        for one in moves {
            let route = spec.routes.iter_mut().find(|route| *route.name == *one.route);
            let rung = route.and_then(|route| {
                route.ladder.iter_mut().find(|rung| *rung.name.as_deref().unwrap_or(&rung.model) == *one.rung)
            });
            let threshold = rung.and_then(|rung| rung.threshold.as_mut());
            let Some(threshold) = threshold.filter(|now| **now == i64::from(one.from.get())) else {
                return Err(format!(
                    "{} {} does not stand at {} any more; wait for the next proposal",
                    one.route,
                    one.rung,
                    one.from.get()
                ));
            };
            *threshold = i64::from(one.to.get());
        }
        let row = lock(&self.steered).rows.iter().find(|row| row.limit == limit).cloned().unwrap_or_default();
        let row = SteerRow { moves: moves.to_vec(), ..row };
        let what = format!("towards {limit}{}", row.moved());
        self.apply(&spec, who, Deed::Change(&what)).map_err(|error| error.to_string())?;
        Ok(what)
    }

    /// Takes what is proposed for a limit; says what was moved.
    ///
    /// # Errors
    /// Where nothing is proposed for it, or the thresholds stand elsewhere by now.
    pub fn accept_steering(&self, limit: &str, who: &str) -> Result<String, String> {
        let mut steered = lock(&self.steered);
        let Some(place) = steered.proposed.iter().position(|(name, _)| **name == *limit) else {
            let known: Vec<&str> = steered.rows.iter().map(|row| row.limit.as_str()).collect();
            return Err(if known.contains(&limit) {
                format!("nothing is proposed for {limit} now")
            } else if known.is_empty() {
                "no limit is steered towards here; write `steer` into budgets.toml".to_owned()
            } else {
                format!("no limit `{limit}` is steered towards; {}", choice(limit, &known))
            });
        };
        let (name, moves) = steered.proposed.remove(place);
        drop(steered);
        self.move_thresholds(&name, &moves, who)
    }
}

/// What an operator sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    accept: String,
}

/// Answers how all limits stand that are steered towards.
pub(super) fn standing(gateway: &Gateway) -> Response<Reply> {
    let rows = lock(&gateway.steered).rows.clone();
    answer(&json!({ "at": now().rfc3339(), "steering": rows }))
}

/// Takes an order: what is proposed is accepted.
pub(super) fn order(gateway: &Gateway, body: &Bytes, caller: &Caller) -> Result<Response<Reply>, ApiError> {
    let body: Body = serde_json::from_slice(body)
        .map_err(|error| ApiError::invalid(format!("{error}; send {{\"accept\":\"company/month\"}}")))?;
    let said = gateway.accept_steering(&body.accept, &caller.name);
    let said = said.map_err(|why| ApiError::invalid(why).with_status(409))?;
    Ok(answer(&json!({ "said": said })))
}
