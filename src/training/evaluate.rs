//! What a classifier is worth on rows of which both answers are known, beside what anybody could do without it.

use super::measure::{Ranked, area, corners, interval, share_for, sorted};
use crate::calibration::{Diagram, Judged as Kept};
use crate::units::PerMille;

/// A row as a classifier judged it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Judged {
    /// What groups the same question.
    pub group: u64,
    /// The cheap answer's quality, 0 to 1.
    pub cheap: f64,
    /// The strong answer's.
    pub strong: f64,
    /// The confidence per mille that the cheap answer will do; none goes to the strong model before all others.
    pub confidence: Option<u16>,
    /// The bytes of the prompt.
    pub length: usize,
    /// What the tags alone say the strong answer is worth more, where they are known to the classifier.
    pub tagged: Option<i64>,
    /// What the cheap and the strong call cost, in pico-dollars, where both are known.
    pub costs: Option<(i128, i128)>,
}

/// What routing is worth without a classifier: share of the gap recovered, like `apgr`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Baselines {
    /// By length of the prompt, longest to the strong model first.
    pub length_only: Option<f64>,
    /// By tags alone.
    pub tags_only: Option<f64>,
    /// By the answers themselves: nobody can do better.
    pub oracle: Option<f64>,
}

/// What a classifier is worth.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evaluation {
    /// Rows.
    pub n: usize,
    /// Rows without a confidence.
    pub silent: usize,
    /// Mean quality of the cheap and of the strong model.
    pub quality: (f64, f64),
    /// Share of rows whose cheap answer is no worse.
    pub will_do: f64,
    /// Area under the share of the gap recovered; none where the strong model is no better.
    pub apgr: Option<f64>,
    /// Its 95% interval.
    pub interval: Option<(f64, f64)>,
    /// Strong shares at which 50% and 80% of the gap are recovered.
    pub cpt: (Option<f64>, Option<f64>),
    /// The strong share that keeps 95% of the strong model's quality.
    pub share_at_95: Option<f64>,
    /// The cost that this saves, as a share of always asking the strong model.
    pub saved_at_95: Option<f64>,
    /// Rows whose costs are known.
    pub costed: usize,
    /// Calibration error.
    pub ece: Option<f64>,
    /// Mean squared error of the confidence.
    pub brier: Option<f64>,
    /// Others.
    pub baselines: Baselines,
}

/// Measures a classifier on rows; `seed` draws the interval.
pub fn evaluate(rows: &[Judged], seed: u64) -> Evaluation {
    let n = rows.len();
    if n == 0 {
        return Evaluation::default();
    }
    let mean = |of: &dyn Fn(&Judged) -> f64| rows.iter().map(of).sum::<f64>() / n as f64;
    let by = |hard: &dyn Fn(&Judged) -> i64| {
        let rank = |row: &Judged| Ranked { hard: hard(row), gain: row.strong - row.cheap, group: row.group };
        sorted(rows.iter().map(rank).collect())
    };
    let ours = by(&|row| hard(row.confidence));
    let quality = (mean(&|row| row.cheap), mean(&|row| row.strong));
    let corners = corners(&ours);
    let share = |wanted| corners.as_ref().and_then(|corners| share_for(corners, wanted));
    let share_at_95 = if quality.0 >= 0.95 * quality.1 {
        Some(0.0)
    } else {
        share((0.95 * quality.1 - quality.0) / (quality.1 - quality.0))
    };
    let mut told: Vec<Kept> =
        rows.iter().filter_map(|row| Some(kept(row.confidence?, row.cheap >= row.strong))).collect();
    let diagram = (!told.is_empty()).then(|| reliability(&mut told));
    let has_tags = rows.iter().any(|row| row.tagged.is_some());
    Evaluation {
        n,
        silent: n - told.len(),
        quality,
        will_do: mean(&|row| f64::from(u8::from(row.cheap >= row.strong))),
        apgr: area(&ours),
        interval: interval(&ours, seed),
        cpt: (share(0.5), share(0.8)),
        share_at_95,
        saved_at_95: share_at_95.and_then(|share| saved(rows, share)),
        costed: rows.iter().filter(|row| row.costs.is_some()).count(),
        ece: diagram.as_ref().map(Diagram::ece),
        brier: diagram.as_ref().map(|diagram| diagram.brier),
        baselines: Baselines {
            length_only: area(&by(&|row| i64::try_from(row.length).unwrap_or(i64::MAX))),
            tags_only: has_tags.then(|| area(&by(&|row| row.tagged.unwrap_or(0)))).flatten(),
            oracle: area(&by(&|row| super::calibrate::whole((row.strong - row.cheap) * 1e6))),
        },
    }
}

/// Pairs what was said with whether the cheap answer did.
pub(super) fn kept(confidence: u16, did: bool) -> Kept {
    Kept::of(PerMille::clamped(confidence.into()), did)
}

/// Looks at up to fifteen bins, of twenty rows or more.
pub(super) fn reliability(told: &mut [Kept]) -> Diagram {
    let bins = (told.len() / 20).clamp(1, 15);
    Diagram::new(told, bins)
}

/// Returns how hard a request is taken to be.
fn hard(confidence: Option<u16>) -> i64 {
    confidence.map_or(i64::MAX, |confidence| -i64::from(confidence))
}

/// Returns what is saved where the hardest `share` of the rows goes to the strong model, those of one confidence in equal parts.
/// Costs must be known for nine rows in ten; the others are left out.
fn saved(rows: &[Judged], share: f64) -> Option<f64> {
    let mut order: Vec<(i64, f64, f64)> = (rows.iter())
        .filter_map(|row| {
            let (cheap, strong) = row.costs?;
            // For a ratio alone; sums of money are never kept as floats.
            Some((hard(row.confidence), cheap as f64, strong as f64))
        })
        .collect();
    if order.is_empty() || order.len() * 10 < rows.len() * 9 {
        return None;
    }
    order.sort_by_key(|row| std::cmp::Reverse(row.0));
    let mut room = share * order.len() as f64;
    let (mut paid, mut always) = (0.0, 0.0);
    for tied in order.chunk_by(|a, b| a.0 == b.0) {
        let strong = (room / tied.len() as f64).clamp(0.0, 1.0);
        room -= strong * tied.len() as f64;
        for &(_, cheap_cost, strong_cost) in tied {
            paid += strong * strong_cost + (1.0 - strong) * cheap_cost;
            always += strong_cost;
        }
    }
    (always > 0.0).then(|| 1.0 - paid / always)
}
