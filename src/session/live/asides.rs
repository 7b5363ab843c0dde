//! What a live session tells readers of its log besides requests, policies and signals.

use super::super::news::{end_text, redirect_text};
use super::super::notes::billed_by_text;
use super::{Called, Live, line_of, lock};
use crate::bandit::key_of;
use crate::pricing::is_unlisted;
use crate::record::{Correction, Entry, LateLabel};
use crate::units::Instant;

/// Kinds of news that are told, each once.
const KINDS: usize = 64;

impl Live {
    /// Tells readers of the log what became known of an answer.
    pub fn judge(&self, late: &LateLabel<'_>) {
        if let Some(quality) = late.label.quality {
            let core = &mut *lock(&self.core);
            if let Some(model) = core.names.find_model(&late.label.model) {
                core.decider.judged(key_of(&late.id), model, quality, late.at);
            }
        }
        let late = Entry::Label(Box::new(late.clone()));
        lock(&self.outlet).publish(&line_of(&late));
    }

    /// Tells readers of the log what a call was charged in truth. Sums of what is over stay as they were charged.
    pub fn correct(&self, correction: &Correction<'_>) {
        let correction = Entry::Correction(Box::new(correction.clone()));
        lock(&self.outlet).publish(&line_of(&correction));
    }

    /// Writes something that readers of the log should know at that moment; returns the moment that was written.
    pub fn note(&self, text: &str, now: Instant) -> Instant {
        let at = {
            let core = lock(&self.core);
            core.dated(now, core.last_at)
        };
        self.note_at(at, text, false);
        at
    }

    /// Tells readers of the log of it; where nothing may overtake it, the core's lock is held meanwhile.
    pub(super) fn note_at(&self, at: Instant, text: &str, simulated: bool) {
        let line = line_of(&Entry::Note { at, text: text.into(), simulated });
        lock(&self.outlet).publish(&line);
    }

    /// Tells, once for each kind, of what a call brought up: a meter that nobody here knows, an answer by a model of another price
    /// than the one asked, a model that its provider is about to withdraw.
    pub(super) fn tell_news(&self, call: &Called) {
        let book = self.book();
        let unlisted = call.terms.meters().filter(|(meter, _)| is_unlisted(meter));
        for (meter, _) in unlisted.filter(|(meter, _)| !book.prices_meter(meter)) {
            self.tell_once(meter, call, |_| Some(billed_by_text(&call.provider, &call.model, meter)));
        }
        let model = &call.model;
        if let Some(served) = &call.billed {
            self.tell_once(&format!("{model} by {served}"), call, |_| Some(redirect_text(model, served)));
        }
        // Whoever simulates a model goes on with it.
        if call.simulated {
            return;
        }
        if book.find(model).is_some_and(|prices| prices.deprecated.is_some()) {
            self.tell_once(&format!("end of {model}"), call, |at| end_text(model, &book, at));
        }
    }

    fn tell_once(&self, kind: &str, call: &Called, text: impl Fn(Instant) -> Option<String>) {
        let (at, text) = {
            let mut core = lock(&self.core);
            if core.told.contains(kind) || core.told.len() >= KINDS {
                return;
            }
            let Some(text) = text(core.last_at) else { return };
            core.told.insert(kind.to_owned());
            (core.last_at, text)
        };
        tracing::warn!("{text}");
        self.note_at(at, &text, call.simulated);
    }
}
