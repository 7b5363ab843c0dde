//! The player of a live log: follows what comes in, holds still where the operator wants, and rewinds like a replay.
//!
//! Invariants: traffic never waits for the view; a view that is held does not change until it is moved; sums are those of
//! a log loaded at once (property tests), also of operations that finish long after later ones.

use std::sync::Arc;

use super::growth::{Growth, Live, Outgoing};
use super::ingest::id_of;
use super::notes::LogNote;
use super::settled::settle_one;
use super::snapshot::{Play, Reading};
use super::status::{LiveStatus, LiveView};
use super::written::deed_of;
use super::{Ingest, Log, Player, PolicySpan, Skipped};
use crate::engine::{Engine, Event};
use crate::outcome::{History, Profiles};
use crate::pricing::{PriceBook, PriceTable};
use crate::record::{self, Entry};
use crate::routing::Policy;
use crate::units::{Instant, Span};

/// Operations held in memory unless told otherwise.
pub const KEEP: usize = 200_000;
/// Bad lines kept with their reasons.
const KEPT_SKIPS: usize = 100;

/// What a live session starts from.
#[derive(Debug)]
pub struct LiveStart {
    /// What it is called on screen.
    pub title: String,
    /// Names and classifier.
    pub ingest: Ingest,
    /// The policy in force.
    pub policy: Arc<Policy>,
    /// The prices.
    pub book: PriceBook,
    /// The moment.
    pub now: Instant,
    /// Operations to hold in memory; [`KEEP`] by default.
    pub keep: usize,
    /// Whether time is that of the log: of a log that is written elsewhere, and may be old.
    pub logs_time: bool,
}

impl Player {
    /// Starts to follow a live log, which is empty as yet.
    pub fn live(start: LiveStart, window: Option<Span>) -> Self {
        let LiveStart { title, ingest, policy, book, now, keep, logs_time } = start;
        let names = ingest.names.share();
        let prices = PriceTable::new(&book, &names);
        let classifier = ingest.classifier_tag();
        let log = Log::from_parts(
            title,
            History::default(),
            names,
            prices,
            Profiles::default(),
            policy,
            Skipped::default(),
        );
        let (judge, caching) = (Some(ingest.classifier()), Arc::clone(&ingest.caching));
        let (catalog, book_of) = (Arc::new(book.clone()), format!("{} {}", book.name, book.dated));
        let log = Log { book: book_of, catalog, classifier, judge, caching, ..log };
        let engine = || Engine::new(Arc::clone(&log.policy), Arc::clone(&log.prices));
        let live = Live {
            growth: Growth::new(ingest, book, keep.max(1)),
            floors: [engine(), engine()],
            waiting: Vec::new(),
            started: now,
            logs_time,
            held_since: None,
            view: LiveView { now, ..LiveView::default() },
            outgoing: Vec::new(),
        };
        let mut player = Self::new(Arc::new(log), Reading::Recorded, window);
        player.live = Some(Box::new(live));
        player.play = Play::Following;
        player.clock = now;
        player
    }

    /// Says whether the log is live.
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Changes what readers see of the live session; a replay has nothing of the kind.
    pub fn tell(&mut self, change: impl FnOnce(&mut LiveView)) {
        if let Some(live) = &mut self.live {
            change(&mut live.view);
        }
    }

    /// Takes what the live session says of itself.
    pub fn set_status(&mut self, status: Arc<LiveStatus>) {
        // Whoever tells its state is there again.
        self.tell(|view| (view.status, view.closed, view.again) = (status, None, None));
    }

    /// Takes note of what in a followed log was passed over.
    pub fn pass_over(&mut self, skipped: Skipped) {
        Arc::make_mut(&mut self.log).skipped.join(skipped);
    }

    /// Takes note that nothing more will come.
    pub fn close(&mut self, why: Arc<str>) {
        self.tell(|view| (view.closed, view.again) = (Some(why), None));
    }

    /// Returns what is to be done outside.
    pub fn take_outgoing(&mut self) -> Vec<Outgoing> {
        self.live.as_mut().map(|live| std::mem::take(&mut live.outgoing)).unwrap_or_default()
    }

    /// Says something on screen.
    pub fn say(&mut self, words: String) {
        self.message = Some(words);
    }

    /// Returns the live session as readers see it.
    pub(super) fn live_view(&self) -> Option<LiveView> {
        let live = self.live.as_ref()?;
        let now = live.view.now;
        Some(LiveView {
            now: if live.logs_time { self.log.bounds().map_or(now, |(_, last)| last) } else { now },
            held: live.held_since.map(|since| now - since),
            fitted: live.growth.fitted,
            is_log: live.logs_time,
            ..live.view.clone()
        })
    }

    /// Lets the clock go on to a moment; a clock that jumps back is not followed. Says whether there is anything to draw.
    pub fn tick(&mut self, now: Instant) -> bool {
        let Some(live) = &mut self.live else { return false };
        if now <= live.view.now {
            return false;
        }
        live.view.now = now;
        let (logs_time, held) = (live.logs_time, live.held_since.is_some());
        if self.play == Play::Following {
            if !logs_time {
                self.clock = self.clock.max(now);
            }
            self.slide_tail();
            let whole = self.window.is_none()
                && self.view.trend.slot().0.saturating_mul(2) < super::view::trend_slot(&self.log, None).0;
            if whole {
                self.rebuild();
            }
        }
        !logs_time || held
    }

    /// Takes lines of the log: requests that have finished, in whatever order, and events.
    pub fn extend(&mut self, lines: &str) {
        if self.live.is_none() {
            return;
        }
        let (mut judged, mut corrected) = (Vec::new(), Vec::new());
        record::each_line(lines, |line, entry| match entry {
            Ok(Entry::Request(record)) => {
                let Some(live) = &mut self.live else { return };
                if record.is_beside() {
                    Arc::make_mut(&mut self.log).shadowed.take(&record);
                    return;
                }
                if !live.growth.ingest.wants(record.at) {
                    return;
                }
                let (operation, extra) = live.growth.ingest.take(&record);
                live.growth.share_circumstances(&mut self.log);
                let id = id_of(&record, line).into_owned();
                let timing = live.growth.ingest.timing;
                if self.log.timing != timing {
                    Arc::make_mut(&mut self.log).timing = timing;
                }
                if operation.second.is_some() && self.log.second.is_none() {
                    Arc::make_mut(&mut self.log).second = live.growth.ingest.second_tag();
                }
                self.came(id, operation, extra);
            }
            Ok(Entry::Price(change)) => self.price_came(&change),
            Ok(Entry::Policy(change)) => {
                let Some(live) = &mut self.live else { return };
                match live.growth.ingest.policy(&change) {
                    Ok(Some(policy)) => {
                        let policy = Arc::unwrap_or_clone(policy);
                        self.policy_came(policy, change.at, &change.who, deed_of(&change));
                    }
                    Ok(None) => {}
                    Err(error) => {
                        let words = format!("policy version {}: {error}", change.version);
                        let damaged = &mut Arc::make_mut(&mut self.log).skipped.damaged;
                        if damaged.len() < KEPT_SKIPS {
                            damaged.push(words);
                        }
                    }
                }
            }
            Ok(Entry::Label(late)) => judged.push(*late),
            Ok(Entry::Correction(correction)) => corrected.push(*correction),
            Ok(Entry::Signal(signal)) => Growth::note(&mut self.log, LogNote::signal(&signal)),
            Ok(Entry::Note { at, text, simulated }) => {
                Growth::note(&mut self.log, LogNote::told(at, text, simulated));
            }
            Err(skip) => {
                let skipped = &mut Arc::make_mut(&mut self.log).skipped;
                if skipped.first.len() < KEPT_SKIPS {
                    skipped.add(&Arc::from("feed"), skip);
                } else {
                    skipped.count += 1;
                }
            }
        });
        self.judged(&judged);
        self.corrected(&corrected);
        self.catch_up();
    }

    /// Counts everything held in memory anew.
    pub(super) fn recount(&mut self) {
        let head = self.head;
        self.checkpoints.clear();
        self.restart_engine();
        self.forward_engine(head);
        self.enter_policy();
        self.rebuild();
    }

    /// Puts the engine at the first operation held.
    pub(super) fn restart_at_floor(&mut self) -> bool {
        let Some(live) = &self.live else { return false };
        let Some(floor) = live.floors.get(usize::from(self.reading == Reading::Routed)) else { return false };
        self.engine = floor.clone();
        self.head = self.log.history.start();
        true
    }

    /// Plays what has come in, where the newest is followed, and lets go of what is too much.
    fn catch_up(&mut self) {
        if self.play == Play::Following {
            while self.head < self.log.len() {
                self.one(true);
            }
            let last = self.log.bounds().map_or(self.clock, |(_, last)| last);
            self.clock = match self.live.as_ref().filter(|live| !live.logs_time) {
                Some(live) => self.clock.max(last).max(live.view.now),
                None => last,
            };
            self.slide_tail();
        }
        self.let_go();
        if let Some(live) = &self.live {
            live.growth.share_names(&mut self.log);
        }
    }

    /// Lets the oldest operations go where there are more than memory should hold; a view that is held or was moved
    /// back keeps them for as long again.
    fn let_go(&mut self) {
        let Some(live) = &self.live else { return };
        let keep = live.growth.keep;
        let history = &self.log.history;
        let first = history.start();
        let mut spare = history.spare(keep);
        let needed =
            if self.play == Play::Following { self.head } else { self.view.range().0.min(self.head) };
        if first + spare > needed {
            spare = history.spare(keep.saturating_mul(2));
        }
        if spare == 0 {
            return;
        }
        let to = first + spare;
        let log = Arc::clone(&self.log);
        if self.head < to {
            self.forward_engine(to);
            self.enter_policy();
            self.clock = log.history.at(to).unwrap_or(self.clock);
            self.rebuild();
            self.message = Some("the view moved on: older traffic is in the ledger".to_owned());
        }
        self.view.drop_before(&log, to, self.reading, &self.policies);
        self.sink_floors(&log, first, to);
        let past = |place: &usize| *place >= to;
        self.checkpoints.retain(|(at, _)| *at >= to);
        self.marks.retain(past);
        if self.looped.is_some_and(|(from, _)| from < to) || self.loop_start.is_some_and(|from| from < to) {
            self.looped = None;
            self.loop_start = None;
        }
        let current = self.policies.iter().rposition(|span| span.from <= to).unwrap_or(0);
        self.policies.drain(..current);
        if let Some(live) = &mut self.live {
            drop(log);
            live.growth.let_go(&mut self.log, spare);
        }
    }

    /// Adds operations that are let go to the sums that stay.
    fn sink_floors(&mut self, log: &Log, from: usize, to: usize) {
        let mut settled = std::mem::take(&mut self.scratch);
        let policies = &self.policies;
        let Some(live) = &mut self.live else { return };
        for (reading, floor) in [Reading::Recorded, Reading::Routed].into_iter().zip(&mut live.floors) {
            for (index, recalled) in log.history.range(from, to) {
                let evidence = recalled.evidence();
                let Some(policy) = PolicySpan::in_force(policies, index) else { continue };
                settle_one(&evidence, reading, policy, &log.outlook(), &mut settled);
                floor.apply(Event::Recorded { evidence, settled: &settled });
            }
            if let Some(span) = policies.iter().rev().find(|span| span.from <= to)
                && span.policy.version > floor.policy().version
            {
                floor.apply(Event::PolicyChanged(Arc::clone(&span.policy)));
            }
        }
        self.scratch = settled;
    }

    /// Holds the view where it is; traffic goes on.
    pub(super) fn hold(&mut self) {
        if let Some(live) = &mut self.live
            && self.play == Play::Following
        {
            self.play = Play::Paused;
            live.held_since = Some(live.view.now);
            (live.view.fresh, live.view.rewound) = (0, false);
        }
    }

    /// Lets those in that waited for the view to move.
    pub(super) fn let_in(&mut self) {
        let Some(live) = &mut self.live else { return };
        for waiting in std::mem::take(&mut live.waiting) {
            self.insert(&waiting.id, waiting.operation, waiting.extra);
        }
    }

    /// Goes on from where the view is held: to the newest where it was only held, else it plays on.
    pub(super) fn go_on(&mut self) {
        if self.live.as_ref().is_some_and(|live| live.view.rewound) && self.head < self.log.len() {
            self.let_in();
            self.play = Play::Playing;
        } else {
            self.follow();
        }
    }

    /// Goes back to the newest.
    pub(super) fn follow(&mut self) {
        self.let_in();
        if let Some(live) = &mut self.live {
            live.held_since = None;
            (live.view.fresh, live.view.rewound) = (0, false);
        }
        self.play = Play::Following;
        self.looped = None;
        self.loop_start = None;
        let end = self.log.len();
        self.seek(end);
        self.play = Play::Following;
        self.catch_up();
        self.slide();
    }

    /// Notes that the view is at another moment than it was held at.
    pub(super) fn rewind(&mut self) {
        self.hold();
        self.let_in();
        self.tell(|view| view.rewound = true);
    }

    /// Asks for a policy to come into force; says so, or why not.
    pub(super) fn ask_for(&mut self, policy: &Arc<Policy>, what: String, undo: bool) {
        let seen = self.policies.last().map_or(policy.version, |span| span.policy.version);
        let Some(live) = &mut self.live else { return };
        if let Some(why) = &live.view.read_only {
            self.message = Some(format!("not applied: {why}"));
        } else if live.view.closed.is_some() {
            self.message = Some("not applied: the gateway is not connected".to_owned());
        } else {
            self.message = Some(format!("asked for: {what}"));
            // The other side takes it only over the version that the operator has seen, an undone one included.
            let policy = Arc::new(Policy { version: seen, ..(**policy).clone() });
            live.outgoing.push(Outgoing { policy, what, undo });
        }
    }

    /// Says why no prompt can be sent from here; none where one can.
    pub fn may_ask(&self) -> Option<String> {
        let Some(live) = &self.live else {
            return Some("sending needs a live gateway; this is a replay".to_owned());
        };
        match (&live.view.read_only, &live.view.closed) {
            (_, Some(why)) => Some(format!("the gateway is not connected: {why}")),
            (Some(why), None) => Some(why.to_string()),
            (None, None) if live.view.status.draining => Some("the gateway is draining".to_owned()),
            (None, None) => None,
        }
    }

    /// Returns the log its strip before a picture is taken.
    pub(super) fn draw_strip(&mut self) {
        if let Some(live) = &self.live {
            live.growth.draw_strip(&mut self.log);
        }
    }
}
