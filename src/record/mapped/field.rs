//! What a log of one's own shape may tell, and the units it may tell it in.

macro_rules! fields {
    ($($field:ident $name:literal [$($other:literal),*],)*) => {
        /// A field of our record that a mapping may fill.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Field { $($field,)* }

        /// Every field: its name, and other names that are understood.
        pub(crate) const FIELDS: &[(Field, &str, &[&str])] = &[$((Field::$field, $name, &[$($other),*]),)*];
    };
}

fields! {
    At "at" ["time", "timestamp", "started"],
    Ended "ended" ["end"],
    Id "id" [],
    Team "team" [],
    Project "project" [],
    User "user" [],
    Session "session" [],
    Asked "asked" ["alias"],
    Model "model" [],
    Provider "provider" [],
    In "in" ["input", "prompt_tokens", "input_tokens"],
    Fresh "fresh" ["uncached"],
    Cached "cached" ["cache_read", "cached_tokens"],
    CacheWrite "cache_write" ["write_5m", "cache_creation"],
    CacheWriteHour "cache_write_1h" ["write_1h"],
    Out "out" ["output", "completion_tokens", "output_tokens"],
    Answer "answer" [],
    Reasoning "reasoning" ["thinking"],
    Total "total" ["total_tokens"],
    Latency "latency" ["duration"],
    FirstToken "ttft" [],
    Status "status" [],
    Error "error" [],
    Check "check" [],
    Task "task" [],
    Confidence "confidence" [],
    Turn "turn" [],
    Tools "tools" [],
    History "history" [],
    Prompt "prompt" [],
    Tier "tier" ["service_tier"],
    Cost "cost" [],
}

/// A unit of time or money, or the order of a date's parts, as told behind a field's name (`latency_ms`, `at_dmy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Seconds,
    Millis,
    Micros,
    Nanos,
    Dollars,
    Cents,
    /// Day, month, year.
    DayFirst,
    /// Month, day, year.
    MonthFirst,
}

/// Every unit, in order: how many decimal places lie between it and a second where it is one of time, and the words for it, first the one
/// behind a field's name.
const UNITS: [(Unit, Option<u32>, &[&str]); 8] = [
    (Unit::Seconds, Some(0), &["s", "sec", "secs", "second", "seconds"]),
    (Unit::Millis, Some(3), &["ms", "msec", "millis", "millisecond", "milliseconds"]),
    (Unit::Micros, Some(6), &["us", "µs", "μs", "usec", "micros", "microsecond", "microseconds"]),
    (Unit::Nanos, Some(9), &["ns", "nsec", "nanos", "nanosecond", "nanoseconds", "nano"]),
    (Unit::Dollars, None, &["usd", "dollar", "dollars"]),
    (Unit::Cents, None, &["cents", "cent"]),
    (Unit::DayFirst, None, &["dmy"]),
    (Unit::MonthFirst, None, &["mdy"]),
];

impl Field {
    /// Returns the name it has in a mapping.
    pub(crate) fn name(self) -> &'static str {
        FIELDS.iter().find(|(field, ..)| *field == self).map_or("", |(_, name, _)| name)
    }

    /// Finds a field by a name, and the unit behind it.
    pub(crate) fn named(name: &str) -> Option<(Self, Option<Unit>)> {
        let lower = name.trim().to_ascii_lowercase().replace('-', "_");
        let find = |wanted: &str| {
            let named =
                |(_, name, others): &&(Self, &str, &[&str])| *name == wanted || others.contains(&wanted);
            FIELDS.iter().find(named).map(|(field, ..)| *field)
        };
        if let Some(field) = find(&lower) {
            return Some((field, None));
        }
        let (stem, last) = lower.rsplit_once('_')?;
        let (field, unit) = (find(stem)?, Unit::named(last)?);
        field.takes(unit).then_some((field, Some(unit)))
    }

    /// Says whether it is told in such a unit.
    pub(super) fn takes(self, unit: Unit) -> bool {
        match self {
            Self::At | Self::Ended => unit.seconds_exponent().is_some() || unit.is_order(),
            Self::Latency | Self::FirstToken => unit.seconds_exponent().is_some(),
            Self::Cost => matches!(unit, Unit::Dollars | Unit::Cents),
            _ => false,
        }
    }

    /// Says whether it is a length of time.
    pub(crate) fn is_length(self) -> bool {
        matches!(self, Self::Latency | Self::FirstToken)
    }

    /// Says whether a mapping that finds it nowhere cannot be meant.
    pub(crate) fn is_needed(self) -> bool {
        matches!(self, Self::At | Self::Model | Self::In | Self::Fresh | Self::Out | Self::Answer)
    }
}

impl Unit {
    /// Finds a unit by a word for it.
    pub(crate) fn named(word: &str) -> Option<Self> {
        let lower = word.to_ascii_lowercase();
        UNITS.iter().find(|(.., words)| words.contains(&lower.as_str())).map(|(unit, ..)| *unit)
    }

    /// Finds a unit of time among the words of a key (`elapsedMs`, `duration_seconds`).
    pub(crate) fn of_time_in(key: &str) -> Option<Self> {
        let last = words(key).pop()?;
        Self::named(&last).filter(|unit| unit.seconds_exponent().is_some())
    }

    /// Says whether it is the order of a date's parts.
    pub(crate) fn is_order(self) -> bool {
        matches!(self, Self::DayFirst | Self::MonthFirst)
    }

    /// Returns how many decimal places lie between it and a second; `None` where it is no unit of time.
    pub(crate) fn seconds_exponent(self) -> Option<u32> {
        UNITS[self as usize].1
    }

    /// Returns the word behind a field's name.
    pub(crate) fn suffix(self) -> &'static str {
        UNITS[self as usize].2[0]
    }
}

/// Cuts a key into its words, in lower case: at signs, and where a capital follows a small letter.
pub(crate) fn words(key: &str) -> Vec<String> {
    let (mut found, mut word, mut was_small) = (Vec::new(), String::new(), false);
    for c in key.chars() {
        let starts = c.is_uppercase() && was_small;
        if (starts || !c.is_alphanumeric()) && !word.is_empty() {
            found.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        was_small = c.is_lowercase() || c.is_ascii_digit();
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_units_are_found() {
        assert_eq!(Field::named("latency_ms"), Some((Field::Latency, Some(Unit::Millis))));
        assert_eq!(Field::named("cost_cents"), Some((Field::Cost, Some(Unit::Cents))));
        assert_eq!(Field::named("cache_write_1h"), Some((Field::CacheWriteHour, None)));
        assert_eq!(Field::named("at_us"), Some((Field::At, Some(Unit::Micros))));
        assert_eq!(Field::named("at_dmy"), Some((Field::At, Some(Unit::DayFirst))));
        assert_eq!(Field::named("latency_dmy"), None, "a length of time is no date");
        assert_eq!(Field::named("model_ms"), None, "a model has no unit");
        assert_eq!(Unit::of_time_in("elapsedMs"), Some(Unit::Millis));
        assert_eq!(Unit::of_time_in("took_seconds"), Some(Unit::Seconds));
        assert_eq!(Unit::of_time_in("dur"), None);
        assert_eq!(words("usage.promptTokens"), ["usage", "prompt", "tokens"]);
    }
}
