//! Logs and ledgers beside a provider's bill.

use super::Spent;
use crate::pricing::PriceBook;
use crate::record::bill::Bill;
use crate::report::{Amounts, ReconcileReport, ReconcileScope, Side};
use crate::telemetry::Dimension;
use crate::units::{Pico, counted};

/// Compares what a pass over logs by day, model and provider came to with bills.
pub fn reconciled(
    spent: &Spent,
    bills: &[Bill],
    book: &PriceBook,
    provider: Option<&str>,
    within: Pico,
) -> ReconcileReport {
    let shared = |model: &str| book.find_named(model).map_or(model, |(listed, _)| listed).to_owned();
    let days = bills.iter().filter_map(|bill| bill.days);
    let days = days.reduce(|(first, last), (from, to)| (first.min(from), last.max(to)));
    let (mut ours, mut outside) = (Vec::new(), 0u64);
    for (key, sums) in spent.spend.tables.iter().flat_map(|table| &table.rows) {
        let [day, model, served] = key.as_slice() else { continue };
        let text = |dimension: Dimension, value| spent.spend.text(&dimension, value, &spent.names);
        let served = text(Dimension::Provider, *served);
        if provider.is_some_and(|provider| !served.eq_ignore_ascii_case(provider)) {
            continue;
        }
        if days.is_none_or(|(from, to)| day.0 < from.0 || day.0 >= to.0) {
            outside += sums.requests;
            continue;
        }
        let is_told = sums.tokens_unknown == 0;
        let amounts = Amounts {
            usd: (!sums.cost.is_unknown()).then(|| sums.cost.total()),
            estimated: sums.cost.estimated,
            unknown_calls: sums.unknown_calls,
            input: is_told.then(|| sums.tokens.prompt()),
            output: is_told.then_some(sums.tokens.output),
            requests: Some(sums.calls),
        };
        let model = shared(&text(Dimension::Model, *model));
        ours.push(Side { day: text(Dimension::Day, *day), model, amounts });
    }
    let lines = || bills.iter().flat_map(|bill| &bill.lines);
    let theirs: Vec<Side> = lines()
        .map(|line| Side {
            day: line.day.date(),
            model: shared(&line.model),
            amounts: Amounts {
                usd: line.amount,
                input: line.input,
                output: line.output,
                requests: line.requests,
                ..Amounts::default()
            },
        })
        .collect();
    let mut remarks = Vec::new();
    if outside > 0 {
        remarks.push(format!("left out: {} on other days than the bill's", counted(outside, "request")));
    }
    if spent.spend.unbilled > 0 {
        let simulated = counted(spent.spend.unbilled, "request");
        remarks.push(format!("left out: {simulated} whose answers were simulated, which nobody bills"));
    }
    for bill in bills.iter().filter(|bill| bill.has_more) {
        remarks.push(format!("{} says that more pages follow: it is not the whole bill", bill.name));
    }
    let by_model = lines().any(|line| !line.model.is_empty());
    if !by_model {
        remarks.push("the bill names no models: days are compared".to_owned());
    }
    let (from, to) = days.map_or((String::new(), String::new()), |(from, to)| (from.date(), to.date()));
    let scope = ReconcileScope {
        logs: spent.scope.logs.clone(),
        bills: bills.iter().map(|bill| bill.name.clone()).collect(),
        from,
        to,
        provider: provider.map(str::to_owned),
        within_usd: within.usd(),
        prices: spent.scope.prices.clone(),
        by_model,
        remarks,
    };
    ReconcileReport::new(scope, &ours, &theirs, within)
}
