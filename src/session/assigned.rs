//! Thresholds as they are typed: `extraction.flash=588`.
//!
//! Invariant: a slip sets nothing; what is wrong says the assignment and what would be right.

use super::moved_along;
use crate::routing::{Policy, RouteId};
use crate::units::{Names, PerMille, choice};

/// Reads `ROUTE.RUNG=PERMILLE`, or `ROUTE=PERMILLE` where the route has one threshold; rung and route names may themselves hold dots.
///
/// # Errors
/// Where there is no such threshold, or it cannot stand there.
pub fn assigned(text: &str, policy: &Policy, names: &Names) -> Result<(RouteId, usize, PerMille), String> {
    let id = |index: usize| u8::try_from(index).map(RouteId).map_err(|_| format!("{text}: too many routes"));
    let (target, value) = text
        .rsplit_once('=')
        .ok_or_else(|| format!("{text}: write ROUTE.RUNG=PERMILLE, like extraction.flash=588"))?;
    let value = value
        .trim()
        .parse::<u16>()
        .ok()
        .and_then(PerMille::new)
        .ok_or_else(|| format!("{text}: `{value}` is no whole number from 0 to 1000"))?;
    if let Some((index, route)) = policy.routes.iter().enumerate().find(|(_, route)| *route.name == *target) {
        let movable = route.movable();
        return match movable.len() {
            0 => Err(format!(
                "{text}: route {} has one rung that confidences lead to, and so no threshold",
                route.name
            )),
            1 => Ok((id(index)?, movable.start, value)),
            _ => {
                let rungs = route.ladder.get(movable).unwrap_or_default();
                let known: Vec<String> =
                    rungs.iter().map(|rung| format!("{}.{}", route.name, rung.name)).collect();
                Err(format!("{text}: which threshold? write one of {}", known.join(", ")))
            }
        };
    }
    for (index, route) in policy.routes.iter().enumerate() {
        let Some(rung) = target.strip_prefix(&*route.name).and_then(|rest| rest.strip_prefix('.')) else {
            continue;
        };
        let id = id(index)?;
        let Some(rung) = route.find_rung(rung, names) else {
            let known: Vec<&str> = route.ladder.iter().map(|rung| &*rung.name).collect();
            let why = choice(rung, &known);
            return Err(format!("{text}: route {} has no rung `{rung}`; {why}", route.name));
        };
        return Ok((id, rung, value));
    }
    let known: Vec<&str> = policy.routes.iter().map(|route| &*route.name).collect();
    Err(format!("{text}: no such route; {}", choice(target, &known)))
}

/// Applies all assignments, whatever their order; neighbours that would be crossed and are not named go along.
///
/// # Errors
/// As [`assigned`].
pub fn staged_by(policy: &Policy, set: &[String], names: &Names) -> Result<Policy, String> {
    let mut staged = policy.clone();
    let mut moved: Vec<Vec<(usize, PerMille)>> = vec![Vec::new(); policy.routes.len()];
    for text in set {
        let (route, rung, value) = assigned(text, policy, names)?;
        if let Some(why) = policy.route(route).unmovable(rung) {
            return Err(format!("{text}: {why}"));
        }
        if let Some(list) = moved.get_mut(route.index()) {
            list.retain(|(at, _)| *at != rung);
            list.push((rung, value));
        }
    }
    for (route, moved) in staged.routes.iter_mut().zip(&moved) {
        let thresholds = moved_along(&route.thresholds(), moved);
        route.set_thresholds(&thresholds).map_err(|error| error.to_string())?;
    }
    Ok(staged)
}
