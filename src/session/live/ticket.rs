//! What goes into a live session and comes out of it: a request that arrives, where it goes, a call that ended, what follows.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::budget::Over;
use crate::checks::{Checks, Verdict};
use crate::classifier::{Measures, TaskClass};
use crate::outcome::Operation;
use crate::pricing::{Cost, Terms, Usage};
use crate::prompt_cache::Tie;
use crate::record::WriteTtl;
use crate::routing::{
    AskId, AtMost, Bar, Check, ConfidenceSource, Decision, Effort, Needs, Parameters, Policy, Status, Step,
    StreamLimits,
};
use crate::runaway::{Call, Stop, Trip, Whose};
use crate::units::{Instant, PerMille};

/// A request that arrives. Text is shared, not copied.
#[derive(Clone, Debug, Default)]
pub struct Arriving<'a> {
    /// The operation's id.
    pub id: Arc<str>,
    /// Tags; empty where not named.
    pub team: Arc<str>,
    /// The project.
    pub project: Arc<str>,
    /// The end user.
    pub user: Arc<str>,
    /// The session.
    pub session: Arc<str>,
    /// Its tags, as [`crate::units::tag_set`] puts them together; empty where it has none.
    pub tags: Arc<str>,
    /// The model or alias asked for.
    pub asked: Arc<str>,
    /// Whether that is a concrete model.
    pub pinned: bool,
    /// What the classifier reads; empty for none.
    pub prompt: Cow<'a, str>,
    /// What is known besides.
    pub measures: Measures,
    /// The client's own score, or what a second stage says, which then stands in place of the classifier's.
    pub confidence: Option<PerMille>,
    /// What the classifier had said, where a second stage was asked.
    pub before: Option<PerMille>,
    /// Hashes of the prompt's beginnings.
    pub prefix: Arc<[u64]>,
    /// What it asks of whoever serves it.
    pub wants: Wants,
    /// The tool call that it follows, where anybody compares them.
    pub call: Option<Call>,
    /// The ask that it is or goes on with, where it brings tools.
    pub ask: AskId,
    /// Whether it hands in what tools returned.
    pub after_tools: bool,
    /// The model that gave the answer on which it goes on, where that is all that is known of its ask.
    pub goes_on: Option<Arc<str>>,
    /// Hashes of the prompt's beginnings with the tokens of each, where anybody minds caches.
    pub beginnings: Arc<[(u64, u32)]>,
    /// Why its session cannot change its model.
    pub tie: Option<Tie>,
    /// Accounts of providers that cannot be called, as numbers.
    pub blocked: Arc<[u32]>,
}

/// What a request asks of whoever serves it.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// Whether a picture is part of it.
    pub vision: bool,
    /// The most tokens that the client wants as an answer.
    pub max_output: Option<u64>,
    /// Labels that whoever sent it requires.
    pub require: Arc<[Arc<str>]>,
    /// The key that it came with.
    pub key: Arc<str>,
    /// The most tokens that a call can be billed for; nothing where no budget is in force.
    pub at_most: AtMost,
    /// Where an answer whose length the client leaves open is cut, so that there is a most.
    pub cap: Option<u32>,
    /// Models that cannot be asked in the form of the request.
    pub unreached: Arc<[Arc<str>]>,
}

/// Why no model may serve a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// In words.
    pub why: String,
    /// The limit without room for it, where that is why.
    pub over: Option<Over>,
    /// What stops whoever sent it, where that is why.
    pub stop: Option<Arc<Stop>>,
}

/// Where a request goes, and why.
#[derive(Clone, Debug)]
pub struct Placed {
    /// Its key, and its place in the order of arrival.
    pub seq: u64,
    /// When it arrived.
    pub at: Instant,
    /// The kind of work.
    pub class: TaskClass,
    /// The confidence.
    pub confidence: Option<PerMille>,
    /// Where that comes from.
    pub source: ConfidenceSource,
    /// The route that took it.
    pub route: Arc<str>,
    /// The rungs of its ladder that confidences lead to, the last aside.
    pub cheaper: Range<usize>,
    /// The policy's version.
    pub policy_version: u32,
    /// Why it starts where it does, in plain letters.
    pub reason: String,
    /// The call to make; where no model may serve the request, why.
    pub send: Result<Dispatch, Box<Refusal>>,
    /// The rules against runaways that tripped with it.
    pub trips: SmallVec<[Arc<Trip>; 1]>,
    /// Where a route only observes: the rung that its ladder would have started on.
    pub would: Option<Arc<str>>,
    /// The account where its session is, as a number; 0 where that is nowhere, or its provider has but one.
    pub account: u32,
    /// What goes back with each call of the operation that ends.
    pub ticket: Ticket,
}

impl Placed {
    /// Says whether no model serves it because those that might have as many calls in flight as they may have.
    pub fn is_crowded_out(&self) -> bool {
        let is_full = |step: &Step| matches!(step, Step::Barred { why: Bar::Full, .. });
        self.send.is_err() && self.ticket.decision.trail.iter().any(is_full)
    }
}

/// What the line of an operation needs, and its place in the engine. Whoever serves the operation holds it.
#[derive(Clone, Debug)]
pub struct Ticket {
    pub(super) seq: u64,
    pub(super) operation: Operation,
    pub(super) policy: Arc<Policy>,
    pub(super) decision: Decision,
    pub(super) said: Said,
    pub(super) needs: Needs,
    /// Where answers are cut, whatever their rung says.
    pub(super) cap: Option<u32>,
    /// Whether a hard limit is about it.
    pub(super) is_hard: bool,
    /// Models that could not be called when it arrived, and those that were full, as a log writes them.
    pub(super) down: Vec<Arc<str>>,
    /// Whether any came after its arrival.
    pub(super) more_down: bool,
    /// Whether all providers are simulated.
    pub(super) is_trial: bool,
    pub(super) calls: Vec<(Called, Cost)>,
}

impl Ticket {
    /// Returns where answers are cut whose length the client leaves open, the most that it wants, and whether a tier without a price is
    /// not asked for.
    pub(super) fn limits(&self) -> (Option<u32>, u32, bool) {
        (self.cap, self.needs.output, self.is_hard && self.needs.at_most.dearer_tier)
    }

    /// Says whether a hard limit is about it.
    pub fn is_hard(&self) -> bool {
        self.is_hard
    }

    /// Says whether a hard limit is about it and nobody asks for a tier: what is held for it is the ordinary one's price.
    pub fn is_held_plainly(&self) -> bool {
        self.is_hard && !self.needs.at_most.any_tier
    }

    /// Returns the ask that it is or goes on with.
    pub fn ask(&self) -> AskId {
        self.operation.ask
    }

    /// Returns the session that it belongs to; empty where none is told.
    pub fn session(&self) -> &str {
        &self.said.whose.session
    }

    /// Says whose request it is.
    pub fn whose(&self) -> Whose {
        self.said.whose.clone()
    }

    /// Says whether its key or its route lets only models with certain labels have it.
    pub fn is_reserved(&self) -> bool {
        !self.said.require.is_empty() || !self.policy.route(self.decision.route).require.is_empty()
    }

    /// Returns what could not be called for it, where more was than at its arrival.
    pub fn down_since(&self) -> Option<Arc<[Arc<str>]>> {
        self.more_down.then(|| self.down.as_slice().into())
    }
}

/// What the client said.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) id: Arc<str>,
    pub(super) whose: Whose,
    pub(super) asked: Arc<str>,
    pub(super) measures: Measures,
    pub(super) prefix: Arc<[u64]>,
    pub(super) require: Arc<[Arc<str>]>,
}

/// A call to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// The rung; `None` where the client pinned its model.
    pub rung: Option<u8>,
    /// The rung's name; the model's where pinned.
    pub name: Arc<str>,
    /// The model.
    pub model: Arc<str>,
    /// Whether nothing comes after it, however it ends.
    pub last: bool,
    /// Whether nothing is above it, so that no check of its answer changes anything.
    pub top: bool,
    /// How slow a stream may be.
    pub limits: StreamLimits,
    /// What is written into the request.
    pub with: Parameters,
    /// What is checked of the answer.
    pub checks: Option<Arc<Checks>>,
}

impl Dispatch {
    /// No call at all.
    pub fn nowhere() -> Self {
        let (name, model) = (Arc::default(), Arc::default());
        let (limits, with) = (StreamLimits::default(), Parameters::NONE);
        Self { rung: None, name, model, last: true, top: true, limits, with, checks: None }
    }
}

/// A call that ended.
#[derive(Clone, Debug, Default)]
pub struct Called {
    /// The model called.
    pub model: Arc<str>,
    /// The model billed, where its price is another.
    pub billed: Option<Arc<str>>,
    /// Who served.
    pub provider: Arc<str>,
    /// Tokens.
    pub usage: Usage,
    /// How sure the lifetime of cache writes is.
    pub write_ttl: WriteTtl,
    /// Whether tokens were estimated.
    pub estimated: bool,
    /// How it ended.
    pub status: Status,
    /// What a check said.
    pub check: Check,
    /// What each check of its route said.
    pub verdicts: Vec<Verdict>,
    /// For how long they looked, which is no time of the model's.
    pub checking: Duration,
    /// The error, in few words; empty for none.
    pub error: String,
    /// From the request's arrival to the start of the call, in microseconds.
    pub began_us: u64,
    /// To the last byte; none where it was not made.
    pub latency_ms: Option<u32>,
    /// To the first byte.
    pub ttft_ms: Option<u32>,
    /// The service tier that served, and what is billed besides tokens.
    pub terms: Terms,
    /// Parameters of the request that were left out for this model.
    pub left_out: Vec<Arc<str>>,
    /// The longest silence within a stream after its first byte.
    pub gap_ms: Option<u32>,
    /// How hard its rung told it to think.
    pub effort: Option<Effort>,
    /// Whether anything about it was synthetic.
    pub simulated: bool,
}

/// What follows a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Follow {
    /// The same model once more.
    Again,
    /// Up the ladder, and why.
    Escalate(Dispatch, &'static str),
    /// The operation is over.
    Answer {
        /// What all its calls cost.
        cost: Cost,
    },
}
