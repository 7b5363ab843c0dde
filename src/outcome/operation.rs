//! An operation as memory holds it: fixed size, names as ids, unknown kept apart from zero.

use std::num::{NonZeroU16, NonZeroU64};

use super::label::{self, ModelLabel};
use crate::checks::Verdict;
use crate::classifier::{Saw, TaskClass};
use crate::pricing::{Charged, PriceTable, Terms, Usage};
use crate::routing::{
    AskId, Check, CircumstanceId, ConfidenceSource, Draw, Effort, Follows, Lot, Parameters, Route, Rung,
    Signals, Status,
};
use crate::units::{Instant, KeyId, Millis, ModelId, PerMille, ProjectId, SessionId, TeamId, UserId};

/// One call to a model, as it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Observed {
    /// Tokens in disjoint buckets.
    pub usage: Usage,
    /// From request to last byte.
    pub latency: Millis,
    /// From request to first byte.
    pub ttft: Millis,
    /// Milliseconds between the end of the call before it, or the request's arrival, and its begin, as far as that is told.
    pub waited: u32,
    /// The model called; none where the log names none.
    pub model: ModelId,
    /// The model that the provider says it billed, where its price is another; else none.
    pub billed: ModelId,
    /// How the call ended.
    pub status: Status,
    /// What a check of the answer said.
    pub check: Check,
    /// How hard its rung told it to think; none where the request went as it was.
    pub effort: Option<Effort>,
    /// Whether model or tokens were assumed, which makes the cost an estimate.
    pub assumed: bool,
    /// Whether nobody said how long what was written to a cache lives: an estimate where that has prices of its own.
    pub is_lifetime_assumed: bool,
    /// What was charged for it then, where the log tells.
    pub charged: Charged,
}

/// The time within an operation, call by call, to know how long it waited between them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timeline(u64);

impl Timeline {
    /// Goes on to the end of a call; returns for how many milliseconds nobody was called before it.
    pub fn wait(&mut self, began_us: Option<u64>, latency: Millis) -> u32 {
        let waited = began_us.map_or(0, |began| (began / 1000).saturating_sub(self.0));
        self.0 = self.0.saturating_add(waited).saturating_add(latency.get().unwrap_or(0));
        u32::try_from(waited).unwrap_or(u32::MAX)
    }
}

/// One client request and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Operation {
    /// When it arrived.
    pub at: Instant,
    /// The attempt that served the client (the last one).
    pub served: Observed,
    /// The session it belongs to.
    pub session: SessionId,
    /// Index of its [`Extra`] in the chunk; `u32::MAX` for none.
    pub extra: u32,
    /// The team that pays.
    pub team: TeamId,
    /// The project.
    pub project: ProjectId,
    /// The end user.
    pub user: UserId,
    /// The virtual key.
    pub key: KeyId,
    /// The model or alias asked for.
    pub asked: ModelId,
    /// By what canaries draw it.
    pub lot: Lot,
    /// The turn within the session, `u16::MAX` where unknown.
    pub turn: u16,
    /// The confidence, packed; read it with [`Operation::confidence`].
    pub packed_confidence: PackedConfidence,
    /// Where the confidence comes from.
    pub source: ConfidenceSource,
    /// The kind of work.
    pub class: TaskClass,
    /// Whether something about it was synthetic for a demonstration.
    pub simulated: bool,
    /// Whether the client named this very model, so that no ladder applies.
    pub pinned: bool,
    /// Its lot, by its id.
    pub draw: Draw,
    /// How things stood when it arrived.
    pub circumstance: CircumstanceId,
    /// The strongest features behind a classified confidence.
    pub saw: Saw,
    /// What a second classifier thinks of it; none where there is none, or it could not read it.
    pub second: Option<Second>,
    /// What its first call was expected to cost with what caches hold, in pico-dollars, where somebody reckoned.
    pub expected: Option<NonZeroU64>,
    /// Tokens of its prompt that are expected to be warm where it starts, where that is not as the log tells.
    pub warm: Option<u32>,
    /// The tool call that it follows, packed; read it with [`Call::unpacked`](crate::runaway::Call::unpacked).
    pub call: u64,
    /// The ask that it is or goes on with, of a request with tools.
    pub ask: AskId,
    /// The least confidence of its tool loop so far, of a turn that goes on where the turn before was served.
    pub least: Option<Least>,
}

/// The least confidence of a tool loop up to one of its turns, its own included, and whether any of them had none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Least(NonZeroU16);

impl Least {
    /// Some turn had a confidence, which is written one higher.
    const SURE: u16 = 0x7fff;
    /// Some turn had none.
    const UNSURE: u16 = 0x8000;

    /// Begins a loop.
    pub fn of(confidence: Option<PerMille>) -> Self {
        Self(NonZeroU16::MIN).with_bits(confidence.map_or(Self::UNSURE, |one| one.get() + 1))
    }

    /// Goes on with another turn.
    #[must_use]
    pub fn and(self, confidence: Option<PerMille>) -> Self {
        let unsure = self.0.get() & Self::UNSURE;
        match (self.confidence(), confidence) {
            (_, None) => self.with_bits(self.0.get() | Self::UNSURE),
            (None, Some(one)) => self.with_bits(unsure | (one.get() + 1)),
            (Some(least), Some(one)) => self.with_bits(unsure | (least.min(one).get() + 1)),
        }
    }

    /// Returns it; none where no turn had any.
    pub fn confidence(self) -> Option<PerMille> {
        PerMille::new((self.0.get() & Self::SURE).checked_sub(1)?)
    }

    /// Says whether some turn had none.
    pub fn is_unsure(self) -> bool {
        self.0.get() & Self::UNSURE != 0
    }

    /// Returns what a turn goes on with whose loop a route's thresholds served.
    pub fn follows(self, route: &Route) -> Follows {
        route.follows_by(self.confidence(), self.is_unsure())
    }

    fn with_bits(self, bits: u16) -> Self {
        NonZeroU16::new(bits).map_or(self, Self)
    }
}

/// What a second classifier thinks of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Second {
    /// The confidence.
    pub confidence: Option<PerMille>,
    /// What that rests on.
    pub source: ConfidenceSource,
    /// The kind of work.
    pub class: TaskClass,
    /// Of a later turn of a tool loop: the least of these confidences in the loop so far.
    pub least: Option<Least>,
}

impl Second {
    /// How a log writes it among what could not be called: `tried:c3086f2e:code:540`, `-` in place of a confidence for none.
    pub const WORD: &'static str = "tried:";

    /// Writes it, with the start of its classifier's hash.
    pub fn word(&self, classifier: u32) -> String {
        let confidence = self.confidence.map_or_else(|| "-".to_owned(), |value| value.get().to_string());
        format!("{}{classifier:08x}:{}:{confidence}", Self::WORD, self.class.name())
    }

    /// Reads it; none where the word says something else.
    pub fn parse(word: &str) -> Option<(u32, Self)> {
        let mut parts = word.strip_prefix(Self::WORD)?.splitn(3, ':');
        let classifier = u32::from_str_radix(parts.next()?, 16).ok()?;
        let class = parts.next()?.parse().ok()?;
        let confidence = match parts.next()? {
            "-" => None,
            value => Some(PerMille::new(value.parse().ok()?)?),
        };
        let source = if confidence.is_some() { ConfidenceSource::Judged } else { ConfidenceSource::None };
        Some((classifier, Self { confidence, source, class, least: None }))
    }
}

/// A confidence or none, in two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedConfidence(u16);

impl Default for PackedConfidence {
    fn default() -> Self {
        Self(u16::MAX)
    }
}

/// What few operations have: earlier attempts, labels, the name of a simulated circumstance.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Extra {
    /// Attempts before the one that served.
    pub earlier: Vec<Observed>,
    /// What is known of models' answers.
    pub labels: Vec<ModelLabel>,
    /// The synthetic circumstance, if any.
    pub simulated: Box<str>,
    /// The error text or code of the last attempt, if any.
    pub error: Box<str>,
    /// What is known of the attempts besides, in their order; empty where that is nothing for all of them.
    pub particulars: Vec<Particulars>,
    /// For how many milliseconds it waited for room in a budget before it arrived.
    pub waited: u32,
}

impl Extra {
    /// Takes a label; of several from one source the latest word on each thing counts.
    pub fn judge(&mut self, label: ModelLabel) {
        label::judge(&mut self.labels, label);
    }
}

impl Operation {
    /// Sets right what one of its calls was charged, counted from 1; the last one where none is named. Says whether it has that call.
    pub fn correct(&mut self, extra: Option<&mut Extra>, call: Option<u32>, charged: Charged) -> bool {
        let earlier = extra.map_or(&mut [][..], |extra| extra.earlier.as_mut_slice());
        let call = call.and_then(|call| usize::try_from(call).ok());
        let call = match call.filter(|call| *call != earlier.len() + 1) {
            Some(call) => earlier.get_mut(call.wrapping_sub(1)),
            None => Some(&mut self.served),
        };
        call.map(|call| call.charged = charged).is_some()
    }
}

/// A model to be called, and what is written into the request for it.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The model.
    pub model: ModelId,
    /// What is written into the request.
    pub with: &'a Parameters,
    /// Tokens of its prompt that are expected to be warm there, where that is not as the log tells.
    pub warm: Option<u32>,
}

impl Choice<'static> {
    /// Chooses a model as the client's request is.
    pub fn plain(model: ModelId) -> Self {
        const NOTHING: &Parameters = &Parameters::NONE;
        Self { model, with: NOTHING, warm: None }
    }
}

impl<'a> From<&'a Rung> for Choice<'a> {
    fn from(rung: &'a Rung) -> Self {
        Self { model: rung.model, with: &rung.with, warm: None }
    }
}

/// What few calls have.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Particulars {
    /// The service tier that served, and what is billed besides tokens.
    pub terms: Terms,
    /// Parameters of the request that were left out for this model.
    pub left_out: Box<[Box<str>]>,
    /// What each check said of its answer.
    pub verdicts: Box<[Verdict]>,
    /// The longest silence within a stream after its first byte.
    pub gap: Millis,
    /// The account that served, as `provider/account`; empty where its provider has but one.
    pub account: Box<str>,
}

/// A call as it was seen, with what few have.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The call.
    pub call: &'a Observed,
    /// The service tier that served, and what is billed besides tokens.
    pub terms: &'a Terms,
}

impl Operation {
    /// Stands for "no extra".
    pub const NO_EXTRA: u32 = u32::MAX;

    /// Returns the confidence, if any.
    pub fn confidence(&self) -> Option<PerMille> {
        PerMille::new(self.packed_confidence.0)
    }

    /// Sets the confidence and where it comes from.
    pub fn set_confidence(&mut self, confidence: Option<PerMille>, source: ConfidenceSource) {
        self.packed_confidence = PackedConfidence(confidence.map_or(u16::MAX, PerMille::get));
        self.source = if confidence.is_some() { source } else { ConfidenceSource::None };
    }

    /// Returns what a decision looks at.
    pub fn signals(&self) -> Signals {
        Signals {
            team: self.team,
            project: self.project,
            class: self.class,
            asked: self.asked,
            known_as: self.asked,
            confidence: self.confidence(),
            source: self.source,
            lot: self.lot,
            pinned: self.pinned,
            draw: self.draw,
        }
    }

    /// Returns what a decision looks at, where prices say which names are one model's.
    pub fn signals_by(&self, prices: &PriceTable) -> Signals {
        Signals { known_as: prices.known_as(self.asked), ..self.signals() }
    }
}

/// An operation with all that is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The operation.
    pub operation: &'a Operation,
    /// What few have.
    pub extra: Option<&'a Extra>,
}

impl<'a> Evidence<'a> {
    /// Returns all attempts in order.
    pub fn attempts(&self) -> impl Iterator<Item = &'a Observed> + use<'a> {
        self.extra
            .map_or(&[][..], |extra| extra.earlier.as_slice())
            .iter()
            .chain(std::iter::once(&self.operation.served))
    }

    /// Returns all attempts in order, with what they are billed by.
    pub fn seen(&self) -> impl Iterator<Item = Seen<'a>> + use<'a> {
        let particulars = self.extra.map_or(&[][..], |extra| extra.particulars.as_slice());
        self.attempts().enumerate().map(move |(at, call)| {
            let terms = particulars.get(at).map_or(&Terms::NONE, |found| &found.terms);
            Seen { call, terms }
        })
    }

    /// Finds what a model did with this request, under whichever of its names and thinking as hard as is chosen: its
    /// attempts in order, the last of which counts.
    pub fn observed(
        &self,
        choice: Choice<'_>,
        prices: &'a PriceTable,
    ) -> impl Iterator<Item = Seen<'a>> + use<'a> {
        let Choice { model, with, .. } = choice;
        let effort = with.effort;
        self.seen().filter(move |seen| seen.call.effort == effort && prices.same(seen.call.model, model))
    }

    /// Finds what is known of a model's answer, under whichever of its names: the latest word, but a judge's only where nobody
    /// else spoke.
    pub fn label(&self, model: ModelId, prices: &PriceTable) -> Option<ModelLabel> {
        label::together(self.labels(model, prices))
    }

    /// Returns how hard a model was to think where it was called last; none where it was not called, or nobody said.
    pub fn effort_of(&self, model: ModelId, prices: &PriceTable) -> Option<Effort> {
        self.attempts().filter(|call| prices.same(call.model, model)).last()?.effort
    }

    /// Lists what everybody said of a model's answer, under whichever of its names.
    pub fn labels(
        &self,
        model: ModelId,
        prices: &'a PriceTable,
    ) -> impl Iterator<Item = ModelLabel> + use<'a> {
        let all = self.extra.map_or(&[][..], |extra| extra.labels.as_slice());
        all.iter().filter(move |label| prices.same(label.model, model)).copied()
    }

    /// Returns the call that other models' tokens are estimated from: the served one, else any whose counts are complete.
    pub fn basis(&self) -> Option<Seen<'a>> {
        let useful = |seen: &Seen<'_>| {
            let usage = &seen.call.usage;
            usage.is_complete() && (usage.prompt() != Some(0) || usage.output.or_zero() > 0)
        };
        self.seen().last().filter(useful).or_else(|| self.seen().find(useful))
    }

    /// Returns what a model's call was billed by besides tokens; where it was not called, what that call was from which its own is
    /// estimated.
    pub fn terms(&self, model: ModelId) -> &'a Terms {
        let own = self.seen().filter(|seen| seen.call.model == model).last();
        own.or_else(|| self.basis()).map_or(&Terms::NONE, |seen| seen.terms)
    }
}

#[cfg(test)]
mod second_tests {
    use super::*;

    #[test]
    fn what_another_classifier_thought_is_read_as_it_is_written() {
        for confidence in [None, PerMille::new(0), PerMille::new(540), PerMille::new(1000)] {
            let source = if confidence.is_some() { ConfidenceSource::Judged } else { ConfidenceSource::None };
            let second = Second { confidence, source, class: TaskClass::Code, least: None };
            let word = second.word(0x00c3_086f);
            assert_eq!(Second::parse(&word), Some((0x00c3_086f, second)), "{word}");
        }
        for wrong in ["tried:", "tried:xyz:code:1", "tried:1:cod:1", "tried:1:code:1001", "second:540"] {
            assert_eq!(Second::parse(wrong), None, "{wrong}");
        }
    }
}
