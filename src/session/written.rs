//! Lines of the log that a live session writes: policies, notes, whatever is an entry.

use std::sync::Arc;

use crate::record::{self, Entry, PolicyChange};
use crate::routing::Policy;
use crate::units::{Instant, Names};

/// Writes a policy that comes into force.
pub(super) fn policy_line(policy: &Policy, names: &Names, at: Instant, who: &str, what: &str) -> Arc<str> {
    let change = PolicyChange {
        version: policy.version,
        at,
        who: who.into(),
        what: what.into(),
        spec: policy.spec(names),
    };
    line_of(&Entry::Policy(Box::new(change)))
}

/// Writes an entry as a line.
pub(super) fn line_of(entry: &Entry<'_>) -> Arc<str> {
    let mut line = Vec::new();
    record::append_line(&mut line, entry);
    String::from_utf8_lossy(&line).into()
}
