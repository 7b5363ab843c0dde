//! The certificates of a policy's thresholds over a log, up to its play head.
//!
//! Invariant: a fold over the requests before the head in their order, under the policies in force, so that a log played
//! again, or a gateway's ledger read again, has the same certificates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Log, PolicySpan};
use crate::certificate::{Label, Standing, Terms, Turn, Watch, Withdrawn};
use crate::outcome::Evidence;
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

/// The fold.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    upto: usize,
    inserts: u64,
    /// The policy at the last request folded.
    policy: Option<Arc<Policy>>,
    /// The classifier that judged last, as far as policies tell.
    classifier: Option<Arc<str>>,
    rungs: BTreeMap<RouteTag, Vec<Rung>>,
    terms: Terms,
    told: Arc<Proofs>,
    is_told: bool,
}

impl Proof {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            upto: 0,
            inserts: 0,
            policy: None,
            classifier: None,
            rungs: BTreeMap::new(),
            terms,
            told: Arc::default(),
            is_told: false,
        }
    }

    /// Returns what was told last.
    pub(super) fn told(&self) -> &Proofs {
        &self.told
    }

    /// Begins anew: what was folded has changed.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.terms);
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
            self.fold(log, &span.policy, &evidence);
        }
        if !self.is_told {
            self.is_told = true;
            self.told = Arc::new(self.tell(now));
        }
        Arc::clone(&self.told)
    }

    fn fold(&mut self, log: &Log, policy: &Arc<Policy>, evidence: &Evidence<'_>) {
        let operation = evidence.operation;
        let at = operation.at;
        if self.policy.as_ref().is_none_or(|known| !Arc::ptr_eq(known, policy)) {
            self.enter(policy, at);
        }
        let Some(confidence) = operation.confidence() else { return };
        let route = policy.route(match_route(policy, &operation.signals()));
        if operation.pinned && route.pins(operation.class) {
            return;
        }
        let Some(rungs) = self.rungs.get_mut(&route.tag) else { return };
        let is_judged = evidence.extra.is_some_and(|extra| !extra.labels.is_empty());
        for rung in rungs {
            let from = |model| log.prices.row(model, at).and_then(|row| row.from);
            let prices = (from(rung.models.0), from(rung.models.1));
            if rung.prices != prices {
                if rung.watch.seen() > 0 {
                    rung.watch.withdraw(at, Withdrawn::Prices);
                }
                rung.prices = prices;
            }
            rung.watch.arrive(at, confidence);
            if is_judged {
                judge(rung, log, evidence, confidence);
            }
        }
        self.is_told = false;
    }

    /// Takes a policy that comes into force: what a certificate says holds of its models alone.
    fn enter(&mut self, policy: &Arc<Policy>, at: Instant) {
        self.policy = Some(Arc::clone(policy));
        self.is_told = false;
        // Confidences of another classifier are other numbers.
        if let Some(judges) = policy.judged_by.as_ref()
            && self.classifier.replace(Arc::clone(judges)).is_some_and(|known| known != *judges)
        {
            let rungs = self.rungs.values_mut().flatten();
            rungs.for_each(|rung| {
                rung.watch.withdraw(at, Withdrawn::Classifier);
                (rung.pairs, rung.told) = (Pairs::default(), None);
            });
        }
        for route in &policy.routes {
            let Some((last, upper)) = route.ladder.split_last() else { continue };
            let rungs = self.rungs.entry(route.tag).or_default();
            rungs.truncate(upper.len());
            for (place, rung) in upper.iter().enumerate() {
                let models = (rung.model, last.model);
                match rungs.get_mut(place) {
                    Some(known) if known.models == models => {}
                    Some(known) => {
                        known.watch.withdraw(at, Withdrawn::Model);
                        (known.models, known.pairs, known.told) = (models, Pairs::default(), None);
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

    fn tell(&mut self, now: &Policy) -> Proofs {
        let proof = |rung: &mut Rung| RungProof {
            standing: rung.watch.standing(),
            pairs: Arc::clone(rung.told.get_or_insert_with(|| Arc::new(rung.pairs.shuffled()))),
            halves: rung.pairs.halves(),
            turns: rung.watch.turns().to_vec(),
        };
        let rows = now.routes.iter().map(|route| {
            let rungs = self.rungs.get_mut(&route.tag).map_or(&mut [][..], Vec::as_mut_slice);
            rungs.iter_mut().map(proof).collect()
        });
        rows.collect()
    }
}

fn judge(rung: &mut Rung, log: &Log, evidence: &Evidence<'_>, confidence: PerMille) {
    let quality = |model| evidence.label(model, &log.prices).and_then(|label| label.quality);
    let (cheap, strong) = (quality(rung.models.0), quality(rung.models.1));
    rung.pairs.apply(confidence, cheap, strong, Sign::Plus);
    rung.told = None;
    if let (Some(cheap), Some(strong)) = (cheap, strong) {
        rung.watch.judge(evidence.operation.at, &Label { confidence, cheap, strong });
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
