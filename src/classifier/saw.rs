//! What a classifier saw in a request, as a few numbers that can be kept and written down: never the text itself.

use std::fmt;
use std::str::FromStr;

use super::{FeatureId, Opinion};

/// How many features are kept.
const KEPT: usize = 4;

/// The strongest features behind a confidence: each with its weight in hundredths of a logit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Saw([(u8, i8); KEPT]);

impl Saw {
    /// Takes the strongest of an opinion.
    pub fn of(opinion: &Opinion) -> Self {
        let mut saw = Self::default();
        for (slot, contribution) in saw.0.iter_mut().zip(opinion.top()) {
            let hundredths = (contribution.milli_logits / 10).clamp(-127, 127);
            *slot = (contribution.feature.0, i8::try_from(hundredths).unwrap_or(0));
        }
        saw
    }

    /// Says whether nothing stood out.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Lists the features with their weights, the strongest first.
    pub fn iter(&self) -> impl Iterator<Item = (FeatureId, i8)> + '_ {
        self.0
            .iter()
            .filter(|(_, weight)| *weight != 0)
            .map(|&(feature, weight)| (FeatureId(feature), weight))
    }
}

/// Writes `asks_extract=-123 code_fence=80`.
impl fmt::Display for Saw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (feature, weight)) in self.iter().enumerate() {
            let gap = if at > 0 { " " } else { "" };
            write!(f, "{gap}{}={weight}", feature.name())?;
        }
        Ok(())
    }
}

/// Reads what [`fmt::Display`] writes; a feature that this version does not know is left out.
impl FromStr for Saw {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut saw = Self::default();
        let known = text.split_ascii_whitespace().filter_map(|one| {
            let (name, weight) = one.split_once('=')?;
            Some((FeatureId::from_name(name)?.0, weight.parse().ok()?))
        });
        for (slot, feature) in saw.0.iter_mut().zip(known) {
            *slot = feature;
        }
        Ok(saw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_written_and_read_back() {
        let text = "asks_extract=-123 code_fence=80";
        let saw: Saw = text.parse().unwrap();
        assert_eq!(saw.to_string(), text);
        assert_eq!(saw.iter().count(), 2);
        for odd in ["", "tea_leaves=3", "code_fence", "code_fence=999", "= ="] {
            assert!(odd.parse::<Saw>().unwrap().is_empty(), "{odd}");
        }
    }
}
