//! Which model still holds which prompt warm, by the rules of each provider's cache.

use super::draw::{Draws, Purpose};
use super::plan::Turn;
use super::scene::{Caching, MODELS, PROJECTS, Thread};
use crate::pricing::Usage;
use crate::units::{Count, Instant, Span};

/// A prompt: instructions that the whole project shares, earlier turns, what is new.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prompt {
    pub(super) instructions: u64,
    pub(super) earlier: u64,
    pub(super) fresh: u64,
    /// Whether its head changes with every call.
    pub(super) broken: bool,
}

impl Prompt {
    fn total(&self) -> u64 {
        self.instructions + self.earlier + self.fresh
    }
}

/// What a model was last given of a thread, and when.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    tokens: u64,
    at: Instant,
}

/// A thread of requests as it grows.
#[derive(Clone, Copy, Debug, Default)]
struct ThreadState {
    /// Tokens of all turns so far.
    context: u64,
    held: [Held; MODELS.len()],
}

/// All threads, and the instructions of each project.
pub(super) struct Warmth {
    threads: Vec<ThreadState>,
    instructions: [[Held; MODELS.len()]; PROJECTS.len()],
}

/// Anthropic keeps a marked block five minutes and none below this length (Opus 4.6).
const MARKED_LIFE: Span = Span::mins(5);
const MARKED_LEAST: u64 = 4_096;
/// `OpenAI` and Google keep prompts of this length and more.
const LEAST: u64 = 1_024;
const STEP: u64 = 128;

impl Warmth {
    pub(super) fn new(threads: usize) -> Self {
        Self { threads: vec![ThreadState::default(); threads], instructions: Default::default() }
    }

    /// Returns the tokens of all turns of a thread so far.
    pub(super) fn context(&self, thread: usize) -> u64 {
        self.threads.get(thread).map_or(0, |thread| thread.context)
    }

    /// Reads a prompt on a model: returns its tokens by bucket and remembers what is warm now.
    pub(super) fn read(&mut self, turn: &Turn, call: Draws, prompt: &Prompt, model: usize) -> Usage {
        let total = prompt.total();
        let caching = MODELS.get(model).map_or(Caching::No, |model| model.caching);
        let mut warm = 0;
        if let Some(held) = self.threads.get_mut(turn.thread).and_then(|thread| thread.held.get_mut(model)) {
            warm = alive(caching, call, *held, turn.at);
            *held = Held { tokens: total, at: turn.at };
        }
        let shared = self.instructions.get_mut(turn.project).and_then(|held| held.get_mut(model));
        if let Some(held) = shared {
            warm = warm.max(alive(caching, call.at(1), *held, turn.at));
            *held = Held { tokens: prompt.instructions, at: turn.at };
        }
        if prompt.broken {
            warm = 0;
        }
        let warm = warm.min(total.saturating_sub(1));
        let (read, written) = match caching {
            Caching::No => (0, 0),
            Caching::Stepped => (if warm < LEAST { 0 } else { warm / STEP * STEP }, 0),
            Caching::Implicit => (if warm < LEAST { 0 } else { warm }, 0),
            // Nobody marks a prompt that will not come again.
            Caching::Marked if total < MARKED_LEAST || !goes_on(turn) => (0, 0),
            Caching::Marked => {
                let read = if warm < MARKED_LEAST { 0 } else { warm };
                // The last mark stands before the newest words; those alone are never written.
                let tail = call.between(Purpose::Tail, 3, 160).min(total - read);
                (read, total - read - tail)
            }
        };
        Usage {
            input: count(total - read - written),
            cache_read: count(read),
            write_5m: count(written),
            ..Usage { reasoning: Count::UNKNOWN, ..Usage::NONE }
        }
    }

    /// Lets a thread grow by a turn that is over.
    pub(super) fn note(&mut self, turn: &Turn, prompt: &Prompt, answer: u64) {
        if let Some(thread) = self.threads.get_mut(turn.thread) {
            thread.context = prompt.earlier + prompt.fresh + answer;
        }
    }
}

fn goes_on(turn: &Turn) -> bool {
    PROJECTS.get(turn.project).is_some_and(|project| project.thread != Thread::Single)
}

pub(super) fn count(tokens: u64) -> Count {
    Count::new(tokens).unwrap_or_default()
}

/// Returns the tokens of a prefix that are still warm.
fn alive(caching: Caching, call: Draws, held: Held, now: Instant) -> u64 {
    let idle = now - held.at;
    let chance = match caching {
        Caching::Marked if idle < MARKED_LIFE => 990,
        Caching::Marked => 10,
        Caching::Stepped if idle < Span::mins(5) => 920,
        Caching::Stepped if idle < Span::mins(10) => 550,
        Caching::Implicit if idle < Span::mins(4) => 700,
        Caching::Implicit if idle < Span::mins(15) => 250,
        Caching::Stepped | Caching::Implicit | Caching::No => 0,
    };
    if held.tokens > 0 && call.chance(Purpose::Cache, chance) { held.tokens } else { 0 }
}
