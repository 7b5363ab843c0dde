//! Who is watched or stopped.

use std::fmt;
use std::sync::Arc;

use crate::units::named;

/// What kind of thing is watched or stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Everything.
    All,
    /// A team.
    Team,
    /// A project.
    Project,
    /// An end user.
    User,
    /// A virtual key.
    Key,
    /// A session: `KEY/SESSION` where it came with a key.
    Session,
}

named!(Kind {
    All = "all", Team = "team", Project = "project", User = "user", Key = "key", Session = "session",
});

/// Someone who is watched or stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Whom {
    /// What kind.
    pub kind: Kind,
    /// The name; empty for everything.
    pub name: Arc<str>,
}

impl Whom {
    /// Everything.
    pub fn all() -> Self {
        Self { kind: Kind::All, name: Arc::from("") }
    }

    /// Reads what [`fmt::Display`] writes: `key ci-bot`, `all`.
    pub fn parse(text: &str) -> Option<Self> {
        if text == Kind::All.name() {
            return Some(Self::all());
        }
        let (kind, name) = text.split_once(' ')?;
        let kind = Kind::from_name(kind).filter(|kind| *kind != Kind::All)?;
        (!name.is_empty()).then(|| Self { kind, name: name.into() })
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if self.kind == Kind::All { Ok(()) } else { write!(f, " {}", self.name) }
    }
}
