//! Puts together what several tellings of one call say of it.
//!
//! Invariant: nothing that either says of cached tokens, tier, meters or who served is lost; where two contradict each
//! other, the cost is an estimate.

use super::nest::Again;
use super::told::Told;
use crate::pricing::{Terms, Usage};
use crate::record::{Attempt, Record, WriteTtl, some_terms};
use crate::units::Count;

/// Adds what another span tells of a call that counts, or of several that it stands around, which are among those given.
pub(crate) fn hear<'t>(told: impl Iterator<Item = &'t mut Told>, mut other: Record<'static>, again: Again) {
    let is_told = |call: &&mut Told| call.keys[0].is_some() && again.calls.contains(&call.keys[0]);
    let mut calls: Vec<_> = told.filter(is_told).collect();
    let Some(other) = other.attempts.last_mut().map(std::mem::take) else { return };
    if let [call] = calls.as_mut_slice() {
        let Some(known) = call.record.attempts.last_mut() else { return };
        if again.is_within && other.usage.is_complete() {
            // Whoever is nearest to the call knows best what it was.
            let outer = std::mem::replace(known, other);
            add(known, outer);
        } else {
            add(known, other);
        }
        return;
    }
    let all = again.is_all && calls.len() == again.calls.iter().flatten().count();
    let attempts = calls.iter().filter_map(|call| call.record.attempts.last());
    let told = attempts.map(|known| known.usage.cached()).fold(0, u64::saturating_add);
    let is_cached = all && other.usage.cached() > told;
    for known in calls.iter_mut().filter_map(|call| call.record.attempts.last_mut()) {
        let is_elsewhere = !other.billed.is_empty() && known.billed.is_empty();
        let is_other = is_cached || is_elsewhere || (other.terms.is_some() && known.terms.is_none());
        known.estimated |= is_other && known.usage.is_known();
    }
}

/// Adds what another telling of the same call says.
pub(super) fn add(known: &mut Attempt<'static>, other: Attempt<'static>) {
    let prompts = (known.usage.prompt(), other.usage.prompt());
    let answers = (known.usage.output.get(), other.usage.output.get());
    let is_same = prompts.0.is_some() && prompts.0 == prompts.1 && answers.0 == answers.1;
    let (sum, others) = (known.usage.total(), other.usage.total());
    let mut is_against = !is_same && sum.is_some() && sum == others;
    if is_same {
        let parts = |usage: &Usage| (usage.cache_read.or_zero(), usage.cached() - usage.cache_read.or_zero());
        let (one, two) = (parts(&known.usage), parts(&other.usage));
        let (is_more, is_less) = (two.0 >= one.0 && two.1 >= one.1, two.0 <= one.0 && two.1 <= one.1);
        is_against = !is_more && !is_less || (one.0 > 0 && two.0 > 0 && one.0 != two.0);
        let is_finer = one == two && known.write_ttl == WriteTtl::Assumed;
        if (is_more && !is_less) || (is_against && two.0 > one.0) || is_finer {
            known.usage = Usage { reasoning: known.usage.reasoning, ..other.usage };
            known.write_ttl = other.write_ttl;
        }
    }
    if known.usage.reasoning == Count::UNKNOWN && is_same {
        known.usage.reasoning = other.usage.reasoning;
    }
    known.estimated |= is_against;
    if let Some(told) = other.terms {
        let terms = both(known.terms.as_deref().copied().unwrap_or_default(), &told);
        known.terms = some_terms(&terms);
    }
    for (word, said) in [
        (&mut known.model, other.model),
        (&mut known.provider, other.provider),
        (&mut known.billed, other.billed),
    ] {
        if word.is_empty() {
            *word = said;
        }
    }
}

/// Takes the tier that either says, and the most of every meter.
fn both(mut known: Terms, told: &Terms) -> Terms {
    if known.tier().is_empty() {
        known.serve(told.tier());
    }
    for (meter, count) in told.meters() {
        let had = known.meters().find(|(name, _)| *name == meter).map_or(0, |(_, had)| had);
        known.meter(meter, count.saturating_sub(had));
    }
    known
}
