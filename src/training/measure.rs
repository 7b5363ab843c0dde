//! What an order of requests is worth: the share of the gap between two models that is recovered as the strong one's share grows.

use crate::units::Draw;

/// Questions from which on an interval is drawn.
const FEWEST: usize = 10;
/// Samples drawn for an interval.
const SAMPLES: usize = 1000;

/// A row in an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked {
    /// Higher goes to the strong model first; rows of one value go together.
    pub(super) hard: i64,
    /// What the strong answer is better by.
    pub(super) gain: f64,
    /// The question it belongs to.
    pub(super) group: u64,
}

/// Puts the hardest first.
pub(super) fn sorted(mut rows: Vec<Ranked>) -> Vec<Ranked> {
    crate::units::sort_by_key(&mut rows, |row| std::cmp::Reverse(row.hard));
    rows
}

/// Returns strong share and share of the gap recovered, corner by corner; nothing where the strong model is no better.
pub(super) fn corners(sorted: &[Ranked]) -> Option<Vec<(f64, f64)>> {
    let all: f64 = sorted.iter().map(|row| row.gain).sum();
    if sorted.is_empty() || all <= 1e-9 {
        return None;
    }
    let (mut corners, mut taken, mut won) = (vec![(0.0, 0.0)], 0usize, 0.0);
    for tied in sorted.chunk_by(|a, b| a.hard == b.hard) {
        taken += tied.len();
        won += tied.iter().map(|row| row.gain).sum::<f64>();
        corners.push((taken as f64 / sorted.len() as f64, won / all));
    }
    Some(corners)
}

/// Returns the area under the share recovered (APGR).
pub(super) fn area(sorted: &[Ranked]) -> Option<f64> {
    let weights = vec![1; sorted.len()];
    let places: Vec<usize> = (0..sorted.len()).collect();
    weighted_area(sorted, &places, &weights)
}

/// The same where the group at each place counts so many times.
fn weighted_area(sorted: &[Ranked], places: &[usize], weights: &[u32]) -> Option<f64> {
    let (mut area, mut won, mut count) = (0.0, 0.0, 0.0);
    let (mut tied, mut tied_gain, mut last) = (0.0, 0.0, None);
    for (row, &place) in sorted.iter().zip(places) {
        let weight = f64::from(weights.get(place).copied().unwrap_or(0));
        if last != Some(row.hard) {
            area += tied * (won + tied_gain / 2.0);
            won += tied_gain;
            count += tied;
            (tied, tied_gain, last) = (0.0, 0.0, Some(row.hard));
        }
        tied += weight;
        tied_gain += weight * row.gain;
    }
    area += tied * (won + tied_gain / 2.0);
    won += tied_gain;
    count += tied;
    (won > 1e-9).then(|| area / (won * count))
}

/// Returns the 95% interval of the area, by drawing questions anew; nothing of so few that the draws hardly differ, and where many
/// draws show no gap at all.
pub(super) fn interval(sorted: &[Ranked], seed: u64) -> Option<(f64, f64)> {
    let mut groups: Vec<u64> = sorted.iter().map(|row| row.group).collect();
    groups.sort_unstable();
    groups.dedup();
    if groups.len() < FEWEST {
        return None;
    }
    let places: Vec<usize> = sorted.iter().map(|row| groups.binary_search(&row.group).unwrap_or(0)).collect();
    let mut draw = Draw::new(seed);
    let mut found = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        let mut weights = vec![0u32; groups.len()];
        for _ in 0..groups.len() {
            if let Some(weight) = weights.get_mut(draw.below(groups.len())) {
                *weight += 1;
            }
        }
        found.extend(weighted_area(sorted, &places, &weights));
    }
    if found.len() * 20 < SAMPLES * 19 {
        return None;
    }
    found.sort_by(f64::total_cmp);
    let at = |thousandth: usize| found.get((found.len() - 1) * thousandth / 1000).copied();
    Some((at(25)?, at(975)?))
}

/// Returns the smallest strong share at which so much is recovered.
pub(super) fn share_for(corners: &[(f64, f64)], wanted: f64) -> Option<f64> {
    if wanted <= 0.0 {
        return Some(0.0);
    }
    let pairs = corners.windows(2).filter_map(|pair| if let [a, b] = pair { Some((*a, *b)) } else { None });
    for ((share, won), (next_share, next)) in pairs {
        if next >= wanted - 1e-12 {
            let part = if next > won { ((wanted - won) / (next - won)).clamp(0.0, 1.0) } else { 0.0 };
            return Some(share + (next_share - share) * part);
        }
    }
    None
}
