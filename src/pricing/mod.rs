//! Dated price books, and usage turned into cost.
//!
//! Invariants: a cost that cannot be known is [`Cost::Unknown`], never zero; a price row is never overwritten, a change
//! adds a row with a later start; no float touches a price or a charge.

mod book;
mod cost;
mod table;
mod usage;

pub use book::{ModelPrices, PriceBook, PriceRow, Rates, Tier};
pub use cost::{Cost, CostSum, Unpriced, charge};
pub use table::PriceTable;
pub use usage::Usage;
