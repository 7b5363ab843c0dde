//! What explored requests say of a what-if, and what exploring costs at worst.

use serde::Serialize;

use crate::certificate::{Estimate, LEAST, OffPolicy};
use crate::console::format;
use crate::report::{Sheet, count};
use crate::telemetry::Exploring;
use crate::units::{PerMille, Pico, members};

/// What exploring costs at worst.
#[derive(Debug, Serialize)]
pub(super) struct ExploringReport {
    /// Requests near enough to a threshold to be drawn.
    requests: u64,
    worst_usd: String,
    #[serde(skip)]
    worst: Pico,
}

impl ExploringReport {
    pub(super) fn new(found: Exploring) -> Option<Self> {
        let Exploring { requests, worst } = found;
        (requests > 0).then(|| Self { requests, worst_usd: worst.usd(), worst })
    }
}

members! {
    /// What explored requests say of the change.
    #[derive(Debug, Serialize)]
    pub(super) struct ExploredReport;
    pub(super) fn new(found: &OffPolicy) {}
    /// Requests that would start on another rung, to which lots could have sent them.
    covered_requests: u64 = found.covered,
    /// Those that lots could not have sent there: nothing is said of them here.
    unexplored_requests: u64 = found.uncovered,
    /// Where those lie.
    unexplored: Vec<Band> = found.unexplored.iter().map(Band::new).collect(),
    cost_change_usd: Told = Told::new(found.cost, 6),
    /// On average over all requests of the route, 1 for a good answer.
    quality_change: Told = Told::new(found.quality, 4),
}

members! {
    #[derive(Debug, Serialize)]
    struct Band;
    fn new((from, to, requests): &(PerMille, PerMille, u64)) {}
    from: u16 = from.get(),
    to: u16 = to.get(),
    requests: u64 = *requests,
}

/// An estimate with its 95% interval, or what it lacks.
#[derive(Debug, Default, Serialize)]
struct Told {
    change: Option<String>,
    low: Option<String>,
    high: Option<String>,
    effective_sample: u64,
    /// Requests sent the other way that are missing, and about how many requests of this traffic that takes.
    needed_explored: u64,
    needed_requests: Option<u64>,
    #[serde(skip)]
    text: (String, String),
}

impl Told {
    fn new(estimate: Estimate, digits: usize) -> Self {
        match estimate {
            Estimate::Nothing => {
                Self { text: ("nothing moves there".to_owned(), String::new()), ..Self::default() }
            }
            Estimate::Short { effective, more, requests } => {
                let about = requests.map_or_else(String::new, |requests| {
                    format!(", about {} requests of such traffic", count(requests))
                });
                let text = (
                    format!("not told: worth {effective} of {LEAST} requests"),
                    format!("{} explored ones more{about}", count(more)),
                );
                let (needed_explored, needed_requests) = (more, requests);
                Self {
                    effective_sample: effective,
                    needed_explored,
                    needed_requests,
                    text,
                    ..Self::default()
                }
            }
            Estimate::Told { change, half, effective } => {
                let write = |value: f64| Some(format!("{value:.digits$}"));
                let within = if change.abs() <= half { ", within error" } else { "" };
                let text = (
                    format!("{change:+.*} ±{half:.*}{within}", digits.min(4), digits.min(4)),
                    format!("worth {} requests", count(effective)),
                );
                Self {
                    change: write(change),
                    low: write(change - half),
                    high: write(change + half),
                    effective_sample: effective,
                    text,
                    ..Self::default()
                }
            }
        }
    }
}

/// Writes both below a route's comparison.
pub(super) fn rows(
    sheet: &mut Sheet,
    (applied, staged): (&Option<ExploringReport>, &Option<ExploringReport>),
    explored: Option<&ExploredReport>,
) {
    if applied.is_some() || staged.is_some() {
        let worst = |side: &Option<ExploringReport>| {
            side.as_ref().map_or_else(
                || "-".to_owned(),
                |side| format!("{}, {} in the band", format::money(side.worst), count(side.requests)),
            )
        };
        sheet.push(vec!["exploring costs at most".into(), worst(applied), worst(staged), String::new()]);
    }
    let Some(found) = explored else { return };
    for (name, told) in [
        ("explored: change of cost, $", &found.cost_change_usd),
        ("explored: change of quality", &found.quality_change),
    ] {
        let (value, worth) = told.text.clone();
        sheet.push(vec![name.into(), worth, value, String::new()]);
    }
    let covered = format!(
        "{} of {}",
        count(found.covered_requests),
        count(found.covered_requests + found.unexplored_requests)
    );
    sheet.push(vec!["  flips that this covers".into(), String::new(), covered, String::new()]);
    for band in &found.unexplored {
        let name = format!("  never explored: {} to {}‰", band.from, band.to);
        sheet.push(vec![name, String::new(), count(band.requests), String::new()]);
    }
}
