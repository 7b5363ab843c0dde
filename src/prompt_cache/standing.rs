//! How a session stood when a turn of it came: where its prompt is warm, and what to stay and to go were expected to cost.
//!
//! Invariant: it is kept with the request and nothing is reckoned again from it, so that a replay decides the same.

use crate::units::{ModelId, Pico, named};

/// Why a session cannot change its model at this turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tie {
    /// The request sends what tools returned that its model called.
    Tools,
    /// The provider keeps what was said before.
    State,
}

named!(Tie { Tools = "tools", State = "state" });

impl Tie {
    /// Says it in words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Tools => "it is within a tool loop",
            Self::State => "its provider keeps what was said before",
        }
    }
}

/// Which way a session might go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// To a rung further down: where to stay costs no more, it stays.
    Down,
    /// The same, but the session has cost as much more by changes as its route allows.
    Capped,
    /// Up, which its confidence asks for whatever it costs: beside what it costs to stay there, what to return does.
    Up,
}

named!(Way { Down = "cache-down:", Capped = "cache-capped:", Up = "cache-up:" });

/// What a change of a session's model was expected to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change {
    /// To which model, by the id that stands for it under all its names.
    pub to: ModelId,
    /// Which way that is.
    pub way: Way,
    /// The expected cost of staying; upwards, of staying up there.
    pub stay: Pico,
    /// The expected cost of going; upwards, of returning after this turn.
    pub go: Pico,
}

impl Change {
    /// Says whether the session goes.
    pub fn goes(&self) -> bool {
        match self.way {
            Way::Down => self.go < self.stay,
            Way::Capped => false,
            Way::Up => true,
        }
    }
}

/// How a session stood with caches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Standing {
    /// The model where it is, by the id that stands for it under all its names; none where it is nowhere.
    pub here: ModelId,
    /// Why it cannot leave that.
    pub tie: Option<Tie>,
    /// What changes were expected to come to.
    pub changes: Vec<Change>,
}

/// How a log writes where a session was, among what could not be called: `cache-at:claude-opus-4-6`.
const AT: &str = "cache-at:";
/// How it writes why it could not leave: `cache-tied:tools`.
const TIED: &str = "cache-tied:";
/// How a log writes what a call was expected to cost, in pico-dollars, among what could not be called: `cache-expected:1250000`.
const EXPECTED: &str = "cache-expected:";

/// What one word of a log says of caches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word<'a> {
    /// Where the session was.
    At(&'a str),
    /// Why it could not leave.
    Tied(Tie),
    /// What a change was expected to come to: which way, stay, go, to which model.
    Change(Way, Pico, Pico, &'a str),
    /// What the first call was expected to cost.
    Expected(Pico),
}

impl<'a> Word<'a> {
    /// Reads a word; none where it says nothing of caches.
    pub fn parse(word: &'a str) -> Option<Self> {
        if !word.starts_with("cache-") {
            return None;
        }
        if let Some(model) = word.strip_prefix(AT) {
            return Some(Self::At(model));
        }
        let pico = |text: &str| text.parse::<i64>().ok().map(|amount| Pico(amount.into()));
        if let Some(amount) = word.strip_prefix(EXPECTED) {
            return pico(amount).map(Self::Expected);
        }
        if let Some(tie) = word.strip_prefix(TIED) {
            return Tie::from_name(tie).map(Self::Tied);
        }
        let (way, rest) = Way::ALL.iter().find_map(|(name, way)| Some((*way, word.strip_prefix(name)?)))?;
        let mut parts = rest.splitn(3, ':');
        let (stay, go) = (pico(parts.next()?)?, pico(parts.next()?)?);
        Some(Self::Change(way, stay, go, parts.next()?))
    }
}

/// Writes what a call is expected to cost as a log does.
pub fn expected_word(amount: Pico) -> String {
    format!("{EXPECTED}{}", amount.0)
}

impl Standing {
    /// Nothing known.
    pub const NONE: Self = Self { here: ModelId::NONE, tie: None, changes: Vec::new() };

    /// Says whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what a change to a model was expected to come to.
    pub fn change(&self, to: ModelId) -> Option<&Change> {
        self.changes.iter().find(|change| change.to == to)
    }

    /// Returns it with one change alone, that to a model, and without where the session was if that decided nothing.
    #[must_use]
    pub fn about(&self, to: Option<ModelId>) -> Self {
        let Some(to) = to else { return Self { tie: self.tie, ..Self::default() } };
        let changes = self.change(to).copied().into_iter().collect();
        Self { here: self.here, tie: self.tie, changes }
    }

    /// Writes it as a log does; `name` names models.
    pub fn words<'n>(&self, name: impl Fn(ModelId) -> &'n str) -> Vec<String> {
        let at = self.here.is_some().then(|| format!("{AT}{}", name(self.here)));
        let tie = self.tie.map(|tie| format!("{TIED}{}", tie.name()));
        let changes = self
            .changes
            .iter()
            .map(|Change { to, way, stay, go }| format!("{}{}:{}:{}", way.name(), stay.0, go.0, name(*to)));
        at.into_iter().chain(tie).chain(changes).collect()
    }

    /// Takes what a word of a log says; `id` finds the id that stands for a model under all its names.
    pub fn take(&mut self, word: Word<'_>, mut id: impl FnMut(&str) -> ModelId) {
        match word {
            Word::At(model) => self.here = id(model),
            Word::Tied(tie) => self.tie = Some(tie),
            Word::Change(way, stay, go, model) => {
                self.changes.push(Change { to: id(model), way, stay, go });
            }
            Word::Expected(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_log_says_of_caches_is_read_as_it_was_written() {
        let change = |to, way| Change { to: ModelId(to), way, stay: Pico(48_125_000_000), go: Pico(7) };
        let standing = Standing {
            here: ModelId(1),
            tie: Some(Tie::Tools),
            changes: [change(0, Way::Down), change(2, Way::Up), change(3, Way::Capped)].into_iter().collect(),
        };
        let names = ["eu.anthropic:a", "b", "c", "d"];
        let words = standing.words(|model| names[usize::from(model.0)]);
        assert_eq!(words[0], "cache-at:b");
        assert_eq!(words[2], "cache-down:48125000000:7:eu.anthropic:a");
        let mut read = Standing::default();
        for word in &words {
            let place = |name: &str| names.iter().position(|one| *one == name).unwrap();
            read.take(Word::parse(word).unwrap(), |name| ModelId(u16::try_from(place(name)).unwrap()));
        }
        assert_eq!(read, standing);
        assert_eq!(Word::parse(&expected_word(Pico(5))), Some(Word::Expected(Pico(5))));
        for word in
            ["cache-at", "cache-down:1:2", "cache-down:x:2:m", "cache-tied:rope", "over:m", "cache-expected:"]
        {
            assert_eq!(Word::parse(word), None, "{word}");
        }
    }
}
