//! Takes JSON out of the fence of Markdown that models put around it where they were only asked for it in words, as it comes.
//!
//! Invariants: what is no fence goes on as it came, late by no more than a line that may begin one; nothing is held back at
//! the end of a choice.

use std::collections::BTreeMap;

use super::reply::Delta;

/// The longest first line that may still be a fence's.
const LINE: usize = 64;

/// The longest end that may still be a fence's.
const TAIL: usize = 256;

/// What is known of the fences of an answer.
#[derive(Default)]
pub(super) struct Fences {
    /// Whether any are taken away.
    is_on: bool,
    at: u64,
    choices: BTreeMap<u64, Fence>,
}

/// How far a choice has come.
enum Fence {
    /// It may begin with one: its text so far.
    Open(String),
    /// It began with one: what may be its end.
    Within(String),
    /// There is none.
    None,
}

impl Fences {
    /// Takes fences away where that is wanted.
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, ..Self::default() }
    }

    /// Tells what a piece of the answer adds.
    pub(super) fn take(&mut self, delta: Delta<'_>, tell: &mut impl FnMut(Delta<'_>)) {
        match delta {
            _ if !self.is_on => {}
            Delta::Choice(nth) => self.at = nth,
            Delta::Text(text) => {
                let said = self.text(text);
                if !said.is_empty() {
                    tell(Delta::Text(&said));
                }
                return;
            }
            Delta::CallStart { .. } | Delta::Refusal(_) | Delta::Picture { .. } | Delta::Finish { .. } => {
                if let Some(rest) = self.rest() {
                    tell(Delta::Text(&rest));
                }
            }
            _ => {}
        }
        tell(delta);
    }

    /// Counts the bytes that are kept.
    pub(super) fn held(&self) -> usize {
        let held = |fence: &Fence| match fence {
            Fence::Open(text) | Fence::Within(text) => text.len(),
            Fence::None => 0,
        };
        self.choices.values().map(held).sum()
    }

    fn text(&mut self, text: &str) -> String {
        let fence = self.fence();
        let mut kept = match std::mem::replace(fence, Fence::None) {
            Fence::None => return text.to_owned(),
            Fence::Open(mut kept) => {
                kept.push_str(text);
                let begun = kept.trim_start();
                let line = begun.strip_prefix("```").map(|rest| rest.split_once('\n'));
                match line {
                    // More ticks than a fence has hold what the whole answer is left with, too.
                    _ if begun.starts_with("````") => return kept,
                    Some(Some((_, rest))) => rest.to_owned(),
                    Some(None) if begun.len() <= LINE => {
                        *fence = Fence::Open(kept);
                        return String::new();
                    }
                    None if "```".starts_with(begun) && kept.len() <= LINE => {
                        *fence = Fence::Open(kept);
                        return String::new();
                    }
                    _ => return kept,
                }
            }
            Fence::Within(mut kept) => {
                kept.push_str(text);
                kept
            }
        };
        let body = kept.trim_end();
        let body = body.trim_end_matches('`');
        // Of more ticks than a fence has the first ones are text.
        let ticks = kept.trim_end().len() - body.len();
        let end = if ticks > 3 { kept.trim_end().len() - 3 } else { body.trim_end().len() };
        // So much that runs on is no fence; gone through anew with each piece it would cost more and more.
        let end = if kept.len() - end > TAIL { kept.len() } else { end };
        let held = kept.split_off(end);
        *fence = Fence::Within(held);
        kept
    }

    /// Returns what was held back and is text after all.
    fn rest(&mut self) -> Option<String> {
        match std::mem::replace(self.fence(), Fence::None) {
            Fence::Within(held) if held.trim() == "```" => None,
            Fence::Open(held) | Fence::Within(held) => Some(held).filter(|held| !held.is_empty()),
            Fence::None => None,
        }
    }

    fn fence(&mut self) -> &mut Fence {
        self.choices.entry(self.at).or_insert_with(|| Fence::Open(String::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Finish;

    fn told(pieces: &[&str]) -> String {
        let (mut fences, mut out) = (Fences::new(true), String::new());
        let mut tell = |delta: Delta<'_>| {
            if let Delta::Text(text) = delta {
                out.push_str(text);
            }
        };
        for piece in pieces {
            fences.take(Delta::Text(piece), &mut tell);
        }
        fences.take(Delta::Finish { finish: Finish::Stop, stop: None }, &mut tell);
        out
    }

    /// `JSON.parse` fails on a fence, in every client that streams.
    #[test]
    fn the_fence_goes_however_it_is_cut_and_all_else_stays() {
        for (text, want) in [
            ("```json\n{\"a\": \"```\", \"b\": 1}\n```", "{\"a\": \"```\", \"b\": 1}"),
            ("\n```\n[1]\n```\n", "[1]"),
            ("{\"a\": 1}", "{\"a\": 1}"),
            ("`a` is a word", "`a` is a word"),
            ("```json\n{\"a\": 1", "{\"a\": 1"),
            ("Here: ```json\n{}\n```", "Here: ```json\n{}\n```"),
            ("````json\n{}\n````", "````json\n{}\n````"),
            ("", ""),
        ] {
            for size in 1..=text.len().max(1) {
                let pieces: Vec<&str> =
                    text.as_bytes().chunks(size).map(|piece| std::str::from_utf8(piece).unwrap()).collect();
                assert_eq!(told(&pieces), want, "{size}");
            }
        }
    }
}
