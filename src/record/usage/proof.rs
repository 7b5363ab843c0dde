//! Where cached and reasoning tokens of a row lie: within the counts beside them, or next to them.
//!
//! Invariant: what the row itself proves goes before what its format claims. A total proves which parts add up to it;
//! without one, more of a part than of the whole proves that it is none of it. A total that the parts do not come to, or
//! a claim that its format does not keep everywhere, proves nothing: what is made of such a row is a guess.

use crate::record::WriteTtl;

/// Cache writes as logs report them: one total, a split by lifetime, or both.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Writes {
    /// All writes in one number.
    pub(crate) total: Option<u64>,
    /// Writes that live 5 minutes.
    pub(crate) short: Option<u64>,
    /// Writes that live 1 hour.
    pub(crate) long: Option<u64>,
}

impl Writes {
    /// Returns all writes, however they were told.
    pub(crate) fn all(self) -> u64 {
        let (short, long, _) = self.split();
        short.saturating_add(long)
    }

    /// Splits by lifetime; whatever the split leaves out goes under 5 minutes, as an assumption.
    pub(crate) fn split(self) -> (u64, u64, WriteTtl) {
        let (short, long) = (self.short.unwrap_or(0), self.long.unwrap_or(0));
        let rest = self.total.unwrap_or(0).saturating_sub(short.saturating_add(long));
        let ttl = if rest > 0 { WriteTtl::Assumed } else { WriteTtl::Reported };
        (short.saturating_add(rest), long, ttl)
    }
}

/// The parts of a usage block, before they are made disjoint.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Parts {
    /// Prompt tokens as reported.
    pub(crate) input: Option<u64>,
    /// Prompt tokens read from cache.
    pub(crate) read: u64,
    /// Prompt tokens written to cache.
    pub(crate) writes: Writes,
    /// Answer tokens as reported.
    pub(crate) output: Option<u64>,
    /// Reasoning tokens.
    pub(crate) reasoning: Option<u64>,
    /// The row's own total, where it adds up what the others say.
    pub(crate) total: Option<u64>,
    /// Whether writes are "unadjusted", as OpenAI calls its own: they may be more than the prompt has left for them.
    pub(crate) are_writes_cut: bool,
}

/// What a format says of its counts; it holds where a row proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of a format, and they vary freely")]
pub(crate) struct Claim {
    /// Whether the prompt count includes cached and written tokens.
    pub(crate) is_cached_within: bool,
    /// Whether the answer count includes reasoning.
    pub(crate) is_reasoning_within: bool,
    /// Whether some that write the format count cached tokens otherwise.
    pub(crate) is_cached_open: bool,
    /// Whether some that write the format count reasoning otherwise.
    pub(crate) is_reasoning_open: bool,
}

impl Claim {
    /// Prompt and answer are whole: OpenAI and most gateways.
    pub(crate) const WHOLE: Self = Self::kept(true, true);
    /// The prompt leaves cached tokens out, the answer is whole: Anthropic.
    pub(crate) const FRESH: Self = Self::kept(false, true);
    /// The prompt is whole, the answer leaves reasoning out: Gemini.
    pub(crate) const SPOKEN: Self = Self::kept(true, false);
    /// Every count stands for itself: Langfuse.
    pub(crate) const DISJOINT: Self = Self::kept(false, false);

    const fn kept(is_cached_within: bool, is_reasoning_within: bool) -> Self {
        Self { is_cached_within, is_reasoning_within, is_cached_open: false, is_reasoning_open: false }
    }

    /// Makes it a claim that not everyone keeps, as far as it goes for cached and for reasoning tokens.
    pub(crate) const fn open(self, is_cached_open: bool, is_reasoning_open: bool) -> Self {
        Self { is_cached_open, is_reasoning_open, ..self }
    }
}

/// What a layout rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// The row's own figures.
    Proof,
    /// What its format claims, where nobody is known to do otherwise or it makes no difference.
    Claim,
    /// What its format claims and not all keep.
    Open,
    /// The claim, against a total that the parts do not come to.
    Against,
}

/// Which cached tokens are part of the prompt count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cached {
    /// Reads and writes.
    Within,
    /// Reads; writes come on top.
    ReadsWithin,
    /// None: both come on top.
    Beside,
}

/// Where the parts of a row lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) cached: Cached,
    pub(super) is_reasoning_within: bool,
}

/// Decides by the row where it can, else by the claim.
pub(super) fn layout(parts: &Parts, claim: Claim) -> (Layout, Ground) {
    let cached = if claim.is_cached_within {
        [Cached::Within, Cached::Beside, Cached::ReadsWithin]
    } else {
        [Cached::Beside, Cached::Within, Cached::ReadsWithin]
    };
    // The fewer claims are broken, the better: both kept, then one, then both broken.
    let kept = claim.is_reasoning_within;
    let [first, second, third] = cached;
    let ways =
        [(first, kept), (first, !kept), (second, kept), (third, kept), (second, !kept), (third, !kept)];
    let mut possible = ways
        .into_iter()
        .map(|(cached, is_reasoning_within)| Layout { cached, is_reasoning_within })
        .filter(|way| way.is_possible(parts));
    let told = parts.total.filter(|total| *total > 0);
    let mut fitting =
        possible.clone().filter(|way| told.is_some_and(|total| way.total(parts) == Some(total)));
    if let Some(proven) = fitting.next() {
        // Two ways that add up and bill other tokens prove neither.
        let is_open = fitting.any(|other| other.billed(parts) != proven.billed(parts));
        return (proven, if is_open { Ground::Open } else { Ground::Proof });
    }
    let claimed = Layout { cached: first, is_reasoning_within: kept };
    let way = possible.next().unwrap_or(claimed);
    let is_against = told.is_some() && way.total(parts).is_some();
    // More of a part than of its whole proves which of two customs a row keeps, and contradicts a format that has but one:
    // what is likeliest is no fact there.
    let is_odd = claim.is_cached_within && !claim.is_cached_open && way.cached == Cached::Beside;
    // Where a part does not fit into what it may be part of, one way is left.
    let has_cached = parts.read > 0 || parts.writes.all() > 0;
    let is_open = is_odd
        || (claim.is_cached_open && has_cached && possible.clone().any(|other| other.cached != way.cached))
        || (claim.is_reasoning_open
            && parts.reasoning.unwrap_or(0) > 0
            && possible.any(|other| other.is_reasoning_within != way.is_reasoning_within));
    let ground = match (is_against, is_open) {
        (true, _) => Ground::Against,
        (false, true) => Ground::Open,
        (false, false) => Ground::Claim,
    };
    (way, ground)
}

impl Layout {
    /// Returns what a total has beyond all its parts.
    pub(super) fn rest(self, parts: &Parts) -> u64 {
        parts.total.zip(self.total(parts)).map_or(0, |(all, told)| all.saturating_sub(told))
    }

    /// Says whether no part is larger than what it would be a part of.
    fn is_possible(self, parts: &Parts) -> bool {
        let writes = if parts.are_writes_cut { 0 } else { parts.writes.all() };
        let within = match self.cached {
            Cached::Within => parts.read.saturating_add(writes),
            Cached::ReadsWithin => parts.read,
            Cached::Beside => 0,
        };
        let thought = if self.is_reasoning_within { parts.reasoning.unwrap_or(0) } else { 0 };
        parts.input.is_none_or(|prompt| within <= prompt)
            && parts.output.is_none_or(|answer| thought <= answer)
    }

    /// Returns the tokens that it bills as fresh, and those as the answer.
    fn billed(self, parts: &Parts) -> (u64, u64) {
        let within = match self.cached {
            Cached::Within => parts.read.saturating_add(parts.writes.all()),
            Cached::ReadsWithin => parts.read,
            Cached::Beside => 0,
        };
        let thought = if self.is_reasoning_within { 0 } else { parts.reasoning.unwrap_or(0) };
        (parts.input.unwrap_or(0).saturating_sub(within), parts.output.unwrap_or(0).saturating_add(thought))
    }

    /// Adds up what a total would be; `None` where prompt or answer are not told.
    fn total(self, parts: &Parts) -> Option<u64> {
        let cached = match self.cached {
            Cached::Within => 0,
            Cached::ReadsWithin => parts.writes.all(),
            Cached::Beside => parts.read.saturating_add(parts.writes.all()),
        };
        let thought = if self.is_reasoning_within { 0 } else { parts.reasoning.unwrap_or(0) };
        Some(parts.input?.saturating_add(parts.output?).saturating_add(cached).saturating_add(thought))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(input: u64, read: u64, written: u64, output: u64, reasoning: u64, total: Option<u64>) -> Parts {
        Parts {
            input: Some(input),
            read,
            writes: Writes { total: Some(written), ..Writes::default() },
            output: Some(output),
            reasoning: Some(reasoning),
            total,
            are_writes_cut: false,
        }
    }

    fn way(parts: Parts, claim: Claim) -> (Cached, bool) {
        let (layout, _) = layout(&parts, claim);
        (layout.cached, layout.is_reasoning_within)
    }

    #[test]
    fn a_total_overrules_every_claim() {
        let claims = [Claim::WHOLE, Claim::FRESH, Claim::SPOKEN, Claim::DISJOINT];
        for claim in claims {
            let of = |total| way(parts(1000, 300, 200, 100, 40, Some(total)), claim);
            assert_eq!(of(1100), (Cached::Within, true), "{claim:?}");
            assert_eq!(of(1140), (Cached::Within, false), "{claim:?}");
            assert_eq!(of(1300), (Cached::ReadsWithin, true), "{claim:?}");
            assert_eq!(of(1600), (Cached::Beside, true), "{claim:?}");
            assert_eq!(of(1640), (Cached::Beside, false), "{claim:?}");
        }
    }

    #[test]
    fn a_total_that_two_ways_come_to_proves_neither() {
        let ground = |parts: Parts| layout(&parts, Claim::WHOLE).1;
        assert_eq!(ground(parts(1000, 300, 0, 400, 300, Some(1700))), Ground::Open);
        assert_eq!(ground(parts(1000, 300, 0, 400, 200, Some(1700))), Ground::Proof);
        assert_eq!(ground(parts(1000, 300, 0, 400, 300, Some(1400))), Ground::Proof);
        assert_eq!(ground(parts(1000, 0, 0, 400, 0, Some(1400))), Ground::Proof);
    }

    #[test]
    fn a_part_larger_than_its_whole_lies_beside_it() {
        assert_eq!(way(parts(4, 2455, 0, 23, 0, None), Claim::WHOLE), (Cached::Beside, true));
        assert_eq!(way(parts(12, 0, 0, 1, 386, None), Claim::WHOLE), (Cached::Within, false));
        assert_eq!(way(parts(4, 2, 12_304, 1, 0, None), Claim::WHOLE), (Cached::Beside, true));
        let unadjusted = Parts { are_writes_cut: true, ..parts(100, 20, 90, 1, 0, None) };
        assert_eq!(way(unadjusted, Claim::WHOLE), (Cached::Within, true));
    }

    #[test]
    fn a_total_that_leaves_no_room_for_what_is_cached_proves_nothing() {
        let read = |total| {
            let parts = parts(100, 101, 0, 7, 0, total);
            let (way, ground) = layout(&parts, Claim::WHOLE);
            (way.cached, ground, way.rest(&parts))
        };
        assert_eq!(read(Some(107)), (Cached::Beside, Ground::Against, 0));
        assert_eq!(read(Some(208)), (Cached::Beside, Ground::Proof, 0));
    }

    #[test]
    fn without_proof_the_claim_holds_and_a_total_out_of_reach_makes_it_a_guess() {
        for (total, ground) in [
            (None, Ground::Claim),
            (Some(0), Ground::Claim),
            (Some(7), Ground::Against),
            (Some(5000), Ground::Against),
        ] {
            for (claim, want) in
                [(Claim::WHOLE, (Cached::Within, true)), (Claim::DISJOINT, (Cached::Beside, false))]
            {
                let parts = parts(1000, 300, 0, 100, 40, total);
                assert_eq!(way(parts, claim), want);
                assert_eq!(layout(&parts, claim).1, ground, "{total:?}");
                assert_eq!(parts.counted(claim).unwrap().is_guess, ground == Ground::Against, "{total:?}");
            }
        }
    }

    #[test]
    fn what_only_the_total_counts_was_thought() {
        let counted = parts(1000, 0, 0, 100, 0, Some(1500)).counted(Claim::WHOLE).unwrap();
        assert_eq!((counted.usage.output.get(), counted.is_guess), (Some(500), true));
    }

    #[test]
    fn a_claim_that_not_all_keep_is_a_guess_where_it_matters() {
        let guess = |read, reasoning, claim: Claim| {
            parts(1000, read, 0, 100, reasoning, None).counted(claim).unwrap().is_guess
        };
        let open = Claim::WHOLE.open(true, true);
        assert_eq!([guess(0, 0, open), guess(300, 0, open), guess(0, 40, open)], [false, true, true]);
        assert!(!guess(300, 40, Claim::WHOLE));
        assert!(!guess(3000, 0, open), "what does not fit into the prompt proves where it lies");
        assert!(guess(3000, 0, Claim::WHOLE), "where there is but one place for it, it contradicts the row");
        assert!(!guess(3000, 0, Claim::FRESH));
        assert!(!parts(1000, 300, 0, 100, 0, Some(1100)).counted(open).unwrap().is_guess, "so does a total");
    }
}
