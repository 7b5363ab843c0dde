//! Incidents in made-up traffic: what is told when something is wrong, and how often when nothing is.

use pointsman::anomaly::{Detector, Incident, Knobs, Metric, Scope, Survey, Tally};
use pointsman::units::{Instant, ModelId, Pico, ProjectId, RouteTag, Span, TeamId};
use proptest::prelude::*;

const SLOT: i64 = 900;
const DAY: i64 = 86_400;

/// Draws by counting, so that a month is the same on every machine.
struct Draws(u64);

impl Draws {
    /// From 0 up to 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap()) / 4_294_967_296.0
    }

    fn chance(&mut self, share: f64) -> bool {
        self.share() < share
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.share()).ln()).sqrt() * (std::f64::consts::TAU * self.share()).cos()
    }

    fn poisson(&mut self, mean: f64) -> u32 {
        let (least, mut product, mut count) = ((-mean).exp(), self.share(), 0);
        while product > least {
            (product, count) = (product * self.share(), count + 1);
        }
        count
    }
}

/// What one request is drawn from.
#[derive(Clone, Copy)]
struct Odds {
    requests: f64,
    failed: f64,
    escalated: f64,
    cost: f64,
}

/// Three teams with two projects each, two models, a route; a working day and a weekend. `bend` changes the odds of a project
/// (0 to 5) at a day and its part.
fn month(seed: u64, knobs: Knobs, bend: impl Fn(u16, f64) -> Option<Odds>) -> Vec<Incident> {
    days((30, SLOT), seed, knobs, bend)
}

fn days(
    (days, length): (i64, i64),
    seed: u64,
    knobs: Knobs,
    bend: impl Fn(u16, f64) -> Option<Odds>,
) -> Vec<Incident> {
    let mut draws = Draws(seed);
    let mut survey = Survey::new(Span::secs(length), knobs);
    let usual = Odds { requests: 1.0, failed: 0.01, escalated: 0.08, cost: 1.0 };
    for slot in 0..days * DAY / length {
        let (at, day) = (slot * length, f64::from(i32::try_from(slot * length).unwrap()) / 86_400.0);
        let hour = day.fract() * 24.0;
        let weekend = if at / DAY % 7 >= 5 { 0.5 } else { 1.0 };
        let busy = (0.25 + (-((hour - 14.0) / 5.0).powi(2)).exp()) * weekend;
        for project in 0..6 {
            let odds = bend(project, day).unwrap_or(usual);
            let share = [0.46, 0.2, 0.14, 0.06, 0.1, 0.04][usize::from(project)];
            for _ in 0..draws.poisson(21.0 * busy * share * odds.requests) {
                let strong = draws.chance(0.4);
                let failed = u64::from(draws.chance(odds.failed));
                let escalated = u64::from(!strong && draws.chance(odds.escalated));
                let one = Tally { requests: 1, calls: 1 + failed, failed, escalated, ..Tally::default() };
                let mut tally = one;
                let dollars = (-5.0 + draws.normal()).exp() * odds.cost * if strong { 4.0 } else { 1.0 };
                tally.spend(Pico::from_usd(&format!("{dollars:.9}")).unwrap(), true);
                let text = format!("{:.0}", (6.5 + draws.normal()).exp());
                let tokens: u64 = text.parse().unwrap();
                tally.count(Some(tokens));
                tally.cache(Some(tokens), Some(tokens * 3 / 10));
                tally.time(format!("{:.0}", (7.5 + 0.6 * draws.normal()).exp()).parse().unwrap());
                let scopes = [
                    Scope::All,
                    Scope::Team(TeamId(project / 2)),
                    Scope::Project(ProjectId(project)),
                    Scope::Route(RouteTag(0)),
                    Scope::Model(ModelId(u16::from(strong))),
                ];
                survey.add(Instant::from_secs(at), &scopes.map(|scope| (scope, tally)));
            }
        }
        survey.pass(Instant::from_secs(at));
    }
    survey.incidents()
}

/// Says in a line each what was found.
fn told(found: &[Incident]) -> String {
    let line = |one: &Incident| {
        let (lead, end) = (one.lead, one.end.map(day_of));
        let causes: Vec<_> = one.causes.iter().map(|cause| (cause.scope, cause.share)).collect();
        format!(
            "{:?} {:?} {:?} {:.2} to {end:.2?} by {causes:.2?}",
            lead.scope,
            lead.metric,
            one.onset,
            day_of(one.start)
        )
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn day_of(at: Instant) -> f64 {
    at.0 as f64 / 86_400e6
}

/// The knob is a promise: so many incidents a month are told although nothing is wrong. Without the gates, which keep out
/// what is small, the count of three quiet months is what the knob says, within what chance allows (99.8 of 100).
#[test]
fn quiet_months_tell_as_many_false_alarms_as_the_knob_says() {
    let knobs = Knobs { false_alarms: 20.0, least_usd: Pico::ZERO, least_percent: 0.0, least_requests: 0 };
    let told: usize = (0..3).map(|seed| month(seed * 7919 + 1, knobs, |_, _| None).len()).sum();
    assert!((36..=84).contains(&told), "{told} in three months, where 60 were asked for");
}

#[test]
fn a_quiet_month_is_silent() {
    let found = month(5, Knobs::default(), |_, _| None);
    assert_eq!(found, [], "one a month is the most, and the gates leave less");
}

#[test]
fn a_runaway_is_one_incident_with_its_project() {
    let wild = Odds { requests: 12.0, failed: 0.01, escalated: 0.08, cost: 6.0 };
    let found = month(2, Knobs::default(), |project, day| {
        (project == 5 && (19.5..19.6).contains(&day)).then_some(wild)
    });
    assert_eq!(found.len(), 1, "{}", told(&found));
    let incident = &found[0];
    assert!((19.45..19.55).contains(&day_of(incident.start)), "{}", day_of(incident.start));
    assert!((19.55..19.7).contains(&day_of(incident.end.unwrap())), "{:?}", incident.end);
    assert!(incident.start <= incident.peak && incident.peak < incident.end.unwrap());
    let cause = incident.causes.first().unwrap();
    assert_eq!(cause.scope, Scope::Project(ProjectId(5)));
    assert!(cause.share > 0.8, "{}", cause.share);
    assert!(incident.extra > Pico::USD, "{:?}", incident.extra);
}

#[test]
fn failing_calls_are_told_and_a_change_of_everything_alike_blames_nobody() {
    let failing = Odds { requests: 1.0, failed: 0.5, escalated: 0.08, cost: 1.0 };
    let found = month(3, Knobs::default(), |_, day| (15.5..15.6).contains(&day).then_some(failing));
    assert_eq!(found.len(), 1, "{}", told(&found));
    let incident = &found[0];
    assert_eq!((incident.lead.metric, incident.lead.scope), (Metric::Errors, Scope::All));
    assert_eq!(incident.causes, [], "all parts fail alike");
}

/// A part that is seen first is no culprit where all others grew as it did: somebody would look into the wrong team.
#[test]
fn what_no_part_explains_is_told_of_all_traffic() {
    let busy = Odds { requests: 5.0, failed: 0.01, escalated: 0.08, cost: 1.0 };
    let mut told_of = 0;
    for seed in 10..16 {
        let bend = |_: u16, day: f64| (13.4..13.52).contains(&day).then_some(busy);
        let found = days((16, 3_600), seed, Knobs::default(), bend);
        let during = found.iter().filter(|one| (13.3..13.6).contains(&day_of(one.start)));
        for one in during {
            told_of += 1;
            assert!(!one.causes.is_empty() || one.lead.scope == Scope::All, "{seed}: {}", told(&found));
        }
    }
    assert!(told_of > 0, "a rush of five times the traffic is told");
}

#[test]
fn an_outage_is_told_though_nothing_is_spent_in_it() {
    let none = Odds { requests: 0.0, failed: 0.0, escalated: 0.0, cost: 0.0 };
    let found = month(4, Knobs::default(), |_, day| (17.5..17.6).contains(&day).then_some(none));
    assert!(
        found
            .iter()
            .any(|one| one.lead.metric == Metric::Requests && (day_of(one.start) - 17.5).abs() < 0.05),
        "{}",
        told(&found)
    );
}

#[test]
fn what_creeps_is_told_as_a_drift() {
    let found = month(6, Knobs::default(), |_, day| {
        let crept = ((day - 12.0) / 6.0).clamp(0.0, 1.0);
        Some(Odds { requests: 1.0, failed: 0.01, escalated: 0.08 + 0.12 * crept, cost: 1.0 })
    });
    let first = found.first().unwrap();
    assert_eq!((first.lead.metric, first.onset), (Metric::Escalations, pointsman::anomaly::Onset::Drift));
    assert!((12.0..19.0).contains(&day_of(first.start)), "{}", day_of(first.start));
}

#[test]
fn a_year_of_silence_between_two_requests_costs_nothing() {
    let mut survey = Survey::new(Span::secs(1), Knobs::default());
    let one = [(Scope::All, Tally { requests: 1, ..Tally::default() })];
    for at in [0, 31_536_000, i64::MAX / 2_000_000, 5] {
        survey.add(Instant::from_secs(at), &one);
    }
    assert_eq!(survey.incidents(), []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, a score is one, and what comes later does not change it.
    #[test]
    fn scores_are_bounded_and_look_at_nothing_ahead(
        values in prop::collection::vec(prop_oneof![any::<f64>(), -10.0..10.0f64, Just(0.0)], 1..200),
        cut in 1..200usize,
        step in 1..100_000i64,
    ) {
        let scores = |values: &[f64]| {
            let mut detector = Detector::default();
            let points = (0i64..).zip(values);
            points.map(|(at, value)| detector.observe(Instant::from_secs(at * step), *value).score).collect::<Vec<_>>()
        };
        let all = scores(&values);
        prop_assert!(all.iter().all(|score| (0.0..=1.0).contains(score)), "{all:?}");
        let part = scores(&values[..cut.min(values.len())]);
        prop_assert_eq!(&part[..], &all[..part.len()]);
    }
}
