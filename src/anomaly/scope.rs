//! Whose traffic is watched.

use crate::units::words;
use crate::units::{ModelId, ProjectId, RouteTag, TeamId};

/// All traffic, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// All of it.
    All,
    /// What a team asks.
    Team(TeamId),
    /// What a project asks.
    Project(ProjectId),
    /// What a route takes.
    Route(RouteTag),
    /// The calls to a model.
    Model(ModelId),
}

/// A way of cutting all traffic into parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    /// By team.
    Team,
    /// By project.
    Project,
    /// By route.
    Route,
    /// By model.
    Model,
}

impl Scope {
    /// Returns the dimension of a part.
    pub fn dimension(self) -> Option<Dimension> {
        match self {
            Self::All => None,
            Self::Team(_) => Some(Dimension::Team),
            Self::Project(_) => Some(Dimension::Project),
            Self::Route(_) => Some(Dimension::Route),
            Self::Model(_) => Some(Dimension::Model),
        }
    }
}

words!(Dimension { Team = "team", Project = "project", Route = "route", Model = "model" });
