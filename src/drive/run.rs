//! The runner: takes jobs as they come due, holds their worst case, sends them, books what they cost.
//!
//! One task owns all state; requests fly in tasks of their own and come back as answers. Invariant: every hold is
//! settled or released before the run ends.

use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant as Moment, MissedTickBehavior, interval, sleep_until};

use super::{Answer, Cap, Ending, Hold, Job, Prompt, Rate, Refused, Sender, Tally, Worst};
use crate::units::{Instant, Pico};

/// Sent this much after its moment, a request counts as late: timers and threads are no more exact than a few of these.
const LATE: Duration = Duration::from_millis(50);
/// How often progress is told.
const TELL: Duration = Duration::from_millis(100);
/// Where nothing listens, this many vain tries in a row are enough.
const VAIN: u32 = 5;

/// What a run rests on.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How fast.
    pub rate: Rate,
    /// The most requests in flight.
    pub concurrency: usize,
    /// The cap on what all may cost.
    pub max_spend: Pico,
    /// What each may cost.
    pub worst: Worst,
    /// When the log's first request arrived.
    pub first: Instant,
}

/// What the operator wants just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Send.
    Go,
    /// Send nothing more for now; what is in flight goes on.
    Pause,
    /// Send nothing more, wait for what is in flight.
    Stop,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was sent.
    Done,
    /// The next request could have broken the cap.
    Capped {
        /// What it could have cost.
        next: Pico,
    },
    /// The operator stopped it.
    Stopped,
    /// Nothing listens at the address.
    Unreachable,
}

/// Sends all jobs and returns the sums, telling progress (and whether it is paused) ten times a second.
pub async fn run(
    mut jobs: mpsc::Receiver<Job>,
    sender: Arc<Sender>,
    settings: Settings,
    mut control: watch::Receiver<Command>,
    mut tell: impl FnMut(&Tally, Command),
) -> (Tally, End) {
    let mut run = Run {
        tally: Tally::new(Cap::new(settings.max_spend)),
        settings,
        flying: JoinSet::new(),
        holds: FxHashMap::default(),
        start: Moment::now(),
        paused: None,
        vain: 0,
    };
    let mut ticks = interval(TELL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut next: Option<Job> = None;
    // A control whose other end is gone says nothing more; asking it again would spin.
    let mut heard = true;
    let end = loop {
        let command = *control.borrow_and_update();
        run.heed(command);
        if command == Command::Stop {
            break End::Stopped;
        }
        if run.vain >= VAIN {
            break End::Unreachable;
        }
        let mut waits_for_time = None;
        if let Some(job) = &next
            && command == Command::Go
        {
            let due = run.due(job);
            if due > Moment::now() {
                waits_for_time = Some(due);
            } else if run.flying.len() < run.settings.concurrency {
                let worst = run.settings.worst.of(job.prompt.bound(), job.max_tokens);
                match run.tally.cap.hold(worst) {
                    Ok(hold) => {
                        if let Some(job) = next.take() {
                            run.launch(job, hold, due, &sender);
                        }
                    }
                    // What is in flight may cost less than its worst and make room.
                    Err(Refused) if run.flying.is_empty() => break End::Capped { next: worst },
                    Err(Refused) => {}
                }
            }
        }
        tokio::select! {
            job = jobs.recv(), if next.is_none() => match job {
                Some(job) => next = Some(job),
                None => break End::Done,
            },
            Some(done) = run.flying.join_next_with_id() => run.land(done),
            () = sleep_until(waits_for_time.unwrap_or(run.start)), if waits_for_time.is_some() => {}
            changed = control.changed(), if heard => heard = changed.is_ok(),
            _ = ticks.tick() => tell(&run.tally, command),
        }
    };
    // Whoever reads the log learns that no more is wanted.
    jobs.close();
    drop(jobs);
    while !run.flying.is_empty() {
        tokio::select! {
            Some(done) = run.flying.join_next_with_id() => run.land(done),
            _ = ticks.tick() => tell(&run.tally, Command::Stop),
        }
    }
    tell(&run.tally, Command::Stop);
    (run.tally, end)
}

struct Run {
    tally: Tally,
    settings: Settings,
    flying: JoinSet<Answer>,
    /// The holds of what is in flight, by task.
    holds: FxHashMap<Id, Hold>,
    /// The moment from which requests are due; moved on by each pause.
    start: Moment,
    paused: Option<Moment>,
    /// Vain tries in a row.
    vain: u32,
}

impl Run {
    /// Starts or ends a pause; the schedule goes on where it was.
    fn heed(&mut self, command: Command) {
        match (command, self.paused) {
            (Command::Pause, None) => self.paused = Some(Moment::now()),
            (Command::Go, Some(since)) => {
                self.start += since.elapsed();
                self.paused = None;
            }
            _ => {}
        }
    }

    fn due(&self, job: &Job) -> Moment {
        let after = self.settings.rate.due(job.place, job.at, self.settings.first);
        self.start + Duration::from_micros(u64::try_from(after.0).unwrap_or(0))
    }

    fn launch(&mut self, job: Job, hold: Hold, due: Moment, sender: &Arc<Sender>) {
        let tally = &mut self.tally;
        tally.reached = self.settings.rate.due(job.place, job.at, self.settings.first);
        tally.sent += 1;
        tally.streams += u64::from(job.stream);
        tally.filler += u64::from(matches!(job.prompt, Prompt::Filler { .. }));
        tally.late += u64::from(self.settings.rate != Rate::Max && Moment::now() > due + LATE);
        let sender = Arc::clone(sender);
        let task = self.flying.spawn(async move { sender.send(&job).await });
        self.holds.insert(task.id(), hold);
    }

    fn land(&mut self, done: Result<(Id, Answer), JoinError>) {
        let (id, answer) = match done {
            Ok(landed) => landed,
            // A fault of ours; what the request cost is then not known.
            Err(error) => (error.id(), Answer::failed()),
        };
        self.vain = if answer.ending == Ending::UNREACHABLE { self.vain + 1 } else { 0 };
        self.tally.add(&answer);
        let Some(hold) = self.holds.remove(&id) else { return };
        self.tally.cap.settle(hold, answer.cost.or(answer.ending.is_free().then_some(Pico::ZERO)));
    }
}
