//! Where the lines of the log go: to readers, and to the backlog for those that come later.
//!
//! Invariants: every reader gets every line that is published after it came, in one and the same order; what is kept is bounded in
//! lines and in bytes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Lines kept for readers that come later: the latest.
const LINES: usize = 10_000;
/// Bytes of them.
const BYTES: usize = 32 * 1024 * 1024;

/// A reader of the log: takes a line, and answers false when it is gone.
pub type Reader = Box<dyn FnMut(&Arc<str>) -> bool + Send>;

/// The readers and what is kept for those to come.
#[derive(Default)]
pub(super) struct Outlet {
    readers: Vec<Reader>,
    /// The latest lines, and their bytes.
    backlog: VecDeque<Arc<str>>,
    pub(super) bytes: Arc<AtomicUsize>,
    /// The policy in force.
    pub(super) policy_line: Arc<str>,
    /// The policy that was in force before the oldest line kept, and those that came since, which are among the lines.
    base: Arc<str>,
    policies: VecDeque<Arc<str>>,
    /// Likewise of prices: those that no longer stand among the lines kept, and those that do.
    old_prices: Vec<Arc<str>>,
    prices: VecDeque<Arc<str>>,
}

impl Outlet {
    /// Starts with the policy in force.
    pub(super) fn new(policy_line: Arc<str>) -> Self {
        Self { base: Arc::clone(&policy_line), policy_line, ..Self::default() }
    }

    /// Adds a reader; it gets the policy that was in force before what the backlog holds, the prices that changed, that, and
    /// everything from now on: so it knows of each request by which policy it was decided, and what it cost.
    pub(super) fn follow(&mut self, mut reader: Reader) {
        let before = std::iter::once(&self.base).chain(&self.old_prices);
        if before.chain(self.backlog.iter()).all(&mut reader) {
            self.readers.push(reader);
        }
    }

    /// Publishes a policy that came into force.
    pub(super) fn bring(&mut self, policy_line: &Arc<str>) {
        self.policy_line = Arc::clone(policy_line);
        self.policies.push_back(Arc::clone(policy_line));
        self.publish(policy_line);
    }

    /// Publishes a price that changes.
    pub(super) fn price(&mut self, line: &Arc<str>) {
        self.prices.push_back(Arc::clone(line));
        self.publish(line);
    }

    /// Publishes a line.
    pub(super) fn publish(&mut self, line: &Arc<str>) {
        let mut bytes = self.bytes.load(Ordering::Relaxed).saturating_add(line.len());
        self.backlog.push_back(Arc::clone(line));
        while self.backlog.len() > LINES || bytes > BYTES {
            let Some(gone) = self.backlog.pop_front() else { break };
            bytes = bytes.saturating_sub(gone.len());
            let is_first_of =
                |kept: &VecDeque<Arc<str>>| kept.front().is_some_and(|one| Arc::ptr_eq(one, &gone));
            if is_first_of(&self.prices) {
                self.old_prices.extend(self.prices.pop_front());
            }
            if is_first_of(&self.policies) {
                self.policies.pop_front();
                self.base = gone;
            }
        }
        self.bytes.store(bytes, Ordering::Relaxed);
        self.readers.retain_mut(|reader| reader(line));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Returns what a reader who comes now is told first.
    fn greeted(outlet: &mut Outlet) -> (String, usize) {
        let (send, lines) = channel();
        outlet.follow(Box::new(move |line| send.send(Arc::clone(line)).is_ok()));
        let lines: Vec<Arc<str>> = lines.try_iter().collect();
        (lines[0].to_string(), lines.iter().filter(|line| line.starts_with('v')).count())
    }

    #[test]
    fn whoever_comes_later_learns_by_which_policy_each_line_was_decided() {
        let mut outlet = Outlet::new("v1".into());
        outlet.publish(&"a request".into());
        outlet.bring(&"v2".into());
        assert_eq!((greeted(&mut outlet), &*outlet.policy_line), (("v1".to_owned(), 2), "v2"));
        for n in 0..20_000 {
            outlet.publish(&n.to_string().into());
        }
        assert_eq!(greeted(&mut outlet), ("v2".to_owned(), 1), "v1 decided nothing that is kept");
    }

    #[test]
    fn only_the_latest_lines_are_kept() {
        let mut outlet = Outlet::new("v1".into());
        for n in 0..LINES + 7 {
            outlet.publish(&n.to_string().into());
        }
        assert_eq!((outlet.backlog.len(), &*outlet.backlog[0]), (LINES, "7"));
        let long: Arc<str> = "x".repeat(BYTES / 2).into();
        for _ in 0..3 {
            outlet.publish(&long);
        }
        assert_eq!(outlet.backlog.len(), 2);
        assert_eq!(outlet.bytes.load(Ordering::Relaxed), 2 * long.len());
    }
}
