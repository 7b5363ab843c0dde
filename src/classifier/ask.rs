//! Finds what the user asked within a message: reminders that the harness adds and results of tools are left out.
//!
//! Invariant: blocks appended or put in front change nothing, however long (which costs one pass over them). For the rest work is bounded: of a text beyond
//! [`SCANNED`] bytes only head and tail are scanned for blocks inside, and of what is left, [`HEAD`] and [`TAIL`] are read.

use arrayvec::ArrayVec;
use memchr::{memchr, memchr2, memrchr};

/// The most bytes of a text that are scanned for blocks inside it.
const SCANNED: usize = 32 * 1024;
/// The bytes at the start of the ask that are read.
pub(super) const HEAD: usize = 4096;
/// The bytes at the end of the ask that are read.
pub(super) const TAIL: usize = 4096;
/// The most pieces that the scan may leave.
const PIECES: usize = 48;
/// The most lines looked at, from the end, for the last turn of a transcript.
const LINES: usize = 256;

/// A kind of block that is no part of the ask.
struct Block {
    name: &'static str,
    /// `<name>` and `</name>`, or `[name]` and `[/name]`.
    square: bool,
    /// Whether it holds what a tool gave back.
    is_result: bool,
}

const fn angle(name: &'static str, is_result: bool) -> Block {
    Block { name, square: false, is_result }
}

const fn square(name: &'static str) -> Block {
    Block { name, square: true, is_result: true }
}

const BLOCKS: [Block; 17] = [
    angle("system-reminder", false),
    angle("system_reminder", false),
    angle("environment_details", false),
    angle("environment_context", false),
    angle("local-command-stdout", false),
    angle("local-command-caveat", false),
    angle("command-message", false),
    angle("command-name", false),
    angle("tool_result", true),
    angle("tool-result", true),
    angle("tool_results", true),
    angle("function_results", true),
    angle("tool_output", true),
    angle("tool_response", true),
    square("tool output"),
    square("tool result"),
    square("tool_result"),
];

impl Block {
    const fn open(&self) -> u8 {
        if self.square { b'[' } else { b'<' }
    }

    const fn close(&self) -> u8 {
        if self.square { b']' } else { b'>' }
    }

    /// Returns the length of the opening tag that `text` starts with.
    fn opens(&self, text: &[u8]) -> Option<usize> {
        let (first, rest) = text.split_first()?;
        let named = rest.get(..self.name.len())?;
        let after = *rest.get(self.name.len())?;
        if *first != self.open() || !named.eq_ignore_ascii_case(self.name.as_bytes()) {
            return None;
        }
        if after == self.close() {
            return Some(self.name.len() + 2);
        }
        // Attributes, or the tool's name after a colon; a tag that long is none.
        if !matches!(after, b' ' | b':' | b'\n' | b'\t') {
            return None;
        }
        let from = self.name.len() + 1;
        memchr(self.close(), text.get(from..text.len().min(from + 256))?).map(|at| from + at + 1)
    }

    /// Returns the length of the closing tag that `text` starts with.
    fn closes(&self, text: &[u8]) -> Option<usize> {
        let whole = self.name.len() + 3;
        let tag = text.get(..whole)?;
        let is_tag = tag.first() == Some(&self.open())
            && tag.get(1) == Some(&b'/')
            && tag.get(2..whole - 1)?.eq_ignore_ascii_case(self.name.as_bytes())
            && tag.last() == Some(&self.close());
        is_tag.then_some(whole)
    }
}

/// The ask: the pieces of a text that are left, and what was seen on the way.
#[derive(Debug, Default)]
pub(super) struct Ask<'a> {
    /// The pieces that are read, in order; cut to head and tail.
    pub(super) pieces: ArrayVec<&'a str, { PIECES * 2 + 2 }>,
    /// The bytes of the whole ask, read or not.
    pub(super) len: usize,
    /// The bytes in `pieces`.
    pub(super) read: usize,
    /// Whether results of tools stood in the text.
    pub(super) has_results: bool,
}

/// Cuts `text` before or at `at`, never inside a character.
fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while at > 0 && !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn cut(text: &str, from: usize, to: usize) -> &str {
    text.get(floor_boundary(text, from)..floor_boundary(text, to)).unwrap_or("")
}

/// Takes whole blocks off the end. Linear in what is taken off; a closing tag without its opening one stays.
fn trim_end<'a>(mut text: &'a str, has_results: &mut bool) -> &'a str {
    'blocks: loop {
        text = text.trim_end();
        let bytes = text.as_bytes();
        for block in &BLOCKS {
            let Some(start) = bytes.len().checked_sub(block.name.len() + 3) else { continue };
            if block.closes(bytes.get(start..).unwrap_or(&[])).is_none() {
                continue;
            }
            let mut end = start;
            while let Some(at) = memrchr(block.open(), bytes.get(..end).unwrap_or(&[])) {
                if block.opens(bytes.get(at..).unwrap_or(&[])).is_some() {
                    *has_results |= block.is_result;
                    text = cut(text, 0, at);
                    continue 'blocks;
                }
                end = at;
            }
            return text;
        }
        return text;
    }
}

/// Finds the end of the block whose opening tag ends at `from`.
fn block_end(block: &Block, bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += memchr(block.open(), bytes.get(at..)?)?;
        if let Some(len) = block.closes(bytes.get(at..)?) {
            return Some(at + len);
        }
        at += 1;
    }
}

/// Takes whole blocks off the start.
fn trim_start<'a>(mut text: &'a str, has_results: &mut bool) -> &'a str {
    'blocks: loop {
        text = text.trim_start();
        let bytes = text.as_bytes();
        for block in &BLOCKS {
            if let Some(opened) = block.opens(bytes)
                && let Some(end) = block_end(block, bytes, opened)
            {
                *has_results |= block.is_result;
                text = cut(text, end, text.len());
                continue 'blocks;
            }
        }
        return text;
    }
}

/// Returns the user's last turn where the text is a transcript with `User:` and `Assistant:` lines; else all of it.
fn last_turn(text: &str) -> &str {
    let starts = |line: &str, marks: &[&str]| {
        marks.iter().find(|m| line.get(..m.len()).is_some_and(|l| l.eq_ignore_ascii_case(m))).map(|m| m.len())
    };
    let (mut end, mut turn) = (text.len(), None);
    for _ in 0..LINES {
        let start = memrchr(b'\n', text.as_bytes().get(..end).unwrap_or(&[])).map_or(0, |at| at + 1);
        let line = text.get(start..).unwrap_or("");
        if turn.is_none() {
            turn = starts(line, &["user:", "human:"]).map(|len| start + len);
        } else if starts(line, &["assistant:", "ai:"]).is_some() {
            return turn.and_then(|at| text.get(at..)).unwrap_or(text);
        }
        if start == 0 {
            break;
        }
        end = start - 1;
    }
    text
}

/// Splits `text` into the pieces between blocks; returns how many bytes the blocks took.
fn scan<'a>(
    text: &'a str,
    pieces: &mut ArrayVec<&'a str, { PIECES * 2 }>,
    most: usize,
    has_results: &mut bool,
) -> usize {
    let bytes = text.as_bytes();
    let (mut from, mut at, mut dropped) = (0, 0, 0);
    // A bit per kind whose closing tag is known to be nowhere ahead, so that no text can make this quadratic.
    let mut unclosed = 0u32;
    'marks: while let Some(step) = bytes.get(at..).and_then(|rest| memchr2(b'<', b'[', rest)) {
        at += step;
        let rest = bytes.get(at..).unwrap_or(&[]);
        // The first letters of all names; most marks in code and prose end here.
        if !rest.get(1).is_some_and(|first| {
            matches!(first.to_ascii_lowercase(), b's' | b'e' | b'l' | b'c' | b't' | b'f')
        }) {
            at += 1;
            continue;
        }
        for (bit, block) in BLOCKS.iter().enumerate() {
            if unclosed & (1 << bit) != 0 || pieces.len() >= most {
                continue;
            }
            let Some(opened) = block.opens(rest) else { continue };
            let Some(end) = block_end(block, bytes, at + opened) else {
                unclosed |= 1 << bit;
                continue;
            };
            pieces.push(cut(text, from, at));
            *has_results |= block.is_result;
            dropped += end - at;
            (from, at) = (end, end);
            continue 'marks;
        }
        at += 1;
    }
    if !pieces.is_full() {
        pieces.push(cut(text, from, text.len()));
    }
    dropped
}

/// Finds the ask within a user's message.
pub(super) fn find(text: &str) -> Ask<'_> {
    let mut ask = Ask::default();
    let text = trim_end(text, &mut ask.has_results);
    let text = last_turn(trim_start(text, &mut ask.has_results)).trim();

    let mut pieces = ArrayVec::<&str, { PIECES * 2 }>::new();
    let mut dropped = 0;
    if text.len() <= SCANNED {
        dropped += scan(text, &mut pieces, PIECES - 1, &mut ask.has_results);
    } else {
        let head = floor_boundary(text, SCANNED / 2);
        let tail = floor_boundary(text, text.len() - SCANNED / 2);
        dropped += scan(cut(text, 0, head), &mut pieces, PIECES - 1, &mut ask.has_results);
        dropped += scan(cut(text, tail, text.len()), &mut pieces, PIECES * 2 - 1, &mut ask.has_results);
    }
    ask.len = text.len().saturating_sub(dropped);

    let kept: usize = pieces.iter().map(|piece| piece.len()).sum();
    let mut start = 0;
    for piece in pieces {
        let end = start + piece.len();
        if kept <= HEAD + TAIL {
            ask.take(piece);
        } else {
            // What of this piece lies in the head, then what of it lies in the tail.
            ask.take(cut(piece, 0, HEAD.saturating_sub(start)));
            ask.take(cut(piece, (kept - TAIL).saturating_sub(start), piece.len()));
        }
        start = end;
    }
    ask
}

impl<'a> Ask<'a> {
    fn take(&mut self, piece: &'a str) {
        if !piece.is_empty() && !self.pieces.is_full() {
            self.pieces.push(piece);
            self.read += piece.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        find(text).pieces.join("")
    }

    #[test]
    fn reminders_and_tool_results_are_left_out() {
        assert_eq!(read("Fix it.\n<system-reminder>Be brief</system-reminder>"), "Fix it.");
        assert_eq!(read("<SYSTEM-Reminder x=\"1\">a</system-REMINDER>\nFix it."), "Fix it.");
        assert_eq!(read("Read <tool_result>42</tool_result> and say more."), "Read  and say more.");
        assert_eq!(read("[Tool Output: grep]\n1: x\n\n2: y\n[/tool output] What is y?"), "What is y?");
        assert!(find("a<tool_result>42</tool_result>").has_results);
        assert!(!find("a<system-reminder>42</system-reminder>").has_results);
    }

    #[test]
    fn what_only_looks_like_a_block_stays() {
        for text in [
            "a < b and b > c",
            "<system-reminder>never closed",
            "x </tool_result>",
            "[tool output",
            "<system-reminders>a</system-reminders>",
        ] {
            assert_eq!(read(text), text);
        }
    }

    #[test]
    fn every_kind_of_block_is_found_inside_a_text() {
        for block in &BLOCKS {
            let (open, close) = (char::from(block.open()), char::from(block.close()));
            let text = format!("say {open}{0}{close}hidden{open}/{0}{close} more", block.name);
            assert_eq!(read(&text), "say  more", "{}", block.name);
        }
    }

    #[test]
    fn the_last_turn_of_a_transcript_is_the_ask() {
        assert_eq!(read("User: prove it\nAssistant: no\nUser: then list them"), "then list them");
        assert_eq!(read("User: is what the label says"), "User: is what the label says");
    }

    #[test]
    fn long_texts_are_read_at_head_and_tail_only() {
        let text = format!("START{}END", "é".repeat(100_000));
        let ask = find(&text);
        assert_eq!(ask.len, text.len());
        assert!(ask.read <= HEAD + TAIL + 4 && ask.read > HEAD);
        assert!(ask.pieces[0].starts_with("START") && ask.pieces.last().unwrap().ends_with("END"));
    }

    #[test]
    fn thousands_of_unclosed_tags_do_no_harm() {
        let text = "<tool_result>[tool output]".repeat(2000);
        assert_eq!(find(&text).len, text.len());
        let blocks = "a<tool_result>b</tool_result>".repeat(2000);
        assert!(find(&blocks).read > 0);
    }

    proptest! {
        #[test]
        fn blocks_around_the_text_change_nothing(
            text in ".{0,60}|([a-z<>/\\[\\] \n]|<tool_result>|</system-reminder>|<system-reminder>|\\[/tool output\\]){0,12}",
            inner in "[^<\\[]{0,40}",
        ) {
            let with = format!("{text}\n<System-Reminder>{inner}</system-reminder>\n<tool_result>{inner}</tool_result>\n");
            prop_assert_eq!(read(&with), read(&text));
        }

        #[test]
        fn any_text_is_cut_without_harm(text in "\\PC{0,400}") {
            let ask = find(&text);
            prop_assert!(ask.read <= ask.len);
        }
    }
}
