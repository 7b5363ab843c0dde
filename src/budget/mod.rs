//! Budgets: how much may be spent, by whom, in which window of time; what is spent, and what is set aside for calls under way.
//!
//! Invariants: what is spent and held of a hard limit never exceeds it, however many calls run at once, as long as no call
//! costs more than what was held for it; holds are taken on all limits or on none and given back exactly once; a charge
//! belongs to the window in which its call was held; nothing here reads a clock or touches a float.

mod account;
mod history;
mod limit;
mod pace;
mod queue;
mod row;
mod scope;
mod state;
mod steer;
mod window;

pub use account::{Account, Member};
pub use history::LimitHistory;
pub use limit::{Limit, Mode, OverLimit, Unpriced};
pub use row::{Drawn, StandingRow};
pub use scope::{Dimension, Payer, Scope};
pub use state::{Budgets, Draws, Hold, Over, Spreads, Standing};
pub(crate) use steer::REQUEST;
pub use steer::{Demand, Steer, target};
pub use window::{Anchor, Period, Window, Zone};
