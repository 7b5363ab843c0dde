//! The state machine of one rollout.

use std::sync::Arc;

use super::evidence::judge;
use super::{Arms, Judged, Lack, Plan, Seen, Side};
use crate::units::{Instant, PerMille, named};

/// Answers of this quality or better are acceptable.
const ACCEPTABLE: u16 = 500;

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It goes on by itself.
    Running,
    /// An operator holds it: it goes on at his word, and is taken back all the same where evidence turns.
    Held,
    /// It went through: the route is changed.
    Done,
    /// It was taken back, and why.
    Back(Arc<str>),
}

impl Phase {
    /// Says whether it may still change anything.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Running | Self::Held)
    }

    /// Returns the word for it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Held => "held",
            Self::Done => "done",
            Self::Back(_) => "taken back",
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The next stage begins.
    To(usize),
    /// The route is changed for good.
    Done,
    /// All is as it was.
    Back(Arc<str>),
}

/// What an operator wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// No step by itself.
    Hold,
    /// Steps by itself again.
    Go,
    /// The next stage now, whatever evidence lacks.
    Skip,
    /// All as it was.
    Back,
}

named!(Order { Hold = "hold", Go = "go", Skip = "skip", Back = "back" });

/// One rollout.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Who began it.
    pub who: Arc<str>,
    /// When.
    pub began: Instant,
    /// The stage, from 0.
    pub stage: usize,
    /// Since when it stands there.
    pub since: Instant,
    /// Where it stands.
    pub phase: Phase,
    /// What was seen in this stage.
    pub arms: Arms,
    alarm: bool,
}

impl Rollout {
    /// Begins one in its first stage.
    pub fn new(plan: Arc<Plan>, who: &str, at: Instant) -> Self {
        let (who, phase, arms) = (who.into(), Phase::Running, Arms::default());
        Self { plan, who, began: at, stage: 0, since: at, phase, arms, alarm: false }
    }

    /// Returns the share of sessions that the canary decides.
    pub fn share(&self) -> PerMille {
        self.plan.share(self.stage)
    }

    /// Says whether the canary decides nothing yet: what is told of it is an estimate.
    pub fn is_shadow(&self) -> bool {
        self.share() == PerMille::ZERO
    }

    /// Takes a request of one side that arrived at a moment and is over.
    pub fn take(&mut self, side: Side, arrived: Instant, seen: &Seen) {
        if arrived < self.began || !self.phase.is_open() {
            return;
        }
        match side {
            Side::Base => {
                self.arms.before.take(seen);
                if arrived >= self.since {
                    self.arms.base.take(seen);
                }
            }
            Side::Canary if arrived >= self.since => self.arms.canary.take(seen),
            Side::Canary => {}
        }
    }

    /// Takes a judgement of an answer to a request that arrived at a moment.
    pub fn judge(&mut self, side: Side, arrived: Instant, quality: PerMille) {
        if arrived < self.since || !self.phase.is_open() {
            return;
        }
        let arm = if side == Side::Canary { &mut self.arms.canary } else { &mut self.arms.base };
        arm.judge(quality, Self::acceptable());
    }

    /// Returns the quality from which on an answer is acceptable.
    pub fn acceptable() -> PerMille {
        PerMille::clamped(i64::from(ACCEPTABLE))
    }

    /// Hears whether the quality alarm of the canary fires.
    pub fn hear(&mut self, alarm: bool) {
        self.alarm = alarm;
    }

    /// Says what the evidence of this stage says at a moment.
    pub fn judged(&self, at: Instant) -> Judged {
        if !self.phase.is_open() {
            return Judged::default();
        }
        let mut judged =
            judge((&self.arms, &self.plan.needs), (self.since, at), self.is_shadow(), self.alarm);
        judged.lacks.extend((self.phase == Phase::Held).then_some(Lack::Held));
        judged
    }

    /// Lets time reach a moment: what is to be done now, where anything is.
    pub fn pass(&self, at: Instant) -> Option<Turn> {
        let Judged { lacks, broken } = self.judged(at);
        if let Some(why) = broken {
            return Some(Turn::Back(why.into()));
        }
        (self.phase.is_open() && lacks.is_empty()).then(|| self.next())
    }

    fn next(&self) -> Turn {
        if self.stage + 1 < self.plan.stages.len() { Turn::To(self.stage + 1) } else { Turn::Done }
    }

    /// Takes an operator's order: what is to be done for it, where that is more than to note it.
    ///
    /// # Errors
    /// Where it is over.
    pub fn order(&mut self, order: Order, who: &str, why: &str) -> Result<Option<Turn>, String> {
        if !self.phase.is_open() {
            return Err(format!("rollout {} is {}; start it again", self.plan.name, self.phase.word()));
        }
        Ok(match order {
            Order::Hold => {
                self.phase = Phase::Held;
                None
            }
            Order::Go => {
                self.phase = Phase::Running;
                None
            }
            Order::Skip => Some(self.next()),
            Order::Back => {
                let why = if why.is_empty() { String::new() } else { format!(": {why}") };
                Some(Turn::Back(format!("by {who}{why}").into()))
            }
        })
    }

    /// Notes that something was done at a moment.
    pub fn turned(&mut self, turn: &Turn, at: Instant) {
        match turn {
            Turn::To(stage) => {
                self.stage = *stage;
                self.arms.next_stage();
            }
            Turn::Done => self.phase = Phase::Done,
            Turn::Back(why) => self.phase = Phase::Back(Arc::clone(why)),
        }
        self.since = at;
    }

    /// Says what a turn does, in words for the log.
    pub fn words(&self, turn: &Turn) -> String {
        let Plan { name, route, .. } = &*self.plan;
        match turn {
            Turn::To(stage) => match self.plan.share(*stage).get() {
                0 => format!("rollout {name}: beside the traffic of route {route}"),
                share => format!("rollout {name}: {share}‰ of the sessions of route {route}"),
            },
            Turn::Done => format!("rollout {name}: done, route {route} is changed"),
            Turn::Back(why) => format!("rollout {name}: taken back, {why}"),
        }
    }
}
