//! What is recorded: plain owned values, one for each thing that happened to an operation or to the program.

use std::sync::Arc;

use super::{Alerting, Price};
use crate::checks::Verdict;
use crate::classifier::TaskClass;
use crate::pricing::{Cost, Terms, Usage};
use crate::routing::{Check, Effort, Status};
use crate::units::{Count, Instant, PerMille};

/// Text that many entries share: team names, models, routes.
pub type Text = Arc<str>;

/// Something to be written down. Entries of one operation carry its `seq`, which [`super::Recovery::next_seq`] starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// A request arrived and was decided.
    Opened(Box<Opened>),
    /// A call to a model begins.
    AttemptStarted(Box<AttemptStarted>),
    /// A stream has come this far; what a crash would otherwise forget.
    Progress {
        /// The operation.
        seq: u64,
        /// The attempt, from 0.
        n: u32,
        /// Answer tokens delivered so far.
        delivered: u64,
    },
    /// Something synthetic had a part in it, which was not known when it arrived.
    Simulated {
        /// The operation.
        seq: u64,
        /// What is synthetic.
        what: Text,
    },
    /// A call ended and was charged.
    AttemptEnded(Box<AttemptEnded>),
    /// The client has its answer, and nothing more will follow.
    Closed(Closed),
    /// A policy came into force.
    Policy(Box<PolicyVersion>),
    /// Someone changed something.
    Audit(Box<Audit>),
    /// Someone judged an answer.
    Label(Box<Label>),
    /// A charge was set right.
    Correction(Box<Correction>),
    /// A provider signalled something of a model.
    Signal(Box<Signal>),
    /// Something worth knowing later.
    Note(Box<Note>),
    /// A prompt or an answer, where a route keeps them.
    Prompt(Box<Prompt>),
    /// A provider keeps an answer under an id.
    Kept(Box<Kept>),
    /// Something happened to an alert.
    Alerting(Box<Alerting>),
}

/// A request that arrived.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opened {
    /// Its place in the order of arrival.
    pub seq: u64,
    /// The id that the client sees.
    pub id: Text,
    /// When it arrived.
    pub at: Instant,
    /// The team that pays; empty where not named. The same holds for the tags that follow.
    pub team: Text,
    /// The project.
    pub project: Text,
    /// The end user.
    pub user: Text,
    /// The session.
    pub session: Text,
    /// The name of the virtual key, never the key.
    pub key: Text,
    /// The model or alias that the client asked for.
    pub asked: Text,
    /// Whether that was a concrete model.
    pub pinned: bool,
    /// The kind of work.
    pub task: Option<TaskClass>,
    /// The confidence; `None` for no signal.
    pub confidence: Option<PerMille>,
    /// Where the confidence comes from.
    pub classified: Text,
    /// The turn within the session, from 0.
    pub turn: Option<u32>,
    /// Tools offered.
    pub tools: Option<u32>,
    /// Tokens of earlier turns.
    pub history: Option<u32>,
    /// A hash of the prompt.
    pub prompt_hash: Option<[u8; 32]>,
    /// Hashes of the prompt's beginnings.
    pub prefix: Arc<[u64]>,
    /// The prompt's length in bytes.
    pub prompt_bytes: u64,
    /// The route that took it.
    pub route: Text,
    /// The rung it starts on; `None` where the client pinned its model.
    pub rung: Option<u8>,
    /// The policy in force.
    pub policy_version: u32,
    /// Why it went there, in one line.
    pub reason: Text,
    /// What about it is synthetic; empty for real traffic.
    pub simulated: Text,
    /// The tokens that its prompt was taken for.
    pub window: Option<u32>,
    /// The most tokens that it wanted as an answer.
    pub max_output: Option<u32>,
    /// Whether a picture was part of it.
    pub vision: bool,
    /// Labels that whoever sent it requires.
    pub require: Arc<[Text]>,
    /// Models that could not be called.
    pub down: Vec<Text>,
}

/// A call that begins. What a crash would charge stands here: the estimated prompt at its price.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptStarted {
    /// The operation.
    pub seq: u64,
    /// Which of its attempts, from 0.
    pub n: u32,
    /// When.
    pub at: Instant,
    /// The model as the policy or the client names it.
    pub asked: Text,
    /// The model that will be billed, as far as known now.
    pub model: Text,
    /// Its provider.
    pub provider: Text,
    /// The rung; `None` where pinned.
    pub rung: Option<u8>,
    /// How hard its rung tells it to think.
    pub effort: Option<Effort>,
    /// An estimate of the prompt's tokens.
    pub prompt_tokens: Count,
    /// The price in force when the request arrived.
    pub price: Option<Arc<Price>>,
    /// What it would be billed by, should nobody hear of its end.
    pub terms: Terms,
}

/// A call that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptEnded {
    /// The operation.
    pub seq: u64,
    /// Which of its attempts.
    pub n: u32,
    /// The model that was billed, where the answer names another; empty: the one of the start.
    pub model: Text,
    /// Tokens in disjoint buckets.
    pub usage: Usage,
    /// Whether they are (partly) estimated, which makes the cost an estimate.
    pub estimated: bool,
    /// What it costs, as charged.
    pub cost: Cost,
    /// The price it was charged at; `None` where the book has none.
    pub price: Option<Arc<Price>>,
    /// How it ended.
    pub status: Status,
    /// What a check of the answer said.
    pub check: Check,
    /// What each check of its route said.
    pub verdicts: Vec<Verdict>,
    /// The HTTP status or error class; empty where none.
    pub error: Text,
    /// To the last byte.
    pub latency_ms: Option<u32>,
    /// To the first byte.
    pub ttft_ms: Option<u32>,
    /// The service tier that served, and what is billed besides tokens.
    pub terms: Terms,
    /// Parameters of the request that were left out for this model.
    pub left_out: Vec<Text>,
    /// The longest silence within a stream after its first byte.
    pub gap_ms: Option<u32>,
    /// How hard its rung told it to think; none where the request went as it was.
    pub effort: Option<Effort>,
}

/// An operation that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// The operation.
    pub seq: u64,
    /// How it ended for the client.
    pub status: Status,
    /// When.
    pub at: Instant,
    /// What could not be called for it, where more was than at its arrival.
    pub down: Option<Arc<[Arc<str>]>>,
}

/// A policy that came into force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Its version; each is higher than the one before.
    pub version: u32,
    /// When.
    pub at: Instant,
    /// The first operation decided under it.
    pub from_seq: u64,
    /// Who put it in force.
    pub who: Text,
    /// What changed, in one line.
    pub what: Text,
    /// Whether it took the change before it back.
    pub undo: bool,
    /// The policy as TOML.
    pub text: Text,
}

/// A change that someone made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// When.
    pub at: Instant,
    /// Who: a key's name, the console, the program.
    pub who: Text,
    /// What was done.
    pub what: Text,
    /// The value before.
    pub before: Text,
    /// The value after.
    pub after: Text,
}

/// A judgement of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The operation.
    pub seq: u64,
    /// The model whose answer was judged.
    pub model: Text,
    /// How good it was.
    pub quality: Option<PerMille>,
    /// The tokens it took, where another model was asked besides.
    pub output: Option<u64>,
    /// Who judged: feedback, check, judge.
    pub source: Text,
    /// When.
    pub at: Instant,
}

/// A charge set right after its request had been recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The operation.
    pub seq: u64,
    /// Which of its calls, from 0; `None` is the last one.
    pub n: Option<u32>,
    /// What it cost in truth.
    pub cost: Cost,
    /// Who or what says so: a bill.
    pub source: Text,
    /// When.
    pub at: Instant,
}

/// What a provider signalled of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// When.
    pub at: Instant,
    /// The model.
    pub model: Text,
    /// The moment before which it cannot be called; `None`: it can again.
    pub until: Option<Instant>,
    /// Why.
    pub why: Text,
}

/// Something worth knowing later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When.
    pub at: Instant,
    /// In one line.
    pub text: Text,
    /// Whether it is synthetic.
    pub simulated: bool,
}

/// A prompt or an answer that a route keeps for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The operation.
    pub seq: u64,
    /// Which of the two: `prompt` or `answer`.
    pub kind: Text,
    /// The text.
    pub body: Text,
    /// When it is deleted.
    pub expires_at: Instant,
}

/// An answer that a provider keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its id, by which the provider knows it.
    pub id: Text,
    /// The provider; `None` where it turned out that none keeps it.
    pub provider: Option<Text>,
    /// The model that gave it.
    pub model: Text,
    /// The team that paid; empty for none.
    pub team: Text,
    /// The name of the key.
    pub key: Text,
    /// When it was given.
    pub at: Instant,
}

/// How far the numbers of a run lie from those in the file: it began before anybody could read them there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shift {
    pub(super) operations: u64,
    pub(super) policies: u32,
}

impl Entry {
    /// Counts the bytes it holds, roughly: its text where that may be long, and what an entry takes besides.
    pub(super) fn bytes(&self) -> usize {
        let text = match self {
            Self::AttemptEnded(entry) => entry.error.len(),
            Self::Prompt(entry) => entry.body.len(),
            Self::Policy(entry) => entry.text.len(),
            Self::Note(entry) => entry.text.len(),
            Self::Alerting(_) => 1024,
            _ => 0,
        };
        text.saturating_add(640)
    }

    /// Moves it to its place behind what the file holds.
    pub(super) fn shift(&mut self, by: Shift) {
        match self {
            Self::Opened(entry) => entry.policy_version = entry.policy_version.saturating_add(by.policies),
            Self::Policy(entry) => {
                entry.from_seq = entry.from_seq.wrapping_add(by.operations);
                entry.version = entry.version.saturating_add(by.policies);
            }
            _ => {}
        }
        if let Some(seq) = self.seq() {
            *seq = seq.wrapping_add(by.operations);
        }
    }

    /// Returns the operation it belongs to; `None` for entries of the program.
    pub(super) fn seq(&mut self) -> Option<&mut u64> {
        match self {
            Self::Opened(entry) => Some(&mut entry.seq),
            Self::AttemptStarted(entry) => Some(&mut entry.seq),
            Self::Progress { seq, .. } | Self::Simulated { seq, .. } => Some(seq),
            Self::AttemptEnded(entry) => Some(&mut entry.seq),
            Self::Closed(entry) => Some(&mut entry.seq),
            Self::Label(entry) => Some(&mut entry.seq),
            Self::Correction(entry) => Some(&mut entry.seq),
            Self::Prompt(entry) => Some(&mut entry.seq),
            Self::Policy(_)
            | Self::Audit(_)
            | Self::Note(_)
            | Self::Signal(_)
            | Self::Kept(_)
            | Self::Alerting(_) => None,
        }
    }
}
