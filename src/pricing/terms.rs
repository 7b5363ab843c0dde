//! What a call is billed by besides plain tokens at the ordinary price: its service tier and its meters.
//!
//! Invariants: nearly every call has neither and allocates nothing for it; names from outside are cut and cleaned, so that
//! what is written reads back the same; what does not fit is kept as a meter that nobody can price, never dropped.

use std::fmt;

/// The most meters of one call that are told apart.
const MOST: usize = 4;
/// Stands for meters beyond those.
const MORE: &str = "more";
/// Words for the ordinary service, which is no tier: OpenAI's, Anthropic's, Groq's and Google's.
const STANDARD: [&str; 8] = [
    "standard",
    "standard_only",
    "default",
    "on_demand",
    "none",
    "null",
    "unspecified",
    "service_tier_unspecified",
];

/// Says whether a word is one for the ordinary service, or none at all.
pub fn is_ordinary(word: &str) -> bool {
    word.is_empty() || STANDARD.iter().any(|ordinary| ordinary.eq_ignore_ascii_case(word))
}

/// Meters that are understood, whether or not a book prices them.
const LISTED: [&str; 15] = [
    "audio_input",
    "audio_cached",
    "audio_output",
    "image_input",
    "image_output",
    "web_search",
    "web_search_preview",
    "file_search",
    "code_interpreter",
    "image_generation",
    "search_results",
    "audio_prompts",
    "video_output",
    "code_execution",
    "maps_grounding",
];

/// Says whether a meter is none that this program knows: somebody should be told of it.
pub fn is_unlisted(meter: &str) -> bool {
    !LISTED.contains(&meter) && !meter.starts_with("region:")
}

/// A short name of ASCII letters, digits and `_ . : + -`; anything else becomes `_`, and what is too long ends in `..`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortName {
    bytes: [u8; 23],
    len: u8,
}

impl Default for ShortName {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl ShortName {
    const EMPTY: Self = Self { bytes: [0; 23], len: 0 };

    /// Takes a name as it fits.
    pub fn new(name: &str) -> Self {
        let mut short = Self::default();
        for (slot, c) in short.bytes.iter_mut().zip(name.chars()) {
            let fits = c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '+' | '-');
            *slot = if fits { u8::try_from(c).unwrap_or(b'_') } else { b'_' };
            short.len += 1;
        }
        if name.chars().nth(short.bytes.len()).is_some() {
            short.bytes[21..].fill(b'.');
        }
        short
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..usize::from(self.len)).and_then(|name| std::str::from_utf8(name).ok()).unwrap_or("")
    }
}

impl fmt::Debug for ShortName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

/// The tier that served a call, and what else it is billed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Terms {
    tier: ShortName,
    meters: [(ShortName, u64); MOST],
}

impl Terms {
    /// The ordinary service and nothing besides.
    pub const NONE: Self = Self { tier: ShortName::EMPTY, meters: [(ShortName::EMPTY, 0); MOST] };

    /// Says whether plain tokens at the ordinary price are all there is.
    #[inline]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// Returns the service tier; empty for the ordinary one.
    pub fn tier(&self) -> &str {
        self.tier.as_str()
    }

    /// Sets the tier by the word that the provider has for it. A call in two tiers at once is in one of its own: `batch+fast`.
    pub fn serve(&mut self, word: &str) {
        let word = word.trim().to_ascii_lowercase();
        let known = self.tier();
        if is_ordinary(&word) || known.split('+').any(|tier| tier == word) {
            return;
        }
        let both = if known.is_empty() { word } else { format!("{known}+{word}") };
        self.tier = ShortName::new(&both);
    }

    /// Returns the same in another tier, by the word that the provider has for it; the ordinary service for none.
    #[must_use]
    pub fn with_tier(&self, word: &str) -> Self {
        let mut terms = Self { tier: ShortName::EMPTY, ..*self };
        terms.serve(word);
        terms
    }

    /// Lists the meters in the order in which they were told.
    pub fn meters(&self) -> impl Iterator<Item = (&str, u64)> {
        self.meters.iter().filter(|(_, count)| *count > 0).map(|(name, count)| (name.as_str(), *count))
    }

    /// Counts something on a meter; a count of zero says nothing.
    pub fn meter(&mut self, name: &str, count: u64) {
        if count == 0 || name.is_empty() {
            return;
        }
        let name = ShortName::new(name);
        let known = self.meters.iter_mut().find(|(known, there)| *known == name || *there == 0);
        if let Some(slot) = known {
            *slot = (name, slot.1.saturating_add(count));
        } else if let Some(last) = self.meters.last_mut() {
            *last = (ShortName::new(MORE), last.1.saturating_add(count));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ordinary_service_is_no_tier_and_two_tiers_are_one_of_their_own() {
        let tier = |words: &[&str]| {
            let mut terms = Terms::NONE;
            for word in words {
                terms.serve(word);
            }
            terms.tier().to_owned()
        };
        for words in [&["default"][..], &["standard", "Standard"], &["", "on_demand"], &[]] {
            assert_eq!(tier(words), "", "{words:?}");
        }
        assert_eq!(tier(&["standard", "fast"]), "fast");
        assert_eq!(tier(&["batch", "fast", "batch", "fast"]), "batch+fast");
    }

    #[test]
    fn no_meter_is_dropped_however_many_there_are() {
        let mut terms = Terms::NONE;
        for at in 0..9 {
            terms.meter(&format!("meter {at}"), 2);
        }
        terms.meter("meter_0", 1);
        terms.meter("nothing", 0);
        let all: Vec<_> = terms.meters().collect();
        assert_eq!(all, [("meter_0", 3), ("meter_1", 2), ("meter_2", 2), ("more", 12)]);
        assert!(!terms.is_none());
    }
}
