//! The beginnings of a prompt as hashes, by which it shows how much two prompts have in common, and what a provider's cache
//! may hold of one.
//!
//! Invariants: whoever lacks the key can tell no text by its hash, however well he guesses; two requests share a hash where
//! their prompts are the same up to there, whatever else they ask for; there are at most [`MOST`].

use std::hash::Hasher as _;

use memchr::memmem;
use siphasher::sip::SipHasher13;

use super::request::Ask;
use super::scan::Member;

/// The most hashes of a prompt.
const MOST: usize = 128;
/// A block's bytes at the beginning, about 512 tokens.
const BLOCK: usize = 2048;
/// From here on a block is a sixteenth of what lies before the doubling that it is in.
const STEADY: usize = 32 * BLOCK;

/// The members that make a prompt, in the order in which providers put them before a model.
const PARTS: [&[&[u8]]; 3] = [
    &[b"\"tools\"", b"\"functions\""],
    &[b"\"system\"", b"\"instructions\"", b"\"systemInstruction\"", b"\"system_instruction\""],
    &[b"\"messages\"", b"\"input\"", b"\"contents\"", b"\"prompt\""],
];

/// The secret that hashes rest on.
#[derive(Clone, Copy)]
pub struct PrefixKey(pub [u8; 16]);

/// Returns where the block ends that begins at a place.
const fn end_of(start: usize) -> usize {
    start + if start < STEADY { BLOCK } else { (1 << start.ilog2()) / 16 }
}

/// Returns the bytes after which a prompt is hashed, and one place more: no prompt that has fewer hashes is longer.
pub fn prefix_ends() -> Vec<u64> {
    let ends = std::iter::successors(Some(BLOCK), |end| Some(end_of(*end)));
    ends.take(MOST + 1).filter_map(|end| u64::try_from(end).ok()).collect()
}

/// Takes a prompt in, piece by piece.
struct Blocks {
    hasher: SipHasher13,
    taken: usize,
    end: usize,
    hashes: Vec<u64>,
}

impl Blocks {
    fn take(&mut self, mut bytes: &[u8]) {
        while self.hashes.len() < MOST {
            let Some((block, rest)) = bytes.split_at_checked(self.end - self.taken) else {
                self.hasher.write(bytes);
                self.taken += bytes.len();
                return;
            };
            self.hasher.write(block);
            // A number that every reader of JSON holds exactly.
            self.hashes.push(self.hasher.finish() >> 12);
            self.taken = self.end;
            self.end = end_of(self.end);
            bytes = rest;
        }
    }

    /// Takes JSON without the marks that move from turn to turn: `"cache_control": {..}` with the comma beside it.
    fn take_unmarked(&mut self, mut bytes: &[u8]) {
        // Within a text its quotes would be escaped.
        let finder = memmem::Finder::new(MARK);
        while let Some(at) = finder.find(bytes) {
            let (before, marked) = bytes.split_at(at);
            let Some(mut rest) = behind_mark(marked) else {
                let (text, rest) = bytes.split_at(at + MARK.len());
                self.take(text);
                bytes = rest;
                continue;
            };
            if let Some(before) = before.trim_ascii_end().strip_suffix(b",") {
                self.take(before);
            } else {
                self.take(before);
                let trimmed = rest.trim_ascii_start();
                rest = trimmed.strip_prefix(b",").unwrap_or(trimmed).trim_ascii_start();
            }
            bytes = rest;
        }
        self.take(bytes);
    }
}

const MARK: &[u8] = b"\"cache_control\"";

/// Returns what follows a mark that is an object, as all that say anything are.
fn behind_mark(marked: &[u8]) -> Option<&[u8]> {
    let value = marked.get(MARK.len()..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let inside = value.strip_prefix(b"{")?;
    inside.get(memchr::memchr(b'}', inside)? + 1..)
}

impl Ask {
    /// Hashes the beginnings of the prompt: tools, what the system says, messages.
    pub fn prefix(&self, PrefixKey(key): &PrefixKey) -> Vec<u64> {
        let hasher = SipHasher13::new_with_key(key);
        let mut blocks = Blocks { hasher, taken: 0, end: BLOCK, hashes: Vec::new() };
        for names in PARTS {
            let is_part =
                |member: &&Member| self.body.get(member.key.clone()).is_some_and(|key| names.contains(&key));
            for member in self.scan.members.iter().filter(is_part) {
                blocks.take_unmarked(self.body.get(member.value.clone()).unwrap_or_default());
            }
        }
        blocks.hashes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;
    use bytes::Bytes;

    const KEY: PrefixKey = PrefixKey(*b"0123456789abcdef");

    fn ask(dialect: Dialect, body: String) -> Ask {
        Ask::read(dialect, Bytes::from(body)).unwrap()
    }

    fn chat(model: &str, turns: &[String], mark: usize) -> Vec<u64> {
        let turn = |(at, text): (usize, &String)| {
            let marked = if at == mark { r#","cache_control":{"type":"ephemeral"}"# } else { "" };
            format!(r#"{{"role":"user","content":[{{"type":"text","text":"{text}"{marked}}}]}}"#)
        };
        let turns: Vec<String> = turns.iter().enumerate().map(turn).collect();
        let body = format!(
            r#"{{"model":"{model}","max_tokens":9,"messages":[{}],"system":"You are terse."}}"#,
            turns.join(",")
        );
        ask(Dialect::AnthropicMessages, body).prefix(&KEY)
    }

    #[test]
    fn a_conversation_that_goes_on_begins_with_the_hashes_that_it_had() {
        let turns: Vec<String> = (0..40).map(|at| format!("turn {at} ").repeat(200)).collect();
        let (early, late) = (chat("a", &turns[..20], 19), chat("b", &turns, 39));
        assert!(early.len() > 10 && late.len() > early.len(), "{} {}", early.len(), late.len());
        assert_eq!(
            late[..early.len() - 1],
            early[..early.len() - 1],
            "whatever model, and wherever its mark"
        );
        let mut other = turns.clone();
        other[3].push('!');
        let other = chat("a", &other, 39);
        let same = other.iter().zip(&late).take_while(|(one, other)| one == other).count();
        assert!((2..=4).contains(&same), "{same}: equal up to the fourth turn");
        assert!(late.iter().all(|hash| *hash < 1 << 52));
    }

    #[test]
    fn the_same_text_under_another_key_has_other_hashes() {
        let turns = ["x".repeat(9000)];
        let body = format!(r#"{{"model":"a","messages":[{{"role":"user","content":"{}"}}]}}"#, turns[0]);
        let one = ask(Dialect::OpenAiChat, body);
        let (mine, theirs) = (one.prefix(&KEY), one.prefix(&PrefixKey([7; 16])));
        assert_eq!((mine.len(), theirs.len()), (4, 4));
        assert!(mine.iter().all(|hash| !theirs.contains(hash)));
    }

    #[test]
    fn blocks_grow_and_are_bounded() {
        let ends = std::iter::successors(Some(BLOCK), |end| Some(end_of(*end)));
        let ends: Vec<usize> = ends.take(MOST).collect();
        assert!(ends.windows(2).all(|pair| (pair[1] - pair[0]) * 16 <= pair[0].max(32 * BLOCK)));
        assert_eq!(ends.last(), Some(&(4 << 20)));
        let long = format!(r#"{{"model":"a","input":"{}"}}"#, "y".repeat(5 << 20));
        assert_eq!(ask(Dialect::OpenAiResponses, long).prefix(&KEY).len(), MOST);
        let short = r#"{"model":"a","messages":[{"role":"user","content":"hello"}]}"#.to_owned();
        assert!(ask(Dialect::OpenAiChat, short).prefix(&KEY).is_empty());
    }

    #[test]
    fn marks_of_any_form_neither_panic_nor_hide_text() {
        for mark in ["null", "{}", "\"x\"", "[1]", "{\"a\":\"l}\"}"] {
            let text = format!("[{{\"cache_control\":{mark},\"text\":\"{}\"}}]", "z".repeat(5000));
            let mut blocks = Blocks {
                hasher: SipHasher13::new_with_key(&KEY.0),
                taken: 0,
                end: BLOCK,
                hashes: Vec::new(),
            };
            blocks.take_unmarked(text.as_bytes());
            assert_eq!(blocks.hashes.len(), 2, "{mark}");
        }
    }
}
