//! The screen Worlds: the log branched at the play head, side by side, as `replay --world` has it.

use pointsman::budget::LimitHistory;
use pointsman::config::world;
use pointsman::session::{BranchPlan, BranchState, BranchesOf, branch_out};

use super::*;

fn plan(name: &str) -> Arc<BranchPlan> {
    let (_, text) = world::BUILTIN.iter().find(|(known, _)| *known == name).unwrap();
    Arc::new(BranchPlan {
        file: name.to_owned(),
        world: world::parse(text, name).unwrap(),
        tried: Vec::new(),
    })
}

fn tried(log: &Arc<Log>, name: &str, size: (u16, u16)) -> Sandbox {
    let mut sandbox = Sandbox::open(log, ScreenId::Worlds, size);
    sandbox.player.handle(Command::Branch(plan(name)));
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    sandbox
}

#[test]
fn a_world_is_tried_from_the_play_head_on_and_its_figures_are_those_of_the_command_line() {
    let log = log();
    for size in SIZES {
        let mut sandbox = tried(&log, "429-storm", size);
        let text = sandbox.text();
        assert!(text.contains("all branches together") && text.contains("x cancels"), "{text}");
        sandbox.player.run_branches();
        sandbox.app.update(Arc::new(sandbox.player.snapshot()));
        let text = sandbox.text();
        for words in
            ["as it was", "in this world", "cost", "refused", "escalated", "p95", "estimated in part"]
        {
            assert!(text.contains(words), "{size:?} {words}: {text}");
        }
        let shown = sandbox.player.snapshot();
        let BranchState::Done(found) = &shown.branches else { panic!("{:?}", shown.branches) };
        assert!(!found.is_whole && found.start == shown.clock);
        // The same, asked for as a command line does.
        let spans = log.spans();
        let of = BranchesOf {
            log: &log,
            policies: &spans,
            limits: &LimitHistory::default(),
            from: Some(shown.clock),
            staged: None,
        };
        let again = branch_out(of, &plan("429-storm"), |_, _| true).unwrap().unwrap();
        for (one, other) in found.runs.iter().zip(&again.runs) {
            assert_eq!(one.found.totals.all, other.found.totals.all, "{}", one.name);
        }
        let [as_it_was, stormy] = [0, 1].map(|at| &found.runs[at].found);
        assert!(stormy.seen.failed_calls > 0 && as_it_was.seen.failed_calls == 0);
        assert!(text.contains("calls failed") || size.1 < 36, "{text}");
    }
}

#[test]
fn what_is_staged_is_a_branch_and_what_was_tried_can_be_forgotten() {
    let log = log();
    let mut sandbox = Sandbox::open(&log, ScreenId::Tune, (200, 60));
    sandbox.keys("H");
    sandbox.keys("H");
    assert!(sandbox.shown().staged.is_some());
    sandbox.player.handle(Command::Branch(plan("price-cut")));
    sandbox.player.run_branches();
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    sandbox.app.action(pointsman::console::action::Action::Worlds);
    let text = sandbox.text();
    assert!(text.contains("staged") && text.contains("change"), "{text}");
    sandbox.keys("x");
    assert!(matches!(sandbox.shown().branches, BranchState::Idle));
    assert!(sandbox.text().contains("Enter tries it from the play head on"), "{}", sandbox.text());
    sandbox.keys("M");
    assert!(sandbox.text().contains("nothing to write yet"), "{}", sandbox.text());
}

#[test]
fn a_world_that_cannot_be_says_why_and_keys_ask_for_what_they_say() {
    let log = log();
    let mut sandbox = tried(&log, "dst-reset", (120, 36));
    sandbox.player.handle(Command::DropBranches);
    let broken = world::parse("title = \"x\"\n[[amount]]\nlimit = \"a/day\"\nusd = 1\n", "x.toml").unwrap();
    let plan = BranchPlan { file: "x.toml".to_owned(), world: broken, tried: Vec::new() };
    sandbox.player.handle(Command::Branch(Arc::new(plan)));
    sandbox.player.run_branches();
    sandbox.app.update(Arc::new(sandbox.player.snapshot()));
    assert!(sandbox.text().contains("no budget has the limit `a/day`"), "{}", sandbox.text());
    let press =
        |sandbox: &mut Sandbox, code| sandbox.app.event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    let asked = |world: &str, beside: &[&str]| Do::Branch {
        world: world.to_owned(),
        beside: beside.iter().map(|text| (*text).to_owned()).collect(),
    };
    assert_eq!(press(&mut sandbox, KeyCode::Enter), [asked("price-cut", &[])]);
    sandbox.key(KeyCode::Down, KeyModifiers::NONE);
    sandbox.keys("a");
    sandbox.keys("extraction.flash=588 mine.toml");
    let beside = [asked("429-storm", &["extraction.flash=588", "mine.toml"])];
    assert_eq!(press(&mut sandbox, KeyCode::Enter), beside);
}

#[test]
fn a_replay_says_why_nothing_is_rolled_out_and_what_would_show_it() {
    let log = log();
    for size in SIZES {
        let mut sandbox = Sandbox::open(&log, ScreenId::Rollout, size);
        let text = sandbox.text();
        for words in ["a replay rolls nothing out", "pointsman rollout LOG", "pointsman steer LOG"] {
            assert!(text.contains(words), "{size:?} {words}: {text}");
        }
        assert!(!text.contains('`') && !text.contains("take back"), "no order that is refused: {text}");
        sandbox.keys("s");
        assert!(sandbox.text().contains("nothing is rolled out in a replay"), "{}", sandbox.text());
    }
}
