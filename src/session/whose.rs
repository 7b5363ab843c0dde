//! Whose an operation is, by the names of its log.
//!
//! Invariant: what is not named is nobody's.

use std::sync::Arc;

use crate::outcome::Evidence;
use crate::runaway::Whose;
use crate::units::Names;

/// Says whose an operation is.
pub(super) fn whose_of(names: &Names, evidence: &Evidence<'_>) -> Whose {
    let operation = evidence.operation;
    let named = |is_named: bool, name: &str| if is_named { Arc::from(name) } else { Arc::default() };
    Whose {
        team: named(operation.team.is_some(), names.team(operation.team)),
        project: named(operation.project.is_some(), names.project(operation.project)),
        user: named(operation.user.is_some(), names.user(operation.user)),
        key: named(operation.key.is_some(), names.key(operation.key)),
        session: named(operation.session.is_some(), names.session(operation.session)),
    }
}
