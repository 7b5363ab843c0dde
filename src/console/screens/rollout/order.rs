//! Which orders there are about what is chosen, and what each changes of the traffic.

use std::sync::Arc;

use crate::console::ordered::Ordered;
use crate::rollout::{Order, Plan};
use crate::session::{Command, RolloutRow, SteerRow};
use crate::units::PerMille;

fn share(permille: u16) -> String {
    if permille == 0 { "none of them".to_owned() } else { format!("{permille}‰") }
}

/// Returns an order about a rollout.
///
/// # Errors
/// Where it would do nothing.
pub(super) fn turn(row: &RolloutRow, order: Order) -> Result<Ordered, String> {
    let RolloutRow { name, route, .. } = row;
    if !row.is_open() {
        return Err(format!("rollout {name} is over: {}", row.phase));
    }
    let next = row.stages.get(row.stage);
    let (word, effect) = match order {
        Order::Hold if row.phase == "held" => return Err(format!("rollout {name} is held already")),
        Order::Go if row.phase != "held" => return Err(format!("rollout {name} is not held")),
        Order::Hold => ("hold", None),
        Order::Go => ("go on with", None),
        Order::Skip => {
            let to = match next {
                Some(to) => {
                    format!(
                        "the canary takes {to}‰ of the sessions of route {route}, now {}",
                        share(row.share)
                    )
                }
                None => format!("route {route} is changed for good, and the canary goes"),
            };
            let lacks = match row.lacks.as_slice() {
                [] => String::new(),
                lacks => format!("; passed over: {}", lacks.join("; ")),
            };
            ("skip a step of", Some(format!("{to}{lacks}")))
        }
        Order::Back => {
            let back =
                format!("all sessions of route {route} are decided as before, and the rollout is over");
            ("take back", Some(back))
        }
    };
    let command = Command::Rollout(name.as_str().into(), order, String::new());
    Ok(Ordered { what: format!("{word} {name}"), effect, command })
}

/// Returns the order that begins a plan.
pub(super) fn start(plan: &Plan) -> Ordered {
    let first = plan.share(0);
    let effect = if first == PerMille::ZERO {
        format!("it begins beside the traffic of route {}, and decides nothing yet", plan.route)
    } else {
        format!("the canary takes {} of the sessions of route {}", share(first.get()), plan.route)
    };
    Ordered {
        what: format!("start {}", plan.name),
        effect: Some(effect),
        command: Command::StartRollout { name: Arc::clone(&plan.name), plan: Arc::clone(&plan.text) },
    }
}

/// Returns the order that takes what is proposed for a limit.
///
/// # Errors
/// Where nothing is proposed.
pub(super) fn accept(row: &SteerRow) -> Result<Ordered, String> {
    if row.acts {
        return Err(format!("{} is steered by itself: nothing waits for you", row.limit));
    }
    if row.moves.is_empty() {
        return Err(format!("nothing is proposed for {} now", row.limit));
    }
    let moves = row.moved();
    let moves = moves.trim_start_matches(": ");
    Ok(Ordered {
        what: format!("accept for {}", row.limit),
        effect: Some(format!("thresholds move: {moves}")),
        command: Command::AcceptSteering(row.limit.as_str().into()),
    })
}
