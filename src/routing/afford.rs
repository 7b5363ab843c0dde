//! The guard of budgets: passes a request on to a rung that there is room for.
//!
//! Invariant: what it says depends on how the budgets stood at the request's arrival alone, which is kept with the request; where
//! it goes up its ladder later, it is asked again then.

use super::{Bar, Circumstance, Route, Rungs, Short, Step, Trail};

/// Passes a request that was placed on a rung for which budgets have no room on to the next cheaper one that they have room for,
/// else to the cheapest that only soft limits speak against, else to one further up; none where it has to be refused.
pub(super) fn afford(
    route: &Route,
    circumstance: &Circumstance,
    (wanted, open): (u8, Rungs),
    trail: &mut Trail,
) -> Option<u8> {
    if circumstance.over.is_empty() {
        return Some(wanted);
    }
    let short = |at: usize| route.ladder.get(at).and_then(|rung| circumstance.short(rung.known_as));
    let place = usize::from(wanted);
    let Some(why) = short(place) else { return Some(wanted) };
    trail.push(Step::Barred { rung: wanted, why: Bar::Budget(why) });
    let is_full = |at: usize| route.ladder.get(at).is_some_and(|rung| circumstance.is_full(rung.known_as));
    let has_room = |at: &usize| open.has(*at) && !is_full(*at) && short(*at).is_none();
    let is_over_soft = |at: &usize| open.has(*at) && !is_full(*at) && short(*at) == Some(Short::Soft);
    // Where all are over a soft limit, which refuses nothing, the least is spent on the cheapest.
    let cheaper = (0..place).rev().find(has_room).or_else(|| (0..place).find(is_over_soft));
    let above = place + 1..route.ladder.len();
    let to = match why {
        Short::Soft => cheaper.unwrap_or(place),
        Short::Hard => {
            cheaper.or_else(|| above.clone().find(has_room)).or_else(|| above.clone().find(is_over_soft))?
        }
        // One that waited, and waited too long where it is so still.
        Short::Refuse | Short::Queue => return None,
        // Of escalations alone.
        Short::Later => place,
    };
    let to = u8::try_from(to).ok()?;
    if to != wanted {
        trail.push(Step::PassedOn { to });
    }
    Some(to)
}
