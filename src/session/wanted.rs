//! One request that is looked for in a log that streams.

use std::sync::Arc;

use crate::outcome::{Extra, Operation};
use crate::record::Record;
use crate::units::Instant;

/// Which request is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The first in order of time that has this id.
    Named(Arc<str>),
    /// The one that so many stand before in order of reading.
    Read(u64),
}

impl Wanted {
    /// Says whether a request is known by the id that is looked for.
    pub(super) fn is_named(&self, record: &Record<'_>, line: u64) -> bool {
        match self {
            Self::Named(id) if record.id.is_empty() => {
                id.strip_prefix("line-").is_some_and(|number| number == line.to_string())
            }
            Self::Named(id) => **id == *record.id,
            Self::Read(_) => false,
        }
    }
}

/// The moments of all requests, in order of reading, and the request that was looked for.
#[derive(Clone, Debug, Default)]
pub struct Search {
    moments: Vec<Instant>,
    found: Option<Found>,
}

/// A request that was looked for.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) id: Box<str>,
    pub(super) operation: Operation,
    pub(super) extra: Option<Extra>,
    /// How many were read before it.
    pub(super) read: usize,
}

impl Search {
    /// Adds a request; `id` where it is one that is looked for.
    pub(super) fn add(&mut self, operation: &Operation, extra: Option<&Extra>, id: Option<&str>) {
        let is_earlier = |found: &Found| operation.at < found.operation.at;
        if let Some(id) = id
            && self.found.as_ref().is_none_or(is_earlier)
        {
            let (operation, extra, read) = (*operation, extra.cloned(), self.moments.len());
            self.found = Some(Found { id: id.into(), operation, extra, read });
        }
        self.moments.push(operation.at);
    }

    /// Counts the requests.
    pub fn len(&self) -> usize {
        self.moments.len()
    }

    /// Says whether there are none.
    pub fn is_empty(&self) -> bool {
        self.moments.is_empty()
    }

    /// Says whether the request was found.
    pub fn has_found(&self) -> bool {
        self.found.is_some()
    }

    /// Finds the request that so many stand before in order of time.
    pub fn placed(&self, place: usize) -> Option<Wanted> {
        if place >= self.len() {
            return None;
        }
        if self.moments.is_sorted() {
            return Some(Wanted::Read(place as u64));
        }
        let mut order: Vec<(Instant, u64)> = self.moments.iter().copied().zip(0..).collect();
        let (_, (_, read), _) = order.select_nth_unstable(place);
        Some(Wanted::Read(*read))
    }

    /// Returns the request, and how many stand before it in order of time.
    pub(super) fn found(&self) -> Option<(&Found, usize)> {
        let found = self.found.as_ref()?;
        let before = |(read, at): &(usize, &Instant)| (**at, *read) < (found.operation.at, found.read);
        Some((found, self.moments.iter().enumerate().filter(before).count()))
    }
}
