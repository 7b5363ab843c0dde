//! A provider's clients, one for each thread that serves, so that a connection to the provider never leaves its thread.

use std::cell::Cell;
use std::sync::OnceLock;

use reqwest::Client;

/// The most threads that have clients of their own; a machine with more cores serves on as many.
pub const LANES: usize = 32;

thread_local! {
    /// The place of this thread's clients; threads that do not serve share the first.
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// Sets up clients for this thread alone.
pub fn enter_lane(number: usize) {
    LANE.set(number % LANES);
}

/// The clients of one provider. One is made at the first call of its thread.
#[derive(Default)]
pub(super) struct Clients([OnceLock<Result<Client, String>>; LANES]);

impl Clients {
    /// Returns this thread's client, made now if it has to be.
    pub(super) fn get_or_make(&self, make: impl FnOnce() -> Result<Client, String>) -> Result<&Client, &str> {
        self.0[LANE.get() % LANES].get_or_init(make).as_ref().map_err(String::as_str)
    }
}
