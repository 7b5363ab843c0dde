//! Who a request comes from, what that key may do, and why a request is turned away.

use crate::units::{UNKEYED, words};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// One thing that a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Send requests to models, which spends money.
    Route,
    /// See traffic, spend and policy.
    Read,
    /// Change the policy; who may change may also see.
    Operate,
}

words!(Scope { Route = "route", Read = "read", Operate = "operate" });

impl Scope {
    fn bit(self) -> u8 {
        match self {
            Self::Route => 1,
            Self::Read => 2,
            Self::Operate => 4,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A word that names no scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no scope; write route, read or operate")]
pub struct UnknownScope(pub String);

impl FromStr for Scope {
    type Err = UnknownScope;
    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        let known = Self::from_name(text.trim());
        known.ok_or_else(|| UnknownScope(text.to_owned()))
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Every scope.
    pub const ALL: Self = Self(7);

    /// Adds a scope; `operate` brings `read` with it.
    #[must_use]
    pub fn with(self, scope: Scope) -> Self {
        let implied = if scope == Scope::Operate { Scope::Read.bit() } else { 0 };
        Self(self.0 | scope.bit() | implied)
    }

    /// Says whether a scope is among them.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Lists them.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |&scope| self.has(scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::default(), Self::with)
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Scope::name).collect();
        f.pad(&names.join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Who sent a request, as its key says. Copies share their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The key's public id; empty where no key was asked for.
    pub id: Arc<str>,
    /// The key's name.
    pub name: Arc<str>,
    /// The team that pays; empty where the key names none.
    pub team: Arc<str>,
    /// The project; empty where the key names none.
    pub project: Arc<str>,
    /// Labels that whoever serves its requests has to carry.
    pub require: Arc<[Arc<str>]>,
    /// What its requests are tagged with, each `NAME=VALUE`.
    pub tags: Arc<[Arc<str>]>,
    /// What the key may do.
    pub scopes: Scopes,
}

impl Caller {
    /// Stands for whoever reaches a loopback gateway that has no keys: may do everything, belongs to nobody.
    pub fn local() -> Self {
        let none: Arc<str> = Arc::from("");
        Self {
            id: Arc::clone(&none),
            name: Arc::from(UNKEYED),
            require: Arc::default(),
            tags: Arc::default(),
            team: Arc::clone(&none),
            project: none,
            scopes: Scopes::ALL,
        }
    }

    /// Says whether what a team paid for, by a key of that name, is the caller's to see and to judge: its team's, its own, or
    /// anybody's where the caller may operate or no key was asked for.
    pub fn owns(&self, team: &str, key: &str) -> bool {
        let is_own =
            if self.team.is_empty() { team.is_empty() || *self.name == *key } else { *self.team == *team };
        is_own || self.sees_all()
    }

    /// Says whether nothing is kept from the caller: it may operate, or no key was asked for.
    pub fn sees_all(&self) -> bool {
        self.id.is_empty() || self.scopes.has(Scope::Operate)
    }

    /// Says whether the caller may do something.
    ///
    /// # Errors
    /// Where the key lacks the scope.
    pub fn may(&self, needs: Scope) -> Result<(), Denied> {
        if self.scopes.has(needs) { Ok(()) } else { Err(Denied::Scope { needs }) }
    }
}

/// Why a request is turned away. The texts go to the client; none holds any part of what was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The request carries no key.
    #[error(
        "no key: send one as `Authorization: Bearer pm_...` (or x-api-key); `pointsman keys add` makes one"
    )]
    Missing,
    /// What was presented cannot be a key.
    #[error("this is no key of ours, or it is mistyped or cut short: a key is `pm_` and 47 more characters")]
    Malformed,
    /// The key is whole but not in the file.
    #[error("the key is not known here; it may belong to another gateway")]
    Unknown,
    /// The key's time is over.
    #[error("the key has expired; ask the operator for a new one (`pointsman keys rotate`)")]
    Expired,
    /// The key was taken back.
    #[error("the key was revoked")]
    Revoked,
    /// A web page of another site sent it to a gateway that asks for no key.
    #[error(
        "a web page of another site cannot use a gateway without keys; make a key (`pointsman keys add`) and send it"
    )]
    Elsewhere,
    /// The key may not do this.
    #[error("the key lacks the scope `{needs}`")]
    Scope {
        /// The scope that would be needed.
        needs: Scope,
    },
}

impl Denied {
    /// Says whether the caller is known and merely may not do this (HTTP 403); otherwise it is not known (401).
    pub fn is_forbidden(self) -> bool {
        matches!(self, Self::Scope { .. } | Self::Elsewhere)
    }
}
