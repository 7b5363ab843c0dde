//! The certificates of a policy's thresholds over a log, up to its play head.
//!
//! Invariant: a fold over the requests before the head in their order, under the policies in force, so that a log played
//! again, or a gateway's ledger read again, has the same certificates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Log, PolicySpan};
use crate::calibration::{Agreement, Diagram, wilson};
use crate::certificate::{Label, Loss, Standing, Terms, Turn, Watch, Withdrawn};
use crate::outcome::{Evidence, LabelSource, ModelLabel};
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
    quality: Quality,
    /// The same as it was told last; none where it has changed since.
    told: Option<Arc<Quality>>,
}

/// What labels say of one model's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Graded {
    /// Requests whose answer was judged.
    pub n: u64,
    /// Their qualities in per mille, added up.
    pub sum: u64,
    /// Judgements by who made them, in the order of [`LabelSource::ALL`].
    pub by: [u64; LabelSource::ALL.len()],
}

impl Graded {
    /// Returns the mean quality with its 95% interval (Wilson's, which is too wide rather than too narrow for grades); none
    /// where nothing was judged.
    pub fn mean(&self) -> Option<(f64, f64, f64)> {
        let sum = self.sum as f64 / 1000.0;
        let (low, high) = wilson(sum, self.n);
        (self.n > 0).then(|| (sum / self.n as f64, low, high))
    }

    fn note(&mut self, counts: Option<&ModelLabel>, all: impl Iterator<Item = ModelLabel>) {
        if let Some(quality) = counts.and_then(|label| label.quality) {
            self.n += 1;
            self.sum += u64::from(quality.get());
        }
        for label in all.filter(|label| label.quality.is_some()) {
            let place = LabelSource::ALL.iter().position(|source| *source == label.source);
            if let Some(count) = place.and_then(|at| self.by.get_mut(at)) {
                *count += 1;
            }
        }
    }
}

/// How requests came out of which both answers were judged: whose was acceptable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Verdicts {
    /// Both.
    pub both: u64,
    /// The cheap one alone.
    pub only_cheap: u64,
    /// The strong one alone: what is lost where the cheap model serves.
    pub only_strong: u64,
    /// Neither.
    pub neither: u64,
}

/// What labels say of a rung beside the last.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Quality {
    /// Of the rung's own model.
    pub cheap: Graded,
    /// Of the last rung's.
    pub strong: Graded,
    /// How pairs came out.
    pub verdicts: Verdicts,
    /// Confidences beside how often nothing was lost with the cheap answer.
    pub diagram: Diagram,
    /// What models and what people said of the same cheap answers: acceptable or not.
    pub agreement: Agreement,
}

/// Bins of the diagram.
const BINS: usize = 10;

impl Quality {
    fn read(&mut self, pairs: &[Pair], acceptable: PerMille) {
        self.verdicts = Verdicts::default();
        for pair in pairs {
            let count = match (pair.cheap >= acceptable, pair.strong >= acceptable) {
                (true, true) => &mut self.verdicts.both,
                (true, false) => &mut self.verdicts.only_cheap,
                (false, true) => &mut self.verdicts.only_strong,
                (false, false) => &mut self.verdicts.neither,
            };
            *count += 1;
        }
        let loss = Loss::Acceptable(acceptable);
        let judged = pairs.iter().map(|&pair| loss.judged(&Label::from(pair)));
        self.diagram = Diagram::new(&mut judged.collect::<Vec<_>>(), BINS);
    }
}

/// What is known of one rung.
#[derive(Clone, Debug, PartialEq)]
pub struct RungProof {
    /// How its certificate stands.
    pub standing: Standing,
    /// Losses at or above the threshold in force, and what the loss there stays below.
    pub in_force: (u64, f64),
    /// What all labels say, those from before a withdrawal too.
    pub quality: Arc<Quality>,
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
                judge(rung, log, evidence, (confidence, self.terms.acceptable));
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
                        known.quality = Quality::default();
                    }
                    None => rungs.push(Rung {
                        models,
                        prices: (None, None),
                        watch: Watch::new(self.terms),
                        pairs: Pairs::default(),
                        quality: Quality::default(),
                        told: None,
                    }),
                }
            }
        }
    }

    fn tell(&mut self, now: &Policy) -> Proofs {
        let acceptable = self.terms.acceptable;
        let proof = |(rung, threshold): (&mut Rung, PerMille)| RungProof {
            standing: rung.watch.standing(),
            in_force: rung.watch.lost(threshold),
            quality: Arc::clone(rung.told.get_or_insert_with(|| {
                rung.quality.read(&rung.pairs.listed(), acceptable);
                Arc::new(rung.quality.clone())
            })),
            halves: rung.pairs.halves(),
            turns: rung.watch.turns().to_vec(),
        };
        let rows = now.routes.iter().map(|route| {
            let rungs = self.rungs.get_mut(&route.tag).map_or(&mut [][..], Vec::as_mut_slice);
            rungs.iter_mut().zip(route.thresholds()).map(proof).collect()
        });
        rows.collect()
    }
}

fn judge(
    rung: &mut Rung,
    log: &Log,
    evidence: &Evidence<'_>,
    (confidence, acceptable): (PerMille, PerMille),
) {
    let all = |model| evidence.labels(model, &log.prices);
    let counts = [rung.models.0, rung.models.1].map(|model| evidence.label(model, &log.prices));
    rung.quality.cheap.note(counts[0].as_ref(), all(rung.models.0));
    rung.quality.strong.note(counts[1].as_ref(), all(rung.models.1));
    let said = |by: fn(LabelSource) -> bool| {
        let last = all(rung.models.0).filter(|label| by(label.source)).filter_map(|label| label.quality);
        last.last().map(|quality| quality >= acceptable)
    };
    let both = said(|source| source == LabelSource::Judge).zip(said(LabelSource::is_person));
    if let Some((judge, person)) = both {
        rung.quality.agreement.note(judge, person);
    }
    let [cheap, strong] = counts.map(|label| label.and_then(|label| label.quality));
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
