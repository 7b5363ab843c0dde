//! Intervals of differences, in drawn worlds of which both answers are known to the test and one to the log.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::budget::LimitHistory;
use crate::classifier::Classifier;
use crate::outcome::Spread;
use crate::pricing::{PriceBook, PriceRow, Rates, Tier};
use crate::record::{Input, ReadOptions, open};
use crate::routing::{Policy, PolicySpec, RouteSpec, RungSpec};
use crate::session::{
    BranchPlan, BranchesOf, Ingest, IngestOptions, Keeping, Log, Target, Trial, branch_out,
};
use crate::units::{Names, Pico, PicoPerMillion};
use crate::world::{Branch, Change, Models, Quote, Stretch, What, World};

const REQUESTS: usize = 240;
const DRAWS: u64 = 150;
/// Dollars a million tokens of prompt and of answer.
const PRICES: [[i128; 2]; 2] = [[1, 4], [3, 15]];
const MODELS: [&str; 2] = ["small", "large"];

/// What both models make of a request.
struct Both {
    confidence: u16,
    tokens: [[u64; 2]; 2],
    /// The chance of a good answer, in thousandths.
    good: [u64; 2],
}

impl Both {
    fn cost(&self, model: usize) -> i128 {
        let [input, output] = self.tokens[model].map(i128::from);
        (input * PRICES[model][0] + output * PRICES[model][1]) * 1_000_000
    }

    /// Returns the model that serves it where a threshold stands.
    fn served(&self, threshold: u16) -> usize {
        usize::from(self.confidence < threshold)
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }

    /// Draws around one, in thousandths: most near it, some three times as long.
    fn factor(&mut self) -> u64 {
        let low = 400 + self.below(700);
        if self.below(8) == 0 { low + self.below(2_500) } else { low }
    }
}

/// Draws a world, and the log of it: of each request the answer of one model by lot, and of some what both were worth.
fn drawn(seed: u64) -> (Vec<Both>, Arc<Log>) {
    let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1);
    let (mut all, mut text) = (Vec::new(), String::new());
    // How much longer the large one's prompts and answers are in this world.
    let habit = [900 + dice.below(300), 600 + dice.below(1_400)];
    for at in 0..REQUESTS {
        let (prompt, answer) = (300 * dice.factor() / 1000, 200 * dice.factor() / 1000);
        let small = [prompt, answer * dice.factor() / 1000];
        let large = [prompt * habit[0] / 1000, answer * habit[1] / 1000 * dice.factor() / 1000];
        let confidence = u16::try_from(dice.below(1001)).unwrap();
        let good = [u64::from(confidence) / 2 + 450, 930];
        let one = Both { confidence, tokens: [small, large], good };
        let served = usize::from(dice.below(2) == 1);
        let mut labels = Vec::new();
        for (model, name) in MODELS.iter().enumerate() {
            let quality = if dice.below(1000) < one.good[model] { 1000 } else { 0 };
            // Of some the other answer was made as well, and measured.
            let output = if dice.below(4) == 0 {
                format!(r#","output":{}"#, one.tokens[model][1])
            } else {
                String::new()
            };
            if dice.below(3) == 0 {
                labels.push(format!(r#"{{"model":"{name}","quality":{quality}{output}}}"#));
            }
        }
        let [input, output] = one.tokens[served];
        writeln!(
            text,
            r#"{{"id":"r-{at}","at":"2026-05-23T10:{:02}:{:02}Z","task":"code","confidence":{confidence},"model":"{}","in":{input},"out":{output},"labels":[{}]}}"#,
            at / 60,
            at % 60,
            MODELS[served],
            labels.join(",")
        )
        .unwrap();
        all.push(one);
    }
    let mut names = Names::default();
    let rung =
        |model: &str, threshold| RungSpec { model: model.to_owned(), threshold, ..RungSpec::default() };
    let ladder = vec![rung(MODELS[0], Some(500)), rung(MODELS[1], None)];
    let route = RouteSpec { name: "all".to_owned(), ladder, ..RouteSpec::default() };
    let spec = PolicySpec { name: "one".to_owned(), routes: vec![route], ..PolicySpec::default() };
    let policy = Policy::compile(&spec, 1, &mut names).unwrap();
    let mut book = PriceBook::default();
    for (model, [input, output]) in MODELS.iter().zip(PRICES) {
        let usd = |usd: i128| PicoPerMillion::from_usd_per_million(&usd.to_string()).unwrap();
        let base = Tier { input: usd(input), output: usd(output), ..Tier::default() };
        let standard = Rates { base, above: Vec::new() };
        book.add_row(model, PriceRow { standard, ..PriceRow::default() });
    }
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let source = open(&Input::bytes("drawn", text.into_bytes()), &ReadOptions::default()).unwrap();
    let log = Log::load("drawn".to_owned(), source, ingest, Arc::new(policy), &book, |_| true).unwrap();
    (all, Arc::new(log))
}

/// The large model at half its price, and in that world fewer requests on the small one.
fn plan() -> Arc<BranchPlan> {
    let models = Models { names: vec![MODELS[1].to_owned()], ..Models::default() };
    let cut = Change { stretch: Stretch::default(), models, what: What::Price(Quote::Times(500)) };
    let set = vec!["all.small=700".to_owned()];
    let raised = Branch { name: "raised".to_owned(), policy: None, set, budgets: true, runaways: true };
    let world = World { changes: vec![cut], ..World::default() };
    Arc::new(BranchPlan { file: "cut".to_owned(), world, tried: vec![(raised, None)] })
}

/// An operator would else be told that a difference is unclear that everybody can see, or shown one that nobody has seen.
#[test]
fn the_difference_of_branches_lies_within_its_error_and_is_not_that_of_strangers() {
    let plan = plan();
    let (mut within, mut seen, mut narrow, mut plain) = ([0; 2], [0; 2], Pico::ZERO, Pico::ZERO);
    for seed in 0..DRAWS {
        let (all, log) = drawn(seed);
        let of = BranchesOf {
            log: &log,
            policies: &log.spans(),
            limits: &LimitHistory::default(),
            from: None,
            staged: None,
        };
        let found = branch_out(of, &plan, |_, _| true).unwrap().unwrap();
        let before: i128 = all.iter().map(|one| one.cost(one.served(500))).sum();
        let halved = |one: &Both, threshold| {
            let served = one.served(threshold);
            one.cost(served) / if served == 1 { 2 } else { 1 }
        };
        for (branch, threshold) in [500, 700].into_iter().enumerate() {
            let truth: i128 = all.iter().map(|one| halved(one, threshold)).sum::<i128>() - before;
            let [was, run] = [&found.runs[0], &found.runs[branch + 1]];
            let told = run.found.totals.all.cost.total() - was.found.totals.all.cost.total();
            let error = Spread::apart(run.apart.whole);
            within[branch] += u64::from((told.0 - truth).abs() <= error.0);
            let strangers = [was, run].map(|run| run.found.totals.all.spread);
            seen[branch] += u64::from(told.0.abs() > error.0);
            (narrow, plain) = (narrow + error, plain + Spread::apart(strangers));
        }
    }
    println!("within {within:?} of {DRAWS}, told apart {seen:?}, as wide as {narrow} of {plain}");
    assert!(within.iter().all(|within| within * 100 >= DRAWS * 90), "{within:?} of {DRAWS}");
    assert!(narrow.0 * 3 < plain.0 * 2, "{narrow} of {plain}");
    assert!(seen[0] == DRAWS, "half a price is seen: {seen:?}");
}

/// Whoever stages the best thresholds would else take them for surer than they are.
#[test]
fn what_the_best_thresholds_cost_and_are_worth_lies_within_its_error() {
    let keeping = Keeping { floor: &|_, _| None, within_ms: None };
    let (mut costs, mut qualities, mut changes) = (0, 0, 0);
    for seed in 1_000..1_000 + DRAWS {
        let (all, log) = drawn(seed);
        let plan = Trial::loaded(&log).plan(Target::Change(-150), &keeping).unwrap();
        let threshold = plan.routes[0].thresholds[0].get();
        let cost = |threshold| all.iter().map(|one| one.cost(one.served(threshold))).sum::<i128>();
        costs += u64::from((plan.cost_after.total().0 - cost(threshold)).abs() <= plan.cost_error().1.0);
        let change = plan.cost_after.total() - plan.cost_before.total();
        let truth = cost(threshold) - cost(500);
        changes += u64::from((change.0 - truth).abs() <= plan.change_error().0);
        let good: u64 = all.iter().map(|one| one.good[one.served(threshold)] * 1000).sum();
        let (low, high) = plan.quality_between()[1].unwrap();
        let truth = good as f64 / 1e6 / all.len() as f64;
        qualities += u64::from((low..=high).contains(&truth));
    }
    println!("of {DRAWS}: cost {costs}, its change {changes}, quality {qualities}");
    for within in [costs, changes, qualities] {
        assert!(within * 100 >= DRAWS * 90, "{costs} {changes} {qualities} of {DRAWS}");
    }
}
