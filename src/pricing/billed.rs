//! What a provider billed for days that a ledger knows: how far its figures were off when somebody looked last.
//!
//! Invariant: both amounts are exact, and of the same days and the same provider's calls.

use serde::{Deserialize, Serialize};

use crate::units::Pico;

/// A bill beside what was charged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Billed {
    /// The first day of the bill, like 2026-11-02.
    pub from: String,
    /// The day after its last.
    pub to: String,
    /// What the ledger says, in dollars.
    pub ours_usd: String,
    /// What the bill says.
    pub theirs_usd: String,
    /// Calls of unknown cost, which are not in ours.
    pub ours_unknown_calls: u64,
}

impl Billed {
    /// Returns by how much the bill is more than what was charged, in hundredths of a per cent of the bill; none where that is
    /// nothing, or an amount is none.
    pub fn error(&self) -> Option<i128> {
        let [ours, theirs] = [&self.ours_usd, &self.theirs_usd].map(|usd| Pico::from_usd(usd).ok());
        let (ours, theirs) = (ours?, theirs.filter(|theirs| *theirs != Pico::ZERO)?);
        Some((theirs - ours).ratio(10_000, theirs.0.abs()).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bill_is_more_is_told_in_hundredths_of_a_per_cent_of_it() {
        let error = |ours: &str, theirs: &str| {
            Billed { ours_usd: ours.into(), theirs_usd: theirs.into(), ..Billed::default() }.error()
        };
        assert_eq!(
            [error("99.6", "100"), error("100.5", "100"), error("2", "2")],
            [Some(40), Some(-50), Some(0)]
        );
        assert_eq!([error("1", "0"), error("", "1"), error("1", "x")], [None; 3]);
    }
}
