//! The certificates of a policy's thresholds over a log, up to its play head.
//!
//! Invariant: a fold over the requests before the head in their order, under the policies in force, so that a log played
//! again, or a gateway's ledger read again, has the same certificates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Log, PolicySpan};
use crate::certificate::{Label, Standing, Terms, Turn, Watch, Withdrawn};
use crate::outcome::Evidence;
use crate::pricing::PriceTable;
use crate::routing::{Policy, RouteId, match_route};
use crate::telemetry::{Pair, Pairs, Sign};
use crate::units::{Instant, ModelId, PerMille, RouteTag};

/// One rung beside the last, and what its certificate rests on.
#[derive(Clone, Debug)]
struct Rung {
    models: (ModelId, ModelId),
    /// From when the prices of both hold.
    prices: (Option<Instant>, Option<Instant>),
    watch: Watch,
    pairs: Pairs,
    /// The same as it was told last; none where it has changed since.
    told: Option<Arc<Vec<Pair>>>,
}

/// What is known of one rung.
#[derive(Clone, Debug, PartialEq)]
pub struct RungProof {
    /// How its certificate stands.
    pub standing: Standing,
    /// All judged requests, for a reliability diagram.
    pub pairs: Arc<Vec<Pair>>,
    /// Requests of which one answer alone was judged.
    pub halves: u64,
    /// What became of its certificates, the latest last.
    pub turns: Vec<(Instant, Turn)>,
}

/// What is known of the routes of the policy in force, by route and rung.
pub type Proofs = Vec<Vec<RungProof>>;

/// What became of a rung's certificate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turned {
    /// The route.
    pub(super) route: Arc<str>,
    /// The rung.
    pub(super) rung: Arc<str>,
    /// What.
    pub(super) turn: Turn,
}

/// All rungs beside the last, request by request.
#[derive(Clone, Debug)]
pub(super) struct Rungs {
    /// The policy at the last request folded.
    policy: Option<Arc<Policy>>,
    rungs: BTreeMap<RouteTag, Vec<Rung>>,
    terms: Terms,
    turned: Vec<Turned>,
}

/// The fold over a log.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    upto: usize,
    inserts: u64,
    rungs: Rungs,
    told: Arc<Proofs>,
    is_told: bool,
}

impl Proof {
    pub(super) fn new(terms: Terms) -> Self {
        Self { upto: 0, inserts: 0, rungs: Rungs::new(terms), told: Arc::default(), is_told: false }
    }

    /// Returns what was told last.
    pub(super) fn told(&self) -> &Proofs {
        &self.told
    }

    /// Begins anew: what was folded has changed.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.rungs.terms);
    }

    /// Folds up to an operation, and says how certificates stand there.
    pub(super) fn at(
        &mut self,
        log: &Log,
        policies: &[PolicySpan],
        head: usize,
        now: &Policy,
    ) -> Arc<Proofs> {
        // What came in between is folded where labels come with it: then all is folded anew.
        let moved = log.inserts.moved(self.upto, self.inserts);
        if moved.is_none_or(|upto| upto > head) {
            self.clear();
        } else {
            self.upto = moved.unwrap_or(0);
        }
        self.inserts = log.inserts.count();
        self.upto = self.upto.max(log.history.start());
        while self.upto < head {
            let index = self.upto;
            self.upto += 1;
            let (Some(evidence), Some(span)) = (
                log.history.evidence(index),
                policies.iter().rev().find(|span| span.from <= index).or(policies.first()),
            ) else {
                continue;
            };
            self.rungs.fold(&log.prices, &span.policy, &evidence);
            self.rungs.take_turned();
            self.is_told = false;
        }
        if !self.is_told {
            self.is_told = true;
            self.told = Arc::new(self.tell(now));
        }
        Arc::clone(&self.told)
    }

    fn tell(&mut self, now: &Policy) -> Proofs {
        let proof = |rung: &mut Rung| RungProof {
            standing: rung.watch.standing(),
            pairs: Arc::clone(rung.told.get_or_insert_with(|| Arc::new(rung.pairs.shuffled()))),
            halves: rung.pairs.halves(),
            turns: rung.watch.turns().to_vec(),
        };
        let rows = now.routes.iter().map(|route| {
            let rungs = self.rungs.rungs.get_mut(&route.tag).map_or(&mut [][..], Vec::as_mut_slice);
            rungs.iter_mut().map(proof).collect()
        });
        rows.collect()
    }
}

impl Rungs {
    /// Starts with no evidence.
    pub(super) fn new(terms: Terms) -> Self {
        Self { policy: None, rungs: BTreeMap::new(), terms, turned: Vec::new() }
    }

    /// Takes what became of certificates since this was asked last.
    pub(super) fn take_turned(&mut self) -> Vec<Turned> {
        std::mem::take(&mut self.turned)
    }

    /// Takes a request, decided by a policy.
    pub(super) fn fold(&mut self, prices: &PriceTable, policy: &Arc<Policy>, evidence: &Evidence<'_>) {
        let at = evidence.operation.at;
        if self.policy.as_ref().is_none_or(|known| !Arc::ptr_eq(known, policy)) {
            self.enter(policy, at);
        }
        self.each(policy, evidence, |rung, confidence| {
            let from = |model| prices.row(model, at).and_then(|row| row.from);
            let dated = (from(rung.models.0), from(rung.models.1));
            if rung.prices != dated {
                if rung.watch.seen() > 0 {
                    rung.watch.withdraw(at, Withdrawn::Prices);
                }
                rung.prices = dated;
            }
            rung.watch.arrive(at, confidence);
            if evidence.extra.is_some_and(|extra| !extra.labels.is_empty()) {
                rung.judge(prices, evidence, confidence, at);
            }
        });
    }

    /// Takes a judgement of a request that was folded before, at a moment.
    pub(super) fn judge(
        &mut self,
        prices: &PriceTable,
        policy: &Policy,
        evidence: &Evidence<'_>,
        at: Instant,
    ) {
        self.each(policy, evidence, |rung, confidence| rung.judge(prices, evidence, confidence, at));
    }

    /// Has each rung of a request's route look at it, and notes what becomes of certificates.
    fn each(&mut self, policy: &Policy, evidence: &Evidence<'_>, mut look: impl FnMut(&mut Rung, PerMille)) {
        let operation = evidence.operation;
        let Some(confidence) = operation.confidence() else { return };
        let route = policy.route(match_route(policy, &operation.signals()));
        if operation.pinned && route.pins(operation.class) {
            return;
        }
        let Some(rungs) = self.rungs.get_mut(&route.tag) else { return };
        for (rung, step) in rungs.iter_mut().zip(&route.ladder) {
            let before = rung.watch.turns().last().copied();
            look(rung, confidence);
            let turn = rung.watch.turns().last().copied().filter(|turn| Some(*turn) != before);
            self.turned.extend(turn.map(|(_, turn)| Turned {
                route: Arc::clone(&route.name),
                rung: Arc::clone(&step.name),
                turn,
            }));
        }
    }

    /// Takes a policy that comes into force: what a certificate says holds of its models alone.
    fn enter(&mut self, policy: &Arc<Policy>, at: Instant) {
        self.policy = Some(Arc::clone(policy));
        for route in &policy.routes {
            let Some((last, upper)) = route.ladder.split_last() else { continue };
            let rungs = self.rungs.entry(route.tag).or_default();
            rungs.truncate(upper.len());
            for (place, step) in upper.iter().enumerate() {
                let models = (step.model, last.model);
                match rungs.get_mut(place) {
                    Some(known) if known.models == models => {}
                    Some(known) => {
                        let stood = known.watch.standing().given.is_some();
                        known.watch.withdraw(at, Withdrawn::Model);
                        (known.models, known.pairs, known.told) = (models, Pairs::default(), None);
                        let turn = Turn::Withdrawn(Withdrawn::Model);
                        let (route, rung) = (Arc::clone(&route.name), Arc::clone(&step.name));
                        self.turned.extend(stood.then_some(Turned { route, rung, turn }));
                    }
                    None => rungs.push(Rung {
                        models,
                        prices: (None, None),
                        watch: Watch::new(self.terms),
                        pairs: Pairs::default(),
                        told: None,
                    }),
                }
            }
        }
    }
}

impl Rung {
    fn judge(&mut self, prices: &PriceTable, evidence: &Evidence<'_>, confidence: PerMille, at: Instant) {
        let quality = |model| evidence.label(model, prices).and_then(|label| label.quality);
        let (cheap, strong) = (quality(self.models.0), quality(self.models.1));
        self.pairs.apply(confidence, cheap, strong, Sign::Plus);
        self.told = None;
        if let (Some(cheap), Some(strong)) = (cheap, strong) {
            self.watch.judge(at, &Label { confidence, cheap, strong });
        }
    }
}

/// Lists the thresholds that leave what is certified between two policies of the same routes, each with the lowest value that is.
pub(super) fn leaving(proofs: &Proofs, now: &Policy, then: &Policy) -> Vec<(RouteId, usize, PerMille)> {
    let mut left = Vec::new();
    if !now.same_shape(then) {
        return left;
    }
    for (at, ((now, then), proofs)) in (0u8..).zip(now.routes.iter().zip(&then.routes).zip(proofs)) {
        let moved = now.thresholds().into_iter().zip(then.thresholds());
        for (rung, ((now, then), proof)) in moved.zip(proofs).enumerate() {
            if let Some(given) = proof.standing.given
                && now >= given.threshold
                && then < given.threshold
            {
                left.push((RouteId(at), rung, given.threshold));
            }
        }
    }
    left
}
