//! Branches side by side: a log as it was, in a world that is not, and with what is tried there.
//!
//! Invariants: the log as it was is always the first branch, under its own policies and decided by the same fold as the others;
//! a command line and a console that ask the same get the same figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant as Moment};

use super::worlds::spans_with;
use super::{Branched, Log, Other, Player, PolicySpan, WorldError, branched, staged_by};
use crate::budget::Limit;
use crate::routing::{Policy, PolicyError, PolicySpec};
use crate::units::{Instant, Names, Span, choice};
use crate::world::{Branch, World};

/// What is to be run.
#[derive(Clone, Debug, PartialEq)]
pub struct BranchPlan {
    /// The world's name, or the file it was read from.
    pub file: String,
    /// The world.
    pub world: World,
    /// What is tried in it, with the policies that its files hold.
    pub tried: Vec<(Branch, Option<PolicySpec>)>,
}

/// Why branches cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BranchError {
    /// The log has nothing to put into this world.
    #[error(transparent)]
    World(#[from] WorldError),
    /// A threshold that is tried cannot be.
    #[error("{0}")]
    Threshold(String),
    /// A policy that is tried cannot be.
    #[error("{0}: {1}")]
    Policy(String, PolicyError),
    /// The world changes a limit that nobody has.
    #[error("{0}: no budget has the limit `{1}`; {2}")]
    NoLimit(String, String, String),
}

/// One branch.
#[derive(Clone, Debug)]
pub struct BranchRun {
    /// What it is called.
    pub name: String,
    /// The policies that decided, in order.
    pub policies: Vec<Arc<Policy>>,
    /// What became of the log.
    pub found: Branched,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct BranchesFound {
    /// What was asked.
    pub plan: Arc<BranchPlan>,
    /// The log's name on screen.
    pub title: String,
    /// The price book.
    pub prices: String,
    /// The moment from which on worlds and what is tried are otherwise.
    pub start: Instant,
    /// The last request's moment.
    pub end: Instant,
    /// Whether that is the whole log.
    pub is_whole: bool,
    /// From the first thing that is otherwise to the last; none where nothing is.
    pub incident: Option<(Instant, Instant)>,
    /// The branches, the log as it was first.
    pub runs: Vec<BranchRun>,
    /// What ids in the sums mean.
    pub names: Names,
}

/// What branches are of.
#[derive(Clone, Copy, Debug)]
pub struct BranchesOf<'a> {
    /// The log.
    pub log: &'a Log,
    /// The policies that were in force.
    pub policies: &'a [PolicySpan],
    /// The limits in force, where the world has none of its own.
    pub limits: &'a [Limit],
    /// From when on worlds and what is tried are otherwise; the log's first request where not said.
    pub from: Option<Instant>,
    /// A policy in force, and the one staged beside it, which is one branch more.
    pub staged: Option<(&'a Policy, &'a Policy)>,
}

/// One branch before it is run.
struct Run {
    name: String,
    policies: Vec<PolicySpan>,
    limits: Vec<Limit>,
    world: Option<World>,
}

/// Runs a log branch by branch. `tick` hears how many requests of all branches are done, and may cancel by answering false,
/// which gives none.
///
/// # Errors
/// Where what is tried cannot be, or the log has nothing to put into the world.
pub fn branch_out(
    of: BranchesOf<'_>,
    plan: &Arc<BranchPlan>,
    mut tick: impl FnMut(u64, u64) -> bool,
) -> Result<Option<BranchesFound>, BranchError> {
    let BranchPlan { file, world, tried } = &**plan;
    let mut names = of.log.names.clone();
    let compiled = tried.iter().map(|(branch, spec)| {
        let Some(spec) = spec else { return Ok(None) };
        let policy = Policy::compile(spec, 1, &mut names);
        policy
            .map(|policy| Some(Arc::new(policy)))
            .map_err(|why| BranchError::Policy(branch.name.clone(), why))
    });
    let compiled: Vec<Option<Arc<Policy>>> = compiled.collect::<Result<_, _>>()?;
    let log = of.log.clone().naming(names);
    let limits = world.limits.clone().unwrap_or_else(|| of.limits.to_vec());
    let known: Vec<String> = limits.iter().map(Limit::name).collect();
    if let Some(amount) = world.amounts.iter().find(|amount| !known.contains(&amount.limit)) {
        let hint = choice(&amount.limit, &known);
        return Err(BranchError::NoLimit(file.clone(), amount.limit.clone(), hint));
    }
    let first = log.bounds().unwrap_or_default().0;
    // A world of another day moves all of the log there.
    let start = of.from.filter(|_| world.starts.is_none()).unwrap_or(first);
    let run = |name: &str, policies: Vec<PolicySpan>, world: Option<&World>| Run {
        name: name.to_owned(),
        policies,
        limits: limits.clone(),
        world: world.cloned(),
    };
    let as_they_were = || of.policies.to_vec();
    let mut runs =
        vec![run("as it was", as_they_were(), None), run("in this world", as_they_were(), Some(world))];
    for ((branch, _), policy) in tried.iter().zip(compiled) {
        let policies = if let Some(policy) = policy {
            spans_with(&log, of.policies, start, Other::Policy(policy))
        } else {
            let now = of.policies.last().map_or(&log.policy, |span| &span.policy);
            let staged = staged_by(now, &branch.set, &log.names).map_err(BranchError::Threshold)?;
            spans_with(&log, of.policies, start, Other::Thresholds { now, staged: &staged })
        };
        let rules = if branch.runaways { world.rules.clone() } else { Vec::new() };
        let world = World { rules, ..world.clone() };
        let limits = if branch.budgets { limits.clone() } else { Vec::new() };
        runs.push(Run { limits, ..run(&branch.name, policies, Some(&world)) });
    }
    if let Some((now, staged)) = of.staged {
        let policies = spans_with(&log, of.policies, start, Other::Thresholds { now, staged });
        runs.push(run("staged", policies, Some(world)));
    }
    let moved = log.in_world(world, start)?;
    let start_moved = world.starts.unwrap_or(start);
    let last = |log: &Log| log.bounds().unwrap_or_default().1;
    let length = |log: &Log| (log.len() - log.history.start()) as u64;
    let all = length(&log) + length(&moved) * (runs.len() as u64 - 1);
    let mut found = BranchesFound {
        plan: Arc::clone(plan),
        title: log.title.clone(),
        prices: log.book.clone(),
        start: start_moved,
        end: last(&moved),
        is_whole: start <= first,
        incident: world.incident((start_moved, last(&moved))),
        runs: Vec::new(),
        names: moved.names.clone(),
    };
    let mut before = 0;
    for Run { name, policies, limits, world } in runs {
        let (of, start) = if world.is_some() { (&moved, start_moved) } else { (&log, start) };
        let policies =
            if world.is_some() { placed(policies, &log, &moved, start_moved - start) } else { policies };
        let incident = plan.world.incident((start, last(of)));
        let from = of.history.start();
        let done = |index: usize| tick(before + index.saturating_sub(from) as u64, all);
        let world = (world.as_ref(), start);
        let Some(branch) = branched(of, &policies, &limits, world, incident, done) else { return Ok(None) };
        before += length(of);
        let mut policies: Vec<Arc<Policy>> = policies.into_iter().map(|span| span.policy).collect();
        policies.dedup_by(|one, other| one.name == other.name && one.version == other.version);
        found.runs.push(BranchRun { name, policies, found: branch });
    }
    Ok(Some(found))
}

/// Returns policies with their places in a log that was moved, or into which requests came besides.
fn placed(policies: Vec<PolicySpan>, log: &Log, moved: &Log, by: Span) -> Vec<PolicySpan> {
    if (moved.history.start(), moved.len()) == (log.history.start(), log.len()) {
        return policies;
    }
    let place = |span: PolicySpan| {
        let at = log.history.get(span.from).filter(|_| span.from > log.history.start());
        PolicySpan { from: at.map_or(0, |first| moved.history.first_at(first.at + by)), ..span }
    };
    policies.into_iter().map(place).collect()
}

/// How branches that somebody asked for stand.
#[derive(Clone, Debug, Default)]
pub enum BranchState {
    /// Nobody asked.
    #[default]
    Idle,
    /// They are run.
    Running {
        /// The world's name, or its file.
        file: Arc<str>,
        /// Requests done, of all branches.
        done: u64,
        /// Requests in all; 0 where that is not known yet.
        total: u64,
    },
    /// They were run.
    Done(Arc<BranchesFound>),
    /// They cannot be run, and why.
    Failed {
        /// The world's name, or its file.
        file: Arc<str>,
        /// Why.
        why: Arc<str>,
    },
}

/// What was asked for and has not begun.
#[derive(Clone, Debug)]
pub(super) struct BranchJob {
    plan: Arc<BranchPlan>,
    from: Option<Instant>,
}

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
    limits: Arc<[Limit]>,
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
            player.touch();
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
        player.touch();
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
