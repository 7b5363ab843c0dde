//! What the ledger says was spent of budgets before they were in force: at a start, and where an edit brings new ones.
//!
//! Invariant: every call of the ledger is counted once: by whoever made it where the limit was in force when its request
//! arrived, else from the ledger, once its request is over.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use rustc_hash::FxHashSet;

use super::estimate::TEMPLATE;
use super::{Gateway, now};
use crate::budget::{Drawn, Payer};
use crate::engine::Written;
use crate::ledger::{LedgerError, LedgerFile, Range, SpentCall};
use crate::outcome::ALL_SIMULATED;
use crate::pricing::{Cost, Unpriced};
use crate::routing::{AtMost, up_to_grid};
use crate::session::{Live, Uncounted};
use crate::units::{Instant, SHADOW, Span};

/// Books what the ledger says was spent of the limits in force in the windows that are under way.
///
/// # Errors
/// Where it cannot be read.
pub fn draw_before(live: &Live, ledger: &Path) -> Result<(), LedgerError> {
    let Some(from) = live.budgets_since(now()).filter(|_| ledger.is_file()) else { return Ok(()) };
    let calls = spent(live, ledger, from, |_| true)?;
    live.draw(&calls.iter().map(drawn).collect::<Vec<_>>(), None);
    Ok(())
}

/// Lists the calls for users of those requests since a moment that are wanted by their number.
fn spent(
    live: &Live,
    ledger: &Path,
    from: Instant,
    wanted: impl Fn(u64) -> bool,
) -> Result<Vec<SpentCall>, LedgerError> {
    let mut calls = Vec::new();
    // What a trial made up is no money once providers are real.
    let is_trial = live.is_trial();
    let range = Range { from: Some(from), ..Range::default() };
    LedgerFile::open(ledger)?.spent(&range, |call| {
        if call.key != SHADOW && wanted(call.seq) && (is_trial || call.simulated != ALL_SIMULATED) {
            calls.push(call);
        }
    })?;
    Ok(calls)
}

fn drawn(call: &SpentCall) -> (Drawn<'_>, AtMost, Written) {
    let payer = Payer {
        team: &call.team,
        project: &call.project,
        user: &call.user,
        key: &call.key,
        session: &call.session,
        route: &call.route,
        model: &call.model,
        task: &call.task,
        tags: &call.tags,
        ..Payer::default()
    };
    // Of a call that no limit was about when it was made: no prompt has more tokens than bytes, and the estimate is a quarter of those.
    let prompt = call.prompt.unwrap_or(0).saturating_mul(4).saturating_add(TEMPLATE);
    let reckoned = AtMost {
        prompt: up_to_grid(prompt),
        output: up_to_grid(call.output.unwrap_or(8192)),
        ..AtMost::default()
    };
    let told = call.at_most.unwrap_or(reckoned);
    let any_tier = told.any_tier || call.cost == Cost::Unknown(Unpriced::NoTier);
    let written = Written { is_open: call.output.unwrap_or(0) == 0, by_rungs: call.on_rung };
    let drawn = Drawn { at: call.at, payer, cost: call.cost, billed: &call.billed };
    (drawn, AtMost { any_tier, ..told }, written)
}

/// How long after a request arrived it may still be open when a limit comes into force, before its calls are looked for anew.
const EARLIER: Span = Span::hours(24);

impl Gateway {
    /// Books on new limits what was spent before them. What belongs to requests that are under way follows when they are over.
    pub(super) async fn count_before(&self, new: Uncounted) -> Option<String> {
        if !self.keeps_ledger || new.limits.is_empty() {
            return None;
        }
        let from = self.live.budgets_since(now())?;
        let (next, open) = (new.next, new.open.clone());
        // Operations of earlier runs may have numbers beyond all.
        let is_before = move |seq: u64| (seq < next || seq > u64::MAX / 2) && !open.contains(&seq);
        let trouble = self.book(from, &new.limits, is_before).await.err();
        if !new.open.is_empty() {
            self.catch_up.lock().unwrap_or_else(PoisonError::into_inner).push(new);
        }
        trouble.map(|why| format!("budgets: what was spent of new limits before now is not counted: {why}"))
    }

    /// Books on them what has come to an end of what was under way then.
    pub(super) async fn catch_up(&self) {
        let waiting = std::mem::take(&mut *self.catch_up.lock().unwrap_or_else(PoisonError::into_inner));
        for mut new in waiting {
            let over: FxHashSet<u64> = self.live.ended_of(&new.open);
            let from = now() + Span(-EARLIER.0);
            let wanted = over.clone();
            let is_booked = over.is_empty()
                || self.book(from, &new.limits, move |seq| wanted.contains(&seq)).await.is_ok();
            if is_booked {
                new.open.retain(|seq| !over.contains(seq));
            }
            if !new.open.is_empty() {
                self.catch_up.lock().unwrap_or_else(PoisonError::into_inner).push(new);
            }
        }
    }

    async fn book(
        &self,
        from: Instant,
        limits: &[u16],
        wanted: impl Fn(u64) -> bool + Send + 'static,
    ) -> Result<(), LedgerError> {
        // What was over when the limit came into force may be recorded a moment later: within the first wait at most.
        self.ledger.commit().await?;
        self.ledger.commit().await?;
        let (path, ledger, live) = (self.ledger.state().path, self.ledger.clone(), Arc::clone(&self.live));
        let read = move || spent(&live, &path, from, |seq| wanted(ledger.number_of(seq)));
        let calls = tokio::task::spawn_blocking(read).await;
        let calls = calls.map_err(|_| LedgerError::Closed("the reader ended".to_owned()))??;
        self.live.draw(&calls.iter().map(drawn).collect::<Vec<_>>(), Some(limits));
        Ok(())
    }
}
