//! A log read whole into memory: all cores read, one thread puts in order.
//!
//! Invariant: what comes of it is the same on any number of threads.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::ingest::{Ingest, id_of};
use super::log::{Judged, LoadError, Log, PROFILED, PolicySpan, Skipped};
use super::met::Met;
use super::news::News;
use super::notes::{LogNote, NoteKind, meter_text, recharge_text};
use super::portion::Taken;
use super::readers::{Readers, threads};
use super::shadowed::Shadowed;
use super::turns::{Takes, Turns};
use super::written::policy_text;
use crate::bandit::key_of;
use crate::outcome::{Extra, History, ModelLabel, Operation, ProfileFit};
use crate::pricing::{PriceBook, PriceRow, PriceTable};
use crate::record::{self, Correction, Entry};
use crate::routing::Policy;
use crate::units::{Instant, ModelId, counted};

/// What was read of a log so far.
struct Loading {
    ingest: Ingest,
    history: History,
    notes: Vec<LogNote>,
    skipped: Skipped,
    changes: Vec<(ModelId, PriceRow)>,
    policies: Vec<(Instant, Arc<Policy>)>,
    labels: Vec<(Instant, String, ModelLabel)>,
    corrections: Vec<Correction<'static>>,
    shadowed: Shadowed,
    classified: usize,
}

impl Loading {
    fn new(ingest: Ingest) -> Self {
        Self {
            ingest,
            history: History::default(),
            notes: Vec::new(),
            skipped: Skipped::default(),
            changes: Vec::new(),
            policies: Vec::new(),
            labels: Vec::new(),
            corrections: Vec::new(),
            shadowed: Shadowed::default(),
            classified: 0,
        }
    }

    fn operation(&mut self, id: &str, mut operation: Operation, extra: Option<Extra>) -> ControlFlow<()> {
        self.ingest.go_on(&mut operation);
        self.classified += usize::from(!operation.source.is_told());
        self.history.push(id, operation, extra);
        ControlFlow::Continue(())
    }
}

impl Takes for Loading {
    fn entry(&mut self, line: u64, entry: Entry<'_>) -> ControlFlow<()> {
        match entry {
            Entry::Request(record) if !self.ingest.wants(record.at) || self.shadowed.take(&record) => {}
            Entry::Request(record) => {
                let (operation, extra) = self.ingest.take(&record);
                return self.operation(&id_of(&record, line), operation, extra);
            }
            Entry::Price(change) => {
                self.notes.push(LogNote::price(&change, Instant::default()));
                self.changes.push((self.ingest.names.intern_model(&change.model), change.row));
            }
            Entry::Policy(change) => {
                self.notes.push(LogNote::new(change.at, NoteKind::Policy, policy_text(&change)));
                match self.ingest.policy(&change) {
                    Ok(policy) => self.policies.extend(policy.map(|policy| (change.at, policy))),
                    Err(error) => {
                        self.skipped.damaged.push(format!("policy version {}: {error}", change.version));
                    }
                }
            }
            Entry::Label(late) => {
                self.labels.push((late.at, late.id.to_string(), self.ingest.label(&late.label)));
            }
            Entry::Correction(correction) => self.corrections.push(correction.into_owned()),
            Entry::Signal(signal) => self.notes.push(LogNote::signal(&signal)),
            Entry::Note { at, text, simulated } => self.notes.push(LogNote::told(at, text, simulated)),
        }
        ControlFlow::Continue(())
    }

    fn taken(&mut self, taken: Taken, mut extra: Option<Extra>, met: &mut Met) -> ControlFlow<()> {
        let Taken { line, timing, mut operation, id, .. } = taken;
        if !self.ingest.wants(operation.at) {
            return ControlFlow::Continue(());
        }
        self.ingest.adopt(timing, &mut operation, extra.as_mut(), met);
        let id = id.as_deref().filter(|id| !id.is_empty());
        let id = id.map_or_else(|| format!("line-{}", line.number()).into(), Cow::Borrowed);
        self.operation(&id, operation, extra)
    }

    fn skipped(&mut self) -> &mut Skipped {
        &mut self.skipped
    }
}

impl Log {
    /// Reads sources whole. `tick` hears of the operations read so far and may cancel by answering false.
    ///
    /// # Errors
    /// Where a source cannot be read, has nothing in it, or `tick` cancels.
    pub fn load(
        title: String,
        mut source: record::Source,
        ingest: Ingest,
        policy: Arc<Policy>,
        book: &PriceBook,
        mut tick: impl FnMut(usize) -> bool,
    ) -> Result<Self, LoadError> {
        let is_told_how = source.is_told_how();
        let (mut turns, mut loading) = (Turns::of(&mut source), Loading::new(ingest));
        let has_ids = Arc::new(AtomicBool::new(true));
        let count = loading.ingest.threads.unwrap_or_else(threads);
        let mut portions = Readers::start(count, source, &loading.ingest, None, None, has_ids);
        while let Some(portion) = portions.next() {
            if turns.take(portion, &mut loading)?.is_break() || !tick(loading.history.len()) {
                return Err(LoadError::Cancelled);
            }
        }
        let header = portions.header();
        let Loading {
            ingest,
            mut history,
            mut notes,
            mut skipped,
            changes,
            mut policies,
            mut labels,
            mut corrections,
            shadowed,
            classified,
        } = loading;
        if history.is_empty() && ingest.is_windowed() {
            return Err(LoadError::Empty(title, super::Stretch::EMPTY.to_owned()));
        }
        if history.is_empty() {
            let hint = skipped.first.first().map_or_else(
                || {
                    if !labels.is_empty() {
                        let labels = counted(labels.len() as u64, "label");
                        return format!("it holds {labels} and no requests: pointsman certify LOG --labels FILE");
                    }
                    skipped.nothing_of_it().unwrap_or_else(|| {
                        "the file is empty; give a request log (see `pointsman import --help` for the formats)"
                            .to_owned()
                    })
                },
                |first| {
                    let (line, reason) = (first.line, &first.reason);
                    let format = if is_told_how { "" } else { " (name the format with --input-format)" };
                    format!("line {line}: {reason}{format}")
                },
            );
            return Err(LoadError::Empty(title, hint));
        }
        // Of several the latest counts, in whatever order files are read.
        crate::units::sort_by_key(&mut labels, |(at, ..)| *at);
        let verdict = |(at, id, label): &(Instant, String, ModelLabel)| {
            Some(Judged { at: *at, id: key_of(id), model: label.model, quality: label.quality? })
        };
        let verdicts = labels.iter().filter_map(verdict).collect();
        let judged = history.find_all(&labels.iter().map(|(_, id, _)| id.as_str()).collect());
        for (_, id, label) in &labels {
            if let Some(&index) = judged.get(id) {
                history.judge(index, *label);
            }
        }
        crate::units::sort_by_key(&mut corrections, |correction| correction.at);
        let corrected = history.find_all(&corrections.iter().map(|correction| &*correction.id).collect());
        let mut unmet = 0;
        for Correction { id, call, charged, .. } in &corrections {
            let fits = corrected.get(&**id).is_some_and(|&index| history.correct(index, *call, *charged));
            unmet += usize::from(!fits);
        }
        if !ingest.is_windowed() {
            skipped.unmet(unmet);
        }
        history.shrink();
        let reprices = ingest.options.reprice;
        let mut prices = PriceTable::new(book, &ingest.names).repricing(reprices);
        for (model, row) in changes {
            prices.change(model, row);
        }
        // Before sorting: a stream, which cannot sort, fits on the same operations.
        let mut fit = ProfileFit::default();
        for (_, recalled) in history.range(0, PROFILED) {
            let evidence = recalled.evidence();
            fit.add(&evidence, &prices);
        }
        let reordered = history.sort();
        crate::units::sort_by_key(&mut notes, |note| note.at);
        let unknown_meters = ingest.unknown_meters(book);
        let (classifier, judge) = (ingest.classifier_tag(), Some(ingest.classifier()));
        let second = ingest.second_tag();
        let (budgets, caching) = (header.budgets, Arc::clone(&ingest.caching));
        let (timing, undated, looked_at) =
            (ingest.timing, ingest.undated(), ingest.options.stretch.looked_at());
        let (names, circumstances) = (ingest.names, Arc::new(ingest.circumstances));
        let brings_policies = !policies.is_empty();
        crate::units::sort_by_key(&mut policies, |(at, policy)| (*at, policy.version));
        let mut spans: Vec<PolicySpan> = Vec::new();
        for (at, policy) in policies {
            let from = history.first_at(at);
            // Of several that decided nothing in between, the last one counts.
            spans.retain(|span| span.from < from);
            spans.push(PolicySpan { from, policy });
        }
        let policy = match spans.first() {
            Some(first) if first.from == 0 => spans.remove(0).policy,
            _ => policy,
        };
        let log = Self::from_parts(title, history, names, prices, fit.finish(), policy, skipped);
        let shown_book = format!("{} {}", book.name, book.dated);
        let at = log.bounds().unwrap_or_default().0;
        let place = notes.partition_point(|note| note.at <= at);
        let remarks = recharge_text(&log.recharge, &shown_book, reprices).into_iter();
        let remarks = remarks.chain(unknown_meters.iter().map(|(meter, calls)| meter_text(meter, *calls)));
        let remark = |kind| move |text: String| LogNote::new(at, kind, text);
        let undated = undated.map(remark(NoteKind::Note));
        notes.splice(place..place, remarks.map(remark(NoteKind::Price)).chain(undated));
        // A gateway has told of them already.
        let is_new = |text: &String| notes.iter().all(|note| note.text != *text);
        let told = told_by(&log, book).into_iter().filter(|(_, text)| is_new(text));
        let told: Vec<LogNote> = told.map(|(at, text)| LogNote::new(at, NoteKind::Price, text)).collect();
        notes.extend(told);
        crate::units::sort_by_key(&mut notes, |note| note.at);
        let loaded = Self {
            policies: spans,
            circumstances,
            book: shown_book,
            catalog: Arc::new(book.clone()),
            classifier,
            judge,
            second,
            notes,
            reordered,
            classified,
            timing,
            looked_at,
            shadowed,
            budgets,
            caching,
            verdicts: Arc::new(verdicts),
            ..log
        };
        // A log with its policies says how things stood; another is run under the policy given.
        let only = [PolicySpan { from: 0, policy: Arc::clone(&loaded.policy) }];
        if brings_policies || !loaded.remembers(&only) {
            return Ok(loaded);
        }
        Ok(loaded.anew(&only, 0))
    }
}

/// Lists the models of a log that answer for others, and those whose end is near.
fn told_by(log: &Log, book: &PriceBook) -> Vec<(Instant, String)> {
    let mut news = News::default();
    news.know(book, &log.names);
    for (_, recalled) in log.history.range(log.history.start(), log.len()) {
        let evidence = recalled.evidence();
        news.see(&evidence);
    }
    news.told(book, &log.prices, &log.names)
}
