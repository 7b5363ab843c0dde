//! The certificates of a policy's thresholds over a log, up to its play head.
//!
//! Invariant: a fold over the requests before the head in their order, under the policies in force, so that a log played
//! again, or a gateway's ledger read again, has the same certificates.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Log, PolicySpan};
use crate::calibration::{Agreement, Diagram, Judged, wilson};
use crate::certificate::{Label, Loss, Standing, Terms, Turn, Watch, Withdrawn};
use crate::outcome::{Evidence, LabelSource, ModelLabel};
use crate::pricing::PriceTable;
use crate::routing::{Parameters, Policy, Route, RouteId, match_route};
use crate::telemetry::{Pair, Pairs, Sign};
use crate::units::{Instant, ModelId, PerMille, RouteTag};

/// One rung beside the last, and what its certificate rests on.
#[derive(Clone, Debug)]
struct Rung {
    models: (ModelId, ModelId),
    /// What is written into the requests of both that answers go by.
    with: [Parameters; 2],
    /// Whether it is a fallback: how good its answers are is told, but no confidence leads to it, so there is nothing to certify.
    is_fallback: bool,
    /// From when the prices of both hold.
    prices: (Option<Instant>, Option<Instant>),
    watch: Watch,
    pairs: Pairs,
    quality: Quality,
    /// What confidences said beside what came: up to its certificate, and since.
    judged: [Vec<Judged>; 2],
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
    /// The same of what its certificate rested on when it was given, and since; empty without a certificate.
    pub since: [Diagram; 2],
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
#[derive(Clone, Debug, Default)]
pub(super) struct Rungs {
    /// The policy at the last request folded.
    policy: Option<Arc<Policy>>,
    /// The classifier that judged last, as far as policies tell.
    classifier: Option<Arc<str>>,
    of: BTreeMap<RouteTag, Vec<Rung>>,
    terms: Terms,
    turned: Vec<Turned>,
}

/// How a request came to a rung.
struct Asked {
    confidence: PerMille,
    /// The rung's threshold then.
    threshold: PerMille,
    /// Whether what is told of its model is told of it, and of the last rung's model of that.
    own: [bool; 2],
}

/// The fold over a log.
#[derive(Clone, Debug, Default)]
pub(super) struct Proof {
    upto: usize,
    inserts: u64,
    rungs: Rungs,
    /// What was told last.
    pub(super) told: Arc<Proofs>,
    is_told: bool,
}

impl Proof {
    /// Begins anew: what was folded has changed.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
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
            let in_force = PolicySpan::in_force(policies, index);
            let (Some(recalled), Some(policy)) = (log.history.recall(index), in_force) else { continue };
            self.rungs.fold(&log.prices, policy, &recalled.evidence());
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
        let acceptable = self.rungs.terms.acceptable;
        let proof = |(rung, threshold): (&mut Rung, PerMille)| RungProof {
            standing: rung.watch.standing(),
            in_force: rung.watch.lost(threshold),
            quality: Arc::clone(rung.told.get_or_insert_with(|| {
                rung.quality.read(&rung.pairs.listed(), acceptable);
                let is_given = rung.watch.standing().given.is_some();
                let diagram = |judged: &mut Vec<Judged>| Diagram::new(judged, BINS);
                rung.quality.since =
                    if is_given { rung.judged.each_mut().map(diagram) } else { Default::default() };
                Arc::new(rung.quality.clone())
            })),
            halves: rung.pairs.halves(),
            turns: rung.watch.turns().to_vec(),
        };
        let rows = now.routes.iter().map(|route| {
            let rungs = self.rungs.of.get_mut(&route.tag).map_or(&mut [][..], Vec::as_mut_slice);
            rungs.iter_mut().zip(route.thresholds()).map(proof).collect()
        });
        rows.collect()
    }
}

impl Rungs {
    /// Returns the lowest certified threshold of a route's rung; none where it has no certificate.
    pub(super) fn certified(&self, route: &Route, rung: usize) -> Option<PerMille> {
        let given = self.of.get(&route.tag)?.get(rung)?.watch.standing().given?;
        Some(given.threshold)
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
        let acceptable = self.terms.acceptable;
        self.each(prices, policy, evidence, |rung, asked| {
            let from = |model| prices.row(model, at).and_then(|row| row.from);
            let dated = (from(rung.models.0), from(rung.models.1));
            if rung.prices != dated {
                if rung.watch.seen() > 0 {
                    rung.watch.withdraw(at, Withdrawn::Prices);
                }
                rung.prices = dated;
            }
            if !rung.is_fallback {
                rung.watch.arrive(at, asked.confidence);
            }
            if evidence.extra.is_some_and(|extra| !extra.labels.is_empty()) {
                rung.judge(prices, evidence, (&asked, acceptable), at);
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
        let acceptable = self.terms.acceptable;
        let judge = |rung: &mut Rung, asked: Asked| rung.judge(prices, evidence, (&asked, acceptable), at);
        self.each(prices, policy, evidence, judge);
    }

    /// Has each rung of a request's route look at it, and notes what becomes of certificates.
    fn each(
        &mut self,
        prices: &PriceTable,
        policy: &Policy,
        evidence: &Evidence<'_>,
        mut look: impl FnMut(&mut Rung, Asked),
    ) {
        let operation = evidence.operation;
        let Some(confidence) = operation.confidence() else { return };
        let route = policy.route(match_route(policy, &operation.signals()));
        if operation.pinned && route.pins(operation.class) {
            return;
        }
        let Some(rungs) = self.of.get_mut(&route.tag) else { return };
        let last = route.ladder.len().saturating_sub(1);
        for (nth, (rung, step)) in rungs.iter_mut().zip(&route.ladder).enumerate() {
            let before = rung.watch.turns().last().copied();
            let is_own = |(at, model)| route.answers_alone(at, confidence, evidence.effort_of(model, prices));
            let own = [(nth, rung.models.0), (last, rung.models.1)].map(is_own);
            look(rung, Asked { confidence, threshold: step.threshold, own });
            let turn = rung.watch.turns().last().copied().filter(|turn| Some(*turn) != before);
            self.turned.extend(turn.map(|(_, turn)| Turned {
                route: Arc::clone(&route.name),
                rung: Arc::clone(&step.name),
                turn,
            }));
        }
    }

    /// Takes a policy that comes into force: what a certificate says holds of its models and of its classifier alone.
    fn enter(&mut self, policy: &Arc<Policy>, at: Instant) {
        self.policy = Some(Arc::clone(policy));
        // Confidences of another classifier are other numbers.
        let judges = policy.judged_by.as_ref();
        let is_another = judges.is_some_and(|judges| {
            self.classifier.replace(Arc::clone(judges)).is_some_and(|known| known != *judges)
        });
        for route in &policy.routes {
            let Some((last, upper)) = route.ladder.split_last() else { continue };
            let rungs = self.of.entry(route.tag).or_default();
            rungs.truncate(upper.len());
            for (place, step) in upper.iter().enumerate() {
                let (models, is_fallback) = ((step.model, last.model), step.fallback);
                let with = [step, last].map(|rung| rung.with.of_answers());
                let Some(known) = rungs.get_mut(place) else {
                    rungs.push(Rung {
                        models,
                        with,
                        is_fallback,
                        prices: (None, None),
                        watch: Watch::new(self.terms),
                        pairs: Pairs::default(),
                        quality: Quality::default(),
                        judged: Default::default(),
                        told: None,
                    });
                    continue;
                };
                let is_same_model = known.models == models && known.is_fallback == is_fallback;
                let is_same = is_same_model && known.with == with;
                let why = match (is_same_model, is_same) {
                    (false, _) => Withdrawn::Model,
                    (true, false) => Withdrawn::Parameters,
                    (true, true) => Withdrawn::Classifier,
                };
                if is_same && !is_another {
                    continue;
                }
                known.is_fallback = is_fallback;
                let stood = known.watch.standing().given.is_some();
                known.watch.withdraw(at, why);
                if !is_same {
                    known.quality = Quality::default();
                }
                known.with = with;
                (known.models, known.pairs, known.told) = (models, Pairs::default(), None);
                known.judged = Default::default();
                let (route, rung) = (Arc::clone(&route.name), Arc::clone(&step.name));
                self.turned.extend(stood.then_some(Turned { route, rung, turn: Turn::Withdrawn(why) }));
            }
        }
        if is_another {
            // Those of routes that are not in force now, too.
            let others =
                self.of.iter_mut().filter(|(tag, _)| !policy.routes.iter().any(|route| route.tag == **tag));
            others.flat_map(|(_, rungs)| rungs).for_each(|rung| {
                rung.watch.withdraw(at, Withdrawn::Classifier);
                (rung.pairs, rung.told, rung.judged) = (Pairs::default(), None, Default::default());
            });
        }
    }
}

impl Rung {
    fn judge(
        &mut self,
        prices: &PriceTable,
        evidence: &Evidence<'_>,
        (asked, acceptable): (&Asked, PerMille),
        at: Instant,
    ) {
        let of = [(self.models.0, asked.own[0]), (self.models.1, asked.own[1])];
        let all = |(model, own): (ModelId, bool)| evidence.labels(model, prices).filter(move |_| own);
        let counts = of.map(|(model, own)| evidence.label(model, prices).filter(|_| own));
        self.quality.cheap.note(counts[0].as_ref(), all(of[0]));
        self.quality.strong.note(counts[1].as_ref(), all(of[1]));
        let said = |by: fn(LabelSource) -> bool| {
            let last = all(of[0]).filter(|label| by(label.source)).filter_map(|label| label.quality);
            last.last().map(|quality| quality >= acceptable)
        };
        let both = said(|source| source == LabelSource::Judge).zip(said(LabelSource::is_person));
        if let Some((judge, person)) = both {
            self.quality.agreement.note(judge, person);
        }
        self.told = None;
        if self.is_fallback {
            return;
        }
        let [cheap, strong] = counts.map(|label| label.and_then(|label| label.quality));
        let placed = (asked.confidence, asked.threshold);
        self.pairs.apply(placed, cheap, strong, Sign::Plus);
        if let (Some(cheap), Some(strong)) = (cheap, strong) {
            let label = Label::from(Pair::new(placed, cheap, strong));
            if self.watch.labels() == 0 {
                // Evidence begins anew.
                self.judged = Default::default();
            }
            let stood = self.watch.stands();
            self.watch.judge(at, &label);
            let judged = Loss::Acceptable(acceptable).judged(&label);
            let [then, now] = &mut self.judged;
            if stood { now.push(judged) } else { then.push(judged) }
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
