//! The user's ask that a request with tools is, or goes on with, as a keyed hash: the same for all turns of a tool loop, in whichever
//! dialect.
//!
//! Invariants: whoever lacks the key can tell no text by its hash; marks for caches, reminders of the harness and what tools
//! return change nothing; where nothing can be called there is none.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;
use siphasher::sip::SipHasher13;

use super::prefix::PrefixKey;
use super::request::Ask;
use super::scan;

impl Ask {
    /// Says whether it hands in what tools returned: the assistant's last turn called some, and the ask lies before that.
    pub fn is_after_tools(&self) -> bool {
        let measures = self.measures();
        (measures.later_bytes > 0 || self.scan.ask.is_none()) && self.last_call(FxHasher::default()).is_some()
    }

    /// Hashes the ask of whoever that is; none where it brings no tools, or nobody asks anything in it.
    pub fn ask_hash(&self, PrefixKey(key): &PrefixKey, whose: [&str; 3]) -> Option<u64> {
        let measures = self.measures();
        let ask = self.scan.ask.as_ref().filter(|_| measures.tools > 0)?;
        let mut hasher = SipHasher13::new_with_key(key);
        let mut take = |text: &str| {
            hasher.write(text.as_bytes());
            hasher.write_u8(0xff);
        };
        whose.into_iter().for_each(&mut take);
        // Two conversations that ask the same began otherwise, as a rule; what lies between goes with the number of turns.
        for span in self.scan.first_ask.iter().chain([ask]) {
            take(&self.value(span).map(scan::text_within).unwrap_or_default());
        }
        hasher.write_u32(measures.earlier_user_turns);
        Some(hasher.finish())
    }
}
