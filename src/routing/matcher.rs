//! Which requests a route takes.

use crate::classifier::TaskClass;
use crate::units::{ModelId, Names, ProjectId, TeamId};

/// What a route takes; an empty list takes everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matcher {
    pub(super) teams: Vec<TeamId>,
    pub(super) projects: Vec<ProjectId>,
    pub(super) tasks: u16,
    pub(super) asked: Vec<ModelId>,
}

impl Matcher {
    /// Says whether a request with these tags is taken.
    pub fn takes(&self, team: TeamId, project: ProjectId, task: TaskClass, asked: ModelId) -> bool {
        (self.teams.is_empty() || self.teams.contains(&team))
            && (self.projects.is_empty() || self.projects.contains(&project))
            && (self.tasks == 0 || self.tasks & (1 << task.index()) != 0)
            && (self.asked.is_empty() || self.asked.contains(&asked))
    }

    /// Says whether it lists a model name or alias that clients ask for.
    pub fn names_asked(&self, asked: ModelId) -> bool {
        asked.is_some() && self.asked.contains(&asked)
    }

    pub(super) fn takes_all(&self) -> bool {
        self.teams.is_empty() && self.projects.is_empty() && self.tasks == 0 && self.asked.is_empty()
    }

    /// Returns the lists that narrow it, under the names they have in a policy file.
    pub fn lists<'a>(&self, names: &'a Names) -> Vec<(&'static str, Vec<&'a str>)> {
        let tasks =
            TaskClass::ALL.iter().filter(|t| self.tasks & (1 << t.index()) != 0).map(|t| t.name()).collect();
        let mut lists: Vec<(&'static str, Vec<&'a str>)> = vec![
            ("team", self.teams.iter().map(|&t| names.team(t)).collect()),
            ("project", self.projects.iter().map(|&p| names.project(p)).collect()),
            ("task", tasks),
            ("model", self.asked.iter().map(|&m| names.model(m)).collect()),
        ];
        lists.retain(|(_, list)| !list.is_empty());
        lists
    }

    /// Writes what is taken in a few words: `task extraction, code · team search`.
    pub fn describe(&self, names: &Names) -> String {
        if self.takes_all() {
            return "everything else".to_owned();
        }
        let parts: Vec<String> = self
            .lists(names)
            .into_iter()
            .map(|(key, list)| format!("{} {}", if key == "model" { "asked" } else { key }, list.join(", ")))
            .collect();
        parts.join(" · ")
    }
}
