//! Moments by which something has to have happened.
//!
//! Invariant: a timer is made at the first need and used again: most steps never wait.

use std::pin::Pin;
use std::task::Context;

use tokio::time::{Instant as Clock, Sleep};

/// A moment by which something has to have happened.
#[derive(Debug, Default)]
pub(super) struct Deadline {
    timer: Option<Pin<Box<Sleep>>>,
    is_set: bool,
}

impl Deadline {
    /// Says whether the time is over; sets it where it was not set yet.
    pub(super) fn is_over(&mut self, at: Clock, context: &mut Context<'_>) -> bool {
        if !std::mem::replace(&mut self.is_set, true) {
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(at),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(at))),
            }
        }
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(context).is_ready())
    }

    pub(super) fn unset(&mut self) {
        self.is_set = false;
    }
}
