//! Branches as they are asked for and as they came out: plain data, for pictures, reports and whoever runs them.

use std::sync::Arc;

use super::paired::Sides;
use super::spending::Budgeted;
use crate::routing::{Policy, PolicySpec};
use crate::runaway::Trip;
use crate::telemetry::Totals;
use crate::units::{Instant, Names};
use crate::world::{Branch, Seen, World};

/// What became of a log in one branch.
#[derive(Clone, Debug)]
pub struct Branched {
    /// All of it.
    pub totals: Totals,
    /// The stretch in which the world was otherwise.
    pub inside: Totals,
    /// Requests that were refused: all of them, and those in that stretch.
    pub refused: (u64, u64),
    /// How budgets stood.
    pub budgets: Budgeted,
    /// What the world did.
    pub seen: Seen,
    /// Rules that tripped.
    pub trips: Vec<Arc<Trip>>,
}

/// How far off the cost of a branch less that of the base may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Apart {
    /// Of all of the log.
    pub whole: Sides,
    /// Of the stretch in which the world was otherwise.
    pub inside: Sides,
}

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

/// One branch.
#[derive(Clone, Debug)]
pub struct BranchRun {
    /// What it is called.
    pub name: String,
    /// The policies that decided, in order.
    pub policies: Vec<Arc<Policy>>,
    /// What became of the log.
    pub found: Branched,
    /// How far off the difference to the base may be.
    pub apart: Apart,
}

/// Why nothing comes of a change of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It begins after the last request.
    Later,
    /// No request asks for its models, and no rung names one.
    Nobody,
}

impl Idle {
    /// Says it in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Later => "begins after the last request, so nothing comes of it",
            Self::Nobody => "no request and no rung has such a model, so nothing comes of it",
        }
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct BranchesFound {
    /// What was asked.
    pub plan: Arc<BranchPlan>,
    /// Branches of the world that this policy has no thresholds for, and why.
    pub untried: Vec<(String, String)>,
    /// The log's name on screen.
    pub title: String,
    /// Requests of the log whose answers were simulated.
    pub simulated: u64,
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
    /// Why nothing comes of a change of the world, one by one in its order.
    pub idle: Vec<Option<Idle>>,
    /// The branches, the log as it was first.
    pub runs: Vec<BranchRun>,
    /// The one that those behind it are set beside: the log as it was or, where limits stand that the world does not bring, under
    /// them, so that a difference is what the world did.
    pub base: usize,
    /// What ids in the sums mean.
    pub names: Names,
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

/// What was asked for and has not begun, and from when on things are to be otherwise.
pub(super) type BranchJob = (Arc<BranchPlan>, Option<Instant>);
