//! What a log's calls bring up, told once each: a model that answers for another at another price, one whose end is near.
//!
//! Invariant: what is told, and of which moment, does not depend on the order in which requests come.

use std::collections::BTreeMap;

use crate::outcome::Evidence;
use crate::pricing::{PriceBook, PriceTable};
use crate::units::{Instant, ModelId, Names, Span};

/// Kinds of news that are told.
const KINDS: usize = 64;
/// So long before its end a model is told of.
const SOON: Span = Span::days(30);
/// The moment of what never is.
const NEVER: Instant = Instant(i64::MAX);

/// What was brought up, and when first.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    redirected: BTreeMap<(ModelId, ModelId), Instant>,
    /// From when on a model is told of, by its id.
    soon: Vec<Instant>,
    ends: BTreeMap<ModelId, Instant>,
}

/// Says that a model answers for another.
pub(super) fn redirect_text(model: &str, served: &str) -> String {
    format!("{model} is answered by {served}, a model of another price: calls are charged as {served}")
}

/// Says that a model's end is near at a moment, or past; nothing where it is not. Days as books write them stand in the order of time.
pub(super) fn end_text(model: &str, book: &PriceBook, at: Instant) -> Option<String> {
    let day = book.find(model)?.deprecated.as_ref()?;
    let is = if at.date() >= *day { "is no longer promised since" } else { "is promised only until" };
    let text = || format!("{model} {is} {day} (price book {}): move its traffic to another model", book.name);
    ((at + SOON).date() >= *day).then(text)
}

impl News {
    /// Takes models that were named since the last call.
    pub(super) fn know(&mut self, book: &PriceBook, names: &Names) {
        for model in names.models().iter().skip(self.soon.len()) {
            let day = book.find(model).and_then(|prices| prices.deprecated.as_deref());
            let end = day.and_then(|day| Instant::parse(&format!("{day}T00:00:00Z")).ok());
            self.soon.push(end.map_or(NEVER, |end| end - SOON));
        }
    }

    /// Looks at a request.
    pub(super) fn see(&mut self, evidence: &Evidence<'_>) {
        let at = evidence.operation.at;
        for call in evidence.attempts().filter(|call| call.status.is_call()) {
            if call.billed.is_some() && call.billed != call.model {
                first(&mut self.redirected, (call.model, call.billed), at);
            }
            let soon = call.model.index().and_then(|model| self.soon.get(model));
            if soon.is_some_and(|soon| at >= *soon) {
                first(&mut self.ends, call.model, at);
            }
        }
    }

    /// Lists what is to be told, in order of time.
    pub(super) fn told(
        &self,
        book: &PriceBook,
        prices: &PriceTable,
        names: &Names,
    ) -> Vec<(Instant, String)> {
        // A cloud or a host before the name is a place, not another model.
        let is_other = |model: ModelId, served: ModelId| {
            let row = |model, at| prices.row(model, at).map(|row| &row.standard);
            move |at| !prices.same(model, served) && row(model, at) != row(served, at)
        };
        let redirected = self.redirected.iter().filter(|((model, served), at)| {
            let is_place = names.model(*served).ends_with(&format!("/{}", names.model(*model)));
            !is_place && is_other(*model, *served)(**at)
        });
        let redirected = redirected
            .map(|((model, served), at)| (*at, redirect_text(names.model(*model), names.model(*served))));
        let ends = self.ends.iter();
        let ends = ends.filter_map(|(model, at)| Some((*at, end_text(names.model(*model), book, *at)?)));
        let mut told: Vec<(Instant, String)> = redirected.chain(ends).collect();
        told.sort();
        told
    }
}

fn first<K: Ord>(map: &mut BTreeMap<K, Instant>, key: K, at: Instant) {
    let is_full = map.len() >= KINDS;
    match map.get_mut(&key) {
        Some(known) => *known = at.min(*known),
        None if is_full => {}
        None => _ = map.insert(key, at),
    }
}
