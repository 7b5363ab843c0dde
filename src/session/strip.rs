//! Cells of the strip over a whole log.

/// One cell of the strip over the whole log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StripCell {
    /// Operations.
    pub requests: u32,
    /// Operations with a failed attempt.
    pub errors: u32,
}

impl StripCell {
    /// A stretch is marked where at least one in so many requests failed.
    const TROUBLE: u32 = 12;

    /// Says whether many requests of this stretch had a failed call.
    pub fn is_trouble(self) -> bool {
        self.errors > 0 && self.errors.saturating_mul(Self::TROUBLE) >= self.requests
    }
}
