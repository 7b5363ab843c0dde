//! Where a confidence lies among the thresholds of its route.

use std::cmp::Ordering;

use super::page::Line;
use crate::console::glyphs::Glyphs;
use crate::console::text;
use crate::console::theme::Role;
use crate::routing::Route;
use crate::units::PerMille;

/// The narrowest ruler that says anything.
const LEAST: usize = 20;
/// How far words may stand from where they belong.
const ASIDE: usize = 5;

/// Words set on a line of fixed width where there is room.
struct Shelf(Vec<(char, Role)>);

impl Shelf {
    fn new(columns: usize) -> Self {
        Self(vec![(' ', Role::Text); columns])
    }

    /// Sets words around a column, or a little aside in one direction where others stand there, or not at all.
    fn set(&mut self, words: &str, around: usize, aside: Ordering, role: Role) {
        let letters: Vec<char> = text::clean(words).chars().collect();
        let Some(most) = self.0.len().checked_sub(letters.len()) else { return };
        let middle = around.saturating_sub(letters.len() / 2).min(most);
        let taken = |at: usize| self.0.get(at).is_some_and(|(sign, _)| *sign != ' ');
        let free = |start: &usize| !(start.saturating_sub(1)..=start + letters.len()).any(taken);
        let start = (0..=ASIDE).map(|by| match aside {
            Ordering::Less => middle.saturating_sub(by),
            Ordering::Equal => middle,
            Ordering::Greater => (middle + by).min(most),
        });
        let Some(start) = start.into_iter().find(free) else { return };
        for (slot, letter) in self.0.iter_mut().skip(start).zip(letters) {
            *slot = (letter, role);
        }
    }

    fn line(self) -> Line {
        Line::of_signs(&self.0)
    }
}

/// Draws the rungs, the line with its thresholds, and the numbers under it.
pub(in crate::console) fn ruler(
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
    let mut line = Shelf(vec![(glyphs.line.0, Role::SliderTrack); columns]);
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
        let moved =
            staged.placing_thresholds().zip(route.placing_thresholds()).filter(|(new, old)| new != old);
        for (threshold, _) in moved {
            mark(place(threshold), glyphs.threshold.1, Role::Staged);
        }
    }
    for threshold in route.placing_thresholds() {
        mark(place(threshold), glyphs.threshold.0, Role::Applied);
    }
    if let Some(confidence) = confidence {
        // Where both fall on one column, the side on which it stands must still be seen.
        let here = place(confidence);
        let beside = thresholds.iter().find(|threshold| place(**threshold) == here);
        let at = match beside {
            Some(threshold) if confidence < *threshold => here.saturating_sub(1),
            Some(_) => (here + 1).min(columns - 1),
            None => here,
        };
        mark(at, glyphs.point.0, Role::Accent);
        numbers.set(&confidence.to_string(), place(confidence), Ordering::Equal, Role::Accent);
    }
    let served = route.rung_for(confidence);
    let mut high = columns;
    for (at, rung) in route.ladder.iter().enumerate() {
        let low = thresholds.get(at).map_or(0, |threshold| place(*threshold));
        if text::width(&text::clean(&rung.name)) + 1 < high.saturating_sub(low) {
            let role = if at == served { Role::Accent } else { Role::Muted };
            names.set(&rung.name, usize::midpoint(low, high), Ordering::Equal, role);
        }
        high = low;
    }
    numbers.set("0", 0, Ordering::Equal, Role::ChartLabel);
    numbers.set("1000", columns - 1, Ordering::Equal, Role::ChartLabel);
    // Away from the confidence, the nearest first, so that numbers stand in their order.
    let (below, above): (Vec<PerMille>, Vec<PerMille>) = thresholds
        .iter()
        .partition(|threshold| confidence.is_none_or(|confidence| **threshold <= confidence));
    for threshold in below {
        numbers.set(&threshold.to_string(), place(threshold), Ordering::Less, Role::Applied);
    }
    for threshold in above.into_iter().rev() {
        numbers.set(&threshold.to_string(), place(threshold), Ordering::Greater, Role::Applied);
    }
    for threshold in staged.map(Route::thresholds).unwrap_or_default() {
        if !thresholds.contains(&threshold) {
            let aside = if confidence.is_some_and(|confidence| threshold <= confidence) {
                Ordering::Less
            } else {
                Ordering::Greater
            };
            numbers.set(&threshold.to_string(), place(threshold), aside, Role::Staged);
        }
    }
    vec![names.line(), line.line(), numbers.line()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::glyphs::GlyphSet;
    use crate::routing::{Policy, PolicySpec, RouteSpec, RungSpec};
    use crate::units::Names;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_confidence_is_seen_on_its_side_of_the_threshold(
            threshold in 20u16..980, confidence in 20u16..980, columns in LEAST..120,
        ) {
            let rung = |model: &str, threshold| RungSpec { model: model.into(), threshold, ..RungSpec::default() };
            let ladder = vec![rung("日本", Some(i64::from(threshold))), rung("b", None)];
            let spec = PolicySpec {
                routes: vec![RouteSpec { name: "r".into(), ladder, ..RouteSpec::default() }],
                ..PolicySpec::default()
            };
            let policy = Policy::compile(&spec, 1, &mut Names::default()).unwrap();
            let glyphs = Glyphs::of(GlyphSet::Ascii);
            let drawn = ruler(&policy.routes[0], None, PerMille::new(confidence), columns, glyphs);
            let line = drawn[1].words();
            let at = |sign: char| line.chars().position(|c| c == sign);
            let (knob, mark) = (at(glyphs.point.0), at(glyphs.threshold.0));
            prop_assert!(knob.is_some() && mark.is_some(), "{}", line);
            prop_assert_eq!(knob < mark, confidence < threshold, "{}", line);
        }
    }
}
