//! LiteLLM's off-peak prices as hours in which the price is multiplied.
//!
//! Invariant: what is taken over says at every minute of the week what the entry says; anything else gives nothing.
//! The semantics are LiteLLM's: a window whose start is its end is the whole day, one over midnight holds on both ends of each
//! of its days, and days are those of UTC unless a zone is named.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pricing::Hours;
use crate::units::PicoPerMillion;

/// Prices by name.
type Named = BTreeMap<&'static str, PicoPerMillion>;

/// The field.
pub(super) const FIELD: &str = "off_peak_pricing";

const DAY: u16 = 1440;

/// Reads the hours and what the prices beside them are multiplied by then, in thousandths; nothing where they are not all
/// multiplied by one number, or the hours are written in a way that is not known here. `price` reads one field.
pub(super) fn hours(
    stated: &Value,
    base: &Named,
    price: impl Fn(&str, &Value) -> Option<(&'static str, PicoPerMillion)>,
) -> Option<Vec<(Hours, u32)>> {
    let mut block = stated.as_object()?.clone();
    // Ahead of UTC by so much the whole year round.
    let ahead = match block.remove("weekday_timezone") {
        None => 0,
        Some(zone) => match zone.as_str()? {
            "UTC" => 0,
            "Asia/Shanghai" => 8 * 60,
            _ => return None,
        },
    };
    let windows = block.remove("windows")?;
    let then = block.iter().map(|(field, value)| price(field, value)).collect::<Option<Named>>()?;
    let times = factor(then, base)?;
    let mut all = Vec::new();
    for window in windows.as_array()? {
        let window = window.as_object()?;
        if window.keys().any(|key| !matches!(key.as_str(), "hours_utc" | "weekdays")) {
            return None;
        }
        let days = match window.get("weekdays") {
            None => 0b111_1111,
            Some(days) => weekdays(days)?,
        };
        let texts = match window.get("hours_utc")? {
            Value::Array(texts) => texts.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?,
            text => vec![text.as_str()?],
        };
        let (mut here, mut next) = (Vec::new(), Vec::new());
        for text in texts {
            for (start, end) in pieces(text)? {
                // From then on it is the next day already where the days are counted.
                let turn = DAY - ahead;
                let (before, after) = ((start, end.min(turn)), (start.max(turn), end));
                here.extend((before.0 < before.1).then_some(before));
                next.extend((after.0 < after.1).then_some(after));
            }
        }
        for (days, pieces) in [(days, here), (earlier(days), next)] {
            if !pieces.is_empty() {
                all.push((written(days, &pieces)?, times));
            }
        }
    }
    (!all.is_empty()).then_some(all)
}

/// Returns the one number that all prices are multiplied by.
fn factor(mut then: Named, base: &Named) -> Option<u32> {
    let ratio = |(name, usual): (&&'static str, &PicoPerMillion)| {
        let now = then.remove(name).map_or(0, |price| price.0);
        if usual.0 == 0 {
            return (now == 0).then_some(None);
        }
        let thousandths = now.checked_mul(1000)?;
        let is_exact = now > 0 && thousandths % usual.0 == 0;
        is_exact.then(|| u32::try_from(thousandths / usual.0).ok().map(Some)).flatten()
    };
    let ratios: Vec<Option<u32>> = base.iter().map(ratio).collect::<Option<_>>()?;
    let mut ratios = ratios.into_iter().flatten();
    let first = ratios.next()?;
    (ratios.all(|ratio| ratio == first) && then.is_empty()).then_some(first)
}

/// Reads days by number (Monday is 1), a bit each.
fn weekdays(days: &Value) -> Option<u8> {
    let mut all = 0;
    for day in days.as_array()? {
        let day = day.as_u64().filter(|day| (1..=7).contains(day))?;
        all |= 1 << (day - 1);
    }
    (all != 0).then_some(all)
}

/// Returns the days before.
fn earlier(days: u8) -> u8 {
    (days >> 1) | ((days & 1) << 6)
}

/// Reads a window as the pieces of a day that it is.
fn pieces(text: &str) -> Option<Vec<(u16, u16)>> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let (start, end) = text.split_once('-')?;
    let (start, end) = (minute(start)?, minute(end)?);
    if start < end {
        return Some(vec![(start, end)]);
    }
    Some([(start, DAY), (0, end)].into_iter().filter(|(start, end)| start < end).collect())
}

/// Makes hours of pieces of a day, read from the text that a book would have.
fn written(days: u8, pieces: &[(u16, u16)]) -> Option<Hours> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let utc: Vec<String> =
        pieces.iter().map(|(start, end)| format!("{}-{}", clock(*start), clock(*end))).collect();
    let names: Vec<&str> =
        DAYS.iter().enumerate().filter(|(day, _)| days & (1 << day) != 0).map(|(_, name)| *name).collect();
    Hours::parse(&utc.join(", "), &names.join(", ")).ok()
}
