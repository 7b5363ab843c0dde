//! What a live session tells readers of its log besides requests, policies and signals.

use super::super::ingest::METERS;
use super::super::log::billed_by_text;
use super::{Called, Live, line_of, lock};
use crate::pricing::is_unlisted;
use crate::record::{Correction, Entry, LateLabel};
use crate::units::Instant;

impl Live {
    /// Tells readers of the log what became known of an answer.
    pub fn judge(&self, late: &LateLabel<'_>) {
        let late = Entry::Label(Box::new(late.clone()));
        lock(&self.outlet).publish(&line_of(&late));
    }

    /// Tells readers of the log what a call was charged in truth. Sums of what is over stay as they were charged.
    pub fn correct(&self, correction: &Correction<'_>) {
        let correction = Entry::Correction(Box::new(correction.clone()));
        lock(&self.outlet).publish(&line_of(&correction));
    }

    /// Writes something that readers of the log should know at that moment; gives the moment that was written.
    pub fn note(&self, text: &str, now: Instant) -> Instant {
        let at = {
            let core = lock(&self.core);
            core.dated(now, core.last_at)
        };
        self.note_at(at, text, false);
        at
    }

    fn note_at(&self, at: Instant, text: &str, simulated: bool) {
        let line = line_of(&Entry::Note { at, text: text.into(), simulated });
        lock(&self.outlet).publish(&line);
    }

    /// Tells of a meter that nobody here knows, once for each kind.
    pub(super) fn tell_meters(&self, call: &Called) {
        let unlisted = call.terms.meters().filter(|(meter, _)| is_unlisted(meter));
        for (meter, _) in unlisted.filter(|(meter, _)| !self.book().prices_meter(meter)) {
            let (is_new, at) = {
                let mut core = lock(&self.core);
                let is_new = core.meters.len() < METERS && core.meters.insert(meter.to_owned());
                (is_new, core.last_at)
            };
            if is_new {
                let text = billed_by_text(&call.provider, &call.model, meter);
                tracing::warn!("{text}");
                self.note_at(at, &text, call.simulated);
            }
        }
    }
}
