//! What a provider says is left of our quota, and what that means for the next call.
//!
//! Both requests and tokens refill evenly up to their limit, as OpenAI's and Anthropic's buckets do. Invariants: a
//! deadline that a provider set (Retry-After) only moves later; what is learned from headers never blocks longer than
//! [`LONGEST`].

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName};

use super::wait;
use super::windows::Windows;
use crate::units::Instant as Moment;

/// The longest that a provider's word keeps calls away.
const LONGEST: Duration = Duration::from_secs(600);
/// The first wait after a refusal that does not say how long to wait; it doubles.
const UNSAID: Duration = Duration::from_secs(1);

/// What is left of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) limit: u64,
    /// At the time it was said, less what was sent since.
    pub(crate) remaining: u64,
    seen: Instant,
    /// How long until it is whole again, from then.
    reset: Duration,
}

impl Left {
    /// Returns what is there now.
    pub(crate) fn available(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.seen);
        if passed >= self.reset {
            return self.limit;
        }
        let missing = u128::from(self.limit.saturating_sub(self.remaining));
        let back = missing * passed.as_micros() / self.reset.as_micros().max(1);
        self.remaining.saturating_add(u64::try_from(back).unwrap_or(u64::MAX)).min(self.limit)
    }

    /// Returns how long until that much is there.
    fn until(&self, needed: u64, now: Instant) -> Option<Duration> {
        // More than the whole limit will never be there; that is the provider's to refuse.
        let needed = needed.min(self.limit);
        let missing = needed.checked_sub(self.available(now)).filter(|&missing| missing > 0)?;
        let whole = u128::from(self.limit.saturating_sub(self.remaining)).max(1);
        let micros = self.reset.as_micros() * u128::from(missing) / whole;
        Some(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).min(LONGEST))
    }

    pub(crate) fn resets_in(&self, now: Instant) -> Duration {
        self.reset.saturating_sub(now.saturating_duration_since(self.seen))
    }
}

/// Why a call would be refused, for people, and for how long.
pub(crate) type Short = (&'static str, Duration);

const ASKED: &str = "asked to wait";
const UNTOLD: &str = "refused a call for quota without a Retry-After and is left alone";
const NO_REQUESTS: &str = "has no requests left of its quota";
const FEW_TOKENS: &str = "has too few tokens left of its quota";
const WINDOW: &str = "has used up a window of its subscription";

/// The quota of one model at one provider.
#[derive(Default)]
pub(crate) struct Quota {
    pub(crate) requests: Option<Left>,
    pub(crate) tokens: Option<Left>,
    /// The windows of a subscription.
    pub(crate) windows: Windows,
    /// Until when it is closed by what the provider said of itself.
    pub(crate) blocked_until: Option<Instant>,
    /// Whether the provider set that time, or nobody did.
    unsaid: bool,
    refusals: u32,
}

/// The headers of one kind: limit, remaining, reset. Those of requests come before those of tokens.
type Names = [HeaderName; 3];

/// Makes the names of which the words come in the order that a provider has for them.
macro_rules! names {
    ("x-ratelimit", $kind:literal) => {
        names!(@ ["x-ratelimit-limit-", $kind], ["x-ratelimit-remaining-", $kind], ["x-ratelimit-reset-", $kind])
    };
    ($prefix:literal, $kind:literal) => {
        names!(@ [$prefix, "-", $kind, "-limit"], [$prefix, "-", $kind, "-remaining"], [$prefix, "-", $kind, "-reset"])
    };
    (@ $([$($part:literal),+]),+) => {
        [$(HeaderName::from_static(concat!($($part),+))),+]
    };
}

const OPENAI: [Names; 2] = [names!("x-ratelimit", "requests"), names!("x-ratelimit", "tokens")];
const ANTHROPIC: [Names; 4] = [
    names!("anthropic-ratelimit", "requests"),
    names!("anthropic-ratelimit", "tokens"),
    names!("anthropic-ratelimit", "input-tokens"),
    names!("anthropic-ratelimit", "output-tokens"),
];

impl Quota {
    /// Says whether a call of that many tokens has room. As a last resort estimates do not count, a provider's word does.
    pub(crate) fn may(&self, tokens: u64, last_resort: bool, now: Instant) -> Result<(), Short> {
        if let Some(until) = self.blocked_until.filter(|&until| until > now) {
            return Err((if self.unsaid { UNTOLD } else { ASKED }, until - now));
        }
        if last_resort {
            return Ok(());
        }
        if let Some(until) = self.windows.closed_until(now) {
            return Err((WINDOW, until - now));
        }
        if let Some(wait) = self.requests.and_then(|left| left.until(1, now)) {
            return Err((NO_REQUESTS, wait));
        }
        match self.tokens.and_then(|left| left.until(tokens, now)) {
            Some(wait) => Err((FEW_TOKENS, wait)),
            None => Ok(()),
        }
    }

    /// Returns until when the provider takes no call, by its own word.
    pub(crate) fn closed_until(&self, now: Instant) -> Option<Instant> {
        self.blocked_until.filter(|&until| until > now).max(self.windows.closed_until(now))
    }

    /// Returns how much of what is tightest is used, in thousandths.
    pub(crate) fn used(&self, now: Instant) -> u64 {
        let of = |left: Left| {
            let used = u128::from(left.limit.saturating_sub(left.available(now))) * 1000;
            u64::try_from(used / u128::from(left.limit.max(1))).unwrap_or(1000)
        };
        let limits = self.requests.into_iter().chain(self.tokens).map(of);
        limits.chain(self.windows.open(now).map(|window| window.used.into())).max().unwrap_or(0)
    }

    /// Takes a call's share, until the next answer says what is left.
    pub(crate) fn take(&mut self, tokens: u64, now: Instant) {
        for (left, amount) in [(&mut self.requests, 1), (&mut self.tokens, tokens)] {
            if let Some(left) = left {
                // What came back so far is settled first, so that the rest keeps coming back evenly.
                let there = left.available(now);
                left.reset = left.resets_in(now);
                left.seen = now;
                left.remaining = there.saturating_sub(amount);
                if left.reset.is_zero() {
                    // The provider has not said how fast it refills; assume nothing is missing for long.
                    left.remaining = left.limit;
                }
            }
        }
    }

    /// Reads an answer's headers.
    pub(crate) fn learn(&mut self, headers: &HeaderMap, anthropic: bool, now: Instant, wall: fn() -> Moment) {
        if anthropic {
            self.windows.learn(headers, now, wall);
        }
        let names = if anthropic { &ANTHROPIC[..] } else { &OPENAI[..] };
        let mut told = names.iter().map(|names| left(headers, names, now, wall));
        self.requests = told.next().flatten().or(self.requests);
        // The tightest of Anthropic's three counts of tokens is the one that refuses.
        self.tokens = told.flatten().min_by_key(|left| left.remaining).or(self.tokens);
    }

    /// Hears that the provider refused for quota.
    pub(crate) fn refused(&mut self, wait: Option<Duration>, now: Instant) {
        let unsaid = UNSAID.saturating_mul(1 << self.refusals.min(5));
        self.refusals = self.refusals.saturating_add(1);
        self.block(wait.unwrap_or(unsaid), wait.is_none(), now);
    }

    /// Closes the model for a while, of which nobody may have told how long.
    pub(crate) fn block(&mut self, wait: Duration, unsaid: bool, now: Instant) {
        // How long a window is used up, it says itself.
        let until = now + wait.min(LONGEST);
        if self.blocked_until.is_none_or(|known| known <= until) {
            self.blocked_until = Some(until);
            self.unsaid = unsaid;
        }
    }

    /// Hears that the last refusal was about one request alone; before it stood like this.
    pub(crate) fn forgive(&mut self, before: Option<Instant>) {
        (self.blocked_until, self.refusals) = (before, self.refusals.saturating_sub(1));
    }

    /// Hears that the provider did not refuse.
    pub(crate) fn served(&mut self) {
        self.refusals = 0;
    }
}

fn left(headers: &HeaderMap, names: &Names, now: Instant, wall: fn() -> Moment) -> Option<Left> {
    let [limit, remaining, reset] = names;
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    // Azure writes -1 where it does not count: no number, nothing learned.
    let remaining: u64 = text(remaining)?.trim().parse().ok()?;
    let limit = match text(limit) {
        Some(limit) => limit.trim().parse().ok()?,
        None => remaining,
    };
    if limit == 0 {
        return None;
    }
    let reset = text(reset).and_then(|reset| wait::reset(reset, wall())).unwrap_or_default();
    Some(Left { limit, remaining: remaining.min(limit), seen: now, reset: reset.min(LONGEST) })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(text: &str) -> HeaderMap {
        let pair = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, HeaderValue::from_str(value).ok()?))
        };
        text.lines().filter_map(pair).collect()
    }

    fn wall() -> Moment {
        Moment::parse("2025-08-21T12:40:00Z").unwrap()
    }

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn openais_headers_are_learned() {
        let now = Instant::now();
        let mut quota = Quota::default();
        let said = "x-ratelimit-limit-requests: 5000\nx-ratelimit-limit-tokens: 60000\n\
                    x-ratelimit-remaining-requests: 4999\nx-ratelimit-remaining-tokens: 1000\n\
                    x-ratelimit-reset-requests: 12ms\nx-ratelimit-reset-tokens: 59s";
        quota.learn(&headers(said), false, now, wall);
        assert_eq!(quota.may(1000, false, now), Ok(()));
        assert_eq!(
            quota.may(2000, false, now),
            Err((FEW_TOKENS, secs(1))),
            "1,000 tokens come back a second"
        );
        assert_eq!(quota.may(2000, true, now), Ok(()), "an estimate does not stop the last resort");
        assert_eq!(quota.may(2000, false, now + secs(1)), Ok(()));
        assert_eq!(
            quota.may(70_000, false, now + secs(60)),
            Ok(()),
            "more than the limit is theirs to refuse"
        );
        quota.take(1000, now);
        assert_eq!(quota.may(1000, false, now), Err((FEW_TOKENS, Duration::from_micros(983_333))));
    }

    #[test]
    fn anthropics_headers_are_learned() {
        let now = Instant::now();
        let mut quota = Quota::default();
        let said = "anthropic-ratelimit-requests-limit: 1000\nanthropic-ratelimit-requests-remaining: 0\n\
                    anthropic-ratelimit-requests-reset: 2025-08-21T12:41:40Z\n\
                    anthropic-ratelimit-input-tokens-limit: 80000\nanthropic-ratelimit-input-tokens-remaining: 80000\n\
                    anthropic-ratelimit-output-tokens-limit: 16000\nanthropic-ratelimit-output-tokens-remaining: 9000\n\
                    anthropic-ratelimit-output-tokens-reset: 2025-08-21T12:41:00Z";
        quota.learn(&headers(said), true, now, wall);
        assert_eq!(quota.tokens.map(|left| left.remaining), Some(9000));
        assert_eq!(quota.may(1, false, now), Err((NO_REQUESTS, Duration::from_millis(100))));
        assert_eq!(quota.may(1, false, now + Duration::from_millis(100)), Ok(()));
    }

    #[test]
    fn azures_minus_one_is_no_quota_of_nothing() {
        let now = Instant::now();
        let mut quota = Quota::default();
        let said =
            "x-ratelimit-limit-tokens: -1\nx-ratelimit-remaining-tokens: -1\nx-ratelimit-reset-tokens: 0";
        quota.learn(&headers(said), false, now, wall);
        assert_eq!(quota.tokens, None);
        assert_eq!(quota.may(1_000_000, false, now), Ok(()));
    }

    #[test]
    fn headers_that_are_missing_or_broken_change_nothing() {
        let now = Instant::now();
        let mut quota = Quota::default();
        for said in [
            "",
            "x-ratelimit-remaining-tokens: many",
            "x-ratelimit-limit-tokens: 0\nx-ratelimit-remaining-tokens: 0",
        ] {
            quota.learn(&headers(said), false, now, wall);
            assert_eq!(quota.may(10, false, now), Ok(()), "{said}");
        }
        // Nothing left and no word of when: not for ever.
        quota.learn(
            &headers("x-ratelimit-limit-tokens: 5\nx-ratelimit-remaining-tokens: 0"),
            false,
            now,
            wall,
        );
        assert_eq!(quota.may(10, false, now), Ok(()));
    }

    #[test]
    fn a_refusal_holds_as_long_as_it_says_and_the_longest_wins() {
        let now = Instant::now();
        let mut quota = Quota::default();
        quota.refused(Some(secs(17)), now);
        quota.refused(Some(secs(2)), now);
        assert_eq!(quota.may(1, false, now), Err((ASKED, secs(17))));
        assert_eq!(quota.may(1, true, now), Err((ASKED, secs(17))), "a provider's word is obeyed");
        quota.served();
        assert!(quota.may(1, false, now + secs(16)).is_err(), "a call that was under way lifts nothing");
        assert_eq!(quota.may(1, false, now + secs(17)), Ok(()));
        quota.refused(Some(Duration::from_secs(360_000)), now);
        assert_eq!(quota.may(1, false, now + LONGEST), Ok(()), "never for ever");
    }

    #[test]
    fn refusals_that_do_not_say_how_long_wait_longer_each_time() {
        let now = Instant::now();
        let mut quota = Quota::default();
        for wait in [1, 2, 4, 8, 16, 32, 32] {
            quota.refused(None, now);
            assert_eq!(quota.may(1, false, now), Err((UNTOLD, secs(wait))));
        }
    }

    proptest! {
        /// However much is sent and whatever was learned, waiting as long as one is told to is enough.
        #[test]
        fn waiting_as_told_is_enough(
            limit in 1u64..1_000_000, share in 0u64..=1000, reset in 0u64..900_000,
            sent in prop::collection::vec((0u64..100_000, 0u64..5_000), 0..20), needed in 0u64..2_000_000,
        ) {
            let mut now = Instant::now();
            let left = Left { limit, remaining: limit * share / 1000, seen: now, reset: Duration::from_millis(reset).min(LONGEST) };
            let mut quota = Quota { tokens: Some(left), ..Quota::default() };
            for (tokens, millis) in sent {
                now += Duration::from_millis(millis);
                quota.take(tokens, now);
                prop_assert!(quota.tokens.unwrap().available(now) <= limit);
            }
            if let Err((FEW_TOKENS, wait)) = quota.may(needed, false, now) {
                prop_assert!(wait <= LONGEST);
                let slack = Duration::from_millis(reset / limit + 1);
                prop_assert_eq!(quota.may(needed, false, now + wait + slack), Ok(()));
            }
        }
    }
}
