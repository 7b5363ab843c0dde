//! Money as integer pico-dollars (1e-12 USD) and prices as pico-dollars per million tokens.
//!
//! Any $/1M price with up to six decimals is a whole number of pico-dollars per token, so sums of charges equal charges
//! of sums. Text in and out is decimal; floats never touch an amount.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use rust_decimal::{Decimal, Error as DecimalError};

/// Why a text is no amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The text is not a decimal number.
    #[error("`{0}` is not a decimal number")]
    NotDecimal(String),
    /// The text has more decimals than can be held exactly.
    #[error("`{text}` has {found} decimals, at most {most} can be kept exactly")]
    TooFine {
        /// The number as it was written.
        text: String,
        /// Its decimals.
        found: u32,
        /// The decimals that fit.
        most: u32,
    },
    /// The number is out of range.
    #[error("`{0}` is out of range")]
    OutOfRange(String),
    /// The number is negative where a price is asked for.
    #[error("`{0}` is negative")]
    Negative(String),
}

/// An amount of money in pico-dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Pico(pub i128);

/// A price in pico-dollars per 1,000,000 tokens; exact to 1e-18 USD per token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PicoPerMillion(pub i64);

const PICO_PER_USD_DIGITS: u32 = 12;

/// Reads a decimal text (plain or with an exponent) as an integer scaled by `10^digits`, exactly.
fn scaled(text: &str, digits: u32) -> Result<i128, MoneyError> {
    let trimmed = text.trim();
    let too_fine = |found: u32| MoneyError::TooFine { text: text.to_owned(), found, most: digits };
    let read = if trimmed.contains(['e', 'E']) {
        Decimal::from_scientific(trimmed)
    } else {
        Decimal::from_str_exact(trimmed)
    };
    let large = trimmed.contains(['e', 'E']) && !trimmed.contains("e-") && !trimmed.contains("E-");
    let value = read.map_err(|error| match error {
        DecimalError::ScaleExceedsMaximumPrecision(_) if large => MoneyError::OutOfRange(text.to_owned()),
        // More than 28 decimals: finer than any price that can be kept.
        DecimalError::Underflow | DecimalError::ScaleExceedsMaximumPrecision(_) => {
            let decimals = trimmed.split_once('.').map_or(29, |(_, fraction)| fraction.len().max(29));
            too_fine(u32::try_from(decimals).unwrap_or(u32::MAX))
        }
        DecimalError::ExceedsMaximumPossibleValue | DecimalError::LessThanMinimumPossibleValue => {
            MoneyError::OutOfRange(text.to_owned())
        }
        _ => MoneyError::NotDecimal(text.to_owned()),
    })?;
    let value = value.normalize();
    let missing = digits.checked_sub(value.scale()).ok_or_else(|| too_fine(value.scale()))?;
    let factor = 10i128.checked_pow(missing);
    factor
        .and_then(|factor| value.mantissa().checked_mul(factor))
        .ok_or_else(|| MoneyError::OutOfRange(text.to_owned()))
}

/// Divides rounding half to even.
pub(crate) fn div_half_even(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator.div_euclid(denominator);
    let twice = numerator.rem_euclid(denominator) * 2;
    match twice.cmp(&denominator) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + (quotient & 1),
    }
}

impl Pico {
    /// Nothing owed.
    pub const ZERO: Self = Self(0);
    /// One dollar.
    pub const USD: Self = Self(1_000_000_000_000);

    /// Reads dollars from decimal text, exactly.
    pub fn from_usd(text: &str) -> Result<Self, MoneyError> {
        scaled(text, PICO_PER_USD_DIGITS).map(Self)
    }

    /// Reads an amount from decimal text in units of which `10^digits` pico-dollars are one (12: dollars, 10: cents), rounding
    /// half-even what is finer than a pico-dollar: for amounts that others have worked out.
    pub fn from_others(text: &str, digits: u32) -> Result<Self, MoneyError> {
        let trimmed = text.trim();
        let read = if trimmed.contains(['e', 'E']) {
            Decimal::from_scientific(trimmed)
        } else {
            Decimal::from_str(trimmed)
        };
        let value = read.map_err(|_| MoneyError::NotDecimal(text.to_owned()))?;
        let value = value.round_dp(digits);
        let factor = 10i128.checked_pow(digits.saturating_sub(value.scale()));
        factor
            .and_then(|factor| value.mantissa().checked_mul(factor))
            .map(Self)
            .ok_or_else(|| MoneyError::OutOfRange(text.to_owned()))
    }

    /// Writes dollars exactly, without trailing zeros: `0.016912`.
    pub fn usd(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let magnitude = self.0.unsigned_abs();
        let scale = 10u128.pow(PICO_PER_USD_DIGITS);
        // Small numbers are written several times as fast.
        let fraction = format!("{:012}", u64::try_from(magnitude % scale).unwrap_or(0));
        let kept = fraction.trim_end_matches('0');
        let dot = if kept.is_empty() { "" } else { "." };
        match u64::try_from(magnitude / scale) {
            Ok(whole) => format!("{sign}{whole}{dot}{kept}"),
            Err(_) => format!("{sign}{}{dot}{kept}", magnitude / scale),
        }
    }

    /// Writes dollars rounded half-even to `places` decimals (at most 12), with thousands separated by commas.
    pub fn usd_rounded(self, places: u32) -> String {
        let places = places.min(PICO_PER_USD_DIGITS);
        let units = div_half_even(self.0, 10i128.pow(PICO_PER_USD_DIGITS - places));
        let scale = 10u128.pow(places);
        let (whole, fraction) = (units.unsigned_abs() / scale, units.unsigned_abs() % scale);
        let grouped = super::count::in_groups(&whole.to_string());
        let sign = if units < 0 { "-" } else { "" };
        if places == 0 {
            format!("{sign}{grouped}")
        } else {
            format!("{sign}{grouped}.{fraction:0width$}", width = places as usize)
        }
    }

    /// Writes dollars for people: cents from a dollar up, six decimals below, nothing behind a zero, which little is not.
    pub fn dollars(self) -> String {
        let places = match self.0.abs() {
            0 => 0,
            size if size >= Self::USD.0 => 2,
            _ => 6,
        };
        let sign = if self.0 < 0 { "-" } else { "" };
        match Self(self.0.abs()).usd_rounded(places).as_str() {
            "0.000000" => format!("{sign}<$0.000001"),
            amount => format!("{sign}${amount}"),
        }
    }

    /// Returns dollars as a float, for drawing only.
    pub fn to_f64(self) -> f64 {
        self.0 as f64 / 1e12
    }

    /// Scales by `numerator / denominator`, rounding half-even; zero when the denominator is zero.
    #[must_use]
    pub fn ratio(self, numerator: i128, denominator: i128) -> Self {
        if denominator == 0 {
            Self::ZERO
        } else {
            Self(div_half_even(self.0.saturating_mul(numerator), denominator))
        }
    }
}

impl PicoPerMillion {
    /// Reads a price in dollars per million tokens from decimal text, exactly.
    pub fn from_usd_per_million(text: &str) -> Result<Self, MoneyError> {
        Self::build(text, PICO_PER_USD_DIGITS)
    }

    /// Reads a price in dollars per token from decimal text (as LiteLLM writes it), exactly.
    pub fn from_usd_per_token(text: &str) -> Result<Self, MoneyError> {
        Self::build(text, PICO_PER_USD_DIGITS + 6)
    }

    fn build(text: &str, digits: u32) -> Result<Self, MoneyError> {
        let value = scaled(text, digits)?;
        if value < 0 {
            return Err(MoneyError::Negative(text.to_owned()));
        }
        i64::try_from(value).map(Self).map_err(|_| MoneyError::OutOfRange(text.to_owned()))
    }

    /// Prices `tokens`, rounding half-even to the pico-dollar; exact for prices of up to six decimals per million.
    pub fn charge(self, tokens: u64) -> Pico {
        let product = i128::from(tokens) * i128::from(self.0);
        // Listed prices are whole pico-dollars per token; the general division is for the rest.
        if self.0 % 1_000_000 == 0 {
            return Pico(i128::from(tokens) * i128::from(self.0 / 1_000_000));
        }
        Pico(div_half_even(product, 1_000_000))
    }

    /// Writes the price in dollars for one token (or whatever else it is for), exactly.
    pub fn usd_per_token(self) -> String {
        let (whole, rest) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let dollars = Pico(i128::from(whole)).usd();
        if rest == 0 {
            return dollars;
        }
        // Six more digits than an amount has.
        let (whole, fraction) = dollars.split_once('.').unwrap_or((&dollars, ""));
        format!("{whole}.{fraction:0<12}{rest:06}").trim_end_matches('0').to_owned()
    }

    /// Writes the price in dollars per million tokens, exactly.
    pub fn usd_per_million(self) -> String {
        Pico(i128::from(self.0)).usd()
    }

    /// Writes it as a list of prices does, with at least the cents: `$2.00`, `$0.075`.
    pub fn dollars(self) -> String {
        let text = self.usd_per_million();
        match text.split_once('.') {
            None => format!("${text}.00"),
            Some((_, cents)) if cents.len() == 1 => format!("${text}0"),
            Some(_) => format!("${text}"),
        }
    }
}

impl FromStr for Pico {
    type Err = MoneyError;
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        Self::from_usd(text)
    }
}

impl fmt::Display for Pico {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.usd())
    }
}

impl Add for Pico {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}
impl Sub for Pico {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}
impl Neg for Pico {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}
impl AddAssign for Pico {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}
impl SubAssign for Pico {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}
impl Sum for Pico {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_decimals_without_floats() {
        assert_eq!(Pico::from_usd("0.016912").unwrap(), Pico(16_912_000_000));
        assert_eq!(Pico::from_usd("-1.5").unwrap(), Pico(-1_500_000_000_000));
        assert_eq!(PicoPerMillion::from_usd_per_token("2e-06").unwrap(), PicoPerMillion(2_000_000_000_000));
        assert_eq!(PicoPerMillion::from_usd_per_token("3.75e-08").unwrap(), PicoPerMillion(37_500_000_000));
        assert_eq!(PicoPerMillion::from_usd_per_million("0.0375").unwrap(), PicoPerMillion(37_500_000_000));
        assert!(matches!(Pico::from_usd("0.0000000000001"), Err(MoneyError::TooFine { found: 13, .. })));
        for bad in ["", ".", "1.2.3", "abc", "1e", "--1", "1e999999999999", "1e-", "e5"] {
            assert!(Pico::from_usd(bad).is_err(), "{bad} should be refused");
        }
        assert!(matches!(PicoPerMillion::from_usd_per_million("-1"), Err(MoneyError::Negative(_))));
    }

    #[test]
    fn writes_what_a_person_reads() {
        assert_eq!(Pico(16_912_000_000).usd(), "0.016912");
        assert_eq!(Pico::ZERO.usd(), "0");
        assert_eq!((Pico::USD).usd(), "1");
        assert_eq!(Pico::from_usd("1234567.895").unwrap().usd_rounded(2), "1,234,567.90");
        assert_eq!(Pico::from_usd("0.125").unwrap().usd_rounded(2), "0.12");
        assert_eq!(Pico::from_usd("-0.005").unwrap().usd_rounded(2), "0.00");
        assert_eq!(Pico::from_usd("6300").unwrap().usd_rounded(0), "6,300");
    }

    proptest! {
        #[test]
        fn text_round_trips(pico in -10i128.pow(24)..10i128.pow(24)) {
            prop_assert_eq!(Pico::from_usd(&Pico(pico).usd()).unwrap(), Pico(pico));
        }

        #[test]
        fn sums_of_charges_are_charges_of_sums(price in 0i64..100_000_000, tokens in proptest::collection::vec(0u64..5_000_000, 1..40)) {
            let price = PicoPerMillion(price * 1_000_000);
            let parts: Pico = tokens.iter().map(|&t| price.charge(t)).sum();
            prop_assert_eq!(parts, price.charge(tokens.iter().sum()));
        }
    }
}
