//! A rule: who is watched, for what, and what becomes of him.

use std::sync::Arc;

use super::Kind;
use crate::units::{Pico, named};

/// What is done about a runaway.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Then {
    /// It is told, and nothing else.
    #[default]
    Tell,
    /// The most expensive rung that might serve does not, as long as there is another.
    Degrade,
    /// Only the cheapest rung that may serve does.
    Cheapest,
    /// Nothing is served until an operator lifts it.
    Freeze,
}

named!(Then { Tell = "tell", Degrade = "degrade", Cheapest = "cheapest", Freeze = "freeze" });

/// What a rule looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    /// The same tool call with the same arguments.
    Loop {
        /// So often ...
        same: u16,
        /// ... among so many calls.
        among: u16,
    },
    /// Far more within some minutes than nine in ten such stretches of one's own past had.
    Pace {
        /// So many times as much.
        times: u32,
        /// Within so many minutes.
        minutes: u16,
        /// Once so many minutes with traffic are known.
        history: u16,
        /// From so many calls on; none where calls are not looked at.
        calls: Option<u64>,
        /// From so much money on; none where money is not looked at.
        spend: Option<Pico>,
    },
    /// More than may be.
    Cap {
        /// Calls.
        calls: Option<u64>,
        /// Money.
        spend: Option<Pico>,
    },
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name.
    pub name: Arc<str>,
    /// Who is watched, each by himself.
    pub each: Kind,
    /// For what.
    pub test: Test,
    /// What becomes of him.
    pub then: Then,
}

/// Returns the rules that are in force where nobody wrote any: they tell, and do nothing.
pub fn built_in() -> Vec<Rule> {
    let dollar = Pico(1_000_000_000_000);
    let pace = Test::Pace { times: 4, minutes: 5, history: 30, calls: Some(150), spend: Some(dollar) };
    let rule = |name: &str, each, test| Rule { name: name.into(), each, test, then: Then::Tell };
    vec![
        rule("loop", Kind::Session, Test::Loop { same: 12, among: 24 }),
        rule("pace-of-key", Kind::Key, pace),
        rule("pace-of-project", Kind::Project, pace),
    ]
}

impl Test {
    /// Says in a few words what it looks for.
    pub fn words(&self) -> String {
        let parts = |calls: Option<u64>, spend: Option<Pico>, word: &str| {
            let calls = calls.map(|calls| format!("{calls} calls"));
            let spend = spend.map(|spend| format!("${}", spend.usd()));
            calls.into_iter().chain(spend).collect::<Vec<_>>().join(word)
        };
        match *self {
            Self::Loop { same, among } => format!("the same tool call {same} times among {among}"),
            Self::Pace { times, minutes, history, calls, spend } => format!(
                "within {minutes} min more than {times} times the usual, from {} on, once {history} busy minutes are known",
                parts(calls, spend, " or ")
            ),
            Self::Cap { calls, spend } => format!("more than {}", parts(calls, spend, " or ")),
        }
    }
}
