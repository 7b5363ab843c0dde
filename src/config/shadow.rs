//! Shadow runs as gateway.toml asks for them: which share of a route's requests is asked again of a strong model, who compares
//! the answers, and what that may cost.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::units::Pico;

/// How a route is shadowed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShadowSettings {
    /// Which of the requests that a cheaper model served, in millionths.
    #[serde(deserialize_with = "share")]
    pub share: u32,
    /// The strong model that they are asked again of.
    pub model: String,
    /// The model that compares, which is neither.
    pub judge: String,
    /// What all that may cost in a day (UTC).
    #[serde(deserialize_with = "amount")]
    pub max_spend_per_day: Pico,
    /// A file that what was compared is added to, for people to judge it too; nothing is kept where absent.
    #[serde(default)]
    pub keep: Option<PathBuf>,
}

/// Routes with what is asked of each.
pub type Shadows = BTreeMap<String, ShadowSettings>;

/// A number or a text, as people write shares and amounts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Whole(i64),
    Number(f64),
    Text(String),
}

impl Written {
    fn text(self) -> String {
        match self {
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.trim().to_owned(),
        }
    }
}

fn share<'d, D: serde::Deserializer<'d>>(from: D) -> Result<u32, D::Error> {
    let text = Written::deserialize(from)?.text();
    let (number, unit) = text.strip_suffix('%').map_or((&*text, 1), |number| (number.trim(), 100));
    // Dollars are read exactly; so is this.
    let share = Pico::from_usd(number).ok().map(|exact| exact.0 / unit / 1_000_000);
    let share =
        share.and_then(|millionths| u32::try_from(millionths).ok()).filter(|share| *share <= 1_000_000);
    share.ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no share; write 0.02 or \"2%\"")))
}

pub(super) fn amount<'d, D: serde::Deserializer<'d>>(from: D) -> Result<Pico, D::Error> {
    let text = Written::deserialize(from)?.text();
    let amount = Pico::from_usd(text.strip_prefix('$').unwrap_or(&text)).ok();
    let invalid = || format!("`{text}` is no amount in dollars; write 2 or \"0.25\"");
    amount.filter(|amount| *amount >= Pico::ZERO).ok_or_else(|| serde::de::Error::custom(invalid()))
}

impl ShadowSettings {
    /// Says what is wrong, and with which key.
    pub(super) fn wrong(&self) -> Option<(&'static str, String)> {
        let empty =
            [("model", &self.model), ("judge", &self.judge)].into_iter().find(|(_, name)| name.is_empty());
        if let Some((key, _)) = empty {
            return Some((key, "names no model".to_owned()));
        }
        (self.judge == self.model)
            .then(|| ("judge", format!("{} would judge its own answers; name another model", self.judge)))
    }
}
