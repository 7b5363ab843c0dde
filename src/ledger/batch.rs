//! Entries of one batch gathered by operation, so that what opened and closed within it is written once.

use rustc_hash::FxHashMap;

use super::entry::{AttemptEnded, AttemptStarted, Closed, Entry, Opened};

/// What a batch says of one attempt.
#[derive(Debug, Default)]
pub(super) struct AttemptDraft<'b> {
    pub(super) n: u32,
    pub(super) started: Option<&'b AttemptStarted>,
    pub(super) delivered: Option<u64>,
    pub(super) ended: Option<&'b AttemptEnded>,
}

/// What a batch says of one operation.
#[derive(Debug, Default)]
pub(super) struct Draft<'b> {
    pub(super) seq: u64,
    pub(super) opened: Option<&'b Opened>,
    pub(super) attempts: Vec<AttemptDraft<'b>>,
    pub(super) closed: Option<&'b Closed>,
    /// What about it turned out to be synthetic.
    pub(super) simulated: Option<&'b str>,
}

/// A batch, gathered.
#[derive(Debug, Default)]
pub(super) struct Batch<'b> {
    /// Operations by first appearance.
    pub(super) drafts: Vec<Draft<'b>>,
    /// Places of those that ended, in that order.
    ended: Vec<usize>,
    /// What belongs to no operation's account, in order, each with the first operation that comes after it.
    pub(super) asides: Vec<(&'b Entry, u64)>,
}

impl<'b> Batch<'b> {
    /// Gathers entries; `newest` is the highest operation before them.
    pub(super) fn gather(entries: &'b [Entry], newest: u64) -> Self {
        let mut batch = Self::default();
        let mut places: FxHashMap<u64, usize> = FxHashMap::default();
        let mut newest = newest;
        for entry in entries {
            match entry {
                Entry::Opened(opened) => {
                    newest = newest.max(opened.seq);
                    // What is recorded twice counts once.
                    batch.draft(&mut places, opened.seq, |draft| _ = draft.opened.get_or_insert(opened));
                }
                Entry::AttemptStarted(started) => batch.draft(&mut places, started.seq, |draft| {
                    let attempt = draft.attempt(started.n);
                    attempt.started.get_or_insert(started);
                }),
                Entry::Progress { seq, n, delivered } => batch.draft(&mut places, *seq, |draft| {
                    let attempt = draft.attempt(*n);
                    attempt.delivered = attempt.delivered.max(Some(*delivered));
                }),
                Entry::Simulated { seq, what } => {
                    // The latest word tells most.
                    batch.draft(&mut places, *seq, |draft| draft.simulated = Some(what));
                }
                Entry::AttemptEnded(ended) => batch.draft(&mut places, ended.seq, |draft| {
                    draft.attempt(ended.n).ended.get_or_insert(ended);
                }),
                Entry::Closed(closed) => {
                    let mut is_new = false;
                    batch.draft(&mut places, closed.seq, |draft| {
                        is_new = draft.closed.is_none();
                        draft.closed.get_or_insert(closed);
                    });
                    batch.ended.extend(places.get(&closed.seq).filter(|_| is_new));
                }
                aside => batch.asides.push((aside, newest + 1)),
            }
        }
        batch
    }

    /// Returns those that ended, as they ended.
    pub(super) fn ended(&self) -> impl Iterator<Item = &Draft<'b>> {
        self.ended.iter().filter_map(|place| self.drafts.get(*place))
    }

    fn draft(&mut self, places: &mut FxHashMap<u64, usize>, seq: u64, change: impl FnOnce(&mut Draft<'b>)) {
        let place = *places.entry(seq).or_insert_with(|| {
            self.drafts.push(Draft { seq, ..Draft::default() });
            self.drafts.len() - 1
        });
        if let Some(draft) = self.drafts.get_mut(place) {
            change(draft);
        }
    }
}

impl<'b> Draft<'b> {
    /// Says whether it tells something that an operation may not have had when it ended.
    pub(super) fn is_late(&self) -> bool {
        let ends = self.attempts.iter().any(|attempt| attempt.ended.is_some());
        self.closed.is_none() && (ends || self.simulated.is_some())
    }

    fn attempt(&mut self, n: u32) -> &mut AttemptDraft<'b> {
        let place = self.attempts.iter().position(|attempt| attempt.n == n).unwrap_or_else(|| {
            self.attempts.push(AttemptDraft { n, ..AttemptDraft::default() });
            self.attempts.len() - 1
        });
        &mut self.attempts[place]
    }
}
