//! The detector on labelled series, scored as the Numenta Anomaly Benchmark scores (standard profile, one threshold for all
//! series): what docs/anomalies.md says of it. The series are not in the repository; `POINTSMAN_SERIES` names their folder, with
//! `windows.json` beside or in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pointsman::anomaly::Detector;
use pointsman::record::{Input, Series};
use pointsman::units::Instant;

/// What a detection is worth: one in a window, one that is none, and a window without.
const FALSE: f64 = 0.11;
const MISSED: f64 = 1.0;

/// A scored point: its score, what it is worth where it is an alarm, and the window that it lies in.
struct Point {
    score: f64,
    worth: f64,
    window: Option<(usize, usize)>,
}

struct Scored {
    windows: usize,
    points: Vec<Point>,
}

/// The worth of an alarm by its place: early in a window most, far behind it least.
fn worth(place: f64) -> f64 {
    if place > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * place).exp()) - 1.0 }
}

fn scored(number: usize, series: &Series, windows: &[(Instant, Instant)]) -> Scored {
    let mut detector = Detector::default();
    let place = |at: Instant| series.points.iter().position(|point| point.at == at).unwrap();
    let windows: Vec<(usize, usize)> = windows.iter().map(|(from, to)| (place(*from), place(*to))).collect();
    let rows = series.points.len() as f64;
    let probation = (rows * 0.15).floor().min(750.0);
    let mut points = Vec::new();
    for (row, point) in series.points.iter().enumerate() {
        let score = detector.observe(point.at, point.value.unwrap()).score;
        if (row as f64) < probation {
            continue;
        }
        let within = windows.iter().position(|(from, to)| (*from..=*to).contains(&row));
        let worth = if let Some((from, to)) = within.map(|window| windows[window]) {
            worth(-((to - row + 1) as f64) / (to - from + 1) as f64) / worth(-1.0)
        } else {
            let last = windows.iter().rev().find(|(_, to)| *to < row);
            FALSE * last.map_or(-1.0, |(from, to)| worth((row - to) as f64 / (to - from) as f64))
        };
        points.push(Point { score, worth, window: within.map(|window| (number, window)) });
    }
    Scored { windows: windows.len(), points }
}

/// The benchmark's score at a threshold, of 100.
fn total(all: &[&Scored], threshold: f64) -> f64 {
    let mut windows: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let mut sum = 0.0;
    for point in all.iter().flat_map(|one| &one.points) {
        let is_alarm = point.score >= threshold;
        match point.window {
            Some(window) => {
                let best = windows.entry(window).or_insert(-MISSED);
                if is_alarm {
                    *best = best.max(point.worth);
                }
            }
            None if is_alarm => sum += point.worth,
            None => {}
        }
    }
    let nothing = -MISSED * windows.len() as f64;
    let most: usize = all.iter().map(|one| one.windows).sum();
    100.0 * (sum + windows.values().sum::<f64>() - nothing) / (most as f64 - nothing)
}

fn best(all: &[&Scored]) -> (f64, f64) {
    let mut thresholds: Vec<f64> = all.iter().flat_map(|one| &one.points).map(|point| point.score).collect();
    thresholds.retain(|score| *score > 0.4);
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    let step = (thresholds.len() / 400).max(1);
    let tried = thresholds.into_iter().step_by(step).map(|threshold| (total(all, threshold), threshold));
    tried.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap()
}

#[test]
fn labelled_series_score_above_55() {
    let Some(folder) = std::env::var_os("POINTSMAN_SERIES") else {
        println!("skipped: POINTSMAN_SERIES names no folder of labelled series");
        return;
    };
    let folder = Path::new(&folder);
    let windows = [folder.join("windows.json"), folder.parent().unwrap().join("windows.json")];
    let windows = windows.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap();
    let windows: BTreeMap<String, Vec<[String; 2]>> = serde_json::from_str(&windows).unwrap();
    let mut all = Vec::new();
    for (number, (name, windows)) in windows.iter().enumerate() {
        let series = Series::open(&Input::paths([folder.join(name)])).unwrap().unwrap();
        let moment = |text: &String| Instant::parse(text).unwrap();
        let windows: Vec<_> = windows.iter().map(|[from, to]| (moment(from), moment(to))).collect();
        all.push(scored(number, &series, &windows));
    }
    let half = |odd: usize| {
        all.iter().enumerate().filter(|(at, _)| at % 2 == odd).map(|(_, one)| one).collect::<Vec<_>>()
    };
    let (even, odd, whole) = (half(0), half(1), all.iter().collect::<Vec<_>>());
    let (found, threshold) = best(&whole);
    println!("{} series, {} windows", all.len(), all.iter().map(|one| one.windows).sum::<usize>());
    println!("all: {found:.1} at {threshold:.3}, {:.1} at 0.5", total(&whole, 0.5));
    let (tuned, at) = best(&even);
    println!("even half: {tuned:.1} at {at:.3}; odd half at that threshold: {:.1}", total(&odd, at));
    let (tuned, at) = best(&odd);
    println!("odd half: {tuned:.1} at {at:.3}; even half at that threshold: {:.1}", total(&even, at));
    assert!(total(&whole, 0.5) > 55.0);
}
