//! What the words of answers tell together: a small logistic over how unlikely they were on average, at worst and how often, and how
//! near other words came, from answers that were judged.
//!
//! Ridge regression by Newton's steps; a sign that would hold unlikely words for a good one is left out. It comes out in whole
//! numbers, and what it is worth is measured out of fold, beside the average alone.

use super::worth::{BINS, FOLDS, LEAST, at, curve, fit};
use super::{Diagram, Judged};
use crate::checks::{Weights, Words};
use crate::units::PerMille;

/// An answer that was judged: its score, its words, and whether it was good.
pub type JudgedWords = (PerMille, Words, bool);

/// The figures: level, mean, worst, tail, and of those of which others are told margin and entropy.
const FIGURES: usize = 6;
const WITHOUT_OTHERS: usize = 4;
/// How strongly weights are held to nothing, and the level to the middle.
const RIDGE: [f64; FIGURES] = [0.01, 1.0, 1.0, 1.0, 1.0, 1.0];
/// Which way a figure may count: the level either way.
const SIGNS: [f64; FIGURES] = [0.0, -1.0, -1.0, -1.0, 1.0, -1.0];

/// Weights with their curve, and what they are worth.
#[derive(Clone, Debug)]
pub struct WordsWorth {
    /// Level, mean, worst, tail, and margin and entropy where they tell more, as a check takes them.
    pub weights: Vec<i32>,
    /// What places are worth.
    pub curve: Vec<[u16; 2]>,
    /// The calibration error less what chance adds, out of fold.
    pub error: f64,
    /// How often of a good and a bad answer the good one lies higher, out of fold: by the average alone, by all of them.
    pub ranks: [f64; 2],
    /// The mean squared error of the chance, out of fold: likewise.
    pub loss: [f64; 2],
}

/// Fits weights to judged answers: over what else might have stood there as well, where enough of them have that and it tells more.
///
/// # Errors
/// How many more are needed, where there are too few.
pub fn worth_of_words(rows: &[JudgedWords]) -> Result<WordsWorth, usize> {
    if rows.len() < LEAST {
        return Err(LEAST - rows.len());
    }
    let full: Vec<JudgedWords> =
        rows.iter().filter(|(_, words, _)| words.others.is_some()).copied().collect();
    if full.len() < LEAST {
        return Ok(fitted(rows, WITHOUT_OTHERS));
    }
    let (all, some) = (fitted(&full, FIGURES), fitted(&full, WITHOUT_OTHERS));
    if all.loss[1] < some.loss[1] {
        return Ok(all);
    }
    Ok(if full.len() == rows.len() { some } else { fitted(rows, WITHOUT_OTHERS) })
}

fn fitted(rows: &[JudgedWords], figures: usize) -> WordsWorth {
    let (weights, curve) = model(rows.iter().copied(), figures);
    let mut alone: Vec<(f64, bool)> = Vec::with_capacity(rows.len());
    let mut all: Vec<(f64, bool)> = Vec::with_capacity(rows.len());
    let mut out_of_fold: Vec<Judged> = Vec::with_capacity(rows.len());
    for fold in 0..FOLDS {
        let others = || rows.iter().enumerate().filter(|(at, _)| at % FOLDS != fold).map(|(_, row)| *row);
        let held = fit(others().map(|(score, _, good)| (score, good)));
        let (weights, curve) = model(others(), figures);
        for &(score, words, good) in rows.iter().skip(fold).step_by(FOLDS) {
            let chance = at(&curve, place(&weights, words));
            out_of_fold.push(Judged::of(chance, good));
            alone.push((f64::from(at(&held, score).get()), good));
            all.push((f64::from(chance.get()), good));
        }
    }
    let error = Diagram::new(&mut out_of_fold, BINS).ece_debiased();
    let ranks = [ranked(&alone), ranked(&all)];
    WordsWorth { weights, curve, error, ranks, loss: [squared(&alone), squared(&all)] }
}

fn place(weights: &[i32], words: Words) -> PerMille {
    Weights::new(weights).ok().and_then(|weights| weights.place(words)).unwrap_or(PerMille::ZERO)
}

/// Fits weights, and what their places are worth: a logistic by itself, from a thousand answers on an isotonic curve.
fn model(rows: impl Iterator<Item = JudgedWords>, figures: usize) -> (Vec<i32>, Vec<[u16; 2]>) {
    let rows: Vec<JudgedWords> = rows.collect();
    let weights: Vec<i32> = logistic(&rows, figures).into_iter().take(figures).map(whole).collect();
    let places = rows.iter().map(|(_, words, good)| (place(&weights, *words), *good));
    let logistic = |place| chance((f64::from(place) - 500.0) * f64::from(Weights::STEP) / 1000.0);
    let curve = curve(places, || logistic);
    (weights, curve)
}

fn chance(odds: f64) -> f64 {
    1.0 / (1.0 + (-odds).exp())
}

/// Returns log-odds in thousandths.
fn whole(weight: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "clamped first")]
    let whole = (weight * 1000.0).round().clamp(-1e6, 1e6) as i32;
    whole
}

/// Fits level and weights of the first figures; those that come out the wrong way are left out, one after another.
fn logistic(rows: &[JudgedWords], figures: usize) -> [f64; FIGURES] {
    let mut used: [bool; FIGURES] = std::array::from_fn(|at| at < figures);
    loop {
        let found = newton(rows, used);
        let off = |at: &usize| -found[*at] * SIGNS[*at];
        let wrong = (1..FIGURES).filter(|at| off(at) > 0.0).max_by(|a, b| off(a).total_cmp(&off(b)));
        match wrong {
            Some(at) => used[at] = false,
            None => return found,
        }
    }
}

fn features(words: Words) -> [f64; FIGURES] {
    let others = words.others.unwrap_or_default();
    let [mean, worst, tail, margin, entropy] =
        [words.mean, words.worst, words.tail, others.margin, others.entropy]
            .map(|one| f64::from(one) / 1000.0);
    [1.0, mean, worst, tail, margin, entropy]
}

fn newton(rows: &[JudgedWords], used: [bool; FIGURES]) -> [f64; FIGURES] {
    let mut found = [0.0; FIGURES];
    for _ in 0..50 {
        let mut slope = [0.0; FIGURES];
        let mut bend = [[0.0; FIGURES]; FIGURES];
        for at in 0..FIGURES {
            slope[at] = RIDGE[at] * found[at];
            bend[at][at] = RIDGE[at];
        }
        for &(_, words, good) in rows {
            let x = features(words);
            let odds: f64 = (0..FIGURES).filter(|&at| used[at]).map(|at| found[at] * x[at]).sum();
            let p = chance(odds);
            let (off, spread) = (p - f64::from(u8::from(good)), p * (1.0 - p));
            for a in 0..FIGURES {
                slope[a] += off * x[a];
                for b in 0..FIGURES {
                    bend[a][b] += spread * x[a] * x[b];
                }
            }
        }
        for at in (0..FIGURES).filter(|&at| !used[at]) {
            slope[at] = 0.0;
            bend[at] = [0.0; FIGURES];
            for row in &mut bend {
                row[at] = 0.0;
            }
            bend[at][at] = 1.0;
        }
        let step = solved(bend, slope);
        // Half a step at most of what would throw it far off.
        let longest = step.iter().fold(0.0_f64, |most, one| most.max(one.abs()));
        let short = if longest > 5.0 { 5.0 / longest } else { 1.0 };
        for at in 0..FIGURES {
            found[at] -= short * step[at];
        }
        if longest < 1e-9 {
            break;
        }
    }
    found
}

/// Solves as many equations as there are figures by elimination; the ridge keeps them solvable.
fn solved(mut rows: [[f64; FIGURES]; FIGURES], mut right: [f64; FIGURES]) -> [f64; FIGURES] {
    for at in 0..FIGURES {
        let pivot =
            (at..FIGURES).max_by(|&a, &b| rows[a][at].abs().total_cmp(&rows[b][at].abs())).unwrap_or(at);
        rows.swap(at, pivot);
        right.swap(at, pivot);
        if rows[at][at].abs() < 1e-12 {
            return [0.0; FIGURES];
        }
        for below in at + 1..FIGURES {
            let (share, above) = (rows[below][at] / rows[at][at], rows[at]);
            for (own, other) in rows[below].iter_mut().zip(above).skip(at) {
                *own -= share * other;
            }
            right[below] -= share * right[at];
        }
    }
    let mut found = [0.0; FIGURES];
    for at in (0..FIGURES).rev() {
        let known: f64 = (at + 1..FIGURES).map(|other| rows[at][other] * found[other]).sum();
        found[at] = (right[at] - known) / rows[at][at];
    }
    found
}

/// Returns how often of a good and a bad answer the good one lies higher; ties count half.
fn ranked(rows: &[(f64, bool)]) -> f64 {
    let mut sorted = rows.to_vec();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum, mut good) = (0.0, 0.0, 0.0);
    for group in sorted.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let alike = group.iter().filter(|(_, good)| *good).count() as f64;
        let bad = group.len() as f64 - alike;
        sum += alike * (below + bad / 2.0);
        below += bad;
        good += alike;
    }
    if below * good > 0.0 { sum / (below * good) } else { 0.5 }
}

/// Returns the mean squared error of chances in thousandths.
fn squared(rows: &[(f64, bool)]) -> f64 {
    let off = |(chance, good): &(f64, bool)| (chance / 1000.0 - f64::from(u8::from(*good))).powi(2);
    rows.iter().map(off).sum::<f64>() / rows.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers whose goodness hangs on their worst word and on their tail, not on the average alone.
    fn rows(n: u64) -> Vec<JudgedWords> {
        let row = |at: u64| {
            let lot = |k: u64| {
                let z = (at * 8 + k).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                ((z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 54) as u16
            };
            let words = Words { mean: 100 + lot(0) / 4, worst: lot(1) * 6, tail: lot(2) / 4, others: None };
            let odds = 3.0 - f64::from(words.worst) / 1000.0 - 4.0 * f64::from(words.tail) / 1000.0;
            let score = PerMille::from_probability((-f64::from(words.mean) / 1000.0).exp()).unwrap();
            (score, words, f64::from(lot(3)) / 1024.0 < chance(odds))
        };
        (0..n).map(row).collect()
    }

    #[test]
    fn what_the_average_does_not_tell_the_worst_word_and_the_tail_do() {
        for n in [500, 4000] {
            let found = worth_of_words(&rows(n)).unwrap();
            assert!(found.ranks[1] > 0.75 && found.ranks[0] < 0.6, "{n}: {:?}", found.ranks);
            assert!(found.loss[1] < found.loss[0] && found.error < 0.05, "{n}: {found:?}");
            let ascends =
                found.curve.windows(2).all(|pair| pair[0][0] < pair[1][0] && pair[0][1] <= pair[1][1]);
            assert!(ascends && found.curve.len() <= 64, "{:?}", found.curve);
            assert!(Weights::new(&found.weights).is_ok(), "{:?}", found.weights);
        }
        let weights = worth_of_words(&rows(4000)).unwrap().weights;
        let [_, _, worst, tail] = weights[..] else { panic!("{weights:?}") };
        assert!((-1_300..=-700).contains(&worst), "the world's own is -1: {worst}");
        assert!((-6_000..=-2_000).contains(&tail), "and -4: {tail}");
        assert_eq!(worth_of_words(&rows(150)).unwrap_err(), 50);
    }

    /// Answers whose goodness hangs on how near other words came, of which mean, worst and tail tell nothing.
    #[test]
    fn what_only_the_other_words_tell_is_weighed_where_they_are_told_and_not_where_they_are_not() {
        let row = |at: u64, (score, words, _): JudgedWords| {
            let lot =
                |k: u64| (at * 2 + k).wrapping_add(7).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
            let lot = |k: u64| ((lot(k) ^ (lot(k) >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 54) as u16;
            let others =
                crate::checks::Others { margin: lot(0).min(1000), entropy: 1_600 - lot(0).min(1000) };
            let odds = 5.0 * f64::from(others.margin) / 1000.0 - 2.0;
            (score, Words { others: Some(others), ..words }, f64::from(lot(1)) / 1024.0 < chance(odds))
        };
        let told: Vec<JudgedWords> = (0..).zip(rows(1500)).map(|(at, one)| row(at, one)).collect();
        let found = worth_of_words(&told).unwrap();
        assert_eq!(found.weights.len(), 6, "{found:?}");
        assert!(found.weights[4] > 0 && found.weights[5] <= 0, "{:?}", found.weights);
        assert!(found.ranks[1] > found.ranks[0] + 0.15, "{:?}", found.ranks);
        // Of a provider that tells no others: as before.
        assert_eq!(worth_of_words(&rows(1500)).unwrap().weights.len(), 4);
        // Of a log that is told them late, the others are enough by themselves.
        let late: Vec<JudgedWords> = rows(300).into_iter().chain(told).collect();
        assert_eq!(worth_of_words(&late).unwrap().weights.len(), 6);
    }

    #[test]
    fn a_sign_that_would_hold_unlikely_words_for_good_is_left_out() {
        let turned: Vec<JudgedWords> =
            rows(600).into_iter().map(|(score, words, good)| (score, words, !good)).collect();
        let found = worth_of_words(&turned).unwrap();
        assert!(found.weights[1..].iter().all(|weight| *weight <= 0), "{:?}", found.weights);
    }

    /// Against scikit-learn 1.9.1: `roc_auc_score([0, 1, 1, 0, 1], [.1, .4, .4, .4, .9])`.
    #[test]
    fn ranks_are_those_of_others() {
        let rows = [(0.1, false), (0.4, true), (0.4, true), (0.4, false), (0.9, true)];
        assert!((ranked(&rows) - 5.0 / 6.0).abs() < 1e-12, "{}", ranked(&rows));
    }
}
