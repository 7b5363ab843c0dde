//! A filter made ready for one log: names resolved to sets of ids, terms in the order of what they cost.
//!
//! Invariant: a request passes exactly where every term holds; an outcome is settled only where a term cannot do without.

use std::sync::Arc;

use super::filter::{Compare, Figure, Filter, Name, Test, holds};
use crate::classifier::TaskClass;
use crate::outcome::{Recalled, Settled};
use crate::pricing::Cost;
use crate::routing::{ConfidenceSource, Policy, Status, match_route};
use crate::session::second::start;
use crate::session::{Reading, Snapshot};
use crate::units::{Names, SessionId};

/// One request as a filter sees it.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    /// Its index in the log.
    pub(super) index: usize,
    /// It, with all that is known of it.
    pub(super) recalled: Recalled<'a>,
    /// Its id.
    pub(super) id: &'a str,
}

/// A set of ids of one table of names.
#[derive(Clone, Debug, Default)]
struct Ids {
    held: Vec<bool>,
    unnamed: bool,
    any: bool,
}

impl Ids {
    fn of(names: &[Arc<str>], wanted: &[String]) -> Self {
        let held: Vec<bool> = names.iter().map(|name| is_wanted(name, wanted)).collect();
        let unnamed = asks_for_none(wanted);
        Self { any: unnamed || held.contains(&true), held, unnamed }
    }

    fn has(&self, index: Option<usize>) -> bool {
        index.map_or(self.unnamed, |index| self.held.get(index).copied().unwrap_or(false))
    }
}

/// Says whether requests without a name are asked for.
fn asks_for_none(wanted: &[String]) -> bool {
    wanted.iter().any(|text| text == "=-")
}

fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted.iter().any(|text| holds(name, text))
}

/// Sessions that match, found out as they are met: there may be as many as requests.
#[derive(Clone, Debug, Default)]
struct Sessions(Vec<Option<bool>>);

impl Sessions {
    fn has(&mut self, id: SessionId, names: &Names, wanted: &[String]) -> bool {
        let Some(index) = id.index() else { return asks_for_none(wanted) };
        if self.0.len() <= index {
            self.0.resize(names.session_count().max(index + 1), None);
        }
        let Some(slot) = self.0.get_mut(index) else { return false };
        *slot.get_or_insert_with(|| is_wanted(names.session(id), wanted))
    }
}

/// The routes whose names match, by the policies in order of their spans; the last entry is the policy in force.
type Routes = Vec<Vec<bool>>;

#[derive(Clone, Debug)]
enum Ready {
    Source(Vec<ConfidenceSource>),
    Confidence(Compare),
    Simulated,
    Team(Ids),
    Project(Ids),
    Asked(Ids),
    Task(u16),
    Flips,
    Route(Routes),
    Session(Sessions, Vec<String>),
    Id(Vec<String>),
    Word(Box<Word>),
    Status(Vec<Status>),
    Model(Ids),
    Figure(Figure, Compare),
    Escalated,
    Estimated,
}

#[derive(Clone, Debug)]
struct Word {
    text: [String; 1],
    teams: Ids,
    projects: Ids,
    models: Ids,
    asked: Ids,
    tasks: u16,
    routes: Routes,
    sessions: Sessions,
}

/// A filter made ready.
#[derive(Clone, Debug, Default)]
pub(super) struct Matcher {
    /// Negation, cost and test, the cheapest first.
    tests: Vec<(bool, u8, Ready)>,
}

/// What came of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Whether it passes.
    pub(super) passes: bool,
    /// Whether its outcome was settled on the way.
    pub(super) settled: bool,
}

fn tasks_of(wanted: impl Fn(&str) -> bool) -> u16 {
    TaskClass::ALL.iter().filter(|class| wanted(class.name())).fold(0, |set, class| set | 1 << class.index())
}

fn routes_of(snapshot: &Snapshot, wanted: &[String]) -> Routes {
    let spans = snapshot.policies.iter().map(|span| &span.policy);
    let routes =
        |policy: &Arc<Policy>| policy.routes.iter().map(|route| is_wanted(&route.name, wanted)).collect();
    spans.chain([&snapshot.policy]).map(routes).collect()
}

impl Matcher {
    /// Makes a filter ready for a snapshot's log and policies.
    pub(super) fn new(filter: &Filter, snapshot: &Snapshot) -> Self {
        let names = &snapshot.log.names;
        let mut tests: Vec<(bool, u8, Ready)> = filter
            .terms
            .iter()
            .map(|term| {
                let (cost, ready) = match &term.test {
                    Test::Source(sources) => (0, Ready::Source(sources.clone())),
                    Test::Figure(Figure::Confidence, how) => (0, Ready::Confidence(*how)),
                    Test::Simulated => (0, Ready::Simulated),
                    Test::Named(Name::Team, wanted) => (0, Ready::Team(Ids::of(names.teams(), wanted))),
                    Test::Named(Name::Project, wanted) => {
                        (0, Ready::Project(Ids::of(names.projects(), wanted)))
                    }
                    Test::Named(Name::Asked, wanted) => (0, Ready::Asked(Ids::of(names.models(), wanted))),
                    Test::Named(Name::Task, wanted) => {
                        (0, Ready::Task(tasks_of(|name| wanted.iter().any(|text| text == name))))
                    }
                    Test::Flips => (1, Ready::Flips),
                    Test::Named(Name::Route, wanted) => (1, Ready::Route(routes_of(snapshot, wanted))),
                    Test::Named(Name::Session, wanted) => {
                        (2, Ready::Session(Sessions::default(), wanted.clone()))
                    }
                    Test::Named(Name::Id, wanted) => (3, Ready::Id(wanted.clone())),
                    Test::Word(word) => (4, Ready::Word(Box::new(Word::new(word, snapshot)))),
                    Test::Status(statuses) => (5, Ready::Status(statuses.clone())),
                    Test::Named(Name::Model, wanted) => (5, Ready::Model(Ids::of(names.models(), wanted))),
                    Test::Figure(figure, how) => (6, Ready::Figure(*figure, *how)),
                    Test::Escalated => (6, Ready::Escalated),
                    Test::Estimated => (6, Ready::Estimated),
                };
                (term.not, cost, ready)
            })
            .collect();
        crate::units::sort_by_key(&mut tests, |(_, cost, _)| *cost);
        Self { tests }
    }

    /// Says whether a request passes; `scratch` holds its outcome afterwards where the verdict says so.
    pub(super) fn verdict(&mut self, row: &Row<'_>, snapshot: &Snapshot, scratch: &mut Settled) -> Verdict {
        let mut deferred = 0u64;
        for (at, (not, _, test)) in self.tests.iter_mut().enumerate() {
            match test.quick(row, snapshot) {
                Some(holds) if holds == *not => return Verdict { passes: false, settled: false },
                Some(_) => {}
                None => deferred |= 1 << (at % 64),
            }
        }
        if deferred == 0 {
            return Verdict { passes: true, settled: false };
        }
        snapshot.settle(row.index, &row.recalled.evidence(), scratch);
        let passes = self
            .tests
            .iter()
            .enumerate()
            .filter(|(at, _)| deferred & (1 << (at % 64)) != 0)
            .all(|(_, (not, _, test))| test.of_outcome(scratch) != *not);
        Verdict { passes, settled: true }
    }
}

/// Says whether the staged policy starts a request on another rung than the policy in force.
pub(super) fn flips(row: &Row<'_>, snapshot: &Snapshot) -> bool {
    if snapshot.staged.is_none() && snapshot.second.is_none() {
        return false;
    }
    let operation = &row.recalled.operation;
    let second = operation.by_second().filter(|_| snapshot.second.is_some());
    let by = (&*snapshot.log.prices, &*snapshot.log.circumstances);
    let start = |policy, operation| {
        let (route, rung) = start(policy, operation, by);
        (rung, rung.and_then(|rung| route.ladder.get(usize::from(rung))).map(|rung| rung.model))
    };
    start(&snapshot.policy, operation) != start(snapshot.tried(), second.as_ref().unwrap_or(operation))
}

fn route_is_in(routes: &Routes, row: &Row<'_>, snapshot: &Snapshot) -> bool {
    let span = snapshot.policies.iter().rposition(|span| span.from <= row.index);
    let policy = span.and_then(|at| snapshot.policies.get(at)).map_or(&snapshot.policy, |span| &span.policy);
    let held = span.map_or(routes.last(), |at| routes.get(at));
    let route = match_route(policy, &row.recalled.operation.signals());
    held.and_then(|held| held.get(route.index())).copied().unwrap_or(false)
}

impl Word {
    fn new(word: &str, snapshot: &Snapshot) -> Self {
        let names = &snapshot.log.names;
        let text = [word.to_owned()];
        let [teams, projects, models, asked] =
            [names.teams(), names.projects(), names.models(), names.models()].map(|table| {
                let mut ids = Ids::of(table, &text);
                // A dash is a letter like others here: it does not ask for what has no name.
                ids.unnamed = false;
                ids.any = ids.held.contains(&true);
                ids
            });
        Self {
            tasks: tasks_of(|name| holds(name, word)),
            routes: routes_of(snapshot, &text),
            sessions: Sessions::default(),
            text,
            teams,
            projects,
            models,
            asked,
        }
    }

    fn quick(&mut self, row: &Row<'_>, snapshot: &Snapshot) -> Option<bool> {
        let operation = &row.recalled.operation;
        let any_route = self.routes.iter().any(|routes| routes.contains(&true));
        let by_name = self.teams.has(operation.team.index())
            || self.projects.has(operation.project.index())
            || self.asked.has(operation.asked.index())
            || self.tasks & (1 << operation.class.index()) != 0
            || (any_route && route_is_in(&self.routes, row, snapshot))
            || (operation.session.is_some()
                && self.sessions.has(operation.session, &snapshot.log.names, &self.text))
            || is_wanted(row.id, &self.text);
        if by_name || !self.models.any {
            return Some(by_name);
        }
        match snapshot.reading {
            Reading::Recorded => Some(self.models.has(operation.served.model.index())),
            Reading::Routed => None,
        }
    }
}

impl Ready {
    /// Answers without an outcome; `None` where it cannot.
    fn quick(&mut self, row: &Row<'_>, snapshot: &Snapshot) -> Option<bool> {
        let operation = &row.recalled.operation;
        let recorded = snapshot.reading == Reading::Recorded;
        Some(match self {
            Self::Source(sources) => sources.contains(&operation.source),
            Self::Confidence(how) => how.holds(operation.confidence().map(|value| i128::from(value.get()))),
            Self::Simulated => operation.simulated,
            Self::Team(ids) => ids.has(operation.team.index()),
            Self::Project(ids) => ids.has(operation.project.index()),
            Self::Asked(ids) => ids.has(operation.asked.index()),
            Self::Task(tasks) => *tasks & (1 << operation.class.index()) != 0,
            Self::Flips => flips(row, snapshot),
            Self::Route(routes) => route_is_in(routes, row, snapshot),
            Self::Session(sessions, wanted) => sessions.has(operation.session, &snapshot.log.names, wanted),
            Self::Id(wanted) => is_wanted(row.id, wanted),
            Self::Word(word) => return word.quick(row, snapshot),
            Self::Status(statuses) if recorded => statuses.contains(&operation.served.status),
            Self::Model(ids) if recorded || !ids.any => ids.has(operation.served.model.index()),
            _ => return None,
        })
    }

    /// Answers from an outcome what [`Ready::quick`] could not.
    fn of_outcome(&self, settled: &Settled) -> bool {
        match self {
            Self::Word(word) => word.models.has(settled.model.index()),
            Self::Status(statuses) => statuses.contains(&settled.status),
            Self::Model(ids) => ids.has(settled.model.index()),
            Self::Figure(figure, how) => {
                how.holds(figure_of(*figure, settled)) || passes_already(*figure, *how, settled)
            }
            Self::Escalated => settled.escalated,
            Self::Estimated => is_estimated(settled),
            _ => false,
        }
    }
}

/// Says whether what is known of a figure passes a bound already, whatever the rest is: a prompt alone may be longer than asked.
fn passes_already(figure: Figure, how: Compare, settled: &Settled) -> bool {
    let is_lower_bound = matches!(how, Compare::More(_) | Compare::AtLeast(_));
    let (Figure::Tokens, true, Some(last)) = (figure, is_lower_bound, settled.attempts.last()) else {
        return false;
    };
    let known = last.usage.prompt().unwrap_or(0).saturating_add(last.usage.output.or_zero());
    how.holds(Some(i128::from(known)))
}

/// Says whether anything about an outcome is an estimate.
pub fn is_estimated(settled: &Settled) -> bool {
    settled.estimated || matches!(settled.cost, Cost::Estimated(_))
}

/// Returns a figure of an outcome, where it is known.
pub fn figure_of(figure: Figure, settled: &Settled) -> Option<i128> {
    match figure {
        Figure::Cost => settled.cost.amount().map(|amount| amount.0),
        Figure::Latency => settled.latency.get().map(i128::from),
        Figure::Tokens => {
            let usage = settled.attempts.last()?.usage;
            Some(i128::from(usage.prompt()? + usage.output.get()?))
        }
        Figure::Confidence => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Attempt;
    use crate::pricing::Usage;
    use crate::units::{Count, ModelId};

    /// A request that broke off would else be missing from the long ones, however long its prompt was.
    #[test]
    fn a_prompt_alone_may_be_longer_than_asked_for() {
        let mut settled = Settled::default();
        settled.attempts.push(Attempt {
            model: ModelId(0),
            usage: Usage { output: Count::UNKNOWN, ..Usage::plain(12_000, 1).unwrap() },
            status: Status::Ok,
            ..Attempt::REFUSED
        });
        let is = |how| Ready::Figure(Figure::Tokens, how).of_outcome(&settled);
        assert!(is(Compare::More(10_000)) && is(Compare::AtLeast(12_000)));
        assert!(!is(Compare::More(12_000)) && !is(Compare::Less(20_000)) && !is(Compare::Equal(12_000)));
        assert!(is(Compare::Unknown));
    }
}
