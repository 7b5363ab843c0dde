//! Names seen in traffic, each held once and handled as a small number.
//!
//! Ids are given out in order of first appearance, so the same input gives the same ids: nothing depends on hash order.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::alike::{Alike, Listing};
use super::id::{KeyId, LabelId, ModelId, ProjectId, RouteTag, SessionId, TagsId, TeamId, UserId};
use super::sessions::Sessions;

/// The most different teams, projects or models told apart; later ones are counted together as [`OTHERS`].
const MOST: usize = 4096;
/// The most different sets of tags told apart; those that are more count as tagged with [`OTHERS`].
const MOST_TAGS: usize = 65_000;
/// The most different labels told apart: they are held as bits, and one bit stands for all the others.
const MOST_LABELS: usize = 63;
/// The name that stands for all that are not told apart; nobody may call himself so.
pub const OTHERS: &str = "(others)";
/// The key's name of calls that the gateway makes beside its traffic: shadow runs and those who judge them. No key can be called so.
pub const SHADOW: &str = "(shadow)";
/// The key's name of whoever reaches a gateway that has no keys: it says of nobody who he is.
pub const UNKEYED: &str = "local";

/// Names of one kind, by number in order of first appearance.
#[derive(Clone, Debug, Default)]
pub struct NameTable {
    ids: FxHashMap<Arc<str>, u32>,
    list: Vec<Arc<str>>,
}

impl NameTable {
    /// Returns the number of a name; from the `most`th on all new ones are [`OTHERS`].
    pub fn intern(&mut self, name: &str, most: usize) -> u32 {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let name = if self.list.len() >= most { OTHERS } else { name };
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX - 1);
        let shared: Arc<str> = name.into();
        self.ids.insert(Arc::clone(&shared), id);
        self.list.push(shared);
        id
    }

    /// Returns a name by its number; `-` where there is none.
    pub fn get(&self, index: usize) -> &str {
        self.list.get(index).map_or("-", |name| name)
    }
}

/// The tables of names of one run.
///
/// The few (models, teams, projects) are shared between copies until one is written to; sessions may be millions and have
/// a table of their own.
#[derive(Clone, Debug, Default)]
pub struct Names {
    models: Arc<NameTable>,
    alike: Arc<Alike>,
    teams: Arc<NameTable>,
    projects: Arc<NameTable>,
    routes: Arc<NameTable>,
    labels: Arc<NameTable>,
    users: Arc<NameTable>,
    keys: Arc<NameTable>,
    tags: Arc<NameTable>,
    sessions: Sessions,
}

macro_rules! table {
    ($vis:vis $intern:ident, $find:ident, $get:ident, $all:ident, $field:ident, $id:ident, $repr:ty, $most:expr, $what:literal) => {
        #[doc = concat!("Returns the id of a ", $what, ", making one at first sight; an empty name has none.")]
        $vis fn $intern(&mut self, name: &str) -> $id {
            if name.is_empty() {
                return $id::NONE;
            }
            let known = self.$field.ids.get(name).copied();
            let id = known.unwrap_or_else(|| Arc::make_mut(&mut self.$field).intern(name, $most));
            <$repr>::try_from(id).map_or($id::NONE, $id)
        }
        #[doc = concat!("Finds a ", $what, " that was seen before.")]
        pub fn $find(&self, name: &str) -> Option<$id> {
            self.$field.ids.get(name).and_then(|&id| <$repr>::try_from(id).ok()).map($id)
        }
        #[doc = concat!("Returns the name of a ", $what, "; `-` where there is none.")]
        pub fn $get(&self, id: $id) -> &str {
            id.index().map_or("-", |index| self.$field.get(index))
        }
        #[doc = concat!("Lists every ", $what, " in order of first appearance.")]
        pub fn $all(&self) -> &[Arc<str>] {
            &self.$field.list
        }
    };
}

impl Names {
    table!(name_model, find_model, model, models, models, ModelId, u16, MOST, "model");
    table!(pub intern_team, find_team, team, teams, teams, TeamId, u16, MOST, "team");
    table!(pub intern_route, find_route, route, routes, routes, RouteTag, u16, MOST, "route");
    table!(pub intern_label, find_label, label, labels, labels, LabelId, u8, MOST_LABELS, "label");
    table!(pub intern_project, find_project, project, projects, projects, ProjectId, u16, MOST, "project");
    table!(pub intern_user, find_user, user, users, users, UserId, u16, MOST, "user");
    table!(pub intern_key, find_key, key, keys, keys, KeyId, u16, MOST, "key");
    table!(pub intern_tags, find_tags, tags, all_tags, tags, TagsId, u16, MOST_TAGS, "set of tags");

    /// Returns the id of a model, making one at first sight; an empty name has none.
    pub fn intern_model(&mut self, name: &str) -> ModelId {
        let id = self.name_model(name);
        if self.alike.lacks(&self.models.list) {
            Arc::make_mut(&mut self.alike).see(&self.models.list);
        }
        id
    }

    /// Returns these names, with a list that says which of them are one model's.
    #[must_use]
    pub fn knowing(self, listing: Arc<dyn Listing>) -> Self {
        Self { alike: Arc::new(Alike::by(listing, &self.models.list)), ..self }
    }

    /// Returns the id that stands for a model under all its names.
    pub fn identity(&self, model: ModelId) -> ModelId {
        self.alike.identity(model)
    }

    /// Says whether names of a kind may no longer be told apart.
    pub fn is_full(&self) -> bool {
        let tables = [&self.models, &self.teams, &self.projects, &self.routes];
        tables.iter().any(|table| table.list.len() >= MOST)
            || self.labels.list.len() >= MOST_LABELS
            || self.tags.list.len() >= MOST_TAGS
    }

    /// Returns the id of a session, making one at first sight; an empty name has none.
    pub fn intern_session(&mut self, name: &str) -> SessionId {
        if name.is_empty() { SessionId::NONE } else { self.sessions.intern(name) }
    }

    /// Returns the name of a session; `-` where there is none, and where it was forgotten.
    pub fn session(&self, id: SessionId) -> &str {
        self.sessions.get(id).unwrap_or("-")
    }

    /// Counts the sessions that ids were given out for.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// Returns a copy for reading, which costs next to nothing however many sessions there are. Interning into it would
    /// give sessions new ids.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            models: Arc::clone(&self.models),
            alike: Arc::clone(&self.alike),
            teams: Arc::clone(&self.teams),
            projects: Arc::clone(&self.projects),
            routes: Arc::clone(&self.routes),
            labels: Arc::clone(&self.labels),
            users: Arc::clone(&self.users),
            keys: Arc::clone(&self.keys),
            tags: Arc::clone(&self.tags),
            sessions: self.sessions.share(),
        }
    }

    /// Forgets the names of sessions that are not kept; their ids are never given out again.
    pub fn forget_sessions(&mut self, keep: impl Fn(SessionId) -> bool) {
        self.sessions.forget(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_first_appearance() {
        let mut names = Names::default();
        let a = names.intern_team("payments");
        let b = names.intern_team("search");
        assert_eq!((a, b), (TeamId(0), TeamId(1)));
        assert_eq!(names.intern_team("payments"), a);
        assert_eq!(names.team(b), "search");
        assert_eq!(names.intern_team(""), TeamId::NONE);
        assert_eq!(names.team(TeamId::NONE), "-");
    }

    #[test]
    fn a_flood_of_names_is_counted_together_not_lost() {
        let mut names = Names::default();
        for n in 0..MOST + 500 {
            names.intern_project(&format!("p{n}"));
        }
        assert_eq!(names.projects().len(), MOST + 1);
        assert_eq!(names.project(names.find_project(OTHERS).unwrap()), OTHERS);
    }
}
