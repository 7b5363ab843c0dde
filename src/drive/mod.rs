//! Sends the requests of a log to a running gateway, as a client like any other.
//!
//! Pure parts decide (when a request is due, what stands in for a missing prompt, whether the cap allows it); the runner
//! around them sends. Invariant: nothing is sent while what was spent, what is in flight at its worst and the next
//! request at its worst could together exceed the cap.

mod answer;
mod cap;
mod filler;
mod job;
mod rate;
mod run;
mod send;
mod tally;
mod target;
mod worst;

pub use answer::{Answer, Ending};
pub use cap::{Cap, Hold, Refused};
pub use filler::filler;
pub use job::{Job, Prompt, Survey, read_jobs, survey};
pub use rate::{Rate, RateError};
pub use run::{Command, End, Settings, run};
pub use send::{SendError, Sender};
pub use tally::Tally;
pub use target::{Target, TargetError};
pub use worst::{Worst, WorstError, prompt_bound};

#[cfg(test)]
mod tests;
