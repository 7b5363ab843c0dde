//! How fast what is unlike its past is found.

use pointsman::session::Log;

use super::{Dice, best, row};

/// A year of a series at a point a minute, and the million requests of the log in slots.
pub(super) fn anomalies(log: &Log) {
    let mut dice = Dice(7);
    let values: Vec<f64> = (0..525_600u32)
        .map(|minute| {
            50.0 + f64::from(minute % 1440) / 50.0
                + f64::from(u32::try_from(dice.next(1000)).unwrap()) / 100.0
        })
        .collect();
    let (time, most) = best(3, || {
        let mut detector = pointsman::anomaly::Detector::default();
        let at = |minute: usize| pointsman::units::Instant::from_secs(i64::try_from(minute).unwrap() * 60);
        let scores =
            values.iter().enumerate().map(|(minute, value)| detector.observe(at(minute), *value).score);
        scores.fold(0.0, f64::max)
    });
    row(
        "anomaly score of one point of a series",
        &format!("{:.2} us", time.as_secs_f64() * 1e6 / values.len() as f64),
        "<= 1 us",
        &format!("{} points, highest score {most:.2}", values.len()),
    );
    let (time, found) = best(3, || {
        pointsman::session::survey(log, pointsman::anomaly::Knobs::default(), None).incidents.len()
    });
    row(
        "anomalies of a log, per request",
        &format!("{:.2} us", time.as_secs_f64() * 1e6 / log.len() as f64),
        "<= 2 us",
        &format!("{} requests, {found} incidents, {time:.1?} together", log.len()),
    );
}
