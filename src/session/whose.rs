//! Whose an operation is, by the names of its log.
//!
//! Invariant: what is not named is nobody's.

use std::sync::Arc;

use crate::budget::Payer;
use crate::outcome::{Evidence, Outlook};
use crate::runaway::Whose;
use crate::units::{ModelId, Names};

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

/// Says who pays for a call to a model on a route.
pub(super) fn payer<'n>(
    names: &'n Names,
    evidence: &Evidence<'_>,
    route: &'n str,
    model: ModelId,
    outlook: &Outlook<'_>,
) -> Payer<'n> {
    let listed = outlook.prices.identity(model);
    let tags = outlook.circumstances.get(evidence.operation.circumstance).tags;
    let operation = evidence.operation;
    let named = |is_named: bool, name| if is_named { name } else { "" };
    Payer {
        team: named(operation.team.is_some(), names.team(operation.team)),
        project: named(operation.project.is_some(), names.project(operation.project)),
        user: named(operation.user.is_some(), names.user(operation.user)),
        key: named(operation.key.is_some(), names.key(operation.key)),
        session: named(operation.session.is_some(), names.session(operation.session)),
        route,
        model: named(model.is_some(), names.model(model)),
        listed: named(listed.is_some(), names.model(listed)),
        task: operation.class.name(),
        tags: named(tags.is_some(), names.tags(tags)),
    }
}
