//! How a week's spend is spread over its hours.

use crate::units::Pico;

/// Hours of a week.
pub(super) const WEEK: usize = 168;
/// A week's share in billionths.
const WHOLE: u64 = 1_000_000_000;
/// Weeks that are looked at.
const WEEKS: usize = 8;
/// How many weeks' worth the plainer profile (hour of day times day of week) weighs beside what an hour itself showed.
const SHRINK: u64 = 2;

/// The share of each hour of the week, in billionths of a week; index 0 is the hour of the first of the past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Profile(Box<[u64; WEEK]>);

impl Profile {
    /// Learns it from hours; none where there is no whole week with any cost.
    pub(super) fn learn(hours: &[Pico]) -> Option<Self> {
        let mut sums = [0u64; WEEK];
        let mut weeks = 0;
        // Whole weeks backward from the end, each weighing the same however much was spent in it.
        for week in hours.rchunks_exact(WEEK).take(WEEKS) {
            let total: Pico = week.iter().copied().sum();
            if total <= Pico::ZERO {
                continue;
            }
            let begins = (hours.len() - WEEK) % WEEK;
            for (at, hour) in week.iter().enumerate() {
                let share = i128::from(WHOLE).saturating_mul(hour.0.max(0)) / total.0;
                sums[(begins + at) % WEEK] += u64::try_from(share).unwrap_or(WHOLE);
            }
            weeks += 1;
        }
        (weeks > 0).then(|| Self(Box::new(smoothed(&sums, weeks))))
    }

    /// Returns the share of the hour at an index from the first of the past.
    pub(super) fn share(&self, index: usize) -> u64 {
        self.0[index % WEEK]
    }
}

/// Draws each hour toward what its hour of day and its day of week make of it, the less the more weeks were seen.
fn smoothed(sums: &[u64; WEEK], weeks: u64) -> [u64; WEEK] {
    let whole: u64 = sums.iter().sum();
    let by = |pick: fn(usize) -> usize, group: usize| -> u64 {
        sums.iter().enumerate().filter(|(at, _)| pick(*at) == group).map(|(_, share)| *share).sum()
    };
    let day: Vec<u64> = (0..7).map(|group| by(|at| at / 24, group)).collect();
    let hour: Vec<u64> = (0..24).map(|group| by(|at| at % 24, group)).collect();
    std::array::from_fn(|at| {
        let plain = u128::from(day[at / 24]) * u128::from(hour[at % 24]) / u128::from(whole.max(1));
        let plain = u64::try_from(plain).unwrap_or(u64::MAX) / weeks;
        let own = sums[at] / weeks;
        ((own * weeks + plain * SHRINK) / (weeks + SHRINK)).max(1)
    })
}

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
