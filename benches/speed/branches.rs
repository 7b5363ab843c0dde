//! What worlds and steering cost: an hour's log branched three ways, and a request that a steered limit counts.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant as Clock;

use pointsman::budget::LimitHistory;
use pointsman::config::{budgets, world};
use pointsman::session::{BranchPlan, BranchesOf, Steering, branch_out};

use super::{best, load, log_text, row};

/// Requests of an hour, at fifty a second.
const HOUR: u64 = 180_000;

/// Runs an hour's log as it was, in a bundled world, and in that with another threshold.
pub(super) fn branches() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hour.jsonl");
    std::fs::write(&path, log_text(HOUR)).unwrap();
    let log = load(&path);
    let spans = log.spans();
    for name in ["429-storm", "price-cut", "cache-ttl"] {
        let Some((_, text)) = world::BUILTIN.iter().find(|(known, _)| *known == name) else {
            println!("no world {name}; there are {:?}", world::BUILTIN.map(|(known, _)| known));
            continue;
        };
        let world = world::parse(text, name).unwrap();
        let tried = world.branches.iter().cloned().map(|branch| (branch, None)).collect();
        let plan = Arc::new(BranchPlan { file: name.to_owned(), world, tried });
        let limits = LimitHistory::default();
        let of = BranchesOf { log: &log, policies: &spans, limits: &limits, from: None, staged: None };
        let (took, found) = best(3, || branch_out(of, &plan, |_, _| true).unwrap().unwrap());
        row(
            &format!("an hour's {HOUR} requests in {} branches, {name}", found.runs.len()),
            &format!("{:.2} s", took.as_secs_f64()),
            "5 s",
            "",
        );
    }
    steering(&path);
}

/// What a request costs that is over under a steered limit, early and late: it does not grow.
fn steering(path: &Path) {
    let log = load(path);
    let text = "[budget.all]\nlimit = { month = 1000 }\nsteer = { act = true }\n";
    let limits = budgets::parse(text, "bench").unwrap();
    let mut steering = Steering::new(&limits);
    let outlook = log.outlook();
    let mut stretch = |from: usize, to: usize| {
        let started = Clock::now();
        for (index, recalled) in log.history.range(from, to) {
            steering.take(&recalled.evidence(), log.policy_at(index), (&outlook, &log.names));
        }
        started.elapsed().as_secs_f64() * 1e9 / f64::from(u32::try_from(to - from).unwrap())
    };
    let (first, _, last) = (stretch(0, 20_000), stretch(20_000, 160_000), stretch(160_000, 180_000));
    row(
        "a request under a steered limit, the first 20,000",
        &format!("{first:.0} ns"),
        "the same throughout",
        "",
    );
    row("  the last 20,000 of 180,000", &format!("{last:.0} ns"), "the same throughout", "");
}
