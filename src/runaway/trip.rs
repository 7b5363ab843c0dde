//! What goes into the watch and what comes out: whose request it is, which tool call it follows, and that a rule tripped.

use std::sync::Arc;

use super::{Kind, Then, Whom};
use crate::units::Instant;

/// Whose request it is; empty where not named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whose {
    /// The team.
    pub team: Arc<str>,
    /// The project.
    pub project: Arc<str>,
    /// The end user.
    pub user: Arc<str>,
    /// The virtual key.
    pub key: Arc<str>,
    /// The session.
    pub session: Arc<str>,
}

impl Whose {
    /// Returns the name under which a kind of thing knows it; none where it has none. A client names its sessions itself, so
    /// that each belongs to its key: nobody gets another's stopped.
    pub fn name(&self, kind: Kind) -> Option<Arc<str>> {
        let name = match kind {
            Kind::All => return Some(Arc::default()),
            Kind::Team => &self.team,
            Kind::Project => &self.project,
            Kind::User => &self.user,
            Kind::Key => &self.key,
            Kind::Session if self.session.is_empty() || self.key.is_empty() => &self.session,
            Kind::Session => return Some(format!("{}/{}", self.key, self.session).into()),
        };
        (!name.is_empty()).then(|| Arc::clone(name))
    }
}

/// The tool call that a request follows: a keyed hash of names and arguments, never the text, and how many turns there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Call(u64);

impl Call {
    /// How a log writes one, among how things stood: `call:0123456789ab@17`.
    pub const WORD: &'static str = "call:";
    const TURNS: u32 = 16;

    /// Makes one of a hash, of which 48 bits are kept, and a number of turns.
    pub fn new(hash: u64, turns: usize) -> Self {
        let turns = u64::from(u16::try_from(turns).unwrap_or(u16::MAX));
        // Never nothing, so that a table of them needs no word more for none.
        Self((hash >> Self::TURNS << Self::TURNS | turns).max(1))
    }

    /// Returns the hash.
    pub fn hash(self) -> u64 {
        self.0 >> Self::TURNS
    }

    /// Returns the number of turns.
    pub fn turns(self) -> u16 {
        u16::try_from(self.0 & u64::from(u16::MAX)).unwrap_or(u16::MAX)
    }

    /// Returns it as a number; 0 is none.
    pub fn packed(of: Option<Self>) -> u64 {
        of.map_or(0, |call| call.0)
    }

    /// Returns what was packed.
    pub fn unpacked(packed: u64) -> Option<Self> {
        (packed != 0).then_some(Self(packed))
    }

    /// Writes it as a log does.
    pub fn word(self) -> String {
        format!("{}{:012x}@{}", Self::WORD, self.hash(), self.turns())
    }

    /// Reads what a log writes.
    pub fn parse(text: &str) -> Option<Self> {
        let (hash, turns) = text.strip_prefix(Self::WORD)?.split_once('@')?;
        let hash = u64::from_str_radix(hash, 16).ok().filter(|hash| hash >> 48 == 0)?;
        Some(Self::new(hash << Self::TURNS, turns.parse().ok()?))
    }
}

/// A rule that tripped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trip {
    /// When: the arrival of the request with which it did.
    pub at: Instant,
    /// The rule.
    pub rule: Arc<str>,
    /// Who.
    pub whom: Whom,
    /// What becomes of him.
    pub then: Then,
    /// What was seen, in words.
    pub seen: String,
    /// Whose request it was.
    pub whose: Whose,
}

/// A trip as a note of a log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldTrip<'a> {
    /// Who: `key ci-bot`.
    pub whom: &'a str,
    /// The team and the project whose request it was, where those are others: `, team search`.
    also: &'a str,
    /// The rule.
    pub rule: &'a str,
    /// Whether he is frozen.
    pub freezes: bool,
}

impl<'a> ToldTrip<'a> {
    /// Reads what [`Trip::words`] writes.
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("runaway: ")?;
        let (rest, rule) = rest.rsplit_once(" (rule ")?;
        let (rule, then) = rule.split_once("; ")?;
        let whom = rest.split_once(": ")?.0;
        let end = [", team ", ", project "].iter().filter_map(|also| whom.find(also)).min();
        let (whom, also) = whom.split_at_checked(end.unwrap_or(whom.len()))?;
        Some(Self { whom, also, rule, freezes: then.starts_with("frozen") })
    }

    /// Returns the name of a kind that it was: of the team, say; none where that is not told.
    pub fn name(&self, kind: &str) -> Option<&'a str> {
        let named = |text: &'a str| text.strip_prefix(kind)?.strip_prefix(' ');
        named(self.whom).or_else(|| self.also.split(", ").find_map(named))
    }
}

impl Trip {
    /// Says it in words, as an event of the order.
    pub fn words(&self) -> String {
        let then = match self.then {
            Then::Tell => "told only",
            Then::Degrade => "the most expensive rung no longer serves it",
            Then::Cheapest => "only the cheapest rung serves it",
            Then::Freeze => "frozen until an operator lifts it",
        };
        let also = [(Kind::Team, &self.whose.team), (Kind::Project, &self.whose.project)];
        let also = also.into_iter().filter(|(kind, name)| *kind != self.whom.kind && !name.is_empty());
        let of: String = also.flat_map(|(kind, name)| [", ", kind.name(), " ", &**name]).collect();
        format!("runaway: {}{of}: {} (rule {}; {then})", self.whom, self.seen, self.rule)
    }
}
