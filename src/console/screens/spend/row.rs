//! A line of the table of budgets.

use crate::session::BudgetRow;

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line<'a> {
    /// A limit that each member has to himself.
    Limit {
        /// Its accounts.
        of: &'a [BudgetRow],
    },
    /// An account.
    Account(&'a BudgetRow),
}
