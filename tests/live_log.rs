//! A log that grows while it is watched is the same log as one loaded at once: whatever the order in which requests
//! finish, whatever the person at the console does meanwhile, and however much memory has let go.

#![expect(clippy::unwrap_used, reason = "a test's own scaffolding may fail the test")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use pointsman::alert::Rules;
use pointsman::budget::Budgets;
use pointsman::classifier::Classifier;
use pointsman::config::{budgets, policy, prices};
use pointsman::record::{self, Input, InputFormat, ReadOptions};
use pointsman::routing::{Policy, RouteId};
use pointsman::session::{
    BudgetRow, Command, Deed, Feed, Ingest, IngestOptions, LimitAim, LiveControl, LiveStart, LiveStatus, Log,
    Outgoing, Play, Player, PolicySpan, Question, Reading, RerunJob, RerunState, Snapshot, Speed, TriedLimit,
    Tries, spawn_live, try_beside,
};
use pointsman::telemetry::Cell;
use pointsman::units::{Instant, Names, PerMille, Pico, Span};
use proptest::prelude::*;

const POLICY: &str = "baseline = \"gpt-4.1\"\n[[route]]\nname = \"code\"\nmatch.task = [\"code\"]\n\
    ladder = [{ rung = \"nano\", model = \"gpt-4.1-nano\", threshold = 700 }, { rung = \"strong\", model = \"gpt-4.1\" }]\n\
    [[route]]\nname = \"rest\"\nladder = [{ rung = \"flash\", model = \"gemini-2.5-flash\", threshold = 500 }, \
    { rung = \"strong\", model = \"claude-opus-4.6\" }]\n";
/// The moment at which the logs of these tests start: 2026-05-23T10:00:00Z.
const START: i64 = 1_779_530_400_000_000;

fn at(seconds: i64) -> Instant {
    Instant(START + seconds * 1_000_000)
}

fn ingest() -> (Ingest, Arc<Policy>) {
    let mut names = Names::default();
    let policy = Arc::new(policy::parse(POLICY, "policy.toml", &mut names).unwrap());
    (Ingest::new(names, Classifier::builtin(), &IngestOptions::default()), policy)
}

fn start(now: Instant, keep: usize) -> LiveStart {
    let (ingest, policy) = ingest();
    let book = prices::builtin("list").unwrap();
    LiveStart { title: "live".into(), ingest, policy, book, now, keep, logs_time: false }
}

fn live(window: Option<Span>, keep: usize) -> Player {
    Player::live(start(at(0), keep), window)
}

fn loaded(lines: &[(i64, String)]) -> Log {
    let (ingest, policy) = ingest();
    let text = joined(lines.iter());
    let options = ReadOptions { format: Some(InputFormat::Native), ..ReadOptions::default() };
    let source = record::open(&Input::bytes("live", text.into_bytes()), &options).unwrap();
    Log::load("live".into(), source, ingest, policy, &prices::builtin("list").unwrap(), |_| true).unwrap()
}

/// Joins lines, each with its end.
fn joined<'a>(lines: impl Iterator<Item = &'a (i64, String)>) -> String {
    lines.fold(String::new(), |text, (_, line)| text + line + "\n")
}

/// One request, made by rule from a number.
fn line(number: u64, second: i64) -> (i64, String) {
    let pick =
        |n: u64, of: u64| (number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n * 977) >> 33) % of;
    let model = ["gpt-4.1", "gpt-4.1-nano", "gemini-2.5-flash", "claude-opus-4.6", "nobody-knows"]
        [usize::try_from(pick(1, 5)).unwrap()];
    let mut text = format!("{{\"id\":\"r-{number}\",\"at\":\"{}\"", at(second).rfc3339());
    let _ = write!(text, ",\"team\":\"t{}\",\"session\":\"s{}\"", pick(2, 4), pick(3, 50));
    let _ = write!(
        text,
        ",\"task\":\"{}\",\"confidence\":{}",
        ["code", "extraction"][usize::try_from(pick(4, 2)).unwrap()],
        pick(5, 1001)
    );
    if pick(6, 5) == 0 {
        let _ = write!(
            text,
            ",\"attempts\":[{{\"model\":\"gemini-2.5-flash\",\"status\":\"server_error\",\"in\":10,\"out\":0}},\
             {{\"model\":\"{model}\",\"in\":{},\"out\":{},\"latency_ms\":{}}}]}}",
            pick(7, 9000),
            pick(8, 700),
            pick(9, 9000)
        );
    } else {
        let status = if pick(10, 9) == 0 { "timeout" } else { "ok" };
        let _ = write!(
            text,
            ",\"model\":\"{model}\",\"status\":\"{status}\",\"in\":{},\"out\":{},\"latency_ms\":{}}}",
            pick(7, 9000),
            pick(8, 700),
            pick(9, 9000)
        );
    }
    (second, text)
}

/// Names what a person would see differently, of all that does not only say how it came about.
fn differences(a: &Snapshot, b: &Snapshot) -> Vec<String> {
    let ids = |picture: &Snapshot| -> Vec<(String, u32)> {
        let one = |index| (picture.log.history.id(index).to_owned(), picture.policy_at(index).version);
        (0..picture.log.len()).map(one).collect()
    };
    let strip = |picture: &Snapshot| {
        picture.log.strip.iter().fold((0, 0), |sum, cell| (sum.0 + cell.requests, sum.1 + cell.errors))
    };
    let spans = |picture: &Snapshot| -> Vec<(usize, u32)> {
        picture.policies.iter().map(|span| (span.from, span.policy.version)).collect()
    };
    let mut found = Vec::new();
    let mut same = |what: &str, same: bool, words: String| {
        if !same {
            found.push(format!("{what}: {words}"));
        }
    };
    let scope = |picture: &Snapshot| (picture.head, picture.window, picture.policy.version);
    same("scope", scope(a) == scope(b), format!("{:?} {:?}", scope(a), scope(b)));
    same("policies", ids(a) == ids(b), format!("{:?} {:?}", spans(a), spans(b)));
    same(
        "since the start",
        a.to_date.all == b.to_date.all,
        format!("{:?} {:?}", a.to_date.all.cost, b.to_date.all.cost),
    );
    same("window", a.totals.all == b.totals.all, format!("{:?} {:?}", a.totals.all.cost, b.totals.all.cost));
    // A part that has left the window may leave an empty cell behind.
    let held = |cells: &[Cell]| -> Vec<(usize, Cell)> {
        cells.iter().cloned().enumerate().filter(|(_, cell)| !cell.is_empty()).collect()
    };
    same("models", held(&a.totals.models) == held(&b.totals.models), String::new());
    same("routes", held(&a.totals.routes) == held(&b.totals.routes), String::new());
    same("what-if", a.consequences.routes == b.consequences.routes, String::new());
    // Over the whole log slots grow with it, in steps.
    same("trend", a.window.window.is_none() || a.trend == b.trend, String::new());
    same("errors", a.log.errors == b.log.errors, format!("{:?} {:?}", a.log.errors, b.log.errors));
    same("strip", strip(a) == strip(b), format!("{:?} {:?}", strip(a), strip(b)));
    found
}

/// A change of policy: when, and the value that one threshold gets.
type Turn = (i64, u16);

fn turned(base: &Policy, version: u32, value: u16) -> Policy {
    let mut policy = base.clone();
    policy.set_threshold(RouteId(1), 0, PerMille::new(value).unwrap()).unwrap();
    policy.version = version;
    policy
}

/// The same log loaded at once, with the changes made where they were, seen from its end.
fn reference(lines: &[(i64, String)], turns: &[Turn], live: &Snapshot) -> Player {
    let mut sorted = lines.to_vec();
    sorted.sort_by_key(|(second, _)| *second);
    // What estimates rest on is fitted at points that depend on what had come in by then; both are to use the same.
    let mut log = loaded(&sorted);
    let models = |log: &Log| log.names.models().to_vec();
    assert_eq!(
        {
            let mut a = models(&log);
            a.sort();
            a
        },
        {
            let mut b = models(&live.log);
            b.sort();
            b
        }
    );
    if models(&log) == models(&live.log) {
        log.profiles = live.log.profiles.clone();
    }
    let mut player = Player::new(Arc::new(log), live.reading, live.window.window);
    for &(second, value) in turns {
        let from = player.log().history.first_at(at(second));
        player.handle(Command::SeekEvent(from));
        player.handle(Command::SetThreshold(RouteId(1), 0, PerMille::new(value).unwrap()));
        player.handle(Command::Apply);
    }
    player.handle(Command::Follow);
    player
}

/// Makes all models known in one order, so that ids are the same whatever the order of requests.
fn prologue() -> Vec<(i64, String)> {
    let models = ["gpt-4.1", "gpt-4.1-nano", "gemini-2.5-flash", "claude-opus-4.6", "nobody-knows"];
    let mut lines = Vec::new();
    for (n, model) in models.iter().enumerate() {
        let text = format!(
            "{{\"id\":\"p-{n}\",\"at\":\"{}\",\"team\":\"t{n}\",\"task\":\"code\",\"confidence\":5,\"model\":\"{model}\",\"in\":1,\"out\":1}}",
            at(0).rfc3339()
        );
        lines.push((0, text));
    }
    lines
}

fn commands() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Toggle),
        Just(Command::Follow),
        Just(Command::Step(-3)),
        Just(Command::Step(1)),
        (0u16..=1000).prop_map(|share| Command::SeekShare(PerMille::new(share).unwrap())),
        (-400i64..400).prop_map(|seconds| Command::SeekBy(Span::secs(seconds))),
        Just(Command::NextError(false)),
        Just(Command::Read(Reading::Routed)),
        Just(Command::Read(Reading::Recorded)),
        Just(Command::Window(Some(Span::mins(5)))),
        Just(Command::Window(None)),
        Just(Command::Mark),
        Just(Command::SetSpeed(Speed::Tenths(3000))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Requests in any order, changes of policy in between, and somebody at the console all the time.
    #[test]
    fn whatever_the_order_it_is_the_log_loaded_at_once(
        seconds in proptest::collection::vec((0i64..900, any::<u32>()), 1..300),
        batch in 1usize..40,
        turns in proptest::collection::vec((1i64..900, 0u16..=1000), 0..4),
        at_batch in proptest::collection::vec(0usize..12, 4),
        commands in proptest::collection::vec((0usize..12, commands()), 0..24),
        window in prop_oneof![Just(None), Just(Some(Span::mins(5)))],
        routed in any::<bool>(),
    ) {
        let mut lines = prologue();
        lines.extend(seconds.iter().zip(1u64..).map(|(&(second, _), number)| line(number, second)));
        // The order of finishing: any.
        let mut fed: Vec<(u32, (i64, String))> = prologue().into_iter().map(|line| (0, line)).collect();
        fed.extend(lines.iter().skip(5).cloned().zip(&seconds).map(|(line, (_, order))| (order | 1, line)));
        fed.sort_by_key(|(order, _)| *order);
        let fed: Vec<(i64, String)> = fed.into_iter().map(|(_, line)| line).collect();
        let mut turns = turns;
        turns.sort_unstable();
        turns.dedup_by_key(|(second, _)| *second);
        let mut now_is = 500;
        turns.retain(|&(_, value)| std::mem::replace(&mut now_is, value) != value);
        let mut when: Vec<usize> = at_batch.iter().copied().take(turns.len()).collect();
        when.sort_unstable();

        let mut player = live(window, 1_000_000);
        let base = Arc::clone(&player.snapshot().policy);
        let mut turn = turns.iter().zip(&when).zip(2u32..).peekable();
        let batches: Vec<&[(i64, String)]> = fed.chunks(batch).collect();
        for number in 0..batches.len().max(12) {
            if let Some(lines) = batches.get(number) {
                let text = joined(lines.iter());
                player.extend(&text);
            }
            while let Some(((&(second, value), _), version)) = turn.next_if(|((_, when), _)| **when <= number) {
                player.policy_came(turned(&base, version, value), at(second), "somebody", Deed::Change(""));
            }
            for (_, command) in commands.iter().filter(|(when, _)| *when == number) {
                player.handle(command.clone());
                player.advance(Duration::from_millis(40), 50);
                player.snapshot();
            }
            player.tick(at(i64::try_from(number).unwrap()));
        }
        if routed {
            player.handle(Command::Read(Reading::Routed));
        }
        player.handle(Command::Follow);
        player.tick(at(900));
        let here = player.snapshot();
        prop_assert_eq!(here.play, Play::Following);
        // The clock of a live log runs on where nothing comes; a loaded one's stands at its end.
        let last = here.log.bounds().unwrap().1;
        player.handle(Command::SeekTime(last));
        let here = player.snapshot();
        // Requests of one moment stand in the order in which they came.
        let there = reference(&fed, &turns, &here).snapshot();
        prop_assert_eq!(differences(&here, &there), Vec::<String>::new());
    }
}

/// The first requests arrive in order and memory keeps few: what was let go is still in the sums since the start.
#[test]
fn what_memory_lets_go_stays_in_the_sums() {
    let mut player = live(Some(Span::mins(5)), 3000);
    let mut lines = prologue();
    lines.extend((0..20_000u64).map(|number| line(number, number.cast_signed() / 10)));
    for part in lines.chunks(500) {
        // A little disorder: neighbours finish in turn.
        let text = joined(part.iter().rev());
        player.extend(&text);
        player.tick(at(part[0].0));
    }
    let here = player.snapshot();
    let start = here.log.history.start();
    assert!(start >= 14_000 && here.log.len() == lines.len(), "{start} of {}", here.log.len());
    let turned: Vec<(i64, String)> = lines.chunks(500).flat_map(|part| part.iter().rev().cloned()).collect();
    let mut there = reference(&turned, &[], &here);
    let there = there.snapshot();
    assert_eq!(here.to_date.all, there.to_date.all);
    assert_eq!(here.to_date.models, there.to_date.models);
    let last = here.log.bounds().unwrap().1;
    player.handle(Command::SeekTime(last));
    let here = player.snapshot();
    assert_eq!((here.window.first, &here.totals.all), (there.window.first, &there.totals.all));
    // A request that took longer than memory reaches: counted, though nowhere to be seen.
    player.handle(Command::Follow);
    let (_, text) = line(77_777, 3);
    player.extend(&text);
    assert_eq!(player.snapshot().to_date.all.requests, there.to_date.all.requests + 1);
    assert_eq!(player.snapshot().log.len(), lines.len());
    // Further back than memory reaches there is nothing to see, and it says so.
    player.handle(Command::SeekEvent(10));
    let back = player.snapshot();
    assert_eq!((back.head, back.message.as_deref()), (start, Some("older traffic is in the ledger")));
    assert_eq!(back.to_date.all.requests, start as u64 + 1, "what was let go is in the sums here too");
    player.handle(Command::Read(Reading::Routed));
    player.handle(Command::Follow);
    assert_eq!(player.snapshot().to_date.all.requests, there.to_date.all.requests + 1);
}

/// Somebody who holds the view sees the same figures until they move it, while traffic goes on.
#[test]
fn a_held_view_stands_still() {
    let mut player = live(Some(Span::mins(15)), 100_000);
    let lines: Vec<String> = (0..200u64).map(|number| line(number, number.cast_signed() % 97).1).collect();
    player.extend(&lines[..100].join("\n"));
    player.tick(at(60));
    player.handle(Command::Toggle);
    let held = player.snapshot();
    assert_eq!(held.play, Play::Paused);
    player.extend(&lines[100..].join("\n"));
    player.tick(at(72));
    let later = player.snapshot();
    let view = later.live.clone().unwrap();
    assert_eq!((view.held, view.fresh, view.rewound), (Some(Span::secs(12)), 100, false));
    assert_eq!((held.head, held.clock, &held.totals), (later.head, later.clock, &later.totals));
    player.handle(Command::Toggle);
    let back = player.snapshot();
    assert_eq!((back.play, back.head, back.totals.all.requests), (Play::Following, 200, 200));
    // Scrolling back holds the view by itself; playing from there ends at the newest.
    player.handle(Command::SeekBy(Span::secs(-30)));
    let view = player.snapshot();
    assert!(view.play == Play::Paused && view.live.unwrap().rewound && view.head < 200);
    player.handle(Command::SetSpeed(Speed::Max));
    player.handle(Command::Toggle);
    assert_eq!(player.play, Play::Playing);
    while player.advance(Duration::from_millis(10), 16) {}
    assert_eq!((player.play, player.snapshot().head), (Play::Following, 200));
}

/// What is applied goes out and holds when the gateway says so; so does taking it back, on every console.
#[test]
fn changes_hold_when_they_come_back() {
    let (mut one, mut other) = (live(None, 1000), live(None, 1000));
    let base = Arc::clone(&one.snapshot().policy);
    one.handle(Command::SetThreshold(RouteId(1), 0, PerMille::new(400).unwrap()));
    one.handle(Command::Apply);
    let [Outgoing { policy, what, undo }] = one.take_outgoing().try_into().unwrap();
    assert!(!undo);
    assert_eq!(what, "rest · flash 500 → 400");
    assert_eq!((one.snapshot().policy.version, one.snapshot().staged.is_some()), (1, true));
    for console in [&mut one, &mut other] {
        console.policy_came(Policy { version: 2, ..(*policy).clone() }, at(5), "kim", Deed::Change(&what));
        let picture = console.snapshot();
        assert_eq!((picture.policy.version, picture.staged.is_some(), picture.undoable), (2, false, 1));
        assert_eq!((picture.changes[0].who.as_str(), picture.changes[0].at), ("kim", at(5)));
    }
    // The other one takes it back: a new version with the thresholds before.
    other.handle(Command::Undo);
    let [Outgoing { policy, what, undo }] = other.take_outgoing().try_into().unwrap();
    assert!(undo);
    assert_eq!((what.as_str(), policy.routes == base.routes), ("rest · flash 400 → 500", true));
    assert_eq!(
        policy.version, 2,
        "asked for over the version in force, or the gateway takes it for an old one"
    );
    one.policy_came(Policy { version: 3, ..(*policy).clone() }, at(9), "sam", Deed::Undo(&what));
    assert_eq!((one.snapshot().policy.version, one.snapshot().undoable), (3, 0));
    one.tell(|view| view.read_only = Some("this key may only read".into()));
    one.handle(Command::SetThreshold(RouteId(1), 0, PerMille::new(300).unwrap()));
    one.handle(Command::Apply);
    assert_eq!(one.snapshot().message.as_deref(), Some("not applied: this key may only read"));
    assert!(one.take_outgoing().is_empty());
}

/// A console that comes later starts with the policy it finds; that is no change it could take back.
#[test]
fn a_console_that_comes_later_starts_with_the_policy_in_force() {
    let mut player = live(None, 1000);
    let base = Arc::clone(&player.snapshot().policy);
    player.policy_came(turned(&base, 7, 222), at(-500), "kim", Deed::Change("rest · flash 500 → 222"));
    player.extend(&line(1, 4).1);
    let picture = player.snapshot();
    assert_eq!((picture.policy.version, picture.undoable, picture.changes.len()), (7, 0, 0));
    assert_eq!(picture.policy_at(0).version, 7);
    player.policy_came(turned(&base, 8, 333), at(6), "kim", Deed::Change(""));
    assert_eq!((player.snapshot().policy.version, player.snapshot().undoable), (8, 1));
}

/// Indices that a reader holds can be followed through what came in between.
#[test]
fn a_reader_can_follow_an_index() {
    let mut player = live(None, 100_000);
    player.extend(&[line(1, 10).1, line(2, 20).1, line(3, 30).1].join("\n"));
    let before = player.snapshot().log;
    player.extend(&[line(4, 15).1, line(5, 5).1, line(6, 40).1].join("\n"));
    let after = player.snapshot().log;
    assert!(after.inserts.same_log(&before.inserts));
    for (index, id) in ["r-1", "r-2", "r-3"].into_iter().enumerate() {
        let now = after.inserts.moved(index, before.inserts.count()).unwrap();
        assert_eq!((before.history.id(index), after.history.id(now)), (id, id));
    }
    assert_eq!(after.inserts.since(before.inserts.count()).unwrap().min(), Some(0));
}

/// Else a log of May that is followed in November has the rate of half a year, and no chart.
#[test]
fn a_log_that_is_followed_keeps_its_own_time() {
    let today = at(190 * 86_400);
    for window in [None, Some(Span::mins(15))] {
        let mut player = Player::live(LiveStart { logs_time: true, ..start(today, 10_000) }, window);
        let first: Vec<_> = (0..400).map(|number| line(number, i64::try_from(number).unwrap())).collect();
        player.extend(&joined(first.iter()));
        assert!(!player.tick(today + Span::secs(5)), "nothing to draw: no time passes in it");
        let last = loaded(&first).bounds().unwrap().1;
        let shown = player.snapshot();
        assert_eq!((shown.clock, shown.window.to, shown.live.as_ref().unwrap().now), (last, last, last));
        assert_eq!(shown.totals.all.requests, 400);
        player.extend(&joined([line(400, 1_200)].iter()));
        let shown = player.snapshot();
        assert!(shown.clock > last && shown.window.covered() < Span::hours(1), "{:?}", shown.window);
        // How long a view is held is told in the time of whoever holds it.
        player.handle(Command::Toggle);
        assert!(player.tick(today + Span::secs(17)));
        assert_eq!(player.snapshot().live.unwrap().held, Some(Span::secs(12)));
    }
}

#[test]
fn budgets_over_a_followed_log_stand_as_over_the_log_loaded_at_once() {
    const BUDGETS: &str = "[budget.all]\nlimit = { hour = 5, day = \"9.5\" }\n[budget.teams]\neach = \"team\"\nlimit = { day = 1 }\n";
    let limits = budgets::parse(BUDGETS, "budgets.toml").unwrap();
    let lines: Vec<(i64, String)> = (0..300u64).map(|n| line(n, i64::try_from(n).unwrap() * 29)).collect();
    // Each third request is told long after later ones.
    let (late, early): (Vec<_>, Vec<_>) = lines.iter().enumerate().partition(|(n, _)| n % 3 == 2);
    let order = early.iter().take(120).chain(&late[..40]).chain(&early[120..]).chain(&late[40..]);
    let start = LiveStart { logs_time: true, ..start(at(0), 1000) };
    let mut player = Player::live(start, None);
    player.set_budgets(&limits.clone().into(), "budgets.toml".to_owned());
    for (nth, (_, (_, line))) in order.enumerate() {
        player.extend(&format!("{line}\n"));
        if nth % 7 == 0 {
            player.snapshot();
        }
    }
    let mut whole = Player::new(Arc::new(loaded(&lines)), Reading::Recorded, None);
    whole.set_budgets(&limits.clone().into(), "budgets.toml".to_owned());
    whole.handle(Command::Follow);
    let sums = |player: &mut Player| -> Vec<_> {
        let picture = player.snapshot();
        let mut rows: Vec<_> = picture
            .budgets()
            .rows
            .iter()
            .map(|row| {
                let whose = (row.budget.clone(), row.window.clone(), row.member.clone());
                (whose, row.spent, row.assumed, row.calls, row.expected, row.runs_out.is_some())
            })
            .collect();
        rows.sort();
        rows
    };
    let (followed, at_once) = (sums(&mut player), sums(&mut whole));
    assert!(followed.len() >= 6 && followed.iter().any(|row| row.4.is_some()), "{followed:?}");
    assert_eq!(followed, at_once);
}

#[test]
fn a_what_if_beside_a_gateway_goes_on_from_what_was_spent_before() {
    let line = |n: i64| {
        let text = format!(
            "{{\"id\":\"r-{n}\",\"at\":\"{}\",\"team\":\"a\",\"task\":\"code\",\"confidence\":650,\"model\":\"gpt-4.1\",\"in\":1000,\"cache_read\":0,\"out\":1000}}",
            at(n).rfc3339()
        );
        (n, text)
    };
    // A cent each.
    let log = loaded(&(0..100).map(line).collect::<Vec<_>>());
    let limits =
        budgets::parse("[budget.all]\nlimit = { day = 2 }\nover = \"refuse\"\n", "budgets.toml").unwrap();
    let usd = |text: &str| Pico::from_usd(text).unwrap();
    let row = |spent: &str| {
        let mut budgets = Budgets::new(limits.clone());
        budgets.carry(&limits[0], "", at(0), usd(spent));
        BudgetRow::from(&budgets.standings(at(0), false)[0])
    };
    let spans = log.spans();
    let mut cheaper = (*log.policy).clone();
    cheaper.routes[0].set_thresholds(&[PerMille::new(100).unwrap()]).unwrap();
    let cheaper = [PolicySpan { from: 0, policy: Arc::new(cheaper) }];
    let tried = |now: &[BudgetRow], job: &RerunJob| {
        let rules = Some(Arc::new(Rules::default()));
        let tries = Tries { limits: limits.clone().into(), rules, now: now.into() };
        try_beside(&log, &spans, job, &tries, || true).unwrap()
    };
    let job = |policies: &[PolicySpan], limits: &[TriedLimit]| RerunJob {
        policies: policies.into(),
        limits: limits.into(),
        first: 0,
        end: log.len(),
    };
    let policy = |now: &[BudgetRow]| tried(now, &job(&cheaper, &[]));
    let alone = policy(&[]);
    assert_eq!((alone.refused, alone.rows[0].applied.unwrap().spent), ((0, 0), usd("1")));
    // With 2.4 spent in all there was 1.4 before the log began: of its hundred cents sixty found room, and all of nano's calls.
    let found = policy(&[row("2.4")]);
    let [applied, staged] = [found.rows[0].applied.unwrap(), found.rows[0].staged.unwrap()];
    assert_eq!((found.refused, applied.ran_out, staged.ran_out), ((40, 0), Some(at(60)), None));
    assert_eq!((applied.spent, staged.limit), (usd("2"), usd("2")));
    let names: Vec<&str> = found.told.iter().map(|alert| alert.name.as_str()).collect();
    assert!(names.contains(&"budget all/day 100%"), "{found:?}");
    let full = found.told.iter().find(|alert| alert.name == "budget all/day 100%").unwrap();
    assert!(full.fired[0].is_some() && full.fired[1].is_none(), "{full:?}");
    // A limit that is tried counts what was spent before, too: with 1.7 there are thirty cents of room.
    let aim = LimitAim::parse("all/day 1.7").unwrap();
    let lower = [TriedLimit { aim, in_force: usd("2") }];
    let found = tried(&[row("2.4")], &job(&spans, &lower));
    let [applied, staged] = [found.rows[0].applied.unwrap(), found.rows[0].staged.unwrap()];
    assert_eq!((found.refused, applied.ran_out, staged.ran_out), ((40, 70), Some(at(60)), Some(at(30))));
    assert_eq!((applied.limit, staged.limit, staged.spent), (usd("2"), usd("1.7"), usd("1.7")));
}

/// A session that takes nothing.
struct Nobody;

impl LiveControl for Nobody {
    fn read_only(&self) -> Option<Arc<str>> {
        None
    }
    fn owns(&self) -> bool {
        false
    }
    fn apply(&mut self, _: &Policy, _: &Names, _: Deed<'_>) -> Result<(), String> {
        Err("nobody".to_owned())
    }
    fn send(&mut self, _: Question) -> Result<(), String> {
        Err("nobody".to_owned())
    }
    fn drain(&mut self) {}
}

#[test]
fn a_threshold_that_is_staged_while_traffic_comes_is_tried_against_the_budgets_in_force() {
    let limits = budgets::parse("[budget.all]\nlimit = { day = 0.01 }\n", "budgets.toml").unwrap();
    let tries = Tries { limits: limits.into(), rules: Some(Arc::new(Rules::default())), ..Tries::default() };
    let (feed, fed) = std::sync::mpsc::channel();
    let (shown, pictures) = std::sync::mpsc::channel();
    let publish = move |snapshot: Arc<Snapshot>| shown.send(snapshot).is_ok();
    let worker = spawn_live(live(None, 1000), fed, Box::new(Nobody), publish).unwrap();
    feed.send(Feed::Status(Arc::new(LiveStatus { tries, ..LiveStatus::default() }))).unwrap();
    let lines: Vec<_> = (0..200).map(|n| line(n, i64::try_from(n).unwrap())).collect();
    feed.send(Feed::Lines(joined(lines.iter()).into())).unwrap();
    worker.send(Command::SetThreshold(RouteId(0), 0, PerMille::new(100).unwrap()));
    // A picture a second at least, so this waits a minute for what takes a moment.
    let found = pictures.iter().take(600).find_map(|snapshot| match &snapshot.rerun {
        RerunState::Tried(found) => Some(Arc::clone(found)),
        _ => None,
    });
    let found = found.unwrap();
    assert!(found.refused.0 > 0 && found.alerts.is_some_and(|(applied, _)| applied > 0), "{found:?}");
    // What is dropped is not tried any more.
    worker.send(Command::Stage(None));
    assert!(pictures.iter().take(600).any(|snapshot| snapshot.rerun == RerunState::Idle));
}

/// An undo of what a rollout or an automation did by itself would put shares of sessions back that nobody guards.
#[test]
fn what_a_rollout_or_an_automation_did_is_nothing_for_a_console_to_take_back() {
    let mut player = live(None, 1000);
    let base = Arc::clone(&player.snapshot().policy);
    player.policy_came(turned(&base, 2, 222), at(3), "kim", Deed::Change("flash 222"));
    assert_eq!(player.snapshot().undoable, 1);
    player.policy_came(turned(&base, 3, 333), at(4), "automation night", Deed::Change("shifted"));
    assert_eq!(player.snapshot().undoable, 0, "what lies beneath would take that away, too");
    player.handle(Command::Undo);
    assert!(player.take_outgoing().is_empty());
    player.policy_came(turned(&base, 4, 444), at(5), "kim", Deed::Change("flash 444"));
    player.policy_came(turned(&base, 5, 444), at(6), "rollout cheaper", Deed::Change("taken back"));
    assert_eq!(player.snapshot().undoable, 0);
}
