//! Names of teams and projects as clients say them: those that are known here keep theirs, of all others a bounded number is
//! told apart.
//!
//! Invariant: whatever clients say, no more names go on from here than are known, and `limits.names`, and one that stands for
//! the rest; a flood of names takes no place from a known one, nor from one that is heard often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::units::OTHERS;

/// Names that wait for being heard often enough.
const WAITING: usize = 4096;
/// How often a name has to be heard to get one of the later places.
const OFTEN: u32 = 16;
/// Names that a ledger may bring.
pub(super) const REMEMBERED: usize = 1024;

/// The names of one kind.
#[derive(Debug)]
pub(super) struct Roll {
    /// Names told apart that nobody here knows.
    most: usize,
    names: RwLock<Heard>,
    others: Arc<str>,
    /// How often a name was not told apart.
    shared: AtomicU64,
}

#[derive(Debug, Default)]
struct Heard {
    /// Those of policies and of the ledger.
    known: FxHashSet<Arc<str>>,
    /// Those that clients brought.
    brought: FxHashSet<Arc<str>>,
    waiting: FxHashMap<Arc<str>, u32>,
}

impl Roll {
    /// Begins with no name.
    pub(super) fn new(most: usize) -> Self {
        Self { most, names: RwLock::default(), others: OTHERS.into(), shared: AtomicU64::new(0) }
    }

    /// Learns names that are to keep their place whatever clients say.
    pub(super) fn learn(&self, names: impl IntoIterator<Item = impl Into<Arc<str>>>) {
        let mut known = self.names.write().unwrap_or_else(PoisonError::into_inner);
        known.known.extend(names.into_iter().map(Into::into).filter(|name: &Arc<str>| !name.is_empty()));
    }

    /// Says whether a name was learned.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.names.read().unwrap_or_else(PoisonError::into_inner).known.contains(name)
    }

    /// Returns the name under which one that a client says goes on; `is_known` says whether it is known elsewhere. What stands for
    /// the rest is nobody's own name.
    pub(super) fn place(&self, name: &Arc<str>, is_known: impl FnOnce(&str) -> bool) -> Arc<str> {
        if *name == self.others {
            return self.place(&OTHERS.trim_matches(['(', ')']).into(), is_known);
        }
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if names.known.contains(name) || names.brought.contains(name) || is_known(name) {
            return Arc::clone(name);
        }
        drop(names);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if names.admit(name, self.most) {
            return Arc::clone(name);
        }
        drop(names);
        self.shared.fetch_add(1, Ordering::Relaxed);
        Arc::clone(&self.others)
    }

    /// Counts how often a name was not told apart.
    pub(super) fn shared(&self) -> u64 {
        self.shared.load(Ordering::Relaxed)
    }
}

impl Heard {
    /// Returns a new name a place: the first half at once, the rest to those that come again and again.
    fn admit(&mut self, name: &Arc<str>, most: usize) -> bool {
        if self.brought.len() >= most {
            self.waiting = FxHashMap::default();
            return false;
        }
        if self.brought.len() < most.div_ceil(2) {
            return self.brought.insert(Arc::clone(name));
        }
        if let Some(count) = self.waiting.get_mut(name) {
            *count += 1;
            if *count < OFTEN {
                return false;
            }
            self.waiting.remove(name);
            return self.brought.insert(Arc::clone(name));
        }
        if self.waiting.len() >= WAITING {
            // What comes once goes; what comes often stays a while.
            self.waiting.retain(|_, count| {
                *count -= 1;
                *count > 0
            });
        }
        if self.waiting.len() < WAITING {
            self.waiting.insert(Arc::clone(name), 1);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(roll: &Roll, name: &str) -> String {
        roll.place(&name.into(), |name| name == "of a key").to_string()
    }

    #[test]
    fn a_flood_of_names_is_bounded_and_takes_nobodys_place() {
        let roll = Roll::new(64);
        roll.learn(["of the policy", "of the ledger"]);
        assert_eq!(place(&roll, "early"), "early");
        let mut apart: FxHashSet<String> = FxHashSet::default();
        for n in 0..200_000 {
            apart.insert(place(&roll, &format!("junk {n}")));
            if n % 100 == 0 {
                apart.insert(place(&roll, "often"));
            }
        }
        assert!(apart.len() <= 64, "{}", apart.len());
        for known in ["of the policy", "of the ledger", "of a key", "early", "often"] {
            assert_eq!(place(&roll, known), known);
        }
        assert_eq!(place(&roll, "junk 199999"), OTHERS);
        assert!(roll.shared() > 199_000);
        let names = roll.names.read().unwrap();
        assert!(names.waiting.len() <= WAITING && names.brought.len() <= 64);
    }

    #[test]
    fn nobody_goes_by_the_name_that_stands_for_the_rest() {
        let roll = Roll::new(64);
        // As a ledger has it that counted a flood.
        roll.learn([OTHERS]);
        assert_eq!((place(&roll, OTHERS), roll.shared()), ("others".to_owned(), 0));
    }

    #[test]
    fn none_is_told_apart_where_none_may_be() {
        let roll = Roll::new(0);
        assert_eq!((place(&roll, "new"), place(&roll, "of a key")), (OTHERS.into(), "of a key".into()));
    }
}
