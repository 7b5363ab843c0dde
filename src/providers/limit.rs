//! The operator's own limits for a provider: calls a minute, tokens a minute, calls at once.
//!
//! Invariants: within no minute does more go out than the limit says, as far as is known when a call goes; tokens that were used
//! beyond are a debt that later calls wait for; every pass is given back once; short calls do not keep a long one out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::providers::Limits;

/// For so many seconds counts what went out in one: until all of it is a minute old.
const COUNTS: u64 = 61;
/// For so many seconds room is kept for a call that was told to come again.
const KEPT: u64 = 10;
/// A debt is paid for so many minutes at most.
const LONGEST_DEBT: usize = 24 * 60;

/// Which limit is reached, by its name in the settings, and how long until there is room; `None` when that depends on calls
/// that are under way.
pub(crate) type Reached = (&'static str, Option<Duration>);

const REQUESTS: &str = "requests_per_minute";
/// The limit of tokens.
pub(crate) const TOKENS: &str = "tokens_per_minute";
const CONCURRENT: (&str, Option<Duration>) = ("concurrent", None);

pub(crate) struct Limiter {
    origin: Instant,
    minutes: Mutex<Minutes>,
    has_minutes: bool,
    concurrent: u32,
    in_flight: AtomicU32,
}

struct Minutes {
    requests: Option<Minute>,
    tokens: Option<Minute>,
    /// The present, since the origin; it never goes back.
    now: Duration,
}

/// What went out within the last minute.
struct Minute {
    most: u64,
    /// By the second in which it did, the oldest first; a debt stands in seconds to come, a minute's worth each.
    seconds: VecDeque<(u64, u64)>,
    sum: u64,
    /// A call that found no room and comes again: its amount, and the second for which it was told there is.
    awaited: Option<(u64, u64)>,
}

impl Minute {
    fn new(most: u32) -> Option<Self> {
        (most > 0).then(|| Self { most: most.into(), seconds: VecDeque::new(), sum: 0, awaited: None })
    }

    /// Says in which second there is room for so much, where that is not now.
    fn full_until(&mut self, amount: u64, second: u64) -> Option<u64> {
        while let Some((_, amount)) = self.seconds.front().filter(|(at, _)| *at + COUNTS <= second) {
            self.sum -= amount;
            self.seconds.pop_front();
        }
        // One that is longer than a whole minute's goes out when nothing else does.
        let amount = amount.min(self.most);
        if let Some(until) = self.room_at(amount, second) {
            return Some(until);
        }
        // Shorter ones go before one that waits where they do not make it wait longer.
        let (awaited, due) =
            self.awaited.filter(|(awaited, due)| amount < *awaited && second < *due + KEPT)?;
        let together = self.room_at(amount.saturating_add(awaited), second)?;
        (together > due)
            .then(|| if amount + awaited > self.most { due.max(second) + COUNTS } else { together })
    }

    /// Says in which second so much less than now counts that there is room, where that is not now.
    fn room_at(&self, amount: u64, second: u64) -> Option<u64> {
        let mut lacking = self.sum.saturating_add(amount).saturating_sub(self.most);
        for (at, amount) in &self.seconds {
            if lacking == 0 {
                return None;
            }
            lacking = lacking.saturating_sub(*amount);
            if lacking == 0 {
                return Some(*at + COUNTS);
            }
        }
        // More than a minute's together never has room.
        (lacking > 0).then_some(second + COUNTS)
    }

    /// Keeps room for a call that comes again, unless it is kept for another.
    fn awaits(&mut self, amount: u64, due: u64, second: u64) {
        let amount = amount.min(self.most);
        if self.awaited.is_none_or(|(awaited, known)| amount == awaited || second >= known + KEPT) {
            self.awaited = Some((amount, due));
        }
    }

    /// Takes the room that was kept, by the call that it was kept for or one as long.
    fn arrived(&mut self, amount: u64) {
        self.awaited = self.awaited.filter(|(awaited, _)| amount.min(self.most) < *awaited);
    }

    fn add(&mut self, amount: u64, second: u64) {
        let amount = amount.min(self.most);
        self.sum += amount;
        // Debts stand in seconds to come.
        let at = self.seconds.partition_point(|(at, _)| *at < second);
        match self.seconds.get_mut(at) {
            Some((known, sum)) if *known == second => *sum += amount,
            _ => self.seconds.insert(at, (second, amount)),
        }
    }

    /// Adds what was used beyond what was reserved: what has no room now takes that of minutes to come.
    fn owe(&mut self, mut over: u64, second: u64) {
        let room = over.min(self.most.saturating_sub(self.sum));
        if room > 0 {
            self.add(room, second);
            over -= room;
        }
        while over > 0 && self.seconds.len() < LONGEST_DEBT {
            let last = self.seconds.back().copied().unwrap_or((second, self.most));
            let is_open = last.0 > second && last.1 < self.most;
            let part = over.min(if is_open { self.most - last.1 } else { self.most });
            self.add(part, if is_open { last.0 } else { last.0.max(second) + COUNTS });
            over -= part;
        }
    }

    /// Takes back what was reserved and not used: of debts first, then of what is oldest, so that nothing counts too short.
    fn give_back(&mut self, mut unused: u64, second: u64) {
        while unused > 0 {
            let is_owed = self.seconds.back().is_some_and(|(at, _)| *at > second);
            let entry = if is_owed { self.seconds.back_mut() } else { self.seconds.front_mut() };
            let Some((_, amount)) = entry else { return };
            let part = unused.min(*amount);
            *amount -= part;
            let is_empty = *amount == 0;
            self.sum -= part;
            unused -= part;
            if is_empty {
                let _ = if is_owed { self.seconds.pop_back() } else { self.seconds.pop_front() };
            }
        }
    }
}

impl Limiter {
    pub(crate) fn new(limits: Limits, origin: Instant) -> Self {
        let requests = Minute::new(limits.requests_per_minute);
        let tokens = Minute::new(limits.tokens_per_minute);
        let has_minutes = requests.is_some() || tokens.is_some();
        let minutes = Mutex::new(Minutes { requests, tokens, now: Duration::ZERO });
        Self { origin, minutes, has_minutes, concurrent: limits.concurrent, in_flight: AtomicU32::new(0) }
    }

    /// Takes a place for a call. Every success is to be followed by one [`Self::give_back`].
    pub(crate) fn take(&self, tokens: u64, now: Instant) -> Result<(), Reached> {
        if !self.has_minutes && self.concurrent == 0 {
            return Ok(());
        }
        let room =
            |held: u32| (self.concurrent == 0 || held < self.concurrent).then(|| held.saturating_add(1));
        let place = self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        place.map_err(|_| CONCURRENT)?;
        let taken = self.take_minutes(tokens, now);
        if taken.is_err() {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    fn take_minutes(&self, tokens: u64, now: Instant) -> Result<(), Reached> {
        if !self.has_minutes {
            return Ok(());
        }
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now.saturating_duration_since(self.origin).max(minutes.now);
        minutes.now = now;
        let (second, Minutes { requests, tokens: kept, .. }) = (now.as_secs(), &mut *minutes);
        let wait = |until: u64| Some(Duration::from_secs(until).saturating_sub(now));
        if let Some(until) = kept.as_mut().and_then(|kept| kept.full_until(tokens, second)) {
            return Err((TOKENS, wait(until)));
        }
        if let Some(until) = requests.as_mut().and_then(|requests| requests.full_until(1, second)) {
            return Err((REQUESTS, wait(until)));
        }
        if let Some(kept) = kept {
            kept.arrived(tokens);
            kept.add(tokens, second);
        }
        if let Some(requests) = requests {
            requests.add(1, second);
        }
        Ok(())
    }

    /// Keeps room for a call that was refused and comes again after so long.
    pub(crate) fn awaits(&self, tokens: u64, wait: Duration) {
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let (due, second) = (minutes.now + wait, minutes.now.as_secs());
        if let Some(kept) = &mut minutes.tokens {
            kept.awaits(tokens, due.as_secs(), second);
        }
    }

    /// Says whether there is no place for a call now.
    pub(crate) fn is_full(&self, tokens: u64, now: Instant) -> bool {
        if self.concurrent > 0 && self.in_flight.load(Ordering::Relaxed) >= self.concurrent {
            return true;
        }
        if !self.has_minutes {
            return false;
        }
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let second = now.saturating_duration_since(self.origin).max(minutes.now).as_secs();
        let Minutes { requests, tokens: kept, .. } = &mut *minutes;
        let full = |minute: &mut Option<Minute>, amount: u64| {
            minute.as_mut().is_some_and(|minute| minute.full_until(amount, second).is_some())
        };
        full(kept, tokens) || full(requests, 1)
    }

    /// Frees a call's place and settles its tokens; without `used` the reservation stands.
    pub(crate) fn give_back(&self, reserved: u64, used: Option<u64>) {
        if !self.has_minutes && self.concurrent == 0 {
            return;
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let Some(used) = used.filter(|_| self.has_minutes) else { return };
        let mut minutes = self.minutes.lock().unwrap_or_else(PoisonError::into_inner);
        let second = minutes.now.as_secs();
        let Some(kept) = &mut minutes.tokens else { return };
        let reserved = reserved.min(kept.most);
        match used.checked_sub(reserved) {
            Some(over) => kept.owe(over, second),
            None => kept.give_back(reserved - used, second),
        }
    }

    #[cfg(test)]
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter(requests: u32, tokens: u32, concurrent: u32) -> (Limiter, Instant) {
        let start = Instant::now();
        let limits =
            Limits { requests_per_minute: requests, tokens_per_minute: tokens, concurrent, per_model: false };
        (Limiter::new(limits, start), start)
    }

    #[test]
    fn calls_a_minute_hold_and_come_back() {
        let (limiter, start) = limiter(60, 0, 0);
        for _ in 0..60 {
            assert_eq!(limiter.take(0, start), Ok(()));
        }
        assert_eq!(limiter.take(0, start), Err((REQUESTS, Some(Duration::from_secs(61)))));
        assert!(limiter.take(0, start + Duration::from_secs(60)).is_err());
        assert_eq!(limiter.take(0, start + Duration::from_secs(61)), Ok(()));
    }

    /// A provider that counts minutes would answer 429 to what is above the limit of any.
    #[test]
    fn no_minute_has_more_than_the_limit_however_calls_come() {
        let (limiter, start) = limiter(6, 0, 0);
        let mut gone: Vec<u64> = Vec::new();
        for tenth in 0..2_000_u64 {
            if limiter.take(0, start + Duration::from_millis(tenth * 100)).is_ok() {
                gone.push(tenth);
            }
        }
        assert!(gone.windows(7).all(|seven| seven[6] - seven[0] > 600), "{gone:?}");
        assert!(gone.len() > 18, "nearly all that may go does: {gone:?}");
    }

    #[test]
    fn calls_at_once_hold_and_a_refusal_keeps_no_place() {
        let (limiter, start) = limiter(2, 0, 2);
        assert_eq!(limiter.take(0, start), Ok(()));
        assert_eq!(limiter.take(0, start), Ok(()));
        assert_eq!(limiter.take(0, start), Err(CONCURRENT));
        limiter.give_back(0, None);
        assert!(matches!(limiter.take(0, start), Err((REQUESTS, _))));
        assert_eq!(limiter.in_flight(), 1);
    }

    #[test]
    fn tokens_that_were_reserved_and_not_used_come_back() {
        let (limiter, start) = limiter(0, 1000, 0);
        assert_eq!(limiter.take(1000, start), Ok(()));
        assert!(matches!(limiter.take(1, start), Err((TOKENS, _))));
        limiter.give_back(1000, Some(100));
        assert_eq!(limiter.take(900, start), Ok(()));
        assert!(matches!(limiter.take(1, start), Err((TOKENS, _))));
    }

    #[test]
    fn tokens_beyond_the_reservation_are_paid_later() {
        let (limiter, start) = limiter(0, 1000, 0);
        assert_eq!(limiter.take(100, start), Ok(()));
        limiter.give_back(100, Some(1000));
        assert!(limiter.take(500, start).is_err());
    }

    /// Where clients leave the length of answers open nobody knows what a call takes: sixteen would have gone out in twelve seconds.
    #[test]
    fn a_debt_of_ten_minutes_is_waited_for_ten_minutes() {
        let (limiter, start) = limiter(0, 1000, 0);
        assert_eq!(limiter.take(10, start), Ok(()));
        limiter.give_back(10, Some(10_000));
        let Err((TOKENS, Some(wait))) = limiter.take(10, start) else { panic!("it has to wait") };
        assert!(wait > Duration::from_secs(60), "{wait:?}");
        assert!(limiter.take(10, start + Duration::from_secs(500)).is_err());
        assert_eq!(limiter.take(10, start + Duration::from_secs(620)), Ok(()));
        limiter.give_back(10, Some(5_000));
        assert!(
            limiter.take(1, start + Duration::from_secs(700)).is_err(),
            "what is used then counts as well"
        );
        let (limiter, start) = self::limiter(0, 1000, 0);
        assert_eq!(limiter.take(1000, start), Ok(()));
        assert!(limiter.take(1, start).is_err());
        limiter.give_back(1000, Some(5));
        assert_eq!(limiter.take(995, start), Ok(()), "what was reserved too much comes back");
    }

    /// An agent's long requests beside short chats would be told to come again for ever.
    #[test]
    fn a_long_call_that_comes_again_when_it_is_told_to_is_served_though_short_ones_come_all_the_time() {
        let (limiter, start) = limiter(0, 1000, 0);
        let at = |second: u64| start + Duration::from_secs(second);
        let (mut again, mut served, mut short) = (5, None, 0);
        for second in 0..200 {
            if second == again && served.is_none() {
                match limiter.take(800, at(second)) {
                    Ok(()) => served = Some(second),
                    Err((TOKENS, Some(wait))) => {
                        limiter.awaits(800, wait);
                        again = second + wait.as_secs();
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
            if second % 2 == 0 && limiter.take(100, at(second)).is_ok() {
                short += 1;
            }
        }
        assert!(served.is_some_and(|second| second < 70), "{served:?}");
        assert!(short >= 14, "short ones fill what is left: {short}");
    }

    #[test]
    fn room_is_kept_no_longer_than_for_one_that_comes_again() {
        let (limiter, start) = limiter(0, 1000, 0);
        let at = |second: u64| start + Duration::from_secs(second);
        assert_eq!(limiter.take(500, at(0)), Ok(()));
        let Err((TOKENS, Some(wait))) = limiter.take(1000, at(1)) else { panic!("it has to wait") };
        limiter.awaits(1000, wait);
        let Err((TOKENS, Some(behind))) = limiter.take(100, at(2)) else { panic!("another is first") };
        assert_eq!(behind, Duration::from_secs(120));
        assert!(limiter.take(100, at(62)).is_err());
        assert_eq!(limiter.take(100, at(72)), Ok(()), "it did not come");
    }

    /// What went out beside a debt would count until the debt is over.
    #[test]
    fn what_goes_out_beside_a_debt_counts_for_a_minute() {
        let (limiter, start) = limiter(0, 1000, 0);
        let at = |second: u64| start + Duration::from_secs(second);
        assert_eq!(limiter.take(500, at(0)), Ok(()));
        assert_eq!(limiter.take(200, at(30)), Ok(()));
        limiter.give_back(200, Some(800));
        assert_eq!(limiter.take(200, at(61)), Ok(()));
        assert_eq!(limiter.take(700, at(122)), Ok(()));
    }

    #[test]
    fn a_prompt_longer_than_a_minutes_tokens_is_not_refused_for_ever() {
        let (limiter, start) = limiter(0, 1000, 0);
        assert_eq!(limiter.take(1_000_000, start), Ok(()));
        assert!(limiter.take(1_000_000, start + Duration::from_secs(30)).is_err());
        assert_eq!(limiter.take(1_000_000, start + Duration::from_secs(61)), Ok(()));
    }

    #[test]
    fn no_limit_costs_nothing() {
        let (limiter, start) = limiter(0, 0, 0);
        for _ in 0..10_000 {
            assert_eq!(limiter.take(u64::MAX, start), Ok(()));
        }
    }
}
