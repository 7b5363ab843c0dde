//! What checks look at, and what they say of it.

use serde::{Deserialize, Serialize};

use super::Words;
use crate::units::{PerMille, words};

/// One of the answers to a request, as checks see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its text.
    pub text: String,
    /// Its calls of tools.
    pub calls: Vec<Call>,
    /// Whether there is anything else: a refusal, a picture.
    pub has_more: bool,
    /// Why it ended.
    pub ended: Ended,
    /// Whether it was too long for all of it to be kept.
    pub is_truncated: bool,
    /// How likely its words were, as far as its provider tells.
    pub sureness: Option<PerMille>,
    /// The same in more detail.
    pub words: Option<Words>,
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// Its arguments as the model wrote them.
    pub arguments: String,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// It was done, or calls tools.
    Well,
    /// A limit of output cut it off.
    Truncated,
    /// It was held back, or refused.
    Filtered,
    /// Nobody said.
    #[default]
    Unsaid,
}

impl Ended {
    /// Returns the word that commands are told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "stop",
            Self::Truncated => "length",
            Self::Filtered => "filtered",
            Self::Unsaid => "",
        }
    }
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// The answer is fit.
    Passed,
    /// It is not.
    Failed,
    /// Nothing: it could not be judged.
    Abstained,
}

words!(Says { Passed = "passed", Failed = "failed", Abstained = "abstained" });

/// What one check said of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Which check.
    pub by: Box<str>,
    /// What it said.
    pub says: Says,
    /// How good the answer is, where the check tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<PerMille>,
    /// How unlikely its words were, where the check looks at that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Words>,
    /// Why, in few words; empty where there is nothing to say.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub why: Box<str>,
}

/// The most characters of a reason.
const WHY: usize = 200;

impl Verdict {
    /// The check that is always made: that there is an answer at all, and JSON where that was asked for.
    pub const OWN: &'static str = "answer";

    /// Makes a verdict.
    pub fn new(by: &str, says: Says, why: &str) -> Self {
        let why: String = crate::units::clean(why).chars().take(WHY).collect();
        Self { by: by.into(), says, score: None, words: None, why: why.trim().into() }
    }

    /// Returns it as a check's of that name.
    #[must_use]
    pub fn named(self, by: &str) -> Self {
        Self { by: by.into(), ..self }
    }

    /// Writes it for a person: `schema failed: it is no JSON`, `judge passed (870‰)`.
    pub fn describe(&self) -> String {
        let score = self.score.map(|score| format!(" ({score}‰)")).unwrap_or_default();
        let why = if self.why.is_empty() { String::new() } else { format!(": {}", self.why) };
        format!("{} {}{score}{why}", self.by, self.says.name())
    }
}
