//! What was spent and what is held of one limit, by one member, window by window.

use smallvec::SmallVec;

use super::Window;
use super::pace::Pace;
use crate::units::{Instant, Pico};

/// The number of a member's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Member(pub(super) u32);

/// The windows that are kept besides those in which something is still held.
const KEPT: usize = 64;

/// One window of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// When.
    pub window: Window,
    /// What calls cost that are over; unknown costs count as what was held for them.
    pub spent: Pico,
    /// The part of it that is an estimate, or what was held for a call of unknown cost.
    pub assumed: Pico,
    /// What is set aside for calls under way.
    pub held: Pico,
    /// The calls under way.
    pub holds: u32,
    /// The calls that are over.
    pub calls: u64,
    /// Those that cost more than was held for them.
    pub beyond: u64,
    /// Requests that were refused for it.
    pub refused: u64,
    /// Requests that went to a cheaper rung for it.
    pub moved: u64,
    /// Requests that waited for room.
    pub waited: u64,
    /// When it first had no room for a request.
    pub ran_out: Option<Instant>,
    /// Whether the limit was in force when something was drawn on it.
    pub(super) in_force: bool,
}

impl Account {
    fn new(window: Window) -> Self {
        Self { window, ..Self::default() }
    }

    /// Returns what is spent or set aside.
    pub fn committed(&self) -> Pico {
        Pico(self.spent.0.saturating_add(self.held.0))
    }

    /// Says whether an amount fits into what is left.
    pub fn has_room(&self, amount: Pico, limit: Pico) -> bool {
        self.committed().0.checked_add(amount.0.max(0)).is_some_and(|sum| sum <= limit.0)
    }

    /// Returns how fast a limit is spent at a moment, in thousandths of the even pace, at which it lasts exactly until the window
    /// ends; none for a window without end, and in its first twentieth, where a few calls would say too much.
    pub fn pace(&self, limit: Pico, at: Instant) -> Option<i128> {
        let whole = i128::from((self.window.end? - self.window.start).0);
        let gone = i128::from((at - self.window.start).0).clamp(0, whole);
        if gone.saturating_mul(20) < whole {
            return None;
        }
        let even = limit.0.saturating_mul(gone);
        self.spent.0.saturating_mul(1000).saturating_mul(whole).checked_div(even)
    }
}

/// The windows of one account, in order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Windows {
    list: SmallVec<[Account; 1]>,
    /// What its hours cost, where that is kept.
    pub(super) pace: Option<Pace>,
}

impl Windows {
    /// Returns the account of a window, opened now if it has to be.
    pub(super) fn open(&mut self, window: Window) -> &mut Account {
        let place = self.list.iter().rposition(|known| known.window.start <= window.start);
        let is_there = place.is_some_and(|at| self.list[at].window.start == window.start);
        let at = if is_there { place.unwrap_or(0) } else { place.map_or(0, |at| at + 1) };
        if !is_there {
            self.list.insert(at, Account::new(window));
        }
        let over = self.list.len().saturating_sub(KEPT);
        let old = self.list.iter().take(over.min(at)).take_while(|known| known.holds == 0).count();
        self.list.drain(..old);
        &mut self.list[at - old]
    }

    /// Finds the account of the window that starts at a moment.
    pub(super) fn find(&mut self, start: Instant) -> Option<&mut Account> {
        self.list.iter_mut().rev().find(|known| known.window.start == start)
    }

    /// Lists them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.list.iter()
    }

    /// Says whether nothing is held in any.
    pub(super) fn is_at_rest(&self) -> bool {
        self.list.iter().all(|account| account.holds == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[test]
    fn half_a_limit_after_a_quarter_of_its_window_is_twice_the_even_pace() {
        let start = Instant(0);
        let window = Window { start, end: Some(start + Span::hours(24)) };
        let limit = Pico(Pico::USD.0 * 2);
        let account = Account { spent: Pico::USD, ..Account::new(window) };
        assert_eq!(account.pace(limit, start + Span::hours(6)), Some(2000));
        assert_eq!(account.pace(limit, start + Span::hours(12)), Some(1000));
        assert_eq!(account.pace(limit, start + Span::hours(30)), Some(500), "the window is over");
        assert_eq!(account.pace(limit, start + Span::mins(30)), None, "too early to say");
        assert_eq!(account.pace(Pico::ZERO, start + Span::hours(6)), None);
        let endless = Account::new(Window { end: None, ..window });
        assert_eq!(endless.pace(limit, start + Span::hours(6)), None);
    }
}
