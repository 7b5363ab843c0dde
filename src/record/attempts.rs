//! The attempts of one operation. Nearly every operation has one, and that one needs no allocation.

use std::ops::{Deref, DerefMut};

use super::Attempt;

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
