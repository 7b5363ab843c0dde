//! How much is spent at present for each share of the week: actual spend over profile, both fading with age.

use super::profile::Profile;
use crate::units::Pico;

/// What a weight keeps of itself an hour later, in 2^32ths: half of it after three days (2^(-1/72)).
const KEEPS: u64 = 4_253_817_848;
/// A weight of one.
const ONE: u64 = 1 << 32;
/// Hours after which nothing is left to weigh.
const MEMORY: usize = 1440;

/// The level: so much was spent where so much of the week's share passed, both weighed by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Level {
    spent: Pico,
    share: u64,
}

impl Level {
    /// Finds it at the end of hours; none where nothing was spent.
    pub(super) fn find(hours: &[Pico], profile: &Profile) -> Option<Self> {
        let (mut spent, mut share, mut weight) = (0i128, 0u128, ONE);
        for (index, hour) in hours.iter().enumerate().rev().take(MEMORY) {
            spent = spent.saturating_add(hour.0.saturating_mul(i128::from(weight >> 12)));
            share += u128::from(profile.share(index)) * u128::from(weight >> 12);
            weight = u64::try_from((u128::from(weight) * u128::from(KEEPS)) >> 32).unwrap_or(0);
        }
        let share = u64::try_from(share >> 20).unwrap_or(u64::MAX);
        let spent = Pico(spent >> 20);
        (spent > Pico::ZERO && share > 0).then_some(Self { spent, share })
    }

    /// Returns what a share of the week costs at this level.
    pub(super) fn of(self, share: u64) -> Pico {
        self.spent.proportion([share], [self.share])
    }
}
