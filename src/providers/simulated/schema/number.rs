//! Numbers within bounds. They fill synthetic answers and decide nothing.

use serde_json::Value;

use super::facet::Facet;

/// A bound, and whether the value itself is excluded.
type Bound = (f64, bool);

/// Returns the number nearest to zero's side of the lower bound; `nth` gives another for each place. `None` where none fits.
pub(super) fn fit(facets: &[Facet<'_>], is_whole: bool, nth: u64) -> Option<Value> {
    let low = bound(facets, "minimum", "exclusiveMinimum", |a, b| a > b);
    let high = bound(facets, "maximum", "exclusiveMaximum", |a, b| a < b);
    let steps = || facets.iter().filter_map(|facet| facet.get("multipleOf"));
    let step = steps().filter_map(Value::as_f64).filter(|step| *step > 0.0).fold(1.0, f64::max);
    let has_step = is_whole || steps().next().is_some();
    // A step is written with as many digits as it came with, lest 3 × 0.1 be 0.30000000000000004.
    let digits = steps().map(|step| step.to_string().split_once('.').map_or(0, |(_, digits)| digits.len()));
    let digits = digits.max().unwrap_or(0).min(12);
    let step = match steps().filter_map(Value::as_f64).reduce(f64::max) {
        Some(only) if only > 0.0 && !is_whole => only,
        _ => step,
    };
    let is_below = |value: f64| high.is_none_or(|(most, open)| value < most || (!open && value <= most));
    let is_above = |value: f64| low.is_none_or(|(least, open)| value > least || (!open && value >= least));
    let nearest = match (low, high) {
        (Some((least, _)), _) if least >= 0.0 => (least / step).ceil(),
        (_, Some((most, _))) if most <= 0.0 => (most / step).floor(),
        _ => 0.0,
    };
    let up = high.is_none_or(|(most, _)| most > 0.0);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a place in a list, far below what a float counts exactly"
    )]
    let away = nth as f64;
    for more in [away, away + 1.0] {
        let value = (nearest + if up { more } else { -more }) * step;
        if is_above(value) && is_below(value) {
            return written(&format!("{value:.digits$}"));
        }
    }
    let (Some((least, _)), Some((most, _)), false) = (low, high, has_step) else { return None };
    // Between two bounds that lie close together.
    let value = least + (most - least) / (away + 2.0);
    if is_above(value) && is_below(value) { written(&value.to_string()) } else { None }
}

fn written(text: &str) -> Option<Value> {
    let text =
        text.strip_prefix('-').filter(|rest| rest.bytes().all(|b| matches!(b, b'0' | b'.'))).unwrap_or(text);
    serde_json::from_str(text).ok()
}

/// Returns the narrowest bound of all schemas.
fn bound(facets: &[Facet<'_>], open: &str, strict: &str, is_narrower: fn(f64, f64) -> bool) -> Option<Bound> {
    let of = |facet: &Facet<'_>| {
        let value = facet.get(open).and_then(Value::as_f64);
        match facet.get(strict) {
            // Draft 4 has a flag beside the bound.
            Some(Value::Bool(excluded)) => vec![value.map(|value| (value, *excluded))],
            other => {
                vec![value.map(|value| (value, false)), other.and_then(Value::as_f64).map(|v| (v, true))]
            }
        }
    };
    facets.iter().flat_map(of).flatten().reduce(|narrowest, one| {
        if is_narrower(one.0, narrowest.0) || (one.1 && one.0.total_cmp(&narrowest.0).is_eq()) {
            one
        } else {
            narrowest
        }
    })
}
