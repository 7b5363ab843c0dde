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
    /// The starts of the hashes of classifiers whose opinion was told.
    tried: Vec<u32>,
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

/// Gives each kind of name the way to what it is called in the whole.
macro_rules! names {
    ($($name:ident($list:ident: $id:ty) by $intern:ident),*) => {
        $(pub(super) fn $name(&mut self, id: $id, whole: &mut Names) -> $id {
            let Some(at) = id.index() else { return id };
            known(&mut self.$list, at, || whole.$intern(self.names.$name(id)))
        })*
    };
}

impl Met {
    pub(super) fn new(names: Names, circumstances: Circumstances, tried: Vec<u32>) -> Self {
        Self { names, circumstances, tried, ..Self::default() }
    }

    /// Says whether so many names were met that one may stand for several.
    pub(super) fn is_full(&self) -> bool {
        self.names.is_full()
    }

    /// Tells, once, whose opinion was told besides.
    pub(super) fn tried(&mut self) -> impl Iterator<Item = u32> + use<> {
        std::mem::take(&mut self.tried).into_iter()
    }

    names! {
        model(models: ModelId) by intern_model, team(teams: TeamId) by intern_team,
        project(projects: ProjectId) by intern_project, user(users: UserId) by intern_user,
        key(keys: KeyId) by intern_key, session(sessions: SessionId) by intern_session
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
