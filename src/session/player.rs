//! The player: a pure state machine over a log, loaded or live ([`super::follow`]). Playing time comes in with each call;
//! the one clock read here is the stopwatch on what-if.
//!
//! Invariant: the state at an operation is the same however one got there (played, sought forwards or backwards).

use std::sync::Arc;
use std::time::Duration;

use super::branches::{BranchJob, BranchState};
use super::difference::{describe_change, same_thresholds};
use super::growth::Live;
use super::log::PolicySpan;
use super::played::Played;
use super::proof::Proof;
use super::second::Second;
use super::snapshot::{Change, Play, Reading, RerunState};
use super::stream::settle;
use super::view::{View, trend_slot};
use super::{Command, Log, Speed, TriedLimit, Walked};
use crate::engine::{Engine, Event};
use crate::outcome::Settled;
use crate::pricing::Billed;
use crate::routing::{Mode, Policy, RouteId};
use crate::units::{Instant, PerMille, Span};

/// Operations between two checkpoints of the totals.
const CHECKPOINT: usize = 65_536;
/// A silence longer than this, in wall time at the present speed, is skipped while playing.
const SILENCE: Duration = Duration::from_secs(20);

/// The player.
#[derive(Debug)]
pub struct Player {
    pub(super) log: Arc<Log>,
    pub(super) reading: Reading,
    /// What the player does.
    pub play: Play,
    pub(super) speed: Speed,
    pub(super) head: usize,
    pub(super) clock: Instant,
    pub(super) engine: Engine,
    pub(super) view: View,
    pub(super) window: Option<Span>,
    pub(super) checkpoints: Vec<(usize, Engine)>,
    pub(super) policies: Vec<PolicySpan>,
    pub(super) staged: Option<Arc<Policy>>,
    /// Limits tried beside those in force.
    pub(super) limits: Arc<[TriedLimit]>,
    pub(super) changes: Vec<Change>,
    pub(super) undo: Vec<(usize, Arc<Policy>)>,
    pub(super) marks: Vec<usize>,
    pub(super) loop_start: Option<usize>,
    pub(super) looped: Option<(usize, usize)>,
    pub(super) focus: (RouteId, usize),
    pub(super) message: Option<String>,
    pub(super) is_done: bool,
    pub(super) proof: Proof,
    pub(super) scratch: Settled,
    /// What it has more where the log is live.
    pub(super) live: Option<Box<Live>>,
    pub(super) budgets: Option<Box<Played>>,
    pub(super) billed: Option<Arc<Billed>>,
    pub(super) second: Second,
    pub(super) walked: Option<Walked>,
    /// The state of the full re-run, kept by the worker.
    pub rerun: RerunState,
    /// Branches that were asked for and have not begun.
    pub(super) branch_job: Option<BranchJob>,
    /// How branches stand, kept by the worker.
    pub branches: BranchState,
}

impl Player {
    /// Starts at the beginning of a log, paused.
    pub fn new(log: Arc<Log>, reading: Reading, window: Option<Span>) -> Self {
        Self {
            engine: Engine::new(Arc::clone(&log.policy), Arc::clone(&log.prices)),
            view: View::new(0, trend_slot(&log, window)),
            policies: log.spans(),
            reading,
            play: Play::Paused,
            speed: Speed::RECORDED,
            head: 0,
            clock: log.bounds().map_or(Instant(0), |(first, _)| first),
            window,
            checkpoints: Vec::new(),
            staged: None,
            limits: Arc::default(),
            changes: Vec::new(),
            undo: Vec::new(),
            marks: Vec::new(),
            loop_start: None,
            looped: None,
            focus: (RouteId(0), 0),
            message: None,
            is_done: false,
            proof: Proof::default(),
            scratch: Settled::default(),
            live: None,
            budgets: None,
            billed: None,
            second: Second::default(),
            rerun: RerunState::Idle,
            walked: None,
            branch_job: None,
            branches: BranchState::Idle,
            log,
        }
    }

    /// Returns the log.
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    pub(super) fn policy(&self) -> &Arc<Policy> {
        self.engine.policy()
    }

    /// Takes a command.
    pub fn handle(&mut self, command: Command) {
        (self.message, self.is_done) = (None, false);
        if self.live.is_some() && command.moves() {
            self.rewind();
        }
        match command {
            Command::Toggle if self.play == Play::Following => self.hold(),
            Command::Toggle if self.play == Play::Playing => self.play = Play::Paused,
            Command::Toggle | Command::Play if self.is_live() => self.go_on(),
            Command::Toggle | Command::Play => {
                if self.head >= self.log.len() {
                    self.seek(0);
                }
                self.play = Play::Playing;
            }
            Command::Step(by) => {
                self.pause();
                let by = isize::try_from(by).unwrap_or(0);
                self.seek(self.head.saturating_add_signed(by));
            }
            Command::SeekEvent(to) => self.seek(to),
            Command::SeekTime(to) => self.seek_time(to),
            Command::SeekBy(by) => self.seek_time(self.clock + by),
            Command::SeekShare(share) => {
                if let Some((first, last)) = self.log.bounds() {
                    let part = i128::from((last - first).0) * i128::from(share.get()) / 1000;
                    self.seek_time(first + Span(i64::try_from(part).unwrap_or(0)));
                }
            }
            Command::SetSpeed(speed) => self.speed = speed,
            Command::Faster(up) => self.speed = if up { self.speed.faster() } else { self.speed.slower() },
            Command::Window(window) => {
                self.window = window;
                self.rebuild();
            }
            Command::Read(reading) => {
                if reading != self.reading {
                    self.reading = reading;
                    self.recount();
                }
            }
            Command::Focus(route, rung) => self.focus = (route, rung),
            Command::Stage(policy) => {
                if policy.is_none() {
                    self.limits = Arc::default();
                }
                self.staged = policy.filter(|policy| !same_thresholds(policy, self.policy()));
            }
            Command::TryLimit(tried) => self.try_limit(tried),
            Command::Nudge(route, rung, by) => {
                let moved = self.staged_policy().route(route).ladder.get(rung);
                let now = moved.map_or(0, |rung| i64::from(rung.threshold.get()));
                self.stage_threshold(route, rung, PerMille::clamped(now + i64::from(by)));
            }
            Command::SetThreshold(route, rung, to) => self.stage_threshold(route, rung, to),
            Command::Aim(..) | Command::Apply if self.second.is_staged => {
                self.message = self.second_stays();
            }
            Command::Aim(aim, bounds) => self.aim(aim, bounds),
            Command::TurnOn(route) => self.stage_turn_on(route),
            Command::StageClassifier => self.turn_second(),
            Command::Apply => self.apply_staged(),
            Command::Undo => self.undo_last(),
            Command::Mark => match self.marks.binary_search(&self.head) {
                Ok(at) => {
                    self.marks.remove(at);
                }
                Err(at) => self.marks.insert(at, self.head),
            },
            Command::NextMark(forward) => self.jump(forward, |player| player.marks.clone()),
            Command::NextError(forward) => {
                // The failed operation itself is shown as played: go to just after it.
                self.jump(forward, |player| player.log.errors.iter().map(|&at| at as usize + 1).collect());
            }
            Command::Loop => self.turn_loop(),
            Command::Follow if self.is_live() => self.follow(),
            Command::Follow => self.seek(self.log.len()),
            // The worker of a live session takes these to whoever can do them.
            Command::Ask(_) => self.message = self.may_ask().map(|why| format!("not sent: {why}")),
            Command::Branch(plan) => self.branch(plan),
            Command::DropBranches => self.drop_branches(),
            Command::Drain
            | Command::Alert(_)
            | Command::Switch(..)
            | Command::Rollout(..)
            | Command::StartRollout { .. }
            | Command::AcceptSteering(_) => {}
        }
        if self.live.is_some() && self.play == Play::Ended {
            self.follow();
        }
    }

    fn pause(&mut self) {
        if self.play == Play::Playing {
            self.play = Play::Paused;
        }
    }

    fn jump(&mut self, forward: bool, places: impl Fn(&Self) -> Vec<usize>) {
        let places = places(self);
        let at = if forward {
            Some(places.partition_point(|&place| place <= self.head))
        } else {
            places.partition_point(|&place| place < self.head).checked_sub(1)
        };
        self.pause();
        match at.and_then(|at| places.get(at)) {
            Some(to) => self.seek(*to),
            None => {
                self.message = Some(if forward { "none after this" } else { "none before this" }.to_owned());
            }
        }
    }

    fn turn_loop(&mut self) {
        let said = match (self.loop_start, self.looped) {
            (_, Some(_)) => {
                (self.looped, self.loop_start) = (None, None);
                "loop cleared"
            }
            (None, None) => {
                self.loop_start = Some(self.head);
                "loop starts here; press again at its end"
            }
            (Some(start), None) if start == self.head => "the loop's end must lie elsewhere",
            (Some(start), None) => {
                self.looped = Some((start.min(self.head), start.max(self.head)));
                self.loop_start = None;
                return;
            }
        };
        self.message = Some(said.to_owned());
    }

    pub(super) fn staged_policy(&self) -> &Arc<Policy> {
        self.staged.as_ref().unwrap_or_else(|| self.policy())
    }

    /// Stages a policy, unless it is as the one in force.
    pub(super) fn stage(&mut self, policy: Policy) {
        self.staged = (!same_thresholds(&policy, self.policy())).then(|| Arc::new(policy));
    }

    fn stage_threshold(&mut self, route: RouteId, rung: usize, to: PerMille) {
        let mut policy = (**self.staged_policy()).clone();
        let Some(target) = policy.routes.get(route.index()) else { return };
        if let Some(why) = target.unmovable(rung) {
            self.message = Some(why.to_owned());
            return;
        }
        let (lowest, highest) = target.threshold_range(rung);
        let kept = to.clamp(lowest, highest);
        if kept != to {
            let neighbour = if to > highest { rung.checked_sub(1) } else { Some(rung + 1) };
            let name =
                neighbour.and_then(|at| target.ladder.get(at)).map_or("its neighbour", |rung| &rung.name);
            self.message =
                Some(format!("stops at {kept}: thresholds descend along the ladder, next is {name}"));
        }
        self.focus = (route, rung);
        if policy.set_threshold(route, rung, kept).is_ok() {
            self.stage(policy);
        }
    }

    fn stage_turn_on(&mut self, route: RouteId) {
        let observes =
            self.policy().routes.get(route.index()).is_some_and(|route| route.mode == Mode::Observe);
        let mut policy = (**self.staged_policy()).clone();
        let Some(target) = policy.routes.get_mut(route.index()) else { return };
        if !observes {
            self.message = Some(match target.mode {
                Mode::Pinned => {
                    "this route lets clients choose: give it mode = \"observe\" in the policy first"
                        .to_owned()
                }
                _ => "this route is on already; undo takes that back".to_owned(),
            });
            return;
        }
        target.mode = if target.mode == Mode::Observe { Mode::Active } else { Mode::Observe };
        self.focus = (route, self.focus.1.min(target.ladder.len().saturating_sub(1)));
        self.stage(policy);
    }

    fn apply_staged(&mut self) {
        let Some(staged) = self.staged.take() else {
            self.message = self.limits_to_set().or_else(|| Some("nothing is staged".to_owned()));
            return;
        };
        let before = Arc::clone(self.policy());
        let what = format!("{}{}", describe_change(&before, &staged), self.leaving(&before, &staged));
        if self.live.is_some() {
            // It takes force when its event comes back in the feed, on every console alike.
            self.staged = Some(Arc::clone(&staged));
            self.ask_for(&staged, what, false);
            return;
        }
        self.change_to(&staged, what, false);
        self.undo.push((self.head, before));
    }

    fn undo_last(&mut self) {
        let Some((from, earlier)) = self.undo.last().cloned() else {
            let hint = "; what is staged was not applied: Esc drops it";
            let staged = if self.staged.is_some() { hint } else { "" };
            self.message = Some(format!("no change to undo{staged}"));
            return;
        };
        if self.live.is_some() {
            let now = self.policies.last().map_or(self.policy(), |span| &span.policy);
            let what = describe_change(now, &earlier);
            self.ask_for(&earlier, what, true);
            return;
        }
        self.undo.pop();
        self.staged = None;
        if from > self.head {
            // It is not in force yet: there is nothing to change here, and its time comes no more.
            self.drop_ahead();
            self.log = self.log.met_by(&self.policies, self.head);
            return;
        }
        let what = describe_change(self.policy(), &earlier);
        self.change_to(&earlier, what, true);
    }

    /// Drops changes that lie ahead of the head, with what would take them back, and says so.
    fn drop_ahead(&mut self) {
        let head = self.head;
        let ahead = self.changes.iter().filter(|change| change.from > head);
        let ahead: Vec<String> = ahead.map(|change| format!("v{}", change.version)).collect();
        if !ahead.is_empty() {
            self.message = Some(format!("{} lay ahead of here and is dropped", ahead.join(", ")));
        }
        self.policies.retain(|span| span.from <= head);
        self.changes.retain(|change| change.from <= head);
        self.undo.retain(|(from, _)| *from <= head);
        self.checkpoints.retain(|(at, _)| *at <= head);
    }

    /// Brings a policy into force from the head on. Changes that lay ahead of the head are dropped: history forks here.
    fn change_to(&mut self, target: &Policy, what: String, undo: bool) {
        let head = self.head;
        let newest = self.policies.iter().map(|span| span.policy.version).max().unwrap_or(0);
        self.drop_ahead();
        self.policies.retain(|span| span.from < head);
        let policy = Arc::new(Policy { version: newest + 1, ..target.clone() });
        self.policies.push(PolicySpan { from: head, policy: Arc::clone(&policy) });
        // What is to come meets what this policy leaves under way.
        self.log = self.log.met_by(&self.policies, head);
        self.changes.push(Change {
            version: policy.version,
            at: self.clock,
            from: head,
            who: String::new(),
            what: if undo { format!("undo: {what}") } else { what },
        });
        self.engine.apply(Event::PolicyChanged(policy));
    }

    pub(super) fn restart_engine(&mut self) {
        if self.restart_at_floor() {
            return;
        }
        let first = self.policies.first().map_or(&self.log.policy, |span| &span.policy);
        self.engine = Engine::new(Arc::clone(first), Arc::clone(&self.log.prices));
        self.head = 0;
    }

    /// Plays the operation at the head.
    pub(super) fn one(&mut self, with_view: bool) {
        let index = self.head;
        let log = Arc::clone(&self.log);
        let Some(recalled) = log.history.recall(index) else { return };
        let evidence = recalled.evidence();
        if index.is_multiple_of(CHECKPOINT) && self.checkpoints.last().is_none_or(|(at, _)| *at < index) {
            self.checkpoints.push((index, self.engine.clone()));
        }
        self.enter_policy();
        let mut settled = std::mem::take(&mut self.scratch);
        let rests_on = (&log.profiles, &*log.circumstances);
        settle(&mut self.engine, self.reading, rests_on, index as u64, &evidence, &mut settled);
        if with_view {
            self.view.push(&log, self.engine.policy(), &evidence, &settled);
        }
        self.scratch = settled;
        self.head = index + 1;
    }

    pub(super) fn forward_engine(&mut self, to: usize) {
        while self.head < to.min(self.log.len()) {
            self.one(false);
        }
    }

    /// Brings into force what was changed exactly here, as it was when the change was made.
    pub(super) fn enter_policy(&mut self) {
        if let Some(span) = self.policies.iter().rev().find(|span| span.from == self.head)
            && span.policy.version > self.engine.policy().version
        {
            let policy = Arc::clone(&span.policy);
            self.engine.apply(Event::PolicyChanged(policy));
        }
    }

    /// Goes to the state in which `to` operations have been played.
    pub(super) fn seek(&mut self, to: usize) {
        let start = self.log.history.start();
        if to < start {
            self.message = Some("older traffic is in the ledger".to_owned());
        }
        let to = to.clamp(start, self.log.len());
        if to < self.head {
            let at = self.checkpoints.partition_point(|(index, _)| *index <= to);
            match at.checked_sub(1).and_then(|at| self.checkpoints.get(at)) {
                Some((index, engine)) => {
                    self.engine = engine.clone();
                    self.head = *index;
                    if self.live.is_some() {
                        // Models may have been named since.
                        self.engine.apply(Event::PricesLoaded(Arc::clone(&self.log.prices)));
                    }
                }
                None => self.restart_engine(),
            }
        }
        // Before the first operation the clock stands at the log's start.
        self.clock = self.log.history.at(to.saturating_sub(1).max(start)).unwrap_or(self.clock);
        self.beside_budgets(to, |player| {
            player.forward_engine(to);
            player.enter_policy();
            player.slide();
        });
        if to == self.log.len() {
            if self.play == Play::Playing {
                self.play = Play::Ended;
            }
        } else if self.play == Play::Ended {
            self.play = Play::Paused;
        }
    }

    fn seek_time(&mut self, to: Instant) {
        let Some((first, last)) = self.log.bounds() else { return };
        let older = to < first && self.log.history.start() > 0;
        let asked = to;
        let to = Instant(to.0.clamp(first.0, last.0));
        self.seek(self.log.history.first_at(Instant(to.0 + 1)));
        self.clock = to;
        self.slide();
        if older {
            self.message = Some("older traffic is in the ledger".to_owned());
        } else if asked < first {
            self.message = Some(format!("the log begins at {} {}", first.date(), first.clock()));
        } else if asked > last && self.live.is_none() {
            self.message = Some(format!("the log ends at {} {}", last.date(), last.clock()));
        }
    }

    fn window_start(&self) -> usize {
        self.window.map_or(self.log.history.start(), |span| {
            self.log.history.first_at(Instant((self.clock - span).0 + 1)).min(self.head)
        })
    }

    /// Moves the window to the head.
    pub(super) fn slide(&mut self) {
        let first = self.window_start();
        if self.view.range() != (first, self.head) {
            let log = Arc::clone(&self.log);
            self.view.move_to(&log, first, self.head, self.reading, &self.policies);
        }
    }

    /// Starts the window anew: another length or reading.
    pub(super) fn rebuild(&mut self) {
        self.view = View::new(self.window_start(), trend_slot(&self.log, self.window));
        self.slide();
    }

    /// Lets wall time pass; plays at most `budget` operations. Says whether anything changed.
    pub fn advance(&mut self, wall: Duration, budget: usize) -> bool {
        if self.play != Play::Playing {
            return false;
        }
        (self.message, self.is_done) = (None, false);
        let mut left = budget;
        let target = match self.speed {
            Speed::Max => Instant(i64::MAX),
            Speed::Tenths(tenths) => {
                let micros =
                    i64::try_from(wall.as_micros()).unwrap_or(i64::MAX).saturating_mul(i64::from(tenths))
                        / 10;
                self.clock + Span(micros)
            }
        };
        let end = self.looped.map_or(self.log.len(), |(_, end)| end);
        while left > 0 && self.head < end {
            let Some(next) = self.log.history.at(self.head) else { break };
            if next > target {
                break;
            }
            self.one(true);
            self.clock = self.clock.max(next);
            left -= 1;
        }
        if left > 0 && self.speed != Speed::Max {
            // Everything due has been played: the clock runs on, and a long silence is skipped.
            self.clock = self.clock.max(target);
            if let Some(next) = self.log.history.at(self.head)
                && let Speed::Tenths(tenths) = self.speed
            {
                let silence = Span(i64::try_from(SILENCE.as_micros()).unwrap_or(0) * i64::from(tenths) / 10);
                if next - self.clock > silence {
                    self.message = Some(format!("skipped {} of silence", next - self.clock));
                    self.clock = next - Span::secs(1);
                }
            }
        }
        if self.head >= end {
            if let Some((start, _)) = self.looped {
                self.seek(start);
            } else if self.live.is_some() {
                self.follow();
            } else {
                self.play = Play::Ended;
                if let Some((_, last)) = self.log.bounds() {
                    self.clock = last;
                }
            }
        }
        self.slide_tail();
        true
    }

    /// Takes away at the tail of the window what the clock has passed.
    pub(super) fn slide_tail(&mut self) {
        let first = self.window_start();
        if self.view.range().0 < first {
            let log = Arc::clone(&self.log);
            self.view.drop_before(&log, first, self.reading, &self.policies);
        }
    }
}
