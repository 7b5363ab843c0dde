//! Sums over tool loops, beside every request decided in order and beside a plain map of where loops stand.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use crate::classifier::Classifier;
use crate::outcome::Settled;
use crate::pricing::{PriceBook, PriceRow, Rates, Tier};
use crate::record::{Input, ReadOptions, open};
use crate::routing::{Policy, PolicySpec, RouteSpec, RungSpec};
use crate::session::second::start;
use crate::session::settled::settle_tried;
use crate::session::{Ingest, IngestOptions, Log, Trial};
use crate::units::{Names, PicoPerMillion};

const MODELS: [&str; 3] = ["small", "medium", "large"];
/// Dollars a million tokens of prompt; of an answer it is four times as much.
const PRICES: [i128; 3] = [1, 3, 10];

/// A request: its loop, whether it begins one, its confidence (none of 50 in 1,050), its tokens, who served it.
type Turn = (u64, bool, u16, (u64, u64), usize);

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = (0u64..8, proptest::bool::weighted(0.25), 0u16..1050, (100u64..9000, 10u64..900), 0usize..3);
    proptest::collection::vec(turn, 1..80)
}

fn policy(thresholds: (u16, u16), no_signal: usize, names: &mut Names) -> Policy {
    let high = thresholds.0.max(thresholds.1);
    let low = thresholds.0.min(thresholds.1);
    let rung = |model: &str, threshold: Option<u16>| RungSpec {
        model: model.to_owned(),
        threshold: threshold.map(i64::from),
        ..RungSpec::default()
    };
    let ladder = vec![rung(MODELS[0], Some(high)), rung(MODELS[1], Some(low)), rung(MODELS[2], None)];
    let no_signal = Some(MODELS[no_signal].to_owned());
    let route = RouteSpec { name: "all".to_owned(), ladder, no_signal, ..RouteSpec::default() };
    let spec = PolicySpec { name: "one".to_owned(), routes: vec![route], ..PolicySpec::default() };
    Policy::compile(&spec, 1, names).unwrap()
}

/// Writes the log; where a loop is known, who is told to have served the turn before is anybody.
fn written(turns: &[Turn]) -> String {
    let (mut text, mut known) = (String::new(), BTreeMap::new());
    for (at, &(of, begins, confidence, (input, output), served)) in turns.iter().enumerate() {
        let before = known.insert(of, served);
        let mut down = Vec::new();
        if of > 0 {
            let key = of << 8;
            match before.filter(|_| !begins) {
                None => down.push(format!("\"ask:{key:016x}\"")),
                Some(before) => {
                    down.push(format!("\"turn:{key:016x}\""));
                    down.push(format!("\"follows:-:{}\"", MODELS[before]));
                }
            }
        }
        let sure = if confidence > 1000 { "null".to_owned() } else { confidence.to_string() };
        let (minute, second, model) = (at / 60, at % 60, MODELS[served]);
        writeln!(
            text,
            r#"{{"id":"r-{at}","at":"2026-05-23T10:{minute:02}:{second:02}Z","task":"code","confidence":{sure},"unsure":{},"model":"{model}","in":{input},"out":{output},"down":[{}]}}"#,
            confidence > 1000,
            down.join(",")
        )
        .unwrap();
    }
    text
}

fn loaded(turns: &[Turn], thresholds: (u16, u16), no_signal: usize) -> Arc<Log> {
    let mut names = Names::default();
    let policy = policy(thresholds, no_signal, &mut names);
    let mut book = PriceBook::default();
    for (model, input) in MODELS.iter().zip(PRICES) {
        let usd = |usd: i128| PicoPerMillion::from_usd_per_million(&usd.to_string()).unwrap();
        let base = Tier { input: usd(input), output: usd(input * 4), ..Tier::default() };
        book.add_row(model, PriceRow { standard: Rates { base, above: Vec::new() }, ..PriceRow::default() });
    }
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let source = open(&Input::bytes("looped", written(turns).into_bytes()), &ReadOptions::default()).unwrap();
    let log = Log::load("looped".to_owned(), source, ingest, Arc::new(policy), &book, |_| true).unwrap();
    Arc::new(log)
}

/// Counts the requests that start on each rung.
fn plain(turns: &[Turn], (one, other): (u16, u16), no_signal: usize) -> Vec<u64> {
    let (high, low) = (one.max(other), one.min(other));
    let (mut loops, mut placed) = (BTreeMap::new(), vec![0; 3]);
    for &(of, begins, confidence, ..) in turns {
        let own = match confidence {
            1001.. => no_signal,
            sure if sure >= high => 0,
            sure if sure >= low => 1,
            _ => 2,
        };
        let before = loops.get(&of).copied().filter(|_| of > 0 && !begins);
        let rung = before.map_or(own, |before: usize| before.max(own));
        loops.insert(of, rung);
        placed[rung] += 1;
    }
    placed
}

proptest! {
    /// Whoever looks for a threshold would else be told that it does next to nothing.
    #[test]
    fn sums_over_tool_loops_are_what_deciding_them_in_order_comes_to(
        turns in turns(), applied in (0u16..=1000, 0u16..=1000), staged in (0u16..=1000, 0u16..=1000),
        no_signal in 0usize..3,
    ) {
        let log = loaded(&turns, applied, no_signal);
        let mut trial = Trial::loaded(&log);
        let changed = Arc::new(policy(staged, no_signal, &mut trial.names.share()));
        let sums = trial.consequences(&changed);
        prop_assert_eq!(&sums[0].applied.placed[..3], plain(&turns, applied, no_signal));
        prop_assert_eq!(&sums[0].staged.placed[..3], plain(&turns, staged, no_signal));
        if trial.now.routes[0].thresholds() != changed.routes[0].thresholds() && trial.remembers() {
            let walked = trial.in_order(&changed).unwrap();
            prop_assert_eq!(walked[0].flips, sums[0].flips);
            for (walked, sums) in [(&walked[0].applied, &sums[0].applied), (&walked[0].staged, &sums[0].staged)] {
                prop_assert_eq!(&walked.cost, &sums.cost);
                prop_assert_eq!(walked.placed, sums.placed);
                prop_assert_eq!((walked.input, walked.output), (sums.input, sums.output));
            }
        }
        // Whoever lists the requests that go elsewhere, or opens one, finds as many, and where they go.
        let (by, mut settled, mut listed) = ((&*log.prices, &*log.circumstances), Settled::default(), 0);
        for (index, recalled) in log.history.range(0, log.len()) {
            let evidence = recalled.evidence();
            let [then, tried] = [log.policy_at(index), &changed].map(|policy| start(policy, evidence.operation, by).1);
            listed += u64::from(then != tried);
            settle_tried(&evidence, &changed, &log.outlook(), &mut settled);
            prop_assert_eq!(Some(settled.first_rung), tried);
        }
        prop_assert_eq!(listed, sums[0].flips);
        let route = &changed.routes[0];
        let threshold = route.ladder[0].threshold;
        let curve = trial.curve(&changed, route, 0);
        prop_assert_eq!(&curve[threshold.bin()].cost, &sums[0].staged.cost);
    }
}
