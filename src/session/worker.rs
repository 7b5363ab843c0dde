//! What is worked out beside a player while it plays or rests: the full re-run of what is staged, budgets tried, branches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use super::beside::AtWork;
use super::branching::Branching;
use super::snapshot::{RerunState, RouteConsequences};
use super::trying::{SETTLE, Trying, try_beside};
use super::whatif::in_order;
use super::{
    BudgetsTried, Command, Log, Player, PolicySpan, Rerun, RerunJob, Switching, Walked, rerun, switching,
};

/// What wakes a session.
#[derive(Debug)]
pub(super) enum Inbox {
    /// Somebody wants something.
    Command(Command),
    /// Something waits in the feed.
    Fed,
}

/// Where a console sends what it wants.
#[derive(Clone, Debug)]
pub struct Worker {
    commands: Sender<Inbox>,
}

impl Worker {
    pub(super) fn new(commands: Sender<Inbox>) -> Self {
        Self { commands }
    }

    /// Sends a command; a session that has ended takes none.
    pub fn send(&self, command: Command) {
        let _ = self.commands.send(Inbox::Command(command));
    }
}

#[derive(Debug)]
struct Running {
    what: RerunJob,
    done: Arc<AtomicUsize>,
    work: AtWork<Found>,
    started: Instant,
}

/// What a full re-run found.
#[derive(Debug)]
struct Found {
    rerun: Rerun,
    routes: Option<Vec<RouteConsequences>>,
    budgets: Option<BudgetsTried>,
    switching: Option<[Switching; 2]>,
}

/// Adds up what changes of model cost on both sides, where either minds prompt caches; none at all where it was stopped.
#[expect(clippy::option_option, reason = "nothing to add up is no reason to stop")]
fn switched(
    log: &Log,
    sides: [&[PolicySpan]; 2],
    range: (usize, usize),
    goes_on: impl Fn() -> bool,
) -> Option<Option<[Switching; 2]>> {
    if !sides.iter().flat_map(|side| side.iter()).any(|span| span.policy.minds_caches()) {
        return Some(None);
    }
    let [applied, staged] = sides;
    let sum = |policies| switching(log, policies, range, &goes_on);
    Some(Some([sum(applied)?, sum(staged)?]))
}

/// The full re-run of what is staged: whether one is wanted, runs, or is done.
#[derive(Debug)]
pub(super) struct Reruns {
    running: Option<Running>,
    checked: Option<RerunJob>,
    trying: Trying,
    branching: Branching,
    /// When somebody last wanted something.
    stirred: Instant,
}

impl Reruns {
    pub(super) fn new() -> Self {
        Self {
            running: None,
            checked: None,
            trying: Trying::default(),
            branching: Branching::default(),
            stirred: Instant::now(),
        }
    }

    /// Notes that somebody wants something; a re-run waits until they stop.
    pub(super) fn disturb(&mut self) {
        self.stirred = Instant::now();
    }

    /// Returns how long there is nothing to do for it; none where nothing is wanted.
    pub(super) fn wait(&self, player: &Player) -> Option<Duration> {
        if self.running.is_some() {
            return Some(Duration::from_millis(50));
        }
        let branches = self.branching.wait(player);
        if let Some(wait) = self.trying.wait(player, self.stirred) {
            return Some(branches.map_or(wait, |other| other.min(wait)));
        }
        let wanted = player.rerun_wanted();
        let rerun = (wanted.is_some() && wanted != self.checked)
            .then(|| SETTLE.saturating_sub(self.stirred.elapsed()));
        rerun.into_iter().chain(branches).min()
    }

    /// Starts, follows and ends it. Says whether there is news.
    pub(super) fn watch(&mut self, player: &mut Player) -> bool {
        let news = self.watch_rerun(player);
        let news = self.branching.watch(player) || news;
        self.trying.watch(player, self.stirred) || news
    }

    /// Starts, follows and ends the full re-run of what is staged. Says whether there is news.
    fn watch_rerun(&mut self, player: &mut Player) -> bool {
        let wanted = player.rerun_wanted();
        if let Some(Running { what, done, work, started }) = &self.running {
            player.rerun = if wanted.as_ref() != Some(what) {
                self.running = None;
                RerunState::Idle
            } else if let Some(found) = work.over() {
                let state = found.map(|found| ended(player, found, what, *started));
                if state.is_some() {
                    self.checked = Some(what.clone());
                }
                self.running = None;
                state.unwrap_or(RerunState::Idle)
            } else {
                let total = what.end - what.first;
                RerunState::Running { done: done.load(Ordering::Relaxed).min(total), total }
            };
            return true;
        }
        let Some(what) = wanted else {
            self.checked = None;
            if matches!(player.rerun, RerunState::Idle | RerunState::Tried(_)) {
                return false;
            }
            player.rerun = RerunState::Idle;
            return true;
        };
        if self.checked.as_ref() == Some(&what) {
            return false;
        }
        let stale = player.rerun != RerunState::Idle;
        player.rerun = RerunState::Idle;
        if self.stirred.elapsed() < SETTLE {
            return stale;
        }
        let total = what.end - what.first;
        self.running = start(player, what);
        if self.running.is_some() {
            player.rerun = RerunState::Running { done: 0, total };
            return true;
        }
        stale
    }
}

/// Says what a full re-run found, and keeps the rows that were decided in order.
fn ended(player: &mut Player, found: Found, what: &RerunJob, started: Instant) -> RerunState {
    let Found { rerun: found, routes, budgets, switching } = found;
    let (agrees, took) = (player.agrees(&found), started.elapsed());
    tracing::debug!(requests = found.requests, agrees, ?took, "decided again");
    let in_order = player.log.remembers(&what.policies);
    if !agrees && !in_order {
        tracing::error!(cost = %found.cost.total(), "what-if and re-run differ");
    }
    player.walked = routes.map(|rows| Walked { job: what.clone(), rows });
    RerunState::Done {
        requests: found.requests,
        cost: found.cost,
        agrees,
        in_order,
        took,
        budgets: budgets.map(Arc::new),
        switching: switching.map(Box::new),
    }
}

/// Starts a full re-run; none where the system gives no thread.
fn start(player: &mut Player, what: RerunJob) -> Option<Running> {
    let done = Arc::new(AtomicUsize::new(0));
    let (log, job, reached) = (Arc::clone(player.log()), what.clone(), Arc::clone(&done));
    let shown = player.in_order_wanted();
    let (tries, in_force) = (player.tries(), player.policies_in_force());
    let work = AtWork::start("re-run", move |stop| {
        let rerun = rerun(&log, &job, &reached, stop)?;
        let should_continue = || !stop.load(Ordering::Relaxed);
        let both: [&[PolicySpan]; 2] = [&in_force, &job.policies];
        let switching = switched(&log, both, (job.first, job.end), should_continue)?;
        let routes = match shown {
            Some((_, rows)) => Some(in_order(&log, (&in_force, &job), rows, should_continue)?),
            None => None,
        };
        let budgets = match tries {
            Some(tries) => Some(try_beside(&log, &in_force, &job, &tries, should_continue)?),
            None => None,
        };
        Some(Found { rerun, routes, budgets, switching })
    })?;
    Some(Running { what, done, work, started: Instant::now() })
}
