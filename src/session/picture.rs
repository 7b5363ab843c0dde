//! The player's picture of a moment.

use std::sync::Arc;

use super::Player;
use super::snapshot::{Snapshot, WindowScope};
use crate::units::Instant;

impl Player {
    /// Returns the picture of this moment.
    pub fn snapshot(&mut self) -> Snapshot {
        self.draw_strip();
        let consequences = Arc::new(self.consequences());
        let (log, policy) = (Arc::clone(&self.log), Arc::clone(self.policy()));
        let proofs = self.proof.at(&log, &self.policies, self.head, &policy);
        let nothing = if self.live.is_some() { self.clock } else { Instant(0) };
        let log_start = self.log.bounds().map_or(nothing, |(first, _)| first);
        let (first, end) = self.view.range();
        let from = self.window.map_or(log_start, |span| (self.clock - span).max(log_start));
        let (spending, alerts) = self.spending_and_alerts();
        let trend = self.view.trend.series(from, Instant(self.clock.0 + 1), 240);
        Snapshot {
            log: Arc::clone(&self.log),
            reading: self.reading,
            play: self.play,
            speed: self.speed,
            head: self.head,
            clock: self.clock,
            policies: Arc::new(self.policies.clone()),
            policy: Arc::clone(self.policy()),
            staged: self.staged.clone(),
            limits: Arc::clone(&self.limits),
            second: self.log.second.clone().filter(|_| self.second.is_staged),
            changes: Arc::new(self.changes.clone()),
            undoable: self.undo.len(),
            window: WindowScope { window: self.window, from, to: self.clock, first, end },
            totals: Arc::new(self.view.totals.clone()),
            to_date: Arc::new(self.engine.totals().clone()),
            trend: Arc::new(trend),
            trend_slot: self.view.trend.slot(),
            consequences,
            rerun: self.rerun.clone(),
            branches: self.branches.clone(),
            marks: Arc::new(self.marks.clone()),
            looped: self.looped,
            message: self.message.clone(),
            is_done: self.is_done,
            live: self.live_view(),
            spending,
            alerts,
            billed: self.billed.clone(),
            proofs,
        }
    }
}
