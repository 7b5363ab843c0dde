//! A route's cost and quality as the optimum takes them: by rung and threshold, with the quality of what nobody judged filled in.
//!
//! Invariant: where every answer was judged nothing is filled in, so that costs and qualities are the frontier's own.

use super::frontier::Frontier;
use super::grid::{BINS, NONE};
use super::optimum::{Menu, Outcome};
use crate::routing::Thresholds;
use crate::units::PerMille;

/// Confidences are taken together by hundreds where quality is filled in.
const BAND: usize = 100;
/// How much the mean of a rung weighs against that of a band, in labels.
const SHRINK: i128 = 20;
/// A good answer.
const GOOD: i128 = 1_000_000;

/// What a route's quality rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Basis {
    /// Labels of every rung.
    Labels,
    /// No label of at least one rung: confidences are taken at their word, unchecked.
    Confidence,
}

impl Basis {
    /// Says it in a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Confidence => "confidence",
        }
    }
}

/// Sums of one rung at one confidence.
#[derive(Clone, Copy, Default)]
struct Place {
    requests: i128,
    cost: i128,
    quality: i128,
    labelled: i128,
    late: i128,
}

impl Menu {
    /// Makes one of frontiers of the same rungs, where so said with 95 of 100 requests over in so many milliseconds; `None` where
    /// there is none.
    pub fn of(
        frontiers: &[&Frontier],
        within_ms: Option<u64>,
        floors: Thresholds,
        applied: Thresholds,
    ) -> Option<(Self, Basis)> {
        Self::made((None, within_ms), frontiers, floors, applied)
    }

    /// Makes one whose quality rests on what is told.
    pub fn on(
        basis: Basis,
        frontiers: &[&Frontier],
        floors: Thresholds,
        applied: Thresholds,
    ) -> Option<(Self, Basis)> {
        Self::made((Some(basis), None), frontiers, floors, applied)
    }

    fn made(
        (basis, within_ms): (Option<Basis>, Option<u64>),
        frontiers: &[&Frontier],
        floors: Thresholds,
        applied: Thresholds,
    ) -> Option<(Self, Basis)> {
        let (rungs, no_signal, lowest) = frontiers.first()?.shape();
        let rows: Vec<Vec<Place>> = (0..rungs).map(|rung| row(frontiers, rung, within_ms)).collect();
        let (last, upper) = rows.split_last()?;
        let is_judged = |row: &Vec<Place>| {
            row.iter().any(|place| place.labelled > 0) || row.iter().all(|place| place.requests == 0)
        };
        let judged = if rows.iter().all(is_judged) { Basis::Labels } else { Basis::Confidence };
        let basis = basis.unwrap_or(judged);
        let filled: Vec<Vec<Outcome>> = rows
            .iter()
            .enumerate()
            .map(|(rung, row)| match basis {
                Basis::Labels => by_labels(row),
                Basis::Confidence => by_confidence(row, rungs - 1 - rung.max(lowest), rungs - 1 - lowest),
            })
            .collect();
        let strongest = filled.last()?;
        let unsure = filled.get(no_signal).and_then(|row| row.get(NONE)).copied().unwrap_or_default();
        let base = strongest.iter().take(NONE).fold(unsure, |sum, one| sum + *one);
        debug_assert_eq!(last.len(), BINS);
        let steps = (0..upper.len())
            .map(|rung| {
                let (own, next) = (filled.get(rung), filled.get(rung + 1));
                let mut sum = Outcome::default();
                let mut steps: Vec<Outcome> = (0..PerMille::VALUES)
                    .rev()
                    .map(|bin| {
                        let at = |row: Option<&Vec<Outcome>>| row?.get(bin).copied();
                        sum = sum + at(own).unwrap_or_default() - at(next).unwrap_or_default();
                        sum
                    })
                    .collect();
                steps.reverse();
                steps
            })
            .collect();
        Some((Self { base, steps, floors, applied }, basis))
    }
}

fn row(frontiers: &[&Frontier], rung: usize, within_ms: Option<u64>) -> Vec<Place> {
    let mut places = vec![Place::default(); BINS];
    for frontier in frontiers {
        for (place, sums) in places.iter_mut().zip(frontier.row(rung)) {
            place.requests += i128::from(sums.requests);
            place.cost += sums.known + sums.estimated;
            place.quality += i128::from(sums.quality);
            place.labelled += i128::from(sums.labelled);
        }
        let late = within_ms.into_iter().flat_map(|millis| frontier.late(rung, millis));
        places.iter_mut().zip(late).for_each(|(place, late)| place.late += late);
    }
    places
}

/// Takes judged answers as they are, and the others as the judged ones of neighbouring confidences are on average.
fn by_labels(row: &[Place]) -> Vec<Outcome> {
    let mean = |places: &[Place], shrink: i128, towards: i128| {
        let (quality, labelled) = places
            .iter()
            .fold((0, 0), |(quality, labelled), one| (quality + one.quality * 1000, labelled + one.labelled));
        let weight = labelled + shrink;
        if weight == 0 { towards } else { (quality + shrink * towards) / weight }
    };
    let whole = mean(row, 0, GOOD);
    // Requests without a confidence are a band of their own.
    let (sure, unsure) = row.split_at(row.len().min(NONE));
    let bands: Vec<i128> = sure.chunks(BAND).chain([unsure]).map(|band| mean(band, SHRINK, whole)).collect();
    row.iter()
        .enumerate()
        .map(|(bin, place)| {
            let unjudged = (place.requests - place.labelled).max(0);
            let band = if bin == NONE { bands.len() - 1 } else { bin / BAND };
            let filled = unjudged * bands.get(band).copied().unwrap_or(whole);
            Outcome { cost: place.cost, quality: place.quality * 1000 + filled, late: place.late }
        })
        .collect()
}

/// Takes the confidence for the quality of the first rung, the last one's as good, and those between by their place.
fn by_confidence(row: &[Place], above: usize, most: usize) -> Vec<Outcome> {
    let whole = |count: usize| i128::try_from(count).unwrap_or(0);
    let of = |bin: usize| {
        let doubt = GOOD - whole(bin.min(1000)) * 1000;
        GOOD - doubt * whole(above) / whole(most.max(1))
    };
    row.iter()
        .enumerate()
        .map(|(bin, place)| {
            // Without a confidence nothing is known: as good as a coin.
            let each = if bin == NONE && above > 0 { GOOD / 2 } else { of(bin) };
            Outcome { cost: place.cost, quality: place.requests * each, late: place.late }
        })
        .collect()
}
