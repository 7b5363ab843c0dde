//! Made-up traffic for a ledger: the same operations every time, of every kind that the ledger must tell apart.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use pointsman::classifier::TaskClass;
use pointsman::ledger::{AttemptEnded, AttemptStarted, Closed, Entry, LedgerOptions, Opened, Price, Totals};
use pointsman::pricing::{Cost, ModelPrices, PriceBook, PriceRow, Rates, Terms, Tier, Usage, charge};
use pointsman::routing::{Check, Status};
use pointsman::units::{Count, Instant, PerMille, PicoPerMillion};

/// The models of the made-up traffic; the last one is in no price book.
pub(crate) const MODELS: [&str; 3] = ["gpt-4.1", "gemini-2.5-flash", "house-model-x"];
const TEAMS: [&str; 3] = ["search", "payments", ""];
/// When the made-up traffic begins.
pub(crate) const START: i64 = 1_800_000_000_000_000;

/// A price book with the first two models, one of them dear for long prompts and finer than a pico-dollar a token.
pub(crate) fn book() -> PriceBook {
    let usd = |text| PicoPerMillion::from_usd_per_million(text).unwrap();
    let tier = |input, output| Tier { input: usd(input), output: usd(output), ..Tier::default() };
    let plain = Rates {
        base: Tier { cache_read: Some(usd("0.50")), ..tier("2.00", "8.00") },
        above: vec![(4_000, tier("4.00", "12.00"))],
    };
    let fine = Rates { base: tier("0.1500000003", "0.6000000007"), above: vec![] };
    let mut book = PriceBook { name: "test".into(), dated: "2026-11-23".into(), ..PriceBook::default() };
    for (model, standard) in MODELS.into_iter().zip([plain, fine]) {
        let row = PriceRow { standard, ..PriceRow::default() };
        book.models.insert(model.into(), ModelPrices { rows: vec![row], ..ModelPrices::default() });
    }
    book
}

/// The prices of the book as the ledger keeps them.
pub(crate) fn price(model: &str) -> Option<Arc<Price>> {
    static PRICES: OnceLock<Vec<Arc<Price>>> = OnceLock::new();
    let prices = PRICES.get_or_init(|| {
        let rows = book().models.into_iter();
        rows.map(|(model, prices)| Arc::new(Price::new(&model, &prices.rows[0]))).collect()
    });
    prices.iter().find(|price| price.model == model).cloned()
}

/// Numbers that look random and depend on nothing but where they are asked for.
pub(crate) fn dice(seq: u64, purpose: u64, sides: u64) -> u64 {
    let mut x = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ purpose.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 31;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 29)) % sides
}

fn pick(list: &[&'static str], roll: u64) -> &'static str {
    list[usize::try_from(roll).unwrap() % list.len()]
}

pub(crate) fn at(seq: u64) -> Instant {
    Instant(START + i64::try_from(seq).unwrap() * 1_000)
}

pub(crate) fn opened(seq: u64) -> Opened {
    Opened {
        seq,
        id: format!("op-{seq:08}").into(),
        at: at(seq),
        team: pick(&TEAMS, dice(seq, 1, 3)).into(),
        project: "p".into(),
        session: format!("s{}", seq / 7).into(),
        key: "desk".into(),
        asked: "auto".into(),
        task: Some(TaskClass::Extraction),
        confidence: PerMille::new(u16::try_from(dice(seq, 2, 1001)).unwrap()),
        classified: "text".into(),
        turn: Some(u32::try_from(seq % 7).unwrap()),
        prompt_hash: Some([7; 32]),
        prompt_bytes: 1_000,
        route: "extraction".into(),
        rung: Some(0),
        policy_version: 1,
        reason: "reached 620".into(),
        ..Opened::default()
    }
}

pub(crate) fn started(seq: u64, n: u32) -> AttemptStarted {
    let model = pick(&MODELS, dice(seq, 3, 3) + u64::from(n));
    AttemptStarted {
        seq,
        n,
        at: at(seq),
        asked: model.into(),
        model: model.into(),
        provider: "simulated".into(),
        rung: Some(0),
        effort: None,
        prompt_tokens: Count::new(1_000 + dice(seq, 4, 5_000)).unwrap(),
        price: price(model),
        terms: pointsman::pricing::Terms::NONE,
    }
}

pub(crate) fn ended(seq: u64, n: u32) -> AttemptEnded {
    let begun = started(seq, n);
    let tokens = |purpose, sides| Count::new(dice(seq, purpose + u64::from(n) * 10, sides)).unwrap();
    let usage = match dice(seq, 5 + u64::from(n), 9) {
        0 => Usage::NONE,
        1 => Usage { input: Count::UNKNOWN, ..Usage::NONE },
        _ => Usage {
            input: tokens(6, 9_000),
            cache_read: tokens(7, 3_000),
            output: tokens(8, 2_000),
            reasoning: Count::UNKNOWN,
            ..Usage::NONE
        },
    };
    let estimated = dice(seq, 9, 5) == 0;
    let cost = charge(&usage, begun.price.as_ref().map(|price| &price.row.standard));
    AttemptEnded {
        verdicts: Vec::new(),
        seq,
        n,
        model: "".into(),
        usage,
        estimated,
        cost: if estimated { cost.as_estimate() } else { cost },
        price: begun.price,
        status: if is_last(seq, n) { Status::Ok } else { Status::ServerError },
        check: Check::None,
        error: if is_last(seq, n) { "" } else { "503" }.into(),
        latency_ms: Some(800),
        ttft_ms: Some(200),
        terms: Terms::NONE,
        left_out: Vec::new(),
        gap_ms: None,
        effort: None,
    }
}

fn attempts(seq: u64) -> u32 {
    if dice(seq, 10, 6) == 0 { 2 } else { 1 }
}

fn is_last(seq: u64, n: u32) -> bool {
    n + 1 == attempts(seq)
}

pub(crate) fn closed(seq: u64) -> Closed {
    Closed { seq, status: Status::Ok, at: Instant(at(seq).0 + 800_000), down: None }
}

/// All entries of one operation, in order.
pub(crate) fn operation(seq: u64) -> Vec<Entry> {
    let mut entries = vec![Entry::Opened(Box::new(opened(seq)))];
    for n in 0..attempts(seq) {
        entries.push(Entry::AttemptStarted(Box::new(started(seq, n))));
        entries.push(Entry::AttemptEnded(Box::new(ended(seq, n))));
    }
    entries.push(Entry::Closed(closed(seq)));
    entries
}

/// Adds up what operations are charged, without a ledger.
pub(crate) fn fold(seqs: impl IntoIterator<Item = u64>) -> Totals {
    let mut totals = Totals::default();
    for seq in seqs {
        for n in 0..attempts(seq) {
            totals.add(&started(seq, n).model, &opened(seq).team, ended(seq, n).cost);
        }
    }
    totals
}

/// What an operation's only open call is charged when a crash leaves it so.
pub(crate) fn interrupted(seq: u64, delivered: u64) -> (Cost, String, String) {
    let begun = started(seq, 0);
    let usage = Usage {
        input: begun.prompt_tokens,
        output: Count::new(delivered).unwrap(),
        reasoning: Count::UNKNOWN,
        ..Usage::NONE
    };
    let cost = charge(&usage, begun.price.as_ref().map(|price| &price.row.standard)).as_estimate();
    (cost, begun.model.to_string(), opened(seq).team.to_string())
}

pub(crate) fn options(folder: &Path) -> LedgerOptions {
    LedgerOptions::new(folder.join("ledger.db"))
}

/// A runtime for waiting on commits.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
