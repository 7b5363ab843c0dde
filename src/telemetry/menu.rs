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
    /// Labels of some rungs; of the others confidences are taken at their word, unchecked.
    Partly,
    /// No label of any rung.
    Confidence,
}

impl Basis {
    /// Says it in a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Labels => "labels",
            Self::Partly => "labels in part",
            Self::Confidence => "confidence",
        }
    }
}

/// Sums of one rung at one confidence.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    requests: i128,
    cost: i128,
    quality: i128,
    labelled: i128,
    late: i128,
}

/// The requests that start on one rung, and how good their answers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Graded {
    /// Requests.
    pub requests: u64,
    /// Those of them whose answers there were judged.
    pub labelled: u64,
    /// Their quality in millionths, summed, with that of what nobody judged filled in.
    pub quality: i128,
}

/// What is known of a route's requests on each of its rungs, by confidence.
#[derive(Clone, Debug)]
pub struct Grades {
    rows: Vec<Vec<Place>>,
    filled: Vec<Vec<Outcome>>,
    /// By rung, whether anybody judged.
    judged: Vec<bool>,
    no_signal: usize,
}

impl Grades {
    /// Adds up frontiers of the same rungs, where so said with 95 of 100 requests over in so many milliseconds; `None` where there
    /// is none.
    pub fn of(frontiers: &[&Frontier], within_ms: Option<u64>) -> Option<Self> {
        Self::made(frontiers, within_ms, None)
    }

    /// Adds up a part of the same requests, filled in as the whole is.
    pub fn part(&self, frontier: &Frontier) -> Option<Self> {
        Self::made(&[frontier], None, Some(self))
    }

    fn made(frontiers: &[&Frontier], within_ms: Option<u64>, whole: Option<&Self>) -> Option<Self> {
        let (rungs, no_signal, lowest) = frontiers.first()?.shape();
        let rows: Vec<Vec<Place>> = (0..rungs).map(|rung| row(frontiers, rung, within_ms)).collect();
        let is_judged = |row: &Vec<Place>| {
            row.iter().any(|place| place.labelled > 0) || row.iter().all(|place| place.requests == 0)
        };
        let judged: Vec<bool> =
            whole.map_or_else(|| rows.iter().map(is_judged).collect(), |whole| whole.judged.clone());
        let like = whole.map_or(&rows, |whole| &whole.rows);
        let filled = rows.iter().zip(like).zip(&judged).enumerate();
        let filled = filled
            .map(|(rung, ((row, like), is_judged))| {
                if *is_judged {
                    by_labels(row, like)
                } else {
                    by_confidence(row, rungs - 1 - rung.max(lowest), rungs - 1 - lowest)
                }
            })
            .collect();
        Some(Self { rows, filled, judged, no_signal })
    }

    /// Says what the quality of all of them rests on.
    pub fn basis(&self) -> Basis {
        let has_labels = |row: &Vec<Place>| row.iter().any(|place| place.labelled > 0);
        if self.judged.iter().all(|judged| *judged) {
            Basis::Labels
        } else if self.rows.iter().any(has_labels) {
            Basis::Partly
        } else {
            Basis::Confidence
        }
    }

    /// Returns by rung the requests that start on it under thresholds that descend.
    pub fn by_rung(&self, thresholds: &[PerMille]) -> Vec<Graded> {
        let mut all = vec![Graded::default(); self.rows.len()];
        for bin in 0..BINS {
            let rung = if bin == NONE {
                self.no_signal
            } else {
                let starts = thresholds.iter().position(|threshold| threshold.bin() <= bin);
                starts.unwrap_or(self.rows.len().saturating_sub(1))
            };
            let place = self.rows.get(rung).and_then(|row| row.get(bin));
            let filled = self.filled.get(rung).and_then(|row| row.get(bin));
            if let (Some(graded), Some(place), Some(filled)) = (all.get_mut(rung), place, filled) {
                graded.requests += u64::try_from(place.requests).unwrap_or(0);
                graded.labelled += u64::try_from(place.labelled).unwrap_or(0);
                graded.quality += filled.quality;
            }
        }
        all
    }
}

impl Menu {
    /// Makes one of what is known of requests.
    pub fn of(grades: &Grades, floors: Thresholds, applied: Thresholds) -> Self {
        let Grades { filled, no_signal, .. } = grades;
        let unsure = filled.get(*no_signal).and_then(|row| row.get(NONE)).copied().unwrap_or_default();
        let strongest = filled.last().into_iter().flatten().take(NONE);
        let base = strongest.fold(unsure, |sum, one| sum + *one);
        let steps = (0..filled.len().saturating_sub(1))
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
        Self { base, steps, floors, applied }
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

/// Takes judged answers as they are, and the others as the judged ones of neighbouring confidences are on average in `like`.
fn by_labels(row: &[Place], like: &[Place]) -> Vec<Outcome> {
    let mean = |places: &[Place], shrink: i128, towards: i128| {
        let (quality, labelled) = places
            .iter()
            .fold((0, 0), |(quality, labelled), one| (quality + one.quality * 1000, labelled + one.labelled));
        let weight = labelled + shrink;
        if weight == 0 { towards } else { (quality + shrink * towards) / weight }
    };
    let whole = mean(like, 0, GOOD);
    // Requests without a confidence are a band of their own.
    let (sure, unsure) = like.split_at(like.len().min(NONE));
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
