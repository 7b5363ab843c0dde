//! Spans around spans: a framework and the library below it both tell of the same call.
//!
//! Invariants: of spans of one call that stand around each other one counts, the innermost that is known when the entry
//! is read; one that counted gives way to those within it once they add up to it; what is remembered is bounded, and a
//! span that is forgotten stands alone.

use rustc_hash::FxHashMap;

use crate::record::skip::Refusal;

/// How many spans a generation remembers, and how far up is looked.
const SPANS: usize = 1 << 16;
const HEIGHT: usize = 64;
/// How many different models below a span are remembered.
const MODELS: usize = 4;

/// A span around a call that is told by itself.
pub(crate) const AROUND: Refusal = Refusal::Repeated("a span around or within another of the same call");
/// The sum of an agent's run.
pub(super) const SUMMED: Refusal =
    Refusal::Repeated("a span of an agent's run, which tells the sum of the calls within it");

/// Where a call stands among the spans around and below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It counts.
    Counts(Nested),
    /// Others tell of the same call, or of several that it stands around.
    Told(Again),
}

/// Of which calls that count a span tells again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) calls: [Option<u64>; MODELS],
    /// Whether it is within the one it tells of.
    pub(crate) is_within: bool,
    /// Whether those are all that it stands around.
    pub(crate) is_all: bool,
    /// Whether it is the sum of an agent's run.
    pub(crate) is_sum: bool,
}

impl Again {
    /// Says why whoever tells again is no request.
    pub(crate) fn refusal(self) -> Refusal {
        if self.is_sum { SUMMED } else { AROUND }
    }
}

/// How a call that counts stands to those that count around and below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nested {
    /// The nearest span around it that counts, and has more tokens.
    pub(crate) around: Option<u64>,
    /// Whether one of the same model around or below it may tell of it in part.
    pub(crate) is_doubtful: bool,
    /// Whether it is the last of those that add up to the span around it, so that this one tells of nothing else.
    pub(crate) completes: bool,
    /// Whether the span around it is the sum of a run, which gives way to the first call within it.
    pub(crate) is_in_sum: bool,
    /// Where it does not count: those that do in its place.
    pub(crate) again: Option<Again>,
    /// Other spans that turned out to tell of the very same answer.
    pub(crate) repeats: Vec<u64>,
    /// What of earlier calls turned out before this one was told.
    pub(crate) joined: Vec<Joined>,
}

/// Two calls, or more, that were told before anyone knew that one stands around the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Joined {
    pub(crate) outer: u64,
    /// Of which calls it tells again, if it does.
    pub(crate) again: Option<Again>,
    /// Else those below it that have fewer tokens, and whether it may tell of them in part.
    pub(crate) calls: [Option<(u64, bool)>; MODELS],
}

/// What is known of a span that may be a call.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpanTold {
    /// The model, bare.
    pub(crate) model: String,
    /// Prompt and answer tokens together, where told.
    pub(crate) tokens: Option<u64>,
    /// Whether it makes embeddings.
    pub(crate) is_embedding: bool,
    /// Whether its kind only ever stands around calls, so that any call below it is its own.
    pub(crate) is_wrapper: bool,
    /// Whether it tells the sum of a run, whatever the models of the calls below it.
    pub(crate) is_sum: bool,
}

/// Calls that counted below a span.
#[derive(Clone, Debug, Default)]
struct Below {
    tokens: u64,
    parts: Vec<Part>,
    count: u32,
}

/// One of them.
#[derive(Clone, Debug)]
struct Part {
    span: u64,
    model: String,
    tokens: u64,
    is_embedding: bool,
    /// Whether it is the sum of a run, which says nothing of the trace that it stands in.
    is_sum: bool,
}

impl Part {
    fn may_be_of(&self, outer: &SpanTold) -> bool {
        may_hold(outer, &self.model, Some(self.tokens), self.is_embedding)
    }
}

impl Below {
    /// Makes it of one call.
    fn of(span: u64, told: &SpanTold) -> Self {
        let tokens = told.tokens.unwrap_or(0);
        let SpanTold { model, is_embedding, is_sum, .. } = told.clone();
        Self { tokens, parts: vec![Part { span, model, tokens, is_embedding, is_sum }], count: 1 }
    }

    fn add(&mut self, other: &Self) {
        self.tokens = self.tokens.saturating_add(other.tokens);
        self.count = self.count.saturating_add(other.count);
        let room = MODELS.saturating_sub(self.parts.len());
        self.parts.extend(other.parts.iter().take(room).cloned());
    }

    /// Says whether these are all there are.
    fn is_all(&self, calls: &[Option<u64>; MODELS]) -> bool {
        calls.iter().flatten().count() == usize::try_from(self.count).unwrap_or(0)
    }
}

/// What is known of one span.
#[derive(Clone, Debug, Default)]
struct Span {
    parent: Option<u64>,
    /// What it counted for, if it did.
    counted: Option<SpanTold>,
    below: Option<Below>,
    /// Whether it is no span, but the trace that those without a parent stand in.
    is_trace: bool,
}

/// The spans of a log, as far as they have been read.
#[derive(Debug, Default)]
pub(crate) struct Nest {
    young: FxHashMap<u64, Span>,
    old: FxHashMap<u64, Span>,
    joined: Vec<Joined>,
}

impl Nest {
    /// Takes in where a span stands, before any call below or around it is judged.
    pub(crate) fn place(&mut self, span: u64, parent: Option<u64>) {
        // One without a parent is known to be there, too: what is within it is deeper than it.
        let known = self.at(span);
        let Some(parent) = parent.filter(|parent| *parent != span) else { return };
        let is_new = known.parent.is_none();
        known.parent = Some(parent);
        if !is_new {
            return;
        }
        // What was told before its surroundings were known reaches them now.
        let mut risen = known.below.clone().unwrap_or_default();
        if let Some(told) = &known.counted {
            risen.add(&Below::of(span, told));
        }
        if risen.count > 0 {
            self.rise(span, &risen);
            self.join(span, &risen);
        }
    }

    /// Judges those around a span anew, now that what counts below it turns out to be below them.
    fn join(&mut self, span: u64, risen: &Below) {
        let around: Vec<u64> = self.above(span).map(|(key, _)| key).collect();
        for outer in around {
            let Some(known) = self.get(outer) else { continue };
            let (Some(told), Some(below)) = (known.counted.clone(), known.below.as_ref()) else { continue };
            if let Some(calls) = told_below(&told, below) {
                let is_all = below.is_all(&calls);
                let again = Again { calls, is_within: false, is_all, is_sum: told.is_sum };
                self.give_way(outer);
                self.joined.push(Joined { outer, again: Some(again), ..Joined::default() });
            } else {
                let fewer = risen.parts.iter().filter(|part| Some(part.tokens) < told.tokens);
                let mut calls = fewer.map(|part| (part.span, part.may_be_of(&told)));
                self.joined.push(Joined { outer, again: None, calls: std::array::from_fn(|_| calls.next()) });
            }
        }
    }

    /// Takes a span that counted out, as others count in its place.
    fn give_way(&mut self, outer: u64) {
        if let Some(told) = self.at(outer).counted.take() {
            self.fall(outer, &told);
        }
    }

    /// Takes in that a span without a parent stands in a trace.
    pub(crate) fn place_in(&mut self, span: u64, trace: u64) {
        self.at(trace).is_trace = true;
        self.place(span, Some(trace));
    }

    /// Judges a span that looks like a call: says whether it counts, or tells again of one that does.
    pub(crate) fn judge(&mut self, span: u64, told: SpanTold) -> Standing {
        // The same span again: whoever knows ids tells.
        if self.at(span).counted.is_some() {
            return Standing::Counts(Nested::default());
        }
        if let Some(below) = self.at(span).below.as_ref()
            && let Some(calls) = told_below(&told, below)
        {
            let is_all = below.is_all(&calls);
            return Standing::Told(Again { calls, is_within: false, is_all, is_sum: told.is_sum });
        }
        // Where a run is not linked to its calls, those of its trace are taken for them.
        let trace = self.get(span).and_then(|span| self.get(span.parent?)).filter(|above| above.is_trace);
        if told.is_sum && trace.is_some_and(|trace| trace.below.is_some()) {
            return Standing::Told(Again { is_sum: true, ..Again::default() });
        }
        let around = self.around(span, |outer, _| is_same(outer, &told));
        if around.is_some() {
            let mut calls = [None; MODELS];
            calls[0] = around;
            return Standing::Told(Again { calls, is_within: true, ..Again::default() });
        }
        let sum = self.around(span, |outer, _| outer.is_sum);
        let completed = || self.around(span, |outer, below| completes(outer, below, &told));
        if let Some(outer) = sum.or_else(completed) {
            self.give_way(outer);
            self.rise(span, &Below::of(span, &told));
            self.at(span).counted = Some(told);
            let nested = Nested { around: Some(outer), completes: true, ..Nested::default() };
            return Standing::Counts(Nested { is_in_sum: sum.is_some(), ..nested });
        }
        let is_within = self
            .around(span, |outer, _| may_hold(outer, &told.model, told.tokens, told.is_embedding))
            .is_some();
        let around = self.around(span, |outer, _| told.tokens < outer.tokens);
        let below = self.get(span).and_then(|span| span.below.as_ref());
        let is_doubtful =
            is_within || below.is_some_and(|below| below.parts.iter().any(|part| part.may_be_of(&told)));
        self.rise(span, &Below::of(span, &told));
        self.at(span).counted = Some(told);
        Standing::Counts(Nested { around, is_doubtful, ..Nested::default() })
    }

    /// Returns what turned out of earlier calls since this was asked last.
    pub(crate) fn joined(&mut self) -> Vec<Joined> {
        std::mem::take(&mut self.joined)
    }

    /// How many spans stand around one, as far as is known.
    pub(crate) fn depth(&self, span: u64) -> usize {
        self.above(span).count()
    }

    fn above(&self, span: u64) -> impl Iterator<Item = (u64, &Span)> {
        let mut at = self.get(span).and_then(|span| span.parent);
        std::iter::from_fn(move || {
            let key = at?;
            let span = self.get(key)?;
            at = span.parent;
            Some((key, span))
        })
        .take(HEIGHT)
    }

    /// Finds the nearest span around one that counts and is as asked for, by itself and what counts below it.
    fn around(&self, span: u64, is: impl Fn(&SpanTold, &Below) -> bool) -> Option<u64> {
        let none = Below::default();
        let is =
            |at: &Span| at.counted.as_ref().is_some_and(|told| is(told, at.below.as_ref().unwrap_or(&none)));
        self.above(span).find(|(_, at)| is(at)).map(|(key, _)| key)
    }

    /// Tells every span around one of calls that counted, within it or itself.
    fn rise(&mut self, from: u64, risen: &Below) {
        let mut at = self.at(from).parent;
        for _ in 0..HEIGHT {
            let Some(above) = at else { break };
            let known = self.at(above);
            if known.is_trace && risen.parts.iter().all(|part| part.is_sum) {
                break;
            }
            known.below.get_or_insert_default().add(risen);
            at = known.parent;
        }
    }

    /// Takes back what every span around one was told of it.
    fn fall(&mut self, span: u64, told: &SpanTold) {
        let tokens = told.tokens.unwrap_or(0);
        let mut at = self.at(span).parent;
        for _ in 0..HEIGHT {
            let Some(above) = at else { break };
            let known = self.at(above);
            if known.is_trace && told.is_sum {
                break;
            }
            if let Some(below) = &mut known.below {
                below.tokens = below.tokens.saturating_sub(tokens);
                below.count = below.count.saturating_sub(1);
                below.parts.retain(|part| part.span != span);
            }
            at = known.parent;
        }
    }

    fn get(&self, span: u64) -> Option<&Span> {
        self.young.get(&span).or_else(|| self.old.get(&span))
    }

    fn at(&mut self, span: u64) -> &mut Span {
        if !self.young.contains_key(&span) {
            if self.young.len() >= SPANS {
                self.old = std::mem::take(&mut self.young);
            }
            let known = self.old.remove(&span).unwrap_or_default();
            self.young.insert(span, known);
        }
        self.young.entry(span).or_default()
    }
}

/// Returns the calls below a span that it tells of, if it does: the one with its tokens, else all.
fn told_below(outer: &SpanTold, below: &Below) -> Option<[Option<u64>; MODELS]> {
    let alike = || below.parts.iter().filter(|part| part.is_embedding == outer.is_embedding);
    let same = alike().find(|part| outer.tokens == Some(part.tokens));
    // A span without tokens has nothing to tell that those below do not.
    let is_sum = outer.is_wrapper || outer.tokens.is_none_or(|tokens| tokens == below.tokens);
    let mut spans = same.into_iter().chain(alike().filter(|_| same.is_none() && is_sum));
    let calls = std::array::from_fn(|_| spans.next().map(|part| part.span));
    calls[0].map(|_| calls)
}

/// Says whether a span tells of the call that a counted span around it was counted for.
fn is_same(outer: &SpanTold, inner: &SpanTold) -> bool {
    if outer.is_embedding != inner.is_embedding {
        return false;
    }
    match (outer.tokens, inner.tokens) {
        _ if outer.is_sum => false,
        _ if outer.is_wrapper => true,
        (Some(all), Some(tokens)) => all == tokens,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

/// Says whether a call is the last of several below a counted span that add up to what it was counted for.
fn completes(outer: &SpanTold, below: &Below, inner: &SpanTold) -> bool {
    let sum = inner.tokens.map(|tokens| tokens.saturating_add(below.tokens));
    below.count > 0 && sum.is_some() && sum == outer.tokens && outer.is_embedding == inner.is_embedding
}

/// Says whether a span may tell, besides of other things, of a call below it: one of the same model with fewer tokens.
fn may_hold(outer: &SpanTold, model: &str, tokens: Option<u64>, is_embedding: bool) -> bool {
    outer.is_embedding == is_embedding && tokens < outer.tokens && names_one(&outer.model, model)
}

/// Says whether two names stand for one model: they differ in a date or version of the same at most, or one is not told.
pub(crate) fn names_one(one: &str, other: &str) -> bool {
    let bare = |name: &str| name.rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    let (one, other) = (bare(one), bare(other));
    one.is_empty() || other.is_empty() || one == other || undated(&one) == other || one == undated(&other)
}

/// Takes the date or the number of a release off the end of a model's name.
fn undated(name: &str) -> &str {
    if let Some(bare) = name.strip_suffix("-latest") {
        return bare;
    }
    let is_mark = |byte: u8| matches!(byte, b'-' | b'@');
    let digits = name.bytes().rev().take_while(|byte| byte.is_ascii_digit() || is_mark(*byte)).count();
    let (_, tail) = name.split_at(name.len() - digits);
    // `-2025-04-14`, `-20250414`, `@20250414`, `-0613`, `-001`; a single digit is a version of its own.
    for length in [11, 9, 5, 4] {
        let Some(end) = tail.len().checked_sub(length).and_then(|at| tail.get(at..)) else { continue };
        let dashes = end.bytes().filter(|byte| is_mark(*byte)).count();
        if end.bytes().next().is_some_and(is_mark) && dashes == if length == 11 { 3 } else { 1 } {
            return name.strip_suffix(end).unwrap_or(name);
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(model: &str, tokens: u64) -> SpanTold {
        SpanTold { model: model.to_owned(), tokens: Some(tokens), ..SpanTold::default() }
    }

    /// Says whether a span counts, and then whether it is in doubt.
    fn doubt(nest: &mut Nest, span: u64, told: SpanTold) -> Option<bool> {
        match nest.judge(span, told) {
            Standing::Counts(nested) => Some(nested.is_doubtful),
            Standing::Told(_) => None,
        }
    }

    fn counts(nest: &mut Nest, span: u64, told: SpanTold) -> bool {
        doubt(nest, span, told).is_some()
    }

    #[test]
    fn one_that_counted_gives_way_to_those_that_add_up_to_it() {
        let mut nest = Nest::default();
        nest.place(2, Some(1));
        assert!(counts(&mut nest, 2, told("gpt-4.1", 2200)));
        for inner in [3, 4] {
            nest.place(inner, Some(2));
            let Standing::Counts(nested) = nest.judge(inner, told("gpt-4.1", 1100)) else { panic!("counts") };
            assert_eq!((nested.around, nested.completes), (Some(2), inner == 4));
        }
        // SpanTold once more, it is the sum of what counts; around it there are two calls, not three.
        assert!(!counts(&mut nest, 2, told("gpt-4.1", 2200)));
        assert!(!counts(&mut nest, 1, told("router", 2200)));
        nest.place(5, Some(2));
        assert_eq!(doubt(&mut nest, 5, told("gpt-4.1", 30)), Some(false), "another call within it");
    }

    #[test]
    fn other_models_are_never_one_and_fewer_tokens_prove_nothing() {
        for (outer, inner) in [
            ("gpt-4.1-nano", "gpt-4.1"),
            ("gpt-4.1", "gpt-4.1-nano"),
            ("o3", "o3-pro"),
            ("claude-opus-4", "claude-opus-4-6"),
        ] {
            for [first, second] in [[1, 2], [2, 1]] {
                let mut nest = Nest::default();
                nest.place(2, Some(1));
                let judged = |span| if span == 1 { told(outer, 5500) } else { told(inner, 1100) };
                assert_eq!(doubt(&mut nest, first, judged(first)), Some(false), "{outer} {inner}");
                assert_eq!(doubt(&mut nest, second, judged(second)), Some(false), "{outer} {inner}");
            }
        }
        for inner in [
            "gpt-4.1",
            "openai/gpt-4.1",
            "gpt-4.1-2025-04-14",
            "gpt-4.1-20250414",
            "gpt-4.1-latest",
            "gpt-4.1-0414",
        ] {
            for [first, second] in [[1, 2], [2, 1]] {
                let mut nest = Nest::default();
                nest.place(2, Some(1));
                let judged = |span| if span == 1 { told("gpt-4.1", 5500) } else { told(inner, 1100) };
                assert_eq!(doubt(&mut nest, first, judged(first)), Some(false));
                assert_eq!(doubt(&mut nest, second, judged(second)), Some(true), "{inner}");
            }
        }
    }

    #[test]
    fn a_span_around_calls_does_not_count_again_in_whatever_order_they_come() {
        // Inner ones first, as exporters send them; between them a span that is no call.
        let mut nest = Nest::default();
        nest.place(3, Some(2));
        assert!(counts(&mut nest, 3, told("gpt-4.1-2025-04-14", 12_650)));
        nest.place(4, Some(2));
        assert!(counts(&mut nest, 4, told("gpt-4.1-2025-04-14", 100)));
        nest.place(2, Some(1));
        nest.place(1, None);
        assert!(!counts(&mut nest, 1, told("router", 12_750)), "it sums up both");
        // The outer one first.
        let mut nest = Nest::default();
        assert!(counts(&mut nest, 1, told("gpt-4.1", 12_650)));
        nest.place(2, Some(1));
        assert!(!counts(&mut nest, 2, told("gpt-4.1", 12_650)));
    }

    #[test]
    fn another_call_within_a_call_counts() {
        let mut nest = Nest::default();
        nest.place(2, Some(1));
        assert!(counts(&mut nest, 2, told("gpt-4.1-nano", 40)));
        assert!(counts(&mut nest, 1, told("claude-opus-4-6", 9000)));
        let mut nest = Nest::default();
        nest.place(2, Some(1));
        assert!(counts(&mut nest, 2, SpanTold { is_embedding: true, ..told("gpt-4.1", 40) }));
        assert!(counts(&mut nest, 1, told("gpt-4.1", 40)));
        nest.place(3, Some(3));
        assert!(counts(&mut nest, 3, told("m", 1)), "a span that is its own parent ends");
    }

    #[test]
    fn rings_end() {
        let mut nest = Nest::default();
        nest.place(1, Some(2));
        nest.place(2, Some(1));
        assert!(counts(&mut nest, 1, told("m", 1)) && counts(&mut nest, 2, told("n", 2)));
        assert!(nest.depth(1) <= HEIGHT);
    }
}
