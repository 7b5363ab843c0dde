//! A request is taken in: what it claims of budgets, whether it waits for room, where it goes.
//!
//! Invariant: what a request is decided on is read and changed under one lock; one that waits has not arrived: it takes no place
//! in the order, and nothing is kept of it but its turn.

use std::sync::{Arc, MutexGuard};

use super::runaways::{held_back, whose, words_of};
use super::ticket::Said;
use super::{Arriving, Called, Core, Live, Placed, Refusal, Ticket, lock, needs};
use crate::bandit::key_of;
use crate::budget::Over;
use crate::engine::{Arrival, Claims, Course, kept};
use crate::outcome::Operation;
use crate::pricing::Cost;
use crate::prompt_cache::expected_word;
use crate::routing::{
    AskId, BEFORE, CHANCE, Circumstance, Draw, Drawn, FULL, Follows, Lot, Needs, Short, TAG, UNDRAWN,
    UNREACHED, WAITED,
};
use crate::session::reason::{barred, reason};
use crate::units::{Instant, ModelId, PerMille, Pico, Span, tags_of};

/// Tells whoever waits that it may ask again.
pub type Bell = Box<dyn Fn() + Send>;

/// A request before it has arrived, with what was found out about it.
struct Asking {
    operation: Operation,
    needs: Needs,
    claims: Claims,
    over: Vec<(ModelId, Short)>,
    drawn: Option<Drawn>,
}

/// A request that waits for room in a budget, and has not arrived.
#[derive(Debug)]
pub struct Waiting<'a> {
    arriving: Arriving<'a>,
    judged: Operation,
    since: Instant,
    /// Its turn, by which it is called and leaves.
    pub turn: u64,
    /// The limit that has no room.
    pub over: Over,
}

impl Live {
    /// Takes a request in and says where it goes.
    pub fn arrive(&self, arriving: Arriving<'_>, now: Instant) -> Placed {
        let judged = self.judged(&arriving);
        let mut core = lock(&self.core);
        let asking = core.asking(&arriving, judged, (now, None), &self.book());
        self.place(core, arriving, asking, None)
    }

    /// Likewise, unless it has to wait for room in a budget.
    ///
    /// # Errors
    /// Where it waits, to be called by its bell. Whoever waits has to leave in the end, let in or not.
    pub fn arrive_or_wait<'a>(
        &self,
        arriving: Arriving<'a>,
        now: Instant,
        bell: impl FnOnce() -> Bell,
    ) -> Result<Placed, Box<Waiting<'a>>> {
        let judged = self.judged(&arriving);
        let mut core = lock(&self.core);
        let asking = core.asking(&arriving, judged, (now, None), &self.book());
        match core.wait(&asking, &arriving, None) {
            None => Ok(self.place(core, arriving, asking, None)),
            Some((turn, over)) => {
                core.bells.insert(turn, bell());
                let since = asking.operation.at;
                Err(Box::new(Waiting { arriving, judged, since, turn, over }))
            }
        }
    }

    /// Asks again for a request that waits; one that has waited too long is refused where there is no room.
    ///
    /// # Errors
    /// Where it waits on, perhaps for another limit.
    pub fn ask_again<'a>(
        &self,
        mut waiting: Box<Waiting<'a>>,
        now: Instant,
        is_late: bool,
    ) -> Result<Placed, Box<Waiting<'a>>> {
        let mut core = lock(&self.core);
        let turn = Some(waiting.turn);
        let asking = core.asking(&waiting.arriving, waiting.judged, (now, turn), &self.book());
        if !is_late && let Some((_, over)) = core.wait(&asking, &waiting.arriving, turn) {
            waiting.over = over;
            core.ring();
            return Err(waiting);
        }
        let Waiting { arriving, since, .. } = *waiting;
        let waited = asking.operation.at - since;
        let mut placed = self.place(core, arriving, asking, Some(waited));
        placed.reason = format!("{}; waited {} ms for room in a budget", placed.reason, waited.0 / 1000);
        Ok(placed)
    }

    /// Lets a request go that waited; the next one is called.
    pub fn leave(&self, turn: u64) {
        let mut core = lock(&self.core);
        core.bells.remove(&turn);
        core.decider.budgets_mut().leave(turn);
        core.ring();
    }

    /// Calls all that wait, wherever they stand: the end is near.
    pub fn ring_all(&self) {
        lock(&self.core).bells.values().for_each(|bell| bell());
    }

    /// Counts the requests that wait for room.
    pub fn waiting(&self) -> usize {
        lock(&self.core).bells.len()
    }

    fn place(
        &self,
        mut core: MutexGuard<'_, Core>,
        arriving: Arriving<'_>,
        asking: Asking,
        waited: Option<Span>,
    ) -> Placed {
        let Asking { operation, needs, claims, over, drawn } = asking;
        let (at_most, output) = (needs.at_most, needs.output);
        let is_hard = claims.are_hard(core.decider.budgets());
        let cap = arriving.wants.cap.filter(|_| is_hard);
        let plain_tier = is_hard && at_most.dearer_tier;
        core.last_at = operation.at;
        let seq = core.next_seq;
        core.next_seq += 1;
        core.applied += 1;
        let (whose, verdict) = core.watched(&arriving, operation.at);
        self.tell_trips(&verdict, operation.at);
        let prompt = core.prompt(&arriving);
        let advice = core.decider.advice(&operation, needs.window);
        let learnt = advice.word();
        let follows = core.follows(&operation, &arriving);
        let circumstance = Circumstance {
            runaway: held_back(&verdict),
            drawn,
            standing: core.standing(&operation, prompt.as_deref()),
            advice,
            follows,
            ..core.circumstance(needs, over, operation.at, &arriving.wants)
        };
        let place = prompt.as_deref().and_then(|(prompt, _)| core.decider.caches().place(prompt));
        let arrival = Arrival {
            key: seq,
            operation,
            circumstance: &circumstance,
            claims: Some(&claims),
            whose,
            prompt,
        };
        let course = core.decider.arrived(arrival);
        if learnt.is_some() {
            core.decider.known_by(seq, key_of(&arriving.id));
        }
        let policy = Arc::clone(core.decider.policy());
        let (decision, refused) = match course {
            Some(Course::Over(closed)) => (closed.decision.clone(), Some(closed)),
            _ => (core.decision(seq, &operation, &circumstance), None),
        };
        let name = |model: ModelId| core.names.model(model);
        // First, so that what comes later does not come before them.
        let tags = tags_of(&arriving.tags).map(|tag| format!("{TAG}{tag}"));
        let full = circumstance.full.iter().map(|&model| format!("{FULL}{}", name(model)));
        let unreached = circumstance.unreached.iter().map(|&model| format!("{UNREACHED}{}", name(model)));
        let over = circumstance.over.iter().map(|(model, short)| format!("{}{}", short.name(), name(*model)));
        let expected = core.decider.expected(seq).map(|amount| expected_word(Pico(amount.get().into())));
        let is_sure = decision.propensity == PerMille::ONE;
        // What a restart is to know of a call whose cost nobody may learn.
        let ladder = policy.route(decision.route).ladder.iter().map(|rung| rung.model);
        let prices = core.decider.prices();
        let is_unpriced = |model| prices.row(model, operation.at).is_none();
        // What was held for it is known after a restart, or of a limit that comes into force later.
        let may_stay_unknown = !claims.is_empty()
            || at_most.any_tier
            || at_most.other_models
            || ladder.chain([decision.model]).any(is_unpriced);
        let words = [
            circumstance.drawn.map(Drawn::word),
            policy.has_canaries().then(|| operation.lot.word()),
            (!is_sure).then(|| format!("{CHANCE}{}", decision.propensity.get())),
            (arriving.after_tools && policy.explores()).then(|| UNDRAWN.to_owned()),
            operation.ask.word(),
            follows.model.is_some().then(|| follows.word(name(follows.model))),
            (may_stay_unknown && refused.is_none()).then(|| at_most.word()),
            arriving.before.map(|before| format!("{BEFORE}{before}")),
            self.tried_word(&operation),
            waited.map(|waited| format!("{WAITED}{}", waited.0 / 1000)),
        ];
        let cached = kept(&circumstance.standing, &policy, &decision).words(name);
        let down = circumstance.down.iter().map(|&model| name(model).to_owned());
        let down =
            tags.chain(down).chain(full).chain(unreached).chain(over).chain(words.into_iter().flatten());
        let down = down.chain(cached).chain(expected).chain(learnt).map(Arc::from);
        let down = down.chain(words_of(&verdict, arriving.call)).collect();
        let send = || core.send(&policy, &decision, decision.rung, (cap, output, plain_tier));
        let send = refused.is_none().then(send);
        let barred = barred(&policy, &decision, &core.names);
        let is_trial = core.made_up.is_trial;
        drop(core);
        let send = send.ok_or_else(|| {
            let route = &policy.route(decision.route).name;
            let over = claims.turned(&policy, &decision, operation.asked).cloned();
            let none = || format!("no model of route {route} may serve this request: {barred}");
            let stop = verdict.stop.clone();
            let why = stop.as_ref().map(|stop| stop.words()).or_else(|| over.as_ref().map(Over::words));
            Box::new(Refusal { why: why.unwrap_or_else(none), over, stop })
        });
        let send = send.map(|mut send| {
            if send.rung.is_none() {
                // As the client wrote it, also where its name is one of very many.
                send.model = Arc::clone(&arriving.asked);
                send.name = Arc::clone(&arriving.asked);
            }
            send
        });
        let route = policy.route(decision.route);
        let whose = self::whose(&arriving);
        let Arriving { id, asked, measures, prefix, wants, .. } = arriving;
        let mut placed = Placed {
            seq,
            at: operation.at,
            class: operation.class,
            confidence: operation.confidence(),
            source: operation.source,
            route: Arc::clone(&route.name),
            cheaper: route.movable(),
            policy_version: policy.version,
            reason: reason(&decision, &barred),
            trips: verdict.trips,
            would: decision
                .would
                .and_then(|rung| route.ladder.get(usize::from(rung)))
                .map(|rung| Arc::clone(&rung.name)),
            send,
            account: place.map_or(0, |(_, account)| account),
            ticket: Ticket {
                seq,
                operation,
                policy: Arc::clone(&policy),
                decision,
                said: Said { id, whose, asked, measures, prefix, require: wants.require },
                needs,
                cap,
                is_hard,
                down,
                more_down: false,
                is_trial,
                calls: Vec::with_capacity(1),
            },
        };
        if let (Some(closed), Err(why)) = (refused, &placed.send) {
            placed.ticket.calls.push((Called::refused(&why.why), Cost::Known(Pico::ZERO)));
            self.over(&placed.ticket, *closed);
        }
        placed
    }
}

/// Returns the lot of a request that arrives.
pub(super) fn lot_of(arriving: &Arriving<'_>) -> Lot {
    Lot::of(&arriving.session, &arriving.user, &arriving.wants.key, &arriving.id)
}

/// Returns the ask that a request is or goes on with.
pub(super) fn ask_of(arriving: &Arriving<'_>) -> AskId {
    if arriving.before.is_some() { arriving.ask.seconded() } else { arriving.ask }
}

impl Core {
    /// Says where the turn before a request was served, where it goes on in a tool loop.
    pub(super) fn follows(&self, operation: &Operation, arriving: &Arriving<'_>) -> Follows {
        let told = self.decider.follows(operation);
        let gave = arriving.goes_on.as_deref().filter(|_| !told.model.is_some());
        let model = gave.and_then(|model| self.names.find_model(model));
        model.map_or(told, |model| Follows { model: self.names.identity(model), ..Follows::NONE })
    }

    /// Finds out what is to be known of a request before it arrives: at a moment, and with its turn where it waits.
    fn asking(
        &mut self,
        arriving: &Arriving<'_>,
        mut operation: Operation,
        (now, turn): (Instant, Option<u64>),
        book: &crate::pricing::PriceBook,
    ) -> Asking {
        let names = &mut self.names;
        operation.draw = Draw::of_turn(&arriving.id, arriving.after_tools || arriving.ask.is_turn());
        operation.ask = ask_of(arriving);
        operation.team = names.intern_team(&arriving.team);
        operation.project = names.intern_project(&arriving.project);
        let needs = needs(arriving, names);
        operation.asked = self.model(&arriving.asked, book);
        self.price_new_models(book);
        operation.at = self.dated(now, self.last_at);
        operation.lot = lot_of(arriving);
        let (claims, over) = self.claim(arriving, &operation, &needs, turn);
        let drawn = self.drawn(&operation, arriving);
        Asking { operation, needs, claims, over, drawn }
    }

    /// Has a request wait where only a limit that queues keeps it from being served. Whoever is stopped does not wait.
    fn wait(&mut self, asking: &Asking, arriving: &Arriving<'_>, turn: Option<u64>) -> Option<(u64, Over)> {
        let Asking { operation, needs, claims, over, drawn } = asking;
        if !over.iter().any(|(_, short)| *short == Short::Queue) || self.is_stopped(arriving) {
            return None;
        }
        let circumstance = Circumstance {
            drawn: *drawn,
            standing: self.standing(operation, self.prompt(arriving).as_deref()),
            advice: self.decider.advice(operation, needs.window),
            follows: self.follows(operation, arriving),
            ..self.circumstance(*needs, over.clone(), operation.at, &arriving.wants)
        };
        self.decider.wait(operation, &circumstance, claims, turn)
    }

    /// Calls those whose turn it is.
    pub(super) fn ring(&mut self) {
        if self.bells.is_empty() {
            return;
        }
        for turn in self.decider.budgets_mut().called() {
            if let Some(bell) = self.bells.get(&turn) {
                bell();
            }
        }
    }
}
