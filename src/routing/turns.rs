//! Turns of tool loops: the user's ask that they go on with, and where the turn before was served.
//!
//! Invariant: what a log says of either is read as it was written.

use super::Effort;
use crate::units::ModelId;

/// The user's ask that a request with tools is, or goes on with: a keyed hash, never the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct AskId(u64);

/// How a log writes an ask with tools, among what could not be called: `ask:0123456789abcdef`.
const ASK: &str = "ask:";
/// How it writes a request that hands in what tools returned to one: `turn:0123456789abcdef`.
const TURN: &str = "turn:";

impl AskId {
    /// Whether a request is a later turn of its ask.
    const IS_TURN: u64 = 1;
    /// Whether a second stage spoke of it.
    const IS_SECONDED: u64 = 2;

    /// Makes one of a hash, of which 62 bits are kept.
    pub fn new(hash: u64, is_turn: bool) -> Self {
        // Never nothing, which is no ask.
        Self((hash & !3).max(4) | u64::from(is_turn))
    }

    /// Returns what is the same for all turns of an ask; none where there is no ask.
    pub fn key(self) -> Option<u64> {
        Some(self.0 & !3).filter(|key| *key != 0)
    }

    /// Says whether it is a later turn of its ask.
    pub fn is_turn(self) -> bool {
        self.0 & Self::IS_TURN != 0
    }

    /// Returns the later turns of the same ask.
    #[must_use]
    pub fn turn(self) -> Self {
        Self(self.0 | Self::IS_TURN)
    }

    /// Says whether a second stage spoke of it.
    pub fn is_seconded(self) -> bool {
        self.0 & Self::IS_SECONDED != 0
    }

    /// Returns it as one of which a second stage spoke.
    #[must_use]
    pub fn seconded(self) -> Self {
        Self(if self.0 == 0 { 0 } else { self.0 | Self::IS_SECONDED })
    }

    /// Writes it as a log does; none where there is no ask.
    pub fn word(self) -> Option<String> {
        let key = self.key()?;
        Some(format!("{}{key:016x}", if self.is_turn() { TURN } else { ASK }))
    }

    /// Reads what a log writes.
    pub fn parse(word: &str) -> Option<Self> {
        let (hash, is_turn) = match word.strip_prefix(ASK) {
            Some(hash) => (hash, false),
            None => (word.strip_prefix(TURN)?, true),
        };
        let hash = u64::from_str_radix(hash, 16).ok().filter(|key| *key != 0 && key.trailing_zeros() >= 2)?;
        Some(Self::new(hash, is_turn))
    }
}

/// Where the turn before was served, of a turn of a tool loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Follows {
    /// The model, by the id that stands for it under all its names; none where there was no turn before, or nobody knows.
    pub model: ModelId,
    /// How hard its rung told it to think.
    pub effort: Option<Effort>,
    /// Whether the loop stays there whatever its confidence says: a lot or a second stage chose that rung.
    pub stays: bool,
}

/// How a log writes where the turn before was served, among what could not be called: `follows:-:gpt-4.1`, with how hard it was told
/// to think in place of the dash.
const SERVED: &str = "follows:";
/// How it writes the same of a loop that stays there.
const STAYS: &str = "stays:";

impl Follows {
    /// Nobody before.
    pub const NONE: Self = Self { model: ModelId::NONE, effort: None, stays: false };

    /// Writes it as a log does.
    pub fn word(self, name: &str) -> String {
        let word = if self.stays { STAYS } else { SERVED };
        format!("{word}{}:{name}", self.effort.map_or("-", Effort::name))
    }

    /// Reads what a log writes; the model's name stands beside.
    pub fn parse(word: &str) -> Option<(Self, &str)> {
        let (rest, stays) = match word.strip_prefix(SERVED) {
            Some(rest) => (rest, false),
            None => (word.strip_prefix(STAYS)?, true),
        };
        let (effort, name) = rest.split_once(':')?;
        let effort = if effort == "-" { None } else { Some(Effort::from_name(effort)?) };
        Some((Self { model: ModelId::NONE, effort, stays }, name))
    }
}
