//! Rates and percentages as a what-if writes them.

use crate::units::{PerMille, Pico, Span};

/// Returns a month's cost at the log's rate; `None` where the log is too short to tell, or tells no times.
pub(in crate::cli) fn per_month(cost: Pico, span: Option<Span>) -> Option<Pico> {
    span.filter(|span| *span >= Span::mins(1))
        .map(|span| cost.ratio(i128::from(Span::days(30).0), i128::from(span.0)))
}

/// Writes a share in percent, with its tenths.
pub(super) fn in_percent(share: PerMille) -> String {
    format!("{}.{}", share.get() / 10, share.get() % 10)
}

/// Writes a change in percent; none from nothing.
pub(in crate::cli) fn percent(from: Pico, to: Pico) -> Option<String> {
    (from.0 != 0).then(|| {
        let tenths = Pico((to - from).0 * 1000).ratio(1, from.0.abs()).0;
        format!("{}{}.{}", if to < from { "-" } else { "+" }, tenths.abs() / 10, tenths.abs() % 10)
    })
}
