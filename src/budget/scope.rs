//! Who pays: what a request says of itself, and whom a limit is about.

use std::fmt;
use std::sync::Arc;

use crate::units::{is_tag_name, tag_value};

/// A thing that requests are told apart by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Dimension {
    /// The team.
    Team,
    /// The project.
    Project,
    /// The end user.
    User,
    /// The virtual key.
    Key,
    /// The session.
    Session,
    /// The route that took it.
    Route,
    /// The model called.
    Model,
    /// The kind of work.
    Task,
    /// A tag of that name.
    Tag(Arc<str>),
}

impl Dimension {
    /// What a tag's name stands behind.
    const TAG: &'static str = "tag.";
    /// Every dimension but tags, under the name that files use.
    pub const NAMED: [(&'static str, Self); 8] = [
        ("team", Self::Team),
        ("project", Self::Project),
        ("user", Self::User),
        ("key", Self::Key),
        ("session", Self::Session),
        ("route", Self::Route),
        ("model", Self::Model),
        ("task", Self::Task),
    ];

    /// Finds one by its name: `team`, `tag.env`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(tag) = text.strip_prefix(Self::TAG).filter(|tag| is_tag_name(tag)) {
            return Some(Self::Tag(tag.into()));
        }
        Self::NAMED.into_iter().find_map(|(name, one)| (name == text).then_some(one))
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Tag(name) = self {
            return write!(f, "{}{name}", Self::TAG);
        }
        let named = Self::NAMED.iter().find(|(_, one)| one == self);
        f.write_str(named.map_or("", |(name, _)| name))
    }
}

/// What a call says of whoever pays for it; empty where not named.
#[derive(Clone, Copy, Debug, Default)]
pub struct Payer<'a> {
    /// The team.
    pub team: &'a str,
    /// The project.
    pub project: &'a str,
    /// The end user.
    pub user: &'a str,
    /// The virtual key.
    pub key: &'a str,
    /// The session.
    pub session: &'a str,
    /// The route.
    pub route: &'a str,
    /// The model, as it is called.
    pub model: &'a str,
    /// The model, as the price book lists it; empty where it does not.
    pub listed: &'a str,
    /// The kind of work.
    pub task: &'a str,
    /// Tags, as [`crate::units::tag_set`] puts them together.
    pub tags: &'a str,
}

impl<'a> Payer<'a> {
    /// Returns what stands under a dimension.
    pub fn value(&self, dimension: &Dimension) -> &'a str {
        match dimension {
            Dimension::Team => self.team,
            Dimension::Project => self.project,
            Dimension::User => self.user,
            Dimension::Key => self.key,
            Dimension::Session => self.session,
            Dimension::Route => self.route,
            Dimension::Model if self.listed.is_empty() => self.model,
            Dimension::Model => self.listed,
            Dimension::Task => self.task,
            Dimension::Tag(name) => tag_value(self.tags, name),
        }
    }
}

/// Whom a limit is about: whoever is on all of its lists, together or each apart.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Scope {
    /// Lists of values; a request has to be on each.
    pub lists: Vec<(Dimension, Vec<Arc<str>>)>,
    /// Where each value of a dimension has the limit to itself.
    pub each: Option<Dimension>,
}

impl Scope {
    /// Returns under which name a payer draws on the limit, empty where all draw together; none where it is not about him.
    pub fn member<'a>(&self, payer: &Payer<'a>) -> Option<&'a str> {
        for (dimension, values) in &self.lists {
            let value = payer.value(dimension);
            let is_model = *dimension == Dimension::Model;
            if !values.iter().any(|one| **one == *value || is_model && **one == *payer.model) {
                return None;
            }
        }
        Some(self.each.as_ref().map_or("", |dimension| payer.value(dimension)))
    }

    /// Says whom it is about in a few words: `team search · each user`.
    pub fn describe(&self) -> String {
        let mut parts: Vec<String> = self
            .lists
            .iter()
            .map(|(dimension, values)| format!("{dimension} {}", values.join(", ")))
            .collect();
        parts.extend(self.each.as_ref().map(|dimension| format!("each {dimension}")));
        if parts.is_empty() { "all traffic".to_owned() } else { parts.join(" · ") }
    }
}
