//! A limit: how much, for whom, in which windows, and what happens where it would not hold.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Anchor, Dimension, Period, Scope, Steer, Zone};
use crate::units::{Pico, Span, named};

/// What a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// No call is made that could break it.
    #[default]
    Hard,
    /// Over it, requests go where it is cheaper; none is refused.
    Soft,
    /// It is told, and nothing else.
    Observe,
}

named!(Mode { Hard = "hard", Soft = "soft", Observe = "observe" });

/// What becomes of a request for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum OverLimit {
    /// It goes to a cheaper rung that there is room for, and is refused where there is none.
    #[default]
    Cheaper,
    /// It is refused.
    Refuse,
    /// It waits until there is room, and is refused where that takes too long.
    Queue,
}

named!(OverLimit { Cheaper = "cheaper", Refuse = "refuse", Queue = "queue" });

/// What is held for a call to a model without a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Unpriced {
    /// Nothing: the call is refused.
    #[default]
    Refuse,
    /// As much as on the most expensive model that has a price.
    Hold,
}

named!(Unpriced { Refuse = "refuse", Hold = "hold" });

/// One limit in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The budget it belongs to.
    pub budget: Arc<str>,
    /// Whom it is about.
    pub scope: Arc<Scope>,
    /// How long it lasts.
    pub period: Period,
    /// Where its windows start.
    pub anchor: Anchor,
    /// Whose clock they follow.
    pub zone: Zone,
    /// How much may be spent in a window.
    pub amount: Pico,
    /// How much members named here may spend instead.
    pub special: BTreeMap<Arc<str>, Pico>,
    /// What it is for.
    pub mode: Mode,
    /// What becomes of requests for which there is no room.
    pub over: OverLimit,
    /// How long a request may wait for room.
    pub wait: Span,
    /// What is held for models without a price.
    pub unpriced: Unpriced,
    /// How thresholds are moved towards it; not at all where nothing is said.
    pub steer: Option<Arc<Steer>>,
}

impl Limit {
    /// How long a request waits where the file does not say.
    pub const WAIT: Span = Span::secs(30);
    /// The longest that a file may say: clients give up, too.
    pub const LONGEST_WAIT: Span = Span::secs(600);

    /// Names it: budget and period.
    pub fn name(&self) -> String {
        format!("{}/{}", self.budget, self.period)
    }

    /// Lists whom it names, under the dimension of each: they are told apart however many others there are.
    pub fn named(&self) -> impl Iterator<Item = (&Dimension, &Arc<str>)> {
        let lists = self.scope.lists.iter();
        let listed = lists.flat_map(|(dimension, values)| values.iter().map(move |value| (dimension, value)));
        let each = self.scope.each.iter();
        listed.chain(each.flat_map(|each| self.special.keys().map(move |member| (each, member))))
    }

    /// Returns how much a member may spend in a window.
    pub fn amount_of(&self, member: &str) -> Pico {
        self.special.get(member).copied().unwrap_or(self.amount)
    }
}
