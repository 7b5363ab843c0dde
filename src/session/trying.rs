//! Runs a log under policies and budgets that are tried.
//!
//! Invariant: each request is decided in order of arrival on how the budgets stood then, on either side by the same fold.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant as Moment};

use super::alerts::{Watcher, up_to};
use super::beside::AtWork;
use super::budgeted::budgeted;
use super::budgets::window_name;
use super::fold::Fold;
use super::frontiers::with_staged;
use super::limited::{unknown, with_tried};
use super::queueing::{Came, Script, in_turn};
use super::snapshot::{Play, RerunState};
use super::spending::{Before, Spending};
use super::tried::{CameTo, TriedRun, Tries};
use super::{BudgetRow, BudgetsTried, LimitAim, Log, Player, PolicySpan, Reading, RerunJob, TriedLimit};
use crate::alert::Rules;
use crate::budget::{Limit, LimitHistory};
use crate::routing::Policy;
use crate::units::{Instant, Pico};

/// A staged policy is tried in full when it has stood still for this long.
pub(super) const SETTLE: Duration = Duration::from_millis(250);

/// Finds what was spent before the log began: what the accounts say less what its requests cost.
fn before(tries: &Tries, log: &Log, policies: &[PolicySpan]) -> Vec<Before> {
    if tries.now.is_empty() {
        return Vec::new();
    }
    let known = budgeted(log, policies, &tries.limits, Reading::Recorded, |_| true);
    let standings = known.map(|known| known.standings).unwrap_or_default();
    let before = |row: &BudgetRow| {
        let is_of = |limit: &Limit| *limit.budget == *row.budget && window_name(limit.period) == row.window;
        let limit = tries.limits.last().iter().find(|limit| is_of(limit))?.clone();
        let (member, start) =
            (row.member.clone().unwrap_or_default(), row.starts.unwrap_or(Instant(i64::MIN)));
        let same = standings
            .iter()
            .find(|one| is_of(&one.limit) && *one.member == *member && one.account.window.start == start);
        let spent = row.spent - same.map_or(Pico::ZERO, |one| one.account.spent);
        (spent > Pico::ZERO).then_some(Before { limit, member, start, spent })
    };
    tries.now.iter().filter_map(before).collect()
}

/// Runs a log up to a request under policies and limits, in order. `tick` may cancel by answering false.
fn tried(
    log: &Log,
    (policies, end): (&[PolicySpan], usize),
    (limits, rules, before): (&LimitHistory, Option<&Arc<Rules>>, &[Before]),
    mut tick: impl FnMut() -> bool,
) -> Option<TriedRun> {
    let mut spending = Spending::new(limits, &log.names);
    spending.carry(before);
    let mut fold = Fold::with(spending).minding(log, policies.iter().map(|span| &span.policy));
    let mut watcher = rules.map(|rules| Watcher::new(Arc::clone(rules), limits, &log.names));
    if let Some(watcher) = &mut watcher {
        watcher.carry(before);
    }
    let mut at = log.bounds().map_or(Instant(0), |(first, _)| first);
    let (outlook, mut count, mut came_to) = (log.outlook(), 0_usize, CameTo::default());
    let goes_on = in_turn(log, &mut fold, Script::new(policies, end), &mut |came| {
        let Came { evidence, policy, circumstance, settled, .. } = came;
        at = evidence.operation.at;
        came_to.add(settled);
        if let Some(watcher) = &mut watcher {
            watcher.pass(at);
            watcher.take_tried(evidence, policy, circumstance, (settled, &outlook));
        }
        count += 1;
        count % 4096 != 1 || tick()
    });
    if !goes_on {
        return None;
    }
    let alerts = watcher.map(|mut watcher| {
        watcher.finish();
        up_to(&watcher.take_changes(), Instant(i64::MAX))
    });
    Some(TriedRun { budgets: fold.spending?.end(at), alerts, came_to })
}

/// Runs a log twice: under the policies that were in force with some limits, and with what is staged changed in each with others.
/// `tick` may cancel by answering false.
pub fn try_budgets(
    log: &Log,
    (now, staged): (&Policy, &Policy),
    (limits, rules): ([&LimitHistory; 2], Option<&Arc<Rules>>),
    mut tick: impl FnMut() -> bool,
) -> Option<[TriedRun; 2]> {
    let spans = log.spans();
    let changed: Vec<PolicySpan> = spans
        .iter()
        .map(|span| PolicySpan { from: span.from, policy: Arc::new(with_staged(&span.policy, now, staged)) })
        .collect();
    let applied = tried(log, (&spans, log.len()), (limits[0], rules, &[]), &mut tick)?;
    let staged = tried(log, (&changed, log.len()), (limits[1], rules, &[]), &mut tick)?;
    Some([applied, staged])
}

/// Runs a log twice up to a request: under the policies and limits in force, and under what is tried.
pub fn try_beside(
    log: &Log,
    applied: &[PolicySpan],
    job: &RerunJob,
    tries: &Tries,
    mut tick: impl FnMut() -> bool,
) -> Option<BudgetsTried> {
    let before = before(tries, log, applied);
    let limits = tries.limits.map(|limits| with_tried(limits, &job.limits));
    // What was spent counts towards a limit whatever its amount.
    let spent = |before: &Before| {
        let place = tries.limits.last().iter().position(|limit| *limit == before.limit);
        let limit = place.and_then(|place| limits.last().get(place)).unwrap_or(&before.limit);
        Before { limit: limit.clone(), ..before.clone() }
    };
    let before_tried: Vec<Before> = before.iter().map(spent).collect();
    let mut run = |policies, limits, before| {
        tried(log, (policies, job.end), (limits, tries.rules.as_ref(), before), &mut tick)
    };
    let applied = run(applied, &tries.limits, &before)?;
    let staged = run(&job.policies, &limits, &before_tried)?;
    Some(BudgetsTried::beside(&applied, &staged))
}

/// Budgets and alerts tried while traffic comes: once what is staged has stood still, and now and then anew.
#[derive(Debug, Default)]
pub(super) struct Trying {
    /// What is tried now.
    running: Option<(What, AtWork<BudgetsTried>)>,
    /// What was tried last, and when.
    last: Option<(What, Moment)>,
}

/// What is tried: policies and limits.
type What = (Arc<[PolicySpan]>, Arc<[TriedLimit]>);

fn what(job: &RerunJob) -> What {
    (Arc::clone(&job.policies), Arc::clone(&job.limits))
}

impl Trying {
    /// What was found is of so long ago at most.
    const STALE: Duration = Duration::from_secs(30);

    /// Returns how long there is nothing to do for it; none where nothing is wanted.
    pub(super) fn wait(&self, player: &Player, stirred: Moment) -> Option<Duration> {
        if self.running.is_some() {
            return Some(Duration::from_millis(50));
        }
        let job = player.try_wanted()?;
        let rest = self.last.as_ref().filter(|(last, _)| *last == what(&job));
        Some(rest.map_or_else(
            || SETTLE.saturating_sub(stirred.elapsed()),
            |(_, at)| Self::STALE.saturating_sub(at.elapsed()),
        ))
    }

    /// Starts, follows and ends it. Says whether there is news.
    pub(super) fn watch(&mut self, player: &mut Player, stirred: Moment) -> bool {
        let wanted = player.try_wanted();
        self.running =
            self.running.take().filter(|(of, _)| wanted.as_ref().is_some_and(|job| what(job) == *of));
        if let Some((of, work)) = &self.running {
            let Some(found) = work.over() else { return false };
            self.last = Some((of.clone(), Moment::now()));
            self.running = None;
            player.rerun = found.map_or(RerunState::Idle, |found| RerunState::Tried(Arc::new(found)));
            return true;
        }
        let known =
            self.last.as_ref().filter(|(last, _)| wanted.as_ref().is_some_and(|job| what(job) == *last));
        let is_fresh = known.is_some_and(|(_, at)| at.elapsed() < Self::STALE);
        let mut news = false;
        if known.is_none() {
            self.last = None;
            if matches!(player.rerun, RerunState::Tried(_)) {
                player.rerun = RerunState::Idle;
                news = true;
            }
        }
        let Some(job) = wanted.filter(|_| !is_fresh && stirred.elapsed() >= SETTLE) else { return news };
        let Some(tries) = player.tries() else { return news };
        let (log, in_force, of) = (Arc::clone(player.log()), player.policies_in_force(), what(&job));
        let work = AtWork::start("what-if", move |stop| {
            try_beside(&log, &in_force, &job, &tries, || !stop.load(Ordering::Relaxed))
        });
        self.running = work.map(|work| (of, work));
        news
    }
}

impl Player {
    /// Says what budgets are tried over while traffic comes; none where nothing is staged or it is not live.
    fn try_wanted(&self) -> Option<RerunJob> {
        let follows = self.play == Play::Following;
        self.staged_job().filter(|_| follows && self.tries().is_some())
    }

    /// Returns what a what-if is tried against; none where there is nothing. Beside a gateway that is what is in force there now.
    pub(super) fn tries(&self) -> Option<Tries> {
        let told = || {
            let status = &self.live.as_ref()?.view.status;
            Some(Tries { now: status.budgets.rows.clone().into(), ..status.tries.clone() })
        };
        let tries = self.budgets.as_ref().map(|played| played.tries(self.is_live()));
        tries.or_else(told).filter(|tries| !tries.is_empty())
    }

    /// Lists the policies that were in force.
    pub(super) fn policies_in_force(&self) -> Arc<[PolicySpan]> {
        self.policies.iter().cloned().collect()
    }
}

impl Player {
    /// Tries a limit beside what is in force; one tried before of the same name makes room.
    pub(super) fn try_limit(&mut self, aim: LimitAim) {
        let Tries { limits, .. } = self.tries().unwrap_or_default();
        let Some(in_force) = aim.amount_now(limits.last()) else {
            self.message = Some(unknown(&aim.limit, limits.last()));
            return;
        };
        let name = aim.name();
        let others = self.limits.iter().filter(|one| one.aim.name() != name).cloned();
        let is_new = in_force != aim.amount;
        self.limits = others.chain(is_new.then_some(TriedLimit { aim, in_force })).collect();
        self.rerun = RerunState::Idle;
    }

    /// Says how the limits that are tried come into force, for that is not the console's to do.
    pub(super) fn limits_to_set(&self) -> Option<String> {
        let aim = &self.limits.first()?.aim;
        let (budget, window) = aim.limit.rsplit_once('/')?;
        let (flag, member) = match &aim.member {
            Some(member) => ("--special", format!("{member}:")),
            None => ("--limit", String::new()),
        };
        let amount = aim.amount.usd();
        Some(format!("limits are set with: pointsman budgets set {budget} {flag} {member}{window}={amount}"))
    }
}
