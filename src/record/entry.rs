//! What one log entry says, whatever format it was written in. Text is borrowed from the line where possible.

use std::borrow::Cow;

use super::Attempts;
use crate::classifier::{Saw, TaskClass};
use crate::pricing::{Charged, PriceRow};
use crate::routing::{Policy, PolicyError, PolicySpec};
use crate::units::{Instant, Names, PerMille, SHADOW};

/// How a call beside the traffic says, among what could not be called, that a request was classified by it a second time.
pub const SECOND_STAGE: &str = "beside:second-stage";

/// One entry of a log.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "requests are nearly all entries, and boxing each would cost an allocation"
)]
pub enum Entry<'a> {
    /// A request and what became of it.
    Request(Record<'a>),
    /// A price changed.
    Price(Box<PriceChange<'a>>),
    /// Another policy came into force.
    Policy(Box<PolicyChange<'a>>),
    /// A provider said that a model cannot be called, or can again.
    Signal(Signal<'a>),
    /// An answer was judged after its request had been told.
    Label(Box<LateLabel<'a>>),
    /// What a call was charged was set right after its request had been told.
    Correction(Box<Correction<'a>>),
    /// Something a reader of the log should know at that moment.
    Note {
        /// When.
        at: Instant,
        /// What happened, in one line.
        text: Cow<'a, str>,
        /// Whether it was synthetic for a demonstration.
        simulated: bool,
    },
}

impl Entry<'_> {
    /// Returns its moment.
    pub fn at(&self) -> Instant {
        match self {
            Self::Request(record) => record.at,
            Self::Price(change) => change.row.from.unwrap_or_default(),
            Self::Policy(change) => change.at,
            Self::Note { at, .. } | Self::Signal(Signal { at, .. }) => *at,
            Self::Label(late) => late.at,
            Self::Correction(correction) => correction.at,
        }
    }
}

/// What became known of an answer after its request had been told.
#[derive(Clone, Debug, PartialEq)]
pub struct LateLabel<'a> {
    /// When.
    pub at: Instant,
    /// The request's id.
    pub id: Cow<'a, str>,
    /// What is known.
    pub label: Label<'a>,
}

/// What a call was charged, set right after its request had been told.
#[derive(Clone, Debug, PartialEq)]
pub struct Correction<'a> {
    /// When.
    pub at: Instant,
    /// The request's id.
    pub id: Cow<'a, str>,
    /// Which of its calls, from 1; `None` is the last one.
    pub call: Option<u32>,
    /// What was charged in truth.
    pub charged: Charged,
    /// Who or what says so (a bill); empty where not told.
    pub source: Cow<'a, str>,
}

/// Where an entry's moment comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Timing {
    /// The log tells it.
    #[default]
    Told,
    /// The log tells how long after its start: distances are true, the date is synthetic.
    Offset,
    /// The log tells none: the moment only keeps the order, and no rate can be made of it.
    Placed,
}

impl Timing {
    /// Returns the word for it in our format; none for what is told.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Told => "",
            Self::Offset => "offset",
            Self::Placed => "placed",
        }
    }

    /// Reads that word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Told, Self::Offset, Self::Placed].into_iter().find(|timing| timing.word() == word)
    }

    /// Says what that means for whoever reads figures made of so many requests, and of how many of them it is true.
    pub fn remark(self, undated: u64, all: u64) -> Option<String> {
        let of = if undated < all { format!("{undated} of {all} requests: ") } else { String::new() };
        match self {
            Self::Told => None,
            Self::Offset => Some(format!(
                "{of}the log counts time from its own start, which is put at 2026-01-01: the dates are synthetic"
            )),
            Self::Placed => Some(format!(
                "{of}the log tells no times: its entries are placed from 2026-01-01 on, in order, and nothing is said per hour or month"
            )),
        }
    }
}

/// What a provider said of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal<'a> {
    /// When.
    pub at: Instant,
    /// The model.
    pub model: Cow<'a, str>,
    /// Until when it cannot be called; `None` where it can.
    pub until: Option<Instant>,
    /// Why, in one word: `breaker`, `quota`.
    pub why: Cow<'a, str>,
}

/// One client request (an operation) with all its attempts.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Record<'a> {
    /// The operation's id; empty where the log has none (whoever reads it then names it by line number).
    pub id: Cow<'a, str>,
    /// When the request arrived.
    pub at: Instant,
    /// Where that moment comes from.
    pub timing: Timing,
    /// The team that pays; empty where not named. The same holds for the tags that follow.
    pub team: Cow<'a, str>,
    /// The project.
    pub project: Cow<'a, str>,
    /// The user, end user or key alias.
    pub user: Cow<'a, str>,
    /// The virtual key it came with.
    pub key: Cow<'a, str>,
    /// The session or conversation.
    pub session: Cow<'a, str>,
    /// The model or alias that the client asked for, where the log tells it apart from the one that served.
    pub asked: Cow<'a, str>,
    /// Whether the client named this very model, so that no ladder applied.
    pub pinned: bool,
    /// The kind of work, where the log says.
    pub task: Option<TaskClass>,
    /// The confidence that a classifier gave at that time, where the log says.
    pub confidence: Option<PerMille>,
    /// Whether a classifier looked and found no signal; a reader then does not ask another one.
    pub unsure: bool,
    /// What that classifier saw, where the log says.
    pub saw: Saw,
    /// The turn within the session, from 0.
    pub turn: Option<u32>,
    /// How many tools were offered.
    pub tools: Option<u32>,
    /// Tokens of earlier turns in the prompt.
    pub history: Option<u32>,
    /// The last user message, where the log has text.
    pub prompt: Option<Cow<'a, str>>,
    /// Its place in the order of arrival at its gateway, where the log says.
    pub seq: Option<u64>,
    /// The version of the policy that decided it, where the log says.
    pub policy: Option<u32>,
    /// The chance with which its decision came out as it did, in thousandths, where the log says: 1000 where nothing was drawn.
    pub propensity: Option<PerMille>,
    /// What it asked of whoever was to serve it, and how things stood, where the log says.
    pub needs: RecordedNeeds<'a>,
    /// Hashes of the prompt's blocks, first block first, where the log has them.
    pub prefix: Vec<u64>,
    /// Attempts in order; the last one is the one that served the client. Empty: nothing known of the outcome.
    pub attempts: Attempts<'a>,
    /// What is known of other models' answers to the same request.
    pub labels: Vec<Label<'a>>,
    /// The cost that the log itself claims, in dollars as written; shown beside ours, never used.
    pub claimed_usd: Option<Cow<'a, str>>,
    /// Names the synthetic circumstance where (part of) the entry was simulated; empty for real traffic.
    pub simulated: Cow<'a, str>,
}

/// What a request asked of whoever was to serve it, and how things stood when it arrived.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct RecordedNeeds<'a> {
    /// The tokens that its prompt was taken for.
    pub window: Option<u32>,
    /// The most tokens that it wanted as an answer.
    pub output: Option<u32>,
    /// Whether a picture was part of it.
    pub vision: bool,
    /// Labels that whoever sent it requires.
    pub require: Vec<Cow<'a, str>>,
    /// Models that could not be called.
    pub down: Vec<Cow<'a, str>>,
}

/// What is known of a model's answer to a request, whether or not it served.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Label<'a> {
    /// The model.
    pub model: Cow<'a, str>,
    /// How good the answer was, 0 to 1000.
    pub quality: Option<PerMille>,
    /// The tokens it took, where the answer was really made (a shadow call).
    pub output: Option<u64>,
    /// Who or what judged; empty where not told.
    pub source: Cow<'a, str>,
}

/// A policy that comes into force within a log: requests that arrive at its moment or later are decided by it.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct PolicyChange<'a> {
    /// Its version.
    pub version: u32,
    /// When it came into force.
    pub at: Instant,
    /// Who brought it into force; empty where not told.
    pub who: Cow<'a, str>,
    /// What it changed, in one line.
    pub what: Cow<'a, str>,
    /// Whether it took the change before it back.
    pub undo: bool,
    /// What else decided and priced requests from then on, where a gateway tells.
    pub under: Under<'a>,
    /// The policy.
    pub spec: PolicySpec,
}

/// What decides and prices the requests of a gateway besides its policy; empty where not told.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Under<'a> {
    /// The gateway, as its ledger names it.
    pub gateway: Cow<'a, str>,
    /// The classifier's name and the start of its hash.
    pub classifier: Cow<'a, str>,
    /// The price book's name and date.
    pub prices: Cow<'a, str>,
}

impl Correction<'_> {
    /// Copies what it borrows.
    pub fn into_owned(self) -> Correction<'static> {
        let (id, source) = (self.id.into_owned().into(), self.source.into_owned().into());
        Correction { at: self.at, id, call: self.call, charged: self.charged, source }
    }
}

impl Record<'_> {
    /// Says whether it is a call that a gateway made beside its traffic: on the books, but no figure of its users.
    pub fn is_beside(&self) -> bool {
        self.key == SHADOW
    }

    /// Says whether it is one by which a request was classified a second time.
    pub fn is_second_stage(&self) -> bool {
        self.is_beside() && self.needs.down.iter().any(|word| *word == *SECOND_STAGE)
    }

    /// Sets right what one of its calls was charged, counted from 1; the last one where none is named. Says whether it has that call.
    pub(crate) fn correct(&mut self, call: Option<u32>, charged: Charged) -> bool {
        let call = match call {
            Some(call) => self.attempts.get_mut((call as usize).wrapping_sub(1)),
            None => self.attempts.last_mut(),
        };
        call.map(|call| call.charged = charged).is_some()
    }
}

impl PolicyChange<'_> {
    /// Builds the policy.
    ///
    /// # Errors
    /// The first thing wrong with it, with its field.
    pub fn compile(&self, names: &mut Names) -> Result<Policy, PolicyError> {
        let judged_by = Some(&*self.under.classifier).filter(|tag| !tag.is_empty()).map(Into::into);
        Ok(Policy { judged_by, ..Policy::compile(&self.spec, self.version, names)? })
    }
}

/// A dated price that takes effect within a log.
#[derive(Clone, Debug, PartialEq)]
pub struct PriceChange<'a> {
    /// The model.
    pub model: Cow<'a, str>,
    /// The new row; its `from` is the moment of the change.
    pub row: PriceRow,
    /// Whether it was synthetic for a demonstration.
    pub simulated: bool,
}
