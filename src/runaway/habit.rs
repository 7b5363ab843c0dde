//! What is usual: counts of how much the stretches of one's own past came to, on a grid of four steps to the double.
//!
//! Invariants: fixed size; what lies long back weighs less; what is read off is never less than what was put in.

/// Steps of the grid: 64 doublings of four.
const STEPS: usize = 256;
/// From so many stretches on all weigh half.
const FULL: u16 = 240;

/// The habit of one figure.
#[derive(Clone, Debug)]
pub(super) struct Habit {
    counts: Box<[u8; STEPS]>,
    all: u16,
}

impl Default for Habit {
    fn default() -> Self {
        Self { counts: Box::new([0; STEPS]), all: 0 }
    }
}

/// Returns the step that an amount falls on.
fn step(amount: u64) -> usize {
    let bits = 64 - amount.leading_zeros();
    let Some(drop) = bits.checked_sub(3) else { return usize::try_from(amount).unwrap_or(0) };
    let within = usize::try_from(amount >> drop & 3).unwrap_or(0);
    (drop as usize * 4 + 4 + within).min(STEPS - 1)
}

/// Returns the largest amount of a step.
fn top(step: usize) -> u64 {
    let Some(above) = step.checked_sub(4) else { return step as u64 };
    let (drop, within) = (above / 4, (above % 4) as u64);
    (within + 5).checked_shl(u32::try_from(drop).unwrap_or(64)).map_or(u64::MAX, |end| end.wrapping_sub(1))
}

impl Habit {
    /// Takes a stretch in.
    pub(super) fn learn(&mut self, amount: u64) {
        if self.all >= FULL {
            for count in &mut *self.counts {
                *count /= 2;
            }
            self.all = self.counts.iter().map(|count| u16::from(*count)).sum();
        }
        if let Some(count) = self.counts.get_mut(step(amount)) {
            *count = count.saturating_add(1);
            self.all += 1;
        }
    }

    /// Returns what nine in ten stretches did not exceed; none where nothing is known.
    pub(super) fn usual(&self) -> Option<u64> {
        let mut above = 0;
        for (step, count) in self.counts.iter().enumerate().rev() {
            above += u32::from(*count);
            if above * 10 > u32::from(self.all) {
                return Some(top(step));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reads_as_less_than_it_was_and_little_more() {
        for amount in (0..5_000).chain([1 << 20, u64::from(u32::MAX), 1 << 60, u64::MAX / 2, u64::MAX]) {
            let read = top(step(amount));
            assert!(
                read >= amount && u128::from(read) <= u128::from(amount) * 5 / 4 + 1,
                "{amount} reads as {read}"
            );
        }
    }

    #[test]
    fn what_nine_in_ten_keep_to_is_usual_and_the_past_fades() {
        let mut habit = Habit::default();
        assert_eq!(habit.usual(), None);
        for n in 0..100 {
            habit.learn(if n % 20 == 0 { 4_000 } else { 3 });
        }
        assert_eq!(habit.usual(), Some(3), "a few bursts are not the habit");
        for _ in 0..2_000 {
            habit.learn(64);
        }
        assert_eq!(habit.usual(), Some(top(step(64))));
    }
}
