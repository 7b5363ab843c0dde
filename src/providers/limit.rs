//! The operator's own limits for a provider: calls a minute, tokens a minute, calls at once.
//!
//! Tokens are reserved by an estimate and settled by what was used: governor's buckets give nothing back, so what was
//! reserved too much is kept as a credit that the next calls use up first. Invariant: every pass is given back once.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::config::providers::Limits;

/// A clock that is told the time; it never goes back.
#[derive(Clone, Debug)]
struct Told(Arc<AtomicU64>);

impl Clock for Told {
    type Instant = Nanos;
    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, Told, NoOpMiddleware<Nanos>>;

/// Which limit is reached, and how long until there is room; `None` when that depends on calls that are under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reached {
    Requests(Duration),
    Tokens(Duration),
    Concurrent,
}

#[derive(Debug)]
pub(crate) struct Limiter {
    origin: Instant,
    clock: Told,
    requests: Option<Bucket>,
    tokens: Option<(Bucket, u32)>,
    /// Tokens that were reserved and not used.
    credit: Mutex<u64>,
    concurrent: u32,
    in_flight: AtomicU32,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, origin: Instant) -> Self {
        let clock = Told(Arc::new(AtomicU64::new(0)));
        let bucket = |a_minute: u32| {
            let most = NonZeroU32::new(a_minute)?;
            let quota = Quota::per_minute(most);
            Some((RateLimiter::direct_with_clock(quota, clock.clone()), a_minute))
        };
        let requests = bucket(limits.requests_per_minute).map(|(bucket, _)| bucket);
        let tokens = bucket(limits.tokens_per_minute);
        let (credit, in_flight) = (Mutex::new(0), AtomicU32::new(0));
        Self { origin, requests, tokens, credit, concurrent: limits.concurrent, in_flight, clock }
    }

    /// Takes a place for a call. Every success is to be followed by one [`Self::give_back`].
    pub(crate) fn take(&self, tokens: u64, now: Instant) -> Result<(), Reached> {
        if self.requests.is_none() && self.tokens.is_none() && self.concurrent == 0 {
            return Ok(());
        }
        let nanos = now.saturating_duration_since(self.origin).as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
        let at = Nanos::from(self.clock.0.fetch_max(nanos, Ordering::Relaxed).max(nanos));
        let room =
            |held: u32| (self.concurrent == 0 || held < self.concurrent).then(|| held.saturating_add(1));
        let place = self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room);
        place.map_err(|_| Reached::Concurrent)?;
        let taken = self.take_tokens(tokens, at).and_then(|()| {
            let Some(bucket) = &self.requests else { return Ok(()) };
            bucket.check().map_err(|not| {
                self.refund(tokens);
                Reached::Requests(not.wait_time_from(at))
            })
        });
        if taken.is_err() {
            self.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        taken
    }

    fn take_tokens(&self, tokens: u64, at: Nanos) -> Result<(), Reached> {
        let Some((bucket, most)) = &self.tokens else { return Ok(()) };
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        // A prompt longer than a whole minute's tokens goes out when the bucket is full.
        let tokens = tokens.min(u64::from(*most));
        let from_credit = tokens.min(*credit);
        let rest = u32::try_from(tokens - from_credit).unwrap_or(*most);
        if let Some(rest) = NonZeroU32::new(rest) {
            match bucket.check_n(rest) {
                Ok(Ok(())) | Err(_) => {}
                Ok(Err(not)) => return Err(Reached::Tokens(not.wait_time_from(at))),
            }
        }
        *credit -= from_credit;
        Ok(())
    }

    fn refund(&self, tokens: u64) {
        if let Some((_, most)) = &self.tokens {
            let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
            *credit = credit.saturating_add(tokens.min(u64::from(*most))).min(u64::from(*most));
        }
    }

    /// Frees a call's place and settles its tokens; without `used` the reservation stands.
    pub(crate) fn give_back(&self, reserved: u64, used: Option<u64>) {
        if self.requests.is_none() && self.tokens.is_none() && self.concurrent == 0 {
            return;
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        let (Some(used), Some((bucket, most))) = (used, &self.tokens) else { return };
        let reserved = reserved.min(u64::from(*most));
        if used <= reserved {
            self.refund(reserved - used);
            return;
        }
        // Tokens that are used are used: take them from the credit, then from what is in the bucket.
        let mut over = used - reserved;
        let mut credit = self.credit.lock().unwrap_or_else(PoisonError::into_inner);
        let paid = over.min(*credit);
        *credit -= paid;
        over -= paid;
        let mut chunk = u32::try_from(over).unwrap_or(u32::MAX).min(*most);
        while let Some(some) = NonZeroU32::new(chunk) {
            if matches!(bucket.check_n(some), Ok(Ok(()))) {
                break;
            }
            chunk /= 2;
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
        assert_eq!(limiter.take(0, start), Err(Reached::Requests(Duration::from_secs(1))));
        assert_eq!(limiter.take(0, start + Duration::from_secs(1)), Ok(()));
    }

    #[test]
    fn calls_at_once_hold_and_a_refusal_keeps_no_place() {
        let (limiter, start) = limiter(2, 0, 2);
        assert_eq!(limiter.take(0, start), Ok(()));
        assert_eq!(limiter.take(0, start), Ok(()));
        assert_eq!(limiter.take(0, start), Err(Reached::Concurrent));
        limiter.give_back(0, None);
        assert!(matches!(limiter.take(0, start), Err(Reached::Requests(_))));
        assert_eq!(limiter.in_flight(), 1);
    }

    #[test]
    fn tokens_that_were_reserved_and_not_used_come_back() {
        let (limiter, start) = limiter(0, 1000, 0);
        assert_eq!(limiter.take(1000, start), Ok(()));
        assert!(matches!(limiter.take(1, start), Err(Reached::Tokens(_))));
        limiter.give_back(1000, Some(100));
        assert_eq!(limiter.take(900, start), Ok(()));
        assert!(matches!(limiter.take(1, start), Err(Reached::Tokens(_))));
    }

    #[test]
    fn tokens_beyond_the_reservation_are_paid_later() {
        let (limiter, start) = limiter(0, 1000, 0);
        assert_eq!(limiter.take(100, start), Ok(()));
        limiter.give_back(100, Some(1000));
        assert!(limiter.take(500, start).is_err());
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
