//! Savings as they were measured: a share of sessions went to the strongest rung whatever their confidence, and the rest as routed.
//!
//! Invariant: only requests that were drawn are compared, each with those drawn at the same share; a session is drawn whole.

use rustc_hash::FxHashMap;

use super::interval::{Interval, mean_difference};
use crate::pricing::Cost;
use crate::units::{PerMille, Pico, SessionId};

/// Which way a request was drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Arm {
    /// To the strongest rung.
    Held,
    /// As it is routed.
    Routed,
}

/// Both arms, session by session.
#[derive(Clone, Debug, Default)]
pub struct Arms {
    clusters: FxHashMap<(Arm, PerMille, Who), (u64, Pico)>,
    drawn: u64,
    unknown: u64,
}

/// Who was drawn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Who {
    Session(SessionId),
    /// A request that names no session.
    Alone(u64),
}

/// What a holdout measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    /// Requests drawn whose cost is there.
    pub requests: u64,
    /// Drawn, but of unknown cost.
    pub unknown: u64,
    /// Sessions held out, and routed.
    pub sessions: (u64, u64),
    /// Requests held out, and routed.
    pub split: (u64, u64),
    /// What held-out requests cost, and routed ones.
    pub cost: (Pico, Pico),
    /// What routing saved on the routed requests, and where that lies; none where there are too few sessions to say.
    pub saved: Option<(Pico, Interval)>,
}

impl Arms {
    /// Adds a drawn request.
    pub fn add(&mut self, arm: Arm, share: PerMille, session: SessionId, cost: Cost) {
        self.drawn += 1;
        let Some(cost) = cost.amount() else {
            self.unknown += 1;
            return;
        };
        let who = if session.is_some() { Who::Session(session) } else { Who::Alone(self.drawn) };
        let cluster = self.clusters.entry((arm, share, who)).or_default();
        cluster.0 += 1;
        cluster.1 += cost;
    }

    /// Says whether any request was drawn.
    pub fn is_empty(&self) -> bool {
        self.drawn == 0
    }

    /// Ends it: compares the arms at each share, and adds what was saved up.
    pub fn end(&self) -> Measured {
        let mut shares: Vec<PerMille> = self.clusters.keys().map(|(_, share, _)| *share).collect();
        shares.sort_unstable();
        shares.dedup();
        let mut found = Measured {
            requests: self.drawn - self.unknown,
            unknown: self.unknown,
            saved: Some((Pico::ZERO, Interval { low: Pico::ZERO, high: Pico::ZERO })),
            ..Measured::default()
        };
        for share in shares {
            let arm = |arm: Arm| {
                let of = |((own, at, who), cluster): (&(Arm, PerMille, Who), &(u64, Pico))| {
                    (*own == arm && *at == share).then_some((*who, *cluster))
                };
                // In a total order, so that every sum is made the same way.
                let mut clusters: Vec<(Who, (u64, Pico))> = self.clusters.iter().filter_map(of).collect();
                clusters.sort_unstable_by_key(|(who, _)| *who);
                clusters.into_iter().map(|(_, cluster)| cluster).collect::<Vec<_>>()
            };
            let (held, routed) = (arm(Arm::Held), arm(Arm::Routed));
            let requests = |clusters: &[(u64, Pico)]| clusters.iter().map(|(n, _)| n).sum::<u64>();
            let cost = |clusters: &[(u64, Pico)]| clusters.iter().map(|(_, cost)| *cost).sum::<Pico>();
            found.sessions.0 += held.len() as u64;
            found.sessions.1 += routed.len() as u64;
            found.split.0 += requests(&held);
            found.split.1 += requests(&routed);
            found.cost.0 += cost(&held);
            found.cost.1 += cost(&routed);
            let times = requests(&routed);
            found.saved = found.saved.zip(mean_difference(&held, &routed)).map(|((sum, all), (mean, at))| {
                let scaled = |amount: Pico| amount.proportion([times], [1]);
                let low = all.low + scaled(at.low);
                (sum + scaled(mean), Interval { low, high: all.high + scaled(at.high) })
            });
        }
        found
    }
}
