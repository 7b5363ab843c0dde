//! Cells by every dimension that people ask about.

use super::{Cell, Sign};
use crate::classifier::TaskClass;
use crate::outcome::{Evidence, Settled};
use crate::pricing::Cost;
use crate::units::Pico;

/// All of the traffic, and its parts by model, team, project, route and task.
#[derive(Clone, Debug, PartialEq)]
pub struct Totals {
    /// Everything.
    pub all: Cell,
    /// By model id: every call at the model it went to.
    pub models: Vec<Cell>,
    /// By team id; the last entry of the pair is for requests without a team. The same holds for projects.
    pub teams: (Vec<Cell>, Cell),
    /// By project id.
    pub projects: (Vec<Cell>, Cell),
    /// By route name, whichever policies had it.
    pub routes: Vec<Cell>,
    /// By task class.
    pub tasks: Vec<Cell>,
    /// Calls to no named model.
    pub unnamed_model: Cell,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            all: Cell::default(),
            models: Vec::new(),
            teams: (Vec::new(), Cell::default()),
            projects: (Vec::new(), Cell::default()),
            routes: Vec::new(),
            tasks: vec![Cell::default(); TaskClass::ALL.len()],
            unnamed_model: Cell::default(),
        }
    }
}

#[inline]
fn slot(cells: &mut Vec<Cell>, index: usize) -> &mut Cell {
    if cells.len() <= index {
        cells.resize_with(index + 1, Cell::default);
    }
    &mut cells[index]
}

fn named(cells: &mut (Vec<Cell>, Cell), index: Option<usize>) -> &mut Cell {
    match index {
        Some(index) => slot(&mut cells.0, index),
        None => &mut cells.1,
    }
}

impl Totals {
    /// Adds or takes away a settled operation.
    pub fn apply(&mut self, evidence: &Evidence<'_>, settled: &Settled, sign: Sign) {
        let operation = evidence.operation;
        let (mut one, latency) = (Cell::default(), settled.latency);
        one.fill(settled);
        self.all.operation(&one, latency, sign);
        named(&mut self.teams, operation.team.index()).operation(&one, latency, sign);
        named(&mut self.projects, operation.project.index()).operation(&one, latency, sign);
        slot(&mut self.routes, settled.tag.index().unwrap_or_default()).operation(&one, latency, sign);
        slot(&mut self.tasks, operation.class.index()).operation(&one, latency, sign);
        let last = settled.attempts.len().saturating_sub(1);
        for (at, attempt) in settled.attempts.iter().enumerate() {
            let cell = match attempt.model.index() {
                Some(index) => slot(&mut self.models, index),
                None => &mut self.unnamed_model,
            };
            cell.attempt(attempt, at == last, settled.escalated, sign);
            // Only the first call was foretold, and only what was seen to happen tells whether rightly.
            if at == 0
                && attempt.observed
                && attempt.status.is_ok()
                && let (Some(expected), Cost::Known(billed)) = (operation.expected, attempt.cost)
            {
                let expected = Pico(expected.get().into());
                cell.foretold(expected, billed, sign);
                self.all.foretold(expected, billed, sign);
            }
        }
    }
}
