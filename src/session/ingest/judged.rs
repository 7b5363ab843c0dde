//! What classifiers think of an entry, and what the tool loop comes to that it goes on with.
//!
//! Invariant: the log's own word goes first, unless it is asked otherwise.

use super::{Ingest, TRIED, source_of, told};
use crate::classifier::{Measures, Saw, Tags, TaskClass};
use crate::outcome::{Operation, Second};
use crate::record::Record;
use crate::routing::ConfidenceSource;

impl Ingest {
    /// Notes with an operation, at its turn, what the tool loop that it goes on with comes to.
    pub(in crate::session) fn go_on(&mut self, operation: &mut Operation) {
        let circumstance = self.circumstances.get(operation.circumstance);
        self.leasts.take(operation, circumstance);
        if let Some(mut other) = operation.by_second() {
            self.second_leasts.take(&mut other, circumstance);
            operation.second = operation.second.map(|second| Second { least: other.least, ..second });
        }
    }

    /// Settles kind of work and confidence: the log's own word first, unless asked otherwise.
    pub(super) fn judge(&self, record: &Record<'_>, operation: &mut Operation) {
        let recorded = record.confidence.filter(|_| !self.options.reclassify);
        if record.unsure && !self.options.reclassify {
            operation.set_confidence(None, ConfidenceSource::None);
            return;
        }
        if recorded.is_some() && record.task.is_some() {
            let judged = !record.saw.is_empty();
            let source = if judged { ConfidenceSource::Judged } else { ConfidenceSource::Recorded };
            operation.set_confidence(recorded, source);
            operation.saw = record.saw;
            return;
        }
        let opinion = self.classifier.classify(record.prompt.as_deref(), &measures(record, operation));
        operation.class = record.task.unwrap_or(opinion.class);
        if let Some(confidence) = recorded {
            operation.set_confidence(Some(confidence), ConfidenceSource::Recorded);
            return;
        }
        operation.set_confidence(opinion.confidence, source_of(opinion.basis));
        operation.saw = Saw::of(&opinion);
    }

    /// Notes whose opinion the log tells.
    pub(super) fn know_tried(&mut self, classifier: u32) {
        if !self.tried.contains(&classifier) && self.tried.len() < TRIED {
            self.tried.push(classifier);
        }
    }

    /// Asks the second classifier, where it has what the first one had: the text, or no more than measures for either. Without one
    /// the log's own word counts.
    pub(super) fn second_opinion(&mut self, record: &Record<'_>, operation: &Operation) -> Option<Second> {
        let Some(second) = &self.second else {
            let (classifier, opinion) = told(&record.needs.down, Second::parse)?;
            self.know_tried(classifier);
            return Some(opinion);
        };
        if record.prompt.is_none() && operation.source != ConfidenceSource::Measures {
            return None;
        }
        let opinion = second.classify(record.prompt.as_deref(), &measures(record, operation));
        let source = source_of(opinion.basis);
        let class = record.task.unwrap_or(opinion.class);
        Some(Second { confidence: opinion.confidence, source, class, least: None })
    }
}

/// Returns what is known of a request besides its text.
fn measures(record: &Record<'_>, operation: &Operation) -> Measures {
    Measures {
        prompt_tokens: operation.served.usage.prompt(),
        turn: record.turn,
        tools: record.tools,
        history: record.history,
        after: 0,
        task: record.task,
        tags: Tags::of(record.task.map_or("", TaskClass::name), &record.project),
    }
}
