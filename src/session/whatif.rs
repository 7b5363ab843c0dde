//! The player's what-if: what the staged policy would have meant over the window, from the frontiers.

use std::sync::Arc;

use super::fold::walk;
use super::frontiers::{grounds, with_staged};
use super::log::PolicySpan;
use super::rerun::{Rerun, RerunJob};
use super::snapshot::{Consequences, RouteConsequences};
use super::{Log, Play, Player};
use crate::routing::{Mode, NO_RUNG, Policy, RouteId};
use crate::telemetry::{CurvePoint, Forecast, Sign};

impl Player {
    /// Says what a re-run of what is staged has to decide; `None` where nothing is staged or time runs.
    pub fn rerun_wanted(&self) -> Option<RerunJob> {
        let is_still = !matches!(self.play, Play::Playing | Play::Following);
        // Requests that are judged anew are no matter of policies.
        if is_still && !self.second.is_staged { self.staged_job() } else { None }
    }

    /// Says what what is staged changes of the window as it is now; `None` where nothing is staged.
    pub(super) fn staged_job(&self) -> Option<RerunJob> {
        if self.staged.is_none() && self.limits.is_empty() {
            return None;
        }
        let staged = self.staged_policy();
        let (first, end) = self.view.range();
        let now = self.grounds();
        let changed = |span: &PolicySpan| {
            let mut policy = with_staged(&span.policy, &now, staged);
            // What is asked of a route that only observes is what it would do.
            for route in policy.routes.iter_mut().filter(|route| route.mode == Mode::Observe) {
                route.mode = Mode::Active;
            }
            PolicySpan { from: span.from, policy: Arc::new(policy) }
        };
        let policies = self.policies.iter().map(changed).collect();
        Some(RerunJob { policies, limits: Arc::clone(&self.limits), first, end })
    }

    /// Says whether a finished re-run equals the instant figure.
    pub fn agrees(&mut self, found: &Rerun) -> bool {
        let mut instant = crate::pricing::CostSum::default();
        for route in self.what_if() {
            instant += &route.staged.cost;
        }
        instant == found.cost
    }

    /// Returns what the staged policy would have meant over the window where calls are capped, or policies were too many to
    /// keep apart: every request decided in order of time, on the state of its instant. `None` where neither is so, nothing is
    /// staged, or time runs.
    pub fn what_if_in_order(&mut self) -> Option<Vec<RouteConsequences>> {
        let (job, rows) = self.in_order_wanted()?;
        in_order(&self.log, (&self.policies, &job), rows, || true)
    }

    /// Returns what that takes: what it decides, and the instant figures in whose place it comes.
    pub(super) fn in_order_wanted(&mut self) -> Option<(RerunJob, Vec<RouteConsequences>)> {
        let is_joined = self.view.frontiers.are_joined;
        let job = self.rerun_wanted().filter(|job| is_joined || self.log.remembers(&job.policies))?;
        let rows = self.what_if();
        Some((job, rows))
    }

    fn grounds(&self) -> Arc<Policy> {
        grounds(self.policy(), self.staged_policy(), self.policies.iter().map(|span| &*span.policy))
    }

    /// Returns what the staged policy would have meant over the window.
    pub fn what_if(&mut self) -> Vec<RouteConsequences> {
        let (now, staged) = (self.grounds(), Arc::clone(self.staged_policy()));
        let rows = self.view.frontiers.consequences(&now, &staged);
        if self.second.is_staged { self.by_second(rows, &now, &staged) } else { rows }
    }

    /// Returns the curve of one rung's threshold over the window.
    pub fn curve(&mut self, route: RouteId, rung: usize) -> Vec<CurvePoint> {
        let (now, staged) = (self.grounds(), Arc::clone(self.staged_policy()));
        self.curve_by(&now, &staged, (route, rung))
    }

    pub(super) fn consequences(&mut self) -> Consequences {
        let started = std::time::Instant::now();
        let wanted = self.walked.as_ref().and_then(|_| self.rerun_wanted());
        self.walked = self.walked.take().filter(|walked| wanted.as_ref() == Some(&walked.job));
        // What was decided in order is the figure, once it is there.
        let routes = match &self.walked {
            Some(walked) => walked.rows.clone(),
            None => self.what_if(),
        };
        let took = started.elapsed();
        let (route, rung) = self.focus;
        let curve = Arc::new(self.curve(route, rung));
        let is_joined = self.view.frontiers.are_joined;
        Consequences { routes, curve, route, rung, took, is_joined }
    }
}

/// Decides every request of a log in order of time under the policies in force and under what is staged, and puts what that comes to
/// into the place of the instant figures; `None` where it should not go on.
pub(super) fn in_order(
    log: &Log,
    (policies, job): (&[PolicySpan], &RerunJob),
    mut rows: Vec<RouteConsequences>,
    should_continue: impl Fn() -> bool,
) -> Option<Vec<RouteConsequences>> {
    for row in &mut rows {
        let Forecast { kept, cascade, .. } = std::mem::take(&mut row.applied);
        row.applied = Forecast { kept, cascade, ..Forecast::default() };
        (row.staged, row.flips) = (Forecast::default(), 0);
    }
    // Both sides by the same walk: what a log tells of caps and caches is of other decisions than are tried.
    let mut began = vec![NO_RUNG; job.end.saturating_sub(job.first)];
    let sides: [(&[PolicySpan], bool); 2] = [(policies, false), (&job.policies, true)];
    for (policies, is_staged) in sides {
        let is_done = walk(log, (policies, job.end), &mut |index, evidence, policy, settled| {
            let route = policy.route(settled.route);
            let is_kept = evidence.operation.pinned && route.pins(evidence.operation.class);
            if let Some(slot) = index.checked_sub(job.first).and_then(|at| began.get_mut(at))
                && !is_kept
                && let Some(row) = rows.iter_mut().find(|row| row.is_of(route))
            {
                let side = if is_staged { &mut row.staged } else { &mut row.applied };
                side.account(settled, Sign::Plus);
                row.flips += u64::from(is_staged && *slot != settled.first_rung);
                *slot = settled.first_rung;
            }
            index % 4096 != 0 || should_continue()
        });
        if !is_done {
            return None;
        }
    }
    Some(rows)
}
