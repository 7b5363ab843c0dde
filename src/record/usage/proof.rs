//! Where cached and reasoning tokens of a row lie: within the counts beside them, or next to them.
//!
//! Invariant: what the row itself proves goes before what its format claims. A total proves which parts add up to it;
//! without one, more of a part than of the whole proves that it is none of it.

use super::Parts;

/// What a format says of its counts; it holds where a row proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Whether the prompt count includes cached and written tokens.
    pub(crate) is_cached_within: bool,
    /// Whether the answer count includes reasoning.
    pub(crate) is_reasoning_within: bool,
}

impl Claim {
    /// Prompt and answer are whole: OpenAI and most gateways.
    pub(crate) const WHOLE: Self = Self { is_cached_within: true, is_reasoning_within: true };
    /// The prompt leaves cached tokens out, the answer is whole: Anthropic.
    pub(crate) const FRESH: Self = Self { is_cached_within: false, is_reasoning_within: true };
    /// The prompt is whole, the answer leaves reasoning out: Gemini.
    pub(crate) const SPOKEN: Self = Self { is_cached_within: true, is_reasoning_within: false };
    /// Every count stands for itself: Langfuse.
    pub(crate) const DISJOINT: Self = Self { is_cached_within: false, is_reasoning_within: false };
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
pub(super) fn layout(parts: &Parts, claim: Claim) -> Layout {
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
    let proven = parts
        .total
        .filter(|total| *total > 0)
        .and_then(|total| possible.clone().find(|way| way.total(parts) == Some(total)));
    let claimed = Layout { cached: first, is_reasoning_within: kept };
    proven.or_else(|| possible.next()).unwrap_or(claimed)
}

impl Layout {
    /// Says whether cached tokens lie beside the prompt only because they do not fit into it, while the total, like the
    /// claim, counts them into it: such a row cannot be right.
    pub(super) fn is_contradicted(self, parts: &Parts, claim: Claim) -> bool {
        let within = Self { cached: Cached::Within, ..self };
        claim.is_cached_within
            && self.cached == Cached::Beside
            && parts.input.is_some_and(|prompt| parts.read > prompt)
            && parts.total.is_some_and(|total| total > 0 && within.total(parts) == Some(total))
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
    use super::super::Writes;
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
        let layout = layout(&parts, claim);
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
    fn a_part_larger_than_its_whole_lies_beside_it() {
        assert_eq!(way(parts(4, 2455, 0, 23, 0, None), Claim::WHOLE), (Cached::Beside, true));
        assert_eq!(way(parts(12, 0, 0, 1, 386, None), Claim::WHOLE), (Cached::Within, false));
        assert_eq!(way(parts(4, 2, 12_304, 1, 0, None), Claim::WHOLE), (Cached::Beside, true));
        let unadjusted = Parts { are_writes_cut: true, ..parts(100, 20, 90, 1, 0, None) };
        assert_eq!(way(unadjusted, Claim::WHOLE), (Cached::Within, true));
    }

    #[test]
    fn a_total_that_leaves_no_room_contradicts_the_row() {
        let contradicted = |total| {
            let parts = parts(100, 101, 0, 7, 0, total);
            layout(&parts, Claim::WHOLE).is_contradicted(&parts, Claim::WHOLE)
        };
        assert!(contradicted(Some(107)));
        assert!(![None, Some(0), Some(208)].into_iter().any(contradicted));
    }

    #[test]
    fn without_proof_the_claim_holds() {
        for total in [None, Some(0), Some(7)] {
            assert_eq!(way(parts(1000, 300, 0, 100, 40, total), Claim::WHOLE), (Cached::Within, true));
            assert_eq!(way(parts(1000, 300, 0, 100, 40, total), Claim::DISJOINT), (Cached::Beside, false));
        }
    }
}
