//! Answers that a simulation gave in a provider's place, by the words that a log has for them.
//!
//! Invariant: what was made up in the place of one provider beside real ones is nobody's money.

use std::borrow::Cow;

use super::Evidence;
use crate::units::ModelId;

/// In the place of one provider, or several, beside real ones.
pub const SIMULATED: &str = "provider";
/// In the place of all of them: a trial, in which money is counted as if it were some.
pub const ALL_SIMULATED: &str = "every provider";

/// What parts the word from the places of calls, where some were real.
const OF: &str = ": ";

/// Returns the word for the calls of a request, in order: whether each was made, and whether its answer was simulated.
pub fn simulated_word(
    calls: &(impl Iterator<Item = (bool, bool)> + Clone),
    is_trial: bool,
) -> Cow<'static, str> {
    let made_up = || calls.clone().enumerate().filter(|(_, (_, simulated))| *simulated);
    if made_up().next().is_none() {
        return Cow::Borrowed("");
    }
    if is_trial {
        return Cow::Borrowed(ALL_SIMULATED);
    }
    if calls.clone().all(|(made, simulated)| simulated || !made) {
        return Cow::Borrowed(SIMULATED);
    }
    let places: Vec<String> = made_up().map(|(at, _)| (at + 1).to_string()).collect();
    Cow::Owned(format!("{SIMULATED}{OF}{}", places.join(" ")))
}

/// Says whether a call of a request was made up in the place of a provider beside real ones, by its place.
pub fn is_stand_in(word: &str, call: usize) -> bool {
    match word.strip_prefix(SIMULATED) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix(OF)
            .is_some_and(|places| places.split(' ').any(|place| place.parse() == Ok(call + 1))),
        None => false,
    }
}

impl Evidence<'_> {
    fn simulation(&self) -> &str {
        self.extra.filter(|_| self.operation.simulated).map_or("", |extra| &extra.simulated)
    }

    /// Says whether its calls to a model were made up in the place of a provider beside real ones.
    pub fn stands_in(&self, model: ModelId) -> bool {
        let word = self.simulation();
        let is_one = |(at, call): (usize, &super::Observed)| call.model == model && is_stand_in(word, at);
        !word.is_empty() && self.attempts().enumerate().any(is_one)
    }

    /// Says whether one of the calls of a request was made up in the place of a provider beside real ones.
    pub fn is_nobodys_money(&self, settled: &super::Settled) -> bool {
        self.operation.simulated && settled.attempts.iter().any(|call| self.stands_in(call.model))
    }

    /// Says whether a call was made up, by its place.
    pub fn is_made_up(&self, call: usize) -> bool {
        let word = self.simulation();
        let has_places = word.strip_prefix(SIMULATED).is_some_and(|rest| rest.starts_with(OF));
        self.operation.simulated && (!has_places || is_stand_in(word, call))
    }

    /// Says whether a call was made up where a provider would have sent a bill, by its place.
    pub fn is_unbilled(&self, call: usize) -> bool {
        let word = self.simulation();
        word == ALL_SIMULATED || is_stand_in(word, call)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_which_calls_were_made_up() {
        let word = |calls: &[(bool, bool)], is_trial| simulated_word(&calls.iter().copied(), is_trial);
        let (real, made_up, not_made) = ((true, false), (true, true), (false, false));
        assert_eq!(word(&[real, not_made], false), "");
        assert_eq!(word(&[not_made, made_up], false), SIMULATED);
        assert_eq!(word(&[made_up], true), ALL_SIMULATED);
        let mixed = word(&[real, made_up, real, made_up], false);
        assert_eq!(mixed, "provider: 2 4");
        let stand_ins: Vec<bool> = (0..5).map(|call| is_stand_in(&mixed, call)).collect();
        assert_eq!(stand_ins, [false, true, false, true, false]);
        for word in ["generated", "provider trouble", ALL_SIMULATED, ""] {
            assert!(!is_stand_in(word, 0), "{word} stands for no provider beside real ones");
        }
        assert!(is_stand_in(SIMULATED, 7));
    }
}
