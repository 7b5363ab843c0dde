//! The second stage as gateway.toml asks for it: which model is asked about requests near a threshold, how near, for how long
//! they may wait, and what that may cost.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::shadow::amount;
use super::span::Span;
use crate::units::Pico;

/// How a route asks a second time.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecondSettings {
    /// The small model that is asked.
    #[serde(default = "model")]
    pub model: String,
    /// How far from a threshold a confidence may lie, in per mille.
    #[serde(default = "band")]
    pub band: u16,
    /// How long a request waits for it.
    #[serde(default = "deadline", deserialize_with = "length")]
    pub deadline: Duration,
    /// What all that may cost in a day (UTC).
    #[serde(deserialize_with = "amount")]
    pub max_spend_per_day: Pico,
}

/// Routes with how each asks.
pub type Seconds = BTreeMap<String, SecondSettings>;

fn model() -> String {
    "mistral-small-2503".to_owned()
}

fn band() -> u16 {
    40
}

fn deadline() -> Duration {
    Duration::from_millis(800)
}

fn length<'d, D: serde::Deserializer<'d>>(from: D) -> Result<Duration, D::Error> {
    Span::deserialize(from).map(Duration::from)
}

impl SecondSettings {
    /// Says what is wrong, and with which key.
    pub(super) fn wrong(&self) -> Option<(&'static str, String)> {
        if self.model.is_empty() {
            return Some(("model", "names no model".to_owned()));
        }
        if !(1..=500).contains(&self.band) {
            return Some(("band", format!("{} is outside 1 to 500 per mille", self.band)));
        }
        self.deadline.is_zero().then(|| ("deadline", "nobody answers in no time; write \"800ms\"".to_owned()))
    }
}
