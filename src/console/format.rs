//! Numbers as people read them, short and of steady width, so that columns do not jump.
//!
//! Invariant: integers only, rounded half away from zero; nothing is shown as zero that is not, and no allocation.

use std::fmt::Write;

use arrayvec::ArrayString;

use crate::units::{PerMille, Pico, Span};

/// A short text on the stack.
pub type Short = ArrayString<40>;

/// What stands for a number nobody knows.
pub const UNKNOWN: &str = "–";

/// Writes a short text; what does not fit is left out.
macro_rules! short {
    ($($words:tt)*) => { $crate::console::format::written(format_args!($($words)*)) };
}
pub(crate) use short;

/// Writes into a short text; what does not fit is left out.
pub fn written(arguments: std::fmt::Arguments<'_>) -> Short {
    let mut out = Short::new();
    let _ = out.write_fmt(arguments);
    out
}

fn divide(number: u128, by: u128) -> u128 {
    number.saturating_add(by / 2).checked_div(by).unwrap_or(0)
}

/// Writes a number in full, its thousands apart.
fn grouped(number: u128) -> Short {
    match number {
        ..1000 => short!("{number}"),
        _ => short!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

/// The steps of large numbers.
const LARGE: [(u128, char); 4] =
    [(1_000_000, 'M'), (1_000_000_000, 'B'), (1_000_000_000_000, 'T'), (1_000_000_000_000_000, 'P')];

/// Writes `number / scale` with a unit where it reaches a million, in full below.
fn large(number: u128, scale: u128) -> Short {
    if divide(number, scale) < 1_000_000 {
        return grouped(divide(number, scale));
    }
    // The least unit in which no more than three digits stand before the point, after rounding.
    let fits = |step: u128| divide(number, scale.saturating_mul(step)) < 1000;
    let [.., most] = LARGE;
    let (step, unit) = LARGE.into_iter().find(|&(step, _)| fits(step)).unwrap_or(most);
    let tenths = divide(number, scale.saturating_mul(step / 10));
    if tenths >= 1000 {
        return short!("{}{unit}", grouped(divide(number, scale.saturating_mul(step))));
    }
    short!("{}.{}{unit}", tenths / 10, tenths % 10)
}

/// Writes dollars: `$0.000123`, `$0.0123`, `$41.87`, `$9,120`, `$1.2M`.
pub fn money(amount: Pico) -> Short {
    signed_money(amount, "")
}

/// Writes a change in dollars with its sign: `+$1.20`, `-$1,203`.
pub fn money_change(amount: Pico) -> Short {
    signed_money(amount, if amount.0 > 0 { "+" } else { "" })
}

fn signed_money(amount: Pico, plus: &str) -> Short {
    const PICO: u128 = 1_000_000_000_000;
    let size = amount.0.unsigned_abs();
    if size == 0 {
        return short!("$0");
    }
    let sign = if amount.0 < 0 { "-" } else { plus };
    if size < PICO / 1_000_000 / 2 {
        return short!("{sign}<$0.000001");
    }
    // Rounding may carry into the next form: 0.99996 is $1.00, not $1.0000.
    let decimals: u32 = if divide(size, PICO / 1_000_000) < 1_000 {
        6
    } else if divide(size, PICO / 10_000) < 10_000 {
        4
    } else if divide(size, PICO / 100) < 100_000 {
        2
    } else {
        return short!("{sign}${}", large(size, PICO));
    };
    let scale = 10u128.pow(decimals);
    let units = divide(size, PICO / scale);
    short!("{sign}${}.{:0width$}", grouped(units / scale), units % scale, width = decimals as usize)
}

/// Writes a count in full: `12,408`.
pub fn count(number: u64) -> Short {
    grouped(number.into())
}

/// Writes a count short from a million on: `12,408`, `1.2M`.
pub fn count_short(number: u64) -> Short {
    large(number.into(), 1)
}

/// Writes a change of a count with its sign: `+794`, `-1,203`.
pub fn count_change(number: i64) -> Short {
    let sign = match number {
        ..0 => "-",
        0 => "",
        _ => "+",
    };
    short!("{sign}{}", count(number.unsigned_abs()))
}

/// Writes a per mille: `620 ‰`.
pub fn per_mille(value: PerMille) -> Short {
    short!("{} ‰", value.get())
}

/// Writes a share as percent: `64.9 %`; [`UNKNOWN`] where there is nothing to take a share of.
pub fn percent(part: u64, whole: u64) -> Short {
    percent_of(part.into(), whole.into())
}

/// The same of amounts, however large.
pub fn percent_of(part: u128, whole: u128) -> Short {
    if whole == 0 {
        return short!("{UNKNOWN}");
    }
    let tenths = divide(part.saturating_mul(1000), whole);
    // What is not nothing is not shown as nothing, and what is not all not as all.
    match (tenths, part) {
        (0, 1..) => short!("<0.1 %"),
        (1000, _) if part < whole => short!(">99.9 %"),
        _ => short!("{}.{} %", tenths / 10, tenths % 10),
    }
}

/// Writes the change from one amount to another as percent: `-13.2 %`.
pub fn percent_change(from: i128, to: i128) -> Short {
    if from == 0 {
        return short!("{UNKNOWN}");
    }
    let change = to.saturating_sub(from);
    let tenths = divide(change.unsigned_abs().saturating_mul(1000), from.unsigned_abs());
    signed(tenths, (change < 0) != (from < 0), "%")
}

fn signed(tenths: u128, is_less: bool, unit: &str) -> Short {
    let sign = match tenths {
        0 => "",
        _ if is_less => "-",
        _ => "+",
    };
    short!("{sign}{}.{} {unit}", tenths / 10, tenths % 10)
}

/// Writes the change between two shares, each a part of a whole, in percentage points: `+6.4 pt`. Rounded once, so that what
/// one share gains another loses.
pub fn points_change(from: (u64, u64), to: (u64, u64)) -> Short {
    let wide = |number: u64| i128::from(number);
    let (whole, other) = (wide(from.1.max(1)), wide(to.1.max(1)));
    let change = (wide(to.0).saturating_mul(whole)).saturating_sub(wide(from.0).saturating_mul(other));
    let change = change.saturating_mul(1000);
    signed(divide(change.unsigned_abs(), whole.saturating_mul(other).unsigned_abs()), change < 0, "pt")
}

/// Writes a span: `850 µs`, `120 ms`, `2.84 s`, `41.2 s`, `3 m 20 s`, `2 h 05 m`, `3 d 04 h`.
pub fn duration(span: Span) -> Short {
    let sign = if span.0 < 0 { "-" } else { "" };
    let micros = span.0.unsigned_abs();
    let seconds = (micros + 500_000) / 1_000_000;
    match micros {
        0 => short!("0 ms"),
        1..1_000 => short!("{sign}{micros} µs"),
        1_000..999_500 => short!("{sign}{} ms", (micros + 500) / 1_000),
        999_500..9_995_000 => {
            let hundredths = (micros + 5_000) / 10_000;
            short!("{sign}{}.{:02} s", hundredths / 100, hundredths % 100)
        }
        9_995_000..59_950_000 => {
            let tenths = (micros + 50_000) / 100_000;
            short!("{sign}{}.{} s", tenths / 10, tenths % 10)
        }
        _ if seconds < 3_600 => short!("{sign}{} m {:02} s", seconds / 60, seconds % 60),
        _ if seconds < 86_400 => {
            short!("{sign}{} h {:02} m", seconds / 3_600, seconds / 60 % 60)
        }
        _ => short!("{sign}{} d {:02} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Writes how often something happens, from a number of events in a span: `12.4/s`, `3.1/min`.
pub fn rate(events: u64, span: Span) -> Short {
    let Some(micros) = u128::try_from(span.0).ok().filter(|&micros| micros > 0) else {
        return short!("{UNKNOWN}");
    };
    let tenths =
        |micros_per_unit: u128| divide(u128::from(events).saturating_mul(micros_per_unit * 10), micros);
    let (tenths, unit) = match tenths(1_000_000) {
        fast @ 10.. => (fast, "s"),
        _ => match tenths(60_000_000) {
            slow @ 10.. => (slow, "min"),
            _ => (tenths(3_600_000_000), "h"),
        },
    };
    match tenths {
        10_000.. => short!("{}/{unit}", grouped(divide(tenths, 10))),
        _ => short!("{}.{}/{unit}", tenths / 10, tenths % 10),
    }
}

/// Writes a number that may be unknown.
pub fn or_unknown<T>(value: Option<T>, write: impl FnOnce(T) -> Short) -> Short {
    value.map_or_else(|| short!("{UNKNOWN}"), write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn usd(text: &str) -> Pico {
        Pico::from_usd(text).unwrap()
    }

    #[test]
    fn money_reads_short_at_every_size() {
        for (amount, shown) in [
            ("0", "$0"),
            ("0.0000000001", "<$0.000001"),
            ("0.0000005", "$0.000001"),
            ("0.000123", "$0.000123"),
            ("0.0123", "$0.0123"),
            ("0.99996", "$1.00"),
            ("0.21", "$0.2100"),
            ("41.87", "$41.87"),
            ("999.996", "$1,000"),
            ("9120", "$9,120"),
            ("999999.6", "$1.0M"),
            ("1234567", "$1.2M"),
            ("999960000", "$1.0B"),
            ("99960000", "$100M"),
            ("4500000000", "$4.5B"),
            ("-1203.4", "-$1,203"),
        ] {
            assert_eq!(money(usd(amount)).as_str(), shown, "{amount}");
        }
        assert_eq!(money_change(usd("1.2")).as_str(), "+$1.20");
        assert_eq!(money_change(usd("0")).as_str(), "$0");
    }

    #[test]
    fn counts_and_shares() {
        assert_eq!(count(12_408).as_str(), "12,408");
        assert_eq!(count_short(1_240_800).as_str(), "1.2M");
        assert_eq!(count_change(-1_203).as_str(), "-1,203");
        assert_eq!(count_change(0).as_str(), "0");
        assert_eq!(percent(649, 1000).as_str(), "64.9 %");
        assert_eq!(percent(1, 100_000).as_str(), "<0.1 %");
        assert_eq!(percent(99_999, 100_000).as_str(), ">99.9 %");
        assert_eq!(percent(0, 0).as_str(), UNKNOWN);
        assert_eq!(percent_of(24 * 10u128.pow(23), 12 * 10u128.pow(18)).as_str(), "20000000.0 %");
        assert_eq!(percent_change(842, 731).as_str(), "-13.2 %");
        assert_eq!(percent_change(-100, -50).as_str(), "-50.0 %");
        assert_eq!(points_change((649, 1000), (713, 1000)).as_str(), "+6.4 pt");
        assert_eq!(points_change((475, 726), (503, 726)).as_str(), "+3.9 pt");
        assert_eq!(
            points_change((210, 726), (182, 726)).as_str(),
            "-3.9 pt",
            "what one gains the other loses"
        );
        assert_eq!(per_mille(PerMille::clamped(620)).as_str(), "620 ‰");
    }

    #[test]
    fn times_and_rates() {
        for (micros, shown) in [
            (0, "0 ms"),
            (850, "850 µs"),
            (120_000, "120 ms"),
            (999_600, "1.00 s"),
            (2_840_000, "2.84 s"),
            (41_230_000, "41.2 s"),
            (59_960_000, "1 m 00 s"),
            (200_000_000, "3 m 20 s"),
            (7_500_000_000, "2 h 05 m"),
            (273_600_000_000, "3 d 04 h"),
            (-120_000, "-120 ms"),
        ] {
            assert_eq!(duration(Span(micros)).as_str(), shown, "{micros}");
        }
        assert_eq!(rate(124, Span::secs(10)).as_str(), "12.4/s");
        assert_eq!(rate(31, Span::mins(10)).as_str(), "3.1/min");
        assert_eq!(rate(5, Span::hours(2)).as_str(), "2.5/h");
        assert_eq!(rate(5, Span::ZERO).as_str(), UNKNOWN);
        assert_eq!(rate(9_000_000, Span::secs(1)).as_str(), "9,000,000/s");
    }

    proptest! {
        #[test]
        fn no_number_is_too_large(pico: i128, other: i128, n: u64, m: u64, micros: i64, points: i64) {
            prop_assert!(!money(Pico(pico)).is_empty());
            let _ = (money_change(Pico(pico)), percent_change(pico, other), percent(n, m), count_short(n));
            let _ = (count(n), duration(Span(micros)), rate(n, Span(micros)), points_change((n, n), (points.unsigned_abs(), n)));
        }

        #[test]
        fn what_is_not_nothing_is_not_shown_as_nothing(pico in 1i128..i128::MAX) {
            let shown = money(Pico(pico));
            prop_assert_ne!(shown.as_str(), "$0");
        }
    }
}
