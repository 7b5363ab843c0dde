//! Where the lines of the log go: to readers, and to the backlog for those that come later.
//!
//! Invariant: every reader gets every line that is published after it came, in one and the same order.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::backlog::Backlog;

/// A reader of the log: takes a line, and answers false when it is gone.
pub type Reader = Box<dyn FnMut(&Arc<str>) -> bool + Send>;

/// The readers and what is kept for those to come.
pub(super) struct Outlet {
    readers: Vec<Reader>,
    backlog: Backlog,
    policy_line: Arc<str>,
}

impl Outlet {
    /// Starts with the policy in force.
    pub(super) fn new(policy_line: Arc<str>) -> Self {
        Self { readers: Vec::new(), backlog: Backlog::default(), policy_line }
    }

    /// Gives the count of bytes kept, which follows as lines come and go.
    pub(super) fn bytes(&self) -> Arc<AtomicUsize> {
        self.backlog.bytes()
    }

    /// Gives the policy in force as a line of the log.
    pub(super) fn policy_line(&self) -> Arc<str> {
        Arc::clone(&self.policy_line)
    }

    /// Adds a reader; it gets the policy in force, what the backlog holds, and everything from now on.
    pub(super) fn follow(&mut self, mut reader: Reader) {
        if reader(&self.policy_line()) && self.backlog.iter().all(&mut reader) {
            self.readers.push(reader);
        }
    }

    /// Publishes a policy that came into force.
    pub(super) fn bring(&mut self, policy_line: &Arc<str>) {
        self.policy_line = Arc::clone(policy_line);
        self.publish(policy_line);
    }

    /// Publishes a line.
    pub(super) fn publish(&mut self, line: &Arc<str>) {
        self.backlog.push(line);
        self.readers.retain_mut(|reader| reader(line));
    }
}
