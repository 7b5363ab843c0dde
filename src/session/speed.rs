//! The pace of a replay, in tenths of the recorded one.

/// How fast the player runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speed {
    /// In tenths of the recorded pace.
    Tenths(u32),
    /// As fast as the machine can.
    Max,
}

const SPEEDS: [u32; 15] = [1, 2, 5, 10, 20, 40, 80, 150, 300, 600, 1200, 3000, 6000, 12_000, 36_000];

impl Speed {
    /// The recorded pace.
    pub const RECORDED: Self = Self::Tenths(10);

    /// Returns the next faster speed.
    #[must_use]
    pub fn faster(self) -> Self {
        match self {
            Self::Max => Self::Max,
            Self::Tenths(now) => {
                SPEEDS.iter().find(|&&speed| speed > now).map_or(Self::Max, |&speed| Self::Tenths(speed))
            }
        }
    }

    /// Returns the next slower speed.
    #[must_use]
    pub fn slower(self) -> Self {
        let now = match self {
            Self::Max => u32::MAX,
            Self::Tenths(now) => now,
        };
        Self::Tenths(SPEEDS.iter().rev().find(|&&speed| speed < now).copied().unwrap_or(SPEEDS[0]))
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Max => f.pad("max"),
            Self::Tenths(tenths) if tenths % 10 == 0 => f.pad(&format!("{}x", tenths / 10)),
            Self::Tenths(tenths) => f.pad(&format!("{}.{}x", tenths / 10, tenths % 10)),
        }
    }
}
