//! Calls beside the traffic: they have a place in the order and a line in the log, but nothing decides by them and no sum has them.

use std::borrow::Cow;
use std::sync::Arc;

use super::record_of::attempt;
use super::{Called, Live, line_of, lock};
use crate::outcome::SIMULATED;
use crate::pricing::Cost;
use crate::record::{Attempts, Entry, Record, RecordedNeeds};
use crate::units::{Instant, SHADOW};

/// A call beside the traffic that begins.
#[derive(Clone, Debug)]
pub struct Aside {
    /// Its place in the order.
    pub seq: u64,
    /// When it begins.
    pub at: Instant,
    /// The policy in force.
    pub policy: u32,
}

impl Live {
    /// Assigns a call beside the traffic its place.
    pub fn beside(&self, now: Instant) -> Aside {
        let mut core = lock(&self.core);
        let at = core.dated(now, core.last_at);
        core.last_at = at;
        let seq = core.next_seq;
        core.next_seq += 1;
        Aside { seq, at, policy: core.decider.policy().version }
    }

    /// Takes the end of a call beside the traffic: tells readers of the log, and says what it cost. `of` names the request
    /// that it is about, `words` say among what could not be called what it was for, and how much it could come to.
    pub fn beside_ended(
        &self,
        beside: &Aside,
        (id, of, words): (&str, &str, &[Arc<str>]),
        call: Called,
    ) -> Cost {
        let cost = lock(&self.core).priced(&call, 0, beside.at, &self.book()).cost;
        let record = Record {
            id: Cow::Borrowed(id),
            at: beside.at,
            key: Cow::Borrowed(SHADOW),
            session: Cow::Borrowed(of),
            asked: Cow::Owned(call.model.to_string()),
            pinned: true,
            unsure: true,
            needs: RecordedNeeds {
                down: words.iter().map(|word| Cow::Borrowed(&**word)).collect(),
                ..RecordedNeeds::default()
            },
            seq: Some(beside.seq),
            policy: Some(beside.policy),
            simulated: Cow::Borrowed(if call.simulated { SIMULATED } else { "" }),
            attempts: Attempts::from(vec![attempt(&(call, cost))]),
            ..Record::default()
        };
        let line: Arc<str> = line_of(&Entry::Request(record));
        lock(&self.outlet).publish(&line);
        cost
    }
}
