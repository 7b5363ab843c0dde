//! What a log tells besides requests.

use std::collections::{BTreeMap, BTreeSet};
use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};

use crate::pricing::{Charged, PriceRow};
use crate::record::{Correction, Label, LateLabel, Record};
use crate::routing::Policy;
use crate::units::{Instant, Names};

/// What a log tells besides requests, each in force from its own moment on, wherever it stands.
#[derive(Clone, Debug, Default)]
pub struct LogEvents {
    pub(super) prices: Vec<(String, PriceRow)>,
    pub(super) policies: Vec<(Instant, Arc<Policy>)>,
    /// The names that those policies were compiled with.
    pub(super) names: Names,
    /// By request.
    pub(super) labels: BTreeMap<String, Vec<(Instant, Label<'static>)>>,
    pub(super) corrections: BTreeMap<String, Vec<(Instant, Option<u32>, Charged)>>,
    /// The corrections of which the call was in what was read; a request may be read twice.
    pub(super) met: Arc<Mutex<BTreeSet<(String, usize)>>>,
}

impl LogEvents {
    /// Counts them.
    pub fn len(&self) -> usize {
        self.prices.len() + self.policies.len() + self.labels.len() + self.corrections.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds what was said of a request's answers and charges later.
    pub(super) fn judge(&self, record: &mut Record<'_>) {
        let judged = self.labels.get(&*record.id).into_iter().flatten();
        record.labels.extend(judged.map(|(_, label)| label.clone()));
        for (nth, (_, call, charged)) in self.corrections.get(&*record.id).into_iter().flatten().enumerate() {
            if record.correct(*call, *charged) {
                let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
                met.insert((record.id.as_ref().to_owned(), nth));
            }
        }
    }

    /// Counts the corrections of which no call was in what was read, once.
    pub(super) fn unmet(&self) -> usize {
        let all: usize = self.corrections.values().map(Vec::len).sum();
        all.saturating_sub(take(&mut *self.met.lock().unwrap_or_else(PoisonError::into_inner)).len())
    }

    /// Takes in what a call was charged after all.
    pub(super) fn correct(&mut self, correction: Correction<'_>) {
        let Correction { at, id, call, charged, .. } = correction;
        let known = self.corrections.entry(id.into_owned()).or_default();
        let place = known.partition_point(|(earlier, ..)| *earlier <= at);
        known.insert(place, (at, call, charged));
    }

    /// Takes in what was said of an answer.
    pub(super) fn label(&mut self, late: LateLabel<'_>) {
        let LateLabel { at, id, label, .. } = late;
        let label = Label {
            model: label.model.into_owned().into(),
            source: label.source.into_owned().into(),
            ..label
        };
        let known = self.labels.entry(id.into_owned()).or_default();
        let place = known.partition_point(|(earlier, _)| *earlier <= at);
        known.insert(place, (at, label));
    }
}
