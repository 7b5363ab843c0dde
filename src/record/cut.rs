//! Cuts a byte stream into entries without holding more of it than a block: by lines, or by top-level JSON values.
//!
//! Invariants: memory is bounded by [`MAX_ENTRY`] plus a block whatever comes in; every entry keeps the number of the
//! line on which it starts; bytes that belong to no entry come out as one too, so that a reader refuses them aloud.

/// How much of a stream goes into one block.
pub(crate) const BLOCK: usize = 1 << 20;
/// The longest entry that is read; a longer one is passed over and counted, not kept in memory.
pub const MAX_ENTRY: usize = 64 << 20;

/// One entry within a block's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// Where it starts.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// The line on which it starts.
    pub(crate) line: u64,
    /// Whether it was too long and its bytes are gone.
    pub(crate) giant: bool,
}

/// An entry under construction.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    most: usize,
    pub(crate) bytes: Vec<u8>,
    /// The line on which it starts.
    pub(crate) line: u64,
    pub(crate) giant: bool,
}

impl Unfinished {
    /// Starts before the first byte of one that may have so many.
    pub(crate) fn new(most: usize, line: u64) -> Self {
        Self { most, line, ..Self::default() }
    }

    /// Adds bytes, unless it is too long.
    #[inline]
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        self.giant |= self.bytes.len() + bytes.len() > self.most;
        if self.giant {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Appends it to those that are whole.
    pub(crate) fn finish(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        let start = data.len();
        data.extend_from_slice(&self.bytes);
        pieces.push(Piece { start, end: data.len(), line: self.line, giant: self.giant });
        self.bytes.clear();
        self.giant = false;
    }
}

/// Cuts elements out of JSON text: the members of a top-level list, of a list under a known key of a top-level object
/// (`{"data":[…]}`), or values that stand one after another, over any number of lines each.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing of the place in the text, and they vary freely"
)]
pub(crate) struct Elements {
    /// The keys, outermost first, that lead from a top-level object to the list that is opened up; none for no list.
    wrapper: Vec<String>,
    /// How many of those keys the place is within.
    within: usize,
    state: State,
    depth: u32,
    /// Which of the innermost brackets are those of objects, the innermost in the lowest bit.
    objects: u128,
    in_text: bool,
    escaped: bool,
    /// How many opened-up lists surround the place (a top-level list counts, too).
    lists: u32,
    /// Whether one of them is under a key, so that the object around it still has to close.
    wrapped: bool,
    line: u64,
    current: Unfinished,
    /// Where the last text at depth 1 began and ended in `current`, to know keys by.
    key: (usize, usize),
    after_colon: bool,
    /// How far the place is indented, where nothing else stands before it on its line.
    indent: Option<usize>,
    /// How far the element was that is being read.
    own_indent: Option<usize>,
    /// How often the end of an element that is broken was looked for.
    broken: usize,
}

/// How many elements that are broken are left behind one by one; after that many the rest is one.
const MOST_BROKEN: usize = 100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between elements.
    #[default]
    Between,
    /// Within an object or list element.
    Inside,
    /// Within something that is no element; up to the next separator.
    Junk,
    /// Behind an opened-up list, up to the end of the object around it.
    Tail,
}

impl Elements {
    /// Starts before the first byte, which is on line `line`.
    pub(crate) fn new(wrapper: Vec<String>, most: usize, line: u64) -> Self {
        Self { wrapper, line, current: Unfinished::new(most, line), indent: Some(0), ..Self::default() }
    }

    /// Takes the next bytes and appends the elements that end in them.
    pub(crate) fn feed(&mut self, bytes: &[u8], data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            if self.in_text {
                at = self.text(bytes, at);
                continue;
            }
            at += 1;
            if byte == b'\n' {
                self.line += 1;
            }
            match self.state {
                State::Between => self.between(byte),
                State::Inside => self.inside(byte, data, pieces),
                State::Tail => self.tail(byte),
                State::Junk => {
                    if matches!(byte, b'\n' | b',' | b']') {
                        self.finish(data, pieces);
                        self.between(byte);
                    } else {
                        self.current.keep(&[byte]);
                    }
                }
            }
        }
    }

    /// Takes the end of the stream: what is unfinished comes out as it is, but for elements behind one that is broken; and so
    /// does a list without its end, for what was cut off is no whole log.
    pub(crate) fn end(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        while self.leave_behind(data, pieces) {}
        // Told once, however often the end is asked for.
        if self.state == State::Between && std::mem::take(&mut self.lists) > 0 {
            self.start(State::Junk, b'[');
        }
        if matches!(self.state, State::Inside | State::Junk) {
            self.finish(data, pieces);
        }
    }

    /// Ends an element that is broken where the next one begins, and goes on with that; false where none does.
    fn leave_behind(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) -> bool {
        if self.broken >= MOST_BROKEN || self.state != State::Inside || self.current.giant {
            return false;
        }
        self.broken += 1;
        let Some(next) = next_start(&self.current.bytes, self.own_indent, self.lists > 0) else {
            return false;
        };
        let rest = self.current.bytes.split_off(next);
        let lines = memchr::memchr_iter(b'\n', &self.current.bytes).count();
        self.line = self.current.line + lines as u64;
        self.finish(data, pieces);
        self.feed(&rest, data, pieces);
        true
    }

    /// Runs through text up to its closing quote or the end of the bytes; returns the place behind.
    fn text(&mut self, bytes: &[u8], mut at: usize) -> usize {
        let start = at;
        while self.in_text {
            let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { break };
            if std::mem::take(&mut self.escaped) {
                self.line += u64::from(rest.first() == Some(&b'\n'));
                at += 1;
                continue;
            }
            let Some(hop) = memchr::memchr3(b'"', b'\\', b'\n', rest) else {
                at = bytes.len();
                break;
            };
            match rest.get(hop) {
                Some(b'"') => self.in_text = false,
                Some(b'\\') => self.escaped = true,
                _ => self.line += 1,
            }
            at += hop + 1;
        }
        if self.state == State::Inside {
            self.current.keep(bytes.get(start..at).unwrap_or_default());
            if !self.in_text && self.is_on_the_way() {
                self.key.1 = self.current.bytes.len();
            }
        }
        at
    }

    fn between(&mut self, byte: u8) {
        self.own_indent = self.indent;
        self.indent = match byte {
            b'\n' => Some(0),
            b' ' | b'\t' => self.indent.map(|indent| indent + 1),
            _ => None,
        };
        match byte {
            b'[' if self.lists == 0 => self.lists = 1,
            b']' if self.lists > 0 => {
                self.lists -= 1;
                if self.wrapped {
                    self.wrapped = false;
                    self.state = State::Tail;
                    self.depth = u32::try_from(self.wrapper.len()).unwrap_or(1);
                }
            }
            b'{' | b'[' => {
                self.start(State::Inside, byte);
                self.depth = 1;
                self.objects = u128::from(byte == b'{');
            }
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {}
            _ => self.start(State::Junk, byte),
        }
    }

    fn start(&mut self, state: State, byte: u8) {
        self.state = state;
        self.current.line = self.line;
        self.key = (0, 0);
        self.within = 0;
        self.after_colon = false;
        self.current.keep(&[byte]);
    }

    fn inside(&mut self, byte: u8, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        match byte {
            b'"' => {
                self.in_text = true;
                self.current.keep(&[byte]);
                if self.is_on_the_way() {
                    self.key.0 = self.current.bytes.len();
                }
                return;
            }
            b'[' if self.within + 1 == self.wrapper.len() && self.opens_wrapper() => {
                self.current.bytes.clear();
                self.lists += 1;
                self.wrapped = true;
                self.depth = 0;
                self.state = State::Between;
                return;
            }
            b'{' if self.within + 1 < self.wrapper.len() && self.opens_wrapper() => {
                self.within += 1;
                self.open(byte);
            }
            b'{' | b'[' => self.open(byte),
            // The end of a list is none of an object: one that lacks its own is left behind, here or at the end of the text.
            b']' if self.objects & 1 == 1 => {
                let is_in_list = self.lists > 0;
                if is_in_list && self.leave_behind(data, pieces) {
                    return self.feed(b"]", data, pieces);
                }
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.objects >>= 1;
                self.within = self.within.min((self.depth as usize).saturating_sub(1));
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            self.after_colon = byte == b':';
        }
        self.current.keep(&[byte]);
        if self.depth == 0 {
            self.finish(data, pieces);
        }
    }

    fn open(&mut self, byte: u8) {
        self.depth = self.depth.saturating_add(1);
        self.objects = (self.objects << 1) | u128::from(byte == b'{');
    }

    fn tail(&mut self, byte: u8) {
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    self.state = State::Between;
                }
            }
            _ => {}
        }
    }

    /// Says whether the place is right within the object that holds the next key of the wrapper.
    fn is_on_the_way(&self) -> bool {
        self.depth as usize == self.within + 1
    }

    /// Says whether the value that begins here stands under the next key of the wrapper.
    fn opens_wrapper(&self) -> bool {
        let key = self.current.bytes.get(self.key.0..self.key.1.saturating_sub(1)).unwrap_or_default();
        self.after_colon
            && !self.wrapped
            && self.current.bytes.first() == Some(&b'{')
            && self.is_on_the_way()
            && self.wrapper.get(self.within).is_some_and(|wanted| wanted.as_bytes() == key)
    }

    fn finish(&mut self, data: &mut Vec<u8>, pieces: &mut Vec<Piece>) {
        self.current.finish(data, pieces);
        self.depth = 0;
        self.in_text = false;
        self.escaped = false;
        self.indent = None;
        self.state = State::Between;
    }
}

/// Finds where the next element begins within one that does not end: on a line of its own that is indented alike or, in a list,
/// behind a comma with the same two members at its beginning.
fn next_start(bytes: &[u8], own_indent: Option<usize>, in_list: bool) -> Option<usize> {
    let is_alike = |at: usize| {
        let line = bytes.get(at + 1..).unwrap_or_default();
        let indent = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        own_indent.map_or(indent <= 1, |own| own == indent) && line.get(indent) == Some(&b'{')
    };
    let own = first_members(bytes).filter(|_| in_list);
    let is_next = |at: &usize| {
        let (before, from) = bytes.split_at(*at);
        before.trim_ascii_end().ends_with(b",") && first_members(from) == own
    };
    memchr::memchr_iter(b'\n', bytes)
        .find(|at| is_alike(*at))
        .or_else(|| own.and_then(|_| memchr::memchr_iter(b'{', bytes).skip(1).find(is_next)))
}

/// Returns the names of the first two members of an object whose first value is plain.
fn first_members(bytes: &[u8]) -> Option<[&[u8]; 2]> {
    fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let bytes = bytes.trim_ascii_start().strip_prefix(b"\"")?;
        bytes.split_at_checked(memchr::memchr(b'"', bytes)?)
    }
    let (first, rest) = text(bytes.strip_prefix(b"{")?)?;
    let value = rest.strip_prefix(b"\"")?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let rest = match text(value) {
        Some((_, rest)) => rest.strip_prefix(b"\"")?.trim_ascii_start(),
        None => value.get(value.iter().position(|byte| b",{}[]".contains(byte))?..)?,
    };
    let (second, _) = text(rest.strip_prefix(b",")?)?;
    Some([first, second])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &[u8], wrapper: &[&str], most: usize, step: usize) -> Vec<(u64, String)> {
        let (mut data, mut pieces) = (Vec::new(), Vec::new());
        let mut elements = Elements::new(wrapper.iter().map(|key| (*key).to_owned()).collect(), most, 1);
        for chunk in text.chunks(step.max(1)) {
            elements.feed(chunk, &mut data, &mut pieces);
        }
        elements.end(&mut data, &mut pieces);
        let show = |piece: &Piece| {
            let bytes: &[u8] = if piece.giant { b"(giant)" } else { &data[piece.start..piece.end] };
            String::from_utf8_lossy(bytes).into_owned()
        };
        pieces.iter().map(|piece| (piece.line, show(piece))).collect()
    }

    #[test]
    fn finds_elements_in_every_arrangement() {
        let want = |lines: [u64; 2]| {
            vec![(lines[0], "{\"a\":\"]}\\\"\"}".to_owned()), (lines[1], "{\"b\":[1]}".to_owned())]
        };
        let (a, b) = ("{\"a\":\"]}\\\"\"}", "{\"b\":[1]}");
        for step in [1, 3, 1000] {
            let go = |text: String| cut(text.as_bytes(), &["data"], MAX_ENTRY, step);
            assert_eq!(go(format!("[{a},{b}]")), want([1, 1]));
            assert_eq!(go(format!("[\n {a},\n\n {b}\n]\n")), want([2, 4]));
            assert_eq!(go(format!("{a}\n{b}\n")), want([1, 2]));
            assert_eq!(
                go(format!("{{\"x\":{{\"data\":[0]}},\"data\" : [{a},{b}],\"next\":{{\"data\":[{a}]}}}}")),
                want([1, 1])
            );
            assert_eq!(go(format!("{{\"data\":[{a}]}}\n{{\"data\":[{b}],\"z\":\"}}\"}}")), want([1, 2]));
        }
    }

    #[test]
    fn rubbish_comes_out_aloud_and_does_not_hide_what_follows() {
        let got = cut(b"nonsense\n{\"a\":1}\n", &[], MAX_ENTRY, 7);
        assert_eq!(got, vec![(1, "nonsense".into()), (2, "{\"a\":1}".into())]);
        let got = cut(b"[1,{\"a\":1}", &[], MAX_ENTRY, 7);
        assert_eq!(
            got,
            vec![(1, "1".into()), (1, "{\"a\":1}".into()), (1, "[".into())],
            "a list is cut off aloud"
        );
        assert_eq!(cut(b"{\"a\":", &[], MAX_ENTRY, 7), vec![(1, "{\"a\":".into())]);
    }

    /// One brace or quote that is missing would else take all requests behind it.
    #[test]
    fn a_broken_element_takes_none_that_begins_on_a_line_like_its_own() {
        let whole =
            ["{\n \"a\": {\"x\": 1}\n}", "{\n \"b\": \"two\"\n}", "{\n \"c\": 3\n}", "{\n \"d\": 4\n}"];
        for (from, to) in [("\"two\"\n}", "\"two\"\n"), ("\"two\"", "\"two"), ("\"two\"", "{\"two\"")] {
            for (before, between, after, indent) in [("", "\n", "\n", ""), ("[\n  ", ",\n  ", "\n]\n", "  ")]
            {
                let broken = whole.map(|one| one.replace(from, to).replace('\n', &format!("\n{indent}")));
                let text = format!("{before}{}{after}", broken.join(between));
                for step in [1, 3, 1000] {
                    let got = cut(text.as_bytes(), &[], MAX_ENTRY, step);
                    let is_whole = |key: &str| {
                        got.iter().any(|(_, one)| {
                            one.starts_with('{')
                                && one.contains(key)
                                && one.ends_with('}')
                                && !one.contains("\"b\"")
                        })
                    };
                    assert!(is_whole("\"a\"") && is_whole("\"c\"") && is_whole("\"d\""), "{text}: {got:?}");
                    assert!(got.iter().any(|(_, one)| one.contains("\"b\"")), "it is told: {got:?}");
                }
            }
        }
    }

    /// A list on one line has no lines to go on at.
    #[test]
    fn a_broken_element_of_a_list_takes_none_that_begins_with_the_same_members() {
        let one = |n: usize| {
            format!("{{\"id\":\"r{n}\",\"said\": [{{\"id\":\"t\"}},{{\"id\":\"u\"}}],\"in\":{{\"x\":{n}}}}}")
        };
        let whole: Vec<String> = (0..5).map(one).collect();
        for broken in [
            one(2).trim_end_matches('}').to_owned(),
            one(2).replace("\"t\"", "\"t"),
            one(2).replace("{\"x\":2}", "{\"x\":2"),
            one(2).replace("}],", "},"),
        ] {
            for (before, after) in [("[", "]"), ("{\"data\":[", "],\"n\":{\"id\":1}}\n")] {
                let mut all = whole.clone();
                all[2].clone_from(&broken);
                let text = format!("{before}{}{after}", all.join(", "));
                for step in [1, 7, 1000] {
                    let got = cut(text.as_bytes(), &["data"], MAX_ENTRY, step);
                    let is_there = |n: &usize| got.iter().any(|(_, one)| *one == whole[*n]);
                    let there: Vec<usize> = (0..5).filter(is_there).collect();
                    assert_eq!(there, [0, 1, 3, 4], "{text}: {got:?}");
                    assert!(got.iter().any(|(_, one)| one.contains("r2")), "it is told: {got:?}");
                }
            }
        }
    }

    #[test]
    fn a_giant_is_dropped_and_its_neighbours_stay() {
        let text = format!("[{{\"a\":1}},{{\"b\":\"{}\"}},{{\"c\":2}}]", "x".repeat(500));
        let got = cut(text.as_bytes(), &[], 100, 64);
        assert_eq!(got, vec![(1, "{\"a\":1}".into()), (1, "(giant)".into()), (1, "{\"c\":2}".into())]);
    }

    proptest! {
        #[test]
        fn where_the_stream_is_chopped_does_not_matter(text in "[\\[\\]{}\",:a\\\\\n ]{0,80}", step in 1usize..9) {
            prop_assert_eq!(cut(text.as_bytes(), &["a"], 50, step), cut(text.as_bytes(), &["a"], 50, 1000));
        }
    }
}
