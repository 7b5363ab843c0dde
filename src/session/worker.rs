//! What is worked out beside a player while it plays or rests: the full re-run of what is staged, budgets tried, branches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use super::branching::Branching;
use super::snapshot::{RerunState, RouteConsequences};
use super::trying::{SETTLE, Trying, try_beside};
use super::whatif::in_order;
use super::{BudgetsTried, Command, Log, Player, PolicySpan, Rerun, RerunJob, Switching, rerun, switching};

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
    stop: Arc<AtomicBool>,
    result: Receiver<Option<Found>>,
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
        let news = watch_rerun(player, &mut self.running, &mut self.checked, self.stirred);
        let news = self.branching.watch(player) || news;
        self.trying.watch(player, self.stirred) || news
    }
}

/// Starts, follows and ends the full re-run of what is staged. Says whether there is news.
fn watch_rerun(
    player: &mut Player,
    running: &mut Option<Running>,
    checked: &mut Option<RerunJob>,
    staged_at: Instant,
) -> bool {
    let wanted = player.rerun_wanted();
    if let Some(job) = running {
        if wanted.as_ref() != Some(&job.what) {
            job.stop.store(true, Ordering::Relaxed);
            *running = None;
            player.rerun = RerunState::Idle;
            return true;
        }
        match job.result.try_recv() {
            Ok(Some(Found { rerun: found, routes, budgets, switching })) => {
                let agrees = player.agrees(&found);
                tracing::debug!(requests = found.requests, agrees, took = ?job.started.elapsed(), "decided again");
                let is_in_order = player.log.remembers(&job.what.policies);
                if !agrees && !is_in_order {
                    tracing::error!(cost = %found.cost.total(), "what-if and re-run differ");
                }
                player.rerun = RerunState::Done {
                    requests: found.requests,
                    cost: found.cost,
                    agrees,
                    in_order: is_in_order,
                    took: job.started.elapsed(),
                    budgets: budgets.map(Arc::new),
                    switching: switching.map(Box::new),
                };
                player.walked = routes.map(|routes| (job.what.clone(), routes));
                *checked = Some(job.what.clone());
                *running = None;
            }
            Ok(None) | Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                player.rerun = RerunState::Idle;
                *running = None;
            }
            Err(std::sync::mpsc::TryRecvError::Empty) => {
                player.rerun = RerunState::Running {
                    done: job.done.load(Ordering::Relaxed).min(job.what.end - job.what.first),
                    total: job.what.end - job.what.first,
                };
            }
        }
        return true;
    }
    let Some(what) = wanted else {
        *checked = None;
        if matches!(player.rerun, RerunState::Idle | RerunState::Tried(_)) {
            return false;
        }
        player.rerun = RerunState::Idle;
        return true;
    };
    if checked.as_ref() == Some(&what) {
        return false;
    }
    let stale = player.rerun != RerunState::Idle;
    if stale {
        player.rerun = RerunState::Idle;
    }
    if staged_at.elapsed() < SETTLE {
        return stale;
    }
    let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (sender, result) = channel();
    let (log, job) = (Arc::clone(player.log()), what.clone());
    let (job_done, job_stop) = (Arc::clone(&done), Arc::clone(&stop));
    let shown = player.in_order_wanted();
    let (tries, in_force) = (player.tries(), player.policies_in_force());
    let thread = std::thread::Builder::new().name("re-run".to_owned()).spawn(move || {
        let found = rerun(&log, &job, &job_done, &job_stop).and_then(|found| {
            let should_continue = || !job_stop.load(Ordering::Relaxed);
            let both: [&[PolicySpan]; 2] = [&in_force, &job.policies];
            let switching = switched(&log, both, (job.first, job.end), should_continue)?;
            let routes = match shown {
                Some((_, rows)) => Some(in_order(&log, (&in_force, &job), rows, should_continue)?),
                None => None,
            };
            let Some(tries) = tries else {
                return Some(Found { rerun: found, routes, budgets: None, switching });
            };
            let budgets = Some(try_beside(&log, &in_force, &job, &tries, should_continue)?);
            Some(Found { rerun: found, routes, budgets, switching })
        });
        let _ = sender.send(found);
    });
    if thread.is_ok() {
        player.rerun = RerunState::Running { done: 0, total: what.end - what.first };
        *running = Some(Running { what, done, stop, result, started: Instant::now() });
        return true;
    }
    stale
}
