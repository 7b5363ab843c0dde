//! Another classifier tried over a log: what it judged, and the requests that would start elsewhere.

use std::path::Path;

use serde::Serialize;

use crate::app::classifier;
use crate::report::{Sheet, count};
use crate::session::{Flip, Reclassified};
use crate::units::{PerMille, members};

/// Requests that are listed.
pub(super) const LISTED: usize = 50;

/// What another classifier judged.
#[derive(Debug, Serialize)]
pub(super) struct SecondReport {
    /// Its name and hash.
    staged: String,
    judged_requests: u64,
    /// Those whose text the log does not have: their confidence stands.
    unread_requests: u64,
    /// The first of the requests that would start elsewhere.
    flips: Vec<FlipReport>,
}

members! {
    #[derive(Debug, Serialize)]
    struct FlipReport;
    fn new(flip: &Flip) {
        let told = |confidence: Option<PerMille>| confidence.map(PerMille::get);
        let [(route_applied, rung_applied), (route_staged, rung_staged)] =
            flip.start.clone().map(|(route, rung)| (route.to_string(), rung.to_string()));
    }
    id: String = flip.id.clone(),
    confidence_applied: Option<u16> = told(flip.confidence[0]),
    confidence_staged: Option<u16> = told(flip.confidence[1]),
    route_applied: String = route_applied,
    rung_applied: String = rung_applied,
    route_staged: String = route_staged,
    rung_staged: String = rung_staged,
}

impl SecondReport {
    pub(super) fn new(found: &Reclassified, path: Option<&Path>) -> anyhow::Result<Self> {
        let second = classifier(path)?;
        Ok(Self {
            staged: format!("{} {:016x}", second.name(), second.hash()),
            judged_requests: found.read,
            unread_requests: found.unread,
            flips: found.flips.iter().map(FlipReport::new).collect(),
        })
    }

    /// Lists the requests that would start elsewhere.
    pub(super) fn sheet(&self) -> Sheet {
        let unread = if self.unread_requests > 0 {
            format!(" · {} without their text keep their confidence", count(self.unread_requests))
        } else {
            String::new()
        };
        let title = format!(
            "classifier {} · judges {} anew{unread} · the first flips",
            self.staged,
            count(self.judged_requests)
        );
        let told = |value: Option<u16>| value.map_or_else(|| "none".to_owned(), |value| format!("{value}‰"));
        let mut sheet = Sheet::of(
            title,
            &self.flips,
            &[
                ("request", &|flip| flip.id.clone()),
                (">applied", &|flip| told(flip.confidence_applied)),
                (">staged", &|flip| told(flip.confidence_staged)),
                ("starts on", &|flip| format!("{} · {}", flip.route_applied, flip.rung_applied)),
                ("would start on", &|flip| format!("{} · {}", flip.route_staged, flip.rung_staged)),
            ],
        );
        if self.flips.is_empty() {
            sheet.push(vec!["none".into(), String::new(), String::new(), String::new(), String::new()]);
        }
        sheet
    }
}
