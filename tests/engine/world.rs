//! Random logs and policies, and a world of prices and circumstances to judge them in.

use std::sync::Arc;

use pointsman::classifier::TaskClass;
use pointsman::engine::{Arrival, Effect, Engine, Event};
use pointsman::outcome::{
    Attempt, Choice, Evidence, Extra, History, LabelSource, ModelLabel, Observed, Operation, Outlook,
    ProfileFit, Profiles, Settled, calls, visit,
};
use pointsman::pricing::{PriceBook, PriceRow, PriceTable, Rates, Tier, Usage};
use pointsman::routing::{
    AUTO, Caching, Capabilities, Capability, Check, Circumstance, CircumstanceId, Circumstances,
    ConfidenceSource, Draw, Drawn, ExploreSpec, FactsSpec, Labels, Mode, NO_RUNG, Needs, Policy, PolicySpec,
    RouteSpec, RungSpec, Status, WhenFailed, WhenFull,
};
use pointsman::session::{Log, Reading, Skipped, settle_one};
use pointsman::telemetry::{Frontier, Sign, Totals};
use pointsman::units::{
    Count, Instant, LabelId, Millis, ModelId, Names, PerMille, PicoPerMillion, ProjectId, SessionId, TeamId,
};
use proptest::prelude::*;

pub(super) const MODELS: [&str; 5] = ["nano", "flash", "mid", "strong", "unlisted"];

/// Other names of two of them.
pub(super) const DATED: [&str; 2] = ["mid-2025-04-14", "strong-2025-04-14"];

pub(super) fn names() -> Names {
    let mut names = Names::default().knowing(Arc::new(book()));
    for model in MODELS {
        names.intern_model(model);
    }
    // As a policy that is compiled with these names finds them.
    for route in ["r1", "r2", "rest"] {
        names.intern_model(&format!("{AUTO}/{route}"));
    }
    for model in DATED {
        names.intern_model(model);
    }
    for team in ["a", "b", "c"] {
        names.intern_team(team);
        names.intern_project(team);
    }
    names.intern_session("s");
    for label in LABELS {
        names.intern_label(label);
    }
    names
}

pub(super) fn book() -> PriceBook {
    let usd = |text: &str| PicoPerMillion::from_usd_per_million(text).unwrap();
    let mut book = PriceBook { name: "t".into(), ..PriceBook::default() };
    for (model, input, output, cached) in [
        ("nano", "0.1", "0.4", None),
        ("flash", "0.3", "2.5", Some("0.03")),
        ("mid", "2", "8", Some("0.5")),
        ("strong", "5", "25", Some("0.5")),
    ] {
        let base =
            Tier { input: usd(input), output: usd(output), cache_read: cached.map(usd), ..Tier::default() };
        let long = Tier { input: usd("4"), output: usd("16"), ..base };
        let above = if model == "mid" { vec![(20_000, long)] } else { Vec::new() };
        book.add_row(model, PriceRow { standard: Rates { base, above }, ..PriceRow::default() });
    }
    // A price that changes within the log.
    let dearer = Tier { input: usd("0.6"), output: usd("3"), ..Tier::default() };
    book.add_row(
        "flash",
        PriceRow {
            from: Some(Instant(500_000_000)),
            standard: Rates { base: dearer, above: Vec::new() },
            ..PriceRow::default()
        },
    );
    book
}

pub(super) fn usage() -> impl Strategy<Value = Usage> {
    let count = |most: u64| prop_oneof![9 => (0..most).prop_map(|n| Count::new(n).unwrap()), 1 => Just(Count::UNKNOWN)];
    (count(30_000), prop_oneof![Just(Count::ZERO), count(9_000)], count(3_000))
        .prop_map(|(input, cache_read, output)| Usage { input, cache_read, output, ..Usage::NONE })
}

pub(super) fn observed() -> impl Strategy<Value = Observed> {
    let status = prop_oneof![
        8 => Just(Status::Ok), 1 => Just(Status::RateLimited), 1 => Just(Status::ServerError), 1 => Just(Status::Rejected), 1 => Just(Status::Cancelled),
        1 => Just(Status::Unavailable)
    ];
    let check = prop_oneof![6 => Just(Check::None), 2 => Just(Check::Passed), 2 => Just(Check::Failed)];
    let model = prop_oneof![9 => (0u16..5).prop_map(ModelId), 1 => Just(ModelId::NONE)];
    let latency = prop_oneof![4 => (0u64..90_000).prop_map(Millis::new), 1 => Just(Millis::UNKNOWN)];
    (usage(), status, check, model, latency, proptest::bool::weighted(0.1)).prop_map(
        |(usage, status, check, model, latency, assumed)| Observed {
            usage,
            status,
            check,
            model,
            latency,
            assumed,
            ..Observed::default()
        },
    )
}

pub(super) type Entry = (Operation, Option<Extra>);

/// Labels, in the order in which names give them out.
pub(super) const LABELS: [&str; 2] = ["eu", "zdr"];

/// How things may stand: what is asked for, and what cannot be called.
pub(super) fn circumstances() -> Circumstances {
    let mut table = Circumstances::default();
    for kind in 1..CIRCUMSTANCES {
        let labels = Labels::default();
        let needs = Needs {
            capabilities: if kind & 1 != 0 {
                Capabilities::NONE.with(Capability::Vision)
            } else {
                Capabilities::NONE
            },
            labels: if kind & 2 != 0 { labels.with(LabelId(0)) } else { labels },
            window: if kind & 4 != 0 { 20_000 } else { 500 },
            output: 0,
            ..Needs::default()
        };
        let down = if kind & 8 != 0 { vec![ModelId(1), ModelId(2)] } else { Vec::new() };
        let share = PerMille::new(300).unwrap();
        let drawn = (kind & 16 != 0).then_some(Drawn { held: kind & 1 == 0, share });
        let circumstance = Circumstance { needs, drawn, ..Circumstance::default() };
        table.intern(&circumstance.with_down(down, |model| model));
    }
    table
}

/// Kinds of circumstances, the plain one included.
pub(super) const CIRCUMSTANCES: usize = 32;

pub(super) fn entry() -> impl Strategy<Value = Entry> {
    let label = (0u16..5, proptest::option::of(0u16..=1000), proptest::option::of(0u32..3000)).prop_map(
        |(model, quality, output)| ModelLabel {
            model: ModelId(model),
            quality: quality.and_then(PerMille::new),
            output,
            source: LabelSource::Told,
        },
    );
    let extra = (proptest::collection::vec(observed(), 0..3), proptest::collection::vec(label, 0..3))
        .prop_map(|(earlier, labels)| Extra { earlier, labels, ..Extra::default() });
    (
        0i64..1_000_000_000,
        observed(),
        proptest::option::of(0u16..=1000),
        0usize..11,
        0u16..4,
        proptest::option::weighted(0.3, extra),
        (proptest::bool::weighted(0.2), prop_oneof![2 => Just(0), 1 => 0..CIRCUMSTANCES]),
    )
        .prop_map(|(at, served, confidence, class, team, extra, (pinned, kind))| {
            let mut operation = Operation {
                at: Instant(at),
                served,
                session: SessionId(0),
                team: if team < 3 { TeamId(team) } else { TeamId::NONE },
                project: if team < 3 { ProjectId(team) } else { ProjectId::NONE },
                class: TaskClass::ALL[class],
                asked: if pinned { served.model } else { ModelId::NONE },
                pinned: pinned && served.model.is_some(),
                circumstance: circumstance(kind),
                ..Operation::default()
            };
            operation.draw = Draw::of(&operation.at.0.to_string());
            operation.set_confidence(confidence.and_then(PerMille::new), ConfidenceSource::Recorded);
            (operation, extra)
        })
}

pub(super) fn circumstance(kind: usize) -> CircumstanceId {
    let mut table = circumstances();
    let plain = Circumstance::default();
    let wanted = kind.checked_sub(1).and_then(|at| table.since(0).get(at)).cloned().unwrap_or(plain);
    table.intern(&wanted)
}

pub(super) fn log() -> impl Strategy<Value = Vec<Entry>> {
    proptest::collection::vec(entry(), 1..60)
}

pub(super) fn thresholds(rungs: usize) -> impl Strategy<Value = Vec<u16>> {
    proptest::collection::vec(0u16..=1000, rungs - 1).prop_map(|mut list| {
        list.sort_unstable_by(|a, b| b.cmp(a));
        list
    })
}

/// Thresholds of three routes, and what is constrained.
pub(super) type Choices = (Vec<u16>, Vec<u16>, Vec<u16>, u16);

/// Three routes: one of three rungs for two kinds of work, one of four for another, one of two for the rest.
pub(super) fn policy() -> impl Strategy<Value = Choices> {
    (thresholds(3), thresholds(4), thresholds(2), prop_oneof![Just(0u16), 0u16..UNCAPPED])
}

/// Likewise, and calls may be capped.
pub(super) fn capped_policy() -> impl Strategy<Value = Choices> {
    (policy(), any::<u16>())
        .prop_map(|((a, b, c, constrained), caps)| (a, b, c, constrained | (caps & !(UNCAPPED - 1))))
}

/// Constraints from here on cap calls.
const UNCAPPED: u16 = 1 << 12;

/// Other thresholds under the same constraints.
pub(super) fn with_constraints((a, b, c, _): Choices, of: &Choices) -> Choices {
    (a, b, c, of.3)
}

pub(super) fn compile((a, b, c, constrained): &Choices) -> Policy {
    let bit = |at: u32| constrained >> at & 1 != 0;
    // What is known of a model depends on its name and the bits.
    let facts = |model: &str| FactsSpec {
        labels: (0..2)
            .filter(|&at| bit(at) || model == "strong")
            .map(|at| LABELS[at as usize].into())
            .collect(),
        context: (bit(2) && model != "strong").then_some(9_000),
        vision: (bit(3) && model == "mid").then_some(false),
        ..FactsSpec::default()
    };
    let mode = |at| match (bit(at), bit(at + 1)) {
        (false, false) => None,
        (true, false) => Some(Mode::Active),
        (false, true) => Some(Mode::Observe),
        (true, true) => Some(Mode::Pinned),
    };
    let ladder = |models: &[&str], list: &[u16]| {
        models
            .iter()
            .enumerate()
            .map(|(at, model)| RungSpec {
                model: (*model).into(),
                threshold: list.get(at).map(|&t| i64::from(t)),
                facts: facts(model),
                ..RungSpec::default()
            })
            .collect()
    };
    // Caps on calls, low enough to be met.
    let capped = |at: u32, model: &str, most: u32| {
        bit(at).then(|| {
            let max_in_flight = Some(most);
            (model.to_owned(), FactsSpec { max_in_flight, ..FactsSpec::default() })
        })
    };
    let when_full = bit(14).then_some(WhenFull::Refuse);
    let spec = PolicySpec {
        name: "random".into(),
        models: [capped(12, "flash", 1), capped(13, DATED[1], 2), capped(15, "nano", 3)]
            .into_iter()
            .flatten()
            .collect(),
        baseline: Some("mid".into()),
        routes: vec![
            RouteSpec {
                name: "r1".into(),
                tasks: vec!["code".into(), "extraction".into()],
                ladder: ladder(&["flash", "mid", "strong"], a),
                mode: mode(4),
                when_full,
                cache: bit(15).then_some(Caching::Aware),
                switch_cap: (bit(15) && bit(13)).then_some(100),
                require: if bit(8) { vec!["eu".into()] } else { Vec::new() },
                ..RouteSpec::default()
            },
            RouteSpec {
                name: "r2".into(),
                tasks: vec!["agent".into(), "question".into(), "generation".into()],
                ladder: ladder(&["nano", "unlisted", "mid", "strong"], b),
                mode: mode(6),
                no_signal: Some("mid".into()),
                when_failed: bit(7).then_some(WhenFailed::Fall),
                cache: bit(14).then_some(Caching::Aware),
                // Live, some are held out.
                holdout: Some(300),
                explore: Some(ExploreSpec { share: 250, below: Some(200), above: None }),
                ..RouteSpec::default()
            },
            RouteSpec {
                name: "rest".into(),
                ladder: ladder(&["nano", "strong"], c),
                mode: mode(9),
                explore: bit(5).then_some(ExploreSpec { share: 300, below: Some(150), above: Some(250) }),
                // Nothing carries this one: whoever comes here is refused.
                require: if bit(11) { vec!["none".into()] } else { Vec::new() },
                ..RouteSpec::default()
            },
        ],
        ..PolicySpec::default()
    };
    Policy::compile(&spec, 1, &mut names()).unwrap()
}

/// Turns on what only observes.
pub(super) fn active(mut policy: Policy) -> Policy {
    for route in &mut policy.routes {
        route.mode = if route.mode == Mode::Observe { Mode::Active } else { route.mode };
    }
    policy
}

pub(super) fn evidence(entry: &Entry) -> Evidence<'_> {
    Evidence { operation: &entry.0, extra: entry.1.as_ref() }
}

pub(super) fn profiles(log: &[Entry]) -> Profiles {
    let mut fit = ProfileFit::default();
    // Often enough that every model is known.
    for _ in 0..20 {
        for entry in log {
            fit.add(&evidence(entry), &PriceTable::default());
        }
    }
    fit.finish()
}

pub(super) struct World {
    pub(super) prices: PriceTable,
    pub(super) profiles: Profiles,
    pub(super) circumstances: Circumstances,
}

impl World {
    pub(super) fn of(log: &[Entry]) -> Self {
        let prices = PriceTable::new(&book(), &names());
        Self { prices, profiles: profiles(log), circumstances: circumstances() }
    }

    pub(super) fn outlook(&self) -> Outlook<'_> {
        Outlook {
            prices: &self.prices,
            profiles: &self.profiles,
            circumstances: &self.circumstances,
            weather: None,
        }
    }

    pub(super) fn settle(&self, entry: &Entry, policy: &Policy, reading: Reading) -> Settled {
        let mut settled = Settled::default();
        settle_one(&evidence(entry), reading, policy, &self.outlook(), &mut settled);
        settled
    }

    pub(super) fn totals(&self, log: &[Entry], policy: &Policy, reading: Reading) -> Totals {
        let mut totals = Totals::default();
        for entry in log {
            totals.apply(&evidence(entry), &self.settle(entry, policy, reading), Sign::Plus);
        }
        totals
    }

    pub(super) fn frontiers(&self, log: &[Entry], policy: &Policy) -> Vec<Frontier> {
        let mut frontiers: Vec<Frontier> = policy.routes.iter().map(Frontier::new).collect();
        for entry in log {
            let route = pointsman::routing::match_route(policy, &entry.0.signals()).index();
            frontiers[route].apply(&evidence(entry), &policy.routes[route], &self.outlook(), Sign::Plus);
        }
        frontiers
    }
}

/// Runs an engine by its events alone, answering every `Send` from the evidence.
pub(super) fn drive(engine: &mut Engine, world: &World, log: &[Entry]) {
    for (key, entry) in log.iter().enumerate() {
        let key = key as u64;
        let circumstance = world.circumstances.get(entry.0.circumstance);
        let mut effects = engine.apply(Event::Arrived(Arrival {
            key,
            operation: entry.0,
            circumstance,
            claims: None,
            whose: None,
            prompt: None,
        }));
        while let Some(effect) = effects.take() {
            if let Effect::Send { model, rung, .. } = effect {
                let mut attempts: Vec<Attempt> = if rung == NO_RUNG {
                    calls(&evidence(entry), model, &world.outlook()).collect()
                } else {
                    visit(&evidence(entry), Choice::plain(model), &world.outlook()).collect()
                };
                let attempt = attempts.pop().unwrap();
                for attempt in attempts {
                    engine.apply(Event::Retried { key, attempt });
                }
                effects = engine.apply(Event::Attempted { key, attempt, evidence: Some(evidence(entry)) });
            }
        }
    }
}

pub(super) fn memory_log(log: &[Entry], policy: Policy) -> Arc<Log> {
    let mut history = History::default();
    for (at, (operation, extra)) in log.iter().enumerate() {
        history.push(&format!("r{at}"), *operation, extra.clone());
    }
    history.sort();
    let names = names();
    let world = World::of(log);
    let World { prices, profiles, circumstances } = world;
    let log = Log::from_parts(
        "random".into(),
        history,
        names,
        prices,
        profiles,
        Arc::new(policy),
        Skipped::default(),
    );
    Arc::new(Log { circumstances: Arc::new(circumstances), ..log })
}
