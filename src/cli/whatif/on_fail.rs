//! Another consequence of a check, tried over the verdicts of a log.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::checks::OnFail;
use crate::report::{Sheet, count};
use crate::routing::Policy;
use crate::session::Log;
use crate::units::choice;

/// Another consequence of a check.
#[derive(Debug)]
pub(super) struct Consequence {
    route: String,
    check: String,
    on_fail: OnFail,
}

/// What was tried, and on how many requests.
#[derive(Debug, Serialize)]
pub(super) struct OnFailReport {
    route: String,
    check: String,
    on_fail: OnFail,
    /// Requests with an answer of which the check said that it is not fit.
    failed_requests: u64,
}

/// Reads `ROUTE.CHECK=escalate` or `=record`.
pub(super) fn consequence(text: &str, policy: &Policy, log: Option<&Log>) -> anyhow::Result<Consequence> {
    let invalid = || anyhow::anyhow!("--on-fail {text}: write ROUTE.CHECK=escalate or ROUTE.CHECK=record");
    let (target, word) = text.rsplit_once('=').ok_or_else(invalid)?;
    let on_fail = OnFail::from_name(word.trim()).ok_or_else(invalid)?;
    let named = |name: &str| target.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'));
    let found = policy.routes.iter().find_map(|route| Some((route, named(&route.name)?)));
    let Some((route, check)) = found.filter(|(_, check)| !check.is_empty()) else {
        let known: Vec<&str> = policy.routes.iter().map(|route| &*route.name).collect();
        let name = target.split('.').next().unwrap_or(target);
        anyhow::bail!("--on-fail {text}: no such route; {}", choice(name, &known));
    };
    // What the route has now, and what judged the log's answers.
    let own = route.checks.iter().flat_map(|checks| checks.names().map(str::to_owned));
    let mut known: BTreeSet<String> = own.collect();
    for (_, recalled) in log.into_iter().flat_map(|log| log.history.range(log.history.start(), log.len())) {
        let evidence = recalled.evidence();
        for told in evidence.extra.into_iter().flat_map(|extra| &extra.particulars) {
            for verdict in &told.verdicts {
                known.insert(verdict.by.to_string());
            }
        }
    }
    if !known.contains(check) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        anyhow::ensure!(
            !known.is_empty(),
            "--on-fail {text}: neither the policy nor the log's verdicts have any check of route {}",
            route.name
        );
        anyhow::bail!("--on-fail {text}: no such check; {}", choice(check, &known));
    }
    Ok(Consequence { route: route.name.to_string(), check: check.to_owned(), on_fail })
}

impl Consequence {
    pub(super) fn parts(&self) -> (&str, &str, OnFail) {
        (&self.route, &self.check, self.on_fail)
    }

    /// Says what was tried on so many requests.
    pub(super) fn told(self, failed_requests: u64) -> OnFailReport {
        let Self { route, check, on_fail } = self;
        OnFailReport { route, check, on_fail, failed_requests }
    }
}

impl OnFailReport {
    pub(super) fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::new("", &["", ">tried"]);
        sheet.push(vec![
            format!("{}: check {} failed, then {}", self.route, self.check, self.on_fail.name()),
            format!("{} requests", count(self.failed_requests)),
        ]);
        sheet
    }
}
