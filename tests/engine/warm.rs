//! Sessions that are warm somewhere: they stay or go by expected dollars, the trail shows both costs, and a replay decides the same.

use std::sync::Arc;
use std::sync::mpsc::channel;

use pointsman::budget::LimitHistory;
use pointsman::classifier::{Classifier, Measures};
use pointsman::config::{caching, policy, prices};
use pointsman::pricing::{PriceBook, Usage};
use pointsman::prompt_cache::{Tie, account_number};
use pointsman::record::{self, Input, ReadOptions};
use pointsman::routing::{Policy, Status};
use pointsman::session::{
    Arriving, Called, Command, Ingest, IngestOptions, Live, LiveSetup, Log, Placed, Player, Reading, explain,
};
use pointsman::units::{Count, Instant, Names, PerMille, Span};

const PRICES: &str = "name = \"p\"\ndated = \"2026-11-23\"\nsource = \"made up\"\n\
    [models.\"claude-opus-4-6\"]\nprovider = \"anthropic\"\ninput = 5\noutput = 25\ncache_read = 0.5\nwrite_5m = 6.25\n\
    [models.\"claude-sonnet-4-5\"]\nprovider = \"anthropic\"\ninput = 3\noutput = 15\ncache_read = 0.3\nwrite_5m = 3.75\n";

const POLICY: &str = "name = \"one\"\n[[route]]\nname = \"all\"\ncache = \"aware\"\nladder = [\n\
    { rung = \"sonnet\", model = \"claude-sonnet-4-5\", threshold = 600 },\n\
    { rung = \"opus\", model = \"claude-opus-4-6\" },\n]\n";

fn book() -> PriceBook {
    prices::from_toml(PRICES, "test").unwrap()
}

struct Sandbox {
    live: Live,
    policy: Arc<Policy>,
    names: Names,
    lines: std::sync::mpsc::Receiver<Arc<str>>,
    now: Instant,
    count: usize,
}

impl Sandbox {
    fn new(text: &str) -> Self {
        let mut names = Names::default().knowing(Arc::new(book()));
        let policy = policy::parse(text, "test", &mut names).unwrap();
        let now = Instant::from_secs(1_790_000_000);
        let live = Live::new(LiveSetup {
            policy: policy.clone(),
            names: names.share(),
            classifier: Arc::new(Classifier::builtin()),
            book: book(),
            next_seq: 1,
            at: now,
            who: "test".to_owned(),
            gateway: String::new(),
        });
        live.know_caches(caching::layered(None).unwrap());
        let (send, lines) = channel();
        live.follow(Box::new(move |line| send.send(Arc::clone(line)).is_ok()));
        Self { live, policy: Arc::new(policy), names, lines, now, count: 0 }
    }

    fn come(
        &mut self,
        session: &str,
        tokens: u64,
        confidence: u16,
        change: impl FnOnce(&mut Arriving<'_>),
    ) -> Placed {
        self.now = self.now + Span::secs(30);
        self.count += 1;
        let mut arriving = Arriving {
            id: format!("r-{}", self.count).into(),
            session: session.into(),
            asked: "auto".into(),
            confidence: PerMille::new(confidence),
            measures: Measures {
                prompt_tokens: Some(tokens),
                task: Some(pointsman::classifier::TaskClass::Code),
                ..Measures::default()
            },
            ..Arriving::default()
        };
        change(&mut arriving);
        self.live.arrive(arriving, self.now)
    }

    /// Serves a turn; returns the model, and what the log says of it.
    fn turn(&mut self, session: &str, tokens: u64, confidence: u16, read: u64) -> (String, String) {
        let mut placed = self.come(session, tokens, confidence, |_| {});
        let model = placed.send.as_ref().unwrap().model.to_string();
        self.answer(&mut placed, tokens, read, "anthropic/one");
        (model, self.lines.try_iter().last().unwrap().to_string())
    }

    fn answer(&mut self, placed: &mut Placed, tokens: u64, read: u64, provider: &str) {
        let count = |tokens| Count::new(tokens).unwrap();
        let usage = Usage {
            cache_read: count(read),
            write_5m: count(tokens - read),
            output: count(800),
            ..Usage::NONE
        };
        let model = Arc::clone(&placed.send.as_ref().unwrap().model);
        let called = Called {
            model,
            provider: provider.into(),
            usage,
            status: Status::Ok,
            latency_ms: Some(900),
            ..Called::default()
        };
        self.live.ended(&mut placed.ticket, called, false).unwrap();
    }
}

fn load(sandbox: &Sandbox, lines: &[String]) -> Arc<Log> {
    let input = Input::bytes("live.jsonl", lines.concat().into_bytes());
    let source = record::open(&input, &ReadOptions::default()).unwrap();
    let ingest = Ingest::new(sandbox.names.share(), Classifier::builtin(), &IngestOptions::default());
    let ingest = ingest.caching(caching::layered(None).unwrap());
    Arc::new(
        Log::load("live".into(), source, ingest, Arc::clone(&sandbox.policy), &book(), |_| true).unwrap(),
    )
}

#[test]
fn a_warm_session_stays_says_both_costs_and_replays_the_same() {
    let mut sandbox = Sandbox::new(POLICY);
    let mut lines: Vec<String> = Vec::new();
    // A hard turn first, so the session is on Opus; then easy ones, which Sonnet might answer.
    let (first, line) = sandbox.turn("s", 50_000, 100, 0);
    assert_eq!(first, "claude-opus-4-6");
    assert!(line.contains("cache-expected:"), "{line}");
    let (second, line) = sandbox.turn("s", 50_500, 900, 50_000);
    assert_eq!(second, "claude-opus-4-6", "a change would throw a warm prefix away: {line}");
    assert!(line.contains("cache-at:claude-opus-4-6") && line.contains("cache-down:"), "{line}");
    let (other, _) = sandbox.turn("t", 50_500, 900, 0);
    assert_eq!(other, "claude-sonnet-4-5", "a new session goes where its confidence says");
    // Cold after an hour: nothing holds it any more.
    sandbox.now = sandbox.now + Span::hours(1);
    let (later, _) = sandbox.turn("s", 51_000, 900, 0);
    assert_eq!(later, "claude-sonnet-4-5");
    let (up, line) = sandbox.turn("s", 51_500, 100, 0);
    assert_eq!(up, "claude-opus-4-6", "hard turns go up");
    assert!(line.contains("cache-up:"), "{line}");

    let mut again = Sandbox::new(POLICY);
    lines.extend(again.lines.try_iter().map(|line| line.to_string()));
    for (session, tokens, confidence, read) in
        [("s", 50_000, 100, 0), ("s", 50_500, 900, 50_000), ("t", 50_500, 900, 0), ("s", 51_000, 900, 50_500)]
    {
        lines.push(again.turn(session, tokens, confidence, read).1);
    }
    let log = load(&again, &lines);
    let mut player = Player::new(Arc::clone(&log), Reading::Routed, None);
    player.handle(Command::SeekEvent(log.len()));
    let (picture, _) = again.live.snapshot();
    let played = player.snapshot().to_date.all.clone();
    assert_eq!(played.cost, picture.totals.all.cost);
    assert_eq!((played.expected, played.billed, played.foretold), {
        let all = &picture.totals.all;
        (all.expected, all.billed, all.foretold)
    });
    assert_eq!(played.foretold, 4);
    let explained = explain(&log, 1, log.policy_at(1)).unwrap();
    let line = explained.trail.iter().find(|(stage, _)| *stage == "cache").unwrap();
    assert!(line.1.starts_with("stays on opus (claude-opus-4-6), where it is warm: $"), "{}", line.1);
    assert!(explained.facts.contains(&("account", "anthropic/one".to_owned())), "{:?}", explained.facts);
}

#[test]
fn tool_loops_are_locked_and_a_change_of_account_is_a_switch() {
    let mut sandbox = Sandbox::new(POLICY);
    // Easy turns of sessions here come in threes, and no session asks for more afterwards.
    for (session, turn) in (0..20).flat_map(|session| (0..3).map(move |turn| (session, turn))) {
        sandbox.turn(&format!("easy-{session}"), 5_000 + turn * 500, 900, 0);
    }
    sandbox.turn("s", 50_000, 100, 0);
    let stays = sandbox.come("s", 50_500, 900, |_| {});
    assert_eq!(&*stays.send.as_ref().unwrap().model, "claude-opus-4-6", "it is warm there");
    let tied = sandbox.come("s", 50_500, 900, |arriving| arriving.tie = Some(Tie::Tools));
    assert_eq!(&*tied.send.as_ref().unwrap().model, "claude-opus-4-6");
    assert_eq!(tied.account, account_number("anthropic/one"), "it is to be called where it is warm");
    let gone = sandbox.come("s", 50_500, 900, |arriving| {
        arriving.blocked = [account_number("anthropic/one")].into();
    });
    assert_eq!(&*gone.send.as_ref().unwrap().model, "claude-sonnet-4-5", "no other account has any of it");
    let blind = POLICY.replace("cache = \"aware\"\n", "");
    let mut sandbox = Sandbox::new(&blind);
    let (_, line) = sandbox.turn("s", 50_000, 100, 0);
    assert!(!line.contains("cache-"), "who does not mind caches keeps nothing of them: {line}");
    assert_eq!(sandbox.turn("s", 50_500, 900, 0).0, "claude-sonnet-4-5");
}

#[test]
fn a_policy_that_minds_caches_is_run_anew_with_what_changes_cost() {
    let blind = POLICY.replace("cache = \"aware\"\n", "");
    let mut sandbox = Sandbox::new(&blind);
    let mut lines: Vec<String> = Vec::new();
    // Recorded: every other turn goes to Sonnet, and finds less of itself each time.
    for turn in 0..12u64 {
        let (confidence, read) = if turn % 2 == 0 { (100, 0) } else { (900, 0) };
        lines.push(sandbox.turn("s", 50_000 + turn * 500, confidence, read).1);
    }
    let mut names = sandbox.names.share();
    let aware = Arc::new(policy::parse(POLICY, "test", &mut names).unwrap());
    // Without its policies, so that the one at hand decides.
    let lines: Vec<String> = lines.into_iter().filter(|line| !line.contains("\"event\"")).collect();
    let log = load(&Sandbox { policy: aware, names, ..Sandbox::new(POLICY) }, &lines);
    let mut player = Player::new(Arc::clone(&log), Reading::Routed, None);
    player.handle(Command::SeekEvent(log.len()));
    let routed = player.snapshot().to_date.clone();
    let mut player = Player::new(Arc::clone(&log), Reading::Recorded, None);
    player.handle(Command::SeekEvent(log.len()));
    let recorded = player.snapshot().to_date.clone();
    let (aware, blind) = (routed.all.cost.total(), recorded.all.cost.total());
    assert!(aware.0 * 2 < blind.0, "{} beside {}", aware.usd(), blind.usd());
    assert!(routed.all.tokens.cache_read > 400_000, "{}", routed.all.tokens.cache_read);
}

/// A day of calls that cost five cents each, of which something else was expected.
fn foretold(calls: usize, expected_pico: u64) -> Log {
    use std::fmt::Write as _;
    let mut text = String::from("{\"pointsman_log\":1}\n");
    for nth in 0..calls {
        let at = (Instant::from_secs(1_790_000_000) + Span::secs(i64::try_from(nth).unwrap() * 20)).rfc3339();
        let _ = writeln!(
            text,
            "{{\"id\":\"r{nth}\",\"at\":\"{at}\",\"session\":\"s\",\"task\":\"agent\",\"confidence\":100,\"model\":\"claude-opus-4-6\",\
             \"in\":10000,\"cache_read\":0,\"write_5m\":0,\"out\":0,\"ms\":900,\"down\":[\"cache-expected:{expected_pico}\"]}}"
        );
    }
    let mut names = Names::default();
    let policy = Arc::new(policy::parse(POLICY, "policy.toml", &mut names).unwrap());
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let source = record::open(&Input::bytes("l.jsonl", text.into_bytes()), &ReadOptions::default()).unwrap();
    Log::load("l".into(), source, ingest, policy, &book(), |_| true).unwrap()
}

#[test]
fn calls_that_cost_over_a_twentieth_more_or_less_than_was_expected_are_told_of_once_a_day() {
    use pointsman::alert::{Rules, Source};
    use pointsman::session::alerts;
    let fired = |calls, expected| {
        let log = foretold(calls, expected);
        let all = alerts(&log, Arc::new(Rules::default()), &LimitHistory::default(), |_| true).unwrap();
        all.into_iter().filter(|alert| alert.source == Source::Expected).collect::<Vec<_>>()
    };
    for (expected, more) in [(45_000_000_000, "cost more than"), (55_000_000_000, "cost less than")] {
        let [alert] = <[_; 1]>::try_from(fired(40, expected)).unwrap();
        assert_eq!((&*alert.scope, alert.resolved), ("model claude-opus-4-6", None));
        assert!(alert.words.contains("30 calls") && alert.words.contains(more), "{}", alert.words);
        assert!(alert.words.contains("$1.50, not $"), "{}", alert.words);
    }
    assert!(fired(40, 48_000_000_000).is_empty(), "4 % off is within bounds");
    assert!(fired(29, 10_000_000_000).is_empty(), "too few calls show nothing");
}
