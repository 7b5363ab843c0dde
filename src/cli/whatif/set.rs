//! Thresholds as they are set on a command line.

use crate::routing::{Policy, RouteId};
use crate::session::moved_along;
use crate::units::{Names, PerMille, choice};

/// Reads `ROUTE.RUNG=PERMILLE`, or `ROUTE=PERMILLE` where the route has one threshold; rung and route names may themselves hold dots.
pub(super) fn assignment(
    text: &str,
    policy: &Policy,
    names: &Names,
) -> anyhow::Result<(RouteId, usize, PerMille)> {
    let (target, value) = text.rsplit_once('=').ok_or_else(|| {
        anyhow::anyhow!("--set {text}: write ROUTE.RUNG=PERMILLE, like extraction.flash=588")
    })?;
    let value = value
        .trim()
        .parse::<u16>()
        .ok()
        .and_then(PerMille::new)
        .ok_or_else(|| anyhow::anyhow!("--set {text}: `{value}` is no whole number from 0 to 1000"))?;
    if let Some((index, route)) = policy.routes.iter().enumerate().find(|(_, route)| *route.name == *target) {
        return match route.ladder.as_slice() {
            [_, _] => Ok((RouteId(u8::try_from(index)?), 0, value)),
            [_] => anyhow::bail!("--set {text}: route {} has one rung, and so no threshold", route.name),
            [upper @ .., _] => {
                let known: Vec<String> =
                    upper.iter().map(|rung| format!("{}.{}", route.name, rung.name)).collect();
                anyhow::bail!("--set {text}: which threshold? write one of {}", known.join(", "))
            }
            [] => anyhow::bail!("--set {text}: route {} has no rung", route.name),
        };
    }
    for (index, route) in policy.routes.iter().enumerate() {
        let Some(rung) = target.strip_prefix(&*route.name).and_then(|rest| rest.strip_prefix('.')) else {
            continue;
        };
        let id = RouteId(u8::try_from(index)?);
        let Some(rung) = route.find_rung(rung, names) else {
            let known: Vec<&str> = route.ladder.iter().map(|rung| &*rung.name).collect();
            anyhow::bail!(
                "--set {text}: route {} has no rung `{rung}`; {}",
                route.name,
                choice(rung, &known)
            );
        };
        return Ok((id, rung, value));
    }
    let known: Vec<&str> = policy.routes.iter().map(|route| &*route.name).collect();
    anyhow::bail!("--set {text}: no such route; {}", choice(target, &known))
}

/// Applies all assignments, whatever their order; neighbours that would be crossed and are not named go along.
pub(in crate::cli) fn staged(policy: &Policy, set: &[String], names: &Names) -> anyhow::Result<Policy> {
    let mut staged = policy.clone();
    let mut moved: Vec<Vec<(usize, PerMille)>> = vec![Vec::new(); policy.routes.len()];
    for text in set {
        let (route, rung, value) = assignment(text, policy, names)?;
        if rung + 1 >= policy.route(route).ladder.len() {
            anyhow::bail!("--set {text}: the last rung has no threshold, it takes whatever the others leave");
        }
        if let Some(list) = moved.get_mut(route.index()) {
            list.retain(|(at, _)| *at != rung);
            list.push((rung, value));
        }
    }
    for (route, moved) in staged.routes.iter_mut().zip(&moved) {
        let thresholds = moved_along(&route.thresholds(), moved);
        route.set_thresholds(&thresholds).map_err(|error| anyhow::anyhow!("--set: {error}"))?;
    }
    Ok(staged)
}
