//! Where a confidence lies among the thresholds of its route.

use super::page::Line;
use crate::console::glyphs::Glyphs;
use crate::console::text;
use crate::console::theme::Role;
use crate::routing::Route;
use crate::units::PerMille;

/// The narrowest ruler that says anything.
const LEAST: usize = 20;

/// Words set on a line of fixed width where there is room.
struct Shelf(Vec<(char, Role)>);

impl Shelf {
    fn new(columns: usize) -> Self {
        Self(vec![(' ', Role::Text); columns])
    }

    /// Sets words around a column unless they would touch others.
    fn set(&mut self, words: &str, around: usize, role: Role) {
        let letters: Vec<char> = text::clean(words).chars().collect();
        let Some(most) = self.0.len().checked_sub(letters.len()) else { return };
        let start = around.saturating_sub(letters.len() / 2).min(most);
        let end = start + letters.len();
        let taken = |at: usize| self.0.get(at).is_some_and(|(sign, _)| *sign != ' ');
        if (start.saturating_sub(1)..=end).any(taken) {
            return;
        }
        for (slot, letter) in self.0.iter_mut().skip(start).zip(letters) {
            *slot = (letter, role);
        }
    }

    fn line(self) -> Line {
        Line::of_signs(&self.0)
    }
}

/// Draws the rungs, the line with its thresholds, and the numbers under it.
pub(super) fn ruler(
    route: &Route,
    staged: Option<&Route>,
    confidence: Option<PerMille>,
    columns: usize,
    glyphs: &Glyphs,
) -> Vec<Line> {
    if columns < LEAST {
        return Vec::new();
    }
    let place = |value: PerMille| usize::from(value.get()) * (columns - 1) / 1000;
    let mut names = Shelf::new(columns);
    let mut line = Shelf(vec![(glyphs.slider.0, Role::SliderTrack); columns]);
    let mut numbers = Shelf::new(columns);
    let mut mark = |at: usize, sign: char, role: Role| {
        if let Some(slot) = line.0.get_mut(at) {
            *slot = (sign, role);
        }
    };
    mark(0, glyphs.line.1, Role::SliderTrack);
    mark(columns - 1, glyphs.line.1, Role::SliderTrack);
    let thresholds = route.thresholds();
    if let Some(staged) = staged {
        for (threshold, _) in staged
            .thresholds()
            .iter()
            .zip(thresholds.iter().map(Some))
            .filter(|(new, old)| Some(*new) != *old)
        {
            mark(place(*threshold), glyphs.threshold.1, Role::Staged);
        }
    }
    for threshold in &thresholds {
        mark(place(*threshold), glyphs.threshold.0, Role::Applied);
    }
    if let Some(confidence) = confidence {
        mark(place(confidence), glyphs.point.0, Role::Accent);
        numbers.set(&confidence.to_string(), place(confidence), Role::Accent);
    }
    let served = route.rung_for(confidence);
    let mut high = columns;
    for (at, rung) in route.ladder.iter().enumerate() {
        let low = thresholds.get(at).map_or(0, |threshold| place(*threshold));
        if text::width(&text::clean(&rung.name)) + 1 < high.saturating_sub(low) {
            let role = if at == served { Role::Accent } else { Role::Muted };
            names.set(&rung.name, usize::midpoint(low, high), role);
        }
        if let Some(threshold) = thresholds.get(at) {
            numbers.set(&threshold.to_string(), low, Role::Applied);
        }
        high = low;
    }
    numbers.set("0", 0, Role::ChartLabel);
    numbers.set("1000", columns - 1, Role::ChartLabel);
    vec![names.line(), line.line(), numbers.line()]
}
