//! A log run anew in the order of its arrivals, where requests wait for room in a budget.
//!
//! Invariants: whoever waits has not arrived: it is decided at the moment at which it is let in or refused; at each limit they
//! are let in first come, first served, before whoever arrives at that moment; each of them ends at its last moment at the latest.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::fold::Fold;
use super::{Log, PolicySpan};
use crate::budget::Over;
use crate::outcome::{Evidence, Outlook, Recalled, Settled};
use crate::pricing::PriceTable;
use crate::routing::{Circumstance, Policy};
use crate::units::{Instant, Span};

/// A request that waits.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    index: usize,
    since: Instant,
    /// When it is refused where there is no room yet.
    until: Instant,
    /// When the limit that has no room starts anew, if it does.
    anew: Option<Instant>,
}

impl Waiter {
    fn new(index: usize, since: Instant, over: &Over) -> Self {
        Self { index, since, until: since + over.limit.wait, anew: over.resets_at }
    }

    /// Returns when it asks again of itself.
    fn asks(&self) -> Instant {
        self.anew.map_or(self.until, |anew| anew.min(self.until))
    }
}

/// What became of a request, at the moment at which it was let in or refused.
pub(super) struct Came<'c> {
    /// Its place in the log.
    pub(super) index: usize,
    /// The request, arrived at that moment.
    pub(super) evidence: &'c Evidence<'c>,
    /// The policy that decided.
    pub(super) policy: &'c Arc<Policy>,
    /// How things stood.
    pub(super) circumstance: &'c Circumstance,
    /// What it came to.
    pub(super) settled: &'c Settled,
}

/// What a log is run under.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script<'r> {
    /// Who decides from where on.
    pub(super) policies: &'r [PolicySpan],
    /// The place where it stops.
    pub(super) end: usize,
    /// The prices; the log's own where not said.
    pub(super) prices: Option<&'r PriceTable>,
}

impl<'r> Script<'r> {
    /// Has these policies decide up to a place, at the log's own prices.
    pub(super) fn new(policies: &'r [PolicySpan], end: usize) -> Self {
        Self { policies, end, prices: None }
    }
}

/// A run.
struct Run<'r> {
    log: &'r Log,
    policies: &'r [PolicySpan],
    outlook: Outlook<'r>,
    fold: &'r mut Fold,
    take: &'r mut dyn FnMut(Came<'_>) -> bool,
    waiting: BTreeMap<u64, Waiter>,
    /// The latest place in the log that has come.
    reached: usize,
}

/// Runs a log: every request in order of arrival, each decided under the policy of its time on how budgets stand.
/// `take` hears of each what became of it, in order of time, and may stop by answering false; says whether it did not.
pub(super) fn in_turn(
    log: &Log,
    fold: &mut Fold,
    script: Script<'_>,
    take: &mut dyn FnMut(Came<'_>) -> bool,
) -> bool {
    let Script { policies, end, prices } = script;
    let range = (log.history.start(), end.min(log.len()));
    let waited = |came: &Recalled<'_>| came.extra.map_or(0, |extra| extra.waited);
    let mut outlook = log.outlook();
    outlook.prices = prices.unwrap_or(outlook.prices);
    let mut run = Run { log, policies, outlook, fold, take, waiting: BTreeMap::new(), reached: 0 };
    if log.history.range(range.0, range.1).all(|(_, came)| waited(&came) == 0) {
        let mut arrivals = log.history.range(range.0, range.1);
        return arrivals.all(|(index, came)| run.arrive(index, &came.evidence(), came.operation.at))
            && run.let_time_pass(None);
    }
    // What waited while it was recorded arrived before the moment that the log tells.
    let came = |(index, came): (usize, Recalled<'_>)| {
        (came.operation.at + Span(-i64::from(waited(&came)).saturating_mul(1000)), index)
    };
    let mut order: Vec<(Instant, usize)> = log.history.range(range.0, range.1).map(came).collect();
    order.sort_unstable();
    let mut arrivals =
        order.into_iter().filter_map(|(at, index)| Some((index, log.history.recall(index)?, at)));
    arrivals.all(|(index, came, at)| run.arrive(index, &came.evidence(), at)) && run.let_time_pass(None)
}

impl Run<'_> {
    fn arrive(&mut self, index: usize, evidence: &Evidence<'_>, at: Instant) -> bool {
        if !self.let_time_pass(Some(at)) {
            return false;
        }
        self.reached = self.reached.max(index);
        match self.ask(index, evidence, (at, None), false) {
            Ok(goes_on) => goes_on && self.let_in_called(at),
            Err((turn, over)) => {
                self.waiting.insert(turn, Waiter::new(index, at, &over));
                true
            }
        }
    }

    /// Changes limits, and lets in or refuses those whose moment comes, up to an arrival, or until nobody waits; says whether it
    /// goes on.
    fn let_time_pass(&mut self, to: Option<Instant>) -> bool {
        loop {
            let next = self.waiting.iter().map(|(turn, waiter)| (waiter.asks(), *turn)).min();
            let until = match (to, next) {
                (Some(to), Some((at, _))) => to.min(at),
                (Some(at), None) | (None, Some((at, _))) => at,
                (None, None) => return true,
            };
            let spending = self.fold.spending.as_mut();
            let changes = spending.and_then(|spending| Some((spending.changes_at()?, spending)));
            if let Some((at, spending)) = changes.filter(|(at, _)| *at <= until) {
                spending.reach(at);
                if !self.let_in_called(at) {
                    return false;
                }
                continue;
            }
            let Some((at, turn)) = next.filter(|(at, _)| to.is_none_or(|to| *at <= to)) else { return true };
            if !self.ask_again(turn, at) || !self.let_in_called(at) {
                return false;
            }
        }
    }

    /// Lets those ask again who were called; says whether it goes on.
    fn let_in_called(&mut self, at: Instant) -> bool {
        loop {
            let called =
                self.fold.spending.as_mut().map(|spending| spending.budgets.called()).unwrap_or_default();
            if called.is_empty() {
                return true;
            }
            if !called.into_iter().all(|turn| self.ask_again(turn, at)) {
                return false;
            }
        }
    }

    fn ask_again(&mut self, turn: u64, at: Instant) -> bool {
        let Some(waiter) = self.waiting.get(&turn).copied() else { return true };
        let is_late = at >= waiter.until;
        let recalled = self.log.history.recall(waiter.index);
        let asked = recalled.map(|came| self.ask(waiter.index, &came.evidence(), (at, Some(turn)), is_late));
        if let Some(Err((_, over))) = asked {
            let still = Waiter::new(waiter.index, waiter.since, &over);
            self.waiting.insert(turn, still);
            return true;
        }
        self.waiting.remove(&turn);
        if let Some(spending) = &mut self.fold.spending {
            spending.budgets.leave(turn);
        }
        asked.is_none_or(|asked| asked.unwrap_or(true))
    }

    /// Asks for a request at a moment; says whether it goes on.
    ///
    /// # Errors
    /// Where it waits: its turn, and the limit that has no room.
    fn ask(
        &mut self,
        index: usize,
        evidence: &Evidence<'_>,
        (at, turn): (Instant, Option<u64>),
        is_late: bool,
    ) -> Result<bool, (u64, Box<Over>)> {
        let mut operation = *evidence.operation;
        operation.at = at;
        let evidence = Evidence { operation: &operation, extra: evidence.extra };
        let of = self.reached.max(index);
        let policy = self.log.policy_of(self.policies, of);
        let asked = self.fold.arrive_or_wait(index, &evidence, policy, &self.outlook, (turn, is_late));
        let (circumstance, settled) = asked?;
        Ok((self.take)(Came { index, evidence: &evidence, policy, circumstance, settled }))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::super::spending::Spending;
    use super::*;
    use crate::budget::{
        Anchor, Dimension, Limit, LimitHistory, Mode, OverLimit, Period, Scope, Unpriced, Zone,
    };
    use crate::classifier::{Classifier, Measures};
    use crate::pricing::{ModelPrices, PriceBook, PriceRow, Rates, Tier, Usage};
    use crate::record::{Input, ReadOptions, open};
    use crate::routing::{AtMost, PolicySpec, RouteSpec, RungSpec, Status};
    use crate::session::{
        Arriving, Called, Ingest, IngestOptions, Live, LiveSetup, Placed, Reading, Waiting, Wants, branched,
        budgeted,
    };
    use crate::units::{Names, Pico, PicoPerMillion};

    const MODEL: &str = "gpt-4.1";

    fn parts() -> (Policy, Names, PriceBook) {
        let mut names = Names::default();
        let rung = RungSpec { model: MODEL.to_owned(), ..RungSpec::default() };
        let route = RouteSpec { name: "all".to_owned(), ladder: vec![rung], ..RouteSpec::default() };
        let spec = PolicySpec {
            name: "one".to_owned(),
            baseline: Some(MODEL.to_owned()),
            routes: vec![route],
            ..PolicySpec::default()
        };
        let policy = Policy::compile(&spec, 1, &mut names).unwrap();
        let usd = |text| PicoPerMillion::from_usd_per_million(text).unwrap();
        let base = Tier { input: usd("2.00"), output: usd("8.00"), ..Tier::default() };
        let row = PriceRow { standard: Rates { base, above: Vec::new() }, ..PriceRow::default() };
        let mut book = PriceBook { name: "one".into(), dated: "2026-11-23".into(), ..PriceBook::default() };
        book.models.insert(MODEL.into(), ModelPrices { rows: vec![row], ..ModelPrices::default() });
        (policy, names, book)
    }

    fn limit(name: &str, team: Option<&str>, rooms: i128, wait: Span) -> Limit {
        let lists = team.map(|team| (Dimension::Team, vec![team.into()])).into_iter().collect();
        Limit {
            budget: name.into(),
            scope: Arc::new(Scope { lists, each: None }),
            period: Period::Every(Span::secs(10)),
            anchor: Anchor::default(),
            zone: Zone::utc(),
            // A little more than a call costs, as a gateway holds.
            amount: Pico(10_300_000_000 * rooms),
            special: BTreeMap::new(),
            mode: Mode::Hard,
            over: OverLimit::Queue,
            wait,
            unpriced: Unpriced::Refuse,
            steer: None,
        }
    }

    /// A client at the live session.
    enum At {
        Waits(Box<Waiting<'static>>, Instant),
        Called(Box<Placed>, Instant),
        Over,
    }

    /// The session that a gateway serves with, driven by a clock of its own as `gateway/queued.rs` drives it.
    struct Front {
        live: Live,
        rung: Arc<Mutex<Vec<u64>>>,
        clients: Vec<At>,
        takes: Span,
        waited: usize,
        refused: usize,
    }

    impl Front {
        fn placed(&mut self, placed: Placed, now: Instant) -> At {
            if placed.send.is_ok() {
                return At::Called(Box::new(placed), now + self.takes);
            }
            self.refused += 1;
            At::Over
        }

        fn arrive(&mut self, team: &'static str, now: Instant) {
            let at_most = AtMost { prompt: 1024, output: 1024, ..AtMost::default() };
            let arriving = Arriving {
                asked: "auto".into(),
                team: team.into(),
                id: format!("r{:03}", self.clients.len()).into(),
                measures: Measures { prompt_tokens: Some(1024), ..Measures::default() },
                wants: Wants { at_most, max_output: Some(1024), ..Wants::default() },
                ..Arriving::default()
            };
            let rung = Arc::clone(&self.rung);
            let own = Arc::new(Mutex::new(None));
            let turn = Arc::clone(&own);
            let bell = move || {
                Box::new(move || rung.lock().unwrap().extend(*turn.lock().unwrap())) as crate::session::Bell
            };
            let at = match self.live.arrive_or_wait(arriving, now, bell) {
                Ok(placed) => self.placed(placed, now),
                Err(waiting) => {
                    *own.lock().unwrap() = Some(waiting.turn);
                    self.waited += 1;
                    At::Waits(waiting, now)
                }
            };
            self.clients.push(at);
            self.ring(now);
        }

        /// Returns when a client has something to do next of itself.
        fn due(at: &At) -> Option<Instant> {
            match at {
                At::Waits(waiting, since) => {
                    let until = *since + waiting.over.limit.wait;
                    Some(waiting.over.resets_at.map_or(until, |anew| anew.min(until)))
                }
                At::Called(_, ends) => Some(*ends),
                At::Over => None,
            }
        }

        fn step(&mut self, client: usize, now: Instant) {
            let at = std::mem::replace(&mut self.clients[client], At::Over);
            self.clients[client] = match at {
                At::Waits(waiting, since) => {
                    let (turn, is_late) = (waiting.turn, now >= since + waiting.over.limit.wait);
                    match self.live.ask_again(waiting, now, is_late) {
                        Ok(placed) => {
                            self.live.leave(turn);
                            self.placed(placed, now)
                        }
                        Err(waiting) => At::Waits(waiting, since),
                    }
                }
                At::Called(mut placed, _) => {
                    let usage = Usage::plain(1024, 1024).unwrap();
                    let latency = u32::try_from(self.takes.0 / 1000).ok();
                    let called =
                        Called { model: MODEL.into(), usage, latency_ms: latency, ..Called::default() };
                    self.live.ended(&mut placed.ticket, called, false).unwrap();
                    At::Over
                }
                At::Over => At::Over,
            };
            self.ring(now);
        }

        fn ring(&mut self, now: Instant) {
            let rung = std::mem::take(&mut *self.rung.lock().unwrap());
            for turn in rung {
                let of = |at: &At| matches!(at, At::Waits(waiting, _) if waiting.turn == turn);
                if let Some(client) = self.clients.iter().position(of) {
                    self.step(client, now);
                }
            }
        }

        /// Lets time pass up to a moment, or until nothing is left to do. Calls end first, as in a run over a log; then those
        /// that wait ask, in the order of their turns.
        fn pass(&mut self, to: Option<Instant>) {
            loop {
                let order = |at: &At| match at {
                    At::Waits(waiting, _) => waiting.turn,
                    At::Called(..) | At::Over => 0,
                };
                let due = self.clients.iter().enumerate();
                let due = due.filter_map(|(client, at)| Some((Self::due(at)?, order(at), client))).min();
                let Some((now, _, client)) = due.filter(|(now, ..)| to.is_none_or(|to| *now <= to)) else {
                    return;
                };
                self.step(client, now);
            }
        }
    }

    fn served_live(limits: &[Limit], arrivals: &[(i64, bool)], takes: Span) -> (Front, String) {
        let (policy, names, book) = parts();
        let live = Live::new(LiveSetup {
            policy,
            names,
            classifier: Arc::new(Classifier::builtin()),
            book,
            next_seq: 1,
            at: Instant(0),
            who: String::new(),
            gateway: String::new(),
        });
        live.limit(limits.to_vec());
        let lines = Arc::new(Mutex::new(String::new()));
        let into = Arc::clone(&lines);
        live.follow(Box::new(move |line| {
            let mut text = into.lock().unwrap();
            text.push_str(line);
            text.push('\n');
            true
        }));
        let mut front =
            Front { live, rung: Arc::default(), clients: Vec::new(), takes, waited: 0, refused: 0 };
        for (at, is_search) in arrivals {
            let now = Instant::from_secs(1_800_000_000) + Span(at * 1000);
            front.pass(Some(now));
            front.arrive(if *is_search { "search" } else { "payments" }, now);
        }
        front.pass(None);
        let text = lines.lock().unwrap().clone();
        (front, text)
    }

    fn loaded(text: String) -> Log {
        let (policy, names, book) = parts();
        let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
        let source = open(&Input::bytes("live", text.into_bytes()), &ReadOptions::default()).unwrap();
        Log::load("live".to_owned(), source, ingest, Arc::new(policy), &book, |_| true).unwrap()
    }

    proptest! {
        /// A trial over what was served would else promise another number of refusals than there were.
        #[test]
        fn a_trial_over_what_was_served_under_limits_that_queue_lets_the_same_in_at_the_same_moments(
            mut arrivals in proptest::collection::vec((0i64..60_000, any::<bool>()), 1..60),
            rooms in 1i128..6, own in 1i128..4, wait in 1i64..25, takes in 1i64..3_000, has_own in any::<bool>(),
        ) {
            arrivals.sort_unstable();
            arrivals.dedup_by_key(|(at, _)| *at);
            let wait = Span::secs(wait);
            let mut limits = vec![limit("all", None, rooms, wait)];
            if has_own {
                limits.push(limit("search", Some("search"), own, wait));
            }
            let (front, text) = served_live(&limits, &arrivals, Span(takes * 1000));
            let log = loaded(text);
            prop_assert_eq!(log.len(), arrivals.len());
            let mut fold = Fold::with(Spending::new(&LimitHistory::from(limits.clone()), &log.names));
            let mut came = Vec::new();
            let all = in_turn(&log, &mut fold, Script::new(&log.spans(), log.len()), &mut |one| {
                let refused = one.settled.status == Status::Refused;
                came.push((log.history.id(one.index).to_owned(), one.evidence.operation.at.0 / 1000, refused));
                true
            });
            prop_assert!(all);
            came.sort();
            let told = log.history.range(0, log.len()).map(|(index, evidence)| {
                let refused = evidence.operation.served.status == Status::Refused;
                (log.history.id(index).to_owned(), evidence.operation.at.0 / 1000, refused)
            });
            let mut told: Vec<_> = told.collect();
            told.sort();
            prop_assert_eq!(came, told);
            let limits = LimitHistory::from(limits);
            let found = budgeted(&log, &log.spans(), &limits, Reading::Routed, |_| true).unwrap();
            prop_assert_eq!((found.waited, found.refused), (front.waited as u64, front.refused as u64));
            prop_assert_eq!((found.open_holds, front.live.waiting()), (0, 0));
            let start = Instant::from_secs(1_800_000_000);
            let branch =
                branched(&log, &log.spans(), (&limits, true), (None, start), None, |_, _, _| true).unwrap();
            prop_assert_eq!((branch.budgets.waited, branch.refused.0), (front.waited as u64, front.refused as u64));
        }
    }

    /// Who tries a limit would else be told that nobody would have been turned away.
    #[test]
    fn as_recorded_whoever_no_rung_has_room_for_counts_as_refused_and_not_as_moved() {
        let arrivals: Vec<(i64, bool)> = (1..=9).map(|nth| (nth * 100, false)).collect();
        let log = loaded(served_live(&[], &arrivals, Span(50_000)).1);
        let of = |mode| {
            let limit = Limit { over: OverLimit::Cheaper, mode, ..limit("all", None, 3, Span(0)) };
            budgeted(&log, &log.spans(), &vec![limit].into(), Reading::Recorded, |_| true).unwrap()
        };
        let found = of(Mode::Hard);
        assert_eq!((found.refused, found.moved, found.turned.len()), (6, 0, 6));
        assert!(found.turned.iter().all(|one| one.refused));
        // Nobody is refused for a soft one, and there is nowhere else to go.
        let found = of(Mode::Soft);
        assert_eq!((found.refused, found.moved), (0, 0));
    }

    /// Beside a limit that refuses most requests the cost would else stand as if it refused none.
    #[test]
    fn what_is_tried_of_limits_says_what_all_requests_come_to_under_them() {
        let arrivals: Vec<(i64, bool)> = (1..=9).map(|nth| (nth * 100, false)).collect();
        let log = loaded(served_live(&[], &arrivals, Span(50_000)).1);
        let policy = log.spans()[0].policy.clone();
        let limit = Limit { over: OverLimit::Refuse, ..limit("all", None, 3, Span(0)) };
        let (none, tried) = (LimitHistory::default(), LimitHistory::from(vec![limit]));
        let [applied, staged] =
            crate::session::try_budgets(&log, (&policy, &policy), ([&none, &tried], None), || true).unwrap();
        let [before, after] = crate::session::BudgetsTried::beside(&applied, &staged).came_to;
        assert_eq!((before.requests, before.failed, after.requests, after.failed), (9, 0, 9, 6));
        assert_eq!(before.cost.total().0, after.cost.total().0 * 3);
    }

    #[test]
    fn whoever_waits_is_let_in_when_the_window_turns_and_refused_when_it_waited_too_long() {
        let arrivals: Vec<(i64, bool)> = (1..=9).map(|nth| (nth * 100, false)).collect();
        let limits = [limit("all", None, 3, Span::secs(15))];
        let (front, text) = served_live(&limits, &arrivals, Span(50_000));
        assert_eq!((front.waited, front.refused), (6, 3));
        let log = loaded(text);
        let found = budgeted(&log, &log.spans(), &limits.to_vec().into(), Reading::Routed, |_| true).unwrap();
        assert_eq!((found.waited, found.refused, found.standings.len()), (6, 3, 2));
        // Without patience all that found no room are refused at once, at the moment at which they came.
        let hasty = [limit("all", None, 3, Span(0))];
        let found = budgeted(&log, &log.spans(), &hasty.to_vec().into(), Reading::Routed, |_| true).unwrap();
        assert_eq!(
            (found.refused, found.turned[0].at),
            (6, Instant::from_secs(1_800_000_000) + Span(400_000))
        );
    }
}
