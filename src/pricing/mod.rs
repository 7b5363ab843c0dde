//! Dated price books, and usage turned into cost.
//!
//! Invariants: a cost that cannot be known is [`Cost::Unknown`], never zero; a price row is never overwritten, a change
//! adds a row with a later start; no float touches a price or a charge.

mod amend;
mod bill;
mod billed;
mod book;
mod charge;
mod charged;
mod cost;
mod hours;
mod items;
mod scheduled;
mod table;
mod terms;
#[cfg(test)]
mod tests;
mod usage;
mod worst;

pub use amend::{Amended, Amendment};
pub use bill::{BillLine, bill_lines};
pub use billed::Billed;
pub use book::{ModelPrices, PriceBook, PriceRow, Rates, Scheduled, Tier, as_factor, thousandths};
pub use charge::{bill, charge, elsewhere, unpriced};
pub use charged::{Charged, Recharge};
pub use cost::{Cost, CostSum, Unpriced};
pub use hours::{Hours, HoursError};
pub use items::{Item, Items, items};
pub use table::PriceTable;
pub use terms::{ShortName, Terms, is_ordinary, is_unlisted};
pub use usage::Usage;
pub use worst::{costs_more, may_cost_more, prices_dearer, worst};
