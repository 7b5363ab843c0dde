//! A check as people write it, not yet compiled.

use serde::{Deserialize, Serialize};

use crate::units::words;

/// When answers are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckWhen {
    /// Before the client has them: what fails goes up the ladder.
    #[default]
    Before,
    /// While they flow: the verdict is evidence, and no second call follows.
    After,
}

words!(CheckWhen { Before = "before", After = "after" });

/// What follows where a check says that an answer is not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFail {
    /// The request goes up its ladder.
    #[default]
    Escalate,
    /// Nothing: it is written down.
    Record,
}

words!(OnFail { Escalate = "escalate", Record = "record" });

/// What a check looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// That there is an answer.
    #[default]
    NonEmpty,
    /// Why it ended.
    Finish,
    /// Whether it is JSON that fits a schema.
    Schema,
    /// Whether its text has what it should, and nothing that it should not.
    Regex,
    /// Whether its calls of tools can be made.
    ToolCalls,
    /// How likely the model found its own words.
    Logprobs,
    /// What a program of the operator's says.
    Command,
}

words!(Kind {
    NonEmpty = "non_empty",
    Finish = "finish",
    Schema = "schema",
    Regex = "regex",
    ToolCalls = "tool_calls",
    Logprobs = "logprobs",
    Command = "command",
});

/// A check as written; the keys of other kinds are absent.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckSpec {
    /// What it looks at.
    pub kind: Kind,
    /// Its name; the kind's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What follows where it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_fail: Option<OnFail>,
    /// A JSON Schema as text; the request's own where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// What the text has to match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// What the text must not match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forbids: Option<String>,
    /// The program and its arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// How long it may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_limit_ms: Option<u32>,
    /// The least score, in per mille, with which an answer passes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub least: Option<u16>,
    /// What scores are worth: points of a score and the chance, in per mille, that such an answer is good.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<[u16; 2]>,
    /// What a logistic makes of how unlikely words were: level, mean, worst, tail, and margin and entropy where those are weighed, as
    /// log-odds in thousandths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<i32>,
}

impl CheckSpec {
    /// The keys of a check in a log, in the order in which they are written.
    pub const KEYS: &[&str] = &[
        "kind",
        "name",
        "on_fail",
        "schema",
        "matches",
        "forbids",
        "command",
        "time_limit_ms",
        "least",
        "curve",
        "weights",
    ];
}
