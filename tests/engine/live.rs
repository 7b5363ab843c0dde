//! A live session under random interleaved traffic is its replay: decisions, totals and labels, from its own lines alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::channel;

use pointsman::classifier::{Classifier, Measures};
use pointsman::config::budgets::parse;
use pointsman::pricing::{Charged, Cost, CostSum, Hours, PriceBook, PriceRow, Rates, Tier, Unpriced, Usage};
use pointsman::prompt_cache::{Rule, Rules};
use pointsman::record::{self, Correction, Input, LateLabel, ReadOptions};
use pointsman::rollout::{Change, Needs, Plan};
use pointsman::routing::{AskId, AtMost, Check, Mode, NO_RUNG, Policy, RungSpec, Status, up_to_grid};
use pointsman::session::{
    Arriving, Called, Command, Deed, Follow, Ingest, IngestOptions, Live, LiveSetup, Log, Player, Reading,
    StreamOptions, Ticket, Wants, explain, stream,
};
use pointsman::telemetry::Cell;
use pointsman::units::{Count, Instant, PerMille, Pico, PicoPerMillion, Span};
use proptest::prelude::*;

use super::world::{Choices, DATED, MODELS, book, capped_policy, compile, names};

/// What may happen next, and how much later.
#[derive(Clone, Debug)]
enum Deal {
    /// A request comes: prompt, team, model asked for, picture, tools, longest answer, label required.
    Come {
        prompt: usize,
        team: usize,
        asked: usize,
        vision: bool,
        tools: bool,
        most: u64,
        eu: bool,
        call: u64,
    },
    /// A call of one of the open requests ends.
    End { which: usize, status: usize, failed: bool, again: bool, tokens: u64, estimated: bool },
    /// Another policy.
    Apply(Choices, bool),
    /// A provider speaks of a model.
    Signal { model: usize, millis: Option<i64> },
    /// Somebody judges an answer.
    Judge { which: usize, quality: u16 },
    /// A charge of a request that is over is set right: which call, to how much, or to nobody knows.
    Correct { which: usize, call: Option<u32>, kind: u8, amount: u32 },
    /// A price is edited: a model's, hundredths of a dollar per million, now or so many milliseconds later, and twice that in the
    /// minute after this one, or not.
    Price { model: usize, cents: u32, later: Option<i64>, by_hour: bool },
    /// Rules against runaways change: what becomes of who repeats a call, and of a session with so many calls.
    Watch { then: usize, cap: Option<usize>, calls: u64 },
    /// A rollout of a route takes a step, ends well, or is taken back.
    Roll { route: usize, stage: Option<usize>, ends: bool },
    /// Somebody is stopped or let go.
    Switch { whom: usize, lifts: bool },
    /// Budgets change: hundredths of a cent for all a day, for each team, for one model; whether they are soft, or refuse at once.
    Limit { all: u32, team: u32, model: usize, soft: bool, refuse: bool },
}

fn deal() -> impl Strategy<Value = Deal> {
    let come =
        (0usize..4, 0usize..3, 0usize..12, any::<bool>(), any::<bool>(), 0u64..9_000, any::<bool>(), 0u64..4);
    let end = (any::<usize>(), 0usize..11, any::<bool>(), any::<bool>(), 0u64..40_000, any::<bool>());
    prop_oneof![
        6 => come.prop_map(|(prompt, team, asked, vision, tools, most, eu, call)| {
            Deal::Come { prompt, team, asked, vision, tools, most, eu, call }
        }),
        1 => (0usize..5, 0u32..900, proptest::option::of(1i64..400), any::<bool>())
            .prop_map(|(model, cents, later, by_hour)| Deal::Price { model, cents, later, by_hour }),
        1 => (0usize..4, proptest::option::of(0usize..4), 1u64..9)
            .prop_map(|(then, cap, calls)| Deal::Watch { then, cap, calls }),
        1 => (0usize..5, any::<bool>()).prop_map(|(whom, lifts)| Deal::Switch { whom, lifts }),
        2 => (0usize..3, proptest::option::weighted(0.8, 0usize..5), any::<bool>())
            .prop_map(|(route, stage, ends)| Deal::Roll { route, stage, ends }),
        8 => end.prop_map(|(which, status, failed, again, tokens, estimated)| {
            Deal::End { which, status, failed, again, tokens, estimated }
        }),
        1 => (capped_policy(), any::<bool>()).prop_map(|(choices, undo)| Deal::Apply(choices, undo)),
        1 => (0usize..7, proptest::option::of(1i64..4_000))
            .prop_map(|(model, millis)| Deal::Signal { model, millis }),
        1 => (any::<usize>(), 0u16..=1000).prop_map(|(which, quality)| Deal::Judge { which, quality }),
        1 => (any::<usize>(), proptest::option::of(1u32..3), 0u8..3, any::<u32>())
            .prop_map(|(which, call, kind, amount)| Deal::Correct { which, call, kind, amount }),
        1 => (0u32..4_000, 0u32..2_000, 0usize..5, any::<bool>(), any::<bool>())
            .prop_map(|(all, team, model, soft, refuse)| Deal::Limit { all, team, model, soft, refuse }),
    ]
}

/// How long it is to the next: seldom long enough for another minute, and with it another price.
fn pause() -> impl Strategy<Value = i64> {
    prop_oneof![24 => 0i64..40_000, 1 => Just(41_000_000)]
}

const PROMPTS: [&str; 4] = [
    "hello",
    "Write a Rust program that balances a red-black tree without unsafe code.",
    "Extract the invoice number: INV-2291",
    "",
];

/// What a client was told of its request: rung, model, policy version, reason, and what it cost.
#[derive(Clone, Debug, PartialEq)]
struct Heard {
    rung: Option<u8>,
    version: u32,
    cost: Option<Cost>,
}

struct Stage {
    live: Live,
    now: Instant,
    open: Vec<(Arc<str>, Arc<str>, Ticket)>,
    heard: BTreeMap<String, Heard>,
    done: Vec<(Arc<str>, Arc<str>)>,
    judged: BTreeMap<String, u16>,
    /// What the calls of each request cost, and what they were corrected to.
    costs: BTreeMap<String, Vec<Cost>>,
    corrected: Vec<(String, Option<u32>, Cost)>,
    count: usize,
    /// The prices as they were edited, and the starts of what came of it.
    book: PriceBook,
    amended: BTreeSet<(String, Option<Instant>)>,
}

impl Stage {
    fn play(&mut self, deal: &Deal) {
        match deal {
            Deal::Come { prompt, team, asked, vision, tools, most, eu, call } => {
                let id: Arc<str> = format!("r-{}", self.count).into();
                self.count += 1;
                let name: Arc<str> = match asked {
                    0..5 => MODELS[*asked].into(),
                    5 => "auto/r2".into(),
                    6..8 => DATED[*asked - 6].into(),
                    _ => "auto".into(),
                };
                let measures = Measures {
                    prompt_tokens: Some(most * 5),
                    tools: Some(u32::from(*tools)),
                    ..Measures::default()
                };
                let arriving = Arriving {
                    id: Arc::clone(&id),
                    team: ["a", "b", "c"][*team].into(),
                    asked: Arc::clone(&name),
                    pinned: *asked != 5 && *asked < 8,
                    prompt: PROMPTS[*prompt].into(),
                    session: ["s", "t", ""][*team].into(),
                    // What a prompt of each team begins with is the same as far as it goes.
                    beginnings: (1..=most / 200)
                        .map(|block| (block << 8 | *team as u64, u32::try_from(block * 1000).unwrap()))
                        .collect(),
                    tie: (*call == 3).then_some(pointsman::prompt_cache::Tie::Tools),
                    // Loops of each team and prompt: the first turn, or a later one.
                    ask: if *tools {
                        AskId::new((*prompt as u64 * 3 + *team as u64 + 1) << 8, *call > 1)
                    } else {
                        AskId::default()
                    },
                    call: (*call > 0).then(|| pointsman::runaway::Call::new(*call << 20, self.count)),
                    measures,
                    wants: Wants {
                        vision: *vision,
                        max_output: Some(*most),
                        require: if *eu { [Arc::from("eu")].into() } else { Arc::default() },
                        at_most: AtMost {
                            prompt: up_to_grid(most * 5),
                            output: up_to_grid(*most),
                            ..AtMost::default()
                        },
                        key: ["k", "l"][*prompt % 2].into(),
                        ..Wants::default()
                    },
                    ..Arriving::default()
                };
                let placed = self.live.arrive(arriving, self.now);
                let rung = placed.send.as_ref().ok().and_then(|send| send.rung);
                let heard = Heard { rung, version: placed.policy_version, cost: None };
                self.heard.insert(id.to_string(), heard);
                if let Ok(send) = placed.send {
                    self.open.push((id, send.model, placed.ticket));
                }
            }
            Deal::End { which, status, failed, again, tokens, estimated } => {
                let Some(at) = which.checked_rem(self.open.len()) else { return };
                let (id, model, ticket) = &mut self.open[at];
                let tokens = Count::new(*tokens).unwrap();
                let called = Called {
                    model: Arc::clone(model),
                    usage: Usage { input: tokens, output: tokens, ..Usage::NONE },
                    status: Status::ALL[*status],
                    check: if *failed { Check::Failed } else { Check::Passed },
                    estimated: *estimated,
                    latency_ms: Some(7),
                    ..Called::default()
                };
                let (cost, follow) = self.live.ended(ticket, called, *again).unwrap();
                self.costs.entry(id.to_string()).or_default().push(cost);
                match follow {
                    Follow::Again => {}
                    Follow::Escalate(send, _) => *model = send.model,
                    Follow::Answer { cost } => {
                        self.heard.get_mut(&**id).unwrap().cost = Some(cost);
                        self.done.push((Arc::clone(id), Arc::clone(model)));
                        self.open.remove(at);
                    }
                }
            }
            Deal::Apply(choices, undo) => {
                let spec = compile(choices).spec(&names());
                let deed = if *undo { Deed::Undo("back") } else { Deed::Change("on") };
                self.live.apply(&spec, "test", deed, self.now).unwrap();
            }
            Deal::Roll { route, stage, ends } => {
                let plan = plan(["r1", "r2", "rest"][*route]);
                let (_, before) = self.live.policy_spec();
                let next = match (stage, ends) {
                    (Some(stage), _) => plan.staged(&before, *stage),
                    (None, true) => plan.done(&before),
                    (None, false) => Ok(plan.without(&before)),
                };
                if let Ok(spec) = next {
                    self.live.apply(&spec, "rollout", Deed::Change("step"), self.now).unwrap();
                }
            }
            Deal::Price { model, cents, later, by_hour } => {
                let price =
                    PicoPerMillion::from_usd_per_million(&format!("{}.{:02}", cents / 100, cents % 100))
                        .unwrap();
                let base = Tier { input: price, output: price, ..Tier::default() };
                let from = Some(later.map_or(self.now, |millis| self.now + Span(millis * 1000)));
                let standard = Rates { base, above: Vec::new() };
                let rows = &mut self.book.models.entry(MODELS[*model].to_owned()).or_default().rows;
                rows.retain(|row| row.from < from);
                let row = PriceRow { from, standard, ..PriceRow::default() };
                let minute = self.now.0 / 60_000_000 + 1;
                let clock = |minute: i64| format!("{:02}:{:02}", minute / 60 % 24, minute % 60);
                let next = Hours::parse(&format!("{}-{}", clock(minute), clock(minute + 1)), "").unwrap();
                rows.push(row.schedule(by_hour.then_some((next, 2_000)).into_iter().collect()).unwrap());
                for change in self.live.reprice(&self.book, self.now).changes {
                    self.amended.insert((change.model, change.row.from));
                }
            }
            Deal::Signal { model, millis } => {
                let until = millis.map(|millis| self.now + Span(millis * 1000));
                self.live.signal(
                    MODELS.iter().chain(&DATED).nth(*model).unwrap(),
                    until,
                    "breaker",
                    self.now,
                );
            }
            Deal::Judge { which, quality } => {
                let Some(at) = which.checked_rem(self.done.len()) else { return };
                let (id, model) = &self.done[at];
                let quality_of = PerMille::new(*quality);
                self.live.judge(&LateLabel {
                    at: self.now,
                    id: id.to_string().into(),
                    label: record::Label {
                        model: model.to_string().into(),
                        quality: quality_of,
                        output: None,
                        source: "test".into(),
                    },
                });
                self.judged.insert(id.to_string(), *quality);
            }
            Deal::Correct { which, call, kind, amount } => {
                let Some(at) = which.checked_rem(self.done.len()) else { return };
                let id = self.done[at].0.to_string();
                let amount = Pico(i128::from(*amount));
                let cost = match kind {
                    0 => Cost::Known(amount),
                    1 => Cost::Estimated(amount),
                    _ => Cost::Unknown(Unpriced::NoUsage),
                };
                let (source, charged) = ("bill".into(), Charged::new(cost));
                let id_of = id.clone().into();
                self.live.correct(&Correction { at: self.now, id: id_of, call: *call, charged, source });
                self.corrected.push((id, *call, cost));
            }
            Deal::Watch { then, cap, calls } => {
                let word = |at: usize| ["tell", "degrade", "cheapest", "freeze"][at];
                let cap = cap.map(|cap| {
                    format!("[runaways.cap]\neach = \"session\"\ncalls = {calls}\nthen = \"{}\"\n", word(cap))
                });
                let text = format!(
                    "[runaways.loop]\neach = \"session\"\nsame-call = 2\namong = 4\nthen = \"{}\"\n{}",
                    word(*then),
                    cap.unwrap_or_default()
                );
                self.live.watch(pointsman::config::budgets::parse_all(&text, "test").unwrap().1);
            }
            Deal::Switch { whom, lifts } => {
                let name = ["key k", "team a", "session k/s", "all", "session t"][*whom];
                let whom = pointsman::runaway::Whom::parse(name).unwrap();
                if *lifts {
                    drop(self.live.lift(&whom, "test", self.now));
                } else {
                    drop(self.live.stop(whom, "test", "", self.now));
                }
            }
            Deal::Limit { all, team, model, soft, refuse } => {
                let (mode, over) =
                    (if *soft { "soft" } else { "hard" }, if *refuse { "refuse" } else { "cheaper" });
                let dollars = |hundredths: u32| format!("{}.{:04}", hundredths / 10_000, hundredths % 10_000);
                let text = format!(
                    "[budget.all]\nlimit = {{ day = \"{}\" }}\nover = \"{over}\"\n\
                     [budget.team]\neach = \"team\"\nlimit = {{ hour = \"{}\", lifetime = 3 }}\nmode = \"{mode}\"\n\
                     [budget.model]\nmodel = [\"{}\"]\nlimit = {{ lifetime = \"0.01\" }}\nunpriced = \"hold\"\n",
                    dollars(*all),
                    dollars(*team),
                    MODELS[*model]
                );
                self.live.limit(parse(&text, "test").unwrap());
            }
        }
    }
}

/// Every model caches, for a second.
fn rules() -> Rules {
    let rule = Rule {
        minimum: 100,
        step: 1,
        ttl: Span::secs(1),
        ttl_long: None,
        read: 100,
        write: 1250,
        write_long: None,
        storage: None,
        asked: false,
    };
    Rules { rules: vec![(vec!["*".to_owned()], rule)] }
}

/// A rollout to another ladder, whoever names a model.
fn plan(route: &str) -> Plan {
    let rung = |model: &str, threshold| RungSpec { model: model.into(), threshold, ..RungSpec::default() };
    Plan {
        name: format!("{route}-next").into(),
        route: route.into(),
        change: Change {
            mode: Some(Mode::Active),
            ladder: vec![rung("flash", Some(600)), rung("nano", Some(200)), rung("mid", None)],
            ..Change::default()
        },
        stages: [0, 100, 300, 600, 1000].map(PerMille::clamped).to_vec(),
        needs: Needs::default(),
        text: "".into(),
    }
}

fn ingest() -> Ingest {
    Ingest::new(names(), Classifier::builtin(), &IngestOptions::default())
}

fn load(files: &[Vec<u8>], policy: &Arc<Policy>) -> Log {
    let source = record::open(&input(files), &ReadOptions::default()).unwrap();
    Log::load("live".into(), source, ingest(), Arc::clone(policy), &book(), |_| true).unwrap()
}

fn input(files: &[Vec<u8>]) -> Input {
    let mut all = files.iter().map(|file| Input::bytes("live.jsonl", file.clone()));
    let first = all.next().unwrap();
    all.fold(first, Input::and)
}

/// All sums but those that labels make, which live has not yet.
fn bare(cell: &Cell) -> Cell {
    Cell { quality: 0, labelled: 0, ..cell.clone() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_live_session_is_its_replay(
        first in capped_policy(), deals in proptest::collection::vec((deal(), pause()), 1..80), cut in 0usize..120,
    ) {
        let policy = Arc::new(compile(&first));
        let (send, lines) = channel::<Arc<str>>();
        let live = Live::new(LiveSetup {
            policy: (*policy).clone(),
            names: names(),
            classifier: Arc::new(Classifier::builtin()),
            book: book(),
            next_seq: 1,
            at: Instant(499_700_000),
            who: "test".to_owned(),
            gateway: String::new(),
        });
        live.know_caches(rules());
        live.follow(Box::new(move |line| send.send(Arc::clone(line)).is_ok()));
        let mut stage = Stage {
            live, now: Instant(499_700_000), open: Vec::new(), heard: BTreeMap::new(), done: Vec::new(),
            judged: BTreeMap::new(), costs: BTreeMap::new(), corrected: Vec::new(), count: 0, book: book(), amended: BTreeSet::new(),
        };
        for (deal, later) in &deals {
            stage.now = stage.now + Span(*later);
            stage.play(deal);
        }
        while !stage.open.is_empty() {
            stage.play(&Deal::End { which: 0, status: 0, failed: false, again: false, tokens: 100, estimated: false });
        }
        prop_assume!(stage.count > 0);
        for one in stage.live.budgets(stage.now) {
            prop_assert_eq!((one.account.holds, one.account.held.0), (0, 0), "{:?}", one);
        }
        let (picture, theirs) = stage.live.snapshot();
        prop_assert_eq!((picture.open, picture.unexpected), (0, pointsman::engine::Unexpected::default()));

        let told: Vec<String> = lines.try_iter().map(|line| line.to_string()).collect();
        let is_correction = |line: &&String| line.starts_with(r#"{"event":"correction""#);
        let lines: Vec<String> = told.iter().filter(|line| !is_correction(line)).cloned().collect();
        let cut = cut.min(lines.len());
        let whole = vec![lines.concat().into_bytes()];
        let halves = vec![lines[..cut].concat().into_bytes(), lines[cut..].concat().into_bytes()];
        let swapped = vec![halves[1].clone(), halves[0].clone()];

        // With its corrections the log costs what they say, wherever they stand.
        for (id, call, cost) in &stage.corrected {
            let calls = stage.costs.get_mut(id).unwrap();
            let at = call.map_or(calls.len() - 1, |call| call as usize - 1);
            if let Some(call) = calls.get_mut(at) {
                *call = *cost;
            }
        }
        let mut owed = CostSum::default();
        stage.costs.values().for_each(|calls| owed.add_operation(calls.iter().copied()));
        let (early, late): (Vec<String>, Vec<String>) = told.iter().cloned().partition(|line| is_correction(&line));
        for files in [vec![told.concat().into_bytes()], vec![early.concat().into_bytes(), late.concat().into_bytes()]] {
            let log = Arc::new(load(&files, &policy));
            let mut player = Player::new(Arc::clone(&log), Reading::Recorded, None);
            player.handle(Command::SeekEvent(log.len()));
            prop_assert_eq!(player.snapshot().to_date.all.cost, owed, "corrected");
            let source = || record::open(&input(&files), &ReadOptions::default()).unwrap();
            let options = StreamOptions::from(Reading::Recorded);
            let mut found = stream(source(), ingest(), &policy, &book(), &options, |_| true).unwrap();
            if let Some(events) = found.late.take() {
                let options = StreamOptions { events: Some(events), ..options };
                found = stream(source(), ingest(), &policy, &book(), &options, |_| true).unwrap();
            }
            prop_assert_eq!(found.totals.all.cost, owed, "corrected, headless");
        }

        // Prices that stand in the log, before its requests or behind them, price as the book does.
        let mut told = Vec::new();
        for (model, prices) in &book().models {
            // A later word of the same start would take back what was changed.
            for row in prices.rows.iter().filter(|row| !stage.amended.contains(&(model.clone(), row.from))) {
                let change = record::PriceChange { model: model.as_str().into(), row: row.clone(), simulated: false };
                record::append_line(&mut told, &record::Entry::Price(Box::new(change)));
            }
        }
        let spoken = [vec![told.clone(), whole[0].clone()], vec![whole[0].clone(), told]];
        // A book that knows the models under their names, and no price.
        let mut bare_book = book();
        bare_book.models.values_mut().for_each(|prices| prices.rows.clear());
        for files in &spoken {
            let source = record::open(&input(files), &ReadOptions::default()).unwrap();
            let log = Log::load("live".into(), source, ingest(), Arc::clone(&policy), &bare_book, |_| true);
            let log = Arc::new(log.unwrap());
            let mut player = Player::new(Arc::clone(&log), Reading::Routed, None);
            player.handle(Command::SeekEvent(log.len()));
            prop_assert_eq!(bare(&player.snapshot().to_date.all), bare(&picture.totals.all), "prices as events");
        }

        let log = Arc::new(load(&whole, &policy));
        // What tripped and who was stopped is told in the log, in the order of events.
        let (_, _, trips) = stage.live.runaways();
        let told: Vec<&str> = log.notes.iter().map(|note| note.text.as_str()).filter(|text| text.starts_with("runaway: ")).collect();
        prop_assert_eq!(trips.iter().map(|trip| trip.words()).collect::<Vec<_>>(), told);
        for index in 0..log.len() {
            let heard = &stage.heard[log.history.id(index)];
            let decided = log.policy_at(index);
            let found = explain(&log, index, decided).unwrap();
            prop_assert_eq!(decided.version, heard.version, "{}", found.id);
            prop_assert_eq!(found.routed.first_rung, heard.rung.unwrap_or(NO_RUNG), "{} {:?}", found.id, found.trail);
            prop_assert_eq!(Some(found.routed.cost), heard.cost.or(Some(found.routed.cost)), "{}", found.id);
        }
        for (at, files) in [&whole, &halves, &swapped].into_iter().enumerate() {
            let log = Arc::new(load(files, &policy));
            prop_assert_eq!(log.len(), stage.count);
            let mut player = Player::new(Arc::clone(&log), Reading::Routed, None);
            player.handle(Command::SeekEvent(log.len()));
            let played = player.snapshot();
            prop_assert_eq!(bare(&played.to_date.all), bare(&picture.totals.all), "way {}", at);
            let spend = |totals: &pointsman::telemetry::Totals, names: &pointsman::units::Names| {
                let cells = totals.models.iter().zip(names.models());
                cells.filter(|(cell, _)| cell.attempts > 0).map(|(cell, name)| (name.to_string(), cell.cost))
                    .collect::<BTreeMap<String, CostSum>>()
            };
            prop_assert_eq!(spend(&played.to_date, &log.names), spend(&picture.totals, &theirs));
            for (id, quality) in &stage.judged {
                let index = log.history.find(id).unwrap();
                let extra = log.history.recall(index).unwrap().extra.unwrap();
                prop_assert_eq!(extra.labels.last().unwrap().quality.unwrap().get(), *quality);
            }

            let options = StreamOptions::from(Reading::Routed);
            let once = |options: &StreamOptions| {
                let source = record::open(&input(files), &ReadOptions::default()).unwrap();
                stream(source, ingest(), &policy, &book(), options, |_| true).unwrap()
            };
            let mut found = once(&options);
            if let Some(events) = found.late.take() {
                found = once(&StreamOptions { events: Some(events), ..options });
            }
            prop_assert_eq!(&found.totals.all, &played.to_date.all, "headless, way {}", at);
        }
    }
}
