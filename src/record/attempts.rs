//! The calls of one operation. Nearly every operation has one, and that one needs no allocation.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

use crate::checks::Verdict;
use crate::pricing::{Charged, Terms, Usage};
use crate::routing::Effort;

pub use crate::routing::{Check, Status};

/// One call to a model.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Attempt<'a> {
    /// The model that was billed; empty where the log names none.
    pub model: Cow<'a, str>,
    /// Whether the log names no model and the reader was told which to assume, which makes the cost an estimate.
    pub assumed_model: bool,
    /// Whether tokens were estimated because the provider did not say, which makes the cost an estimate.
    pub estimated: bool,
    /// The model that the provider says it billed, where its price is another; empty where it is the same.
    pub billed: Cow<'a, str>,
    /// Its provider, where named.
    pub provider: Cow<'a, str>,
    /// Tokens in disjoint buckets.
    pub usage: Usage,
    /// How sure the split of cache writes by lifetime is.
    pub write_ttl: WriteTtl,
    /// From the request's arrival to the start of the call, in microseconds, where the log says.
    pub began_us: Option<u64>,
    /// From request to last byte.
    pub latency_ms: Option<u32>,
    /// From request to first byte.
    pub ttft_ms: Option<u32>,
    /// How the call ended.
    pub status: Status,
    /// The HTTP status or error class, where the log has one.
    pub error: Cow<'a, str>,
    /// Whether the answer was checked, and how that went.
    pub check: Check,
    /// What each check of its route said; empty for nearly every call.
    pub verdicts: Box<[Verdict]>,
    /// The service tier that served and what is billed besides tokens; none for nearly every call.
    pub terms: Option<Box<Terms>>,
    /// Parameters of the request that were left out for this model.
    pub left_out: Vec<Cow<'a, str>>,
    /// The longest silence within a stream after its first byte.
    pub gap_ms: Option<u32>,
    /// How hard its rung told it to think; none where the request went as it was.
    pub effort: Option<Effort>,
    /// What was charged for it then, where the log tells: that stands, whatever prices are given.
    pub charged: Charged,
}

/// Keeps terms only where there are any.
pub fn some_terms(terms: &Terms) -> Option<Box<Terms>> {
    (!terms.is_none()).then(|| Box::new(*terms))
}

/// Says where the lifetime of cache writes comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WriteTtl {
    /// The log tells 5-minute and 1-hour writes apart, or there were none.
    #[default]
    Reported,
    /// The log has one number; all of it was put under 5 minutes, which makes the cost an estimate.
    Assumed,
}

impl WriteTtl {
    /// Reads the word for it in our format; nothing said is reported.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        match word {
            "" | "reported" => Some(Self::Reported),
            "assumed" => Some(Self::Assumed),
            _ => None,
        }
    }
}

/// A list of attempts that holds a single one in place.
#[derive(Clone, Debug)]
pub struct Attempts<'a>(Held<'a>);

#[derive(Clone, Debug)]
enum Held<'a> {
    One(Attempt<'a>),
    Many(Vec<Attempt<'a>>),
}

impl<'a> Attempts<'a> {
    /// Holds one attempt.
    pub fn one(attempt: Attempt<'a>) -> Self {
        Self(Held::One(attempt))
    }

    /// Adds an attempt after the others.
    pub fn push(&mut self, attempt: Attempt<'a>) {
        let held = std::mem::replace(&mut self.0, Held::Many(Vec::new()));
        self.0 = match held {
            Held::Many(list) if list.is_empty() => Held::One(attempt),
            Held::Many(mut list) => {
                list.push(attempt);
                Held::Many(list)
            }
            Held::One(first) => Held::Many(vec![first, attempt]),
        };
    }
}

impl Default for Attempts<'_> {
    fn default() -> Self {
        Self(Held::Many(Vec::new()))
    }
}

impl<'a> Deref for Attempts<'a> {
    type Target = [Attempt<'a>];
    fn deref(&self) -> &[Attempt<'a>] {
        match &self.0 {
            Held::One(attempt) => std::slice::from_ref(attempt),
            Held::Many(list) => list,
        }
    }
}

impl<'a> DerefMut for Attempts<'a> {
    fn deref_mut(&mut self) -> &mut [Attempt<'a>] {
        match &mut self.0 {
            Held::One(attempt) => std::slice::from_mut(attempt),
            Held::Many(list) => list,
        }
    }
}

impl PartialEq for Attempts<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<'a> From<Vec<Attempt<'a>>> for Attempts<'a> {
    fn from(mut list: Vec<Attempt<'a>>) -> Self {
        if list.len() == 1 {
            list.pop().map_or_else(Self::default, Self::one)
        } else {
            Self(Held::Many(list))
        }
    }
}

impl<'a> FromIterator<Attempt<'a>> for Attempts<'a> {
    fn from_iter<I: IntoIterator<Item = Attempt<'a>>>(attempts: I) -> Self {
        let mut list = Self::default();
        for attempt in attempts {
            list.push(attempt);
        }
        list
    }
}

impl<'l, 'a> IntoIterator for &'l Attempts<'a> {
    type Item = &'l Attempt<'a>;
    type IntoIter = std::slice::Iter<'l, Attempt<'a>>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
