//! Branches beside a console: asked for at the play head, run in a thread of their own, told of as they go on.
//!
//! Invariant: what is dropped or asked for anew stops what was running.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant as Moment};

use super::branches::{BranchJob, BranchPlan, BranchState};
use super::side_by_side::{BranchesOf, branch_out};
use super::{Log, Player, PolicySpan};
use crate::budget::LimitHistory;
use crate::routing::Policy;
use crate::units::Instant;

impl Player {
    /// Has branches run from the play head on; where nothing lies ahead of it, over the window.
    pub(super) fn branch(&mut self, plan: Arc<BranchPlan>) {
        let file: Arc<str> = plan.file.as_str().into();
        if self.log.len() == self.log.history.start() {
            self.branches = BranchState::Failed { file, why: "no request has come yet".into() };
            return;
        }
        let start = if self.head < self.log.len() {
            self.clock
        } else {
            self.window.map_or(Instant(i64::MIN), |span| self.clock - span)
        };
        let first = self.log.bounds().unwrap_or_default().0;
        self.branches = BranchState::Running { file, done: 0, total: 0 };
        self.branch_job = Some(BranchJob { plan, from: Some(start).filter(|start| *start > first) });
    }

    /// Forgets the branches: those that run are stopped.
    pub(super) fn drop_branches(&mut self) {
        self.branch_job = None;
        self.branches = BranchState::Idle;
    }

    /// Runs at once what was asked for; beside a console its worker does so in a thread of its own.
    pub fn run_branches(&mut self) {
        let Some(job) = self.branch_job.take() else { return };
        self.branches = self.prepared(job).run(|_, _| true).unwrap_or_default();
    }

    fn prepared(&self, job: BranchJob) -> Prepared {
        Prepared {
            job,
            log: Arc::clone(&self.log),
            policies: self.policies_in_force(),
            limits: self.tries().map(|tries| tries.limits).unwrap_or_default(),
            staged: self.staged.as_ref().map(|staged| (Arc::clone(self.policy()), Arc::clone(staged))),
        }
    }
}

/// All that branches rest on.
struct Prepared {
    job: BranchJob,
    log: Arc<Log>,
    policies: Arc<[PolicySpan]>,
    limits: LimitHistory,
    staged: Option<(Arc<Policy>, Arc<Policy>)>,
}

impl Prepared {
    /// Runs them; none where that was cancelled.
    fn run(&self, tick: impl FnMut(u64, u64) -> bool) -> Option<BranchState> {
        let BranchJob { plan, from } = &self.job;
        let of = BranchesOf {
            log: &self.log,
            policies: &self.policies,
            limits: &self.limits,
            from: *from,
            staged: self.staged.as_ref().map(|(now, staged)| (&**now, &**staged)),
        };
        match branch_out(of, plan, tick) {
            Ok(found) => found.map(|found| BranchState::Done(Arc::new(found))),
            Err(why) => {
                let (file, why) = (plan.file.as_str().into(), why.to_string().into());
                Some(BranchState::Failed { file, why })
            }
        }
    }
}

#[derive(Debug)]
struct Running {
    file: Arc<str>,
    done: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    result: Receiver<Option<BranchState>>,
    told: Moment,
}

/// Branches run beside a console.
#[derive(Debug, Default)]
pub(super) struct Branching {
    running: Option<Running>,
}

impl Branching {
    /// The pace at which progress is told.
    const PACE: Duration = Duration::from_millis(50);

    /// Returns how long there is nothing to do for it; none where nothing is wanted.
    pub(super) fn wait(&self, player: &Player) -> Option<Duration> {
        if player.branch_job.is_some() {
            return Some(Duration::ZERO);
        }
        self.running.as_ref().map(|_| Self::PACE)
    }

    fn stop(&mut self) {
        if let Some(run) = self.running.take() {
            run.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Starts, follows and ends them. Says whether there is news.
    pub(super) fn watch(&mut self, player: &mut Player) -> bool {
        if let Some(job) = player.branch_job.take() {
            self.stop();
            self.running = start(player.prepared(job));
            if self.running.is_none() {
                player.branches = BranchState::Idle;
            }
            return true;
        }
        let Some(run) = &mut self.running else { return false };
        if !matches!(player.branches, BranchState::Running { .. }) {
            self.stop();
            return false;
        }
        match run.result.try_recv() {
            Err(TryRecvError::Empty) if run.told.elapsed() < Self::PACE => return false,
            Err(TryRecvError::Empty) => {
                run.told = Moment::now();
                let [done, total] = [&run.done, &run.total].map(|count| count.load(Ordering::Relaxed));
                player.branches = BranchState::Running { file: Arc::clone(&run.file), done, total };
            }
            found => {
                player.branches = found.ok().flatten().unwrap_or_default();
                self.running = None;
            }
        }
        true
    }
}

fn start(prepared: Prepared) -> Option<Running> {
    let (done, total) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (stop, (sender, result)) = (Arc::new(AtomicBool::new(false)), channel());
    let (all, so_far, halt) = (Arc::clone(&total), Arc::clone(&done), Arc::clone(&stop));
    let file = prepared.job.plan.file.as_str().into();
    let thread = std::thread::Builder::new().name("branches".to_owned()).spawn(move || {
        let _ = sender.send(prepared.run(|done, total| {
            so_far.store(done, Ordering::Relaxed);
            all.store(total, Ordering::Relaxed);
            !halt.load(Ordering::Relaxed)
        }));
    });
    thread.ok().map(|_| Running { file, done, total, stop, result, told: Moment::now() })
}
