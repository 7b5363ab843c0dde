//! How a limit that is steered towards stands, as it is written for programs and people.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::budget::{Limit, Steer};
use crate::units::{Instant, PerMille, Pico, counted};

/// A limit that is steered towards, at a moment. Amounts are US dollars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SteerRow {
    /// Budget and window.
    pub limit: String,
    /// The routes whose thresholds may be moved; all of them where none is named.
    pub routes: Vec<String>,
    /// Whether it moves them itself, or proposes.
    pub acts: bool,
    /// Whether thresholds stay within what is certified.
    pub certified: bool,
    /// How much of the limit a window is to cost, in per mille.
    pub aim_permille: u16,
    /// When it was looked at last.
    pub at: Option<Instant>,
    /// When the window ends.
    pub ends: Option<Instant>,
    /// What was spent of it.
    pub spent_usd: String,
    /// What may be.
    pub limit_usd: String,
    /// `learning`, `on course`, `moves`, `out of reach`, `too slow` or `room left`.
    pub heading: String,
    /// Requests that are expected until the window ends, by the hours before.
    pub expected_requests: Option<u64>,
    /// The latest requests, of which it is asked what settings would have made of them.
    pub asked_of: usize,
    /// What a thousand of them cost at the thresholds in force.
    pub now_per_1000_usd: Option<String>,
    /// What a thousand may cost so that what is left lasts.
    pub wanted_per_1000_usd: Option<String>,
    /// What a thousand cost at the best thresholds that are allowed.
    pub best_per_1000_usd: Option<String>,
    /// Within how many milliseconds 95 of 100 requests of each route are to be over, where that is said.
    pub within_ms: Option<u64>,
    /// Within how many they are on the slowest of the routes, at the thresholds in force and at the best ones.
    pub now_p95_ms: Option<u64>,
    /// See there.
    pub best_p95_ms: Option<u64>,
    /// What is moved, or proposed.
    pub moves: Vec<Moved>,
}

impl SteerRow {
    pub(super) fn new(limit: &Limit, steer: &Steer) -> Self {
        Self {
            limit: limit.name(),
            routes: steer.routes.iter().map(ToString::to_string).collect(),
            acts: steer.acts,
            certified: steer.certified,
            within_ms: steer.within_ms,
            aim_permille: steer.aim.get(),
            heading: Heading::Learning.name().to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn stands(&mut self, at: Instant, course: &Course) {
        (self.at, self.ends) = (Some(at), Some(course.ends));
        (self.spent_usd, self.limit_usd) = (course.spent.usd(), course.amount.usd());
    }

    pub(super) fn learns(&mut self, asked_of: usize) {
        Heading::Learning.name().clone_into(&mut self.heading);
        (self.expected_requests, self.asked_of) = (None, asked_of);
        (self.now_per_1000_usd, self.wanted_per_1000_usd, self.best_per_1000_usd) = (None, None, None);
        (self.now_p95_ms, self.best_p95_ms) = (None, None);
        self.moves.clear();
    }

    pub(super) fn lasts(&mut self, (now, best): (Option<u64>, Option<u64>)) {
        (self.now_p95_ms, self.best_p95_ms) = (now, best);
    }

    pub(super) fn heads(
        &mut self,
        heading: Heading,
        (ahead, asked_of): (i128, usize),
        costs: [Pico; 3],
        moves: &[Moved],
    ) {
        heading.name().clone_into(&mut self.heading);
        self.expected_requests = u64::try_from(ahead / 1_000_000).ok();
        self.asked_of = asked_of;
        let per_thousand =
            |cost: Pico| Some(cost.proportion([1_000], [asked_of.max(1) as u64]).usd_rounded(6));
        let [now, wanted, best] = costs.map(per_thousand);
        (self.now_per_1000_usd, self.wanted_per_1000_usd, self.best_per_1000_usd) = (now, wanted, best);
        self.moves = moves.to_vec();
    }

    /// Says in a line how it stands.
    pub fn words(&self) -> String {
        let (Some(now), Some(wanted)) = (&self.now_per_1000_usd, &self.wanted_per_1000_usd) else {
            return "learning: it takes traffic for as long as thresholds stand, and 100 requests".to_owned();
        };
        let expected = self.expected_requests.map(|n| counted(n, "request")).unwrap_or_default();
        let course = format!(
            "${now} a thousand, ${wanted} would last for the {expected} expected{}",
            self.quickness()
        );
        match (self.heading.as_str(), self.acts) {
            ("out of reach", _) => {
                let within = if self.certified { " within their certificates" } else { "" };
                let best = self.best_per_1000_usd.as_deref().unwrap_or_default();
                format!(
                    "out of reach: {course}, and no thresholds{within} cost less than ${best}{}",
                    self.moved()
                )
            }
            ("too slow", _) => {
                format!("too slow: {course}, and no one threshold mends that{}", self.moved())
            }
            ("room left", _) => format!("room left: {course}, and no thresholds cost more"),
            ("moves", true) => format!("{course}{}", self.moved()),
            ("moves", false) => format!("proposes: {course}{}", self.moved()),
            _ => format!("on course: {course}"),
        }
    }

    /// Says how quick it is, where that is bounded.
    fn quickness(&self) -> String {
        match (self.within_ms, self.now_p95_ms, self.best_p95_ms) {
            (Some(within), Some(now), Some(best)) if best != now => {
                format!(", 95 of 100 within {now} ms, {best} then ({within} wanted)")
            }
            (Some(within), Some(now), _) => format!(", 95 of 100 within {now} ms ({within} wanted)"),
            _ => String::new(),
        }
    }

    /// Lists what is moved.
    pub fn moved(&self) -> String {
        let one = |one: &Moved| format!("{} {} {} to {}", one.route, one.rung, one.from, one.to);
        let all: Vec<String> = self.moves.iter().map(one).collect();
        if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
    }
}

crate::units::spelt!(Heading {
    Learning = "learning", OnCourse = "on course", Moves = "moves", OutOfReach = "out of reach",
    TooSlow = "too slow", RoomLeft = "room left"
});

/// How a limit's window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Course {
    /// What was spent of it.
    pub spent: Pico,
    /// What may be.
    pub amount: Pico,
    /// When it ends.
    pub ends: Instant,
}

/// A threshold that is moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moved {
    /// The route.
    pub route: Arc<str>,
    /// The rung.
    pub rung: Arc<str>,
    /// Where it stands.
    pub from: PerMille,
    /// Where it is to stand.
    pub to: PerMille,
}

/// What is moved towards a limit, or proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steps {
    /// The limit.
    pub limit: Arc<str>,
    /// Whether they are taken without asking anybody.
    pub acts: bool,
    /// The thresholds.
    pub moves: Vec<Moved>,
}

/// What is said of a limit that is steered towards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Heading {
    /// There is too little traffic yet.
    #[default]
    Learning,
    /// Thresholds cost what they may.
    OnCourse,
    /// Thresholds are to be moved.
    Moves,
    /// No thresholds that are allowed cost as little.
    OutOfReach,
    /// No one threshold makes it as quick as it is to be.
    TooSlow,
    /// The most expensive thresholds that are allowed cost less than they may.
    RoomLeft,
}
