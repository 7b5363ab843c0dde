//! The reason trail: one line for every stage a request passed, kept as small values and written out only when read.

use smallvec::SmallVec;

use super::{Bar, Check, ConfidenceSource, NO_RUNG, Policy, RouteId, Status};
use crate::bandit::Offer;
use crate::classifier::TaskClass;
use crate::prompt_cache::Tie;
use crate::units::{ModelId, Names, PerMille, Pico};

/// The steps of one decision in order; the usual ones lie in place, and none is lost however many there are.
pub type Trail = SmallVec<[Step; 8]>;

/// Why a request went up the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A check of the answer failed.
    Check,
    /// The provider failed.
    Provider(Status),
}

/// What became of a session at a turn that asked for another model than the one where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It stays, as it cannot leave.
    Tied(Tie),
    /// It stays: to go would cost more.
    Cheaper,
    /// It stays: its changes have cost as much as they may.
    Capped,
    /// It goes: to stay would cost more.
    Goes,
    /// It goes up, as it has to.
    Up,
}

/// One stage's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The kind of work and the confidence.
    Classified {
        /// The kind of work.
        class: TaskClass,
        /// The confidence, if any.
        confidence: Option<PerMille>,
        /// Where it comes from.
        source: ConfidenceSource,
    },
    /// The rule that took the request.
    Route(RouteId),
    /// The confidence reached this rung's threshold.
    Placed {
        /// The rung.
        rung: u8,
        /// Its threshold.
        threshold: PerMille,
    },
    /// The confidence reached no threshold.
    Last {
        /// The rung.
        rung: u8,
        /// The lowest threshold missed; `None` where the ladder has a single rung.
        missed: Option<PerMille>,
    },
    /// There was no confidence.
    NoSignal {
        /// The rung that the policy names for this case.
        rung: u8,
    },
    /// No other rung can be called: the fallback serves.
    Fallback {
        /// The fallback.
        rung: u8,
    },
    /// A lot was drawn, as the confidence lies near a threshold.
    Lot {
        /// The confidence by which it is placed; none where the lot left it at its own.
        placed_as: Option<PerMille>,
        /// The chance with which it starts where it does.
        chance: PerMille,
    },
    /// The client named this model, so no ladder applies.
    Pinned {
        /// The model.
        model: ModelId,
    },
    /// The client named this model and gets it; the ladder would have started the request on a rung.
    Observed {
        /// The model.
        model: ModelId,
        /// That rung; `None` where none may serve.
        would: Option<u8>,
    },
    /// A guard bars a rung, or with [`NO_RUNG`] the client's own model.
    Barred {
        /// The rung.
        rung: u8,
        /// The reason.
        why: Bar,
    },
    /// The model of its rung is full: it starts on this one.
    PassedOn {
        /// The rung.
        to: u8,
    },
    /// Its session is warm on another model than the one that was wanted: it stays there, or goes.
    Session {
        /// The rung that serves.
        rung: u8,
        /// The rung that was wanted.
        wanted: u8,
        /// Why.
        why: Stay,
        /// The expected cost of staying, in pico-dollars; of going up, that of staying up there.
        stay: i64,
        /// That of going; of going up, that of returning after this turn.
        go: i64,
    },
    /// A turn of a tool loop goes on where the turn before was served.
    GoesOn {
        /// The rung that serves.
        rung: u8,
        /// The rung on which it was placed.
        placed: u8,
        /// Whether a lot or a second stage chose the rung for its ask, so that it stays there.
        stays: bool,
    },
    /// What verdicts say of the rungs on which it may start.
    Adapted {
        /// The rung of which most is expected.
        to: Offer,
        /// The rung on which it was placed.
        from: Offer,
    },
    /// Too few verdicts are in for its route to learn from.
    Unlearnt {
        /// How many are.
        seen: u32,
        /// How many are needed.
        least: u32,
    },
    /// No model may serve the request.
    Refused,
    /// An attempt ended.
    Attempted {
        /// The model called.
        model: ModelId,
        /// How the call ended.
        status: Status,
        /// What the check said.
        check: Check,
        /// Whether this is what happened, or an estimate of what would have.
        observed: bool,
    },
    /// The request went up the ladder.
    Escalated {
        /// To this rung.
        to: u8,
        /// Because of this.
        why: Why,
    },
    /// The request went down its ladder, as the strongest rung failed.
    Fell {
        /// To this rung.
        to: u8,
        /// Because of this.
        why: Why,
    },
}

impl Step {
    /// Writes the step for a person.
    pub fn describe(&self, route: RouteId, policy: &Policy, names: &Names) -> String {
        let ladder = &policy.route(route).ladder;
        let rung = |at: u8| {
            ladder.get(at as usize).map_or_else(
                || format!("rung {}", at + 1),
                |rung| {
                    let model = names.model(rung.model);
                    if &*rung.name == model { model.to_owned() } else { format!("{} ({model})", rung.name) }
                },
            )
        };
        match *self {
            Self::Classified { class, confidence, source } => match confidence {
                Some(value) => format!("{class}, confidence {value}‰, {}", source.text()),
                None => format!("{class}, no confidence: {}", source.text()),
            },
            Self::Route(id) => {
                let route = policy.route(id);
                let takes = route.matcher.describe(names);
                route.canary.as_ref().map_or_else(
                    || format!("route {}: takes {takes}", route.name),
                    |one| format!("route {}: {}‰ of the sessions of {}", route.name, one.share, one.of),
                )
            }
            Self::Placed { rung: at, threshold } => format!("reaches threshold {threshold}‰ of {}", rung(at)),
            Self::Last { rung: at, missed: Some(missed) } => {
                format!("below {missed}‰, the lowest threshold: {}", rung(at))
            }
            Self::Last { rung: at, missed: None } => format!("the only rung: {}", rung(at)),
            Self::Fallback { rung: at } => {
                format!("no other rung may serve it now: the fallback {}", rung(at))
            }
            Self::NoSignal { rung: at } => format!("no signal: {}", rung(at)),
            Self::Lot { placed_as: Some(value), chance } => {
                format!("drawn to explore: placed as with {value}‰; a chance of {chance}‰")
            }
            Self::Lot { placed_as: None, chance } => {
                format!("near a threshold, and not drawn to explore; a chance of {chance}‰")
            }
            Self::Pinned { model } => format!("pinned: the client named {}", names.model(model)),
            Self::Observed { model, would } => {
                let would = would.map_or_else(|| "no rung may serve it".to_owned(), rung);
                format!(
                    "observed: {} serves as the client asked; active, the route starts on {would}",
                    names.model(model)
                )
            }
            Self::Barred { rung: at, why } => {
                let who = if at == NO_RUNG { "the model asked for".to_owned() } else { rung(at) };
                format!("{who} {}", why.describe(names))
            }
            Self::PassedOn { to } => format!("passed on to {}", rung(to)),
            Self::Session { rung: at, wanted, why, stay, go } => {
                let usd = |pico: i64| format!("${}", Pico(pico.into()).usd());
                let (stay, go) = (usd(stay), usd(go));
                let (at, wanted) = (rung(at), rung(wanted));
                match why {
                    Stay::Tied(tie) => format!("stays on {at}, not {wanted}: {}", tie.text()),
                    Stay::Cheaper => {
                        format!("stays on {at}, where it is warm: {stay} expected, {go} on {wanted}")
                    }
                    Stay::Capped => format!(
                        "stays on {at}, where it is warm: its changes have cost as much as they may ({stay} expected, {go} on {wanted})"
                    ),
                    Stay::Goes => {
                        format!("leaves its warm prefix for {wanted}: {go} expected, {stay} where it was")
                    }
                    Stay::Up => {
                        format!("goes up to {wanted}: {stay} expected if it stays there, {go} if it returns")
                    }
                }
            }
            Self::GoesOn { rung: at, placed, stays } => {
                let (at, placed) = (rung(at), rung(placed));
                let why = if stays { "as its ask was drawn" } else { "where the turn before was served" };
                format!("goes on in its tool loop on {at}, {why}, not {placed}")
            }
            Self::Adapted { to, from } => {
                let of = |offer: Offer| format!("{}‰ + {}‰", offer.estimate, offer.bonus);
                if to.rung == from.rung {
                    format!("stays on {}: no other promises more than its {}", rung(to.rung), of(to))
                } else {
                    let (to_of, from_of) = (of(to), of(from));
                    format!(
                        "learnt: {} promises {to_of} for the doubt, {}, where it was placed, {from_of}",
                        rung(to.rung),
                        rung(from.rung)
                    )
                }
            }
            Self::Unlearnt { seen, least } => {
                format!("nothing learnt yet: {seen} verdicts of {least}, and cost alone teaches nothing")
            }
            Self::Refused => "no model may serve it".to_owned(),
            Self::Attempted { model, status, check, observed } => {
                let check = match check {
                    Check::None => "",
                    Check::Passed => ", check passed",
                    Check::Failed => ", check failed",
                };
                let basis = if observed { "observed" } else { "estimated" };
                let status = status.name().replace('_', " ");
                format!("{}: {status}{check} ({basis})", names.model(model))
            }
            Self::Escalated { to, why } | Self::Fell { to, why } => {
                let way = if matches!(self, Self::Fell { .. }) { "down" } else { "up" };
                let why = match why {
                    Why::Check => "the check failed".to_owned(),
                    Why::Provider(status) => {
                        format!("the provider failed ({})", status.name().replace('_', " "))
                    }
                };
                format!("{why}: {way} to {}", rung(to))
            }
        }
    }

    /// Returns the stage's short name, for the left column of a trail.
    pub fn stage(&self) -> &'static str {
        match self {
            Self::Classified { .. } => "classify",
            Self::Route(_) => "route",
            Self::Placed { .. }
            | Self::Last { .. }
            | Self::NoSignal { .. }
            | Self::Fallback { .. }
            | Self::Pinned { .. } => "place",
            Self::Observed { .. } => "observe",
            Self::Lot { .. } => "explore",
            Self::Barred { .. } | Self::PassedOn { .. } => "guard",
            Self::Session { .. } => "cache",
            Self::GoesOn { .. } => "loop",
            Self::Adapted { .. } | Self::Unlearnt { .. } => "adapt",
            Self::Refused => "refuse",
            Self::Attempted { .. } => "attempt",
            Self::Escalated { .. } => "escalate",
            Self::Fell { .. } => "fall",
        }
    }
}
