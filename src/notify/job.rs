//! One thing that one receiver is to be told, as it waits.

use std::sync::Arc;
use std::time::Instant as Moment;

use crate::alert::Alert;
use crate::ledger::News;

/// Something that a receiver is to be told.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) alert: Alert,
    pub(super) news: News,
    pub(super) receiver: Arc<str>,
    pub(super) tries: u32,
    pub(super) due: Moment,
    pub(super) under_way: bool,
}

impl Job {
    pub(super) fn new(alert: Alert, news: News, receiver: Arc<str>, tries: u32, due: Moment) -> Self {
        Self { alert, news, receiver, tries, due, under_way: false }
    }

    /// Says whether both tell one receiver the same.
    pub(super) fn is(&self, other: &Self) -> bool {
        (&self.alert.id, self.news, &self.receiver) == (&other.alert.id, other.news, &other.receiver)
    }
}
