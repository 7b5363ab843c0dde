//! Shares and confidences on the grid 0 to 1000. Thresholds live on the same grid, which is what makes what-if exact.

use std::fmt;

use serde::de::{Deserializer, Error as _, Unexpected};
use serde::{Deserialize, Serialize, Serializer};

/// A share in thousandths, 0 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct PerMille(u16);

impl PerMille {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The whole.
    pub const ONE: Self = Self(1000);
    /// The number of values on the grid.
    pub const VALUES: usize = 1001;

    /// Builds a per mille; `None` above 1000.
    pub const fn new(value: u16) -> Option<Self> {
        if value <= 1000 { Some(Self(value)) } else { None }
    }

    /// Builds a per mille, cutting what lies outside 0 to 1000.
    pub fn clamped(value: i64) -> Self {
        Self(u16::try_from(value.clamp(0, 1000)).unwrap_or(0))
    }

    /// Reads a probability in 0..=1 as a per mille, rounding half up; `None` outside or not a number.
    pub fn from_probability(p: f64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "range is checked first")]
        (p.is_finite() && (0.0..=1.0).contains(&p)).then(|| Self::clamped((p * 1000.0).round() as i64))
    }

    /// Returns the number, 0 to 1000.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Returns the index of this value in a table of [`PerMille::VALUES`] bins.
    pub const fn bin(self) -> usize {
        self.0 as usize
    }
}

impl Serialize for PerMille {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u16(self.0)
    }
}

impl<'de> Deserialize<'de> for PerMille {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u16::deserialize(deserializer)?;
        let outside =
            || D::Error::invalid_value(Unexpected::Unsigned(value.into()), &"a number from 0 to 1000");
        Self::new(value).ok_or_else(outside)
    }
}

impl fmt::Display for PerMille {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
