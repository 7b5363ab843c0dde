//! What is kept of a call beside its figures, of the few that have more to say.

use crate::outcome::Particulars;
use crate::record::Attempt;
use crate::units::Millis;

/// Says whether there is any.
pub(super) fn has_particulars(attempt: &Attempt<'_>) -> bool {
    attempt.terms.is_some()
        || attempt.gap_ms.is_some()
        || !attempt.left_out.is_empty()
        || !attempt.verdicts.is_empty()
        || attempt.provider.contains('/')
}

/// Reads it.
pub(super) fn particulars(attempt: &Attempt<'_>) -> Particulars {
    Particulars {
        terms: attempt.terms.as_deref().copied().unwrap_or_default(),
        left_out: attempt.left_out.iter().map(|name| name.as_ref().into()).collect(),
        verdicts: attempt.verdicts.clone(),
        gap: Millis::from_option(attempt.gap_ms),
        account: if attempt.provider.contains('/') {
            attempt.provider.as_ref().into()
        } else {
            Box::default()
        },
    }
}
