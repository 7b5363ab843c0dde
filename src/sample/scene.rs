//! The company in the sample: teams, projects, what they ask for, and the models that serve them. All of it is our own.

use super::draw::Quantiles;
use super::figures as f;
use crate::classifier::TaskClass;

/// How requests of a project come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rhythm {
    /// Evenly, as people do (Mooncake).
    Steady,
    /// In bursts with silence between, as programs do (Azure).
    Bursty,
}

/// How requests of a project hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thread {
    /// Each for itself.
    Single,
    /// Conversations of a few turns.
    Chat,
    /// Runs of an agent whose prompt grows call by call.
    Agent,
}

/// One project.
#[derive(Clone, Copy, Debug)]
pub(super) struct Project {
    pub(super) team: &'static str,
    pub(super) name: &'static str,
    /// Its part of all requests, in per mille.
    pub(super) share: u64,
    pub(super) classes: &'static [(TaskClass, u64)],
    pub(super) rhythm: Rhythm,
    pub(super) thread: Thread,
    pub(super) users: u64,
    /// Tokens of instructions that stand before every prompt.
    pub(super) instructions: u64,
}

use Rhythm::{Bursty, Steady};
use TaskClass::{
    Agent, Classification, Code, Extraction, Generation, Question, Reasoning, Summarisation, Translation,
};

const fn project(
    (team, name): (&'static str, &'static str),
    share: u64,
    classes: &'static [(TaskClass, u64)],
    (rhythm, thread): (Rhythm, Thread),
    users: u64,
    instructions: u64,
) -> Project {
    Project { team, name, share, classes, rhythm, thread, users, instructions }
}

/// Every project; shares sum to 1000.
pub(super) const PROJECTS: [Project; 10] = [
    project(
        ("payments", "dispute-triage"),
        150,
        &[(Classification, 700), (Extraction, 300)],
        (Steady, Thread::Single),
        24,
        620,
    ),
    project(
        ("payments", "ledger-notes"),
        90,
        &[(Extraction, 750), (Summarisation, 250)],
        (Bursty, Thread::Single),
        3,
        1_480,
    ),
    project(
        ("search", "query-understanding"),
        200,
        &[(Classification, 620), (Extraction, 230), (Translation, 150)],
        (Steady, Thread::Single),
        8,
        340,
    ),
    project(
        ("search", "answers"),
        120,
        &[(Question, 850), (Reasoning, 150)],
        (Steady, Thread::Chat),
        160,
        1_210,
    ),
    project(
        ("support", "helpdesk"),
        140,
        &[(Question, 550), (Generation, 330), (Classification, 120)],
        (Steady, Thread::Chat),
        90,
        1_760,
    ),
    project(
        ("support", "ticket-summaries"),
        70,
        &[(Summarisation, 800), (Translation, 200)],
        (Bursty, Thread::Single),
        5,
        480,
    ),
    project(("platform", "ide"), 90, &[(Code, 900), (Question, 100)], (Bursty, Thread::Single), 42, 900),
    project(("platform", "deploy-agent"), 80, &[(Agent, 1)], (Steady, Thread::Agent), 14, 5_400),
    project(("research", "crawler"), 30, &[(Agent, 1)], (Steady, Thread::Agent), 2, 4_600),
    project(
        ("research", "evals"),
        30,
        &[(Reasoning, 550), (Generation, 250), (Code, 200)],
        (Bursty, Thread::Single),
        4,
        260,
    ),
];

/// The project that runs away.
pub(super) const RUNAWAY_PROJECT: usize = 8;

/// The lengths of prompts and answers of a kind of work, each with a factor in per mille.
pub(super) struct Sizes {
    pub(super) prompt: (&'static Quantiles, u64),
    pub(super) answer: (&'static Quantiles, u64),
}

/// Returns the lengths for a kind of work; factors other than 1000 are ours.
pub(super) fn sizes(class: TaskClass) -> Sizes {
    let (prompt, answer) = match class {
        Classification => ((&f::CHAT_PROMPT, 1000), (&f::SHORT_ANSWER, 500)),
        Extraction => ((&f::LONG_PROMPT, 400), (&f::CHAT_ANSWER, 800)),
        Summarisation => ((&f::LONG_PROMPT, 1000), (&f::LONG_ANSWER, 700)),
        Translation => ((&f::CHAT_PROMPT, 1000), (&f::CHAT_ANSWER, 1200)),
        Generation => ((&f::CHAT_PROMPT, 1000), (&f::LONG_ANSWER, 1400)),
        Code => ((&f::CODE_PROMPT, 1000), (&f::AGENT_OUTPUT, 900)),
        Reasoning => ((&f::CHAT_PROMPT, 1300), (&f::LONG_ANSWER, 2600)),
        Agent => ((&f::AGENT_FIRST, 1000), (&f::AGENT_OUTPUT, 1000)),
        _ => ((&f::CHAT_PROMPT, 1000), (&f::CHAT_ANSWER, 1000)),
    };
    Sizes { prompt, answer }
}

/// One hump of a kind of work's confidences: centre, spread, weight.
pub(super) type Hump = (u64, u64, u64);

/// Returns the humps of a kind of work: what is plainly routine, what is open, what is plainly hard.
pub(super) const fn humps(class: TaskClass) -> [Hump; 3] {
    match class {
        Classification => [(915, 50, 620), (640, 80, 230), (290, 100, 150)],
        Extraction => [(850, 70, 620), (470, 80, 310), (110, 50, 70)],
        Summarisation => [(810, 80, 600), (560, 80, 280), (250, 90, 120)],
        Translation => [(890, 55, 700), (600, 80, 200), (350, 80, 100)],
        Generation => [(720, 90, 480), (450, 100, 370), (200, 80, 150)],
        Code => [(780, 75, 640), (530, 80, 280), (190, 80, 80)],
        Reasoning => [(730, 80, 540), (500, 90, 330), (150, 60, 130)],
        Agent => [(800, 65, 620), (540, 80, 310), (190, 70, 70)],
        _ => [(800, 90, 450), (560, 80, 350), (250, 90, 200)],
    }
}

/// Says by how many per mille a kind of work's confidence promises too much (what a reliability diagram should show).
pub(super) const fn overconfidence(class: TaskClass) -> u64 {
    match class {
        Generation => 70,
        Reasoning => 50,
        Summarisation => 30,
        _ => 0,
    }
}

/// Says whether answers of a kind of work can be checked by a program: a schema, a label set, a parser, a tool call.
pub(super) const fn is_checked(class: TaskClass) -> bool {
    matches!(class, Classification | Extraction | Code | Agent)
}

/// How a provider keeps prompts warm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caching {
    /// Marked blocks, 5 minutes, writes billed apart (Anthropic).
    Marked,
    /// By itself in steps of 128 tokens (`OpenAI`).
    Stepped,
    /// By itself, not promised (Google).
    Implicit,
    /// None.
    No,
}

/// A model that serves in the sample.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) name: &'static str,
    pub(super) provider: &'static str,
    pub(super) caching: Caching,
    /// Milliseconds to the first token of a short prompt.
    pub(super) first: u64,
    /// Microseconds for each prompt token that is not cached.
    pub(super) reading: u64,
    /// Microseconds for each answer token.
    pub(super) writing: u64,
}

const fn model(
    (name, provider): (&'static str, &'static str),
    caching: Caching,
    [first, reading, writing]: [u64; 3],
) -> Model {
    Model { name, provider, caching, first, reading, writing }
}

/// Every model. The pace of Claude Opus 4.6 is fitted to the agent sessions; the others' are assumed in proportion.
pub(super) static MODELS: [Model; 5] = [
    model(("mistral-small-2503", "mistral"), Caching::No, [240, 18, 6_700]),
    model(("gpt-4.1-nano", "openai"), Caching::Stepped, [310, 15, 5_200]),
    model((FLASH, "google"), Caching::Implicit, [380, 16, 4_600]),
    model((STRONG, "openai"), Caching::Stepped, [620, 30, 11_500]),
    model(("claude-opus-4-6", "anthropic"), Caching::Marked, [f::OPUS_PACE.1, 45, f::OPUS_PACE.0]),
];

/// The model that the storm hits.
pub(super) const FLASH: &str = "gemini-2.5-flash";
/// The model that takes over, and whose price changes.
pub(super) const STRONG: &str = "gpt-4.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_weights_are_whole() {
        assert_eq!(PROJECTS.iter().map(|project| project.share).sum::<u64>(), 1000);
        for class in TaskClass::ALL {
            assert_eq!(humps(class).iter().map(|hump| hump.2).sum::<u64>(), 1000, "{class}");
        }
        assert_eq!(PROJECTS[RUNAWAY_PROJECT].name, "crawler");
    }
}
