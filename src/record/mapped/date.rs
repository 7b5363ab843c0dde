//! Dates as people write them: day, month and year in some order, months by number or name, a time of day or none.
//!
//! Invariant: a date whose day and month cannot be told apart is none, unless somebody says in which order they stand.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::field::Unit;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Reads a date and a time of day without a zone: `1 Nov 2026 10:00`, `Nov 1, 2026 10:00 AM`, `13/11/2026`.
pub(in crate::record) fn civil(text: &str, order: Option<Unit>) -> Option<NaiveDateTime> {
    let (day, time) = parts(text)?;
    day.date(order)?.and_time(time).into()
}

/// Says whether a text is a date that only wants the order of its day and month.
pub(in crate::record) fn wants_order(text: &str) -> bool {
    civil(text, None).is_none() && civil(text, Some(Unit::DayFirst)).is_some()
}

/// The three parts of a date, and whether points stand between them.
struct Day<'t> {
    parts: [&'t str; 3],
    is_dotted: bool,
}

fn parts(text: &str) -> Option<(Day<'_>, NaiveTime)> {
    let (mut day, mut clock) = (Vec::with_capacity(3), String::new());
    for word in text.split(|c: char| c.is_whitespace() || c == ',').filter(|word| !word.is_empty()) {
        let lower = word.get(..3).unwrap_or(word).to_ascii_lowercase();
        if word.contains(':') {
            clock.insert_str(0, word);
        } else if matches!(&*lower, "am" | "pm") {
            clock.push_str(&lower);
        } else if !(day.is_empty() && WEEKDAYS.contains(&&*lower)) {
            day.extend(word.split(['/', '-', '.']).filter(|part| !part.is_empty()));
        }
    }
    let is_dotted = text.split([' ', ',']).any(|word| !word.contains(':') && word.matches('.').count() == 2);
    let day = Day { parts: day.try_into().ok()?, is_dotted };
    let forms = ["%H:%M:%S%.f", "%H:%M", "%I:%M:%S%.f%p", "%I:%M%p"];
    let time = match &*clock {
        "" => NaiveTime::MIN,
        clock => forms.iter().find_map(|form| NaiveTime::parse_from_str(clock, form).ok())?,
    };
    Some((day, time))
}

impl Day<'_> {
    fn date(&self, order: Option<Unit>) -> Option<NaiveDate> {
        let [one, two, three] = self.parts;
        if let Some((at, month)) = self.month() {
            // The year is the longer of the others: `1 Nov 2026`, `2026 Nov 1`.
            let (first, second) =
                if at == 0 { (two, three) } else { (one, if at == 1 { three } else { two }) };
            return if first.len() == 4 { date(first, month, second) } else { date(second, month, first) };
        }
        if one.len() == 4 {
            return date(one, two.parse().ok()?, three);
        }
        let (first, second) = (one.parse().ok()?, two.parse().ok()?);
        let is_day_first = match order {
            Some(Unit::DayFirst) => true,
            Some(Unit::MonthFirst) => false,
            // Points stand between the parts where the day comes first.
            _ if self.is_dotted => true,
            _ if first > 12 => true,
            _ if second > 12 || first == second => false,
            _ => return None,
        };
        if is_day_first { date(three, second, one) } else { date(three, first, two) }
    }

    /// Finds a month by name, and where it stands.
    fn month(&self) -> Option<(usize, u32)> {
        self.parts.iter().enumerate().find_map(|(at, part)| {
            let lower = part.get(..3)?.to_ascii_lowercase();
            (1..).zip(MONTHS).find(|(_, name)| *name == lower).map(|(month, _)| (at, month))
        })
    }
}

fn date(year: &str, month: u32, day: &str) -> Option<NaiveDate> {
    let whole = match (year.len(), year.parse::<i32>().ok()?) {
        (4, year) => year,
        (2, year) => 2000 + year,
        _ => return None,
    };
    // `1st`, `22nd`.
    let day = day.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    NaiveDate::from_ymd_opt(whole, month, day.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_people_write_them_or_not_at_all() {
        for (text, order, want) in [
            ("1 Nov 2026 10:00:00", None, "2026-11-01 10:00:00"),
            ("1-Nov-2026 10:00", None, "2026-11-01 10:00:00"),
            ("Nov 1, 2026 10:00 PM", None, "2026-11-01 22:00:00"),
            ("November 1st, 2026, 10:00:30.5am", None, "2026-11-01 10:00:30.500"),
            ("Sun Nov  1 10:00:00 2026", None, "2026-11-01 10:00:00"),
            ("2026 Nov 1", None, "2026-11-01 00:00:00"),
            ("2026/11/01 10:00", None, "2026-11-01 10:00:00"),
            ("2026-11-01", None, "2026-11-01 00:00:00"),
            ("01.11.2026 10:00", None, "2026-11-01 10:00:00"),
            ("13/11/2026", None, "2026-11-13 00:00:00"),
            ("11-13-26 10:00", None, "2026-11-13 10:00:00"),
            ("11/11/2026", None, "2026-11-11 00:00:00"),
            ("01/11/2026", None, ""),
            ("01/11/2026", Some(Unit::DayFirst), "2026-11-01 00:00:00"),
            ("01/11/2026 10:00 AM", Some(Unit::MonthFirst), "2026-01-11 10:00:00"),
            ("31/11/2026", None, ""),
            ("1 Nov", None, ""),
            ("11/2026", None, ""),
            ("1.2.3", None, ""),
            ("gpt-4.1-mini", None, ""),
            ("é/é/é é", None, ""),
        ] {
            let read = civil(text, order).map(|at| at.to_string()).unwrap_or_default();
            assert_eq!(read, want, "{text}");
        }
        assert!(wants_order("01/11/2026 10:00") && !wants_order("13/11/2026") && !wants_order("soon"));
    }
}
