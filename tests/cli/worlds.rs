//! A log in a world that is not as it was: every figure by hand, and the same bytes each time.

use std::fmt::Write as _;

use serde_json::Value;

use super::program::Sandbox;

/// Eight extractions, ten seconds apart, that Flash serves for 0.0003 + 0.00025 dollars each.
fn log() -> String {
    let mut log = String::new();
    for nth in 0..8 {
        let _ = writeln!(
            log,
            r#"{{"id":"r-{nth}","at":"2026-05-23T10:0{}:{}0Z","team":"search","task":"extraction","confidence":700,"model":"gemini-2.5-flash","in":1000,"out":100,"latency_ms":100}}"#,
            nth / 6,
            nth % 6
        );
    }
    log
}

fn sandbox(world: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("log.jsonl", log());
    sandbox.write("world.toml", world);
    sandbox
}

fn run(sandbox: &Sandbox, args: &str) -> Value {
    serde_json::from_str(&sandbox.good(&format!("replay log.jsonl --world world.toml --format json {args}")))
        .expect("JSON")
}

fn costs(report: &Value) -> Vec<&str> {
    let branches = report["branches"].as_array().expect("branches");
    branches.iter().filter_map(|branch| branch["whole"]["cost_usd"].as_str()).collect()
}

#[test]
fn a_world_in_which_nothing_is_otherwise_is_the_log() {
    let sandbox = sandbox("title = \"the same\"\n");
    let report = run(&sandbox, "");
    assert_eq!(costs(&report), ["0.0044", "0.0044"]);
    assert_eq!(report["branches"][0]["whole"], report["branches"][1]["whole"]);
    assert_eq!(report["incident"], Value::Null);
}

/// Whoever mistypes a model, or a moment, would else read that an outage costs nothing.
#[test]
fn a_change_of_which_nothing_comes_says_so() {
    let changes = |outage: &str| {
        let report = run(&sandbox(&format!("title = \"idle\"\n[[outage]]\n{outage}\n")), "");
        report["changes"][0].as_str().expect("a change").to_owned()
    };
    let mistyped = changes("models = [\"gemini-2.6-flash\"]");
    assert!(
        mistyped.ends_with(": no request and no rung has such a model, so nothing comes of it"),
        "{mistyped}"
    );
    let later = changes("models = [\"gemini-2.5-flash\"]\nfrom = \"+9h\"");
    assert!(later.ends_with(": begins after the last request, so nothing comes of it"), "{later}");
    let met = changes("models = [\"gemini-*\"]\nfrom = \"+40s\"");
    assert!(!met.contains("nothing comes of it"), "{met}");
}

#[test]
fn a_model_that_is_out_costs_what_the_next_rung_costs() {
    let sandbox = sandbox(
        "title = \"out\"\n[[outage]]\nmodels = [\"gemini-*\"]\nfrom = \"+40s\"\nstatus = \"rate_limited\"\ntakes = \"200ms\"\n",
    );
    let report = run(&sandbox, "");
    // Four on Flash, and four on GPT-4.1 for 0.002 + 0.0008.
    assert_eq!(costs(&report), ["0.0044", "0.0134"]);
    let world = &report["branches"][1];
    let [failed, escalated, unanswered] = ["failed_calls", "escalated", "failed"]
        .map(|name| world.get(name).unwrap_or(&world["whole"][name]).clone());
    assert_eq!([failed, escalated, unanswered], [4, 4, 0]);
    assert_eq!(world["incident"]["requests"], 4);
    // Five failures in a row shut a model: of eight, three are not sent there at all.
    let all_out = "title = \"out\"\n[[outage]]\nmodels = [\"gemini-*\"]\n[breaker]\ncool_down = \"10m\"\n";
    sandbox.write("world.toml", all_out);
    let world = run(&sandbox, "")["branches"][1].clone();
    assert_eq!([&world["failed_calls"], &world["barred_requests"], &world["whole"]["escalated"]], [5, 3, 5]);
}

#[test]
fn prices_change_from_a_moment_to_another_and_back() {
    let sandbox = sandbox(
        "title = \"cut\"\n[[price]]\nproviders = [\"google\"]\nfrom = \"10:00:20\"\nto = \"10:00:40\"\ntimes = 0.5\n[[price]]\nmodels = [\"gemini-2.5-flash\"]\nfrom = \"+1m\"\ninput = \"1\"\noutput = \"1\"\n",
    );
    // Two at half, two at 0.0011, four as they were.
    assert_eq!(costs(&run(&sandbox, "")), ["0.0044", "0.00495"]);
}

#[test]
fn what_a_cache_has_forgotten_is_sent_anew() {
    let sandbox = sandbox("title = \"cold\"\n[[cache]]\nttl = \"1m\"\n");
    let request = |id: &str, at: &str| {
        format!(
            r#"{{"id":"{id}","at":"2026-05-23T10:{at}Z","session":"s","task":"code","confidence":700,"model":"gpt-4.1","in":1000,"cache_read":9000,"out":100,"latency_ms":100}}"#
        ) + "\n"
    };
    sandbox.write("log.jsonl", &(request("a", "00:00") + &request("b", "00:50") + &request("c", "02:00")));
    let report = run(&sandbox, "");
    // 0.002 + 0.0045 + 0.0008 each; cold, the third sends 10,000 tokens for 0.02.
    assert_eq!(costs(&report), ["0.0219", "0.0354"]);
    assert_eq!(report["branches"][1]["cold_calls"], 1);
}

#[test]
fn a_race_for_a_budget_is_won_to_the_pico_dollar() {
    let sandbox = sandbox(
        "title = \"race\"\n[[repeat]]\nlike = \"r-2\"\ntimes = 10\nevery = \"0s\"\nsession = \"burst\"\n[budget.race]\nsession = [\"burst\"]\nlimit = { day = \"0.0022\" }\n[[branch]]\nname = \"none\"\nbudgets = false\n",
    );
    let report = run(&sandbox, "");
    assert_eq!(costs(&report), ["0.0044", "0.0066", "0.0099"]);
    let race = &report["branches"][1]["budgets"][0];
    assert_eq!([&race["spent"], &race["limit"]], ["0.0022", "0.0022"]);
    assert_eq!([&race["refused"], &report["branches"][1]["whole"]["refused"]], [6, 6]);
}

#[test]
fn a_loop_is_frozen_where_rules_watch() {
    let sandbox = sandbox(
        "title = \"loop\"\n[[repeat]]\ntask = \"extraction\"\ntimes = 100\nevery = \"1s\"\nsession = \"loop\"\n[runaways.loop]\neach = \"session\"\nsame-call = 5\namong = 10\nthen = \"freeze\"\n[[branch]]\nname = \"unwatched\"\nrunaways = false\n",
    );
    let report = run(&sandbox, "");
    let refused = |at: usize| report["branches"][at]["whole"]["refused"].clone();
    assert_eq!([refused(0), refused(1), refused(2)], [0, 96, 0]);
    assert_eq!(report["branches"][1]["trips"].as_array().map(Vec::len), Some(1));
}

#[test]
fn what_is_tried_begins_at_the_play_head() {
    let sandbox = sandbox("title = \"head\"\n[[outage]]\nmodels = [\"gemini-*\"]\n");
    // Of eight, the last four arrive in the last half minute.
    let at = |args: &[&str]| -> Value {
        let head = ["replay", "log.jsonl", "--at", "30s ago", "--format", "json"];
        let run = sandbox.run_all(&[&head[..], args].concat());
        serde_json::from_str(&run.out).expect("JSON")
    };
    let report = at(&["--world", "world.toml", "--against", "extraction.flash=900"]);
    assert_eq!(costs(&report), ["0.0044", "0.0134", "0.0134"]);
    assert_eq!(report["branches"][2]["whole"]["escalated"], 0, "placed there from the head on");
    assert_eq!(at(&[])["requests"], 5);
}

#[test]
fn one_world_gives_the_same_bytes_each_time() {
    let sandbox = sandbox(
        "title = \"<b>\"\nseed = 7\n[[outage]]\nshare = 400\n[[slow]]\ntimes = 2\n[[quota]]\nmodels = [\"gpt-*\"]\ncalls = 1\nevery = \"1m\"\n",
    );
    for format in ["json", "md", "csv", "table", "html"] {
        let text = || sandbox.good(&format!("replay log.jsonl --world world.toml --format {format}"));
        let first = text();
        assert_eq!(first, text(), "{format}");
        assert!(format != "html" || (first.contains("&lt;b&gt;") && !first.contains("<b>")));
    }
}

#[test]
fn what_is_wrong_in_a_world_is_told_with_its_line() {
    let sandbox = sandbox("");
    for (world, told) in [
        ("title = \"x\"\n[[outage]]\nmodel = [\"a\"]\n", "world.toml:3:1: `model` is no setting of outage"),
        ("title = \"x\"\n[[outage]]\nfrom = \"+2h\"\nto = \"+1h\"\n", "world.toml:4: `+1h` is not behind"),
        ("title = \"x\"\n[[price]]\ntimes = 0\n", "world.toml:3: `0` is no factor"),
        ("title = \"x\"\n[[price]]\ninput = \"2\"\n", "world.toml:2: `output` is missing"),
        ("title = \"x\"\n[[outage]]\nstatus = \"429\"\n", "world.toml:3: `429` is not known here"),
        ("title = \"x\"\n\n[budget.a]\nlimit = { moth = 3 }\n", "world.toml:4: `moth` is no window"),
        ("title = \"x\"\n[[amount]]\nlimit = \"a/day\"\nusd = 1\n", "no budget has the limit `a/day`"),
        (
            "title = \"x\"\n[[repeat]]\ntask = \"code\"\ntimes = 1\nevery = \"1s\"\nsession = \"s\"\n",
            "repeat 1: no request of the log is like that",
        ),
    ] {
        sandbox.write("world.toml", world);
        let run = sandbox.run("replay log.jsonl --world world.toml");
        assert_eq!(run.code, Some(2), "{told}");
        assert!(run.err.contains(told), "{told}\n{}", run.err);
    }
    assert!(sandbox.run("replay log.jsonl --world 429").err.contains("429-storm"));
}

/// The worlds that come along have branches of the default policy; nobody with another could live through them.
#[test]
fn a_world_is_lived_through_without_the_branches_of_another_policy() {
    let sandbox = sandbox(
        "title = \"other\"\n[[price]]\ntimes = 2\n[[branch]]\nname = \"sooner\"\nset = [\"elsewhere.flash=300\"]\n",
    );
    let report = run(&sandbox, "");
    assert_eq!(costs(&report), ["0.0044", "0.0088"]);
    let told = report["changes"][1].as_str().expect("a change");
    assert!(told.starts_with("branch sooner is left out: elsewhere.flash=300: no such route"), "{told}");
    let asked = sandbox.run("replay log.jsonl --world world.toml --against elsewhere.flash=300");
    assert!(
        asked.code == Some(2) && asked.err.contains("no such route"),
        "what was asked for is not left out: {}",
        asked.err
    );
}

#[test]
fn every_world_that_comes_along_is_listed() {
    let list = Sandbox::new().good("scenario --format json");
    for name in ["price-cut", "429-storm", "runaway-agent", "cache-ttl", "dst-reset", "budget-race"] {
        assert!(list.contains(name), "{name}");
    }
}

/// Worlds of budgets would else promise refusals where requests only wait.
#[test]
fn requests_wait_for_room_in_a_world_too_and_are_let_in_when_an_amount_is_raised() {
    let budget = "[budget.company]\nlimit = { lifetime = \"0.0012\" }\nover = \"queue\"\nwait = \"60s\"\n";
    let world = format!(
        "title = \"more\"\n[[amount]]\nlimit = \"company/lifetime\"\nusd = 1\nfrom = \"+45s\"\n{budget}"
    );
    let sandbox = sandbox(&world);
    let report = run(&sandbox, "");
    // Two have room, the others wait; as it was there was no such limit.
    let of = |branch: &Value| [&branch["whole"]["refused"], &branch["waited_requests"]].map(Value::as_u64);
    assert_eq!(of(&report["branches"][0]), [Some(0), Some(0)]);
    assert_eq!(of(&report["branches"][1]), [Some(0), Some(3)]);
    assert_eq!(costs(&report), ["0.0044", "0.0044"]);
    // A model that is out while they wait is out when they are let in: what is decided then goes by how things stand then.
    sandbox.write(
        "world.toml",
        format!("{world}[[outage]]\nmodels = [\"gemini-*\"]\nfrom = \"+40s\"\ntakes = \"200ms\"\n"),
    );
    let report = run(&sandbox, "");
    let branch = &report["branches"][1];
    assert_eq!((of(branch), &branch["failed_calls"]), ([Some(0), Some(3)], &Value::from(5)));
    assert!(sandbox.good("replay log.jsonl --world world.toml --format md").contains("waited"));
}

/// What a limit changes could else not be seen: the row it is set beside would be under it, too.
#[test]
fn as_it_was_is_under_no_limit_that_was_not_there() {
    let sandbox = sandbox("title = \"tight\"\n[budget.all]\nlimit = { day = \"0.0022\" }\n");
    let report = run(&sandbox, "");
    assert_eq!(costs(&report), ["0.0044", "0.0022"]);
    let refused = |at: usize| report["branches"][at]["whole"]["refused"].as_u64();
    assert_eq!((refused(0), refused(1)), (Some(0), Some(4)));
    sandbox.write("world.toml", "title = \"the same\"\n");
    sandbox.write("b.toml", "[budget.all]\nlimit = { day = \"0.0022\" }\n");
    let report = run(&sandbox, "--budgets b.toml");
    assert_eq!(costs(&report), ["0.0044", "0.0022", "0.0022"]);
    // What one's own limit saves is none of the world's doing.
    assert_eq!((&report["base"], &report["branches"][1]["branch"]), (&1.into(), &"under limits".into()));
    let table = sandbox.good("replay log.jsonl --world world.toml --budgets b.toml");
    assert!(table.lines().any(|line| line.contains("in this world") && line.contains("+0.0 %")), "{table}");
    assert!(!table.contains("-50.0 %"), "{table}");
}
