//! Branches beside a console: asked for at the play head, run in a thread of their own, told of as they go on.
//!
//! Invariant: what is dropped or asked for anew stops what was running.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant as Moment};

use super::Player;
use super::beside::AtWork;
use super::branches::{BranchJob, BranchPlan, BranchState};
use super::side_by_side::{BranchesOf, branch_out};
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
        self.branch_job = Some((plan, Some(start).filter(|start| *start > first)));
    }

    /// Forgets the branches: those that run are stopped.
    pub(super) fn drop_branches(&mut self) {
        self.branch_job = None;
        self.branches = BranchState::Idle;
    }

    /// Runs at once what was asked for; beside a console its worker does so in a thread of its own.
    pub fn run_branches(&mut self) {
        let Some(job) = self.branch_job.take() else { return };
        self.branches = self.prepared(job)(&mut |_, _| true).unwrap_or_default();
    }

    /// Takes all that branches rest on; running them gives none where that was cancelled.
    fn prepared(
        &self,
        (plan, from): BranchJob,
    ) -> impl FnOnce(&mut dyn FnMut(u64, u64) -> bool) -> Option<BranchState> + Send + use<> {
        let (log, policies) = (Arc::clone(&self.log), self.policies_in_force());
        let limits = self.tries().map(|tries| tries.limits).unwrap_or_default();
        let staged = self.staged.clone().map(|staged| (Arc::clone(self.policy()), staged));
        move |tick| {
            let staged = staged.as_ref().map(|(now, staged)| (&**now, &**staged));
            let of = BranchesOf { log: &log, policies: &policies, limits: &limits, from, staged };
            match branch_out(of, &plan, tick) {
                Ok(found) => found.map(|found| BranchState::Done(Arc::new(found))),
                Err(why) => {
                    let (file, why) = (plan.file.as_str().into(), why.to_string().into());
                    Some(BranchState::Failed { file, why })
                }
            }
        }
    }
}

#[derive(Debug)]
struct Running {
    file: Arc<str>,
    /// Requests done, and in all.
    reached: Arc<[AtomicU64; 2]>,
    work: AtWork<BranchState>,
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

    /// Starts, follows and ends them. Says whether there is news.
    pub(super) fn watch(&mut self, player: &mut Player) -> bool {
        if let Some(job) = player.branch_job.take() {
            self.running = start(player, job);
            if self.running.is_none() {
                player.branches = BranchState::Idle;
            }
            return true;
        }
        let Some(run) = &mut self.running else { return false };
        if !matches!(player.branches, BranchState::Running { .. }) {
            self.running = None;
            return false;
        }
        match run.work.over() {
            None if run.told.elapsed() < Self::PACE => return false,
            None => {
                run.told = Moment::now();
                let [done, total] = run.reached.each_ref().map(|count| count.load(Ordering::Relaxed));
                player.branches = BranchState::Running { file: Arc::clone(&run.file), done, total };
            }
            Some(found) => {
                player.branches = found.unwrap_or_default();
                self.running = None;
            }
        }
        true
    }
}

fn start(player: &Player, job: BranchJob) -> Option<Running> {
    let (file, reached) = (job.0.file.as_str().into(), Arc::new([AtomicU64::new(0), AtomicU64::new(0)]));
    let (told, run) = (Arc::clone(&reached), player.prepared(job));
    let work = AtWork::start("branches", move |stop| {
        run(&mut |done, total| {
            told.iter().zip([done, total]).for_each(|(count, now)| count.store(now, Ordering::Relaxed));
            !stop.load(Ordering::Relaxed)
        })
    })?;
    Some(Running { file, reached, work, told: Moment::now() })
}
