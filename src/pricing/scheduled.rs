//! A row's prices in hours of their own.
//!
//! Invariants: a moment has one price; what is multiplied is the price of tokens, exactly or not at all, and meters stay; a call
//! is charged by the price of the moment at which its request arrived.

use super::hours::{Hours, HoursError};
use super::{PriceRow, Rates, Scheduled, as_factor};
use crate::units::{Instant, PicoPerMillion};

impl PriceRow {
    /// Returns the same with hours in which its price of tokens is multiplied, by thousandths; hours that it had are gone.
    ///
    /// # Errors
    /// Where a moment would have two prices, or a price cannot be held exactly.
    pub fn schedule(mut self, hours: Vec<(Hours, u32)>) -> Result<Self, HoursError> {
        if let Some(moment) = Hours::overlap(&hours.iter().map(|(hours, _)| hours).collect::<Vec<_>>()) {
            return Err(HoursError::Overlap(moment));
        }
        self.scheduled = Vec::new();
        let scheduled = hours.into_iter().map(|(hours, times)| {
            let row = self.tokens_times(times).ok_or_else(|| HoursError::Inexact(as_factor(times)))?;
            Ok(Scheduled { hours, times, row })
        });
        self.scheduled = scheduled.collect::<Result<_, HoursError>>()?;
        Ok(self)
    }

    /// Returns the same with the prices of its hours made anew from its own.
    ///
    /// # Errors
    /// As [`PriceRow::schedule`].
    pub fn rescheduled(mut self) -> Result<Self, HoursError> {
        let hours = std::mem::take(&mut self.scheduled);
        self.schedule(hours.into_iter().map(|one| (one.hours, one.times)).collect())
    }

    /// Returns the prices that hold at a moment: its own, or those of hours that it lies in.
    pub fn in_force(&self, at: Instant) -> &Self {
        self.scheduled.iter().find(|one| one.hours.hold_at(at)).map_or(self, |one| &one.row)
    }

    /// Returns the most expensive of its prices over a week.
    pub fn highest(&self) -> &Self {
        let most = self.scheduled.iter().max_by_key(|one| one.times);
        most.filter(|one| one.times > 1000).map_or(self, |one| &one.row)
    }

    /// Returns the same from another moment on.
    #[must_use]
    pub fn starting(mut self, from: Option<Instant>) -> Self {
        self.from = from;
        for one in &mut self.scheduled {
            one.row.from = from;
        }
        self
    }

    /// Says in which hours its price is another; nothing where in none.
    pub fn hours_text(&self) -> Option<String> {
        let said = self.scheduled.iter().map(Scheduled::to_string).collect::<Vec<_>>().join("; ");
        (!said.is_empty()).then_some(said)
    }

    fn tokens_times(&self, thousandths: u32) -> Option<Self> {
        let mut row = self.clone();
        for rates in row.all_rates() {
            *rates = rates.times_exactly(thousandths)?;
        }
        Some(row)
    }
}

impl std::fmt::Display for Scheduled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "x{} {}", as_factor(self.times), self.hours)
    }
}

impl Rates {
    /// Multiplies every price by thousandths; `None` where one could then not be held exactly.
    pub fn times_exactly(&self, thousandths: u32) -> Option<Self> {
        let mut is_exact = true;
        let scaled = self.map(|price| {
            let scaled = i128::from(price.0) * i128::from(thousandths);
            let exact = i64::try_from(scaled / 1000).ok().filter(|_| scaled % 1000 == 0);
            is_exact &= exact.is_some();
            PicoPerMillion(exact.unwrap_or(0))
        });
        is_exact.then_some(scaled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pricing::{PriceBook, PriceTable, Terms, Tier, Usage, bill};
    use crate::units::{Count, Names};

    fn row() -> PriceRow {
        let usd = |text| PicoPerMillion::from_usd_per_million(text).unwrap();
        let base = Tier {
            input: usd("0.15"),
            output: usd("0.6"),
            cache_read: Some(usd("0.003")),
            ..Tier::default()
        };
        let meters = [("web_search".to_owned(), usd("10000"))].into();
        let row =
            PriceRow { standard: Rates { base, above: vec![(10, base)] }, meters, ..PriceRow::default() };
        let peak = Hours::parse("01:00-04:00, 06:00-10:00", "mon-fri").unwrap();
        row.schedule(vec![(peak, 2000)]).unwrap()
    }

    /// What a million tokens of answer, and a search, cost.
    fn cost(table: &PriceTable, at: &str) -> String {
        let usage = Usage { output: Count::new(1_000_000).unwrap(), input: Count::ZERO, ..Usage::NONE };
        let mut names = Names::default();
        let model = names.intern_model("m");
        let row = table.row(model, Instant::parse(at).unwrap());
        bill(&usage, &Terms::NONE, row).amount().unwrap().to_string()
    }

    #[test]
    fn a_call_is_charged_by_the_hour_of_its_arrival_through_book_and_table() {
        let mut book = PriceBook::default();
        book.add_row("m", row());
        let later = row().starting(Some(Instant::parse("2026-06-02T00:00:00Z").unwrap()));
        let mut dearer = later.clone();
        dearer.standard.base.output.0 *= 10;
        book.add_row("m", dearer.rescheduled().unwrap());
        let mut names = Names::default();
        names.intern_model("m");
        let table = PriceTable::new(&book, &names);
        let at = [
            "2026-06-01T00:59:59Z",
            "2026-06-01T01:00:00Z",
            "2026-06-01T04:00:00Z",
            "2026-06-02T09:59:00Z",
            "2026-06-06T09:00:00Z",
        ];
        assert_eq!(at.map(|at| cost(&table, at)), ["0.6", "1.2", "0.6", "12", "6"]);
        let peak = later.in_force(Instant::parse("2026-06-02T03:00:00Z").unwrap());
        assert_eq!((peak.from, &peak.meters), (later.from, &later.meters), "meters are not multiplied");
        assert_eq!(peak.standard.above[0].1.output.0, 2 * later.standard.above[0].1.output.0);
        assert_eq!(later.highest(), peak);
        assert_eq!(later.hours_text().unwrap(), "x2 Mon-Fri 01:00-04:00, 06:00-10:00 UTC");
    }

    #[test]
    fn two_prices_at_once_and_prices_that_cannot_be_held_are_refused() {
        let hours = |utc, days| Hours::parse(utc, days).unwrap();
        let twice =
            row().schedule(vec![(hours("22:00-02:00", "sun"), 500), (hours("01:00-02:00", "mon"), 500)]);
        assert_eq!(twice, Err(HoursError::Overlap("Mon 01:00".to_owned())));
        let mut fine = row();
        fine.standard.base.input.0 = 1;
        assert_eq!(fine.rescheduled().map(|row| row.scheduled[0].row.standard.base.input.0), Ok(2));
        let mut fine = row();
        fine.standard.base.input.0 = 1;
        assert_eq!(
            fine.schedule(vec![(hours("1:00-2:00", ""), 1500)]),
            Err(HoursError::Inexact("1.5".to_owned()))
        );
    }
}
