//! A log held in memory, with all that its replay rests on: names, prices, profiles, policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::inserts::Inserts;
use super::notes::LogNote;
use super::shadowed::Shadowed;
use crate::classifier::Classifier;
use crate::outcome::{History, Outlook, Profiles, recharge};
use crate::pricing::{PriceBook, PriceTable, Recharge};
use crate::prompt_cache::Rules;
use crate::record::{self, BudgetFiles, Skip, SkipKind, Timing};
use crate::routing::{Circumstances, Policy};
use crate::units::{Instant, ModelId, Names, PerMille, Span};

/// Profiles are fitted on this many operations from the start, so that a stream and a loaded log rest on the same.
pub(super) const PROFILED: usize = 65_536;
/// Cells of the strip that shows the whole log.
pub(super) const STRIP: usize = 480;
/// Skipped lines kept with their reasons; all are counted.
const KEPT_SKIPS: usize = 1000;

/// Why a log could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A source could not be read.
    #[error(transparent)]
    Record(#[from] record::Error),
    /// There is nothing to replay.
    #[error("no requests in {0}\nhint: {1}")]
    Empty(String, String),
    /// The person at the keyboard stopped it.
    #[error("cancelled")]
    Cancelled,
}

/// A line that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedLine {
    /// The file, as given.
    pub source: Arc<str>,
    /// Its line, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// All lines that could not be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Vec<SkippedLine>,
    /// Why sound things were passed over (no model calls, answers told again), and how many for each reason.
    pub passed_over: BTreeMap<String, u64>,
    /// Files that broke off; what came before in them was read.
    pub damaged: Vec<String>,
}

impl Skipped {
    /// Says why nothing came of what is not empty: it broke off, or all was passed over.
    pub fn nothing_of_it(&self) -> Option<String> {
        if let Some(broke_off) = self.damaged.first() {
            return Some(broke_off.clone());
        }
        let reasons: Vec<_> =
            self.passed_over.iter().map(|(why, entries)| format!("{entries}: {why}")).collect();
        (!reasons.is_empty()).then(|| format!("what is in it was passed over ({})", reasons.join("; ")))
    }

    /// Counts a line.
    pub fn add(&mut self, source: &Arc<str>, skip: Skip) {
        if skip.kind != SkipKind::Bad {
            *self.passed_over.entry(skip.reason).or_default() += 1;
            return;
        }
        self.count += 1;
        if self.first.len() < KEPT_SKIPS {
            self.first.push(SkippedLine { source: Arc::clone(source), line: skip.line, reason: skip.reason });
        }
    }

    /// Tells of corrections whose call is not in the log: money that stands in no figure.
    pub(super) fn unmet(&mut self, corrections: usize) {
        if corrections > 0 {
            const WHY: &str = "corrects the charge of a request or call that is not in the log";
            *self.passed_over.entry(WHY.to_owned()).or_default() += corrections as u64;
        }
    }

    /// Adds what was found later.
    pub fn join(&mut self, later: Self) {
        self.count += later.count;
        self.first.extend(later.first);
        self.first.truncate(KEPT_SKIPS);
        for (why, entries) in later.passed_over {
            *self.passed_over.entry(why).or_default() += entries;
        }
        self.damaged.extend(later.damaged);
        self.damaged.truncate(KEPT_SKIPS);
    }
}

impl Skipped {
    /// Turns the error of a file that broke off into a remark, so that what came before it counts.
    pub(super) fn keep_going<T>(
        &mut self,
        block: Result<T, record::Error>,
        is_strict: bool,
    ) -> Result<Option<T>, record::Error> {
        match block {
            Ok(block) => Ok(Some(block)),
            Err(error @ (record::Error::Damaged { .. } | record::Error::Read { .. })) if !is_strict => {
                self.damaged.push(error.to_string());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// A policy and the operation from which on it decides.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicySpan {
    /// Index of the first operation that it decides.
    pub from: usize,
    /// The policy.
    pub policy: Arc<Policy>,
}

impl PolicySpan {
    /// Returns the policy that decides an operation; the first of them decides what stands before it, too.
    pub(super) fn in_force(spans: &[Self], index: usize) -> Option<&Arc<Policy>> {
        spans.iter().rev().find(|span| span.from <= index).or(spans.first()).map(|span| &span.policy)
    }
}

/// What somebody said of a model's answer after its request had been told, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// When.
    pub at: Instant,
    /// The request, by the number of its id.
    pub id: u64,
    /// The model.
    pub model: ModelId,
    /// How good the answer was.
    pub quality: PerMille,
}

/// One cell of the strip over the whole log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StripCell {
    /// Operations.
    pub requests: u32,
    /// Operations with a failed attempt.
    pub errors: u32,
}

impl StripCell {
    /// A stretch is marked where at least one in so many requests failed.
    const TROUBLE: u32 = 12;

    /// Says whether many requests of this stretch had a failed call.
    pub fn is_trouble(self) -> bool {
        self.errors > 0 && self.errors.saturating_mul(Self::TROUBLE) >= self.requests
    }
}

/// A log in memory. One that was loaded never changes; one that is live grows in copies that share nearly everything.
#[derive(Clone, Debug)]
pub struct Log {
    /// What it is called on screen.
    pub title: String,
    /// Operations in order of time.
    pub history: History,
    /// Names.
    pub names: Names,
    /// How things stood when requests arrived.
    pub circumstances: Arc<Circumstances>,
    /// Prices by model, changes within the log included.
    pub prices: Arc<PriceTable>,
    /// The book's name and date, for the scope of money.
    pub book: String,
    /// All models that have a price, whether or not the log names them.
    pub catalog: Arc<PriceBook>,
    /// Models' speed and answer lengths.
    pub profiles: Profiles,
    /// The policy to start with.
    pub policy: Arc<Policy>,
    /// Later policies of the log with the operations from which on they decide.
    pub policies: Vec<PolicySpan>,
    /// The classifier that spoke where the log does not: name and hash.
    pub classifier: String,
    /// That classifier itself, where it is given.
    pub judge: Option<Arc<Classifier>>,
    /// A second one whose opinion every operation has that it could read: name and hash.
    pub second: Option<String>,
    /// Notes in order of time.
    pub notes: Vec<LogNote>,
    /// Lines that could not be used.
    pub skipped: Skipped,
    /// Operations that were not in order of time and were put there.
    pub reordered: usize,
    /// Operations marked as synthetic.
    pub simulated: usize,
    /// Operations without a confidence in the log, which the classifier judged.
    pub classified: usize,
    /// How well its moments are known.
    pub timing: Timing,
    /// How much time was looked at, where only a stretch of the log was asked for.
    pub looked_at: Option<Span>,
    /// The strip over the whole log.
    pub strip: Vec<StripCell>,
    /// Indexes of operations with a failed call (a fallback included), ascending.
    pub errors: Vec<u32>,
    /// What the log's own charges come to; for a growing log, those it started with.
    pub recharge: Recharge,
    /// Where a growing log took operations in between others.
    pub inserts: Inserts,
    /// What a gateway called beside the traffic.
    pub shadowed: Shadowed,
    /// The files of budgets that it brings along, as written; empty where it brings none.
    pub budgets: BudgetFiles,
    /// How providers' prompt caches work.
    pub caching: Arc<Rules>,
    /// What was said of answers after their requests, in order of time.
    pub verdicts: Arc<Vec<Judged>>,
}

impl Log {
    /// Returns what estimates rest on.
    pub fn outlook(&self) -> Outlook<'_> {
        Outlook {
            prices: &self.prices,
            profiles: &self.profiles,
            circumstances: &self.circumstances,
            weather: None,
        }
    }

    /// Returns the policy that was in force at an operation.
    pub fn policy_at(&self, index: usize) -> &Arc<Policy> {
        let place = self.policies.partition_point(|span| span.from <= index);
        place.checked_sub(1).and_then(|at| self.policies.get(at)).map_or(&self.policy, |span| &span.policy)
    }

    /// Returns the policy of some spans that decides an operation; where there is none, the one to start with.
    pub(super) fn policy_of<'p>(&'p self, spans: &'p [PolicySpan], index: usize) -> &'p Arc<Policy> {
        PolicySpan::in_force(spans, index).unwrap_or(&self.policy)
    }

    /// Counts the operations, those that memory let go included.
    pub fn len(&self) -> usize {
        self.history.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.history.is_empty()
    }

    /// Returns the first and the last moment.
    pub fn bounds(&self) -> Option<(Instant, Instant)> {
        self.history.bounds()
    }

    /// Puts a log together from operations in order of time.
    pub fn from_parts(
        title: String,
        history: History,
        names: Names,
        prices: PriceTable,
        profiles: Profiles,
        policy: Arc<Policy>,
        skipped: Skipped,
    ) -> Self {
        let mut log = Self {
            title,
            history,
            names,
            circumstances: Arc::default(),
            prices: Arc::new(prices),
            book: String::new(),
            catalog: Arc::default(),
            profiles,
            policy,
            policies: Vec::new(),
            classifier: String::new(),
            judge: None,
            second: None,
            notes: Vec::new(),
            skipped,
            reordered: 0,
            simulated: 0,
            classified: 0,
            timing: Timing::Told,
            looked_at: None,
            strip: Vec::new(),
            errors: Vec::new(),
            recharge: Recharge::default(),
            inserts: Inserts::default(),
            shadowed: Shadowed::default(),
            budgets: BudgetFiles::default(),
            caching: Arc::default(),
            verdicts: Arc::default(),
        };
        log.survey();
        log
    }

    /// Draws up the strip and the list of errors.
    fn survey(&mut self) {
        let Some((first, last)) = self.bounds() else { return };
        let whole = i128::from((last - first).0.max(1));
        let mut strip = vec![StripCell::default(); STRIP];
        let mut errors = Vec::new();
        for (index, recalled) in self.history.range(0, self.history.len()) {
            let evidence = recalled.evidence();
            let failed = evidence.attempts().any(|attempt| !attempt.status.is_ok());
            let cell = i128::from((evidence.operation.at - first).0) * (STRIP as i128 - 1) / whole;
            if let Some(cell) = usize::try_from(cell).ok().and_then(|cell| strip.get_mut(cell)) {
                cell.requests += 1;
                cell.errors += u32::from(failed);
            }
            if failed {
                errors.extend(u32::try_from(index));
            }
            self.simulated += usize::from(evidence.operation.simulated);
            recharge(&evidence, &self.prices, &mut self.recharge);
        }
        self.strip = strip;
        self.errors = errors;
    }

    /// Says what keeps days and hours of the log from being those of a calendar; none where its moments are told.
    pub fn untimed(&self) -> Option<&'static str> {
        match self.timing {
            Timing::Told => None,
            Timing::Offset => {
                Some("the log tells distances in time only: its dates and hours of the day are synthetic")
            }
            Timing::Placed => Some(
                "the log does not tell when its requests came: they are only placed in order, so days, months and rates mean nothing",
            ),
        }
    }

    /// Returns the time that rates are made of; none where the log tells none.
    pub fn rated(&self, time: Span) -> Option<Span> {
        (self.timing != Timing::Placed).then_some(time)
    }

    /// Says in two words what moments of the log are synthetic, where some are.
    pub fn placed(&self) -> Option<&'static str> {
        match self.timing {
            Timing::Told => None,
            Timing::Offset => Some("dates placed"),
            Timing::Placed => Some("times placed"),
        }
    }

    /// Returns the length of the log, or of the stretch of it that was asked for.
    pub fn span(&self) -> Span {
        let bounds = || self.bounds().map_or(Span::ZERO, |(first, last)| last - first);
        self.looked_at.unwrap_or_else(bounds)
    }
}
