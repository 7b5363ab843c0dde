//! Another classifier staged in the player: what its window would come to, and which requests would go elsewhere.
//!
//! Invariant: which requests go elsewhere is counted one by one, as the list of them is.

use std::sync::Arc;

use super::frontiers::{Frontiers, row_of, same_names, with_staged};
use super::second::{Second, start};
use super::snapshot::RouteConsequences;
use super::{Play, Player, PolicySpan};
use crate::routing::{Policy, RouteId};
use crate::telemetry::{CurvePoint, Forecast};

impl Player {
    /// Stages the second classifier, or drops it.
    pub(super) fn turn_second(&mut self) {
        if self.second.is_staged {
            self.second = Second::default();
            return;
        }
        if self.log.second.is_none() {
            let how = if self.live.is_some() { "start the gateway" } else { "open the log" };
            self.message = Some(format!("no other classifier is at hand: {how} with --try-classifier FILE"));
            return;
        }
        self.second.is_staged = true;
        match self.play {
            Play::Playing => self.play = Play::Paused,
            // What is compared stands still; traffic goes on behind it.
            Play::Following => self.hold(),
            Play::Paused | Play::Ended => {}
        }
    }

    /// Says why what is staged cannot be put in force, where it is a classifier.
    pub(super) fn second_stays(&self) -> Option<String> {
        self.second.is_staged.then(|| {
            "a classifier is put in force by starting with it (--classifier FILE); drop it to apply thresholds"
                .to_owned()
        })
    }

    fn second_frontiers(&mut self) -> &mut Frontiers {
        self.second.frontiers(&self.log, self.view.range(), &self.policies)
    }

    /// Puts what the second classifier and a staged policy give into the place of what is staged.
    pub(super) fn by_second(
        &mut self,
        mut rows: Vec<RouteConsequences>,
        now: &Policy,
        staged: &Policy,
    ) -> Vec<RouteConsequences> {
        let others = self.second_frontiers().consequences(now, staged);
        for row in &mut rows {
            (row.staged, row.flips, row.explored) = (Forecast::default(), 0, None);
        }
        for other in others {
            let row = row_of(&mut rows, &other.setting);
            // What was judged otherwise is compared as a whole.
            row.moved = [row.applied.spread, other.staged.spread];
            row.staged = other.staged;
        }
        self.count_flips(&mut rows, now, staged);
        rows
    }

    fn count_flips(&self, rows: &mut [RouteConsequences], now: &Policy, staged: &Policy) {
        let (first, end) = self.view.range();
        let log = &*self.log;
        let by = (&*log.prices, &*log.circumstances);
        let mut changed: Option<(Arc<Policy>, Policy)> = None;
        for (index, recalled) in log.history.range(first, end) {
            let evidence = recalled.evidence();
            let operation = evidence.operation;
            let Some(policy) = PolicySpan::in_force(&self.policies, index) else { continue };
            let tried = match changed.take().filter(|(of, _)| Arc::ptr_eq(of, policy)) {
                Some(known) => changed.insert(known),
                None => changed.insert((Arc::clone(policy), with_staged(policy, now, staged))),
            };
            let other = operation.by_second().unwrap_or(*operation);
            let (before, after) = (start(policy, operation, by), start(&tried.1, &other, by));
            let is_kept = operation.pinned && before.0.pins(operation.class);
            if !is_kept
                && (before.0.tag, before.1) != (after.0.tag, after.1)
                && let Some(row) = rows.iter_mut().find(|row| same_names(&row.setting, before.0))
            {
                row.flips += 1;
            }
        }
    }

    /// Returns the curve of one rung's threshold by the confidences in force.
    pub(super) fn curve_by(
        &mut self,
        now: &Policy,
        staged: &Policy,
        (route, rung): (RouteId, usize),
    ) -> Vec<CurvePoint> {
        let frontiers =
            if self.second.is_staged { self.second_frontiers() } else { &mut self.view.frontiers };
        frontiers.curve(now, staged, staged.route(route), rung)
    }
}
