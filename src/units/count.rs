//! A token count that may be unknown. Unknown is never zero, and zero is never unknown.

use std::cmp::Ordering;
use std::fmt;

/// Counts tokens of one bucket, or says that the count is unknown; four bytes wide.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Count(u32);

impl Count {
    /// The count that nobody reported.
    pub const UNKNOWN: Self = Self(u32::MAX);
    /// An explicit zero.
    pub const ZERO: Self = Self(0);
    /// The largest count that can be held; more in one bucket of one request is refused as bad input.
    pub const MAX: u64 = (u32::MAX - 1) as u64;

    /// Builds a known count; `None` when `tokens` exceeds [`Count::MAX`].
    pub fn new(tokens: u64) -> Option<Self> {
        u32::try_from(tokens).ok().filter(|&t| t != u32::MAX).map(Self)
    }

    /// Builds a count from one that may be absent; absent stays unknown. `None` when too large.
    pub fn from_option(tokens: Option<u64>) -> Option<Self> {
        tokens.map_or(Some(Self::UNKNOWN), Self::new)
    }

    /// Returns the number of tokens where it is known.
    pub fn get(self) -> Option<u64> {
        (self.0 != u32::MAX).then_some(u64::from(self.0))
    }

    /// Returns the number of tokens, taking unknown as zero; for sums that report their unknowns beside them.
    pub fn or_zero(self) -> u64 {
        self.get().unwrap_or(0)
    }

    /// Says whether the count is known.
    pub fn is_known(self) -> bool {
        self.0 != u32::MAX
    }
}

impl Default for Count {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl fmt::Debug for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(n) => write!(f, "{n}"),
            None => f.write_str("unknown"),
        }
    }
}

/// Groups the digits of a whole number.
pub fn grouped(n: u64) -> String {
    in_groups(&n.to_string())
}

/// Groups digits by three.
pub(super) fn in_groups(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Writes a change of a whole number with its sign, its digits grouped.
pub fn changed(from: u64, to: u64) -> String {
    match from.cmp(&to) {
        Ordering::Equal => "0".to_owned(),
        Ordering::Less => format!("+{}", grouped(to - from)),
        Ordering::Greater => format!("-{}", grouped(from - to)),
    }
}

/// Writes how long something took: `812 ms`, `2.45 s`.
pub fn took(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        _ => format!("{}.{:02} s", millis / 1000, millis % 1000 / 10),
    }
}

/// Writes a number of things, its digits grouped: `1 request`, `2,000 requests`.
pub fn counted(n: u64, thing: &str) -> String {
    let mut out = grouped(n);
    out.push(' ');
    out.push_str(thing);
    match thing.strip_suffix('y') {
        _ if n == 1 => {}
        Some(before) if !before.ends_with(['a', 'e', 'o', 'u']) => {
            out.pop();
            out.push_str("ies");
        }
        _ => out.push('s'),
    }
    out
}

/// Counts milliseconds, or says that nobody measured them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Millis(u32);

impl Millis {
    /// Not measured.
    pub const UNKNOWN: Self = Self(u32::MAX);

    /// Builds a known latency; the longest that can be held is 49 days.
    pub fn new(millis: u64) -> Self {
        Self(u32::try_from(millis).unwrap_or(u32::MAX - 1).min(u32::MAX - 1))
    }

    /// Builds a latency from one that may be absent.
    pub fn from_option(millis: Option<u32>) -> Self {
        millis.map_or(Self::UNKNOWN, |millis| Self::new(u64::from(millis)))
    }

    /// Returns the milliseconds where they are known.
    pub fn get(self) -> Option<u64> {
        (self.0 != u32::MAX).then_some(u64::from(self.0))
    }

    /// Adds two latencies; unknown with anything is unknown.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        match (self.get(), other.get()) {
            (Some(a), Some(b)) => Self::new(a + b),
            _ => Self::UNKNOWN,
        }
    }
}

impl Default for Millis {
    fn default() -> Self {
        Self::UNKNOWN
    }
}

impl fmt::Debug for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Some(n) => write!(f, "{n} ms"),
            None => f.write_str("unknown"),
        }
    }
}
