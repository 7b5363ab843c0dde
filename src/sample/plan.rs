//! When requests come: threads of turns laid over a day's curve and the bursts of real traces.

use super::draw::{Draws, Purpose, Quantiles};
use super::figures as f;
use super::incident::Incidents;
use super::scene::{PROJECTS, RUNAWAY_PROJECT, Rhythm, Thread};
use crate::units::{Instant, Span};

/// The finest grain of bursts, and how many of them make a minute.
const SLOT_MILLIS: u64 = 6_000;
const SLOTS_A_MINUTE: u64 = 10;

/// How busy each hour of the day is (UTC, from midnight), in per mille of the busiest. Ours: no public trace spans a day.
const DAY: [u64; 24] = [
    180, 140, 120, 120, 140, 200, 330, 480, 620, 700, 720, 700, 740, 800, 960, 1000, 980, 860, 900, 820, 640,
    460, 330, 240,
];

/// How much to generate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// When it starts.
    pub start: Instant,
    /// How many hours it spans.
    pub hours: u32,
    /// How many requests come in that time.
    pub requests: u32,
}

impl Default for Options {
    fn default() -> Self {
        // 2026-05-23T13:00:00Z
        Self { start: Instant::from_secs(1_779_541_200), hours: 6, requests: 26_000 }
    }
}

impl Options {
    /// Returns the moment at which it ends.
    pub fn end(&self) -> Instant {
        self.start + Span::hours(i64::from(self.hours))
    }
}

/// One request to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) at: Instant,
    /// Index of the project.
    pub(super) project: usize,
    /// The thread it belongs to; a single request is a thread of one.
    pub(super) thread: usize,
    /// Its place in the thread, from 0.
    pub(super) place: u32,
    /// Whether it belongs to the runaway.
    pub(super) runaway: bool,
}

/// Lays out every request in order of time; returns also how many threads there are.
pub(super) fn plan(draws: Draws, options: &Options, incidents: &Incidents) -> (Vec<Turn>, usize) {
    let runaway = u64::from(options.requests) * 36 / 1000;
    let ordinary = u64::from(options.requests) - runaway;
    let mut turns = Vec::with_capacity(options.requests as usize);
    let mut thread = 0;
    let mut due = 0;
    let mut given = 0;
    for (index, project) in PROJECTS.iter().enumerate() {
        due += ordinary * project.share;
        let count = due / 1000 - given;
        given += count;
        let clock = Clock::new(draws.at(1).at(index as u64), options, project.rhythm);
        let goal = turns.len() + usize::try_from(count).unwrap_or(0);
        while turns.len() < goal {
            let own = draws.at(2).at(thread as u64);
            let length = match project.thread {
                Thread::Single => 1,
                // Half of the conversations are one question; the rest go on, each further turn less likely.
                Thread::Chat => {
                    1 + (0..11).take_while(|&n| own.at(n).chance(Purpose::Length, 620)).count() as u64
                }
                Thread::Agent => own.from(Purpose::Length, &f::AGENT_TURNS),
            };
            let mut at = clock.moment(own);
            for turn in 0..length {
                if turn > 0 {
                    // People read before they answer; programs do not.
                    let slow = if project.thread == Thread::Chat { 2 } else { 1 };
                    let gap = own.at(turn).from(Purpose::Gap, &f::AGENT_GAP) * slow;
                    at = Instant(at.0 + i64::try_from(gap).unwrap_or(0) * 1000);
                }
                if at >= options.end() || turns.len() >= goal {
                    break;
                }
                turns.push(turn_at(at, index, thread, turn, false));
            }
            thread += 1;
        }
    }
    // Every loop of the runaway starts in the first half of its window and goes on until somebody stops it.
    let (from, to) = incidents.runaway;
    let goal = turns.len() + usize::try_from(runaway).unwrap_or(0);
    while turns.len() < goal {
        let own = draws.at(2).at(thread as u64);
        let half = u64::try_from((to.0 - from.0) / 2000).unwrap_or(0);
        let mut at = Instant(from.0 + i64::try_from(own.below(Purpose::Arrival, half)).unwrap_or(0) * 1000);
        for turn in 0..52 {
            if at >= to || turns.len() >= goal {
                break;
            }
            turns.push(turn_at(at, RUNAWAY_PROJECT, thread, turn, true));
            let gap = own.at(turn).between(Purpose::Gap, 4_000, 21_000);
            at = Instant(at.0 + i64::try_from(gap).unwrap_or(0) * 1000);
        }
        thread += 1;
    }
    crate::units::sort_by_key(&mut turns, |turn| (turn.at, turn.thread, turn.place));
    (turns, thread)
}

fn turn_at(at: Instant, project: usize, thread: usize, turn: u64, runaway: bool) -> Turn {
    Turn { at, project, thread, place: u32::try_from(turn).unwrap_or(u32::MAX), runaway }
}

/// Weighs every slot of the time so that a draw finds its moment.
struct Clock {
    start: Instant,
    /// Running sums of weights, one for each slot.
    ends: Vec<u64>,
}

impl Clock {
    fn new(draws: Draws, options: &Options, rhythm: Rhythm) -> Self {
        let (minutes, slots): (&Quantiles, &Quantiles) = match rhythm {
            Rhythm::Steady => (&f::STEADY_MINUTE, &f::STEADY_SLOT),
            Rhythm::Bursty => (&f::BURSTY_MINUTE, &f::BURSTY_SLOT),
        };
        let count = u64::from(options.hours) * 60 * SLOTS_A_MINUTE;
        let mut total = 0;
        let ends = (0..count)
            .map(|slot| {
                let at = options.start.0 / 1000 + i64::try_from(slot * SLOT_MILLIS).unwrap_or(0);
                let minute = draws.at(slot / SLOTS_A_MINUTE).from(Purpose::Minute, minutes);
                let burst = draws.at(slot).from(Purpose::Slot, slots);
                // One in a thousand at least, so that no stretch of time has no weight at all.
                total += (day(at) * minute * burst / 1_000_000).max(1);
                total
            })
            .collect();
        Self { start: options.start, ends }
    }

    fn moment(&self, draws: Draws) -> Instant {
        let place = draws.below(Purpose::Arrival, self.ends.last().copied().unwrap_or(1));
        let slot = self.ends.partition_point(|&end| end <= place) as u64;
        let millis = slot * SLOT_MILLIS + draws.below(Purpose::Jitter, SLOT_MILLIS);
        Instant(self.start.0 + i64::try_from(millis).unwrap_or(0) * 1000)
    }
}

/// Returns how busy a moment is, in per mille, straight lines between the hours.
fn day(millis: i64) -> u64 {
    let minute = u64::try_from(millis.rem_euclid(86_400_000) / 60_000).unwrap_or(0);
    let hour = usize::try_from(minute / 60).unwrap_or(0);
    let level = |hour: usize| DAY.get(hour % 24).copied().unwrap_or(500);
    (level(hour) * (60 - minute % 60) + level(hour + 1) * (minute % 60)) / 60
}
