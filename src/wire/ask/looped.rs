//! The user's ask that a request with tools is, or goes on with, as a keyed hash: the same for all turns of a tool loop, in whichever
//! dialect.
//!
//! Invariants: whoever lacks the key can tell no text by its hash; marks for caches, reminders of the harness and what tools
//! return change nothing; where nothing can be called there is none.

use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::prefix::PrefixKey;
use super::request::Ask;
use super::scan;

impl Ask {
    /// Says whether it hands in what tools returned: the assistant's last turn called some, and the ask lies before that.
    pub fn is_after_tools(&self) -> bool {
        let measures = self.measures();
        (measures.later_bytes > 0 || self.scan.ask.is_none()) && self.has_called()
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
            take(&self.value(span).map(scan::own_text_within).unwrap_or_default());
        }
        hasher.write_u32(measures.earlier_user_turns);
        Some(hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;
    use bytes::Bytes;

    const KEY: PrefixKey = PrefixKey(*b"0123456789abcdef");
    const TOOLS: &str = r#""tools":[{"name":"look","input_schema":{"type":"object"}}]"#;

    fn read(turns: &str, tools: &str) -> (Option<u64>, bool) {
        let body = format!(r#"{{"model":"auto","max_tokens":9,{tools},"messages":[{turns}]}}"#);
        let ask = Ask::read(Dialect::AnthropicMessages, Bytes::from(body)).unwrap();
        (ask.ask_hash(&KEY, ["k", "s", "u"]), ask.is_after_tools())
    }

    /// A mark that moves on turns a list of one text into a text, and a harness reminds at every turn.
    #[test]
    fn all_turns_of_an_ask_have_one_hash_and_other_asks_have_another() {
        let said = |text: &str| format!(r#"{{"role":"user","content":"{text}"}}"#);
        let marked = r#"{"role":"user","content":[{"type":"text","text":"Fix it.","cache_control":{"type":"ephemeral"}}]}"#;
        let called =
            r#"{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"look","input":{}}]}"#;
        let returned = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"ok"},{"type":"text","text":"<system-reminder>\nNothing to do.\n</system-reminder>"}]}"#;
        let answered = r#"{"role":"assistant","content":"Done."}"#;
        let (first, is_turn) = read(marked, TOOLS);
        assert!(first.is_some() && !is_turn);
        let later = format!("{},{called},{returned}", said("Fix it."));
        assert_eq!(read(&later, TOOLS), (first, true));
        assert_eq!(read(&format!("{later},{called},{returned}"), TOOLS), (first, true));
        assert_ne!(read(&said("Fix that."), TOOLS).0, first);
        let reminded = |of: &str| {
            format!(
                r#"{{"role":"user","content":[{{"type":"text","text":"<system-reminder>{of}</system-reminder>"}},{{"type":"text","text":"Fix it."}}]}}"#
            )
        };
        assert_eq!(read(&reminded("a file is open"), TOOLS).0, first, "beside the ask's own words");
        assert_eq!(read(&format!("{},{called},{returned}", reminded("none is")), TOOLS), (first, true));
        let again = format!("{later},{answered},{}", said("Fix it."));
        assert!(read(&again, TOOLS).0 != first && !read(&again, TOOLS).1, "the same words, but a new ask");
        assert_eq!(
            read(marked, r#""temperature":1"#).0,
            None,
            "where nothing can be called there is no loop"
        );
    }
}
