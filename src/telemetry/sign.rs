//! Whether something is added to sums or taken away: both are exact inverses.

use crate::outcome::Spread;
use crate::pricing::CostSum;
use crate::units::Pico;

/// Whether a request enters a window or leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It enters.
    Plus,
    /// It leaves.
    Minus,
}

impl Sign {
    #[inline]
    pub(super) fn count(self, field: &mut u64, n: u64) {
        match self {
            Self::Plus => *field += n,
            Self::Minus => *field = field.saturating_sub(n),
        }
    }

    /// Counts what may be taken away before it was added.
    #[inline]
    pub(super) fn step(self, count: &mut u64, by: u64) {
        *count = match self {
            Self::Plus => count.wrapping_add(by),
            Self::Minus => count.wrapping_sub(by),
        };
    }

    /// Counts one.
    #[inline]
    pub(super) fn one(self, count: &mut u32) {
        *count = match self {
            Self::Plus => count.saturating_add(1),
            Self::Minus => count.saturating_sub(1),
        };
    }
}

/// What adds up and is taken away again.
pub(super) trait Summed {
    /// Adds another's sums, or takes them away.
    fn sum(&mut self, other: &Self, sign: Sign);
}

impl Summed for u64 {
    #[inline]
    fn sum(&mut self, other: &Self, sign: Sign) {
        sign.count(self, *other);
    }
}

impl Summed for Pico {
    #[inline]
    fn sum(&mut self, other: &Self, sign: Sign) {
        match sign {
            Sign::Plus => *self += *other,
            Sign::Minus => *self -= *other,
        }
    }
}

impl Summed for CostSum {
    #[inline]
    fn sum(&mut self, other: &Self, sign: Sign) {
        match sign {
            Sign::Plus => *self += other,
            Sign::Minus => *self -= other,
        }
    }
}

impl Summed for Spread {
    #[inline]
    fn sum(&mut self, other: &Self, sign: Sign) {
        match sign {
            Sign::Plus => self.add(*other),
            Sign::Minus => self.remove(*other),
        }
    }
}

/// Makes a structure of sums all of which add up.
macro_rules! sums {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* pub $member:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        pub struct $name {
            $($(#[$doc])* pub $member: $kind,)*
        }

        impl $crate::telemetry::sign::Summed for $name {
            #[inline]
            fn sum(&mut self, other: &Self, sign: $crate::telemetry::Sign) {
                $($crate::telemetry::sign::Summed::sum(&mut self.$member, &other.$member, sign);)*
            }
        }
    };
}
pub(super) use sums;
