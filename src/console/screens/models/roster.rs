//! The models there are: those with traffic so far and those on a ladder, in the order asked for.

use crate::console::screens::figures;
use crate::console::widgets::table::Order;
use crate::pricing::Tier;
use crate::session::Snapshot;
use crate::telemetry::{Cell, Percentiles};
use crate::units::ModelId;

/// What models are ordered by.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// Their names.
    Name,
    /// A figure; those of which it is unknown come as if it were least.
    Figure(fn(&Row<'_>) -> Option<i128>),
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
}

impl Row<'_> {
    /// Returns its latencies.
    pub(super) fn percentiles(&self) -> Option<Percentiles> {
        self.cell?.latency.percentiles()
    }

    /// Returns a count of its sums: nothing where there are none.
    #[expect(clippy::unnecessary_wraps, reason = "it stands beside figures that may be unknown")]
    pub(super) fn count(&self, of: fn(&Cell) -> u64) -> Option<i128> {
        Some(self.cell.map_or(0, of).into())
    }

    /// Returns a latency, where it is known.
    pub(super) fn late(&self, of: fn(Percentiles) -> u64) -> Option<i128> {
        Some(of(self.percentiles()?).into())
    }
}

/// The models in order.
pub(super) struct Roster<'a>(Vec<Row<'a>>);

impl<'a> Roster<'a> {
    /// Gathers and sorts the models of a snapshot.
    pub(super) fn of(snapshot: &'a Snapshot, by: By, order: Order) -> Self {
        let (window, to_date) = (&*snapshot.totals, &*snapshot.to_date);
        let names = snapshot.log.names.models().len();
        let mut on_ladder = vec![false; names];
        for rung in snapshot.policy.routes.iter().flat_map(|route| &route.ladder) {
            if let Some(slot) = rung.model.index().and_then(|index| on_ladder.get_mut(index)) {
                *slot = true;
            }
        }
        let live = |cell: Option<&'a Cell>| cell.filter(|cell| !cell.is_empty());
        let row = |model, name, cell: Option<&'a Cell>| Row {
            model,
            name,
            cell,
            tier: snapshot.log.prices.rates(model, snapshot.clock).map(|rates| &rates.base),
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
        let figure = |row: &Row<'_>| match by {
            By::Name => None,
            By::Figure(of) => of(row),
        };
        let mut ranked: Vec<_> = rows.into_iter().map(|row: Row<'a>| (figure(&row), row)).collect();
        crate::units::sort_by(&mut ranked, |(a, one), (b, other)| {
            let found = if matches!(by, By::Name) { one.name.cmp(other.name) } else { a.cmp(b) };
            if order == Order::Descending { found.reverse() } else { found }
        });
        Self(ranked.into_iter().map(|(_, row)| row).collect())
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
