//! Prices by the hour in the ledger: what was charged in which hour can be computed again, exported, and replayed to the same.

use pointsman::ledger::Price;
use pointsman::pricing::{Cost, Hours, PriceRow, Rates, Terms, Tier, bill};
use pointsman::record::Entry as Line;
use pointsman::units::PicoPerMillion;

use super::*;

/// A row that costs twice as much in the hour after the first request.
fn row() -> PriceRow {
    let usd = |text| PicoPerMillion::from_usd_per_million(text).unwrap();
    let base =
        Tier { input: usd("0.15"), output: usd("0.6"), cache_read: Some(usd("0.003")), ..Tier::default() };
    let row = PriceRow { standard: Rates { base, above: vec![] }, ..PriceRow::default() };
    let then = |minutes: i64| {
        let minute = (at(1).0 / 60_000_000 + minutes) % 1440;
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    let hours = Hours::parse(&format!("{}-{}", then(60), then(120)), "").unwrap();
    row.schedule(vec![(hours, 2_000)]).unwrap()
}

/// An accountant who checks the books must find them sound, and whoever replays the export the same charges, without a word more
/// of prices than there are rows.
#[test]
fn what_an_hour_charged_is_proved_again_and_its_export_replays_to_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    let (ledger, _) = Ledger::open(options.clone()).unwrap();
    ledger.record(in_force(1, 1, policy::BUILTIN));
    let row = row();
    let mut charged = Vec::new();
    for seq in 1..=6u64 {
        // One request every 30 minutes: two before the hour, two in it, two after it.
        let moment = Instant(at(1).0 + i64::try_from(seq - 1).unwrap() * 30 * 60_000_000);
        let then = row.in_force(moment);
        let price = Arc::new(Price::in_force("m", &row, then));
        for mut entry in operation(seq) {
            match &mut entry {
                Entry::Opened(opened) => opened.at = moment,
                Entry::AttemptStarted(started) => {
                    started.at = moment;
                    (started.asked, started.model, started.price) =
                        ("m".into(), "m".into(), Some(Arc::clone(&price)));
                }
                Entry::AttemptEnded(ended) => {
                    ended.price = Some(Arc::clone(&price));
                    let cost = bill(&ended.usage, &Terms::NONE, Some(then));
                    ended.cost = if ended.estimated { cost.as_estimate() } else { cost };
                    charged.push(ended.cost);
                }
                Entry::Closed(closed) => closed.at = moment,
                _ => {}
            }
            ledger.record(entry);
        }
    }
    ledger.close().unwrap();
    assert_eq!(findings(&options.path), Vec::<String>::new());
    let conn = Connection::open(&options.path).unwrap();
    let kept: i64 = conn.query_row("SELECT count(*) FROM price_rows", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 2, "one for each side of the hour");
    let log = exported(&options.path, &Range::default(), ExportOptions { prices: true, chain: false });
    let mut source =
        record::open(&Input::bytes("log", log.clone().into_bytes()), &ReadOptions::default()).unwrap();
    let mut rows = Vec::new();
    source
        .for_each(|_, _, entry| {
            if let Ok(Line::Price(change)) = entry {
                rows.push(change.row.clone());
            }
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(rows, [row.clone().starting(Some(at(1)))], "told once, with its hours");
    // Priced anew by what the export says, each call costs what it was charged.
    let mut prices = pointsman::pricing::PriceTable::default();
    let model = pointsman::units::ModelId(0);
    prices.change(model, rows[0].clone());
    let (mut seen, mut total) = (0, Pico::ZERO);
    let mut source = record::open(&Input::bytes("log", log.into_bytes()), &ReadOptions::default()).unwrap();
    source
        .for_each(|_, _, entry| {
            let Ok(Line::Request(request)) = entry else { return std::ops::ControlFlow::Continue(()) };
            for attempt in &request.attempts {
                let cost = bill(&attempt.usage, &Terms::NONE, prices.row(model, request.at));
                let is_same = match charged[seen] {
                    Cost::Unknown(_) => cost.amount().is_none(),
                    told => told.amount() == cost.amount(),
                };
                assert!(is_same, "{}: {cost:?} instead of {:?}", request.id, charged[seen]);
                total += cost.amount().unwrap_or(Pico::ZERO);
                seen += 1;
            }
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((seen, total), (charged.len(), charged.iter().filter_map(|cost| cost.amount()).sum()));
}
