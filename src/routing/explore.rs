//! Exploration: of the requests whose confidence lies near a threshold, a share is placed as if it lay on the other side, so that
//! what the other rung would have made of them is seen, and not only estimated.
//!
//! Invariants: the lot of a request is its id's alone, so every replay draws the same; it moves the confidence by which the
//! request is placed and nothing else, so guards and budgets say of the rung what they would of any other; the chance of each
//! decision is exact.

use serde::{Deserialize, Serialize};

use super::{Follows, PolicyError, is_lot};
use crate::units::PerMille;

/// How a log writes, among what could not be called, with which chance a request was placed as it was: `chance:20`.
pub const CHANCE: &str = "chance:";

/// How a log writes, among the same, that no lot was drawn for a request, as it hands in what tools returned.
pub const UNDRAWN: &str = "undrawn:tools";

/// Reads the chance that a request's words tell; none where nothing was drawn for it.
pub fn chance_told<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<PerMille> {
    words.into_iter().find_map(|word| PerMille::new(word.strip_prefix(CHANCE)?.parse().ok()?))
}

/// Reads the chance that a request's words tell its decision to have had; none where a holdout or a canary drew it too, or where it goes
/// on with an ask that may have been explored.
pub fn propensity_told<S: AsRef<str>>(words: &[S]) -> Option<PerMille> {
    let words = || words.iter().map(AsRef::as_ref);
    let goes_on = words().any(|word| Follows::parse(word).is_some()) && words().any(|word| word == UNDRAWN);
    (!goes_on && !words().any(is_lot)).then(|| chance_told(words()).unwrap_or(PerMille::ONE))
}

/// How a route explores, as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct ExploreSpec {
    /// Of 1,000 requests within the band, how many are placed on the other side.
    pub share: i64,
    /// How far below a threshold a confidence may lie to be placed above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<i64>,
    /// How far above a threshold one may lie to be placed below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<i64>,
}

/// How a route explores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Explore {
    /// The chance of a request within a band to be placed on the other side.
    pub share: PerMille,
    /// The band below a threshold; zero for none.
    pub below: PerMille,
    /// The band from a threshold on; zero for none.
    pub above: PerMille,
}

impl Explore {
    /// Checks a spec.
    pub(super) fn compile(spec: ExploreSpec, field: &str) -> Result<Self, PolicyError> {
        let invalid = |key: &str, problem: &str| {
            Err(PolicyError { field: format!("{field}.{key}"), problem: problem.into() })
        };
        let within = |value: i64, most: u16| {
            u16::try_from(value).ok().filter(|value| (1..=most).contains(value)).and_then(PerMille::new)
        };
        let Some(share) = within(spec.share, 500) else {
            return invalid(
                "share",
                "is a share of the requests near a threshold in per mille, 1 to 500; leave `explore` out to explore nothing",
            );
        };
        let band = |value: Option<i64>| value.map_or(Some(PerMille::ZERO), |value| within(value, 1000));
        let Some(below) = band(spec.below) else {
            return invalid("below", "is how far below a threshold is explored, 1 to 1000 per mille");
        };
        let Some(above) = band(spec.above) else {
            return invalid("above", "is how far above a threshold is explored, 1 to 1000 per mille");
        };
        if below == PerMille::ZERO && above == PerMille::ZERO {
            return invalid("below", "is missing; say how far `below` or `above` a threshold is explored");
        }
        Ok(Self { share, below, above })
    }

    /// Writes it as a spec that compiles to it again.
    pub fn spec(self) -> ExploreSpec {
        let band = |band: PerMille| (band != PerMille::ZERO).then(|| i64::from(band.get()));
        ExploreSpec { share: self.share.get().into(), below: band(self.below), above: band(self.above) }
    }

    /// Returns the confidence by which a request of a lot is placed.
    pub(super) fn shifted(self, confidence: PerMille, draw: Draw) -> PerMille {
        let share = self.share.get();
        match draw.0 {
            lot if lot < share => self.raised(confidence),
            lot if (1000 - share..1000).contains(&lot) => self.lowered(confidence),
            _ => confidence,
        }
    }

    fn raised(self, confidence: PerMille) -> PerMille {
        PerMille::new(confidence.get().saturating_add(self.below.get())).unwrap_or(PerMille::ONE)
    }

    fn lowered(self, confidence: PerMille) -> PerMille {
        PerMille::new(confidence.get().saturating_sub(self.above.get())).unwrap_or(PerMille::ZERO)
    }

    /// Lists the confidences by which a request may be placed, each with its chance; together they are certain.
    pub fn ways(self, confidence: PerMille) -> [(PerMille, u16); 3] {
        let share = self.share.get();
        let (raised, lowered) = (self.raised(confidence), self.lowered(confidence));
        [(confidence, 1000 - 2 * share), (raised, share), (lowered, share)]
    }
}

/// The lot of a request, 0 to 999, by its id; none for a request without one and for one within a tool loop: those are never explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw(pub(super) u16);

impl Default for Draw {
    fn default() -> Self {
        Self::NONE
    }
}

impl Draw {
    /// No lot.
    pub const NONE: Self = Self(u16::MAX);

    /// Draws by an id, independently of what a holdout draws by the same name.
    pub fn of(id: &str) -> Self {
        if id.is_empty() {
            return Self::NONE;
        }
        Self(u16::try_from(super::drawn::lot("explore:", id)).unwrap_or(u16::MAX))
    }

    /// Draws by an id, unless the request hands in what tools returned: it goes on with a turn that was decided before, and an agent
    /// sent elsewhere in the middle of it tells nothing of either rung.
    pub fn of_turn(id: &str, after_tools: bool) -> Self {
        if after_tools { Self::NONE } else { Self::of(id) }
    }
}
