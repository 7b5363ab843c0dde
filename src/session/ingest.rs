//! A log entry turned into what memory holds: names become ids, a missing confidence is asked of the classifier.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::mem::take;
use std::num::NonZeroU64;
use std::sync::Arc;

mod judged;

use super::Stretch;
use super::leasts::Leasts;
use super::met::Met;
use crate::bandit::Advice;
use crate::classifier::{Basis, Classifier, TaskClass};
use crate::outcome::{
    Evidence, Extra, LabelSource, ModelLabel, Observed, Operation, Particulars, Second, Seen, Timeline,
};
use crate::pricing::{PriceBook, Usage, is_unlisted};
use crate::prompt_cache::{Rules, Standing, Word};
use crate::record::{Attempt, Label, PolicyChange, Record, Timing, WriteTtl};
use crate::routing::{
    AskId, AtMost, BEFORE, CHANCE, Capabilities, Capability, Circumstance, Circumstances, ConfidenceSource,
    Draw, Drawn, FULL, Follows, Labels, Lot, Needs, Policy, PolicyError, RUNAWAY, STOPPED, Short, TAG,
    UNDRAWN, UNREACHED, WAITED, on_grid,
};
use crate::runaway::{Call, Then};
use crate::units::{Instant, Millis, Names, tag, tag_set};

/// How entries are read.
#[derive(Clone, Debug, Default)]
pub struct IngestOptions {
    /// Ask the classifier even where the log carries a confidence.
    pub reclassify: bool,
    /// Charge by the given prices even where the log tells what was charged.
    pub reprice: bool,
    /// Keep to the policy given, also where the log says which one was in force.
    pub own_policy: bool,
    /// The model that savings are measured against, whatever the policies of the log say.
    pub baseline: Option<String>,
    /// The stretch of time to keep to.
    pub stretch: Stretch,
}

/// Turns entries into operations; owns the names.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// Names met so far.
    pub names: Names,
    /// Circumstances met so far.
    pub circumstances: Circumstances,
    classifier: Arc<Classifier>,
    /// One whose opinion is told beside.
    second: Option<Arc<Classifier>>,
    /// The starts of the hashes of those whose opinion the log tells; the first few.
    tried: Vec<u32>,
    /// How entries are read.
    pub options: IngestOptions,
    /// How well the moments of what was read are known, the worst of them.
    pub timing: Timing,
    /// How many requests were taken, and how many of them tell no date.
    dated: (u64, u64),
    /// Whether sessions are told apart; sums need none.
    pub(super) keeps_sessions: bool,
    /// The tags that are asked for; all of them where nobody says.
    pub(super) tags: Option<Arc<[Box<str>]>>,
    /// Meters by model, with how many calls told them; the first few kinds.
    meters: BTreeMap<(String, String), u64>,
    /// How providers' prompt caches work.
    pub caching: Arc<Rules>,
    /// Whether calls beside the traffic are taken for requests, too: whoever bills knows no difference.
    pub counts_beside: bool,
    /// How many threads read what is loaded; as many as there are cores where not said. What comes out is the same.
    pub threads: Option<usize>,
    leasts: Leasts,
    second_leasts: Leasts,
}

/// Classifiers of whose opinion a log tells that are named.
const TRIED: usize = 4;
/// Kinds of unknown meters that are told apart.
const METERS: usize = 32;

impl Ingest {
    /// Starts with the names that a policy has made already.
    pub fn new(names: Names, classifier: Classifier, options: &IngestOptions) -> Self {
        Self {
            names,
            circumstances: Circumstances::default(),
            classifier: Arc::new(classifier),
            second: None,
            tried: Vec::new(),
            options: options.clone(),
            timing: Timing::Told,
            dated: (0, 0),
            keeps_sessions: true,
            tags: None,
            meters: BTreeMap::new(),
            caching: Arc::default(),
            counts_beside: false,
            threads: None,
            leasts: Leasts::default(),
            second_leasts: Leasts::default(),
        }
    }

    /// Returns the same knowing how providers' prompt caches work.
    #[must_use]
    pub fn caching(self, rules: Rules) -> Self {
        Self { caching: Arc::new(rules), ..self }
    }

    /// Returns the names and circumstances met so far, and whose opinion was told, and forgets them.
    pub(super) fn part(&mut self) -> Met {
        Met::new(take(&mut self.names), take(&mut self.circumstances), take(&mut self.tried))
    }

    /// Returns one that reads the same and has met nothing yet.
    pub(super) fn anew(&self) -> Self {
        let (names, circumstances) = (Names::default(), Circumstances::default());
        Self {
            names,
            circumstances,
            tried: Vec::new(),
            meters: BTreeMap::new(),
            leasts: Leasts::default(),
            second_leasts: Leasts::default(),
            ..self.clone()
        }
    }

    /// Takes in an operation that another one read, whose names become those of this one.
    pub(super) fn adopt(
        &mut self,
        timing: Timing,
        operation: &mut Operation,
        mut extra: Option<&mut Extra>,
        met: &mut Met,
    ) {
        // In the order of `read`, so that names get the numbers that it would have given.
        let names = &mut self.names;
        operation.served.model = met.model(operation.served.model, names);
        operation.served.billed = met.model(operation.served.billed, names);
        operation.asked = met.model(operation.asked, names);
        operation.team = met.team(operation.team, names);
        operation.project = met.project(operation.project, names);
        operation.user = met.user(operation.user, names);
        operation.key = met.key(operation.key, names);
        operation.session = met.session(operation.session, names);
        operation.circumstance = met.circumstance(operation.circumstance, names, &mut self.circumstances);
        if let Some(extra) = &mut extra {
            for call in &mut extra.earlier {
                call.model = met.model(call.model, names);
                call.billed = met.model(call.billed, names);
            }
            for label in &mut extra.labels {
                label.model = met.model(label.model, names);
            }
        }
        met.tried().for_each(|classifier| self.know_tried(classifier));
        self.count(timing, operation, extra.as_deref());
    }

    /// Says whether a request that arrived then is within the stretch asked for.
    pub fn wants(&mut self, at: Instant) -> bool {
        self.options.stretch.is_whole() || self.options.stretch.takes(at)
    }

    /// Returns the same with the opinion of a second classifier beside every request that it can read.
    #[must_use]
    pub fn beside(self, second: Classifier) -> Self {
        Self { second: Some(Arc::new(second)), ..self }
    }

    /// Names the second classifier, where there is one: the one given, else whose opinion the log tells.
    pub fn second_tag(&self) -> Option<String> {
        self.second.as_deref().map(tag_of).or_else(|| {
            let hashes: Vec<String> = self.tried.iter().map(|hash| format!("{hash:08x}")).collect();
            (!hashes.is_empty()).then(|| hashes.join(" and "))
        })
    }

    /// Keeps to a stretch of time.
    #[must_use]
    pub fn within(mut self, stretch: Stretch) -> Self {
        self.options.stretch = stretch;
        self
    }

    /// Says whether a stretch was asked for.
    pub fn is_windowed(&self) -> bool {
        !self.options.stretch.is_whole()
    }

    /// Says what that means, and for how many requests.
    pub fn undated(&self) -> Option<String> {
        let (all, undated) = self.dated;
        self.timing.remark(undated, all)
    }

    /// Returns the classifier.
    pub fn classifier(&self) -> Arc<Classifier> {
        Arc::clone(&self.classifier)
    }

    /// Returns the meters that the price book has no price for, with how many calls told them: those that nobody here knows,
    /// and those of a model whose tokens it prices.
    pub fn unknown_meters(&self, book: &PriceBook) -> Vec<(String, u64)> {
        let is_told = |model: &str, meter: &str| {
            let is_priced = book.find(model).map(|prices| prices.prices_meter(meter));
            is_priced.map_or_else(|| is_unlisted(meter) && !book.prices_meter(meter), |is_priced| !is_priced)
        };
        let mut unknown: BTreeMap<&str, u64> = BTreeMap::new();
        for ((_, meter), calls) in self.meters.iter().filter(|((model, meter), _)| is_told(model, meter)) {
            *unknown.entry(meter).or_default() += calls;
        }
        unknown.into_iter().map(|(meter, calls)| (meter.to_owned(), calls)).collect()
    }

    /// Counts what was taken in, and its meters, so that somebody is told of those without a price. What a place multiplies
    /// leaves an estimate.
    fn count(&mut self, timing: Timing, operation: &Operation, extra: Option<&Extra>) {
        self.timing = self.timing.max(timing);
        self.dated.0 += 1;
        self.dated.1 += u64::from(timing != Timing::Told);
        if extra.is_none_or(|extra| extra.particulars.is_empty()) {
            return;
        }
        for Seen { call, terms } in (Evidence { operation, extra }).seen() {
            let model = if call.billed.is_some() { call.billed } else { call.model };
            let model = if model.is_some() { self.names.model(model) } else { "" };
            for (name, _) in terms.meters().filter(|(name, _)| !name.starts_with("region:")) {
                let kind = (model.to_owned(), name.to_owned());
                if self.meters.contains_key(&kind) || self.meters.len() < METERS {
                    *self.meters.entry(kind).or_default() += 1;
                }
            }
        }
    }

    /// Names the classifier: its name and the start of its hash.
    pub fn classifier_tag(&self) -> String {
        tag_of(&self.classifier)
    }

    /// Builds a policy that the log says came into force; none where the operator gave one of their own.
    ///
    /// # Errors
    /// Where it makes no sense.
    pub fn policy(&mut self, change: &PolicyChange<'_>) -> Result<Option<Arc<Policy>>, PolicyError> {
        if self.options.own_policy {
            return Ok(None);
        }
        let mut policy = change.compile(&mut self.names)?;
        if let Some(baseline) = &self.options.baseline {
            policy.baseline = self.names.intern_model(baseline);
        }
        Ok(Some(Arc::new(policy)))
    }

    fn observed(&mut self, attempt: &Attempt<'_>, waited: u32) -> Observed {
        Observed {
            usage: attempt.usage,
            latency: latency(attempt),
            waited,
            ttft: Millis::from_option(attempt.ttft_ms),
            model: self.names.intern_model(&attempt.model),
            billed: self.names.intern_model(&attempt.billed),
            status: attempt.status,
            check: attempt.check,
            effort: attempt.effort,
            assumed: attempt.assumed_model || attempt.estimated,
            is_lifetime_assumed: attempt.write_ttl == WriteTtl::Assumed,
            charged: attempt.charged,
        }
    }

    /// Turns what is known of an answer into what memory holds.
    pub fn label(&mut self, label: &Label<'_>) -> ModelLabel {
        ModelLabel {
            model: self.names.intern_model(&label.model),
            quality: label.quality,
            output: label.output.and_then(|output| u32::try_from(output).ok()),
            source: LabelSource::of(&label.source),
        }
    }

    /// Returns how things stood: as the log tells, else as the tokens and tools of the request say.
    fn circumstance(&mut self, record: &Record<'_>, usage: &Usage) -> Circumstance {
        let told = &record.needs;
        let has_tools = record.tools.is_some_and(|tools| tools > 0);
        let prompt = told.window.map(u64::from).or_else(|| usage.prompt()).unwrap_or(0);
        let (mut down, mut full, mut over, mut drawn) = (Vec::new(), Vec::new(), Vec::new(), None);
        let (mut runaway, mut standing) = (Then::Tell, Standing::NONE);
        let mut unreached = Vec::new();
        let (mut tags, mut advice, mut at_most) = (Vec::new(), Advice::None, AtMost::default());
        let mut follows = Follows::NONE;
        for name in &told.down {
            if [Call::WORD, WAITED, CHANCE, UNDRAWN, BEFORE, Second::WORD]
                .iter()
                .any(|word| name.starts_with(word))
                || Lot::parse(name).is_some()
                || AskId::parse(name).is_some()
            {
                // Of its request alone, not of how things stood.
            } else if let Some(told) = AtMost::parse(name) {
                at_most = told;
            } else if let Some(told) = name.strip_prefix(TAG) {
                let is_asked = |name: &str| {
                    self.tags.as_ref().is_none_or(|asked| asked.iter().any(|tag| **tag == *name))
                };
                tags.extend(tag(told).filter(|(name, _)| is_asked(name)));
            } else if name.starts_with(STOPPED) {
                runaway = Then::Freeze;
            } else if let Some(word) = name.strip_prefix(RUNAWAY) {
                runaway = runaway.max(Then::from_name(word).unwrap_or_default());
            } else if let Some(name) = name.strip_prefix(FULL) {
                let model = self.names.intern_model(name);
                full.push(self.names.identity(model));
            } else if let Some(name) = name.strip_prefix(UNREACHED) {
                unreached.push(self.names.intern_model(name));
            } else if let Some((short, name)) = Short::parse(name) {
                let model = self.names.intern_model(name);
                over.push((self.names.identity(model), short));
            } else if let Some(word) = Word::parse(name) {
                let names = &mut self.names;
                standing.take(word, |model| {
                    let model = names.intern_model(model);
                    names.identity(model)
                });
            } else if let Some((told, name)) = Follows::parse(name) {
                let model = self.names.intern_model(name);
                follows = Follows { model: self.names.identity(model), ..told };
            } else if let Some(told) = Advice::parse(name) {
                advice = told;
            } else if let Some(told) = Drawn::parse(name) {
                drawn = Some(told);
            } else {
                down.push(self.names.intern_model(name));
            }
        }
        over.sort_unstable();
        over.dedup();
        full.sort_unstable();
        full.dedup();
        unreached.sort_unstable();
        unreached.dedup();
        let circumstance = Circumstance {
            needs: Needs {
                capabilities: capabilities(told.vision, has_tools),
                labels: Labels::of(&told.require, &mut self.names),
                window: on_grid(prompt),
                output: on_grid(u64::from(told.output.unwrap_or(0))),
                at_most,
            },
            full,
            unreached,
            over,
            runaway,
            drawn,
            standing,
            advice,
            follows,
            tags: self.names.intern_tags(&tag_set(tags)),
            ..Circumstance::default()
        };
        circumstance.with_down(down, |model| self.names.identity(model))
    }

    /// Turns one entry into an operation and, for the few that have more, its extra.
    pub fn take(&mut self, record: &Record<'_>) -> (Operation, Option<Extra>) {
        let (operation, extra) = self.read(record);
        self.count(record.timing, &operation, extra.as_ref());
        (operation, extra)
    }

    pub(super) fn read(&mut self, record: &Record<'_>) -> (Operation, Option<Extra>) {
        let (last, earlier) = match record.attempts.split_last() {
            Some((last, earlier)) => (Some(last), earlier),
            None => (None, &[][..]),
        };
        let mut timeline = Timeline::default();
        let mut wait = |attempt: &Attempt<'_>| timeline.wait(attempt.began_us, latency(attempt));
        let waits: Vec<u32> = earlier.iter().map(&mut wait).collect();
        let served = match last {
            Some(attempt) => self.observed(attempt, wait(attempt)),
            None => Observed::default(),
        };
        // Logs name what was asked for where another model served; a pinned one is asked for by name.
        let asked = match record.attempts.first() {
            Some(first) if record.pinned && record.asked.is_empty() => self.names.intern_model(&first.model),
            _ => self.names.intern_model(&record.asked),
        };
        let words = &record.needs.down;
        let ask = told(words, AskId::parse).unwrap_or_default();
        let is_seconded = words.iter().any(|word| word.starts_with(BEFORE));
        let ask = if is_seconded { ask.seconded() } else { ask };
        let mut operation = Operation {
            at: record.at,
            served,
            session: self.names.intern_session(if self.keeps_sessions { &record.session } else { "" }),
            extra: Operation::NO_EXTRA,
            team: self.names.intern_team(&record.team),
            project: self.names.intern_project(&record.project),
            user: self.names.intern_user(&record.user),
            key: self.names.intern_key(&record.key),
            asked,
            turn: record.turn.and_then(|turn| u16::try_from(turn).ok()).unwrap_or(u16::MAX),
            simulated: !record.simulated.is_empty(),
            pinned: record.pinned,
            draw: Draw::of_turn(&record.id, ask.is_turn() || words.iter().any(|word| *word == UNDRAWN)),
            class: record.task.unwrap_or_default(),
            lot: told(words, Lot::parse)
                .unwrap_or_else(|| Lot::of(&record.session, &record.user, &record.key, &record.id)),
            call: Call::packed(told(words, Call::parse)),
            expected: told(words, expected),
            ask,
            ..Operation::default()
        };
        self.judge(record, &mut operation);
        operation.second = self.second_opinion(record, &operation);
        let circumstance = self.circumstance(record, &operation.served.usage);
        operation.circumstance = self.circumstances.intern(&circumstance);
        let error = last.map_or("", |attempt| attempt.error.as_ref());
        let is_particular = record.attempts.iter().any(has_particulars);
        let waited: u32 = told(words, |word| word.strip_prefix(WAITED)?.parse().ok()).unwrap_or(0);
        let plain = earlier.is_empty()
            && record.labels.is_empty()
            && record.simulated.is_empty()
            && error.is_empty()
            && waited == 0
            && !is_particular;
        let mut extra = (!plain).then(|| Extra {
            earlier: earlier.iter().zip(waits).map(|(call, waited)| self.observed(call, waited)).collect(),
            labels: Vec::new(),
            simulated: record.simulated.as_ref().into(),
            error: error.into(),
            particulars: if is_particular {
                record.attempts.iter().map(particulars).collect()
            } else {
                Vec::new()
            },
            waited,
        });
        for label in &record.labels {
            let label = self.label(label).about(operation.simulated);
            if let Some(extra) = &mut extra {
                extra.judge(label);
            }
        }
        (operation, extra)
    }
}

/// Returns what a request asks of its model: that it sees pictures, and that it calls tools.
pub(super) fn capabilities(vision: bool, tools: bool) -> Capabilities {
    let has = [(Capability::Vision, vision), (Capability::Tools, tools)];
    let has = has.into_iter().filter(|(_, has)| *has);
    has.fold(Capabilities::NONE, |all, (one, _)| all.with(one))
}

/// Names a classifier and the start of its hash.
pub(super) fn tag_of(classifier: &Classifier) -> String {
    format!("{} {:08x}", classifier.name(), classifier.hash() >> 32)
}

/// Says where a confidence comes from that a classifier told.
pub(super) fn source_of(basis: Basis) -> ConfidenceSource {
    match basis {
        Basis::Text => ConfidenceSource::Text,
        Basis::Measures => ConfidenceSource::Measures,
        Basis::NoSignal => ConfidenceSource::None,
    }
}

/// Returns the id of a request; one that has none goes by its line.
pub(super) fn id_of<'r>(record: &'r Record<'_>, line: u64) -> Cow<'r, str> {
    if record.id.is_empty() { format!("line-{line}").into() } else { Cow::Borrowed(&*record.id) }
}

/// Returns what the first of a log's words tells that tells it.
pub(super) fn told<T>(words: &[Cow<'_, str>], parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    words.iter().find_map(|word| parse(word))
}

/// Reads what a call was expected to cost.
fn expected(word: &str) -> Option<NonZeroU64> {
    match Word::parse(word)? {
        Word::Expected(amount) => u64::try_from(amount.0).ok().and_then(NonZeroU64::new),
        _ => None,
    }
}

/// Returns how long a call took; nobody was waited for where nobody was called.
fn latency(attempt: &Attempt<'_>) -> Millis {
    if attempt.status.is_call() { Millis::from_option(attempt.latency_ms) } else { Millis::UNKNOWN }
}

/// Says whether there is more to keep of a call than its figures.
fn has_particulars(attempt: &Attempt<'_>) -> bool {
    attempt.terms.is_some()
        || attempt.gap_ms.is_some()
        || !attempt.left_out.is_empty()
        || !attempt.verdicts.is_empty()
        || attempt.provider.contains('/')
}

/// Reads it.
fn particulars(attempt: &Attempt<'_>) -> Particulars {
    let is_account = attempt.provider.contains('/');
    Particulars {
        terms: attempt.terms.as_deref().copied().unwrap_or_default(),
        left_out: attempt.left_out.iter().map(|name| name.as_ref().into()).collect(),
        verdicts: attempt.verdicts.clone(),
        gap: Millis::from_option(attempt.gap_ms),
        account: if is_account { attempt.provider.as_ref().into() } else { Box::default() },
    }
}

/// Keeps the default class honest: an unknown kind of work is "other", never the first in the list.
const _: () = assert!(matches!(TaskClass::ALL[TaskClass::ALL.len() - 1], TaskClass::Other));
