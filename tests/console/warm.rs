//! What prompt caches hold, on screen: what was expected beside what was billed, and what changes of model cost.

use std::fmt::Write as _;
use std::time::Duration;

use pointsman::config::caching;
use pointsman::session::{PolicySpan, RerunState, switching};

use super::*;

const LADDER: &str = "[[route]]\nname = \"all\"\nladder = [\n\
    { rung = \"sonnet\", model = \"claude-sonnet-4-6\", threshold = 600 },\n{ rung = \"opus\", model = \"claude-opus-4-6\" },\n]\n";

/// One session whose turns go to two models in turn, each time writing anew what it says.
fn agents(policy: &str) -> Arc<Log> {
    let mut text = String::new();
    for turn in 0..40i64 {
        let (model, confidence) =
            if turn % 2 == 0 { ("claude-opus-4-6", 100) } else { ("claude-sonnet-4-6", 900) };
        let at = (Instant(1_790_000_000_000_000) + Span::secs(turn * 20)).rfc3339();
        let _ = writeln!(
            text,
            "{{\"id\":\"{turn}\",\"at\":\"{at}\",\"session\":\"s\",\"task\":\"agent\",\"confidence\":{confidence},\"model\":\"{model}\",\
             \"in\":0,\"cache_read\":0,\"write_5m\":{},\"out\":300,\"ms\":900,\"down\":[\"cache-expected:200000000000\"]}}",
            40_000 + turn * 500
        );
    }
    let mut names = Names::default();
    let policy = Arc::new(policy::parse(policy, "policy.toml", &mut names).unwrap());
    let ingest = Ingest::new(names, Classifier::builtin(), &IngestOptions::default());
    let ingest = ingest.caching(caching::layered(None).unwrap());
    let input = Input::bytes("agents.jsonl", text.into_bytes());
    let source = record::open(&input, &ReadOptions::default()).unwrap();
    let book = prices::builtin("list").unwrap();
    Arc::new(Log::load("agents".into(), source, ingest, policy, &book, |_| true).unwrap())
}

fn sandbox(log: &Arc<Log>, screen: ScreenId, size: (u16, u16)) -> Sandbox {
    let mut sandbox = Sandbox::open(log, screen, size);
    sandbox.player.handle(Command::SeekEvent(log.len()));
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    sandbox.draw();
    sandbox
}

#[test]
fn a_model_says_what_was_expected_of_its_calls_and_which_sessions_are_warm() {
    let log = agents(LADDER);
    for size in [(80, 24), (120, 36), (200, 60)] {
        let text = sandbox(&log, ScreenId::Models, size).text();
        if size.1 == 60 {
            assert!(text.contains("sessions warm now") && text.contains("cost expected"), "{text}");
            assert!(text.contains("billed, expected beside it"), "{text}");
        }
    }
}

#[test]
fn tune_shows_what_changes_of_model_cost_in_force_and_staged() {
    let log = agents(LADDER);
    let aware = LADDER.replace("name = \"all\"\n", "name = \"all\"\ncache = \"aware\"\n");
    let mut names = log.names.share();
    let staged = Arc::new(policy::parse(&aware, "policy.toml", &mut names).unwrap());
    let span = |policy| vec![PolicySpan { from: 0, policy }];
    let sides = [span(Arc::clone(&log.policy)), span(Arc::clone(&staged))];
    let both = sides.map(|side| switching(&log, &side, (0, log.len()), || true).unwrap());
    let [applied, tried] = both;
    assert_eq!((applied.turns, applied.switches), (40, 39));
    assert!(tried.switches < 3, "{tried:?}");
    assert!(tried.lost < applied.lost && tried.cost.total() < applied.cost.total(), "{both:?}");
    for size in [(80, 24), (120, 36), (200, 60)] {
        let mut sandbox = sandbox(&log, ScreenId::Tune, size);
        sandbox.player.handle(Command::Stage(Some(Arc::clone(&staged))));
        let mut snapshot = sandbox.player.snapshot();
        snapshot.rerun = RerunState::Done {
            requests: 40,
            cost: tried.cost,
            agrees: false,
            in_order: true,
            took: Duration::from_millis(1),
            budgets: None,
            switching: Some(Box::new(both)),
        };
        sandbox.app.update(Arc::new(snapshot));
        let text = sandbox.text();
        if size.1 == 60 {
            assert!(
                text.contains("changes of model") && text.contains("warm prompts lost by them"),
                "{text}"
            );
        }
    }
}
