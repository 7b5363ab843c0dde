//! How fast requests are sent: as they came, so many times faster, so many a second, or as fast as answers allow.
//!
//! The schedule is open-loop: a request is due at its moment whether or not those before it are answered.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use crate::units::{Instant, Span};

/// How fast to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// The log's own spacing, this many thousandths as fast: 10,000 is ten times.
    Recorded(u64),
    /// This many thousandths of a request a second, evenly spaced.
    PerSecond(u64),
    /// Whenever fewer than the allowed number are in flight.
    Max,
}

/// A text that is no rate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rate; write 1x, 10x, 50/s, 0.5/s, 30/m or max")]
pub struct RateError(pub String);

impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let invalid = || RateError(text.to_owned());
        let milli = |number: &str, divisor: u64| {
            let scaled = Decimal::from_str_exact(number).ok()?.checked_mul(Decimal::from(1000))?;
            let whole = (scaled / Decimal::from(divisor)).round().to_u64()?;
            (whole > 0 && whole <= 1_000_000_000).then_some(whole)
        };
        let text = text.trim();
        if text == "max" {
            return Ok(Self::Max);
        }
        if let Some(times) = text.strip_suffix('x') {
            return milli(times, 1).map(Self::Recorded).ok_or_else(invalid);
        }
        let (number, unit) = text.split_once('/').ok_or_else(invalid)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(invalid()),
        };
        milli(number, seconds).map(Self::PerSecond).ok_or_else(invalid)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milli = |n: u64| Decimal::from_i128_with_scale(i128::from(n), 3).normalize();
        match *self {
            Self::Recorded(times) => write!(f, "{}x", milli(times)),
            Self::PerSecond(rate) => write!(f, "{}/s", milli(rate)),
            Self::Max => f.write_str("max"),
        }
    }
}

impl Rate {
    /// Says when a request is due after the start: `place` counts from 0, `at` and `first` are its own time and that of
    /// the log's first request. A time before the first counts as the first's; at `max` everything is due at once.
    pub fn due(self, place: u64, at: Instant, first: Instant) -> Span {
        let micros = |n: u128| Span(i64::try_from(n).unwrap_or(i64::MAX));
        match self {
            Self::Max => Span::ZERO,
            Self::PerSecond(milli) => micros(u128::from(place) * 1_000_000_000 / u128::from(milli.max(1))),
            Self::Recorded(times) => {
                let since = u128::try_from((at - first).0).unwrap_or(0);
                micros(since * 1000 / u128::from(times.max(1)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, rate) in [
            ("1x", Rate::Recorded(1000)),
            ("0.5x", Rate::Recorded(500)),
            ("50/s", Rate::PerSecond(50_000)),
            ("30/m", Rate::PerSecond(500)),
            ("max", Rate::Max),
        ] {
            assert_eq!(text.parse::<Rate>().unwrap(), rate);
            assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }
        for bad in ["", "x", "0x", "-1x", "10", "1/d", "fast", "0/s", "99999999999/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn requests_are_due_at_their_moment() {
        let (first, at) = (Instant(1_000_000), Instant(11_000_000));
        assert_eq!(Rate::Recorded(10_000).due(7, at, first), Span::secs(1));
        assert_eq!(Rate::Recorded(1000).due(7, Instant(0), first), Span::ZERO);
        assert_eq!(Rate::PerSecond(50_000).due(100, at, first), Span::secs(2));
        assert_eq!(Rate::Max.due(100, at, first), Span::ZERO);
    }

    proptest! {
        #[test]
        fn even_spacing_keeps_its_rate_however_long(milli in 1u64..100_000_000, place in 0u64..10_000_000) {
            let rate = Rate::PerSecond(milli);
            let (now, next) = (rate.due(place, Instant(0), Instant(0)), rate.due(place + 1, Instant(0), Instant(0)));
            prop_assert!(now <= next);
            // No drift: rounding never adds up.
            let exact = u128::from(place) * 1_000_000_000 / u128::from(milli);
            prop_assert_eq!(now.0, i64::try_from(exact).unwrap());
        }
    }
}
