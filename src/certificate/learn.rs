//! Learn then Test along a fixed sequence: thresholds are tested from the safest on, and the first that fails ends it.
//!
//! Invariant: the grid is 1000, 999, .. 0 whatever the labels say, so that no correction for many tests is due; equal
//! confidences are let through together.

use super::label::{Label, Loss};
use super::tails::{Judge, betting, betting_bound, fewest_graded, needed, needed_at_rate, needed_graded};
use crate::calibration::special::{binomial_at_most, clopper_pearson};
use crate::units::{Draw, PerMille};

/// Of which requests the loss is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Scope {
    /// Of all requests: what is lost against always asking the strong model.
    #[default]
    All,
    /// Of the requests that the cheap model serves.
    Served,
}

/// What is to be promised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Promise {
    /// The most loss, between 0 and 1.
    pub epsilon: f64,
    /// The chance that the promise is wrong, between 0 and 1.
    pub delta: f64,
    /// Of which requests.
    pub scope: Scope,
    /// What counts as loss.
    pub loss: Loss,
    /// The threshold at which testing begins; where absent 1000, or for [`Scope::Served`] the first that enough labels reach.
    pub from: Option<PerMille>,
    /// How far the judge behind the labels is trusted; the promise then covers what it may hide, on half of `delta`.
    pub judge: Option<Judge>,
}

impl Promise {
    /// Returns the loss that labels may show, and the chance that is left for them: what a p-value is held to.
    pub fn budget(&self) -> (f64, f64) {
        self.judge.map_or((self.epsilon, self.delta), |judge| {
            (self.epsilon - judge.hides(self.delta / 2.0), self.delta / 2.0)
        })
    }
}

/// What labels say of one threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The threshold.
    pub threshold: PerMille,
    /// Labels that count: all, or those that the cheap model would have served.
    pub n: u64,
    /// Of those, with a loss.
    pub failures: u64,
    /// Their losses, in per mille.
    pub loss: u64,
    /// The chance of so little loss by luck.
    pub p_value: f64,
    /// What the true loss stays below, but for a chance of delta; what the judge may hide is in it.
    pub bound: f64,
    /// Labels more for it to pass, none of which may fail; `None` where no number would do.
    pub needed: Option<u64>,
    /// The same where failures go on at the rate seen.
    pub needed_at_rate: Option<u64>,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// The lowest threshold that is certified.
    pub certified: Option<Test>,
    /// The first threshold that is not: where testing ended, or could not begin.
    pub failed: Option<Test>,
    /// The loss of letting every request through, in per mille, summed over all labels.
    pub base_loss: u64,
    /// All labels.
    pub labels: u64,
    /// The loss that the judge may hide.
    pub hidden: f64,
}

impl Finding {
    /// Returns the share of requests that any method must keep from the cheap model for this loss among the served, by what
    /// the labels show on the whole (arXiv 2606.29054).
    pub fn least_kept(&self, epsilon: f64) -> f64 {
        let base = self.base_loss as f64 / 1000.0 / self.labels.max(1) as f64;
        ((base - epsilon) / (1.0 - epsilon)).max(0.0)
    }
}

/// Labels by confidence.
struct Grid<'a> {
    /// In an order that is drawn: what bets go by must say nothing of losses, as that of a sorted file does.
    labels: Vec<Label>,
    promise: &'a Promise,
    n: Vec<u64>,
    failures: Vec<u64>,
    loss: Vec<u64>,
    epsilon: f64,
    delta: f64,
}

/// Running sums of the labels at or above a threshold.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Above {
    n: u64,
    failures: u64,
    loss: u64,
}

impl<'a> Grid<'a> {
    fn new(labels: &[Label], promise: &'a Promise) -> Self {
        let (epsilon, delta) = promise.budget();
        let mut drawn = labels.to_vec();
        if promise.loss == Loss::Graded {
            Draw::new(drawn.len() as u64).shuffle(&mut drawn);
        }
        let mut grid = Self {
            labels: drawn,
            promise,
            n: vec![0; PerMille::VALUES],
            failures: vec![0; PerMille::VALUES],
            loss: vec![0; PerMille::VALUES],
            epsilon,
            delta,
        };
        for label in labels {
            let (bin, loss) = (label.confidence.bin(), promise.loss.of(label));
            grid.n[bin] += 1;
            grid.failures[bin] += u64::from(loss > PerMille::ZERO);
            grid.loss[bin] += u64::from(loss.get());
        }
        grid
    }

    fn trials(&self, above: Above) -> u64 {
        match self.promise.scope {
            Scope::All => self.labels.len() as u64,
            Scope::Served => above.n,
        }
    }

    /// The losses of a threshold in the order that was drawn.
    fn losses(&self, threshold: PerMille) -> impl Iterator<Item = PerMille> + Clone {
        let is_all = self.promise.scope == Scope::All;
        let loss = self.promise.loss;
        self.labels.iter().filter_map(move |label| {
            let is_served = label.confidence >= threshold;
            (is_all || is_served).then(|| if is_served { loss.of(label) } else { PerMille::ZERO })
        })
    }

    fn p_value(&self, threshold: PerMille, above: Above) -> f64 {
        if self.epsilon <= 0.0 {
            return 1.0;
        }
        match self.promise.loss {
            Loss::Acceptable(_) => binomial_at_most(above.failures, self.trials(above), self.epsilon),
            Loss::Graded => {
                let bet = (self.epsilon, self.delta);
                betting(self.losses(threshold), self.trials(above), bet, self.delta)
            }
        }
    }

    fn test(&self, threshold: PerMille, above: Above) -> Test {
        let p_value = match self.promise.loss {
            Loss::Graded if self.epsilon > 0.0 => {
                betting(self.losses(threshold), self.trials(above), (self.epsilon, self.delta), 1e-300)
            }
            _ => self.p_value(threshold, above),
        };
        let (n, failures, loss) = (self.trials(above), above.failures, above.loss as f64 / 1000.0);
        let (epsilon, delta) = (self.epsilon, self.delta);
        let is_whole = matches!(self.promise.loss, Loss::Acceptable(_));
        let passes = p_value <= delta && n > 0;
        let missing = |of: &dyn Fn() -> Option<u64>| match passes {
            true => Some(0),
            false if epsilon <= 0.0 => None,
            false => of(),
        };
        Test {
            threshold,
            n,
            failures,
            loss: above.loss,
            p_value,
            bound: (if is_whole {
                clopper_pearson(failures, n, delta)
            } else {
                betting_bound(&self.losses(threshold), n, delta)
            } + (self.promise.epsilon - epsilon))
                .min(1.0),
            needed: missing(&|| {
                if is_whole {
                    needed(failures, n, epsilon, delta)
                } else {
                    needed_graded(&self.losses(threshold), loss, n, (epsilon, delta))
                }
            }),
            needed_at_rate: missing(&|| is_whole.then(|| needed_at_rate(failures, n, epsilon, delta))?),
        }
    }

    /// Fewer labels than this pass no test, whatever they say.
    fn fewest(&self) -> u64 {
        match self.promise.loss {
            _ if self.epsilon <= 0.0 => u64::MAX,
            Loss::Graded => fewest_graded(self.epsilon, self.delta),
            Loss::Acceptable(_) => needed(0, 0, self.epsilon, self.delta).unwrap_or(u64::MAX),
        }
    }
}

/// Finds the lowest threshold that keeps a promise.
pub fn certify(labels: &[Label], promise: &Promise) -> Finding {
    let grid = Grid::new(labels, promise);
    let mut finding = Finding {
        certified: None,
        failed: None,
        base_loss: grid.loss.iter().sum(),
        labels: labels.len() as u64,
        hidden: promise.judge.map_or(0.0, |judge| judge.hides(promise.delta / 2.0)),
    };
    // Where the served are counted, the first threshold is the first that could pass at all: confidences alone say which.
    let fewest = if promise.scope == Scope::Served { grid.fewest() } else { 0 };
    let from = promise.from.unwrap_or(PerMille::ONE);
    let (mut above, mut last) = (Above::default(), None::<(Above, f64)>);
    let mut passed: Option<(PerMille, Above)> = None;
    // Below the least confidence whose answers are judged nothing is known, and nothing is tested.
    let until = labels.iter().map(|label| label.judged_from).min().unwrap_or_default();
    for threshold in (until.get()..=1000).rev().filter_map(PerMille::new) {
        let bin = threshold.bin();
        above.n += grid.n[bin];
        above.failures += grid.failures[bin];
        above.loss += grid.loss[bin];
        if threshold > from {
            continue;
        }
        let is_last = threshold == until;
        if promise.from.is_none() && passed.is_none() && above.n < fewest && !is_last {
            continue;
        }
        let p_value = match last {
            Some((same, p_value)) if same == above => p_value,
            _ => grid.p_value(threshold, above),
        };
        last = Some((above, p_value));
        if p_value > grid.delta || grid.trials(above) == 0 {
            finding.failed = Some(grid.test(threshold, above));
            break;
        }
        passed = Some((threshold, above));
    }
    finding.certified = passed.map(|(threshold, above)| grid.test(threshold, above));
    // Where no strong answer is acceptable none can be lost, and a promise of little loss says nothing.
    if !promise.loss.may_be_any(labels) {
        finding.failed = finding.failed.or(finding.certified.take());
        finding.certified = None;
    }
    finding
}
