//! Providers' prompt caches: what each model may still hold of a prompt, how likely it does, and whether a change of model pays.
//!
//! Invariants: memory is bounded, whatever comes; no more is ever warm than the prompt has; nothing here reads a clock.

mod again;
mod held;
mod rule;
mod study;
mod survival;
mod switch;
mod trial;

pub use again::Again;
pub use held::{Held, Warm};
pub use rule::{Rule, Rules};
pub use study::{Call, Ends, Study, Sums, Ttl};
pub use survival::{BUCKETS, Survival};
pub use switch::{
    Choice, Escalation, Outlook, Side, Turn, ahead_of_time_reads, break_even_reads, break_even_turns,
    keep_alive, pays_from,
};
pub use trial::{Arm, ArmSums, Asked, Trial};
