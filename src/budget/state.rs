//! The state of all budgets: a fold over calls that are held, settled or given back.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::account::Windows;
use super::pace::Pace;
use super::queue::Queue;
use super::{Account, Dimension, Limit, Member, Mode, OverLimit, Payer, Unpriced, Window};
use crate::forecast::{Ahead, Method};
use crate::pricing::Cost;
use crate::units::{Instant, OTHERS, Pico};

/// The most members told apart over all limits; later ones draw on an account in common.
const MEMBERS: usize = 1 << 18;
/// The most accounts whose hours are kept, to foretell where they are heading.
const PACED: usize = 1024;

/// The accounts whose spread is looked at: the fullest.
const SPREAD: usize = 16;

/// What a call without a price wants of a limit that refuses such calls: more than any has.
const UNPRICED: Pico = Pico(i128::MAX);

/// How far what is left of windows may be off, as it was found in an hour.
#[derive(Clone, Debug, Default)]
pub struct Spreads {
    hour: Instant,
    known: FxHashMap<(u16, Member), Option<(u64, u64)>>,
}

/// The accounts that a call draws on.
pub type Draws = SmallVec<[(u16, Member); 4]>;

/// Money set aside for one call on every limit that it draws on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a hold that is dropped keeps its money for ever"]
pub struct Hold {
    amount: Pico,
    at: Instant,
    parts: SmallVec<[(u16, Member, Instant); 4]>,
}

impl Hold {
    /// Returns how much it is.
    pub fn amount(&self) -> Pico {
        self.amount
    }
}

/// A limit that has no room for a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Over {
    /// The limit.
    pub limit: Arc<Limit>,
    /// Who draws on it; empty where all do together.
    pub member: Arc<str>,
    /// How much may be spent.
    pub amount: Pico,
    /// What is spent.
    pub spent: Pico,
    /// What is held.
    pub held: Pico,
    /// What the call might cost.
    pub wants: Pico,
    /// When it starts anew; none where it does not.
    pub resets_at: Option<Instant>,
    at: (u16, Member, Window),
}

impl Over {
    /// Says it in words: `budget teams/day of search: $25.00 may be spent, $24.99 is spent, $0 held for calls under way`.
    pub fn words(&self) -> String {
        let anew = |at: Instant| format!("; it starts anew {} {} UTC", at.date(), at.clock());
        let until = self.resets_at.map_or_else(String::new, anew);
        let wants = if self.wants == UNPRICED {
            "a call without a price is refused".to_owned()
        } else {
            format!("this call could cost {}", self.wants.dollars())
        };
        format!(
            "budget {}: {} may be spent, {} is spent, {} held for calls under way, and {wants}{until}",
            self.source(),
            self.amount.dollars(),
            self.spent.dollars(),
            self.held.dollars()
        )
    }
}

/// How one account stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The limit.
    pub limit: Arc<Limit>,
    /// Who draws on it; empty where all do together.
    pub member: Arc<str>,
    /// How much may be spent in a window.
    pub amount: Pico,
    /// One of its windows.
    pub account: Account,
    /// The requests that wait for room on it.
    pub waiting: u32,
    /// Where it is heading, where the window is the present one and an hour has passed.
    pub ahead: Option<Ahead>,
    /// Between which totals eight of ten cases lie, where that was asked for and there is a week to learn from.
    pub between: Option<(Pico, Pico)>,
    draw: (u16, Member),
}

impl Standing {
    /// Returns which account it is; none of a limit that nobody has drawn on.
    pub fn draw(&self) -> Option<(u16, Member)> {
        (self.draw.0 != u16::MAX).then_some(self.draw)
    }

    /// Returns how much of the limit is spent or held, in thousandths.
    fn share(&self) -> i128 {
        self.account.committed().0.saturating_mul(1000).checked_div(self.amount.0).unwrap_or(i128::MAX)
    }
}

/// All limits and their accounts.
#[derive(Clone, Debug, Default)]
pub struct Budgets {
    limits: Vec<Slot>,
    members: FxHashMap<Arc<str>, Member>,
    names: Vec<Arc<str>>,
    accounts: FxHashMap<(u16, Member), Windows>,
    /// Accounts whose hours are kept.
    paced: usize,
    /// The first moment at which anything was held.
    since: Option<Instant>,
    queue: Queue,
}

/// A limit under the number that it keeps for good, so that what was drawn on it survives every edit.
#[derive(Clone, Debug)]
struct Slot {
    name: String,
    limit: Arc<Limit>,
    in_force: bool,
    current: Option<Window>,
}

impl Slot {
    /// Says whether what was drawn on it was drawn on this limit, too.
    fn is_of(&self, limit: &Limit) -> bool {
        self.limit.scope == limit.scope && self.name == limit.name()
    }

    /// Returns the window of a moment. A window that has begun keeps its end, whatever an edit makes of those to come.
    fn window(&mut self, at: Instant) -> Window {
        if let Some(current) = self.current.filter(|current| current.has(at)) {
            return current;
        }
        let Limit { period, anchor, zone, .. } = &*self.limit;
        let mut window = Window::around(at, *period, anchor, zone);
        match self.current {
            // What comes late belongs to the window of its moment.
            Some(current) if at < current.start => return window,
            Some(current) => window.start = current.end.map_or(window.start, |end| window.start.max(end)),
            None => {}
        }
        self.current = Some(window);
        window
    }
}

impl Budgets {
    /// Starts with nothing spent.
    pub fn new(limits: impl IntoIterator<Item = Limit>) -> Self {
        let mut budgets = Self::default();
        budgets.change(limits);
        budgets
    }

    /// Brings other limits into force. What was drawn on a limit of the same name, for the same people, stands, and whatever was
    /// in force once goes on being counted. Returns the numbers of those that nobody counted so far.
    pub fn change(&mut self, limits: impl IntoIterator<Item = Limit>) -> Vec<u16> {
        for slot in &mut self.limits {
            slot.in_force = false;
        }
        let mut fresh = Vec::new();
        for limit in limits {
            let (at, is_new) = self.slot(limit);
            if let Some(slot) = self.limits.get_mut(usize::from(at)) {
                slot.in_force = true;
                fresh.extend(is_new.then_some(at));
            }
        }
        self.queue.call_all();
        fresh
    }

    /// Counts what is drawn on limits that come into force later.
    pub fn count(&mut self, later: impl IntoIterator<Item = Limit>) {
        for limit in later {
            if !self.limits.iter().any(|slot| slot.is_of(&limit)) {
                self.slot(limit);
            }
        }
    }

    /// Finds the place of a limit, or makes one. Says whether it is new.
    fn slot(&mut self, limit: Limit) -> (u16, bool) {
        let known = self.limits.iter().position(|slot| slot.is_of(&limit));
        let at = u16::try_from(known.unwrap_or(self.limits.len())).unwrap_or(u16::MAX);
        // Whoever has a limit of his own has an account of his own, however many come before him.
        for member in limit.special.keys() {
            self.member(member);
        }
        let limit = Arc::new(limit);
        match known.and_then(|known| self.limits.get_mut(known)) {
            Some(slot) => slot.limit = limit,
            None if at < u16::MAX => {
                self.limits.push(Slot { name: limit.name(), limit, in_force: false, current: None });
            }
            None => {}
        }
        (at, known.is_none())
    }

    /// Says whether a limit is in force.
    pub fn is_in_force(&self, limit: u16) -> bool {
        self.limits.get(usize::from(limit)).is_some_and(|slot| slot.in_force)
    }

    /// Says whether any limit is in force.
    pub fn is_empty(&self) -> bool {
        !self.limits.iter().any(|slot| slot.in_force)
    }

    /// Says whether what calls cost is counted: also for limits that were in force once, and may be again.
    pub fn counts(&self) -> bool {
        !self.limits.is_empty()
    }

    /// Lists the limits in force.
    pub fn limits(&self) -> impl Iterator<Item = &Arc<Limit>> {
        self.limits.iter().filter(|slot| slot.in_force).map(|slot| &slot.limit)
    }

    /// Says whether any limit in force names somebody under a dimension.
    pub fn name(&self, dimension: &Dimension, name: &str) -> bool {
        self.limits().flat_map(|limit| limit.named()).any(|(of, named)| of == dimension && **named == *name)
    }

    /// Says whether any of the limits that a call draws on is hard and in force.
    pub fn any_hard(&self, draws: &Draws) -> bool {
        let of = |(limit, _): &(u16, Member)| self.limits.get(usize::from(*limit));
        draws.iter().filter_map(of).any(|slot| slot.in_force && slot.limit.mode == Mode::Hard)
    }

    /// Finds the accounts that a call draws on.
    pub fn draws(&mut self, payer: &Payer<'_>) -> Draws {
        let mut draws = Draws::new();
        for at in 0..self.limits.len() {
            let member = self.limits[at].limit.scope.member(payer);
            if let (Some(member), Ok(at)) = (member, u16::try_from(at)) {
                draws.push((at, self.member(member)));
            }
        }
        draws
    }

    fn member(&mut self, name: &str) -> Member {
        if let Some(&known) = self.members.get(name) {
            return known;
        }
        let name = if self.names.len() >= MEMBERS { OTHERS } else { name };
        if let Some(&known) = self.members.get(name) {
            return known;
        }
        let member = Member(u32::try_from(self.names.len()).unwrap_or(u32::MAX));
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.members.insert(name, member);
        member
    }

    /// Finds the first limit of a mode that has no room for an amount.
    pub fn over(&mut self, draws: &Draws, amount: Pico, at: Instant, mode: Mode) -> Option<Over> {
        draws.iter().find_map(|&draw| self.over_one(draw, amount, at, mode))
    }

    /// Finds the first hard limit without room for a call; one without a price may not be made at all under one that says so.
    pub fn lacking(
        &mut self,
        draws: &Draws,
        (amount, is_unpriced): (Pico, bool),
        at: Instant,
    ) -> Option<Over> {
        let refused = is_unpriced.then(|| self.refusing_unpriced(draws, at)).flatten();
        refused.or_else(|| self.over(draws, amount, at, Mode::Hard))
    }

    /// Finds the first limit that keeps a request that arrives from a call: a hard one without room, one at which others wait
    /// who came before, else a soft one without room.
    pub fn turning_away(
        &mut self,
        draws: &Draws,
        wish: (Pico, bool),
        at: Instant,
        turn: Option<u64>,
    ) -> Option<Over> {
        let hard = self.lacking(draws, wish, at).or_else(|| self.behind(draws, wish.0, at, turn));
        hard.or_else(|| self.over(draws, wish.0, at, Mode::Soft))
    }

    /// Finds the first hard limit that refuses models without a price: nothing has room for what may cost anything.
    fn refusing_unpriced(&mut self, draws: &Draws, at: Instant) -> Option<Over> {
        let is_refusing = |limit: &Limit| limit.mode == Mode::Hard && limit.unpriced == Unpriced::Refuse;
        let of = |limit: u16| self.limits.get(usize::from(limit)).filter(|slot| slot.in_force);
        let one =
            draws.iter().copied().find(|(limit, _)| of(*limit).is_some_and(|slot| is_refusing(&slot.limit)));
        one.and_then(|draw| self.over_one(draw, UNPRICED, at, Mode::Hard))
    }

    fn over_one(&mut self, draw: (u16, Member), wants: Pico, when: Instant, mode: Mode) -> Option<Over> {
        let slot = self.limits.get_mut(usize::from(draw.0))?;
        if slot.limit.mode != mode || !slot.in_force {
            return None;
        }
        let window = slot.window(when);
        let amount = slot.limit.amount_of(self.names.get(draw.1.0 as usize)?);
        let known = self.accounts.get_mut(&draw).and_then(|windows| windows.find(window.start));
        let has_room = known.map_or(wants <= amount, |account| account.has_room(wants, amount));
        (!has_room).then(|| self.seen(draw, wants, window)).flatten()
    }

    /// Returns how an account looks to a call that there is no room for.
    fn seen(&mut self, draw: (u16, Member), wants: Pico, window: Window) -> Option<Over> {
        let limit = Arc::clone(&self.limits.get(usize::from(draw.0))?.limit);
        let member = Arc::clone(self.names.get(draw.1.0 as usize)?);
        let amount = limit.amount_of(&member);
        let known = self.accounts.get_mut(&draw).and_then(|windows| windows.find(window.start));
        let (spent, held) = known.map_or((Pico::ZERO, Pico::ZERO), |known| (known.spent, known.held));
        let at = (draw.0, draw.1, window);
        Some(Over { limit, member, amount, spent, held, wants, resets_at: window.end, at })
    }

    /// Sets an amount aside on all limits that a call draws on, or on none.
    ///
    /// # Errors
    /// The first hard limit that has no room for it.
    pub fn hold(&mut self, draws: &Draws, amount: Pico, at: Instant) -> Result<Hold, Box<Over>> {
        if let Some(over) = self.over(draws, amount, at, Mode::Hard) {
            return Err(Box::new(over));
        }
        Ok(self.take(draws, amount, at))
    }

    /// Sets an amount aside whether there is room or not: for calls of a log, that have been made.
    pub fn take(&mut self, draws: &Draws, amount: Pico, at: Instant) -> Hold {
        let amount = Pico(amount.0.max(0));
        let mut hold = Hold { amount, at, parts: SmallVec::new() };
        self.since = Some(self.since.map_or(at, |since| since.min(at)));
        for &(limit, member) in draws {
            let Some(slot) = self.limits.get_mut(usize::from(limit)) else { continue };
            let window = slot.window(at);
            let most = self
                .names
                .get(member.0 as usize)
                .map_or(slot.limit.amount, |name| slot.limit.amount_of(name));
            let windows = self.accounts.entry((limit, member)).or_default();
            if windows.pace.is_none() && self.paced < PACED {
                self.paced += 1;
                windows.pace = Some(Pace::default());
            }
            let account = windows.open(window);
            account.in_force |= slot.in_force;
            // A limit that refuses nothing runs out, too.
            if slot.in_force && !account.has_room(amount, most) {
                account.ran_out = account.ran_out.or(Some(at));
            }
            account.held = Pico(account.held.0.saturating_add(amount.0));
            account.holds = account.holds.saturating_add(1);
            hold.parts.push((limit, member, window.start));
        }
        hold
    }

    /// Books what a call cost. Where nobody knows, it is what was held for it.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a hold is given up, so that it can be booked only once"
    )]
    pub fn settle(&mut self, hold: Hold, cost: Cost) {
        // A negative cost would make room for more than was allowed.
        let told = cost.amount().filter(|cost| cost.0 >= 0);
        let spent = told.unwrap_or(hold.amount);
        let is_fact = told.is_some() && matches!(cost, Cost::Known(_));
        self.give_back(&hold, Some(spent), |account| {
            account.calls += 1;
            account.beyond += u64::from(spent > hold.amount);
            account.spent = Pico(account.spent.0.saturating_add(spent.0));
            if !is_fact {
                account.assumed = Pico(account.assumed.0.saturating_add(spent.0));
            }
        });
    }

    /// Releases what was held for a call that was not made.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a hold is given up, so that it can be given back only once"
    )]
    pub fn release(&mut self, hold: Hold) {
        self.give_back(&hold, None, |_| ());
    }

    fn give_back(&mut self, hold: &Hold, spent: Option<Pico>, then: impl Fn(&mut Account)) {
        for &(limit, member, start) in &hold.parts {
            let Some(windows) = self.accounts.get_mut(&(limit, member)) else { continue };
            if let (Some(pace), Some(spent)) = (&mut windows.pace, spent) {
                pace.spend(hold.at, spent);
            }
            if let Some(account) = windows.find(start) {
                account.held = Pico(account.held.0.saturating_sub(hold.amount.0));
                account.holds = account.holds.saturating_sub(1);
                then(account);
            }
            self.queue.call((limit, member));
        }
    }

    /// Finds the first account at which others wait who came before.
    fn behind(&mut self, draws: &Draws, wants: Pico, at: Instant, turn: Option<u64>) -> Option<Over> {
        if self.queue.is_empty() {
            return None;
        }
        let draw = draws.iter().copied().find(|draw| self.queue.is_before(*draw, turn))?;
        let slot = self.limits.get_mut(usize::from(draw.0))?;
        if slot.limit.mode != Mode::Hard || slot.limit.over != OverLimit::Queue || !slot.in_force {
            return None;
        }
        let window = slot.window(at);
        self.seen(draw, wants, window)
    }

    /// Has a request wait at a limit that has no room for it, with the turn that it has or a new one. None where that does not
    /// queue, could never have room, or too many wait.
    pub fn wait(&mut self, over: &Over, turn: Option<u64>, at: Instant) -> Option<u64> {
        if over.limit.over != OverLimit::Queue || over.limit.mode != Mode::Hard || over.wants > over.amount {
            return None;
        }
        let (limit, member, window) = over.at;
        let (turn, is_new) = self.queue.join((limit, member), turn)?;
        if is_new {
            let account = self.accounts.entry((limit, member)).or_default().open(window);
            account.waited += 1;
            account.in_force = true;
            account.ran_out = account.ran_out.or(Some(at));
        }
        Some(turn)
    }

    /// Lets a request go that waited: it was let in, refused, or nobody waits for it any more.
    pub fn leave(&mut self, turn: u64) {
        self.queue.leave(turn);
    }

    /// Takes the turns of those that should ask again.
    pub fn called(&mut self) -> Vec<u64> {
        self.queue.take_called()
    }

    /// Counts a request that was refused, or moved, for want of room.
    pub fn note(&mut self, over: &Over, refused: bool, at: Instant) {
        let (limit, member, window) = over.at;
        let account = self.accounts.entry((limit, member)).or_default().open(window);
        *(if refused { &mut account.refused } else { &mut account.moved }) += 1;
        account.in_force = true;
        // A model without a price finds no room however little was spent.
        if over.wants != UNPRICED {
            account.ran_out = account.ran_out.or(Some(at));
        }
    }

    /// Adds what was spent in a window before the calls that are known here.
    pub fn carry(&mut self, limit: &Limit, member: &str, start: Instant, spent: Pico) {
        let Some(number) = self.limits.iter().position(|slot| slot.is_of(limit)) else { return };
        let window = self.limits[number].window(start);
        let (number, member) = (u16::try_from(number).unwrap_or(u16::MAX), self.member(member));
        let account = self.accounts.entry((number, member)).or_default().open(window);
        account.spent = Pico(account.spent.0.saturating_add(spent.0.max(0)));
        account.in_force = true;
    }

    /// Finds the account of a limit that somebody draws on under a name.
    pub fn account_of(&mut self, limit: &Limit, member: &str) -> Option<(u16, Member)> {
        let number = self.limits.iter().position(|slot| slot.is_of(limit))?;
        Some((u16::try_from(number).ok()?, self.member(member)))
    }

    /// Lists the accounts of the limits in force as they stand at a moment, in order of limits and of members' first
    /// appearance; a limit on which nobody has drawn stands there untouched. `all` lists windows of the past, too, and what was drawn
    /// on limits that are no longer in force, in windows in which they were.
    pub fn standings(&self, at: Instant, all: bool) -> Vec<Standing> {
        let mut list = Vec::new();
        for (number, slot) in self.limits.iter().enumerate().filter(|(_, slot)| slot.in_force || all) {
            let window = slot.clone().window(at);
            let before = list.len();
            let mut drawn: Vec<_> =
                self.accounts.iter().filter(|((limit, _), _)| usize::from(*limit) == number).collect();
            drawn.sort_unstable_by_key(|((_, member), _)| *member);
            for ((_, member), windows) in drawn {
                let draw = (u16::try_from(number).unwrap_or(u16::MAX), *member);
                let waiting = self.queue.len(draw);
                let Some(name) = self.names.get(member.0 as usize) else { continue };
                let kept = |account: &&Account| {
                    let is_now = account.window.start == window.start || account.holds > 0;
                    (slot.in_force && is_now) || (all && account.in_force)
                };
                let amount = slot.limit.amount_of(name);
                let heading = |account: &Account| {
                    let is_present = account.window.start == window.start;
                    let pace = windows.pace.as_ref().filter(|_| is_present)?;
                    pace.ahead(self.since?, at, window.end, account.spent, amount)
                };
                list.extend(windows.iter().filter(kept).map(|account| Standing {
                    limit: Arc::clone(&slot.limit),
                    member: Arc::clone(name),
                    amount,
                    account: *account,
                    waiting: if account.window.start == window.start { waiting } else { 0 },
                    ahead: heading(account),
                    between: None,
                    draw,
                }));
            }
            if list.len() == before && slot.in_force {
                let mut untouched = Windows::default();
                list.push(Standing {
                    limit: Arc::clone(&slot.limit),
                    member: "".into(),
                    amount: slot.limit.amount,
                    account: *untouched.open(window),
                    waiting: 0,
                    ahead: None,
                    between: None,
                    draw: (u16::MAX, Member(u32::MAX)),
                });
            }
        }
        list
    }

    /// Returns how one account stands in the window of a moment; none where nothing was drawn on it there.
    pub fn standing(&mut self, draw: (u16, Member), when: Instant) -> Option<Standing> {
        let slot = self.limits.get_mut(usize::from(draw.0))?;
        let window = slot.window(when);
        let account = *self.accounts.get_mut(&draw)?.find(window.start)?;
        let member = Arc::clone(self.names.get(draw.1.0 as usize)?);
        let amount = slot.limit.amount_of(&member);
        let waiting = self.queue.len(draw);
        Some(Standing {
            limit: Arc::clone(&slot.limit),
            member,
            amount,
            account,
            waiting,
            ahead: None,
            between: None,
            draw,
        })
    }

    /// Says of the fullest accounts between which totals eight of ten cases lie.
    pub fn spread(&self, standings: &mut [Standing], at: Instant, spreads: &mut Spreads) {
        let hour = at.hour_start();
        if spreads.hour != hour {
            *spreads = Spreads { hour, known: FxHashMap::default() };
        }
        let foretold =
            standings.iter_mut().filter(|one| one.ahead.is_some_and(|ahead| ahead.method == Method::Profile));
        let mut fullest: Vec<&mut Standing> = foretold.collect();
        fullest.sort_by_cached_key(|one| std::cmp::Reverse(one.share()));
        for one in fullest.into_iter().take(SPREAD) {
            let pace = || {
                self.accounts.get(&one.draw)?.pace.as_ref()?.spread(self.since?, at, one.account.window.end)
            };
            let spread = *spreads.known.entry(one.draw).or_insert_with(pace);
            one.between =
                one.ahead.zip(spread).and_then(|(ahead, spread)| ahead.between(one.account.spent, spread));
        }
    }

    /// Counts the holds that are open: 0 wherever no call is under way.
    pub fn open_holds(&self) -> u64 {
        let accounts = self.accounts.values().filter(|windows| !windows.is_at_rest());
        accounts.flat_map(Windows::iter).map(|account| u64::from(account.holds)).sum()
    }
}

#[cfg(test)]
mod tests;
