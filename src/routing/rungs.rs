//! Which rungs of a ladder may serve, and why one may not.

use super::{Capability, Short};
use crate::runaway::Then;
use crate::units::{LabelId, Names};

/// The most rungs a ladder may have.
pub const MAX_RUNGS: usize = 8;

/// Stands for "no rung": a pinned model, or a recorded reading, which decides nothing.
pub const NO_RUNG: u8 = u8::MAX;

/// A set of rungs of one ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rungs(u8);

impl Rungs {
    /// None.
    pub const NONE: Self = Self(0);

    /// All rungs of a ladder.
    pub fn all(rungs: usize) -> Self {
        Self(u8::try_from((1u32 << rungs.min(MAX_RUNGS)) - 1).unwrap_or(u8::MAX))
    }

    /// Returns the set without one.
    #[must_use]
    pub fn without(self, rung: usize) -> Self {
        if rung < MAX_RUNGS { Self(self.0 & !(1 << rung)) } else { self }
    }

    /// Says whether one is in it.
    pub fn has(self, rung: usize) -> bool {
        rung < MAX_RUNGS && self.0 & 1 << rung != 0
    }

    /// Says whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns the first at a place or after it.
    pub fn at_or_after(self, rung: usize) -> Option<usize> {
        (rung..MAX_RUNGS).find(|&at| self.has(at))
    }

    /// Returns the last.
    pub fn last(self) -> Option<usize> {
        (0..MAX_RUNGS).rev().find(|&at| self.has(at))
    }
}

/// Why a rung may not serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bar {
    /// It does not carry a label that is required.
    Lacks(LabelId),
    /// Its model cannot do what the request needs.
    Cannot(Capability),
    /// The prompt is longer than its context window.
    Window {
        /// The tokens of the prompt, at least.
        needs: u32,
        /// The tokens it takes.
        takes: u32,
    },
    /// The answer may be longer than its model can give.
    Output {
        /// The tokens asked for, at least.
        needs: u32,
        /// The tokens it gives.
        gives: u32,
    },
    /// Its model cannot be asked in the form of the request.
    Unreached,
    /// It could not be called when the request arrived: a breaker is open, or a quota is spent.
    Down,
    /// Its model had as many calls under way as it may have.
    Full,
    /// A budget had no room for a call to its model.
    Budget(Short),
    /// Whoever sent the request is stopped, or has to make do with cheaper rungs.
    Runaway(Then),
    /// The request is held out, and a stronger rung is there.
    HeldOut,
}

impl Bar {
    /// Says it of a rung: `lacks region=eu`.
    pub fn describe(self, names: &Names) -> String {
        match self {
            Self::Lacks(label) => format!("lacks {}", names.label(label)),
            Self::Cannot(Capability::Vision) => "takes no pictures".to_owned(),
            Self::Cannot(Capability::Tools) => "calls no tools".to_owned(),
            Self::Window { needs, takes } => format!("takes {takes} tokens, the prompt has {needs} or more"),
            Self::Output { needs, gives } => {
                format!("answers with {gives} tokens at most, {needs} or more are asked for")
            }
            Self::Unreached => "cannot be asked in the form of the request".to_owned(),
            Self::Down => "could not be called then".to_owned(),
            Self::Full => "had as many calls in flight as it may have".to_owned(),
            Self::Budget(Short::Soft) => "would have gone over a soft budget".to_owned(),
            Self::HeldOut => {
                "is passed over: the session is held out, to measure what routing saves".to_owned()
            }
            Self::Budget(_) => "could have gone over a budget".to_owned(),
            Self::Runaway(Then::Freeze) => "is not called: whoever sent it was stopped".to_owned(),
            Self::Runaway(_) => "is kept from a runaway".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_rungs_know_first_and_last() {
        let open = Rungs::all(4).without(1).without(3);
        assert_eq!((open.at_or_after(0), open.at_or_after(1), open.at_or_after(3)), (Some(0), Some(2), None));
        assert_eq!((open.last(), Rungs::NONE.last(), Rungs::all(8).last()), (Some(2), None, Some(7)));
    }
}
