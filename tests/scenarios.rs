//! The worked examples of the cost guide come out of the engine, to the cent and to the percentage point.

#![expect(clippy::unwrap_used, reason = "what helpers of tests unwrap fails the test that calls them")]

use std::sync::{Arc, OnceLock};

use pointsman::config::prices;
use pointsman::pricing::PriceBook;
use pointsman::scenario::{self, BUILTIN, Outcome, Scenario, StepOutcome};

fn load(name: &str) -> (Scenario, PriceBook) {
    let (_, text) = BUILTIN.iter().find(|(known, _)| *known == name).unwrap();
    let scenario = scenario::parse(text, name).unwrap();
    let book = prices::resolve(&scenario.book, None).unwrap();
    (scenario, book)
}

/// Returns what comes of a built-in scenario, which is worked out once for all tests.
fn outcome(name: &str) -> Arc<Outcome> {
    static KNOWN: [OnceLock<Arc<Outcome>>; BUILTIN.len()] = [const { OnceLock::new() }; BUILTIN.len()];
    let place = BUILTIN.iter().position(|(known, _)| *known == name).unwrap();
    let known = KNOWN[place].get_or_init(|| {
        let (scenario, book) = load(name);
        assert_eq!(book.name, "guide-2026");
        Arc::new(scenario::outcome(&scenario, &book).unwrap())
    });
    Arc::clone(known)
}

fn step<'o>(outcome: &'o Outcome, name: &str) -> &'o StepOutcome {
    outcome.steps.iter().find(|step| step.name == name).unwrap()
}

/// A step as people read it: dollars a task, dollars a month, saving in ten-thousandths.
fn figures(step: &StepOutcome) -> (String, String, i64) {
    (step.task.usd(), step.month.usd(), step.saving)
}

#[test]
fn the_agent_task_on_gpt_4_1_alone_is_the_guides_sum() {
    let outcome = outcome("agent-task");
    let alone = step(&outcome, "GPT-4.1 alone");
    assert_eq!(figures(alone), ("0.21".into(), "6300".into(), 0));
    let parts: Vec<(String, u64, String)> =
        alone.run.kinds.iter().map(|(name, calls, cost)| (name.clone(), *calls, cost.usd())).collect();
    // A day of 1,000 tasks: $0.12 + $0.06 + $0.03 each.
    assert_eq!(
        parts,
        [
            ("step".into(), 4000, "120".into()),
            ("tool call".into(), 2000, "60".into()),
            ("retry".into(), 1000, "30".into())
        ]
    );
}

#[test]
fn eighty_per_cent_on_flash_is_74_per_cent_less_and_not_4_cents() {
    let outcome = outcome("agent-task");
    let mixed = step(&outcome, "80% on Flash");
    assert_eq!(figures(mixed), ("0.0546".into(), "1638".into(), 7400));
    let models: Vec<(&str, u64)> =
        mixed.run.models.iter().map(|(name, calls, _)| (name.as_str(), *calls)).collect();
    assert_eq!(models, [("gemini-2.5-flash", 5600), ("gpt-4.1", 1400)]);
}

#[test]
fn two_ways_lead_to_about_4_cents_and_caching_leads_below_1000_dollars() {
    let outcome = outcome("agent-task");
    for name in ["87.5% on Flash", "80% on Flash, cache within a task"] {
        assert_eq!(step(&outcome, name).task.usd_rounded(2), "0.04", "{name}");
    }
    let cached = step(&outcome, "80% on Flash, cache across tasks");
    assert!(cached.month < pointsman::units::Pico::from_usd("1000").unwrap(), "{}", cached.month);
    assert!(cached.saving > 8500, "{}", cached.saving);
}

#[test]
fn what_is_found_is_the_edge() {
    // One more token less, or one per mille more, and the goal is missed: so it must have been met at the value given.
    let outcome = outcome("agent-task");
    let [cents, month, saving] = outcome.found.as_slice() else { panic!("{:?}", outcome.found) };
    let (threshold, at) = cents.at.as_ref().unwrap();
    assert_eq!(*threshold, 124);
    assert!(at.task <= pointsman::units::Pico::from_usd("0.04").unwrap(), "{}", at.task);
    let (tokens, at) = month.at.as_ref().unwrap();
    assert!((999..1000).contains(&(at.month.0 / 1_000_000_000_000)), "{tokens} tokens: {}", at.month);
    let (more, at) = saving.at.as_ref().unwrap();
    assert!(more > tokens && at.saving == 8500, "{more} tokens: {}", at.saving);
}

#[test]
fn classification_is_75_per_cent_cheaper_up_to_a_rate_that_is_shown() {
    let outcome = outcome("classification");
    let escalated = step(&outcome, "Mistral Small first, 20% escalated");
    assert_eq!((escalated.run.requests, escalated.run.escalated), (10_000, 2_000));
    assert_eq!(escalated.saving, 7483);
    assert_eq!(escalated.break_even, Some((569, 600)), "1 - (118 + 6) / 2400");
    let rates: Vec<u64> = outcome.found.iter().map(|found| found.at.as_ref().unwrap().0).collect();
    assert_eq!(rates, [198, 209, 948]);
}

#[test]
fn the_curve_falls_steadily_and_crosses_nothing_at_the_break_even_rate() {
    let outcome = outcome("classification");
    let curve = outcome.curve.as_ref().unwrap();
    assert_eq!(curve.points.len(), 21);
    for line in 0..curve.lines.len() {
        assert!(curve.points.windows(2).all(|pair| pair[0].lines[line].1 > pair[1].lines[line].1));
    }
    let saving = |value: u64| curve.points.iter().find(|point| point.value == value).unwrap().lines[0].1;
    assert!(saving(900) > 0 && saving(950) < 0);
    assert_eq!(curve.points.last().unwrap().lines[1].1, 0, "placing everything on GPT-4.1 is GPT-4.1 alone");
}

#[test]
fn the_spreads_are_20_and_100_times() {
    let outcome = outcome("spreads");
    let times = |name: &str| step(&outcome, name).times.clone().unwrap();
    assert_eq!(times("GPT-4.1"), ("GPT-4.1 nano".into(), 2_000));
    assert_eq!(times("Claude Opus 4.6"), ("Gemini 2.5 Flash".into(), 10_000));
}

#[test]
fn a_wrong_scenario_says_where() {
    let (_, good) = BUILTIN[0];
    let error = |text: &str| scenario::parse(text, "s.toml").unwrap_err().to_string();
    assert!(error("name = 3").starts_with("s.toml:1:8: name is 3; write a text"), "{}", error("name = 3"));
    let unknown = good.replacen("tasks_a_day", "tasks_per_day", 1);
    assert!(error(&unknown).contains("`tasks_per_day`"), "{}", error(&unknown));
    let stray = good.replacen("step = \"80% on Flash\"", "step = \"80%\"", 1);
    assert_eq!(error(&stray), "s.toml: 80%: there is no step of this name");
    let long = good.replacen("repeated = 10_000", "repeated = 15_000", 1);
    assert_eq!(error(&long), "s.toml: call.step: needs shared <= repeated <= input");
    let many = good.replacen("tasks_a_day = 1000", "tasks_a_day = 4_000_000_000", 1);
    assert!(error(&many).contains("1,000,000 calls"), "{}", error(&many));
}

#[test]
fn a_model_without_a_price_stops_the_run_instead_of_costing_nothing() {
    let (mut scenario, book) = load("spreads");
    scenario.steps[0].ladder[0].model = "nobody-knows-it".into();
    let error = scenario::outcome(&scenario, &book).unwrap_err().to_string();
    assert!(error.starts_with("the book `guide-2026` has no price of `nobody-knows-it`"), "{error}");
}
