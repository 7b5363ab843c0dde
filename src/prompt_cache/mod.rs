//! Providers' prompt caches: what each model may still hold of a prompt, how likely it does, and whether a change of model pays.
//!
//! Invariants: memory is bounded, whatever comes; no more is ever warm than the prompt has; nothing here reads a clock.

mod again;
mod caches;
mod expected;
mod held;
mod rule;
mod runs;
mod standing;
mod study;
mod survival;
mod switch;
mod trial;

pub use again::Again;
pub use caches::{Answered, Caches, Offer, Prompt, Underway, account_number, session_number};
pub use expected::Asking;
pub use held::{Held, Recent, Warm};
pub use rule::{Rule, RuleTable, Rules};
pub use standing::{Change, Standing, Tie, Way, Word, expected_word};
pub use study::{Call, Ends, Study, Sums, Ttl};
pub use survival::{BUCKETS, Survival};
pub use switch::{Choice, Escalation, Outlook, Side, Turn};
pub use trial::{Arm, ArmSums, Asked, Trial};
