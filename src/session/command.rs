//! What a reader asks of the session.

use std::sync::Arc;

use super::snapshot::Reading;
use super::{Aim, AimBounds, BranchPlan, LimitAim, Question, Speed};
use crate::rollout::Order;
use crate::routing::{Policy, RouteId};
use crate::runaway::Whom;
use crate::units::{Instant, PerMille, Span};

/// What a reader asks of the session.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Play or pause.
    Toggle,
    /// Play.
    Play,
    /// Go forward or back by operations; pauses.
    Step(i64),
    /// Go to an operation.
    SeekEvent(usize),
    /// Go to a moment.
    SeekTime(Instant),
    /// Go forward or back by time.
    SeekBy(Span),
    /// Go to a share of the log's time.
    SeekShare(PerMille),
    /// Set the speed.
    SetSpeed(Speed),
    /// Half or double the speed.
    Faster(bool),
    /// Choose the window.
    Window(Option<Span>),
    /// Choose the reading.
    Read(Reading),
    /// Say which threshold the person is looking at.
    Focus(RouteId, usize),
    /// Try a policy, or drop the one tried.
    Stage(Option<Arc<Policy>>),
    /// Move a threshold of the staged policy by so many per mille, as far as its neighbours let it.
    Nudge(RouteId, usize, i32),
    /// Set a threshold of the staged policy, as near as its neighbours let it.
    SetThreshold(RouteId, usize, PerMille),
    /// Stage the best thresholds for a cost or a quality, where so said within their certificates.
    Aim(Aim, AimBounds),
    /// Try another amount of a budget's limit.
    TryLimit(LimitAim),
    /// Stage that a route which observes routes; again, that it goes on observing.
    TurnOn(RouteId),
    /// Try the second classifier, or drop it.
    StageClassifier,
    /// Bring the staged policy into force from the head on.
    Apply,
    /// Take the last change back, from the head on.
    Undo,
    /// Set or clear a mark at the head.
    Mark,
    /// Go to the next or previous mark.
    NextMark(bool),
    /// Go to the next or previous failed operation.
    NextError(bool),
    /// Set the loop's start, then its end, then clear it.
    Loop,
    /// Go to the end; in live traffic, keep to it.
    Follow,
    /// Take note of an alert, or have nobody told for a while.
    Alert(AlertDeed),
    /// Send a prompt to the live session.
    Ask(Box<Question>),
    /// Stop someone in the live session, or let him go.
    Switch(Whom, bool),
    /// Hold a rollout of the live session, let it go on, skip what it waits for, or take it back; and why, in an operator's words.
    Rollout(Arc<str>, Order, String),
    /// Begin a rollout in the live session.
    StartRollout {
        /// Its name.
        name: Arc<str>,
        /// The file with its plan, as it was written.
        plan: Arc<str>,
    },
    /// Bring the thresholds into force that steering proposes for a limit.
    AcceptSteering(Arc<str>),
    /// Run the log from the head on in another world, branch by branch.
    Branch(Arc<BranchPlan>),
    /// Stop that, or forget what came of it.
    DropBranches,
    /// Have the live session finish what is in flight and take no new requests.
    Drain,
}

/// What an operator does about an alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertDeed {
    /// Takes note of the one with this id.
    Ack(String),
    /// Has nobody told of a rule and scope for so long.
    Silence {
        /// The rule.
        rule: Arc<str>,
        /// The scope.
        scope: Arc<str>,
        /// For how long.
        span: Span,
    },
}

impl Command {
    /// Says whether it takes the view to another moment.
    pub(super) fn moves(&self) -> bool {
        matches!(
            self,
            Self::Step(_)
                | Self::SeekEvent(_)
                | Self::SeekTime(_)
                | Self::SeekBy(_)
                | Self::SeekShare(_)
                | Self::NextMark(_)
                | Self::NextError(_)
        )
    }
}
