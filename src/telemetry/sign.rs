//! Whether something is added to sums or taken away: both are exact inverses.

/// Whether a request enters a window or leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It enters.
    Plus,
    /// It leaves.
    Minus,
}

impl Sign {
    #[inline]
    pub(super) fn count(self, field: &mut u64, n: u64) {
        match self {
            Self::Plus => *field += n,
            Self::Minus => *field = field.saturating_sub(n),
        }
    }
}
