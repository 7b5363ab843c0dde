//! Rollouts at work: steps that evidence lets come, orders of an operator, what is written down of both.
//!
//! Invariants: every step is a policy in the log and in the ledger, with who and why; whoever is told that an order was taken
//! finds it in the ledger; a rollout whose canary somebody else changed ends and changes nothing more.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use serde::Deserialize;
use serde_json::json;

use super::body::Reply;
use super::respond::answer;
use super::runaways::reason;
use super::{Gateway, lock, now};
use crate::access::Caller;
use crate::config::rollouts;
use crate::rollout::{Order, Rollout, Saved, Turn};
use crate::session::{Deed, RolloutRow, Rollouts};
use crate::units::Instant;
use crate::wire::ApiError;

/// What an audit entry says was done.
const ROLLOUT: &str = "rollout";
/// The longest file with a plan, in bytes: it is kept with every step.
const LONGEST: usize = 64 * 1024;

/// What an operator wants of a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RolloutOrder {
    /// Begin it by the plan in a file's text.
    Start {
        /// The rollout.
        name: String,
        /// The text.
        plan: String,
    },
    /// Something about one that has begun.
    Turn {
        /// The rollout.
        name: String,
        /// What.
        order: Order,
        /// Why; empty where nobody says.
        why: String,
    },
}

impl Gateway {
    /// Returns the rollouts.
    pub fn rollouts(&self) -> &Arc<Mutex<Rollouts>> {
        &self.rollouts
    }

    /// Takes up what was written down; returns what a person should know.
    pub fn restore_rollouts(&self, saved: &[Saved]) -> Vec<String> {
        let mut remarks = Vec::new();
        let mut all = lock(&self.rollouts);
        for one in saved {
            let name = &one.rollout;
            match rollouts::find(&one.plan, "the plan in the ledger", name) {
                Ok(plan) => {
                    let rollout = one.rollout(Arc::new(plan));
                    let row = RolloutRow::of(&rollout, now());
                    if row.is_open() {
                        remarks.push(format!("rollout {name} of route {}: {}", row.route, row.place()));
                    }
                    if let Err(why) = all.begin(rollout) {
                        remarks.push(format!("rollout {name} is not taken up: {why}"));
                    }
                }
                Err(error) => remarks.push(format!("rollout {name} is not taken up: {error}")),
            }
        }
        remarks
    }

    /// Takes the steps that evidence lets come at this moment, and those back that it speaks against.
    pub fn turn_rollouts(&self) {
        let mut all = lock(&self.rollouts);
        if !all.are_open() {
            return;
        }
        let (_, spec) = self.live.policy_spec();
        for name in all.end_others(&spec, now()) {
            if let Some(rollout) = all.find(&name) {
                self.record_rollout(
                    rollout,
                    "another policy",
                    "taken back: another policy took its place",
                    now(),
                );
            }
        }
        for (name, turn) in all.pass(now()) {
            let Some(rollout) = all.find(&name) else { continue };
            let who = format!("rollout {name}");
            if let Err(why) = self.carry_out(rollout, &turn, &who) {
                // It stays where it is; the next look may find the route as it has to be.
                tracing::error!(%name, why, "a rollout's step cannot come");
            }
        }
    }

    /// Brings a step into force.
    fn carry_out(&self, rollout: &mut Rollout, turn: &Turn, who: &str) -> Result<(), String> {
        let (_, spec) = self.live.policy_spec();
        let plan = &rollout.plan;
        let next = match turn {
            Turn::To(stage) => plan.staged(&spec, *stage)?,
            Turn::Done => plan.done(&spec)?,
            Turn::Back(_) => plan.without(&spec),
        };
        let what = rollout.words(turn);
        let at = if next == spec {
            now()
        } else {
            self.apply(&next, who, Deed::Change(&what)).map_err(|error| error.to_string())?.at
        };
        rollout.turned(turn, at);
        self.record_rollout(rollout, who, &what, at);
        Ok(())
    }

    fn record_rollout(&self, rollout: &Rollout, who: &str, what: &str, at: Instant) {
        let after = serde_json::to_string(&Saved::of(rollout)).unwrap_or_default();
        self.audit(at, who, ROLLOUT, (what, &after));
        tracing::info!(who, what, "rollout");
    }

    /// Does what an operator wants; says what came of it.
    ///
    /// # Errors
    /// Where it cannot be, and why; where the ledger should hold it and does not.
    pub async fn order_rollout(&self, order: RolloutOrder, who: &str) -> Result<String, ApiError> {
        let said = self.ordered(order, who).map_err(|why| ApiError::invalid(why).with_status(409))?;
        self.kept(|| format!("{said};")).await?;
        Ok(said)
    }

    fn ordered(&self, order: RolloutOrder, who: &str) -> Result<String, String> {
        let mut all = lock(&self.rollouts);
        match order {
            RolloutOrder::Start { name, plan } => {
                if plan.len() > LONGEST {
                    return Err(format!("the plan has {} bytes, at most {LONGEST} are kept", plan.len()));
                }
                let plan = rollouts::find(&plan, "plan", &name).map_err(|error| error.to_string())?;
                // Tried first, so that nothing begins that cannot end.
                plan.done(&self.live.policy_spec().1)?;
                all.begin(Rollout::new(Arc::new(plan), who, now()))?;
                let begun = all.find(&name).map(|rollout| self.carry_out(rollout, &Turn::To(0), who));
                if let Some(Err(why)) = begun {
                    all.forget(&name);
                    return Err(why);
                }
                let row = all.find(&name).map(|rollout| RolloutRow::of(rollout, now())).unwrap_or_default();
                Ok(format!("rollout {name} of route {}: {}", row.route, row.place()))
            }
            RolloutOrder::Turn { name, order, why } => {
                let known: Vec<String> = all.all().map(|one| one.plan.name.to_string()).collect();
                let Some(rollout) = all.find(&name) else {
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    return Err(format!(
                        "there is no rollout `{name}`; {}",
                        crate::units::choice(&name, &known)
                    ));
                };
                if let Some(turn) = rollout.order(order, who, &why)? {
                    let what = rollout.words(&turn);
                    self.carry_out(rollout, &turn, who)?;
                    return Ok(what);
                }
                let what = format!("rollout {name}: {}", rollout.phase.word());
                let said = if why.is_empty() { what.clone() } else { format!("{what}: {why}") };
                self.record_rollout(rollout, who, &said, now());
                Ok(what)
            }
        }
    }
}

/// What an operator sends.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    start: Option<String>,
    plan: Option<String>,
    hold: Option<String>,
    go: Option<String>,
    skip: Option<String>,
    back: Option<String>,
    #[serde(default)]
    why: String,
}

/// Answers how all rollouts stand.
pub(super) fn standing(gateway: &Gateway) -> Response<Reply> {
    let rows = lock(&gateway.rollouts).rows(now());
    answer(&json!({ "at": now().rfc3339(), "rollouts": rows }))
}

/// Takes an order.
pub(super) async fn order(
    gateway: &Gateway,
    body: &Bytes,
    caller: &Caller,
) -> Result<Response<Reply>, ApiError> {
    const FORM: &str = "send {\"start\":NAME,\"plan\":TEXT of rollouts.toml} or one of {\"hold\":NAME}, {\"go\":NAME}, {\"skip\":NAME}, {\"back\":NAME}, with \"why\" or without";
    let invalid = |what: &str| ApiError::invalid(format!("{what}; {FORM}"));
    let body: Body = serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?;
    let Body { start, plan, hold, go, skip, back, why } = body;
    let turns = [(hold, Order::Hold), (go, Order::Go), (skip, Order::Skip), (back, Order::Back)];
    let mut turns = turns.into_iter().filter_map(|(name, order)| Some((name?, order)));
    let order = match (start, plan, turns.next(), turns.next()) {
        (Some(name), Some(plan), None, None) => RolloutOrder::Start { name, plan },
        (None, None, Some((name, order)), None) => RolloutOrder::Turn { name, order, why: reason(&why) },
        _ => return Err(invalid("one order is needed")),
    };
    let said = gateway.order_rollout(order, &caller.name).await?;
    let rows = lock(&gateway.rollouts).rows(now());
    Ok(answer(&json!({ "said": said, "rollouts": rows })))
}
