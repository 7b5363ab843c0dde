//! Answers judged by the checks of their route.
//!
//! Invariants: what is broken abstains, and is counted and told; a verdict decides nothing where the route only records it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant as Clock;

use super::large;
use super::operation::Operation;
use crate::checks::{Checker, Command, Said, Says, Verdict};
use crate::routing::Check;
use crate::session::Dispatch;

/// What became of an answer that was judged.
#[derive(Debug, Default)]
pub(super) struct Judged {
    /// What follows.
    pub(super) check: Check,
    /// What each check said.
    pub(super) verdicts: Vec<Verdict>,
    /// How long that took.
    pub(super) took: Duration,
}

impl Judged {
    /// What is so without checks of the route's own.
    pub(super) fn plain(check: Check) -> Self {
        Self { check, ..Self::default() }
    }
}

/// Judges the answers to a request; `own` is what is always checked of them.
pub(super) async fn judge(operation: &Operation, dispatch: &Dispatch, own: Check, said: Vec<Said>) -> Judged {
    let Some(checks) = &dispatch.checks else { return Judged::plain(own) };
    let began = Clock::now();
    let bytes = said.iter().map(|one| one.text.len()).sum();
    let (list, asked) = (Arc::clone(checks), operation.ask.schema());
    let judged = move || {
        let verdicts = list.judge(&said, asked.as_deref());
        (said, verdicts)
    };
    let (said, mut verdicts) = large::on(bytes, judged).await;
    if own == Check::Failed {
        verdicts
            .insert(0, Verdict::new(Verdict::OWN, Says::Failed, "it is empty, or not in the form asked for"));
    }
    for (check, command) in checks.commands() {
        // What is known to be unfit already is not worth a program.
        if verdicts.iter().any(|verdict| checks.escalates(verdict)) {
            break;
        }
        verdicts.push(asked_of(operation, dispatch, (check, command), &said).await);
    }
    operation.gateway.checkers.count(&verdicts);
    let says = |what: Says| verdicts.iter().any(|verdict| verdict.says == what);
    let check = if verdicts.iter().any(|verdict| checks.escalates(verdict)) {
        Check::Failed
    } else if says(Says::Failed) {
        Check::None
    } else if says(Says::Passed) {
        Check::Passed
    } else {
        own
    };
    Judged { check, verdicts, took: began.elapsed() }
}

/// Has a program judge an answer.
async fn asked_of(
    operation: &Operation,
    dispatch: &Dispatch,
    (check, command): (&Checker, &Command),
    said: &[Said],
) -> Verdict {
    let abstains = |why: &str| Verdict::new(&check.name, Says::Abstained, why);
    let [said] = said else { return abstains("there is not one answer") };
    if said.is_truncated {
        return abstains("it is too long to be looked into");
    }
    let route = &*operation.placed.route;
    let told = [
        ("POINTSMAN_ROUTE", route),
        ("POINTSMAN_MODEL", &*dispatch.model),
        ("POINTSMAN_FINISH", said.ended.name()),
    ];
    match operation.gateway.checkers.ask(command, said, &told).await {
        Ok(verdict) => verdict.named(&check.name),
        Err(why) => {
            tracing::warn!(check = &*check.name, route, why, "a check abstained");
            abstains(&why)
        }
    }
}
