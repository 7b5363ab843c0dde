//! What is wanted of thresholds, as it is typed: `$900`, `900/month`, `-20%`, `q .97`.

use std::fmt;

use super::plan::Target;
use crate::units::{Pico, Span};

/// What is wanted, before it is known how long the window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// At most so much per span of time; of the whole window where none is said.
    Budget(Pico, Option<(Span, &'static str)>),
    /// At least so much quality on average, in millionths.
    Quality(u32),
    /// A cost changed by so many thousandths.
    Change(i32),
    /// The least cost.
    Least,
}

/// What is to be kept besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct AimBounds {
    /// Whether thresholds stay within their certificates.
    pub is_certified: bool,
    /// Within how many milliseconds 95 of 100 requests of each route are to be over.
    pub within_ms: Option<u64>,
}

/// Periods by their names.
const PERIODS: [(&str, Span); 7] = [
    ("month", Span::days(30)),
    ("mo", Span::days(30)),
    ("week", Span::days(7)),
    ("day", Span::days(1)),
    ("hour", Span::hours(1)),
    ("h", Span::hours(1)),
    ("year", Span::days(365)),
];

impl Aim {
    /// What may be typed.
    pub const HINT: &'static str =
        "-20%   $900 a month   q .97   -20% certified   -20% within 8s   limit teams/day 40";

    /// Reads an aim as it is typed, with what stands behind it: `certified`, `within 8s`, or both.
    ///
    /// # Errors
    /// Where it is none.
    pub fn parse_bounded(text: &str) -> Result<(Self, AimBounds), String> {
        let mut text = text.trim();
        let mut bounds = AimBounds::default();
        loop {
            if let Some(aim) = text.strip_suffix("certified") {
                (text, bounds.is_certified) = (aim.trim_end(), true);
            } else if let Some((aim, span)) = text.rsplit_once("within") {
                (text, bounds.within_ms) = (aim.trim_end(), Some(Self::within(span)?));
            } else {
                break;
            }
        }
        let aim =
            if text.is_empty() && bounds != AimBounds::default() { Self::Least } else { Self::parse(text)? };
        Ok((aim, bounds))
    }

    /// Reads within which time requests are to be over: `8s`, `1500ms`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn within(text: &str) -> Result<u64, String> {
        let text = text.trim();
        let span = Span::parse(text).filter(|span| *span > Span::ZERO && *span <= Span::hours(1));
        let millis = span.and_then(|span| u64::try_from(span.0 / 1000).ok()).filter(|millis| *millis > 0);
        millis.ok_or_else(|| format!("`{text}` is no time for answers; write 8s or 1500ms, at most 1h"))
    }

    /// Reads an aim as it is typed in one line: a change ends in `%`, a quality begins with `q`, all else is a budget a month.
    ///
    /// # Errors
    /// Where it is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(share) = text.strip_prefix(['q', 'Q']) {
            return Self::quality(share.trim_start_matches("uality").trim_start_matches([' ', '=']));
        }
        if text.ends_with('%') {
            return Self::change(text);
        }
        let text = text.strip_suffix("a month").unwrap_or(text).trim();
        let budget = Self::budget(text).map_err(|_| {
            format!("`{text}` is no aim; write -20% of cost, $900 a month, $30/day or q .97 of quality")
        })?;
        Ok(match budget {
            Self::Budget(amount, None) => Self::Budget(amount, Some((Span::days(30), "month"))),
            other => other,
        })
    }

    /// Reads a budget: `900`, `$900`, `900/month`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn budget(text: &str) -> Result<Self, String> {
        let (amount, period) = match text.split_once('/') {
            None => (text, None),
            Some((amount, period)) => {
                let known = PERIODS.iter().find(|(name, _)| *name == period.trim());
                let (name, span) = known.ok_or_else(|| {
                    format!("`{}` is no period; write month, week, day, hour or year", period.trim())
                })?;
                (amount, Some((*span, *name)))
            }
        };
        let amount = amount.trim();
        let amount = amount.strip_prefix('$').unwrap_or(amount).trim().replace([',', '_'], "");
        let amount = Pico::from_usd(&amount).map_err(|error| error.to_string())?;
        if amount.0 < 0 {
            return Err("a budget is not below zero".to_owned());
        }
        Ok(Self::Budget(amount, period))
    }

    /// Reads a quality: `.97`, `97%`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn quality(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{}` is no quality between 0 and 1; write .97 or 97%", text.trim());
        let (number, is_percent) =
            text.trim().strip_suffix('%').map_or((text, false), |number| (number, true));
        // Dollars are read to the digit, and so may this be.
        let number = number.trim();
        let number = if number.starts_with('.') { format!("0{number}") } else { number.to_owned() };
        let exact = Pico::from_usd(&number).map_err(|_| invalid())?.0;
        let millionths = exact / if is_percent { 100_000_000 } else { 1_000_000 };
        let found = u32::try_from(millionths).ok().filter(|found| *found <= 1_000_000);
        found.map(Self::Quality).ok_or_else(invalid)
    }

    /// Reads a change: `-20%`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn change(text: &str) -> Result<Self, String> {
        let invalid = || format!("`{}` is no change of cost; write -20%", text.trim());
        let number = text.trim().strip_suffix('%').unwrap_or(text).trim();
        let (is_less, size) = match number.strip_prefix(['-', '\u{2212}']) {
            Some(size) => (true, size),
            None => (false, number.strip_prefix('+').unwrap_or(number)),
        };
        let exact = Pico::from_usd(size.trim()).map_err(|_| invalid())?.0;
        let thousandths = i32::try_from(exact / 100_000_000_000).map_err(|_| invalid())?;
        if exact < 0 || (is_less && thousandths > 1000) {
            return Err(invalid());
        }
        Ok(Self::Change(if is_less { -thousandths } else { thousandths }))
    }

    /// Says what it comes to over a window of some length.
    ///
    /// # Errors
    /// Where it is a cost per time, and nobody knows how much time the window is.
    pub fn target(self, span: Option<Span>) -> Result<Target, AimError> {
        Ok(match self {
            Self::Budget(amount, None) => Target::Cost(amount),
            Self::Budget(amount, Some((period, _))) => {
                let span = span.filter(|span| *span >= Span::mins(1)).ok_or(AimError)?;
                Target::Cost(amount.ratio(i128::from(span.0), i128::from(period.0)))
            }
            Self::Quality(millionths) => Target::Quality(millionths),
            Self::Change(thousandths) => Target::Change(thousandths),
            Self::Least => Target::Least,
        })
    }
}

/// Why a cost per time cannot be aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a cost per time cannot be aimed at: the log is shorter than a minute or tells no times; name the cost of the whole log, or a change like -20%"
)]
pub struct AimError;

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Budget(amount, Some((_, period))) => {
                write!(f, "most quality for ${} a {period} at most", amount.usd_rounded(2))
            }
            Self::Budget(amount, None) => write!(f, "most quality for ${} at most", amount.usd_rounded(2)),
            Self::Quality(millionths) => {
                let digits = format!("{millionths:06}");
                let whole = match *millionths {
                    0 => "0".to_owned(),
                    1_000_000 => "1".to_owned(),
                    _ => format!(".{}", digits.trim_end_matches('0')),
                };
                write!(f, "least cost at quality {whole}")
            }
            Self::Change(thousandths) => {
                let sign = if *thousandths < 0 { '\u{2212}' } else { '+' };
                let size = thousandths.unsigned_abs();
                write!(f, "most quality at a cost {sign}{}", size / 10)?;
                if size % 10 > 0 {
                    write!(f, ".{}", size % 10)?;
                }
                f.write_str(" %")
            }
            Self::Least => f.write_str("least cost"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aims_are_read_as_they_are_typed() {
        let month = Some((Span::days(30), "month"));
        for (text, wanted) in [
            ("-20%", Aim::Change(-200)),
            ("\u{2212}2.5 %", Aim::Change(-25)),
            ("+5%", Aim::Change(50)),
            ("$900", Aim::Budget(Pico(900_000_000_000_000), month)),
            ("1,200", Aim::Budget(Pico(1_200_000_000_000_000), month)),
            ("$30/day", Aim::Budget(Pico(30_000_000_000_000), Some((Span::days(1), "day")))),
            ("q .97", Aim::Quality(970_000)),
            ("q97%", Aim::Quality(970_000)),
            ("quality 0.5", Aim::Quality(500_000)),
            ("q 1", Aim::Quality(1_000_000)),
        ] {
            assert_eq!(Aim::parse(text), Ok(wanted), "{text}");
        }
        for text in ["", "x", "-", "%", "-200%", "q 1.5", "q", "$", "900/fortnight", "-900", "20 %x"] {
            assert!(Aim::parse(text).is_err(), "{text}: {:?}", Aim::parse(text));
        }
        let bounds = |is_certified, within_ms| AimBounds { is_certified, within_ms };
        for (text, wanted) in [
            ("-20% certified", (Aim::Change(-200), bounds(true, None))),
            ("q .97 within 8s", (Aim::Quality(970_000), bounds(false, Some(8_000)))),
            ("-20% within 1500ms certified", (Aim::Change(-200), bounds(true, Some(1_500)))),
            ("certified", (Aim::Least, bounds(true, None))),
        ] {
            assert_eq!(Aim::parse_bounded(text), Ok(wanted), "{text}");
        }
        for text in ["-20% within", "-20% within 0s", "within 2h", "certifiedly"] {
            assert!(Aim::parse_bounded(text).is_err(), "{text}");
        }
        for (quality, words) in [(970_000, ".97"), (0, "0"), (1_000_000, "1")] {
            assert_eq!(Aim::Quality(quality).to_string(), format!("least cost at quality {words}"));
        }
    }

    #[test]
    fn a_budget_a_month_is_its_part_of_the_window() {
        let aim = Aim::parse("$300").unwrap();
        assert_eq!(aim.target(Some(Span::days(3))), Ok(Target::Cost(Pico(30_000_000_000_000))));
        assert_eq!(aim.target(None), Err(AimError));
        assert_eq!(Aim::budget("30").unwrap().target(None), Ok(Target::Cost(Pico(30_000_000_000_000))));
    }
}
