//! The names of a stretch of a log that was read by itself, and what they are called in the whole.
//!
//! Invariant: a name gets its number in the whole when the first operation that counts bears it, as if all had been read in
//! order.

use crate::routing::{Circumstance, CircumstanceId, Circumstances, Labels, Needs};
use crate::units::{KeyId, ModelId, Names, ProjectId, SessionId, TeamId, UserId};

/// Names and circumstances of a stretch, with those of the whole as far as they have been asked for.
#[derive(Debug, Default)]
pub(super) struct Met {
    names: Names,
    circumstances: Circumstances,
    models: Vec<Option<ModelId>>,
    teams: Vec<Option<TeamId>>,
    projects: Vec<Option<ProjectId>>,
    users: Vec<Option<UserId>>,
    keys: Vec<Option<KeyId>>,
    sessions: Vec<Option<SessionId>>,
    places: Vec<Option<CircumstanceId>>,
}

/// Returns what is known at a place, or finds it out.
fn known<T: Copy>(list: &mut Vec<Option<T>>, at: usize, find: impl FnOnce() -> T) -> T {
    if list.len() <= at {
        list.resize(at + 1, None);
    }
    match list.get_mut(at) {
        Some(slot) => *slot.get_or_insert_with(find),
        None => find(),
    }
}

impl Met {
    pub(super) fn new(names: Names, circumstances: Circumstances) -> Self {
        Self { names, circumstances, ..Self::default() }
    }

    pub(super) fn model(&mut self, id: ModelId, whole: &mut Names) -> ModelId {
        let Some(at) = id.index() else { return id };
        known(&mut self.models, at, || whole.intern_model(self.names.model(id)))
    }

    pub(super) fn team(&mut self, id: TeamId, whole: &mut Names) -> TeamId {
        let Some(at) = id.index() else { return id };
        known(&mut self.teams, at, || whole.intern_team(self.names.team(id)))
    }

    pub(super) fn project(&mut self, id: ProjectId, whole: &mut Names) -> ProjectId {
        let Some(at) = id.index() else { return id };
        known(&mut self.projects, at, || whole.intern_project(self.names.project(id)))
    }

    pub(super) fn user(&mut self, id: UserId, whole: &mut Names) -> UserId {
        let Some(at) = id.index() else { return id };
        known(&mut self.users, at, || whole.intern_user(self.names.user(id)))
    }

    pub(super) fn key(&mut self, id: KeyId, whole: &mut Names) -> KeyId {
        let Some(at) = id.index() else { return id };
        known(&mut self.keys, at, || whole.intern_key(self.names.key(id)))
    }

    pub(super) fn session(&mut self, id: SessionId, whole: &mut Names) -> SessionId {
        let Some(at) = id.index() else { return id };
        known(&mut self.sessions, at, || whole.intern_session(self.names.session(id)))
    }

    pub(super) fn circumstance(
        &mut self,
        id: CircumstanceId,
        names: &mut Names,
        whole: &mut Circumstances,
    ) -> CircumstanceId {
        if let Some(Some(known)) = self.places.get(id.index()) {
            return *known;
        }
        let Circumstance {
            needs,
            down,
            full,
            unreached,
            over,
            runaway,
            drawn,
            tags,
            mut standing,
            advice,
            mut follows,
            ..
        } = self.circumstances.get(id).clone();
        // One name at most, so there is no order to keep.
        let labels = Labels::of(&needs.labels.names(&self.names), names);
        let down = down.iter().map(|one| self.model(*one, names)).collect();
        let mut unreached: Vec<_> = unreached.iter().map(|one| self.model(*one, names)).collect();
        unreached.sort_unstable();
        let mut known_as = |model, names: &mut Names| {
            let model = self.model(model, names);
            names.identity(model)
        };
        let full = full.iter().map(|one| known_as(*one, names)).collect();
        let over = over.into_iter().map(|(model, short)| (known_as(model, names), short)).collect();
        if standing.here.is_some() {
            standing.here = known_as(standing.here, names);
        }
        for change in &mut standing.changes {
            change.to = known_as(change.to, names);
        }
        if follows.model.is_some() {
            follows.model = known_as(follows.model, names);
        }
        let needs = Needs { labels, ..needs };
        let tags = if tags.is_some() { names.intern_tags(self.names.tags(tags)) } else { tags };
        let circumstance = Circumstance {
            needs,
            full,
            unreached,
            over,
            runaway,
            drawn,
            tags,
            standing,
            advice,
            follows,
            ..Circumstance::default()
        };
        let found = whole.intern(&circumstance.with_down(down, |model| names.identity(model)));
        known(&mut self.places, id.index(), || found)
    }
}
