//! The models there are: those with traffic so far and those on a ladder, in the order asked for.

use std::cmp::Ordering;

use crate::console::screens::figures;
use crate::console::widgets::table::Order;
use crate::pricing::Tier;
use crate::session::Snapshot;
use crate::telemetry::{Cell, Percentiles};
use crate::units::{ModelId, Pico};

/// What the table is sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Key {
    /// Requests answered.
    #[default]
    Requests,
    /// Calls.
    Attempts,
    /// The share of calls that failed.
    Errors,
    /// Latencies.
    P50,
    /// Latencies.
    P95,
    /// Latencies.
    P99,
    /// Prompt tokens.
    TokensIn,
    /// The share of them read from cache.
    Cache,
    /// Answer tokens.
    TokensOut,
    /// Cost.
    Cost,
    /// Cost of a thousand calls.
    PerThousand,
    /// The price of prompt tokens.
    PriceIn,
    /// The price of answer tokens.
    PriceOut,
    /// Names.
    Name,
}

impl Key {
    const ALL: [Self; 14] = [
        Self::Requests,
        Self::Attempts,
        Self::Errors,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::TokensIn,
        Self::Cache,
        Self::TokensOut,
        Self::Cost,
        Self::PerThousand,
        Self::PriceIn,
        Self::PriceOut,
        Self::Name,
    ];

    /// Returns the one after this, starting again at the end.
    pub(super) fn next(self) -> Self {
        Self::ALL.get(self as usize + 1).copied().unwrap_or_default()
    }

    /// Says whether the largest come first unless asked otherwise.
    pub(super) fn descends(self) -> bool {
        self != Self::Name
    }

    /// Names the order.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Attempts => "calls",
            Self::Errors => "share of failed calls",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::TokensIn => "prompt tokens",
            Self::Cache => "share of cache reads",
            Self::TokensOut => "answer tokens",
            Self::Cost => "cost",
            Self::PerThousand => "cost per 1,000 calls",
            Self::PriceIn => "price of prompts",
            Self::PriceOut => "price of answers",
            Self::Name => "name",
        }
    }
}

/// One model.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// Which; none for calls that name no model.
    pub(super) model: ModelId,
    /// Its name.
    pub(super) name: &'a str,
    /// Its sums over the window, where there are any.
    pub(super) cell: Option<&'a Cell>,
    /// Its base prices at the clock, where it has any.
    pub(super) tier: Option<&'a Tier>,
    /// Its latencies; read only where the order rests on them.
    latency: Option<Percentiles>,
}

impl Row<'_> {
    /// Returns its latencies.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        self.latency.or_else(|| self.cell?.latency.percentiles())
    }

    fn count(&self, of: fn(&Cell) -> u64) -> u64 {
        self.cell.map_or(0, of)
    }
}

/// The models in order.
pub(super) struct Roster<'a>(Vec<Row<'a>>);

impl<'a> Roster<'a> {
    /// Gathers and sorts the models of a snapshot.
    pub(super) fn of(snapshot: &'a Snapshot, sort: Key, order: Order) -> Self {
        let (window, to_date) = (&*snapshot.totals, &*snapshot.to_date);
        let names = snapshot.log.names.models().len();
        let mut on_ladder = vec![false; names];
        for rung in snapshot.policy.routes.iter().flat_map(|route| &route.ladder) {
            if let Some(slot) = rung.model.index().and_then(|index| on_ladder.get_mut(index)) {
                *slot = true;
            }
        }
        let live = |cell: Option<&'a Cell>| cell.filter(|cell| !cell.is_empty());
        let by_latency = matches!(sort, Key::P50 | Key::P95 | Key::P99);
        let row = |model, name, cell: Option<&'a Cell>| Row {
            model,
            name,
            cell,
            tier: snapshot.log.prices.rates(model, snapshot.clock).map(|rates| &rates.base),
            latency: cell.filter(|_| by_latency).and_then(|cell| cell.latency.percentiles()),
        };
        let mut rows = Vec::with_capacity(16);
        for (index, on_ladder) in on_ladder.into_iter().enumerate() {
            let seen = live(to_date.models.get(index)).is_some();
            let Ok(id) = u16::try_from(index) else { break };
            if seen || on_ladder {
                let model = ModelId(id);
                rows.push(row(model, snapshot.log.names.model(model), live(window.models.get(index))));
            }
        }
        if let Some(cell) = live(Some(&window.unnamed_model)) {
            rows.push(row(ModelId::NONE, figures::UNNAMED, Some(cell)));
        }
        // A stable sort by the key over the order of first appearance: ties never jump.
        rows.sort_by(|a, b| {
            let found = compare(a, b, sort);
            if order == Order::Descending { found.reverse() } else { found }
        });
        Self(rows)
    }

    /// Counts them.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns one.
    pub(super) fn at(&self, row: usize) -> Option<&Row<'a>> {
        self.0.get(row)
    }

    /// Finds where a model stands.
    pub(super) fn place(&self, model: ModelId) -> Option<usize> {
        self.0.iter().position(|row| row.model == model)
    }
}

/// Returns the share of failed calls in parts of a million.
fn error_share(row: &Row<'_>) -> u64 {
    let attempts = row.count(|cell| cell.attempts);
    row.count(|cell| cell.errors).saturating_mul(1_000_000).checked_div(attempts).unwrap_or(0)
}

/// Returns the share of the prompt read from cache in parts of a million.
fn cache_share(row: &Row<'_>) -> u64 {
    let prompt = row.count(|cell| cell.tokens.prompt());
    row.count(|cell| cell.tokens.cache_read).saturating_mul(1_000_000).checked_div(prompt).unwrap_or(0)
}

fn compare(a: &Row<'_>, b: &Row<'_>, sort: Key) -> Ordering {
    let count = |of: fn(&Cell) -> u64| a.count(of).cmp(&b.count(of));
    let late = |of: fn(Percentiles) -> u64| a.latency.map(of).cmp(&b.latency.map(of));
    let money = |row: &Row<'_>| row.cell.map_or(Pico::ZERO, |cell| cell.cost.total());
    let thousand = |row: &Row<'_>| row.cell.and_then(|cell| figures::per_thousand(&cell.cost, cell.attempts));
    match sort {
        Key::Requests => count(|cell| cell.requests),
        Key::Name => a.name.cmp(b.name),
        Key::Attempts => count(|cell| cell.attempts),
        Key::Errors => error_share(a).cmp(&error_share(b)),
        Key::P50 => late(|known| known.p50),
        Key::P95 => late(|known| known.p95),
        Key::P99 => late(|known| known.p99),
        Key::TokensIn => count(|cell| cell.tokens.prompt()),
        Key::Cache => cache_share(a).cmp(&cache_share(b)),
        Key::TokensOut => count(|cell| cell.tokens.output),
        Key::Cost => money(a).cmp(&money(b)),
        Key::PerThousand => thousand(a).cmp(&thousand(b)),
        Key::PriceIn => a.tier.map(|tier| tier.input).cmp(&b.tier.map(|tier| tier.input)),
        Key::PriceOut => a.tier.map(|tier| tier.output).cmp(&b.tier.map(|tier| tier.output)),
    }
}
